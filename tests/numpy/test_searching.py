"""Searching, sorting and set functions, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, draw, same


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_positions(name: str, axis: int | None, keepdims: bool) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    options = {"axis": axis, "keepdims": keepdims}
    for x in (draw((3, 4)), draw((3, 4), "bool"), np.zeros((2, 2), np.int8)):
        agree(lambda x: ours(x, **options), lambda x: numpys(x, **options), x)
    sizes = [{"n": 3, "m": 2}, {"n": 1, "m": 1}]
    agree_symbolic(lambda x: ours(x, **options), lambda x: numpys(x, **options), ("n", "m"), sizes=sizes)


def test_nonzero() -> None:
    for x in (draw((3, 2), "int8"), draw((4,), "bool"), np.zeros((0, 2))):
        same(rnp.nonzero(x), np.nonzero(x))
    with pytest.raises(rax.TypeInferenceError, match="nonzero is not defined on scalars"):
        rnp.nonzero(1)
    with pytest.raises(rax.UnboundInputError) as caught:
        rnp.nonzero(rax.input("x", (3,)))
    assert caught.value.what == (
        "nonzero needs the value of a tensor float32[3], which depends on the input 'x': float32[3]"
    )
    assert caught.value.fix.startswith("the shape of the result depends on values")


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side: Any) -> None:
    x, wanted = np.array([1.0, 2, 2, 5], np.float32), np.array([[0, 1, 2], [3, 5, 9]], np.float32)
    agree(lambda x, y: rnp.searchsorted(x, y, side=side), lambda x, y: np.searchsorted(x, y, side), x, wanted)
    mixed = x[[3, 1, 0, 2]]
    same(rnp.searchsorted(mixed, wanted, side=side, sorter=np.argsort(mixed)), np.searchsorted(x, wanted, side))
    agree_symbolic(
        lambda x, y: rnp.searchsorted(rnp.sort(x), y, side=side),
        lambda x, y: np.searchsorted(np.sort(x), y, side),
        ("n",), ("m",),
    )  # fmt: skip


def test_searchsorted_refuses() -> None:
    with pytest.raises(rax.TypeInferenceError, match="looks in a vector"):
        rnp.searchsorted(rnp.ones((2, 2)), 1.0)
    with pytest.raises(rax.TypeInferenceError, match="'left' or 'right', not 'up'"):
        rnp.searchsorted(rnp.ones(2), 1.0, side="up")


def test_where() -> None:
    x, y = draw((2, 3)), draw((3,), seed=1)
    agree(lambda x, y: rnp.where(x > 0, x, y), lambda x, y: np.where(x > 0, x, y), x, y)
    same(rnp.where(x > 0, 1.5, 0), np.where(x > 0, np.float32(1.5), np.float32(0)))
    same(rnp.where(np.array([2, 0]), np.array([1, 2], np.int8), 0), np.array([1, 0], np.int8))
    agree_symbolic(lambda x, y: rnp.where(x > y, x, y), np.maximum, ("n", 1), ("m",))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint32", "bool"])
def test_sorting(axis: int, descending: bool, dtype: str) -> None:
    x = draw((4, 5), dtype)
    options: dict[str, Any] = {"axis": axis, "descending": descending}
    due = np.sort(x, axis)
    agree(lambda x: rnp.sort(x, **options), lambda x: np.flip(due, axis) if descending else due, x)
    places = rnp.argsort(x, **options)
    assert places.dtype is rnp.int64
    same(np.take_along_axis(x, np.asarray(places), axis), np.flip(due, axis) if descending else due)
    stable = np.argsort(x.astype("float32") * (-1 if descending else 1), axis, kind="stable")
    same(places, stable)


def test_sorting_symbolic_sizes() -> None:
    agree_symbolic(lambda x: rnp.sort(x, axis=0), lambda x: np.sort(x, 0), ("n", "m"))
    with pytest.raises(rax.OutOfRangeError, match="axis -1 is out of range"):
        rnp.sort(1.0)


@pytest.mark.parametrize("name", ["unique_all", "unique_counts", "unique_inverse", "unique_values"])
def test_sets(name: str) -> None:
    for x in (draw((3, 4), "int8"), draw((5,), "bool"), np.array([np.nan, 1, np.nan, -0.0, 0.0]), np.zeros((0,))):
        got, due = getattr(rnp, name)(x), getattr(np, name)(x)
        if name == "unique_values":
            same(got, np.sort(due))
        else:
            same(tuple(got), tuple(due))
            assert got._fields == due._fields
    with pytest.raises(rax.UnboundInputError, match=f"{name} needs the value"):
        getattr(rnp, name)(rax.input("x", (3,)))
