"""Split a graph's derivative in two: the results with what must be kept, and a linear rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rax.autodiff.jvp import push, select, tangent_inputs
from rax.ir.graph import Graph, replace_values, topological
from rax.ir.node import Constant, Node, Value, new_input
from rax.ir.op import Transforms


def dependents(order: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes of an order that depend on any source, sources included."""
    found = set(sources)
    for node in order:
        for value in node.inputs:
            if value.node in found:
                found.add(node)
                break
    return found


def frontier(outputs: Sequence[Value], moving: Sequence[Value]) -> tuple[Value, ...]:
    """The values from outside that what is computed from ``moving`` uses, in order of first use.

    Outputs that are not computed from ``moving`` are among them; constants are not.
    """
    order = topological(outputs)
    found = dependents(order, [value.node for value in moving])
    used = [value for node in order if node in found for value in node.inputs]
    return tuple(
        dict.fromkeys(v for v in (*used, *outputs) if v.node not in found and not isinstance(v.node.op, Constant))
    )


def linearize_graph(
    transforms: Transforms, graph: Graph, active: tuple[bool, ...]
) -> tuple[Graph, Graph, tuple[bool, ...]]:
    """``x -> (y, residuals)`` and ``(residuals, dx) -> dy of the non-zero``; which are non-zero."""
    varied = select(graph.inputs, active)
    seeds = tangent_inputs(varied)
    outputs, tangents = push(transforms, graph.outputs, dict(zip(varied, seeds, strict=True)), transposable=True)
    kept = tuple(tangent for tangent in tangents if tangent is not None)
    computed = dependents(topological(kept), [value.node for value in graph.inputs])
    residuals = tuple(value for value in frontier(kept, seeds) if value.node in computed)
    saved = [new_input(f"residual{index}", value.type) for index, value in enumerate(residuals)]
    linear = replace_values(kept, dict(zip(residuals, saved, strict=True)))
    primal = Graph(graph.inputs, (*outputs, *residuals))
    return primal, Graph((*saved, *seeds), linear), tuple(t is not None for t in tangents)
