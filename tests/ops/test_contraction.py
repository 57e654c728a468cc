"""The matrix product against three loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rax.ir.types import tensor_type
from rax.ops.arrays import Array
from rax.ops.contraction import matmul
from tests.ops.symbolic import check_symbolic


def by_loop(x: Array, y: Array) -> Array:
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = np.broadcast_to(x, (*batch, *x.shape[-2:])), np.broadcast_to(y, (*batch, *y.shape[-2:]))
    result = np.zeros((*batch, x.shape[-2], y.shape[-1]), x.dtype)
    for place in np.ndindex(*result.shape):
        *lead, row, column = place
        for inner in range(x.shape[-1]):
            result[place] += x[(*lead, row, inner)] * y[(*lead, inner, column)]
    return result


SHAPES = [((2, 3), (3, 4)), ((2, 2, 3), (3, 1)), ((3, 2), (4, 2, 2)), ((2, 1, 2, 3), (4, 3, 2)), ((2, 0), (0, 2))]


@pytest.mark.parametrize("dtype", ["int8", "uint32", "float64", "complex128"])
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_matmul_equals_a_loop(left: tuple[int, ...], right: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(8)
    x, y = (rng.integers(0, 5, shape).astype(dtype) for shape in (left, right))
    if dtype == "complex128":
        x = x * (1 + 2j)
    actual = matmul.reference(x, y)
    assert actual.dtype == x.dtype
    np.testing.assert_array_equal(actual, by_loop(x, y))


def test_half_types_are_summed_in_float32() -> None:
    x = np.ones((1, 5000), np.float16)
    assert matmul.reference(x, x.T.copy()).item() == 5000


@pytest.mark.parametrize(
    ("left", "right"),
    [(("n", 3), (3, 2)), (("n", "t", 3), (3, "k")), ((2, "t"), ("n", "t", 3)), (("n", "t", 2), ("n", 2, "t"))],
)
def test_named_dims_change_nothing(left: tuple[Any, ...], right: tuple[Any, ...]) -> None:
    sizes = ({"n": 2, "t": 3, "k": 4}, {"n": 0, "t": 1, "k": 2}, {"n": 1, "t": 0, "k": 0})
    check_symbolic(matmul, tensor_type(left, "float64"), tensor_type(right, "float64"), sizes=sizes)
