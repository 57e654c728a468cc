"""Activation functions of neural networks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType
from rax.ops.algebra import add
from rax.ops.arithmetic import abs_, power
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import greater, greater_equal, isinf
from rax.ops.elementwise import UNARY, UNARY_EDGES, Pointwise, multiply
from rax.ops.families import Composite
from rax.ops.samples import FLOATS, REAL, normal, reject, sample, values
from rax.ops.selection import where
from rax.ops.special.error_functions import erf, erf_double
from rax.ops.transcendental import logaddexp, sigmoid
from rax.ops.trigonometric import tanh


@op("relu", since=1)
class Relu(Pointwise):
    """``maximum(x, 0)``; the derivative at 0 is 0."""

    dtypes = REAL

    def reference(self, *arrays: Array) -> Array:
        return np.maximum(arrays[0], np.zeros((), arrays[0].dtype))

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Value:
        (tangent,) = tangents
        assert tangent is not None
        zero = scalar(0, result.dtype)
        # The result serves as well as the operand, which need not be kept for it.
        return where(greater(result, zero), tangent, zero)

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="relu is not defined on bool", dtype="bool"),)


class Activation(Composite):
    """A smooth function of one floating number."""

    arity = 1
    dtypes = FLOATS
    samples = UNARY
    rejects = (reject(normal(2), match="is not defined on int32", dtype="int32"),)

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        return self.require(x)


@op("softplus", since=1)
class Softplus(Activation):
    """``log(1 + exp(x))``, without overflow."""

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        return logaddexp(x, scalar(0, x.dtype))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    edges = UNARY_EDGES


def _relu_beyond(x: Value, far: Value, function: Callable[[Value], Value]) -> Value:
    """``relu(x)`` where ``x`` is far out, else the function, which never meets what is far out.

    There its factors would be infinite and 0, whose product is NaN.
    """
    return where(far, relu(x), function(where(far, scalar(0, x.dtype), x)))


@op("silu", since=1)
class Silu(Activation):
    """``x * sigmoid(x)``, also called swish; 0 at -inf."""

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        return _relu_beyond(x, isinf(x), lambda x: multiply(x, sigmoid(x)))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        return np.where(np.isneginf(x), np.zeros((), x.dtype), x / (1 + np.exp(-x)))

    edges = UNARY_EDGES


@op("gelu", since=1)
class Gelu(Activation):
    """``x`` times the standard normal distribution function of ``x``.

    ``x/2 * (1 + erf(x / sqrt(2)))``, or, where ``approximate``, Hendrycks and Gimpel's (2016)
    ``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3)))``; from 40 on it is ``x``, from -40 down 0.
    """

    approximate: bool

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        return _relu_beyond(x, greater_equal(abs_(x), scalar(40, x.dtype)), self._near)

    def _near(self, x: Value) -> Value:
        """The function where its cube does not overflow."""

        def number(value: float) -> Value:
            return scalar(value, x.dtype)

        if self.approximate:
            cubic = add(x, multiply(number(0.044715), power(x, number(3))))
            share = tanh(multiply(number(math.sqrt(2 / math.pi)), cubic))
        else:
            share = erf(multiply(x, number(math.sqrt(0.5))))
        return multiply(multiply(x, number(0.5)), add(number(1), share))

    def reference(self, *arrays: Array) -> Array:
        x = arrays[0].astype(np.float64)
        if self.approximate:
            share = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        else:
            share = erf_double(x * np.sqrt(0.5))
        near = np.where(np.abs(x) >= 40, np.maximum(x, 0), x / 2 * (1 + share))
        return near.astype(arrays[0].dtype)

    samples = (
        sample(normal(2, 3), approximate=False),
        sample(normal(0, 2), approximate=False),
        sample(normal(2, 3), approximate=True),
    )
    edges = tuple(
        sample(values(0, -0.0, math.inf, -math.inf, math.nan, 300, -300), approximate=flag) for flag in (False, True)
    )
    rejects = (reject(normal(2), match="gelu is not defined on int32", dtype="int32", approximate=False),)


relu = Relu()
softplus = Softplus()
silu = Silu()
