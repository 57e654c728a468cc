"""Rewrites of what is read and written at computed places, exact in every dtype; imported with what they rewrite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rax.ir.dims import Shape
from rax.ir.node import Constant, Value
from rax.ir.types import bool_, int64
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import constant, scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.comparison import Equal
from rax.ops.indexing import Gather, Scatter
from rax.ops.samples import BOOL, INTEGERS, NUMERIC, normal, sample
from rax.passes.rule import Example, Found, Rule, rule

_PLACES = constant([3, -4, 1], int64)


@rule(
    Gather,
    Example(
        sample(normal(4, 2), normal(3, 2)),
        lambda x, y: Gather()(Scatter(reduction="set")(x, _PLACES, y), _PLACES),
        lambda x, y: y,
    ),
    Example(
        sample(normal(4, 5), normal(3)),
        lambda x, y: Gather()(Scatter(reduction="set")(x, _PLACES, _PLACES, y), _PLACES, _PLACES),
        lambda x, y: y,
    ),
)
def read_where_written(op: Gather, x: Value, *indices: Value) -> Found:
    """What was written, read at the same places, which are known to be there and no two the same."""
    written = x.node.op
    if type(written) is not Scatter or written.reduction != "set" or op.batch_dims or written.batch_dims:
        return None
    source, *places, updates = x.node.inputs
    return updates if tuple(places) == indices and _are_different(indices, source.shape) else None


def _are_different(indices: Sequence[Value], shape: Shape) -> bool:
    """Whether the places that constants name are there, and no two are the same."""
    sizes = [size for size, _ in zip(shape, indices, strict=False) if isinstance(size, int)]
    literals = [index.node.op.literal for index in indices if type(index.node.op) is Constant]
    if not len(sizes) == len(literals) == len(indices) or math.prod(sizes) >= 1 << 62:
        return False
    numbers: Any = 0
    for literal, size in zip(literals, sizes, strict=True):
        array = literal.array.astype("int64").reshape(-1)
        if ((array < -size) | (array >= size)).any():
            return False
        numbers = numbers * size + array % max(size, 1)
    numbers.sort()
    return bool((numbers[1:] != numbers[:-1]).all())


@rule(
    Scatter,
    Example(
        sample(normal(4, 2), normal(3, 2), dtypes=NUMERIC),
        lambda x, y: Scatter(reduction="set")(Scatter()(x, _PLACES, y), _PLACES, y),
        lambda x, y: Scatter(reduction="set")(x, _PLACES, y),
    ),
)
def written_over(op: Scatter, x: Value, *rest: Value) -> Found:
    """What was written, or added, where something else is written then."""
    first = x.node.op
    if op.reduction != "set" or type(first) is not Scatter or first.batch_dims != op.batch_dims:
        return None
    source, *places, _ = x.node.inputs
    return op(source, *rest) if tuple(places) == rest[:-1] else None


@rule(
    Equal,
    Example(
        sample(normal(3), dtypes=BOOL + INTEGERS),
        lambda x: Equal()(x, x),
        lambda x: BroadcastTo((3,))(scalar(1, bool_)),
    ),
)
def equal_to_itself(_: Equal, x: Value, y: Value) -> Found:
    """A comparison with itself, not of numbers that may be NaN."""
    return broadcast_to(scalar(1, bool_), x.shape) if x == y and not x.dtype.is_inexact else None


def places() -> tuple[Rule, ...]:
    """The rules, in the order they are tried."""
    return read_where_written, written_over, equal_to_itself
