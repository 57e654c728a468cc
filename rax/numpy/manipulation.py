"""Shapes: reshaping, joining, repeating and moving, without computing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rax.frontend import indexing
from rax.frontend.evaluation import concrete
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims, types
from rax.ir.dims import Dim, Shape, Size, shape_text
from rax.ir.errors import ShapeError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import int64
from rax.numpy.common import Axes, ShapeLike, as_axes, as_axis, as_integer, as_list, as_shape
from rax.ops import algebra
from rax.ops import shape as shape_ops
from rax.ops.arithmetic import remainder
from rax.ops.arrays import scalar
from rax.ops.creation import dim_size, iota
from rax.ops.elementwise import subtract
from rax.ops.indexing import Gather


def broadcast_arrays(*arrays: TensorLike) -> tuple[Tensor, ...]:
    """Tensors stretched to the shape they broadcast to, each in its dtype.

    Raises:
        TypeInferenceError: the shapes do not broadcast.

    Example:
        >>> from rax.numpy import ones
        >>> [x.shape for x in broadcast_arrays(ones((2, 1)), ones(3))]
        [(2, 3), (2, 3)]
    """
    values = [as_value(x) for x in arrays]
    shape = types.broadcast_shapes(*[value.shape for value in values])
    return tuple(Tensor(algebra.broadcast_to(value, shape)) for value in values)


def broadcast_shapes(*shapes: ShapeLike) -> Shape:
    """The shape that shapes broadcast to; ``()`` for none.

    Args:
        *shapes: sizes; symbolic ones may be given as :class:`~rax.ir.dims.Dim` or by name.

    Raises:
        ShapeError: they do not broadcast, naming the axis.

    Example:
        >>> broadcast_shapes((2, 1), (3,))
        (2, 3)
    """
    try:
        return types.broadcast_shapes(*map(as_shape, shapes))
    except TypeInferenceError as error:
        raise ShapeError(error.what, fix=error.fix) from None


def broadcast_to(x: TensorLike, /, shape: ShapeLike) -> Tensor:
    """``x`` stretched to a shape: new leading axes, and axes of size 1, repeat it.

    Raises:
        TypeInferenceError: the shape does not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> broadcast_to(asarray([1, 2]), (2, 2))
        Tensor([[1, 2],
                [1, 2]], dtype=int64)
    """
    return Tensor(algebra.broadcast_to(as_value(x), as_shape(shape)))


def concat(arrays: Sequence[TensorLike], /, axis: int | None = 0) -> Tensor:
    """Tensors joined along an axis they all have.

    Args:
        arrays: of one shape apart from the axis; dtypes are promoted.
        axis: the axis; None flattens each first.

    Raises:
        TypeInferenceError: the shapes differ elsewhere, or there is nothing to join.

    Example:
        >>> from rax.numpy import asarray
        >>> concat([asarray([1, 2]), asarray([3])])
        Tensor([1, 2, 3], dtype=int64)
    """
    values = promote_operands(*arrays) if arrays else []
    if axis is None:
        values = [shape_ops.reshape(value, (value.type.size,)) for value in values]
        axis = 0
    if not values:
        raise TypeInferenceError("concat needs at least one tensor")
    return Tensor(shape_ops.Concat(as_axis(axis, values[0].ndim))(*values))


def expand_dims(x: TensorLike, /, axis: int | Sequence[int]) -> Tensor:
    """``x`` with new axes of size 1.

    Args:
        x: any shape.
        axis: where in the result each new axis stands.

    Raises:
        OutOfRangeError: an axis is out of range.

    Example:
        >>> from rax.numpy import ones
        >>> expand_dims(ones((2, 3)), axis=1).shape
        (2, 1, 3)
    """
    value = as_value(x)
    return Tensor(shape_ops.expand_dims(value, as_axes(axis, value.ndim + len(as_list(axis)))))


def flip(x: TensorLike, /, axis: Axes = None) -> Tensor:
    """Some axes in reverse order; all for None.

    Example:
        >>> from rax.numpy import asarray
        >>> flip(asarray([1, 2, 3]))
        Tensor([3, 2, 1], dtype=int64)
    """
    value = as_value(x)
    axes = as_axes(axis, value.ndim)
    return Tensor(shape_ops.Flip(axes)(value) if axes else value)


def moveaxis(x: TensorLike, source: int | Sequence[int], destination: int | Sequence[int], /) -> Tensor:
    """Some axes moved to new places; the rest keep their order.

    Args:
        x: any shape.
        source: the axes to move.
        destination: where each of them stands in the result.

    Raises:
        OutOfRangeError: an axis is out of range.
        TypeInferenceError: the numbers of axes differ.

    Example:
        >>> from rax.numpy import ones
        >>> moveaxis(ones((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    value = as_value(x)
    sources, targets = _in_order(source, value.ndim), _in_order(destination, value.ndim)
    if len(sources) != len(targets):
        raise TypeInferenceError(f"moveaxis moves {len(sources)} axes to {len(targets)} places")
    order = [axis for axis in range(value.ndim) if axis not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return Tensor(shape_ops.permute_dims(value, tuple(order)))


def _in_order(axis: int | Sequence[int], ndim: int) -> list[int]:
    """Axes counted from the front, in the order given."""
    as_axes(axis, ndim)
    return [number.__index__() % ndim for number in as_list(axis)]


def permute_dims(x: TensorLike, /, axes: Sequence[int]) -> Tensor:
    """Axes in another order: axis ``i`` of the result is axis ``axes[i]`` of ``x``.

    Raises:
        TypeInferenceError: ``axes`` is no permutation.

    Example:
        >>> from rax.numpy import ones
        >>> permute_dims(ones((2, 3, 4)), (2, 0, 1)).shape
        (4, 2, 3)
    """
    value = as_value(x)
    order = tuple(as_axis(axis, value.ndim) for axis in as_list(axes))
    return Tensor(shape_ops.permute_dims(value, order))


def repeat(x: TensorLike, repeats: TensorLike, /, axis: int | None = None) -> Tensor:
    """Each element repeated in place.

    Args:
        x: any shape.
        repeats: how often: a number or symbolic size; or a number for each element along the axis, whose values
            must be known, since they fix the shape.
        axis: the axis; None flattens ``x`` first.

    Raises:
        TypeInferenceError: a count is negative, or their number does not fit the axis.
        UnboundInputError: the counts depend on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> repeat(asarray([1, 2]), 2)
        Tensor([1, 1, 2, 2], dtype=int64)
    """
    value = as_value(x)
    if axis is None:
        value, axis = shape_ops.reshape(value, (value.type.size,)), 0
    axis = as_axis(axis, value.ndim)
    size = value.shape[axis]
    if isinstance(repeats, (int, Dim)):
        return Tensor(_repeated(value, repeats, axis))
    counts = concrete(as_value(repeats), "repeat", "repeat by a Python number, or compute the counts outside")
    if counts.size == 1:
        return Tensor(_repeated(value, int(counts.item()), axis))
    if np.any(counts < 0):
        raise TypeInferenceError("repeat needs counts that are not negative")
    if counts.ndim != 1 or counts.size != size:
        raise TypeInferenceError(f"repeat has {shape_text(counts.shape)} counts for an axis of size {size}")
    places = np.repeat(np.arange(counts.size), counts)
    return Tensor(indexing.get(value, (*[slice(None)] * axis, places)))


def _repeated(x: Value, count: Size, axis: int) -> Value:
    if isinstance(count, int) and count < 0:
        raise TypeInferenceError("repeat needs counts that are not negative")
    before, size, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    wide = algebra.broadcast_to(shape_ops.expand_dims(x, (axis + 1,)), (*before, size, count, *behind))
    return shape_ops.reshape(wide, (*before, size * count, *behind))


def reshape(x: TensorLike, /, shape: ShapeLike, *, copy: bool | None = None) -> Tensor:
    """The same elements, in row-major order, in another shape.

    Args:
        x: any shape.
        shape: the sizes; one may be -1, for what is left.
        copy: True, False or None: whether memory is copied is the backend's choice, and cannot
            be seen.

    Raises:
        ShapeError: what is left is not a whole number, or not provably.
        TypeInferenceError: the number of elements differs.

    Example:
        >>> from rax.numpy import arange
        >>> reshape(arange(6), (2, -1))
        Tensor([[0, 1, 2],
                [3, 4, 5]], dtype=int64)
    """
    del copy
    value = as_value(x)
    given = as_list(shape)
    open_places = [place for place, size in enumerate(given) if isinstance(size, int) and size == -1]
    if len(open_places) > 1:
        raise ShapeError(f"reshape can work out one size, not {len(open_places)}", fix="give all -1 but one")
    if open_places:
        rest = as_shape([size for place, size in enumerate(given) if place not in open_places])
        given[open_places[0]] = _left_over(value, rest)
    return Tensor(shape_ops.reshape(value, as_shape(given)))


def _left_over(x: Value, rest: Shape) -> Size:
    known, size = dims.product(rest), x.type.size
    left = 0 if known == 0 else dims.floor_divide(size, known)
    if known == 0 or left * known != size:
        raise ShapeError(
            f"cannot reshape {shape_text(x.shape)} ({size} elements): the size for -1 beside {shape_text(rest)} "
            f"is not a whole number"
        )
    return left


def roll(x: TensorLike, /, shift: int | Sequence[int], axis: Axes = None) -> Tensor:
    """Elements moved along axes; what leaves at one end comes in at the other.

    Args:
        x: any shape.
        shift: by how many places, for each axis or for all.
        axis: the axes; None flattens ``x``, rolls, and gives it its shape back.

    Raises:
        TypeInferenceError: the numbers of shifts and axes differ.

    Example:
        >>> from rax.numpy import arange
        >>> roll(arange(5), 2)
        Tensor([3, 4, 0, 1, 2], dtype=int64)
    """
    value = as_value(x)
    if axis is None:
        flat = shape_ops.reshape(value, (value.type.size,))
        total = sum(shift) if isinstance(shift, Sequence) else shift
        return Tensor(shape_ops.reshape(_roll(flat, total, 0), value.shape))
    axes = list(axis) if isinstance(axis, Sequence) else [axis]
    shifts = list(shift) if isinstance(shift, Sequence) else [shift] * len(axes)
    if len(shifts) != len(axes):
        raise TypeInferenceError(f"roll has {len(shifts)} shifts for {len(axes)} axes")
    for amount, one in zip(shifts, axes, strict=True):
        value = _roll(value, amount, as_axis(one, value.ndim))
    return Tensor(value)


def _roll(x: Value, shift: int, axis: int) -> Value:
    size = x.shape[axis]
    if isinstance(size, int):
        cut = -as_integer(shift, "a shift") % size if size else 0
        if not cut:
            return x
        parts = shape_ops.slice_axis(x, axis, cut, size), shape_ops.slice_axis(x, axis, 0, cut)
        return shape_ops.Concat(axis)(*parts)
    places = remainder(subtract(iota(size), scalar(shift, int64)), dim_size(size))
    first = shape_ops.moveaxis(x, axis, 0)
    return shape_ops.moveaxis(Gather(0, unique_indices=True)(first, places), 0, axis)


def squeeze(x: TensorLike, /, axis: int | Sequence[int]) -> Tensor:
    """``x`` without some axes of size 1.

    Raises:
        ShapeError: an axis has another size.

    Example:
        >>> from rax.numpy import ones
        >>> squeeze(ones((1, 3, 1)), axis=0).shape
        (3, 1)
    """
    value = as_value(x)
    axes = as_axes(axis, value.ndim)
    for one in axes:
        if value.shape[one] != 1:
            raise ShapeError(f"squeeze takes axes of size 1; axis {one} of {value.type} is none")
    return Tensor(shape_ops.reshape(value, tuple(s for place, s in enumerate(value.shape) if place not in axes)))


def stack(arrays: Sequence[TensorLike], /, axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis; dtypes are promoted.

    Raises:
        TypeInferenceError: the shapes differ, or there is nothing to stack.

    Example:
        >>> from rax.numpy import asarray
        >>> stack([asarray([1, 2]), asarray([3, 4])], axis=1)
        Tensor([[1, 3],
                [2, 4]], dtype=int64)
    """
    if not arrays:
        raise TypeInferenceError("stack needs at least one tensor")
    values = promote_operands(*arrays)
    place = as_axis(axis, values[0].ndim + 1)
    for value in values:
        if value.shape != values[0].shape:
            shown = f"{shape_text(values[0].shape)} and {shape_text(value.shape)}"
            raise TypeInferenceError(f"stack takes tensors of one shape, not {shown}")
    return Tensor(shape_ops.Concat(place)(*[shape_ops.expand_dims(value, (place,)) for value in values]))


def tile(x: TensorLike, repetitions: Sequence[int], /) -> Tensor:
    """``x`` as a whole repeated along each axis; missing axes are added in front.

    Example:
        >>> from rax.numpy import asarray
        >>> tile(asarray([1, 2]), (2, 2))
        Tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]], dtype=int64)
    """
    value = as_value(x)
    counts = as_shape(repetitions)
    rank = max(value.ndim, len(counts))
    sizes = (*[1] * (rank - value.ndim), *value.shape)
    counts = (*[1] * (rank - len(counts)), *counts)
    spread = shape_ops.reshape(value, tuple(part for size in sizes for part in (1, size)))
    pairs = list(zip(counts, sizes, strict=True))
    whole = algebra.broadcast_to(spread, tuple(part for pair in pairs for part in pair))
    return Tensor(shape_ops.reshape(whole, tuple(count * size for count, size in pairs)))


def unstack(x: TensorLike, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts of ``x`` along an axis, which goes; its size must be known.

    Raises:
        ShapeError: the size is symbolic.

    Example:
        >>> from rax.numpy import asarray
        >>> unstack(asarray([1, 2]))
        (Tensor(1, dtype=int64), Tensor(2, dtype=int64))
    """
    value = as_value(x)
    place = as_axis(axis, value.ndim)
    size = value.shape[place]
    if not isinstance(size, int):
        raise ShapeError(f"unstack needs to know the size {size}", fix="fix it in the spec, or use rax.vmap")
    return tuple(Tensor(indexing.get(value, (*[slice(None)] * place, index))) for index in range(size))
