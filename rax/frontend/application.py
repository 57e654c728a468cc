"""Operations applied to anything that reads as a tensor: promoted, cast, brought into form.

Shared by the operators of :class:`rax.Tensor` and the functions of ``rax.numpy``.
"""

from __future__ import annotations

from typing import Any

from rax.frontend.promotion import is_number, promote_operands
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import bool_, float32, int64
from rax.ops import arithmetic, contraction
from rax.ops.elementwise import Add
from rax.ops.families import TypedOp
from rax.ops.selection import cast
from rax.ops.shape import expand_dims, reshape

add = Add()
"""The operation; :func:`rax.ops.algebra.add` is the function of two values."""


def apply_elementwise(op: TypedOp, *operands: Any) -> Value:
    """An elementwise operation on anything that reads as a tensor.

    Operands are promoted to one dtype. Where the operation is defined on floats only, bools and
    integers become float32; where it is not defined on bool, bools become int64.

    Args:
        op: the operation.
        operands: tensors, arrays and numbers; their shapes broadcast.

    Raises:
        TypeInferenceError: the operation is not defined on the dtype, or shapes do not broadcast.
    """
    values = promote_operands(*operands)
    dtype = values[0].dtype
    if dtype.name not in op.dtypes and dtype.kind in ("bool", "int", "uint"):
        for wider in (int64, float32) if dtype is bool_ else (float32,):
            if wider.name in op.dtypes:
                values = [cast(value, wider) for value in values]
                break
    return op(*values)


def power(x: Any, y: Any) -> Value:
    """``x ** y``; a square where ``y`` is the number 2."""
    if is_number(y) and y == 2:
        return apply_elementwise(arithmetic.square, promote_operands(x, y)[0])
    return apply_elementwise(arithmetic.power, x, y)


def matmul(x: Any, y: Any) -> Value:
    """The matrix product, in all the array API's forms.

    Vectors count as a row on the left and a column on the right; leading axes broadcast.

    Raises:
        TypeInferenceError: an operand is a scalar, or the sizes do not fit.
    """
    return matrix_product(contraction.matmul, *promote_operands(x, y))


def matrix_product(op: TypedOp, left: Value, right: Value) -> Value:
    """A product of matrices applied to vectors too.

    Raises:
        TypeInferenceError: an operand is a scalar, or the sizes do not fit.
    """
    for side in (left, right):
        if not side.ndim:
            raise TypeInferenceError("matmul is not defined on scalars", fix="use * to scale")
    row, column = left.ndim == 1, right.ndim == 1
    if row:
        left = expand_dims(left, (0,))
    if column:
        right = expand_dims(right, (1,))
    result = op(left, right)
    shape = result.shape
    if column:
        shape = shape[:-1]
    if row:
        shape = (*shape[:-2], *shape[-1:]) if not column else shape[:-1]
    return reshape(result, shape)


def matrix_transpose(x: Value) -> Value:
    """The last two axes swapped.

    Raises:
        TypeInferenceError: there are fewer than two axes.
    """
    if x.ndim < 2:
        raise TypeInferenceError(f"a matrix has two axes; {x.type} has {x.ndim}", fix="add an axis first")
    return contraction.matrix_transpose(x)
