"""Forward mode: tangents pushed through nodes in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from rax.ir import trail
from rax.ir.collector import paused
from rax.ir.graph import Graph, topological
from rax.ir.node import Value, apply, new_input
from rax.ir.op import Derivative, Op, Transforms
from rax.ops.algebra import add


@paused()
def push(
    transforms: Transforms, outputs: Sequence[Value], seeds: Mapping[Value, Value], *, transposable: bool
) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
    """Push tangents from some values to others.

    Args:
        transforms: handed to operations that hold graphs.
        outputs: where tangents are wanted.
        seeds: the tangent of each value varied; what it is computed from stays fixed unless
            itself varied, in which case the tangents add.
        transposable: whether every node that depends on a tangent must be linear in it.

    Returns:
        The outputs, rebuilt where an operation gives its tangent along with its result, and
        their tangents (None for zero).
    """
    new: dict[Value, Value] = {}
    tangents: dict[Value, Value] = dict(seeds)
    with trail.pinning() as recorder:
        for node in topological(outputs):
            moved: list[Derivative] = []
            active = False
            for value in node.inputs:
                tangent = tangents.get(value)
                active = active or tangent is not None
                moved.append(tangent)
            if not active and not new:
                continue
            operands = tuple([new.get(value, value) for value in node.inputs]) if new else node.inputs
            if not active:
                if operands != node.inputs:
                    remade = apply(node.op, operands).outputs
                    new.update(zip(node.outputs, remade, strict=True))
                continue
            recorder.pinned = trail.origin_of(node)
            op = cast("Op", node.op)
            rule = op.linearize if transposable else op.forward
            results, pushed = rule(transforms, operands, tuple(moved))
            for old, result, tangent in zip(node.outputs, results, pushed, strict=True):
                if result != old:
                    new[old] = result
                if tangent is not None:
                    tangents[old] = add(seeds[old], tangent) if old in seeds else tangent
    return tuple(new.get(v, v) for v in outputs), tuple(tangents.get(v) for v in outputs)


def tangent_inputs(values: Iterable[Value]) -> tuple[Value, ...]:
    """A fresh input for the tangent of each value."""
    return tuple(new_input(f"tangent{index}", value.type) for index, value in enumerate(values))


def select(items: Sequence[Value], chosen: Iterable[bool]) -> tuple[Value, ...]:
    """The items whose flag is set."""
    return tuple(item for item, some in zip(items, chosen, strict=True) if some)


def jvp_graph(transforms: Transforms, graph: Graph, active: tuple[bool, ...]) -> tuple[Graph, tuple[bool, ...]]:
    """Inputs ``(x, dx of the active)`` to outputs ``(y, dy of the non-zero)``; which are non-zero."""
    varied = select(graph.inputs, active)
    seeds = tangent_inputs(varied)
    outputs, tangents = push(transforms, graph.outputs, dict(zip(varied, seeds, strict=True)), transposable=False)
    kept = tuple(tangent for tangent in tangents if tangent is not None)
    return Graph((*graph.inputs, *seeds), (*outputs, *kept)), tuple(t is not None for t in tangents)
