"""Singular values, eigenvalues and their vectors.

Vectors are unique up to a sign, or a complex phase, and those of equal values up to any rotation
among them; which ones come out is the backend's choice. Their derivative is that of vectors whose
phase stays, exact for every function that does not depend on the choice. Values, apart from vectors,
have finite derivatives everywhere. The derivative of vectors divides by the gaps between
values: among equal ones it is infinite, where it is asked for, and has no meaning.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import TensorType, complex_dtype, real_dtype
from rax.ops.algebra import add
from rax.ops.arrays import Array, scalar
from rax.ops.broadcasting import Sum
from rax.ops.contraction import matmul, matrix_transpose
from rax.ops.elementwise import is_real, multiply, negative, subtract, xdivy
from rax.ops.matrices import (
    SQUARE_REJECTS,
    OfMatrices,
    adjoint,
    as_column,
    as_row,
    conjugate,
    hermitian_part,
    on_diagonal,
    only_diagonal,
    real_part,
    separated,
    without_diagonal,
)
from rax.ops.samples import COMPLEX, normal, reject, sample
from rax.ops.selection import cast, where
from rax.ops.shape import Concat, slice_axis
from rax.ops.solvers import inverse

REAL_LAPACK = ("float32", "float64")


class Factored(OfMatrices):
    """A decomposition one of whose results is the values."""

    values_place: ClassVar[int] = 0

    def values_tangent(self, results: tuple[Value, ...], dx: Value) -> Value:
        """The tangent of the values, free of the gaps between them."""
        raise NotImplementedError(f"{type(self).__name__}.values_tangent")


class ValuesOnly(OfMatrices):
    """The values of a decomposition, by a quicker algorithm; its derivative needs the whole."""

    whole: ClassVar[Factored]

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        return self.whole.values_tangent(self.whole.results(*primals), dx)

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The values from the decomposition, since that is computed for the tangents."""
        values = self.whole.results(*primals)[self.whole.values_place]
        return (values,), (self.jvp(primals, tangents, values),)

    def result(self, *operands: TensorType) -> TensorType:
        return self.whole.infer(*operands)[self.whole.values_place]


def _over_gaps(x: Value, gaps: Value) -> Value:
    """``x / gaps`` off the diagonal, zeros on it, where there is no gap."""
    one = scalar(1, gaps.dtype)
    return xdivy(without_diagonal(x), where(on_diagonal(gaps.shape[-2], gaps.shape[-1]), one, gaps))


def _rows_of_products(x: Value, y: Value) -> Value:
    """The diagonal of ``matrix_transpose(x) @ y``."""
    return Sum((x.ndim - 2,))(multiply(x, y))


