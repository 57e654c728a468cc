"""Layers, the functions between them, and initialisers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn, random

RNG = np.random.default_rng(11)
KEY = random.key(5)
COUNT = 40_000


def test_dense() -> None:
    x, weight, bias = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(4, 5)), RNG.normal(size=5)
    np.testing.assert_allclose(nn.dense(x, weight), x @ weight)
    np.testing.assert_allclose(nn.dense(x, weight, bias), x @ weight + bias)


def test_dropout_keeps_the_mean() -> None:
    ones = np.ones(COUNT)
    for rate in (0.1, 0.5, 0.9):
        dropped = nn.dropout(KEY, ones, rate).numpy()
        assert np.unique(dropped).tolist() == pytest.approx([0, 1 / (1 - rate)])
        assert abs(np.mean(dropped == 0) - rate) < 5 * math.sqrt(rate * (1 - rate) / COUNT)
    assert np.array_equal(nn.dropout(KEY, ones, 0.0), ones)


def test_dropout_drops_the_gradient_too() -> None:
    x = RNG.normal(size=20)
    dropped = nn.dropout(KEY, x, 0.5).numpy()
    slope = rax.grad(lambda x: rnp.sum(nn.dropout(KEY, x, 0.5)))(x)
    assert slope.tolist() == np.where(dropped == 0, 0.0, 2.0).tolist()


def test_whole_channels_and_whole_examples_are_dropped_together() -> None:
    x = RNG.normal(size=(50, 40, 2, 3))
    for function, axes in ((nn.spatial_dropout, (2, 3)), (nn.drop_path, (1, 2, 3))):
        share = function(KEY, x, 0.25).numpy() / x
        assert np.unique(np.round(share, 12)).tolist() == pytest.approx([0, 4 / 3])
        assert np.ptp(share, axis=axes).max() < 1e-12
        means = share.mean(axes)
        assert abs(np.mean(means == 0) - 0.25) < 5 * math.sqrt(0.25 * 0.75 / means.size)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = random.normal(random.key(1), (COUNT,), "float64").numpy()
    for rate in (0.1, 0.5):
        dropped = nn.alpha_dropout(KEY, x, rate).numpy()
        assert abs(dropped.mean()) < 5 / math.sqrt(COUNT)
        assert dropped.var() == pytest.approx(1, abs=0.05)
    assert np.array_equal(nn.alpha_dropout(KEY, x, 0.0), x)


def test_embedding_and_its_gradient() -> None:
    table, ids = RNG.normal(size=(5, 3)), np.array([[1, 4], [1, -1]])
    assert np.array_equal(nn.embedding(table, ids), table[ids])
    counts = rax.grad(lambda table: rnp.sum(nn.embedding(table, ids)))(table)[:, 0]
    assert counts.tolist() == [0.0, 2.0, 0.0, 0.0, 2.0]


def test_one_hot() -> None:
    labels = np.array([[0, 2], [1, 5]])
    due = np.concatenate([np.eye(3), np.zeros((3, 3))])[labels]
    assert np.array_equal(nn.one_hot(labels, 3), due)
    assert nn.one_hot(labels.astype("uint8"), 3, "bool").dtype.name == "bool"
    for axis in (0, 1, 2, -2):
        assert np.array_equal(nn.one_hot(labels, 3, axis=axis), np.moveaxis(due, -1, axis))


def test_one_hot_times_a_table_is_an_embedding() -> None:
    table, ids = RNG.normal(size=(5, 3)), np.array([[1, 4], [1, 0]])
    weights = RNG.normal(size=(2, 2, 3))

    def by_product(table: rax.Tensor) -> rax.Tensor:
        return rnp.sum(nn.one_hot(ids, 5, "float64") @ table * weights)

    loss, slope = rax.value_and_grad(by_product)(table)
    due, other = rax.value_and_grad(lambda table: rnp.sum(nn.embedding(table, ids) * weights))(table)
    np.testing.assert_allclose(loss, due)
    np.testing.assert_allclose(slope, other)


def test_flatten() -> None:
    x = RNG.normal(size=(2, 3, 4))
    assert np.array_equal(nn.flatten(x), x.reshape(2, 12))
    assert nn.flatten(np.zeros(3)).shape == (3, 1)


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_batches_may_be_symbolic(batch: int) -> None:
    def model(ids: rax.Tensor, table: rax.Tensor) -> rax.Tensor:
        hidden = nn.flatten(nn.embedding(table, ids))
        return nn.dense(nn.dropout(KEY, hidden, 0.5), rnp.ones((6, 2))) + nn.one_hot(ids[:, 0], 2)

    graph = rax.trace(model, rax.spec(("batch", 2), "int64"), rax.spec((4, 3)))
    assert graph.out_types[0].shape == (rax.spec("batch").shape[0], 2)
    assert graph(np.ones((batch, 2), "int64"), np.ones((4, 3), "float32")).shape == (batch, 2)


INITIALIZERS: dict[str, tuple[Callable[..., rax.Tensor], Callable[[int, int], float]]] = {
    "glorot_normal": (nn.glorot_normal, lambda n_in, n_out: 2 / (n_in + n_out)),
    "glorot_uniform": (nn.glorot_uniform, lambda n_in, n_out: 2 / (n_in + n_out)),
    "he_normal": (nn.he_normal, lambda n_in, n_out: 2 / n_in),
    "he_uniform": (nn.he_uniform, lambda n_in, n_out: 2 / n_in),
    "lecun_normal": (nn.lecun_normal, lambda n_in, n_out: 1 / n_in),
    "lecun_uniform": (nn.lecun_uniform, lambda n_in, n_out: 1 / n_in),
    "variance_scaling, cut": (
        lambda *given: nn.variance_scaling(*given, distribution="truncated_normal"),
        lambda n_in, n_out: 1 / n_in,
    ),
    "variance_scaling": (
        lambda *given: nn.variance_scaling(*given, scale=3, mode="fan_out"),
        lambda n_in, n_out: 3 / n_out,
    ),
}


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize(("shape", "fans"), [((100, 300), (100, 300)), ((40, 30, 5, 5), (750, 1000))])
def test_initializers_have_the_variance_they_promise(name: str, shape: tuple[int, ...], fans: tuple[int, int]) -> None:
    function, due = INITIALIZERS[name]
    weights = function(KEY, shape).numpy()
    assert weights.dtype == "float32"
    variance = due(*fans)
    assert abs(weights.mean()) < 5 * math.sqrt(variance / weights.size)
    assert weights.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / weights.size))
    if "uniform" in name:
        assert np.abs(weights).max() <= math.sqrt(3 * variance)
    if "cut" in name:
        assert np.abs(weights).max() <= math.sqrt(variance) * 2.28


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (3, 2, 2, 2), (8, 1, 3)])
def test_orthogonal(shape: tuple[int, ...], dtype: str) -> None:
    weight = nn.orthogonal(KEY, shape, dtype, scale=2.0)
    assert weight.dtype.name == dtype
    matrix = weight.numpy().astype("float64").reshape(shape[0], -1)
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    tolerance = {"bfloat16": 0.05, "float32": 1e-5, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(matrix @ matrix.T, 4 * np.eye(len(matrix)), atol=tolerance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.dropout(KEY, np.ones(2), 1.0), "dropout's rate is at least 0 and less than 1, not 1.0"),
        (
            lambda: nn.embedding(np.ones(2, int), np.ones((3, 2))),
            r"embedding takes a table and then integers, not int64\[2\] and float64\[3, 2\]",
        ),
        (lambda: nn.one_hot(np.ones(2), 3), "one_hot needs integers, not float64"),
        (lambda: nn.one_hot(np.ones(2, int), -2), "one_hot needs a number of classes that is not negative, not -2"),
        (lambda: nn.flatten(np.float64(1)), "flatten needs a first axis to keep"),
        (lambda: nn.spatial_dropout(KEY, np.ones(2), 0.5), r"spatial_dropout needs \(N, C, \*spatial\), not float64"),
        (lambda: nn.drop_path(KEY, np.float64(1), 0.5), "drop_path needs an axis of examples; a scalar has none"),
        (lambda: nn.variance_scaling(KEY, (2, 2), scale=0), "variance_scaling needs a positive scale, not 0"),
        (lambda: nn.variance_scaling(KEY, (2, 2), mode="fan"), "knows the modes 'fan_in', 'fan_out', 'fan_avg' and"),  # pyright: ignore[reportArgumentType]  # the type checker refuses it too
        (lambda: nn.he_normal(KEY, (3,)), r"a weight has at least two axes, not the shape \(3,\)"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()


def test_an_id_out_of_range_fails_when_the_graph_runs() -> None:
    with pytest.raises(rax.ExecutionError, match="index 5 is out of bounds"):
        nn.embedding(np.zeros((5, 2)), np.array([5])).numpy()
