"""Norms of vectors and matrices, and condition numbers."""

from __future__ import annotations

import math

from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import float32
from rax.numpy.common import Axes, as_axes, as_axis, as_list, inexact, with_axes
from rax.ops import arithmetic
from rax.ops.algebra import add
from rax.ops.arrays import scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import equal, isnan, not_equal
from rax.ops.complex_parts import imag, real
from rax.ops.elementwise import divide, is_real, multiply
from rax.ops.reduction import Max, Min
from rax.ops.selection import cast, where
from rax.ops.shape import pad, permute_dims
from rax.ops.solvers import inverse
from rax.ops.spectral import SvdVals

Order = float | str | None


def vector_norm(x: TensorLike, /, *, axis: Axes = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """The norm of vectors: the sum of ``abs(x) ** ord``, to the power ``1 / ord``.

    The gradient of a norm at the zero vector is 0, one of its subgradients; and so is the derivative by an
    element that is 0, which has none where ``ord <= 1``.

    Args:
        x: any shape.
        axis: the axes along which the vectors lie, taken as one; all for None.
        keepdims: whether these axes stay, of size 1.
        ord: the power; ``inf`` for the greatest size, ``-inf`` for the least, 0 for how many are not 0.

    Returns:
        Real.

    Raises:
        OutOfRangeError: an axis is out of range.
        TypeInferenceError: an axis is given twice, or ``ord`` is no number.

    Example:
        >>> from rax.numpy import asarray
        >>> vector_norm(asarray([3.0, 4.0]))
        Tensor(5., dtype=float32)
    """
    value = inexact(x, float32)
    axes = as_axes(axis, value.ndim)
    if isinstance(ord, str):
        raise TypeInferenceError(f"the order of a vector's norm is a number, not {ord!r}")
    return with_axes(_vector_norm(value, axes, float(ord)), axes, keepdims)


def _vector_norm(x: Value, axes: tuple[int, ...], ord: float) -> Value:
    if ord == 0:
        nonzero = cast(not_equal(x, scalar(0, x.dtype)), x.dtype)
        return Sum(axes)(nonzero if is_real(x) else real(nonzero))
    if ord == 2:
        parts = (x,) if is_real(x) else (real(x), imag(x))
        squares = [multiply(part, part) for part in parts]
        return arithmetic.root_of_squares(Sum(axes)(squares[0] if len(squares) == 1 else add(*squares)))
    sizes = arithmetic.abs_(x)
    if ord == math.inf:
        return greatest(sizes, axes)
    if ord == -math.inf:
        return Min(axes)(sizes)
    if ord == 1:
        return Sum(axes)(sizes)
    return _power(Sum(axes)(_power(sizes, ord)), 1 / ord)


def _power(x: Value, exponent: float) -> Value:
    """A power of numbers that are not negative, with the derivatives 0 at 0."""
    nothing = equal(x, scalar(0, x.dtype))
    safe = where(nothing, scalar(1, x.dtype), x)
    end = scalar(0.0 if exponent > 0 else math.inf, x.dtype)
    return where(nothing, end, arithmetic.power(safe, scalar(exponent, x.dtype)))


def greatest(x: Value, axes: tuple[int, ...]) -> Value:
    """The greatest of numbers that are not negative; 0 of none."""
    if not all(isinstance(x.shape[axis], int) and x.shape[axis] != 0 for axis in axes):
        more = tuple(int(axis in axes) for axis in range(x.ndim))
        x = pad(x, (0,) * x.ndim, more, (0,) * x.ndim)
    return Max(axes)(x)


def matrix_norm(x: TensorLike, /, *, keepdims: bool = False, ord: Order = "fro") -> Tensor:
    """The norm of matrices.

    Args:
        x: shape (…, m, n).
        keepdims: whether the last two axes stay, of size 1.
        ord: ``"fro"`` (or None) for the root of the sum of squares, ``"nuc"`` for the sum of singular values, 2
            and -2 for the greatest and least of them, 1 and -1 for the greatest and least sum of sizes in
            a column, ``inf`` and ``-inf`` in a row.

    Returns:
        Real, of shape (…).

    Raises:
        TypeInferenceError: ``ord`` is none of these, or ``x`` is no matrix.

    Example:
        >>> from rax.numpy import asarray
        >>> matrix_norm(asarray([[1.0, -2.0], [3.0, 4.0]]), ord=1)
        Tensor(6., dtype=float32)
    """
    value = inexact(x, float32)
    if value.ndim < 2:
        raise TypeInferenceError(f"matrix_norm needs matrices, not {dims.shape_text(value.shape)}")
    return with_axes(_matrix_norm(value, ord), (value.ndim - 2, value.ndim - 1), keepdims)


def _matrix_norm(x: Value, ord: Order) -> Value:
    last = x.ndim - 1
    if ord in (None, "fro", "f"):
        return _vector_norm(x, (last - 1, last), 2.0)
    if ord == "nuc":
        return Sum((last - 1,))(SvdVals()(x))
    if ord in (2, -2):
        values = SvdVals()(x)
        return greatest(values, (last - 1,)) if ord == 2 else Min((last - 1,))(values)
    if ord not in (1, -1, math.inf, -math.inf):
        raise TypeInferenceError(
            f"the order of a matrix's norm is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not {ord!r}",
            fix="flatten the matrix, and take its vector_norm" if not isinstance(ord, str) else "",
        )
    assert not isinstance(ord, str)
    sums = Sum((last if abs(ord) == math.inf else last - 1,))(arithmetic.abs_(x))
    return greatest(sums, (last - 1,)) if ord > 0 else Min((last - 1,))(sums)


def norm(x: TensorLike, ord: Order = None, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The norm of vectors or matrices, by NumPy's rules.

    Args:
        x: any shape.
        ord: see :func:`vector_norm` and :func:`matrix_norm`; None for the root of the sum of squares.
        axis: one axis for vectors, two for matrices; None for all of a vector or matrix, or, where
            ``ord`` is None too, of a tensor of any shape taken as one vector.
        keepdims: whether these axes stay, of size 1.

    Returns:
        Real.

    Raises:
        OutOfRangeError: an axis is out of range.
        TypeInferenceError: the axes are not one or two, or ``ord`` does not fit them.

    Example:
        >>> from rax.numpy import asarray
        >>> norm(asarray([[3.0, 4.0], [0.0, 5.0]]), axis=1)
        Tensor([5., 5.], dtype=float32)
    """
    value = inexact(x, float32)
    if axis is None and ord is None:
        return vector_norm(value, keepdims=keepdims)
    axes = [as_axis(one, value.ndim) for one in (range(value.ndim) if axis is None else as_list(axis))]
    if len(axes) == 1:
        return vector_norm(value, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)  # pyright: ignore[reportArgumentType]  # refuses a string
    if len(axes) != 2 or axes[0] == axes[1]:
        raise TypeInferenceError(f"a norm is along one axis, or two that differ, not {tuple(axes)}", fix="give axis=…")
    rest = [place for place in range(value.ndim) if place not in axes]
    result = _matrix_norm(permute_dims(value, (*rest, *axes)), ord)
    return with_axes(result, tuple(sorted(axes)), keepdims)


def cond(x: TensorLike, p: Order = None) -> Tensor:
    """The condition number of matrices: the norm times the norm of the inverse.

    Args:
        x: shape (…, m, n), square where ``p`` is not None, 2 or -2.
        p: the order of the norm, see :func:`matrix_norm`; None and 2 for the greatest singular value
            over the least, -2 for the least over the greatest.

    Returns:
        Real, of shape (…); ``inf`` for a singular matrix.

    Raises:
        TypeInferenceError: ``p`` is no order, ``x`` is of half precision, empty or no matrix.
        ExecutionError: when it runs, a matrix is singular and ``p`` is not None, 2 or -2.

    Example:
        >>> from rax.numpy import asarray
        >>> cond(asarray([[2.0, 0.0], [0.0, 0.5]]))
        Tensor(4., dtype=float32)
    """
    value = inexact(x, float32)
    if p not in (None, 2, -2):
        return Tensor(multiply(_matrix_norm(value, p), _matrix_norm(inverse(value), p)))
    values = SvdVals()(value)
    last = (values.ndim - 1,)
    largest, least = Max(last)(values), Min(last)(values)
    ratio = divide(least, largest) if p == -2 else divide(largest, least)
    return Tensor(where(isnan(ratio), scalar(math.inf, ratio.dtype), ratio))  # 0 over 0, of a matrix of zeros
