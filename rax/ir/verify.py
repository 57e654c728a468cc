"""Checks that a graph keeps every rule of the IR: a transform that breaks one has a bug."""

from __future__ import annotations

from typing import NoReturn

from rax.ir import services
from rax.ir.errors import RaxError, VerificationError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Input, Node
from rax.ir.op import held_graphs
from rax.ir.trail import NOWHERE
from rax.ir.tree import ARGUMENTS
from rax.ir.types import DTYPES, TensorType

# What a type rule may raise on operands no front end gives it.
_REFUSALS = (RaxError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def verify(graph: Graph) -> None:
    """Check types, order, scopes and trees, in the graph and in every graph its operations hold.

    Each result type is inferred again; each operand is a node that comes before; each input that
    is used is among the inputs; the trees and names fit the inputs and outputs.

    Raises:
        VerificationError: a rule is broken; shows the node with its neighbours.

    Example:
        >>> import rax.ops
        >>> from rax.ir.node import Node, new_input
        >>> from rax.ir.op import REGISTRY
        >>> from rax.ir.types import tensor_type
        >>> x = new_input("x", tensor_type((2, 3)))
        >>> total = Node(REGISTRY["sum"](axes=(1,)), (x,), (tensor_type((3,)),))
        >>> verify(Graph((x,), (total,)))
        Traceback (most recent call last):
            ...
        rax.ir.errors.VerificationError: sum is declared to give float32[3], its rule gives float32[2]
          %0 = sum(x)[axes=(1,)] : float32[3]
               ^^^ float32[2] is due
    """
    waiting = [(graph, "")]
    seen = {id(graph)}
    while waiting:
        current, place = waiting.pop()
        _Check(current, place).run()
        for node in current.nodes:
            for name, held in held_graphs(node.op):
                if id(held) not in seen:
                    seen.add(id(held))
                    waiting.append((held, f"{place}{node.op.name}.{name} > "))


class _Check:
    def __init__(self, graph: Graph, place: str) -> None:
        self.graph = graph
        self.place = place
        self.inputs = {value.node for value in graph.inputs}
        self.before: set[Node] = set()

    def fail(self, what: str, node: Node | None = None, mark: str = "") -> NoReturn:
        """Raise, with the node in its surroundings, marked, and the user's line."""
        where = services.get("neighbourhood")(self.graph, node, mark) if node is not None and mark else ""
        source = "" if node is None else str(self.graph.origins.get(node, NOWHERE))
        inside = f"in {self.place.removesuffix(' > ')}" if self.place else ""
        raise VerificationError(what, where="\n".join(filter(None, (inside, where))), source=source)

    def run(self) -> None:
        self.frame()
        for node in self.graph.nodes:
            if node in self.before:
                self.fail(f"{node.op.name} comes twice", node, "again")
            self.operands(node)
            self.types(node)
            self.before.add(node)
        for index, value in enumerate(self.graph.outputs):
            if value.node not in self.before:
                self.fail(f"output {index} is a value of {value.node.op.name}, which is not in the graph")
            if not 0 <= value.index < len(value.node.types):
                self.fail(f"output {index} is result {value.index} of a node", value.node, "has no such result")

    def frame(self) -> None:
        """Inputs, names and trees."""
        graph = self.graph
        nodes = [value.node for value in graph.inputs]
        if list(graph.nodes[: len(nodes)]) != nodes or len(set(nodes)) != len(nodes):
            self.fail("the inputs are not, once each, the first nodes")
        for value, name in zip(graph.inputs, graph.input_names, strict=True):
            if not isinstance(value.node.op, Input):
                self.fail(f"the input {name!r} is a value of {value.node.op.name}")
        if graph.in_tree.kind != ARGUMENTS:
            self.fail(f"the arguments come as {graph.in_tree.kind}, not by name")
        for side, tree, values in (("in", graph.in_tree, graph.inputs), ("out", graph.out_tree, graph.outputs)):
            if tree.leaf_count != len(values):
                self.fail(f"the {side}puts are {len(values)}, their tree has {tree.leaf_count} leaves")
        if len(graph.output_names) != len(graph.outputs):
            self.fail(f"the outputs are {len(graph.outputs)}, their names {len(graph.output_names)}")

    def operands(self, node: Node) -> None:
        """Closed and in order: what a node uses comes before it."""
        if isinstance(node.op, Input) and node not in self.inputs:
            self.fail(f"the graph uses the input {node.op.label!r} but does not take it", node)
        for index, value in enumerate(node.inputs):
            if value.node not in self.before:
                where = "comes later" if value.node in self.graph.nodes else "is not in the graph"
                what = f"operand {index} of {node.op.name} is a value of {value.node.op.name}, which {where}"
                self.fail(what, node, f"operand {index} {where}")
            if not 0 <= value.index < len(value.node.types):
                what = f"operand {index} of {node.op.name} is result {value.index} of {value.node.op.name}"
                self.fail(what, node, f"operand {index} is one of {len(value.node.types)} results")

    def types(self, node: Node) -> None:
        """The types a node claims are those its rule gives."""
        try:
            due = node.op.infer(*[value.type for value in node.inputs])
        except _REFUSALS as error:
            said = error.what if isinstance(error, RaxError) else f"{type(error).__name__}: {error}"
            self.fail(f"{node.op.name} refuses its operands: {said}", node, "refused")
        if due != node.types:
            claimed, given = _listed(node.types), _listed(due)
            self.fail(f"{node.op.name} is declared to give {claimed}, its rule gives {given}", node, f"{given} is due")
        for result in node.types:
            if DTYPES.get(result.dtype.name) is not result.dtype:
                self.fail(f"{node.op.name} gives the unknown dtype {result.dtype!r}", node, "unknown dtype")
            if any(isinstance(size, int) and size < 0 for size in result.shape):
                self.fail(f"{node.op.name} gives the negative size of {result}", node, "negative size")
        if isinstance(node.op, Constant) and node.op.literal.raw.nbytes != node.op.literal.type.nbytes:
            literal = node.op.literal
            what = f"a constant {literal.type} has {literal.raw.nbytes} bytes, not {literal.type.nbytes}"
            self.fail(what, node, "wrong number of bytes")


def _listed(types: tuple[TensorType, ...]) -> str:
    return ", ".join(map(str, types)) or "nothing"
