"""Groups with reductions: random programs and known ones against the reference evaluator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.errors import ExecutionError
from rax.ir.tree import flatten
from rax.ops.arrays import Array
from rax.runtime.backends.numpy.fuse import Group
from rax.runtime.clusters import Kind, Task, find_clusters
from rax.runtime.executable import compile
from rax.runtime.plan import Step
from rax.runtime.reference import evaluate_graph

TOLERANCES = {"float32": 2e-4, "float64": 1e-11}
SHAPES = [(613, 517), (7, 191, 211), (271001,), (1, 300007), (5, 60013), (270013, 1), (3, 1, 89, 1009), (2, 3, 45001)]
LAYOUTS: list[Callable[[Array], Array]] = [
    np.ascontiguousarray,
    np.asfortranarray,
    lambda x: x[::-1],
    lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    lambda x: np.broadcast_to(x[..., :1], x.shape),
]


class Program:
    """A random function of an array and a row, with outputs of all kinds; it grows little, whatever is drawn."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self._rng = np.random.default_rng(seed)
        self._ndim = len(shape)
        self._seed = seed

    def __call__(self, x: Any, row: Any) -> Any:
        self._rng = np.random.default_rng(self._seed)
        whole: list[Any] = [x]
        thin: list[Any] = [row, row * 0.5]
        results: list[Any] = []
        for _ in range(int(self._rng.integers(6, 16))):
            kind = self._rng.integers(10)
            if kind < 5:
                whole.append(self._mapped(x, self._pick(whole), self._pick(thin + whole)))
            elif kind < 8:
                value, kept = self._reduced(self._pick(whole))
                (thin if kept else results).append(value)
            elif kind == 8:
                whole.append(self._along_row(self._pick(whole), row))
            else:
                value = self._pick(thin)
                thin.append(rnp.tanh(value) * 2 + rnp.abs(self._pick(thin[1:2])))
        return [*results, *[value for value in (*whole[1:], *thin[2:]) if self._rng.random() < 0.3], whole[-1]]

    def _pick(self, values: list[Any]) -> Any:
        return values[-1 - min(int(self._rng.exponential(1.5)), len(values) - 1)]

    def _mapped(self, x: Any, one: Any, other: Any) -> Any:
        functions: list[Callable[[], Any]] = [
            lambda: rnp.tanh(one) + other,
            lambda: rnp.tanh(one) * rnp.tanh(other),
            lambda: one - other,
            lambda: one / (rnp.abs(other) + 1),
            lambda: rnp.where(x > 0, one, other),
            lambda: rnp.maximum(one, other),
            lambda: nn.sigmoid(one) * rnp.broadcast_to(other, x.shape),
            lambda: nn.relu(rax.stop_gradient(one)),
            lambda: rnp.square(rnp.sin(one)),
        ]
        return functions[int(self._rng.integers(len(functions)))]()

    def _reduced(self, value: Any) -> tuple[Any, bool]:
        """A reduction, and whether its result broadcasts with whole values."""
        names = ("sum", "sum", "mean", "max", "min", "any", "argmax")
        name = names[int(self._rng.integers(len(names)))]
        start = int(self._rng.integers(self._ndim))
        stop = int(self._rng.integers(start, self._ndim)) + 1
        cut = self._rng.integers(3)
        axes = tuple(range(start, self._ndim) if cut == 0 else range(stop) if cut == 1 else range(start, stop))
        if name == "argmax":  # of numbers without rounding
            return rnp.argmax(rnp.where(rnp.isnan(value), 0, 1), axis=self._ndim - 1), False
        if name == "any":
            return rnp.any(rnp.isnan(value), axis=axes), False
        kept = bool(self._rng.random() < 0.7)
        found: Any = getattr(rnp, name)(value, axis=axes, keepdims=kept)
        return rnp.tanh(found * 1e-3) if name == "sum" else found, kept

    def _along_row(self, value: Any, row: Any) -> Any:
        functions: list[Callable[[], Any]] = [
            lambda: nn.softmax(value),
            lambda: nn.log_softmax(value) * 1e-1,
            lambda: nn.layer_norm(value, row, row + 1),
        ]
        return functions[int(self._rng.integers(3))]()


