"""Factors of matrices: triangular, orthogonal, and those of eigenvalues and singular values."""

from __future__ import annotations

from typing import NamedTuple

from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.types import float32
from rax.numpy.common import inexact
from rax.ops.algebra import add
from rax.ops.comparison import equal
from rax.ops.creation import iota
from rax.ops.decompositions import Cholesky, Lu, Qr
from rax.ops.matrices import adjoint, as_column, as_row, lower_triangle, upper_triangle
from rax.ops.selection import cast
from rax.ops.shape import slice_axis
from rax.ops.spectral import Eig, Eigh, EigVals, EigvalsH, Svd, SvdVals


class EigenResult(NamedTuple):
    """What :func:`eigh` and :func:`eig` return.

    Attributes:
        eigenvalues: shape (…, n).
        eigenvectors: shape (…, n, n); column i belongs to eigenvalue i.

    Example:
        >>> from rax.numpy import asarray
        >>> eigh(asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        Tensor([1., 2.], dtype=float32)
    """

    eigenvalues: Tensor
    eigenvectors: Tensor


class QrResult(NamedTuple):
    """What :func:`qr` returns.

    Attributes:
        Q: columns of length 1, orthogonal to each other.
        R: upper triangular.

    Example:
        >>> from rax.numpy import ones
        >>> qr(ones((3, 2))).R.shape
        (2, 2)
    """

    Q: Tensor
    R: Tensor


class SvdResult(NamedTuple):
    """What :func:`svd` returns.

    Attributes:
        U: the left singular vectors, in columns.
        S: the singular values, falling.
        Vh: the right singular vectors, conjugate, in rows.

    Example:
        >>> from rax.numpy import ones
        >>> svd(ones((3, 2))).Vh.shape
        (2, 2)
    """

    U: Tensor
    S: Tensor
    Vh: Tensor


class LuResult(NamedTuple):
    """What :func:`lu` returns.

    Attributes:
        P: a permutation, shape (…, m, m).
        L: lower triangular with ones on the diagonal, shape (…, m, k).
        U: upper triangular, shape (…, k, n).

    Example:
        >>> from rax.numpy import ones
        >>> lu(ones((3, 2))).L.shape
        (3, 2)
    """

    P: Tensor
    L: Tensor
    U: Tensor


def cholesky(x: TensorLike, /, *, upper: bool = False) -> Tensor:
    """The triangular factor ``L`` of positive definite matrices, ``x = L @ adjoint(L)``.

    The Hermitian part of ``x`` is factored, so both triangles count, and get a gradient, alike.

    Args:
        x: Hermitian matrices, shape (…, n, n).
        upper: whether to return ``adjoint(L)``.

    Returns:
        The shape of ``x``; real and positive on the diagonal.

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.
        ExecutionError: when it runs, a matrix is not positive definite.

    Example:
        >>> from rax.numpy import asarray
        >>> cholesky(asarray([[4.0, 2.0], [2.0, 10.0]]))
        Tensor([[2., 0.],
                [1., 3.]], dtype=float32)
    """
    factor = Cholesky()(inexact(x, float32))
    return Tensor(adjoint(factor) if upper else factor)


def qr(x: TensorLike, /, mode: str = "reduced") -> QrResult:
    """``x = Q @ R``, with orthonormal columns and an upper triangle whose diagonal is real.

    Args:
        x: shape (…, m, n).
        mode: ``"reduced"``: Q has the lesser of m and n columns; ``"complete"``: m.

    Returns:
        Q and R. The derivative needs the first columns of ``x``, up to m of them, to be independent.

    Raises:
        TypeInferenceError: ``mode`` is neither, or ``x`` is of half precision or no matrix.

    Example:
        >>> from rax.numpy import asarray, round
        >>> q, r = qr(asarray([[3.0, 1.0], [4.0, 2.0]]))
        >>> round(q @ r)
        Tensor([[3., 1.],
                [4., 2.]], dtype=float32)
    """
    if mode not in ("reduced", "complete"):
        raise TypeInferenceError(f"qr's mode is 'reduced' or 'complete', not {mode!r}")
    return QrResult(*map(Tensor, Qr(mode == "complete").results(inexact(x, float32))))


