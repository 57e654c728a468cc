"""Complex numbers taken apart and put together.

Complex derivatives follow one convention: a tangent is a small change, and the cotangent
``w`` of a complex value pairs with a tangent ``v`` as ``real(sum(w * v))``, without a
conjugate. So the transpose of a holomorphic operation is the operation itself, and the
gradient of a real function of ``z`` is ``dL/dx - i dL/dy``.
"""

from __future__ import annotations

import numpy as np

from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import DType, complex_dtype, real_dtype
from rax.ops.arrays import Array, scalar
from rax.ops.broadcasting import sum_to
from rax.ops.elementwise import BINARY, BINARY_EDGES, BINARY_REJECTS, UNARY, Pointwise, negative
from rax.ops.families import Linear
from rax.ops.samples import COMPLEX, normal, reject


class Part(Linear, Pointwise):
    """A real-linear function of one complex operand."""

    dtypes = COMPLEX
    samples = UNARY


@op("real", since=1)
class Real(Part):
    """The real part of a complex number."""

    def result_dtype(self, dtype: DType) -> DType:
        return real_dtype(dtype)

    def reference(self, *arrays: Array) -> Array:
        return np.real(arrays[0])

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (complex_(ct, scalar(0, ct.dtype)),)

    rejects = (reject(normal(2), match="real is not defined on float32"),)


@op("imag", since=1)
class Imag(Part):
    """The imaginary part of a complex number, as a real one."""

    def result_dtype(self, dtype: DType) -> DType:
        return real_dtype(dtype)

    def reference(self, *arrays: Array) -> Array:
        return np.imag(arrays[0])

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (complex_(scalar(0, ct.dtype), negative(ct)),)

    rejects = (reject(normal(2), match="imag is not defined on float32"),)


@op("conj", since=1)
class Conj(Part):
    """The complex conjugate: the imaginary part negated."""

    def reference(self, *arrays: Array) -> Array:
        return np.conj(arrays[0])

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (conj(ct),)

    rejects = (reject(normal(2), match="conj is not defined on float32"),)


@op("complex", since=1)
class Complex(Linear, Pointwise):
    """``x + i*y`` of two real numbers, each part kept exactly, infinities and NaNs too."""

    arity = 2
    dtypes = ("float32", "float64")

    def result_dtype(self, dtype: DType) -> DType:
        return complex_dtype(dtype)

    def reference(self, *arrays: Array) -> Array:
        re, im = np.broadcast_arrays(*arrays)
        z = np.empty(re.shape, np.result_type(re, np.complex64))
        z.real, z.imag = re, im
        return z

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        re, im = operands
        return (
            sum_to(real(ct), re.shape) if linear[0] else None,
            sum_to(negative(imag(ct)), im.shape) if linear[1] else None,
        )

    samples = BINARY
    edges = BINARY_EDGES
    rejects = (
        *BINARY_REJECTS,
        reject(normal(2), normal(2), match="complex is not defined on float16", dtype="float16"),
    )


real = Real()
imag = Imag()
conj = Conj()
complex_ = Complex()
