"""Functions of whole matrices: the pseudo-inverse and the exponential."""

from __future__ import annotations

from typing import cast

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import TensorType, real_dtype
from rax.ops.algebra import add, all_batched, zeros
from rax.ops.arrays import Array
from rax.ops.contraction import matmul, matrix_transpose
from rax.ops.elementwise import subtract
from rax.ops.families import TypedOp
from rax.ops.matrices import LAPACK, SQUARE_REJECTS, OfMatrices, adjoint, separated
from rax.ops.samples import Operand, normal, reject, sample, uniform
from rax.ops.shape import Concat, slice_axis

# Higham's Pade approximant of order 13: the greatest norm it serves, and the coefficients of its numerator.
_LARGEST_NORM = 5.371920351148152
_PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
    670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip


def _ratio(*shape: int, dtype: str) -> Operand:
    return uniform(*shape, low=1e-4, high=1e-3, dtype=dtype)


@op("pinv", since=1)
class Pinv(TypedOp):
    """The Moore-Penrose pseudo-inverse: ``(…, m, n)`` and a ratio of shape (…) give (…, n, m).

    Singular values not greater than the ratio times the greatest count as 0. The derivative is
    that among matrices of the same rank.

    Source of the derivative: Golub & Pereyra, "The differentiation of pseudo-inverses and nonlinear
    least squares problems whose variables separate" (1973), eq. 4.12.
    """

    arity = 2
    dtypes = LAPACK

    def result(self, *operands: TensorType) -> TensorType:
        x, ratio = operands
        self.require(x)
        if x.ndim < 2:
            raise TypeInferenceError(f"pinv needs matrices, not {dims.shape_text(x.shape)}")
        due = TensorType(real_dtype(x.dtype), x.shape[:-2])
        if ratio != due:
            raise TypeInferenceError(f"pinv of {x} needs a ratio of type {due}, not {ratio}")
        return x.with_shape((*x.shape[:-2], x.shape[-1], x.shape[-2]))

    def reference(self, *arrays: Array) -> Array:
        x, ratio = arrays
        return np.linalg.pinv(x, rcond=ratio)

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """None by the ratio, in which the result is constant between jumps."""
        del transforms
        return (None if tangents[0] is None else self.jvp(primals, tangents, outputs[0]),)

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        x, dx = primals[0], tangents[0]
        assert dx is not None
        back, inverse = adjoint(dx), result
        outside = matmul(matmul(inverse, adjoint(inverse)), back)
        inside = matmul(back, matmul(adjoint(inverse), inverse))
        moved = subtract(outside, matmul(matmul(outside, x), inverse))
        moved = add(moved, subtract(inside, matmul(inverse, matmul(x, inside))))
        return subtract(moved, matmul(inverse, matmul(dx, inverse)))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*all_batched(size, batched, operands))

    samples = tuple(
        sample(matrix, _ratio(*matrix.shape[:-2], dtype=real), dtypes=both)
        for real, both in (("float32", ("float32", "complex64")), ("float64", ("float64", "complex128")))
        for matrix in (separated(3, 2), separated(2, 2, 3), normal(1, 0, 2))
    )
    rejects = (
        reject(normal(3), normal(), match="pinv needs matrices, not [3]"),
        reject(normal(2, 3), normal(2), match="needs a ratio of type float32[], not float32[2]"),
        reject(normal(2, 3), normal(), dtype="float16", match="pinv is not defined on float16"),
    )


def exponential(x: Array) -> Array:
    """The exponential of square matrices, each scaled by the power of 2 its norm needs.

    Source: Higham, "The scaling and squaring method for the matrix exponential revisited" (2005),
    algorithm 2.3, at order 13.
    """
    norms = np.max(np.sum(np.abs(x), axis=-2), axis=-1, initial=0)
    halvings = np.ceil(np.log2(np.maximum(norms, _LARGEST_NORM) / _LARGEST_NORM))
    halvings = np.where(np.isfinite(halvings), halvings, 0).astype(np.int64)[..., None, None]
    x = x * np.exp2(-halvings).astype(norms.dtype)
    one = np.eye(x.shape[-1], dtype=x.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    b = [norms.dtype.type(coefficient) for coefficient in _PADE]
    odd = x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * one
    even = x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * one
    odd = x @ odd
    result = cast("Array", np.linalg.solve(even - odd, even + odd))
    for done in range(int(np.max(halvings, initial=0))):
        result = np.where(done < halvings, result @ result, result)
    return result


@op("expm", since=1)
class Expm(OfMatrices):
    """The exponential of square matrices: the sum of ``x**k / k!`` over matrix powers."""

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        self.square(x)
        return x

    def reference(self, *arrays: Array) -> Array:
        return exponential(arrays[0])

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        return expm_frechet(primals[0], dx)

    samples = (sample(normal(3, 3)), sample(normal(2, 2, 2)), sample(normal(1, 0, 0)))
    edges = (sample(separated(3, 3)),)
    rejects = SQUARE_REJECTS


@op("expm_frechet", since=1)
class ExpmFrechet(TypedOp):
    """The derivative of ``expm`` at ``x`` in the direction ``e``, linear in ``e``.

    It is the upper right quarter of the exponential of ``[[x, e], [0, x]]``.

    Source: Higham, "Functions of Matrices" (2008), theorem 3.6.
    """

    arity = 2
    dtypes = LAPACK

    def result(self, *operands: TensorType) -> TensorType:
        x, e = operands
        self.require(x, e)
        if x.ndim < 2 or x.shape != e.shape or x.shape[-1] != x.shape[-2]:
            shown = f"{dims.shape_text(x.shape)} and {dims.shape_text(e.shape)}"
            raise TypeInferenceError(f"expm_frechet needs square matrices of one shape, not {shown}")
        return x

    def reference(self, *arrays: Array) -> Array:
        x, e = arrays
        size = x.shape[-1]
        whole = exponential(np.block([[x, e], [np.zeros_like(x), x]]))
        return whole[..., :size, size:]

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """By ``e`` the same at the tangent; by ``x`` a quarter of the derivative at ``[[x, e], [0, x]]``."""
        del transforms, outputs
        (x, e), (dx, de) = primals, tangents
        total = None if de is None else self(x, de)
        if dx is not None:
            nothing, size = zeros(x.type), x.shape[-1]
            whole = self(_blocks(x, e, nothing, x), _blocks(dx, nothing, nothing, dx))
            rows = slice_axis(whole, x.ndim - 2, 0, size)
            moved = slice_axis(rows, x.ndim - 1, size, size + size)
            total = moved if total is None else add(total, moved)
        return (total,)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return None, self(matrix_transpose(operands[0]), ct)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*all_batched(size, batched, operands))

    samples = (
        sample(normal(2, 2), normal(2, 2)),
        sample(normal(2, 1, 1), normal(2, 1, 1)),
        sample(normal(1, 0, 0), normal(1, 0, 0)),
    )
    rejects = (
        reject(normal(2, 2), normal(1, 2, 2), match="square matrices of one shape, not [2, 2] and [1, 2, 2]"),
        reject(normal(2, 2), normal(2, 2), dtype="float16", match="expm_frechet is not defined on float16"),
    )


expm_frechet = ExpmFrechet()


def _blocks(a: Value, b: Value, c: Value, d: Value) -> Value:
    """The matrices ``[[a, b], [c, d]]``."""
    row = Concat(a.ndim - 1)
    return Concat(a.ndim - 2)(row(a, b), row(c, d))
