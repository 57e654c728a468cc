"""Attention beside loops in NumPy; steps with a cache beside one pass; positions beside complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
import rax.numpy as rnp
from rax import nn, random

RNG = np.random.default_rng(8)
QUERY, KEY, VALUE = RNG.normal(size=(2, 3, 4, 2)), RNG.normal(size=(2, 5, 2, 2)), RNG.normal(size=(2, 5, 2, 3))
BIAS, MASK = RNG.normal(size=(4, 3, 5)), RNG.random(size=(2, 1, 3, 5)) < 0.6
MASK[0, 0, 1] = False


def attended(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, allowed: Callable[..., bool] | None = None,
    bias: np.ndarray | None = None, scale: float | None = None,
) -> np.ndarray:  # fmt: skip
    """One query at a time; what it may not look at is left out of its sums."""
    result = np.zeros((*query.shape[:3], value.shape[-1]))
    share = query.shape[2] // key.shape[2]
    for row, time, head in np.ndindex(*query.shape[:3]):
        seen = [s for s in range(key.shape[1]) if allowed is None or allowed(row, head, time, s)]
        if not seen:
            continue
        scores = key[row, seen, head // share] @ query[row, time, head]
        scores = scores * (query.shape[-1] ** -0.5 if scale is None else scale)
        if bias is not None:
            scores = scores + bias[head, time, seen]
        result[row, time, head] = special.softmax(scores) @ value[row, seen, head // share]
    return result


LENGTHS = np.array([3, 1]), np.array([2, 5])
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "scale": ({"scale": 0.3}, {"scale": 0.3}),
    "causal": ({"is_causal": True}, {"allowed": lambda n, h, t, s: s <= t}),
    "bias": ({"bias": BIAS}, {"bias": BIAS}),
    "mask": ({"mask": MASK}, {"allowed": lambda n, h, t, s: MASK[n, 0, t, s]}),
    "window": ({"local_window_size": 1}, {"allowed": lambda n, h, t, s: abs(t - s) <= 1}),
    "window of two sides": ({"local_window_size": (2, 0)}, {"allowed": lambda n, h, t, s: t - 2 <= s <= t}),
    "lengths": (
        {"query_seq_lengths": LENGTHS[0], "key_value_seq_lengths": LENGTHS[1]},
        {"allowed": lambda n, h, t, s: t < LENGTHS[0][n] and s < LENGTHS[1][n]},
    ),
    "everything": (
        {"bias": BIAS, "mask": MASK, "is_causal": True, "key_value_seq_lengths": LENGTHS[1]},
        {"bias": BIAS, "allowed": lambda n, h, t, s: MASK[n, 0, t, s] and s <= t and s < LENGTHS[1][n]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_attention(name: str) -> None:
    options, truth = CASES[name]
    np.testing.assert_allclose(
        nn.dot_product_attention(QUERY, KEY, VALUE, **options), attended(QUERY, KEY, VALUE, **truth), atol=1e-12
    )


@pytest.mark.parametrize("name", ["plain", "everything"])
def test_the_gradient_of_attention(name: str) -> None:
    options, truth = CASES[name]
    weights = RNG.normal(size=(2, 3, 4, 3))
    slopes = rax.grad(
        lambda q, k, v: rnp.sum(nn.dot_product_attention(q, k, v, **options) * weights), (0, 1, 2)
    )(QUERY, KEY, VALUE)  # fmt: skip
    moves = [RNG.normal(size=x.shape) for x in (QUERY, KEY, VALUE)]
    ends: list[float] = []
    for step in (1e-6, -1e-6):
        q, k, v = (x + step * move for x, move in zip((QUERY, KEY, VALUE), moves, strict=True))
        ends.append(np.sum(attended(q, k, v, **truth) * weights))
    found = sum(np.sum(slope * move) for slope, move in zip(slopes, moves, strict=True))
    assert found == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_a_query_that_may_look_at_nothing_gets_zeros_and_no_gradient() -> None:
    def total(query: rax.Tensor, key: rax.Tensor, value: rax.Tensor, bias: rax.Tensor) -> rax.Tensor:
        return rnp.sum(rnp.square(nn.dot_product_attention(query, key, value, bias, MASK)))

    slopes = rax.grad(total, (0, 1, 2, 3))(QUERY, KEY, VALUE, BIAS)
    assert all(np.all(np.isfinite(slope)) for slope in slopes)
    assert not slopes[0][0, 1].any()
    curves = rax.grad(lambda q: rnp.sum(rax.grad(total)(q, KEY, VALUE, BIAS) ** 2))(QUERY)
    assert np.all(np.isfinite(curves))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_computed_in_float32(dtype: str) -> None:
    """Scores near 300 whose differences a half cannot hold: the rounding is that of the result only."""
    query, key = (rnp.astype(rnp.asarray(x * 20), dtype) for x in (QUERY, KEY))
    value = rnp.astype(rnp.asarray(VALUE), dtype)
    result = nn.dot_product_attention(query, key, value)
    assert result.dtype.name == dtype
    exact = [np.asarray(x.numpy(), "float64") for x in (query, key, value)]
    found = np.asarray(result.numpy(), "float64")
    np.testing.assert_allclose(found, attended(exact[0], exact[1], exact[2]), rtol=2**-7, atol=2**-9)


def test_leading_axes_vmap_and_symbolic_sizes() -> None:
    due = attended(QUERY, KEY, VALUE, lambda n, h, t, s: s <= t)
    options: dict[str, Any] = {"is_causal": True}
    function = lambda q, k, v: nn.dot_product_attention(q, k, v, **options)  # noqa: E731
    np.testing.assert_allclose(function(QUERY[1], KEY[1], VALUE[1]), due[1])
    np.testing.assert_allclose(function(*(x[:, None] for x in (QUERY, KEY, VALUE))), due[:, None])
    np.testing.assert_allclose(rax.vmap(function)(QUERY, KEY, VALUE), due)
    np.testing.assert_allclose(rax.vmap(lambda q: function(q, KEY[0], VALUE[0]))(QUERY)[0], due[0])
    graph = rax.trace(
        function,
        rax.spec(("batch", "time", 4, 2), "float64"),
        rax.spec(("batch", "keys", 2, 2), "float64"),
        rax.spec(("batch", "keys", 2, 3), "float64"),
    )
    np.testing.assert_allclose(graph(QUERY, KEY, VALUE), due)
    assert "dot_product_attention" in str(graph)


def test_dropout_of_weights_keeps_their_mean() -> None:
    ones = np.ones((1, 200, 1, 1))
    dropped = nn.dot_product_attention(
        ones, ones, ones, dropout_rate=0.5, dropout_key=random.key(0), is_causal=True
    ).numpy()
    assert dropped[0, 0] in (0, 2)
    assert dropped[0, -1] == pytest.approx(1, abs=0.3)
    assert dropped.mean() == pytest.approx(1, abs=0.1)


def layer(params: Any, x: np.ndarray, context: np.ndarray, allowed: Callable[..., bool] | None = None) -> np.ndarray:
    """Multi-head attention by the functions above."""
    parts = [
        np.einsum("ntf,fhs->nths", source, params[name]["weight"]) + params[name]["bias"]
        for name, source in (("query", x), ("key", context), ("value", context))
    ]
    heads = attended(parts[0], parts[1], parts[2], allowed)
    return np.einsum("nths,hsf->ntf", heads, params["output"]["weight"]) + params["output"]["bias"]


def parameters(kv_heads: int, context_features: int = 8) -> Any:
    made = nn.multi_head_attention_init(
        random.key(1), 8, 4, kv_heads=kv_heads, context_features=context_features, dtype="float64"
    )
    return {
        name: {key: RNG.normal(size=x.shape) if key == "bias" else x.numpy() for key, x in part.items()}
        for name, part in made.items()
    }


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_multi_head_attention(kv_heads: int) -> None:
    x, context = RNG.normal(size=(2, 3, 8)), RNG.normal(size=(2, 5, 6))
    params = parameters(kv_heads)
    np.testing.assert_allclose(nn.multi_head_attention(params, x), layer(params, x, x), atol=1e-12)
    causal = layer(params, x, x, lambda n, h, t, s: s <= t)
    np.testing.assert_allclose(nn.multi_head_attention(params, x, is_causal=True), causal, atol=1e-12)
    params = parameters(kv_heads, 6)
    np.testing.assert_allclose(nn.multi_head_attention(params, x, context), layer(params, x, context), atol=1e-12)


def test_parameters_without_bias() -> None:
    params = nn.multi_head_attention_init(random.key(0), 8, 2, head_size=3, bias=False)
    assert {key for part in params.values() for key in part} == {"weight"}
    assert nn.multi_head_attention(params, np.ones((1, 2, 8), "float32")).shape == (1, 2, 8)


@pytest.mark.parametrize("rotary_base", [None, 100.0])
def test_steps_with_a_cache_are_the_whole_pass(rotary_base: float | None) -> None:
    params, x = parameters(2), RNG.normal(size=(2, 5, 8))
    whole = nn.multi_head_attention(params, x, is_causal=True, rotary_base=rotary_base).numpy()
    held: Any = rax.spec(("batch", "room", 2, 2), "float64")
    count: Any = rax.spec((), "int64")
    specs = nn.KeyValueCache(held, held, count)
    step = rax.trace(
        lambda x, cache: nn.multi_head_attention(params, x, is_causal=True, rotary_base=rotary_base, cache=cache),
        rax.spec(("batch", "time", 8), "float64"),
        specs,
    )
    cache: Any = nn.key_value_cache(2, 7, 2, 2, "float64")
    for start, stop in ((0, 2), (2, 3), (3, 5)):
        y, cache = step(x[:, start:stop], cache)
        np.testing.assert_allclose(y, whole[:, start:stop], atol=1e-12)
    assert int(cache.written) == 5
    assert not np.asarray(cache.key)[:, 5:].any()


def test_a_cache_without_causality_shows_all_that_is_written() -> None:
    params, x = parameters(4), RNG.normal(size=(1, 3, 8))
    y, cache = nn.multi_head_attention(params, x, cache=nn.key_value_cache(1, 6, 4, 2, "float64"))
    np.testing.assert_allclose(y, nn.multi_head_attention(params, x), atol=1e-12)
    with pytest.raises(rax.ExecutionError, match="out of bounds"):
        nn.extend_cache(cache, np.ones((1, 4, 4, 2)), np.ones((1, 4, 4, 2))).key.numpy()


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_multiplies_complex_numbers(interleaved: bool) -> None:
    x, places = RNG.normal(size=(2, 3, 4, 6)), np.array([5, 0, 7])
    pairs = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :3], x[..., 3:])
    angles = places[:, None, None] * 50.0 ** (-2 * np.arange(3) / 6)
    turned = (pairs[0] + 1j * pairs[1]) * np.exp(1j * angles)
    parts = [turned.real, turned.imag]
    due = np.stack(parts, -1).reshape(x.shape) if interleaved else np.concatenate(parts, -1)
    np.testing.assert_allclose(nn.rotary(x, places, base=50.0, interleaved=interleaved), due)
    each = nn.rotary(x, np.stack([places, places]), base=50.0, interleaved=interleaved)
    np.testing.assert_allclose(each, due)


def test_rotated_products_depend_on_the_distance_only() -> None:
    query, key = RNG.normal(size=(2, 1, 1, 4))
    products = [
        float(rnp.sum(nn.rotary(query, np.array([place])) * nn.rotary(key, np.array([place + 3])))) for place in (0, 9)
    ]
    assert products[0] == pytest.approx(products[1])


def test_sinusoidal_positions() -> None:
    due = np.zeros((5, 6))
    for place, pair in np.ndindex(5, 3):
        angle = place / 10000 ** (2 * pair / 6)
        due[place, 2 * pair : 2 * pair + 2] = np.sin(angle), np.cos(angle)
    np.testing.assert_allclose(nn.sinusoidal_positions(np.arange(5.0), 6), due)
    halves = nn.sinusoidal_positions(np.arange(5.0), 6, interleaved=False)
    np.testing.assert_allclose(halves, np.concatenate([due[:, ::2], due[:, 1::2]], axis=1))


def test_alibi() -> None:
    assert [2 * float(head[1, 0]) for head in nn.alibi(3, 2, 1)] == [-(2.0**-3), -(2.0**-7), -(2.0**-1)]
    slopes = [-float(head[1, 0]) for head in nn.alibi(8, 2, 1)]
    assert slopes == [2.0**-place for place in range(1, 9)]
    graph = rax.trace(lambda x: nn.alibi(2, x.shape[0], 4, "float64"), rax.spec(("time",)))
    due = -np.abs(np.arange(3)[:, None] - np.arange(4)) * np.array([2.0**-4, 2.0**-8])[:, None, None]
    np.testing.assert_allclose(graph(np.ones(3, "float32")), due)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.dot_product_attention(QUERY, KEY[..., :1], VALUE), r"dot_product_attention needs \(\*lead, T, N"),
        (lambda: nn.dot_product_attention(QUERY[:, :, :3], KEY, VALUE), "3 heads do not share 2 groups of keys"),
        (
            lambda: nn.dot_product_attention(QUERY[0, 0], KEY, VALUE),
            r"needs \(\*lead, time, heads, size\), not",
        ),
        (lambda: nn.dot_product_attention(QUERY, KEY, VALUE, mask=BIAS), r"a mask is of bools, not float64\[4, 3, 5\]"),
        (lambda: nn.dot_product_attention(QUERY, KEY, VALUE, BIAS[:, :2]), r"shapes \[4, 2, 5\] and \[2, 4, 3, 5\]"),
        (lambda: nn.dot_product_attention(QUERY, KEY, VALUE, dropout_rate=0.5), "attention with dropout needs a key"),
        (lambda: nn.multi_head_attention_init(random.key(0), 8, 3), "8 features, 3 heads and 3 heads of keys do not"),
        (lambda: nn.multi_head_attention(parameters(2), np.ones((2, 8))), r"needs \(N, time, features\), not float64"),
        (lambda: nn.multi_head_attention(parameters(2), np.ones((1, 2, 5))), r"attention of float64\[1, 2, 5\] cannot"),
        (lambda: nn.extend_cache(nn.key_value_cache(1, 2, 2, 2), KEY, KEY), r"cannot take float64\[2, 5, 2, 2\]"),
        (lambda: nn.rotary(np.ones((1, 1, 3))), "rotary works on pairs of features; 3 is no even number"),
        (lambda: nn.rotary(QUERY, np.arange(2)), r"rotary of float64\[2, 3, 4, 2\] needs a position each time, not"),
        (lambda: nn.alibi(0, 1, 1), "alibi needs at least one head, not 0"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()
