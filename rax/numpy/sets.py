"""Membership, and unique elements, whose number fixes the shape: known values, or a ``size``, are due."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.node import Value
from rax.ir.types import bool_, int8, int64
from rax.numpy.common import SizeLike, as_shape
from rax.ops.algebra import zeros
from rax.ops.arithmetic import maximum
from rax.ops.arrays import constant, scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import equal, greater, less, not_equal
from rax.ops.creation import iota
from rax.ops.cumulative import CumulativeSum
from rax.ops.elementwise import subtract
from rax.ops.indexing import Gather, Scatter
from rax.ops.logical import logical_and, logical_not, logical_or
from rax.ops.reduction import AnyTrue
from rax.ops.selection import cast, where
from rax.ops.shape import Concat, reshape
from rax.ops.sorting import ArgSort, SearchSorted, Sort

_STATIC = "the shape of the result depends on values: give it with size=…, or compute it outside the traced function"


class UniqueAll(NamedTuple):
    """What :func:`unique_all` returns.

    Attributes:
        values: the unique elements, in order.
        indices: where each stands first in the flattened tensor.
        inverse_indices: for each element of the tensor its position among the unique ones.
        counts: how often each occurs.
    """

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What :func:`unique_counts` returns.

    Attributes:
        values: the unique elements, in order.
        counts: how often each occurs.
    """

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What :func:`unique_inverse` returns.

    Attributes:
        values: the unique elements, in order.
        inverse_indices: for each element of the tensor its position among the unique ones.
    """

    values: Tensor
    inverse_indices: Tensor


def isin(x1: TensorLike, x2: TensorLike, /, *, invert: bool = False) -> Tensor:
    """Whether each element of ``x1`` is equal to some element of ``x2``; a NaN is equal to none.

    Args:
        x1: any shape, which is that of the result.
        x2: any shape.
        invert: whether the result tells those that are equal to none.

    Example:
        >>> from rax.numpy import asarray
        >>> isin(asarray([1, 2, 5]), asarray([2, 5, 7]))
        Tensor([False,  True,  True], dtype=bool)
    """
    wanted, among = promote_operands(x1, x2)
    among = reshape(among, (among.type.size,))
    if wanted.dtype.kind == "complex":
        column = reshape(wanted, (*wanted.shape, 1))
        found = AnyTrue((wanted.ndim,))(equal(column, among))
    else:
        if wanted.dtype is bool_:
            wanted, among = cast(wanted, int8), cast(among, int8)
        ordered = Sort(0)(among)
        below, above = (SearchSorted(right)(ordered, wanted) for right in (False, True))
        found = logical_and(greater(above, below), equal(wanted, wanted))
    return Tensor(logical_not(found) if invert else found)


def _unique(x: TensorLike, name: str, size: SizeLike | None, fill_value: TensorLike | None) -> UniqueAll:
    value = as_value(x)
    if size is not None:
        return _first_unique(value, size, fill_value)
    return UniqueAll(*[Tensor(constant(part)) for part in np.unique_all(concrete(value, name, _STATIC))])


def _first_unique(x: Value, size: SizeLike, fill_value: TensorLike | None) -> UniqueAll:
    (length,) = as_shape(size)
    count = x.type.size
    flat, place, zero = reshape(x, (count,)), iota(count), scalar(0, int64)
    order = ArgSort(0)(cast(flat, int8) if x.dtype is bool_ else flat)
    ordered = Gather()(flat, order)
    before = Gather()(ordered, maximum(subtract(place, scalar(1, int64)), zero))
    new = cast(logical_or(equal(place, zero), not_equal(ordered, before)), int64)
    rank = subtract(CumulativeSum(0)(new), scalar(1, int64))
    slot = iota(length)
    begin, end = (SearchSorted(right)(rank, slot) for right in (False, True))
    known = less(slot, Sum((0,))(new))
    # A place left over takes the smallest element; where there is no element at all, the 0 behind the last.
    start = where(known, begin, zero)
    values = Gather()(_with_zero(ordered), start)
    if fill_value is not None:
        values = where(known, values, as_value(fill_value, x.dtype))
    indices = Gather()(_with_zero(order), start)
    inverse = Scatter(0, "set")(zeros(order.type), order, rank)
    return UniqueAll(*map(Tensor, (values, indices, reshape(inverse, x.shape), subtract(end, begin))))


def _with_zero(x: Value) -> Value:
    return Concat(0)(x, zeros(x.type.with_shape((1,))))


def unique_all(x: TensorLike, /, *, size: SizeLike | None = None, fill_value: TensorLike | None = None) -> UniqueAll:
    """The unique elements, where they are, and how often; every NaN is one of its own.

    Args:
        x: any shape.
        size: how many unique elements there are in the result, whatever the values are: the first
            ones in order, and where there are fewer, ``fill_value``, with a count of 0. With it,
            ``x`` may depend on an input, and must be real. An element that is none of the first
            ``size`` has an inverse index that is not below ``size``.
        fill_value: what the places left over hold, by default the smallest element.

    Raises:
        UnboundInputError: ``x`` depends on an input, and there is no ``size``.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_all(asarray([3, 1, 3])).counts
        Tensor([1, 2], dtype=int64)
    """
    return _unique(x, "unique_all", size, fill_value)


def unique_counts(
    x: TensorLike, /, *, size: SizeLike | None = None, fill_value: TensorLike | None = None
) -> UniqueCounts:
    """The unique elements, and how often each occurs; every NaN is one of its own.

    Args:
        x: any shape.
        size: as :func:`unique_all` takes it.
        fill_value: as :func:`unique_all` takes it.

    Raises:
        UnboundInputError: ``x`` depends on an input, and there is no ``size``.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_counts(asarray([3, 1, 3]))
        UniqueCounts(values=Tensor([1, 3], dtype=int64), counts=Tensor([1, 2], dtype=int64))
    """
    found = _unique(x, "unique_counts", size, fill_value)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(
    x: TensorLike, /, *, size: SizeLike | None = None, fill_value: TensorLike | None = None
) -> UniqueInverse:
    """The unique elements, and which of them each element is; every NaN is one of its own.

    Args:
        x: any shape.
        size: as :func:`unique_all` takes it.
        fill_value: as :func:`unique_all` takes it.

    Raises:
        UnboundInputError: ``x`` depends on an input, and there is no ``size``.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_inverse(asarray([3, 1, 3])).inverse_indices
        Tensor([1, 0, 1], dtype=int64)
    """
    found = _unique(x, "unique_inverse", size, fill_value)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: TensorLike, /, *, size: SizeLike | None = None, fill_value: TensorLike | None = None) -> Tensor:
    """The unique elements, in order; every NaN is one of its own.

    Args:
        x: any shape.
        size: as :func:`unique_all` takes it.
        fill_value: as :func:`unique_all` takes it.

    Raises:
        UnboundInputError: ``x`` depends on an input, and there is no ``size``.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_values(asarray([3, 1, 3]))
        Tensor([1, 3], dtype=int64)
        >>> unique_values(asarray([3, 1, 3]), size=3, fill_value=-1)
        Tensor([ 1,  3, -1], dtype=int64)
    """
    return _unique(x, "unique_values", size, fill_value).values
