"""Parts of what is joined, padded and written: what the optimiser leaves of programs that index, bit for bit."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.errors import ExecutionError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.types import as_dtype, bool_, int64, tensor_type
from rax.ir.verify import verify
from rax.ops.arrays import Array, concrete, constant, numpy_dtype, scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.comparison import Equal
from rax.ops.indexing import Gather, Scatter
from rax.ops.selection import Where
from rax.ops.shape import Concat, Pad, Slice
from rax.passes.optimise import optimise, reassociate
from rax.passes.parts import parts
from rax.passes.places import places
from rax.passes.rule import Fuel, Rewrite
from rax.runtime.reference import evaluate_graph
from tests.passes.test_rules import bits, special

N = new_input("n", tensor_type(("n",)))
M = new_input("m", tensor_type(("m",)))


class _Programs:
    """Random programs that move elements: slices, joins, paddings, writes and reads at constant places."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._axes = int(self._rng.integers(1, 3))
        dtype = as_dtype(str(self._rng.choice(["float32", "bfloat16", "int32", "bool", "complex64"])))
        self.inputs = [new_input(f"x{i}", tensor_type(self._shape(), dtype)) for i in range(2)]
        self._values: list[Value] = list(self.inputs)
        for _ in range(12):
            self._values.append(self._step(self._any()))

    def graph(self) -> Graph:
        return Graph(self.inputs, self._values[-4:])

    def _shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self._rng.integers(0, 6, self._axes))

    def _any(self) -> Value:
        return self._values[self._rng.integers(len(self._values))]

    def _bounds(self, x: Value) -> tuple[tuple[int, ...], tuple[int, ...]]:
        pairs = [sorted(int(place) for place in self._rng.integers(0, size + 1, 2)) for size in concrete(x.shape)]
        return tuple(low for low, _ in pairs), tuple(high for _, high in pairs)

    def _step(self, x: Value) -> Value:
        steps = self._slice, self._slice, self._join, self._rejoin, self._pad, self._write, self._scatter, self._gather
        return steps[self._rng.integers(len(steps))](x)

    def _slice(self, x: Value) -> Value:
        starts, stops = self._bounds(x)
        return Slice(starts, stops, tuple(int(step) for step in self._rng.choice([1, 1, 2], x.ndim)))(x)

    def _join(self, x: Value) -> Value:
        axis = int(self._rng.integers(x.ndim))
        fit = [y for y in self._values if self._rest(y, axis) == self._rest(x, axis)]
        return Concat(axis)(x, *[fit[self._rng.integers(len(fit))] for _ in range(self._rng.integers(1, 3))])

    def _rejoin(self, x: Value) -> Value:
        axis = int(self._rng.integers(x.ndim))
        cuts = sorted(int(place) for place in self._rng.integers(0, concrete(x.shape)[axis] + 1, 4))
        rows: list[Value] = []
        for start, stop in itertools.pairwise(cuts):
            starts, stops = [0] * x.ndim, list(x.shape)
            starts[axis], stops[axis] = start, stop
            rows.append(Slice(tuple(starts), tuple(stops), (1,) * x.ndim)(x))
        return Concat(axis)(*rows)

    def _rest(self, x: Value, axis: int) -> tuple[Any, ...]:
        return (x.ndim, *x.shape[:axis], *x.shape[axis + 1 :])

    def _pad(self, x: Value) -> Value:
        low, high = (
            tuple(int(amount) for amount in self._rng.integers(-self._rng.integers(2), 3, x.ndim)) for _ in range(2)
        )
        gap = (int(self._rng.integers(4) == 0),) * x.ndim
        if any(size + one + two < 0 for size, one, two in zip(concrete(x.shape), low, high, strict=True)):
            return x
        return Pad(low, high, gap)(x)

    def _write(self, x: Value) -> Value:
        starts, stops = self._bounds(x)
        high = tuple(size - stop for size, stop in zip(concrete(x.shape), stops, strict=True))
        inner = tuple(stop - start for start, stop in zip(starts, stops, strict=True))
        there = Pad(starts, high, (0,) * x.ndim)(BroadcastTo(inner)(scalar(1, bool_)))
        fit = [y for y in self._values if y.shape == x.shape]
        updates = scalar(1, x.dtype) if self._rng.integers(3) == 0 else fit[self._rng.integers(len(fit))]
        return Where()(there, updates, x)

    def _places(self, x: Value) -> Value | None:
        size = concrete(x.shape)[0]
        return constant(self._rng.integers(-size, size, 3), int64) if size else None

    def _scatter(self, x: Value) -> Value:
        index = self._places(x)
        fit = [y for y in self._values if y.shape == (3, *x.shape[1:])]
        if index is None or not fit:
            return self._slice(x)
        reduction = "set" if x.dtype is bool_ or self._rng.integers(2) else "add"
        written = Scatter(reduction=reduction)(x, index, fit[self._rng.integers(len(fit))])
        again = Scatter(reduction="set")(written, index, fit[self._rng.integers(len(fit))])
        self._values.append(Gather()(again, index))
        return again

    def _gather(self, x: Value) -> Value:
        index = self._places(x)
        return self._slice(x) if index is None else Gather()(x, index)


