"""Limits of memory and time: what is refused, what is stopped, and what compiling may cost."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.errors import RaxError, ResourceError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.types import tensor_type
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import constant
from rax.ops.broadcasting import Sum
from rax.ops.control import Cond
from rax.ops.elementwise import multiply, negative
from rax.ops.shape import Pad
from rax.ops.window import Conv
from rax.runtime.backends import BACKENDS
from rax.runtime.deadline import time_limit
from rax.runtime.entry import Entry
from rax.runtime.executable import Executable, compile

FILES = sorted((Path(__file__).parents[1] / "golden").glob("v*/*.msgpack"))
X = np.ones(3, np.float32)


def endless(x: Any) -> Any:
    """A loop that never ends."""
    return rax.while_loop(lambda c: c[1] >= 0, lambda c: (c[0] * 1.0, c[1] * 1), (x, rnp.asarray(1)))[0]


def always(x: Any) -> Any:
    """True, but not known to be so."""
    return rnp.all(x > 0)


LOOPS: dict[str, Callable[[Any], Any]] = {
    "a loop": endless,
    "a loop in a loop": lambda x: rax.while_loop(lambda c: always(c), endless, x),
    "a loop whose body has no step": lambda x: rax.while_loop(lambda c: always(c), lambda c: c, x),
    "a loop in a branch": lambda x: rax.cond(always(x), endless, lambda c: c, x),
    "a long scan": lambda x: rax.scan(lambda c, _: (c * -1.0, None), x, None, length=2**40)[0],
    "a long fori_loop": lambda x: rax.fori_loop(0, 2**22, lambda i, c: c * -1.0, x),
    "a loop in a map": lambda x: rax.map(endless, x),
}


def ready(graph: Graph, backend: str = "numpy", *, timeout: float) -> Executable:
    """Compiled with all the time that takes: what is limited is the run alone, however slow the machine."""
    compile(graph, backend)
    exe = compile(graph, backend, timeout=timeout)  # which shares the plan
    with time_limit(3600):
        exe._specialised.run_for(())
    return exe


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_that_runs_over_is_stopped(name: str, backend: str) -> None:
    exe = ready(rax.trace(LOOPS[name], rax.spec((3,))), backend, timeout=0.2)
    start, computed = time.monotonic(), time.process_time()
    with pytest.raises(ResourceError, match=r"stopped after 0.2 s, all the time it may take") as error:
        exe(X)
    assert time.monotonic() - start >= 0.2
    assert time.process_time() - computed < 3  # which passes no faster where others compute too
    assert error.value.where
    assert "test_limits.py" in error.value.source


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_long_plan_is_stopped_between_its_steps(backend: str) -> None:
    x = value = new_input("x", tensor_type(1_000_000))
    for _ in range(500):
        value = negative(add(value, x))
    graph, ones = Graph([x], [value]), np.ones(1_000_000, np.float32)
    exe = compile(graph, backend)
    exe(ones)
    start = time.monotonic()
    exe(ones)
    limit = (time.monotonic() - start) / 20
    with pytest.raises(ResourceError, match=rf"stopped after {limit:g} s, all the time it may take") as error:
        ready(graph, backend, timeout=limit)(ones)
    assert "float32[1000000]" in error.value.where


def test_a_run_within_its_limits_gives_the_same_bits() -> None:
    graph = rax.trace(rax.grad(lambda x: rnp.sum(rax.scan(lambda c, r: (c + r, c * r), x[0], x)[1])), rax.spec((5, 3)))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    for backend in BACKENDS:
        np.testing.assert_array_equal(compile(graph, backend, timeout=60, max_memory=2**20)(x), compile(graph)(x))


def test_a_time_limit_is_that_of_its_thread_alone() -> None:
    exe = ready(rax.trace(LOOPS["a loop"], rax.spec((3,))), timeout=0.3)
    short = compile(rax.trace(lambda x: rax.fori_loop(0, 2000, lambda i, c: c * -1.0, x), rax.spec((3,))))
    found: list[str] = []

    def run() -> None:
        try:
            exe(X)
        except ResourceError as error:
            found.append(error.what)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    np.testing.assert_array_equal(short(X), X)
    for thread in threads:
        thread.join()
    assert found == ["stopped after 0.3 s, all the time it may take"] * 3


def test_an_inner_time_limit_can_only_shorten_an_outer_one() -> None:
    exe = ready(rax.trace(endless, rax.spec((3,))), timeout=3600)
    with time_limit(0.2), pytest.raises(ResourceError, match=r"stopped after 0.2 s"):
        exe(X)


def test_an_entry_is_named() -> None:
    program = rax.Program({"forever": rax.trace(endless, x=rax.spec((3,)))})
    ready(program["forever"], timeout=0.2)
    with pytest.raises(ResourceError, match=r"^entry 'forever': stopped after 0.2 s") as error:
        Entry(program, "forever", timeout=0.2).run({"x": X})
    assert error.value.where
    assert "test_limits.py" in error.value.source  # of the loop, or of the step in it at which it was stopped


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path, id=path.stem, marks=[pytest.mark.slow] if path.stem.startswith(("operations", "deriv")) else []
        )
        for path in FILES
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_limit_of_the_planned_peak_runs_and_one_byte_less_is_refused(path: Path, backend: str) -> None:
    program = rax.load(path)
    for name in program.examples:
        entry = Entry(program, name, backend)
        arrays = compile(entry.graph, backend).bind_named(entry.inputs({}))
        sizes = {
            str(size): have
            for type, array in zip(entry.graph.in_types, arrays, strict=True)
            for size, have in zip(type.shape, array.shape, strict=True)
        }
        plan = compile(entry.graph, backend).plan
        peak = plan.plan_for(**{each: sizes[each] for each in plan.dim_names}).peak_bytes
        expected, outputs = entry.run(), Entry(program, name, backend, max_memory=peak).run()
        for each, array in outputs.items():
            np.testing.assert_array_equal(array, expected[each])
        if peak:
            with pytest.raises(ResourceError, match=f"^entry '{name}': .*it would hold"):
                Entry(program, name, backend, max_memory=peak - 1).run()


HUGE = 2**40


def doubled(x: Any) -> Any:
    for _ in range(40):
        x = rnp.concat([x, x])
    return x


def padded(x: Any) -> Any:
    """One element of a conv whose input is mostly padding."""
    return nn.conv(x, np.ones((1, 1, 1), np.float32), stride=HUGE, padding=[(HUGE, HUGE)])


# Graphs of a float32[1, 1, 1] that no machine can run, though what goes in and, of most, what comes out is small.
BOMBS: dict[str, Callable[[Any], Any]] = {
    "a broadcast that is computed with": lambda x: rnp.cumulative_sum(rnp.broadcast_to(x, (HUGE, 1, 1)), axis=0)[-1],
    "a range": lambda x: rnp.sum(rnp.arange(HUGE, dtype="float32") * x),
    "doubling again and again": lambda x: rnp.sum(doubled(x)),
    "the padding of a conv": padded,
    "halves, summed in float32": lambda x: rnp.sum(rnp.broadcast_to(rnp.astype(x, "float16"), (HUGE, 1, 1))),
    "a sort": lambda x: rnp.sort(rnp.broadcast_to(x, (HUGE, 1, 1)), axis=0)[0],
    "an outer product": lambda x: rnp.sort(rnp.reshape(rnp.arange(2**20), (-1, 1, 1)) * rnp.arange(2.0**20) * x)[0],
    "what a scan stacks": lambda x: rax.scan(lambda c, _: (c, c), x, None, length=HUGE)[1][0],
    "the body of a loop": lambda x: rax.fori_loop(
        0, 2, lambda i, c: rnp.sort(rnp.broadcast_to(c, (HUGE, 1, 1)), axis=0)[:1], x
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", BOMBS)
def test_a_graph_that_is_over_is_refused_before_anything_is_allocated(name: str, backend: str) -> None:
    graph = rax.trace(BOMBS[name], rax.spec((1, 1, 1)))
    exe = compile(graph, backend, max_memory=2**30)
    x = np.ones((1, 1, 1), np.float32)
    tracemalloc.start()
    with pytest.raises(ResourceError, match=r"it would hold .* at once, 1 GiB are allowed") as error:
        exe(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    assert "more from step" in error.value.where
    assert "test_limits.py" in error.value.source


def test_sizes_that_the_inputs_give_count() -> None:
    exe = compile(rax.trace(lambda x: x[:, None] * x, rax.spec(("n",))), max_memory=2048)
    assert exe(np.ones(10, np.float32)).shape == (10, 10)
    with pytest.raises(ResourceError) as error:
        exe(np.ones(2**20, np.float32))
    assert error.value.what == "for n = 1048576 it would hold 4 TiB at once, 2 KiB are allowed"
    assert error.value.where == "more from step 1 of 2: multiply gives float32[1048576, 1048576]"


def test_the_step_within_a_loop_is_named() -> None:
    graph = rax.trace(BOMBS["the body of a loop"], rax.spec((1, 1, 1)))
    with pytest.raises(ResourceError) as error:
        compile(graph, max_memory=1000)(np.ones((1, 1, 1), np.float32))
    place, *loops = error.value.where.split("; within ")
    assert "sort gives float32[1099511627776, 1, 1]" in place
    assert [loop.partition(": ")[2] for loop in loops] == ["scan"]


def test_memory_that_there_is_not_is_an_error_of_its_kind() -> None:
    with pytest.raises(ResourceError, match="failed: there is not enough memory: Unable to allocate"):
        compile(rax.trace(lambda x: -rnp.broadcast_to(x, (2**57,)), rax.spec((1,))))(X[:1])
    with pytest.raises(ResourceError, match="sort failed: there is not enough memory: Unable to allocate"):
        compile(rax.trace(lambda x: rnp.sort(rnp.broadcast_to(x, (2**57,))), rax.spec((1,))))(X[:1])


def constants_alone(build: Callable[[Value], Value], *shape: int) -> Graph:
    """A graph of what constants alone determine."""
    x = new_input("x", tensor_type(()))
    return Graph([x], [Sum(tuple(range(len(shape))))(multiply(build(constant(np.ones(shape, np.float32))), x))])


def repeated(value: Value, step: Callable[[Value, Value], Value], count: int) -> Value:
    start = value
    for _ in range(count):
        value = step(value, start)
    return value


# What compiling would compute if it were let, from constants of little size.
FOLDED: dict[str, Graph] = {
    "a sum over a broadcast": constants_alone(lambda c: Sum((0,))(broadcast_to(c, (2**36, 4))), 4),
    "a pad that is cropped again": constants_alone(lambda c: Pad((2**34,), (-(2**34),), (0,))(c), 4),
    "gaps that are cropped again": constants_alone(lambda c: Pad((0,), (-3 * 2**34,), (2**34,))(c), 4),
    "the padding of a conv": constants_alone(
        lambda c: Conv((2**34,), ((2**34, 2**34),), (1,), (1,))(c, constant(np.ones((1, 1, 1), np.float32))), 1, 1, 4
    ),
    "many sums of large constants": constants_alone(lambda c: repeated(c, add, 100), 2**20),
    "many results that may be kept": constants_alone(
        lambda c: repeated(c, lambda v, _: negative(multiply(v, v)), 1200), 2**14
    ),
    "many results of a broadcast": constants_alone(
        lambda c: repeated(broadcast_to(c, (2**14,)), lambda v, _: negative(multiply(v, v)), 1200), 1
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if "many results" in name else []) for name in FOLDED]
)
def test_compiling_computes_little(name: str) -> None:
    graph = FOLDED[name]
    start = time.process_time()
    tracemalloc.start()
    exe = compile(graph)
    exe._specialised.run_for(())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**27
    assert time.process_time() - start < 5


def test_planning_is_stopped_too() -> None:
    """Twenty choices in choices, each between a graph and itself, are a million plans."""
    graph: Graph | None = None
    for _ in range(20):
        index, x = new_input("index", tensor_type((), "int32")), new_input("x", tensor_type(3))
        value = negative(x if graph is None else Cond((graph, graph))(index, index, x))
        graph = Graph([index, x], [value])
    assert graph is not None
    with pytest.raises(ResourceError, match=r"stopped after 0.2 s") as error:
        compile(graph, timeout=0.2)
    assert error.value.where == "while it was planned, before it ran"


def test_an_output_that_is_copied_counts() -> None:
    exe = compile(rax.trace(lambda x: rnp.broadcast_to(x, (HUGE,)), rax.spec((1,))), max_memory=2**30)
    with pytest.raises(ResourceError) as error:
        exe(X[:1])
    assert error.value.where == "more at the end, for the copies that are returned"


def test_a_pad_takes_no_more_than_its_result() -> None:
    x = np.arange(1.0, 5.0, dtype=np.float32)
    op = Pad((2**40,), (-(2**40) - 2**33 * 3,), (2**33 - 1,))
    result = op.reference(x)
    np.testing.assert_array_equal(result, np.zeros(1, np.float32))


@pytest.mark.parametrize("limit", [-1, 1.5, True, "512MiB"])
def test_a_limit_of_memory_is_a_number_of_bytes(limit: Any) -> None:
    with pytest.raises(RaxError, match=r"which is no number of bytes\n  fix: give an int, such as 512 \* 2\*\*20"):
        compile(rax.trace(lambda x: x, rax.spec(())), max_memory=limit)


@pytest.mark.parametrize("limit", [0, -1.0, np.inf, np.nan, True, "10s"])
def test_a_limit_of_time_is_a_number_of_seconds(limit: Any) -> None:
    with pytest.raises(RaxError, match="which is no number of seconds\n  fix: give a positive number"):
        compile(rax.trace(lambda x: x, rax.spec(())), timeout=limit)


def test_an_executable_says_its_limits() -> None:
    graph = rax.trace(lambda x: x, rax.spec(()))
    exe = compile(graph, max_memory=8, timeout=2)
    assert (exe.max_memory, exe.timeout) == (8, 2)
    assert compile(graph, max_memory=8, timeout=2) is exe
    assert compile(graph).max_memory is compile(graph).timeout is None
