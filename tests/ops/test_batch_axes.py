"""``rax.vmap`` over every axis an operand may have, on one sample of each operation; and under derivatives.

The laws batch along the leading axis; here the axis stands anywhere, counted from either end, in
one operand while the others are shared, and in all of them, each along an axis of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import rax
from rax.ir.graph import Graph
from rax.ops.arrays import Array
from rax.runtime.reference import evaluate_graph
from tests.ops import laws
from tests.ops.laws import Case

ROWS = 2


def _structure(case: Case) -> tuple[int, int]:
    """How much a sample has to get wrong: axes, then elements, of which there are some."""
    sizes = [int(np.prod([int(size) for size in type.shape])) for type in case.types]
    return (sum(type.ndim for type in case.types) if all(sizes) else -1), sum(sizes)


def _chosen() -> list[Case]:
    """One case of each operation, in float64 where it has that: the one with most structure."""
    best: dict[str, Case] = {}
    for case in laws.cases(("float64", "complex128", "int64", "bool", "float32")):
        old = best.get(case.cls.name)
        key = (case.dtype.name == "float64", *_structure(case))
        if old is None or key > (old.dtype.name == "float64", *_structure(old)):
            best[case.cls.name] = case
    return list(best.values())


CHOSEN = _chosen()
DIFFERENTIABLE = [case for case in CHOSEN if not case.cls.nondiff and any(laws.active_inputs(case.graph()))]


def placements(ranks: Sequence[int]) -> Iterator[tuple[int | None, ...]]:
    """Batch axes of the operands: each alone along each axis, counted from either end; then all, turned round."""
    for place, rank in enumerate(ranks):
        for axis in range(rank + 1):
            signed = axis if (axis + place) % 2 else axis - rank - 1
            yield tuple(signed if other == place else None for other in range(len(ranks)))
    for turn in range(max(ranks, default=-1) + 1):
        yield tuple((turn + place) % (rank + 1) - (turn % 2) * (rank + 1) for place, rank in enumerate(ranks))


def stacked(rows: Sequence[Sequence[Array]], axes: Sequence[int | None]) -> list[Array]:
    """The operands of a batch: those of the first row, or all rows' along an axis."""
    columns = zip(*rows, strict=True)
    return [column[0] if axis is None else np.stack(column, axis) for column, axis in zip(columns, axes, strict=True)]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.cls.name)
def test_vmap_over_any_axis_equals_a_loop(case: Case) -> None:
    graph, rows = case.graph(), [case.arrays(seed) for seed in range(ROWS)]
    allowed = 16 * laws.coarsest((*graph.in_types, *graph.out_types)) * case.tolerance("batch")
    lowest = min(type.ndim for type in graph.out_types)
    loops: dict[tuple[bool, ...], list[tuple[Array, ...]]] = {}
    for turn, axes in enumerate(placements([type.ndim for type in case.types])):
        shared = tuple(axis is None for axis in axes)
        if shared not in loops:
            single = [[rows[0][i] if alike else row[i] for i, alike in enumerate(shared)] for row in rows]
            loops[shared] = list(zip(*[evaluate_graph(graph, operands) for operands in single], strict=True))
        out_axis = turn % (2 * lowest + 2) - lowest - 1
        found = evaluate_graph(rax.vmap(graph, axes, out_axis), stacked(rows, axes))
        for actual, due in zip(found, loops[shared], strict=True):
            laws.assert_close(actual, np.stack(due, out_axis), allowed, f"in_axes={axes}, out_axes={out_axis}")


def _inner_axes(graph: Graph) -> tuple[int, ...]:
    """An axis for each input that is not the leading one, where it can be another."""
    return tuple(min(1, type.ndim) for type in graph.in_types)


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.cls.name)
def test_derivatives_of_a_batch_are_batches_of_derivatives(case: Case) -> None:
    graph, rows = case.graph(), [case.arrays(seed) for seed in range(ROWS)]
    axes = _inner_axes(graph)
    batch = rax.vmap(graph, axes, -1, ROWS)
    transforms = [laws.tangent_graph] if case.cls.forward_only else [laws.tangent_graph, laws.cotangent_graph]
    for transform in transforms:
        derivative, reached = transform(graph)
        of_batch, also_reached = transform(batch)
        assert also_reached == reached
        pulled = transform is laws.cotangent_graph
        # Tangents enter where their operands do; cotangents enter where results leave, and leave in turn.
        rest = len(derivative.inputs) - len(axes)
        sides = (
            [-1] * rest
            if pulled
            else [axis for axis, some in zip(axes, laws.active_inputs(graph), strict=True) if some]
        )
        returned = [axis for axis, some in zip(axes, reached, strict=True) if some] if pulled else []
        leave = -1 if not pulled else returned[0] if len(returned) == 1 else tuple(returned)
        other = [laws.random_like(type, seed) for seed, type in enumerate(of_batch.in_types[len(axes) :], start=500)]
        operands = [*stacked(rows, axes), *other]
        due = evaluate_graph(rax.vmap(derivative, (*axes, *sides), leave, ROWS), operands)
        factor = case.tolerance("batch") * 4
        allowed = 16 * laws.coarsest((*graph.in_types, *graph.out_types)) * factor
        for index, (actual, expected) in enumerate(zip(evaluate_graph(of_batch, operands), due, strict=True)):
            laws.assert_close(actual, expected, allowed, f"{transform.__name__}, result {index}")
