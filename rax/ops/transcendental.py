"""Exponentials, logarithms and the functions built on them."""

from __future__ import annotations

import math

import numpy as np

from rax.ir.node import Value
from rax.ir.op import op
from rax.ops.algebra import add
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import equal, isinf
from rax.ops.complex_parts import complex_
from rax.ops.elementwise import (
    BINARY,
    BINARY_EDGES,
    BINARY_REJECTS,
    UNARY,
    UNARY_EDGES,
    Elementwise,
    divide,
    multiply,
    reciprocal,
    subtract,
)
from rax.ops.logical import logical_and
from rax.ops.samples import FLOATS, INEXACT, normal, positive, reject, sample, uniform
from rax.ops.selection import where

INTEGER_REJECTS = (reject(normal(2), match="is not defined on int32", dtype="int32"),)


class Transcendental(Elementwise):
    """A function of one floating or complex number."""

    dtypes = INEXACT
    samples = UNARY
    edges = UNARY_EDGES
    rejects = INTEGER_REJECTS


class Logarithm(Transcendental):
    """-inf at 0, NaN below; of a complex number, cut along the negative real axis."""

    samples = (sample(positive(2, 3)), sample(positive()), sample(positive(0, 2)))


@op("exp", since=1)
class Exp(Transcendental):
    """``e ** x``."""

    def reference(self, *arrays: Array) -> Array:
        return np.exp(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return values[-1]


@op("expm1", since=1)
class Expm1(Transcendental):
    """``e ** x - 1``, exact near 0."""

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        if x.dtype.kind != "c":
            return np.expm1(x)
        # NumPy's complex expm1 loses the array API's special cases, which its exp keeps; and -0 + 0j gives 0 + 0j.
        result = np.where(np.isfinite(x), np.expm1(x), np.exp(x) - 1)
        return complex_.reference(np.where(x == 0, 0, np.real(result)), np.imag(result))

    def partial(self, operand: int, *values: Value) -> Value:
        return exp(values[0])


@op("log", since=1)
class Log(Logarithm):
    """The natural logarithm."""

    def reference(self, *arrays: Array) -> Array:
        return np.log(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return reciprocal(values[0])


@op("log1p", since=1)
class Log1p(Logarithm):
    """``log(1 + x)``, exact near 0."""

    def reference(self, *arrays: Array) -> Array:
        return np.log1p(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return reciprocal(add(values[0], scalar(1, values[0].dtype)))


@op("log2", since=1)
class Log2(Logarithm):
    """The logarithm to base 2."""

    def reference(self, *arrays: Array) -> Array:
        return np.log2(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return divide(scalar(1 / math.log(2), values[0].dtype), values[0])


@op("log10", since=1)
class Log10(Logarithm):
    """The logarithm to base 10."""

    def reference(self, *arrays: Array) -> Array:
        return np.log10(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return divide(scalar(1 / math.log(10), values[0].dtype), values[0])


@op("sigmoid", since=1)
class Sigmoid(Transcendental):
    """``1 / (1 + exp(-x))``, without overflow."""

    dtypes = FLOATS

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        small = np.exp(-np.abs(x))
        return np.where(x >= 0, np.ones_like(x), small) / (1 + small)

    def partial(self, operand: int, *values: Value) -> Value:
        y = values[-1]
        return multiply(y, subtract(scalar(1, y.dtype), y))


@op("logaddexp", since=1)
class LogAddExp(Elementwise):
    """``log(exp(x) + exp(y))``, without overflow.

    The derivative by ``x`` is ``sigmoid(x - y)``, and 0.5 where both are the same infinity.
    """

    arity = 2
    dtypes = FLOATS

    def reference(self, *arrays: Array) -> Array:
        return np.logaddexp(*arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        this, other = values[operand], values[1 - operand]
        same_infinity = logical_and(isinf(this), equal(this, other))
        return sigmoid(where(same_infinity, scalar(0, this.dtype), subtract(this, other)))

    samples = (*BINARY, sample(uniform(3, low=-20, high=20), uniform(3, low=-20, high=20)))
    edges = BINARY_EDGES
    rejects = (*BINARY_REJECTS, reject(normal(2), normal(2), match="is not defined on int32", dtype="int32"))


exp = Exp()
expm1 = Expm1()
log = Log()
log1p = Log1p()
log2 = Log2()
log10 = Log10()
sigmoid = Sigmoid()
logaddexp = LogAddExp()
