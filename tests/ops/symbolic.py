"""Shapes with named dims against shapes with numbers: the same results, and the same derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from rax.ir import dims
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.types import TensorType, tensor_type
from rax.ops.arrays import Array
from rax.runtime.reference import evaluate_graph
from tests.ops import laws

Build = Callable[..., Value]
Sizes = Iterable[Mapping[str, int]]


def graph_of(build: Build, types: Iterable[TensorType]) -> Graph:
    """A graph of what a function builds from inputs of some types."""
    inputs = [new_input(f"x{index}", type) for index, type in enumerate(types)]
    return Graph(inputs, (build(*inputs),))


def apply(build: Build, *arrays: Array) -> Array:
    """What a graph built from values computes from arrays."""
    return evaluate_graph(graph_of(build, [tensor_type(a.shape, a.dtype) for a in arrays]), arrays)[0]


def check_symbolic(build: Build, *types: TensorType, sizes: Sizes, below: int = 0) -> None:
    """For each set of sizes: one symbolic graph, and its gradient, against graphs built for them.

    Integer operands are indices where ``below`` is given: from 0 up to it.
    """
    forward = graph_of(build, types)
    backward = laws.cotangent_graph(forward)[0] if any(t.dtype.is_inexact for t in types) else None
    for values in sizes:
        known = [t.with_shape(tuple(dims.evaluate(size, values) for size in t.shape)) for t in types]
        arrays = [laws.random_like(t, seed) for seed, t in enumerate(known)]
        if below:
            arrays = [a if a.dtype.kind == "f" else np.abs(a) % below for a in arrays]
        plain = graph_of(build, known)
        assert forward.substitute_dims(values).out_types == plain.out_types
        (actual,), (expected,) = evaluate_graph(forward, arrays, values), evaluate_graph(plain, arrays)
        laws.assert_close(actual, expected, 1e-12, f"result for {values}")
        if backward is None or expected.dtype.kind != "f":
            continue
        cotangent = laws.random_like(plain.out_types[0], 9)
        parts = evaluate_graph(backward, [*arrays, cotangent], values)
        due = evaluate_graph(laws.cotangent_graph(plain)[0], [*arrays, cotangent])
        for position, (part, other) in enumerate(zip(parts, due, strict=True)):
            laws.assert_close(part, other, 1e-12, f"cotangent {position} for {values}")
