"""Rewrites that compute before elements are repeated or axes of size 1 come or go, exact in every dtype.

What is elementwise gives the same numbers before a broadcast as after it, and there are fewer of them. It
gives the same before a reshape as after it too; where that only adds or drops axes of size 1, the
reshapes left behind meet and cancel.
"""

from __future__ import annotations

from rax.ir.dims import Shape
from rax.ir.node import Value
from rax.ir.op import Op
from rax.ir.types import broadcast_shapes
from rax.ops.algebra import add
from rax.ops.arrays import scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.elementwise import Pointwise, multiply, negative
from rax.ops.samples import FLOATS, NUMERIC, normal, sample
from rax.ops.shape import Flip, PermuteDims, Reshape
from rax.passes.rule import Example, Found, rule


def may_fail(op: Op, operand: Value) -> bool:
    """Whether an elementwise operation refuses some numbers: it must not run where it did not, as on no numbers."""
    return op.name == "pow" and not operand.dtype.is_floating and operand.dtype.kind != "complex"


@rule(
    Pointwise,
    Example(
        sample(normal(3), dtypes=NUMERIC),
        lambda x: negative(BroadcastTo((2, 3))(x)),
        lambda x: BroadcastTo((2, 3))(negative(x)),
    ),
    Example(
        sample(normal(2, 1), dtypes=FLOATS),
        lambda x: add(x, BroadcastTo((2, 3))(x)),
        lambda x: BroadcastTo((2, 3))(add(x, x)),
    ),
    Example(
        sample(normal(3)),
        lambda x: multiply(scalar(2, x.dtype), BroadcastTo((2, 3))(x)),
        lambda x: BroadcastTo((2, 3))(multiply(scalar(2, x.dtype), x)),
    ),
)
def before_the_broadcast(op: Pointwise, *operands: Value) -> Found:
    """An elementwise operation on operands of which none fills the shape of the result."""
    if may_fail(op, operands[0]):
        return None
    small = [value.node.inputs[0] if type(value.node.op) is BroadcastTo else value for value in operands]
    if all(value is operand for value, operand in zip(small, operands, strict=True)):
        return None
    shape = broadcast_shapes(*[value.shape for value in operands])
    if broadcast_shapes(*[value.shape for value in small]) == shape:
        return None
    return BroadcastTo(shape)(op(*small))


def _without_ones(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


@rule(
    Pointwise,
    Example(
        sample(normal(2, 1)),
        lambda x: multiply(Reshape((2,))(x), scalar(3, x.dtype)),
        lambda x: Reshape((2,))(multiply(x, scalar(3, x.dtype))),
    ),
    Example(
        sample(normal(2, 3), normal(2, 3)),
        lambda x, y: add(Reshape((2, 1, 3))(x), Reshape((2, 1, 3))(y)),
        lambda x, y: Reshape((2, 1, 3))(add(x, y)),
    ),
)
def before_the_reshape(op: Pointwise, *operands: Value) -> Found:
    """An elementwise operation on operands that a reshape has given axes of size 1, or taken them, and on numbers."""
    shape: Shape | None = None
    before: Shape | None = None
    for value in operands:
        if not value.ndim:
            continue
        if type(value.node.op) is not Reshape:
            return None
        inner = value.node.inputs[0].shape
        if shape is None:
            shape, before = value.shape, inner
        elif value.shape != shape or inner != before:
            return None
    if shape is None or before is None or not before or _without_ones(shape) != _without_ones(before):
        return None
    return Reshape(shape)(op(*[value.node.inputs[0] if value.ndim else value for value in operands]))


@rule(
    (Reshape, PermuteDims, Flip),
    Example(
        sample(normal()),
        lambda x: Reshape((3, 2, 1))(BroadcastTo((2, 3))(x)),
        BroadcastTo((3, 2, 1)),
    ),
    Example(
        sample(normal()),
        lambda x: PermuteDims((1, 0))(BroadcastTo((2, 3))(x)),
        BroadcastTo((3, 2)),
    ),
)
def moved_repetitions(op: Op, x: Value) -> Found:
    """One number repeated, in another shape or order."""
    if type(x.node.op) is not BroadcastTo:
        return None
    (inner,) = x.node.inputs
    if inner.ndim:
        return None
    (result,) = op.infer(x.type)
    return BroadcastTo(result.shape)(inner)


HOISTING = (before_the_broadcast, before_the_reshape, moved_repetitions)
"""In the order they are tried."""
