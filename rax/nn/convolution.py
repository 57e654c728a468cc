"""Convolution and pooling of ``(N, C, *spatial)`` in any number of spatial axes.

Windows, strides, dilations are one number for all spatial axes or one for each. ``padding`` is
``"valid"`` (none), ``"same"`` (as many windows as ``ceil(size / stride)``; an odd element goes
behind), or a number, or for each axis a number or a pair (before, behind).
"""

from __future__ import annotations

import math
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
from rax.ir.types import TensorType, bool_, float32
from rax.numpy.common import inexact
from rax.ops.algebra import full
from rax.ops.shape import pad
from rax.ops.window import Conv, SlidingWindows, spread

PerAxis = int | Sequence[int]
Padding = Literal["same", "valid"] | int | Sequence[int | tuple[int, int]]
Pairs = tuple[tuple[Size, Size], ...]


def _each(number: PerAxis, count: int, what: str) -> tuple[int, ...]:
    """One number for each spatial axis."""
    numbers = tuple(map(operator.index, number if isinstance(number, Sequence) else (number,) * count))
    if len(numbers) != count:
        raise RaxError(f"{what} has {len(numbers)} numbers, and there are {count} spatial axes")
    return numbers


def _pairs(
    padding: Padding, spatial: Shape, window: Shape, strides: tuple[int, ...], dilation: tuple[int, ...]
) -> Pairs:
    """The padding before and behind each spatial axis."""
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
    pairs = (cast("Sequence[Any]", amount if isinstance(amount, Sequence) else (amount, amount)) for amount in given)
    return tuple((operator.index(before), operator.index(behind)) for before, behind in pairs)


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
    strides, spacing = _each(stride, count, "stride"), _each(dilation, count, "dilation")
    with scope("conv"):
        pairs = _pairs(padding, value.shape[2:], weights.shape[2:], strides, spacing)
        result = Tensor(Conv(strides, pairs, (1,) * count, spacing, groups)(value, weights))
        if bias is None:
            return result
        return result + rnp.expand_dims(as_tensor(bias), axis=tuple(range(1, count + 1)))


def _spatial(x: Value, name: str) -> int:
    if x.ndim < 3:
        raise TypeInferenceError(f"{name} needs (N, C, *spatial), not {x.type}")
    return x.ndim - 2


def _padded(x: Value, pairs: Pairs) -> Value:
    lead = (0,) * (x.ndim - len(pairs))
    low, high = ((*lead, *[pair[side] for pair in pairs]) for side in (0, 1))
    return pad(x, low, high, (0,) * x.ndim)


def max_pool(
    x: TensorLike,
    window: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding = "valid",
    dilation: PerAxis = 1,
) -> Tensor:
    """The largest element of each window; padding never wins. Ties share the derivative evenly.

    Args:
        x: ``(N, C, *spatial)``, real.
        window: the sizes of a window.
        stride: the steps between windows; by default the window's sizes.
        padding: see :mod:`rax.nn.convolution`.
        dilation: the steps between the elements of a window.

    Raises:
        TypeInferenceError: a window does not fit.

    Example:
        >>> max_pool(rnp.asarray([[[1.0, 5.0, 2.0, 3.0]]]), 2)
        Tensor([[[5., 3.]]], dtype=float32)
    """
    value = as_tensor(x).value
    count = _spatial(value, "max_pool")
    sizes, spacing = _each(window, count, "window"), _each(dilation, count, "dilation")
    strides = sizes if stride is None else _each(stride, count, "stride")
    with scope("max_pool"):
        pairs = _pairs(padding, value.shape[2:], sizes, strides, spacing)
        padded = Tensor(_padded(value, pairs))
        if any(amount != 0 for pair in pairs for amount in pair):
            inside = Tensor(_padded(full(TensorType(bool_, value.shape[2:]), True), pairs))
            least = -math.inf if value.dtype.is_floating else rnp.iinfo(value.dtype).min
            padded = rnp.where(inside, padded, least)
        windows = Tensor(SlidingWindows(sizes, strides, spacing)(padded.value))
        return rnp.max(windows, axis=tuple(range(-count, 0)))


def avg_pool(x: TensorLike, window: PerAxis, *, stride: PerAxis | None = None, padding: Padding = "valid") -> Tensor:
    """The mean of each window; padding does not count.

    Args:
        x: ``(N, C, *spatial)``; integers become float32.
        window: the sizes of a window.
        stride: the steps between windows; by default the window's sizes.
        padding: see :mod:`rax.nn.convolution`.

    Raises:
        TypeInferenceError: a window does not fit.

    Example:
        >>> avg_pool(rnp.asarray([[[1.0, 5.0, 2.0]]]), 2, stride=1, padding="same")
        Tensor([[[3. , 3.5, 2. ]]], dtype=float32)
    """
    value = inexact(x, float32)
    count = _spatial(value, "avg_pool")
    sizes = _each(window, count, "window")
    strides = sizes if stride is None else _each(stride, count, "stride")
    last = tuple(range(-count, 0))
    with scope("avg_pool"):
        pairs = _pairs(padding, value.shape[2:], sizes, strides, (1,) * count)
        take = SlidingWindows(sizes, strides, (1,) * count)
        if all(amount == 0 for pair in pairs for amount in pair):
            return rnp.mean(Tensor(take(value)), axis=last)
        inside = full(TensorType(value.dtype, value.shape[2:]), 1)
        totals, counts = (rnp.sum(Tensor(take(_padded(part, pairs))), axis=last) for part in (value, inside))
        return totals / counts


def global_avg_pool(x: TensorLike) -> Tensor:
    """The mean over all spatial axes: ``(N, C, *spatial)`` to ``(N, C)``.

    Args:
        x: ``(N, C, *spatial)``; integers become float32.

    Raises:
        TypeInferenceError: there is no spatial axis.

    Example:
        >>> global_avg_pool(rnp.asarray([[[1.0, 5.0]]]))
        Tensor([[3.]], dtype=float32)
    """
    value = inexact(x, float32)
    count = _spatial(value, "global_avg_pool")
    with scope("global_avg_pool"):
        return rnp.mean(Tensor(value), axis=tuple(range(-count, 0)))
