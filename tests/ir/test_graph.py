"""Graphs: order, closedness, digests, inlining and states."""

from __future__ import annotations

import random

import pytest

from rax.ir import dims, trail
from rax.ir.errors import RaxError, UnboundInputError
from rax.ir.graph import Graph, topological
from rax.ir.node import Node, apply, new_input
from rax.ir.tree import LEAF_TREE, Tree
from rax.ir.types import TensorType, tensor_type
from tests.ir.simple import SCALAR, VECTOR, Anything, Simple, chain, step


def in_order(nodes: tuple[Node, ...] | list[Node]) -> bool:
    place = {node: index for index, node in enumerate(nodes)}
    return len(place) == len(nodes) and all(
        place[value.node] < place[node] for node in nodes for value in node.inputs if value.node in place
    )


@pytest.mark.parametrize("seed", range(20))
def test_every_node_comes_once_and_after_its_operands(seed: int) -> None:
    rng = random.Random(seed)
    inputs = [new_input(f"x{index}", VECTOR) for index in range(3)]
    pool = list(inputs)
    for index in range(60):
        made = apply(Simple(f"f{rng.randrange(4)}", VECTOR, VECTOR), rng.choices(pool, k=rng.randrange(1, 4)))
        pool.append(made.output(index % 2))
    outputs = rng.choices(pool, k=3)
    graph = Graph(inputs, outputs)
    assert in_order(graph.nodes)
    assert graph.nodes[:3] == tuple(value.node for value in inputs)
    needed: set[Node] = set()
    waiting = [value.node for value in outputs]
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += [value.node for value in node.inputs]
    assert set(graph.nodes) == needed | {value.node for value in inputs}


def test_nodes_a_search_stops_at_are_left_out() -> None:
    x = new_input("x", VECTOR)
    below, above = step("below", x), step("above", step("middle", step("below", x)), x)
    order = topological([above], lambda node: node is below.node)
    assert [node.op.name for node in order] == ["middle", "input", "above"]
    assert topological([below], lambda node: node is below.node) == []


def test_a_long_chain_is_a_graph() -> None:
    first, last = chain(20_000)
    graph = Graph((first,), (last,))
    assert len(graph.nodes) == 20_001
    assert len(graph.digest) == 64
    assert graph.inline((first,)) == (last,)
    assert Graph((first,), (last,)) == graph


def build(name: str = "x", function: str = "f", type: TensorType = VECTOR) -> Graph:
    x, y = new_input(name, type), new_input("y", VECTOR)
    return Graph((x, y), (step(function, x, y), x))


def test_graphs_of_the_same_structure_are_equal() -> None:
    assert build() == build()
    assert hash(build()) == hash(build())
    assert build().digest == build().digest
    assert build() != build(function="g")
    assert build() != build(type=SCALAR)
    assert build() != "graph"
    renamed = build(name="z")
    assert renamed.digest == build().digest
    assert renamed != build()  # the names of arguments are in the tree


def test_a_digest_sees_which_result_is_used() -> None:
    x = new_input("x", VECTOR)
    first, second = apply(Simple("pair", VECTOR, VECTOR), (x,)).outputs
    assert Graph((x,), (first,)).digest != Graph((x,), (second,)).digest
    assert Graph((x,), (first, second)).digest != Graph((x,), (second, first)).digest


def test_a_digest_does_not_see_where_nodes_came_from() -> None:
    x = new_input("x", VECTOR)
    value = step("f", x)
    with trail.scope("elsewhere"):
        assert Graph((x,), (value,), origins={}).digest == Graph((x,), (value,)).digest


def test_names_and_trees_have_defaults() -> None:
    graph = build()
    assert graph.input_names == ("x", "y")
    assert graph.in_tree == Tree("arguments", ("x", "y"), (LEAF_TREE, LEAF_TREE))
    assert graph.out_tree == Tree("tuple", (), (LEAF_TREE, LEAF_TREE))
    assert graph.output_names == ("0", "1")
    x = new_input("x", VECTOR)
    assert Graph((x,), (x,)).output_names == ("result",)
    assert Graph((x,), (x,)).out_tree == LEAF_TREE


