"""Losses beside SciPy and NumPy; their derivatives; the empty batch; what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(7)
LOGITS = RNG.normal(size=(5, 4)) * 3
LABELS = np.array([0, 3, 1, 1, 2])
SOFT = special.softmax(RNG.normal(size=(5, 4)), axis=1)
SCORES = np.array([-900.0, -2.0, 0.0, 1.5, 900.0])
TRUTHS = np.array([0.0, 1.0, 1.0, 0.25, 1.0])
LEFT, RIGHT = RNG.normal(size=(3, 4)) * 2, RNG.normal(size=(3, 4))
PAIRS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "mse": (nn.mse, np.square),
    "mae": (nn.mae, np.abs),
    "huber": (nn.huber, lambda e: special.huber(1.0, e)),
}


def test_cross_entropy_of_integers_and_of_distributions() -> None:
    logs = special.log_softmax(LOGITS, axis=1)
    picked = -logs[np.arange(5), LABELS]
    np.testing.assert_allclose(nn.cross_entropy(LOGITS, LABELS), picked.mean())
    np.testing.assert_allclose(nn.cross_entropy(LOGITS, LABELS, reduction="none"), picked)
    np.testing.assert_allclose(nn.cross_entropy(LOGITS, SOFT), -(SOFT * logs).sum(1).mean())
    np.testing.assert_allclose(nn.cross_entropy(LOGITS, SOFT, reduction="sum"), -(SOFT * logs).sum())
    np.testing.assert_allclose(nn.cross_entropy(LOGITS, LABELS.astype("uint8")), picked.mean())
    np.testing.assert_allclose(nn.cross_entropy(LOGITS, LABELS - 4), picked.mean())


def test_the_gradient_of_cross_entropy_is_softmax_less_the_label() -> None:
    due = (special.softmax(LOGITS, axis=1) - np.eye(4)[LABELS]) / 5
    np.testing.assert_allclose(rax.grad(nn.cross_entropy)(LOGITS, LABELS), due, atol=1e-15)
    due = (special.softmax(LOGITS, axis=1) - SOFT) / 5
    np.testing.assert_allclose(rax.grad(nn.cross_entropy)(LOGITS, SOFT), due, atol=1e-15)


def test_cross_entropy_over_more_axes_is_that_of_all_rows() -> None:
    cube, marks = RNG.normal(size=(2, 3, 4)), np.array([[0, 1, 2], [3, 0, 1]])
    flat = nn.cross_entropy(cube.reshape(6, 4), marks.reshape(6))
    np.testing.assert_allclose(nn.cross_entropy(cube, marks), flat)


def test_binary_cross_entropy_does_not_overflow() -> None:
    due = -(TRUTHS * special.log_expit(SCORES) + (1 - TRUTHS) * special.log_expit(-SCORES))
    np.testing.assert_allclose(nn.binary_cross_entropy(SCORES, TRUTHS, reduction="none"), due, atol=1e-300)
    slopes = rax.grad(nn.binary_cross_entropy)(SCORES, TRUTHS)
    np.testing.assert_allclose(slopes, (special.expit(SCORES) - TRUTHS) / 5, atol=1e-16)
    marks = TRUTHS > 0.5
    np.testing.assert_allclose(
        nn.binary_cross_entropy(SCORES, marks), nn.binary_cross_entropy(SCORES, marks.astype(float))
    )


@pytest.mark.parametrize("name", PAIRS)
def test_losses_of_a_difference(name: str) -> None:
    function, truth = PAIRS[name]
    terms = truth(LEFT - RIGHT)
    np.testing.assert_allclose(function(LEFT, RIGHT), terms.mean())
    np.testing.assert_allclose(function(LEFT, RIGHT, reduction="sum"), terms.sum())
    np.testing.assert_allclose(function(LEFT, RIGHT, reduction="none"), terms)
    step = 1e-6
    slopes = (truth(LEFT - RIGHT + step) - truth(LEFT - RIGHT - step)) / (2 * step) / LEFT.size
    np.testing.assert_allclose(rax.grad(function)(LEFT, RIGHT), slopes, atol=1e-9)


def test_huber_bends_at_delta() -> None:
    errors = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    np.testing.assert_allclose(
        nn.huber(errors, np.zeros(5), 0.5, reduction="none"), special.huber(0.5, errors), atol=1e-300
    )


def test_losses_keep_the_dtype_and_sum_halves_in_float32() -> None:
    many = np.full(4096, 8.0, "float16")
    loss = nn.mse(many, np.zeros(4096, "float16"))
    assert (loss.dtype.name, float(loss)) == ("float16", 64.0)
    assert nn.mse(np.zeros(2, "float32"), np.zeros(2, "float64")).dtype.name == "float64"


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_the_loss_of_an_empty_batch_is_zero_and_so_is_its_gradient(batch: int) -> None:
    graph = rax.trace(
        rax.value_and_grad(lambda w, x, y: nn.cross_entropy(x @ w, y)),
        rax.spec((3, 4), "float64"),
        rax.spec(("batch", 3), "float64"),
        rax.spec(("batch",), "int64"),
    )
    w, x, y = RNG.normal(size=(3, 4)), RNG.normal(size=(batch, 3)), np.arange(batch) % 4
    loss, slope = graph(w, x, y)
    if batch == 0:
        assert loss == 0
        assert not slope.any()
    else:
        due = x.T @ (special.softmax(x @ w, axis=1) - np.eye(4)[y]) / batch
        np.testing.assert_allclose(slope, due, atol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.cross_entropy(LOGITS, LABELS[:, None]), r"logits float64\[5, 4\] cannot use labels int64\[5, 1\]"),
        (lambda: nn.cross_entropy(LOGITS, LABELS.astype(float)), r"cannot use labels float64\[5\]"),
        (lambda: nn.cross_entropy(np.float64(1), np.float64(1)), r"logits float64\[\] cannot use labels"),
        (lambda: nn.mse(LEFT, RIGHT[:1]), r"mse needs predictions and targets of one shape, not float64\[3, 4\] and"),
        (lambda: nn.mse(LEFT, RIGHT, reduction="max"), "reduction is one of 'mean', 'sum' and 'none', not 'max'"),  # pyright: ignore[reportArgumentType]  # the type checker refuses it too
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()


def test_a_label_out_of_range_fails_when_the_graph_runs() -> None:
    loss = nn.cross_entropy(rnp.asarray(LOGITS), LABELS + 1)
    with pytest.raises(rax.ExecutionError, match="index 4 is out of bounds"):
        float(loss)
