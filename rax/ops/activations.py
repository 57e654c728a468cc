"""Activation functions of neural networks."""

from __future__ import annotations

import math

import numpy as np

from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import TensorType
from rax.ops.algebra import add
from rax.ops.arithmetic import maximum, minimum
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import isinf
from rax.ops.elementwise import UNARY, UNARY_EDGES, multiply, subtract
from rax.ops.families import Composite
from rax.ops.relu import relu
from rax.ops.samples import FLOATS, normal, reject, sample, values
from rax.ops.selection import where
from rax.ops.special.error_functions import erf, erf_double
from rax.ops.transcendental import exp, logaddexp, sigmoid
from rax.ops.trigonometric import tanh


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


@op("silu", since=1)
class Silu(Activation):
    """``x * sigmoid(x)``, also called swish; 0 at -inf."""

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        # There the factors would be infinite and 0, whose product is NaN.
        far = isinf(x)
        near = where(far, scalar(0, x.dtype), x)
        return where(far, relu(x), multiply(near, sigmoid(near)))

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
        return self._with_slope(operands[0])[0]

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The function and the tangent times the slope, which share what takes longest; only the slope is kept."""
        del transforms
        (tangent,) = tangents
        if tangent is None:
            return (self(*primals),), (None,)
        result, slope = self._with_slope(primals[0])
        return (result,), (multiply(tangent, slope),)

    forward = linearize

    def _with_slope(self, x: Value) -> tuple[Value, Value]:
        """The function and its derivative.

        From the limit on the share is 1 and from its negative down 0, exactly in every dtype, and the
        slope of the share is 0. So all else may stop there, and no factor is infinite where another is 0.
        """

        def number(value: float) -> Value:
            return scalar(value, x.dtype)

        limit = 10 if self.approximate else 40
        above = maximum(x, number(-limit))
        near = minimum(above, number(limit))
        squared = multiply(near, near)
        if self.approximate:
            inner = math.sqrt(2 / math.pi)
            side = tanh(multiply(near, add(multiply(squared, number(inner * 0.044715)), number(inner))))
            rise = add(multiply(squared, number(3 * inner * 0.044715)), number(inner))
            bend = multiply(multiply(multiply(near, number(0.5)), rise), subtract(number(1), multiply(side, side)))
        else:
            side = erf(multiply(near, number(math.sqrt(0.5))))
            bend = multiply(near, multiply(exp(multiply(squared, number(-0.5))), number(1 / math.sqrt(2 * math.pi))))
        share = multiply(add(side, number(1)), number(0.5))
        return multiply(above, share), add(share, bend)

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


softplus = Softplus()
silu = Silu()
