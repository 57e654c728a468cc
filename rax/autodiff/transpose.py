"""Transposition: cotangents pulled back through nodes linear in some of their operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rax.autodiff.jvp import select
from rax.autodiff.linearize import dependents
from rax.ir import trail
from rax.ir.collector import paused
from rax.ir.errors import DerivativeError
from rax.ir.graph import Graph, topological
from rax.ir.node import Input, Value, new_input
from rax.ir.op import Derivative, Op, Transforms
from rax.ops.algebra import add, zeros


@paused()
def pull(
    transforms: Transforms,
    outputs: Sequence[Derivative],
    cotangents: Sequence[Derivative],
    linear: Sequence[Value],
) -> tuple[Derivative, ...]:
    """Pull cotangents of outputs back to the inputs they are linear in.

    Args:
        transforms: handed to operations that hold graphs.
        outputs: values linear in ``linear``; None for zero.
        cotangents: one for each output; None for zero.
        linear: the inputs.

    Returns:
        A cotangent for each input; None for zero.
    """
    pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o is not None and c is not None]
    order = topological([output for output, _ in pairs])
    moving = dependents(order, [value.node for value in linear])
    sums: dict[Value, Value] = {}
    for output, cotangent in pairs:
        sums[output] = add(sums[output], cotangent) if output in sums else cotangent
    with trail.pinning() as recorder:
        for node in reversed(order):
            if node not in moving or isinstance(node.op, Input):
                continue
            cts = tuple([sums.get(value) for value in node.outputs])
            if cts.count(None) == len(cts):
                continue
            recorder.pinned = trail.origin_of(node)
            mask = tuple([value.node in moving for value in node.inputs])
            try:
                parts = cast("Op", node.op).pull_back(transforms, cts, mask, node.inputs)
            except DerivativeError as error:
                error.source = error.source or trail.origin_of(node).source
                raise
            for value, some, part in zip(node.inputs, mask, parts, strict=True):
                if some and part is not None:
                    sums[value] = add(sums[value], part) if value in sums else part
    return tuple(sums.get(value) for value in linear)


def transpose_graph(transforms: Transforms, graph: Graph, linear: tuple[bool, ...]) -> Graph:
    """``(non-linear inputs, cotangents) -> cotangents of the linear inputs``."""
    moving = select(graph.inputs, linear)
    fixed = select(graph.inputs, [not some for some in linear])
    cotangents = [new_input(f"cotangent{index}", value.type) for index, value in enumerate(graph.outputs)]
    parts = pull(transforms, graph.outputs, cotangents, moving)
    filled = [zeros(value.type) if part is None else part for value, part in zip(moving, parts, strict=True)]
    return Graph((*fixed, *cotangents), filled)
