"""Pooling of ``(N, C, *spatial)`` in any number of spatial axes.

Windows, strides, dilations are one number for all spatial axes or one for each. ``padding`` is
``"valid"`` (none), ``"same"`` (as many windows as ``ceil(size / stride)``; an odd element goes
behind), or a number, or for each axis a number or a pair (before, behind).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.trail import scope
from rax.ir.types import TensorType, bool_, float32
from rax.nn.convolution import Padding, Pairs, PerAxis, each, pairs
from rax.numpy.common import inexact
from rax.ops.algebra import full
from rax.ops.creation import dim_size
from rax.ops.shape import pad
from rax.ops.window import SlidingWindows


def _spatial(x: Value, name: str) -> int:
    if x.ndim < 3:
        raise TypeInferenceError(f"{name} needs (N, C, *spatial), not {x.type}")
    return x.ndim - 2


def _padded(x: Value, around: Pairs) -> Value:
    lead = (0,) * (x.ndim - len(around))
    low, high = ((*lead, *[pair[side] for pair in around]) for side in (0, 1))
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
        padding: see :mod:`rax.nn.pooling`.
        dilation: the steps between the elements of a window.

    Raises:
        TypeInferenceError: a window does not fit.

    Example:
        >>> max_pool(rnp.asarray([[[1.0, 5.0, 2.0, 3.0]]]), 2)
        Tensor([[[5., 3.]]], dtype=float32)
    """
    value = as_tensor(x).value
    count = _spatial(value, "max_pool")
    sizes, spacing = each(window, count, "window"), each(dilation, count, "dilation")
    strides = sizes if stride is None else each(stride, count, "stride")
    with scope("max_pool"):
        around = pairs(padding, value.shape[2:], sizes, strides, spacing)
        padded = Tensor(_padded(value, around))
        if any(amount != 0 for pair in around for amount in pair):
            inside = Tensor(_padded(full(TensorType(bool_, value.shape[2:]), True), around))
            least = -math.inf if value.dtype.is_floating else rnp.iinfo(value.dtype).min
            padded = rnp.where(inside, padded, least)
        windows = Tensor(SlidingWindows(sizes, strides, spacing)(padded.value))
        return rnp.max(windows, axis=tuple(range(-count, 0)))


def avg_pool(
    x: TensorLike,
    window: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding = "valid",
    count_include_pad: bool = False,
) -> Tensor:
    """The mean of each window; padding does not count.

    Args:
        x: ``(N, C, *spatial)``; integers become float32.
        window: the sizes of a window.
        stride: the steps between windows; by default the window's sizes.
        padding: see :mod:`rax.nn.pooling`.
        count_include_pad: whether padding counts, as zeros.

    Raises:
        TypeInferenceError: a window does not fit.

    Example:
        >>> avg_pool(rnp.asarray([[[1.0, 5.0, 2.0]]]), 2, stride=1, padding="same")
        Tensor([[[3. , 3.5, 2. ]]], dtype=float32)
    """
    value = inexact(x, float32)
    count = _spatial(value, "avg_pool")
    sizes = each(window, count, "window")
    strides = sizes if stride is None else each(stride, count, "stride")
    last = tuple(range(-count, 0))
    with scope("avg_pool"):
        around = pairs(padding, value.shape[2:], sizes, strides, (1,) * count)
        take = SlidingWindows(sizes, strides, (1,) * count)
        if count_include_pad or all(amount == 0 for pair in around for amount in pair):
            return rnp.mean(Tensor(take(_padded(value, around))), axis=last)
        inside = full(TensorType(value.dtype, value.shape[2:]), 1)
        totals, counts = (rnp.sum(Tensor(take(_padded(part, around))), axis=last) for part in (value, inside))
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


def global_max_pool(x: TensorLike) -> Tensor:
    """The largest element over all spatial axes: ``(N, C, *spatial)`` to ``(N, C)``; ties share the derivative.

    Args:
        x: ``(N, C, *spatial)``, real.

    Raises:
        TypeInferenceError: there is no spatial axis.

    Example:
        >>> global_max_pool(rnp.asarray([[[1.0, 5.0]]]))
        Tensor([[5.]], dtype=float32)
    """
    value = as_tensor(x).value
    count = _spatial(value, "global_max_pool")
    with scope("global_max_pool"):
        return rnp.max(Tensor(value), axis=tuple(range(-count, 0)))


