"""The verifier: it passes what transforms build and says what is wrong with graphs broken by hand."""

from __future__ import annotations

import re

import pytest

from rax.ir.attributes import make_op
from rax.ir.errors import TypeInferenceError, VerificationError
from rax.ir.graph import Graph
from rax.ir.node import Literal, Node, Operation, apply, constant, new_input
from rax.ir.op import REGISTRY, Op
from rax.ir.tree import LEAF_TREE, Tree
from rax.ir.types import DType, TensorType, float32, tensor_type
from rax.ir.verify import verify
from rax.ops import arrays
from rax.ops.samples import Sample
from tests.ir.simple import SCALAR, VECTOR, Simple, chain, step, unchecked


def build() -> Graph:
    """Three nodes over two inputs."""
    x, y = new_input("x", VECTOR), new_input("y", VECTOR)
    first = step("first", x)
    return Graph((x, y), (step("last", step("middle", first, y), first),))


def broken(graph: Graph, what: str, *where: str) -> VerificationError:
    """The error a graph gives, which says exactly this."""
    with pytest.raises(VerificationError) as caught:
        verify(graph)
    assert caught.value.what == what
    assert caught.value.where.splitlines() == list(where)
    return caught.value


SAMPLES = [
    pytest.param(cls, sample, id=f"{name}-{number}")
    for name, cls in REGISTRY.items()
    for number, sample in enumerate(cls.samples)
]


@pytest.mark.parametrize(("cls", "sample"), SAMPLES)
def test_every_operation_passes(cls: type[Op], sample: Sample) -> None:
    names: tuple[str, ...] = cls.dtypes  # pyright: ignore[reportAttributeAccessIssue]
    dtype = arrays.as_dtype(next(name for name in names if sample.dtypes is None or name in sample.dtypes))
    inputs = [new_input(f"x{index}", kind) for index, kind in enumerate(sample.types(dtype))]
    attributes = {name: value(dtype) if callable(value) else value for name, value in sample.attributes.items()}
    verify(Graph(inputs, apply(cls(**attributes), inputs).outputs))


def test_graphs_as_they_are_built_pass() -> None:
    verify(build())
    verify(Graph((), ()))
    x = new_input("x", VECTOR)
    verify(Graph((x,), (x, x)))
    verify(Graph((), (arrays.constant([1.0, 2.0]), arrays.scalar(1, float32))))


def test_a_long_chain_passes_without_recursion() -> None:
    first, last = chain(20_000)
    verify(Graph((first,), (last,)))


def test_a_wrong_type_is_shown_with_its_neighbours_and_the_users_line() -> None:
    x = new_input("x", VECTOR)
    value = x
    for index in range(5):
        value = step(f"step{index}", value)
    bad = unchecked("wrong", (value, x), SCALAR)
    graph = Graph((x,), (step("after", bad),), origins=None)
    error = broken(
        graph,
        "wrong is declared to give float32[], its rule gives float32[3]",
        "...",
        "%2 = step2(%1) : float32[3]",
        "%3 = step3(%2) : float32[3]",
        "%4 = step4(%3) : float32[3]",
        "%5 = wrong(%4, x) : float32[]",
        "     ^^^^^ float32[3] is due",
    )
    assert error.source == ""
    graph.origins[bad.node] = graph.origins[value.node]
    with pytest.raises(VerificationError, match=r"\n  at: simple\.py:\d+ in step"):
        verify(graph)


def test_a_wrong_number_of_results() -> None:
    x = new_input("x", VECTOR)
    node = Node(Simple("pair", VECTOR, VECTOR), (x,), (VECTOR,))
    broken(
        Graph((x,), (node,)),
        "pair is declared to give float32[3], its rule gives float32[3], float32[3]",
        "%0 = pair(x) : float32[3]",
        "     ^^^^ float32[3], float32[3] is due",
    )


class Refusing(Simple):
    """A type rule that refuses, or breaks."""

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        if self.name == "breaks":
            raise IndexError("tuple index out of range")
        raise TypeInferenceError("operands differ", fix="make them equal")


@pytest.mark.parametrize(
    ("name", "why"), [("refuses", "operands differ"), ("breaks", "IndexError: tuple index out of range")]
)
def test_operands_a_rule_refuses(name: str, why: str) -> None:
    x = new_input("x", VECTOR)
    broken(
        Graph((x,), (Node(Refusing(name), (x,), (VECTOR,)),)),
        f"{name} refuses its operands: {why}",
        f"%0 = {name}(x) : float32[3]",
        f"     {'^' * len(name)} refused",
    )


def test_an_operand_from_elsewhere() -> None:
    graph, other = build(), build()
    last = graph.nodes[-1]
    last.inputs = (other.outputs[0],)
    error = broken(
        graph,
        "operand 0 of last is a value of last, which is not in the graph",
        "%0 = first(x) : float32[3]",
        "%1 = middle(%0, y) : float32[3]",
        "%2 = last(%?) : float32[3]",
        "     ^^^^ operand 0 is not in the graph",
    )
    assert re.fullmatch(r"simple\.py:\d+ in step", error.source)


def test_an_operand_that_comes_later() -> None:
    graph = build()
    x, y, first, middle, last = graph.nodes
    graph.nodes = (x, y, middle, first, last)
    broken(
        graph,
        "operand 0 of middle is a value of first, which comes later",
        "%0 = middle(%1, y) : float32[3]",
        "     ^^^^^^ operand 0 comes later",
    )


