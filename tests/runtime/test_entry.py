"""Entries by name: whose inputs count, state fed back, outputs checked against those due."""

from __future__ import annotations

import numpy as np
import pytest

from rax.ir.errors import BindingError, RaxError
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.program import Example, Program
from rax.ir.types import float32, tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import literal, scalar
from rax.ops.broadcasting import Sum
from rax.ops.elementwise import multiply
from rax.runtime.entry import CHECK_TOLERANCE, Entry, compare

WEIGHTS = literal(np.array([1, 2], np.float32))
ROWS = literal(np.array([[1, 2], [3, 4], [5, 6]], np.float32))
SHIFT = literal(np.zeros(3, np.float32))


def program() -> Program:
    rows, shift, w = (new_input(n, tensor_type(s)) for n, s in (("rows", ("b", 2)), ("shift", "b"), ("params.w", 2)))
    predict = Graph([rows, shift, w], [add(Sum((1,))(multiply(rows, w)), shift)], output_names=["score"])
    state, rate = new_input("params.w", tensor_type(2)), new_input("rate", tensor_type(()))
    step = Graph(
        [state, rate],
        [multiply(state, rate), Sum((0,))(multiply(state, state))],
        output_names=["params.w", "energy"],
    )
    example = Example({"rows": ROWS, "shift": SHIFT}, {"score": literal(np.array([5, 11, 17], np.float32))})
    return Program(
        {"predict": predict, "step": step},
        defaults={"params.w": WEIGHTS, "rate": literal(np.float32(0.5))},
        examples={"predict": example},
        main="predict",
    )


@pytest.mark.parametrize("backend", ["numpy", "reference"])
def test_inputs_are_those_given_else_the_examples_else_defaults(backend: str) -> None:
    entry = Entry(program(), backend=backend)
    assert entry.name == "predict"
    assert entry.run()["score"].tolist() == [5, 11, 17]
    assert entry.run({"params.w": [0, 1]})["score"].tolist() == [2, 4, 6]
    rows = np.ones((1, 2), np.float32)
    assert entry.run({"rows": rows, "shift": [0.5]})["score"].tolist() == [3.5]


def test_an_example_that_does_not_fit_what_is_given_is_named() -> None:
    with pytest.raises(BindingError) as error:
        Entry(program()).run({"rows": np.ones((1, 2), np.float32)})
    assert str(error.value) == (
        "b is 1 from rows but 3 in shift\n  fix: shift comes from the file's example: give a value that fits"
    )
    with pytest.raises(BindingError) as error:
        Entry(program()).run({"rows": np.ones((1, 2), np.float32), "shift": np.zeros(2, np.float32)})
    assert str(error.value) == "b is 1 from rows but 2 in shift\n  fix: give them one size"


def test_state_is_fed_back() -> None:
    entry = Entry(program(), "step")
    assert entry.states == {"params.w": (0, 0)}
    energies = [float(outputs["energy"]) for outputs in entry.steps({}, 4)]
    assert energies == [5, 5 / 4, 5 / 16, 5 / 64]
    assert [float(outputs["energy"]) for outputs in entry.steps({"rate": 1}, 2)] == [5, 5]
    with pytest.raises(RaxError) as error:
        next(Entry(program(), "predict").steps({}, 2))
    assert str(error.value) == (
        "entry 'predict' has no state to feed back\n  fix: an output is state if an input has its name and type"
    )


def test_entries_that_are_not_there_are_refused() -> None:
    with pytest.raises(RaxError) as error:
        Entry(program(), "predicts")
    assert str(error.value) == "there is no entry 'predicts'\n  fix: choose one of predict, step"
    x = new_input("x", tensor_type(()))
    two = Program({"a": Graph([x], [x]), "b": Graph([x], [add(x, scalar(1, float32))])})
    with pytest.raises(RaxError) as error:
        Entry(two)
    assert str(error.value) == "the file names no main entry\n  fix: choose one of a, b"


def test_outputs_are_compared_with_those_due() -> None:
    entry = Entry(program())
    (found,) = entry.check(entry.run())
    assert (found.name, found.difference, found.equal) == ("score", 0, True)
    (off,) = entry.check({"score": np.array([5, 11, 18], np.float32)})
    assert (off.difference, off.equal) == (1, False)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_floating_outputs_may_differ_a_little(dtype: str) -> None:
    due = np.array([1000, 1, -3], dtype)
    assert compare("y", due, due).difference == 0
    allowed = CHECK_TOLERANCE[dtype] * 1000
    near, far = due.copy(), due.copy()
    near[1] += allowed / 2
    far[1] += allowed * 2
    assert [compare("y", near, due).equal, compare("y", far, due).equal] == [True, False]


def test_what_is_not_finite_or_not_floating_must_be_equal() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 1])
    assert compare("y", special, special).equal
    for other in ([0, np.inf, -np.inf, 1], [np.nan, -np.inf, -np.inf, 1], [np.nan, np.inf, -np.inf, np.nan]):
        assert compare("y", np.array(other), special).difference == np.inf
    counts = np.array([1 << 62, 3])
    assert compare("y", counts, counts).equal
    assert not compare("y", counts + 1, counts).equal
    assert not compare("y", np.array([True]), np.array([False])).equal
    assert not compare("y", np.zeros((2, 1)), np.zeros(2)).equal
    assert not compare("y", np.zeros(2, np.float32), np.zeros(2)).equal
