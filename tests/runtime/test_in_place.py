"""Results written over operands that die: what may be, what may not, and how much memory that leaves."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.tree import flatten
from rax.ops.arrays import Array
from rax.runtime.backends.numpy.instances import free_idle
from rax.runtime.executable import Executable, compile
from rax.runtime.plan import Plan


def over(plan: Plan) -> dict[str, list[int | None]]:
    """What the steps of each operation are written over."""
    found: dict[str, list[int | None]] = {}
    for step in plan.steps:
        found.setdefault(step.op.name, []).append(step.over)
    return found


def traced(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Executable:
    return compile(rax.trace(function, *[rax.spec(shape) for shape in shapes]))


def measured(exe: Executable, *arrays: Array) -> int:
    """The most bytes a run holds, beside what Python's own objects take."""
    exe(*arrays)
    free_idle()
    tracemalloc.start()
    exe(*arrays)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def normal(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _of_tanh(x: Any, function: Callable[[Any], Any]) -> Any:
    return function(rnp.tanh(x))


# Functions of a float32[300, 200] whose operands die, or seem to, in every way.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "a chain": lambda x: rnp.tanh(rnp.exp(-(x * 2.0)) + 1.0),
    "both operands die": lambda x: rnp.exp(x) / (rnp.exp(x * 2.0) + rnp.sin(x)),
    "one operand twice": lambda x: _of_tanh(x, lambda y: y * y),
    "a view of the operand is read too": lambda x: _of_tanh(x, lambda y: y + y[:1]),
    "a transposed view of the operand is read too": lambda x: _of_tanh(x, lambda y: y + rnp.flip(y, axis=0)),
    "the operand is an output": lambda x: _of_tanh(x, lambda y: (y, y * 2.0)),
    "a view of the operand is an output": lambda x: _of_tanh(x, lambda y: (y[3:], y * 2.0)),
    "the operand is a broadcast": lambda x: rnp.broadcast_to(rnp.sum(x, axis=0), (300, 200)) + x,
    "the operand is the small one": lambda x: rnp.tanh(x[0]) + x,
    "the operand is an argument": lambda x: (x + 1.0) * x,
    "the operand is a constant": lambda x: rnp.asarray(normal(300, 200)) + x,
    "the operand is a reshaped product": lambda x: rnp.reshape(x @ x.T, (90000,)) + 1.0,
    "the operand is transposed": lambda x: rnp.tanh(x).T + 1.0,
    "comparisons": lambda x: rnp.where(rnp.logical_not(x > 0.5), x, -x),
    "a loop": lambda x: rax.fori_loop(0, 3, lambda i, c: rnp.tanh(c * 2.0) + c, x),
    "a scan": lambda x: rax.scan(lambda c, r: (c + rnp.exp(r * c), rnp.tanh(c) * 2.0), x[0], x),
    "normalised": lambda x: nn.softmax(nn.layer_norm(rnp.tanh(x), rnp.ones(200), rnp.zeros(200)) * 2.0),
    "a gradient": rax.grad(lambda x: rnp.sum(nn.gelu(x) * rnp.tanh(x @ x.T @ x))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_stay_those_of_the_reference(name: str) -> None:
    graph = rax.trace(FUNCTIONS[name], rax.spec((300, 200)))
    x = normal(300, 200) / np.float32(20)
    before = x.copy()
    exe = compile(graph)
    first, second, due = exe(x), exe(x), compile(graph, "reference")(x)
    np.testing.assert_array_equal(x, before)
    for one, again, right in zip(*[flatten(each)[0] for each in (first, second, due)], strict=True):
        np.testing.assert_array_equal(one, again)
        np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4 * float(np.max(np.abs(right))))


def test_a_result_is_written_over_an_operand_that_dies_and_no_other() -> None:
    shape = (300, 200)
    assert over(traced(FUNCTIONS["a chain"], shape).plan)["exp"] != [None]
    assert over(traced(FUNCTIONS["a view of the operand is read too"], shape).plan)["add"] == [None]
    assert over(traced(FUNCTIONS["a transposed view of the operand is read too"], shape).plan)["add"] == [None]
    assert over(traced(FUNCTIONS["the operand is an output"], shape).plan)["multiply"] == [None]
    assert over(traced(FUNCTIONS["a view of the operand is an output"], shape).plan)["multiply"] == [None]
    assert over(traced(FUNCTIONS["the operand is a broadcast"], shape).plan)["add"] == [None]
    assert over(traced(FUNCTIONS["the operand is an argument"], shape).plan)["add"] == [None]
    assert over(traced(FUNCTIONS["the operand is a reshaped product"], shape).plan)["add"] != [None]


@pytest.mark.parametrize("name", ["a chain", "both operands die", "one operand twice", "the operand is an output"])
def test_the_measured_peak_is_the_planned_one(name: str) -> None:
    exe = traced(FUNCTIONS[name], (1000, 1000))
    peak = measured(exe, normal(1000, 1000))
    scratch = sum([step.scratch.__index__() for step in exe.plan.steps])  # of threads that may come late
    assert 0.95 * (exe.plan.peak_bytes - scratch) <= peak <= exe.plan.peak_bytes + 20_000


def test_a_training_step_holds_what_is_planned() -> None:
    def loss(w: Any, x: Any) -> Any:
        return rnp.mean(rnp.square(nn.relu(x @ w["a"] + w["b"]) @ w["c"]))

    def step(w: Any, x: Any) -> Any:
        slopes = rax.grad(loss)(w, x)
        return {name: w[name] - slopes[name] * 0.1 for name in w}

    weights = {"a": normal(300, 400), "b": normal(400), "c": normal(400, 100)}
    x = normal(500, 300)
    exe = compile(rax.trace(step, weights, x))
    exe(weights, x)
    free_idle()
    tracemalloc.start()
    exe(weights, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    buffers = 2**16  # NumPy's own, when a ufunc casts an operand
    assert 0.95 * (exe.plan.peak_bytes - 2**20) <= peak <= exe.plan.peak_bytes + buffers
