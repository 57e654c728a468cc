"""Matrix products over leading batch axes."""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType, broadcast_shapes
from rax.ops.arrays import Array, wide
from rax.ops.broadcasting import sum_to
from rax.ops.elementwise import align
from rax.ops.families import Multilinear
from rax.ops.samples import NUMERIC, normal, reject, sample
from rax.ops.shape import moveaxis, permute_dims, reshape


@op("matmul", since=1)
class MatMul(Multilinear):
    """The matrix product over the last two axes; the axes before them broadcast.

    ``(*A, m, k)`` by ``(*B, k, n)`` gives ``(*C, m, n)``, C being A and B broadcast. Vectors are
    the front end's: it adds an axis and drops it again.
    """

    arity = 2
    dtypes = NUMERIC

    def result(self, *operands: TensorType) -> TensorType:
        x, y = operands
        self.require(x, y)
        shown = f"{dims.shape_text(x.shape)} and {dims.shape_text(y.shape)}"
        if x.ndim < 2 or y.ndim < 2:
            raise TypeInferenceError(f"matmul needs two operands of at least 2 axes, not {shown}")
        if x.shape[-1] != y.shape[-2]:
            raise TypeInferenceError(
                f"matmul of {shown}: the rows of the first have {x.shape[-1]} elements, "
                f"the columns of the second {y.shape[-2]}",
                fix="transpose or reshape one of them",
            )
        batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
        return x.with_shape((*batch, x.shape[-2], y.shape[-1]))

    def reference(self, *arrays: Array) -> Array:
        x, y = arrays
        return np.matmul(wide(x), wide(y)).astype(x.dtype)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        x, y = operands
        if linear[0]:
            return (_product_onto(ct, matrix_transpose(y), x), None)
        return (None, _product_onto(matrix_transpose(x), ct, y))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        x, y = operands
        if not batched[1] and y.ndim == 2:
            rows = self(reshape(x, (dims.product(x.shape[:-1]), x.shape[-1])), y)
            return reshape(rows, (*x.shape[:-1], y.shape[-1]))
        return self(*align(batched, operands))

    samples = (
        sample(normal(2, 3), normal(3, 4)),
        sample(normal(5, 2, 3), normal(3, 2)),
        sample(normal(2, 3), normal(4, 3, 2)),
        sample(normal(2, 1, 2, 3), normal(4, 3, 2)),
        sample(normal(1, 2, 3), normal(2, 3, 1)),
        sample(normal(2, 0), normal(0, 3)),
        sample(normal(0, 2, 3), normal(3, 2)),
    )
    rejects = (
        reject(normal(3), normal(3, 2), match="at least 2 axes, not [3] and [3, 2]"),
        reject(normal(2, 3), normal(4, 2), match="the rows of the first have 3 elements, the columns of the second 4"),
        reject(normal(2, 2, 3), normal(4, 3, 2), match="do not broadcast: 2 against 4"),
        reject(normal(2, 3), normal(3, 2), dtype="bool", match="matmul is not defined on bool"),
    )


matmul = MatMul()


def matrix_transpose(x: Value) -> Value:
    """``x`` with its last two axes swapped."""
    return moveaxis(x, x.ndim - 1, x.ndim - 2)


def _product_onto(left: Value, right: Value, target: Value) -> Value:
    """``left @ right`` summed over the batch axes that broadcasting gave ``target``.

    Where the target is a single matrix and both factors have the same batch axes, the sum over
    the batch is part of the contraction: the products one by one are never stored.
    """
    if target.ndim == 2 and left.ndim > 2 and left.shape[:-2] == right.shape[:-2]:
        order = (left.ndim - 2, *range(left.ndim - 2), left.ndim - 1)
        wide_left = permute_dims(left, order)
        count = dims.product((*left.shape[:-2], left.shape[-1]))
        tall_right = reshape(right, (count, right.shape[-1]))
        return matmul(reshape(wide_left, (left.shape[-2], count)), tall_right)
    return sum_to(matmul(left, right), target.shape)
