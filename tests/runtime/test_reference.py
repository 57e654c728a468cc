"""The oracle checks what an operation returns, frees what is dead, and needs no plan."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from rax.ir.errors import BindingError, ExecutionError
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.op import Op
from rax.ir.types import TensorType, tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import Array
from rax.ops.elementwise import multiply, negative
from rax.runtime.reference import evaluate_graph


@dataclass(frozen=True, eq=False, repr=False)
class Liar(Op):
    """Says float32, returns float64."""

    name = "liar"

    def result(self, *operands: TensorType) -> TensorType:
        return operands[0]

    def reference(self, *arrays: Array) -> Array:
        return arrays[0].astype(np.float64)


def test_a_reference_that_breaks_its_type_rule_is_caught() -> None:
    x = new_input("x", tensor_type("n"))
    with pytest.raises(ExecutionError) as error:
        evaluate_graph(Graph([x], [Liar()(x)]), [np.zeros(2, np.float32)])
    assert error.value.what == "liar failed: it returned float64[2] where its type rule says float32[2]"
    assert error.value.where == "liar(float32[2])"
    assert error.value.source.startswith("test_reference.py:")


def test_dims_come_from_the_arrays_or_are_given() -> None:
    x, y = new_input("x", tensor_type("n")), new_input("y", tensor_type("n"))
    graph = Graph([x, y], [add(x, y)])
    ones = np.ones(3, np.float32)
    assert evaluate_graph(graph, [ones, ones], {"n": 3})[0].tolist() == [2, 2, 2]
    with pytest.raises(BindingError, match="n is 3 from x but 2 in y"):
        evaluate_graph(graph, [ones, ones[:2]])


def test_dead_values_are_freed() -> None:
    x = new_input("x", tensor_type((1 << 16,)))
    value = x
    for _ in range(50):
        value = negative(multiply(value, x))
    numbers = np.ones(1 << 16, np.float32)
    tracemalloc.start()
    evaluate_graph(Graph([x], [value]), [numbers])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * numbers.nbytes
