"""Axes moved, tensors joined, split and spliced, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import SIZES, agree, agree_symbolic, batches, differentiable, draw, same

X = draw((2, 3, 4), "float64")


def test_axes() -> None:
    agree(lambda x: rnp.transpose(x), np.transpose, X)
    same(rnp.transpose(X, (1, -1, 0)), np.transpose(X, (1, -1, 0)))
    for first in range(-3, 3):
        for second in range(-3, 4):
            same(rnp.rollaxis(X, first, second), np.rollaxis(X, first, second))
            if second < 3:
                same(rnp.swapaxes(X, first, second), np.swapaxes(X, first, second))
    for turns in range(-2, 6):
        for plane in ((0, 1), (1, 0), (2, -2)):
            same(rnp.rot90(X, turns, plane), np.rot90(X, turns, plane))
    for name in ("ravel", "flipud", "fliplr"):
        agree(getattr(rnp, name), getattr(np, name), X)
        agree_symbolic(getattr(rnp, name), getattr(np, name), ("n", "m"))
        differentiable(getattr(rnp, name), X)
    with pytest.raises(rax.OutOfRangeError, match="rollaxis to 4 is out of range for a tensor with 3 axes"):
        rnp.rollaxis(X, 0, 4)
    with pytest.raises(rax.TypeInferenceError, match=r"a plane of two different axes, not \(0, -3\)"):
        rnp.rot90(X, axes=(0, -3))


def test_more_axes() -> None:
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        ours, numpys = getattr(rnp, name), getattr(np, name)
        for shape in ((), (3,), (2, 3), (2, 3, 4), (1, 2, 3, 4)):
            same(ours(draw(shape)), numpys(draw(shape)))
        same(ours(draw((3,)), draw(())), numpys(draw((3,)), draw(())))


@pytest.mark.parametrize("name", ["vstack", "hstack", "dstack", "column_stack"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 2)], ids=str)
def test_stacks(name: str, shape: tuple[int, ...]) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    x, y = draw(shape, "float64"), draw(shape, "float64", 1)
    agree(lambda x, y: ours([x, y]), lambda x, y: numpys([x, y]), x, y)
    agree(lambda x, y: ours((x, y, x)), lambda x, y: numpys((x, y, x)), x, y.astype("float32"))
    differentiable(lambda x, y: ours([x, y]), x, y)


def test_joining() -> None:
    agree(lambda x, y: rnp.concatenate([x, y], 1), lambda x, y: np.concatenate([x, y], 1), X, X)
    same(rnp.append(X, 5.0), np.append(X, 5.0))
    same(rnp.append(X, X[:, :1], 1), np.append(X, X[:, :1], 1))
    a, b = draw((2, 2)), draw((2, 1))
    nest: list[Any] = [[a, b], [b, a]]
    same(rnp.block(nest), np.block(nest))
    for other in ([a, b], [[1, 2, 3]], [[draw((2,)), np.float32(1)], [b[:, 0], np.float32(2)]], a, [[X], [X]]):
        due = np.asarray(np.block(other))
        same(rnp.block(other), due)
    with pytest.raises(rax.TypeInferenceError, match="block takes lists that are not empty and nested equally deep"):
        rnp.block([[a], b])


@pytest.mark.parametrize("sections", [1, 2, 3, 5, (1, 2), (0, 2, 9), (-1,), ()], ids=str)
def test_splitting(sections: Any) -> None:
    for axis in (0, 1, -1):
        x = draw((6, 4, 5))
        agree(lambda x, a=axis: rnp.array_split(x, sections, a), lambda x, a=axis: np.array_split(x, sections, a), x)
    if not isinstance(sections, int):
        for name in ("split", "hsplit", "vsplit", "dsplit"):
            same(getattr(rnp, name)(X, sections), getattr(np, name)(X, sections))


def test_equal_parts() -> None:
    same(rnp.split(X, 2, -1), np.split(X, 2, -1))
    same(rnp.split(X, np.int64(2)), np.split(X, np.int64(2)))
    same(rnp.split(X, np.array([1])), np.split(X, np.array([1])))
    same(rnp.hsplit(X[0, 0], 2), np.hsplit(X[0, 0], 2))
    same(rnp.hsplit(X, 3), np.hsplit(X, 3))
    same(rnp.dsplit(X, 2), np.dsplit(X, 2))
    agree_symbolic(lambda x: rnp.split(x, 2), lambda x: np.split(x, 2), ("2*n", "m"))
    agree_symbolic(lambda x: rnp.array_split(x, 3), lambda x: np.array_split(x, 3), ("n", "m"),
                   sizes=[*SIZES, {"n": 8, "m": 1}])  # fmt: skip
    with pytest.raises(rax.ShapeError, match="an axis of size 3 does not split into 2 equal parts"):
        rnp.split(X, 2, 1)
    with pytest.raises(rax.ShapeError, match="an axis of size n does not split into 2 equal parts"):
        rax.trace(lambda x: rnp.split(x, 2), rax.spec(("n",)))
    with pytest.raises(rax.TypeInferenceError, match="a tensor splits into a positive number of parts, not 0"):
        rnp.array_split(X, 0)


PLACES: list[Any] = [0, 2, -1, slice(0, 3, 2), [1], [0, 2], [2, 0, 2], np.array([1, -1])]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_inserting_and_deleting(place: Any) -> None:
    agree(lambda x: rnp.insert(x, place, 7.0, 1), lambda x: np.insert(x, place, 7.0, 1), X)
    agree(lambda x: rnp.insert(x, place, 7.0), lambda x: np.insert(x, place, 7.0), X)
    agree(lambda x: rnp.delete(x, place, 1), lambda x: np.delete(x, place, 1), X)
    agree(lambda x: rnp.delete(x, place), lambda x: np.delete(x, place), X)
    differentiable(lambda x, v: rnp.insert(x, place, v, 1), X, np.array(2.0))
    differentiable(lambda x: rnp.delete(x, place, 1), X)
    batches(lambda x: rnp.delete(x, place, 1), X)


def test_inserting_several_values() -> None:
    x = np.arange(6).reshape(2, 3)
    same(rnp.insert(x, 1, np.array([7, 8, 9]), 0), np.insert(x, 1, np.array([7, 8, 9]), 0))
    same(rnp.insert(x, 1, np.array([[7, 8], [9, 10], [11, 12]]), 1), np.insert(x, 1, [[7, 8], [9, 10], [11, 12]], 1))
    same(rnp.insert(x, [1], np.array([[7], [8]]), 1), np.insert(x, [1], [[7], [8]], 1))
    same(rnp.insert(x[0], 1, np.array([7, 8])), np.insert(x[0], 1, [7, 8]))
    same(rnp.insert(x, [0, 3], np.array([7.9, 8]), 1), np.insert(x, [0, 3], [7.9, 8], 1))
    mask = np.array([True, False, True])
    same(rnp.delete(x, mask, 1), np.delete(x, mask, 1))
    for call in (lambda: rnp.insert(x, 9, 1, 1), lambda: rnp.delete(x, 9, 1)):
        with pytest.raises(rax.OutOfRangeError, match="index 9 is out of bounds for axis 0 with size 3"):
            call()
    with pytest.raises(rax.ShapeError, match="delete needs to know the size n"):
        rax.trace(lambda x: rnp.delete(x, 0), rax.spec(("n",)))
    with pytest.raises(rax.UnboundInputError, match=r"insert needs the value of a tensor int64\[\]"):
        rax.trace(lambda x, i: rnp.insert(x, i, 0), rax.spec((3,)), rax.spec((), "int64"))


def test_resizing() -> None:
    for shape in ((2, 2), (5, 3), (0, 4), 3, ()):
        same(rnp.resize(X[0], shape), np.resize(X[0], shape))
    same(rnp.resize(X[:0], (2, 1)), np.resize(X[:0], (2, 1)))
    graph = rax.trace(lambda x: rnp.resize(x, (7,)), rax.spec(("n",)))
    x = draw((3,))
    with pytest.raises(rax.RaxError, match="divided by zero"):
        graph(x[:0])
    same(graph(x), np.resize(x, 7))
    differentiable(lambda x: rnp.resize(x, (5, 2)), draw((3,), "float64"))