def _agree(seed: int) -> int:
    """How often the rules rewrote one program, the results of which stay the same."""
    programs = _Programs(seed)
    graph, fuel = programs.graph(), Fuel()
    Rewrite("parts", (*parts(), *places())).run(graph, fuel)
    found = optimise(graph)
    verify(found)
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=concrete(x.shape)) for x in programs.inputs]
    arrays = [
        special(array.astype(numpy_dtype(x.dtype)), seed) for array, x in zip(drawn, programs.inputs, strict=True)
    ]
    for old, new in zip(evaluate_graph(graph, arrays), evaluate_graph(found, arrays), strict=True):
        assert (old.dtype, old.shape) == (new.dtype, new.shape)
        assert bits(old) == bits(new)
    return fuel.used


def test_random_programs_keep_their_results() -> None:
    assert sum(_agree(seed) for seed in range(150)) > 300


@pytest.mark.slow
def test_more_random_programs_keep_their_results() -> None:
    for seed in range(150, 6000):
        _agree(seed)


def graph_of(value: Value, *inputs: Value) -> Graph:
    return Graph(inputs, (value,))


def test_sizes_may_be_symbolic() -> None:
    (n,), (m,) = N.shape, M.shape
    joined = Concat(0)(N, M)
    assert optimise(graph_of(Slice((n,), (n + m,), (1,))(joined), N, M)).outputs == (M,)
    padded = Pad((2,), (m,), (0,))(N)
    assert optimise(graph_of(Slice((2,), (n + 2,), (1,))(padded), N, M)).outputs == (N,)
    assert optimise(graph_of(Slice((0,), (2,), (1,))(padded), N, M)).outputs == (BroadcastTo((2,))(scalar(0, N.dtype)),)
    rest = new_input("rest", tensor_type((5 - n,)))
    whole = Concat(0)(N, rest, M)
    assert optimise(graph_of(Slice((5,), (5 + m,), (1,))(whole), N, rest, M)).outputs == (M,)
    halves = Slice((0,), (n,), (1,))(joined), Slice((n,), (n + m,), (1,))(joined)
    assert optimise(graph_of(Concat(0)(*halves), N, M)).outputs == (joined,)


def test_what_may_lie_elsewhere_stays() -> None:
    (n,) = N.shape
    for value in (
        Slice((0,), (2,), (1,))(Concat(0)(N, N)),
        Slice((1,), (3,), (1,))(Pad((1,), (1,), (0,))(N)),
        Pad((-2,), (0,), (0,))(N),
        Concat(0)(Slice((0,), (4,), (1,))(N), Slice((4,), (n,), (1,))(N)),
    ):
        graph = graph_of(value, N)
        assert optimise(graph) is graph


def test_parts_that_are_no_neighbours_are_joined() -> None:
    x = new_input("x", tensor_type((6, 6)))
    for first, second in (
        (Slice((0, 0), (2, 3), (1, 1)), Slice((2, 1), (4, 4), (1, 1))),
        (Slice((0, 0), (3, 3), (2, 1)), Slice((3, 0), (6, 3), (2, 1))),
        (Slice((0, 0), (2, 3), (1, 1)), Slice((3, 0), (4, 3), (1, 1))),
        (Slice((2, 0), (4, 3), (1, 1)), Slice((0, 0), (2, 3), (1, 1))),
    ):
        graph = graph_of(Concat(0)(first(x), second(x)), x)
        assert optimise(graph) is graph


