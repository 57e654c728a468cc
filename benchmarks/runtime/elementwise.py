"""One expression over many numbers: ``tanh(x) * exp(-x**2) + sqrt(abs(x) + 1) - x / 2``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from benchmarks.runtime.peers import library
from benchmarks.runtime.work import Contestant, Factory, Work
from rax.ops.arrays import Array


def work(count: int) -> Work:
    """The expression over so many numbers."""
    x = np.random.default_rng(0).standard_normal(count, np.float32)
    peers: dict[str, Factory] = {"numpy": lambda: by_hand(x)}
    for name, make in (("jax", in_jax), ("torch", in_torch)):
        if library(name) is not None:
            peers[name] = _bound(make, library(name), x)
    if library("onnxruntime") is not None and library("onnx") is not None:
        peers["onnxruntime"] = lambda: in_onnx(x)
    return Work(lambda: rax.trace(functools.partial(expression, rnp), x), (x,), [0.0], peers)


def _bound(make: Callable[[Any, Array], Contestant], library: Any, x: Array) -> Factory:
    return lambda: make(library, x)


def expression(namespace: Any, x: Any) -> Any:
    """Written for any namespace of NumPy's names."""
    n = namespace
    return n.tanh(x) * n.exp(-(x * x)) + n.sqrt(n.abs(x) + 1) - x / 2


def by_hand(x: Array) -> Contestant:
    """In NumPy: whole arrays, the result fresh, two buffers kept, everything with ``out=``."""
    first, second = np.empty_like(x), np.empty_like(x)
    one, half = np.float32(1), np.float32(0.5)

    def run() -> Array:
        result = np.tanh(x)
        np.negative(np.multiply(x, x, out=first), out=first)
        np.multiply(result, np.exp(first, out=first), out=result)
        np.add(np.absolute(x, out=second), one, out=second)
        np.add(result, np.sqrt(second, out=second), out=result)
        return np.subtract(result, np.multiply(x, half, out=first), out=result)

    return Contestant(run, lambda result: [result.copy()])


def in_jax(jax: Any, x: Array) -> Contestant:
    """In JAX, compiled."""
    held, compiled = jax.numpy.array(x), jax.jit(functools.partial(expression, jax.numpy))
    return Contestant(lambda: compiled(held).block_until_ready(), lambda result: [np.array(result)])


def in_torch(torch: Any, x: Array) -> Contestant:
    """In PyTorch, eager."""
    held = torch.tensor(x)
    return Contestant(lambda: expression(torch, held), lambda result: [result.numpy().copy()])


def in_onnx(x: Array) -> Contestant:
    """In ONNX Runtime."""
    onnx, runtime = library("onnx"), library("onnxruntime")
    helper: Any = onnx.helper
    steps = [
        ("Tanh", "x", "tanh"), ("Mul", "x x", "square"), ("Neg", "square", "negative"), ("Exp", "negative", "exp"),
        ("Mul", "tanh exp", "product"), ("Abs", "x", "abs"), ("Add", "abs one", "above"), ("Sqrt", "above", "root"),
        ("Add", "product root", "sum"), ("Mul", "x half", "half_x"), ("Sub", "sum half_x", "y"),
    ]  # fmt: skip
    nodes = [helper.make_node(kind, ins.split(), [out]) for kind, ins, out in steps]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, x.shape) for name in "xy"]
    numbers = [helper.make_tensor(n, onnx.TensorProto.FLOAT, [], [v]) for n, v in (("one", 1.0), ("half", 0.5))]
    graph = helper.make_graph(nodes, "expression", ends[:1], ends[1:], numbers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return Contestant(lambda: session.run(None, {"x": x}), lambda results: [results[0].copy()])
