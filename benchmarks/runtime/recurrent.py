"""A training step of a recurrent net, ``h = tanh(x @ input + h @ hidden + bias)``, on the mean squared error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rax
from benchmarks.runtime.peers import Loss, training
from benchmarks.runtime.work import Work
from rax import nn
from rax.ops.arrays import Array

RATE = 0.05


def work(time: int, hidden: int, batch: int) -> Work:
    """The step for sequences of one length, time first, with as many features as the state has."""
    rng = np.random.default_rng(0)
    x, target = (rng.standard_normal((time, batch, hidden), np.float32) for _ in range(2))
    spread = np.float32(hidden**-0.5)
    params = {
        "input": rng.standard_normal((hidden, hidden), np.float32) * spread,
        "hidden": rng.standard_normal((hidden, hidden), np.float32) * spread,
        "bias": rng.standard_normal(hidden, np.float32) * np.float32(0.1),
    }
    return training(
        params, [x, target], RATE, loss,
        jax_loss=jax_loss, torch_loss=torch_loss, by_hand=lambda own: by_hand(own, x, target),
    )  # fmt: skip


def loss(params: Any, x: rax.Tensor, target: rax.Tensor) -> rax.Tensor:
    """In rax: its recurrent layer, which is a scan."""
    outputs, _ = nn.rnn([{"forward": params}], x, time_major=True)
    return nn.mse(outputs, target)


def jax_loss(jax: Any) -> Loss:
    """In JAX: a scan, the product with the input before it."""

    def loss(params: Any, x: Any, target: Any) -> Any:
        def turn(h: Any, projected: Any) -> Any:
            h = jax.numpy.tanh(projected + h @ params["hidden"])
            return h, h

        first = jax.numpy.zeros(x.shape[1:], x.dtype)
        _, outputs = jax.lax.scan(turn, first, x @ params["input"] + params["bias"])
        return jax.numpy.mean((outputs - target) ** 2)

    return loss


def torch_loss(torch: Any) -> Loss:
    """In PyTorch: the function that its layer ``RNN`` calls."""

    def loss(params: Any, x: Any, target: Any) -> Any:
        weights = [params["input"].t(), params["hidden"].t(), params["bias"], torch.zeros_like(params["bias"])]
        first = torch.zeros(1, *x.shape[1:])
        outputs, _ = torch.rnn_tanh(x, first, weights, True, 1, 0.0, True, False, False)
        return torch.nn.functional.mse_loss(outputs, target)

    return loss


def by_hand(params: dict[str, Array], x: Array, target: Array) -> Callable[[], Any]:
    """In NumPy: one product for all the inputs, one for each gradient of a weight; all buffers kept."""
    time, batch, size = x.shape
    weight, hidden, bias = params["input"], params["hidden"], params["bias"]
    states = np.zeros((time + 1, batch, size), np.float32)  # the first is where every sequence starts
    projected, slopes = np.empty_like(x), np.empty_like(x)
    carried, bent = np.empty((batch, size), np.float32), np.empty((batch, size), np.float32)
    by_weight, by_hidden, by_bias = (np.empty_like(param) for param in (weight, hidden, bias))
    flat = (time * batch, size)
    one, rate, twice = np.float32(1), np.float32(RATE), np.float32(2 / max(x.size, 1))

    def step() -> Any:
        np.matmul(x.reshape(flat), weight, out=projected.reshape(flat))
        np.add(projected, bias, out=projected)
        for place in range(time):
            h = states[place + 1]
            np.matmul(states[place], hidden, out=h)
            np.tanh(np.add(h, projected[place], out=h), out=h)
        outputs = states[1:]
        np.subtract(outputs, target, out=slopes)
        loss = np.vdot(slopes, slopes) / np.float32(x.size)
        np.multiply(slopes, twice, out=slopes)
        carried.fill(0)
        for place in range(time - 1, -1, -1):
            slope, h = slopes[place], outputs[place]
            np.add(slope, carried, out=slope)
            np.subtract(one, np.multiply(h, h, out=bent), out=bent)
            np.multiply(slope, bent, out=slope)
            np.matmul(slope, hidden.T, out=carried)
        all_slopes = slopes.reshape(flat)
        np.matmul(x.reshape(flat).T, all_slopes, out=by_weight)
        np.matmul(states[:-1].reshape(flat).T, all_slopes, out=by_hidden)
        np.add.reduce(all_slopes, axis=0, out=by_bias)
        for param, move in ((weight, by_weight), (hidden, by_hidden), (bias, by_bias)):
            np.subtract(param, np.multiply(move, rate, out=move), out=param)
        return loss

    return step
