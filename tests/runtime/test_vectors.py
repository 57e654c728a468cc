"""What is done along one axis, of many vectors at a time, is what is done to each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ops.arrays import Array
from rax.runtime.executable import compile
from rax.runtime.reference import evaluate_graph

SHAPES = [((700, 300), 0), ((700, 300), 1), ((20, 90, 150), 1), ((4, 3, 40, 40), 2), ((300_000,), 0), ((0, 300), 0)]


def numbers(*shape: int, dtype: str = "float32") -> Array:
    """With ties, and zeros of both signs in some vectors only."""
    rng = np.random.default_rng(5)
    x = (rng.standard_normal(shape) * 50).round().astype(dtype)
    if x.dtype.kind == "f" and x.size:
        x[: len(x) // 2] += x.dtype.type(0.5)
        x[rng.random(shape) < 0.001] = np.nan
        x[rng.random(shape) < 0.001] = -0.0
    return x


def check(function: Callable[..., Any], x: Array) -> None:
    graph = rax.trace(function, x)
    exe = compile(graph)
    (due,) = evaluate_graph(graph, [x])
    for given in (x, np.asfortranarray(x), x[::-1].copy()[::-1]):
        given.flags.writeable = False
        (found,) = exe.run([given])
        assert (found.dtype, found.shape, found.tobytes()) == (due.dtype, due.shape, due.tobytes())
        assert found.flags.writeable


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_sorting(shape: tuple[int, ...], axis: int, dtype: str, descending: bool) -> None:
    x = numbers(*shape, dtype=dtype)
    check(lambda x: rnp.sort(x, axis=axis, descending=descending), x)
    check(lambda x: rnp.argsort(x, axis=axis, descending=descending), x)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "complex64"])
@pytest.mark.parametrize(("shape", "axis"), [*SHAPES, ((5, 1, 400), 1), ((0, 3, 400), 1), ((3, 0, 400), 1)])
def test_running_sums_and_products(shape: tuple[int, ...], axis: int, dtype: str, reverse: bool) -> None:
    x = numbers(*shape, dtype=dtype)

    def either_way(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x: rnp.flip(function(rnp.flip(x, axis=axis)), axis=axis) if reverse else function(x)

    check(either_way(lambda x: rnp.cumulative_sum(x, axis=axis)), x)
    check(either_way(lambda x: rnp.cumulative_prod(x, axis=axis)), x)
    if dtype == "float64":
        check(rax.grad(lambda x: rnp.sum(rnp.cumulative_sum(x, axis=axis) * x)), np.nan_to_num(x))


def test_several_threads_may_sort_at_once() -> None:
    x = numbers(600, 500)
    exe = compile(rax.trace(lambda x: rnp.sort(x, axis=0), x))
    (due,) = exe.run([x])
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: exe.run([x])[0], range(8)):
            assert found.tobytes() == due.tobytes()
