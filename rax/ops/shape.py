"""Operations that move elements without computing: each one's transpose is another of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import MAX_AXES, TensorType, as_dtype, normalize_axis
from rax.ops.algebra import all_batched
from rax.ops.arrays import Array, concrete
from rax.ops.families import Linear
from rax.ops.samples import normal, reject, sample


@op("reshape", since=1)
class Reshape(Linear):
    """The same elements, in row-major order, in another shape of the same size."""

    shape: Shape

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        if len(self.shape) > MAX_AXES:  # before the sizes of somebody else's file are multiplied
            raise TypeInferenceError(f"a tensor has at most {MAX_AXES} axes, not {len(self.shape)}")
        if dims.product(self.shape) != x.size:
            raise TypeInferenceError(
                f"cannot reshape {dims.shape_text(x.shape)} ({x.size} elements) to "
                f"{dims.shape_text(self.shape)} ({dims.product(self.shape)} elements)"
            )
        return x.with_shape(self.shape)

    def reference(self, *arrays: Array) -> Array:
        return arrays[0].reshape(concrete(self.shape))

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (Reshape(operands[0].shape)(ct),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return Reshape((size, *self.shape))(operands[0])

    samples = (
        sample(normal(2, 3), shape=(3, 2)),
        sample(normal(6), shape=(1, 2, 3)),
        sample(normal(1), shape=()),
        sample(normal(2, 0, 3), shape=(0, 5)),
    )
    rejects = (reject(normal(2, 3), shape=(5,), match="cannot reshape [2, 3] (6 elements) to [5]"),)


def reshape(x: Value, shape: Shape) -> Value:
    """``x`` in another shape; itself if it has that shape."""
    return x if x.shape == shape else Reshape(shape)(x)


def expand_dims(x: Value, axes: tuple[int, ...]) -> Value:
    """``x`` with axes of size 1 where ``axes`` say, counted in the result."""
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if axis in axes else next(sizes) for axis in range(x.ndim + len(axes))))


@op("permute_dims", since=1)
class PermuteDims(Linear):
    """Axes in another order: result axis ``i`` is operand axis ``axes[i]``."""

    axes: tuple[int, ...]

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        if sorted(self.axes) != list(range(x.ndim)):
            raise TypeInferenceError(f"{self.axes} is no permutation of the {x.ndim} axes")
        return x.with_shape(tuple(x.shape[axis] for axis in self.axes))

    def reference(self, *arrays: Array) -> Array:
        return arrays[0].transpose(self.axes)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (PermuteDims(tuple(self.axes.index(axis) for axis in range(len(self.axes))))(ct),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return PermuteDims((0, *[axis + 1 for axis in self.axes]))(operands[0])

    samples = (
        sample(normal(2, 3), axes=(1, 0)),
        sample(normal(2, 3, 4), axes=(2, 0, 1)),
        sample(normal(), axes=()),
        sample(normal(0, 2), axes=(1, 0)),
    )
    rejects = (reject(normal(2, 3), axes=(0, 0), match="(0, 0) is no permutation of the 2 axes"),)


def permute_dims(x: Value, axes: tuple[int, ...]) -> Value:
    """``x`` with axes reordered; itself if the order is the same."""
    return x if axes == tuple(range(x.ndim)) else PermuteDims(axes)(x)


def moveaxis(x: Value, source: int, target: int) -> Value:
    """``x`` with one axis moved."""
    order = [axis for axis in range(x.ndim) if axis != source]
    order.insert(target, source)
    return permute_dims(x, tuple(order))


@op("concat", since=1)
class Concat(Linear):
    """Operands joined along an axis they all have."""

    axis: int

    def result(self, *operands: TensorType) -> TensorType:
        if not operands:
            raise TypeInferenceError("concat needs at least one operand")
        first = self.require(*operands)
        axis = normalize_axis(self.axis, first.ndim)
        for other in operands:
            rest = (*other.shape[:axis], *other.shape[axis + 1 :])
            if other.ndim != first.ndim or rest != (*first.shape[:axis], *first.shape[axis + 1 :]):
                shown = " and ".join(dims.shape_text(t.shape) for t in (first, other))
                raise TypeInferenceError(f"shapes {shown} differ outside the joined axis {axis}")
        total: Size = 0
        for other in operands:
            total = total + other.shape[axis]
        return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))

    def reference(self, *arrays: Array) -> Array:
        return np.concatenate(arrays, axis=self.axis)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        parts: list[Derivative] = []
        start: Size = 0
        for value, wanted in zip(operands, linear, strict=True):
            stop = start + value.shape[self.axis]
            parts.append(slice_axis(ct, self.axis, start, stop) if wanted else None)
            start = stop
        return tuple(parts)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return Concat(self.axis + 1)(*all_batched(size, batched, operands))

    samples = (
        sample(normal(2, 3), normal(2, 2), axis=1),
        sample(normal(1, 2), normal(2, 2), normal(1, 2), axis=0),
        sample(normal(2), axis=0),
        sample(normal(0, 2), normal(1, 2), axis=0),
    )
    rejects = (reject(normal(2, 3), normal(3, 3), axis=1, match="differ outside the joined axis 1"),)


@op("slice", since=1)
class Slice(Linear):
    """Elements ``starts[i]``, ``starts[i] + steps[i]``, … below ``stops[i]`` of each axis.

    Bounds count from the front, ``0 <= start <= stop <= size``; steps are positive. An axis of the
    result has the size ``(stop - start + step - 1) // step``. (Negative bounds and steps are the
    front end's: it counts them out and flips.)
    """

    starts: Shape
    stops: Shape
    steps: tuple[int, ...]

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        if not len(self.starts) == len(self.stops) == len(self.steps) == x.ndim:
            raise TypeInferenceError(f"slice needs a start, stop and step for each of the {x.ndim} axes")
        sizes: list[Size] = []
        for size, start, stop, step in zip(x.shape, self.starts, self.stops, self.steps, strict=True):
            if step < 1:
                raise TypeInferenceError(f"a slice's step is positive, not {step}")
            for low, high in ((0, start), (start, stop), (stop, size)):
                if isinstance(low, int) and isinstance(high, int) and low > high:
                    raise TypeInferenceError(f"the slice {start}:{stop} leaves the axis of size {size}")
            sizes.append(stop - start if step == 1 else dims.floor_divide(stop - start + step - 1, step))
        return x.with_shape(tuple(sizes))

    def reference(self, *arrays: Array) -> Array:
        bounds = zip(concrete(self.starts), concrete(self.stops), self.steps, strict=True)
        return arrays[0][tuple(slice(*bound) for bound in bounds)]

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        highs: list[Size] = []
        for size, start, kept, step in zip(operands[0].shape, self.starts, ct.shape, self.steps, strict=True):
            highs.append(size - start - (kept if step == 1 else dims.maximum((kept - 1) * step + 1, 0)))
        return (pad(ct, self.starts, tuple(highs), tuple(step - 1 for step in self.steps)),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return Slice((0, *self.starts), (size, *self.stops), (1, *self.steps))(operands[0])

    samples = (
        sample(normal(4, 5), starts=(1, 0), stops=(3, 5), steps=(1, 2)),
        sample(normal(7), starts=(2,), stops=(7,), steps=(3,)),
        sample(normal(3), starts=(2,), stops=(2,), steps=(1,)),
        sample(normal(0, 3), starts=(0, 1), stops=(0, 3), steps=(1, 1)),
        sample(normal(), starts=(), stops=(), steps=()),
    )
    rejects = (
        reject(normal(3), starts=(1,), stops=(4,), steps=(1,), match="the slice 1:4 leaves the axis of size 3"),
        reject(normal(3), starts=(0,), stops=(3,), steps=(0,), match="step is positive"),
    )


def slice_axis(x: Value, axis: int, start: Size, stop: Size, step: int = 1) -> Value:
    """Part of one axis."""
    starts, stops, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
    wide: list[Size] = list(starts)
    wide[axis], stops[axis], steps[axis] = start, stop, step
    if start == 0 and stop == x.shape[axis] and step == 1:
        return x
    return Slice(tuple(wide), tuple(stops), tuple(steps))(x)


def _grid(places: Sequence[Sequence[int]]) -> tuple[Array, ...]:
    """An index of the elements at some places along each axis."""
    return np.ix_(*[np.array(row, np.int64) for row in places])


@op("pad", since=1)
class Pad(Linear):
    """Zeros (False) around an operand and between its elements.

    Each axis gets ``low`` zeros before, ``high`` after and ``interior`` between neighbours;
    negative ``low`` and ``high`` crop instead, after the interior is in. Without interior an axis of
    the result has the size ``low + size + high``, with it
    ``low + max((size - 1) * (interior + 1) + 1, 0) + high``.
    """

    low: Shape
    high: Shape
    interior: tuple[int, ...]

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        if not len(self.low) == len(self.high) == len(self.interior) == x.ndim:
            raise TypeInferenceError(f"pad needs low, high and interior for each of the {x.ndim} axes")
        sizes: list[Size] = []
        for size, low, high, gap in zip(x.shape, self.low, self.high, self.interior, strict=True):
            if gap < 0:
                raise TypeInferenceError(f"interior padding is not negative: {gap}")
            total = low + high + (size if gap == 0 else dims.maximum((size - 1) * (gap + 1) + 1, 0))
            if isinstance(total, int) and total < 0:
                raise TypeInferenceError(f"padding {low}, {high} crops more than the axis of size {size}")
            sizes.append(total)
        return x.with_shape(tuple(sizes))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        (due,) = self.infer(TensorType(as_dtype(x.dtype), x.shape))
        padded = np.zeros(concrete(due.shape), x.dtype)
        taken: list[list[int]] = []
        placed: list[list[int]] = []
        for size, total, low, gap in zip(x.shape, padded.shape, concrete(self.low), self.interior, strict=True):
            places = [low + index * (gap + 1) for index in range(size)]
            kept = [index for index, place in enumerate(places) if 0 <= place < total]
            taken.append(kept)
            placed.append([places[index] for index in kept])
        padded[_grid(placed)] = x[_grid(taken)]
        return padded

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        whole = pad(ct, tuple(-low for low in self.low), tuple(-high for high in self.high), (0,) * ct.ndim)
        steps = tuple(gap + 1 for gap in self.interior)
        if all(step == 1 for step in steps):
            return (whole,)
        return (Slice((0,) * ct.ndim, whole.shape, steps)(whole),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return Pad((0, *self.low), (0, *self.high), (0, *self.interior))(operands[0])

    samples = (
        sample(normal(2, 3), low=(1, 0), high=(0, 2), interior=(0, 0)),
        sample(normal(3), low=(1,), high=(2,), interior=(2,)),
        sample(normal(4), low=(-1,), high=(2,), interior=(1,)),
        sample(normal(0), low=(1,), high=(1,), interior=(1,)),
    )
    rejects = (reject(normal(2), low=(-3,), high=(0,), interior=(0,), match="crops more than the axis of size 2"),)


def pad(x: Value, low: Shape, high: Shape, interior: tuple[int, ...]) -> Value:
    """``x`` padded with zeros; itself if there is nothing to pad."""
    if all(amount == 0 for amount in (*low, *high, *interior)):
        return x
    return Pad(low, high, interior)(x)


@op("flip", since=1)
class Flip(Linear):
    """Some axes in reverse order."""

    axes: tuple[int, ...]

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        if len(set(self.axes)) != len(self.axes) or any(not 0 <= axis < x.ndim for axis in self.axes):
            raise TypeInferenceError(f"flip axes {self.axes} do not name axes of {dims.shape_text(x.shape)}")
        return x

    def reference(self, *arrays: Array) -> Array:
        return np.flip(arrays[0], self.axes)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (self(ct),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return Flip(tuple(axis + 1 for axis in self.axes))(operands[0])

    samples = (sample(normal(2, 3), axes=(1,)), sample(normal(2, 3), axes=(0, 1)), sample(normal(0), axes=(0,)))
    rejects = (reject(normal(2), axes=(1,), match="do not name axes of [2]"),)
