"""Discrete Fourier transforms along one axis: complex, of real numbers, and back to real numbers.

None is normalised, forwards or backwards; the front end multiplies. An axis of size 0 sums up to nothing.
"""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType, complex_dtype, real_dtype
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import equal
from rax.ops.complex_parts import complex_, conj
from rax.ops.creation import dim_size, iota
from rax.ops.elementwise import multiply
from rax.ops.families import Linear
from rax.ops.logical import logical_or
from rax.ops.samples import COMPLEX, normal, reject, sample
from rax.ops.selection import where
from rax.ops.shape import reshape


def _check_axis(axis: int, x: TensorType) -> None:
    if not 0 <= axis < x.ndim:
        raise TypeInferenceError(f"axis {axis} does not name an axis of {dims.shape_text(x.shape)}")


def half_size(n: Size) -> Size:
    """How many numbers tell the whole spectrum of ``n`` real ones: ``n // 2 + 1``."""
    return dims.floor_divide(n, 2) + 1


def _resized(x: TensorType, axis: int, size: Size) -> TensorType:
    return x.with_shape((*x.shape[:axis], size, *x.shape[axis + 1 :]))


def _empty(x: Array, axis: int, size: int) -> Array:
    """The transform of nothing: sums over no elements, which are 0."""
    return np.zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype)


@op("fft", since=1)
class FFT(Linear):
    """``y[k] = sum over j of x[j] * exp(-2*pi*i * j*k / n)`` along an axis of size ``n``.

    With ``inverse`` the sign in the exponent is positive; the factor ``1 / n`` is not applied.
    """

    axis: int
    inverse: bool = False

    arity = 1
    dtypes = COMPLEX

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        _check_axis(self.axis, x)
        return x

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        if not x.shape[self.axis]:
            return x
        return np.fft.ifft(x, axis=self.axis, norm="forward") if self.inverse else np.fft.fft(x, axis=self.axis)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (self(ct),)  # the matrix of the transform is symmetric

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return FFT(self.axis + 1, self.inverse)(operands[0])

    samples = (
        sample(normal(2, 5), axis=1),
        sample(normal(4, 2), axis=0, inverse=True),
        sample(normal(0, 2), axis=1),
        sample(normal(0), axis=0),
    )
    rejects = (
        reject(normal(2), axis=1, dtype="complex64", match="axis 1 does not name an axis of [2]"),
        reject(normal(2), axis=0, match="fft is not defined on float32"),
    )


@op("rfft", since=1)
class RFFT(Linear):
    """The first ``n // 2 + 1`` numbers of the ``fft`` of ``n`` real ones; the rest mirror them."""

    axis: int

    arity = 1
    dtypes = ("float32", "float64")

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        _check_axis(self.axis, x)
        return _resized(x, self.axis, half_size(x.shape[self.axis])).with_dtype(complex_dtype(x.dtype))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        if not x.shape[self.axis]:
            return _empty(x, self.axis, 1) + np.zeros((), np.complex64)
        return np.fft.rfft(x, axis=self.axis)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        size = operands[0].shape[self.axis]
        halved = multiply(conj(ct), _weights(ct, self.axis, size, 0.5))
        return (IRFFT(self.axis, size)(halved),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return RFFT(self.axis + 1)(operands[0])

    samples = (
        sample(normal(2, 5), axis=1),
        sample(normal(4, 2), axis=0),
        sample(normal(1), axis=0),
        sample(normal(0, 2), axis=1),
    )
    rejects = (
        reject(normal(2), axis=-1, match="axis -1 does not name an axis of [2]"),
        reject(normal(2), axis=0, dtype="complex64", match="rfft is not defined on complex64"),
    )


@op("irfft", since=1)
class IRFFT(Linear):
    """``n`` real numbers from the first ``n // 2 + 1`` of their spectrum; the factor ``1 / n`` is not applied.

    The imaginary parts of the first, and for an even ``n`` of the last, do not matter.
    """

    axis: int
    n: Size

    arity = 1
    dtypes = COMPLEX

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        _check_axis(self.axis, x)
        if x.shape[self.axis] != half_size(self.n):
            raise TypeInferenceError(
                f"the spectrum of {self.n} real numbers has {half_size(self.n)} elements, "
                f"not the {x.shape[self.axis]} of axis {self.axis} of {dims.shape_text(x.shape)}"
            )
        return _resized(x, self.axis, self.n).with_dtype(real_dtype(x.dtype))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        size = self.n.__index__()
        if not size:
            return _empty(np.real(x), self.axis, 0)
        return np.fft.irfft(x, size, self.axis, "forward")

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        spectrum = RFFT(self.axis)(ct)
        return (multiply(conj(spectrum), _weights(spectrum, self.axis, self.n, 2)),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return IRFFT(self.axis + 1, self.n)(operands[0])

    samples = (
        sample(normal(2, 3), axis=1, n=5),
        sample(normal(3, 2), axis=0, n=4),
        sample(normal(1), axis=0, n=1),
        sample(normal(1), axis=0, n=0),
        sample(normal(0, 2), axis=1, n=3),
    )
    rejects = (
        reject(normal(3), axis=0, n=3, dtype="complex64", match="3 real numbers has 2 elements, not the 3 of axis 0"),
        reject(normal(2), axis=0, n=2, match="irfft is not defined on float32"),
    )


def _weights(spectrum: Value, axis: int, size: Size, inner: float) -> Value:
    """1 where half a spectrum has an element of the whole that mirrors itself, ``inner`` where it stands for two."""
    place = iota(spectrum.shape[axis])
    alone = logical_or(
        equal(place, scalar(0, place.dtype)), equal(multiply(place, scalar(2, place.dtype)), dim_size(size))
    )
    real = real_dtype(spectrum.dtype)
    weights = where(alone, scalar(1, real), scalar(inner, real))
    return complex_(reshape(weights, (spectrum.shape[axis], *[1] * (spectrum.ndim - 1 - axis))), scalar(0, real))
