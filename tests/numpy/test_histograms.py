"""Histograms and counts, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, batches, differentiable, draw, same

X = np.concatenate([draw((40,), "float64"), [-1.0, 0.0, 0.2, 3.0]])
W = np.abs(draw((44,), "float64", 1))
EDGES = np.array([-1, 0, 0.2, 3])
OPTIONS: list[dict[str, Any]] = [
    {}, {"bins": 5, "range": (-1, 1)}, {"bins": EDGES}, {"density": True}, {"weights": W, "density": True},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "defaults")
def test_histograms(options: dict[str, Any]) -> None:
    agree(lambda x: rnp.histogram(x, **options), lambda x: np.histogram(x, **options), X)
    place = {name: options[name] for name in ("bins", "range") if name in options}
    same(rnp.histogram_bin_edges(X, **place), np.histogram_bin_edges(X, **place))


def test_odd_data() -> None:
    for x in (np.array([2.0, 2.0]), np.zeros(0), np.array([[1.0, 2.0], [3.0, 3.0]])):
        same(rnp.histogram(x, 3), np.histogram(x, 3))
    with_nan = np.array([np.nan, 0.5, np.inf])
    same(rnp.histogram(with_nan, 2, (0, 1)), np.histogram(with_nan, 2, (0, 1)))
    counts, edges = rnp.histogram(np.array([1, 2, 2, 5]), 2)
    same(counts, np.array([3, 1]))
    same(edges, np.array([1, 3, 5], "float32"))


def test_grids() -> None:
    points = draw((30, 2), "float64")
    w = np.abs(draw((30,), "float64", 2))
    choices: list[dict[str, Any]] = [
        {}, {"bins": 5, "range": [(-1, 1), None]}, {"bins": [3, EDGES]}, {"density": True, "weights": w},
    ]  # fmt: skip
    for options in choices:
        counts, edges = rnp.histogramdd(points, **options)
        due, due_edges = np.histogramdd(points, **options)
        same(counts, due)
        same(edges, list(due_edges))
        same(rnp.histogram2d(*points.T, **options), np.histogram2d(*points.T, **options))
    same(rnp.histogram2d(*points.T, bins=EDGES), np.histogram2d(*points.T, bins=EDGES))
    same(rnp.histogramdd([*points.T], 2)[0], np.histogramdd(points, 2)[0])
    same(rnp.histogramdd(points[:, 0], 2)[0], np.histogramdd(points[:, 0], 2)[0])


@pytest.mark.parametrize("right", [False, True])
def test_digitize(right: bool) -> None:
    for edges in (EDGES, EDGES[::-1].copy(), np.array([-1, 0.2, 0.2, 3]), EDGES[:1]):
        agree(lambda x, e: rnp.digitize(x, e, right), lambda x, e: np.digitize(x, e, right), X, edges)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int8"])
def test_bincount(dtype: str) -> None:
    x, w = np.array([3, 1, 1, 0, 7], dtype), np.array([0.5, 1, 2, 3, 4])
    for options in ({}, {"minlength": 10}, {"minlength": 2}):
        same(rnp.bincount(x, **options), np.bincount(x, **options))
        same(rnp.bincount(x, w, **options), np.bincount(x, w, **options))
    same(rnp.bincount(x, length=4), np.bincount(x)[:4])
    same(rnp.bincount(x, length=300), np.bincount(x, minlength=300))
    same(rnp.bincount(np.array([-1, 2, -7]), length=3), np.array([0, 0, 1]))
    same(rnp.bincount(x[:0]), np.bincount(x[:0]))
    same(rax.jit(lambda x: rnp.bincount(x, length=9))(x), np.bincount(x, minlength=9))
    batches(lambda x, w: rnp.bincount(x, w, length=5), x, w)


def test_weights_have_a_derivative() -> None:
    places = np.array([3, 1, 1, 0, 7])
    differentiable(lambda w: rnp.bincount(rnp.asarray(places), w, length=5), draw((5,), "float64"))
    differentiable(lambda w: rnp.histogram(X, 5, weights=w)[0], W)
    differentiable(lambda w: rnp.histogram(X, 5, weights=w, density=True)[0], W)
    differentiable(lambda x: rnp.histogram_bin_edges(x, 3), draw((6,), "float64"))


def test_counting_as_many_as_a_symbolic_size_says() -> None:
    graph = rax.trace(lambda x, y: rnp.bincount(x, length=y.shape[0]), rax.spec(("n",), "int64"), rax.spec(("m",)))
    same(graph(np.array([2, 0, 2, 9]), draw((4,))), np.array([1, 0, 2, 0]))
    edges = rax.trace(lambda x: rnp.histogram(x, 4), rax.spec(("n",), "float64"))
    same(edges(X), np.histogram(X, 4))


def test_what_does_not_fit_is_refused() -> None:
    x = np.array([1, 2])
    with pytest.raises(rax.TypeInferenceError, match=r"bincount takes a vector of integers, not float32\[2\]"):
        rnp.bincount(draw((2,)))
    with pytest.raises(rax.TypeInferenceError, match=r"bincount has weights float64\[44\] for int64\[2\]"):
        rnp.bincount(x, W)
    with pytest.raises(rax.UnboundInputError, match=r"bincount needs the value of a tensor int64\[2\](.|\n)*length="):
        rax.trace(rnp.bincount, x)
    with pytest.raises(rax.TypeInferenceError, match="the number of bins that 'auto' estimates depends on values"):
        rnp.histogram(X, "auto")
    with pytest.raises(rax.TypeInferenceError, match="a histogram has a positive number of bins, not 0"):
        rnp.histogram(X, 0)
    with pytest.raises(
        rax.TypeInferenceError, match=r"a histogram has weights int64\[2\] for elements of shape \[44\]"
    ):
        rnp.histogram(X, weights=x)
    with pytest.raises(rax.TypeInferenceError, match="of 2 coordinates has 3 numbers of bins and 2 ranges"):
        rnp.histogramdd(draw((5, 2)), [1, 2, 3])
    with pytest.raises(rax.TypeInferenceError, match=r"digitize takes a vector of edges, not float64\[2, 2\]"):
        rnp.digitize(X, np.zeros((2, 2)))
