"""Operations on sliding windows: convolution, and taking windows out and adding them up again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType
from rax.ops.algebra import in_float32, zeros
from rax.ops.arrays import Array, concrete, wide
from rax.ops.families import Linear, Multilinear
from rax.ops.samples import NUMERIC, normal, reject, sample
from rax.ops.shape import Flip, Pad, moveaxis, permute_dims, reshape, slice_axis


def spread(size: Size, dilation: int) -> Size:
    """The extent of ``size`` elements that stand ``dilation`` apart."""
    return size if dilation == 1 else dims.maximum((size - 1) * dilation + 1, 0)


def window_count(size: Size, window: Size, stride: int, dilation: int) -> Size:
    """How many windows an axis holds: ``(size - extent) // stride + 1``; none where it is too short.

    Example:
        >>> window_count(8, 3, 2, 1), window_count(dims.dim("4*n + 2"), 2, 2, 1)
        (3, dim('2*n + 1'))
    """
    return dims.maximum(dims.floor_divide(size - spread(window, dilation), stride) + 1, 0)


def _check_fit(size: Size, extent: Size) -> None:
    if isinstance(size, int) and isinstance(extent, int) and size < extent:
        raise TypeInferenceError(
            f"a window that extends over {extent} positions does not fit an axis of {size}",
            fix="pad the axis, or take a smaller window",
        )


def _check_positive(name: str, count: int, **attributes: tuple[int, ...]) -> None:
    for label, numbers in attributes.items():
        if len(numbers) != count or any(number < 1 for number in numbers):
            raise TypeInferenceError(f"{name} needs {count} positive {label}, not {numbers}")


def _stepped(start: int, count: int, step: int) -> slice:
    """``count`` elements from ``start`` on, ``step`` apart; count is not 0."""
    return slice(start, start + (count - 1) * step + 1, step)


def _cropped(x: Value, shape: Shape) -> Value:
    """``x`` as having a shape it has already, where symbolic sizes do not show it."""
    for axis, size in enumerate(shape):
        x = x if x.shape[axis] == size else slice_axis(x, axis, 0, size)
    return x


def _per_group(channels: Size, groups: Size) -> Size:
    return 0 if groups == 0 else dims.floor_divide(channels, groups)


def _plain(count: int, **attributes: Any) -> dict[str, Any]:
    """The attributes of a conv over ``count`` axes, for samples: nothing special but what is given."""
    ones = (1,) * count
    defaults = {"strides": ones, "padding": ((0, 0),) * count, "input_dilation": ones, "kernel_dilation": ones}
    return {**defaults, **attributes}


@op("conv", since=1)
class Conv(Multilinear):
    """The convolution of deep learning: each window of the input times the kernel, summed.

    ``x`` has shape ``(N, C, *S)``, the kernel ``(O, C / groups, *K)``, the result ``(N, O, *out)``
    with ``out = (padded - extent) // stride + 1``. Before windows are taken the input gets
    ``input_dilation - 1`` zeros between neighbours, then ``padding`` (low, high) on each side,
    which crops where it is negative; the kernel's taps stand ``kernel_dilation`` apart. The
    kernel is not flipped. Channels fall into ``groups`` that do not mix.
    """

    strides: tuple[int, ...]
    padding: tuple[tuple[Size, Size], ...]
    input_dilation: tuple[int, ...]
    kernel_dilation: tuple[int, ...]
    groups: Size = 1

    arity = 2
    dtypes = NUMERIC

    def result(self, *operands: TensorType) -> TensorType:
        x, kernel = operands
        self.require(x, kernel)
        self._check(x, kernel)
        for size, window, dilation in zip(self._padded(x.shape), kernel.shape[2:], self.kernel_dilation, strict=True):
            _check_fit(size, spread(window, dilation))
        return x.with_shape((x.shape[0], kernel.shape[0], *self._out(x.shape, kernel.shape)))

    def _check(self, x: TensorType, kernel: TensorType) -> None:
        count = x.ndim - 2
        shown = f"{dims.shape_text(x.shape)} and {dims.shape_text(kernel.shape)}"
        if count < 0 or kernel.ndim != x.ndim:
            raise TypeInferenceError(
                f"conv needs an input (N, C, *spatial) and a kernel (O, C/groups, *spatial), not {shown}"
            )
        _check_positive(
            self.name, count,
            strides=self.strides, input_dilation=self.input_dilation, kernel_dilation=self.kernel_dilation,
        )  # fmt: skip
        if len(self.padding) != count:
            raise TypeInferenceError(f"conv needs {count} pairs of padding, not {len(self.padding)}")
        if isinstance(self.groups, int) and self.groups < 0:
            raise TypeInferenceError(f"conv needs a number of groups that is not negative, not {self.groups}")
        if x.shape[1] != kernel.shape[1] * self.groups:
            raise TypeInferenceError(
                f"conv of {shown}: {x.shape[1]} input channels are not {self.groups} groups of {kernel.shape[1]}"
            )
        if _per_group(kernel.shape[0], self.groups) * self.groups != kernel.shape[0]:
            raise TypeInferenceError(
                f"conv's {kernel.shape[0]} output channels do not fall into {self.groups} equal groups"
            )

    def scratch_bytes(self, *operands: TensorType) -> Size:
        """The memory for the padded input, and for the windows over one image laid out as columns."""
        x, kernel = operands
        padded = self._padded(x.shape)
        wide = dims.product((*x.shape[:2], *padded)) if padded != x.shape[2:] else 0
        columns = dims.product((x.shape[1], *kernel.shape[2:], *self._out(x.shape, kernel.shape)))
        return (wide + columns) * x.dtype.itemsize

    def _padded(self, shape: Shape) -> Shape:
        """The spatial sizes of the input after dilation and padding."""
        spread_sizes = map(spread, shape[2:], self.input_dilation)
        return tuple(size + low + high for size, (low, high) in zip(spread_sizes, self.padding, strict=True))

    def _out(self, shape: Shape, kernel: Shape) -> Shape:
        """The spatial sizes of the result."""
        return tuple(map(window_count, self._padded(shape), kernel[2:], self.strides, self.kernel_dilation))

    def reference(self, *arrays: Array) -> Array:
        x, kernel = (wide(array) for array in arrays)
        out = concrete(self._out(x.shape, kernel.shape))
        shape = (len(x), len(kernel), *out)
        if math.prod(shape) == 0:
            return np.zeros(shape, arrays[0].dtype)
        groups, outs, ins = self.groups.__index__(), len(kernel) // self.groups.__index__(), kernel.shape[1]
        low, high = ((0, 0, *[pair[side] for pair in self.padding]) for side in (0, 1))
        padded = Pad(low, high, (0, 0, *[spacing - 1 for spacing in self.input_dilation])).reference(x)
        weights = kernel.reshape(groups, outs, ins, *kernel.shape[2:])
        total = np.zeros((len(x), groups, outs, math.prod(out)), x.dtype)
        for offset in np.ndindex(*kernel.shape[2:]):
            starts = [tap * dilation for tap, dilation in zip(offset, self.kernel_dilation, strict=True)]
            patch = padded[(..., *map(_stepped, starts, out, self.strides))]
            total += weights[(..., *offset)] @ patch.reshape(len(x), groups, ins, math.prod(out))
        return total.reshape(shape).astype(arrays[0].dtype)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        x, kernel = operands
        target = x if linear[0] else kernel
        if 0 in target.shape:
            part = zeros(target.type)
        else:
            part = self._onto_input(ct, x, kernel) if linear[0] else self._onto_kernel(ct, x, kernel)
        return (part, None) if linear[0] else (None, part)

    def _onto_input(self, ct: Value, x: Value, kernel: Value) -> Value:
        """The cotangent convolved with the kernel turned round, strides and dilation swapped."""
        groups, outs = self.groups, _per_group(kernel.shape[0], self.groups)
        _, ins, *window = kernel.shape
        parts = moveaxis(reshape(kernel, (groups, outs, ins, *window)), 1, 2)
        turned = Flip(tuple(range(2, kernel.ndim)))(reshape(parts, (groups * ins, outs, *window)))
        padding: list[tuple[Size, Size]] = []
        for axis, (low, _) in enumerate(self.padding):
            extent = spread(window[axis], self.kernel_dilation[axis])
            needed = extent + (x.shape[axis + 2] - 1) * self.input_dilation[axis]
            before = extent - 1 - low
            padding.append((before, needed - spread(ct.shape[axis + 2], self.strides[axis]) - before))
        swapped = Conv(self.input_dilation, tuple(padding), self.strides, self.kernel_dilation, groups)
        return _cropped(swapped(ct, turned), x.shape)

    def _onto_kernel(self, ct: Value, x: Value, kernel: Value) -> Value:
        """The input convolved with the cotangent, channels and batch in each other's place."""
        groups, count = self.groups, x.shape[0]
        outs, ins, *window = kernel.shape
        parts = reshape(x, (count, groups, ins, *x.shape[2:]))
        lined = permute_dims(parts, (2, 1, 0, *range(3, parts.ndim)))
        padding: list[tuple[Size, Size]] = []
        for axis, (low, _) in enumerate(self.padding):
            needed = spread(ct.shape[axis + 2], self.strides[axis]) + (window[axis] - 1) * self.kernel_dilation[axis]
            padding.append((low, needed - spread(x.shape[axis + 2], self.input_dilation[axis]) - low))
        swapped = Conv(self.kernel_dilation, tuple(padding), self.input_dilation, self.strides, groups)
        found = swapped(reshape(lined, (ins, groups * count, *x.shape[2:])), moveaxis(ct, 0, 1))
        return moveaxis(_cropped(found, (ins, outs, *window)), 0, 1)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        x, kernel = operands
        if not batched[1]:
            folded = self(reshape(x, (size * x.shape[1], *x.shape[2:])), kernel)
            return reshape(folded, (size, x.shape[1], *folded.shape[1:]))
        _, outs, ins, *window = kernel.shape
        groups = self.groups
        if batched[0]:  # each example becomes a group of its own
            _, count, channels, *spatial = x.shape
            many = Conv(self.strides, self.padding, self.input_dilation, self.kernel_dilation, size * groups)
            lined = reshape(moveaxis(x, 0, 1), (count, size * channels, *spatial))
            folded = many(lined, reshape(kernel, (size * outs, ins, *window)))
            return moveaxis(reshape(folded, (count, size, outs, *folded.shape[2:])), 1, 0)
        per_group = _per_group(outs, groups)
        parts = moveaxis(reshape(kernel, (size, groups, per_group, ins, *window)), 0, 1)
        folded = self(x, reshape(parts, (size * outs, ins, *window)))
        split = reshape(folded, (x.shape[0], groups, size, per_group, *folded.shape[2:]))
        return reshape(moveaxis(split, 2, 0), (size, x.shape[0], outs, *folded.shape[2:]))

    samples = (
        sample(normal(2, 2, 5), normal(3, 2, 3), **_plain(1)),
        sample(normal(2, 1, 4, 5), normal(2, 1, 2, 3), **_plain(2, padding=((1, 1), (0, 2)))),
        sample(normal(1, 2, 7), normal(2, 2, 2), **_plain(1, strides=(3,))),
        sample(normal(1, 2, 8), normal(2, 2, 3), **_plain(1, strides=(2,), padding=((2, -1),), kernel_dilation=(2,))),
        sample(normal(2, 4, 4), normal(6, 2, 2), **_plain(1, groups=2)),
        sample(
            normal(1, 2, 3, 4), normal(4, 1, 2, 2),
            **_plain(2, groups=2, strides=(1, 2), padding=((-1, 2), (0, 0))),
        ),
        sample(normal(1, 1, 3), normal(1, 1, 2), **_plain(1, input_dilation=(3,), padding=((1, 0),), strides=(2,))),
        sample(
            normal(1, 2, 3, 5), normal(2, 1, 2, 2),
            **_plain(2, input_dilation=(2, 1), kernel_dilation=(1, 3), padding=((-1, 0), (0, -1)), groups=2),
        ),
        sample(normal(1, 1, 2, 3, 2), normal(1, 1, 2, 2, 1), **_plain(3)),
        sample(normal(2, 3), normal(4, 3), **_plain(0)),
        sample(normal(0, 2, 4), normal(3, 2, 3), **_plain(1)),
        sample(normal(2, 0, 4), normal(3, 0, 3), **_plain(1)),
        sample(normal(1, 1, 0), normal(1, 1, 2), **_plain(1, padding=((1, 2),))),
    )  # fmt: skip
    rejects = (
        reject(normal(2, 3), normal(3), **_plain(0), match="a kernel (O, C/groups, *spatial), not [2, 3] and [3]"),
        reject(normal(1, 3, 5), normal(2, 2, 3), **_plain(1), match="3 input channels are not 1 groups of 2"),
        reject(normal(1, 0, 5), normal(3, 0, 3), **_plain(1, groups=-1), match="groups that is not negative, not -1"),
        reject(normal(1, 4, 5), normal(3, 2, 3), **_plain(1, groups=2), match="3 output channels do not fall into 2"),
        reject(normal(1, 1, 2), normal(1, 1, 3), **_plain(1), match="over 3 positions does not fit an axis of 2"),
        reject(normal(1, 1, 5), normal(1, 1, 3), **_plain(1, strides=(0,)), match="1 positive strides, not (0,)"),
        reject(normal(1, 1, 5), normal(1, 1, 3), **_plain(1, padding=()), match="1 pairs of padding, not 0"),
    )


