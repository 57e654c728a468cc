"""Circular and hyperbolic functions, their inverses, and the two of a plane's polar coordinates.

The inverses are NaN outside their domain; of complex numbers, they have C99's branch cuts.
"""

from __future__ import annotations

import numpy as np

from rax.ir.node import Value
from rax.ir.op import op
from rax.ops.algebra import add
from rax.ops.arithmetic import sqrt, square
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import equal
from rax.ops.complex_parts import complex_
from rax.ops.elementwise import (
    BINARY,
    BINARY_EDGES,
    BINARY_REJECTS,
    Elementwise,
    divide,
    multiply,
    negative,
    reciprocal,
    subtract,
)
from rax.ops.samples import FLOATS, normal, reject, sample, uniform
from rax.ops.selection import where
from rax.ops.transcendental import Transcendental


def _one_minus_square(x: Value) -> Value:
    # (1 - x)(1 + x) is exact near 1, where 1 - x*x cancels.
    one = scalar(1, x.dtype)
    return multiply(subtract(one, x), add(one, x))


def _one_plus_square(x: Value) -> Value:
    return add(scalar(1, x.dtype), square(x))


@op("sin", since=1)
class Sin(Transcendental):
    """The sine of an angle in radians."""

    def reference(self, *arrays: Array) -> Array:
        return np.sin(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return cos(values[0])


@op("cos", since=1)
class Cos(Transcendental):
    """The cosine of an angle in radians."""

    def reference(self, *arrays: Array) -> Array:
        return np.cos(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return negative(sin(values[0]))


@op("tan", since=1)
class Tan(Transcendental):
    """The tangent of an angle in radians."""

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        if x.dtype.kind != "c":
            return np.tan(x)
        result, re, im = np.tan(x), np.real(x), np.imag(x)
        far = np.isinf(im) & np.isfinite(re)
        # tan(x) is -1j * tanh(1j * x), there too.
        return complex_.reference(np.where(far, np.copysign(0, re), np.real(result)), np.imag(result))

    def partial(self, operand: int, *values: Value) -> Value:
        return _one_plus_square(values[-1])

    samples = (
        sample(uniform(2, 3, low=-1.2, high=1.2)),
        sample(uniform(low=-1.2, high=1.2)),
        sample(uniform(0, 2, low=-1.2, high=1.2)),
    )


@op("asin", since=1)
class Asin(Transcendental):
    """The angle between ``-pi/2`` and ``pi/2`` with this sine."""

    def reference(self, *arrays: Array) -> Array:
        return np.asin(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return reciprocal(sqrt(_one_minus_square(values[0])))

    samples = (
        sample(uniform(2, 3, low=-0.9, high=0.9)),
        sample(uniform(low=-0.9, high=0.9)),
        sample(uniform(0, 2, low=-0.9, high=0.9)),
    )


@op("acos", since=1)
class Acos(Transcendental):
    """The angle between 0 and ``pi`` with this cosine."""

    def reference(self, *arrays: Array) -> Array:
        return np.acos(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return negative(reciprocal(sqrt(_one_minus_square(values[0]))))

    samples = (
        sample(uniform(2, 3, low=-0.9, high=0.9)),
        sample(uniform(low=-0.9, high=0.9)),
        sample(uniform(0, 2, low=-0.9, high=0.9)),
    )


@op("atan", since=1)
class Atan(Transcendental):
    """The angle between ``-pi/2`` and ``pi/2`` with this tangent."""

    def reference(self, *arrays: Array) -> Array:
        return np.atan(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return reciprocal(_one_plus_square(values[0]))


@op("sinh", since=1)
class Sinh(Transcendental):
    """The hyperbolic sine."""

    def reference(self, *arrays: Array) -> Array:
        return np.sinh(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return cosh(values[0])


@op("cosh", since=1)
class Cosh(Transcendental):
    """The hyperbolic cosine."""

    def reference(self, *arrays: Array) -> Array:
        return np.cosh(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return sinh(values[0])


@op("tanh", since=1)
class Tanh(Transcendental):
    """The hyperbolic tangent."""

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        if x.dtype.kind != "c":
            return np.tanh(x)
        result, re, im = np.tanh(x), np.real(x), np.imag(x)
        far = np.isinf(re) & np.isfinite(im)
        # C99 and NumPy give that zero the sign of sin(2 * im).
        return complex_.reference(np.real(result), np.where(far, np.copysign(0, im), np.imag(result)))

    def partial(self, operand: int, *values: Value) -> Value:
        return _one_minus_square(values[-1])


@op("asinh", since=1)
class Asinh(Transcendental):
    """The number with this hyperbolic sine."""

    def reference(self, *arrays: Array) -> Array:
        return np.asinh(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return reciprocal(sqrt(_one_plus_square(values[0])))


@op("acosh", since=1)
class Acosh(Transcendental):
    """The number >= 0 with this hyperbolic cosine."""

    def reference(self, *arrays: Array) -> Array:
        return np.acosh(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        (x, _) = values
        one = scalar(1, x.dtype)
        # Two roots, not one of the product, which is on the wrong branch left of the imaginary axis.
        return reciprocal(multiply(sqrt(subtract(x, one)), sqrt(add(x, one))))

    samples = (
        sample(uniform(2, 3, low=1.2, high=3)),
        sample(uniform(low=1.2, high=3)),
        sample(uniform(0, 2, low=1.2, high=3)),
    )


@op("atanh", since=1)
class Atanh(Transcendental):
    """The number with this hyperbolic tangent."""

    def reference(self, *arrays: Array) -> Array:
        return np.atanh(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return reciprocal(_one_minus_square(values[0]))

    samples = (
        sample(uniform(2, 3, low=-0.9, high=0.9)),
        sample(uniform(low=-0.9, high=0.9)),
        sample(uniform(0, 2, low=-0.9, high=0.9)),
    )


class Polar(Elementwise):
    """A polar coordinate of the point with two given coordinates."""

    arity = 2
    dtypes = FLOATS
    samples = BINARY
    edges = BINARY_EDGES
    rejects = (*BINARY_REJECTS, reject(normal(2), normal(2), match="is not defined on int32", dtype="int32"))


@op("hypot", since=1)
class Hypot(Polar):
    """``sqrt(x**2 + y**2)``, without overflow; the derivative at the origin is 0."""

    def reference(self, *arrays: Array) -> Array:
        return np.hypot(*arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        length = values[-1]
        zero, one = scalar(0, length.dtype), scalar(1, length.dtype)
        origin = equal(length, zero)
        # The numerator is replaced too, so that derivatives of this are 0 there as well.
        return divide(where(origin, zero, values[operand]), where(origin, one, length))


@op("atan2", since=1)
class Atan2(Polar):
    """The angle of the point with ordinate ``x`` and abscissa ``y``, between ``-pi`` and ``pi``.

    The operands stand in the usual order, ordinate first. The derivative at the origin is NaN.
    """

    def reference(self, *arrays: Array) -> Array:
        return np.atan2(*arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        x, y, _ = values
        length = hypot(x, y)
        return divide(divide(negative(x) if operand else y, length), length)


sin = Sin()
cos = Cos()
tan = Tan()
asin = Asin()
acos = Acos()
atan = Atan()
sinh = Sinh()
cosh = Cosh()
tanh = Tanh()
asinh = Asinh()
acosh = Acosh()
atanh = Atanh()
hypot = Hypot()
atan2 = Atan2()
