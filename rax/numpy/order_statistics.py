"""What stands where in order: medians, quantiles, percentiles, the largest few, the span.

Quantiles sort, and interpolate between neighbours; so their derivative goes to the one or two
elements they lie between. Methods and their names are NumPy's, after Hyndman and Fan, "Sample
quantiles in statistical packages" (The American Statistician 50, 1996).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rax.frontend.promotion import TensorLike, as_value, is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Dim, Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import bool_, float32, float64, int8, int64
from rax.numpy.common import Axes, as_axes, as_axis, as_integer, inexact, sequence, with_axes
from rax.numpy.elementwise import ceil, clip, floor, isfinite, isnan, logical_not, round
from rax.numpy.searching import where
from rax.numpy.statistical import max, min, sum
from rax.ops import sorting
from rax.ops.creation import dim_size
from rax.ops.indexing import Gather, take_along_axis
from rax.ops.selection import cast
from rax.ops.shape import permute_dims, reshape, slice_axis

# For each method alpha and beta of the position n*q + alpha + q*(1 - alpha - beta) - 1.
_CONTINUOUS: dict[str, tuple[float, float]] = {
    "interpolated_inverted_cdf": (0, 1), "hazen": (0.5, 0.5), "weibull": (0, 0), "linear": (1, 1),
    "median_unbiased": (1 / 3, 1 / 3), "normal_unbiased": (3 / 8, 3 / 8),
}  # fmt: skip


def _whole(position: Tensor) -> tuple[Tensor, Tensor]:
    return position, position * 0


def _inverted_cdf(n: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    return _whole(ceil(n * q - 1))


def _averaged_inverted_cdf(n: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    position = n * q - 1
    lower = floor(position)
    return lower, where(position == lower, 0.5, 1.0)


def _closest_observation(n: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    position = n * q - 1.5
    lower = floor(position)
    return _whole(where((position == lower) & (lower % 2 == 1), lower, lower + 1))


def _midpoint(n: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    position = (n - 1) * q
    lower = floor(position)
    return lower, where(position == lower, 0.0, 0.5)


# The lower of two neighbours' positions, and the part of the way to the upper.
_DISCRETE: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "inverted_cdf": _inverted_cdf,
    "averaged_inverted_cdf": _averaged_inverted_cdf,
    "closest_observation": _closest_observation,
    "lower": lambda n, q: _whole(floor((n - 1) * q)),
    "higher": lambda n, q: _whole(ceil((n - 1) * q)),
    "midpoint": _midpoint,
    "nearest": lambda n, q: _whole(round((n - 1) * q)),
}


def _position(method: str, n: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    if method in _DISCRETE:
        return _DISCRETE[method](n, q)
    alpha, beta = _CONTINUOUS[method]
    exact = (n - 1) * q if method == "linear" else n * q + (alpha + q * (1 - alpha - beta)) - 1
    # Out of range there is one neighbour.
    exact = clip(exact, 0.0, n - 1)
    lower = floor(exact)
    return lower, exact - lower


def quantile(a: TensorLike, q: Any, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The numbers below which given parts of the elements lie.

    A line with a NaN has the quantile NaN. The derivative goes to the elements interpolated
    between, and with the continuous methods to ``q``.

    Args:
        a: real numbers, of any shape; integers count as float32.
        q: parts from 0 to 1, of any shape, whose axes come first in the result.
        axis: the axes; all for None.
        method: of the continuous methods ``"linear"``, ``"hazen"``, ``"weibull"``,
            ``"median_unbiased"``, ``"normal_unbiased"``, ``"interpolated_inverted_cdf"``; or of the others
            ``"inverted_cdf"``, ``"averaged_inverted_cdf"``, ``"closest_observation"``, ``"lower"``,
            ``"higher"``, ``"midpoint"``, ``"nearest"``.
        keepdims: whether the axes stay, of size 1.

    Raises:
        RaxError: a number ``q`` is outside [0, 1], or the method unknown.
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> quantile(asarray([1.0, 2.0, 4.0, 8.0]), 0.5)
        Tensor(3., dtype=float32)
    """
    return _quantile(a, q, axis, method, keepdims, skip_nan=False, name="quantile")


