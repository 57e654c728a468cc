"""Sums with zeros in most places, written into the place where they are not; equal but for the sign of zeros.

The derivative of a part is that part among zeros, and the derivatives of several parts are added. ``x + 0.0`` is
``x`` but for ``-0.0``, so these rewrites are not exact.
"""

from __future__ import annotations

from rax.ir.node import Constant, Value, apply
from rax.ir.op import REGISTRY
from rax.ir.types import int64
from rax.ops.algebra import add
from rax.ops.arrays import scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.elementwise import Add
from rax.ops.samples import FLOATS, normal, sample
from rax.ops.shape import Concat, Pad, pad
from rax.passes.rule import Example, Found, rule


def is_zero(value: Value) -> bool:
    """Whether a value is 0 everywhere, as a constant that may be repeated."""
    inner = value.node.inputs[0] if type(value.node.op) is BroadcastTo else value
    return type(inner.node.op) is Constant and inner == scalar(0, inner.dtype)


@rule(
    Add,
    Example(
        sample(normal(2, 3), normal(2, 2), dtypes=FLOATS),
        lambda x, y: add(pad(x, (0, 2), (0, 0), (0, 0)), pad(y, (0, 0), (0, 3), (0, 0))),
        lambda x, y: Concat(1)(y, x),
    ),
    Example(
        sample(normal(1), normal(2), dtypes=FLOATS),
        lambda x, y: add(pad(x, (1,), (3,), (0,)), pad(y, (2,), (1,), (0,))),
        lambda x, y: pad(Concat(0)(x, y), (1,), (1,), (0,)),
    ),
)
def parts_side_by_side(_: Add, x: Value, y: Value) -> Found:
    """Two parts that lie next to each other among zeros."""
    first, second = x.node.op, y.node.op
    if type(first) is not Pad or type(second) is not Pad or any(first.interior) or any(second.interior):
        return None
    if x.shape != y.shape:
        return None
    margins = [list(zip(op.low, op.high, strict=True)) for op in (first, second)]
    axes = [axis for axis in range(x.ndim) if margins[0][axis] != margins[1][axis]]
    if len(axes) != 1:
        return None
    (axis,) = axes
    left, right = x.node.inputs[0], y.node.inputs[0]
    if second.low[axis] + right.shape[axis] == first.low[axis]:
        first, second, left, right = second, first, right, left
    elif first.low[axis] + left.shape[axis] != second.low[axis]:
        return None
    high = (*first.high[:axis], second.high[axis], *first.high[axis + 1 :])
    parts = [part for side in (left, right) for part in _parts(side, axis)]
    if not any((*first.low, *high)):
        return Concat(axis)(*parts)
    return pad(Concat(axis)(*parts), first.low, high, first.interior)


def _parts(value: Value, axis: int) -> tuple[Value, ...]:
    return value.node.inputs if value.node.op == Concat(axis) else (value,)


@rule(
    Add,
    Example(
        sample(normal(4), normal(4), dtypes=FLOATS),
        lambda x, y: add(_scattered(BroadcastTo((4,))(scalar(0, x.dtype)), x), y),
        lambda x, y: _scattered(y, x),
    ),
)
def scattered_onto(_: Add, x: Value, y: Value) -> Found:
    """Numbers added at positions, each once, among zeros: at those of the other operand."""
    for side, other in ((x, y), (y, x)):
        op = side.node.op
        unique = getattr(op, "unique_indices", False) and getattr(op, "reduction", "") == "add"
        if op.name == "scatter" and unique and is_zero(side.node.inputs[0]) and other.type == side.type:
            return apply(op, (other, *side.node.inputs[1:])).outputs[0]
    return None


def _scattered(x: Value, y: Value) -> Value:
    """For the example: y added to x at positions that are counted."""
    places = apply(REGISTRY["iota"](x.shape[0], int64), ()).outputs[0]
    return apply(REGISTRY["scatter"](0, "add", unique_indices=True), (x, places, y)).outputs[0]


JOINING = (parts_side_by_side, scattered_onto)
"""In the order they are tried."""
