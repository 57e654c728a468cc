"""NumPy's products of vectors, matrices and more."""

from __future__ import annotations

from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.errors import TypeInferenceError
from rax.ir.types import broadcast_shapes
from rax.numpy.common import as_axis
from rax.numpy.elementwise import conj
from rax.numpy.linear_algebra import matmul, tensordot
from rax.numpy.manipulation import broadcast_to, moveaxis, reshape, stack
from rax.numpy.rearranging import ravel


def _pair(a: TensorLike, b: TensorLike) -> tuple[Tensor, Tensor]:
    first, second = map(Tensor, promote_operands(a, b))
    return first, second


def dot(a: TensorLike, b: TensorLike) -> Tensor:
    """NumPy's product: of vectors their inner product, of matrices the matrix product.

    Else the sum over the last axis of ``a`` and the second-last, or only, axis of ``b``; a scalar
    scales. :func:`matmul` is the one that broadcasts.

    Raises:
        TypeInferenceError: the sizes do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> dot(asarray([1, 2]), asarray([3, 4]))
        Tensor(11, dtype=int64)
    """
    left, right = _pair(a, b)
    if not left.ndim or not right.ndim:
        return left * right
    if left.ndim <= 2 and right.ndim <= 2:
        return matmul(left, right)
    return tensordot(left, right, axes=((-1,), (-2 if right.ndim > 1 else -1,)))


def inner(a: TensorLike, b: TensorLike) -> Tensor:
    """The sum of products over the last axes; a scalar scales.

    Raises:
        TypeInferenceError: the last axes have different sizes.

    Example:
        >>> from rax.numpy import ones
        >>> inner(ones((2, 3)), ones((4, 3))).shape
        (2, 4)
    """
    left, right = _pair(a, b)
    return tensordot(left, right, axes=((-1,), (-1,))) if left.ndim and right.ndim else left * right


def outer(a: TensorLike, b: TensorLike) -> Tensor:
    """The product of each element of ``a`` with each of ``b``; both are flattened.

    Example:
        >>> from rax.numpy import asarray
        >>> outer(asarray([1, 2]), asarray([3, 4, 5]))
        Tensor([[ 3,  4,  5],
                [ 6,  8, 10]], dtype=int64)
    """
    left, right = _pair(a, b)
    return ravel(left)[:, None] * ravel(right)


def vdot(a: TensorLike, b: TensorLike) -> Tensor:
    """The inner product of all elements, those of ``a`` conjugated.

    Raises:
        TypeInferenceError: the numbers of elements differ.

    Example:
        >>> from rax.numpy import asarray
        >>> vdot(asarray([1, 2]), asarray([3, 4]))
        Tensor(11, dtype=int64)
    """
    left, right = _pair(a, b)
    return matmul(ravel(conj(left)), ravel(right))


def matvec(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Matrices times vectors: ``(…, m, n)`` and ``(…, n)`` give ``(…, m)``.

    Raises:
        TypeInferenceError: the sizes do not fit.

    Example:
        >>> from rax.numpy import ones
        >>> matvec(ones((5, 2, 3)), ones((5, 3))).shape
        (5, 2)
    """
    matrix, vector = _pair(x1, x2)
    if matrix.ndim < 2 or not vector.ndim:
        raise TypeInferenceError(f"matvec takes matrices and vectors, not {matrix.value.type} and {vector.value.type}")
    return matmul(matrix, vector[..., None])[..., 0]


def vecmat(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Vectors, conjugated, times matrices: ``(…, m)`` and ``(…, m, n)`` give ``(…, n)``.

    Raises:
        TypeInferenceError: the sizes do not fit.

    Example:
        >>> from rax.numpy import ones
        >>> vecmat(ones((5, 2)), ones((5, 2, 3))).shape
        (5, 3)
    """
    vector, matrix = _pair(x1, x2)
    if matrix.ndim < 2 or not vector.ndim:
        raise TypeInferenceError(f"vecmat takes vectors and matrices, not {vector.value.type} and {matrix.value.type}")
    return matmul(conj(vector)[..., None, :], matrix)[..., 0, :]


def kron(a: TensorLike, b: TensorLike) -> Tensor:
    """The Kronecker product: each element of ``a`` times all of ``b``, in its place.

    Example:
        >>> from rax.numpy import asarray
        >>> kron(asarray([1, 10]), asarray([1, 2, 3]))
        Tensor([ 1,  2,  3, 10, 20, 30], dtype=int64)
    """
    left, right = _pair(a, b)
    rank = max(left.ndim, right.ndim)
    outer_sizes = (*[1] * (rank - left.ndim), *left.shape)
    inner_sizes = (*[1] * (rank - right.ndim), *right.shape)
    spread = reshape(left, [part for size in outer_sizes for part in (size, 1)])
    dense = reshape(right, [part for size in inner_sizes for part in (1, size)])
    return reshape(spread * dense, [o * i for o, i in zip(outer_sizes, inner_sizes, strict=True)])


def cross(
    a: TensorLike, b: TensorLike, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Tensor:
    """The vector product in three dimensions; the other axes broadcast.

    Args:
        a: vectors of 3.
        b: vectors of 3.
        axisa: the axis of the vectors of ``a``.
        axisb: the axis of the vectors of ``b``.
        axisc: the axis of the vectors in the result.
        axis: all three.

    Raises:
        TypeInferenceError: the vectors have another length.

    Example:
        >>> from rax.numpy import asarray
        >>> cross(asarray([1, 0, 0]), asarray([0, 1, 0]))
        Tensor([0, 0, 1], dtype=int64)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    left, right = _pair(a, b)
    left, right = moveaxis(left, axisa, -1), moveaxis(right, axisb, -1)
    if left.shape[-1] != 3 or right.shape[-1] != 3:
        raise TypeInferenceError(f"cross takes vectors of 3, not of {left.shape[-1]} and {right.shape[-1]}")
    shape = broadcast_shapes(left.shape, right.shape)
    left, right = broadcast_to(left, shape), broadcast_to(right, shape)
    turns = ((1, 2), (2, 0), (0, 1))
    parts = [left[..., i] * right[..., j] - left[..., j] * right[..., i] for i, j in turns]
    return stack(parts, axis=as_axis(axisc, left.ndim))
