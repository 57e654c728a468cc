"""Convolution of ``(N, C, *spatial)``, and its transpose, in any number of spatial axes.

Windows, strides, dilations are one number for all spatial axes or one for each. ``padding`` is
``"valid"`` (none), ``"same"`` (as many windows as ``ceil(size / stride)``; an odd element goes
behind), or a number, or for each axis a number or a pair (before, behind).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Literal, cast

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.trail import scope
from rax.ops.shape import Flip, moveaxis, reshape
from rax.ops.window import Conv, spread

PerAxis = int | Sequence[int]
Padding = Literal["same", "valid"] | int | Sequence[int | tuple[int, int]]
Pairs = tuple[tuple[Size, Size], ...]


def each(number: PerAxis, count: int, what: str) -> tuple[int, ...]:
    """One number for each spatial axis.

    Raises:
        RaxError: there are more or fewer.
    """
    numbers = tuple(map(operator.index, number if isinstance(number, Sequence) else (number,) * count))
    if len(numbers) != count:
        raise RaxError(f"{what} has {len(numbers)} numbers, and there are {count} spatial axes")
    return numbers


def pairs(
    padding: Padding, spatial: Shape, window: Shape, strides: tuple[int, ...], dilation: tuple[int, ...]
) -> Pairs:
    """The padding before and behind each spatial axis.

    Raises:
        RaxError: it is in none of the forms, or for another number of axes.
    """
    if padding == "valid":
        return ((0, 0),) * len(spatial)
    if padding == "same":
        rows = zip(spatial, map(spread, window, dilation), strides, strict=True)
        return tuple(_same(size, extent, stride) for size, extent, stride in rows)
    if isinstance(padding, str):
        raise RaxError(f"padding is 'same', 'valid' or numbers, not {padding!r}")
    given: Sequence[Any] = padding if isinstance(padding, Sequence) else (padding,) * len(spatial)
    if len(given) != len(spatial):
        raise RaxError(f"padding is given for {len(given)} axes, and there are {len(spatial)} spatial axes")
    sides = (cast("Sequence[Any]", amount if isinstance(amount, Sequence) else (amount, amount)) for amount in given)
    return tuple((operator.index(before), operator.index(behind)) for before, behind in sides)


def _same(size: Size, extent: Size, stride: int) -> tuple[Size, Size]:
    if stride == 1:
        total = extent - 1
    else:
        count = dims.floor_divide(size + stride - 1, stride)
        total = dims.maximum((count - 1) * stride + extent - size, 0)
    before = dims.floor_divide(total, 2)
    return before, total - before


def conv(
    x: TensorLike,
    kernel: TensorLike,
    bias: TensorLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "valid",
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution of deep learning: at each place, the sum of a window times the kernel.

    Args:
        x: ``(N, C, *spatial)``.
        kernel: ``(O, C / groups, *window)``; it is not flipped.
        bias: ``(O,)``, or none.
        stride: the steps between windows.
        padding: zeros around the spatial axes, see :mod:`rax.nn.convolution`.
        dilation: the steps between the elements of a window.
        groups: groups of channels that do not mix.

    Returns:
        ``(N, O, *out)`` with ``out = (padded - extent) // stride + 1``.

    Raises:
        TypeInferenceError: shapes or dtypes do not fit.

    Example:
        >>> conv(rnp.ones((1, 1, 4)), rnp.ones((1, 1, 3)), padding="same")
        Tensor([[[2., 3., 3., 2.]]], dtype=float32)
    """
    value, weights = promote_operands(x, kernel)
    if value.ndim < 2 or weights.ndim != value.ndim:
        raise TypeInferenceError(
            f"conv needs x (N, C, *spatial) and a kernel (O, C/groups, *window), not {value.type} and {weights.type}",
            fix="add the missing axes with rax.numpy.expand_dims",
        )
    count = value.ndim - 2
    strides, spacing = each(stride, count, "stride"), each(dilation, count, "dilation")
    with scope("conv"):
        around = pairs(padding, value.shape[2:], weights.shape[2:], strides, spacing)
        return _biased(Tensor(Conv(strides, around, (1,) * count, spacing, groups)(value, weights)), bias)


def _biased(result: Tensor, bias: TensorLike | None) -> Tensor:
    if bias is None:
        return result
    return result + rnp.expand_dims(as_tensor(bias), axis=tuple(range(1, result.ndim - 1)))


