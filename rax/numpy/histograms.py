"""Counting: histograms, bins, and how often integers occur. Counts have no derivative; weights have."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.types import TensorType, float32, int64
from rax.numpy.common import inexact, sequence
from rax.numpy.manipulation import concat, flip, reshape
from rax.numpy.rearranging import ravel
from rax.numpy.searching import searchsorted, where
from rax.numpy.statistical import max, min, sum
from rax.numpy.utility import diff
from rax.ops.algebra import broadcast_to, full, zeros
from rax.ops.arrays import scalar
from rax.ops.creation import dim_size, iota
from rax.ops.indexing import Scatter
from rax.ops.selection import cast as convert

Bins = Any
"""A number of bins, or their edges."""

_STATIC = "give length=, the number of counts, or compute it outside the traced function"


def counted(places: Tensor, count: Size, weights: Tensor | None) -> Tensor:
    """The sum of weights, or the number, of places that name each of ``0, …, count - 1``; others are left out."""
    places = Tensor(convert(places.value, int64))
    inside = (places >= 0) & (places < Tensor(dim_size(count)))
    weights = Tensor(full(TensorType(int64, places.shape), 1)) if weights is None else weights
    empty = zeros(TensorType(weights.dtype, (count,)))
    part = where(inside, weights, Tensor(scalar(0, weights.dtype)))
    if count == 0:
        return Tensor(empty)
    return Tensor(Scatter()(empty, where(inside, places, 0).value, part.value))


def bincount(
    x: TensorLike, weights: TensorLike | None = None, minlength: int = 0, *, length: Size | None = None
) -> Tensor:
    """How often each of 0, 1, 2, … occurs.

    Args:
        x: a vector of integers; negative ones count for nothing.
        weights: what each occurrence counts; None for 1.
        minlength: the least number of counts.
        length: the number of counts; integers beyond it are left out. None takes what ``x`` needs, whose
            value must then be known.

    Raises:
        TypeInferenceError: ``x`` is no vector of integers, or the weights have another shape.
        UnboundInputError: ``length`` is None and ``x`` depends on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> bincount(asarray([0, 1, 1, 3]))
        Tensor([1, 2, 0, 1], dtype=int64)
    """
    places = Tensor(as_value(x))
    if places.ndim != 1 or places.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"bincount takes a vector of integers, not {places.value.type}")
    mass = None if weights is None else Tensor(as_value(weights))
    if mass is not None and mass.shape != places.shape:
        raise TypeInferenceError(f"bincount has weights {mass.value.type} for {places.value.type}")
    if length is None:
        known = concrete(places.value, "bincount", _STATIC)
        length = int(known.max()) + 1 if known.size else 0
    return counted(places, dims.maximum(length, minlength), mass)


def digitize(x: TensorLike, bins: TensorLike, right: bool = False) -> Tensor:
    """The number of the bin each element falls into; 0 before the first edge; int64.

    Args:
        x: real numbers, of any shape.
        bins: the edges, a vector that rises or falls.
        right: whether a bin contains its right edge instead of its left.

    Raises:
        TypeInferenceError: ``bins`` is no vector.

    Example:
        >>> from rax.numpy import asarray
        >>> digitize(asarray([0.5, 1.0, 9.0]), asarray([1.0, 2.0]))
        Tensor([0, 1, 2], dtype=int64)
    """
    places, edges = map(Tensor, promote_operands(x, bins))
    if edges.ndim != 1:
        raise TypeInferenceError(f"digitize takes a vector of edges, not {edges.value.type}")
    side = "left" if right else "right"
    rising = searchsorted(edges, places, side=side)
    if edges.shape[0] in (0, 1):
        return rising
    size = Tensor(dim_size(edges.shape[0]))
    falling = size - searchsorted(flip(edges), places, side=side)
    return where(edges[0] > edges[-1], falling, rising)


def histogram_bin_edges(a: TensorLike, bins: Bins = 10, range: tuple[Any, Any] | None = None) -> Tensor:
    """The edges of the bins of a histogram.

    Args:
        a: real numbers.
        bins: how many bins of one width; or the edges themselves.
        range: the first and the last edge; None for the smallest and the largest element.

    Raises:
        TypeInferenceError: ``bins`` is the name of an estimator, whose number depends on values.

    Example:
        >>> from rax.numpy import asarray
        >>> histogram_bin_edges(asarray([0.0, 1.0, 4.0]), 4)
        Tensor([0., 1., 2., 3., 4.], dtype=float32)
    """
    if isinstance(bins, str):
        raise TypeInferenceError(
            f"the number of bins that {bins!r} estimates depends on values", fix="give a number of bins, or the edges"
        )
    if not hasattr(bins, "__index__") or getattr(bins, "ndim", 0):
        items = sequence(bins)
        return as_tensor(bins if items is None else np.asarray(items))
    count = bins.__index__()
    if count < 1:
        raise TypeInferenceError(f"a histogram has a positive number of bins, not {count}")
    value = Tensor(inexact(a, float32))
    if range is not None:
        low, high = (Tensor(as_value(bound, value.dtype)) for bound in range)
    elif value.size == 0:
        low, high = (Tensor(scalar(bound, value.dtype)) for bound in (0, 1))
    else:
        low, high = min(value), max(value)
    flat = low == high
    low, high = where(flat, low - 0.5, low), where(flat, high + 0.5, high)
    inner = Tensor(iota(count, value.dtype)) * ((high - low) / count) + low
    return concat([inner, high[None]])


def histogram(
    a: TensorLike, bins: Bins = 10, range: tuple[Any, Any] | None = None, density: bool | None = None,
    weights: TensorLike | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """How many elements fall into each bin; the last contains both its edges.

    Args:
        a: real numbers, of any shape.
        bins: how many bins of one width; or the edges, rising.
        range: the first and the last edge; None for the smallest and the largest element.
        density: whether counts are divided so that the area under them is 1.
        weights: what each element counts, in the shape of ``a``; None for 1.

    Returns:
        The counts (int64, or the dtype of the weights), and the edges.

    Raises:
        TypeInferenceError: the weights have another shape, or ``bins`` names an estimator.

    Example:
        >>> from rax.numpy import asarray
        >>> histogram(asarray([0.0, 1.0, 1.5, 4.0]), 2)
        (Tensor([3, 1], dtype=int64), Tensor([0., 2., 4.], dtype=float32))
    """
    value, edges = Tensor(as_value(a)), histogram_bin_edges(a, bins, range)
    mass = _mass(weights, value.shape)
    size = edges.shape[0] - 1
    counts = counted(_bins(ravel(value), edges), size, mass)
    if density:
        counts = counts / diff(edges) / sum(counts)
    return counts, edges


def _mass(weights: TensorLike | None, shape: tuple[Size, ...]) -> Tensor | None:
    if weights is None:
        return None
    mass = Tensor(as_value(weights))
    if mass.shape != shape:
        raise TypeInferenceError(
            f"a histogram has weights {mass.value.type} for elements of shape {dims.shape_text(shape)}"
        )
    return ravel(mass)


def _bins(x: Tensor, edges: Tensor) -> Tensor:
    """The bin of each element; -1 for what is outside, and for NaN."""
    last = edges[-1]
    place = searchsorted(edges, x, side="right") - 1
    return where(x == last, Tensor(dim_size(edges.shape[0] - 2)), where(x < last, place, -1))


def histogramdd(
    sample: Any, bins: Any = 10, range: Sequence[Any] | None = None, density: bool | None = None,
    weights: TensorLike | None = None,
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """How many points fall into each cell of a grid.

    Args:
        sample: points as rows of a matrix, or a vector of coordinates for each axis.
        bins: how many bins along every axis; or for each axis the number, or the edges.
        range: for each axis its first and last edge, or None.
        density: whether counts are divided so that the volume under them is 1.
        weights: what each point counts; None for 1.

    Returns:
        The counts, with an axis for each coordinate, and the edges along each.

    Raises:
        TypeInferenceError: the numbers of bins, ranges and coordinates differ.

    Example:
        >>> from rax.numpy import asarray
        >>> counts, edges = histogramdd(asarray([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), bins=2)
        >>> counts
        Tensor([[1., 0.],
                [1., 1.]], dtype=float32)
    """
    if isinstance(sample, (list, tuple)):
        columns = [Tensor(as_value(part)) for part in cast("Sequence[Any]", sample)]
    else:
        points = Tensor(as_value(sample))
        points = points if points.ndim > 1 else points[:, None]
        columns = [points[:, axis] for axis in builtins.range(points.shape[1])]
    given = sequence(bins) or [bins] * len(columns)
    ranges = [None] * len(columns) if range is None else list(range)
    if not len(given) == len(ranges) == len(columns):
        raise TypeInferenceError(
            f"a histogram of {len(columns)} coordinates has {len(given)} numbers of bins and {len(ranges)} ranges"
        )
    edges = [histogram_bin_edges(*each) for each in zip(columns, given, ranges, strict=True)]
    places = [_bins(column, edge) for column, edge in zip(columns, edges, strict=True)]
    place, outside = places[0] * 0, places[0] < 0
    sizes = [edge.shape[0] - 1 for edge in edges]
    for part, size in zip(places, sizes, strict=True):
        place = place * Tensor(dim_size(size)) + part
        outside = outside | (part < 0)
    mass = _mass(weights, columns[0].shape)
    mass = Tensor(broadcast_to(scalar(1, edges[0].dtype), place.shape)) if mass is None else mass
    counts = reshape(counted(where(outside, -1, place), dims.product(sizes), mass), sizes)
    if density:
        total = sum(counts)
        for axis, edge in enumerate(edges):
            counts = counts / reshape(diff(edge), [1] * axis + [-1] + [1] * (len(edges) - axis - 1))
        counts = counts / total
    return counts, edges


def histogram2d(
    x: TensorLike, y: TensorLike, bins: Any = 10, range: Sequence[Any] | None = None, density: bool | None = None,
    weights: TensorLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """How many points in a plane fall into each cell; see :func:`histogramdd`.

    Args:
        x: the first coordinates.
        y: the second coordinates.
        bins: how many bins along both axes, or their edges; or a pair of these.
        range: for both axes the first and last edge, or None.
        density: whether counts are divided so that the volume under them is 1.
        weights: what each point counts; None for 1.

    Returns:
        The counts, and the edges along each axis.

    Example:
        >>> from rax.numpy import asarray
        >>> histogram2d(asarray([0.0, 1.0]), asarray([0.0, 1.0]), bins=2)[0]
        Tensor([[1., 0.],
                [0., 1.]], dtype=float32)
    """
    shared = hasattr(bins, "__index__") or len(bins) not in (1, 2)
    counts, edges = histogramdd([x, y], [bins, bins] if shared else bins, range, density, weights)
    return counts, edges[0], edges[1]
