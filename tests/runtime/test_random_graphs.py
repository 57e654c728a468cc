"""The NumPy backend equals the oracle on random graphs, for empty, single and larger batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.types import TensorType, float32, tensor_type
from rax.ops.algebra import add, broadcast_to
from rax.ops.arithmetic import abs_, maximum, minimum, square
from rax.ops.arrays import Array, scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import greater
from rax.ops.contraction import matmul
from rax.ops.cumulative import CumulativeSum
from rax.ops.elementwise import multiply, negative, subtract
from rax.ops.indexing import Gather
from rax.ops.normalization import Softmax
from rax.ops.reduction import Max, Mean
from rax.ops.relu import relu
from rax.ops.selection import stop_gradient, where
from rax.ops.shape import Concat, Flip, pad, permute_dims, reshape, slice_axis
from rax.ops.sorting import Sort
from rax.ops.transcendental import sigmoid
from rax.ops.trigonometric import sin, tanh
from rax.runtime.executable import compile
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import assert_close

Make = Callable[[np.random.Generator, Value, Value], Value]


def part(x: Value, start: int, stop: int, step: int) -> Value:
    """Some of the last axis."""
    return slice_axis(long_enough(x, stop), x.ndim - 1, start, stop, step)


def long_enough(x: Value, count: int) -> Value:
    """``x`` if its last axis is known to have so many elements."""
    if not isinstance(x.shape[-1], int) or x.shape[-1] < count:
        raise TypeInferenceError("it may be too short")
    return x


MAKERS: list[Make] = [
    lambda rng, x, y: add(x, y),
    lambda rng, x, y: subtract(x, y),
    lambda rng, x, y: tanh(multiply(x, y)),
    lambda rng, x, y: maximum(x, y),
    lambda rng, x, y: minimum(x, y),
    lambda rng, x, y: where(greater(x, y), x, y),
    lambda rng, x, y: negative(x),
    lambda rng, x, y: abs_(x),
    lambda rng, x, y: relu(x),
    lambda rng, x, y: sin(x),
    lambda rng, x, y: sigmoid(x),
    lambda rng, x, y: stop_gradient(x),
    lambda rng, x, y: tanh(square(x)),
    lambda rng, x, y: multiply(x, scalar(0.5, float32)),
    lambda rng, x, y: matmul(x, y),
    lambda rng, x, y: reshape(x, (x.type.size,)),
    lambda rng, x, y: reshape(x, y.shape),
    lambda rng, x, y: reshape(x, (1, *x.shape)),
    lambda rng, x, y: permute_dims(x, tuple(map(int, rng.permutation(x.ndim)))),
    lambda rng, x, y: Flip((int(rng.integers(x.ndim)),))(x),
    lambda rng, x, y: broadcast_to(x, y.shape),
    lambda rng, x, y: broadcast_to(x, (2, *x.shape)),
    lambda rng, x, y: Concat(int(rng.integers(x.ndim)))(x, y),
    lambda rng, x, y: pad(x, (1,) * x.ndim, (0,) * x.ndim, (0,) * x.ndim),
    lambda rng, x, y: part(x, 0, 1, 1),
    lambda rng, x, y: part(x, 1, 4, 2),
    lambda rng, x, y: Sum((int(rng.integers(x.ndim)),))(x),
    lambda rng, x, y: Max((x.ndim - 1,))(long_enough(x, 1)),
    lambda rng, x, y: Mean(tuple(range(x.ndim)))(x),
    lambda rng, x, y: CumulativeSum(int(rng.integers(x.ndim)), bool(rng.integers(2)))(x),
    lambda rng, x, y: Softmax(x.ndim - 1)(long_enough(x, 1)),
    lambda rng, x, y: Sort(int(rng.integers(x.ndim)))(x),
]
"""From two values to a third; a maker that does not fit them raises."""


def random_graph(seed: int) -> Graph:
    """A graph of some 25 nodes over a batch of unknown size; inputs, views and constants among its outputs."""
    rng = np.random.default_rng(seed)
    types = [tensor_type(("batch", 4)), tensor_type(("batch", 4)), tensor_type((4, 4)), tensor_type(())]
    inputs = [new_input(name, type) for name, type in zip(("x", "y", "w", "s"), types, strict=True)]
    picked = new_input("picked", tensor_type(("batch",), "int64"))
    values: list[Value] = [*inputs, Gather()(inputs[2], picked), broadcast_to(scalar(0.25, float32), (4,))]
    while len(values) < 25:
        make = MAKERS[rng.integers(len(MAKERS))]
        x, y = (values[rng.integers(len(values))] for _ in range(2))
        if x.ndim > 4:
            continue
        try:
            made = make(rng, x, y)
        except (TypeInferenceError, ValueError, IndexError):
            continue
        if dims.evaluate(made.type.size, {"batch": 7}) < 5000:
            values.append(made)
    chosen = [values[index] for index in rng.integers(len(values), size=5)]
    return Graph([*inputs, picked], [*values[-3:], *chosen])


def arguments(batch: int) -> list[Array]:
    rng = np.random.default_rng(batch)
    shapes = [(batch, 4), (batch, 4), (4, 4), ()]
    return [*[np.asarray(rng.normal(size=s), np.float32) for s in shapes], rng.integers(-4, 4, size=batch)]


@pytest.mark.parametrize("seed", range(150))
def test_random_graphs_equal_the_reference(seed: int) -> None:
    graph = random_graph(seed)
    exe = compile(graph)
    for batch in (0, 1, 7):
        arrays = arguments(batch)
        before = [array.tobytes() for array in arrays]
        found = exe.run(arrays)
        expected = evaluate_graph(graph, arrays)
        for position, (actual, due) in enumerate(zip(found, expected, strict=True)):
            assert_close(actual, due, 1e-4, f"batch {batch}, output {position}")
        assert [array.tobytes() for array in arrays] == before
        assert exe.plan.plan_for(batch=batch).peak_bytes >= dims.evaluate(exe.plan.peak, {"batch": batch})
        everything = [*found, *arrays]
        for index, array in enumerate(found):
            assert array.flags.writeable
            assert not any(np.shares_memory(array, other) for other in everything[index + 1 :])


@pytest.mark.parametrize("seed", range(0, 150, 10))
def test_a_plan_for_given_sizes_is_that_of_the_fixed_graph(seed: int) -> None:
    graph = random_graph(seed)
    fixed = graph.substitute_dims({"batch": 7})
    assert [type for type in fixed.in_types if type == TensorType(float32, (7, 4))]
    assert compile(fixed).plan.peak_bytes == compile(graph).plan.plan_for(batch=7).peak_bytes