def lp_pool(
    x: TensorLike,
    window: PerAxis,
    p: float = 2.0,
    *,
    stride: PerAxis | None = None,
    padding: Padding = "valid",
) -> Tensor:
    """The p-norm of each window, ``sum(|x| ** p) ** (1 / p)``; where it is 0, so is its derivative.

    Args:
        x: ``(N, C, *spatial)``; integers become float32.
        window: the sizes of a window.
        p: which norm, positive.
        stride: the steps between windows; by default the window's sizes.
        padding: see :mod:`rax.nn.pooling`.

    Raises:
        TypeInferenceError: a window does not fit.
        RaxError: ``p`` is not positive.

    Example:
        >>> lp_pool(rnp.asarray([[[3.0, 4.0, 0.0, 0.0]]]), 2)
        Tensor([[[5., 0.]]], dtype=float32)
    """
    if not p > 0:
        raise RaxError(f"lp_pool needs a positive p, not {p}")
    value = inexact(x, float32)
    count = _spatial(value, "lp_pool")
    sizes = each(window, count, "window")
    strides = sizes if stride is None else each(stride, count, "stride")
    with scope("lp_pool"):
        around = pairs(padding, value.shape[2:], sizes, strides, (1,) * count)
        windows = Tensor(SlidingWindows(sizes, strides, (1,) * count)(_padded(value, around)))
        return rnp.linalg.vector_norm(windows, axis=tuple(range(-count, 0)), ord=p)


def _adaptive(
    x: Tensor, output_size: int | Sequence[int], fill: float, reduce: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Each spatial axis cut into windows that cover it, one axis after the other.

    Window ``i`` of ``n`` over ``size`` elements is from ``floor(i size / n)`` to ``ceil((i + 1) size / n)``.
    ``reduce`` gets the elements, ``fill`` outside the window, along the last axis, and the windows' sizes.
    """
    count = x.ndim - 2
    for axis, windows in enumerate(each(output_size, count, "output_size"), start=2):
        size = x.shape[axis]
        if windows < 1 or size == 0:
            raise TypeInferenceError(
                f"adaptive pooling of {size} elements into {windows} windows; both must be at least 1"
            )
        moved = rnp.moveaxis(x, axis, -1)
        starts, stops = _bounds(size, windows)
        places = rnp.arange(size)
        inside = (places >= rnp.expand_dims(starts, axis=1)) & (places < rnp.expand_dims(stops, axis=1))
        parts = rnp.where(inside, rnp.expand_dims(moved, axis=-2), fill)
        x = rnp.moveaxis(reduce(parts, stops - starts), -1, axis)
    return x


def _bounds(size: Size, windows: int) -> tuple[Tensor, Tensor]:
    total = Tensor(dim_size(size))
    numbers = rnp.arange(windows)
    return numbers * total // windows, ((numbers + 1) * total + windows - 1) // windows


def adaptive_avg_pool(x: TensorLike, output_size: int | Sequence[int]) -> Tensor:
    """The means of windows of nearly equal size, as many as asked for.

    Args:
        x: ``(N, C, *spatial)``; integers become float32. The spatial sizes may be symbolic.
        output_size: the number of windows along the spatial axes; window ``i`` of ``n`` is from
            ``floor(i * size / n)`` to ``ceil((i + 1) * size / n)``.

    Raises:
        TypeInferenceError: there is no spatial axis, or nothing to pool.

    Example:
        >>> adaptive_avg_pool(rnp.asarray([[[1.0, 2.0, 6.0]]]), 2)
        Tensor([[[1.5, 4. ]]], dtype=float32)
    """
    value = inexact(x, float32)
    _spatial(value, "adaptive_avg_pool")
    with scope("adaptive_avg_pool"):
        return _adaptive(
            Tensor(value), output_size, 0.0,
            lambda parts, counts: rnp.sum(parts, axis=-1) / rnp.astype(counts, parts.dtype),
        )  # fmt: skip


def adaptive_max_pool(x: TensorLike, output_size: int | Sequence[int]) -> Tensor:
    """The largest elements of windows of nearly equal size, as many as asked for; ties share the derivative.

    Args:
        x: ``(N, C, *spatial)``, real; the spatial sizes may be symbolic.
        output_size: the number of windows, see :func:`adaptive_avg_pool`.

    Raises:
        TypeInferenceError: there is no spatial axis, or nothing to pool.

    Example:
        >>> adaptive_max_pool(rnp.asarray([[[1.0, 2.0, 6.0]]]), 2)
        Tensor([[[2., 6.]]], dtype=float32)
    """
    value = as_tensor(x)
    _spatial(value.value, "adaptive_max_pool")
    least = -math.inf if value.dtype.is_floating else rnp.iinfo(value.dtype).min
    with scope("adaptive_max_pool"):
        return _adaptive(value, output_size, least, lambda parts, _: rnp.max(parts, axis=-1))
