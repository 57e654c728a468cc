"""Normalisations along one axis: composites, so a backend may take each whole."""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import op
from rax.ir.types import TensorType
from rax.ops.algebra import add
from rax.ops.arithmetic import sqrt
from rax.ops.arrays import Array, scalar, wide
from rax.ops.broadcasting import Sum
from rax.ops.elementwise import divide, multiply, subtract
from rax.ops.families import Composite
from rax.ops.reduction import Max, Mean, check_not_empty, computing_dtype, kept
from rax.ops.samples import FLOATS, normal, reject, sample, values
from rax.ops.selection import cast, stop_gradient
from rax.ops.transcendental import exp, log


class AlongAxis(Composite):
    """Of the operand's type, computed along one axis; half types in float32."""

    axis: int

    arity = 1
    dtypes = FLOATS

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        if not 0 <= self.axis < x.ndim:
            raise TypeInferenceError(f"axis {self.axis} does not name an axis of {dims.shape_text(x.shape)}")
        check_not_empty(self.name, x, (self.axis,))
        return x

    def lowered(self, x: Value) -> Value:
        """The operand in its computing dtype less its maximum, so that exp does not overflow."""
        x = cast(x, computing_dtype(x.dtype))
        return subtract(x, kept(stop_gradient(Max((self.axis,))(x)), (self.axis,)))

    samples = (
        sample(normal(3), axis=0),
        sample(normal(2, 3), axis=0),
        sample(normal(2, 3, 2), axis=1),
        sample(normal(0, 3), axis=1),
    )
    edges = (
        sample(values(float("-inf"), 1, 2), axis=0),
        sample(values(float("-inf"), float("-inf")), axis=0),
        sample(values(1000, 1000, -1000), axis=0),
    )
    rejects = (
        reject(normal(2, 3), axis=2, match="axis 2 does not name an axis of [2, 3]"),
        reject(normal(2, 0), axis=1, match="of no elements is not defined"),
        reject(normal(2), axis=0, dtype="int64", match="is not defined on int64"),
    )


@op("softmax", since=1)
class Softmax(AlongAxis):
    """``exp(x) / sum(exp(x))`` along one axis, without overflow.

    An element of -inf gets 0; a row of nothing but -inf gets NaN, as does one with +inf.

    Example:
        >>> Softmax(0).reference(np.array([0.0, 0.0]))
        array([0.5, 0.5])
    """

    def reference(self, *arrays: Array) -> Array:
        x = wide(arrays[0])
        weights = np.exp(x - x.max(axis=self.axis, keepdims=True))
        return (weights / weights.sum(axis=self.axis, keepdims=True)).astype(arrays[0].dtype)

    def expand(self, *operands: Value) -> Value:
        weights = exp(self.lowered(operands[0]))
        total = kept(Sum((self.axis,))(weights), (self.axis,))
        return cast(divide(weights, total), operands[0].dtype)


@op("log_softmax", since=1)
class LogSoftmax(AlongAxis):
    """``x - log(sum(exp(x)))`` along one axis, without overflow.

    An element of -inf stays; a row of nothing but -inf gets NaN, as does one with +inf.
    """

    def reference(self, *arrays: Array) -> Array:
        x = wide(arrays[0])
        lowered = x - x.max(axis=self.axis, keepdims=True)
        total = np.exp(lowered).sum(axis=self.axis, keepdims=True)
        return (lowered - np.log(total)).astype(arrays[0].dtype)

    def expand(self, *operands: Value) -> Value:
        lowered = self.lowered(operands[0])
        total = kept(Sum((self.axis,))(exp(lowered)), (self.axis,))
        return cast(subtract(lowered, log(total)), operands[0].dtype)


@op("layer_norm", since=1)
class LayerNorm(Composite):
    """``scale * (x - mean) / sqrt(var + epsilon) + bias`` along the last axis.

    ``x`` has shape ``(*lead, n)``, scale and bias ``(n,)``; half types are computed in float32.
    (Ba, Kiros and Hinton, "Layer normalization", 2016.)
    """

    epsilon: float = 1e-5

    arity = 3
    dtypes = FLOATS

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        if x.ndim < 1 or any(other.shape != x.shape[-1:] for other in operands[1:]):
            shown = ", ".join(dims.shape_text(operand.shape) for operand in operands)
            raise TypeInferenceError(f"layer_norm needs operands of shapes (*lead, n), (n,) and (n,), not {shown}")
        return x

    def reference(self, *arrays: Array) -> Array:
        x, scale, bias = map(wide, arrays)
        count = x.dtype.type(x.shape[-1])
        apart = x - x.sum(axis=-1, keepdims=True) / count
        variance = np.square(apart).sum(axis=-1, keepdims=True) / count
        result = apart / np.sqrt(variance + x.dtype.type(self.epsilon)) * scale + bias
        return result.astype(arrays[0].dtype)

    def expand(self, *operands: Value) -> Value:
        dtype = computing_dtype(operands[0].dtype)
        x, scale, bias = (cast(operand, dtype) for operand in operands)
        last = (x.ndim - 1,)
        apart = subtract(x, kept(Mean(last)(x), last))
        variance = kept(Mean(last)(multiply(apart, apart)), last)
        deviation = sqrt(add(variance, scalar(self.epsilon, dtype)))
        scaled = multiply(divide(apart, deviation), scale)
        return cast(add(scaled, bias), operands[0].dtype)

    samples = (
        sample(normal(2, 4), normal(4), normal(4)),
        sample(normal(3), normal(3), normal(3), epsilon=0.1),
        sample(normal(2, 2, 3), normal(3), normal(3)),
        sample(normal(0, 3), normal(3), normal(3)),
    )
    rejects = (
        reject(normal(2, 4), normal(4), normal(3), match="(*lead, n), (n,) and (n,), not [2, 4], [4], [3]"),
        reject(normal(2, 4), match="layer_norm takes 3 operands, not 1"),
    )
