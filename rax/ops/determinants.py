"""Determinants of matrices, and the adjugate, which is their derivative."""

from __future__ import annotations

import numpy as np

from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType, real_dtype
from rax.ops.arrays import Array, scalar
from rax.ops.complex_parts import complex_, imag
from rax.ops.contraction import matmul, matrix_transpose
from rax.ops.cumulative import product_of_others
from rax.ops.elementwise import is_real, multiply, negative
from rax.ops.matrices import (
    SQUARE_REJECTS,
    OfMatrices,
    adjoint,
    as_column,
    as_row,
    diagonal,
    dominant,
    on_diagonal,
    real_part,
    separated,
    sum_of_products,
    without_diagonal,
)
from rax.ops.samples import Operand, normal, sample
from rax.ops.selection import cast, where
from rax.ops.shape import expand_dims
from rax.ops.solvers import inverse
from rax.ops.spectral import Svd


def singular(*shape: int) -> Operand:
    """Random square matrices whose last column is zero: of rank one less than their size."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        return rng.normal(size=size) * (np.arange(size[-1]) < size[-1] - 1)

    return Operand(shape, draw)


@op("det", since=1)
class Det(OfMatrices):
    """The determinant of square matrices; 1 of one without rows.

    Its first two derivatives are right for singular matrices too; higher ones need singular values
    that differ.
    """

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        self.square(x)
        return x.with_shape(x.shape[:-2])

    def reference(self, *arrays: Array) -> Array:
        return np.linalg.det(arrays[0])

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        return sum_of_products(matrix_transpose(adjugate(primals[0])), dx)

    samples = (
        sample(normal(3, 3)),
        sample(normal(2, 2, 2)),
        sample(normal(1, 1)),
        sample(normal(1, 0, 0)),
    )
    rejects = SQUARE_REJECTS


@op("adjugate", since=1)
class Adjugate(OfMatrices):
    """The transposed cofactors of square matrices: ``x @ adjugate(x) = det(x)`` times the identity.

    Computed from singular values, with no division, so that a singular matrix is like any other.

    Source: Stewart, "On the adjugate matrix" (Linear Algebra Appl. 283, 1998).
    """

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        self.square(x)
        return x

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        size = x.shape[-1]
        u, s, vh = np.linalg.svd(x)
        others = np.prod(np.where(np.eye(size, dtype=bool), 1, s[..., None, :]), axis=-1)
        phase = np.linalg.det(u @ vh)[..., None, None]
        v, uh = np.conj(np.matrix_transpose(vh)), np.conj(np.matrix_transpose(u))
        return ((phase * v * others[..., None, :]) @ uh).astype(x.dtype)

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        """In the bases of the singular vectors, where the matrix is diagonal, from products of all values but two."""
        (dx,) = tangents
        assert dx is not None
        u, s, vh = Svd(full_matrices=False).results(*primals)
        size = s.shape[-1]
        seen = matmul(adjoint(u), matmul(dx, adjoint(vh)))
        without_one = where(on_diagonal(size, size), scalar(1, s.dtype), as_row(s))
        pairs = cast(without_diagonal(product_of_others(without_one, s.ndim)), dx.dtype)
        along = matmul(pairs, as_column(diagonal(seen)))
        moved = where(on_diagonal(size, size), along, negative(multiply(pairs, seen)))
        phase = expand_dims(det(matmul(u, vh)), (s.ndim - 1, s.ndim))
        return multiply(phase, matmul(adjoint(vh), matmul(moved, adjoint(u))))

    samples = (sample(separated(3, 3)), sample(separated(2, 2, 2)), sample(normal(1, 1)), sample(normal(1, 0, 0)))
    edges = (sample(singular(3, 3)),)
    rejects = SQUARE_REJECTS


@op("slogdet", since=1)
class SLogDet(OfMatrices):
    """``(sign, logabsdet)``: the determinant is ``sign * exp(logabsdet)``.

    The sign is complex, of size 1, for complex matrices, and 0 for singular ones, whose logarithm is
    -inf. The derivative of a singular matrix does not exist: it is an error when the graph runs.
    """

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        (x,) = operands
        self.square(x)
        lead = x.shape[:-2]
        return x.with_shape(lead), TensorType(real_dtype(x.dtype), lead)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        return tuple(np.linalg.slogdet(arrays[0]))

    def jvp(
        self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: tuple[Value, ...]
    ) -> tuple[Derivative, ...]:
        (dx,) = tangents
        assert dx is not None
        moved = sum_of_products(matrix_transpose(inverse(primals[0])), dx)
        if is_real(dx):
            return None, moved
        turn = imag(moved)
        return multiply(result[0], complex_(scalar(0, turn.dtype), turn)), real_part(moved)

    samples = (sample(dominant(3, 3)), sample(dominant(2, 2, 2)), sample(separated(2, 2)), sample(normal(1, 0, 0)))
    edges = (sample(singular(3, 3)),)
    rejects = SQUARE_REJECTS


det = Det()
adjugate = Adjugate()
