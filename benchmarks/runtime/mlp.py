"""A training step of a network of dense layers: rectifiers between them, cross entropy at the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import rax
from benchmarks.runtime.peers import Loss, training
from benchmarks.runtime.work import Work
from rax import nn
from rax.ops.arrays import Array

RATE = 0.05


def work(widths: tuple[int, ...], batch: int) -> Work:
    """The step for layers of some widths."""
    rng = np.random.default_rng(0)
    params = parameters(widths)
    x = rng.standard_normal((batch, widths[0]), np.float32)
    y = rng.integers(0, widths[-1], batch)
    return training(
        params, [x, y], RATE, loss,
        jax_loss=jax_loss, torch_loss=torch_loss, autograd_loss=autograd_loss,
        by_hand=lambda own: by_hand(own, x, y),
    )  # fmt: skip


def parameters(widths: tuple[int, ...]) -> dict[str, Array]:
    """``weight0``, ``bias0``, ``weight1``, … of the layers."""
    rng = np.random.default_rng(1)
    params: dict[str, Array] = {}
    for place, (ins, outs) in enumerate(itertools.pairwise(widths)):
        params[f"weight{place}"] = rng.standard_normal((ins, outs), np.float32) * np.float32(np.sqrt(2 / ins))
        params[f"bias{place}"] = rng.standard_normal(outs, np.float32) * np.float32(0.1)
    return params


def layers(params: Any) -> list[tuple[Any, Any]]:
    """The weight and bias of each layer."""
    return [(params[f"weight{place}"], params[f"bias{place}"]) for place in range(len(params) // 2)]


def logits(params: Any, x: rax.Tensor) -> rax.Tensor:
    """The scores of the classes."""
    *hidden, last = layers(params)
    for weight, bias in hidden:
        x = nn.relu(nn.dense(x, weight, bias))
    return nn.dense(x, *last)


def loss(params: Any, x: rax.Tensor, y: rax.Tensor) -> rax.Tensor:
    """In rax."""
    return nn.cross_entropy(logits(params, x), y)


def jax_loss(jax: Any) -> Loss:
    """In JAX."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        *hidden, last = layers(params)
        for weight, bias in hidden:
            x = jax.nn.relu(x @ weight + bias)
        logs = jax.nn.log_softmax(x @ last[0] + last[1])
        return -jax.numpy.mean(jax.numpy.take_along_axis(logs, y[:, None], axis=1))

    return loss


def torch_loss(torch: Any) -> Loss:
    """In PyTorch."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        *hidden, last = layers(params)
        for weight, bias in hidden:
            x = torch.relu(torch.addmm(bias, x, weight))
        return torch.nn.functional.cross_entropy(torch.addmm(last[1], x, last[0]), y)

    return loss


def autograd_loss(namespace: Any) -> Loss:
    """In autograd's NumPy."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        *hidden, last = layers(params)
        for weight, bias in hidden:
            x = namespace.maximum(namespace.dot(x, weight) + bias, np.float32(0))
        scores = namespace.dot(x, last[0]) + last[1]
        scores = scores - namespace.max(scores, axis=1, keepdims=True)
        logs = scores - namespace.log(namespace.sum(namespace.exp(scores), axis=1, keepdims=True))
        return -namespace.mean(logs[np.arange(len(y)), y])

    return loss


def by_hand(params: dict[str, Array], x: Array, y: Array) -> Callable[[], Any]:
    """In NumPy: products into buffers kept from step to step, everything else in place."""
    pairs = layers(params)
    outs = [np.empty((len(x), len(bias)), np.float32) for _, bias in pairs]
    slopes = [np.empty_like(out) for out in outs[:-1]]
    masks = [np.empty(out.shape, bool) for out in outs[:-1]]
    steps = [(np.empty_like(weight), np.empty_like(bias)) for weight, bias in pairs]
    rows, zero, rate = np.arange(len(x)), np.float32(0), np.float32(RATE)
    share = np.float32(1 / max(len(x), 1))
    top, total = np.empty((len(x), 1), np.float32), np.empty((len(x), 1), np.float32)

    def step() -> Any:
        below = x
        for place, (weight, bias) in enumerate(pairs):
            out = outs[place]
            np.matmul(below, weight, out=out)
            np.add(out, bias, out=out)
            if place < len(masks):
                np.maximum(out, zero, out=out)
            below = out
        scores = outs[-1]
        np.subtract(scores, np.maximum.reduce(scores, axis=1, keepdims=True, out=top), out=scores)
        chosen = scores[rows, y]
        np.exp(scores, out=scores)
        np.add.reduce(scores, axis=1, keepdims=True, out=total)
        loss = np.mean(np.log(total[:, 0]) - chosen)
        np.divide(scores, total, out=scores)
        scores[rows, y] -= 1
        slope = np.multiply(scores, share, out=scores)
        for place in range(len(pairs) - 1, -1, -1):
            weight, bias = pairs[place]
            moved, shifted = steps[place]
            np.matmul((outs[place - 1] if place else x).T, slope, out=moved)
            np.add.reduce(slope, axis=0, out=shifted)
            if place:
                under = slopes[place - 1]
                np.matmul(slope, weight.T, out=under)
                np.greater(outs[place - 1], zero, out=masks[place - 1])
                slope = np.multiply(under, masks[place - 1], out=under)
            np.subtract(weight, np.multiply(moved, rate, out=moved), out=weight)
            np.subtract(bias, np.multiply(shifted, rate, out=shifted), out=bias)
        return loss

    return step
