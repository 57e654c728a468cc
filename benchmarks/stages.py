"""Times each stage a model goes through: ``python -m benchmarks.stages``.

Two models: a chain of many small operations, where the cost of one node shows, and a training step
of a small network, where the arithmetic does. Each stage prints the median of a few runs. Where JAX is
installed, it traces and differentiates the same chain, and the ratio is printed.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from rax import nn, optim
from rax.autodiff.transforms import TRANSFORMS
from rax.ir.text.graph_parser import parse_graph
from rax.ir.text.graph_printer import large_literals
from rax.passes.optimise import optimise

Model = tuple[Callable[..., Any], list[Any]]


def chain(length: int) -> Model:
    """``length`` sines, products, sums and hyperbolic tangents, one after another."""
    return links(length, rnp), [rax.spec((16,))]


def links(length: int, namespace: Any) -> Callable[[Any], Any]:
    """The chain, written for any namespace of NumPy's names."""

    def function(x: Any) -> Any:
        for step in range(length // 4):
            x = namespace.tanh(namespace.sin(x) * 1.0001 + float(step % 7))
        return namespace.sum(x)

    return function


def training_step(width: int) -> Model:
    """A step of Adam on a network with one hidden layer, for a batch of any size."""
    optimizer = optim.adam()

    def loss(params: dict[str, rax.Tensor], x: rax.Tensor, y: rax.Tensor) -> rax.Tensor:
        return nn.cross_entropy(nn.relu(x @ params["w1"] + params["b1"]) @ params["w2"], y)

    def function(params: dict[str, rax.Tensor], state: Any, x: rax.Tensor, y: rax.Tensor) -> Any:
        value, grads = rax.value_and_grad(loss)(params, x, y)
        return value, optimizer.update(params, grads, state)

    params = {"w1": rax.spec((64, width)), "b1": rax.spec((width,)), "w2": rax.spec((width, 10))}
    zeros = {name: np.zeros(spec.shape, "float32") for name, spec in params.items()}
    state = rax.evaluate(optimizer.init(zeros))
    return function, [params, state, rax.spec(("batch", 64)), rax.spec(("batch",), "int64")]


def median(runs: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """The median time of some runs in seconds of this process, and the last result."""
    times: list[float] = []
    result = None
    for _ in range(runs):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return statistics.median(times), result


def arrays_for(graph: rax.Graph, batch: int) -> list[np.ndarray[Any, Any]]:
    """Small numbers for each input, with every named dim at ``batch``."""
    rng = np.random.default_rng(0)
    sized = graph.substitute_dims(dict.fromkeys(graph.dim_names, batch))
    draws = [(rng.random([int(size) for size in t.shape]) / 8, t.dtype.name) for t in sized.in_types]
    return [np.asarray(numbers).astype(name) for numbers, name in draws]


def measure(title: str, model: Model, runs: int, batch: int) -> None:
    """Print the time of each stage."""
    function, specs = model
    seconds, graph = median(runs, lambda: rax.trace(function, *specs))
    count = len(graph.nodes)
    print(f"\n{title}: {count:,} nodes")

    def report(stage: str, seconds: float, per_node: bool = True) -> None:
        each = f"  {seconds / count * 1e6:8.2f} us a node" if per_node else ""
        print(f"  {stage:10} {seconds * 1e3:10.2f} ms{each}")

    report("trace", seconds)
    if len(graph.outputs) == 1:
        report("reverse", median(runs, lambda: rax.grad(graph))[0])
    active = tuple(type.dtype.is_inexact for type in graph.in_types)
    report("jvp", median(runs, lambda: TRANSFORMS.jvp(graph, active))[0])
    report("linearize", median(runs, lambda: TRANSFORMS.linearize(graph, active))[0])
    report("optimise", median(runs, lambda: optimise(graph))[0])
    seconds, text = median(runs, lambda: str(graph))
    report("print", seconds)
    report("parse", median(runs, lambda: parse_graph(text, tensors=large_literals(graph)))[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.msgpack"
        report("save", median(runs, lambda: rax.save(graph, path))[0])
        report("load", median(runs, lambda: rax.load(path))[0])
        loaded = rax.load(path)["main"]
    arrays = arrays_for(graph, batch)
    report("first run", median(1, lambda: rax.compile(loaded).run(arrays))[0])
    exe = rax.compile(graph)
    report("run", median(5 * runs, lambda: exe.run(arrays))[0], per_node=False)


def compare(length: int, runs: int) -> None:
    """Print what JAX needs for the chain, and rax's share of it."""
    try:
        jax: Any = importlib.import_module("jax")
    except ImportError:
        print("\nJAX is not installed")
        return
    namespace, spec = importlib.import_module("jax.numpy"), jax.ShapeDtypeStruct((16,), "float32")
    mine, specs = chain(length)
    graph = rax.trace(mine, *specs)

    def theirs(transform: Callable[[Any], Any]) -> Any:
        return jax.make_jaxpr(transform(links(length, namespace)))(spec)  # JAX remembers a function it has traced

    def report(what: str, ours: Callable[[], Any], transform: Callable[[Any], Any]) -> None:
        first, second = median(runs, ours)[0], median(runs, lambda: theirs(transform))[0]
        print(f"  {what:28} {first / length * 1e6:8.2f} us {second / length * 1e6:8.2f} us {first / second:8.2f}")

    print(f"\n{length:,} nodes, us each: {'rax':>13} {'JAX':>11} {'ratio':>8}")
    report("trace", lambda: rax.trace(mine, *specs), lambda function: function)
    report("trace and gradient", lambda: rax.trace(rax.grad(mine), *specs), jax.grad)
    report("gradient of the traced graph", lambda: rax.grad(graph), jax.grad)


def main() -> None:
    """Measure both models."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--length", type=int, default=10_000, help="nodes of the chain")
    parser.add_argument("--width", type=int, default=256, help="of the hidden layer")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    measure("chain", chain(options.length), options.runs, options.batch)
    compare(options.length, options.runs)
    measure("training step", training_step(options.width), options.runs, options.batch)


if __name__ == "__main__":
    main()
