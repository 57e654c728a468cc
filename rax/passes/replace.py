"""Parts of graphs put in place of others, where what stands for a value depends on all of its graph."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from rax.ir import trail
from rax.ir.graph import Graph
from rax.ir.node import Node, Value, apply
from rax.ir.op import Op, map_attribute
from rax.ir.trail import NOWHERE


class Replacement(Protocol):
    """What is put in place of values."""

    def operands(self) -> Sequence[Value]:
        """What is needed for them, of the old graph."""
        ...

    def made(self, operands: Sequence[Value]) -> Mapping[Value, Value]:
        """The new values by the old ones, from what was needed, of the new graph."""
        ...


Find = Callable[[Graph], Iterable[tuple[Value, Replacement]]]
"""From a graph to the values that are to be replaced, each with by what."""


def replaced(graph: Graph, find: Find) -> Graph:
    """The graph with values replaced, in the graphs that its operations hold too.

    Args:
        graph: any.
        find: says what; it is asked once for each graph.

    Returns:
        A graph with the same interface; the same object if nothing is replaced.
    """
    with trail.recording() as recorder:
        return _Replacer(find, recorder).graph(graph)


class _Replacer:
    """Makes graphs anew, those that operations hold too."""

    def __init__(self, find: Find, recorder: trail.Recorder) -> None:
        self._find = find
        self._recorder = recorder
        # The old graph is kept beside the new one, so that its id stays its own.
        self._graphs: dict[int, tuple[Graph, Graph]] = {}

    def graph(self, graph: Graph) -> Graph:
        if id(graph) not in self._graphs:
            before = self._recorder.pinned
            self._graphs[id(graph)] = (graph, self._replaced(graph))
            self._recorder.pinned = before
        return self._graphs[id(graph)][1]

    def _replaced(self, graph: Graph) -> Graph:
        found = dict(self._find(graph))
        held = {node: self._held(node.op) for node in graph.nodes if getattr(node.op, "holds_graphs", False)}
        if not found and all(node.op is op for node, op in held.items()):
            return graph
        new: dict[Value, Value] = {value: value for value in graph.inputs}
        pending = list(graph.outputs)
        while pending:
            value = pending[-1]
            replacement = found.get(value)
            needed = value.node.inputs if replacement is None else replacement.operands()
            missing = [each for each in needed if each not in new]
            if missing and value not in new:
                pending += missing
                continue
            pending.pop()
            if value in new:
                continue
            self._recorder.pinned = graph.origins.get(value.node, NOWHERE)
            if replacement is None:
                made = self._again(value.node, held, new)
                new.update(zip(value.node.outputs, made.outputs, strict=True))
            else:
                new.update(replacement.made([new[each] for each in needed]))
        return Graph(
            graph.inputs, tuple([new[value] for value in graph.outputs]), graph.in_tree, graph.out_tree,
            graph.output_names, ChainMap(dict(graph.origins), self._recorder.table),
        )  # fmt: skip

    def _again(self, node: Node, held: Mapping[Node, Op], new: Mapping[Value, Value]) -> Node:
        """A node on new operands."""
        op, operands = held.get(node, node.op), tuple([new[value] for value in node.inputs])
        return node if op is node.op and operands == node.inputs else apply(op, operands, node.types)

    def _held(self, op: Any) -> Op:
        """The operation with the graphs it holds made anew; itself if they stay."""
        changed = False

        def replace(item: Any) -> Any:
            nonlocal changed
            made = self.graph(item) if isinstance(item, Graph) else item
            changed = changed or made is not item
            return made

        attributes = {name: map_attribute(value, replace) for name, value in op.attributes().items()}
        return op.with_attributes(attributes) if changed else op
