"""Pooling beside windows taken out with NumPy, and adaptive windows one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(3)


def windows(x: np.ndarray, window: int, stride: int, pair: tuple[int, int], fill: float) -> np.ndarray:
    """The windows over both axes of ``(N, C, H, W)``, flat along the last axis."""
    padded = np.pad(x, [(0, 0), (0, 0), pair, pair], constant_values=fill)
    whole = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(2, 3))
    return whole[:, :, ::stride, ::stride].reshape(*whole[:, :, ::stride, ::stride].shape[:4], -1)


POOLS = [
    ({"window": 2}, 2, 2, (0, 0)),
    ({"window": 3, "stride": 1, "padding": "same"}, 3, 1, (1, 1)),
    ({"window": (3, 3), "stride": 2, "padding": [(1, 2), (1, 2)]}, 3, 2, (1, 2)),
    ({"window": 2, "stride": 3, "padding": 1}, 2, 3, (1, 1)),
]


@pytest.mark.parametrize(("options", "window", "stride", "pair"), POOLS)
def test_pooling(options: dict[str, Any], window: int, stride: int, pair: tuple[int, int]) -> None:
    x = RNG.normal(size=(2, 3, 6, 7)) - 5
    due = windows(x, window, stride, pair, -np.inf).max(-1)
    assert np.array_equal(nn.max_pool(x, **options), due)
    due = np.nanmean(windows(x, window, stride, pair, np.nan), -1)
    np.testing.assert_allclose(nn.avg_pool(x, **options), due)
    due = windows(x, window, stride, pair, 0.0).mean(-1)
    np.testing.assert_allclose(nn.avg_pool(x, count_include_pad=True, **options), due)
    for p in (1.0, 2.0, 3.0):
        due = (np.abs(windows(x, window, stride, pair, 0.0)) ** p).sum(-1) ** (1 / p)
        np.testing.assert_allclose(nn.lp_pool(x, p=p, **options), due)


def test_pooling_of_integers() -> None:
    x = np.array([[[-128, -5, -7, 3]]], "int8")
    assert nn.max_pool(x, 3, stride=1, padding="same").tolist() == [[[-5, -5, 3, 3]]]
    assert nn.avg_pool(x, 2).numpy().tolist() == [[[-66.5, -2.0]]]


def test_dilated_pooling() -> None:
    x = np.array([[[5.0, 1.0, 2.0, 9.0, 3.0]]])
    assert nn.max_pool(x, 2, stride=1, dilation=2).tolist() == [[[5.0, 9.0, 3.0]]]


def test_max_pool_sends_the_gradient_to_the_winner() -> None:
    x = np.array([[[1.0, 5.0, 2.0, 3.0]]])
    assert rax.grad(lambda x: rnp.sum(nn.max_pool(x, 2)))(x).tolist() == [[[0.0, 1.0, 0.0, 1.0]]]


def test_global_pooling() -> None:
    x = RNG.normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(nn.global_avg_pool(x), x.mean((2, 3)))
    assert np.array_equal(nn.global_max_pool(x), x.max((2, 3)))


def test_the_p_norm_of_zeros_has_slope_zero() -> None:
    x = np.array([[[0.0, 0.0, 3.0, -4.0]]])
    for p in (1.5, 2.0):
        slope = rax.grad(lambda x, p=p: rnp.sum(nn.lp_pool(x, 2, p)))(x)
        assert slope[0, 0, :2].tolist() == [0, 0]
        assert np.all(np.isfinite(slope))
    assert slope[0, 0, 2:].tolist() == pytest.approx([0.6, -0.8])


def adaptive(x: np.ndarray, sizes: tuple[int, ...], reduce: Callable[..., Any]) -> np.ndarray:
    """Each window by itself."""
    result = np.zeros((*x.shape[:2], *sizes))
    for place in np.ndindex(*sizes):
        window = [
            slice(number * size // count, -(-(number + 1) * size // count))
            for number, size, count in zip(place, x.shape[2:], sizes, strict=True)
        ]
        result[(..., *place)] = reduce(x[(..., *window)], axis=tuple(range(2, x.ndim)))
    return result


@pytest.mark.parametrize(
    ("shape", "sizes"), [((2, 3, 7), (3,)), ((1, 2, 5, 6), (2, 3)), ((1, 1, 3, 4, 2), (2, 4, 1)), ((1, 1, 2), (3,))]
)
def test_adaptive_pooling(shape: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    x, weights = RNG.normal(size=shape) - 3, RNG.normal(size=(*shape[:2], *sizes))
    for function, reduce in ((nn.adaptive_avg_pool, np.mean), (nn.adaptive_max_pool, np.max)):
        np.testing.assert_allclose(function(x, sizes), adaptive(x, sizes, reduce))
        slope = rax.grad(lambda x, function=function: rnp.sum(function(x, sizes) * weights))(x)
        move = RNG.normal(size=shape) * 1e-6
        change = adaptive(x + move, sizes, reduce) - adaptive(x - move, sizes, reduce)
        assert np.sum(slope * move) == pytest.approx(np.sum(change * weights) / 2, rel=1e-6, abs=1e-12)


def test_adaptive_pooling_of_integers_and_of_infinities() -> None:
    x = np.array([[[-128, -5, -7, 3]]], "int8")
    assert nn.adaptive_max_pool(x, 2).tolist() == [[[-5, 3]]]
    assert nn.adaptive_avg_pool(np.array([[[1.0, 1.0, np.inf, 1.0]]]), 2).tolist() == [[[1.0, np.inf]]]


@pytest.mark.parametrize("side", [4, 7])
def test_sizes_may_be_symbolic(side: int) -> None:
    def model(x: rax.Tensor) -> rax.Tensor:
        parts = nn.adaptive_avg_pool(x, 2) + nn.adaptive_max_pool(x, 2)
        return rnp.sum(parts) + rnp.sum(nn.lp_pool(x, 2, stride=1, padding="same"))

    x = RNG.normal(size=(3, 2, side, 5))
    graph = rax.trace(rax.value_and_grad(model), rax.spec(("batch", 2, "height", 5), "float64"))
    for found, known in zip(graph(x), rax.value_and_grad(model)(x), strict=True):
        np.testing.assert_allclose(found, known)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nn.max_pool(x, 5), "extends over 5 positions does not fit an axis of 4"),
        (lambda x: nn.avg_pool(x[0, 0], 2), r"avg_pool needs \(N, C, \*spatial\), not float64\[4, 4\]"),
        (lambda x: nn.adaptive_avg_pool(x, (1, 2, 3)), "output_size has 3 numbers, and there are 2 spatial axes"),
        (lambda x: nn.adaptive_max_pool(x, 0), "adaptive pooling of 4 elements into 0 windows"),
        (lambda x: nn.lp_pool(x, 2, 0.0), "lp_pool needs a positive p, not 0.0"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[np.ndarray], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call(np.zeros((1, 1, 4, 4)))
