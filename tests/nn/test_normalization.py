"""Normalisations beside NumPy, and the running statistics of batch_norm over several batches."""

from __future__ import annotations

from collections.abc import Callable

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


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 3), (2, 6, 3, 2)])
def test_group_norm(shape: tuple[int, ...]) -> None:
    x, scale, bias = RNG.normal(size=shape) * 3 + 1, RNG.normal(size=6), RNG.normal(size=6)
    lined = (6, *[1] * (len(shape) - 2))
    for groups in (1, 3, 6):
        normal = np.zeros(shape)
        for image, group in np.ndindex(2, groups):
            part = (image, slice(group * 6 // groups, (group + 1) * 6 // groups))
            normal[part] = (x[part] - x[part].mean()) / np.sqrt(x[part].var() + 1e-3)
        np.testing.assert_allclose(nn.group_norm(x, groups, epsilon=1e-3), normal, atol=1e-12)
        due = normal * scale.reshape(lined) + bias.reshape(lined)
        np.testing.assert_allclose(nn.group_norm(x, groups, scale, bias, epsilon=1e-3), due, atol=1e-12)
    if len(shape) > 2:
        np.testing.assert_allclose(nn.instance_norm(x, scale, bias, epsilon=1e-3), due, atol=1e-12)


def test_group_norm_of_a_large_mean_and_of_a_symbolic_batch() -> None:
    x = RNG.normal(size=(2, 4, 5)).astype("float32")
    np.testing.assert_allclose(nn.group_norm(x + np.float32(2**12), 2), nn.group_norm(x, 2), atol=2e-3)
    graph = rax.trace(lambda x: nn.group_norm(x, 2), rax.spec(("batch", 4, "width")))
    np.testing.assert_allclose(graph(x), nn.group_norm(x, 2), atol=1e-6)
    assert graph(x[:0]).shape == (0, 4, 5)


def test_weight_standardization() -> None:
    kernel = RNG.normal(size=(3, 2, 4)) + 5
    flat = kernel.reshape(3, -1)
    due = (flat - flat.mean(1, keepdims=True)) / np.sqrt(flat.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(nn.weight_standardization(kernel), due.reshape(kernel.shape))
    np.testing.assert_allclose(nn.weight_standardization(flat.T, axis=-1), due.T)


def test_spectral_norm_converges_and_treats_the_vectors_as_fixed() -> None:
    weight, vector = RNG.normal(size=(3, 2, 4)), RNG.normal(size=3)
    flat = weight.reshape(3, 8)
    normal, state = nn.spectral_norm(weight, vector, steps=60)
    u, s, v = np.linalg.svd(flat)
    np.testing.assert_allclose(normal, weight / s[0])
    np.testing.assert_allclose(np.abs(state.numpy()), np.abs(u[:, 0]))
    once, after = nn.spectral_norm(weight, state)
    np.testing.assert_allclose(once, normal)
    np.testing.assert_allclose(after, state)
    marks = RNG.normal(size=weight.shape)
    slope = rax.grad(lambda w: rnp.sum(nn.spectral_norm(w, state)[0] * marks))(weight)
    due = marks / s[0] - np.sum(marks * weight) / s[0] ** 2 * np.outer(u[:, 0], v[0]).reshape(weight.shape)
    np.testing.assert_allclose(slope, due)
    np.testing.assert_allclose(nn.spectral_norm(flat.T, state, axis=1)[0], flat.T / s[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_computed_in_float32(dtype: str) -> None:
    """The square of 1000 overflows float16."""
    x = rnp.astype(rnp.asarray([[1000.0, 3000.0]]), dtype)
    for y in (
        nn.rms_norm(x),
        nn.layer_norm(x),
        nn.group_norm(x, 1),
        nn.standardize(x),
        nn.batch_norm(x, np.ones(2), np.zeros(2), start(2), training=True)[0],
    ):
        assert y.dtype.name == dtype
        assert np.all(np.isfinite(y.numpy().astype("float32")))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nn.layer_norm(x, np.ones(2)), "layer_norm needs operands of shapes"),
        (lambda x: nn.group_norm(x, 2), "group_norm: 3 channels do not fall into 2 equal groups"),
        (lambda x: nn.group_norm(x, 3, np.ones(2)), r"scale and bias are 3 numbers, one a channel, not float64\[2\]"),
        (lambda x: nn.group_norm(x[0], 1), r"group_norm needs \(N, C, \*spatial\), not float64\[3\]"),
        (lambda x: nn.instance_norm(x), r"instance_norm needs \(N, C, \*spatial\) with a known number of channels"),
        (lambda x: nn.weight_standardization(x[0]), r"weight_standardization needs at least two axes, not float64\[3"),
        (lambda x: nn.spectral_norm(x, np.ones(3)), r"one element for each output, not float64\[2, 3\] and float64\[3"),
        (lambda x: nn.spectral_norm(x, np.ones(2), steps=0), "spectral_norm takes at least 1 step, not 0"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[np.ndarray], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call(np.zeros((2, 3)))
