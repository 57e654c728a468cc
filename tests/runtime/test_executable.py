"""Executables: nests in and out, sizes, threads, long graphs, ownership of results, errors, caching."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from rax.ir import trail
from rax.ir.errors import BindingError, ExecutionError, RaxError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.program import Program
from rax.ir.tree import ARGUMENTS, Tree, flatten
from rax.ir.types import float32, tensor_type
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import constant, scalar
from rax.ops.broadcasting import Sum
from rax.ops.contraction import matmul
from rax.ops.creation import iota
from rax.ops.elementwise import multiply
from rax.ops.indexing import Gather
from rax.ops.shape import Flip, pad, permute_dims, reshape, slice_axis
from rax.ops.trigonometric import tanh
from rax.runtime.backends.numpy.codegen import CHUNK_STEPS
from rax.runtime.backends.numpy.instances import free_idle
from rax.runtime.cache import Cache
from rax.runtime.executable import KEPT_SIZES, compile
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import assert_close

BACKENDS = ("numpy", "reference")


def chain(length: int, x: Value) -> Value:
    """``length`` operations one after another, the values staying small."""
    value = x
    for _ in range(length // 2):
        value = multiply(add(value, x), scalar(0.5, float32))
    return value


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_come_in_the_nest_of_the_graph(backend: str) -> None:
    x, y = (new_input(name, tensor_type("n")) for name in ("args.a", "args.b"))
    in_tree = Tree(ARGUMENTS, ("args",), (flatten({"a": 0, "b": 0})[1],))
    out_tree = flatten({"sum": 0, "parts": [0, (0,)]})[1]
    exe = compile(Graph([x, y], [y, x, add(x, y)], in_tree, out_tree), backend)
    a, b = np.ones(2, np.float32), np.arange(2, dtype=np.float32)
    found = exe({"a": a, "b": b})
    assert list(found) == ["parts", "sum"]
    assert [array.tolist() for array in (found["parts"][0], found["parts"][1][0], found["sum"])] == [
        [0, 1], [1, 1], [1, 2],
    ]  # fmt: skip
    single = compile(Graph([x], [tanh(x)]), backend)
    assert single(a).shape == (2,)
    assert list(single.graph.output_names) == ["result"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_belong_to_the_caller(backend: str) -> None:
    x = new_input("x", tensor_type((4, 4)))
    fixed = constant(np.arange(4, dtype=np.float32))
    made = add(x, x)
    outputs = [
        x, x, fixed, made, permute_dims(made, (1, 0)), reshape(x, (16,)), slice_axis(x, 0, 1, 2), Flip((0,))(x),
        broadcast_to(fixed, (4, 4)), broadcast_to(scalar(1, float32), (3,)), slice_axis(tanh(x), 0, 0, 1),
        scalar(2, float32), iota(3), Sum((0, 1))(x), permute_dims(tanh(x), (1, 0)), broadcast_to(tanh(x), (4, 4)),
        reshape(permute_dims(reshape(x, (1, 16)), (1, 0)), (4, 4)),
    ]  # fmt: skip
    exe = compile(Graph([x], outputs), backend)
    given = np.ones((4, 4), np.float32)
    first = exe(given)
    kept = [array.copy() for array in first]
    for index, array in enumerate(first):
        assert isinstance(array, np.ndarray)
        assert not any(np.shares_memory(array, other) for other in (given, *first[index + 1 :]))
        array[...] = 77
    again = exe(given)
    assert [np.array_equal(a, b) for a, b in zip(kept, again, strict=True)] == [True] * len(outputs)
    assert (given == 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_single_and_larger_batches_run(backend: str) -> None:
    x, w = new_input("x", tensor_type(("batch", 3))), new_input("w", tensor_type((3, 2)))
    exe = compile(Graph([x, w], [tanh(matmul(x, w)), Sum((0,))(x)]), backend)
    weights = np.ones((3, 2), np.float32)
    for batch in (0, 1, 7):
        rows = np.arange(3 * batch, dtype=np.float32).reshape(batch, 3)
        hidden, total = exe(rows, weights)
        np.testing.assert_allclose(hidden, np.tanh(rows @ weights), rtol=1e-6)
        np.testing.assert_allclose(total, rows.sum(axis=0), rtol=1e-6)


def test_many_sizes_are_forgotten_again() -> None:
    x = new_input("x", tensor_type("n"))
    exe = compile(Graph([x], [tanh(add(x, x))]))
    for _ in range(2):
        for size in range(KEPT_SIZES + 5):
            assert exe(np.zeros(size, np.float32)).shape == (size,)
    assert len(exe._specialised._runs) == KEPT_SIZES


def test_a_long_chain_runs() -> None:
    x = new_input("x", tensor_type("n"))
    graph = Graph([x], [chain(20_000, x)])
    numbers = np.linspace(-1, 1, 3, dtype=np.float32)
    exe = compile(graph)
    found = exe(numbers)
    assert len(exe.plan.steps) == 20_000
    np.testing.assert_array_equal(found, evaluate_graph(graph, [numbers])[0])


@pytest.mark.parametrize("length", [CHUNK_STEPS - 2, CHUNK_STEPS, CHUNK_STEPS + 2, 3 * CHUNK_STEPS])
def test_values_live_across_the_functions_of_a_long_plan(length: int) -> None:
    x = new_input("x", tensor_type((2,)))
    early = tanh(x)
    last = chain(length, early)
    graph = Graph([x], [add(last, early), early, last])
    numbers = np.array([0.5, -2], np.float32)
    for found, due in zip(compile(graph)(numbers), evaluate_graph(graph, [numbers]), strict=True):
        np.testing.assert_array_equal(found, due)


def test_threads_share_an_executable() -> None:
    x = new_input("x", tensor_type(("n", 8)))
    graph = Graph([x], [Sum((0,))(tanh(matmul(x, permute_dims(x, (1, 0))))), chain(600, x)])
    exe = compile(graph)
    work = [np.random.default_rng(size).normal(size=(size % 5, 8)).astype(np.float32) for size in range(40)]
    expected = [evaluate_graph(graph, [array]) for array in work]

    def run(index: int) -> None:
        for found, due in zip(exe(work[index % 40]), expected[index % 40], strict=True):
            assert_close(found, due, 1e-5, f"thread's case {index}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(200)))


def test_dead_values_are_freed_when_the_plan_says() -> None:
    x = new_input("x", tensor_type((1 << 18,)))
    value, saved = x, x
    for index in range(30):
        value = tanh(pad(value, (0,), (0,), (0,)) if index % 2 else multiply(value, value))
        saved = add(value, value) if index == 10 else saved
    exe = compile(Graph([x], [add(value, saved), reshape(saved, (1 << 9, 1 << 9))]))
    numbers = np.ones(1 << 18, np.float32)
    exe(numbers)
    free_idle()
    tracemalloc.start()
    exe(numbers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    scratch = sum([step.scratch.__index__() for step in exe.plan.steps])  # of threads that may come late
    assert exe.plan.peak_bytes - scratch <= peak * 1.001
    assert peak <= exe.plan.peak_bytes * 1.02


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_operation_that_fails_names_itself_and_the_line(backend: str) -> None:
    x, index = new_input("x", tensor_type(("n", 4))), new_input("index", tensor_type(2, "int64"))
    with trail.scope("lookup"):
        picked = Gather()(x, index)
    graph = Graph([x, index], [tanh(picked)])
    with pytest.raises(ExecutionError) as error:
        compile(graph, backend)(np.ones((3, 4), np.float32), np.array([0, 3]))
    assert str(error.value).splitlines()[1:] == [
        "  gather[batch_dims=0, unique_indices=False](float32[3, 4], int64[2]) in lookup",
        f"  at: test_executable.py:{picked_line()} in test_an_operation_that_fails_names_itself_and_the_line",
    ]
    assert str(error.value).startswith("gather failed: index 3 is out of bounds for")


def picked_line() -> int:
    """The line of the gather above."""
    code = test_an_operation_that_fails_names_itself_and_the_line.__code__
    return code.co_firstlineno + 4


def test_the_failing_step_of_a_long_plan_is_named() -> None:
    x, index = new_input("x", tensor_type((2,))), new_input("index", tensor_type((1,), "int64"))
    value = chain(2 * CHUNK_STEPS + 10, x)
    graph = Graph([x, index], [chain(CHUNK_STEPS, Gather()(value, index))])
    with pytest.raises(ExecutionError, match=r"gather failed: index 9 is out of bounds"):
        compile(graph)(np.zeros(2, np.float32), np.array([9]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_operation_undefined_for_some_sizes_says_so_when_it_meets_them(backend: str) -> None:
    x = new_input("x", tensor_type("n"))
    exe = compile(Graph([x], [slice_axis(x, 0, 2, x.shape[0])]), backend)
    assert exe(np.arange(3, dtype=np.float32)).tolist() == [2]
    with pytest.raises(ExecutionError, match="slice failed: the slice 2:1 leaves the axis of size 1"):
        exe(np.ones(1, np.float32))


def test_a_size_no_input_fixes_is_refused() -> None:
    x = new_input("x", tensor_type(()))
    with pytest.raises(BindingError) as error:
        compile(Graph([x], [broadcast_to(x, tensor_type("n").shape)]))
    assert str(error.value) == "no input fixes the size 'n' that the graph uses\n  fix: give that size a number"


def test_an_unknown_backend_is_refused() -> None:
    x = new_input("x", tensor_type(()))
    with pytest.raises(RaxError) as error:
        compile(Graph([x], [x]), backend="abacus")
    assert str(error.value) == "there is no backend 'abacus'\n  fix: use one of numpy, reference"


def test_warnings_stay_silent_and_the_callers_settings_stay() -> None:
    x = new_input("x", tensor_type((2,)))
    exe = compile(Graph([x], [multiply(x, x)]))
    with np.errstate(all="raise"):
        assert exe(np.array([1e30, 0], np.float32)).tolist() == [np.inf, 0]
        assert np.geterr()["over"] == "raise"


def test_equal_graphs_share_what_is_compiled() -> None:
    def build(name: str) -> Graph:
        x = new_input(name, tensor_type("n"))
        return Graph([x], [tanh(x)])

    first, second = build("x"), build("y")
    assert compile(first) is compile(first)
    assert compile(first)._specialised is compile(second)._specialised
    assert compile(second)(y=np.zeros(1, np.float32)).tolist() == [0]


def test_a_cache_keeps_the_latest_and_makes_each_once() -> None:
    cache = Cache[int, object](2)
    first = cache.get(1, object)
    cache.get(2, object)
    assert cache.get(1, object) is first
    cache.get(3, object)
    assert len(cache) == 2
    assert cache.get(1, object) is first
    made: list[int] = []

    def slow(key: int) -> Callable[[], object]:
        def make() -> object:
            time.sleep(0.01)
            made.append(key)
            return object()

        return make

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cache.get(9, slow(9)), range(8)))
    assert made == [9]
    assert len(set(map(id, found))) == 1


def test_what_is_no_graph_is_refused() -> None:
    function: Any = add
    with pytest.raises(RaxError, match="compile takes a graph, not a function"):
        compile(function)
    with pytest.raises(RaxError, match="the entry 'f' must be a graph, not a function"):
        Program(f=function)
