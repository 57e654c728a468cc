"""Rewrites of parts, and of what is joined or padded, exact in every dtype; imported where a graph has one of them.

To take a part is to look at it from elsewhere, to join and to pad is to copy: so a part is taken of what was copied.
A part that may be empty, or lie elsewhere than is said, as sizes are not known, stays: to take it may be an error.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.node import Constant, Node, Value
from rax.ir.op import REGISTRY
from rax.ir.types import bool_
from rax.ops.algebra import broadcast_to, zeros
from rax.ops.arrays import scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.samples import normal, sample
from rax.ops.shape import Concat, Pad, Slice, pad
from rax.passes.canonical import below
from rax.passes.joining import is_zero
from rax.passes.rule import Example, Found, Rule, rule


def _lies_within(op: Slice, x: Value) -> bool:
    bounds = zip(op.starts, op.stops, x.shape, strict=True)
    return all(
        dims.at_least(start, 0) and dims.at_least(stop, start) and dims.at_least(size, stop)
        for start, stop, size in bounds
    )


def _moved(op: Slice, by: Sequence[Size]) -> Slice:
    """The same part, of what begins elsewhere."""
    starts, stops = (tuple([place - way for place, way in zip(row, by, strict=True)]) for row in (op.starts, op.stops))
    return Slice(starts, stops, op.steps)


@rule(
    Slice,
    Example(
        sample(normal(9, 5)),
        lambda x: Slice((1, 0), (4, 2), (2, 1))(Slice((1, 2), (8, 5), (1, 1))(x)),
        Slice((2, 2), (5, 4), (2, 1)),
    ),
)
def sliced_twice(op: Slice, x: Value) -> Found:
    """A part of a part, where both are known to lie within what they are taken from."""
    first, source = x.node.op, below(x, Slice)
    if not isinstance(first, Slice) or source is None or not set(first.steps) <= {1}:
        return None
    if not (_lies_within(first, source) and _lies_within(op, x)):
        return None
    return _moved(op, [-start for start in first.starts])(source)


@rule(
    Slice,
    Example(sample(normal()), lambda x: Slice((1, 0), (4, 3), (2, 1))(BroadcastTo((5, 3))(x)), BroadcastTo((2, 3))),
)
def part_of_repetitions(op: Slice, x: Value) -> Found:
    """A part of one number repeated."""
    inner = below(x, BroadcastTo)
    if inner is None or inner.ndim or not _lies_within(op, x):
        return None
    return broadcast_to(inner, op.infer(x.type)[0].shape)


@rule(
    Slice,
    Example(
        sample(normal(2, 3), normal(5, 3)),
        lambda x, y: Slice((3, 0), (6, 2), (2, 1))(Concat(0)(x, y, x)),
        lambda x, y: Slice((1, 0), (4, 2), (2, 1))(y),
    ),
    Example(
        sample(normal(2, 3), normal(5, 3)), lambda x, y: Slice((2, 0), (7, 3), (1, 1))(Concat(0)(x, y)), lambda x, y: y
    ),
)
def part_of_one_operand(op: Slice, x: Value) -> Found:
    """A part of what was joined that lies in one of the operands."""
    joined = x.node.op
    if type(joined) is not Concat or not _lies_within(op, x):
        return None
    axis = joined.axis % x.ndim
    start, stop, ends = op.starts[axis], op.stops[axis], _ends(x.node, axis)
    places = range(len(ends))
    if isinstance(start, int) and isinstance(ends, _Numbers):  # of a thousand operands, each may be taken
        first = bisect.bisect_right(ends, start, hi=len(ends) - 1)
        places = range(first, first + 1)
    for place in places:
        begin: Size = ends[place - 1] if place else 0
        if dims.at_least(start, begin) and dims.at_least(ends[place], stop):
            by: list[Size] = [0] * x.ndim
            by[axis] = begin
            return _taken(_moved(op, by), x.node.inputs[place])
    return None


class _Numbers(tuple[int, ...]):
    """Places that are known."""

    __slots__ = ()


_ENDS: WeakKeyDictionary[Node, _Numbers | tuple[Size, ...]] = WeakKeyDictionary()


def _ends(joined: Node, axis: int) -> _Numbers | tuple[Size, ...]:
    """Where each operand ends in what they are joined to."""
    ends = _ENDS.get(joined)
    if ends is None:
        ends = tuple(itertools.accumulate([part.shape[axis] for part in joined.inputs]))
        numbers = _Numbers([end for end in ends if isinstance(end, int)])
        ends = _ENDS[joined] = numbers if len(numbers) == len(ends) else ends
    return ends


def _taken(op: Slice, x: Value) -> Value:
    """The part; the whole where it is that."""
    whole = op.stops == x.shape and set(op.starts) <= {0} and set(op.steps) <= {1}
    return x if whole else op(x)


def _padded(op: Slice, x: Value) -> Slice | bool | None:
    """A part of what is padded as one of the operand; False if it lies in the padding alone; None if in both."""
    padded = x.node.op
    if type(padded) is not Pad or any(padded.interior) or not _lies_within(op, x):
        return None
    (inner,) = x.node.inputs
    moved = _moved(op, padded.low)
    if _lies_within(moved, inner):
        return moved
    bounds = zip(moved.starts, moved.stops, inner.shape, strict=True)
    outside = any(dims.at_least(0, stop) or dims.at_least(start, size) for start, stop, size in bounds)
    return False if outside else None


@rule(
    Slice,
    Example(
        sample(normal(4, 3)),
        lambda x: Slice((3, 1), (6, 3), (2, 1))(pad(x, (2, 1), (1, 0), (0, 0))),
        Slice((1, 0), (4, 2), (2, 1)),
    ),
    Example(sample(normal(4)), lambda x: Slice((2,), (6,), (1,))(pad(x, (2,), (1,), (0,))), lambda x: x),
    Example(
        sample(normal(4)),
        lambda x: Slice((5,), (7,), (1,))(pad(x, (1,), (3,), (0,))),
        lambda x: BroadcastTo((2,))(scalar(0, x.dtype)),
    ),
)
def part_of_what_is_padded(op: Slice, x: Value) -> Found:
    """A part of a padded tensor that has nothing of the padding, or nothing else."""
    moved = _padded(op, x)
    if moved is None:
        return None
    return zeros(op.infer(x.type)[0]) if isinstance(moved, bool) else _taken(moved, x.node.inputs[0])


def _written(x: Value, y: Value) -> Value:
    """For the example: ``x`` written over the second and third element of ``y``."""
    there = pad(BroadcastTo((2,))(scalar(1, bool_)), (1,), (2,), (0,))
    return REGISTRY["where"]()(there, pad(x, (1,), (2,), (0,)), y)


@rule(
    Slice,
    Example(
        sample(normal(2), normal(5)),
        lambda x, y: Slice((1,), (3,), (1,))(_written(x, y)),
        lambda x, y: Slice((1,), (3,), (1,))(pad(x, (1,), (2,), (0,))),
    ),
    Example(
        sample(normal(2), normal(5)),
        lambda x, y: Slice((3,), (5,), (1,))(_written(x, y)),
        lambda x, y: Slice((3,), (5,), (1,))(y),
    ),
)
def part_of_what_is_written(op: Slice, x: Value) -> Found:
    """A part of a tensor in which another part was written: what was written, or what is left of the rest."""
    if x.node.op.name != "where" or x.node.inputs[0].shape != x.shape:
        return None
    test, there, elsewhere = x.node.inputs
    moved = _padded(op, test)
    if moved is None:
        return None
    if moved is False:
        return op(broadcast_to(elsewhere, x.shape))
    inner = below(test.node.inputs[0], BroadcastTo)
    if inner is None or type(inner.node.op) is not Constant or inner != scalar(1, bool_):
        return None
    return op(broadcast_to(there, x.shape))


@rule(
    Pad,
    Example(
        sample(normal(5, 4)),
        lambda x: Pad((-1, 0), (-2, -1), (0, 0))(x),
        Slice((1, 0), (3, 3), (1, 1)),
    ),
)
def cropped(op: Pad, x: Value) -> Found:
    """A padding that only takes away."""
    if any(op.interior):
        return None
    stops = tuple([size + high for size, high in zip(x.shape, op.high, strict=True)])
    part = Slice(tuple([-low for low in op.low]), stops, (1,) * x.ndim)
    return part(x) if _lies_within(part, x) else None


@rule(
    Pad,
    Example(
        sample(normal(2)),
        lambda x: pad(pad(x, (1,), (0,), (0,)), (2,), (3,), (0,)),
        lambda x: pad(x, (3,), (3,), (0,)),
    ),
    Example(
        sample(normal(2)),
        lambda x: pad(BroadcastTo((2,))(scalar(0, x.dtype)), (1,), (3,), (0,)),
        lambda x: BroadcastTo((6,))(scalar(0, x.dtype)),
    ),
)
def padded_twice(op: Pad, x: Value) -> Found:
    """Zeros around zeros."""
    if not all(dims.at_least(amount, 0) for amount in (*op.low, *op.high)):
        return None
    if is_zero(x):
        return zeros(op.infer(x.type)[0])
    first = x.node.op
    if type(first) is not Pad or any(op.interior) or any(first.interior):
        return None
    if not all(dims.at_least(amount, 0) for amount in (*first.low, *first.high)):
        return None
    low, high = (
        tuple([one + other for one, other in zip(*rows, strict=True)])
        for rows in ((op.low, first.low), (op.high, first.high))
    )
    return pad(x.node.inputs[0], low, high, op.interior)


@rule(
    Concat,
    Example(
        sample(normal(5, 3), normal(1, 2)),
        lambda x, y: Concat(0)(Slice((1, 1), (3, 3), (1, 1))(x), Slice((3, 1), (4, 3), (1, 1))(x), y),
        lambda x, y: Concat(0)(Slice((1, 1), (4, 3), (1, 1))(x), y),
    ),
    Example(
        sample(normal(5)), lambda x: Concat(0)(Slice((0,), (3,), (1,))(x), Slice((3,), (5,), (1,))(x)), lambda x: x
    ),
)
def parts_that_were_one(op: Concat, *operands: Value) -> Found:
    """Parts joined that lie side by side in what they were taken from."""
    axis = op.axis % operands[0].ndim
    runs = [[operands[0]]]
    for value in operands[1:]:
        if _are_neighbours(runs[-1][-1], value, axis):
            runs[-1].append(value)
        else:
            runs.append([value])
    if len(runs) == len(operands):
        return None
    joined = [run[0] if len(run) == 1 else _whole(run[0], run[-1], axis) for run in runs]
    return joined[0] if len(joined) == 1 else op(*joined)


def _are_neighbours(left: Value, right: Value, axis: int) -> bool:
    first, second, source = left.node.op, right.node.op, below(left, Slice)
    if type(first) is not Slice or type(second) is not Slice or source is None or source != below(right, Slice):
        return False
    if first.stops[axis] != second.starts[axis] or first.steps != second.steps or first.steps[axis] != 1:
        return False
    alike = all(
        _without(one, axis) == _without(other, axis)
        for one, other in ((first.starts, second.starts), (first.stops, second.stops))
    )
    return alike and _lies_within(first, source) and _lies_within(second, source)


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _whole(left: Value, right: Value, axis: int) -> Value:
    """What lies between the begin of a part and the end of another."""
    first, last = left.node.op, right.node.op
    assert type(first) is Slice
    assert type(last) is Slice
    stops = (*first.stops[:axis], last.stops[axis], *first.stops[axis + 1 :])
    return _taken(Slice(first.starts, stops, first.steps), left.node.inputs[0])


def parts() -> tuple[Rule, ...]:
    """The rules, in the order they are tried."""
    slices = sliced_twice, part_of_repetitions, part_of_one_operand, part_of_what_is_padded, part_of_what_is_written
    return *slices, cropped, padded_twice, parts_that_were_one
