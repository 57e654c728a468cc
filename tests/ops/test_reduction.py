"""Reductions and normalisations against loops, Python's own functions, and formulas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rax.ir.op import Op
from rax.ir.types import as_dtype, tensor_type
from rax.ops.arrays import Array, numpy_dtype
from rax.ops.normalization import LayerNorm, LogSoftmax, Softmax
from rax.ops.reduction import AllTrue, AnyTrue, ArgMax, ArgMin, LogSumExp, Max, Mean, Min, Prod, Variance
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import cotangent_graph
from tests.ops.symbolic import Sizes, apply, check_symbolic, graph_of

N7 = ({"n": 7}, {"n": 1}, {"n": 0})
N3 = ({"n": 3}, {"n": 1})


def by_loop(function: Callable[..., Any], x: Array, axes: tuple[int, ...]) -> Array:
    """A reduction written as a loop over the elements that remain."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    result = np.empty([x.shape[axis] for axis in kept], object)
    for index in np.ndindex(*result.shape):
        place = [slice(None)] * x.ndim
        for axis, position in zip(kept, index, strict=True):
            place[axis] = position
        result[index] = function([item.item() for item in x[tuple(place)].reshape(-1)])
    return result


def variance(numbers: list[float]) -> float:
    mean = sum(numbers) / len(numbers)
    return sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)


Reduces = Prod | Max | Min | Mean | LogSumExp
REDUCTIONS: dict[type[Reduces], Callable[..., float]] = {
    Prod: math.prod,
    Max: max,
    Min: min,
    Mean: lambda numbers: sum(numbers) / len(numbers),
    LogSumExp: lambda numbers: math.log(sum(map(math.exp, numbers))),
}


