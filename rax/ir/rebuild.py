"""Nodes rebuilt from a file or a text: as written, whatever else is in memory."""

from __future__ import annotations

from collections.abc import Sequence

from rax.ir import trail
from rax.ir.graph import Graph
from rax.ir.node import Node, Value, apply
from rax.ir.op import Op, held_graphs
from rax.ir.types import TensorType


def rebuild(op: Op, operands: Sequence[Value], types: tuple[TensorType, ...] | None = None) -> Node:
    """The node of an operation on operands, whose held graphs keep the origins that they were given.

    Equal operations on equal operands are one node, and graphs are equal wherever they were written. An
    operation of constants alone may so be found in another program that is in memory; if the graphs it
    holds come from elsewhere, it gets a node of its own, or a program would not save to the bytes it had.

    Args:
        op: the operation.
        operands: what it is applied to.
        types: the result types, where the caller already knows them.

    Raises:
        TypeInferenceError: the operation is not defined on these operands.
    """
    node = apply(op, operands, types)
    known = node.op
    if known is op or not isinstance(known, Op) or _origins(known) == _origins(op):
        return node
    fresh = Node(op, tuple(operands), node.types)
    trail.recorder().created(fresh)
    return fresh


def _origins(op: Op) -> list[object]:
    """Where the nodes of the graphs that an operation holds come from, to any depth."""
    found: list[object] = []
    waiting: list[Graph] = [graph for _, graph in held_graphs(op)]
    seen: set[int] = set()
    while waiting:
        graph = waiting.pop()
        if id(graph) in seen:
            continue
        seen.add(id(graph))
        for node in graph.nodes:
            found.append(graph.origins.get(node))
            if isinstance(node.op, Op):
                waiting += [held for _, held in held_graphs(node.op)]
    return found
