"""Loops and choices that run the same graph on the same operands are run once.

Equal operations are one node already; these are not equal, since one also returns what a
derivative needs. A value and its gradient, each asked for by itself, hold such a pair.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rax.ir import trail
from rax.ir.graph import Graph
from rax.ir.node import Node, Operation, Value, apply
from rax.ir.op import Op, map_attribute
from rax.ir.trail import NOWHERE, Origin
from rax.passes.rule import Fuel, Rewrite

Merged = tuple[Op, Sequence[int], Sequence[int]]
"""An operation in place of two, and where among its results those of each are."""
Union = Callable[[Graph, Graph], tuple[tuple[Value, ...], tuple[Value, ...]]]
"""The outputs of two graphs over the inputs of the first, where equal values are one."""


class PairRule:
    """How two operations of one class, on the same operands, become one.

    Attributes:
        matches: the class.
        alike: what two must agree on.
        merge: from the two and the union of graphs they hold to the one, or None where it cannot be.
    """

    def __init__(
        self,
        matches: type[Op],
        alike: Callable[[Any], tuple[Any, ...]],
        merge: Callable[[Any, Any, Union], Merged | None],
    ) -> None:
        self.matches = matches
        self.alike = alike
        self.merge = merge


class Merge:
    """The pass that merges pairs of operations, in the graphs that operations hold too.

    Args:
        rules: which pairs.
        after: what simplifies a graph in which something was merged.

    Attributes:
        name: what it is called in errors.
    """

    name = "merge"

    def __init__(self, rules: Sequence[PairRule], after: Rewrite) -> None:
        self._rules = tuple(rules)
        self._after = after

    def run(self, graph: Graph, fuel: Fuel) -> Graph:
        """The graph with pairs merged, simplified; itself if there is none."""
        with trail.recording() as recorder:
            merged = _Merger(self._rules, fuel, recorder).graph(graph)
        return graph if merged is graph else self._after.run(merged, fuel)


class _Merger:
    def __init__(self, rules: Sequence[PairRule], fuel: Fuel, recorder: trail.Recorder) -> None:
        self._rules: dict[type[Operation], PairRule] = {each.matches: each for each in rules}
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
            pair = self._pair(graph, tried)
            if pair is None:
                return graph
            tried.add(pair)
            first, second = pair
            origin = graph.origins.get(first, NOWHERE)
            self._recorder.pinned = origin
            found = self._rules[type(first.op)].merge(first.op, second.op, self._union)
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

    def _union(self, first: Graph, second: Graph) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        for node, origin in first.origins.items():  # of which a rule makes a graph that is to know them
            self._recorder.table.setdefault(node, origin)
        outputs = (*first.outputs, *second.inline(first.inputs))
        both = self.graph(Graph(first.inputs, outputs, origins=self._origins(first.origins)))
        return both.outputs[: len(first.outputs)], both.outputs[len(first.outputs) :]

    def _pair(self, graph: Graph, tried: set[tuple[Node, Node]]) -> tuple[Node, Node] | None:
        """Two nodes that may be merged and were not tried yet."""
        groups: dict[tuple[Any, ...], list[Node]] = {}
        for node in graph.nodes:
            rule = self._rules.get(type(node.op))
            if rule is None:
                continue
            group = groups.setdefault((rule.matches, rule.alike(node.op), node.inputs), [])
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