@op("svd", since=1)
class Svd(Factored):
    """``(u, s, vh)`` with ``x = u @ diag(s) @ vh``, s real and falling, the vectors orthonormal.

    For k the lesser of m and n, ``(…, m, n)`` gives the shapes (…, m, k), (…, k) and (…, k, n); where
    ``full_matrices``, u is (…, m, m) and vh (…, n, n).

    Source of the derivative: Townsend, "Differentiating the singular value decomposition" (2016);
    the vectors that complete a basis turn as little as they can.
    """

    full_matrices: bool

    values_place = 1

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        (x,) = operands
        rows, columns = self.matrices(x)
        lead, inner = x.shape[:-2], dims.minimum(rows, columns)
        left, right = (rows, columns) if self.full_matrices else (inner, inner)
        values = TensorType(real_dtype(x.dtype), (*lead, inner))
        return x.with_shape((*lead, rows, left)), values, x.with_shape((*lead, right, columns))

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        return tuple(np.linalg.svd(arrays[0], full_matrices=self.full_matrices))

    def values_tangent(self, results: tuple[Value, ...], dx: Value) -> Value:
        u, s, vh = results
        left, right = _leading(u, s.shape[-1]), _leading(adjoint(vh), s.shape[-1])
        return real_part(_rows_of_products(conjugate(left), matmul(dx, right)))

    def jvp(
        self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: tuple[Value, ...]
    ) -> tuple[Derivative, ...]:
        (dx,) = tangents
        assert dx is not None
        u, s, vh = result
        v, inner = adjoint(vh), s.shape[-1]
        scale = cast(s, dx.dtype)
        row, column = as_row(scale), as_column(scale)
        right_pull, left_pull = matmul(dx, _leading(v, inner)), matmul(adjoint(dx), _leading(u, inner))
        seen = matmul(adjoint(_leading(u, inner)), right_pull)
        gap = multiply(subtract(row, column), add(row, column))
        left = _over_gaps(add(multiply(seen, row), multiply(column, adjoint(seen))), gap)
        right = _over_gaps(add(multiply(column, seen), multiply(adjoint(seen), row)), gap)
        if not is_real(dx):
            phases = only_diagonal(seen)
            left = add(left, xdivy(subtract(phases, adjoint(phases)), add(row, row)))
        du, dv = _turned(u, left, right_pull, row), _turned(v, right, left_pull, row)
        return du, self.values_tangent(result, dx), adjoint(dv)

    samples = (
        sample(separated(3, 3), dtypes=REAL_LAPACK, full_matrices=True),
        sample(separated(2, 3, 2), dtypes=REAL_LAPACK, full_matrices=False),
        sample(separated(2, 3), dtypes=REAL_LAPACK, full_matrices=False),
        sample(normal(1, 0, 0), full_matrices=True),
    )
    edges = (
        sample(separated(3, 2), full_matrices=True),
        sample(separated(2, 2, 3), dtypes=COMPLEX, full_matrices=False),
        sample(normal(2, 0), full_matrices=True),
    )
    rejects = (
        reject(normal(3), match="svd needs matrices, not [3]", full_matrices=False),
        reject(normal(2, 2), dtype="float16", match="svd is not defined on float16", full_matrices=False),
    )


def _leading(basis: Value, count: Size) -> Value:
    """The first columns."""
    return slice_axis(basis, basis.ndim - 1, 0, count)


def _turned(basis: Value, turn: Value, pull: Value, values: Value) -> Value:
    """The tangent of a basis whose first columns turn among themselves, and towards what ``pull`` has outside them."""
    count, last = turn.shape[-1], basis.ndim - 1
    first = _leading(basis, count)
    moved = matmul(first, turn)
    if basis.shape[-2] == count:
        return moved
    outside = xdivy(subtract(pull, matmul(first, matmul(adjoint(first), pull))), values)
    moved = add(moved, outside)
    if basis.shape[-1] == count:
        return moved
    rest = slice_axis(basis, last, count, basis.shape[-1])
    return Concat(last)(moved, negative(matmul(first, matmul(adjoint(outside), rest))))


@op("svdvals", since=1)
class SvdVals(ValuesOnly):
    """The singular values, real and falling: ``(…, m, n)`` gives (…, k), k the lesser of m and n.

    Of equal values, and of 0, the derivative is one of several that are as good.
    """

    whole = Svd(full_matrices=False)

    def reference(self, *arrays: Array) -> Array:
        return np.linalg.svd(arrays[0], compute_uv=False)

    samples = (sample(separated(3, 2)), sample(separated(2, 2, 2)), sample(normal(2, 0)))
    rejects = (SQUARE_REJECTS[0], SQUARE_REJECTS[2])


