"""Operations that run graphs: built once, run many times, owning what they return, failing by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.errors import ExecutionError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.types import float32, int32, tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import scalar
from rax.ops.broadcasting import Sum
from rax.ops.calls import Checkpoint
from rax.ops.comparison import less
from rax.ops.contraction import matmul
from rax.ops.control import Cond, WhileLoop
from rax.ops.elementwise import multiply
from rax.ops.indexing import Gather
from rax.ops.scan import Scan
from rax.ops.selection import cast
from rax.ops.shape import reshape
from rax.ops.trigonometric import tanh
from rax.runtime.backends.numpy import codegen
from rax.runtime.executable import compile
from rax.runtime.plan import Plan
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import assert_close

BACKENDS = ("numpy", "reference")


def inputs(**shapes: object) -> list[Value]:
    return [new_input(name, tensor_type(shape)) for name, shape in shapes.items()]  # pyright: ignore[reportArgumentType]


def recurrence(steps: int) -> Graph:
    """A recurrent network over rows, with a choice and a loop in its body; the width stays symbolic."""
    w, h, x = inputs(w=("n", "n"), h=("b", "n"), x=("b", "n"))
    yes, no = inputs(z=("b", "n")), inputs(z=("b", "n"))
    choice = Cond((Graph(yes, [tanh(yes[0])]), Graph(no, [no[0]])))
    test_h, count = new_input("h", h.type), new_input("count", tensor_type((), int32))
    loop = WhileLoop(
        Graph([test_h, count], [less(count, scalar(2, int32))]),
        Graph([test_h, count], [multiply(test_h, scalar(0.5, float32)), add(count, scalar(1, int32))]),
        0,
    )
    halved, _ = loop.results(add(matmul(h, w), x), scalar(0, int32))
    new = choice(cast(less(Sum((0, 1))(h), scalar(0, float32)), int32), halved)
    body = Graph([w, h, x], [new, new])
    weights, start, rows = inputs(w=("n", "n"), h=("b", "n"), rows=(steps, "b", "n"))
    return Graph([weights, start, rows], Scan(body, 1, 1, steps).results(weights, start, rows))


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_loops_and_choices_within_each_other_equal_the_reference(batch: int) -> None:
    graph, rng = recurrence(5), np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 3), (batch, 3), (5, batch, 3))]
    for found, due in zip(compile(graph).run(arrays), evaluate_graph(graph, arrays), strict=True):
        assert_close(found, due, 1e-6, "recurrence")


def test_a_body_is_built_once_however_many_steps_run(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Plan] = []
    original = codegen._Emitter

    def counting(plan: Plan, *args: Any, **kwargs: Any) -> Any:
        built.append(plan)
        return original(plan, *args, **kwargs)

    monkeypatch.setattr(codegen, "_Emitter", counting)
    rng = np.random.default_rng(0)
    exe = compile(recurrence(50))
    exe.run([rng.normal(size=s).astype(np.float32) for s in ((2, 2), (1, 2), (50, 1, 2))])
    assert len(built) == count_plans(exe.plan) == 1 + 1 + 2 + 2  # the scan's body, the branches, the loop's graphs


def count_plans(plan: Plan) -> int:
    """A plan and those of the graphs it runs."""
    return 1 + sum(count_plans(nested) for step in plan.steps for nested in step.nested)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_body_passes_through_is_the_callers_own(backend: str) -> None:
    (a, b), flag = inputs(a=2, b=2), new_input("flag", tensor_type((), int32))
    swap = Graph([a, b], [b, a, reshape(b, (2, 1)), a])
    start = inputs(a=2, b=2)
    results = [*Cond((swap,)).results(flag, *start), *Checkpoint(swap).results(*start)]
    carry = inputs(c=2, d=2)
    loop = Scan(Graph(carry, [carry[1], carry[0]]), 0, 2, 2)
    still = Scan(Graph(carry, [carry[1], carry[1]]), 0, 2, 0)
    graph = Graph([flag, *start], [*results, *loop.results(*start), *still.results(start[0], start[0])])
    given = [np.zeros((), np.int32), np.array([1, 2], np.float32), np.array([3, 4], np.float32)]
    found = compile(graph, backend).run(given)
    due = [[3, 4], [1, 2], [[3], [4]], [1, 2], [3, 4], [1, 2], [[3], [4]], [1, 2], [1, 2], [3, 4], [1, 2], [1, 2]]
    assert [array.tolist() for array in found] == due
    for index, array in enumerate(found):
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in (*given, *found[index + 1 :]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_operation_that_fails_in_a_body_is_the_one_named(backend: str) -> None:
    table, total = inputs(table=3, total=())
    index = new_input("index", tensor_type((), "int64"))
    body = Graph([table, total, index], [add(total, Gather()(table, index))])
    outer = [*inputs(table=3, total=()), new_input("rows", tensor_type((2,), "int64"))]
    graph = Graph(outer, Scan(body, 1, 1, 2).results(*outer))
    exe = compile(graph, backend)
    numbers = np.arange(3, dtype=np.float32)
    assert exe(numbers, 0.0, [1, 2]) == 3
    with pytest.raises(ExecutionError, match=r"^gather failed: index 5 is out of bounds") as error:
        exe(numbers, 0.0, [1, 5])
    assert error.value.source.startswith("test_control.py:")


def test_a_branch_that_would_fail_does_no_harm_while_it_is_not_taken() -> None:
    (x,) = inputs(x=3)
    good = Graph([x], [tanh(x)])
    (y,) = inputs(x=3)
    bad = Graph([y], [add(y, Gather()(scalar_row(), scalar(7, int32)))])
    flag, z = new_input("flag", tensor_type((), int32)), inputs(x=3)[0]
    exe = compile(Graph([flag, z], Cond((good, bad)).results(flag, z)))
    assert exe(0, np.zeros(3, np.float32)).tolist() == [0, 0, 0]
    with pytest.raises(ExecutionError, match="gather failed: index 7 is out of bounds"):
        exe(1, np.zeros(3, np.float32))


def scalar_row() -> Value:
    return reshape(scalar(1, float32), (1,))


def test_a_scan_multiplies_by_matrices_laid_out_once() -> None:
    def turn(h: rax.Tensor, row: rax.Tensor, weights: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor]:
        h = rnp.tanh(row + h @ weights.T)
        return h, h

    rng = np.random.default_rng(0)
    h, weights = rng.standard_normal((4, 6), np.float32), rng.standard_normal((6, 6), np.float32)
    for rounds, copies in ((9, 1), (3, 0)):
        rows = rng.standard_normal((rounds, 4, 6), np.float32)
        graph = rax.trace(
            lambda h, rows, weights: rax.scan(lambda h, row: turn(h, row, weights), h, rows), h, rows, weights
        )
        exe = rax.compile(graph)
        made = [step for step in exe.plan.steps if step.op.name == "reshape" and not step.view]
        assert len(made) == copies
        for given in (weights, weights.T.copy().T):
            found = exe(h, rows, given)
            for one, due in zip(found, evaluate_graph(graph, [h, rows, given]), strict=True):
                np.testing.assert_allclose(one, due, rtol=1e-5, atol=1e-6)
