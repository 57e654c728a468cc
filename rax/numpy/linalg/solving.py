"""Linear equations, inverses, ranks and determinants."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import float32, int64, real_dtype
from rax.numpy.common import inexact
from rax.numpy.linalg.norms import greatest
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import numpy_dtype, scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import greater
from rax.ops.complex_parts import conj
from rax.ops.contraction import matmul, matrix_transpose
from rax.ops.creation import dim_size
from rax.ops.determinants import SLogDet
from rax.ops.determinants import det as determinant
from rax.ops.elementwise import is_real, multiply, subtract
from rax.ops.matrices import adjoint, hermitian_part, real_part
from rax.ops.matrix_functions import Pinv
from rax.ops.selection import cast
from rax.ops.shape import expand_dims, reshape
from rax.ops.solvers import LinearSystem, TriangularSolve, inverse
from rax.ops.solvers import solve as solve_matrices
from rax.ops.spectral import SvdVals


class SlogdetResult(NamedTuple):
    """What :func:`slogdet` returns.

    Attributes:
        sign: -1, 0 or 1; of a complex matrix a number of size 1, or 0.
        logabsdet: the logarithm of the size of the determinant, real.

    Example:
        >>> from rax.numpy import eye
        >>> slogdet(-eye(3)).sign
        Tensor(-1., dtype=float32)
    """

    sign: Tensor
    logabsdet: Tensor


class LstsqResult(NamedTuple):
    """What :func:`lstsq` returns.

    Attributes:
        x: the solution.
        residuals: for each column of the right-hand side the sum of the squares of what is left.
        rank: the rank of the matrix, int64.
        s: the singular values of the matrix.

    Example:
        >>> from rax.numpy import asarray, ones
        >>> lstsq(ones((3, 1)), asarray([1.0, 2.0, 3.0])).rank
        Tensor(1, dtype=int64)
    """

    x: Tensor
    residuals: Tensor
    rank: Tensor
    s: Tensor


def _pair(x1: TensorLike, x2: TensorLike) -> tuple[Value, Value]:
    left, right = promote_operands(x1, x2)
    return inexact(left, float32), inexact(right, float32)


def _apply(op: LinearSystem, a: Value, b: Value) -> Value:
    """A system of equations whose right-hand side is a vector if it has one axis."""
    if b.ndim != 1:
        return op(a, b)
    x = op(a, expand_dims(b, (1,)))
    return reshape(x, x.shape[:-1])


def solve(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The solution ``x`` of ``x1 @ x = x2``.

    Args:
        x1: square matrices, shape (…, n, n).
        x2: shape (…, n, k), the axes before them broadcast against those of ``x1``; or (n,), one vector.

    Returns:
        Shape (…, n, k), or (…, n) for a vector.

    Raises:
        TypeInferenceError: the shapes do not fit, or the dtype is of half precision.
        ExecutionError: when it runs, a matrix is singular.

    Example:
        >>> from rax.numpy import asarray
        >>> solve(asarray([[2.0, 0.0], [0.0, 4.0]]), asarray([1.0, 1.0]))
        Tensor([0.5 , 0.25], dtype=float32)
    """
    return Tensor(_apply(solve_matrices, *_pair(x1, x2)))


