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
    "smooth_l1": (lambda x, y, **rest: nn.smooth_l1_loss(x, y, 0.7, **rest), lambda e: special.huber(0.7, e) / 0.7),
    "smooth_l1 without bend": (lambda x, y, **rest: nn.smooth_l1_loss(x, y, 0.0, **rest), np.abs),
    "log_cosh": (nn.log_cosh, lambda e: np.log(np.cosh(e))),
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


WEIGHT = np.array([0.5, 2.0, 1.0, 3.0])
NEGATIVE_LOGS = -special.log_softmax(LOGITS, axis=1)


def test_cross_entropy_with_weights_labels_to_ignore_and_smoothing() -> None:
    """As PyTorch defines them, written out one label at a time."""
    for smoothing in (0.0, 0.3):
        for ignored in (None, 1):
            total = divisor = 0.0
            for row, label in zip(NEGATIVE_LOGS, LABELS, strict=True):
                if label != ignored:
                    total += (1 - smoothing) * WEIGHT[label] * row[label] + smoothing / 4 * (WEIGHT * row).sum()
                    divisor += WEIGHT[label]
            options: dict[str, Any] = {"weight": WEIGHT, "ignore_index": ignored, "label_smoothing": smoothing}
            np.testing.assert_allclose(nn.cross_entropy(LOGITS, LABELS, **options), total / divisor)
            np.testing.assert_allclose(nn.cross_entropy(LOGITS, LABELS, reduction="sum", **options), total)
    smooth = 0.7 * SOFT + 0.3 / 4
    due = (smooth * WEIGHT * NEGATIVE_LOGS).sum(1)
    terms = nn.cross_entropy(LOGITS, SOFT, weight=WEIGHT, label_smoothing=0.3, reduction="none")
    np.testing.assert_allclose(terms, due)


def test_a_label_to_ignore_may_be_out_of_range_and_nothing_may_be_left() -> None:
    labels = np.array([0, -100, 1, -100, 2])
    kept = [0, 2, 4]
    loss, slope = rax.value_and_grad(lambda x: nn.cross_entropy(x, labels, ignore_index=-100))(LOGITS)
    np.testing.assert_allclose(loss, nn.cross_entropy(LOGITS[kept], labels[kept]))
    assert not slope[[1, 3]].any()
    loss, slope = rax.value_and_grad(lambda x: nn.cross_entropy(x, np.full(5, -100), ignore_index=-100))(LOGITS)
    assert float(loss) == 0
    assert not slope.any()


def test_a_distribution_may_have_zeros_where_logits_are_infinite() -> None:
    logits, labels = np.array([[0.0, -np.inf, 1.0]]), np.array([[0.25, 0.0, 0.75]])
    loss, slope = rax.value_and_grad(nn.cross_entropy)(logits, labels)
    np.testing.assert_allclose(loss, np.log1p(np.exp(-1.0)) + 0.25)
    np.testing.assert_allclose(slope, special.softmax(logits) - labels)


def test_nll_loss() -> None:
    due = -LOGITS[np.arange(5), LABELS]
    np.testing.assert_allclose(nn.nll_loss(LOGITS, LABELS), due.mean())
    weighted = (due * WEIGHT[LABELS]).sum() / WEIGHT[LABELS].sum()
    np.testing.assert_allclose(nn.nll_loss(LOGITS, LABELS, weight=WEIGHT), weighted)
    np.testing.assert_allclose(nn.nll_loss(LOGITS, LABELS, ignore_index=3), np.delete(due, 1).mean())


def test_binary_cross_entropy_with_weights() -> None:
    positive, each = np.array([1.0, 2.0, 3.0, 0.5, 4.0]), np.array([1.0, 0.0, 2.0, 1.0, 1.0])
    due = -each * (positive * TRUTHS * special.log_expit(SCORES) + (1 - TRUTHS) * special.log_expit(-SCORES))
    terms = nn.binary_cross_entropy(SCORES, TRUTHS, weight=each, pos_weight=positive, reduction="none")
    np.testing.assert_allclose(terms, due, atol=1e-300)


def test_log_cosh_far_out() -> None:
    errors = np.array([-1000.0, 0.0, 1000.0])
    np.testing.assert_allclose(
        nn.log_cosh(errors, np.zeros(3), reduction="none"), [1000 - np.log(2), 0, 1000 - np.log(2)]
    )
    assert rax.grad(lambda x: nn.log_cosh(x, np.zeros(3), reduction="sum"))(errors).tolist() == [-1, 0, 1]


def test_kl_divergence() -> None:
    logs = special.log_softmax(LOGITS, axis=1)
    target = SOFT.copy()
    target[0] = [0, 0.5, 0.5, 0]
    due = special.rel_entr(target, np.exp(logs)).sum(1)
    np.testing.assert_allclose(nn.kl_divergence(logs, target, reduction="none"), due)
    with np.errstate(divide="ignore"):
        same = nn.kl_divergence(logs, np.log(target), log_targets=True)
    np.testing.assert_allclose(same, due.mean())
    np.testing.assert_allclose(rax.grad(nn.kl_divergence)(logs, target), -target / 5)
    slopes = rax.grad(nn.kl_divergence, 1)(logs, SOFT)
    np.testing.assert_allclose(slopes, (np.log(SOFT) + 1 - logs) / 5)


def test_hinge_loss() -> None:
    marks = np.array([-1, 1, 1, -1, 1])
    due = np.maximum(0, 1 - SCORES * marks)
    np.testing.assert_allclose(nn.hinge_loss(SCORES, marks, reduction="none"), due)
    assert rax.grad(lambda x: nn.hinge_loss(x, marks, reduction="sum"))(SCORES).tolist() == [0, -1, -1, 1, 0]


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
        (lambda: nn.cross_entropy(LOGITS, LABELS, weight=np.ones(3)), "weight is one number a class, 4 of them, not"),
        (lambda: nn.cross_entropy(LOGITS, LABELS, label_smoothing=2), "label_smoothing is between 0 and 1, not 2"),
        (lambda: nn.cross_entropy(LOGITS, SOFT, ignore_index=1), "these labels are distributions"),
        (lambda: nn.nll_loss(LOGITS, SOFT), r"nll_loss of log probabilities float64\[5, 4\] cannot use labels"),
        (lambda: nn.kl_divergence(1.0, 1.0), "kl_divergence needs an axis of classes; a scalar has none"),
        (lambda: nn.smooth_l1_loss(LEFT, RIGHT, -1), "smooth_l1_loss needs a beta of at least 0, not -1"),
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
