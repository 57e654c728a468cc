"""Profiles: operations counted as published, times within the whole, steps that compute what a call does, traces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.errors import BindingError, RaxError, ResourceError
from rax.ir.graph import Graph
from rax.ir.node import Constant
from rax.ir.op import REGISTRY, Op
from rax.ir.types import tensor_type
from rax.ops.arrays import Array
from rax.runtime.backends import BACKENDS
from rax.runtime.executable import compile
from rax.runtime.flops import flops
from rax.runtime.recorder import Recorder
from tests.ops import laws
from tests.runtime.test_control import recurrence


def counted(function: Callable[..., Any], *shapes: tuple[int, ...], dtype: str = "float32") -> int:
    """What a function of arrays takes, in all."""
    graph = rax.trace(function, *[rax.spec(shape, dtype) for shape in shapes])
    return sum(
        flops(node.op, [value.type for value in node.inputs], node.types)
        for node in graph.nodes[len(graph.inputs) :]
        if isinstance(node.op, Op) and not isinstance(node.op, Constant)
    )


def test_every_operation_is_counted() -> None:
    cases = laws.cases(("bool", "int8", "int64", "uint32", "float32", "complex64"))
    for case in cases:
        assert flops(case.op, case.types, case.op.infer(*case.types)) >= 0, case
    assert {case.cls for case in cases} == {cls for cls in REGISTRY.values() if cls.samples}


CASES: dict[str, tuple[int, Callable[..., Any], list[tuple[int, ...]]]] = {
    "sum": (2 * 3 * 5 - 2, lambda x: rnp.sum(x, axis=(1, 2)), [(2, 3, 5)]),
    "sum of nothing": (0, rnp.sum, [(0,)]),
    "running sum": (2 * 4, lambda x: rnp.cumulative_sum(x, axis=1), [(2, 5)]),
    "elementwise": (12, lambda x, y: rnp.exp(x + y), [(2, 3), (3,)]),
    "moves": (0, lambda x: rnp.concat([x.T, x.T])[1:, ::2], [(3, 4)]),
    "mean": (6 - 1 + 1, rnp.mean, [(6,)]),
    "batched product": (2 * 7 * 2 * 3 * 4, lambda x, y: x @ y, [(7, 2, 3), (3, 4)]),
    "fft of 1024": (5 * 1024 * 10, lambda x: rnp.fft.fft(x), [(1024,)]),
    "cholesky": (90**3 // 3, lambda x: rnp.linalg.cholesky(x), [(90, 90)]),
    "sort": (3 * 16 * 4, lambda x: rnp.sort(x, axis=1), [(3, 16)]),
}


@pytest.mark.parametrize("name", CASES)
def test_operations_are_counted_by_hand(name: str) -> None:
    due, function, shapes = CASES[name]
    assert counted(function, *shapes, dtype="complex64" if "fft" in name else "float32") == due


def conv(x: Any, kernel: Any, stride: int = 1, padding: int = 0) -> Any:
    return nn.conv(x, kernel, stride=stride, padding=((padding, padding), (padding, padding)))


def test_convolutions_take_what_is_published() -> None:
    """AlexNet's first has 105,415,200 products (Krizhevsky, 2012), those of VGG-16 15,346,630,656 (Simonyan, 2014)."""
    assert counted(lambda x, k: conv(x, k, 4), (1, 3, 227, 227), (96, 3, 11, 11)) == 2 * 105_415_200
    widths = [(3, 64, 224), (64, 64, 224), (64, 128, 112), (128, 128, 112), (128, 256, 56), *[(256, 256, 56)] * 2,
              (256, 512, 28), *[(512, 512, 28)] * 2, *[(512, 512, 14)] * 3]  # fmt: skip
    total = sum(
        counted(lambda x, k: conv(x, k, padding=1), (1, ins, size, size), (outs, ins, 3, 3))
        for ins, outs, size in widths
    )
    assert total == 2 * 15_346_630_656


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_derivatives_of_a_convolution_take_what_it_takes(stride: int) -> None:
    """Where windows do not overlap the padding: the zeros that strides leave between are not counted."""
    shapes, window = [(2, 3, 12, 12), (5, 3, stride, stride)], stride
    forward = counted(lambda x, k: conv(x, k, window), *shapes)
    assert forward == 2 * 2 * 5 * 3 * 12 * 12
    for argnum in (0, 1):
        both = counted(rax.grad(lambda x, k: rnp.sum(conv(x, k, window)), argnums=argnum), *shapes)
        assert both == forward