def test_a_cycle_is_a_node_that_comes_later() -> None:
    graph = build()
    first, last = graph.nodes[2], graph.nodes[-1]
    first.inputs = (last,)
    with pytest.raises(VerificationError, match="operand 0 of first is a value of last, which comes later"):
        verify(graph)
    first.inputs = ()


def test_a_node_twice() -> None:
    graph = build()
    graph.nodes = (*graph.nodes, graph.nodes[-1])
    with pytest.raises(VerificationError, match="last comes twice"):
        verify(graph)


def test_a_result_that_is_not_there() -> None:
    graph = build()
    x = graph.inputs[0]
    graph.nodes[-1].inputs = (x.node.output(1),)
    broken(
        graph,
        "operand 0 of last is result 1 of input",
        "%0 = first(x) : float32[3]",
        "%1 = middle(%0, y) : float32[3]",
        "%2 = last(x) : float32[3]",
        "     ^^^^ operand 0 is one of 1 results",
    )
    graph = build()
    graph.outputs = (graph.nodes[2].output(1),)
    broken(
        graph,
        "output 0 is result 1 of a node",
        "%0 = first(x) : float32[3]",
        "     ^^^^^ has no such result",
    )


def test_an_output_from_elsewhere() -> None:
    graph = build()
    graph.outputs = build().outputs
    broken(graph, "output 0 is a value of last, which is not in the graph")


def test_an_input_the_graph_does_not_take() -> None:
    graph = build()
    free = new_input("free", VECTOR)
    graph.nodes = (*graph.nodes[:2], free.node, *graph.nodes[2:])
    graph.nodes[-1].inputs = (free,)
    broken(graph, "the graph uses the input 'free' but does not take it")


def test_inputs_must_come_first() -> None:
    graph = build()
    graph.nodes = graph.nodes[1:]
    broken(graph, "the inputs are not, once each, the first nodes")
    graph = build()
    graph.inputs = (graph.outputs[0], graph.inputs[1])
    graph.nodes = (graph.nodes[-1], *graph.nodes[1:-1])
    broken(graph, "the input 'x' is a value of last")


def test_trees_and_names_must_fit() -> None:
    graph = build()
    graph.in_tree = Tree("arguments", ("x",), (LEAF_TREE,))
    broken(graph, "the inputs are 2, their tree has 1 leaves")
    graph = build()
    graph.in_tree = Tree("tuple", (), (LEAF_TREE, LEAF_TREE))
    broken(graph, "the arguments come as tuple, not by name")
    graph = build()
    graph.out_tree = Tree("tuple")
    broken(graph, "the outputs are 1, their tree has 0 leaves")
    graph = build()
    graph.output_names = ()
    broken(graph, "the outputs are 1, their names 0")


def test_types_that_cannot_be() -> None:
    x = new_input("x", VECTOR)
    odd = TensorType(DType("float8", "float", 1), (3,))
    broken(
        Graph((x,), (step("odd", x, type=odd),)),
        "odd gives the unknown dtype float8",
        "%0 = odd(x) : float8[3]",
        "     ^^^ unknown dtype",
    )
    negative = TensorType(float32, (-1,))
    broken(
        Graph((x,), (step("negative", x, type=negative),)),
        "negative gives the negative size of float32[-1]",
        "%0 = negative(x) : float32[-1]",
        "     ^^^^^^^^ negative size",
    )


def test_a_constant_of_too_few_bytes() -> None:
    short = constant(Literal(VECTOR, None, memoryview(bytes(8))))
    with pytest.raises(VerificationError) as caught:
        verify(Graph((), (short,)))
    assert caught.value.what == "a constant float32[3] has 8 bytes, not 12"


class Holding(Op):
    """An operation that holds graphs."""

    name = "holding"

    graphs: tuple[Graph, ...]

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        return operands[:1]


def held(*graphs: Graph) -> Graph:
    x = new_input("x", VECTOR)
    operation: Operation = Holding(graphs)
    return Graph((x,), (Node(operation, (x,), (VECTOR,)),))


def test_graphs_that_operations_hold_are_checked_too() -> None:
    good, bad = build(), build()
    bad.nodes[-1].inputs = (new_input("captured", VECTOR),)
    verify(held(good, held(good)))
    broken(
        held(good, held(good, bad)),
        "operand 0 of last is a value of input, which is not in the graph",
        "in holding.graphs[1] > holding.graphs[1]",
        "%0 = first(x) : float32[3]",
        "%1 = middle(%0, y) : float32[3]",
        "%2 = last(%?) : float32[3]",
        "     ^^^^ operand 0 is not in the graph",
    )


def test_the_message_reads_as_a_whole() -> None:
    x = new_input("x", tensor_type((2, 3)))
    wrong = Node(make_op(REGISTRY["sum"], {"axes": (1,)}), (x,), (VECTOR,))
    with pytest.raises(VerificationError) as caught:
        verify(Graph((x,), (wrong,)))
    assert str(caught.value) == (
        "sum is declared to give float32[3], its rule gives float32[2]\n"
        "  %0 = sum(x)[axes=(1,)] : float32[3]\n"
        "       ^^^ float32[2] is due"
    )
