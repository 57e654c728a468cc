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
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
POINTS = np.array([-40.0, -2.9, -0.7, -1e-3, 1e-3, 0.4, 2.0, 40.0])

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
    "swish": (nn.swish, lambda x: x * special.expit(x)),
    "log_sigmoid": (nn.log_sigmoid, special.log_expit),
    "mish": (nn.mish, lambda x: x * np.tanh(np.logaddexp(x, 0))),
    "soft_sign": (nn.soft_sign, lambda x: x / (1 + np.abs(x))),
    "squareplus": (nn.squareplus, lambda x: (x + np.sqrt(x**2 + 4)) / 2),
    "squareplus of b 0.5": (lambda x: nn.squareplus(x, 0.5), lambda x: (x + np.sqrt(x**2 + 0.5)) / 2),
    "celu of alpha 0.5": (lambda x: nn.celu(x, 0.5), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0) * 2) / 2)),
    "selu": (nn.selu, lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0)))),
    "relu6": (nn.relu6, lambda x: np.clip(x, 0, 6)),
    "hard_tanh": (nn.hard_tanh, lambda x: np.clip(x, -1, 1)),
    "hard_sigmoid": (nn.hard_sigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "hard_silu": (nn.hard_silu, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "hard_swish": (nn.hard_swish, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "sparse_plus": (nn.sparse_plus, lambda x: np.where(x >= 1, x, np.clip(x + 1, 0, 2) ** 2 / 4)),
    "sparse_sigmoid": (nn.sparse_sigmoid, lambda x: np.clip(x + 1, 0, 2) / 2),
    "identity": (nn.identity, lambda x: x),
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


def test_the_kinks_take_the_slope_of_the_left_or_of_the_flat_side() -> None:
    for function, due in ((nn.relu, 0.0), (nn.leaky_relu, 0.01), (nn.elu, 1.0), (nn.relu6, 0.0)):
        assert rax.grad(function)(np.float64(0.0)) == pytest.approx(due)
    for function, kink in ((nn.relu6, 6.0), (nn.hard_tanh, 1.0), (nn.hard_tanh, -1.0), (nn.sparse_sigmoid, 1.0)):
        assert rax.grad(function)(np.float64(kink)) == 0
    assert rax.grad(nn.squareplus)(np.float64(0.0)) == 0.5


LIMITS = {  # by name, the values and the slopes at -inf and inf
    "relu": (0, np.inf, 0, 1), "relu6": (0, 6, 0, 0), "leaky_relu": (-np.inf, np.inf, 0.01, 1),
    "elu": (-1, np.inf, 0, 1), "celu": (-1, np.inf, 0, 1), "selu": (-SCALE * ALPHA, np.inf, 0, SCALE),
    "sigmoid": (0, 1, 0, 0), "tanh": (-1, 1, 0, 0), "softplus": (0, np.inf, 0, 1), "silu": (0, np.inf, 0, 1),
    "gelu": (0, np.inf, 0, 1), "log_sigmoid": (-np.inf, 0, 1, 0), "mish": (0, np.inf, 0, 1),
    "soft_sign": (-1, 1, 0, 0), "squareplus": (0, np.inf, 0, 1), "hard_tanh": (-1, 1, 0, 0),
    "hard_sigmoid": (0, 1, 0, 0), "hard_silu": (0, np.inf, 0, 1), "sparse_plus": (0, np.inf, 0, 1),
    "sparse_sigmoid": (0, 1, 0, 0), "identity": (-np.inf, np.inf, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", LIMITS)
def test_limits_and_slopes_at_the_infinities_and_at_large_numbers(name: str, dtype: str) -> None:
    function: Function = getattr(nn, name)
    low, high, low_slope, high_slope = LIMITS[name]
    far = rnp.astype(rnp.asarray([-np.inf, np.inf, -60000.0, 60000.0, -300.0, 300.0]), dtype)
    values = np.asarray(function(far).numpy(), float)
    np.testing.assert_allclose(values[:2], [low, high], rtol=1e-2)
    slopes = np.asarray(rax.grad(lambda x: rnp.sum(function(x)))(far), float)
    np.testing.assert_allclose(slopes, [low_slope, high_slope] * 3, rtol=1e-2, atol=1e-4)
    curves = rax.grad(lambda x: rnp.sum(rax.grad(lambda y: rnp.sum(function(y)))(x)))(far)
    assert np.all(np.isfinite(np.asarray(curves, float)))
    assert np.isnan(np.asarray(function(rnp.astype(rnp.asarray([np.nan]), dtype)).numpy(), float))


def test_log1mexp_is_exact_on_both_sides() -> None:
    x = np.array([1e-300, 1e-10, 0.5, 0.7, 40.0, 700.0])
    due = [np.log(1e-300), np.log(1e-10) - 5e-11, np.log(1 - np.exp(-0.5)), np.log(1 - np.exp(-0.7))]
    np.testing.assert_allclose(nn.log1mexp(x), [*due, -np.exp(-40.0), -np.exp(-700.0)], rtol=1e-14)
    np.testing.assert_allclose(rax.grad(lambda x: rnp.sum(nn.log1mexp(x)))(x[1:]), 1 / np.expm1(x[1:]), rtol=1e-14)
    assert nn.log1mexp(np.array([0.0, np.inf])).tolist() == [-np.inf, 0.0]


def test_squareplus_loses_no_digits() -> None:
    x = np.array([-1e8, -1e200, 1e200])
    np.testing.assert_allclose(nn.squareplus(x), [1e-8, 1e-200, 1e200])


def test_glu_halves_an_axis() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(nn.glu(x), x[:, :2] * special.expit(x[:, 2:]))
    graph = rax.trace(lambda x: nn.glu(x, axis=0), rax.spec(("2*n", 4), "float64"))
    np.testing.assert_allclose(graph(x[:2]), x[:1] * special.expit(x[1:2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.glu(np.zeros(3)), r"glu halves an axis of even size; axis -1 of float64\[3\] has not one"),
        (lambda: nn.squareplus(1.0, 0.0), "squareplus needs a positive b, not 0.0"),
        (lambda: nn.softmax(np.zeros(2), where=np.ones(2)), r"softmax: where is a mask of bools, not float64\[2\]"),
        (lambda: nn.softmax(np.zeros(2), axis=1), "axis 1 is out of range for a tensor with 1 axes"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()


MASK = np.array([[True, False, True, True], [False, True, False, False], [False] * 4])
ROWS = np.array([[1.0, 800.0, -np.inf, 0.5], [np.nan, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0]])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_softmax_of_what_takes_part(dtype: str) -> None:
    share = special.expit(0.5)
    due = np.array([[share, 0, 0, 1 - share], [0, 1, 0, 0], [0, 0, 0, 0]])
    x = ROWS.astype(dtype)
    tolerance = 1e-3 if dtype == "float16" else 1e-6
    np.testing.assert_allclose(nn.softmax(x, where=MASK), due, rtol=tolerance)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(nn.log_softmax(x, where=MASK), np.log(due), rtol=tolerance)
    for function in (nn.softmax, nn.log_softmax):
        weights = np.where(due > 0, np.arange(12.0).reshape(3, 4), 0).astype(dtype)

        def total(x: rax.Tensor, function: Any = function, weights: Any = weights) -> rax.Tensor:
            y = function(x, where=MASK)
            return rnp.sum(rnp.where(weights > 0, y * weights, 0.0))

        slopes = rax.grad(total)(x)
        assert np.all(np.isfinite(slopes))
        assert not slopes[due == 0].any()


def test_the_slope_of_masked_softmax() -> None:
    x, weights = np.random.default_rng(1).normal(size=(2, 2, 3))
    mask = np.array([[True, True, False], [True, False, True]])
    step = np.eye(6).reshape(6, 2, 3) * 1e-6
    for function in (nn.softmax, nn.log_softmax):

        def total(x: Any, function: Any = function) -> rax.Tensor:
            return rnp.sum(rnp.where(mask, function(x, where=mask), 0.0) * weights)

        due = [(float(total(x + move)) - float(total(x - move))) / 2e-6 for move in step]
        np.testing.assert_allclose(rax.grad(total)(x).ravel(), due, atol=1e-8)


def test_standardize() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)) + 1e6
    np.testing.assert_allclose(nn.standardize(x, epsilon=0), (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True))
    first = nn.standardize(x, axis=0, where=np.array([[True], [True], [False]])).numpy()
    np.testing.assert_allclose(first, (x - x[:2].mean(0)) / np.sqrt(x[:2].var(0) + 1e-5))
    given = nn.standardize(x, mean=np.float64(1e6), variance=np.float64(4.0), epsilon=0)
    np.testing.assert_allclose(given, (x - 1e6) / 2)


def test_integers_become_float32_but_for_relu() -> None:
    numbers = np.array([-1, 2])
    for name, (function, _) in ELEMENTWISE.items():
        assert function(numbers).dtype.name == ("int64" if name in ("relu", "identity") else "float32")
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


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gelu_is_flat_to_the_third_derivative_far_out(dtype: str, approximate: bool) -> None:
    far = np.array([39.5, 40, 41, 300, 6e4, np.inf]).astype(dtype)
    function: Function = lambda x: nn.gelu(x, approximate)  # noqa: E731  # it is derived again and again
    for order in range(4):
        above, below = (np.asarray(function(points)) for points in (far, -far))
        np.testing.assert_array_equal(above, far if order == 0 else np.full_like(far, order == 1))
        np.testing.assert_array_equal(below, np.zeros_like(far))
        function = rax.grad(lambda x, inner=function: rnp.sum(inner(x)))
