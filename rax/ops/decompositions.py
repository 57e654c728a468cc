"""Triangular and orthogonal factors of matrices: Cholesky, LU and QR."""

from __future__ import annotations

import math

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType, int64
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import Array, scalar
from rax.ops.contraction import matmul
from rax.ops.elementwise import is_real, multiply, subtract
from rax.ops.indexing import take_along_axis
from rax.ops.matrices import (
    SQUARE_REJECTS,
    OfMatrices,
    adjoint,
    as_column,
    dominant,
    hermitian_part,
    identity,
    lower_triangle,
    only_diagonal,
    separated,
    upper_triangle,
)
from rax.ops.samples import normal, reject, sample
from rax.ops.shape import pad, slice_axis
from rax.ops.solvers import TriangularSolve, substitute

# So many columns are eliminated before the rest of the matrix is brought up to date, by one product.
_PANEL = 32

lower_solve = TriangularSolve(lower=True)
unit_lower_solve = TriangularSolve(lower=True, unit_diagonal=True)
upper_solve = TriangularSolve(lower=False)


def right_divide(x: Value, upper: Value) -> Value:
    """``x @ inverse(upper)`` for upper triangular matrices."""
    return adjoint(lower_solve(adjoint(upper), adjoint(x)))


@op("cholesky", since=1)
class Cholesky(OfMatrices):
    """The lower triangular ``L`` with a positive diagonal and ``L @ adjoint(L)`` the operand's Hermitian part.

    A Hermitian part that is not positive definite is an error when the graph runs.

    Source of the derivative: Murray, "Differentiation of the Cholesky decomposition" (2016), eq. 8.
    """

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        self.square(x)
        return x

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        return np.linalg.cholesky((x + np.conj(np.matrix_transpose(x))) / 2)

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        half = lower_solve(result, hermitian_part(dx))
        inner = lower_triangle(lower_solve(result, adjoint(half)))
        return matmul(result, subtract(inner, multiply(only_diagonal(inner), scalar(0.5, inner.dtype))))

    samples = (sample(dominant(3, 3)), sample(dominant(2, 2, 2)), sample(normal(1, 0, 0)), sample(dominant(0, 2, 2)))
    rejects = SQUARE_REJECTS


@op("lu", since=1)
class Lu(OfMatrices):
    """Gaussian elimination with partial pivoting: ``(lu, permutation)`` with ``x[permutation] = L @ U``.

    ``(…, m, n)`` gives ``lu`` of the same shape, which holds U on and above the diagonal and L, whose
    diagonal is ones, below it; and the permutation, int64 of shape (…, m). The pivot is the first
    element largest by the sum of the sizes of its real and imaginary parts, as in LAPACK. A column
    without a pivot is left as it is.
    """

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        (x,) = operands
        self.matrices(x)
        return x, TensorType(int64, x.shape[:-1])

    def reference(self, *arrays: Array) -> tuple[Array, Array]:
        (x,) = arrays
        rows, columns = x.shape[-2:]
        factors: Array = x.reshape(math.prod(x.shape[:-2]), rows, columns).copy()
        order: Array = np.tile(np.arange(int(rows)), (len(factors), 1))
        for start in range(0, min(rows, columns), _PANEL):
            stop = min(start + _PANEL, rows, columns)
            panel: Array = factors[:, start:, start:stop].copy()
            moved = _eliminate(panel)
            factors[:, start:] = np.take_along_axis(factors[:, start:], moved[..., None], axis=1)
            order[:, start:] = np.take_along_axis(order[:, start:], moved, axis=1)
            factors[:, start:, start:stop] = panel
            below, width = panel[:, stop - start :], stop - start
            lower: Array = np.tril(panel[:, :width], -1) + np.eye(width, dtype=x.dtype)
            factors[:, start:stop, stop:] = substitute(lower, factors[:, start:stop, stop:], lower=True)
            factors[:, stop:, stop:] -= np.matmul(below, factors[:, start:stop, stop:])
        return factors.reshape(x.shape), order.astype(np.int64).reshape(x.shape[:-1])

    def jvp(
        self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: tuple[Value, ...]
    ) -> tuple[Derivative, ...]:
        (dx,) = tangents
        factors, order = result
        assert dx is not None
        picked = take_along_axis(dx, broadcast_to(as_column(order), dx.shape), dx.ndim - 2, unique_indices=True)
        lower, upper = square_factors(factors)
        inner = right_divide(unit_lower_solve(lower, picked), upper)
        below, above = matmul(lower, lower_triangle(inner, -1)), matmul(upper_triangle(inner), upper)
        return add(below, above), None

    samples = (
        sample(normal(3, 3)),
        sample(normal(2, 3, 2)),
        sample(normal(2, 4)),
        sample(normal(1, 0, 2)),
    )
    rejects = (SQUARE_REJECTS[0], SQUARE_REJECTS[2])


