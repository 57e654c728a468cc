"""Products, powers and functions of matrices, and their diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import OutOfRangeError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import float32
from rax.numpy.common import as_axis, as_integer, inexact
from rax.numpy.statistical import sum as total
from rax.ops import contraction
from rax.ops.algebra import broadcast_to
from rax.ops.elementwise import multiply, subtract
from rax.ops.matrices import diagonal as diagonal_of
from rax.ops.matrices import identity
from rax.ops.matrix_functions import Expm
from rax.ops.shape import Concat, expand_dims, reshape, slice_axis
from rax.ops.solvers import inverse


def cross(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors of 3 elements; the other axes broadcast.

    Args:
        x1: numbers, 3 along the axis.
        x2: numbers, 3 along the axis.
        axis: the axis of the vectors, counted in the broadcast shape.

    Raises:
        OutOfRangeError: the axis is out of range.
        TypeInferenceError: the vectors have not 3 elements, or the other axes do not broadcast.

    Example:
        >>> from rax.numpy import asarray
        >>> cross(asarray([1, 0, 0]), asarray([0, 1, 0]))
        Tensor([0, 0, 1], dtype=int64)
    """
    left, right = promote_operands(x1, x2)
    rank = max(left.ndim, right.ndim)
    place = as_axis(axis, rank) - rank
    for side in (left, right):
        if side.ndim < -place:
            raise OutOfRangeError(f"axis {axis} is out of range for {side.type}")
        if side.shape[place] != 3:
            raise TypeInferenceError(f"cross needs vectors of 3 elements, not {side.shape[place]}")
    (left1, left2), (right1, right2) = ((_turned(side, place, 1), _turned(side, place, 2)) for side in (left, right))
    return Tensor(subtract(multiply(left1, right2), multiply(left2, right1)))


def _turned(x: Value, axis: int, count: int) -> Value:
    """``x`` with the first elements along an axis, counted from the end, moved behind the others."""
    place = x.ndim + axis
    return Concat(place)(slice_axis(x, place, count, 3), slice_axis(x, place, 0, count))


