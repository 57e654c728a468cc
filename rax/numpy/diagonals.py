"""NumPy's functions on diagonals and triangles."""

from __future__ import annotations

import numpy as np

from rax.frontend import indexing
from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Dim, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import float32
from rax.numpy.common import SizeLike, as_axis, as_integer, as_shape
from rax.numpy.creation import eye, ones, tril
from rax.numpy.rearranging import ravel
from rax.numpy.searching import where
from rax.numpy.statistical import sum
from rax.ops import matrices
from rax.ops.arrays import constant, scalar
from rax.ops.creation import iota
from rax.ops.shape import pad, permute_dims, reshape


def diagonal(a: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of the matrices in two axes, which becomes the last axis.

    Args:
        a: at least two axes.
        offset: which diagonal: above the main one if positive.
        axis1: the axis of the rows.
        axis2: the axis of the columns.

    Raises:
        TypeInferenceError: the axes are not two different ones.

    Example:
        >>> from rax.numpy import asarray
        >>> diagonal(asarray([[1, 2], [3, 4]]))
        Tensor([1, 4], dtype=int64)
    """
    value = as_value(a)
    if value.ndim < 2:
        raise TypeInferenceError(f"a diagonal is of a matrix, not of {value.type}", fix="use diag to make one")
    first, second = as_axis(axis1, value.ndim), as_axis(axis2, value.ndim)
    if first == second:
        raise TypeInferenceError(f"a diagonal needs two different axes, not {axis1} and {axis2}")
    rest = [axis for axis in range(value.ndim) if axis not in (first, second)]
    place = as_integer(offset, "the number of a diagonal")
    return Tensor(matrices.diagonal(permute_dims(value, (*rest, first, second)), place))


def trace(a: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: object = None) -> Tensor:
    """The sum of a diagonal; see :func:`diagonal`.

    Example:
        >>> from rax.numpy import asarray
        >>> trace(asarray([[1, 2], [3, 4]]))
        Tensor(5, dtype=int64)
    """
    return sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def diag(v: TensorLike, k: int = 0) -> Tensor:
    """The matrix with a vector as its diagonal, or the diagonal of a matrix.

    Args:
        v: a vector or a matrix.
        k: which diagonal: above the main one if positive.

    Raises:
        TypeInferenceError: ``v`` has another number of axes.

    Example:
        >>> from rax.numpy import asarray
        >>> diag(asarray([1, 2]))
        Tensor([[1, 0],
                [0, 2]], dtype=int64)
    """
    value = as_value(v)
    if value.ndim == 2:
        return diagonal(Tensor(value), k)
    if value.ndim != 1:
        raise TypeInferenceError(f"diag takes a vector or a matrix, not {value.type}", fix="use diagonal, or diagflat")
    k = as_integer(k, "the number of a diagonal")
    size = value.shape[0] + abs(k)
    column = pad(value, (max(-k, 0),), (max(k, 0),), (0,))
    zero = Tensor(scalar(0, value.dtype))
    return where(eye(size, k=k, dtype="bool"), Tensor(reshape(column, (size, 1))), zero)


def diagflat(v: TensorLike, k: int = 0) -> Tensor:
    """The matrix with all elements as its diagonal.

    Example:
        >>> from rax.numpy import asarray
        >>> diagflat(asarray([[1], [2]]))
        Tensor([[1, 0],
                [0, 2]], dtype=int64)
    """
    return diag(ravel(v), k)


def fill_diagonal(a: TensorLike, val: TensorLike) -> Tensor:
    """``a`` with other elements on its main diagonal; NumPy writes into ``a``, here the result is new.

    Args:
        a: at least two axes; of three and more, of one size.
        val: a number, or a vector of the diagonal's length.

    Raises:
        TypeInferenceError: ``a`` has no diagonal.

    Example:
        >>> from rax.numpy import zeros
        >>> fill_diagonal(zeros((2, 2)), 5)
        Tensor([[5., 0.],
                [0., 5.]], dtype=float32)
    """
    value = as_value(a)
    if value.ndim < 2 or (value.ndim > 2 and any(size != value.shape[0] for size in value.shape)):
        raise TypeInferenceError(f"fill_diagonal needs two axes, or more of one size, not {value.type}")
    length: Size = value.shape[0]
    for size in value.shape[1:]:
        length = dims.minimum(length, size)
    places = Tensor(iota(length))
    return Tensor(indexing.set(value, (places,) * value.ndim, val))


def diag_indices(n: SizeLike, ndim: int = 2) -> tuple[Tensor, ...]:
    """The positions of a main diagonal, one vector an axis.

    Example:
        >>> diag_indices(2)
        (Tensor([0, 1], dtype=int64), Tensor([0, 1], dtype=int64))
    """
    return (Tensor(iota(as_shape(n)[0])),) * ndim


def diag_indices_from(arr: TensorLike) -> tuple[Tensor, ...]:
    """The positions of the main diagonal of a tensor whose axes have one size.

    Raises:
        TypeInferenceError: the sizes differ.

    Example:
        >>> from rax.numpy import zeros
        >>> diag_indices_from(zeros((2, 2)))[0]
        Tensor([0, 1], dtype=int64)
    """
    value = as_value(arr)
    if value.ndim < 2 or any(size != value.shape[0] for size in value.shape):
        raise TypeInferenceError(f"diag_indices_from needs two or more axes of one size, not {value.type}")
    return diag_indices(value.shape[0], value.ndim)


def tri(N: SizeLike, M: SizeLike | None = None, k: int = 0, dtype: object = float32) -> Tensor:  # noqa: N803  (NumPy's)
    """Ones on and below a diagonal, zeros above.

    Args:
        N: the number of rows.
        M: the number of columns, by default as many.
        k: the diagonal: above the main one if positive.
        dtype: the dtype of the result.

    Example:
        >>> tri(2, 3)
        Tensor([[1., 0., 0.],
                [1., 1., 0.]], dtype=float32)
    """
    return tril(ones((N, N if M is None else M), dtype=dtype), k=k)


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Tensor, Tensor]:
    """The positions of the lower triangle of a matrix: rows and columns.

    Args:
        n: the number of rows.
        k: the diagonal above which none are.
        m: the number of columns, by default as many.

    Example:
        >>> tril_indices(2)
        (Tensor([0, 1, 1], dtype=int64), Tensor([0, 0, 1], dtype=int64))
    """
    rows, columns = np.tril_indices(*_numbers(n, k, m))
    return Tensor(constant(rows)), Tensor(constant(columns))


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Tensor, Tensor]:
    """The positions of the upper triangle of a matrix: rows and columns.

    Args:
        n: the number of rows.
        k: the diagonal below which none are.
        m: the number of columns, by default as many.

    Example:
        >>> triu_indices(2)
        (Tensor([0, 0, 1], dtype=int64), Tensor([0, 1, 1], dtype=int64))
    """
    rows, columns = np.triu_indices(*_numbers(n, k, m))
    return Tensor(constant(rows)), Tensor(constant(columns))


def tril_indices_from(arr: TensorLike, k: int = 0) -> tuple[Tensor, Tensor]:
    """:func:`tril_indices` for the shape of a matrix.

    Raises:
        TypeInferenceError: ``arr`` is no matrix of known size.

    Example:
        >>> from rax.numpy import zeros
        >>> tril_indices_from(zeros((2, 2)))[0]
        Tensor([0, 1, 1], dtype=int64)
    """
    rows, columns = _known("tril_indices_from", as_value(arr))
    return tril_indices(rows, k, columns)


def triu_indices_from(arr: TensorLike, k: int = 0) -> tuple[Tensor, Tensor]:
    """:func:`triu_indices` for the shape of a matrix.

    Raises:
        TypeInferenceError: ``arr`` is no matrix of known size.

    Example:
        >>> from rax.numpy import zeros
        >>> triu_indices_from(zeros((2, 2)))[0]
        Tensor([0, 0, 1], dtype=int64)
    """
    rows, columns = _known("triu_indices_from", as_value(arr))
    return triu_indices(rows, k, columns)


def _numbers(n: int, k: int, m: int | None) -> tuple[int, int, int]:
    if isinstance(n, Dim) or isinstance(m, Dim):
        raise TypeInferenceError("the positions of a triangle need sizes that are known", fix="mask with tril or triu")
    rows = as_integer(n, "a number of rows")
    return rows, as_integer(k, "the number of a diagonal"), rows if m is None else as_integer(m, "a number of columns")


def _known(name: str, x: Value) -> tuple[int, int]:
    if x.ndim == 2 and isinstance(x.shape[0], int) and isinstance(x.shape[1], int):
        return x.shape[0], x.shape[1]
    raise TypeInferenceError(f"{name} needs a matrix of known size, not {x.type}", fix="mask with tril or triu instead")
