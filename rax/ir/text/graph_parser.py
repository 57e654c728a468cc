"""Reads the text form of :mod:`rax.ir.text.graph_printer`; every operation is rebuilt and its types are checked."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rax.ir import services, trail
from rax.ir.attributes import make_op
from rax.ir.errors import ParseError, RaxError
from rax.ir.graph import Graph
from rax.ir.node import Input, Literal, Node, Value, constant, new_input
from rax.ir.op import REGISTRY, Op
from rax.ir.rebuild import rebuild
from rax.ir.text.scanner import LABEL, NAME, clipped, did_you_mean
from rax.ir.text.value_parser import ValueParser
from rax.ir.trail import NOWHERE, Origin
from rax.ir.tree import Tree
from rax.ir.types import DTYPES, TensorType

MAX_GRAPH_NESTING = 32
MAX_EXPANDED_NODES = 2**26
"""Levels of graphs inside graphs, and nodes counting held graphs each time; as in a file."""

_RESULT = re.compile(r"%([A-Za-z0-9_]+)(?::([0-9]{1,9}))?")
_OPERAND = re.compile(
    rf"%(?P<id>[A-Za-z0-9_]+)(?:\.(?P<index>[0-9]{{1,9}}))?|@(?P<place>[0-9]{{1,9}})|(?P<name>{NAME.pattern})|(?=\")"
)


def parse_graph(
    text: str, registry: Mapping[str, type[Op]] = REGISTRY, tensors: Mapping[str, Literal] | None = None
) -> Graph:
    """The graph a text describes; undoes ``print_graph``.

    Args:
        text: the text form.
        registry: the operations by name; ``import rax.ops`` fills the default one.
        tensors: large constants by the hex form of their digest, as ``large_literals`` gives them.

    Raises:
        ParseError: the text is malformed, or an operation refuses its operands; says where.

    Example:
        >>> import rax.ops
        >>> graph = parse_graph("graph (x: float32[n]) -> (y: float32[n]) { return x }")
        >>> graph.output_names, graph.in_types
        (('y',), (float32[n],))
        >>> parse_graph("graph (x: float32[n]) -> (y: float32[n]) { return z }")
        Traceback (most recent call last):
            ...
        rax.ir.errors.ParseError: there is no input 'z'
          line 1, column 51
          graph (x: float32[n]) -> (y: float32[n]) { return z }
                                                            ^
    """
    with trail.recording() as recorder:
        recorder.pinned = NOWHERE
        return GraphParser(text, registry, tensors or {}).whole()


class _Scope:
    """What the operands of one graph may refer to, and where its nodes come from."""

    def __init__(self, labels: list[str], inputs: list[Value]) -> None:
        self.inputs = inputs
        self.labels = dict(zip(labels, inputs, strict=True))
        self.twice = {label for label, count in collections.Counter(labels).items() if count > 1}
        self.results: dict[str, tuple[Value, ...]] = {}
        self.origin = NOWHERE
        self.origins: dict[Node, Origin] = {}


class GraphParser(ValueParser):
    """Reads graphs.

    Args:
        text: the text.
        registry: the operations by name.
        tensors: large constants by the hex form of their digest.

    Attributes:
        graphs: the graphs that have a label.
    """

    def __init__(self, text: str, registry: Mapping[str, type[Op]], tensors: Mapping[str, Literal]) -> None:
        super().__init__(text, tensors)
        self.registry = registry
        self.graphs: dict[str, Graph] = {}
        self._depth = 0
        # How many levels each graph has, and how many nodes when run through; those met in the present node.
        self._measures: dict[int, tuple[int, int]] = {}
        self._held: list[Graph] = []
        self._alive: list[Graph] = []
        # What was read once: scalar constants, operations without attributes.
        self._scalars: dict[tuple[str, str], Value] = {}
        self._plain: dict[type[Op], Op] = {}

    # Graphs and nodes.

    def whole(self) -> Graph:
        """A text that is one graph."""
        self.need_word("graph")
        graph = self.graph()
        self.end()
        return graph

    def end(self) -> None:
        """Nothing may follow."""
        if self.skip() != len(self.text):
            self.fail(f"expected the end of the text, not {self.next_word()}")

    def graph(self) -> Graph:
        """What follows the word ``graph``."""
        start = self.place
        if self._depth == MAX_GRAPH_NESTING:
            self.fail(f"graphs nested more than {MAX_GRAPH_NESTING} deep", fix="give the inner ones a label")
        self._depth += 1
        self.need("(")
        given = self.listed(")", self._field)
        self.need("->")
        self.need("(")
        due = self.listed(")", self._field)
        self.need("{")
        scope = _Scope([name for name, _ in given], [new_input(name, type) for name, type in given])
        in_tree = self._fitting_tree(len(given), "inputs") if self.word("in") else None
        out_tree = self._fitting_tree(len(due), "outputs") if self.word("out") else None
        levels = nodes = 0
        while True:
            if self.take("%"):
                self.place -= 1
                for held in self._node(scope):
                    below = self._measures[id(held)]
                    levels, nodes = max(levels, below[0]), nodes + below[1]
                nodes += 1
            elif not self._origin(scope):
                break
        ends = self._return()
        outputs = self.listed("}", lambda: self._operand(scope))
        types = [value.type for value in outputs]
        if types != [type for _, type in due]:
            self.fail(f"the graph returns ({_types_text(types)}), not what it announces", ends)
        if levels >= MAX_GRAPH_NESTING or nodes > MAX_EXPANDED_NODES:
            what = f"a graph of {levels + 1} levels and {nodes} nodes, counting held graphs each time"
            self.fail(f"{what}, where at most {MAX_GRAPH_NESTING} and {MAX_EXPANDED_NODES} are allowed", start)
        try:
            graph = Graph(scope.inputs, outputs, in_tree, out_tree, [name for name, _ in due], scope.origins)
        except RaxError as error:
            self.refuse(error, start)
        self._depth -= 1
        self._measures[id(graph)] = levels + 1, nodes
        self._alive.append(graph)  # so that its id stays its own
        return graph

    def _fitting_tree(self, leaves: int, what: str) -> Tree:
        place = self.skip()
        tree = self.tree()
        if tree.leaf_count != leaves:
            self.fail(f"a tree of {tree.leaf_count} leaves for {leaves} {what}", place)
        return tree

    def _return(self) -> int:
        """Pass ``return``; where the results start."""
        if not self.word("return"):
            self.fail_word("a node such as %0 = …, or 'return'", "return", "at")
        return self.skip()

    def _field(self) -> tuple[str, TensorType]:
        name = self.name()
        self.need(":")
        return name, self.type()

    def _origin(self, scope: _Scope) -> bool:
        """Pass a line that says where what follows, or an input, comes from."""
        if not self.word("at"):
            return False
        origin = NOWHERE
        if not self.word("nowhere"):
            place = self.skip()
            source, names = self.string(), list[str]()
            if self.word("in"):
                names.append(self.name("a scope"))
                while self.take("/"):
                    names.append(self.name("a scope"))
            origin = Origin(tuple(names), source)
            if origin == NOWHERE:
                self.fail("a place in source code has a line or a scope", place, fix="write at nowhere")
        if not self.word("for"):
            scope.origin = origin
        elif self.take("*"):
            scope.origins.update({value.node: origin for value in scope.inputs})
        else:
            self._input_origin(scope, origin)
            while self.take(","):
                self._input_origin(scope, origin)
        return True

    def _input_origin(self, scope: _Scope, origin: Origin) -> None:
        place = self.skip()
        node = self._operand(scope).node
        if not isinstance(node.op, Input):
            self.fail("only the origin of an input is given so", place, fix="put the line before the node")
        scope.origins[node] = origin

    def _node(self, scope: _Scope) -> list[Graph]:
        """Read a node; the graphs it holds."""
        place = self.skip()
        head = self.match(_RESULT, "a result such as %0")
        label, count = head.group(1), int(head.group(2) or 1)
        if label in scope.results:
            self.fail(f"%{label} is defined above already", place)
        self.need("=")
        start = self.skip()
        quoted = self.text.startswith('"', start)
        name = self.name("an operation")
        outer, self._held = self._held, []
        plain = name != "constant" or quoted
        outputs = self._apply(name, start, scope) if plain else self._constant()
        held, self._held = self._held, outer
        if len(outputs) != count:
            self.fail(f"{name} has {len(outputs)} results, not {count}", place)
        scope.results[label] = outputs
        if outputs:
            scope.origins.setdefault(outputs[0].node, scope.origin)
        return held

    def _apply(self, name: str, start: int, scope: _Scope) -> tuple[Value, ...]:
        self.need("(")
        operands = self.listed(")", lambda: self._operand(scope))
        attributes: dict[str, Any] = {}
        if self.take("["):
            for key, value, place in self.listed("]", self._attribute):
                if key in attributes:
                    self.fail(f"the attribute {clipped(key)} is given twice", place)
                attributes[key] = value
        self.need(":")
        try:
            node = rebuild(self._op(name, attributes, start), operands)
        except ParseError:
            raise
        except Exception as error:  # noqa: BLE001  # a rule may raise anything on what no front end makes
            self.refuse(error, start, "" if isinstance(error, RaxError) else f"{name} refuses its operands: ")
        self._check_types(node)
        return node.outputs

    def _op(self, name: str, attributes: dict[str, Any], start: int) -> Op:
        """The operation of a name; one of somebody's own that is unknown is what its body says."""
        cls = self.registry.get(name)
        if cls is None:
            if isinstance(attributes.get("body"), Graph):
                return services.get("composite")(name, attributes, attributes.pop("body"))
            fix = did_you_mean(name, self.registry) if self.registry else "import rax.ops"
            self.fail(f"there is no operation {clipped(name)}", start, fix=fix)
        if "." in name:
            attributes.pop("body", None)  # the registry knows better
        op = self._plain.get(cls) if not attributes else None
        if op is None:
            op = make_op(cls, attributes)
            if not attributes:
                self._plain[cls] = op
        return op

    def _check_types(self, node: Node) -> None:
        place = self.skip()
        types: list[TensorType] = []
        if self.take("("):
            self.need(")")
        else:
            types.append(self.type())
            while self.take(","):
                types.append(self.type())
        if tuple(types) != node.types:
            self.fail(f"{node.op.name} gives {_types_text(node.types)}", place)

    def _operand(self, scope: _Scope) -> Value:
        place = self.skip()
        found = self.match(_OPERAND, "an operand such as %0 or an input's name")
        if found["id"] is not None:
            return self._result(scope, found["id"], found["index"], place)
        if found["place"] is not None:
            if int(found["place"]) >= len(scope.inputs):
                self.fail(f"the graph has {len(scope.inputs)} inputs, no {found.group()}", place)
            return scope.inputs[int(found["place"])]
        name = found["name"]
        if name is None:
            name = self.string()
        elif name in DTYPES and self.take("("):
            return self._scalar(name, scope)
        if name in scope.twice:
            self.fail(f"two inputs are called {clipped(name)}", place, fix="refer to it by place, as @0")
        if name not in scope.labels:
            self.fail(f"there is no input {clipped(name)}", place, fix=did_you_mean(name, scope.labels))
        return scope.labels[name]

    def _result(self, scope: _Scope, label: str, index: str | None, place: int) -> Value:
        outputs = scope.results.get(label)
        if outputs is None:
            near = did_you_mean(f"%{label}", [f"%{each}" for each in list(scope.results)[:1000]])
            self.fail(f"%{label[:20]} is not defined above", place, fix="" if label.isdigit() else near)
        if index is None and len(outputs) != 1:
            self.fail(f"%{label} has {len(outputs)} results", place, fix=f"say which, as %{label}.0")
        if index is not None and int(index) >= len(outputs):
            self.fail(f"%{label} has {len(outputs)} results, no %{label}.{index}", place)
        return outputs[int(index or 0)]

    def _scalar(self, dtype: str, scope: _Scope) -> Value:
        words, place = self._data()
        data = " ".join(words)
        value = self._scalars.get((dtype, data))
        if value is None:
            value = constant(self._literal(TensorType(DTYPES[dtype], ()), words, place))
            self._scalars[dtype, data] = value
        scope.origins.setdefault(value.node, scope.origin)
        return value

    def _constant(self) -> tuple[Value, ...]:
        self.need("(")
        words, place = self._data()
        self.need(":")
        return (constant(self._literal(self.type(), words, place)),)

    def held_graph(self, *, labelled: bool) -> Graph:
        """A graph that follows: its label, or what comes after the word ``graph``."""
        if not labelled:
            graph = self.graph()
        else:
            place = self.skip()
            label = self.match(LABEL, "the label of a graph, such as &0").group(1)
            known = self.graphs.get(label)
            if known is None:
                near = did_you_mean(f"&{label}", [f"&{each}" for each in self.graphs])
                self.fail(f"there is no graph &{label[:20]} above", place, fix=near)
            graph = known
        self._held.append(graph)
        return graph


def _types_text(types: Iterable[TensorType]) -> str:
    return ", ".join(map(str, types))
