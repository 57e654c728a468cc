"""Every function of a batch under each transform: batched, both modes, twice, and traced for any batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn, random

KEY = random.key(3)
STEP = 1e-5
Function = Callable[[Any], Any]


def fixed(*shape: int) -> np.ndarray:
    """Numbers that stay the same while ``x`` varies."""
    return np.random.default_rng(sum(shape)).normal(size=shape)


IDS = np.array([2, 0, 1])
LSTM = nn.lstm_init(KEY, 4, 2, bidirectional=True, dtype="float64")
HEADS = nn.multi_head_attention_init(KEY, 4, 2, kv_heads=1, dtype="float64")

ROWS: dict[str, Function] = {
    name: getattr(nn, name)
    for name in (
        "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "hard_tanh", "hard_sigmoid", "hard_silu", "sparse_plus",
        "sparse_sigmoid", "sigmoid", "tanh", "softplus", "log_sigmoid", "silu", "gelu", "mish", "soft_sign",
        "squareplus", "glu", "identity", "softmax", "log_softmax", "logsumexp", "standardize", "layer_norm", "rms_norm",
    )
} | {
    "log1mexp": lambda x: nn.log1mexp(x * x + 0.1),
    "masked softmax": lambda x: nn.softmax(x, where=fixed(4) > -0.5),
    "masked log_softmax": lambda x: nn.softmax(nn.log_softmax(x, where=fixed(4) > -0.5)),
    "dense": lambda x: nn.dense(x, fixed(4, 3), fixed(3)),
    "dropout": lambda x: nn.dropout(KEY, x, 0.5),
    "alpha_dropout": lambda x: nn.alpha_dropout(KEY, x, 0.5),
    "drop_path": lambda x: nn.drop_path(KEY, x, 0.5),
    "group_norm": lambda x: nn.group_norm(x, 2, fixed(4)),
    "batch_norm": lambda x: nn.batch_norm(
        x, fixed(4), fixed(4), nn.batch_norm_state(4, "float64"), training=True
    )[0],
    "sinusoidal_positions": lambda x: nn.sinusoidal_positions(x, 4),
    "cross_entropy": lambda x: nn.cross_entropy(x, rnp.argmax(x, axis=-1), label_smoothing=0.1, weight=fixed(4) ** 2),
    "soft cross_entropy": lambda x: nn.cross_entropy(x, nn.softmax(2 * x)),
    "nll_loss": lambda x: nn.nll_loss(nn.log_softmax(x), rnp.argmin(x, axis=-1)),
    "binary_cross_entropy": lambda x: nn.binary_cross_entropy(x, nn.sigmoid(3 * x), pos_weight=2.0),
    "mse": lambda x: nn.mse(x, rnp.sin(x)),
    "mae": lambda x: nn.mae(x, rnp.sin(3 * x)),
    "huber": lambda x: nn.huber(x, -x),
    "smooth_l1_loss": lambda x: nn.smooth_l1_loss(x, -x, 0.3),
    "log_cosh": lambda x: nn.log_cosh(x, -x),
    "hinge_loss": lambda x: nn.hinge_loss(x, rnp.sign(rnp.roll(x, 1, axis=-1))),
    "kl_divergence": lambda x: nn.kl_divergence(nn.log_softmax(x), nn.softmax(-x)),
    "cosine_similarity": lambda x: nn.cosine_similarity(x, rnp.sin(x)),
    "cosine_embedding_loss": lambda x: nn.cosine_embedding_loss(x, rnp.cos(x), rnp.sign(x[:, 0])),
    "contrastive_loss": lambda x: nn.contrastive_loss(x, rnp.cos(x), x[:, 0] > 0, 4.0),
    "triplet_margin_loss": lambda x: nn.triplet_margin_loss(x, rnp.cos(x), rnp.sin(2 * x), 3.0),
    "info_nce": lambda x: nn.info_nce(x, rnp.cos(x)),
    "nt_xent": lambda x: nn.nt_xent(x, rnp.cos(x)),
}  # fmt: skip
SIGNALS: dict[str, Function] = {
    "conv": lambda x: nn.conv(x, fixed(6, 2, 3), fixed(6), stride=2, padding="same", groups=2),
    "conv_transpose": lambda x: nn.conv_transpose(x, fixed(4, 3, 3), fixed(6), stride=2, padding=1, groups=2),
    "max_pool": lambda x: nn.max_pool(x, 3, stride=1, padding="same"),
    "avg_pool": lambda x: nn.avg_pool(x, 3, stride=2, padding=1),
    "lp_pool": lambda x: nn.lp_pool(x, 2, 3.0),
    "adaptive_avg_pool": lambda x: nn.adaptive_avg_pool(x, 3),
    "adaptive_max_pool": lambda x: nn.adaptive_max_pool(x, 3),
    "global_avg_pool": nn.global_avg_pool,
    "global_max_pool": nn.global_max_pool,
    "instance_norm": nn.instance_norm,
    "spatial_dropout": lambda x: nn.spatial_dropout(KEY, x, 0.5),
    "resize": lambda x: nn.resize(x, 3, "cubic"),
    "upsample": lambda x: nn.upsample(x, 2),
    "pixel_shuffle": lambda x: nn.pixel_shuffle(x, 2),
    "flatten": nn.flatten,
    "weight_standardization": nn.weight_standardization,
    "lstm": lambda x: nn.lstm(LSTM, rnp.moveaxis(x, 1, 2), lengths=rnp.sum(x[:, :, 0] > 0, axis=1) + 1)[0],
    "ctc_loss": lambda x: nn.ctc_loss(x, rnp.broadcast_to(rnp.asarray([[1, 2]]), (x.shape[0], 2)), reduction="none"),
    "multi_head_attention": lambda x: nn.multi_head_attention(
        HEADS, rnp.moveaxis(x, 1, 2), is_causal=True, rotary_base=10.0
    ),
    "rotary": lambda x: nn.rotary(rnp.reshape(x, (x.shape[0], 2, 2, 6))),
}
CASES = {**{name: (f, (3, 4)) for name, f in ROWS.items()}, **{name: (f, (3, 4, 6)) for name, f in SIGNALS.items()}}


@pytest.mark.parametrize("name", CASES)
def test_transforms(name: str) -> None:
    function, shape = CASES[name]
    rng = np.random.default_rng(12)
    x, move = rng.normal(size=(2, *shape))
    value = np.asarray(function(x))
    weights = rng.normal(size=value.shape)

    def slope(x: Any) -> Any:
        return rax.grad(lambda x: rnp.sum(function(x) * weights))(x)

    rows = np.stack([x, move])
    np.testing.assert_allclose(rax.vmap(function)(rows), np.stack([value, function(move)]), atol=1e-12)
    last = rax.vmap(function, in_axes=x.ndim)(np.stack([x, move], axis=-1))
    np.testing.assert_allclose(last, np.stack([value, function(move)]), atol=1e-12)

    _, tangent = rax.jvp(function, (x,), (move,))
    ends = [np.asarray(function(x + sign * STEP * move)) for sign in (1, -1)]
    np.testing.assert_allclose(tangent, (ends[0] - ends[1]) / (2 * STEP), rtol=1e-5, atol=1e-6)
    backward = np.asarray(slope(x))
    assert np.sum(backward * move) == pytest.approx(np.sum(np.asarray(tangent) * weights), rel=1e-9, abs=1e-12)

    _, curve = rax.jvp(slope, (x,), (move,))
    ends = [np.asarray(slope(x + sign * STEP * move)) for sign in (1, -1)]
    np.testing.assert_allclose(curve, (ends[0] - ends[1]) / (2 * STEP), rtol=1e-4, atol=1e-5)
    again = rax.grad(lambda x: rnp.sum(rax.grad(lambda x: rnp.sum(function(x) * weights))(x) * move))(x)
    np.testing.assert_allclose(again, curve, rtol=1e-9, atol=1e-11)

    graph = rax.trace(function, rax.spec(("batch", *shape[1:]), "float64"))
    np.testing.assert_allclose(graph(x), value, atol=1e-12)
    assert np.all(np.isfinite(graph(x[:1])))
