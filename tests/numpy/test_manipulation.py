"""Manipulation functions, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir import dims
from tests.numpy.agree import agree, agree_symbolic, draw, same


@pytest.mark.parametrize("shape", [(6,), (2, 3), (-1,), (3, -1), (1, 6, 1), 6])
def test_reshape(shape: Any) -> None:
    agree(lambda x: rnp.reshape(x, shape), lambda x: np.reshape(x, shape), draw((2, 3)))


def test_reshape_with_symbolic_sizes() -> None:
    agree_symbolic(lambda x: rnp.reshape(x, (-1,)), lambda x: x.reshape(-1), ("n", 3))
    agree_symbolic(lambda x: rnp.reshape(x, (x.shape[0], -1)), lambda x: x.reshape(len(x), 6), ("n", 2, 3))
    agree_symbolic(lambda x: rnp.reshape(x, (-1, 2)), lambda x: x.reshape(len(x) * 2, 2), ("n", 4))
    agree_symbolic(lambda x: rnp.reshape(x, (-1, x.shape[0])), lambda x: x.reshape(3, len(x)), ("n", 3))
    agree_symbolic(lambda x: rnp.reshape(x, ("2*n",)), lambda x: x.reshape(-1), ("n", 2))
    assert rnp.reshape(rax.input("x", ("n", "m")), "n*m").shape == (dims.dim("n*m"),)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((4, -1), "cannot reshape [2, 3] (6 elements): the size for -1 beside [4] is not a whole number"),
        ((-1, -1), "reshape can work out one size, not 2"),
        ((0, -1), "cannot reshape [2, 3] (6 elements): the size for -1 beside [0] is not a whole number"),
        ((5,), "cannot reshape [2, 3] (6 elements) to [5] (5 elements)"),
        ((-2, -3), "the shape [-2, -3] has a negative size"),
    ],
)
def test_reshape_refuses(shape: Any, text: str) -> None:
    with pytest.raises(rax.RaxError) as caught:
        rnp.reshape(rnp.ones((2, 3)), shape)
    assert caught.value.what == text
    with pytest.raises(rax.ShapeError, match="is not a whole number"):
        rnp.reshape(rax.input("x", ("n", 3)), (2, -1))


def test_broadcasting() -> None:
    agree(lambda x: rnp.broadcast_to(x, (2, 4, 3)), lambda x: np.broadcast_to(x, (2, 4, 3)), draw((4, 1)))
    same(
        rnp.broadcast_arrays(draw((2, 1)), draw((3,), "int8")),
        list(np.broadcast_arrays(draw((2, 1)), draw((3,), "int8"))),
    )
    assert rnp.broadcast_arrays() == ()


def test_broadcast_shapes() -> None:
    assert rnp.broadcast_shapes() == ()
    assert rnp.broadcast_shapes((2, 1), (1, 3), 1) == (2, 3)
    assert rnp.broadcast_shapes(("n", 1), (3,)) == (dims.dim("n"), 3)
    with pytest.raises(rax.ShapeError, match="do not broadcast: 3 against 2 on axis -1"):
        rnp.broadcast_shapes((3,), (2,))


def test_axes_may_be_several_or_negative() -> None:
    x = draw((2, 3))
    same(rnp.expand_dims(x, (0, -1)), np.expand_dims(x, (0, -1)))
    same(rnp.permute_dims(x, (-1, 0)), x.T)
    agree_symbolic(
        lambda x, y: rnp.broadcast_to(x, y.shape), lambda x, y: np.broadcast_to(x, y.shape), (1,), ("n", "m")
    )
    with pytest.raises(rax.TypeInferenceError, match="do not broadcast"):
        rnp.broadcast_to(rnp.ones(2), (3,))


@pytest.mark.parametrize("axis", [0, -1, None])
def test_concat(axis: int | None) -> None:
    agree(
        lambda x, y: rnp.concat([x, y, x], axis=axis),
        lambda x, y: np.concatenate([x, y, x], axis),
        draw((2, 3)),
        draw((2, 3)),
    )
    agree_symbolic(lambda x, y: rnp.concat([x, y]), lambda x, y: np.concatenate([x, y]), ("n", 2), ("m", 2))


def test_concat_promotes() -> None:
    same(rnp.concat([np.ones(2, np.int8), np.zeros(1)]), np.array([1.0, 1, 0]))
    same(rnp.concat([np.ones(2), 3.0], axis=None), np.array([1.0, 1, 3]))
    with pytest.raises(rax.TypeInferenceError, match="concat needs at least one tensor"):
        rnp.concat([])


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (-1, 1)])
def test_expand_dims(axis: Any) -> None:
    agree(lambda x: rnp.expand_dims(x, axis=axis), lambda x: np.expand_dims(x, axis), draw((2, 3)))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), ()])
def test_flip(axis: Any) -> None:
    agree(lambda x: rnp.flip(x, axis=axis), lambda x: np.flip(x, axis), draw((2, 3)))
    agree_symbolic(lambda x: rnp.flip(x, axis=axis), lambda x: np.flip(x, axis), ("n", "m"))


@pytest.mark.parametrize(("source", "destination"), [(0, -1), (2, 0), ((0, 1), (1, 2)), ((2, 0), (0, -1)), ((), ())])
def test_moveaxis(source: Any, destination: Any) -> None:
    agree(
        lambda x: rnp.moveaxis(x, source, destination), lambda x: np.moveaxis(x, source, destination), draw((2, 3, 4))
    )
    with pytest.raises(rax.TypeInferenceError, match="moveaxis moves 2 axes to 1 places"):
        rnp.moveaxis(rnp.ones((2, 3)), (0, 1), 0)


def test_permute_dims() -> None:
    agree(lambda x: rnp.permute_dims(x, (2, 0, 1)), lambda x: np.transpose(x, (2, 0, 1)), draw((2, 3, 4)))
    agree(lambda x: rnp.permute_dims(x, (-1, 0)), lambda x: x.T, draw((2, 3)))
    with pytest.raises(rax.TypeInferenceError, match="no permutation"):
        rnp.permute_dims(rnp.ones((2, 3)), (0, 0))


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_repeat_by_a_number(repeats: int, axis: int | None) -> None:
    agree(lambda x: rnp.repeat(x, repeats, axis=axis), lambda x: np.repeat(x, repeats, axis), draw((2, 3)))
    agree_symbolic(lambda x: rnp.repeat(x, repeats, axis=axis), lambda x: np.repeat(x, repeats, axis), ("n", "m"))


def test_repeat_by_many() -> None:
    counts = np.array([2, 0, 1])
    agree(lambda x: rnp.repeat(x, counts, axis=1), lambda x: np.repeat(x, counts, 1), draw((2, 3)))
    same(rnp.repeat(np.arange(3), rnp.asarray(counts)), np.repeat(np.arange(3), counts))
    same(rnp.repeat(np.arange(3), np.array([2])), np.repeat(np.arange(3), 2))
    agree_symbolic(lambda x: rnp.repeat(x, x.shape[0]), lambda x: np.repeat(x, len(x)), ("n",))
    with pytest.raises(rax.TypeInferenceError, match=r"repeat has \[2\] counts for an axis of size 3"):
        rnp.repeat(rnp.ones(3), np.array([1, 2]))
    with pytest.raises(rax.TypeInferenceError, match="counts that are not negative"):
        rnp.repeat(rnp.ones(3), -1)
    with pytest.raises(rax.UnboundInputError, match="repeat needs the value of a tensor int64"):
        rnp.repeat(rnp.ones(3), rax.input("k", (3,), "int64"))


@pytest.mark.parametrize(
    ("shift", "axis"), [(1, None), (-7, None), (2, 0), (-1, -1), ((1, 2), (0, 1)), (5, (0, 1)), (0, 0)]
)
def test_roll(shift: Any, axis: Any) -> None:
    agree(lambda x: rnp.roll(x, shift, axis=axis), lambda x: np.roll(x, shift, axis), draw((3, 4)))
    agree_symbolic(lambda x: rnp.roll(x, shift, axis=axis), lambda x: np.roll(x, shift, axis), ("n", "m"))
    place: Any = np.int8(0)
    same(rnp.roll(rnp.arange(4), place + 1, axis=place).numpy(), np.array([3, 0, 1, 2]))
    with pytest.raises(rax.TypeInferenceError, match="roll has 2 shifts for 1 axes"):
        rnp.roll(rnp.ones(3), (1, 2), axis=0)


def test_squeeze() -> None:
    for axis in (0, (0, 2), -1, ()):
        agree(lambda x, axis=axis: rnp.squeeze(x, axis), lambda x, axis=axis: np.squeeze(x, axis), draw((1, 3, 1)))
    with pytest.raises(rax.ShapeError, match=r"axis 1 of float32\[1, 3\] is none"):
        rnp.squeeze(rnp.ones((1, 3)), 1)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_stack_and_unstack(axis: int) -> None:
    agree(
        lambda x, y: rnp.stack([x, y], axis=axis),
        lambda x, y: np.stack([x, y], axis),
        draw((2, 3)),
        draw((2, 3), seed=1),
    )
    agree(lambda x: rnp.unstack(x, axis=axis), lambda x: tuple(np.unstack(x, axis=axis)), draw((2, 3)))


def test_stack_refuses() -> None:
    with pytest.raises(rax.TypeInferenceError, match="stack needs at least one tensor"):
        rnp.stack([])
    with pytest.raises(rax.TypeInferenceError, match=r"one shape, not \[2\] and \[3\]"):
        rnp.stack([rnp.ones(2), rnp.ones(3)])
    with pytest.raises(rax.ShapeError, match="unstack needs to know the size n"):
        rnp.unstack(rax.input("x", ("n",)))


@pytest.mark.parametrize("counts", [(2,), (2, 3), (1, 2, 2), (0, 1), ()])
def test_tile(counts: tuple[int, ...]) -> None:
    agree(lambda x: rnp.tile(x, counts), lambda x: np.tile(x, counts), draw((2, 3)))
    agree_symbolic(lambda x: rnp.tile(x, counts), lambda x: np.tile(x, counts), ("n", "m"))


def test_take() -> None:
    x, places = draw((4, 3)), np.array([[2, -1], [0, 0]])
    for axis in (0, -1):
        agree(lambda x, i, axis=axis: rnp.take(x, i, axis=axis), lambda x, i, axis=axis: np.take(x, i, axis), x, places)
    agree_symbolic(lambda x: rnp.take(x, np.array([0, 2]), axis=1), lambda x: x[:, [0, 2]], ("n", 3))
    same(rnp.take(np.arange(3), np.array([2, 1])), np.array([2, 1]))
    with pytest.raises(rax.TypeInferenceError, match="take needs an axis"):
        rnp.take(x, places)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_along_axis(axis: int) -> None:
    x = draw((3, 3))
    agree(
        lambda x: rnp.take_along_axis(x, rnp.argsort(x, axis=axis), axis=axis), lambda x: np.sort(x, axis), x
    )  # fmt: skip
    agree_symbolic(
        lambda x: rnp.take_along_axis(x, rnp.argsort(x, axis=axis), axis=axis), lambda x: np.sort(x, axis), ("n", "m")
    )
    same(rnp.take_along_axis(x, np.array([[1]]), axis=axis), np.take_along_axis(x, np.array([[1]]), axis))
    with pytest.raises(rax.TypeInferenceError, match="as many axes on both"):
        rnp.take_along_axis(x, np.array([1]))