def solve_triangular(
    a: TensorLike, b: TensorLike, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """The solution ``x`` of ``a @ x = b`` for triangular matrices, as ``scipy.linalg.solve_triangular``.

    Args:
        a: shape (…, n, n); only one triangle is read.
        b: shape (…, n, k), the axes before them broadcast against those of ``a``; or (n,), one vector.
        trans: 0 or ``"N"`` for ``a``, 1 or ``"T"`` for its transpose, 2 or ``"C"`` for its adjoint.
        lower: whether the lower triangle of ``a`` is read, or the upper one.
        unit_diagonal: whether the diagonal counts as ones, and is not read.

    Returns:
        Shape (…, n, k), or (…, n) for a vector.

    Raises:
        TypeInferenceError: the shapes do not fit, ``trans`` is none of these, or the dtype is of half precision.
        ExecutionError: when it runs, there is a zero on a diagonal.

    Example:
        >>> from rax.numpy import asarray
        >>> solve_triangular(asarray([[2.0, 0.0], [1.0, 1.0]]), asarray([2.0, 2.0]), lower=True)
        Tensor([1., 1.], dtype=float32)
    """
    left, right = _pair(a, b)
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise TypeInferenceError(f"solve_triangular's trans is 0, 1 or 2, or 'N', 'T' or 'C', not {trans!r}")
    if trans not in (0, "N"):
        if left.ndim < 2:
            raise TypeInferenceError(f"a matrix has two axes; {left.type} has {left.ndim}")
        left, lower = matrix_transpose(left) if trans in (1, "T") else adjoint(left), not lower
    return Tensor(_apply(TriangularSolve(lower, unit_diagonal), left, right))


def inv(x: TensorLike, /) -> Tensor:
    """The inverse of square matrices.

    Args:
        x: shape (…, n, n).

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.
        ExecutionError: when it runs, a matrix is singular.

    Example:
        >>> from rax.numpy import asarray
        >>> inv(asarray([[2.0, 0.0], [0.0, 4.0]]))
        Tensor([[0.5 , 0.  ],
                [0.  , 0.25]], dtype=float32)
    """
    value = inexact(x, float32)
    _check_matrices("inv", value, square=True)
    return Tensor(inverse(value))


def _check_matrices(name: str, x: Value, *, square: bool = False) -> None:
    if x.ndim < 2:
        raise TypeInferenceError(f"{name} needs matrices, not {dims.shape_text(x.shape)}")
    if square and x.shape[-1] != x.shape[-2]:
        raise TypeInferenceError(f"{name} needs square matrices, not {dims.shape_text(x.shape)}")


def _ratio(x: Value, rtol: TensorLike | None) -> Value:
    """The share of the greatest singular value below which one counts as 0, for each matrix."""
    dtype = real_dtype(x.dtype)
    if rtol is None:
        longer = dims.maximum(*x.shape[-2:])
        epsilon = scalar(float(np.finfo(numpy_dtype(dtype)).eps), dtype)
        ratio = multiply(dim_size(longer, dtype), epsilon)
    else:
        ratio = as_value(rtol, dtype)
    return broadcast_to(ratio, x.shape[:-2])


def pinv(x: TensorLike, /, *, rtol: TensorLike | None = None, hermitian: bool = False) -> Tensor:
    """The Moore-Penrose pseudo-inverse.

    The derivative is that among matrices of the same rank; it exists wherever no singular value is
    at the threshold.

    Args:
        x: shape (…, m, n).
        rtol: singular values not greater than this times the greatest count as 0; a number or shape
            (…); by default the greater of m and n times the machine epsilon.
        hermitian: whether to take the Hermitian part of ``x``, for matrices that are Hermitian but for rounding.

    Returns:
        Shape (…, n, m).

    Raises:
        TypeInferenceError: ``x`` is of half precision or no matrix, or ``rtol`` does not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> pinv(asarray([[2.0, 0.0], [0.0, 0.0]]))
        Tensor([[0.5, 0. ],
                [0. , 0. ]], dtype=float32)
    """
    value = inexact(x, float32)
    _check_matrices("pinv", value, square=hermitian)
    return Tensor(_pseudo_inverse(hermitian_part(value) if hermitian else value, rtol))


def _pseudo_inverse(x: Value, rtol: TensorLike | None) -> Value:
    return Pinv()(x, _ratio(x, rtol))


def matrix_rank(x: TensorLike, /, *, rtol: TensorLike | None = None) -> Tensor:
    """How many singular values are not 0.

    Args:
        x: shape (…, m, n).
        rtol: singular values not greater than this times the greatest count as 0; a number or shape
            (…); by default the greater of m and n times the machine epsilon.

    Returns:
        int64, of shape (…).

    Raises:
        TypeInferenceError: ``x`` is of half precision or no matrix, or ``rtol`` does not fit.

    Example:
        >>> from rax.numpy import ones
        >>> matrix_rank(ones((3, 2)))
        Tensor(1, dtype=int64)
    """
    value = inexact(x, float32)
    _check_matrices("matrix_rank", value)
    return Tensor(_rank(SvdVals()(value), _ratio(value, rtol)))


def _rank(values: Value, ratio: Value) -> Value:
    last = values.ndim - 1
    least = multiply(greatest(values, (last,)), ratio)
    return Sum((last,))(cast(greater(values, expand_dims(least, (last,))), int64))


def lstsq(a: TensorLike, b: TensorLike, rcond: TensorLike | None = None) -> LstsqResult:
    """The ``x`` of least length among those for which ``a @ x`` is closest to ``b``.

    Unlike NumPy's, it takes batches, and always returns residuals: their shape must not depend on values.

    Args:
        a: shape (…, m, n).
        b: shape (…, m, k), or (m,), one vector.
        rcond: singular values of ``a`` not greater than this times the greatest count as 0; by
            default the greater of m and n times the machine epsilon.

    Returns:
        The solution (…, n, k), or (…, n); the residuals (…, k), or (…); the rank (…), and the singular
        values of ``a``. The derivative is that among matrices of the same rank.

    Raises:
        TypeInferenceError: the shapes do not fit, or the dtype is of half precision.

    Example:
        >>> from rax.numpy import asarray, ones
        >>> lstsq(ones((4, 1)), asarray([1.0, 2.0, 3.0, 4.0])).residuals
        Tensor(5., dtype=float32)
    """
    left, right = _pair(a, b)
    _check_matrices("lstsq", left)
    vector = right.ndim == 1
    columns = expand_dims(right, (1,)) if vector else right
    if columns.ndim < 2 or left.shape[-2] != columns.shape[-2]:
        shown = f"{dims.shape_text(left.shape)} and {dims.shape_text(right.shape)}"
        raise TypeInferenceError(f"lstsq needs a matrix and a right-hand side of as many rows, not {shown}")
    ratio, values = _ratio(left, rcond), SvdVals()(left)
    x = matmul(Pinv()(left, ratio), columns)
    missed = subtract(columns, matmul(left, x))
    squares = multiply(missed, missed) if is_real(missed) else real_part(multiply(missed, conj(missed)))
    residuals = Sum((squares.ndim - 2,))(squares)
    if vector:
        x, residuals = reshape(x, x.shape[:-1]), reshape(residuals, residuals.shape[:-1])
    return LstsqResult(*map(Tensor, (x, residuals, _rank(values, ratio), values)))


def det(x: TensorLike, /) -> Tensor:
    """The determinant of square matrices; 1 of one without rows.

    Its gradient is right for singular matrices too. For the logarithm of a determinant take
    :func:`slogdet`, which does not overflow and whose gradient costs less.

    Args:
        x: shape (…, n, n).

    Returns:
        Shape (…).

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.

    Example:
        >>> from rax.numpy import asarray
        >>> det(asarray([[2.0, 0.0], [1.0, 4.0]]))
        Tensor(8., dtype=float32)
    """
    return Tensor(determinant(inexact(x, float32)))


def slogdet(x: TensorLike, /) -> SlogdetResult:
    """The sign of the determinant, and the logarithm of its size.

    Args:
        x: shape (…, n, n).

    Returns:
        The sign and the logarithm, each of shape (…); 0 and -inf for a singular matrix, which has no
        derivative: asking for it is an error when it runs.

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.

    Example:
        >>> from rax.numpy import eye
        >>> slogdet(-eye(3))
        SlogdetResult(sign=Tensor(-1., dtype=float32), logabsdet=Tensor(0., dtype=float32))
    """
    return SlogdetResult(*map(Tensor, SLogDet().results(inexact(x, float32))))
