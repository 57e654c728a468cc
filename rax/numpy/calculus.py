"""Sampled functions: slopes, areas, differences, interpolation, phases made continuous."""

from __future__ import annotations

import math
from typing import Any

from rax.frontend.promotion import TensorLike, as_value, common_dtype, is_number
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.types import float32, real_dtype
from rax.numpy.common import Axes, as_axes, as_axis, as_list, inexact
from rax.numpy.elementwise import abs, clip, isnan, remainder
from rax.numpy.indexing import take
from rax.numpy.joining import concatenate
from rax.numpy.manipulation import flip, moveaxis, reshape
from rax.numpy.rearranging import ravel
from rax.numpy.searching import searchsorted, where
from rax.numpy.sorting import argsort
from rax.numpy.statistical import cumulative_sum, sum
from rax.numpy.utility import diff
from rax.ops.creation import dim_size
from rax.ops.selection import cast as convert
from rax.ops.shape import slice_axis


def interp(
    x: TensorLike, xp: TensorLike, fp: TensorLike,
    left: TensorLike | None = None, right: TensorLike | None = None, period: float | None = None,
) -> Tensor:  # fmt: skip
    """The piecewise linear function through given points, at ``x``.

    It can be differentiated by all of ``x``, ``xp`` and ``fp``; at a point, the slope by ``x`` is that on
    its right.

    Args:
        x: where, of any shape; integers count as float32.
        xp: where the points are, rising; unless there is a period.
        fp: the function there, of that length.
        left: what it is before the first point; by default ``fp[0]``.
        right: what it is behind the last; by default ``fp[-1]``.
        period: where the function repeats; then points need no order, and there is no left or right.

    Raises:
        TypeInferenceError: ``xp`` and ``fp`` are no vectors of one positive length.

    Example:
        >>> from rax.numpy import asarray
        >>> interp(2.5, asarray([1.0, 2.0, 3.0]), asarray([3.0, 2.0, 0.0]))
        Tensor(1., dtype=float32)
    """
    values = Tensor(inexact(fp, float32))
    dtype = real_dtype(common_dtype(*[part if is_number(part) else as_value(part) for part in (x, xp)], values.dtype))
    at, points = (Tensor(convert(as_value(part), dtype)) for part in (x, xp))
    values = Tensor(convert(values.value, common_dtype(values.dtype, dtype)))
    if points.ndim != 1 or points.shape != values.shape or points.shape[0] == 0:
        raise TypeInferenceError(
            f"interp takes vectors of points of one length, not {points.value.type} and {values.value.type}"
        )
    if period is not None:
        if not period:
            raise TypeInferenceError("interp's period must not be 0")
        at, points, values = _wrapped(at, points, values, float(period))
    place = searchsorted(points, at, side="right")
    last = Tensor(dim_size(points.shape[0] - 1))
    low = clip(place - 1, 0, clip(last - 1, 0, None))
    high = clip(low + 1, None, last)
    ends = [take(points, low), take(points, high), take(values, low), take(values, high)]
    width = ends[1] - ends[0]
    level = width == 0
    way = (at - ends[0]) / where(level, 1.0, width)
    result = ends[2] + Tensor(convert(way.value, values.dtype)) * (ends[3] - ends[2])
    before, behind = at < points[0], at > points[-1]
    result = where(level, ends[3], result)
    result = where(before, values[0] if left is None or period else left, result)
    result = where(behind, values[-1] if right is None or period else right, result)
    return where(isnan(at), at, result)


def _wrapped(at: Tensor, points: Tensor, values: Tensor, period: float) -> tuple[Tensor, Tensor, Tensor]:
    """One period of points in order, with a neighbour from the next on either side."""
    period = math.fabs(period)
    at, points = remainder(at, period), remainder(points, period)
    order = argsort(points)
    points, values = take(points, order), take(values, order)
    points = concatenate([points[-1:] - period, points, points[:1] + period])
    return at, points, concatenate([values[-1:], values, values[:1]])


