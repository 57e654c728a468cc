"""The graph as a networkx multigraph, for searches, layouts and statistics of other libraries."""

from __future__ import annotations

from typing import Any, cast

import networkx as nx

from rax.ir.graph import Graph
from rax.ir.node import Input
from rax.ir.op import Op
from rax.ir.text.graph_printer import references
from rax.ir.trail import NOWHERE


def to_networkx(graph: Graph) -> nx.MultiDiGraph[str]:
    """The graph as a ``networkx.MultiDiGraph``; nodes are called as in the text form.

    Every node has ``op`` (its operation's name), ``attributes`` (by name; an input's ``name``),
    ``types`` (one for each result), ``scope`` and ``source``. Every edge has ``operand`` (its
    place among the operands, also its key), ``result`` (which result of the first node it is)
    and ``type``. The multigraph itself has ``inputs``, a list of nodes, and ``outputs``, a list of
    ``(name, node, result)``.

    Example:
        >>> import rax.ops
        >>> from rax.ir.node import new_input
        >>> from rax.ir.op import REGISTRY
        >>> from rax.ir.types import tensor_type
        >>> x = new_input("x", tensor_type((2,)))
        >>> network = to_networkx(Graph((x,), (REGISTRY["add"]()(x, x),)))
        >>> list(network.edges(data="operand")), network.nodes["%0"]["op"]
        ([('x', '%0', 0), ('x', '%0', 1)], 'add')
    """
    names = references(graph)
    network = cast("Any", nx.MultiDiGraph())
    for node in graph.nodes:
        origin = graph.origins.get(node, NOWHERE)
        attributes: dict[str, Any] = node.op.attributes() if isinstance(node.op, Op) else {}
        if isinstance(node.op, Input):
            attributes = {"name": node.op.label}
        network.add_node(
            names[node],
            op=node.op.name,
            attributes=attributes,
            types=node.types,
            scope=origin.scope,
            source=origin.source,
        )
        for place, value in enumerate(node.inputs):
            network.add_edge(
                names[value.node], names[node], key=place, operand=place, result=value.index, type=value.type
            )
    network.graph["inputs"] = [names[value.node] for value in graph.inputs]
    network.graph["outputs"] = [
        (name, names[value.node], value.index) for name, value in zip(graph.output_names, graph.outputs, strict=True)
    ]
    return network
