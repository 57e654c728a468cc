"""Rewrites of choices, casts and logic, exact in every dtype; imported where a graph has one of them."""

from __future__ import annotations

from rax.ir.node import Value
from rax.ir.op import Op
from rax.ir.types import DType, bool_, broadcast_shapes, float32, float64
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.complex_parts import Conj, conj
from rax.ops.logical import BitwiseInvert, LogicalNot, bitwise_invert, logical_not
from rax.ops.samples import BOOL, COMPLEX, INTEGERS, booleans, normal, sample
from rax.ops.selection import Cast, Where, where
from rax.passes.canonical import below, is_number
from rax.passes.rule import Example, Found, Rule, rule


@rule(
    (LogicalNot, BitwiseInvert, Conj),
    Example(sample(normal(3), dtypes=BOOL), lambda x: logical_not(logical_not(x)), lambda x: x),
    Example(sample(normal(3), dtypes=BOOL + INTEGERS), lambda x: bitwise_invert(bitwise_invert(x)), lambda x: x),
    Example(sample(normal(3), dtypes=COMPLEX), lambda x: conj(conj(x)), lambda x: x),
)
def undone(op: Op, x: Value) -> Found:
    """An operation that undoes itself."""
    return below(x, type(op))


@rule(Cast, Example(sample(normal(2)), lambda x: Cast(x.dtype)(x), lambda x: x))
def cast_to_its_own_dtype(op: Cast, x: Value) -> Found:
    """A cast to the dtype that is there."""
    return x if op.dtype is x.dtype else None


@rule(
    Cast,
    Example(
        sample(normal(3), dtypes=("float16", "bfloat16", "int8")),
        lambda x: Cast(x.dtype)(Cast(float32)(x)),
        lambda x: x,
    ),
    Example(sample(normal(3), dtypes=("float16",)), lambda x: Cast(float64)(Cast(float32)(x)), Cast(float64)),
)
def cast_there_and_on(op: Cast, x: Value) -> Found:
    """A cast of a cast that has lost nothing."""
    inner = below(x, Cast)
    if inner is None or not _keeps_all(inner.dtype, x.dtype) or x.dtype.kind == "complex":
        return None
    if op.dtype.kind != inner.dtype.kind and op.dtype.kind in ("int", "uint") and x.dtype.kind == "float":
        return None  # of a floating number out of range, of which NumPy does not say what becomes of it
    return inner if op.dtype is inner.dtype else op(inner)


def _keeps_all(narrow: DType, wide: DType) -> bool:
    """Whether every number of a dtype is one of the other."""
    if narrow.kind == wide.kind:
        return wide.itemsize > narrow.itemsize and not (narrow.is_float8 and wide.itemsize == 2)
    if narrow.kind == "bool":
        return True
    if narrow.kind == "uint" and wide.kind == "int":
        return wide.itemsize > narrow.itemsize
    return narrow.kind in ("int", "uint") and wide.kind == "float" and wide.itemsize >= max(4, 2 * narrow.itemsize)


@rule(
    Where,
    Example(
        sample(booleans(3), normal(3)),
        lambda test, x: where(test, where(test, x, scalar(1, x.dtype)), scalar(2, x.dtype)),
        lambda test, x: where(test, x, scalar(2, x.dtype)),
    ),
    Example(
        sample(booleans(3), normal(3)),
        lambda test, x: where(test, x, where(test, scalar(1, x.dtype), scalar(2, x.dtype))),
        lambda test, x: where(test, x, scalar(2, x.dtype)),
    ),
    Example(
        sample(booleans(3), normal(3)),
        lambda test, x: where(logical_not(test), x, scalar(1, x.dtype)),
        lambda test, x: where(test, scalar(1, x.dtype), x),
    ),
)
def chosen_twice(_: Where, test: Value, x: Value, y: Value) -> Found:
    """A choice within a choice by the same condition, or by one that is turned round."""
    turned = below(test, LogicalNot)
    if turned is not None:
        return where(turned, y, x)
    shape = broadcast_shapes(test.shape, x.shape, y.shape)
    if type(x.node.op) is Where and x.node.inputs[0] == test:
        x = x.node.inputs[1]
    elif type(y.node.op) is Where and y.node.inputs[0] == test:
        y = y.node.inputs[2]
    else:
        return None
    return where(test, x, y) if broadcast_shapes(test.shape, x.shape, y.shape) == shape else None


@rule(
    Where,
    Example(sample(booleans(3), normal(2, 3)), lambda test, x: where(test, x, x), lambda test, x: x),
    Example(
        sample(normal(3), normal(2, 3)),
        lambda x, y: where(scalar(1, bool_), x, y),
        lambda x, y: BroadcastTo((2, 3))(x),
    ),
    Example(sample(normal(3), normal(3)), lambda x, y: where(scalar(0, bool_), x, y), lambda x, y: y),
)
def no_choice(_: Where, test: Value, x: Value, y: Value) -> Found:
    """Equal branches, or a condition known to be true or false."""
    chosen = x if x == y or is_number(test, 1) else y if is_number(test, 0) else None
    return None if chosen is None else broadcast_to(chosen, broadcast_shapes(test.shape, x.shape, y.shape))


def choosing() -> tuple[Rule, ...]:
    """The rules, in the order they are tried."""
    return undone, cast_to_its_own_dtype, cast_there_and_on, no_choice, chosen_twice