def trapezoid(y: TensorLike, x: TensorLike | None = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The area under a sampled function, by the trapezoidal rule.

    Args:
        y: the function.
        x: where it is sampled: a vector, or in the shape of ``y``; None for even spacing.
        dx: that spacing.
        axis: the axis to integrate along.

    Example:
        >>> from rax.numpy import asarray
        >>> trapezoid(asarray([1.0, 2.0, 3.0]))
        Tensor(4., dtype=float32)
    """
    value = Tensor(inexact(y, float32))
    place = as_axis(axis, value.ndim)
    if x is None:
        width: Any = dx
    else:
        width = diff(Tensor(as_value(x)), axis=-1 if as_value(x).ndim == 1 else axis)
        if width.ndim == 1:
            width = reshape(width, (-1, *[1] * (value.ndim - place - 1)))
    before = (slice(None),) * place
    middle = (value[(*before, slice(1, None))] + value[(*before, slice(None, -1))]) / 2
    return sum(middle * width, axis=place)


def gradient(f: TensorLike, *varargs: Any, axis: Axes = None, edge_order: int = 1) -> Any:
    """The slope along axes: central differences inside, one-sided ones at the ends.

    Args:
        f: the sampled function; integers count as float32.
        *varargs: the spacing: nothing for 1, one number for all axes, or for each axis a number or
            the coordinates.
        axis: the axes; all for None.
        edge_order: 1 or 2: the order to which the ends are exact.

    Returns:
        The slope, in the shape of ``f``; for several axes, or none named of several, a tuple.

    Raises:
        TypeInferenceError: an axis is too short, or spacings do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> gradient(asarray([1.0, 2.0, 4.0, 7.0]))
        Tensor([1. , 1.5, 2.5, 3. ], dtype=float32)
    """
    value = Tensor(inexact(f, float32))
    axes = as_axes(None, value.ndim) if axis is None else [as_axis(one, value.ndim) for one in as_list(axis)]
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeInferenceError(f"gradient has {len(varargs)} spacings for {len(axes)} axes")
    if edge_order not in (1, 2):
        raise TypeInferenceError(f"gradient's edge_order is 1 or 2, not {edge_order!r}")
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    results = [_slope(value, one, step, edge_order) for one, step in zip(axes, spacings, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _part(x: Tensor, axis: int, start: Size, stop: Size) -> Tensor:
    """Part of an axis that is long enough, so that a symbolic size stays simple."""
    return Tensor(slice_axis(x.value, axis, start, stop))


def _slope(f: Tensor, axis: int, step: Any, edge_order: int) -> Tensor:
    size = f.shape[axis]
    if isinstance(size, int) and size < edge_order + 1:
        raise TypeInferenceError(f"gradient needs at least {edge_order + 1} elements along axis {axis}, not {size}")
    line = moveaxis(f, axis, 0)
    before, middle, behind = (_part(line, 0, start, size - 2 + start) for start in range(3))
    if is_number(step) or not as_value(step).ndim:
        width: Any = step if is_number(step) else Tensor(convert(as_value(step), f.dtype))
        inner = (behind - before) / (width * 2)
        widths = [width] * 4
    else:
        places = Tensor(convert(as_value(step), f.dtype))
        if places.ndim != 1 or places.shape[0] != size:
            raise TypeInferenceError(f"gradient has coordinates {places.value.type} for an axis of size {size}")
        steps = _part(places, 0, 1, size) - _part(places, 0, 0, size - 1)
        low, high = (
            reshape(_part(steps, 0, start, size - 2 + start), (size - 2, *[1] * (f.ndim - 1))) for start in (0, 1)
        )
        # The slope of the parabola through three neighbours.
        inner = behind * (low / (high * (low + high))) - before * (high / (low * (low + high)))
        inner = inner + middle * ((high - low) / (low * high))
        widths = [_part(steps, 0, place, place + 1) for place in (0, edge_order - 1, size - 1 - edge_order, size - 2)]
    start, stop = (_part(line, 0, low, low + edge_order + 1) for low in (0, size - 1 - edge_order))
    first = _end(start, widths[0], widths[1])
    last = -_end(flip(stop, axis=0), widths[3], widths[2])
    return moveaxis(concatenate([first, inner, last]), 0, axis)


def _end(line: Tensor, near: Any, far: Any) -> Tensor:
    """The slope at the start of a line, from its first two or three elements."""
    if line.shape[0] == 2:
        return (line[1:] - line[:1]) / near
    near, far = (side if is_number(side) or not side.ndim else side[0] for side in (near, far))
    span = near + far
    return (
        line[1:2] * (span / (near * far))
        - line[:1] * ((near + span) / (near * span))
        - line[2:] * (near / (far * span))
    )


def ediff1d(ary: TensorLike, to_end: TensorLike | None = None, to_begin: TensorLike | None = None) -> Tensor:
    """The differences between neighbours of the flattened tensor.

    Args:
        ary: any shape.
        to_end: what is put behind them.
        to_begin: what is put before them.

    Example:
        >>> from rax.numpy import asarray
        >>> ediff1d(asarray([1, 4, 9]), to_begin=0)
        Tensor([0, 3, 5], dtype=int64)
    """
    steps = diff(ravel(ary))
    ends = [None if end is None else Tensor(convert(ravel(end).value, steps.dtype)) for end in (to_begin, to_end)]
    return concatenate([part for part in (ends[0], steps, ends[1]) if part is not None])


def unwrap(p: TensorLike, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Tensor:
    """Phases with whole periods added, so that neighbours differ by at most half a period.

    Args:
        p: phases.
        discont: the least jump that is removed; by default, and at least, half a period.
        axis: the axis.
        period: the period.

    Example:
        >>> from rax.numpy import asarray
        >>> unwrap(asarray([0.0, 3.0, -3.0]))
        Tensor([0.       , 3.       , 3.2831855], dtype=float32)
    """
    whole = isinstance(period, int) and not as_value(p).dtype.is_inexact
    value = Tensor(as_value(p) if whole else inexact(p, float32))
    place = as_axis(axis, value.ndim)
    size = value.shape[place]
    first = dims.minimum(size, 1)  # none of a symbolic size that turns out as 0
    later = _part(value, place, first, size)
    steps = later - _part(value, place, 0, size - first)
    half = period // 2 if whole else period / 2
    wrapped = remainder(steps + half, period) - half
    if half * 2 == period:  # a jump of just half a period keeps its direction
        wrapped = where((wrapped == -half) & (steps > 0), half, wrapped)
    change = where(abs(steps) < (period / 2 if discont is None else discont), 0, wrapped - steps)
    return concatenate([_part(value, place, 0, first), later + cumulative_sum(change, axis=place)], axis=place)