def _eliminate(panel: Array) -> Array:
    """Factor a few columns of every matrix in place; return which row each row came from."""
    batch = np.arange(len(panel))
    order: Array = np.tile(np.arange(int(panel.shape[1])), (len(panel), 1))
    for step in range(min(panel.shape[1:])):
        column: Array = panel[:, step:, step]
        sizes: Array = np.abs(np.real(column)) + np.abs(np.imag(column))
        best = step + np.argmax(sizes, axis=1)
        for rows in (panel, order):
            rows[batch, step], rows[batch, best] = rows[batch, best], rows[batch, step].copy()
        pivot = panel[:, step, step, None]
        panel[:, step + 1 :, step] /= np.where(pivot == 0, 1, pivot)
        panel[:, step + 1 :, step + 1 :] -= panel[:, step + 1 :, step, None] * panel[:, step, None, step + 1 :]
    return order


def square_factors(factors: Value) -> tuple[Value, Value]:
    """L and U of packed factors ``(…, m, n)``, filled up with the identity to ``(…, m, m)`` and ``(…, n, n)``."""
    rows, columns = factors.shape[-2:]
    inner = dims.minimum(rows, columns)
    tall = slice_axis(factors, factors.ndim - 1, 0, inner)
    flat = slice_axis(factors, factors.ndim - 2, 0, inner)
    wide_lower = grown(lower_triangle(tall, -1), rows, rows)
    wide_upper = grown(upper_triangle(flat), columns, columns)
    rest = subtract(identity(columns, factors.dtype), grown(identity(inner, factors.dtype), columns, columns))
    return add(wide_lower, identity(rows, factors.dtype)), add(wide_upper, rest)


def grown(x: Value, rows: Size, columns: Size) -> Value:
    """``x`` with zeros below and to the right of it."""
    lead = (0,) * (x.ndim - 2)
    return pad(x, (*lead, 0, 0), (*lead, rows - x.shape[-2], columns - x.shape[-1]), (*lead, 0, 0))


@op("qr", since=1)
class Qr(OfMatrices):
    """``(q, r)`` with ``x = q @ r``, the columns of q orthonormal and r upper triangular with a real diagonal.

    For k the lesser of m and n, ``(…, m, n)`` gives q of shape (…, m, k) and r of shape (…, k, n);
    where ``complete``, (…, m, m) and (…, m, n). The signs on the diagonal of r are the backend's
    choice. The derivative needs the first k columns to be independent. Columns that complete q
    are any basis of what the others leave: their derivative is that of the basis that turns
    least, exact for functions that do not depend on the choice.

    Source of the derivative: Walter & Lehmann, "Algorithmic differentiation of linear algebra
    functions" (2010), section 3.
    """

    complete: bool = False

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        (x,) = operands
        rows, columns = self.matrices(x)
        inner = rows if self.complete else dims.minimum(rows, columns)
        return x.with_shape((*x.shape[:-1], inner)), x.with_shape((*x.shape[:-2], inner, columns))

    def reference(self, *arrays: Array) -> tuple[Array, Array]:
        q, r = np.linalg.qr(arrays[0], mode="complete" if self.complete else "reduced")
        return q, r

    def jvp(
        self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: tuple[Value, ...]
    ) -> tuple[Derivative, ...]:
        (dx,) = tangents
        q, r = result
        assert dx is not None
        inner = dims.minimum(*dx.shape[-2:])
        across, down, size = r.ndim - 1, r.ndim - 2, q.shape[-1]
        triangle = slice_axis(slice_axis(r, down, 0, inner), across, 0, inner)
        outer = right_divide(slice_axis(dx, across, 0, inner), triangle)
        seen = matmul(adjoint(q), outer)
        below = grown(lower_triangle(seen, -1), size, size)
        turn = subtract(below, adjoint(below))
        if not is_real(dx):
            phases = only_diagonal(slice_axis(seen, down, 0, inner))
            skew = multiply(subtract(phases, adjoint(phases)), scalar(0.5, dx.dtype))
            turn = add(turn, grown(skew, size, size))
        moved = matmul(q, turn)
        if size != q.shape[-2]:
            moved = add(moved, subtract(outer, matmul(q, seen)))
        return moved, subtract(matmul(adjoint(q), dx), matmul(turn, r))

    samples = (
        sample(separated(3, 3)),
        sample(separated(2, 3, 2)),
        sample(separated(2, 3), complete=True),
        sample(normal(1, 0, 2)),
    )
    edges = (sample(separated(3, 2), complete=True), sample(normal(2, 0), complete=True))
    rejects = (SQUARE_REJECTS[0], reject(normal(2, 2), dtype="bfloat16", match="qr is not defined on bfloat16"))
