"""Attention, as a composite: a backend may take it whole."""

from __future__ import annotations

import math

import numpy as np

from rax.ir import dims
from rax.ir.dims import Shape
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import op
from rax.ir.types import TensorType, bool_, broadcast_shapes
from rax.ops.algebra import add
from rax.ops.arrays import Array, scalar, wide
from rax.ops.broadcasting import Sum
from rax.ops.comparison import equal, greater_equal, isfinite
from rax.ops.contraction import matmul
from rax.ops.creation import iota
from rax.ops.elementwise import divide, multiply, subtract
from rax.ops.families import Composite
from rax.ops.reduction import Max, check_not_empty, computing_dtype, kept
from rax.ops.samples import FLOATS, booleans, normal, reject, sample
from rax.ops.selection import cast, stop_gradient, where
from rax.ops.shape import expand_dims, permute_dims, reshape
from rax.ops.transcendental import exp


def _swapped(x: Value, *places: int) -> Value:
    """``x`` with its last axes in another order; places are counted from the end."""
    count = x.ndim - len(places)
    return permute_dims(x, (*range(count), *[x.ndim + place for place in places]))


def attention_weights(query: Value, key: Value, bias: Value | None, scale: float, causal: bool) -> Value:
    """The weights ``(*lead, heads, T, S)``: softmax of the scores, in their computing dtype.

    A row in which nothing may be looked at has weights 0.
    """
    dtype = computing_dtype(query.dtype)
    *lead, count, heads, size = query.shape
    others, groups = key.shape[-3], key.shape[-2]
    per_group = dims.floor_divide(heads, groups)
    scaled = multiply(cast(query, dtype), scalar(scale, dtype))  # which is smaller than the scores
    parts = reshape(scaled, (*lead, count, groups, per_group, size))
    rows = reshape(_swapped(parts, -3, -2, -4, -1), (*lead, groups, per_group * count, size))
    products = matmul(rows, _swapped(cast(key, dtype), -2, -1, -3))
    scores = reshape(products, (*lead, heads, count, others))
    least = scalar(-math.inf, dtype)
    if causal:
        scores = where(greater_equal(expand_dims(iota(count), (1,)), iota(others)), scores, least)
    if bias is not None:
        scores = where(bias, scores, least) if bias.dtype is bool_ else add(scores, cast(bias, dtype))
    last = (scores.ndim - 1,)
    zero, one = scalar(0, dtype), scalar(1, dtype)
    top = kept(stop_gradient(Max(last)(scores)), last)
    weights = exp(subtract(scores, where(isfinite(top), top, zero)))
    total = kept(Sum(last)(weights), last)
    return divide(weights, where(equal(total, zero), one, total))


def weighted_values(weights: Value, value: Value) -> Value:
    """The values ``(*lead, S, groups, size)`` summed with weights: ``(*lead, T, heads, size)``."""
    *lead, heads, count, others = weights.shape
    groups, size = value.shape[-2:]
    per_group = dims.floor_divide(heads, groups)
    rows = reshape(weights, (*lead, groups, per_group * count, others))
    sums = matmul(rows, _swapped(cast(value, weights.dtype), -2, -3, -1))
    parts = reshape(sums, (*lead, groups, per_group, count, size))
    return cast(reshape(_swapped(parts, -2, -4, -3, -1), (*lead, count, heads, size)), value.dtype)


