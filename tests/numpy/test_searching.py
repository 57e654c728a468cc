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


def test_nonzero_of_a_size_given_is_traced() -> None:
    x = np.array([[0, 3, 0], [4, 0, 5]], np.int32)

    def due(x: Any) -> Any:
        rows, columns = np.nonzero(x)
        empty = [-1] * (4 - len(rows))
        return np.append(rows, empty)[:4], np.append(columns, empty)[:4]

    agree(lambda x: rnp.nonzero(x, size=4, fill_value=-1), lambda x: tuple(map(np.int64, due(x))), x)
    agree_symbolic(
        lambda x: rnp.nonzero(x > 0, size=4, fill_value=-1), lambda x: tuple(map(np.int64, due(x > 0))), ("n", "m")
    )
    rows = rax.vmap(lambda row: rnp.flatnonzero(row, size=2, fill_value=3))(x)
    same(rows, np.array([[1, 3], [0, 2]]))
    same(rnp.argwhere(x), np.argwhere(x))
    same(rax.jit(lambda x: rnp.argwhere(x, size=2, fill_value=(7, 8)))(x * 0), np.array([[7, 8], [7, 8]]))
    same(rax.jit(lambda x: x[rnp.nonzero(x, size=3)])(x), np.array([3, 4, 5], np.int32))
    with pytest.raises(rax.TypeInferenceError, match="there are 1 fill values for 2 axes"):
        rnp.nonzero(x, size=2, fill_value=(1,))


def test_where_of_one_operand_names_nonzero() -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rnp.where(rnp.ones(3) > 0)
    assert str(caught.value) == (
        "where chooses between two tensors, x1 and x2\n  fix: for the places where a condition is true use nonzero"
    )


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side: Any) -> None:
    x, wanted = np.array([1.0, 2, 2, 5], np.float32), np.array([[0, 1, 2], [3, 5, 9]], np.float32)
    agree(lambda x, y: rnp.searchsorted(x, y, side=side), lambda x, y: np.searchsorted(x, y, side), x, wanted)
    mixed = x[[3, 1, 0, 2]]
    same(rnp.searchsorted(x, 2, side=side), np.searchsorted(x, 2, side))
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


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool"])
def test_sets_of_a_size_given_are_traced(dtype: str) -> None:
    x = draw((3, 4), dtype)
    values, indices, inverse, counts = np.unique_all(x)
    size = len(values) + 2
    found = rax.jit(lambda x: rnp.unique_all(x, size=size, fill_value=1))(x)
    same(found.values, np.append(values, np.ones(2, dtype)))
    same(found.indices, np.append(indices, [indices[0]] * 2))
    same(found.inverse_indices, inverse)
    same(found.counts, np.append(counts, [0, 0]))
    fewer = rnp.unique_counts(x, size=1)
    same(tuple(fewer), (values[:1], counts[:1]))
    assert np.array_equal(np.asarray(rnp.unique_inverse(x, size=1).inverse_indices), inverse)


def test_sets_of_a_size_given_are_batched_differentiated_and_may_be_empty() -> None:
    nan = np.nan
    x = np.array([[2, nan, 2, -1], [0, -0.0, 5, nan]])
    same(rax.vmap(lambda row: rnp.unique_values(row, size=4))(x), np.array([[-1, 2, nan, -1], [0, 5, nan, 0]]))
    same(rnp.unique_values(np.array([nan, nan]), size=2), np.array([nan, nan]))
    same(rax.grad(lambda x: rnp.sum(rnp.unique_values(x, size=2) ** 2))(np.array([3.0, 1, 3])), np.array([6.0, 2, 0]))
    graph = rax.trace(lambda x: rnp.unique_counts(x, size=2), rax.spec(("n",), "float64"))
    same(tuple(graph(np.zeros(0))), (np.zeros(2), np.zeros(2, np.int64)))
    same(tuple(graph(np.array([4.0, 3, 4]))), (np.array([3.0, 4]), np.array([1, 2])))


def test_isin() -> None:
    x, among = np.array([[1, 2, 5], [7, -1, 0]], np.int16), np.array([[2, 0], [7, 9]], np.int64)
    for invert in (False, True):
        agree(lambda x, y, i=invert: rnp.isin(x, y, invert=i), lambda x, y, i=invert: np.isin(x, y, invert=i), x, among)
    same(rnp.isin(x, 5), np.isin(x, 5))
    same(rnp.isin(5, x), np.isin(5, x))
    same(rnp.isin(np.array([1, np.nan, 0]), np.array([np.nan, -0.0, 1])), np.array([True, False, True]))
    same(rnp.isin(np.array([1j, 2]), np.array([[2, 3]])), np.array([False, True]))
    same(rnp.isin(np.array([True, False]), np.zeros(0, bool)), np.array([False, False]))
    agree_symbolic(
        lambda x, y: rnp.isin(rnp.round(x), rnp.round(y)),
        lambda x, y: np.isin(np.round(x), np.round(y)),
        ("n", "m"),
        ("m",),
    )
    same(rax.vmap(rnp.isin)(x, x[:, :1]), np.array([[True, False, False]] * 2))
