"""Matrix products and contractions."""

from __future__ import annotations

from collections.abc import Sequence

from rax.frontend import application
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import OutOfRangeError, TypeInferenceError
from rax.ir.node import Value
from rax.numpy.common import as_axis, as_integer, as_list
from rax.ops import contraction
from rax.ops.complex_parts import conj
from rax.ops.shape import expand_dims, moveaxis, permute_dims, reshape


def matmul(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The matrix product over the last two axes; the axes before them broadcast.

    Args:
        x1: shape (…, m, k), or (k,) for a row.
        x2: shape (…, k, n), or (k,) for a column.

    Returns:
        Shape (…, m, n), without the axes of rows and columns.

    Raises:
        TypeInferenceError: the shapes do not fit, or an operand is a scalar.

    Example:
        >>> from rax.numpy import asarray
        >>> matmul(asarray([[1, 2], [3, 4]]), asarray([1, 1]))
        Tensor([3, 7], dtype=int64)
    """
    return Tensor(application.matmul(x1, x2))


def matrix_transpose(x: TensorLike, /) -> Tensor:
    """The last two axes swapped.

    Raises:
        TypeInferenceError: there are fewer than two axes.

    Example:
        >>> from rax.numpy import ones
        >>> matrix_transpose(ones((5, 2, 3))).shape
        (5, 3, 2)
    """
    return Tensor(application.matrix_transpose(as_value(x)))


def tensordot(x1: TensorLike, x2: TensorLike, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """The sum of products over some axes of two tensors.

    Args:
        x1: any shape.
        x2: any shape.
        axes: how many of the last axes of ``x1`` meet the first of ``x2``; or the axes of
            each, in pairs.

    Returns:
        The axes of ``x1`` that stay, then those of ``x2``.

    Raises:
        OutOfRangeError: an axis is out of range.
        TypeInferenceError: the sizes of a pair differ.

    Example:
        >>> from rax.numpy import ones
        >>> tensordot(ones((2, 3, 4)), ones((3, 4, 5))).shape
        (2, 5)
    """
    left, right = promote_operands(x1, x2)
    if not isinstance(axes, (tuple, list)):
        axes = as_integer(axes, "a number of axes")
        if not 0 <= axes <= min(left.ndim, right.ndim):
            raise TypeInferenceError(f"tensordot over {axes} axes does not fit {left.type} and {right.type}")
        first, second = list(range(left.ndim - axes, left.ndim)), list(range(axes))
    else:
        if len(axes) != 2:
            raise TypeInferenceError(f"tensordot's axes are a number, or those of each operand, not {axes!r}")
        first = [as_axis(axis, left.ndim) for axis in as_list(axes[0])]
        second = [as_axis(axis, right.ndim) for axis in as_list(axes[1])]
    sizes = [left.shape[axis] for axis in first], [right.shape[axis] for axis in second]
    if sizes[0] != sizes[1] or len(set(first)) != len(first) or len(set(second)) != len(second):
        raise TypeInferenceError(
            f"tensordot cannot pair axes {tuple(first)} of {left.type} with axes {tuple(second)} of {right.type}"
        )
    kept = [axis for axis in range(left.ndim) if axis not in first]
    rest = [axis for axis in range(right.ndim) if axis not in second]
    rows, columns = [left.shape[axis] for axis in kept], [right.shape[axis] for axis in rest]
    inner = dims.product(sizes[0])
    flat_left = reshape(permute_dims(left, (*kept, *first)), (dims.product(rows), inner))
    flat_right = reshape(permute_dims(right, (*second, *rest)), (inner, dims.product(columns)))
    return Tensor(reshape(contraction.matmul(flat_left, flat_right), (*rows, *columns)))


def vecdot(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> Tensor:
    """The sum of ``conj(x1) * x2`` along an axis; the other axes broadcast.

    Args:
        x1: at least one axis.
        x2: at least one axis.
        axis: the axis of the vectors, counted in the broadcast shape.

    Raises:
        OutOfRangeError: the axis is out of range.
        TypeInferenceError: the vectors have different lengths.

    Example:
        >>> from rax.numpy import asarray
        >>> vecdot(asarray([1, 2, 3]), asarray([4, 5, 6]))
        Tensor(32, dtype=int64)
    """
    left, right = promote_operands(x1, x2)
    rank = max(left.ndim, right.ndim)
    place = as_axis(axis, rank)
    left, right = (_last(side, place - rank) for side in (left, right))
    if left.shape[-1] != right.shape[-1]:
        raise TypeInferenceError(f"vecdot takes vectors of one length, not {left.shape[-1]} and {right.shape[-1]}")
    if left.dtype.kind == "complex":
        left = conj(left)
    product = contraction.matmul(expand_dims(left, (left.ndim - 1,)), expand_dims(right, (right.ndim,)))
    return Tensor(reshape(product, product.shape[:-2]))


def _last(x: Value, axis: int) -> Value:
    """``x`` with an axis counted from the end moved there."""
    if x.ndim < -axis:
        raise OutOfRangeError(f"axis {axis} is out of range for {x.type}")
    return moveaxis(x, x.ndim + axis, x.ndim - 1)
