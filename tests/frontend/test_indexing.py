"""``x[key]`` and ``x[key] = item`` as NumPy has them, with known and symbolic sizes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rax
import rax.numpy as rnp
from rax.ir import dims
from rax.ops.arrays import Array
from tests.numpy.agree import agree, agree_symbolic, draw, same


def numbered(shape: tuple[int, ...]) -> Array:
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


@st.composite
def basic_keys(data: Any) -> tuple[Array, Any]:
    """An array, and a key of ints, slices, None and an ellipsis."""
    shape = data(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
    return numbered(shape), data(hnp.basic_indices(shape, allow_newaxis=True))


@st.composite
def array_keys(data: Any) -> tuple[Array, Any]:
    """An array, and a key with integer arrays among ints, slices and None."""
    shape = data(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    common = data(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    key: list[Any] = []
    for size in shape[: data(st.integers(1, len(shape)))]:
        if data(st.integers(0, 3)) == 0:
            key.append(None)
        kind = data(st.integers(0, 3))
        if kind == 0:
            key.append(data(st.slices(size)))
        elif kind == 1:
            key.append(data(st.integers(-size, size - 1)))
        else:
            narrow = tuple(1 if data(st.booleans()) else side for side in common)
            key.append(data(hnp.arrays(np.int64, narrow, elements=st.integers(-size, size - 1))))
    return numbered(shape), tuple(key)


@settings(max_examples=150)
@given(basic_keys())
def test_slices_are_numpys(case: tuple[Array, Any]) -> None:
    x, key = case
    same(rnp.asarray(x)[key], x[key])


@settings(max_examples=100)
@given(basic_keys())
def test_assigning_to_slices_is_numpys(case: tuple[Array, Any]) -> None:
    x, key = case
    item = -1 - numbered(np.shape(x[key])[-1:])
    due, got = x.copy(), rnp.asarray(x)
    due[key] = item
    got[key] = item
    same(got, due)


@settings(max_examples=100)
@given(array_keys())
def test_integer_arrays_are_numpys(case: tuple[Array, Any]) -> None:
    x, key = case
    same(rnp.asarray(x)[key], x[key])


@settings(max_examples=100)
@given(array_keys())
def test_assigning_to_integer_arrays_is_numpys(case: tuple[Array, Any]) -> None:
    x, key = case
    item = -1 - numbered(np.shape(x[key])[-1:])
    due, got = x.copy(), rnp.asarray(x)
    due[key] = item
    got[key] = item
    # Which of several items written to one place lasts, NumPy leaves open: take places apart.
    places = numbered(x.shape)[key].ravel()
    if len(set(places.tolist())) == places.size:
        same(got, due)


SYMBOLIC_KEYS = [
    np.s_[1:], np.s_[:-1], np.s_[2:-1], np.s_[-2:], np.s_[:3], np.s_[1:4], np.s_[-3:-1], np.s_[-4:2], np.s_[5:2],
    np.s_[::2], np.s_[1::3], np.s_[::-1], np.s_[::-2], np.s_[3:0:-1], np.s_[-2::-1], np.s_[:-3:-1], np.s_[:, None],
    np.s_[..., 0], np.s_[:, -1], np.s_[1:, ::-1],
]  # fmt: skip


@pytest.mark.parametrize("key", SYMBOLIC_KEYS, ids=str)
def test_slices_of_symbolic_sizes(key: Any) -> None:
    sizes = [{"n": n} for n in range(7)]
    agree_symbolic(lambda x: x[key], lambda x: x[key], ("n", 3), sizes=sizes)


@pytest.mark.parametrize("key", SYMBOLIC_KEYS, ids=str)
def test_assigning_to_slices_of_symbolic_sizes(key: Any) -> None:
    def assign(x: Any) -> Any:
        x = x + 0
        x[key] = -1
        return x

    agree_symbolic(assign, assign, ("n", 3), sizes=[{"n": n} for n in range(7)])


def test_neighbouring_slices_have_equal_symbolic_sizes() -> None:
    agree_symbolic(lambda x: x[1:] - x[:-1], lambda x: x[1:] - x[:-1], ("n",))
    agree_symbolic(lambda x: x[2:] - 2 * x[1:-1] + x[:-2], lambda x: x[2:] - 2 * x[1:-1] + x[:-2], ("n",))
    agree_symbolic(lambda x: x[::2] + x[::-2], lambda x: x[::2] + x[::-2], ("n",))


def test_symbolic_bounds_count_from_the_front() -> None:
    def halves(x: Any) -> Any:
        middle = x.shape[0] // 2
        return x[:middle], x[middle:]

    agree_symbolic(halves, halves, ("n",), sizes=[{"n": n} for n in range(5)])
    graph = rax.trace(lambda x: (x[x.shape[0] - 1], x[: x.shape[0] - 1 : -1]), rax.spec(("n",)))
    same(graph(numbered((4,))), (np.float32(3), numbered((0,))))
    graph = rax.trace(lambda x, y: x[: y.shape[0]], rax.spec(("n",)), rax.spec(("m",)))
    same(graph(numbered((4,)), numbered((2,))), numbered((2,)))
    same(graph(numbered((4,)), numbered((9,))), numbered((4,)))


def test_an_index_may_be_computed() -> None:
    x, y = draw((4, 3)), draw((3,), seed=1)
    agree(lambda x, y: x[rnp.argmax(y)], lambda x, y: x[np.argmax(y)], x, y)
    agree(lambda x, k: x[k, :, None], lambda x, k: x[k, :, None], x, np.array([[1], [-1]], np.int32))
    agree_symbolic(lambda x: x[rnp.argsort(x)], np.sort, ("n",))

    def assign(x: Any, k: Any) -> Any:
        x = x + 0
        x[:, k] = 7
        return x

    agree(assign, assign, x, np.array([0, 2]))


def test_lists_are_integer_arrays_and_masks() -> None:
    x = rnp.arange(4)
    assert x[[2, 0]].tolist() == [2, 0]
    assert x[[True, False, False, True]].tolist() == [0, 3]
    assert x[[]].tolist() == []


# Masks.


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2)])
def test_a_known_mask_picks_elements(shape: tuple[int, ...]) -> None:
    x, mask = numbered((4, 3, 2)), draw(shape, "bool")
    same(rnp.asarray(x)[mask], x[mask])
    same(rnp.asarray(x)[rnp.asarray(mask) & True], x[mask])
    same(rnp.asarray(x)[np.s_[1:, mask.ravel()[:3]]], x[np.s_[1:, mask.ravel()[:3]]])
    same(rnp.asarray(x)[np.array(True)], x[np.array(True)])
    same(rnp.asarray(x)[False], x[False])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (4, 0), (0, 0, 2), (4, 3, 0)])
def test_a_mask_may_be_empty_along_any_axis(shape: tuple[int, ...]) -> None:
    x, mask = numbered((4, 3, 2)), np.zeros(shape, bool)
    same(rnp.asarray(x)[mask], x[mask])
    y = rnp.asarray(x)
    y[mask] = 7
    same(y, x)


def test_a_mask_from_an_input_assigns_but_does_not_pick() -> None:
    def assign(x: Any) -> Any:
        y = x + 0
        y[x > 0] = 0
        y[y[:, 0] < -1] = [1, 2, 3] if isinstance(x, np.ndarray) else rnp.asarray([1, 2, 3])
        return y

    agree_symbolic(assign, assign, ("n", 3))
    x = rax.input("x", (3,))
    with pytest.raises(rax.UnboundInputError) as caught:
        _ = x[x > 0]
    assert caught.value.what == (
        "a boolean index needs the value of a tensor bool[3], which depends on the input 'x': float32[3]"
    )
    assert caught.value.fix == (
        "use rax.numpy.where(mask, x, other) and keep the shape, index with rax.numpy.nonzero(mask, size=…), "
        "or compute the mask outside the traced function"
    )


def test_a_known_mask_takes_an_item_for_each_element() -> None:
    x, mask = numbered((2, 3)), np.array([[True, False, True], [False, True, False]])
    due, got = x.copy(), rnp.asarray(x)
    due[mask] = [7, 8, 9]
    got[mask] = np.array([7, 8, 9])
    same(got, due)


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_a_mask_without_axes_takes_what_it_picks(chosen: bool, shape: tuple[int, ...]) -> None:
    x, mask = numbered(shape), np.array(chosen)
    for item in (x[mask] * 10, np.full((1, *shape), 7, x.dtype), np.array(7, x.dtype)):
        due, got = x.copy(), rnp.asarray(x)
        due[mask] = item
        got[rnp.asarray(mask)] = item
        same(got, due)


# What is assigned.


def test_an_item_is_cast_within_its_kind_and_below() -> None:
    x = rnp.zeros(3)
    x[0] = 1
    x[1] = np.float64(2.5)
    x[2] = rnp.asarray(7)
    same(x, np.array([1, 2.5, 7], np.float32))
    whole = rnp.zeros(2, dtype="int8")
    with pytest.raises(rax.TypeInferenceError) as caught:
        whole[0] = 1.5
    assert str(caught.value) == (
        "float32 cannot be assigned into int8\n  fix: cast the item, or the tensor, with astype"
    )
    unsigned = rnp.zeros(2, dtype="uint8")
    unsigned[0] = np.int64(3)
    assert unsigned.tolist() == [3, 0]
    with pytest.raises(rax.TypeInferenceError, match="float32 cannot be assigned into uint8"):
        unsigned[0] = 1.5


def test_an_item_may_have_leading_axes_of_size_one() -> None:
    x = rnp.zeros((2, 3))
    x[0] = np.ones((1, 1, 3), np.float32)
    same(x, np.array([[1, 1, 1], [0, 0, 0]], np.float32))
    with pytest.raises(rax.TypeInferenceError, match="do not broadcast: 2 against 3"):
        x[0] = np.ones(2, np.float32)


def test_assignment_rebinds_the_handle_alone() -> None:
    x = rax.input("x", (3,))
    before = x * 1
    old = x.value
    x[0] = 5.0
    assert x.value != old
    same(
        rax.evaluate([x, before], {"x": [1, 2, 3]}), [np.array([5, 2, 3], np.float32), np.array([1, 2, 3], np.float32)]
    )


# What is no index.


@pytest.mark.parametrize(
    ("key", "error", "text"),
    [
        (5, rax.OutOfRangeError, "index 5 is out of range for axis 0 of float32[2, 3]"),
        ((0, -4), IndexError, "index -4 is out of range for axis 1 of float32[2, 3]"),
        ((0, 0, 0), IndexError, "3 indices are too many for float32[2, 3]"),
        ((..., 0, ...), IndexError, "an index can only have one '...'"),
        (slice(None, None, 0), TypeError, "a slice's step must not be 0"),
        (slice(None, None, 1.5), TypeError, "a slice takes integers, not 1.5"),
        (slice("a", None), TypeError, "a slice takes integers, not 'a'"),
        (np.ones(2), TypeError, "float64[2] cannot be an index"),
        (np.ones((2, 2), bool), IndexError, "a mask of shape [2, 2] does not fit float32[2, 3] from axis 0 on"),
        ((0, [True, False]), IndexError, "a mask of shape [2] does not fit float32[2, 3] from axis 1 on"),
        ((0, np.array(True)), TypeError, "a mask with no axes must be the only index"),
    ],
)
def test_a_bad_index_says_why(key: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        _ = rnp.zeros((2, 3))[key]
    assert isinstance(caught.value, rax.RaxError)
    assert caught.value.what == text


def test_an_integer_array_out_of_range_fails_when_it_runs() -> None:
    x = rnp.zeros(3)[np.array([5])]
    with pytest.raises(rax.ExecutionError, match="gather failed: index 5 is out of bounds"):
        x.numpy()


def test_symbolic_positions_are_taken_as_they_are() -> None:
    n = dims.dim("n")
    graph = rax.trace(lambda x: x[n - 2], rax.spec(("n",)))
    same(graph(numbered((5,))), np.float32(3))