@pytest.mark.parametrize("places", [[0, 7], [2, 2], [1, -3]])
def test_places_that_are_not_there_or_the_same_stay(places: list[int]) -> None:
    x, y = new_input("x", tensor_type(4)), new_input("y", tensor_type(2))
    index = constant(places, int64)
    graph = graph_of(Gather()(Scatter(reduction="set")(x, index, y), index), x, y)
    assert optimise(graph) is graph
    arrays = [np.zeros(4, np.float32), np.ones(2, np.float32)]
    if 7 in places:
        with pytest.raises(ExecutionError, match="out of bounds"):
            evaluate_graph(optimise(graph), arrays)


def test_places_counted_from_each_row_stay() -> None:
    """Of a row of one element there is no second, though there are two rows."""
    x, y, index = new_input("x", tensor_type((2, 1))), new_input("y", tensor_type((2, 1))), constant([[0], [1]], int64)
    graph = graph_of(Gather(1)(Scatter(1, "set")(x, index, y), index), x, y)
    assert optimise(graph) is graph


def test_numbers_that_may_be_nan_are_compared_with_themselves() -> None:
    x = new_input("x", tensor_type(4))
    graph = graph_of(Equal()(x, x), x)
    assert optimise(graph) is graph


def put(x: rax.Tensor, where: Any, what: rax.Tensor) -> rax.Tensor:
    copy = rnp.asarray(x, copy=True)
    copy[where] = what
    return copy


GRADIENTS: dict[str, tuple[Callable[..., rax.Tensor], str, str]] = {
    "stack of unstack": (lambda x, y: rnp.stack(rnp.unstack(x)), "cos", "slice concat pad"),
    "roll there and back": (lambda x, y: rnp.roll(rnp.roll(x, 2), -2), "cos", "concat"),
    "read what was written": (lambda x, y: put(x, np.s_[1:3], y[:2])[1:3], "cos slice pad where", "gather scatter"),
    "read the rest": (lambda x, y: put(x, np.s_[1:3], y[:2])[3:], "cos slice pad where", "gather scatter"),
    "write at places": (lambda x, y: put(x, np.array([1, 3]), y[:2]), "cos gather scatter", "equal where iota"),
    "a part of a stack": (lambda x, y: rnp.stack([x, y])[1], "cos", "concat slice"),
    "parts of parts": (lambda x, y: x[1:][1:][1:], "cos slice pad", "add"),
    "pad and crop": (lambda x, y: rnp.pad(x, 3)[3:-3, 3:-3], "cos", "slice pad"),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_indexing_code_move_what_they_must(name: str) -> None:
    function, needed, needless = GRADIENTS[name]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 6, 3), np.float32)
    graph = rax.trace(rax.grad(lambda x, y: rnp.sum(rnp.sin(function(x, y))), argnums=(0, 1)), x, y)
    exact, found = optimise(graph), reassociate(optimise(graph))
    left = {node.op.name for node in found.nodes}
    assert set(needed.split()) <= left
    assert not left & set(needless.split())
    due = evaluate_graph(graph, [x, y])
    _same(due, evaluate_graph(exact, [x, y]))
    for old, new in zip(due, evaluate_graph(found, [x, y]), strict=True):
        np.testing.assert_array_equal(old, new)


def _same(due: Sequence[Array], found: Sequence[Array]) -> None:
    assert list(map(bits, due)) == list(map(bits, found))


def test_paddings_of_shapes_that_broadcast_are_added_as_they_are() -> None:
    def product(x: Any) -> Any:
        return rnp.prod(rnp.cumulative_prod(x))

    x = np.asarray([[1, 2, 3], [4, 5, 6]], np.float64)
    graph = rax.trace(rax.vmap(rax.grad(product)), x)
    (found,) = evaluate_graph(reassociate(optimise(graph)), [x])
    np.testing.assert_allclose(found, evaluate_graph(graph, [x])[0], rtol=1e-12)
    total = np.prod(np.cumprod(x, axis=1), axis=1, keepdims=True)
    np.testing.assert_allclose(found, [3, 2, 1] * total / x, rtol=1e-12)
