"""Arithmetic with corners: powers and roots, absolute values and signs, extremes, division with remainder.

At a corner (``abs`` at 0, ``maximum`` of equals) the derivative is the mean of both sides'.
"""

from __future__ import annotations

import numpy as np

from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import DType, real_dtype
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import equal, greater, less
from rax.ops.complex_parts import complex_, conj, imag, real
from rax.ops.elementwise import (
    BINARY,
    BINARY_EDGES,
    BINARY_REJECTS,
    UNARY,
    UNARY_EDGES,
    Elementwise,
    Pointwise,
    divide,
    is_real,
    multiply,
    negative,
    reciprocal,
    subtract,
)
from rax.ops.families import Composite, Nondifferentiable
from rax.ops.logical import logical_and
from rax.ops.samples import (
    FLOATS,
    INEXACT,
    INTEGERS,
    NUMERIC,
    REAL,
    normal,
    positive,
    reject,
    sample,
    uniform,
    values,
)
from rax.ops.selection import where
from rax.ops.transcendental import log


@op("square", since=1)
class Square(Elementwise):
    """``x * x``."""

    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        return np.square(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return multiply(values[0], scalar(2, values[0].dtype))

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="square is not defined on bool", dtype="bool"),)


@op("sqrt", since=1)
class Sqrt(Elementwise):
    """The square root, NaN below 0; of a complex number, the root with real part >= 0.

    The derivative ``1 / (2 sqrt(x))`` is infinite at 0.
    """

    dtypes = INEXACT

    def reference(self, *arrays: Array) -> Array:
        return np.sqrt(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return divide(scalar(0.5, values[-1].dtype), values[-1])

    samples = (sample(positive(2, 3)), sample(positive()), sample(positive(0, 2)))
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="sqrt is not defined on int32", dtype="int32"),)


@op("cbrt", since=1)
class Cbrt(Elementwise):
    """The real cube root, negative below 0. The derivative ``1 / (3 cbrt(x)**2)`` is infinite at 0."""

    dtypes = FLOATS

    def reference(self, *arrays: Array) -> Array:
        return np.cbrt(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        root = values[-1]
        return divide(scalar(1, root.dtype), multiply(scalar(3, root.dtype), multiply(root, root)))

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="cbrt is not defined on int32", dtype="int32"),)


@op("abs", since=1)
class Abs(Pointwise):
    """The absolute value; of a complex number, a real one.

    The derivative at 0 is 0. The most negative integer of a dtype wraps around to itself.
    """

    dtypes = NUMERIC

    def result_dtype(self, dtype: DType) -> DType:
        return real_dtype(dtype)

    def reference(self, *arrays: Array) -> Array:
        return np.abs(arrays[0])

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Value:
        (x,), (tangent,) = primals, tangents
        assert tangent is not None
        if is_real(x):
            return multiply(tangent, sign(x))
        return real(multiply(tangent, conj(sign(x))))

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="abs is not defined on bool", dtype="bool"),)


@op("sign", since=1)
class Sign(Pointwise):
    """``-1``, 0 or 1; of a complex number, ``x / abs(x)``, or 0 at 0.

    The derivative of a real sign is 0 everywhere; of a complex one it turns the direction:
    ``i * sign(x) * imag(conj(sign(x)) * dx) / abs(x)``, and 0 at 0.
    """

    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        return np.sign(arrays[0]) + 0  # a bfloat16 -0.0 gives 0.0, as it does in the other dtypes

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (x,), (tangent,) = primals, tangents
        assert tangent is not None
        if is_real(x):
            return None
        size = abs_(x)
        nonzero = where(equal(size, scalar(0, size.dtype)), scalar(1, size.dtype), size)
        turn = multiply(imag(multiply(tangent, conj(result))), reciprocal(nonzero))
        return multiply(complex_(scalar(0, turn.dtype), turn), result)

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="sign is not defined on bool", dtype="bool"),)


@op("copysign", since=1)
class CopySign(Elementwise):
    """The size of ``x`` with the sign of ``y``, of ``-0.0`` and NaN too.

    The derivative by ``x`` is 0 at 0, and that by ``y`` is 0 everywhere.
    """

    arity = 2
    dtypes = FLOATS

    def reference(self, *arrays: Array) -> Array:
        return np.copysign(*arrays)

    def partial(self, operand: int, *values: Value) -> Derivative:
        x, y, _ = values
        return None if operand else multiply(sign(x), copysign(scalar(1, y.dtype), y))

    samples = BINARY
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS


