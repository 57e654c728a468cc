"""A training step of a small image classifier: three convolutions 3 x 3, pooled by their maximum between them."""

from __future__ import annotations

from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from benchmarks.runtime.peers import Loss, training
from benchmarks.runtime.work import Work
from rax import nn
from rax.ops.arrays import Array

RATE = 0.05
CLASSES = 10


def work(side: int, batch: int, channels: tuple[int, int, int]) -> Work:
    """The step on square images in three colours; the side is a multiple of 4."""
    rng = np.random.default_rng(0)
    params: dict[str, Array] = {}
    ins = 3
    for place, outs in enumerate(channels):
        spread = np.float32(np.sqrt(2 / (9 * ins)))
        params[f"kernel{place}"] = rng.standard_normal((outs, ins, 3, 3), np.float32) * spread
        params[f"bias{place}"] = rng.standard_normal(outs, np.float32) * np.float32(0.1)
        ins = outs
    params["weight"] = rng.standard_normal((ins, CLASSES), np.float32) * np.float32(ins**-0.5)
    params["bias"] = np.zeros(CLASSES, np.float32)
    images = rng.standard_normal((batch, 3, side, side), np.float32)
    labels = rng.integers(0, CLASSES, batch)
    return training(params, [images, labels], RATE, loss, jax_loss=jax_loss, torch_loss=torch_loss)


def loss(params: Any, x: rax.Tensor, labels: rax.Tensor) -> rax.Tensor:
    """In rax."""
    for place in range(3):
        x = nn.max_pool(x, 2) if place else x
        x = nn.relu(nn.conv(x, params[f"kernel{place}"], params[f"bias{place}"], padding="same"))
    return nn.cross_entropy(nn.dense(rnp.mean(x, axis=(2, 3)), params["weight"], params["bias"]), labels)


def jax_loss(jax: Any) -> Loss:
    """In JAX."""

    def pool(x: Any) -> Any:
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def loss(params: Any, x: Any, labels: Any) -> Any:
        for place in range(3):
            x = pool(x) if place else x
            x = jax.lax.conv_general_dilated(x, params[f"kernel{place}"], (1, 1), "SAME")
            x = jax.nn.relu(x + params[f"bias{place}"][:, None, None])
        logs = jax.nn.log_softmax(jax.numpy.mean(x, axis=(2, 3)) @ params["weight"] + params["bias"])
        return -jax.numpy.mean(jax.numpy.take_along_axis(logs, labels[:, None], axis=1))

    return loss


def torch_loss(torch: Any) -> Loss:
    """In PyTorch."""
    F: Any = torch.nn.functional  # noqa: N806  # the name its users know

    def loss(params: Any, x: Any, labels: Any) -> Any:
        for place in range(3):
            x = F.max_pool2d(x, 2) if place else x
            x = torch.relu(F.conv2d(x, params[f"kernel{place}"], params[f"bias{place}"], padding=1))
        return F.cross_entropy(x.mean((2, 3)) @ params["weight"] + params["bias"], labels)

    return loss