def close(results: Any, due: list[Array]) -> None:
    found = flatten(results)[0]
    assert len(found) == len(due)
    for one, right in zip(found, due, strict=True):
        assert (one.dtype, one.shape) == (right.dtype, right.shape)
        assert one.flags.writeable
        if one.dtype.kind != "f":
            np.testing.assert_array_equal(one, right)
            continue
        tolerance = TOLERANCES[one.dtype.name]
        finite = np.abs(right[np.isfinite(right)])
        np.testing.assert_allclose(one, right, rtol=tolerance, atol=tolerance * max(1.0, finite.max(initial=0.0)))


def check(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, dtype = SHAPES[seed % len(SHAPES)], ("float32", "float64")[seed // len(SHAPES) % 2]
    x = rng.standard_normal(shape).astype(dtype)
    if seed % 3 == 1:
        x.flat[rng.integers(x.size, size=3)] = [np.nan, np.inf, -0.0]
    row = rng.standard_normal(shape[-1]).astype(dtype)
    graph = rax.trace(Program(seed, shape), x, row)
    exe = compile(graph)
    x = LAYOUTS[int(rng.integers(len(LAYOUTS)))](x)
    x.flags.writeable = False
    before = x.copy()
    found = exe(x, row)
    close(found, evaluate_graph(graph, [x, row]))
    np.testing.assert_array_equal(x, before)
    for one, again in zip(flatten(found)[0], flatten(exe(x, row))[0], strict=True):
        assert one.tobytes() == again.tobytes()


@pytest.mark.parametrize("seed", range(32))
def test_random_programs(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(32, 400))
def test_many_random_programs(seed: int) -> None:
    check(seed)


def norms(x: Any, scale: Any, bias: Any, target: Any) -> Any:
    return rnp.sum(nn.softmax(nn.layer_norm(x, scale, bias)) * target)


def entropy(x: Any, scale: Any, bias: Any, target: Any) -> Any:
    return -rnp.mean(rnp.sum(nn.log_softmax(x * scale + bias) * target, axis=-1))


def squares(x: Any, scale: Any, bias: Any, target: Any) -> Any:
    return rnp.mean(rnp.square(x * scale + bias - target))


@pytest.mark.parametrize("loss", [norms, entropy, squares])
@pytest.mark.parametrize("shape", [(601, 499), (3, 167, 613)])
def test_a_loss_and_its_gradient_are_one_group(loss: Callable[..., Any], shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(each).astype(np.float32) for each in (shape, shape[-1:], shape[-1:], shape)]
    both: Any = rax.value_and_grad(loss, argnums=(0, 1, 2))
    graph = rax.trace(both, *arrays)
    exe = compile(graph)
    assert sum(bool(step.members) for step in exe.plan.steps) == 1
    assert sum(not step.view for step in exe.plan.steps) <= 8  # the others are small
    close(exe(*arrays), evaluate_graph(graph, arrays))


def test_a_group_with_reductions_holds_blocks_alone() -> None:
    shapes = ((4096, 1024), (1024,), (1024,), (4096, 1024))
    both: Any = rax.value_and_grad(norms, argnums=(0, 1, 2))
    plan = compile(rax.trace(both, *[rax.spec(shape) for shape in shapes])).plan
    assert plan.peak_bytes < 2 * 4 * 4096 * 1024


def test_sums_of_many_are_as_exact_as_those_of_pairs() -> None:
    x = np.full((4099, 1031), 0.1, np.float32)
    exe = compile(rax.trace(lambda x: (y := rnp.abs(-x) * 1, rnp.sum(y), rnp.sum(y, axis=0))[1:], x))
    assert any(step.members for step in exe.plan.steps)
    total, columns = exe(x)
    exact = np.float64(np.float32(0.1)) * x.size
    assert abs(total - exact) <= max(abs(np.add.reduce(x, None) - exact), 4e-7 * exact)
    due = exact / 1031
    assert np.max(np.abs(columns - due)) <= np.max(np.abs(np.add.reduce(x, 0) - due))


def test_threads_give_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(each).astype(np.float32) for each in ((601, 499), (499,), (499,), (601, 499))]
    both: Any = rax.value_and_grad(norms, argnums=(0, 1, 2))
    exe = compile(rax.trace(both, *arrays))
    due = [leaf.tobytes() for leaf in flatten(exe(*arrays))[0]]
    found: list[list[bytes]] = []

    def run() -> None:
        found.extend([[leaf.tobytes() for leaf in flatten(exe(*arrays))[0]] for _ in range(10)])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    assert all(each == due for each in found)


def test_an_error_names_the_step_that_failed() -> None:
    spec = rax.spec((600, 600))
    plan = compile(rax.trace(lambda x, y: rnp.exp(rnp.tanh(x) + y) * 2, spec, spec)).plan
    (step,) = plan.steps
    with pytest.raises(ExecutionError, match=r"^add failed: .*\n  add\(float32\[600, 600\], float32\[600, 600\]\)"):
        Group(step, plan.types)(np.ones((600, 600), np.float32), np.full((600, 600), "a word"), np.float32(2))


def placed(steps: tuple[Step, ...]) -> list[str]:
    return [step.name for step in steps if not step.view]


def test_nothing_large_is_made_long_before_it_is_needed() -> None:
    """The second product needs nothing of the first, but is not done with the first chain."""

    def function(x: Any, weight: Any) -> Any:
        y = rnp.exp(x) * 2 + 1
        product = y @ weight
        late = rnp.sin(y) * 3 - 1
        return product @ weight, late @ weight, rnp.sum(y, axis=0)

    names = placed(compile(rax.trace(function, rax.spec((700, 700)), rax.spec((700, 700)))).plan.steps)
    assert "exp+multiply+add+sum" in names
    assert "sin+multiply+subtract" in names


def test_groups_that_need_each_other_in_part_stay_apart() -> None:
    """The step with both as operands may join one of them, but not tie a knot."""
    outside = Kind.OTHER
    tasks = [
        Task(Kind.MAP, (0,), (1,)),
        Task(outside, (1,), (2,)),
        Task(Kind.MAP, (2,), (3,)),
        Task(Kind.MAP, (1, 3), (4,)),
    ]
    found = find_clusters(tasks, [(1 << 18,)] * 5)
    assert [cluster.places for cluster in found] == [[0], [2, 3]]


SQUARE = (1024, 1024)


@pytest.mark.parametrize("donate", [(), "w"])
def test_a_result_by_rows_is_not_written_over_a_row_that_all_blocks_read(donate: Any) -> None:
    def totals(x: rax.Tensor, w: rax.Tensor) -> rax.Tensor:
        row = w if donate else rnp.sin(w)
        return rnp.sum(rnp.exp(x * row) * 2 * 0.5, axis=1)

    graph = rax.trace(totals, rax.spec(SQUARE), rax.spec(SQUARE[0]))
    x, w = np.ones(SQUARE, np.float32), np.arange(SQUARE[0], dtype=np.float32) / SQUARE[0]
    due = compile(graph, "reference")(x, w)
    np.testing.assert_allclose(compile(graph, donate=donate)(x, w.copy()), due, rtol=1e-5)


def test_what_is_read_along_rows_is_not_read_along_columns_too() -> None:
    def normalised(x: rax.Tensor, w: rax.Tensor, b: rax.Tensor) -> rax.Tensor:
        z = rnp.exp(x) * 2
        return nn.layer_norm(z * rnp.expand_dims(rnp.sum(z, axis=1) + w, axis=1), w, b)

    x = np.random.default_rng(0).standard_normal(SQUARE, np.float32)
    w = np.arange(SQUARE[0], dtype=np.float32) / SQUARE[0]
    graph = rax.trace(normalised, x, w, w)
    np.testing.assert_allclose(compile(graph)(x, w, w * 3), compile(graph, "reference")(x, w, w * 3), atol=1e-4)
