"""Nodes: interned, immutable, freed without recursion; literals keyed by exact bytes."""

from __future__ import annotations

import copy
import gc
import pickle
import struct
import weakref

import pytest

from rax.ir import node
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Constant, Literal, Node, apply, constant, new_input
from rax.ir.types import TensorType, bool_, float32, int8, tensor_type
from tests.ir.simple import SCALAR, VECTOR, Simple, chain, step


def literal(type: TensorType, raw: bytes) -> Literal:
    return Literal(type, None, memoryview(raw))


def test_equal_computations_are_one_node() -> None:
    x, y = new_input("x", VECTOR), new_input("y", VECTOR)
    assert step("f", x, y).node is step("f", x, y).node
    assert step("f", x, y) == step("f", x, y)
    assert hash(step("f", x, y)) == hash(step("f", x, y))
    assert step("f", x, y) != step("f", y, x)
    assert step("f", x) != step("g", x)
    assert step("f", x) != step("f", x, x)
    assert step("f", x, type=VECTOR) != step("f", x, type=SCALAR)
    assert len({step("f", step("g", x)), step("f", step("g", x))}) == 1


def test_results_of_one_node_differ() -> None:
    pair = apply(Simple("pair", VECTOR, VECTOR), (new_input("x", VECTOR),))
    first, second = pair.outputs
    assert first != second
    assert (first.node, first.index, second.index) == (pair, 0, 1)
    assert step("f", first) != step("f", second)
    assert first is pair
    assert second == pair.output(1) != pair


def test_every_input_is_a_node_of_its_own() -> None:
    x = new_input("x", VECTOR)
    assert x != new_input("x", VECTOR)
    assert x.type == VECTOR
    assert (x.dtype, x.shape, x.ndim) == (float32, (3,), 1)


def test_a_node_is_copied_as_itself_and_not_pickled() -> None:
    value = step("f", new_input("x", VECTOR))
    assert copy.deepcopy([value]) == [value]
    with pytest.raises(RaxError) as caught:
        pickle.dumps(value)
    assert str(caught.value) == "graphs are not pickled\n  fix: use rax.save and rax.load, which keep nodes shared"


def test_what_nobody_uses_is_forgotten() -> None:
    gc.collect()
    x = new_input("x", VECTOR)
    before = len(node._table)
    value = step("kept", step("below", x))
    assert len(node._table) == before + 2
    del value
    gc.collect()
    assert len(node._table) == before
    assert step("kept", step("below", x)).node.op.name == "kept"


def test_an_id_used_again_finds_no_stale_node() -> None:
    """Keys hold the ids of operands; a node that dies must take its users' entries along."""
    for round in range(2000):
        x = new_input(f"x{round}", VECTOR)
        value = step("f", x)
        assert value.node.inputs[0].node is x.node


def test_a_long_chain_is_freed_without_recursion() -> None:
    operation = Simple("next", VECTOR)
    last = new_input("x", VECTOR)
    for _ in range(200_000):
        last = Node(operation, (last,), (VECTOR,))
    bottom = weakref.ref(last.node)
    del last
    gc.collect()
    assert bottom() is None


def test_a_long_chain_leaves_the_table_of_nodes() -> None:
    gc.collect()
    before = len(node._table)
    first, last = chain(50_000)
    assert len(node._table) == before + 50_000
    del first, last
    gc.collect()
    assert len(node._table) == before


def test_nodes_and_values_show_their_types() -> None:
    x = new_input("x", VECTOR)
    value = step("f", x)
    assert repr(value) == "<f(float32[3]) -> float32[3]>"
    assert repr(x) == "<input[x]() -> float32[3]>"


def test_a_type_rule_that_refuses_leaves_no_node() -> None:
    class Refusing(Simple):
        def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
            raise TypeInferenceError("not these")

    before = len(node._table)
    with pytest.raises(TypeInferenceError, match="not these"):
        apply(Refusing("no"), ())
    assert len(node._table) == before


ZERO, MINUS_ZERO = struct.pack("<f", 0.0), struct.pack("<f", -0.0)
QUIET, PAYLOAD = struct.pack("<I", 0x7FC00000), struct.pack("<I", 0x7FC00001)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((SCALAR, ZERO), (SCALAR, MINUS_ZERO)),
        ((SCALAR, QUIET), (SCALAR, PAYLOAD)),
        ((TensorType(bool_, ()), b"\1"), (TensorType(int8, ()), b"\1")),
        ((TensorType(int8, (2, 3)), bytes(6)), (TensorType(int8, (3, 2)), bytes(6))),
        ((tensor_type(1000), bytes(4000)), (tensor_type(1000), bytes(3999) + b"\1")),
    ],
)
def test_constants_are_told_apart_by_type_and_bytes(
    first: tuple[TensorType, bytes], second: tuple[TensorType, bytes]
) -> None:
    assert constant(literal(*first)) == constant(literal(*first))
    assert constant(literal(*first)) != constant(literal(*second))


def test_a_constant_has_the_type_of_its_data() -> None:
    value = constant(literal(tensor_type(2), bytes(8)))
    assert isinstance(value.node.op, Constant)
    assert value.type == tensor_type(2)
    assert repr(value.node.op) == "constant[float32[2]]"
    assert value.node is value


def test_a_digest_already_known_is_not_computed() -> None:
    known = Literal(tensor_type(1000), None, memoryview(bytes(4000)), b"digest")
    assert known.digest == b"digest"
    assert known.key[-1] == b"digest"
