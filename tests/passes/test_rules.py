"""Every rule rewrites its examples as it says, and the values stay equal bit for bit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from rax.ir.errors import ExecutionError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Value, new_input
from rax.ir.types import TensorType, as_dtype, bool_, complex64, float32, float64, int32, int64, tensor_type
from rax.ir.verify import verify
from rax.ops.algebra import add
from rax.ops.arrays import Array, constant, scalar
from rax.ops.broadcasting import BroadcastTo, Sum
from rax.ops.calls import Checkpoint
from rax.ops.control import Cond
from rax.ops.creation import DimSize, Iota
from rax.ops.elementwise import divide, multiply, negative, subtract
from rax.ops.indexing import Gather
from rax.ops.reduction import Mean
from rax.ops.selection import Cast, where
from rax.ops.shape import Reshape, Slice
from rax.passes.optimise import optimise
from rax.passes.rule import Elsewhere, Example, Fuel, Rewrite, Rule
from rax.passes.whole import REASSOCIATE, SIMPLIFY
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import EPS, assert_close

RULES = SIMPLIFY.all_rules()
CASES = [
    pytest.param(rule, example, dtype, id=f"{rule.name}-{index}-{dtype}")
    for rule in RULES
    for index, example in enumerate(rule.examples)
    for dtype in example.operands.dtypes or ("float32", "bfloat16", "int8", "complex64")
]
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-30)


def special(array: Array, shift: int) -> Array:
    """The array with its numbers replaced by special ones; in integers, by the least and the largest."""
    if array.dtype.kind == "b":
        return array
    if array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        numbers: Sequence[complex] = (0, 1, info.min, info.max)
    elif array.dtype.kind == "c":
        numbers = [complex(*pair) for pair in itertools.product(SPECIAL, SPECIAL)]
    else:
        numbers = SPECIAL
    cycle = itertools.islice(itertools.cycle(numbers), shift, None)
    with np.errstate(all="ignore"):  # 1e-30 is 0 in half precision
        return np.array([next(cycle) for _ in range(array.size)]).astype(array.dtype).reshape(array.shape)


def bits(array: Array) -> bytes:
    """The bytes of an array, with one NaN for all: which of them an operation gives is not defined."""
    parts = np.stack([np.real(array), np.imag(array)]) if array.dtype.kind == "c" else array
    if array.dtype.kind not in "biu":
        parts = np.where(np.isnan(parts), np.full((), np.nan).astype(parts.dtype), parts)
    return parts.tobytes()


@pytest.mark.parametrize(("rule", "example", "dtype"), CASES)
def test_a_rule_does_what_its_examples_say(rule: Rule, example: Example, dtype: str) -> None:
    before, after = example.graphs(as_dtype(dtype))
    fuel = Fuel()
    found = Rewrite("alone", (rule,)).run(before, fuel)
    verify(found)
    assert fuel.used >= 1
    assert found == after
    drawn = example.operands.arrays(as_dtype(dtype))
    edges = [[special(array, shift + place) for place, array in enumerate(drawn)] for shift in range(0, 64, 3)]
    for arrays in (drawn, *edges):
        for old, new in zip(evaluate_graph(before, arrays), evaluate_graph(found, arrays), strict=True):
            assert (old.dtype, old.shape) == (new.dtype, new.shape)
            assert bits(old) == bits(new)


def test_every_rule_has_an_example() -> None:
    assert [rule.name for rule in RULES if not rule.examples] == []
    assert len({rule.name for rule in RULES}) == len(RULES)


def graph_of(value: Value, *inputs: Value) -> Graph:
    return Graph(inputs, (value,))


X = new_input("x", tensor_type((3,)))
Z = new_input("z", TensorType(complex64, (3,)))
N = new_input("n", tensor_type(("n",)))

INEXACT = {
    "x + 0.0 turns -0.0 into 0.0": add(X, scalar(0.0, float32)),
    "x - -0.0 does too": subtract(X, scalar(-0.0, float32)),
    "0.0 - x is no negative": subtract(scalar(0.0, float32), X),
    "1 / x": divide(scalar(1.0, float32), X),
    "x * 0 may be NaN": multiply(X, scalar(0.0, float32)),
    "a sum over no axes turns -0.0 into 0.0": Sum(())(X),
    "a complex product adds zeros": multiply(Z, scalar(1, complex64)),
    "so does a quotient": divide(Z, scalar(1, complex64)),
}


@pytest.mark.parametrize("why", INEXACT)
def test_what_is_not_exact_stays(why: str) -> None:
    value = INEXACT[why]
    graph = graph_of(value, Z if value.dtype is complex64 else X)
    assert optimise(graph) is graph


def test_a_broadcast_that_gives_the_result_its_shape_comes_last() -> None:
    due = graph_of(BroadcastTo((2, 3))(add(X, scalar(2, float32))), X)
    assert optimise(graph_of(add(BroadcastTo((2, 3))(X), scalar(2, float32)), X)) == due
    both = graph_of(add(BroadcastTo((2, 3))(X), BroadcastTo((2, 3))(scalar(2, float32))), X)
    assert optimise(both) == due


def test_equal_operations_but_for_the_order_of_operands_are_one() -> None:
    y = new_input("y", X.type)
    graph = Graph((X, y), (multiply(X, y), negative(multiply(y, X)), add(multiply(y, X), X)))
    found = optimise(graph)
    assert found == Graph((X, y), (multiply(X, y), negative(multiply(X, y)), add(multiply(X, y), X)))
    other = new_input("other", Z.type)
    products = Graph((Z, other), (multiply(Z, other), multiply(other, Z)))
    assert optimise(products) is products  # of complex numbers: a sum that a processor may round once or twice


def test_what_is_spread_over_an_axis_of_its_own_each_is_computed_whole() -> None:
    column, row = new_input("column", tensor_type((2, 1))), new_input("row", tensor_type((3,)))
    spread = add(BroadcastTo((2, 3))(column), BroadcastTo((2, 3))(row))
    assert optimise(Graph((column, row), (spread,))) == Graph((column, row), (add(column, row),))


def test_sizes_may_be_symbolic() -> None:
    (n,) = N.shape
    whole = Reshape((n, 1))(Reshape((1, n))(Slice((0,), (n,), (1,))(N)))
    found = optimise(graph_of(multiply(BroadcastTo((n, 1))(scalar(1, float32)), whole), N))
    assert found == graph_of(Reshape((n, 1))(N), N)


def test_a_part_of_a_part_stays_where_an_error_would_be_lost() -> None:
    """Of a tensor of 3 elements the first slice fails; the two joined would not."""
    unsafe = graph_of(Slice((0,), (2,), (1,))(Slice((0,), (5,), (1,))(N)), N)
    assert optimise(unsafe) is unsafe
    longer = new_input("longer", tensor_type((N.shape[0] + 2,)))
    rest = Slice((1,), longer.shape, (1,))(longer)
    safe = graph_of(Slice((1,), rest.shape, (1,))(rest), longer)
    assert optimise(safe) == graph_of(Slice((2,), longer.shape, (1,))(longer), longer)


def test_a_condition_may_be_a_constant_for_every_element() -> None:
    test = BroadcastTo((3,))(scalar(1, bool_))
    assert optimise(graph_of(where(test, X, scalar(0, float32)), X)).outputs == (X,)


@pytest.mark.parametrize(("index", "factor"), [(-5, 2), (0, 2), (1, 3), (9, 3)])
def test_a_constant_index_is_clamped(index: int, factor: int) -> None:
    branches = tuple(graph_of(multiply(X, scalar(number, float32)), X) for number in (2, 3))
    found = optimise(graph_of(Cond(branches)(scalar(index, int32), X), X))
    assert found == graph_of(multiply(X, scalar(factor, float32)), X)


def folds(value: Value) -> bool:
    (found,) = optimise(graph_of(value)).outputs
    if not isinstance(found.node.op, Constant):
        return False
    assert bits(found.node.op.literal.array) == bits(evaluate_graph(graph_of(value), [])[0])
    return True


def test_numbers_and_what_takes_no_more_room_fold() -> None:
    data = constant(np.arange(100, dtype=np.float32))
    assert folds(DimSize(4)())
    assert folds(Cast(float64)(scalar(1, float32)))
    assert folds(divide(scalar(1, float32), scalar(0, float32)))
    assert folds(Reshape((10, 10))(data))
    assert folds(Sum((0,))(constant(np.ones(50_000, np.float32))))


def test_what_takes_more_room_does_not_fold() -> None:
    data = constant(np.arange(100, dtype=np.float32))
    assert not folds(BroadcastTo((10, 100))(data))
    assert not folds(BroadcastTo((3,))(scalar(1, bool_)))
    assert not folds(Iota(100, int64)())
    assert not folds(Cast(float64)(data))
    assert not folds(negative(constant(np.ones(50_000, np.float32))))
    assert not folds(BroadcastTo(N.shape)(scalar(1, float32)))


def test_composites_and_loops_do_not_fold() -> None:
    data = constant(np.arange(4, dtype=np.float32))
    assert not folds(Mean((0,))(data))
    assert not folds(Checkpoint(graph_of(negative(X), X))(constant(np.ones(3, np.float32))))


def test_an_operation_that_fails_is_left_to_fail_where_it_runs() -> None:
    wrong = Gather()(constant(np.ones(2, np.float32)), constant(np.array([7])))
    graph = graph_of(wrong)
    assert optimise(graph) is graph
    with pytest.raises(ExecutionError, match="gather failed: index 7 is out of bounds"):
        evaluate_graph(graph, [])


ROUNDED = [
    pytest.param(rule, example, dtype, id=f"{rule.name}-{index}-{dtype}")
    for rule in REASSOCIATE.all_rules()
    for index, example in enumerate(rule.examples)
    for dtype in example.operands.dtypes or ("float32",)
]


@pytest.mark.parametrize(("rule", "example", "dtype"), ROUNDED)
def test_a_rule_that_changes_the_order_of_sums_does_what_its_examples_say(
    rule: Rule, example: Example, dtype: str
) -> None:
    before, after = example.graphs(as_dtype(dtype))
    found = Rewrite("alone", (rule,)).run(before, Fuel())
    verify(found)
    assert found == after
    arrays = example.operands.arrays(as_dtype(dtype))
    for old, new in zip(evaluate_graph(before, arrays), evaluate_graph(found, arrays), strict=True):
        assert_close(new, old, 16 * EPS[dtype], dtype)


def test_rules_that_are_elsewhere_are_looked_for_by_all_they_are_tried_on() -> None:
    found = [each for each in SIMPLIFY.rules if isinstance(each, Elsewhere)]
    assert found
    for each in found:
        matches = [rule.matches for rule in each.rules()]
        classes = [cls for match in matches for cls in (match if isinstance(match, tuple) else (match,))]
        assert {cls.name for cls in classes} == each.operations