def test_a_training_step_takes_three_products_a_layer_but_one() -> None:
    """The cotangent of the input is not asked for."""

    def loss(params: Any, x: Any) -> Any:
        return rnp.sum(rnp.tanh(x @ params[0]) @ params[1])

    exe = rax.compile(rax.trace(rax.grad(loss), [rax.spec((8, 16)), rax.spec((16, 4))], rax.spec((32, 8))))
    found = exe.profile([np.ones((8, 16), "float32"), np.ones((16, 4), "float32")], np.ones((32, 8), "float32"), runs=1)
    first, second = 2 * 32 * 8 * 16, 2 * 32 * 16 * 4
    products = found.by_operation()["matmul"]
    assert (products.flops, products.count) == (2 * first + 2 * second, 4)  # the loss itself is not asked for


def test_a_scan_takes_its_body_as_often_as_it_runs() -> None:
    def roll(w: Any, x: Any) -> Any:
        return rax.scan(lambda h, row: (rnp.tanh(h @ w + row), h), rnp.zeros((4, 6)), x)

    exe = rax.compile(rax.trace(roll, rax.spec((6, 6)), rax.spec((9, 4, 6))))
    found = exe.profile(np.ones((6, 6), "float32"), np.ones((9, 4, 6), "float32"), runs=2)
    assert found.by_operation()["matmul"].flops == 9 * 2 * 4 * 6 * 6
    assert found.total.flops == 9 * (2 * 4 * 6 * 6 + 2 * 4 * 6)
    inner = [step for step in found.steps if step.loops]
    assert {step.loops for step in inner} == {("scan",)}
    assert {step.figures.count for step in inner} == {9}


def scoped(x: Any) -> Any:
    """Scopes, a constant, a group where x is large, a loop, a choice and a composite with a kernel."""
    with rax.scope("outer"):
        y = rnp.tanh(x) * 2 + rnp.asarray(np.linspace(0, 1, 3)[:1], dtype="float32")
        with rax.scope("inner"):
            y = nn.softmax(rnp.exp(-y) + y, axis=0)
    with rax.scope("loop"):
        y = rax.while_loop(lambda y: rnp.sum(y) < 1e3, lambda y: y * 2 + 1, y)
    return rax.cond(rnp.sum(y) > 0, lambda y: y - 1, lambda y: y, y), rax.checkpoint(rnp.sin)(y)


