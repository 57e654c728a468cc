"""CTC beside the sum over every alignment, one at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(4)
LOGITS = RNG.normal(size=(5, 4, 3)) * 2
LABELS = np.array([[1, 2, 9], [1, 1, 2], [2, 9, 9], [9, 9, 9], [2, 2, 2]])
TIMES, COUNTS = np.array([4, 4, 3, 2, 4]), np.array([2, 2, 1, 0, 3])
"""The fifth needs five times and has four."""


def collapsed(path: tuple[int, ...], blank: int) -> list[int]:
    return [label for label, _ in itertools.groupby(path) if label != blank]


def summed(logits: np.ndarray, labels: list[int], blank: int) -> float:
    """Minus the log of the probability of every alignment that gives the labels."""
    chances = special.softmax(logits, axis=1)
    times, classes = chances.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=times):
        if collapsed(path, blank) == labels:
            total += np.prod([chances[time, label] for time, label in enumerate(path)])
    return float(-np.log(total)) if total else np.inf


def due(logits: np.ndarray, blank: int = 0) -> list[float]:
    rows = zip(logits, LABELS, TIMES, COUNTS, strict=True)
    return [summed(row[:time], labels[:count].tolist(), blank) for row, labels, time, count in rows]


def test_the_sum_over_alignments() -> None:
    loss = nn.ctc_loss(LOGITS, LABELS, TIMES, COUNTS, reduction="none")
    np.testing.assert_allclose(loss, due(LOGITS), rtol=1e-12)
    assert due(LOGITS)[4] == np.inf
    np.testing.assert_allclose(nn.ctc_loss(LOGITS[:4], LABELS[:4], TIMES[:4], COUNTS[:4]), np.mean(due(LOGITS)[:4]))
    turned = nn.ctc_loss(LOGITS[..., [1, 2, 0]], LABELS - 1, TIMES, COUNTS, blank=2, reduction="none")
    np.testing.assert_allclose(turned, due(LOGITS), rtol=1e-12)


def test_by_default_all_times_and_labels_count() -> None:
    labels = np.array([[1, 2], [2, 1]])
    loss = nn.ctc_loss(LOGITS[:2], labels, reduction="none")
    np.testing.assert_allclose(loss, [summed(LOGITS[0], [1, 2], 0), summed(LOGITS[1], [2, 1], 0)], rtol=1e-12)


def test_the_gradient() -> None:
    def total(logits: rax.Tensor) -> rax.Tensor:
        terms = nn.ctc_loss(logits, LABELS, TIMES, COUNTS, reduction="none")
        return rnp.sum(terms[:4])

    slope = rax.grad(total)(LOGITS)
    step = 1e-6
    for place in np.ndindex(4, 4, 3):
        moved = [LOGITS.copy(), LOGITS.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        found = [due(logits)[place[0]] for logits in moved]
        assert slope[place] == pytest.approx((found[0] - found[1]) / (2 * step), abs=1e-8)


def test_what_cannot_be_aligned_is_infinite_with_gradient_zero() -> None:
    loss, slope = rax.value_and_grad(lambda x: nn.ctc_loss(x, LABELS, TIMES, COUNTS, reduction="sum"))(LOGITS)
    assert loss == np.inf
    assert np.all(np.isfinite(slope))
    assert not slope[4].any()
    assert slope[0].any()


def test_a_certain_alignment_costs_nothing() -> None:
    logits = np.full((1, 3, 3), -np.inf)
    logits[0, [0, 1, 2], [1, 0, 1]] = 0.0
    loss, slope = rax.value_and_grad(lambda x: nn.ctc_loss(x, np.array([[1, 1]])))(logits)
    assert loss == 0
    assert np.all(np.isfinite(slope))


def test_long_sequences_do_not_underflow() -> None:
    """With every class equally likely each alignment has the same chance."""
    times = 600
    loss = nn.ctc_loss(np.zeros((1, times, 4), "float32"), np.array([[1]]))
    # The label stands on one run of times: times * (times + 1) / 2 alignments.
    assert float(loss) == pytest.approx(times * np.log(4) - np.log(times * (times + 1) / 2), rel=1e-5)
    assert nn.ctc_loss(np.zeros((1, 600, 4), "float16"), np.array([[1]])).dtype.name == "float16"


@pytest.mark.parametrize("batch", [1, 4])
def test_sizes_may_be_symbolic(batch: int) -> None:
    graph = rax.trace(
        rax.value_and_grad(nn.ctc_loss),
        rax.spec(("batch", "time", 3), "float64"),
        rax.spec(("batch", "length"), "int64"),
        rax.spec(("batch",), "int64"),
        rax.spec(("batch",), "int64"),
    )
    loss, _ = graph(LOGITS[:batch], LABELS[:batch], TIMES[:batch], COUNTS[:batch])
    np.testing.assert_allclose(loss, np.mean(due(LOGITS)[:batch]), rtol=1e-12)


def test_vmap_is_a_loop() -> None:
    logits = np.stack([LOGITS, LOGITS[::-1]])
    function = rax.grad(lambda x: nn.ctc_loss(x, LABELS, TIMES, COUNTS, reduction="sum"))
    np.testing.assert_allclose(rax.vmap(function)(logits), [function(row) for row in logits], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.ctc_loss(LOGITS[0], LABELS), r"ctc_loss needs logits \(N, time, classes\) and integer labels"),
        (lambda: nn.ctc_loss(LOGITS, LABELS[:2]), r"not float64\[5, 4, 3\] and int64\[2, 3\]"),
        (lambda: nn.ctc_loss(LOGITS, LABELS, TIMES[:2]), r"logit_lengths are 5 integers, not int64\[2\]"),
        (lambda: nn.ctc_loss(LOGITS, LABELS, blank=3), "the blank 3 is none of the 3 classes"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()