@op("pow", since=1)
class Power(Elementwise):
    """``x ** y``; 1 where ``y`` is 0, NaN where a negative ``x`` meets a fraction.

    An integer to a negative integer is an error when it is evaluated. At ``x = 0`` the
    derivative by ``y`` is 0, and that by ``x`` is 0 where ``y`` is 0 too.
    """

    arity = 2
    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        x, y = arrays
        if x.dtype.kind not in "iuc":
            # Given one exponent 0.5 for all, NumPy takes square roots, which differ from powers here.
            x = np.where((y == 0.5) & ((x == 0) | np.isinf(x)), np.abs(x), x)
        return np.power(x, y)

    def partial(self, operand: int, *values: Value) -> Value:
        x, y, result = values
        zero, one = scalar(0, x.dtype), scalar(1, x.dtype)
        # Each mask replaces the operand of the singular function too, so that derivatives of this stay finite.
        if operand == 0:
            origin = logical_and(equal(x, zero), equal(y, zero))
            return multiply(y, power(x, where(origin, one, subtract(y, one))))
        at_zero = equal(x, zero)
        return where(at_zero, zero, multiply(log(where(at_zero, one, x)), result))

    samples = (
        sample(positive(2, 3), normal(2, 3), dtypes=INEXACT),
        sample(positive(2, 1), normal(3), dtypes=INEXACT),
        sample(positive(2, 3), normal(), dtypes=INEXACT),
        sample(positive(), normal(2), dtypes=INEXACT),
        sample(positive(0, 2), normal(2)),
        sample(normal(2, 3), positive(3), dtypes=INTEGERS),
    )
    edges = (*BINARY_EDGES, sample(values(float("-inf"), -0.0, 4), uniform(low=0.5, high=0.5), dtypes=FLOATS))
    rejects = BINARY_REJECTS


@op("floor_divide", since=1)
class FloorDivide(Nondifferentiable, Pointwise):
    """The greatest whole number not above ``x / y``; an integer divided by 0 gives 0.

    With an infinite operand it is ``floor(x / y)``, as the array API standard prefers.
    """

    nondiff = "a whole quotient jumps, and is constant between jumps"
    arity = 2
    dtypes = REAL

    def reference(self, *arrays: Array) -> Array:
        x, y = arrays
        quotient = np.floor_divide(x, y)
        if x.dtype.kind in "iu":
            return quotient
        return np.where(np.isinf(x) | np.isinf(y), np.floor(np.divide(x, y)), quotient)

    samples = (*BINARY, sample(normal(2, 3), positive(3)))
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS


@op("remainder", since=1)
class Remainder(Elementwise):
    """``x - y * floor(x / y)``, as Python's ``%``: the sign is that of ``y``; an integer ``% 0`` gives 0."""

    arity = 2
    dtypes = REAL

    def reference(self, *arrays: Array) -> Array:
        return np.remainder(*arrays)

    def partial(self, operand: int, *values: Value) -> Value | int:
        x, y, _ = values
        return negative(floor_divide(x, y)) if operand else 1

    samples = BINARY
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS


class Extremum(Pointwise):
    """One of two operands, NaN if either is; the derivative at equals is split evenly."""

    arity = 2
    dtypes = REAL
    samples = BINARY
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS

    def first_wins(self, x: Value, y: Value) -> Value:
        """Whether ``x`` is the result."""
        raise NotImplementedError

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Value:
        x, y = primals
        zero, half = scalar(0, x.dtype), scalar(0.5, x.dtype)
        of_x, of_y = [zero if tangent is None else tangent for tangent in tangents]
        tied = multiply(half, of_x if of_y == zero else of_y if of_x == zero else add(of_x, of_y))
        moved = where(equal(x, y), tied, where(self.first_wins(x, y), of_x, of_y))
        return broadcast_to(moved, result.shape)


@op("maximum", since=1)
class Maximum(Extremum):
    """The greater of ``x`` and ``y``, NaN if either is; the derivative at equals is 0.5 by each."""

    def reference(self, *arrays: Array) -> Array:
        return np.maximum(*arrays)

    def first_wins(self, x: Value, y: Value) -> Value:
        return greater(x, y)


@op("minimum", since=1)
class Minimum(Extremum):
    """The lesser of ``x`` and ``y``, NaN if either is; the derivative at equals is 0.5 by each."""

    def reference(self, *arrays: Array) -> Array:
        return np.minimum(*arrays)

    def first_wins(self, x: Value, y: Value) -> Value:
        return less(x, y)


@op("clip", since=1)
class Clip(Composite):
    """``x`` kept between ``low`` and ``high``: ``minimum(maximum(x, low), high)``."""

    arity = 3
    dtypes = REAL

    def expand(self, *operands: Value) -> Value:
        x, low, high = operands
        return minimum(maximum(x, low), high)

    def reference(self, *arrays: Array) -> Array:
        x, low, high = arrays
        return np.minimum(np.maximum(x, low), high)

    samples = (
        sample(normal(2, 3), uniform(2, 3, low=-1, high=-0.2), uniform(2, 3, low=0.2, high=1)),
        sample(normal(2, 3), uniform(low=-1, high=-0.2), uniform(3, low=0.2, high=1)),
        sample(normal(0, 2), normal(), positive()),
    )
    rejects = (
        reject(normal(2), normal(2), normal(3), match="do not broadcast: 2 against 3 on axis -1"),
        reject(normal(2), normal(2), normal(2), match="maximum is not defined on bool", dtype="bool"),
    )


square = Square()
sqrt = Sqrt()
cbrt = Cbrt()
abs_ = Abs()
sign = Sign()
copysign = CopySign()
power = Power()
floor_divide = FloorDivide()
remainder = Remainder()
maximum = Maximum()
minimum = Minimum()
clip = Clip()


def root_of_squares(total: Value) -> Value:
    """The square root of a sum of squares; where that is 0, so is the derivative, as that of ``abs`` at 0."""
    zero = scalar(0, total.dtype)
    nothing = equal(total, zero)
    return where(nothing, zero, sqrt(where(nothing, scalar(1, total.dtype), total)))
