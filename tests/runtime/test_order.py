"""The order of steps: it holds no more than that of the graph, and no less than the best order there is."""

from __future__ import annotations

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.tree import flatten
from rax.ir.types import tensor_type
from rax.ops.algebra import add
from rax.ops.broadcasting import Sum
from rax.ops.shape import permute_dims
from rax.ops.trigonometric import tanh
from rax.runtime.plan import Plan
from rax.runtime.planning import make_plan
from tests.runtime.test_in_place import measured, normal

SIDE = 300  # a square of float32 takes 360,000 bytes, and more than that is worth an order


def random_graph(seed: int, size: int) -> Graph:
    """Squares, each with rows asked for at places of their own: an order without any thought."""
    rng = np.random.default_rng(seed)
    x = new_input("x", tensor_type((SIDE, SIDE)))
    squares: list[Value] = [x]
    rows: list[Value] = [Sum((0,))(x)]
    for _ in range(size):
        one = squares[rng.integers(max(0, len(squares) - 3), len(squares))]
        row = rows[rng.integers(len(rows))]
        match int(rng.integers(6)):
            case 0:
                squares.append(permute_dims(one, (1, 0)))
            case 1:
                squares.append(tanh(add(one, row)))
            case 2:
                squares.append(add(one, squares[rng.integers(len(squares))]))
            case _:
                rows.append(Sum((int(rng.integers(2)),))(one))
    return Graph([x], [rows[place] for place in rng.permutation(len(rows))])


class Counter:
    """Counts, from the steps alone, what is held while each runs."""

    def __init__(self, plan: Plan) -> None:
        self.steps = sorted(plan.steps, key=lambda step: step.results)  # in the order of the graph
        self.types = plan.types
        self.outside = {*plan.inputs, *plan.constants}
        self.root = {value: value for value in self.outside}
        for step in self.steps:
            self.root.update({value: self.root[step.operands[0]] if step.view else value for value in step.results})
        self.kept = {self.root[value] for value in plan.outputs}
        copies = zip(plan.outputs, plan.output_copies, strict=True)
        self.copied = sum([plan.types[value].nbytes.__index__() for value, copy in copies if copy])

    def while_running(self, done: frozenset[int], index: int) -> int:
        step, later = self.steps[index], set(range(len(self.steps))) - done
        read = {self.root[value] for each in later for value in self.steps[each].operands} | self.kept
        made = {self.root[value] for each in done for value in self.steps[each].results}
        live = ((made & read) | {self.root[value] for value in step.results}) - self.outside
        return sum([self.types[root].nbytes.__index__() for root in live])

    def in_order(self) -> int:
        return max([self.while_running(frozenset(range(index)), index) for index in range(len(self.steps))])

    def least(self) -> int:
        """The peak of the best order: the best way to each set of steps that may be done first."""
        peaks = {frozenset[int](): 0}
        for _ in self.steps:
            further: dict[frozenset[int], int] = {}
            for done, peak in peaks.items():
                there = self.outside | {value for each in done for value in self.steps[each].results}
                for index in set(range(len(self.steps))) - done:
                    if there >= set(self.steps[index].operands):
                        now, after = max(peak, self.while_running(done, index)), done | {index}
                        further[after] = min(now, further.get(after, now))
            peaks = further
        return min(peaks.values())


def test_an_order_holds_no_more_than_that_of_the_graph_and_no_less_than_the_best() -> None:
    saved = possible = 0
    for seed in range(30):
        plan = make_plan(random_graph(seed, 14))
        count = Counter(plan)
        least, most = count.least(), count.in_order()
        assert least <= plan.peak_bytes <= most + count.copied
        saved += most - plan.peak_bytes
        possible += most - least
    assert saved >= 0.4 * possible


@pytest.mark.parametrize("seed", range(30))
def test_results_are_those_of_any_order(seed: int) -> None:
    graph = random_graph(seed, 60)
    x = normal(SIDE, SIDE) / np.float32(100)
    exe = rax.compile(graph)
    for one, right in zip(flatten(exe(x))[0], flatten(rax.compile(graph, "reference")(x))[0], strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4 * float(np.max(np.abs(right))))
    scratch = sum([step.scratch.__index__() for step in exe.plan.steps])
    assert measured(exe, x) <= exe.plan.peak_bytes + scratch + 100_000


def test_a_weight_is_updated_when_its_gradient_is_there() -> None:
    layers = 8

    def loss(w: list[rax.Tensor], x: rax.Tensor) -> rax.Tensor:
        for each in w:
            x = rnp.tanh(x @ each)
        return rnp.sum(x)

    def step(w: list[rax.Tensor], x: rax.Tensor) -> list[rax.Tensor]:
        return [each - 0.1 * slope for each, slope in zip(w, rax.grad(loss)(w, x), strict=True)]

    graph = rax.trace(step, [rax.spec((50, 50))] * layers, rax.spec((4000, 50)))
    plan = rax.compile(graph).plan
    activation = 4000 * 50 * 4
    # All activations at the end of the way there, and on the way back one more at most, beside weights.
    assert plan.peak_bytes <= (layers + 2) * activation + layers * 2 * 50 * 50 * 4