@op("dot_product_attention", since=1)
class DotProductAttention(Composite):
    """Values averaged with weights ``softmax(scale * query . key + bias)``.

    Query ``(*lead, T, N, H)``, key ``(*lead, S, K, H)``, value ``(*lead, S, K, V)`` give ``(*lead, T,
    N, V)``; each of the K groups serves N / K heads next to each other. A fourth operand, which
    broadcasts to ``(*lead, N, T, S)``, is a bias, or of bools: what may be looked at. ``causal`` lets
    query ``t`` look at keys up to ``t``. A query that may look at nothing gets zeros. Half types are
    computed in float32. (Vaswani et al., 2017; Ainslie et al., 2023.)
    """

    scale: float
    causal: bool = False

    dtypes = FLOATS

    def result(self, *operands: TensorType) -> TensorType:
        if len(operands) not in (3, 4):
            raise TypeInferenceError(f"dot_product_attention takes 3 or 4 operands, not {len(operands)}")
        query, key, value = operands[:3]
        self.require(query, key, value)
        shown = ", ".join(dims.shape_text(operand.shape) for operand in operands[:3])
        if min(query.ndim, key.ndim, value.ndim) < 3 or not (
            query.shape[:-3] == key.shape[:-3] == value.shape[:-3]
            and key.shape[-3:-1] == value.shape[-3:-1]
            and query.shape[-1] == key.shape[-1]
        ):
            raise TypeInferenceError(
                f"dot_product_attention needs (*lead, T, N, H), (*lead, S, K, H) and (*lead, S, K, V), not {shown}"
            )
        heads, groups = query.shape[-2], key.shape[-2]
        if groups == 0 or dims.floor_divide(heads, groups) * groups != heads:
            raise TypeInferenceError(f"dot_product_attention: {heads} heads do not share {groups} groups of keys")
        check_not_empty(self.name, key, (key.ndim - 3,))
        for bias in operands[3:]:
            self._check_bias(bias, (*query.shape[:-3], heads, query.shape[-3], key.shape[-3]))
        return query.with_shape((*query.shape[:-1], value.shape[-1]))

    def _check_bias(self, bias: TensorType, shape: Shape) -> None:
        if bias.dtype is not bool_:
            self.require(bias)
        if len(bias.shape) > len(shape) or broadcast_shapes(bias.shape, shape) != shape:
            raise TypeInferenceError(
                f"dot_product_attention: a bias or mask {dims.shape_text(bias.shape)} does not broadcast to "
                f"(*lead, N, T, S), which is {dims.shape_text(shape)}"
            )

    def reference(self, *arrays: Array) -> Array:
        query, key, value = map(wide, arrays[:3])
        share = query.shape[-2] // key.shape[-2]
        scores = np.einsum("...tnh,...snh->...nts", query, np.repeat(key, share, axis=-2))
        scores = scores * scores.dtype.type(self.scale)
        if self.causal:
            scores = np.where(np.tri(*scores.shape[-2:], dtype=np.bool_), scores, -np.inf)
        for bias in arrays[3:]:
            scores = np.where(bias, scores, -np.inf) if bias.dtype == np.bool_ else scores + bias.astype(scores.dtype)
        top = scores.max(axis=-1, keepdims=True)
        weights = np.exp(scores - np.where(np.isfinite(top), top, 0))
        total = weights.sum(axis=-1, keepdims=True)
        weights = (weights / np.where(total == 0, 1, total)).astype(query.dtype)
        result = np.einsum("...nts,...snv->...tnv", weights, np.repeat(value, share, axis=-2))
        return result.astype(arrays[0].dtype)

    def expand(self, *operands: Value) -> Value:
        query, key, value = operands[:3]
        bias = operands[3] if len(operands) > 3 else None
        return weighted_values(attention_weights(query, key, bias, self.scale, self.causal), value)

    samples = (
        sample(normal(2, 2, 2), normal(3, 1, 2), normal(3, 1, 1), scale=0.5),
        sample(normal(2, 2, 4, 1), normal(2, 2, 2, 1), normal(2, 2, 2, 1), scale=1.0, causal=True),
        sample(normal(2, 1, 2), normal(2, 1, 2), normal(2, 1, 2), booleans(2, 2), scale=-0.5),
        sample(normal(1, 2, 1, 1), normal(1, 3, 1, 1), normal(1, 3, 1, 2), normal(2, 3), scale=1.0),
        sample(normal(0, 2, 1, 2), normal(0, 2, 1, 2), normal(0, 2, 1, 2), scale=1.0),
    )
    rejects = (
        reject(normal(2, 1, 2), normal(3, 1, 2), scale=1.0, match="takes 3 or 4 operands, not 2"),
        reject(normal(2, 1, 2), normal(3, 1, 3), normal(3, 1, 2), scale=1.0, match="not [2, 1, 2], [3, 1, 3], [3, 1"),
        reject(normal(2, 3, 2), normal(3, 2, 2), normal(3, 2, 2), scale=1.0, match="3 heads do not share 2 groups"),
        reject(
            normal(2, 1, 2), normal(3, 1, 2), normal(3, 1, 2), booleans(3, 2), scale=1.0, match="do not broadcast"
        ),
        reject(
            normal(2, 1, 2), normal(3, 1, 2), normal(3, 1, 2), normal(4, 1, 2, 3), scale=1.0,
            match="a bias or mask [4, 1, 2, 3] does not broadcast to (*lead, N, T, S), which is [1, 2, 3]",
        ),
        reject(normal(2, 1, 2), normal(0, 1, 2), normal(0, 1, 2), scale=1.0, match="of no elements is not defined"),
    )  # fmt: skip
