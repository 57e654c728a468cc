"""Choosing elements, positions, and functions mapped over parts, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, batches, differentiable, draw, same

NUMPY: Any = np  # its stubs are narrower than it is
X = draw((3, 4), "float64")


def test_select_and_piecewise() -> None:
    def chosen(xp: Any, x: Any) -> Any:
        return xp.select([x < -1, x < 1], [x * 2, x - 1], 7)

    agree(lambda x: chosen(rnp, x), lambda x: chosen(np, x), X)
    differentiable(lambda x: chosen(rnp, x), X)
    agree_symbolic(lambda x: chosen(rnp, x), lambda x: chosen(np, x), ("n", "m"), dtype="float64")

    def pieces(xp: Any, x: Any, more: list[Any]) -> Any:
        return xp.piecewise(x, [x < 0, x > 2], [lambda v, k: v * k, 5, *more], 3)

    for more in ([], [lambda v, k: v + k], [9]):
        agree(lambda x, m=more: pieces(rnp, x, m), lambda x, m=more: pieces(np, x, m), X)
    differentiable(lambda x: pieces(rnp, x, []), X)
    with pytest.raises(rax.TypeInferenceError, match="select has 1 conditions for 0 choices"):
        rnp.select([X < 0], [])
    with pytest.raises(rax.TypeInferenceError, match="piecewise has 3 functions for 1 conditions"):
        rnp.piecewise(X, [X < 0], [1, 2, 3])


def test_choose() -> None:
    places = np.array([[0, 2, 1, 0], [1, 1, 2, 2], [0, 0, 0, 1]])
    choices = [X, 2 * X, X[:1]]
    same(rnp.choose(places, choices), np.choose(places, choices))
    for mode in ("wrap", "clip"):
        same(rnp.choose(places * 3 - 4, choices, mode), np.choose(places * 3 - 4, choices, mode=mode))
    same(rnp.choose(np.array([1, 0]), np.array([[1, 2], [3, 4]])), np.array([3, 2]))
    differentiable(lambda x, y: rnp.choose(rnp.asarray(places), [x, y, y]), X, X + 1)
    with pytest.raises(rax.TypeInferenceError, match="choose takes integers, not float64"):
        rnp.choose(X, [X])
    with pytest.raises(rax.TypeInferenceError, match="the mode is one of raise, wrap, clip, not 'skip'"):
        rnp.choose(places, [X], "skip")


def test_compress_and_extract() -> None:
    mask = np.array([True, False, True, True])
    same(rnp.compress(mask, X, 1), np.compress(mask, X, 1))
    same(rnp.compress(mask[:2], X, 1), np.compress(mask[:2], X, 1))
    same(rnp.compress(mask, X), np.compress(mask, X))
    same(rnp.extract(X > 0, X), np.extract(X > 0, X))
    found = np.extract(X > 0, X)
    for size in (0, 2, len(found), 12, 15):
        due = np.concatenate([found, np.full(15, -1.0)])[:size]
        traced = rax.jit(lambda x, s=size: rnp.extract(x > 0, x, size=s, fill_value=-1))
        same(traced(X), due)
    same(rnp.compress(mask, X, 1, size=4), np.concatenate([X[:, mask], np.zeros((3, 1))], 1))
    differentiable(lambda x: rnp.extract(x > 0, x, size=9), X)
    batches(lambda x: rnp.extract(x > 0, x, size=5), X)
    graph = rax.trace(lambda x: rnp.extract(x > 0, x, size=x.shape[0]), rax.spec(("n",), "float64"))
    same(graph(X[0]), np.concatenate([X[0][X[0] > 0], np.zeros(sum(X[0] <= 0))]))
    with pytest.raises(rax.UnboundInputError, match=r"compress needs the value of a tensor bool(.|\n)*size="):
        rax.trace(lambda x: rnp.extract(x > 0, x), X)
    with pytest.raises(rax.TypeInferenceError, match=r"compress takes a condition for each of 3, not bool\[4\]"):
        rnp.compress(mask, X, 0)


def test_put_along_axis() -> None:
    for axis in (0, 1, None):
        places = np.argmax(X, axis, keepdims=axis is not None)
        places = places if axis is not None else np.atleast_1d(places)
        due = X.copy()
        np.put_along_axis(due, places, 99.0, axis)
        same(rnp.put_along_axis(X, places, 99.0, axis), due)
    places = np.array([[3, 0], [1, 1], [0, 2]])
    due = X.copy()
    np.put_along_axis(due, places, X[:, :2], 1)
    same(rnp.put_along_axis(X, places, X[:, :2], 1), due)
    differentiable(lambda x, v: rnp.put_along_axis(x, rnp.asarray(places), v, 1), X, X[:, 2:])
    with pytest.raises(rax.TypeInferenceError, match=r"put_along_axis needs as many axes on both, not float64\[3, 4\]"):
        rnp.put_along_axis(X, places[0], 0, 1)


def test_positions() -> None:
    rows, columns = np.array([2, 0]), np.array([1, 3, 1])
    agree(lambda x: x[rnp.ix_(rows, columns)], lambda x: x[np.ix_(rows, columns)], X)
    same(rnp.ix_([0, 1], np.array([True, False, True])), NUMPY.ix_([0, 1], np.array([True, False, True])))
    for shape in ((2, 3), (4,), (2, 0)):
        same(rnp.indices(shape), np.indices(shape))
        same(rnp.indices(shape, "int32", sparse=True), np.indices(shape, "int32", sparse=True))
    flat = np.array([[5, 0], [23, 11]])
    agree(lambda i: rnp.unravel_index(i, (2, 3, 4)), lambda i: np.unravel_index(i, (2, 3, 4)), flat)
    places = np.unravel_index(flat, (2, 3, 4))
    same(rnp.ravel_multi_index(places, (2, 3, 4)), flat)
    for mode in ("wrap", "clip"):
        wild = (np.array([-1, 5]), np.array([2, -7]))
        same(rnp.ravel_multi_index(wild, (2, 3), mode), np.ravel_multi_index(wild, (2, 3), mode=mode))
    with pytest.raises(rax.TypeInferenceError, match=r"ix_ takes vectors, not float64\[3, 4\]"):
        rnp.ix_(X)
    with pytest.raises(rax.TypeInferenceError, match="ravel_multi_index has 3 positions for 2 axes"):
        rnp.ravel_multi_index(places, (2, 3))


def test_lexsort() -> None:
    keys = np.random.default_rng(3).integers(0, 3, (3, 4, 20))
    for axis in (-1, 0):
        agree(lambda k, a=axis: rnp.lexsort(k, a), lambda k, a=axis: np.lexsort(k, axis=a), keys)
    same(rnp.lexsort([*keys[:, 0]]), np.lexsort(list(keys[:, 0])))
    with pytest.raises(rax.TypeInferenceError, match="lexsort needs at least one key"):
        rnp.lexsort([])


def test_functions_along_axes() -> None:
    x = draw((2, 3, 4), "float64")

    def spread(xp: Any) -> Any:
        return lambda v, k: xp.outer(v, v)[:2] * k

    for axis in (0, 1, -1):
        agree(
            lambda x, a=axis: rnp.apply_along_axis(spread(rnp), a, x, 2.0),
            lambda x, a=axis: np.apply_along_axis(spread(np), a, x, 2.0), x,
        )  # fmt: skip
        same(rnp.apply_along_axis(rnp.sum, axis, x), NUMPY.apply_along_axis(np.sum, axis, x))
    differentiable(lambda x: rnp.apply_along_axis(spread(rnp), 1, x, 2.0), x)
    same(rnp.apply_over_axes(rnp.sum, x, (0, -1)), np.apply_over_axes(np.sum, x, (0, -1)))
    same(rnp.apply_over_axes(rnp.cumulative_sum, x, 1), np.apply_over_axes(np.cumsum, x, 1))
    agree_symbolic(lambda x: rnp.apply_along_axis(rnp.cumsum, 0, x), lambda x: np.cumsum(x, 0), ("n", "m"),
                   dtype="float64", sizes=[{"n": 3, "m": 2}, {"n": 1, "m": 4}])  # fmt: skip
    with pytest.raises(rax.TypeInferenceError, match=r"keeps or drops the axis: float64\[2, 3, 4\] became float64\[\]"):
        rnp.apply_over_axes(lambda x, axis: rnp.sum(x), x, 0)


def test_vectorize() -> None:
    step = rnp.vectorize(lambda x, y: rnp.where(x > y, x - y, x + y))
    agree(step, np.vectorize(lambda x, y: x - y if x > y else x + y), X, X[0])
    both = rnp.vectorize(lambda m, v: (m @ v, rnp.sum(v)), signature="(m, n), (n) -> (m), ()")
    m, v = draw((5, 1, 2, 3), "float64"), draw((4, 3), "float64", 1)
    same(both(m, v), (np.einsum("xymn,yn->xym", m + np.zeros((5, 4, 2, 3)), v), np.broadcast_to(v.sum(-1), (5, 4))))
    scaled = rnp.vectorize(lambda x, k: x * len(k), excluded={1})
    same(scaled(X, "abc"), X * 3)
    differentiable(rnp.vectorize(lambda x: rnp.sin(x) * x), X)
    with pytest.raises(rax.TypeInferenceError, match="'n->m' is no signature"):
        rnp.vectorize(abs, signature="n->m")
    with pytest.raises(
        rax.TypeInferenceError, match=r"an argument float64\[\] has fewer axes than '\(n\)->\(\)' names"
    ):
        rnp.vectorize(rnp.sum, signature="(n)->()")(np.float64(1))
    with pytest.raises(rax.TypeInferenceError, match=r"the signature '\(n\)->\(\)' is of 1 arguments, not 2"):
        rnp.vectorize(rnp.sum, signature="(n)->()")(X, X)
