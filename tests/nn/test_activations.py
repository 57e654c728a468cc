"""Activations beside SciPy and NumPy, with their derivatives beside finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
import rax.numpy as rnp
from rax import nn

Function = Callable[[Any], Any]
POINTS = np.array([-40.0, -3.0, -0.7, -1e-3, 1e-3, 0.4, 2.0, 40.0])

ELEMENTWISE: dict[str, tuple[Function, Function]] = {
    "relu": (nn.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (nn.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky_relu of slope 0.3": (lambda x: nn.leaky_relu(x, 0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    "elu": (nn.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    "elu of alpha 2": (lambda x: nn.elu(x, 2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0)))),
    "sigmoid": (nn.sigmoid, special.expit),
    "tanh": (nn.tanh, np.tanh),
    "softplus": (nn.softplus, lambda x: np.logaddexp(x, 0)),
    "silu": (nn.silu, lambda x: x * special.expit(x)),
    "gelu": (nn.gelu, lambda x: x * special.ndtr(x)),
    "gelu by tanh": (
        lambda x: nn.gelu(x, approximate=True),
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
}
ALONG: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "softmax": (nn.softmax, special.softmax),
    "log_softmax": (nn.log_softmax, special.log_softmax),
    "logsumexp": (nn.logsumexp, special.logsumexp),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values(name: str) -> None:
    function, truth = ELEMENTWISE[name]
    np.testing.assert_allclose(function(POINTS), truth(POINTS), rtol=1e-12, atol=1e-15)
    wide = function(POINTS.astype("float32")).numpy()
    assert wide.dtype == "float32"
    np.testing.assert_allclose(wide, truth(POINTS), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slopes(name: str) -> None:
    function, truth = ELEMENTWISE[name]
    step = 1e-6
    slopes = rax.grad(lambda x: rnp.sum(function(x)))(POINTS)
    np.testing.assert_allclose(slopes, (truth(POINTS + step) - truth(POINTS - step)) / (2 * step), atol=1e-7)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_second_derivatives_are_finite_everywhere(name: str) -> None:
    function, _ = ELEMENTWISE[name]
    points = np.array([*POINTS, 0.0, 800.0, -800.0])
    curves = rax.grad(lambda x: rnp.sum(rax.grad(lambda y: rnp.sum(function(y)))(x)))(points)
    assert np.all(np.isfinite(curves))


def test_the_kinks_take_the_slope_of_the_left() -> None:
    for function, due in ((nn.relu, 0.0), (nn.leaky_relu, 0.01), (nn.elu, 1.0)):
        assert rax.grad(function)(np.float64(0.0)) == pytest.approx(due)


def test_integers_become_float32_but_for_relu() -> None:
    numbers = np.array([-1, 2])
    for name, (function, _) in ELEMENTWISE.items():
        assert function(numbers).dtype.name == ("int64" if name == "relu" else "float32")
    assert nn.softmax(numbers).dtype.name == "float32"


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_functions_along_an_axis(name: str, axis: int) -> None:
    function, truth = ALONG[name]
    x = np.random.default_rng(0).normal(size=(3, 4)) * 100
    np.testing.assert_allclose(function(x, axis=axis), truth(x, axis=axis), rtol=1e-12, atol=1e-300)


def test_logsumexp_over_several_axes() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_allclose(nn.logsumexp(x), np.asarray(special.logsumexp(x)))
    due = np.asarray(special.logsumexp(x, axis=(0, 2), keepdims=True))
    np.testing.assert_allclose(nn.logsumexp(x, (0, 2), keepdims=True), due)


def test_a_function_of_several_nodes_has_a_scope() -> None:
    graph = rax.trace(lambda x: nn.elu(nn.leaky_relu(x)), rax.spec((2,)))
    assert {origin.scope for origin in graph.origins.values() if origin.scope} == {("elu",), ("leaky_relu",)}
    assert all(origin.source.startswith("test_activations.py:") for origin in graph.origins.values())