def conv_transpose(
    x: TensorLike,
    kernel: TensorLike,
    bias: TensorLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "valid",
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Tensor:
    """The transpose of :func:`conv` with the same kernel and options: each element spreads the kernel.

    It is the gradient of ``conv`` by its input, applied to ``x``; and PyTorch's ``conv_transpose``.

    Args:
        x: ``(N, C, *spatial)``.
        kernel: ``(C, O / groups, *window)``: the kernel of the ``conv`` from ``O`` to ``C`` channels.
        bias: ``(O,)``, or none.
        stride: the steps between the places of neighbours in the result.
        padding: what is cut off around the result, as the ``conv`` would add it. With ``"same"`` the
            result has ``size * stride`` elements along an axis.
        output_padding: how many more elements the result has behind; less than stride or dilation.
        dilation: the steps between the elements of the kernel.
        groups: groups of channels that do not mix.

    Returns:
        ``(N, O, *out)`` with ``out = (size - 1) * stride + extent - padding + output_padding``.

    Raises:
        TypeInferenceError: shapes or dtypes do not fit.
        RaxError: the output padding is not less than stride or dilation.

    Example:
        >>> conv_transpose(rnp.ones((1, 1, 2)), rnp.asarray([[[1.0, 2.0, 3.0]]]), stride=2)
        Tensor([[[1., 2., 4., 2., 3.]]], dtype=float32)
    """
    value, weights = promote_operands(x, kernel)
    if value.ndim < 2 or weights.ndim != value.ndim or value.shape[1] != weights.shape[0]:
        raise TypeInferenceError(
            "conv_transpose needs x (N, C, *spatial) and a kernel (C, O/groups, *window), "
            f"not {value.type} and {weights.type}",
            fix="the kernel is that of the conv it is the transpose of",
        )
    count = value.ndim - 2
    strides, spacing, more = (
        each(given, count, name)
        for given, name in ((stride, "stride"), (dilation, "dilation"), (output_padding, "output_padding"))
    )
    if any(extra < 0 or extra >= max(step, gap) for extra, step, gap in zip(more, strides, spacing, strict=True)):
        raise RaxError(f"output_padding {more} is not at least 0 and less than stride {strides} or dilation {spacing}")
    with scope("conv_transpose"):
        around = _opened(padding, value.shape[2:], weights.shape[2:], strides, spacing, more)
        turned = _turned(weights, groups)
        return _biased(Tensor(Conv((1,) * count, around, strides, spacing, groups)(value, turned)), bias)


def _opened(
    padding: Padding,
    spatial: Shape,
    window: Shape,
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    more: tuple[int, ...],
) -> Pairs:
    """The padding of the conv over spread elements that is the transpose of one with the padding given."""
    extents = tuple(map(spread, window, dilation))
    wide = tuple(map(spread, spatial, strides))
    if padding == "same":
        sizes = [size * step + extra for size, step, extra in zip(spatial, strides, more, strict=True)]
        overlaps = [dims.maximum(extent - step, 0) for extent, step in zip(extents, strides, strict=True)]
        cuts = [dims.floor_divide(overlap, 2) for overlap in overlaps]
    else:
        cut = pairs(padding, spatial, window, strides, dilation)
        cuts = [low for low, _ in cut]
        sizes = [
            size + extent - 1 - low - high + extra
            for size, extent, (low, high), extra in zip(wide, extents, cut, more, strict=True)
        ]
    around: list[tuple[Size, Size]] = []
    for size, extent, low, out in zip(wide, extents, cuts, sizes, strict=True):
        before = extent - 1 - low
        around.append((before, out + extent - 1 - size - before))
    return tuple(around)


def _turned(kernel: Value, groups: int) -> Value:
    """A kernel ``(C, O/groups, *window)`` as the one ``(O, C/groups, *window)`` of the transpose, back to front."""
    channels, outs, *window = kernel.shape
    per_group = dims.floor_divide(channels, groups)
    if groups < 1 or per_group * groups != channels:
        raise TypeInferenceError(f"conv_transpose's {channels} channels do not fall into {groups} equal groups")
    parts = moveaxis(reshape(kernel, (groups, per_group, outs, *window)), 1, 2)
    return Flip(tuple(range(2, kernel.ndim)))(reshape(parts, (groups * outs, per_group, *window)))
