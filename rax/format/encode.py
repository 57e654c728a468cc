"""A program to the tables of a header, in the one order that makes equal programs equal bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from rax.format import versions
from rax.format.limits import MAX_ATTRIBUTE_DEPTH, MAX_GRAPH_DEPTH, MAX_INLINE_BYTES, in_total, refuse
from rax.format.sizes import size_to_file
from rax.format.threads import spread
from rax.format.trees import TreeWriter
from rax.format.wire import pack_array, packb
from rax.ir.dims import Dim
from rax.ir.graph import Graph
from rax.ir.node import Constant, Literal, Node, Value
from rax.ir.op import Op
from rax.ir.program import Program
from rax.ir.trail import NOWHERE, Origin
from rax.ir.types import DType, TensorType


class Rows:
    """A table: each packed row once, at the place it first came."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}

    def add(self, row: Any) -> int:
        """The index of a row."""
        return self._places.setdefault(packb(row), len(self._places))

    def packed(self) -> bytes:
        """The table as a msgpack array."""
        return pack_array(self._places)


class ProgramWriter:
    """Gathers the tables of one program.

    Attributes:
        literals: the tensors, in the order of their rows.
        version: the lowest version of the format that has every operation used.
        defaults: the row of each tensor that is a default, by name.
    """

    def __init__(self, program: Program) -> None:
        self.literals: list[Literal] = []
        self.version = versions.STRUCTURE
        self._tensors: dict[object, int] = {}
        self._types: dict[TensorType, int] = {}
        self._trees = TreeWriter()
        self._origins: dict[Origin, int] = {}
        self._ops = Rows()
        self._op_rows: dict[object, int] = {}
        self._graphs = Rows()
        self._graph_rows: dict[int, int] = {}
        self._alive: list[object] = []
        tensors = _tensors(program)
        spread(lambda literal: literal.digest, tensors, _nbytes)
        entries = {name: self._graph(graph, 1) for name, graph in program.items()}
        self.defaults = self._named(program.defaults)
        examples = {
            name: {
                "display": dict(sorted(example.display.items())),
                "inputs": self._named(example.inputs),
                "outputs": self._named(example.outputs),
            }
            for name, example in program.examples.items()
        }
        self.tables: dict[str, bytes] = {
            "defaults": packb(self.defaults),
            "entries": packb(entries),
            "examples": packb(examples),
            "graphs": self._graphs.packed(),
            "main": packb(program.main),
            "ops": self._ops.packed(),
            "origins": packb([[origin.source, origin.scope] for origin in self._origins]),
            "trees": packb(self._trees.rows),
            "types": packb([[t.dtype.name, [size_to_file(size) for size in t.shape]] for t in self._types]),
        }

    def tensor_types(self) -> list[int]:
        """The type's row of each tensor."""
        return [self._types[literal.type] for literal in self.literals]

    def _type(self, type: TensorType) -> int:
        return self._types.setdefault(type, len(self._types))

    def _tensor(self, literal: Literal) -> int:
        content = bytes(literal.raw) if literal.raw.nbytes <= MAX_INLINE_BYTES else literal.digest
        key = (self._type(literal.type), content)
        if key not in self._tensors:
            self._tensors[key] = len(self.literals)
            self.literals.append(literal)
        return self._tensors[key]

    def _named(self, tensors: Mapping[str, Literal]) -> dict[str, int]:
        return {name: self._tensor(literal) for name, literal in sorted(tensors.items())}

    def _graph(self, graph: Graph, depth: int) -> int:
        row = self._graph_rows.get(id(graph))
        if row is None:
            in_total(depth, MAX_GRAPH_DEPTH, "levels of graphs inside graphs", "graphs")
            row = self._graph_rows[id(graph)] = self._graphs.add(self._graph_row(graph, depth))
            self._alive.append(graph)  # so that its id stays its own
        return row

    def _graph_row(self, graph: Graph, depth: int) -> dict[str, Any]:
        inputs = [[name, self._type(t)] for name, t in zip(graph.input_names, graph.in_types, strict=True)]
        own = graph.nodes[len(inputs) :]
        held = {node: self._tensor(node.op.literal) for node in own if isinstance(node.op, Constant)}
        leaves = [*graph.nodes[: len(inputs)], *held]
        places = {node: -1 - place for place, node in enumerate(leaves)}
        computed = [node for node in own if node not in places]
        nodes: list[list[Any]] = []
        count = 0
        for node in computed:
            types = [self._type(t) for t in node.types]
            row: list[Any] = [self._op(node, depth), types[0] if len(types) == 1 else types]
            for value in node.inputs:
                place = places[value.node]
                row.append(place if place < 0 else count - place - value.index)
            places[node] = count
            count += len(types)
            nodes.append(row)
        return {
            "constants": list(held.values()),
            "in_tree": self._trees.add(graph.in_tree),
            "inputs": inputs,
            "nodes": nodes,
            "origins": self._runs(graph, [*leaves, *computed]),
            "out_tree": self._trees.add(graph.out_tree),
            "output_names": graph.output_names,
            "outputs": [_reference(value, places, count) for value in graph.outputs],
        }

    def _runs(self, graph: Graph, nodes: list[Node]) -> list[int | None]:
        """The origins of nodes as pairs: a row or None, and for how many nodes it holds."""
        runs: list[int | None] = []
        last: Origin | None = None
        count = 0
        for node in nodes if graph.origins else ():
            origin = graph.origins.get(node, NOWHERE)
            if origin != last:
                if last is not None:
                    runs += [self._origin(last), count]
                last, count = origin, 0
            count += 1
        return runs if last is None else [*runs, self._origin(last), count]

    def _origin(self, origin: Origin) -> int | None:
        return None if origin == NOWHERE else self._origins.setdefault(origin, len(self._origins))

    def _op(self, node: Node, depth: int) -> int:
        op = cast("Op", node.op)
        own = getattr(op, "since", None) == 0
        key = (id(op), *[value.type for value in node.inputs]) if own else id(op)
        row = self._op_rows.get(key)
        if row is None:
            row = self._op_rows[key] = self._ops.add(self._op_row(op, node, depth))
        return row

    def _op_row(self, op: Op, node: Node, depth: int) -> list[Any]:
        since = getattr(op, "since", None)
        if since is None:
            refuse("bad-op", f"the operation {op.name!r} is not registered, so no file may hold it", "ops")
        where = f"ops[{op.name}]"
        stated = op.stated(tuple([value.type for value in node.inputs]))
        body = None if since else self._body(op, stated, where)
        attributes = {name: self._attribute(value, f"{where}.{name}", depth) for name, value in sorted(stated.items())}
        if body is None:
            self.version = max(self.version, since)
            return [op.name, since, attributes]
        return [op.name, 0, attributes, self._graph(body, depth + 1)]

    def _body(self, op: Op, stated: dict[str, Any], where: str) -> Graph:
        """Take what an operation of the user's own computes from what is stated of it."""
        if "." not in op.name:
            refuse("bad-op", f"{op.name!r} is no operation of the format, and a name of your own has a dot", where)
        if "body" not in stated:
            refuse("bad-op", f"{op.name!r} is no operation of the format and has no body", where, "give it expand")
        return cast("Graph", stated.pop("body"))

    def _attribute(self, value: Any, where: str, depth: int, nesting: int = 0) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if type(value) is tuple:
            in_total(nesting + 1, MAX_ATTRIBUTE_DEPTH, "nested tuples in an attribute", where)
            return [self._attribute(item, where, depth, nesting + 1) for item in cast("tuple[Any, ...]", value)]
        if isinstance(value, DType):
            return {"dtype": value.name}
        if isinstance(value, Dim):
            return {"dim": size_to_file(value)}
        if isinstance(value, TensorType):
            return {"type": self._type(value)}
        if isinstance(value, Graph):
            return {"graph": self._graph(value, depth + 1)}
        if isinstance(value, Literal):
            return {"tensor": self._tensor(value)}
        return refuse("bad-attribute", f"{value!r} of type {type(value).__name__} cannot be stored", where)


def _tensors(program: Program) -> list[Literal]:
    """The tensors that get a digest: large ones of a program and of its entries, each once."""
    named = [program.defaults, *[each for one in program.examples.values() for each in (one.inputs, one.outputs)]]
    graphs = {id(graph): graph for graph in program.values()}.values()  # which many entries may share
    constants = [node.op.literal for graph in graphs for node in graph.nodes if isinstance(node.op, Constant)]
    every = [*constants, *[literal for tensors in named for literal in tensors.values()]]
    return list({id(literal): literal for literal in every if _nbytes(literal) > MAX_INLINE_BYTES}.values())


def _nbytes(literal: Literal) -> int:
    """The size by the type: a look at the data would read it."""
    return literal.type.nbytes.__index__()


def _reference(value: Value, places: dict[Node, int], count: int) -> int:
    place = places[value.node]
    return place if place < 0 else count - place - value.index
