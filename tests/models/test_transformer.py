"""A transformer language model: rotary grouped-query attention and an MLP in two blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
from rax import nn, random
from tests.models.training import arrays, check_slopes, saved, trained

WORDS, WIDTH, HEADS, GROUPS, BLOCKS, BASE = 7, 8, 4, 2, 2, 50.0


def init(key: rax.Tensor) -> tuple[Any, Any]:
    table, out, *keys = random.split(key, 2 + 3 * BLOCKS)
    blocks = [
        {
            "attention": nn.multi_head_attention_init(keys[3 * n], WIDTH, HEADS, kv_heads=GROUPS, dtype="float64"),
            "up": nn.lecun_normal(keys[3 * n + 1], (WIDTH, 2 * WIDTH), "float64"),
            "down": nn.lecun_normal(keys[3 * n + 2], (2 * WIDTH, WIDTH), "float64"),
            "scales": random.normal(keys[3 * n], (2, WIDTH), "float64") / 10 + 1,
        }
        for n in range(BLOCKS)
    ]
    return {
        "table": random.normal(table, (WORDS, WIDTH), "float64"),
        "blocks": blocks,
        "out": nn.glorot_normal(out, (WIDTH, WORDS), "float64"),
    }, {}


def logits(params: Any, words: Any, caches: Any = None) -> Any:
    x = nn.embedding(params["table"], words)
    kept = []
    for number, block in enumerate(params["blocks"]):
        options: dict[str, Any] = {"is_causal": True, "rotary_base": BASE}
        normal = nn.layer_norm(x, block["scales"][0])
        if caches is None:
            x = x + nn.multi_head_attention(block["attention"], normal, **options)
        else:
            moved, cache = nn.multi_head_attention(block["attention"], normal, cache=caches[number], **options)
            x = x + moved
            kept.append(cache)
        x = x + nn.dense(nn.gelu(nn.dense(nn.layer_norm(x, block["scales"][1]), block["up"])), block["down"])
    scores = nn.dense(nn.layer_norm(x), params["out"])
    return scores if caches is None else (scores, kept)


def loss(params: Any, state: Any, words: Any) -> tuple[Any, Any]:
    return nn.cross_entropy(logits(params, words[:, :-1]), words[:, 1:]), state


def normed(x: np.ndarray, scale: Any = 1.0) -> np.ndarray:
    return scale * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def turned(x: np.ndarray) -> np.ndarray:
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[1])[:, None, None] * BASE ** (-np.arange(half) / half)
    rotated = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)
    return np.concatenate([rotated.real, rotated.imag], axis=-1)


def scores(params: Any, words: np.ndarray) -> np.ndarray:
    """The forward pass in NumPy, a head at a time."""
    x = params["table"][words]
    for block in params["blocks"]:
        p, normal = block["attention"], normed(x, block["scales"][0])
        q, k, v = (
            np.einsum("ntf,fhs->nths", normal, p[part]["weight"]) + p[part]["bias"]
            for part in ("query", "key", "value")
        )
        q, k = turned(q), turned(k)
        for head in range(HEADS):
            group = head * GROUPS // HEADS
            products = np.einsum("nts,nus->ntu", q[:, :, head], k[:, :, group]) / np.sqrt(WIDTH // HEADS)
            products[:, np.triu_indices(words.shape[1], 1)[0], np.triu_indices(words.shape[1], 1)[1]] = -np.inf
            x = x + special.softmax(products, axis=-1) @ v[:, :, group] @ p["output"]["weight"][head]
        x = x + p["output"]["bias"]
        hidden = normed(x, block["scales"][1]) @ block["up"]
        x = x + hidden * special.ndtr(hidden) @ block["down"]
    return normed(x) @ params["out"]


def truth(params: Any, state: Any, words: np.ndarray) -> float:
    del state
    logs = special.log_softmax(scores(params, words[:, :-1]), axis=-1)
    return float(-np.mean(np.take_along_axis(logs, words[:, 1:, None], axis=-1)))


def sentences(count: int, length: int = 6, seed: int = 0) -> np.ndarray:
    """Each word is three times the one before, plus one."""
    words = [np.random.default_rng(seed).integers(0, WORDS, size=count)]
    for _ in range(length - 1):
        words.append((3 * words[-1] + 1) % WORDS)
    return np.stack(words, axis=1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> rax.Program:
    return saved(
        tmp_path_factory.mktemp("transformer"), init, loss, rax.spec(("batch", "time"), "int64"), 0.02,
        logits=lambda params, state, words: logits(params, words),
    )  # fmt: skip


def test_the_file_gives_numpys_loss_and_gradient(file: rax.Program) -> None:
    check_slopes(file, truth, sentences(3))
    params = arrays(file["init"](0))["params"]
    words = sentences(2, 4)
    np.testing.assert_allclose(file["logits"](params, {}, words), scores(params, words), atol=1e-10)


def test_training_the_file_lowers_the_loss(file: rax.Program) -> None:
    out, losses = trained(file, [sentences(8, seed=seed) for seed in range(30)])
    assert losses[0] > 1
    assert losses[-1] < losses[0] / 3
    assert truth(arrays(out["params"]), {}, sentences(20, seed=99)) < losses[0] / 3


def test_writing_word_by_word_is_reading_the_whole(file: rax.Program) -> None:
    params, words = arrays(file["init"](0))["params"], sentences(2)
    whole = np.asarray(file["logits"](params, {}, words))
    caches: Any = [nn.key_value_cache(2, 6, GROUPS, WIDTH // HEADS, "float64") for _ in range(BLOCKS)]
    step = rax.jit(lambda params, word, caches: logits(params, word, caches))
    for time in range(6):
        found, caches = step(params, words[:, time : time + 1], caches)
        np.testing.assert_allclose(np.asarray(found)[:, 0], whole[:, time], atol=1e-12)


def test_the_file_holds_attention_whole(tmp_path: Path, file: rax.Program) -> None:
    rax.save(file["logits"], tmp_path / "logits.msgpack")
    assert str(rax.load(tmp_path / "logits.msgpack")["main"]).count("= dot_product_attention") == BLOCKS