def _checked_count(op: SlidingWindows | FoldWindows, spatial: Shape, window: Shape) -> Shape:
    """The number of windows along each axis, after checking the attributes."""
    _check_positive(op.name, len(window), strides=op.strides, dilation=op.dilation)
    if any(isinstance(size, int) and size < 0 for size in window):
        raise TypeInferenceError(f"{op.name} needs a window that is not negative, not {dims.shape_text(window)}")
    for size, extent in zip(spatial, map(spread, window, op.dilation), strict=True):
        _check_fit(size, extent)
    return tuple(map(window_count, spatial, window, op.strides, op.dilation))


@op("sliding_windows", since=1)
class SlidingWindows(Linear):
    """The windows over the last axes: ``(*lead, *S)`` gives ``(*lead, *out, *window)``.

    ``out = (S - extent) // stride + 1``; the elements of a window stand ``dilation`` apart. A
    maximum or a mean over the window axes is pooling.
    """

    window: Shape
    strides: tuple[int, ...]
    dilation: tuple[int, ...]

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        lead = x.ndim - len(self.window)
        if lead < 0:
            raise TypeInferenceError(
                f"sliding_windows over {len(self.window)} axes does not fit {dims.shape_text(x.shape)}"
            )
        return x.with_shape((*x.shape[:lead], *_checked_count(self, x.shape[lead:], self.window), *self.window))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        lead, window = x.ndim - len(self.window), concrete(self.window)
        out = concrete(tuple(map(window_count, x.shape[lead:], window, self.strides, self.dilation)))
        result = np.zeros((*x.shape[:lead], *out, *window), x.dtype)
        if result.size:
            for offset in np.ndindex(*window):
                starts = [step * dilation for step, dilation in zip(offset, self.dilation, strict=True)]
                result[(..., *offset)] = x[(..., *map(_stepped, starts, out, self.strides))]
        return result

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        spatial = operands[0].shape[operands[0].ndim - len(self.window) :]
        return (in_float32(FoldWindows(spatial, self.strides, self.dilation), ct),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*operands)

    samples = (
        sample(normal(5), window=(3,), strides=(1,), dilation=(1,)),
        sample(normal(2, 7), window=(2,), strides=(2,), dilation=(3,)),
        sample(normal(2, 4, 5), window=(2, 3), strides=(2, 1), dilation=(1, 2)),
        sample(normal(3, 4), window=(), strides=(), dilation=()),
        sample(normal(0, 4), window=(2,), strides=(2,), dilation=(1,)),
    )
    rejects = (
        reject(normal(5), window=(2, 2), strides=(1, 1), dilation=(1, 1), match="over 2 axes does not fit [5]"),
        reject(normal(5), window=(-1,), strides=(1,), dilation=(1,), match="a window that is not negative, not [-1]"),
        reject(normal(5), window=(2,), strides=(0,), dilation=(1,), match="1 positive strides, not (0,)"),
        reject(normal(3), window=(2,), strides=(1,), dilation=(3,), match="over 4 positions does not fit an axis of 3"),
    )


