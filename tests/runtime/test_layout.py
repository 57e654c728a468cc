"""What a plan knows about steps in memory is what NumPy makes of the same operations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rax.ir import dims
from rax.ir.dims import Shape
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.op import Op
from rax.ir.types import float32, tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import Array, scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.shape import Flip, PermuteDims, Reshape, Slice, permute_dims, reshape
from rax.ops.trigonometric import tanh
from rax.runtime.layout import dense_strides, is_dense, is_ordered, reshaped, viewed
from rax.runtime.planning import make_plan


def random_reshape(rng: np.random.Generator, size: int) -> Shape:
    """A shape with this many elements."""
    shape: list[int] = []
    while size > 1:
        part = int(rng.choice([n for n in range(1, size + 1) if size % n == 0]))
        shape.append(part)
        size //= part
    return tuple(rng.permutation([*shape, *[1] * int(rng.integers(2))]).astype(int).tolist())


def random_view(rng: np.random.Generator, shape: tuple[int, ...]) -> Op:
    """An operation that moves no element, or a reshape."""
    match int(rng.integers(5)):
        case 0:
            return PermuteDims(tuple(rng.permutation(len(shape)).tolist()))
        case 1:
            starts = tuple(int(rng.integers(size)) for size in shape)
            stops = tuple(int(rng.integers(start + 1, size + 1)) for start, size in zip(starts, shape, strict=True))
            return Slice(starts, stops, tuple(rng.integers(1, 3, len(shape)).tolist()))
        case 2:
            return Flip(tuple(axis for axis in range(len(shape)) if rng.integers(3) == 0))
        case 3:
            return BroadcastTo((2, *shape) if len(shape) < 4 else tuple(3 if size == 1 else size for size in shape))
        case _:
            return Reshape(random_reshape(rng, math.prod(shape)))


@pytest.mark.parametrize("seed", range(300))
def test_steps_are_those_numpy_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array: Array = np.zeros(rng.integers(1, 5, rng.integers(1, 4)), np.float32)
    strides = dense_strides(array.shape)
    for _ in range(5):
        if not array.ndim:
            return
        op = random_view(rng, array.shape)
        result = op.reference(array)
        found = viewed(op, array.shape, strides, result.shape)
        if not np.may_share_memory(result, array):
            assert found is None
            return
        assert found is not None
        steps = [step for step, size in zip(found, result.shape, strict=True) if size != 1]
        assert steps == [step // 4 for step, size in zip(result.strides, result.shape, strict=True) if size != 1]
        array, strides = result, found
        assert is_dense(strides, array.shape) == array.flags.c_contiguous
        if is_ordered(strides, array.shape):
            assert np.tanh(array).flags.c_contiguous
            assert np.add(array, np.zeros(array.shape, np.float32)).flags.c_contiguous


def test_symbolic_axes_join_where_they_follow_on_each_other() -> None:
    n, m = dims.dim("n"), dims.dim("m")
    assert reshaped((n, 3, m), (3 * m, m, 1), (3 * n, m)) == (m, 1)
    assert reshaped((n, m), (1, n), (n * m,)) is None
    assert reshaped((n, m, 4), (4, 4 * n, 1), (n, m, 2, 2)) == (4, 4 * n, 2, 1)
    assert reshaped((n, m), (m, 1), (m, n)) is None  # nobody knows which is the larger


def test_only_a_reshape_that_moves_elements_takes_memory() -> None:
    x = new_input("x", tensor_type(("batch", 4, 6)))
    made = tanh(x)
    batch = x.shape[0]
    turned = reshape(permute_dims(made, (2, 0, 1)), (6, batch * 4))
    moved = reshape(permute_dims(made, (0, 2, 1)), (batch, 24))
    plan = make_plan(Graph([x], [turned, moved, reshape(add(made, scalar(1, float32)), (batch, 24))]))
    assert [step.view for step in plan.steps if step.op.name == "reshape"] == [True, False, True]
