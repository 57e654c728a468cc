"""Averages, covariance and correlation, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, batches, differentiable, draw, same

WEIGHTS = np.array([0.5, 1.5, 2.0, 0.25])


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_average(axis: Any, keepdims: bool) -> None:
    x, w = draw((3, 4), "float64"), np.abs(draw((3, 4), "float64", 1))
    agree(
        lambda x, w: rnp.average(x, axis, w, keepdims=keepdims, returned=True),
        lambda x, w: np.average(x, axis, w, keepdims=keepdims, returned=True), x, w,
    )  # fmt: skip
    same(rnp.average(x, axis, returned=True), np.average(x, axis, returned=True))


def test_weights_along_an_axis() -> None:
    x = draw((3, 4), "float64")
    same(rnp.average(x, 1, WEIGHTS), np.average(x, 1, WEIGHTS))
    same(rnp.average(np.arange(4), weights=np.arange(4)), np.float32(14 / 6))
    with pytest.raises(rax.TypeInferenceError, match=r"average's weights float64\[4\] fit neither float64\[3, 4\] nor"):
        rnp.average(x, 0, WEIGHTS)


OPTIONS: list[dict[str, Any]] = [
    {}, {"bias": True}, {"ddof": 2}, {"rowvar": False}, {"fweights": np.array([1, 2, 1, 3])}, {"aweights": WEIGHTS},
    {"aweights": WEIGHTS, "fweights": np.array([1, 2, 1, 3]), "ddof": 0}, {"aweights": WEIGHTS, "ddof": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_covariance(options: dict[str, Any]) -> None:
    x = draw((4, 3) if options.get("rowvar") is False else (3, 4), "float64")
    agree(lambda x: rnp.cov(x, **options), lambda x: np.cov(x, **options), x)
    z = x + 1j * draw(x.shape, "float64", 5)
    same(rnp.cov(z, **options), np.cov(z, **options))


def test_covariance_of_vectors_and_pairs() -> None:
    x, y = draw((5,), "float64"), draw((2, 5), "float64", 1)
    same(rnp.cov(x), np.cov(x))
    same(rnp.cov(x, y), np.cov(x, y))
    same(rnp.cov(y.T, x, rowvar=False), np.cov(y.T, x, rowvar=False))
    same(rnp.cov(draw((2, 5), "float32")), np.cov(draw((2, 5), "float32"), dtype="float32"))
    same(rnp.cov(np.array([[1, 2, 4], [0, 1, 1]])), np.cov(np.array([[1, 2, 4], [0, 1, 1]])).astype("float32"))


def test_correlation() -> None:
    x, y = draw((3, 6), "float64"), draw((2, 6), "float64", 1)
    agree(rnp.corrcoef, np.corrcoef, x)
    agree(rnp.corrcoef, np.corrcoef, x, y)
    same(rnp.corrcoef(x.T, rowvar=False), np.corrcoef(x.T, rowvar=False))
    same(rnp.corrcoef(x[0]), np.asarray(np.corrcoef(x[0])))
    same(rnp.corrcoef(x + 1j * x[::-1]), np.corrcoef(x + 1j * x[::-1]))


def test_derivatives_symbolic_sizes_and_batches() -> None:
    x = draw((3, 4), "float64")
    differentiable(lambda x, w: rnp.average(x, 1, w), x, WEIGHTS)
    differentiable(rnp.cov, x)
    differentiable(lambda x, w: rnp.cov(x, aweights=w), x, WEIGHTS)
    differentiable(lambda x: rnp.corrcoef(x)[0, 1:], draw((3, 6), "float64"))
    batches(rnp.cov, x)
    batches(lambda x, w: rnp.average(x, 0, w), x, np.abs(x))
    sizes: list[dict[str, int]] = [{"n": 3, "m": 2}, {"n": 2, "m": 5}]
    agree_symbolic(rnp.cov, np.cov, ("n", "m"), dtype="float64", sizes=sizes)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"cov takes vectors and matrices, not float32\[2, 2, 2\]"):
        rnp.cov(draw((2, 2, 2)))
    with pytest.raises(rax.TypeInferenceError, match=r"cov has weights float64\[4\] for 3 observations"):
        rnp.cov(draw((2, 3), "float64"), aweights=WEIGHTS)
