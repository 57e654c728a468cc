"""Attention: the function, layers with several heads, and caches of keys and values.

Tensors have the layout ``(N, time, heads, size)``. Keys and values may have fewer heads than queries:
each serves several of those next to each other (grouped queries).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rax import numpy as rnp
from rax import random
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.trail import scope
from rax.ir.types import bool_, float32, int64
from rax.nn.dropping import dropout
from rax.nn.initializers import glorot_uniform
from rax.nn.layers import dense
from rax.nn.positions import rotary
from rax.numpy.common import inexact
from rax.ops.attention import DotProductAttention, attention_weights, weighted_values

Params = Mapping[str, Any]


def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: TensorLike | None = None,
    mask: TensorLike | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: TensorLike | None = None,
    key_value_seq_lengths: TensorLike | None = None,
    local_window_size: int | tuple[int, int] | None = None,
    dropout_rate: float = 0.0,
    dropout_key: TensorLike | None = None,
) -> Tensor:
    """Values averaged with weights ``softmax(scale * query . key + bias)`` (Vaswani et al., 2017).

    A query that may look at nothing gets zeros, and no derivative. Half types are computed in float32.

    Args:
        query: ``(*lead, T, N, H)``.
        key: ``(*lead, S, K, H)``; K divides N.
        value: ``(*lead, S, K, V)``.
        bias: added to the scores; broadcasts to ``(*lead, N, T, S)``.
        mask: bools that broadcast likewise: what may be looked at.
        scale: by default ``1 / sqrt(H)``.
        is_causal: whether query ``t`` looks at keys ``0 … t`` only.
        query_seq_lengths: integers ``(*lead,)``; queries beyond get zeros.
        key_value_seq_lengths: integers ``(*lead,)``; keys beyond are not looked at.
        local_window_size: how far back and ahead a query looks, one number or two.
        dropout_rate: with what probability a weight is dropped.
        dropout_key: a key of :mod:`rax.random`, for a rate above 0.

    Returns:
        ``(*lead, T, N, V)``.

    Raises:
        TypeInferenceError: shapes or dtypes do not fit.
        RaxError: dropout has no key.

    Example:
        >>> q = k = rnp.zeros((1, 2, 1, 4))
        >>> dot_product_attention(q, k, rnp.asarray([[[[1.0]], [[3.0]]]]), is_causal=True)[0, :, 0, 0]
        Tensor([1., 2.], dtype=float32)
    """
    operands = promote_operands(*(inexact(operand, float32) for operand in (query, key, value)))
    asked, looked = (Tensor(operand) for operand in operands[:2])
    if asked.ndim < 3 or looked.ndim < 3:
        raise TypeInferenceError(
            f"dot_product_attention needs (*lead, time, heads, size), not {asked.value.type} and {looked.value.type}"
        )
    if dropout_rate and dropout_key is None:
        raise RaxError("attention with dropout needs a key", fix="give dropout_key=")
    with scope("dot_product_attention"):
        allowed = _allowed(asked, looked, mask, query_seq_lengths, key_value_seq_lengths, local_window_size)
        extra = allowed if bias is None else _biased(Tensor(inexact(bias, float32)), allowed)
        whole = DotProductAttention(_factor(scale, asked.shape[-1]), is_causal)
        if not dropout_rate or dropout_key is None:
            return Tensor(whole(*operands, *([] if extra is None else [extra.value])))
        return _with_dropout(whole, operands, extra, dropout_rate, dropout_key)


def _biased(bias: Tensor, allowed: Tensor | None) -> Tensor:
    return bias if allowed is None else rnp.where(allowed, bias, -math.inf)


def _factor(scale: float | None, size: Size) -> float:
    if scale is not None:
        return float(scale)
    if not isinstance(size, int):
        raise TypeInferenceError(f"the size {size} of the heads is symbolic", fix="give scale=")
    return 1 / math.sqrt(max(size, 1))


def _with_dropout(
    whole: DotProductAttention, operands: Sequence[Value], extra: Tensor | None, rate: float, key: TensorLike
) -> Tensor:
    """The operation in parts, between which weights are dropped."""
    values = [*operands, *([] if extra is None else [extra.value])]
    whole.infer(*[operand.type for operand in values])  # what its parts would not find wrong
    query, keys, value = operands
    weights = attention_weights(query, keys, None if extra is None else extra.value, whole.scale, whole.causal)
    return Tensor(weighted_values(dropout(key, Tensor(weights), rate).value, value))


def _allowed(
    query: Tensor,
    key: Tensor,
    mask: TensorLike | None,
    query_lengths: TensorLike | None,
    key_lengths: TensorLike | None,
    window: int | tuple[int, int] | None,
) -> Tensor | None:
    """What may be looked at, ``(*lead, N, T, S)`` or what broadcasts to it; None for everything."""
    count, others = query.shape[-3], key.shape[-3]
    rows, columns = rnp.expand_dims(rnp.arange(count), axis=1), rnp.arange(others)
    parts: list[Tensor] = []
    if mask is not None:
        given = as_tensor(mask)
        if given.dtype is not bool_:
            raise TypeInferenceError(f"a mask is of bools, not {given.value.type}", fix="give numbers as bias")
        parts.append(given)
    for lengths, places in ((query_lengths, rows), (key_lengths, columns)):
        if lengths is not None:
            parts.append(places < rnp.expand_dims(as_tensor(lengths), axis=(-3, -2, -1)))
    if window is not None:
        back, ahead = (window, window) if isinstance(window, int) else window
        parts.append((columns >= rows - back) & (columns <= rows + ahead))
    allowed: Tensor | None = None
    for part in parts:
        allowed = part if allowed is None else allowed & part
    return allowed


class KeyValueCache(NamedTuple):
    """The keys and values of the times so far, for :func:`multi_head_attention`.

    Attributes:
        key: ``(N, length, heads, size)``; zeros where nothing has been written.
        value: the same shape.
        written: how many times have been written, an int64 scalar.

    Example:
        >>> key_value_cache(1, 8, 2, 4).written
        Tensor(0, dtype=int64)
    """

    key: Tensor
    value: Tensor
    written: Tensor


def key_value_cache(
    batch: Size | str, length: Size | str, heads: int, size: int, dtype: object = float32
) -> KeyValueCache:
    """An empty cache.

    Args:
        batch: how many sequences, perhaps symbolic.
        length: the times there is room for, perhaps symbolic.
        heads: the heads of keys and values.
        size: the size of a head.
        dtype: a floating dtype.

    Example:
        >>> key_value_cache(1, 8, 2, 4).key.shape
        (1, 8, 2, 4)
    """
    shape = (dims.dim(batch), dims.dim(length), heads, size)
    return KeyValueCache(rnp.zeros(shape, dtype=dtype), rnp.zeros(shape, dtype=dtype), rnp.zeros((), dtype=int64))


def extend_cache(cache: KeyValueCache, key: TensorLike, value: TensorLike) -> KeyValueCache:
    """A cache with the keys and values of further times written behind those it has.

    Where there is no room, the graph fails when it runs.

    Args:
        cache: what there is so far; it stays as it is.
        key: ``(N, time, heads, size)``.
        value: the same shape.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> cache = extend_cache(key_value_cache(1, 8, 2, 4), rnp.ones((1, 3, 2, 4)), rnp.ones((1, 3, 2, 4)))
        >>> int(cache.written), float(rnp.sum(cache.key))
        (3, 24.0)
    """
    added = [as_tensor(part) for part in (key, value)]
    held = [as_tensor(part) for part in cache[:2]]
    for new, old in zip(added, held, strict=True):
        if new.ndim != 4 or (new.shape[0], *new.shape[2:]) != (old.shape[0], *old.shape[2:]):
            raise TypeInferenceError(f"a cache {old.value.type} cannot take {new.value.type}")
    with scope("extend_cache"):
        written = as_tensor(cache.written)
        places = written + rnp.arange(added[0].shape[1])
        buffers = [Tensor(old.value) for old in held]
        for buffer, new in zip(buffers, added, strict=True):
            buffer[:, places] = new
        return KeyValueCache(buffers[0], buffers[1], written + added[0].shape[1])


def multi_head_attention_init(
    key: TensorLike,
    features: int,
    heads: int,
    *,
    kv_heads: int | None = None,
    head_size: int | None = None,
    context_features: int | None = None,
    bias: bool = True,
    dtype: object = float32,
) -> dict[str, dict[str, Tensor]]:
    """Parameters of :func:`multi_head_attention`: Glorot's uniform weights, and biases of zeros.

    Args:
        key: a key of :mod:`rax.random`.
        features: those of the input and of the result.
        heads: of the queries.
        kv_heads: of keys and values, a divisor of ``heads``; by default as many.
        head_size: by default ``features / heads``.
        context_features: those of what keys and values are made of; by default ``features``.
        bias: whether there are biases.
        dtype: a floating dtype.

    Returns:
        ``query``, ``key``, ``value``: each a ``weight (features, heads, size)`` and a ``bias (heads,
        size)``; ``output``: a ``weight (heads, size, features)`` and a ``bias (features,)``.

    Raises:
        RaxError: the heads do not divide.

    Example:
        >>> params = multi_head_attention_init(random.key(0), 8, 4, kv_heads=2)
        >>> params["query"]["weight"].shape, params["key"]["weight"].shape, params["output"]["weight"].shape
        ((8, 4, 2), (8, 2, 2), (4, 2, 8))
    """
    groups = heads if kv_heads is None else kv_heads
    if heads < 1 or groups < 1 or heads % groups or (head_size is None and features % heads):
        raise RaxError(f"{features} features, {heads} heads and {groups} heads of keys do not divide")
    size = features // heads if head_size is None else head_size
    source = features if context_features is None else context_features
    keys = random.split(key, 4)
    params: dict[str, dict[str, Tensor]] = {}
    for place, (name, inputs, count) in enumerate(
        (("query", features, heads), ("key", source, groups), ("value", source, groups))
    ):
        weight = glorot_uniform(keys[place], (inputs, count * size), dtype)
        params[name] = {"weight": rnp.reshape(weight, (inputs, count, size))}
        if bias:
            params[name]["bias"] = rnp.zeros((count, size), dtype=dtype)
    weight = glorot_uniform(keys[3], (heads * size, features), dtype)
    params["output"] = {"weight": rnp.reshape(weight, (heads, size, features))}
    if bias:
        params["output"]["bias"] = rnp.zeros((features,), dtype=dtype)
    return params


def _projected(params: Params, x: Tensor) -> Tensor:
    """``(N, time, features)`` to ``(N, time, heads, size)``."""
    weight = as_tensor(params["weight"])
    if weight.ndim != 3 or weight.shape[0] != x.shape[-1]:
        raise TypeInferenceError(f"attention of {x.value.type} cannot use a weight {weight.value.type}")
    flat = dense(x, rnp.reshape(weight, (weight.shape[0], weight.shape[1] * weight.shape[2])))
    heads = rnp.reshape(flat, (*x.shape[:-1], *weight.shape[1:]))
    return heads + as_tensor(params["bias"]) if "bias" in params else heads


def multi_head_attention(
    params: Params,
    x: TensorLike,
    context: TensorLike | None = None,
    *,
    bias: TensorLike | None = None,
    mask: TensorLike | None = None,
    is_causal: bool = False,
    rotary_base: float | None = None,
    cache: KeyValueCache | None = None,
    dropout_rate: float = 0.0,
    dropout_key: TensorLike | None = None,
) -> Any:
    """Attention with several heads, between the projections to them and back (Vaswani et al., 2017).

    With a cache, ``x`` holds the next times of sequences whose earlier times the cache has: queries look
    at those too. Steps one by one give what one call for the whole sequence gives.

    Args:
        params: as :func:`multi_head_attention_init` makes them; their shapes say how many heads there are.
        x: ``(N, T, features)``.
        context: ``(N, S, features)``: what keys and values are made of; by default ``x``.
        bias: as for :func:`dot_product_attention`; with a cache, S is the length of the cache.
        mask: likewise.
        is_causal: whether a time looks at itself and earlier ones only.
        rotary_base: turn queries and keys by their positions with this base, see :func:`rax.nn.rotary`.
        cache: the earlier keys and values.
        dropout_rate: with what probability a weight is dropped.
        dropout_key: a key of :mod:`rax.random`, for a rate above 0.

    Returns:
        ``(N, T, features)``; with a cache a pair: that, and the cache with the new times.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> params = multi_head_attention_init(random.key(0), 8, 4)
        >>> multi_head_attention(params, rnp.ones((2, 3, 8)), is_causal=True).shape
        (2, 3, 8)
    """
    value = Tensor(inexact(x, float32))
    source = value if context is None else Tensor(inexact(context, float32))
    if value.ndim != 3 or source.ndim != 3:
        raise TypeInferenceError(f"multi_head_attention needs (N, time, features), not {value.value.type}")
    with scope("multi_head_attention"):
        queries = _projected(params["query"], value)
        keys, values = _projected(params["key"], source), _projected(params["value"], source)
        start = rnp.zeros((), dtype=int64) if cache is None else as_tensor(cache.written)
        if rotary_base is not None:
            queries, keys = (_turned(part, start, rotary_base) for part in (queries, keys))
        if cache is not None:
            cache = extend_cache(cache, keys, values)
            keys, values = cache.key, cache.value
            mask = _seen(cache, value.shape[1] if is_causal else 1, mask)
        heads = dot_product_attention(
            queries, keys, values, bias, mask,
            is_causal=is_causal and cache is None, dropout_rate=dropout_rate, dropout_key=dropout_key,
        )  # fmt: skip
        return _merged(params["output"], heads) if cache is None else (_merged(params["output"], heads), cache)


def _turned(x: Tensor, start: Tensor, base: float) -> Tensor:
    return rotary(x, start + rnp.arange(x.shape[1]), base=base)


def _seen(cache: KeyValueCache, count: Size, mask: TensorLike | None) -> Tensor:
    """What the last times of a cache, as many as counted, see of it where a mask allows it: up to themselves."""
    last = cache.written - count + rnp.arange(count)
    seen = rnp.arange(cache.key.shape[1]) <= rnp.expand_dims(last, axis=1)
    return seen if mask is None else as_tensor(mask) & seen


def _merged(params: Params, heads: Tensor) -> Tensor:
    """``(N, time, heads, size)`` to ``(N, time, features)``."""
    weight = as_tensor(params["weight"])
    if weight.ndim != 3 or weight.shape[:2] != heads.shape[2:]:
        raise TypeInferenceError(f"attention with heads {heads.value.type} cannot use a weight {weight.value.type}")
    count, size, features = weight.shape
    flat = rnp.reshape(heads, (*heads.shape[:2], count * size))
    return dense(flat, rnp.reshape(weight, (count * size, features)), params.get("bias"))