@op("eigh", since=1)
class Eigh(Factored):
    """``(w, v)``: eigenvalues, real and rising, and orthonormal eigenvectors of the operand's Hermitian part.

    ``(…, n, n)`` gives w of shape (…, n) and v of shape (…, n, n), whose columns are the vectors.
    """

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        (x,) = operands
        self.square(x)
        return TensorType(real_dtype(x.dtype), x.shape[:-1]), x

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        (x,) = arrays
        return tuple(np.linalg.eigh((x + np.conj(np.matrix_transpose(x))) / 2))

    def values_tangent(self, results: tuple[Value, ...], dx: Value) -> Value:
        _, v = results
        return real_part(_rows_of_products(conjugate(v), matmul(hermitian_part(dx), v)))

    def jvp(
        self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: tuple[Value, ...]
    ) -> tuple[Derivative, ...]:
        (dx,) = tangents
        w, v = result
        assert dx is not None
        seen = matmul(adjoint(v), matmul(hermitian_part(dx), v))
        gap = cast(subtract(as_row(w), as_column(w)), v.dtype)
        return self.values_tangent(result, dx), matmul(v, _over_gaps(seen, gap))

    samples = (
        sample(separated(3, 3), dtypes=REAL_LAPACK),
        sample(separated(2, 2, 2), dtypes=REAL_LAPACK),
        sample(normal(1, 0, 0)),
    )
    edges = (sample(separated(3, 3), dtypes=COMPLEX),)
    rejects = SQUARE_REJECTS


@op("eigvalsh", since=1)
class EigvalsH(ValuesOnly):
    """The eigenvalues of the operand's Hermitian part, real and rising."""

    whole = Eigh()

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        return np.linalg.eigvalsh((x + np.conj(np.matrix_transpose(x))) / 2)

    samples = (sample(separated(3, 3)), sample(separated(2, 2, 2)), sample(normal(1, 0, 0)))
    rejects = SQUARE_REJECTS


@op("eig", since=1)
class Eig(Factored):
    """``(w, v)``: complex eigenvalues, in the backend's order, and eigenvectors of length 1.

    ``(…, n, n)`` gives w of shape (…, n) and v of shape (…, n, n), whose columns are the vectors, both
    complex. The derivative needs n independent eigenvectors.

    Source of the derivative: Giles, "Collected matrix derivative results" (2008), section 3.1,
    with the vectors kept at length 1.
    """

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        (x,) = operands
        self.square(x)
        dtype = x.dtype if x.dtype.kind == "complex" else complex_dtype(x.dtype)
        return TensorType(dtype, x.shape[:-1]), TensorType(dtype, x.shape)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        (x,) = arrays
        dtype = np.result_type(x, np.complex64)
        w, v = np.linalg.eig(x)
        return w.astype(dtype), v.astype(dtype)

    def values_tangent(self, results: tuple[Value, ...], dx: Value) -> Value:
        _, v = results
        return _rows_of_products(matrix_transpose(inverse(v)), matmul(cast(dx, v.dtype), v))

    def jvp(
        self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: tuple[Value, ...]
    ) -> tuple[Derivative, ...]:
        (dx,) = tangents
        w, v = result
        assert dx is not None
        seen = matmul(inverse(v), matmul(cast(dx, v.dtype), v))
        moved = matmul(v, _over_gaps(seen, subtract(as_row(w), as_column(w))))
        along = as_row(_rows_of_products(conjugate(v), moved))
        return self.values_tangent(result, dx), subtract(moved, multiply(v, along))

    samples = (
        sample(separated(3, 3), dtypes=REAL_LAPACK),
        sample(separated(2, 2, 2), dtypes=REAL_LAPACK),
        sample(normal(1, 0, 0)),
    )
    edges = (sample(separated(3, 3), dtypes=COMPLEX),)
    rejects = SQUARE_REJECTS


@op("eigvals", since=1)
class EigVals(ValuesOnly):
    """The eigenvalues, complex, in the backend's order."""

    whole = Eig()

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        return np.linalg.eigvals(x).astype(np.result_type(x, np.complex64))

    samples = (sample(separated(3, 3)), sample(separated(2, 2, 2)), sample(normal(1, 0, 0)))
    rejects = SQUARE_REJECTS