@pytest.mark.parametrize("cls", REDUCTIONS, ids=lambda cls: cls.name)
@pytest.mark.parametrize("axes", [(), (0,), (1,), (0, 2), (0, 1, 2)], ids=str)
def test_a_reduction_equals_a_loop(cls: type[Reduces], axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    expected = by_loop(REDUCTIONS[cls], x, axes).astype(float)
    np.testing.assert_allclose(cls(axes).reference(x), expected, rtol=1e-13)
    np.testing.assert_allclose(apply(cls(axes), x), expected, rtol=1e-13)


def test_variance_equals_a_loop() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    expected = by_loop(variance, x, (1, 2)).astype(float)
    np.testing.assert_allclose(Variance((1, 2), 1.0).reference(x), expected, rtol=1e-13)


def test_truth_values_are_reduced_as_python_does() -> None:
    for shape in [(2, 3), (0, 3), (3, 0)]:
        x = np.random.default_rng(1).normal(size=shape) > -0.5
        np.testing.assert_array_equal(AllTrue((1,)).reference(x), by_loop(all, x, (1,)).astype(bool))
        np.testing.assert_array_equal(AnyTrue((0,)).reference(x), by_loop(any, x, (0,)).astype(bool))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_nan_wins_every_comparison(dtype: str) -> None:
    x = np.array([[1, np.nan, 3, np.nan], [4, 2, 4, 2]]).astype(numpy_dtype(as_dtype(dtype)))
    assert np.isnan(Max((1,)).reference(x)[0])
    assert np.isnan(Min((1,)).reference(x)[0])
    assert ArgMax(1).reference(x).tolist() == [1, 0]
    assert ArgMin(1).reference(x).tolist() == [1, 1]


def gradient(op: Op, x: Array) -> Array:
    graph = cotangent_graph(graph_of(op, [tensor_type(x.shape, x.dtype)]))[0]
    return evaluate_graph(graph, [x, np.ones(graph.in_types[-1].shape, x.dtype)])[0]


def test_ties_share_the_derivative_evenly() -> None:
    x = np.array([[2.0, 1.0, 2.0, 2.0], [1.0, 5.0, 1.0, 1.0]])
    np.testing.assert_allclose(gradient(Max((1,)), x), [[1 / 3, 0, 1 / 3, 1 / 3], [0, 1, 0, 0]])
    np.testing.assert_allclose(gradient(Min((1,)), x), [[0, 1, 0, 0], [1 / 3, 0, 1 / 3, 1 / 3]])


@pytest.mark.parametrize("x", [[2.0, 3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 3.0, 0.0], [1e200, 1e200, 0.0, 1e-200]])
def test_the_derivative_of_a_product_is_the_product_of_the_others(x: list[float]) -> None:
    others = [math.prod(x[:index] + x[index + 1 :]) for index in range(len(x))]
    np.testing.assert_allclose(gradient(Prod((0,)), np.array(x)), others, rtol=1e-14)


def test_the_second_derivative_of_a_product_with_zeros_is_exact() -> None:
    x = np.array([0.0, 2.0, 0.0, 5.0])
    first = cotangent_graph(graph_of(Prod((0,)), [tensor_type((4,), "float64")]))[0]
    second = cotangent_graph(first)[0]
    rows = [evaluate_graph(second, [x, np.array(1.0), row])[0] for row in np.eye(4)]
    expected = np.zeros((4, 4))
    for i, j in itertools.permutations(range(4), 2):
        expected[i, j] = math.prod(number for index, number in enumerate(x.tolist()) if index not in (i, j))
    np.testing.assert_allclose(rows, expected)


def test_logsumexp_neither_overflows_nor_trips_over_infinities() -> None:
    inf = math.inf
    x = np.array([[1000.0, 1000.0], [-inf, 3.0], [-inf, -inf], [inf, 1.0]])
    expected = [1000 + math.log(2), 3.0, -inf, inf]
    np.testing.assert_allclose(apply(LogSumExp((1,)), x), expected)
    np.testing.assert_allclose(gradient(LogSumExp((1,)), x)[:2], [[0.5, 0.5], [0.0, 1.0]])


def test_half_types_are_summed_in_float32() -> None:
    x = np.full(4096, 0.1, np.float16)
    wanted = float(np.float16(0.1))
    assert float(apply(Mean((0,)), x)) == pytest.approx(wanted, rel=1e-3)
    assert float(Mean((0,)).reference(x)) == pytest.approx(wanted, rel=1e-3)
    big = np.full(4096, 60000, np.float16)
    assert float(apply(Mean((0,)), big)) == 60000


@pytest.mark.parametrize("cls", [Softmax, LogSoftmax], ids=lambda cls: cls.name)
def test_softmax_equals_a_loop(cls: type[Softmax | LogSoftmax]) -> None:
    x = np.random.default_rng(2).normal(size=(3, 4))
    rows = []
    for row in x:
        total = sum(math.exp(number) for number in row)
        rows.append([math.exp(number) / total for number in row])
    expected = np.array(rows) if cls is Softmax else np.log(rows)
    np.testing.assert_allclose(cls(1).reference(x), expected, rtol=1e-12)
    np.testing.assert_allclose(apply(cls(0), np.ascontiguousarray(x.T)), expected.T, rtol=1e-12)


def test_softmax_gives_masked_elements_nothing() -> None:
    x = np.array([-np.inf, 1.0, 1.0])
    np.testing.assert_array_equal(apply(Softmax(0), x), [0, 0.5, 0.5])
    np.testing.assert_array_equal(gradient(Softmax(0), x), [0, 0, 0])
    assert np.isnan(apply(Softmax(0), x[:1])).all()


def test_layer_norm_rows_have_mean_bias_and_deviation_scale() -> None:
    x = np.random.default_rng(3).normal(3, 5, size=(4, 100))
    result = apply(LayerNorm(1e-12), x, np.full(100, 2.0), np.full(100, 7.0))
    np.testing.assert_allclose(result.mean(1), 7)
    np.testing.assert_allclose(result.std(1), 2)


@pytest.mark.parametrize(
    ("build", "sizes"),
    [
        (Prod((0,)), N7), (Prod((0, 1)), N7), (Max((1,)), N7), (Max((0,)), N3), (Min((0, 1)), N3),
        (Mean((1,)), N7), (Mean((0,)), N3), (Variance((0,), 1.0), ({"n": 4},)), (Variance((1,)), N7),
        (LogSumExp((0,)), N3), (LogSumExp((1,)), N7), (ArgMax(0), N3), (ArgMin(1), N7),
        (Softmax(1), N7), (LogSoftmax(0), N3),
    ],
    ids=str,
)  # fmt: skip
def test_named_dims_change_nothing(build: Op, sizes: Sizes) -> None:
    check_symbolic(build, tensor_type(("n", 3), "float64"), sizes=sizes)


def test_layer_norm_takes_named_dims_everywhere() -> None:
    vector = tensor_type(("d",), "float64")
    sizes = ({"n": 2, "d": 3}, {"n": 0, "d": 3})
    check_symbolic(LayerNorm(), tensor_type(("n", "d"), "float64"), vector, vector, sizes=sizes)
