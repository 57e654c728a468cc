"""Systems of linear equations: ``solve`` and ``triangular_solve``, linear in the right-hand side."""

from __future__ import annotations

import math

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import TensorType, broadcast_shapes
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import Array
from rax.ops.broadcasting import sum_to
from rax.ops.contraction import matmul, matrix_transpose
from rax.ops.elementwise import align, negative, subtract
from rax.ops.families import TypedOp
from rax.ops.matrices import LAPACK, dominant, identity, lower_triangle, upper_triangle
from rax.ops.samples import normal, reject, sample

# Triangles of at most this many rows are solved whole; below, products of matrices are no faster.
_BLOCK = 64

SYSTEMS = (
    sample(dominant(3, 3), normal(3, 2)),
    sample(dominant(2, 1, 2, 2), normal(3, 2, 1)),
    sample(dominant(2, 2), normal(3, 2, 1)),
    sample(normal(0, 0), normal(0, 2)),
)
SYSTEM_REJECTS = (
    reject(normal(3), normal(3, 1), match="needs matrices, not [3] and [3, 1]"),
    reject(normal(2, 3), normal(3, 1), match="needs a square matrix of as many rows"),
    reject(normal(2, 2), normal(3, 1), match="as many rows as the right-hand side, not [2, 2] and [3, 1]"),
    reject(normal(2, 2), normal(2, 1), dtype="float16", match="is not defined on float16"),
)


class LinearSystem(TypedOp):
    """``x`` with ``a @ x = b``, on the last two axes; the axes before them broadcast."""

    arity = 2
    dtypes = LAPACK

    def part(self, a: Value) -> Value:
        """What the operation reads of a tangent of ``a``."""
        return a

    def transposed(self) -> LinearSystem:
        """The operation that solves with the transpose of ``a``."""
        return self

    def result(self, *operands: TensorType) -> TensorType:
        a, b = operands
        self.require(a, b)
        shown = f"{dims.shape_text(a.shape)} and {dims.shape_text(b.shape)}"
        if a.ndim < 2 or b.ndim < 2:
            raise TypeInferenceError(f"{self.name} needs matrices, not {shown}")
        if not a.shape[-1] == a.shape[-2] == b.shape[-2]:
            raise TypeInferenceError(
                f"{self.name} needs a square matrix of as many rows as the right-hand side, not {shown}"
            )
        return b.with_shape((*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]))

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The same system with the right-hand side ``db - da @ x``."""
        del transforms
        (a, _), (da, db), (x,) = primals, tangents, outputs
        right = None if db is None else broadcast_to(db, x.shape)
        if da is not None:
            moved = broadcast_to(matmul(self.part(da), x), x.shape)
            right = negative(moved) if right is None else subtract(right, moved)
        return (None if right is None else self(a, right),)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        a, b = operands
        return None, sum_to(self.transposed()(matrix_transpose(a), ct), b.shape)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*align(batched, operands))


def fold(b: Array) -> Array:
    """Right-hand sides over batch axes as the columns of one matrix."""
    return np.moveaxis(b, -2, 0).reshape(b.shape[-2], math.prod(b.shape[:-2]) * b.shape[-1])


def unfold(x: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of :func:`fold`."""
    return np.moveaxis(x.reshape(shape[-2], *shape[:-2], shape[-1]), 0, -2)


def substitute(a: Array, b: Array, *, lower: bool) -> Array:
    """Solve with a matrix that is zero off its triangle, block after block.

    Source: Golub & Van Loan, "Matrix Computations" (4th ed.), section 3.1.4.
    """
    size = a.shape[-1]
    if size <= _BLOCK:
        return np.linalg.solve(a, b)
    x = np.empty((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)
    starts = range(0, size, _BLOCK)
    for start in starts if lower else reversed(starts):
        rows = slice(start, start + _BLOCK)
        known = slice(0, start) if lower else slice(start + _BLOCK, None)
        right = b[..., rows, :] - np.matmul(a[..., rows, known], x[..., known, :])
        x[..., rows, :] = np.linalg.solve(a[..., rows, rows], right)
    return x


@op("solve", since=1)
class Solve(LinearSystem):
    """The solution of ``a @ x = b``: ``(*A, n, n)`` and ``(*B, n, k)`` give ``(*C, n, k)``, C being A and B broadcast.

    A singular matrix is an error when the graph runs.
    """

    def reference(self, *arrays: Array) -> Array:
        a, b = arrays
        if a.ndim == 2 < b.ndim:  # one matrix is factored once, for all right-hand sides
            return unfold(np.linalg.solve(a, fold(b)), b.shape)
        return np.linalg.solve(a, b)

    samples = SYSTEMS
    rejects = SYSTEM_REJECTS


@op("triangular_solve", since=1)
class TriangularSolve(LinearSystem):
    """The solution ``x`` of ``a @ x = b`` for a triangular matrix; batch axes broadcast.

    Only the lower triangle of ``a`` is read, or the upper one where ``lower`` is false; with
    ``unit_diagonal`` not its diagonal either, which then counts as ones. A zero on the diagonal
    is an error when the graph runs.
    """

    lower: bool
    unit_diagonal: bool = False

    def part(self, a: Value) -> Value:
        offset = -1 if self.unit_diagonal else 0
        return lower_triangle(a, offset) if self.lower else upper_triangle(a, -offset)

    def transposed(self) -> TriangularSolve:
        return TriangularSolve(not self.lower, self.unit_diagonal)

    def reference(self, *arrays: Array) -> Array:
        a, b = arrays
        a = np.tril(a) if self.lower else np.triu(a)
        if self.unit_diagonal:
            np.einsum("...ii->...i", a)[...] = 1
        if a.ndim == 2 < b.ndim:
            return unfold(substitute(a, fold(b), lower=self.lower), b.shape)
        return substitute(a, b, lower=self.lower)

    samples = (
        *[sample(*case.operands, lower=True) for case in SYSTEMS],
        sample(dominant(3, 3), normal(3, 2), lower=False),
        sample(normal(3, 3), normal(3, 1), lower=True, unit_diagonal=True),
        sample(normal(2, 2), normal(2, 1), lower=False, unit_diagonal=True),
    )
    rejects = tuple(reject(*case.operands, match=case.match, dtype=case.dtype, lower=True) for case in SYSTEM_REJECTS)


solve = Solve()


def inverse(x: Value) -> Value:
    """The inverse of square matrices."""
    return solve(x, identity(x.shape[-1], x.dtype))