@op("fold_windows", since=1)
class FoldWindows(Linear):
    """Windows added up where they overlap: ``(*lead, *out, *window)`` gives ``(*lead, *shape)``.

    The transpose of ``sliding_windows``; positions that no window covers are 0.
    """

    shape: Shape
    strides: tuple[int, ...]
    dilation: tuple[int, ...]

    arity = 1
    dtypes = NUMERIC

    def result(self, *operands: TensorType) -> TensorType:
        x, count = self.require(*operands), len(self.shape)
        lead = x.ndim - 2 * count
        if lead < 0:
            raise TypeInferenceError(f"fold_windows to {count} axes does not fit {dims.shape_text(x.shape)}")
        out = _checked_count(self, self.shape, x.shape[lead + count :])
        if x.shape[lead : lead + count] != out:
            raise TypeInferenceError(
                f"fold_windows to {dims.shape_text(self.shape)} needs {dims.shape_text(out)} windows, "
                f"not {dims.shape_text(x.shape[lead : lead + count])}"
            )
        return x.with_shape((*x.shape[:lead], *self.shape))

    def reference(self, *arrays: Array) -> Array:
        x, count = wide(arrays[0]), len(self.shape)
        lead = x.ndim - 2 * count
        out, window = x.shape[lead : lead + count], x.shape[lead + count :]
        total = np.zeros((*x.shape[:lead], *concrete(self.shape)), x.dtype)
        if x.size:
            for offset in np.ndindex(*window):
                starts = [step * dilation for step, dilation in zip(offset, self.dilation, strict=True)]
                total[(..., *map(_stepped, starts, out, self.strides))] += x[(..., *offset)]
        return total.astype(arrays[0].dtype)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        window = operands[0].shape[operands[0].ndim - len(self.shape) :]
        return (SlidingWindows(window, self.strides, self.dilation)(ct),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*operands)

    samples = (
        sample(normal(3, 3), shape=(5,), strides=(1,), dilation=(1,)),
        sample(normal(2, 3, 2), shape=(9,), strides=(2,), dilation=(3,)),
        sample(normal(2, 2, 1, 2, 3), shape=(4, 5), strides=(2, 1), dilation=(1, 2)),
        sample(normal(0, 2, 2), shape=(4,), strides=(2,), dilation=(1,)),
        sample(normal(2), shape=(), strides=(), dilation=()),
    )
    rejects = (
        reject(normal(3), shape=(5,), strides=(1,), dilation=(1,), match="to 1 axes does not fit [3]"),
        reject(normal(2, 3), shape=(5,), strides=(1,), dilation=(1,), match="to [5] needs [3] windows, not [2]"),
    )
