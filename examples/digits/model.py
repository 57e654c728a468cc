"""Two networks for 8 × 8 images of digits, and what is done with a network: loss, training, test.

All are pure functions of nests of tensors. A network is a pair of them: ``init(key)`` gives its
parameters, ``logits(params, images)`` the scores of the ten classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rax
import rax.numpy as rnp
from rax import Tensor, nn, optim, random

CLASSES = 10
SIDE = 8
BRIGHTEST = 16
Params = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """How to make parameters from a key, and scores from parameters and images; the learning rate."""

    init: Callable[[Tensor], Params]
    logits: Callable[[Params, Tensor], Tensor]
    rate: float


def mlp_init(key: Tensor, width: int = 256) -> Params:
    """Two dense layers."""
    first, second = random.split(key)
    return {
        "hidden": {"weight": nn.he_normal(first, (SIDE * SIDE, width)), "bias": rnp.zeros((width,))},
        "output": {"weight": nn.glorot_normal(second, (width, CLASSES)), "bias": rnp.zeros((CLASSES,))},
    }


def mlp_logits(params: Params, images: Tensor) -> Tensor:
    """64 pixels, one hidden layer, 10 scores."""
    with rax.scope("hidden"):
        hidden = nn.relu(nn.dense(nn.flatten(images / BRIGHTEST), **params["hidden"]))
    with rax.scope("output"):
        return nn.dense(hidden, **params["output"])


def conv_init(key: Tensor) -> Params:
    """Two convolutions and two dense layers."""
    keys = list(random.split(key, 4))
    return {
        "conv1": {"kernel": nn.he_normal(keys[0], (16, 1, 3, 3)), "bias": rnp.zeros((16,))},
        "conv2": {"kernel": nn.he_normal(keys[1], (32, 16, 3, 3)), "bias": rnp.zeros((32,))},
        "hidden": {"weight": nn.he_normal(keys[2], (32 * 4 * 4, 64)), "bias": rnp.zeros((64,))},
        "output": {"weight": nn.glorot_normal(keys[3], (64, CLASSES)), "bias": rnp.zeros((CLASSES,))},
    }


def conv_logits(params: Params, images: Tensor) -> Tensor:
    """Two convolutions, the larger of each four neighbours, and two dense layers."""
    x = rnp.expand_dims(images / BRIGHTEST, axis=1)
    for name in ("conv1", "conv2"):
        with rax.scope(name):
            x = nn.relu(nn.conv(x, **params[name], padding="same"))
    x = nn.max_pool(x, 2)
    with rax.scope("hidden"):
        x = nn.relu(nn.dense(nn.flatten(x), **params["hidden"]))
    with rax.scope("output"):
        return nn.dense(x, **params["output"])


NETWORKS = {"mlp": Network(mlp_init, mlp_logits, rate=1e-2), "conv": Network(conv_init, conv_logits, rate=5e-3)}


def shifted(key: Tensor, images: Tensor) -> Tensor:
    """Each image as it is, or (one in four each) a pixel to the left or to the right; zeros come in."""
    count = images.shape[0]
    with rax.scope("shifted"):
        padded = rnp.zeros((count, SIDE, SIDE + 2))
        padded[:, :, 1:-1] = images
        start = rnp.sum(random.randint(key, (2, count, 1), 0, 2), axis=0)
        columns = start + rnp.arange(SIDE)
        return rnp.take_along_axis(padded, columns[:, None, :], axis=2)


def program(network: Network, steps: int) -> rax.Program:
    """The entries of the file: ``init``, ``predict``, ``loss``, ``train_step``, ``test``.

    Args:
        network: what is trained.
        steps: the number of training steps the learning rate is planned for.
    """
    opt = optim.adamw(optim.cosine_decay(network.rate, steps, end=network.rate / 100), weight_decay=0.1)

    def init(seed: Tensor) -> dict[str, Any]:
        params = network.init(random.key(seed))
        return {"params": params, "opt_state": opt.init(params)}

    def predict(params: Params, images: Tensor) -> dict[str, Tensor]:
        scores = network.logits(params, images)
        return {"predictions": rnp.argmax(scores, axis=-1), "probabilities": nn.softmax(scores)}

    def loss(params: Params, images: Tensor, labels: Tensor) -> Tensor:
        return nn.cross_entropy(network.logits(params, images), labels)

    def train_step(params: Params, opt_state: Any, images: Tensor, labels: Tensor) -> dict[str, Any]:
        key = random.fold_in(random.key(0), opt_state["step"])
        value, grads = rax.value_and_grad(loss)(params, shifted(key, images), labels)
        params, opt_state = opt.update(params, grads, opt_state)
        return {"params": params, "opt_state": opt_state, "loss": value}

    def test(params: Params, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        scores = network.logits(params, images)
        predictions = rnp.argmax(scores, axis=-1)
        right = rnp.astype(predictions == labels, rnp.float32)
        return {
            "predictions": predictions,
            "confidence": rnp.max(nn.softmax(scores), axis=-1),
            "accuracy": rnp.mean(right),
        }

    images, labels = rax.spec(("batch", SIDE, SIDE)), rax.spec(("batch",), "int64")
    made = rax.trace(init, rax.spec((), "int64"))
    start = made(0)
    params = start["params"]
    return rax.Program(
        init=made,
        predict=rax.trace(predict, params, images),
        loss=rax.trace(loss, params, images, labels),
        train_step=rax.trace(train_step, params, start["opt_state"], images, labels),
        test=rax.trace(test, params, images, labels),
        main="test",
    )
