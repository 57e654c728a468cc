"""Control flow under every transform: finite differences in float64, both modes, again, and in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.graph import Graph
from rax.runtime.reference import evaluate_graph
from tests.ops import laws

F64 = "float64"
RNG = np.random.default_rng(5)


@dataclass(frozen=True)
class Case:
    """A function and arrays to try it on; whether it has a reverse mode."""

    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    reverse: bool = True

    def __str__(self) -> str:
        return self.function.__name__

    def graph(self) -> Graph:
        return rax.trace(self.function, *self.arrays)


def integer_carry(x: Any, xs: Any) -> Any:
    """A carry of an index and a flag beside one that is varied; the index gathers."""

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        n, found, total = carry
        total = total * x + xs[n % 3]
        return (n + 1, rnp.logical_or(found, total > 0), total), (n, total**2)

    (n, found, total), (places, squares) = rax.scan(step, (0, False, x), xs)
    return total * n, rnp.sum(rnp.where(found, squares, places))


def closed_over(w: Any, b: Any, xs: Any) -> Any:
    """Loops and choices whose bodies use tensors from outside, and a tensor made of them."""
    scale = rnp.exp(-w)

    def step(h: Any, x: Any) -> tuple[Any, Any]:
        inner = rax.cond(rnp.sum(h) > 0, lambda: h * scale, lambda: h - b * scale)
        return rnp.tanh(inner + x), rax.fori_loop(0, 2, lambda _, y: y * w + b, x)

    last, ys = rax.scan(step, b, xs, reverse=True)
    return last, rnp.sum(ys)


def no_rounds(x: Any, xs: Any) -> Any:
    """A scan over nothing gives the first carry, and its derivative."""
    last, ys = rax.scan(lambda c, x: (c * x, c + x), x**2, xs[:0])
    return last, rnp.sum(ys), rax.fori_loop(3, 1, lambda _, y: y * 0, x)


def guarded(x: Any) -> Any:
    """A root and a logarithm that are finite only where they are chosen."""

    def safe(v: Any) -> Any:
        positive = v > 0
        inside = rnp.where(positive, v, 1.0)
        return rnp.where(positive, rnp.sqrt(inside) * rnp.log(inside), v**2)

    _, ys = rax.scan(lambda c, v: (c, safe(v)), 0, x)
    return ys, rax.map(lambda v: rax.cond(v > 0, lambda: rnp.sqrt(v) * rnp.log(v), lambda: v**2), x)


def switched(x: Any, y: Any) -> Any:
    """A choice by a number that the loop counts, of branches that need different residuals."""
    branches = [
        lambda x, y: rnp.sin(x) * y,
        lambda x, y: x + 0 * y,
        lambda x, y: rnp.exp(y) * x**2,
    ]
    return rax.fori_loop(0, 5, lambda i, c: rax.switch(i % 4, branches, c, y), x)


def nested(x: Any) -> Any:
    """A loop in a choice in a loop, checkpointed."""

    def row(c: Any, v: Any) -> tuple[Any, Any]:
        def inner() -> Any:
            return rax.scan(lambda s, k: (rnp.sin(s * v) + k, s), c, rnp.asarray(np.arange(3.0)))[0]

        c = rax.cond(v > 0, rax.checkpoint(inner), lambda: c * v)
        return c, c**2

    last, ys = rax.scan(row, rnp.asarray(np.array(0.5)), x, checkpoint=2)
    return last, rnp.sum(ys)


def halving(x: Any) -> Any:
    """A loop of as many rounds as the value asks for."""
    return rax.while_loop(lambda s: rnp.sum(s[0] ** 2) > 1.0, lambda s: (rnp.sin(s[0]) * 0.9, s[1] + s[0]), (x, x * 0))


X = np.array([0.7, -0.4, 1.9, -1.1])
CASES = [
    Case(integer_carry, (np.array(0.8), RNG.normal(size=3))),
    Case(closed_over, (RNG.normal(size=2), RNG.normal(size=2), RNG.normal(size=(4, 2)))),
    Case(no_rounds, (np.array(1.3), X)),
    Case(guarded, (X,)),
    Case(switched, (np.array(0.7), np.array(0.3))),
    Case(nested, (X,)),
    Case(halving, (np.array([2.0, 1.5]),), reverse=False),
]
REVERSE = [case for case in CASES if case.reverse]


def with_random(graph: Graph, case: Case) -> list[np.ndarray]:
    rest = graph.in_types[len(case.arrays) :]
    return [*case.arrays, *[laws.random_like(type, seed) for seed, type in enumerate(rest, start=40)]]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_mode_and_forward_mode_of_it(case: Case) -> None:
    laws.check_jvp(case.graph(), case.arrays, 10)
    graph, _ = laws.tangent_graph(case.graph())
    laws.check_jvp(graph, with_random(graph, case), 100)


@pytest.mark.parametrize("case", REVERSE, ids=str)
def test_reverse_mode_and_either_mode_of_it(case: Case) -> None:
    laws.check_vjp(case.graph(), case.arrays, 10)
    graph, _ = laws.cotangent_graph(case.graph())
    laws.check_jvp(graph, with_random(graph, case), 100)
    laws.check_vjp(graph, with_random(graph, case), 100)


@pytest.mark.parametrize("case", REVERSE, ids=str)
def test_reverse_mode_of_forward_mode(case: Case) -> None:
    graph, _ = laws.tangent_graph(case.graph())
    laws.check_vjp(graph, with_random(graph, case), 100)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batches_and_batches_of_the_derivative(case: Case) -> None:
    rows = [[*case.arrays], [-array for array in case.arrays], [array * 0.3 + 0.1 for array in case.arrays]]
    for batched in laws.patterns(len(case.arrays)):
        laws.check_batching(case.graph(), rows, batched, 10)
    graph, _ = (laws.cotangent_graph if case.reverse else laws.tangent_graph)(case.graph())
    more = [[*row, *with_random(graph, case)[len(row) :]] for row in rows]
    laws.check_batching(graph, more, (True,) * len(graph.inputs), 10)


def test_a_guarded_function_has_no_needless_nan() -> None:
    many = rax.vmap(lambda v: rax.cond(v > 0, lambda: rnp.sqrt(v), lambda: v**2))
    for at in (np.array([0.0, -1.0, 2.0]), np.array([-0.0, 1e-300, -5.0])):
        for part in (0, 1):
            slope = rax.grad(lambda x, part=part: rnp.sum(guarded(x)[part]))(at)
            assert np.all(np.isfinite(slope)), (part, slope)
        assert np.all(np.isfinite(rax.grad(lambda x: rnp.sum(many(x)))(at)))


def test_a_choice_by_row_runs_neither_branch_on_rows_of_the_other() -> None:
    table = np.array([1.0, 2.0, 3.0])

    def chosen(i: Any, x: Any) -> Any:
        return rax.cond(i < 3, lambda: rnp.asarray(table)[i] * x, lambda: x / x)

    graph = rax.trace(rax.vmap(rax.grad(chosen, 1)), rax.spec((4,), "int64"), rax.spec((4,), F64))
    at = (np.array([0, 5, 2, 9]), np.array([1.0, 2.0, 0.0, 4.0]))
    for got in (graph(*at), evaluate_graph(graph, list(at))[0]):
        np.testing.assert_array_equal(got, [1.0, 0.0, 3.0, 0.0])


def test_rows_of_a_while_loop_stop_by_themselves_with_their_derivatives() -> None:
    def root(a: Any) -> Any:
        return rax.while_loop(lambda x: rnp.abs(x * x - a) > 1e-9 * a, lambda x: (x + a / x) / 2, a)

    rows = np.array([1.0, 4.0, 1e6])
    values, slopes = rax.jvp(rax.vmap(root), (rows,), (np.ones(3),))
    np.testing.assert_allclose(values, np.sqrt(rows))
    one_by_one = [rax.jvp(root, (row,), (np.array(1.0),))[1] for row in rows]
    np.testing.assert_allclose(slopes, one_by_one)


def test_reverse_mode_of_a_while_loop_says_what_to_use() -> None:
    with pytest.raises(rax.DerivativeError) as caught:
        rax.grad(lambda x: rnp.sum(halving(x)[0]))(np.array([2.0, 1.5]))
    assert "while_loop has no reverse-mode derivative: the number of its rounds is not known beforehand" in str(
        caught.value
    )
    assert "use scan or fori_loop with a fixed number of rounds, or forward mode (jvp, jacfwd)" in str(caught.value)
    assert "test_control_quality.py" in str(caught.value)
    fixed = rax.grad(lambda x: rax.fori_loop(0, 3, lambda _, y: y * x, 1.0))
    assert float(fixed(2.0)) == 12.0
    with pytest.raises(rax.DerivativeError, match="no reverse-mode derivative"):
        rax.grad(lambda x: rax.fori_loop(0, rnp.asarray(3), lambda _, y: y * x, 1.0))(2.0)