def lu(x: TensorLike, /) -> LuResult:
    """``x = P @ L @ U`` by Gaussian elimination with partial pivoting, as ``scipy.linalg.lu``.

    Args:
        x: shape (…, m, n); k is the lesser of the two.

    Returns:
        P of shape (…, m, m), L of shape (…, m, k) and U of shape (…, k, n).

    Raises:
        TypeInferenceError: ``x`` is of half precision or no matrix.

    Example:
        >>> from rax.numpy import asarray
        >>> lu(asarray([[1.0, 3.0], [2.0, 4.0]])).U
        Tensor([[2., 4.],
                [0., 1.]], dtype=float32)
    """
    value = inexact(x, float32)
    factors, order = Lu().results(value)
    rows, columns = value.shape[-2:]
    inner = dims.minimum(rows, columns)
    lower = lower_triangle(slice_axis(factors, value.ndim - 1, 0, inner), -1)
    ones = cast(equal(as_column(iota(rows)), iota(inner)), value.dtype)
    permutation = cast(equal(as_column(iota(rows)), as_row(order)), value.dtype)
    upper = upper_triangle(slice_axis(factors, value.ndim - 2, 0, inner))
    return LuResult(*map(Tensor, (permutation, add(lower, ones), upper)))


def svd(x: TensorLike, /, full_matrices: bool = True) -> SvdResult:
    """``x = U @ diag(S) @ Vh``, the singular value decomposition.

    Args:
        x: shape (…, m, n); k is the lesser of the two.
        full_matrices: whether U and Vh are square, or have k columns and rows.

    Returns:
        U, S of shape (…, k), real and falling, and Vh. The derivatives of vectors divide by the
        gaps between singular values, and by the values where ``x`` is not square.

    Raises:
        TypeInferenceError: ``x`` is of half precision or no matrix.

    Example:
        >>> from rax.numpy import asarray
        >>> svd(asarray([[0.0, 2.0], [1.0, 0.0]])).S
        Tensor([2., 1.], dtype=float32)
    """
    return SvdResult(*map(Tensor, Svd(full_matrices).results(inexact(x, float32))))


def svdvals(x: TensorLike, /) -> Tensor:
    """The singular values, falling.

    Args:
        x: shape (…, m, n).

    Returns:
        Real, of shape (…, k), k the lesser of m and n.

    Raises:
        TypeInferenceError: ``x`` is of half precision or no matrix.

    Example:
        >>> from rax.numpy import asarray
        >>> svdvals(asarray([[0.0, 2.0], [1.0, 0.0]]))
        Tensor([2., 1.], dtype=float32)
    """
    return Tensor(SvdVals()(inexact(x, float32)))


def eigh(x: TensorLike, /) -> EigenResult:
    """Eigenvalues, rising, and orthonormal eigenvectors of Hermitian matrices.

    It is the Hermitian part of ``x`` that is decomposed, so both triangles count, and get a
    gradient, alike.

    Args:
        x: shape (…, n, n).

    Returns:
        Real eigenvalues, and eigenvectors in columns, of the dtype of ``x``. The derivatives of
        vectors divide by the gaps between eigenvalues.

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.

    Example:
        >>> from rax.numpy import asarray
        >>> eigh(asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        Tensor([1., 2.], dtype=float32)
    """
    return EigenResult(*map(Tensor, Eigh().results(inexact(x, float32))))


def eigvalsh(x: TensorLike, /) -> Tensor:
    """The eigenvalues of Hermitian matrices, real and rising; of the Hermitian part of ``x``, to be exact.

    Args:
        x: shape (…, n, n).

    Returns:
        Shape (…, n).

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.

    Example:
        >>> from rax.numpy import asarray
        >>> eigvalsh(asarray([[2.0, 0.0], [0.0, 1.0]]))
        Tensor([1., 2.], dtype=float32)
    """
    return Tensor(EigvalsH()(inexact(x, float32)))


def eig(x: TensorLike, /) -> EigenResult:
    """Eigenvalues and eigenvectors of any square matrices, complex, in no promised order.

    Args:
        x: shape (…, n, n).

    Returns:
        Complex eigenvalues, and complex eigenvectors of length 1, in columns. The derivative needs
        n independent eigenvectors; that of a vector divides by the gaps between eigenvalues.

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.

    Example:
        >>> from rax.numpy import asarray
        >>> eig(asarray([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues
        Tensor([0.+1.j, 0.-1.j], dtype=complex64)
    """
    return EigenResult(*map(Tensor, Eig().results(inexact(x, float32))))


def eigvals(x: TensorLike, /) -> Tensor:
    """The eigenvalues of any square matrices, complex, in no promised order.

    Args:
        x: shape (…, n, n).

    Returns:
        Shape (…, n). The derivative needs n independent eigenvectors.

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.

    Example:
        >>> from rax.numpy import asarray
        >>> eigvals(asarray([[0.0, 1.0], [-1.0, 0.0]]))
        Tensor([0.+1.j, 0.-1.j], dtype=complex64)
    """
    return Tensor(EigVals()(inexact(x, float32)))
