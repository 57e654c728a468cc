"""Losses of pairs beside NumPy, one pair at a time; their derivatives where vectors are equal or 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(2)
FIRST, SECOND, THIRD = RNG.normal(size=(3, 4, 3))
TOGETHER = np.array([1, -1, -1, 1])


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


COSINES = np.array([cosine(x, y) for x, y in zip(FIRST, SECOND, strict=True)])
APART = np.linalg.norm(FIRST - SECOND, axis=1)


def differences(function: Callable[[Any], Any], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The slope of a scalar function by central differences."""
    moves = np.eye(x.size).reshape(-1, *x.shape) * step
    slopes = [(float(function(x + move)) - float(function(x - move))) / (2 * step) for move in moves]
    return np.reshape(slopes, x.shape)


LOSSES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "cosine_embedding": (
        lambda x: nn.cosine_embedding_loss(x, SECOND, TOGETHER, 0.1),
        np.where(TOGETHER > 0, 1 - COSINES, np.maximum(0, COSINES - 0.1)).mean(),
    ),
    "contrastive": (
        lambda x: nn.contrastive_loss(x, SECOND, TOGETHER > 0, 3.0),
        np.where(TOGETHER > 0, APART**2, np.maximum(0, 3 - APART) ** 2).mean() / 2,
    ),
    **{
        f"triplet by norm {p}": (
            lambda x, p=p: nn.triplet_margin_loss(x, SECOND, THIRD, 2.0, p),
            np.maximum(
                0, np.linalg.norm(FIRST - SECOND, p, axis=1) - np.linalg.norm(FIRST - THIRD, p, axis=1) + 2
            ).mean(),
        )
        for p in (1, 2, 3)
    },
    "triplet with swap": (
        lambda x: nn.triplet_margin_loss(x, SECOND, THIRD, 2.0, swap=True),
        np.maximum(
            0, APART - np.minimum(np.linalg.norm(FIRST - THIRD, axis=1), np.linalg.norm(SECOND - THIRD, axis=1)) + 2
        ).mean(),
    ),
}


def told(scores: list[float], right: int) -> float:
    return float(np.log(np.sum(np.exp(scores))) - scores[right])


LOSSES["info_nce"] = (
    lambda x: nn.info_nce(x, SECOND, 0.5),
    float(np.mean([told([cosine(x, y) / 0.5 for y in SECOND], place) for place, x in enumerate(FIRST)])),
)
VIEWS = [*FIRST, *SECOND]
TERMS = [
    told(
        [cosine(view, other) / 0.5 for number, other in enumerate(VIEWS) if number != place],
        (place + 4) % 8 - ((place + 4) % 8 > place),
    )
    for place, view in enumerate(VIEWS)
]
LOSSES["nt_xent"] = (lambda x: nn.nt_xent(x, SECOND), float(np.mean(TERMS)))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_pairs(name: str) -> None:
    function, due = LOSSES[name]
    np.testing.assert_allclose(function(FIRST), due)
    np.testing.assert_allclose(rax.grad(function)(FIRST), differences(function, FIRST), atol=1e-8)
    second = rax.grad(lambda x: rnp.sum(rax.grad(function)(x) * SECOND))(FIRST)
    np.testing.assert_allclose(
        second, differences(lambda x: np.sum(np.asarray(rax.grad(function)(x)) * SECOND), FIRST), atol=1e-6
    )


@pytest.mark.parametrize("name", LOSSES)
def test_equal_vectors_and_zeros_leave_no_nan(name: str) -> None:
    function, _ = LOSSES[name]
    for x in (SECOND, np.zeros_like(FIRST)):
        loss, slope = rax.value_and_grad(function)(x)
        assert np.isfinite(loss)
        assert np.all(np.isfinite(slope))


def test_cosine_similarity_along_an_axis() -> None:
    np.testing.assert_allclose(nn.cosine_similarity(FIRST, SECOND), COSINES)
    np.testing.assert_allclose(nn.cosine_similarity(FIRST.T, SECOND.T, axis=0), COSINES)
    assert nn.cosine_similarity(np.zeros(3), FIRST[0]).tolist() == 0


@pytest.mark.parametrize("batch", [1, 3])
def test_batches_may_be_symbolic(batch: int) -> None:
    for function in (nn.info_nce, nn.nt_xent):
        graph = rax.trace(function, *[rax.spec(("batch", 3), "float64")] * 2)
        np.testing.assert_allclose(
            graph(FIRST[:batch], SECOND[:batch]), function(FIRST[:batch], SECOND[:batch]), atol=1e-15
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.cosine_similarity(FIRST, SECOND[:2]), "cosine_similarity needs predictions and targets of one"),
        (lambda: nn.contrastive_loss(FIRST, SECOND, TOGETHER[:2]), r"needs one label a pair, float64\[4\], not int64"),
        (lambda: nn.info_nce(FIRST[0], SECOND[0]), r"info_nce needs two batches \(N, features\), not float64\[3\]"),
        (lambda: nn.nt_xent(FIRST, SECOND, 0.0), "nt_xent needs a positive temperature, not 0.0"),
        (lambda: nn.triplet_margin_loss(1.0, 1.0, 1.0), "triplet_margin_loss compares vectors; a scalar has no axis"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()
