"""Constant factors of products: where they are moved to, where they stay, and that only rounding differs."""

from __future__ import annotations

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ops.arrays import Array
from rax.passes.optimise import reassociate
from rax.passes.scaling import hoist_factors
from rax.runtime.reference import evaluate_graph


def operands(dtype: str, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.standard_normal(left).astype(dtype), rng.standard_normal(right).astype(dtype)


def scaled_sizes(graph: rax.Graph) -> list[tuple[object, ...]]:
    """The shapes of what is multiplied element by element."""
    return [node.outputs[0].shape for node in graph.nodes if node.op.name == "multiply"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("left", "right", "due"),
    [
        ((90, 9), (9, 80), (9, 80)),
        ((80, 9), (9, 90), (80, 9)),
        ((4, 30, 9), (4, 9, 40), (4, 30, 9)),
        ((50, 9), (6, 9, 8), (6, 9, 8)),
        ((9, 90), (90, 8), (9, 8)),  # the product is the smallest
        ((0, 9), (9, 80), (0, 9)),
    ],
)
def test_a_factor_is_applied_to_the_smallest(
    left: tuple[int, ...], right: tuple[int, ...], due: tuple[int, ...], dtype: str
) -> None:
    x, y = operands(dtype, left, right)
    graph = rax.trace(lambda x, y: 0.1 * (x @ y), x, y)
    found = hoist_factors(graph)
    assert scaled_sizes(found) == [due]
    (before,), (after,) = evaluate_graph(graph, [x, y]), evaluate_graph(found, [x, y])
    assert before.dtype == after.dtype == dtype
    bound = 4 * x.shape[-1] * np.finfo(dtype).eps * 0.1 * np.matmul(np.abs(x), np.abs(y))
    assert np.all(np.abs(before - after) <= bound)


@pytest.mark.parametrize("factor", [0.0, 1e-9, 7.0, np.nan, np.inf])
def test_a_factor_that_may_overflow_or_vanish_stays(factor: float) -> None:
    x, y = operands("float32", (90, 9), (9, 80))
    graph = rax.trace(lambda x, y: np.float32(factor) * (x @ y), x, y)
    assert hoist_factors(graph) is graph


@pytest.mark.parametrize("dtype", ["float16", "complex64"])
def test_other_types_stay(dtype: str) -> None:
    x, y = operands(dtype, (90, 9), (9, 80))
    graph = rax.trace(lambda x, y: 0.1 * (x @ y), x, y)
    assert hoist_factors(graph) is graph


def test_a_product_that_is_read_twice_stays() -> None:
    x, y = operands("float32", (90, 9), (9, 80))

    def both(x: rax.Tensor, y: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor]:
        product = x @ y
        return product * 0.1, product

    graph = rax.trace(both, x, y)
    assert hoist_factors(graph) is graph
    symbolic = rax.trace(lambda x, y: (x @ y) * 0.1, rax.spec(("n", 9)), rax.spec((9, 80)))
    assert scaled_sizes(hoist_factors(symbolic)) == scaled_sizes(symbolic)


def test_a_training_step_scales_what_its_gradients_are_made_of() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((8, 60), np.float32), rng.standard_normal((60, 50), np.float32)

    def step(w: rax.Tensor, x: rax.Tensor) -> rax.Tensor:
        return w - 0.05 * rax.grad(lambda w: rnp.sum(rnp.tanh(x @ w)))(w)

    graph = rax.trace(step, w, x)
    assert (60, 50) in scaled_sizes(graph)
    assert (60, 50) not in scaled_sizes(reassociate(graph))
    slope = 1 - np.tanh(x.astype("f8") @ w) ** 2
    np.testing.assert_allclose(rax.compile(graph)(w, x), w - 0.05 * (x.T @ slope), rtol=1e-4, atol=1e-5)