def nanquantile(a: TensorLike, q: Any, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """:func:`quantile` of the elements that are not NaN; NaN where all are.

    Example:
        >>> from rax.numpy import asarray
        >>> nanquantile(asarray([1.0, float("nan"), 3.0]), 0.5)
        Tensor(2., dtype=float32)
    """
    return _quantile(a, q, axis, method, keepdims, skip_nan=True, name="nanquantile")


def percentile(a: TensorLike, q: Any, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """:func:`quantile` for parts of 100.

    Example:
        >>> from rax.numpy import asarray
        >>> percentile(asarray([1.0, 2.0, 4.0, 8.0]), 50)
        Tensor(3., dtype=float32)
    """
    return _quantile(a, _hundredths(q), axis, method, keepdims, skip_nan=False, name="percentile")


def nanpercentile(
    a: TensorLike, q: Any, axis: Axes = None, *, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """:func:`percentile` of the elements that are not NaN; NaN where all are.

    Example:
        >>> from rax.numpy import asarray
        >>> nanpercentile(asarray([1.0, float("nan"), 3.0]), 50)
        Tensor(2., dtype=float32)
    """
    return _quantile(a, _hundredths(q), axis, method, keepdims, skip_nan=True, name="nanpercentile")


def median(a: TensorLike, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The middle element in order, or the mean of the two in the middle; NaN if there is a NaN.

    The derivative goes to the elements in the middle; equal ones stand in the order they have in ``a``.

    Args:
        a: real numbers, of any shape; integers count as float32.
        axis: the axes; all for None.
        keepdims: whether the axes stay, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> median(asarray([3.0, 1.0, 2.0]))
        Tensor(2., dtype=float32)
    """
    return _quantile(a, 0.5, axis, "linear", keepdims, skip_nan=False, name="median")


def nanmedian(a: TensorLike, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """:func:`median` of the elements that are not NaN; NaN where all are.

    Example:
        >>> from rax.numpy import asarray
        >>> nanmedian(asarray([3.0, float("nan"), 2.0, 7.0]))
        Tensor(3., dtype=float32)
    """
    return _quantile(a, 0.5, axis, "linear", keepdims, skip_nan=True, name="nanmedian")


def _hundredths(q: Any) -> Any:
    return q / 100 if is_number(q) else _parts(q) / 100


def _parts(q: Any) -> Tensor:
    """Parts as float64, in which positions are exact enough."""
    items = sequence(q)
    return as_tensor(q if items is None else np.asarray(items), float64)


def _quantile(a: TensorLike, q: Any, axis: Axes, method: str, keepdims: bool, *, skip_nan: bool, name: str) -> Tensor:
    if method not in _DISCRETE and method not in _CONTINUOUS:
        raise RaxError(f"{name}'s method is one of {', '.join(sorted([*_DISCRETE, *_CONTINUOUS]))}, not {method!r}")
    if is_number(q) and not isinstance(q, (complex, Dim)) and not 0 <= q <= 1:
        raise RaxError(f"{name} takes parts from 0 to {100 if 'percent' in name else 1}")
    x, q = inexact(a, float32), _parts(q)
    axes = as_axes(axis, x.ndim)
    rest = tuple(place for place in range(x.ndim) if place not in axes)
    count = dims.product(x.shape[place] for place in axes)
    if count == 0:
        raise TypeInferenceError(f"{name} of no elements is not defined: {x.type} has none along {axes}")
    kept = tuple(x.shape[place] for place in rest)
    ordered = sorting.Sort(0)(reshape(permute_dims(x, (*axes, *rest)), (count, *kept)))
    result = _picked(ordered, q, method, count, skip_nan=skip_nan)
    result = Tensor(reshape(result.value, (*q.shape, *kept)))
    lead = len(q.shape)
    return with_axes(result.value, tuple(lead + place for place in axes), keepdims)


def _picked(ordered: Value, q: Tensor, method: str, count: Size, *, skip_nan: bool) -> Tensor:
    """Quantiles of sorted lines along axis 0, of shape ``(q.size, *rest)``; NaN stands last in a line."""
    rank = ordered.ndim - 1
    flat = Tensor(reshape(q.value, (q.size, *[1] * rank)))
    nothing: Tensor | None = None
    if skip_nan:
        real = cast(logical_not(isnan(Tensor(ordered))).value, float64)
        number = sum(Tensor(real), axis=0, keepdims=True)
        nothing = number == 0
        number = where(nothing, 1.0, number)
    else:
        number = Tensor(dim_size(count, float64))
    lower, way = _position(method, number, flat)
    top = number - 1
    low, high = clip(lower, 0.0, top), clip(lower + 1, 0.0, top)
    first, second = (_at(ordered, place, apart=skip_nan) for place in (low, high))
    result = _between(first, second, Tensor(cast(way.value, ordered.dtype)))
    if nothing is not None:
        return where(nothing, math.nan, result)
    last = Tensor(slice_axis(ordered, 0, count - 1, count))
    return where(isnan(last), last, result)


def _at(ordered: Value, places: Tensor, *, apart: bool) -> Tensor:
    """The elements at positions along axis 0: the same of each line, or each line's own."""
    index = cast(places.value, int64)
    if apart:
        return Tensor(take_along_axis(ordered, index, 0))
    return Tensor(Gather(0)(ordered, reshape(index, index.shape[:1])))


def _between(first: Tensor, second: Tensor, way: Tensor) -> Tensor:
    """A part of the way between neighbours, of which either may be infinite."""
    plain = isfinite(first) & isfinite(second)
    low, high = where(plain, first, 0.0), where(plain, second, 0.0)
    ends = where(way == 0, first, where(way == 1, second, first + second))
    return where(plain, low * (1 - way) + high * way, ends)


def ptp(a: TensorLike, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The span along axes: the largest element less the smallest.

    Args:
        a: real numbers, of any shape.
        axis: the axes; all for None.
        keepdims: whether the axes stay, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> ptp(asarray([3, 1, 7]))
        Tensor(6, dtype=int64)
    """
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


def top_k(x: TensorLike, k: int, /, *, axis: int = -1, mode: str = "largest") -> tuple[Tensor, Tensor]:
    """The largest, or smallest, elements along an axis, in order, and where they stand.

    Of equal elements the first comes first. A NaN counts as the largest number. The derivative goes
    to the elements chosen.

    Args:
        x: real numbers, of at least one axis.
        k: how many; at most the size of the axis.
        axis: the axis.
        mode: ``"largest"`` or ``"smallest"``.

    Returns:
        The elements, and their positions as int64.

    Raises:
        TypeInferenceError: ``k`` is out of range, or the mode is neither.

    Example:
        >>> from rax.numpy import asarray
        >>> top_k(asarray([3, 9, 1, 9]), 2)
        (Tensor([9, 9], dtype=int64), Tensor([1, 3], dtype=int64))
    """
    value = as_value(x)
    place = as_axis(axis, value.ndim)
    size = value.shape[place]
    if mode not in ("largest", "smallest"):
        raise TypeInferenceError(f"top_k's mode is 'largest' or 'smallest', not {mode!r}")
    k = as_integer(k, "the number of elements")
    if k < 0 or (isinstance(size, int) and k > size):
        raise TypeInferenceError(f"top_k takes from 0 to {size} elements of {value.type}, not {k}")
    order = sorting.ArgSort(place, mode == "largest")(cast(value, int8) if value.dtype is bool_ else value)
    chosen = slice_axis(order, place, 0, k)
    return Tensor(take_along_axis(value, chosen, place, unique_indices=True)), Tensor(chosen)
