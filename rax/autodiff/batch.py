"""Batching: a leading axis carried through every node that needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rax.ir import trail
from rax.ir.dims import Size
from rax.ir.graph import Graph
from rax.ir.node import Value, apply, new_input
from rax.ir.op import Op, Transforms
from rax.ops.algebra import broadcast_to


def batch_values(
    transforms: Transforms, graph: Graph, size: Size, values: Sequence[Value], batched: Sequence[bool]
) -> tuple[tuple[Value, ...], tuple[bool, ...]]:
    """The graph's outputs over values some of which carry a leading batch axis; which outputs do.

    Args:
        transforms: handed to operations that hold graphs.
        graph: what to batch.
        size: the length of the batch axis.
        values: one for each input, with the axis in front where ``batched``.
        batched: which values carry it.
    """
    new: dict[Value, Value] = dict(zip(graph.inputs, values, strict=True))
    wide = {value for value, some in zip(graph.inputs, batched, strict=True) if some}
    with trail.pinning() as recorder:
        for node in graph.nodes[len(graph.inputs) :]:
            operands = tuple([new[value] for value in node.inputs])
            flags = tuple([value in wide for value in node.inputs])
            recorder.pinned = graph.origins.get(node)
            if any(flags):
                results = cast("Op", node.op).batch_results(transforms, size, flags, operands)
                wide.update(node.outputs)
            else:
                results = apply(node.op, operands).outputs
            new.update(zip(node.outputs, results, strict=True))
    return tuple(new[v] for v in graph.outputs), tuple(v in wide for v in graph.outputs)


def batch_graph(
    transforms: Transforms,
    graph: Graph,
    size: Size,
    batched: tuple[bool, ...],
    force: tuple[bool, ...] | None = None,
) -> tuple[Graph, tuple[bool, ...]]:
    """The graph with a leading axis on the batched inputs, and on the outputs in ``force``."""
    inputs = [
        new_input(name, value.type.with_shape((size, *value.shape)) if some else value.type)
        for name, value, some in zip(graph.input_names, graph.inputs, batched, strict=True)
    ]
    outputs, wide = batch_values(transforms, graph, size, inputs, batched)
    asked = force or (False,) * len(outputs)
    widened = [
        broadcast_to(value, (size, *value.shape)) if must and not some else value
        for value, some, must in zip(outputs, wide, asked, strict=True)
    ]
    return Graph(inputs, widened), tuple(some or must for some, must in zip(wide, asked, strict=True))
