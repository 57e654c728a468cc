"""Loops and choices that run the same graph on the same operands are run once.

Equal operations are one node already; these are not equal, since one also returns what a
derivative needs. A value and its gradient, each asked for by itself, hold such a pair.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from rax.ir import trail
from rax.ir.graph import Graph
from rax.ir.node import Node, Value, apply
from rax.ir.op import Op, map_attribute
from rax.ir.trail import NOWHERE, Origin
from rax.ops.control import Cond
from rax.ops.scan import Scan
from rax.ops.subgraphs import split
from rax.passes.rule import Fuel, Rewrite

Merged = tuple[Op, Sequence[int], Sequence[int]]
"""An operation in place of two, and where among its results those of each are."""


class Merge:
    """The pass that merges pairs of loops and pairs of choices, in the graphs that operations hold too.

    Two scans merge where they agree on operands, length and direction, and carry the same; two choices
    where they agree on operands. The one in their place returns what either returns, each value once.

    Args:
        after: what simplifies a graph in which something was merged.

    Attributes:
        name: what it is called in errors.
    """

    name = "merge"

    def __init__(self, after: Rewrite) -> None:
        self._after = after

    def run(self, graph: Graph, fuel: Fuel) -> Graph:
        """The graph with pairs merged, simplified; itself if there is none."""
        with trail.recording() as recorder:
            merged = _Merger(fuel, recorder).graph(graph)
        return graph if merged is graph else self._after.run(merged, fuel)


class _Merger:
    def __init__(self, fuel: Fuel, recorder: trail.Recorder) -> None:
        self._fuel = fuel
        self._recorder = recorder
        # The old graph is kept beside the new one, so that its id stays its own.
        self._graphs: dict[int, tuple[Graph, Graph]] = {}

    def graph(self, graph: Graph) -> Graph:
        """A graph with every pair merged."""
        if id(graph) not in self._graphs:
            before = self._recorder.pinned
            self._graphs[id(graph)] = (graph, self._merged(graph))
            self._recorder.pinned = before
        return self._graphs[id(graph)][1]

    def _merged(self, graph: Graph) -> Graph:
        held = {node: self._held(node.op) for node in graph.nodes if getattr(node.op, "holds_graphs", False)}
        graph = self._rebuilt(graph, {}, {node: op for node, op in held.items() if op is not node.op})
        tried: set[tuple[Node, Node]] = set()
        while not self._fuel.spent:
            pair = _pair(graph, tried)
            if pair is None:
                return graph
            tried.add(pair)
            first, second = pair
            origin = graph.origins.get(first, NOWHERE)
            self._recorder.pinned = origin
            found = self._scan(first, second) if isinstance(first.op, Scan) else self._cond(first, second)
            if found is not None:
                op, *places = found
                self._fuel.burn("merged", op, origin)
                self._recorder.pinned = origin
                results = apply(op, first.inputs).outputs
                new = {
                    value: results[place]
                    for node, chosen in zip(pair, places, strict=True)
                    for value, place in zip(node.outputs, chosen, strict=True)
                }
                graph = self._rebuilt(graph, new, {})
        return graph

    def _held(self, op: Any) -> Op:
        """The operation with the graphs it holds merged; itself if they stay."""
        old: dict[str, Any] = op.attributes()
        new = {
            name: map_attribute(value, lambda item: self.graph(item) if isinstance(item, Graph) else item)
            for name, value in old.items()
        }
        same = all(a is b for a, b in zip(_items(old), _items(new), strict=True))
        return op if same else op.with_attributes(new)

    def _rebuilt(self, graph: Graph, replaced: Mapping[Value, Value], ops: Mapping[Node, Op]) -> Graph:
        """The graph with some values and some operations replaced."""
        if not replaced and not ops:
            return graph
        new = dict(replaced)
        for node in graph.nodes[len(graph.inputs) :]:
            if node in ops or any(value in new for value in node.inputs):
                self._recorder.pinned = graph.origins.get(node, NOWHERE)
                made = apply(ops.get(node, node.op), [new.get(value, value) for value in node.inputs], node.types)
                for old, result in zip(node.outputs, made.outputs, strict=True):
                    new.setdefault(old, result)
        outputs = [new.get(value, value) for value in graph.outputs]
        return Graph(
            graph.inputs, outputs, graph.in_tree, graph.out_tree, graph.output_names, self._origins(graph.origins)
        )

    def _origins(self, known: Mapping[Node, Origin]) -> Mapping[Node, Origin]:
        return ChainMap(dict(known), self._recorder.table)

    def _union(self, first: Graph, second: Graph) -> list[tuple[Value, ...]]:
        """The outputs of two graphs over the inputs of the first, what they share merged."""
        outputs = (*first.outputs, *second.inline(first.inputs))
        both = self.graph(Graph(first.inputs, outputs, origins=self._origins(first.origins)))
        return split(both.outputs, len(first.outputs))

    def _scan(self, first: Node, second: Node) -> Merged | None:
        a, b = first.op, second.op
        assert isinstance(a, Scan)
        assert isinstance(b, Scan)
        left, right = self._union(a.body, b.body)
        carry, left_ys = split(left, a.num_carry)
        other, right_ys = split(right, a.num_carry)
        if carry != other:
            return None
        places = {y: a.num_carry + place for place, y in enumerate(dict.fromkeys((*left_ys, *right_ys)))}
        body = Graph(a.body.inputs, (*carry, *places), origins=self._origins(a.body.origins))
        kept = range(a.num_carry)
        op = Scan(body, a.num_consts, a.num_carry, a.length, a.reverse)
        return op, [*kept, *[places[y] for y in left_ys]], [*kept, *[places[y] for y in right_ys]]

    def _cond(self, first: Node, second: Node) -> Merged:
        a, b = first.op, second.op
        assert isinstance(a, Cond)
        assert isinstance(b, Cond)
        unions = [self._union(one, two) for one, two in zip(a.branches, b.branches, strict=True)]
        left, right = [list(zip(*[union[side] for union in unions], strict=True)) for side in (0, 1)]
        places = {column: place for place, column in enumerate(dict.fromkeys((*left, *right)))}
        branches = tuple(
            Graph(branch.inputs, [column[index] for column in places], origins=self._origins(branch.origins))
            for index, branch in enumerate(a.branches)
        )
        return Cond(branches), [places[column] for column in left], [places[column] for column in right]


def _pair(graph: Graph, tried: set[tuple[Node, Node]]) -> tuple[Node, Node] | None:
    """Two nodes that may be merged and were not tried yet."""
    groups: dict[tuple[Any, ...], list[Node]] = {}
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Scan):
            key = (Scan, op.num_consts, op.num_carry, op.length, op.reverse, node.inputs)
        elif isinstance(op, Cond):
            key = (Cond, len(op.branches), node.inputs)
        else:
            continue
        group = groups.setdefault(key, [])
        for other in group:
            if (other, node) not in tried:
                return other, node
        group.append(node)
    return None


def _items(attributes: Mapping[str, Any]) -> list[Any]:
    """The items of attributes, of tuples too."""
    found: list[Any] = []
    for value in attributes.values():
        map_attribute(value, found.append)
    return found
