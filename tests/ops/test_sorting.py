"""Sorting against Python's stable sort, searching against bisection."""

from __future__ import annotations

import bisect
import math

import numpy as np
import pytest

from rax.ir.op import Op
from rax.ir.types import tensor_type
from rax.ops.sorting import ArgSort, SearchSorted, Sort
from tests.ops.symbolic import check_symbolic


def key(number: float) -> tuple[bool, float]:
    return (math.isnan(number), 0.0 if math.isnan(number) else number)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint64"])
def test_sorting_is_pythons_stable_sort(dtype: str, descending: bool) -> None:
    rng = np.random.default_rng(7)
    x = rng.integers(0, 4, (20, 3)).astype(dtype)
    if x.dtype.kind == "f":
        x[rng.random(x.shape) < 0.2] = np.nan
    for column, order in zip(x.T, ArgSort(0, descending).reference(x).T, strict=True):
        expected = sorted(range(20), key=lambda i, c=column: key(c[i]), reverse=descending)
        assert order.tolist() == expected
        np.testing.assert_array_equal(Sort(0, descending).reference(column), column[expected])


def test_equal_elements_keep_their_order() -> None:
    x = np.array([1, 0, 1, 0, 1])
    assert ArgSort(0).reference(x).tolist() == [1, 3, 0, 2, 4]
    assert ArgSort(0, descending=True).reference(x).tolist() == [0, 2, 4, 1, 3]


def test_searchsorted_is_bisection() -> None:
    ordered = np.array([[1.0, 2.0, 2.0, 5.0], [0.0, 0.0, 3.0, 4.0]])
    values = np.array([[[0.0, 2.0]], [[3.0, 9.0]]])
    for right, search in ((False, bisect.bisect_left), (True, bisect.bisect_right)):
        expected = [[[search(row.tolist(), v) for v in block[0]]] for row, block in zip(ordered, values, strict=True)]
        assert SearchSorted(right).reference(ordered, values).tolist() == expected


@pytest.mark.parametrize("op", [Sort(0), Sort(1, descending=True), ArgSort(0, descending=True)], ids=str)
def test_named_dims_change_nothing(op: Op) -> None:
    check_symbolic(op, tensor_type(("n", "m"), "float64"), sizes=({"n": 4, "m": 2}, {"n": 0, "m": 3}, {"n": 1, "m": 0}))