def outer(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The products of the elements of two vectors, each with each.

    Args:
        x1: shape (n,).
        x2: shape (m,).

    Returns:
        Shape (n, m).

    Raises:
        TypeInferenceError: an operand is no vector.

    Example:
        >>> from rax.numpy import asarray
        >>> outer(asarray([1, 2]), asarray([3, 4, 5]))
        Tensor([[ 3,  4,  5],
                [ 6,  8, 10]], dtype=int64)
    """
    left, right = promote_operands(x1, x2)
    for side in (left, right):
        if side.ndim != 1:
            raise TypeInferenceError(f"outer needs vectors, not {dims.shape_text(side.shape)}", fix="reshape them")
    return Tensor(multiply(expand_dims(left, (1,)), right))


def diagonal(x: TensorLike, /, *, offset: int = 0) -> Tensor:
    """The elements on a diagonal of matrices.

    Args:
        x: shape (…, m, n).
        offset: 0 for the main diagonal, above it if positive.

    Returns:
        The axes before the last two, then one along the diagonal.

    Raises:
        TypeInferenceError: ``x`` is no matrix.

    Example:
        >>> from rax.numpy import asarray
        >>> diagonal(asarray([[1, 2], [3, 4]]))
        Tensor([1, 4], dtype=int64)
    """
    value = as_value(x)
    if value.ndim < 2:
        raise TypeInferenceError(f"a diagonal is of a matrix, not of {value.type}", fix="add an axis first")
    return Tensor(diagonal_of(value, offset))


def trace(x: TensorLike, /, *, offset: int = 0, dtype: object = None) -> Tensor:
    """The sum of the elements on a diagonal of matrices.

    Args:
        x: shape (…, m, n).
        offset: 0 for the main diagonal, above it if positive.
        dtype: the dtype to sum in; by default that of ``x``, for integers and bools the widest.

    Returns:
        Shape (…).

    Raises:
        TypeInferenceError: ``x`` is no matrix.

    Example:
        >>> from rax.numpy import asarray
        >>> trace(asarray([[1, 2], [3, 4]]))
        Tensor(5, dtype=int64)
    """
    return total(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def matrix_power(x: TensorLike, n: int, /) -> Tensor:
    """Square matrices to a whole power, by repeated squaring.

    Args:
        x: shape (…, k, k).
        n: the power; a negative one is that of the inverse, and 0 gives the identity.

    Raises:
        TypeInferenceError: the matrices are not square.
        ExecutionError: when it runs, ``n`` is negative and a matrix is singular.

    Example:
        >>> from rax.numpy import asarray
        >>> matrix_power(asarray([[1.0, 1.0], [0.0, 1.0]]), 5)
        Tensor([[1., 5.],
                [0., 1.]], dtype=float32)
    """
    value = inexact(x, float32)
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        raise TypeInferenceError(f"matrix_power needs square matrices, not {dims.shape_text(value.shape)}")
    count = as_integer(n, "the power")
    if count == 0:
        return Tensor(broadcast_to(identity(value.shape[-1], value.dtype), value.shape))
    square = inverse(value) if count < 0 else value
    result: Value | None = None
    for bit in reversed(f"{abs(count):b}"):
        if bit == "1":
            result = square if result is None else contraction.matmul(result, square)
        square = contraction.matmul(square, square)
    assert result is not None
    return Tensor(result)


def expm(x: TensorLike, /) -> Tensor:
    """The exponential of square matrices: the sum of ``x**k / k!`` over matrix powers.

    Args:
        x: shape (…, n, n).

    Raises:
        TypeInferenceError: the matrices are not square, or of half precision.

    Example:
        >>> from rax.numpy import asarray
        >>> expm(asarray([[0.0, 2.0], [0.0, 0.0]]))
        Tensor([[1., 2.],
                [0., 1.]], dtype=float32)
    """
    return Tensor(Expm()(inexact(x, float32)))


def multi_dot(arrays: Sequence[TensorLike]) -> Tensor:
    """The matrix product of several matrices, in the order that takes the fewest multiplications.

    Where a size is symbolic, they are multiplied from left to right.

    Args:
        arrays: at least two matrices; the first may be a vector, a row, and the last one, a column.

    Raises:
        TypeInferenceError: there are fewer than two, one has another number of axes, or the sizes do not fit.

    Example:
        >>> from rax.numpy import ones
        >>> multi_dot([ones((2, 3)), ones((3, 4)), ones(4)])
        Tensor([12., 12.], dtype=float32)
    """
    values = promote_operands(*arrays)
    if len(values) < 2:
        raise TypeInferenceError(f"multi_dot needs at least two matrices, not {len(values)}")
    row, column = values[0].ndim == 1, values[-1].ndim == 1
    if row:
        values[0] = expand_dims(values[0], (0,))
    if column:
        values[-1] = expand_dims(values[-1], (1,))
    for value in values:
        if value.ndim != 2:
            raise TypeInferenceError(f"multi_dot needs matrices, not {dims.shape_text(value.shape)}")
    result = _chain(values)
    return Tensor(reshape(result, result.shape[int(row) : 1 if column else 2]))


def _chain(values: list[Value]) -> Value:
    """The product in the cheapest order, found by dynamic programming over all stretches of the chain."""
    sizes: list[Size] = [value.shape[0] for value in values] + [values[-1].shape[1]]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) < len(sizes):
        return reduce(contraction.matmul, values)
    best = {(place, place): (0, value) for place, value in enumerate(values)}
    for length in range(1, len(values)):
        for first in range(len(values) - length):
            last = first + length
            costs = [
                best[first, cut][0] + best[cut + 1, last][0] + known[first] * known[cut + 1] * known[last + 1]
                for cut in range(first, last)
            ]
            cut = first + costs.index(min(costs))
            product = contraction.matmul(best[first, cut][1], best[cut + 1, last][1])
            best[first, last] = (min(costs), product)
    return best[0, len(values) - 1][1]
