"""What the operations on matrices share: their base class, and small functions of values that are matrices."""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import DType, TensorType, int64
from rax.ops.algebra import add
from rax.ops.arrays import Array, scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import equal, greater_equal
from rax.ops.complex_parts import conj, real
from rax.ops.contraction import matrix_transpose
from rax.ops.creation import iota
from rax.ops.elementwise import is_real, multiply
from rax.ops.families import TypedOp
from rax.ops.indexing import Gather
from rax.ops.samples import Operand, normal, reject
from rax.ops.selection import cast, where
from rax.ops.shape import expand_dims, permute_dims, reshape

LAPACK = ("float32", "float64", "complex64", "complex128")
"""The dtypes matrices are factored in; half-precision floats are cast first."""

SQUARE_REJECTS = (
    reject(normal(3), match="needs matrices, not [3]"),
    reject(normal(2, 3), match="needs square matrices, not [2, 3]"),
    reject(normal(2, 2), dtype="float16", match="is not defined on float16"),
    reject(normal(2, 2), dtype="int64", match="is not defined on int64"),
)


class OfMatrices(TypedOp):
    """On the last two axes of one operand; the axes before them are a batch."""

    arity = 1
    dtypes = LAPACK

    def matrices(self, x: TensorType) -> tuple[Size, Size]:
        """The rows and columns of the operand."""
        self.require(x)
        if x.ndim < 2:
            raise TypeInferenceError(f"{self.name} needs matrices, not {dims.shape_text(x.shape)}")
        return x.shape[-2], x.shape[-1]

    def square(self, x: TensorType) -> Size:
        """The rows, and columns, of the operand."""
        rows, columns = self.matrices(x)
        if rows != columns:
            raise TypeInferenceError(f"{self.name} needs square matrices, not {dims.shape_text(x.shape)}")
        return rows

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value | tuple[Value, ...]:
        results = self.results(*operands)
        return results[0] if len(results) == 1 else results


def dominant(*shape: int) -> Operand:
    """Random square matrices whose diagonal outweighs the rest: well-conditioned, their Hermitian part positive."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        return rng.normal(size=size) / 2 + 2 * size[-1] * np.eye(size[-1])

    return Operand(shape, draw)


def separated(*shape: int) -> Operand:
    """Random matrices whose eigenvalues, and singular values, are real and well apart."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        rows, columns = size[-2:]
        return rng.normal(size=size) / 3 + 3 * (1 + np.arange(rows))[:, None] * np.eye(rows, columns)

    return Operand(shape, draw)


def conjugate(x: Value) -> Value:
    """The complex conjugate; itself if ``x`` is real."""
    return x if is_real(x) else conj(x)


def real_part(x: Value) -> Value:
    """The real part; itself if ``x`` is real."""
    return x if is_real(x) else real(x)


def adjoint(x: Value) -> Value:
    """The conjugate of the matrix transpose."""
    return conjugate(matrix_transpose(x))


def hermitian_part(x: Value) -> Value:
    """``(x + adjoint(x)) / 2``."""
    return multiply(add(x, adjoint(x)), scalar(0.5, x.dtype))


def as_row(x: Value) -> Value:
    """Vectors as matrices of one row."""
    return expand_dims(x, (x.ndim - 1,))


def as_column(x: Value) -> Value:
    """Vectors as matrices of one column."""
    return expand_dims(x, (x.ndim,))


def _numbers(rows: Size, columns: Size, offset: int) -> tuple[Value, Value]:
    """The row number plus ``offset``, and the column number."""
    down = reshape(iota(rows), (rows, 1))
    return add(down, scalar(offset, int64)) if offset else down, iota(columns)


def on_diagonal(rows: Size, columns: Size) -> Value:
    """A mask, true on the main diagonal."""
    return equal(*_numbers(rows, columns, 0))


def identity(size: Size, dtype: DType) -> Value:
    """The identity matrix."""
    return cast(on_diagonal(size, size), dtype)


def lower_triangle(x: Value, offset: int = 0) -> Value:
    """``x`` up to a diagonal, zeros above it."""
    return where(greater_equal(*_numbers(x.shape[-2], x.shape[-1], offset)), x, scalar(0, x.dtype))


def upper_triangle(x: Value, offset: int = 0) -> Value:
    """``x`` from a diagonal on, zeros below it."""
    return where(greater_equal(*_numbers(x.shape[-2], x.shape[-1], offset - 1)), scalar(0, x.dtype), x)


def without_diagonal(x: Value) -> Value:
    """``x`` with zeros on the main diagonal."""
    return where(on_diagonal(x.shape[-2], x.shape[-1]), scalar(0, x.dtype), x)


def only_diagonal(x: Value) -> Value:
    """``x`` with zeros off the main diagonal."""
    return where(on_diagonal(x.shape[-2], x.shape[-1]), x, scalar(0, x.dtype))


def diagonal(x: Value, offset: int = 0) -> Value:
    """The elements on a diagonal, above the main one for a positive offset."""
    rows, columns = x.shape[-2:]
    size = dims.maximum(dims.minimum(rows + min(offset, 0), columns - max(offset, 0)), 0)
    place = iota(size)
    down, across = (add(place, scalar(shift, int64)) if shift else place for shift in (max(-offset, 0), max(offset, 0)))
    last = x.ndim - 1
    picked = Gather(0, unique_indices=True)(permute_dims(x, (last - 1, last, *range(last - 1))), down, across)
    return permute_dims(picked, (*range(1, last), 0))


def sum_of_products(x: Value, y: Value) -> Value:
    """The sum of the elements of ``x * y`` in each matrix."""
    return Sum((x.ndim - 2, x.ndim - 1))(multiply(x, y))
