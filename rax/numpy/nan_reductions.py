"""Reductions that pass over NaN. Where a line is all NaN, its derivative is 0."""

from __future__ import annotations

import math

from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir.types import as_dtype, float32
from rax.numpy.aliases import cumprod, cumsum
from rax.numpy.common import Axes, inexact
from rax.numpy.elementwise import conj, isnan, logical_not, real
from rax.numpy.searching import argmax, where
from rax.numpy.statistical import max, min, prod, sum
from rax.numpy.utility import any
from rax.ops.arithmetic import root_of_squares
from rax.ops.selection import cast


def _filled(a: TensorLike, number: float) -> Tensor:
    """A number in place of NaN."""
    value = Tensor(as_value(a))
    return where(isnan(value), number, value) if value.dtype.is_inexact else value


def nansum(a: TensorLike, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Tensor:
    """The sum along axes of what is not NaN; 0 of nothing.

    Args:
        a: any shape.
        axis: the axes; all for None.
        dtype: the dtype to sum in; by default that of ``a``, for integers and bools the widest.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> nansum(asarray([1.0, float("nan"), 2.0]))
        Tensor(3., dtype=float32)
    """
    return sum(_filled(a, 0), axis=axis, dtype=dtype, keepdims=keepdims)


def nanprod(a: TensorLike, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Tensor:
    """The product along axes of what is not NaN; 1 of nothing.

    Args:
        a: any shape.
        axis: the axes; all for None.
        dtype: the dtype to multiply in; by default that of ``a``, for integers and bools the widest.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> nanprod(asarray([3.0, float("nan"), 2.0]))
        Tensor(6., dtype=float32)
    """
    return prod(_filled(a, 1), axis=axis, dtype=dtype, keepdims=keepdims)


def nancumsum(a: TensorLike, axis: int | None = None, dtype: object = None) -> Tensor:
    """The running sum, NaN taken for 0.

    Args:
        a: any shape.
        axis: the axis; None flattens ``a``.
        dtype: the dtype to sum in; by default that of ``a``, for integers and bools the widest.

    Example:
        >>> from rax.numpy import asarray
        >>> nancumsum(asarray([1.0, float("nan"), 2.0]))
        Tensor([1., 1., 3.], dtype=float32)
    """
    return cumsum(_filled(a, 0), axis, dtype)


def nancumprod(a: TensorLike, axis: int | None = None, dtype: object = None) -> Tensor:
    """The running product, NaN taken for 1.

    Args:
        a: any shape.
        axis: the axis; None flattens ``a``.
        dtype: the dtype to multiply in; by default that of ``a``, for integers and bools the widest.

    Example:
        >>> from rax.numpy import asarray
        >>> nancumprod(asarray([2.0, float("nan"), 3.0]))
        Tensor([2., 2., 6.], dtype=float32)
    """
    return cumprod(_filled(a, 1), axis, dtype)


def _counted(value: Tensor, axis: Axes, *, keepdims: bool) -> Tensor:
    """How many elements are not NaN, in the real dtype that goes with a value's."""
    present = logical_not(isnan(value))
    return sum(Tensor(cast(present.value, real(value).dtype)), axis=axis, keepdims=keepdims)


def nanmean(a: TensorLike, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Tensor:
    """The mean along axes of what is not NaN; NaN of nothing.

    Args:
        a: any shape; integers count as float32.
        axis: the axes; all for None.
        dtype: the dtype to compute in.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> nanmean(asarray([1.0, float("nan"), 2.0]))
        Tensor(1.5, dtype=float32)
    """
    value = _computed(a, dtype)
    count = _counted(value, axis, keepdims=keepdims)
    return where(count > 0, nansum(value, axis, keepdims=keepdims) / where(count > 0, count, 1.0), math.nan)


def _computed(a: TensorLike, dtype: object) -> Tensor:
    return Tensor(inexact(a, float32) if dtype is None else cast(as_value(a), as_dtype(dtype)))


def nanvar(
    a: TensorLike, axis: Axes = None, dtype: object = None, *, ddof: float = 0, keepdims: bool = False
) -> Tensor:
    """The variance along axes of what is not NaN; NaN where the divisor is not positive.

    Args:
        a: any shape; integers count as float32.
        axis: the axes; all for None.
        dtype: the dtype to compute in.
        ddof: what is taken off the number of elements in the divisor; 1 for a sample's.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> nanvar(asarray([1.0, float("nan"), 3.0]))
        Tensor(1., dtype=float32)
    """
    value = _computed(a, dtype)
    missing = isnan(value)
    known = where(missing, 0.0, value)
    apart = where(missing, 0.0, known - nanmean(value, axis, keepdims=True))
    total = sum(real(apart * conj(apart)), axis=axis, keepdims=keepdims)
    divisor = _counted(value, axis, keepdims=keepdims) - ddof
    return where(divisor > 0, total / where(divisor > 0, divisor, 1.0), math.nan)


def nanstd(
    a: TensorLike, axis: Axes = None, dtype: object = None, *, ddof: float = 0, keepdims: bool = False
) -> Tensor:
    """The standard deviation along axes of what is not NaN; see :func:`nanvar`. Where it is 0, so is its derivative.

    Example:
        >>> from rax.numpy import asarray
        >>> nanstd(asarray([1.0, float("nan"), 5.0]))
        Tensor(2., dtype=float32)
    """
    variance = nanvar(a, axis, dtype, ddof=ddof, keepdims=keepdims)
    nothing = isnan(variance)
    return where(nothing, math.nan, Tensor(root_of_squares(where(nothing, 0.0, variance).value)))


def nanmax(a: TensorLike, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The largest element along axes that is not NaN; NaN where all are.

    Args:
        a: real numbers, of any shape.
        axis: the axes; all for None.
        keepdims: whether the axes stay, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> nanmax(asarray([1.0, float("nan"), 5.0]))
        Tensor(5., dtype=float32)
    """
    result = max(_filled(a, -math.inf), axis=axis, keepdims=keepdims)
    return _unless_nothing(a, result, axis, keepdims=keepdims)


def nanmin(a: TensorLike, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The smallest element along axes that is not NaN; NaN where all are.

    Args:
        a: real numbers, of any shape.
        axis: the axes; all for None.
        keepdims: whether the axes stay, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> nanmin(asarray([1.0, float("nan"), 5.0]))
        Tensor(1., dtype=float32)
    """
    result = min(_filled(a, math.inf), axis=axis, keepdims=keepdims)
    return _unless_nothing(a, result, axis, keepdims=keepdims)


def _unless_nothing(a: TensorLike, result: Tensor, axis: Axes, *, keepdims: bool) -> Tensor:
    if not result.dtype.is_inexact:
        return result
    some = any(logical_not(isnan(Tensor(as_value(a)))), axis=axis, keepdims=keepdims)
    return where(some, result, math.nan)


def nanargmax(a: TensorLike, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The position of the largest element that is not NaN; -1 where all are, which for NumPy is an error.

    Args:
        a: real numbers, of any shape.
        axis: the axis; None counts positions in the flattened tensor.
        keepdims: whether the axis stays, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> nanargmax(asarray([1.0, float("nan"), 5.0]))
        Tensor(2, dtype=int64)
    """
    return _position(a, nanmax(a, axis, keepdims=True), axis, keepdims=keepdims)


def nanargmin(a: TensorLike, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The position of the smallest element that is not NaN; -1 where all are, which for NumPy is an error.

    Args:
        a: real numbers, of any shape.
        axis: the axis; None counts positions in the flattened tensor.
        keepdims: whether the axis stays, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> nanargmin(asarray([1.0, float("nan"), 5.0]))
        Tensor(0, dtype=int64)
    """
    return _position(a, nanmin(a, axis, keepdims=True), axis, keepdims=keepdims)


def _position(a: TensorLike, extreme: Tensor, axis: int | None, *, keepdims: bool) -> Tensor:
    """Where an extreme is met first."""
    met = Tensor(as_value(a)) == extreme
    place = argmax(met, axis=axis, keepdims=keepdims)
    return where(any(met, axis=axis, keepdims=keepdims), place, -1)
