"""A training step of a transformer that predicts the next token: causal attention and an MLP in each layer."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from benchmarks.runtime.peers import Loss, training
from benchmarks.runtime.work import Work
from rax import nn
from rax.ops.arrays import Array

RATE = 0.1
EPSILON = 1e-5


@dataclass(frozen=True)
class Sizes:
    """Those of the model and of a batch."""

    layers: int = 4
    width: int = 256
    heads: int = 4
    words: int = 256
    time: int = 128
    batch: int = 8


def work(sizes: Sizes) -> Work:
    """The step on random tokens."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, sizes.words, (sizes.batch, sizes.time + 1))
    batch = [np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:])]
    return training(
        parameters(sizes), batch, RATE, functools.partial(loss, sizes),
        jax_loss=functools.partial(jax_loss, sizes), torch_loss=functools.partial(torch_loss, sizes),
    )  # fmt: skip


def sized(quick: bool) -> Work:
    """The step in the sizes of the table, or in small ones."""
    return work(Sizes(layers=2, width=16, heads=2, words=11, time=6, batch=2) if quick else Sizes())


def parameters(sizes: Sizes) -> dict[str, Array]:
    """Weights, biases and scales by name, those of layer 0 ending in ``0``."""
    rng = np.random.default_rng(1)
    width = sizes.width
    shapes: dict[str, tuple[int, ...]] = {"table": (sizes.words, width), "position": (sizes.time, width)}
    for layer in range(sizes.layers):
        shapes |= {f"scale_a{layer}": (width,), f"shift_a{layer}": (width,)}
        shapes |= {f"joint{layer}": (width, 3 * width), f"joint_bias{layer}": (3 * width,)}
        shapes |= {f"out{layer}": (width, width), f"out_bias{layer}": (width,)}
        shapes |= {f"scale_b{layer}": (width,), f"shift_b{layer}": (width,)}
        shapes |= {f"up{layer}": (width, 4 * width), f"up_bias{layer}": (4 * width,)}
        shapes |= {f"down{layer}": (4 * width, width), f"down_bias{layer}": (width,)}
    shapes |= {"scale": (width,), "shift": (width,), "read": (width, sizes.words)}
    params: dict[str, Array] = {}
    for name, shape in shapes.items():
        spread = 0.1 if len(shape) == 1 else shape[0] ** -0.5
        middle = np.float32(name.startswith("scale"))
        params[name] = rng.standard_normal(shape, np.float32) * np.float32(spread) + middle
    return params


def loss(sizes: Sizes, params: Any, words: rax.Tensor, targets: rax.Tensor) -> rax.Tensor:
    """In rax."""
    p = params
    x = nn.embedding(p["table"], words) + p["position"]
    parted = (*x.shape[:2], 3, sizes.heads, sizes.width // sizes.heads)
    for n in range(sizes.layers):
        normal = nn.layer_norm(x, p[f"scale_a{n}"], p[f"shift_a{n}"], epsilon=EPSILON)
        joint = rnp.reshape(nn.dense(normal, p[f"joint{n}"], p[f"joint_bias{n}"]), parted)
        seen = nn.dot_product_attention(joint[:, :, 0], joint[:, :, 1], joint[:, :, 2], is_causal=True)
        x = x + nn.dense(rnp.reshape(seen, x.shape), p[f"out{n}"], p[f"out_bias{n}"])
        normal = nn.layer_norm(x, p[f"scale_b{n}"], p[f"shift_b{n}"], epsilon=EPSILON)
        hidden = nn.gelu(nn.dense(normal, p[f"up{n}"], p[f"up_bias{n}"]))
        x = x + nn.dense(hidden, p[f"down{n}"], p[f"down_bias{n}"])
    return nn.cross_entropy(nn.dense(nn.layer_norm(x, p["scale"], p["shift"], epsilon=EPSILON), p["read"]), targets)


def jax_loss(sizes: Sizes, jax: Any) -> Loss:
    """In JAX."""
    jnp: Any = jax.numpy

    def normed(x: Any, scale: Any, shift: Any) -> Any:
        apart = x - jnp.mean(x, axis=-1, keepdims=True)
        return apart * jax.lax.rsqrt(jnp.mean(apart * apart, axis=-1, keepdims=True) + EPSILON) * scale + shift

    def loss(p: Any, words: Any, targets: Any) -> Any:
        x = p["table"][words] + p["position"]
        parted = (*x.shape[:2], 3, sizes.heads, sizes.width // sizes.heads)
        for n in range(sizes.layers):
            normal = normed(x, p[f"scale_a{n}"], p[f"shift_a{n}"])
            joint = jnp.reshape(normal @ p[f"joint{n}"] + p[f"joint_bias{n}"], parted)
            seen = jax.nn.dot_product_attention(joint[:, :, 0], joint[:, :, 1], joint[:, :, 2], is_causal=True)
            x = x + jnp.reshape(seen, x.shape) @ p[f"out{n}"] + p[f"out_bias{n}"]
            normal = normed(x, p[f"scale_b{n}"], p[f"shift_b{n}"])
            hidden = jax.nn.gelu(normal @ p[f"up{n}"] + p[f"up_bias{n}"], approximate=False)
            x = x + hidden @ p[f"down{n}"] + p[f"down_bias{n}"]
        logs = jax.nn.log_softmax(normed(x, p["scale"], p["shift"]) @ p["read"])
        return -jnp.mean(jnp.take_along_axis(logs, targets[..., None], axis=-1))

    return loss


def torch_loss(sizes: Sizes, torch: Any) -> Loss:
    """In PyTorch."""
    F: Any = torch.nn.functional  # noqa: N806  # the name its users know

    def dense(x: Any, weight: Any, bias: Any) -> Any:
        return F.linear(x, weight.t(), bias)

    def loss(p: Any, words: Any, targets: Any) -> Any:
        x = F.embedding(words, p["table"]) + p["position"]
        parted = (*x.shape[:2], 3, sizes.heads, sizes.width // sizes.heads)
        for n in range(sizes.layers):
            normal = F.layer_norm(x, x.shape[-1:], p[f"scale_a{n}"], p[f"shift_a{n}"], EPSILON)
            joint = dense(normal, p[f"joint{n}"], p[f"joint_bias{n}"]).reshape(parted).permute(2, 0, 3, 1, 4)
            seen = F.scaled_dot_product_attention(joint[0], joint[1], joint[2], is_causal=True).transpose(1, 2)
            x = x + dense(seen.reshape(x.shape), p[f"out{n}"], p[f"out_bias{n}"])
            normal = F.layer_norm(x, x.shape[-1:], p[f"scale_b{n}"], p[f"shift_b{n}"], EPSILON)
            hidden = F.gelu(dense(normal, p[f"up{n}"], p[f"up_bias{n}"]))
            x = x + dense(hidden, p[f"down{n}"], p[f"down_bias{n}"])
        scores = F.layer_norm(x, x.shape[-1:], p["scale"], p["shift"], EPSILON) @ p["read"]
        return F.cross_entropy(scores.flatten(0, 1), targets.flatten())

    return loss
