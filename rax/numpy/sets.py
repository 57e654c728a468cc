"""Membership, and unique elements: the number of them fixes the shape, so values must be known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.types import bool_, int8
from rax.ops.arrays import Array, constant
from rax.ops.comparison import equal, greater
from rax.ops.logical import logical_and, logical_not
from rax.ops.reduction import AnyTrue
from rax.ops.selection import cast
from rax.ops.shape import reshape
from rax.ops.sorting import SearchSorted, Sort

_STATIC = "the shape of the result depends on values: compute it outside the traced function"


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


def _known(x: TensorLike, name: str) -> Array:
    return concrete(as_value(x), name, _STATIC)


def unique_all(x: TensorLike, /) -> UniqueAll:
    """The unique elements, where they are, and how often; every NaN is one of its own.

    Raises:
        UnboundInputError: ``x`` depends on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_all(asarray([3, 1, 3])).counts
        Tensor([1, 2], dtype=int64)
    """
    return UniqueAll(*[Tensor(constant(part)) for part in np.unique_all(_known(x, "unique_all"))])


def unique_counts(x: TensorLike, /) -> UniqueCounts:
    """The unique elements, and how often each occurs; every NaN is one of its own.

    Raises:
        UnboundInputError: ``x`` depends on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_counts(asarray([3, 1, 3]))
        UniqueCounts(values=Tensor([1, 3], dtype=int64), counts=Tensor([1, 2], dtype=int64))
    """
    return UniqueCounts(*[Tensor(constant(part)) for part in np.unique_counts(_known(x, "unique_counts"))])


def unique_inverse(x: TensorLike, /) -> UniqueInverse:
    """The unique elements, and which of them each element is; every NaN is one of its own.

    Raises:
        UnboundInputError: ``x`` depends on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_inverse(asarray([3, 1, 3])).inverse_indices
        Tensor([1, 0, 1], dtype=int64)
    """
    return UniqueInverse(*[Tensor(constant(part)) for part in np.unique_inverse(_known(x, "unique_inverse"))])


def unique_values(x: TensorLike, /) -> Tensor:
    """The unique elements, in order; every NaN is one of its own.

    Raises:
        UnboundInputError: ``x`` depends on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> unique_values(asarray([3, 1, 3]))
        Tensor([1, 3], dtype=int64)
    """
    return Tensor(constant(np.unique(_known(x, "unique_values"), equal_nan=False)))