LARGE = np.linspace(0, 1, 600 * 500, dtype=np.float32).reshape(600, 500)
WORKS: list[tuple[Graph, list[Array]]] = [
    (rax.trace(scoped, rax.spec(("n", "m"))), [LARGE]),
    (rax.trace(scoped, rax.spec(("n", 3))), [LARGE[:2, :3]]),
    (rax.trace(lambda x: (x, x.T, 3), rax.spec((2, 3))), [LARGE[:2, :3]]),
    (rax.trace(lambda x: rnp.sum(x, axis=0), rax.spec(("n", 3))), [LARGE[:0, :3]]),
    (recurrence(5), [np.ones((3, 3), np.float32), np.ones((2, 3), np.float32), np.ones((5, 2, 3), np.float32)]),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", range(len(WORKS)))
def test_steps_by_themselves_compute_what_a_call_does(number: int, backend: str) -> None:
    graph, arrays = WORKS[number]
    exe = compile(graph, backend)
    due = exe.run(arrays)
    recorder = Recorder(exe.plan.plan_for(**sizes(graph, arrays)), BACKENDS[backend])
    profile = exe.profile_run(arrays, 2)
    for found in (recorder.run(arrays), recorder.run(arrays), profile.results):
        for one, other in zip(found, due, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
    assert sum(tally.seconds[-1] for tally in recorder.tallies) <= recorder.wall
    assert all(tally.seconds[-1] >= 0 for tally in recorder.tallies)
    assert profile.peak_bytes == max([step.held for step in profile.steps], default=profile.peak_bytes)


def sizes(graph: Graph, arrays: list[Array]) -> dict[str, int]:
    named = [name for type in graph.in_types for name in type.shape]
    pairs = zip(named, [size for array in arrays for size in array.shape], strict=True)
    return {str(name): size for name, size in pairs if not isinstance(name, int)}


def test_figures_are_given_by_scope_line_and_operation() -> None:
    exe = compile(WORKS[0][0])
    found = exe.profile(LARGE, runs=2)
    scopes = found.by_scope()
    assert {"outer", "outer/inner", "loop", ""} <= set(scopes)
    assert scopes["outer"].flops > scopes["outer/inner"].flops > 0
    for parts in (found.by_operation(), found.by_line()):
        assert sum(each.flops for each in parts.values()) == found.total.flops
        assert sum(each.bytes for each in parts.values()) == found.total.bytes
        assert sum(each.count for each in parts.values()) == found.total.count
    assert all("test_profile.py:" in line and line.endswith(("in scoped", "in <lambda>")) for line in found.by_line())
    (group,) = [step for step in found.steps if "exp" in step.members]
    alone = compile(rax.trace(rnp.exp, rax.spec((600, 500)))).profile(LARGE, runs=1).total
    assert group.how == "group"
    assert group.figures.flops == len(group.members) * alone.flops
    text = str(found)
    for part in ("a call takes", "outer/inner", "while_loop: ", "group[", "held", "GFLOP/s", "test_profile.py:"):
        assert part in text


def test_stretched_operands_count_the_bytes_that_are_there() -> None:
    exe = compile(rax.trace(lambda x: rnp.sum(rnp.broadcast_to(x, (100, 5)) @ rnp.ones((5, 1))), rax.spec((5,))))
    product = exe.profile(np.ones(5, np.float32), runs=1).by_operation()["matmul"]
    assert product.bytes == 4 * (5 + 1 + 100)


def test_a_trace_is_a_file_of_nested_events(tmp_path: Path) -> None:
    exe = compile(WORKS[0][0])
    found = exe.profile(LARGE, runs=2)
    found.save_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    rows = trace["traceEvents"]
    assert {row["ph"] for row in rows} == {"M", "X", "C"}
    assert all({"name", "ph", "pid", "tid"} <= set(row) for row in rows)
    whole = [row for row in rows if row["ph"] == "X"]
    assert sum(row["cat"] == "step" for row in whole) == found.total.count
    assert {row["name"] for row in whole if row["cat"] == "scope"} == {"outer", "inner", "loop"}
    assert all(row["ts"] >= 0 and row["dur"] >= 0 for row in whole)
    assert [row["ts"] for row in whole] == sorted(row["ts"] for row in whole)
    stack: list[tuple[float, dict[str, Any]]] = []
    inside: set[tuple[str, str]] = set()
    for row in whole:  # of two events one contains the other, or they are apart
        end = row["ts"] + row["dur"]
        while stack and stack[-1][0] <= row["ts"]:
            stack.pop()
        if stack:
            assert end <= stack[-1][0] + 1e-6
            inside.add((stack[-1][1]["name"], row["name"]))
        stack.append((end, row))
    assert {("loop", "while_loop"), ("outer", "inner"), ("while_loop", "sum")} <= inside
    step = next(row for row in whole if row["name"] == "softmax")
    assert step["args"]["operands"] == ["float32[600, 500]"]
    assert step["args"]["bytes"] == 2 * LARGE.nbytes
    assert step["args"]["scope"] == "outer/inner"


def test_a_profile_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    exe = compile(rax.trace(rnp.sin, rax.spec((3,))))
    x = np.ones(3, np.float32)
    with pytest.raises(BindingError, match="no argument 'y'"):
        exe.profile(y=x)
    with pytest.raises(RaxError, match="at least 1 run, not 0"):
        exe.profile(x, runs=0)
    with pytest.raises(RaxError, match="cannot write the trace"):
        exe.profile(x, runs=1).save_trace(tmp_path / "none" / "trace.json")
    with pytest.raises(ResourceError, match="it would hold 12 bytes"):
        compile(exe.graph, max_memory=4).profile(x)
    forever = rax.trace(lambda x: rax.while_loop(lambda x: rnp.any(x > 0), lambda x: x * 1.0, x), rax.spec((3,)))
    with pytest.raises(ResourceError, match=r"stopped after 0\.2 s"):
        compile(forever, timeout=0.2).profile(x)


def test_types_of_no_graph_stay_symbolic_until_they_are_known() -> None:
    exe = compile(rax.trace(lambda x: x @ x.T, rax.spec(("n", 4))))
    for n in (0, 1, 5):
        assert exe.profile(np.ones((n, 4), np.float32), runs=1).total.flops == 2 * n * n * 4
    assert exe.plan.types[exe.plan.outputs[0]] == tensor_type(("n", "n"))
