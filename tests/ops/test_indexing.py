"""Gather and scatter against loops, and sizes known only when a graph runs."""

from __future__ import annotations

import numpy as np
import pytest

from rax.ir.errors import ExecutionError
from rax.ir.node import Value
from rax.ir.types import float32, int64, tensor_type
from rax.ops.arrays import Array
from rax.ops.creation import DimSize, Iota, dim_size, iota
from rax.ops.elementwise import multiply
from rax.ops.indexing import Gather, Scatter, take_along_axis
from tests.ops.symbolic import apply, check_symbolic

Ints = tuple[int, ...]


def gather_by_loop(x: Array, indices: list[Array], batch_dims: int) -> Array:
    shape = indices[0].shape
    result = np.empty((*shape, *x.shape[batch_dims + len(indices) :]), x.dtype)
    for place in np.ndindex(*shape):
        result[place] = x[(*place[:batch_dims], *[int(index[place]) for index in indices])]
    return result


def scatter_by_loop(x: Array, indices: list[Array], updates: Array, batch_dims: int, reduction: str) -> Array:
    result = x.copy()
    for place in np.ndindex(*indices[0].shape):
        target = (*place[:batch_dims], *[int(index[place]) for index in indices])
        result[target] = updates[place] if reduction == "set" else result[target] + updates[place]
    return result


CASES = [((5,), 1, (2, 3), 0), ((4, 3, 2), 2, (6,), 0), ((2, 4, 3), 1, (2, 5), 1), ((2, 3, 4, 2), 2, (2, 5, 1), 1),
         ((2, 3, 4), 1, (2, 3), 2), ((3, 2), 1, (), 0), ((0, 3), 1, (0, 2), 1)]  # fmt: skip


def draw(shape: Ints, count: int, index_shape: Ints, batch_dims: int) -> tuple[Array, list[Array], Array]:
    rng = np.random.default_rng(4)
    sizes = shape[batch_dims : batch_dims + count]
    indices = [rng.integers(-size, size, index_shape) for size in sizes]
    updates = rng.normal(size=(*index_shape, *shape[batch_dims + count :]))
    return rng.normal(size=shape), indices, updates


@pytest.mark.parametrize(("shape", "count", "index_shape", "batch_dims"), CASES)
def test_gather_equals_a_loop(shape: Ints, count: int, index_shape: Ints, batch_dims: int) -> None:
    x, indices, _ = draw(shape, count, index_shape, batch_dims)
    expected = gather_by_loop(x, indices, batch_dims)
    np.testing.assert_array_equal(Gather(batch_dims).reference(x, *indices), expected)


@pytest.mark.parametrize("reduction", ["add", "set"])
@pytest.mark.parametrize(("shape", "count", "index_shape", "batch_dims"), CASES)
def test_scatter_equals_a_loop(shape: Ints, count: int, index_shape: Ints, batch_dims: int, reduction: str) -> None:
    x, indices, updates = draw(shape, count, index_shape, batch_dims)
    expected = scatter_by_loop(x, indices, updates, batch_dims, reduction)
    actual = Scatter(batch_dims, reduction).reference(x, *indices, updates)
    np.testing.assert_allclose(actual, expected, rtol=1e-13)


@pytest.mark.parametrize("reduction", ["add", "set"])
def test_unique_indices_give_the_same(reduction: str) -> None:
    x, index, updates = np.arange(5.0), np.array([3, 0, -1]), np.array([7.0, 8.0, 9.0])
    fast, safe = (Scatter(0, reduction, unique).reference(x, index, updates) for unique in (True, False))
    np.testing.assert_array_equal(fast, safe)


def test_the_last_of_many_writes_lasts() -> None:
    index = np.random.default_rng(5).integers(0, 50, 100_000)
    result = Scatter(0, "set").reference(np.zeros(50), index, np.arange(100_000.0))
    expected = [np.flatnonzero(index == position)[-1] for position in range(50)]
    np.testing.assert_array_equal(result, expected)


def test_many_small_additions_keep_their_sum_in_half_precision() -> None:
    updates = np.full(4096, 0.25, np.float16)
    result = Scatter().reference(np.zeros(1, np.float16), np.zeros(4096, np.int64), updates)
    assert result.tolist() == [1024.0]


@pytest.mark.parametrize("index", [5, -6])
def test_an_index_out_of_range_fails(index: int) -> None:
    x, where = np.zeros(5), np.array([index])
    for op, *updates in ((Gather(),), (Scatter(), x[:1]), (Scatter(0, "set"), x[:1])):
        with pytest.raises(ExecutionError, match="out of bounds for axis 0 with size 5"):
            apply(op, x, where, *updates)


def test_take_along_axis_is_numpys() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(2, 4, 3))
    for axis in range(3):
        shape = [5 if other == axis else size for other, size in enumerate(x.shape)]
        indices = rng.integers(-x.shape[axis], x.shape[axis], shape)
        actual = apply(lambda a, i, axis=axis: take_along_axis(a, i, axis), x, indices)
        np.testing.assert_array_equal(actual, np.take_along_axis(x, indices, axis))


@pytest.mark.parametrize("reduction", ["add", "set"])
def test_scatter_takes_named_dims(reduction: str) -> None:
    x, updates = tensor_type(("n", 3, "d"), "float64"), tensor_type(("n", "m", "d"), "float64")
    sizes = ({"n": 2, "m": 4, "d": 2}, {"n": 0, "m": 1, "d": 2}, {"n": 2, "m": 0, "d": 1})
    check_symbolic(Scatter(1, reduction), x, tensor_type(("n", "m"), "int8"), updates, sizes=sizes, below=3)


def test_gather_takes_named_dims() -> None:
    sizes = ({"n": 4, "m": 3}, {"n": 3, "m": 0})
    types = tensor_type(("n", 2), "float64"), tensor_type(("m",), "uint8")
    check_symbolic(Gather(), *types, sizes=sizes, below=3)


def test_iota_and_sizes_follow_named_dims() -> None:
    def build(x: Value) -> Value:
        size = 2 * x.shape[0] + 1
        return multiply(iota(size, int64), dim_size(size))

    check_symbolic(build, tensor_type(("n",)), sizes=({"n": 3}, {"n": 0}))
    assert Iota(3, float32).reference().tolist() == [0, 1, 2]
    assert DimSize(7).reference() == 7
