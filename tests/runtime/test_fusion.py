"""Groups of elementwise steps: which steps form them, and the same bits as one step after another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.errors import ResourceError
from rax.ir.tree import flatten
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime import fusion
from rax.runtime.arena import ALIGNMENT
from rax.runtime.backends.numpy import NumpyBackend
from rax.runtime.executable import compile
from rax.runtime.planning import make_plan

# Functions of x: [n, 3, 700], row: [700], column: [n, 1, 1] and middle: [3, 1].
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "a chain": lambda x, row, column, middle: rnp.tanh(x) * rnp.exp(-(x * x)) + 1,
    "a row": lambda x, row, column, middle: nn.relu(x + row) * row,
    "a column": lambda x, row, column, middle: rnp.square(x - column) / (rnp.abs(column) + 1),
    "all kinds": lambda x, row, column, middle: (x - column) * row + middle * x,
    "a middle axis": lambda x, row, column, middle: rnp.sin(x * middle) - 2 * x,
    "broadcast first": lambda x, row, column, middle: rnp.exp(rnp.broadcast_to(column, x.shape) + x) * 2 - x,
    "several results": lambda x, row, column, middle: (rnp.tanh(x) + row, rnp.tanh(x) * 2, rnp.max(rnp.tanh(x) * 3)),
    "choices": lambda x, row, column, middle: rnp.where(x > row, rnp.sqrt(rnp.abs(x)), -x) * 2,
    "casts": lambda x, row, column, middle: rnp.astype(rnp.astype(x * 9, "int32") * 2, "float64") / 3,
    "flags": lambda x, row, column, middle: rnp.logical_and(x > 0, rnp.logical_not(x < row)),
    "activations": lambda x, row, column, middle: nn.sigmoid(x) * rax.special.erf(x) + nn.silu(x),
    "powers": lambda x, row, column, middle: rnp.abs(x) ** rnp.abs(row) * 2 + 1 - x,
    "a derivative": rax.grad(lambda x, row, column, middle: rnp.sum(nn.gelu(x + row) * column)),
    "a transposed operand": lambda x, row, column, middle: rnp.flip(x, axis=0) * 2 + x - row,
    "a diamond": lambda x, row, column, middle: (rnp.exp(x) + 1) / (rnp.exp(x) - rnp.max(rnp.exp(x)) - 1),
}
SPECS = (rax.spec(("n", 3, 700)), rax.spec((700,)), rax.spec(("n", 1, 1)), rax.spec((3, 1)))


def arguments(count: int) -> tuple[Array, ...]:
    rng = np.random.default_rng(0)
    shapes = ((count, 3, 700), (700,), (count, 1, 1), (3, 1))
    x, *others = [rng.standard_normal(shape, np.float32) for shape in shapes]
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1e-40, 88.0, -88.0, 1.0]
    x.flat[:12000:1000] = [*edges, 2.0]
    return (x, *others)


def unfused(graph: rax.Graph, arrays: list[Array], **sizes: int) -> list[Array]:
    """The same kernels, step by step and nothing in place."""
    backend = NumpyBackend()
    plan = make_plan(backend.prepare(graph), backend.takes).plan_for(**sizes)
    return backend.build(plan)(arrays)


def assert_same_bits(results: Any, due: list[Array]) -> None:
    for one, right in zip(flatten(results)[0], due, strict=True):
        assert one.dtype == right.dtype
        assert one.flags.writeable
        np.testing.assert_array_equal(one, right)
        if one.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(one), np.signbit(right))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_group_gives_the_bits_of_its_steps(name: str) -> None:
    graph = rax.trace(FUNCTIONS[name], *SPECS)
    exe, args = compile(graph), arguments(131)
    assert any(step.members for step in exe.plan.plan_for(n=131).steps)
    assert_same_bits(exe(*args), unfused(graph, list(args), n=131))
    assert not any(step.members for step in exe.plan.plan_for(n=1).steps)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "int32", "uint64", "complex64"])
def test_every_dtype_forms_groups(dtype: str) -> None:
    graph = rax.trace(lambda x, y: (x + y) * x - y, rax.spec((400, 1001), dtype), rax.spec((1001,), dtype))
    exe = compile(graph)
    rng = np.random.default_rng(1)
    x, y = [
        rng.integers(0, 9, shape).astype(numpy_dtype(type.dtype))
        for type, shape in zip(graph.in_types, ((400, 1001), (1001,)), strict=True)
    ]
    assert [len(step.members) for step in exe.plan.steps] == [3]
    for one, right in zip([exe(x, y)], unfused(graph, [x, y]), strict=True):
        assert one.tobytes() == right.tobytes()


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, :, ::-1],
    "every second": lambda x: np.repeat(x, 2, axis=2)[..., ::2],
    "transposed": lambda x: np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0),
    "stretched": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_operands_of_any_layout(name: str) -> None:
    graph = rax.trace(FUNCTIONS["all kinds"], *SPECS)
    args = arguments(131)
    x = LAYOUTS[name](args[0])
    x.flags.writeable = False
    before = x.copy()
    assert_same_bits(compile(graph)(x, *args[1:]), unfused(graph, [x, *args[1:]], n=131))
    np.testing.assert_array_equal(x, before)


SHAPES = [(1 << 18,), (1, 1 << 18), (1 << 18, 1), (2, 1 << 17), (3, 5, 1 << 15), (1 << 16, 7, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_cover_any_shape(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    for other in (shape[-1:], (*shape[:-1], 1), (*[1] * (len(shape) - 1), shape[-1])):
        y = np.random.default_rng(1).standard_normal(other, np.float32)
        exe = compile(rax.trace(lambda x, y: (x + y) * y - x, x, y))
        assert len(exe.plan.steps) == 1
        np.testing.assert_array_equal(exe(x, y), (x + y) * y - x)


def test_what_needs_all_of_a_group_is_in_another() -> None:
    graph = rax.trace(lambda x: (y := rnp.tanh(x) * 2 - x) - rnp.sum(y) + x * x, rax.spec((600, 600)))
    plan = compile(graph).plan
    assert [step.name for step in plan.steps] == ["tanh+multiply+subtract+sum", "subtract+multiply+add"]
    assert "tanh+multiply+subtract+sum(%0, " in str(plan)


def test_what_only_a_group_reads_takes_no_memory() -> None:
    graph = rax.trace(lambda x: rnp.exp(x) * rnp.sin(x) + rnp.cos(x), rax.spec((1 << 24,)))
    (step,) = compile(graph).plan.steps
    assert compile(graph).plan.peak_bytes == (1 << 26) + step.scratch + ALIGNMENT
    assert step.scratch < 1 << 23 or fusion.threads() > 8


def test_several_threads_at_once() -> None:
    graph = rax.trace(FUNCTIONS["all kinds"], *SPECS)
    exe = compile(graph)
    inputs = [(np.roll(arguments(131)[0], k), *arguments(131)[1:]) for k in range(4)]
    due = [unfused(graph, list(args), n=131)[0] for args in inputs]
    found: list[list[Array]] = [[] for _ in inputs]

    def run(place: int) -> None:
        for _ in range(20):
            found[place].append(exe(*inputs[place]))

    threads = [threading.Thread(target=run, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for results, right in zip(found, due, strict=True):
        assert len(results) == 20
        for result in results:
            np.testing.assert_array_equal(result, right)


def test_a_group_is_stopped_between_blocks() -> None:
    def long(x: Any) -> Any:
        for _ in range(100):
            x = rnp.tanh(x) + 1
        return x

    exe = compile(rax.trace(long, rax.spec((1 << 24,))), timeout=0.3)
    with pytest.raises(ResourceError, match=r"stopped after 0.3 s") as error:
        exe(np.ones(1 << 24, np.float32))
    assert "test_fusion.py" in error.value.source
