"""Sorting along an axis."""

from __future__ import annotations

from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir.node import Value
from rax.ir.types import bool_, int8
from rax.numpy.common import as_axis
from rax.ops import sorting
from rax.ops.selection import cast


def argsort(x: TensorLike, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """The positions that sort ``x`` along an axis; int64.

    Args:
        x: real numbers, of at least one axis.
        axis: the axis.
        descending: whether the largest comes first.
        stable: equal elements keep their order, whatever is given.

    Example:
        >>> from rax.numpy import asarray
        >>> argsort(asarray([3, 1, 2]))
        Tensor([1, 2, 0], dtype=int64)
    """
    del stable
    value, place = _ordered(x, axis)
    return Tensor(sorting.ArgSort(place, descending)(value))


def sort(x: TensorLike, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along an axis; NaN counts as the largest number.

    Derivatives move with the elements.

    Args:
        x: real numbers, of at least one axis.
        axis: the axis.
        descending: whether the largest comes first.
        stable: equal elements keep their order, whatever is given.

    Example:
        >>> from rax.numpy import asarray
        >>> sort(asarray([3, 1, 2]), descending=True)
        Tensor([3, 2, 1], dtype=int64)
    """
    del stable
    value, place = _ordered(x, axis)
    return Tensor(cast(sorting.Sort(place, descending)(value), as_value(x).dtype))


def _ordered(x: TensorLike, axis: int) -> tuple[Value, int]:
    """An operand that sorting is defined on; bools as integers."""
    value = as_value(x)
    return cast(value, int8) if value.dtype is bool_ else value, as_axis(axis, value.ndim)
