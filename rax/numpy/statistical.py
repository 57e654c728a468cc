"""Sums, extrema and moments along axes."""

from __future__ import annotations

from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir.dims import Size
from rax.ir.node import Value
from rax.ir.types import DType, TensorType, as_dtype, bool_, float32, int64, uint64
from rax.numpy.common import Axes, as_axes, inexact, one_axis, with_axes
from rax.ops import arithmetic, cumulative, reduction
from rax.ops.algebra import full
from rax.ops.broadcasting import Sum
from rax.ops.selection import cast
from rax.ops.shape import Concat


def _summed(x: TensorLike, dtype: object) -> Value:
    """An operand in the dtype its sum or product has: integers in the widest of their kind."""
    value = as_value(x)
    if dtype is not None:
        return cast(value, as_dtype(dtype))
    wide: dict[str, DType] = {"bool": int64, "int": int64, "uint": uint64}
    return cast(value, wide.get(value.dtype.kind, value.dtype))


def sum(x: TensorLike, /, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Tensor:
    """The sum along axes; 0 of no elements.

    Args:
        x: any shape.
        axis: the axes; all for None.
        dtype: the dtype to sum in; by default that of ``x``, for integers and bools the widest.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> sum(asarray([[1, 2], [3, 4]]), axis=0)
        Tensor([4, 6], dtype=int64)
    """
    value = _summed(x, dtype)
    axes = as_axes(axis, value.ndim)
    return with_axes(Sum(axes)(value), axes, keepdims)


def prod(x: TensorLike, /, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Tensor:
    """The product along axes; 1 of no elements.

    Args:
        x: any shape.
        axis: the axes; all for None.
        dtype: the dtype to multiply in; by default that of ``x``, for integers and bools the widest.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> prod(asarray([2, 3, 4]))
        Tensor(24, dtype=int64)
    """
    value = _summed(x, dtype)
    axes = as_axes(axis, value.ndim)
    return with_axes(reduction.Prod(axes)(value), axes, keepdims)


def max(x: TensorLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The largest element along axes; NaN if there is a NaN.

    Args:
        x: real numbers, of any shape.
        axis: the axes; all for None.
        keepdims: whether the axes stay, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> max(asarray([[1, 5], [3, 4]]), axis=1)
        Tensor([5, 4], dtype=int64)
    """
    value = as_value(x)
    axes = as_axes(axis, value.ndim)
    result = reduction.AnyTrue(axes)(value) if value.dtype is bool_ else reduction.Max(axes)(value)
    return with_axes(result, axes, keepdims)


def min(x: TensorLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The smallest element along axes; NaN if there is a NaN.

    Args:
        x: real numbers, of any shape.
        axis: the axes; all for None.
        keepdims: whether the axes stay, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> min(asarray([[1, 5], [3, 4]]), axis=1)
        Tensor([1, 3], dtype=int64)
    """
    value = as_value(x)
    axes = as_axes(axis, value.ndim)
    result = reduction.AllTrue(axes)(value) if value.dtype is bool_ else reduction.Min(axes)(value)
    return with_axes(result, axes, keepdims)


def mean(x: TensorLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The arithmetic mean along axes; integers count as float32.

    Args:
        x: any shape.
        axis: the axes; all for None.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> mean(asarray([1.0, 2.0, 6.0]))
        Tensor(3., dtype=float32)
    """
    value = inexact(x, float32)
    axes = as_axes(axis, value.ndim)
    return with_axes(reduction.Mean(axes)(value), axes, keepdims)


def var(x: TensorLike, /, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance along axes: the mean squared distance from the mean.

    Args:
        x: real numbers, of any shape.
        axis: the axes; all for None.
        correction: what is taken off the number of elements in the divisor; 1 for a sample's.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> var(asarray([1.0, 3.0]), correction=1)
        Tensor(2., dtype=float32)
    """
    value = inexact(x, float32)
    axes = as_axes(axis, value.ndim)
    return with_axes(reduction.Variance(axes, float(correction))(value), axes, keepdims)


def std(x: TensorLike, /, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation along axes: the square root of the variance. Where it is 0, so is its derivative.

    Args:
        x: real numbers, of any shape.
        axis: the axes; all for None.
        correction: what is taken off the number of elements in the divisor; 1 for a sample's.
        keepdims: whether the axes stay, of size 1.

    Example:
        >>> from rax.numpy import asarray
        >>> std(asarray([1.0, 3.0]))
        Tensor(1., dtype=float32)
    """
    return Tensor(arithmetic.root_of_squares(var(x, axis=axis, correction=correction, keepdims=keepdims).value))


def cumulative_sum(
    x: TensorLike, /, *, axis: int | None = None, dtype: object = None, include_initial: bool = False
) -> Tensor:
    """The running sum along an axis.

    Args:
        x: any shape.
        axis: the axis; None will do for a vector.
        dtype: the dtype to sum in; by default that of ``x``, for integers and bools the widest.
        include_initial: whether the result begins with 0, one element longer than ``x``.

    Example:
        >>> from rax.numpy import asarray
        >>> cumulative_sum(asarray([1, 2, 3]), include_initial=True)
        Tensor([0, 1, 3, 6], dtype=int64)
    """
    value = _summed(x, dtype)
    place = one_axis(axis, value, "cumulative_sum")
    return _running(cumulative.CumulativeSum(place)(value), place, 0, include_initial)


def cumulative_prod(
    x: TensorLike, /, *, axis: int | None = None, dtype: object = None, include_initial: bool = False
) -> Tensor:
    """The running product along an axis.

    Args:
        x: any shape.
        axis: the axis; None will do for a vector.
        dtype: the dtype to multiply in; by default that of ``x``, for integers and bools the widest.
        include_initial: whether the result begins with 1, one element longer than ``x``.

    Example:
        >>> from rax.numpy import asarray
        >>> cumulative_prod(asarray([2, 3, 4]))
        Tensor([ 2,  6, 24], dtype=int64)
    """
    value = _summed(x, dtype)
    place = one_axis(axis, value, "cumulative_prod")
    return _running(cumulative.CumulativeProd(place)(value), place, 1, include_initial)


def _running(result: Value, axis: int, initial: int, include_initial: bool) -> Tensor:
    if include_initial:
        sizes: list[Size] = list(result.shape)
        sizes[axis] = 1
        result = Concat(axis)(full(TensorType(result.dtype, tuple(sizes)), initial), result)
    return Tensor(result)
