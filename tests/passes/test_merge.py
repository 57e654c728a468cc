"""A loop asked for by itself and by a derivative runs once, with the same bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.graph import Graph
from rax.ir.op import held_graphs
from rax.ir.verify import verify
from rax.passes.optimise import optimise
from rax.passes.whole import DEFAULT
from rax.runtime.reference import evaluate_graph

F64 = "float64"
RNG = np.random.default_rng(8)
H, W, XS = RNG.normal(size=3), RNG.normal(size=(3, 3)), RNG.normal(size=(5, 3))


def every_graph(graph: Graph) -> list[Graph]:
    """A graph and those that operations hold."""
    found = [graph]
    for each in found:  # grows
        found += [held for node in each.nodes for _, held in held_graphs(node.op)]
    return found


def counted(graph: Graph) -> Counter[str]:
    """How often each operation stands in a graph and in those its operations hold."""
    return Counter(node.op.name for each in every_graph(graph) for node in each.nodes)


def lines(graph: Graph) -> set[str]:
    """The source lines that nodes have."""
    return {origin.source for each in every_graph(graph) for origin in each.origins.values()}


def chain_of_loops(h: Any, w: Any, xs: Any) -> Any:
    """A loop with a loop and a choice inside, and a loop over what it stacks."""

    def step(h: Any, x: Any) -> tuple[Any, Any]:
        inner = rax.fori_loop(0, 2, lambda _, c: rnp.tanh(w @ c + x), h)
        h = rax.cond(rnp.sum(inner) > 0, lambda: rnp.sin(inner), lambda: inner * 2)
        return h, h

    h, ys = rax.scan(step, h, xs)
    return rnp.sum(rax.scan(lambda c, y: (rnp.sin(c * y), c), h, ys, reverse=True)[0])


def choice(h: Any, w: Any, xs: Any) -> Any:
    return rnp.sum(rax.switch(rnp.astype(xs[0, 0] * 3, "int32"), [lambda: w @ rnp.sin(h), lambda: rnp.exp(h) * h]))


def checkpointed(h: Any, w: Any, xs: Any) -> Any:
    return rnp.sum(rax.scan(lambda c, x: (rnp.tanh(w @ c + x), c), h, xs, checkpoint="sqrt")[1])


MODELS = [chain_of_loops, choice, checkpointed]


@pytest.mark.parametrize("loss", MODELS, ids=lambda loss: loss.__name__)
def test_a_value_beside_its_gradient_costs_what_they_cost_together(loss: Callable[..., Any]) -> None:
    def apart(h: Any, w: Any, xs: Any) -> Any:
        return loss(h, w, xs), rax.grad(loss, (0, 1))(h, w, xs)

    graph = rax.trace(apart, H, W, XS)
    together = rax.trace(rax.value_and_grad(loss, (0, 1)), H, W, XS)
    found = optimise(graph)
    verify(found)
    assert optimise(found) is found
    assert counted(found) == counted(optimise(together)) != counted(graph)
    before, after = (evaluate_graph(each, [H, W, XS]) for each in (graph, found))
    assert [array.tobytes() for array in before] == [array.tobytes() for array in after]
    assert lines(found) <= lines(graph)
    second = optimise(rax.trace(lambda h: (apart(h, W, XS), rax.hessian(lambda h: loss(h, W, XS))(h)), H))
    np.testing.assert_allclose(second(H)[1], rax.hessian(lambda h: loss(h, W, XS))(H), atol=1e-12)


def test_the_lazy_way_runs_a_loop_once() -> None:
    w = rax.param("w", (3, 3), F64)
    loss = chain_of_loops(rnp.asarray(H), w, rnp.asarray(XS))
    graph = Graph((w.value,), (loss.value, loss.backward(w).value))
    steps = [step.op.name for step in rax.compile(graph).plan.steps]
    assert steps.count("scan") == 4, "two on the way out, two on the way back"
    value, slope = rax.evaluate((loss, loss.backward(w)), {"w": W})
    due = rax.value_and_grad(lambda w: chain_of_loops(H, w, XS))(W)
    np.testing.assert_allclose(value, due[0])
    np.testing.assert_allclose(slope, due[1])


def test_loops_that_differ_stay_apart() -> None:
    def several(h: Any, xs: Any) -> Any:
        return (
            rax.scan(lambda c, x: (c + x, c), h, xs)[0],
            rax.scan(lambda c, x: (c * x, c), h, xs)[0],
            rax.scan(lambda c, x: (c + x, c), h, xs, reverse=True)[0],
            rax.scan(lambda c, x: (c + x, c), h + 1, xs)[0],
        )

    graph = rax.trace(several, H, XS)
    assert counted(optimise(graph))["scan"] == 4
    for got, want in zip(evaluate_graph(optimise(graph), [H, XS]), evaluate_graph(graph, [H, XS]), strict=True):
        np.testing.assert_array_equal(got, want)


def test_loops_that_carry_the_same_and_return_other_things_merge() -> None:
    def several(h: Any, xs: Any) -> Any:
        return (
            rax.scan(lambda c, x: (c + x, c * x), h, xs)[1],
            rax.scan(lambda c, x: (c + x, (rnp.sin(x), c * x)), h, xs)[1],
            rax.scan(lambda c, x: (c + x, None), h, xs)[0],
        )

    graph = rax.trace(several, H, XS)
    found = optimise(graph)
    assert counted(found)["scan"] == 1
    (body,) = every_graph(found)[1:]
    assert {body.origins[node].source.split(" ")[0] for node in body.nodes if node.inputs} <= {
        origin.source.split(" ")[0] for each in every_graph(graph)[1:] for origin in each.origins.values()
    }
    for got, want in zip(evaluate_graph(found, [H, XS]), evaluate_graph(graph, [H, XS]), strict=True):
        assert got.tobytes() == want.tobytes()


def test_a_merge_counts_as_a_rewrite(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def both(h: Any, xs: Any) -> Any:
        return rax.scan(lambda c, x: (c + x, c), h, xs)[1], rax.scan(lambda c, x: (c + x, rnp.flip(c)), h, xs)[1]

    graph = rax.trace(both, H, XS)
    monkeypatch.setenv("RAX_FUEL", "9")
    assert counted(DEFAULT.run(graph))["scan"] == 1
    assert capsys.readouterr().err.startswith("RAX_FUEL=9: 1 rewrites, the last: merged on scan at test_merge.py:")
    monkeypatch.setenv("RAX_FUEL", "0")
    assert DEFAULT.run(graph) is graph
