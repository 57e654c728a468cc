"""Pooling that lays out no windows, and its gradient, give what windows give."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.types import DTYPES
from rax.ops.arrays import Array
from rax.passes.optimise import optimise
from rax.runtime.backends.numpy.lead import lead
from rax.runtime.backends.numpy.pooling import pool_gradient, pool_windows, pooled
from rax.runtime.executable import Executable, compile
from rax.runtime.reference import evaluate_graph

Run = Callable[..., Any]
LARGE = (6, 20, 50, 52)


def least_pool(x: Any, window: Any, **how: Any) -> Any:
    return -nn.max_pool(-x, window, **how)


def numbers(*shape: int, dtype: str = "float32", odd: bool = False) -> Array:
    rng = np.random.default_rng(3)
    x = rng.integers(-3, 4, shape).astype(dtype)  # with many ties
    if odd:
        for number in (np.nan, np.inf, -np.inf, -0.0):
            x[rng.random(shape) < 0.02] = number
    return x


def names(exe: Executable) -> list[str]:
    return [step.op.name for step in exe.plan.steps]


def check(function: Run, *arrays: Array) -> Executable:
    graph = rax.trace(function, *arrays)
    exe = compile(graph)
    for found, due in zip(exe.run([*arrays]), evaluate_graph(graph, [*arrays]), strict=True):
        assert found.dtype == due.dtype
        assert found.flags.writeable
        np.testing.assert_allclose(found, due, rtol=1e-5, atol=1e-5)
    return exe


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("pool", [nn.max_pool, least_pool, nn.avg_pool])
@pytest.mark.parametrize(
    ("shape", "window", "how"),
    [
        ((2, 3, 8, 9), 2, {}),
        ((2, 3, 8, 9), 3, {"stride": 2, "padding": 1}),
        ((2, 1, 7), 3, {"stride": 1}),
        ((1, 2, 5, 4, 6), (2, 1, 3), {"stride": (1, 2, 2)}),
        ((2, 2, 9, 9), 2, {"stride": 3}),
        ((0, 3, 4, 4), 2, {}),
        (LARGE, 3, {"stride": 2}),
        (LARGE, 2, {}),
    ],
)
def test_values_and_gradients_are_those_of_windows(
    pool: Run, shape: tuple[int, ...], window: Any, how: dict[str, Any], odd: bool
) -> None:
    x = numbers(*shape, odd=odd)
    exe = check(rax.value_and_grad(lambda x: rnp.sum(rnp.sin(pool(x, window, **how)))), x)
    assert "sliding_windows" not in names(exe)
    assert "pool" in names(exe)
    assert ("pool_gradient" in names(exe)) == (pool is not nn.avg_pool)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ties_share_evenly_and_nan_takes_nothing(dtype: str) -> None:
    x = np.asarray([[[1, 2, 2, 2, np.nan, 0, -0.0, 0]]], dtype)
    exe = compile(rax.trace(rax.grad(lambda x: rnp.sum(nn.max_pool(x, 4))), x))
    assert "pool_gradient" in names(exe)
    third = np.asarray(1, dtype) / np.asarray(3, dtype)
    np.testing.assert_array_equal(exe.run([x])[0], np.asarray([[[0, third, third, third, 0, 0, 0, 0]]], dtype))


def test_windows_may_be_spread_out_and_overlap() -> None:
    x = numbers(2, 3, 12)
    check(rax.grad(lambda x: rnp.sum(nn.max_pool(x, 3, stride=2, dilation=3) ** 2)), x)


@pytest.mark.parametrize("shape", [(12, 400, 24), (1, 5000, 40), (5000, 1, 40), (9600,)])
def test_operands_may_lie_anyhow_and_be_read_only(shape: tuple[int, ...]) -> None:
    graph = rax.trace(rax.grad(lambda x: rnp.sum(pooled_last(x) ** 2)), rax.spec(shape, "float32"))
    exe = compile(graph)
    x = numbers(*shape)
    (due,) = evaluate_graph(graph, [x])
    for given in (x, np.asfortranarray(x), x[::-1].copy()[::-1], np.repeat(x, 2, -1)[..., ::2]):
        given.flags.writeable = False
        np.testing.assert_allclose(exe.run([given])[0], due, rtol=1e-5)


def pooled_last(x: Any) -> Any:
    joined = rnp.reshape(x, (1, 1, *x.shape)) if x.ndim == 1 else x
    return nn.max_pool(joined, 3, stride=2)


def test_several_threads_may_run_it_at_once() -> None:
    x = numbers(*LARGE)
    exe = compile(rax.trace(rax.grad(lambda x: rnp.sum(nn.max_pool(x, 3, stride=2) ** 2)), x))
    (due,) = exe.run([x])
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: exe.run([x])[0], range(8)):
            assert found.tobytes() == due.tobytes()


def test_large_windows_half_types_and_other_axes_stay_as_they_are() -> None:
    for function, x in (
        (lambda x: nn.avg_pool(x, 9), numbers(1, 1, 20, 20)),
        (lambda x: nn.max_pool(x, 2), numbers(1, 1, 8, dtype="float16")),
        (lambda x: nn.max_pool(x, 2), numbers(1, 1, 8, dtype="int32")),
        (lambda x: nn.lp_pool(x, 2), numbers(1, 1, 8)),
    ):
        assert "pool" not in names(check(function, x))


def test_sizes_may_be_named() -> None:
    graph = rax.trace(
        rax.grad(lambda x: rnp.sum(nn.max_pool(x, 3, stride=2) ** 2)), rax.spec(("n", 2, "2*s + 3"), "float32")
    )
    exe = compile(graph)
    for shape in ((3, 2, 7), (0, 2, 9), (40, 2, 301)):
        x = numbers(*shape)
        np.testing.assert_allclose(exe.run([x])[0], evaluate_graph(graph, [x])[0], rtol=1e-5)


def test_derivatives_of_derivatives_and_batches() -> None:
    x = numbers(2, 2, 9) + np.linspace(0, 0.5, 36, dtype=np.float32).reshape(2, 2, 9)

    def loss(x: Any) -> Any:
        return rnp.sum(nn.max_pool(x, 3, stride=2) ** 3)

    check(rax.grad(lambda x: rnp.sum(rax.grad(loss)(x) ** 2)), x)
    check(rax.vmap(rax.grad(loss)), np.stack([x, x + 1]))


def test_bodies_are_looked_through() -> None:
    x = numbers(4, 2, 1, 9)
    graph = rax.trace(
        lambda x: rax.scan(lambda c, row: (c + rnp.sum(nn.max_pool(row, 2)), c), rnp.sum(x[0, 0, 0, :1]), x), x
    )
    assert "pool" in str(pool_windows(optimise(graph)))
    assert "pool" in names_within(compile(graph))
    for found, due in zip(compile(graph).run([x]), evaluate_graph(graph, [x]), strict=True):
        np.testing.assert_allclose(found, due, rtol=1e-6)


def names_within(exe: Executable) -> list[str]:
    return [step.op.name for outer in exe.plan.steps for plan in outer.nested for step in plan.steps]


def test_the_rules_do_what_their_examples_say() -> None:
    for example in (*pooled.examples, *pool_gradient.examples):
        for dtype in example.operands.dtypes or ():
            before, after = example.graphs(DTYPES[dtype])
            assert pool_windows(before) == after
            given = example.operands.arrays(DTYPES[dtype], 0)
            for found, due in zip(evaluate_graph(after, given), evaluate_graph(before, given), strict=True):
                np.testing.assert_allclose(found, due, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (1, 7), (5, 3, 2), (2, 1, 9)])
def test_every_row_is_in_one_block(shape: tuple[int, ...]) -> None:
    for nbytes in (100, 1 << 24):
        for array in (np.zeros((*shape, 4)), np.asfortranarray(np.zeros((*shape, 4)))):
            blocks = lead(shape, nbytes)
            sizes: list[int] = []

            def work(block: Array, sizes: list[int] = sizes) -> None:
                sizes.append(block.size // 4)
                block += 1

            blocks.run([array], lambda work=work: work)
            assert (array == 1).all()
            assert max(sizes) <= blocks.most
