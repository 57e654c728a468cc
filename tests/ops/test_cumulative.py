"""Running sums, products and recurrences against loops."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rax.ir.op import Op
from rax.ir.types import tensor_type
from rax.ops.cumulative import CumulativeProd, CumulativeSum, LinearRecurrence, product_of_others
from tests.ops.symbolic import apply, check_symbolic

SIZES = ({"n": 4}, {"n": 1}, {"n": 0})


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("cls", "function"), [(CumulativeSum, operator.add), (CumulativeProd, operator.mul)])
def test_running_operations_equal_pythons(
    cls: type[CumulativeSum | CumulativeProd], function: Callable[..., Any], reverse: bool
) -> None:
    x = np.random.default_rng(15).integers(-3, 4, (3, 5))
    rows = []
    for row in x.tolist():
        ordered = row[::-1] if reverse else row
        running = list(itertools.accumulate(ordered, function))
        rows.append(running[::-1] if reverse else running)
    actual = cls(1, reverse).reference(x.astype(np.int16))
    assert actual.dtype == np.int16
    assert actual.tolist() == rows
    assert cls(0, reverse).reference(np.ascontiguousarray(x.T)).T.tolist() == rows


@pytest.mark.parametrize("reverse", [False, True])
def test_a_recurrence_equals_a_loop(reverse: bool) -> None:
    a, b = np.random.default_rng(16).normal(size=(2, 6))
    state, expected = 0.0, []
    for coefficient, source in list(zip(a, b, strict=True))[:: -1 if reverse else 1]:
        state = coefficient * state + source
        expected.append(state)
    actual = LinearRecurrence(0, reverse).reference(a, b)
    np.testing.assert_allclose(actual[:: -1 if reverse else 1], expected)


def test_half_types_are_summed_in_float32() -> None:
    assert CumulativeSum(0).reference(np.ones(3000, np.float16))[-1] == 3000


def test_the_product_of_the_others_needs_no_division() -> None:
    x = np.array([0.0, 2.0, 3.0, 0.5])
    np.testing.assert_array_equal(apply(lambda a: product_of_others(a, 0), x), [3.0, 0, 0, 0])


@pytest.mark.parametrize("op", [CumulativeSum(0), CumulativeProd(0), CumulativeProd(0, reverse=True)], ids=str)
def test_named_dims_change_nothing(op: Op) -> None:
    check_symbolic(op, tensor_type(("n", 2), "float64"), sizes=SIZES)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_recurrence_takes_named_dims(reverse: bool) -> None:
    matrix = tensor_type((2, "n"), "float64")
    check_symbolic(LinearRecurrence(1, reverse), matrix, matrix, sizes=SIZES)
