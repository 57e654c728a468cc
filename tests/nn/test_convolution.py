"""Convolution and pooling beside loops in NumPy, in one, two and three axes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(3)
Pairs = list[tuple[int, int]]

CONVS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], Pairs]] = {
    "one axis": ((2, 3, 8), (4, 3, 3), {}, [(0, 0)]),
    "same": ((2, 1, 5, 6), (2, 1, 3, 2), {"padding": "same"}, [(1, 1), (0, 1)]),
    "same, strided": ((1, 1, 7, 8), (1, 1, 3, 3), {"padding": "same", "stride": 2}, [(1, 1), (0, 1)]),
    "one number": ((1, 2, 4, 4), (2, 2, 3, 3), {"padding": 1, "stride": (1, 2)}, [(1, 1), (1, 1)]),
    "pairs": ((1, 2, 4, 4), (2, 2, 2, 2), {"padding": [(1, 0), 2]}, [(1, 0), (2, 2)]),
    "dilated": ((1, 1, 9, 9), (1, 1, 2, 3), {"dilation": (3, 2), "padding": "same"}, [(1, 2), (2, 2)]),
    "groups": ((2, 4, 5), (6, 2, 2), {"groups": 2}, [(0, 0)]),
    "depthwise": ((1, 3, 4, 4), (3, 1, 2, 2), {"groups": 3}, [(0, 0), (0, 0)]),
    "three axes": ((1, 2, 3, 4, 3), (2, 2, 2, 2, 1), {"stride": (1, 2, 1)}, [(0, 0)] * 3),
    "no axes": ((3, 4), (5, 4), {}, []),
}


def each(number: Any, count: int) -> list[int]:
    return [number] * count if isinstance(number, int) else list(number)


def convolved(x: np.ndarray, kernel: np.ndarray, options: dict[str, Any], pairs: Pairs) -> np.ndarray:
    """The definition, one element at a time."""
    count = x.ndim - 2
    strides, spacing = each(options.get("stride", 1), count), each(options.get("dilation", 1), count)
    groups = options.get("groups", 1)
    padded = np.pad(x, [(0, 0), (0, 0), *pairs])
    window = kernel.shape[2:]
    out = [
        (n - (w - 1) * d - 1) // s + 1 for n, w, d, s in zip(padded.shape[2:], window, spacing, strides, strict=True)
    ]
    result = np.zeros((len(x), len(kernel), *out))
    ins, outs = kernel.shape[1], len(kernel) // groups
    for image, channel in np.ndindex(len(x), len(kernel)):
        first = channel // outs * ins
        for place in itertools.product(*map(range, out)):
            for tap in itertools.product(*map(range, window)):
                at = [p * s + t * d for p, s, t, d in zip(place, strides, tap, spacing, strict=True)]
                values = padded[(image, slice(first, first + ins), *at)]
                result[(image, channel, *place)] += values @ kernel[(channel, slice(None), *tap)]
    return result


@pytest.mark.parametrize("name", CONVS)
def test_conv(name: str) -> None:
    shape, window, options, pairs = CONVS[name]
    x, kernel, bias = RNG.normal(size=shape), RNG.normal(size=window), RNG.normal(size=window[0])
    due = convolved(x, kernel, options, pairs)
    np.testing.assert_allclose(nn.conv(x, kernel, **options), due, atol=1e-12)
    lined = bias.reshape(-1, *[1] * (len(shape) - 2))
    np.testing.assert_allclose(nn.conv(x, kernel, bias, **options), due + lined, atol=1e-12)


@pytest.mark.parametrize("name", CONVS)
def test_the_gradient_of_conv_is_that_of_its_sum(name: str) -> None:
    """Conv is linear in the input and in the kernel, so differences are exact."""
    shape, window, options, pairs = CONVS[name]
    x, kernel, dx, dk = (RNG.normal(size=size) for size in (shape, window, shape, window))
    weights = RNG.normal(size=convolved(x, kernel, options, pairs).shape)
    slopes = rax.grad(lambda x, k: rnp.sum(nn.conv(x, k, **options) * weights), (0, 1))(x, kernel)
    for slope, moved in zip(slopes, ((dx, kernel), (x, dk)), strict=True):
        direction = dx if moved[0] is dx else dk
        assert np.sum(slope * direction) == pytest.approx(np.sum(convolved(*moved, options, pairs) * weights))


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


def test_sizes_may_be_numpys_integers() -> None:
    two: Any = np.int64(2)
    x = rnp.ones((1, 1, 6))
    given = nn.conv(x, rnp.ones((1, 1, 2)), stride=two, padding=two, dilation=[two])
    assert np.array_equal(given, nn.conv(x, rnp.ones((1, 1, 2)), stride=2, padding=2, dilation=[2]))
    assert nn.max_pool(x, two).shape == (1, 1, 3)


def test_global_avg_pool() -> None:
    x = RNG.normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(nn.global_avg_pool(x), x.mean((2, 3)))


@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("side", [4, 7])
def test_batch_and_image_may_be_symbolic(batch: int, side: int) -> None:
    def model(kernel: rax.Tensor, x: rax.Tensor) -> rax.Tensor:
        hidden = nn.conv(x, kernel, padding="same", stride=2)
        pooled = nn.max_pool(hidden, 3, stride=1, padding="same")
        return rnp.sum(nn.global_avg_pool(pooled))

    graph = rax.trace(
        rax.value_and_grad(model),
        rax.spec((2, 1, 3, 3), "float64"),
        rax.spec(("batch", 1, "height", 6), "float64"),
    )
    kernel, x = RNG.normal(size=(2, 1, 3, 3)), RNG.normal(size=(batch, 1, side, 6))
    value, slope = graph(kernel, x)
    known = rax.value_and_grad(model)(kernel, x)
    np.testing.assert_allclose(value, known[0])
    np.testing.assert_allclose(slope, known[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nn.conv(x, np.zeros((1, 3))), r"conv needs x \(N, C, \*spatial\) and a kernel .* float64\[1, 3\]"),
        (lambda x: nn.conv(x, np.zeros((1, 1, 3, 3)), stride=(1, 1, 1)), "stride has 3 numbers, and there are 2"),
        (lambda x: nn.conv(x, np.zeros((1, 1, 3, 3)), padding=(1,)), "padding is given for 1 axes, and there are 2"),
        (lambda x: nn.conv(x, np.zeros((1, 1, 3, 3)), padding="full"), "'same', 'valid' or numbers, not 'full'"),  # pyright: ignore[reportArgumentType]  # the type checker refuses it too
        (lambda x: nn.conv(x, np.zeros((1, 2, 3, 3))), "1 input channels are not 1 groups of 2"),
        (lambda x: nn.max_pool(x, 5), "extends over 5 positions does not fit an axis of 4"),
        (lambda x: nn.avg_pool(x[0, 0], 2), r"avg_pool needs \(N, C, \*spatial\), not float64\[4, 4\]"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call: Callable[[np.ndarray], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call(np.zeros((1, 1, 4, 4)))
