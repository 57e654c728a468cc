"""Layer norm, then softmax: the value ``sum(softmax(layer_norm(x)) * target)`` and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from benchmarks.runtime.peers import library
from benchmarks.runtime.work import Contestant, Factory, Work
from rax import nn
from rax.ops.arrays import Array

EPSILON = 1e-5
Operands = list[Array]


def work(rows: int, columns: int) -> Work:
    """Value and gradient by the input, the scale and the bias."""
    rng = np.random.default_rng(0)
    shapes = [(rows, columns), (columns,), (columns,), (rows, columns)]
    operands = [rng.standard_normal(shape, np.float32) for shape in shapes]
    peers: dict[str, Factory] = {"numpy": lambda: by_hand(*operands)}
    if library("jax") is not None:
        peers["jax"] = lambda: in_jax(library("jax"), operands)
    if library("torch") is not None:
        peers["torch"] = lambda: in_torch(library("torch"), operands)

    def value(x: rax.Tensor, scale: rax.Tensor, bias: rax.Tensor, target: rax.Tensor) -> rax.Tensor:
        return rnp.sum(nn.softmax(nn.layer_norm(x, scale, bias, epsilon=EPSILON)) * target)

    both: Callable[..., Any] = rax.value_and_grad(value, argnums=(0, 1, 2))
    return Work(lambda: rax.trace(both, *operands), operands, [0.0] * 4, peers)


def by_hand(x: Array, scale: Array, bias: Array, target: Array) -> Contestant:
    """In NumPy: the gradient by ``x`` fresh, two more buffers of its size kept, everything with ``out=``."""
    columns = x.shape[1]
    normal, weights = np.empty_like(x), np.empty_like(x)
    share = np.float32(1 / max(columns, 1))

    def run() -> tuple[Any, ...]:
        np.subtract(x, np.add.reduce(x, axis=1, keepdims=True) * share, out=normal)
        variance = np.einsum("ij,ij->i", normal, normal) * share
        inverse = (1 / np.sqrt(variance + np.float32(EPSILON)))[:, None]
        np.multiply(normal, inverse, out=normal)
        np.multiply(normal, scale, out=weights)
        np.add(weights, bias, out=weights)
        np.subtract(weights, np.maximum.reduce(weights, axis=1, keepdims=True), out=weights)
        np.exp(weights, out=weights)
        np.divide(weights, np.add.reduce(weights, axis=1, keepdims=True), out=weights)
        expected = np.einsum("ij,ij->i", weights, target)
        slope = np.subtract(target, expected[:, None])
        np.multiply(slope, weights, out=slope)
        by_bias = np.add.reduce(slope, axis=0)
        by_scale = np.einsum("ij,ij->j", slope, normal)
        np.multiply(slope, scale, out=slope)
        middle = np.add.reduce(slope, axis=1, keepdims=True) * share
        along = (np.einsum("ij,ij->i", slope, normal) * share)[:, None]
        np.subtract(slope, middle, out=slope)
        np.subtract(slope, np.multiply(normal, along, out=normal), out=slope)
        np.multiply(slope, inverse, out=slope)
        return np.add.reduce(expected), slope, by_scale, by_bias

    return Contestant(run, lambda results: [np.array(result) for result in results])


def in_jax(jax: Any, operands: Operands) -> Contestant:
    """In JAX, compiled."""

    def value(x: Any, scale: Any, bias: Any, target: Any) -> Any:
        apart = x - jax.numpy.mean(x, axis=-1, keepdims=True)
        variance = jax.numpy.mean(apart * apart, axis=-1, keepdims=True)
        return jax.numpy.sum(jax.nn.softmax(apart * jax.lax.rsqrt(variance + EPSILON) * scale + bias) * target)

    held = [jax.numpy.array(operand) for operand in operands]
    both = jax.jit(jax.value_and_grad(value, argnums=(0, 1, 2)))

    def arrays(results: Any) -> list[Array]:
        return [np.array(results[0]), *[np.array(slope) for slope in results[1]]]

    return Contestant(lambda: jax.block_until_ready(both(*held)), arrays)


def in_torch(torch: Any, operands: Operands) -> Contestant:
    """In PyTorch."""
    *inputs, target = [torch.tensor(operand) for operand in operands]
    for each in inputs:
        each.requires_grad_()

    def run() -> Any:
        x, scale, bias = inputs
        weights = torch.nn.functional.layer_norm(x, x.shape[-1:], scale, bias, EPSILON).softmax(-1)
        value = (weights * target).sum()
        return [value, *torch.autograd.grad(value, inputs)]

    return Contestant(run, lambda results: [result.detach().numpy().copy() for result in results])
