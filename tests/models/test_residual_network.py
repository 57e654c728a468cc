"""A residual convolutional network with batch normalisation, whose running statistics are state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
import rax.numpy as rnp
from rax import nn, random
from tests.models.training import arrays, check_slopes, saved, trained

CHANNELS, CLASSES, SIDE = 4, 3, 6
KERNELS = {
    "stem": (CHANNELS, 1, 3, 3),
    "first": (CHANNELS, CHANNELS, 3, 3),
    "second": (CHANNELS, CHANNELS, 3, 3),
    "down": (2 * CHANNELS, CHANNELS, 3, 3),
    "across": (2 * CHANNELS, CHANNELS, 1, 1),
}


def init(key: rax.Tensor) -> tuple[Any, Any]:
    *keys, out = random.split(key, len(KERNELS) + 1)
    params: dict[str, Any] = {
        name: {
            "kernel": nn.he_normal(part, shape, "float64"),
            "scale": rnp.ones((shape[0],), dtype="float64"),
            "bias": rnp.zeros((shape[0],), dtype="float64"),
        }
        for (name, shape), part in zip(KERNELS.items(), keys, strict=True)
    }
    params["out"] = nn.glorot_normal(out, (2 * CHANNELS, CLASSES), "float64")
    return params, {name: nn.batch_norm_state(shape[0], "float64") for name, shape in KERNELS.items()}


def logits(params: Any, state: Any, images: Any, training: bool) -> tuple[Any, Any]:
    new: dict[str, Any] = {}

    def block(name: str, x: Any, stride: int = 1) -> Any:
        part = params[name]
        x = nn.conv(x, part["kernel"], stride=stride, padding="same")
        y, new[name] = nn.batch_norm(x, part["scale"], part["bias"], state[name], training=training)
        return y

    x = nn.relu(block("stem", images))
    x = nn.relu(x + block("second", nn.relu(block("first", x))))
    x = nn.relu(block("down", x, 2) + block("across", x, 2))
    return nn.dense(nn.global_avg_pool(x), params["out"]), new


def loss(params: Any, state: Any, batch: Any) -> tuple[Any, Any]:
    scores, new = logits(params, state, batch["images"], True)
    return nn.cross_entropy(scores, batch["labels"]), new


def convolved(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """With as much padding as gives ``ceil(size / stride)`` windows, an odd zero behind."""
    size, window = x.shape[-1], kernel.shape[-1]
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    pair = (total // 2, total - total // 2)
    padded = np.pad(x, [(0, 0), (0, 0), pair, pair])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], kernel)


def scores(params: Any, images: np.ndarray, state: Any, new: Any) -> np.ndarray:
    """The forward pass in NumPy; in training, when ``new`` is given, it is filled with the new state."""

    def block(name: str, x: np.ndarray, stride: int = 1) -> np.ndarray:
        part = params[name]
        x = convolved(x, part["kernel"], stride)
        mean, var = (np.asarray(numbers) for numbers in state[name])
        if new is not None:
            rows = x.swapaxes(0, 1).reshape(len(mean), -1)
            new[name] = 0.9 * mean + 0.1 * rows.mean(1), 0.9 * var + 0.1 * rows.var(1, ddof=1)
            mean, var = rows.mean(1), rows.var(1)
        lined = (-1, 1, 1)
        normal = (x - mean.reshape(lined)) / np.sqrt(var.reshape(lined) + 1e-5)
        return normal * part["scale"].reshape(lined) + part["bias"].reshape(lined)

    x = np.maximum(block("stem", images), 0)
    x = np.maximum(x + block("second", np.maximum(block("first", x), 0)), 0)
    x = np.maximum(block("down", x, 2) + block("across", x, 2), 0)
    return x.mean((2, 3)) @ params["out"]


def truth(params: Any, state: Any, batch: Any) -> float:
    logs = special.log_softmax(scores(params, batch["images"], state, {}), axis=1)
    return float(-np.mean(logs[np.arange(len(logs)), batch["labels"]]))


def pictures(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Noise with a bar in it: lying, standing or aslant."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, size=count)
    images = rng.normal(size=(count, 1, SIDE, SIDE)) / 4
    for image, label in zip(images[:, 0], labels, strict=True):
        place = rng.integers(0, SIDE)
        if label == 0:
            image[place] += 1
        elif label == 1:
            image[:, place] += 1
        else:
            image += np.eye(SIDE)
    return {"images": images, "labels": labels}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> rax.Program:
    batch = {
        "images": rax.spec(("batch", 1, SIDE, SIDE), "float64"),
        "labels": rax.spec(("batch",), "int64"),
    }
    return saved(
        tmp_path_factory.mktemp("residual"), init, loss, batch, 0.02,
        predict=lambda params, state, batch: logits(params, state, batch["images"], False)[0],
    )  # fmt: skip


def test_the_file_gives_numpys_loss_and_gradient(file: rax.Program) -> None:
    check_slopes(file, truth, pictures(4))


def test_training_the_file_lowers_the_loss_and_moves_the_state(file: rax.Program) -> None:
    batches = [pictures(16, seed) for seed in range(40)]
    out, losses = trained(file, batches)
    assert losses[-1] < losses[0] / 3
    params, state = arrays(out["params"]), arrays(out["state"])
    batch = pictures(5, 99)
    predicted = file["predict"](params, state, batch)
    np.testing.assert_allclose(predicted, scores(params, batch["images"], state, None), atol=1e-10)
    start, new = arrays(file["init"](0)), {}
    scores(start["params"], batches[0]["images"], start["state"], new)
    after, _ = trained(file, batches[:1])
    for name, pair in new.items():
        np.testing.assert_allclose(after["state"][name].mean, pair[0], atol=1e-12)
        np.testing.assert_allclose(after["state"][name].var, pair[1], atol=1e-12)
