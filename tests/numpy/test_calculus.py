"""Slopes, areas, interpolation and phases, compared with NumPy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, batches, differentiable, draw, same

X = draw((7,), "float64")
PLACES = np.cumsum(np.abs(draw((7,), "float64", 1)) + 0.3)
SIZES: list[dict[str, int]] = [{"n": 3, "m": 4}, {"n": 5, "m": 3}]


@pytest.mark.parametrize("options", [{}, {"left": -1, "right": 5.0}, {"period": 2.5}, {"period": -3}], ids=str)
def test_interpolation(options: dict[str, Any]) -> None:
    at = np.concatenate([np.linspace(-3, 20, 23), PLACES, [np.nan]])
    agree(lambda *xs: rnp.interp(*xs, **options), lambda *xs: np.interp(*xs, **options), at, PLACES, X)
    z = X + 1j * X[::-1]
    same(rnp.interp(at[:-1], PLACES, z, **options), np.interp(at[:-1], PLACES, z, **options))


def test_interpolation_of_few_points_and_of_integers() -> None:
    same(rnp.interp(X, PLACES[:1], X[:1]), np.interp(X, PLACES[:1], X[:1]))
    same(rnp.interp(np.array([1, 2]), np.array([0, 4]), np.array([0, 2])), np.array([0.5, 1.0], "float32"))
    twice = np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0, 6.0])
    same(rnp.interp(np.array([0.5, 1.0, 1.5]), *twice), np.interp([0.5, 1.0, 1.5], *twice))


def test_interpolation_is_differentiable_by_all_three() -> None:
    at = np.array([-9.0, 1.234, 2.345, 3.456, 40.0])
    differentiable(rnp.interp, at, PLACES, X)
    differentiable(lambda *xs: rnp.interp(*xs, period=4.0), at, PLACES / 4, X)
    differentiable(lambda at, left: rnp.interp(at, PLACES, X, left=left), at, np.array(2.0))
    batches(rnp.interp, at, PLACES, X)
    agree_symbolic(
        lambda x, y: rnp.interp(x, rnp.cumsum(rnp.exp(y)), y), lambda x, y: np.interp(x, np.cumsum(np.exp(y)), y),
        ("n",), ("m",), dtype="float64", sizes=[*SIZES, {"n": 0, "m": 1}],
    )  # fmt: skip


@pytest.mark.parametrize("order", [1, 2])
def test_gradient(order: Any) -> None:
    def compare(f: Any, *spacing: Any, **options: Any) -> None:
        agree(
            lambda f: rnp.gradient(f, *spacing, edge_order=order, **options),
            lambda f: np.gradient(f, *spacing, edge_order=order, **options), f,
        )  # fmt: skip

    y = draw((5, 7), "float64")
    compare(X)
    compare(X, 0.25)
    compare(X, PLACES)
    compare(y, 2.0, PLACES)
    compare(y, 0.3, axis=-1)
    compare(y, 0.3, axis=(1, 0))
    compare(X[: order + 1])
    compare(X[: order + 1], PLACES[: order + 1])
    compare(X + 1j * X[::-1], PLACES)
    differentiable(lambda f: rnp.gradient(f, edge_order=order), X)
    differentiable(lambda f, s: rnp.gradient(f, s, edge_order=order), X, PLACES)
    batches(lambda f, h: rnp.gradient(f, h, edge_order=order), X, np.array(0.5))
    due: Any = lambda x: np.gradient(x, axis=0, edge_order=order)  # noqa: E731
    function: Any = lambda x: x * 0 + rnp.gradient(x, axis=0, edge_order=order)  # noqa: E731
    agree_symbolic(function, due, ("n", "m"), dtype="float64", sizes=SIZES)


def test_gradients_of_integers_are_floats() -> None:
    same(rnp.gradient(np.array([1, 2, 4])), np.array([1, 1.5, 2], "float32"))


def test_trapezoid() -> None:
    y = draw((5, 7), "float64")
    agree(lambda y, x: rnp.trapezoid(y, x), lambda y, x: np.trapezoid(y, x), y, PLACES)
    same(rnp.trapezoid(y, PLACES[:5], axis=0), np.trapezoid(y, PLACES[:5], axis=0))
    same(rnp.trapezoid(y, y**2, axis=0), np.trapezoid(y, y**2, axis=0))
    same(rnp.trapezoid(y, dx=0.1), np.trapezoid(y, dx=0.1))
    differentiable(rnp.trapezoid, X, PLACES)
    agree_symbolic(rnp.trapezoid, np.trapezoid, ("n", "m"), dtype="float64", sizes=[*SIZES, {"n": 2, "m": 1}])


def test_differences() -> None:
    same(rnp.ediff1d(X), np.ediff1d(X))
    due = np.ediff1d(X.reshape(1, 7), to_end=np.array([1.0, 2]), to_begin=3)
    same(rnp.ediff1d(X.reshape(1, 7), to_end=np.array([1.0, 2]), to_begin=3), due)


def test_phases() -> None:
    phase = np.cumsum(draw((2, 20), "float64"), 1) % (2 * math.pi)
    for axis in (0, 1):
        agree(lambda p, a=axis: rnp.unwrap(p, axis=a), lambda p, a=axis: np.unwrap(p, axis=a), phase)
    same(rnp.unwrap(phase, 4.0), np.unwrap(phase, 4.0))
    whole = np.random.default_rng(0).integers(0, 9, 20)
    for period in (8, 9):
        same(rnp.unwrap(whole, period=period), np.unwrap(whole, period=period))
    same(rnp.unwrap(phase[0, :0]), phase[0, :0])
    differentiable(rnp.unwrap, phase[0])
    agree_symbolic(lambda p: p * 0 + rnp.unwrap(p, axis=0), lambda p: np.unwrap(p, axis=0), ("n", "m"),
                   dtype="float64")  # fmt: skip


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"interp takes vectors .* not float32\[2\] and float32\[3\]"):
        rnp.interp(1.0, draw((2,)), draw((3,)))
    with pytest.raises(rax.TypeInferenceError, match="interp's period must not be 0"):
        rnp.interp(1.0, draw((2,)), draw((2,)), period=0)
    with pytest.raises(rax.TypeInferenceError, match="gradient has 2 spacings for 1 axes"):
        rnp.gradient(X, 1.0, 2.0)
    with pytest.raises(rax.TypeInferenceError, match="gradient's edge_order is 1 or 2, not 3"):
        rnp.gradient(X, edge_order=3)
    with pytest.raises(rax.TypeInferenceError, match="gradient needs at least 2 elements along axis 0, not 1"):
        rnp.gradient(X[:1])
    with pytest.raises(rax.TypeInferenceError, match=r"gradient has coordinates float64\[3\] for an axis of size 7"):
        rnp.gradient(X, PLACES[:3])