def test_an_output_of_an_inputs_name_and_type_is_state() -> None:
    w, x = new_input("w", VECTOR), new_input("x", SCALAR)
    outputs = (step("loss", w, x, type=SCALAR), step("update", w, x), step("other", w))
    graph = Graph((w, x), outputs, output_names=("x", "w", "free"))
    assert graph.states == {"x": (1, 0), "w": (0, 1)}
    assert Graph((w, x), outputs, output_names=("w", "x", "free")).states == {}


def test_a_graph_is_closed() -> None:
    x, y = new_input("x", VECTOR), new_input("y", VECTOR)
    with pytest.raises(UnboundInputError) as caught:
        Graph((x,), (step("f", x, y),))
    assert caught.value.what == "the result depends on the input 'y': float32[3], which is not given"
    assert caught.value.source.startswith("test_graph.py:")
    assert caught.value.fix == "make 'y' an argument of the function, or give it a value"


def test_what_cannot_be_a_graph() -> None:
    x = new_input("x", VECTOR)
    with pytest.raises(RaxError, match="a graph has the same input twice"):
        Graph((x, x), (x,))
    with pytest.raises(RaxError, match="must be an input node, not <f"):
        Graph((step("f", x),), (x,))
    with pytest.raises(RaxError, match="trees do not fit"):
        Graph((x,), (x,), out_tree=Tree("tuple", (), ()))


def test_inlining_replaces_the_inputs() -> None:
    a, b = new_input("a", VECTOR), new_input("b", VECTOR)
    assert build().inline((a, b)) == (step("f", a, b), a)
    with pytest.raises(ValueError, match="zip"):
        build().inline((a,))


def test_inlining_types_again_only_what_changed() -> None:
    class Same(Simple):
        """The result has the type of the operand."""

        def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
            return operands[:1]

    x = new_input("x", VECTOR)
    graph = Graph((x,), (apply(Same("same"), (x,)),))
    wide = new_input("wide", tensor_type((5,)))
    assert graph.inline((wide,))[0].type == tensor_type((5,))


def test_dims_are_listed_and_replaced() -> None:
    class Same(Simple):
        def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
            return operands[:1]

    x = new_input("x", tensor_type(("batch", "n + 1")))
    graph = Graph((x,), (apply(Same("same"), (x,)),))
    assert graph.dim_names == ("batch", "n")
    fixed = graph.substitute_dims({"n": 3})
    assert fixed.in_types == fixed.out_types == (tensor_type(("batch", 4)),)
    assert fixed.dim_names == ("batch",)
    assert graph.substitute_dims({"other": 3}) is graph


def test_dims_that_stand_in_attributes_alone_are_replaced_too() -> None:
    x = new_input("x", VECTOR)
    inner = Graph((x,), (Anything((3, (dims.dim("n") + 1, tensor_type("m"))))(x),))
    outer = Graph((x,), (Anything((inner,))(x),))
    assert inner.dim_names == outer.dim_names == ("m", "n")
    fixed = outer.substitute_dims({"n": 4})
    assert fixed.dim_names == ("m",)
    assert fixed.substitute_dims({"m": 2}).dim_names == ()


def test_a_graph_keeps_where_its_nodes_came_from() -> None:
    with trail.scope("encoder"):
        x = new_input("x", VECTOR)
        value = step("traced", x)
    graph = Graph((x,), (value,))
    assert graph.origins[value.node].scope == ("encoder",)
    copied = Graph((y := new_input("y", VECTOR),), graph.inline((y,)))
    assert copied.origins[copied.outputs[0].node].scope == ("encoder",)


def test_a_graph_shows_its_signature() -> None:
    assert repr(build()) == "<Graph (x: float32[3], y: float32[3]) -> float32[3], float32[3], 3 nodes>"
