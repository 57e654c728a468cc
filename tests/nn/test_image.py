"""Resizing beside weights written in NumPy, one pixel at a time; shuffling beside its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(6)


def kernel(method: str, x: float) -> float:
    x = abs(x)
    if method == "linear":
        return max(0.0, 1 - x)
    if method == "cubic":
        if x < 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
    radius = float(method[-1])
    return float(np.sinc(x) * np.sinc(x / radius)) if x < radius else 0.0


def resized(line: np.ndarray, new: int, method: str, antialias: bool) -> np.ndarray:
    """One line of pixels; the weights of each new pixel are divided by their sum."""
    old = len(line)
    result = np.zeros(new)
    for place in range(new):
        middle = (place + 0.5) * old / new - 0.5
        if method == "nearest":
            result[place] = line[int(np.floor((place + 0.5) * old / new))]
            continue
        spread = max(old / new, 1) if antialias else 1.0
        weights = [kernel(method, (middle - other) / spread) for other in range(old)]
        result[place] = np.dot(weights, line) / np.sum(weights)
    return result


METHODS: list[Any] = ["nearest", "linear", "cubic", "lanczos3", "lanczos5"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(("shape", "size"), [((2, 1, 5), (8,)), ((1, 2, 7, 4), (3, 9)), ((1, 1, 2, 3, 4), (2, 1, 5))])
def test_resize(shape: tuple[int, ...], size: tuple[int, ...], method: Any, antialias: bool) -> None:
    x = due = RNG.normal(size=shape)
    for axis, new in enumerate(size, start=2):
        due = np.apply_along_axis(resized, axis, due, new, method, antialias)
    np.testing.assert_allclose(nn.resize(x, size, method, antialias), due, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_stays_constant_and_resize_is_linear(method: Any) -> None:
    np.testing.assert_allclose(nn.resize(np.full((1, 1, 5, 3), 2.5), (3, 7), method), 2.5)
    x, weights = RNG.normal(size=(1, 1, 5)), RNG.normal(size=(1, 1, 3))
    slope = rax.grad(lambda x: rnp.sum(nn.resize(x, 3, method) * weights))(x)
    assert np.sum(slope * x) == pytest.approx(float(rnp.sum(nn.resize(x, 3, method) * weights)))


@pytest.mark.parametrize("method", METHODS)
def test_sizes_may_be_symbolic(method: Any) -> None:
    x = RNG.normal(size=(2, 1, 5, 4))
    graph = rax.trace(
        lambda x: nn.resize(x, (x.shape[2] * 2, 3), method), rax.spec(("batch", 1, "height", "width"), "float64")
    )
    np.testing.assert_allclose(graph(x), nn.resize(x, (10, 3), method), atol=1e-12)


def test_nearest_keeps_any_dtype_and_halves_are_computed_in_float32() -> None:
    x = np.array([[[1, 2]]], "uint8")
    assert nn.resize(x, 4, "nearest").tolist() == [[[1, 1, 2, 2]]]
    assert nn.resize(x, 4, "nearest").dtype.name == "uint8"
    wide = rnp.astype(rnp.asarray(RNG.normal(size=(1, 1, 300))), "bfloat16")
    assert nn.resize(wide, 7).dtype.name == "bfloat16"
    due = nn.resize(rnp.astype(wide, "float32"), 7).numpy()
    np.testing.assert_allclose(nn.resize(wide, 7).numpy().astype("float32"), due, rtol=2**-7)


def test_upsample() -> None:
    x = RNG.normal(size=(1, 2, 2, 3))
    assert np.array_equal(nn.upsample(x, (2, 3)), x.repeat(2, axis=2).repeat(3, axis=3))
    np.testing.assert_allclose(nn.upsample(x, 2, "linear"), nn.resize(x, (4, 6)))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_pixel_shuffle(count: int) -> None:
    spatial = (2, 3, 1)[:count]
    x = RNG.normal(size=(2, 3 * 2**count, *spatial))
    y = nn.pixel_shuffle(x, 2)
    for image, channel, *place in np.ndindex(*y.shape):
        block = [at % 2 for at in place]
        number = int(np.ravel_multi_index((channel, *block), (3, *[2] * count)))
        assert float(y[(image, channel, *place)]) == x[(image, number, *[at // 2 for at in place])]
    assert np.array_equal(nn.pixel_unshuffle(y, 2), x)
    graph = rax.trace(lambda x: nn.pixel_shuffle(x, 2), rax.spec(("batch", *x.shape[1:]), "float64"))
    assert np.array_equal(graph(x), y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nn.resize(x, (1, 2, 3)), "size has 3 numbers, and there are 2 spatial axes"),
        (lambda x: nn.resize(x, 3, "area"), "method is one of 'nearest', 'linear', 'cubic', .* not 'area'"),  # pyright: ignore[reportArgumentType]  # the type checker refuses it too
        (lambda x: nn.resize(x[0, 0], 3), r"resize needs \(N, C, \*spatial\), not float64\[2, 3\]"),
        (lambda x: nn.resize(x[:, :, :0], 3), r"axis 2 of float64\[1, 1, 0, 3\] is empty"),
        (lambda x: nn.pixel_shuffle(x, 2), "pixel_shuffle: the number of channels 1 is no multiple of 4"),
        (lambda x: nn.pixel_unshuffle(x, 2), "pixel_unshuffle: the size 3 is no multiple of 2"),
        (lambda x: nn.pixel_shuffle(x, 0), "pixel_shuffle needs a positive factor, not 0"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[np.ndarray], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call(np.zeros((1, 1, 2, 3)))
