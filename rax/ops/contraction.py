"""Matrix products over leading batch axes."""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.late import late
from rax.ir.node import Value
from rax.ir.op import Derivative, Op, Transforms, op
from rax.ir.types import DType, TensorType, broadcast_shapes, float32, int32, int64
from rax.ops.arrays import Array, numpy_dtype, wide
from rax.ops.broadcasting import sum_to
from rax.ops.elementwise import align
from rax.ops.families import Composite, Multilinear
from rax.ops.samples import FLOAT8, NUMERIC, Reject, normal, reject, sample, uniform
from rax.ops.shape import moveaxis, permute_dims, reshape

_cast = late("rax.ops.selection", "cast")  # for sums in a wider dtype alone


def _wider(dtype: DType) -> DType:
    """A dtype to add numbers up in."""
    return float32 if dtype.is_floating else int32


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
        return x.with_shape(_product_shape(self.name, x.shape, y.shape))

    def reference(self, *arrays: Array) -> Array:
        x, y = arrays
        return np.matmul(wide(x), wide(y)).astype(x.dtype)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        x, y = operands
        if linear[0]:
            return (_product_onto(ct, matrix_transpose(y), x), None)
        return (None, _product_onto(matrix_transpose(x), ct, y))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return _batched_product(self, batched, operands)

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


@op("widening_matmul", since=1)
class WideningMatMul(Composite):
    """The matrix product of narrow numbers, added up in a wider dtype, which the result has too.

    Shapes are those of ``matmul``. Both operands are integers, perhaps of different dtypes, and
    the result is of a signed integer dtype; or all three are floating. Sums of integers that do
    not fit wrap around.
    """

    dtype: DType

    arity = 2
    dtypes = ("int8", "int16", "uint8", "uint16", *FLOAT8, "float16", "bfloat16")

    def result(self, *operands: TensorType) -> TensorType:
        x, y = operands
        self.require(x)
        self.require(y)
        for side in operands:
            kind = "float" if side.dtype.is_floating else "int"
            if kind != self.dtype.kind or side.dtype.itemsize >= self.dtype.itemsize:
                raise TypeInferenceError(
                    f"{self.name} adds up {x.dtype} and {y.dtype} in a wider dtype of their kind, not in {self.dtype}",
                    fix="use int32 for integers, float32 for floating numbers",
                )
        return TensorType(self.dtype, _product_shape(self.name, x.shape, y.shape))

    def expand(self, *operands: Value) -> Value:
        return matmul(*[_cast(side, self.dtype) for side in operands])

    def reference(self, *arrays: Array) -> Array:
        dtype = numpy_dtype(self.dtype)
        return np.matmul(*[wide(side.astype(dtype)) for side in arrays]).astype(dtype)

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """The operation itself, not its body, so that backends still know it."""
        del transforms, size
        return (_batched_product(self, batched, operands),)

    samples = (
        sample(normal(2, 3), normal(3, 4), dtype=_wider),
        sample(normal(2, 2, 3), normal(3, 1), dtype=_wider),
        sample(normal(2, 3), uniform(3, 2, low=0, high=255, dtype="uint8"), dtypes=("int8", "uint16"), dtype=int64),
        sample(normal(2, 0), normal(0, 3), dtype=_wider),
    )
    rejects = (
        Reject((normal(3), normal(3, 2)), "widening_matmul needs two operands of at least", {"dtype": int32}, "int8"),
        Reject((normal(2, 2), normal(2, 2)), "not defined on int32\n  fix: cast to one of", {"dtype": int64}, "int32"),
        Reject((normal(2, 2), normal(2, 2)), "adds up int8 and int8 in a wider dtype of", {"dtype": float32}, "int8"),
        Reject(
            (normal(2, 2), uniform(2, 2, low=0, high=1, dtype="float16")),
            "adds up int8 and float16 in a wider dtype of their kind, not in int32",
            {"dtype": int32},
            "int8",
        ),
        Reject((normal(2, 3), normal(2, 3)), "the rows of the first have 3 elements", {"dtype": int32}, "uint8"),
    )


matmul = MatMul()


def matrix_transpose(x: Value) -> Value:
    """``x`` with its last two axes swapped."""
    return moveaxis(x, x.ndim - 1, x.ndim - 2)


def _product_shape(name: str, x: Shape, y: Shape) -> Shape:
    shown = f"{dims.shape_text(x)} and {dims.shape_text(y)}"
    if len(x) < 2 or len(y) < 2:
        raise TypeInferenceError(f"{name} needs two operands of at least 2 axes, not {shown}")
    if x[-1] != y[-2]:
        raise TypeInferenceError(
            f"{name} of {shown}: the rows of the first have {x[-1]} elements, the columns of the second {y[-2]}",
            fix="transpose or reshape one of them",
        )
    return (*broadcast_shapes(x[:-2], y[:-2]), x[-2], y[-1])


def _batched_product(op: Op, batched: tuple[bool, ...], operands: tuple[Value, ...]) -> Value:
    """A product with a leading axis; where only rows are batched, one product with more rows."""
    x, y = operands
    if not batched[1] and y.ndim == 2:
        rows = op(reshape(x, (dims.product(x.shape[:-1]), x.shape[-1])), y)
        return reshape(rows, (*x.shape[:-1], y.shape[-1]))
    return op(*align(batched, operands))


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
