"""Normalisations beside NumPy, and the running statistics of batch_norm over several batches."""

from __future__ import annotations

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(5)


def start(channels: int) -> nn.BatchNormState:
    return nn.batch_norm_state(channels, "float64")


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_batch_norm_in_training(shape: tuple[int, ...]) -> None:
    axes = (0, *range(2, len(shape)))
    scale, bias = RNG.normal(size=3), RNG.normal(size=3)
    state, mean, var = start(3), np.zeros(3), np.ones(3)
    for _ in range(3):
        x = RNG.normal(size=shape) * 2 + 1
        y, state = nn.batch_norm(x, scale, bias, state, training=True)
        mean = 0.9 * mean + 0.1 * x.mean(axes)
        var = 0.9 * var + 0.1 * x.var(axes, ddof=1)
        lined = (3, *[1] * (len(shape) - 2))
        normal = (x - x.mean(axes).reshape(lined)) / np.sqrt(x.var(axes).reshape(lined) + 1e-5)
        np.testing.assert_allclose(y, scale.reshape(lined) * normal + bias.reshape(lined), atol=1e-12)
        np.testing.assert_allclose(state.mean, mean)
        np.testing.assert_allclose(state.var, var)


def test_batch_norm_in_use() -> None:
    x = RNG.normal(size=(4, 3))
    state = nn.BatchNormState(rnp.asarray([1.0, 2.0, 3.0]), rnp.asarray([4.0, 5.0, 6.0]))
    y, same = nn.batch_norm(x, np.ones(3), np.zeros(3), state, training=False, epsilon=0.0)
    assert same is state
    np.testing.assert_allclose(y, (x - [1, 2, 3]) / np.sqrt([4, 5, 6]), rtol=1e-6)


def test_batch_norm_along_another_axis() -> None:
    x = RNG.normal(size=(4, 5, 3))
    last, state = nn.batch_norm(x, np.ones(3), np.zeros(3), start(3), training=True, axis=-1)
    second, other = nn.batch_norm(x.transpose(0, 2, 1), np.ones(3), np.zeros(3), start(3), training=True)
    np.testing.assert_allclose(last, second.numpy().transpose(0, 2, 1))
    np.testing.assert_allclose(state.var, other.var)


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_an_empty_batch_leaves_the_state(batch: int) -> None:
    def step(x: rax.Tensor, scale: rax.Tensor, state: nn.BatchNormState) -> tuple[rax.Tensor, nn.BatchNormState]:
        return nn.batch_norm(x, scale, rnp.zeros((3,)), state, training=True)

    state = nn.BatchNormState(*(rax.spec((3,), "float64"),) * 2)  # pyright: ignore[reportArgumentType]  # specs stand for tensors
    graph = rax.trace(step, rax.spec(("batch", 3), "float64"), rax.spec((3,), "float64"), state)
    x = RNG.normal(size=(batch, 3))
    mean, var = RNG.uniform(1, 2, size=(2, 3))
    y, new = graph(x, np.ones(3), {"mean": mean, "var": var})
    assert y.shape == (batch, 3)
    assert np.all(np.isfinite(y))
    np.testing.assert_allclose(new.mean, 0.9 * mean + 0.1 * x.mean(0) if batch else mean)
    np.testing.assert_allclose(new.var, var if not batch else 0.9 * var + 0.1 * x.var(0, ddof=min(1, batch - 1)))


def test_the_gradient_of_batch_norm_goes_through_the_statistics() -> None:
    """Moving or stretching the whole batch changes nothing, so the gradient is orthogonal to both."""
    x, weights = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 2))

    def total(x: rax.Tensor) -> rax.Tensor:
        y, _ = nn.batch_norm(x, np.ones(2), np.zeros(2), start(2), training=True, epsilon=0.0)
        return rnp.sum(y * weights)

    slope = rax.grad(total)(x)
    np.testing.assert_allclose(slope.sum(0), 0, atol=1e-12)
    np.testing.assert_allclose((slope * x).sum(0), 0, atol=1e-12)


def test_layer_norm() -> None:
    x, scale, bias = RNG.normal(size=(2, 3, 4)), RNG.normal(size=4), RNG.normal(size=4)
    normal = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(nn.layer_norm(x), normal)
    np.testing.assert_allclose(nn.layer_norm(x, scale), scale * normal)
    np.testing.assert_allclose(nn.layer_norm(x, scale, bias), scale * normal + bias)
    np.testing.assert_allclose(nn.layer_norm(x, bias=bias), normal + bias)


def test_rms_norm() -> None:
    x, scale = RNG.normal(size=(2, 3, 4)), RNG.normal(size=4)
    normal = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(nn.rms_norm(x), normal)
    np.testing.assert_allclose(nn.rms_norm(x, scale), scale * normal)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_computed_in_float32(dtype: str) -> None:
    """The square of 1000 overflows float16."""
    x = rnp.astype(rnp.asarray([[1000.0, 3000.0]]), dtype)
    for y in (
        nn.rms_norm(x),
        nn.layer_norm(x),
        nn.batch_norm(x, np.ones(2), np.zeros(2), start(2), training=True)[0],
    ):
        assert y.dtype.name == dtype
        assert np.all(np.isfinite(y.numpy().astype("float32")))


def test_layer_norm_refuses_a_scale_of_another_size() -> None:
    with pytest.raises(rax.RaxError, match=r"layer_norm needs operands of shapes"):
        nn.layer_norm(np.zeros((2, 3)), np.ones(2))
