"""Rewrites of single operations that move or combine elements, exact in every dtype.

Each rule shows a graph it rewrites, and what becomes of it; tests compare both bit for bit on
numbers drawn and on zeros of both signs, infinities and NaNs. A rule here may name operations;
what applies the rules may not.
"""

from __future__ import annotations

import math
from typing import Any

from rax.ir.node import Constant, Operation, Value
from rax.ir.op import REGISTRY, Op
from rax.ir.types import broadcast_shapes
from rax.ops.algebra import add
from rax.ops.arrays import constant, scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.elementwise import (
    Add,
    Divide,
    Multiply,
    Negative,
    Pointwise,
    Subtract,
    divide,
    multiply,
    negative,
    subtract,
)
from rax.ops.samples import FLOATS, INTEGERS, NUMERIC, REAL, booleans, normal, sample
from rax.ops.shape import Concat, Flip, Pad, PermuteDims, Reshape, Slice
from rax.passes.rule import Example, Found, rule


def below(x: Value, cls: type[Any]) -> Value | None:
    """The operand of the operation that gives ``x``, if that is of a class."""
    return x.node.inputs[0] if type(x.node.op) is cls else None


def is_number(x: Value, number: int) -> bool:
    """Whether ``x`` is the constant of shape ``()``; 0 is not ``-0.0``."""
    return type(x.node.op) is Constant and x == scalar(number, x.dtype)


# Moving elements.


@rule(
    (Reshape, BroadcastTo),
    Example(sample(normal(2, 3)), Reshape((2, 3)), lambda x: x),
    Example(sample(normal(2, 3)), BroadcastTo((2, 3)), lambda x: x),
)
def to_its_own_shape(op: Reshape | BroadcastTo, x: Value) -> Found:
    """A tensor brought to the shape it has."""
    return x if op.shape == x.shape else None


@rule(
    (PermuteDims, Slice, Pad, Flip, Concat),
    Example(sample(normal(2, 3)), PermuteDims((0, 1)), lambda x: x),
    Example(sample(normal(2, 3)), Slice((0, 0), (2, 3), (1, 1)), lambda x: x),
    Example(sample(normal(2)), Pad((0,), (0,), (0,)), lambda x: x),
    Example(sample(normal(2)), Flip(()), lambda x: x),
    Example(sample(normal(2)), Concat(0), lambda x: x),
)
def left_as_it_is(op: Op, *operands: Value) -> Found:
    """An operation whose attributes leave nothing for it to do."""
    x = operands[0]
    match op:
        case PermuteDims():
            idle = op.axes == tuple(range(x.ndim))
        case Slice():
            idle = op.stops == x.shape and all(start == 0 for start in op.starts) and set(op.steps) <= {1}
        case Pad():
            idle = all(amount == 0 for amount in (*op.low, *op.high, *op.interior))
        case Flip():
            idle = not op.axes
        case _:
            idle = len(operands) == 1
    return x if idle else None


@rule(
    (Reshape, BroadcastTo),
    Example(sample(normal(2, 3)), lambda x: Reshape((6,))(Reshape((3, 2))(x)), Reshape((6,))),
    Example(
        sample(normal(3)),
        lambda x: BroadcastTo((4, 2, 3))(BroadcastTo((2, 3))(x)),
        BroadcastTo((4, 2, 3)),
    ),
)
def to_a_shape_twice(op: Reshape | BroadcastTo, x: Value) -> Found:
    """The last of two shapes."""
    inner = below(x, type(op))
    return None if inner is None else op(inner)


@rule(
    PermuteDims,
    Example(
        sample(normal(2, 3, 4)),
        lambda x: PermuteDims((1, 0, 2))(PermuteDims((2, 0, 1))(x)),
        PermuteDims((0, 2, 1)),
    ),
)
def permuted_twice(op: PermuteDims, x: Value) -> Found:
    """Two orders of axes as one."""
    first = x.node.op
    if not isinstance(first, PermuteDims):
        return None
    return PermuteDims(tuple(first.axes[axis] for axis in op.axes))(x.node.inputs[0])


@rule(
    Flip,
    Example(sample(normal(2, 3)), lambda x: Flip((0, 1))(Flip((0,))(x)), Flip((1,))),
)
def flipped_twice(op: Flip, x: Value) -> Found:
    """Axes flipped twice keep their order."""
    first = x.node.op
    if not isinstance(first, Flip):
        return None
    return Flip(tuple(sorted(set(op.axes) ^ set(first.axes))))(x.node.inputs[0])


# Broadcasting.

_STRETCHED = (BroadcastTo, Reshape, Constant)


def unstretched(x: Value) -> Value | None:
    """``x`` without the repetition or the leading axes that broadcasting adds by itself; None if it has none."""
    op = x.node.op
    if isinstance(op, BroadcastTo):
        return x.node.inputs[0]
    if isinstance(op, Reshape):
        (inner,) = x.node.inputs
        added = x.ndim - inner.ndim
        return inner if added > 0 and x.shape == ((1,) * added + inner.shape) else None
    if isinstance(op, Constant) and x.ndim and x.type.size == 1:
        return constant(op.literal.array.reshape(()))
    return None


@rule(
    BroadcastTo,
    Example(
        sample(normal(3)),
        lambda x: BroadcastTo((2, 3))(Reshape((1, 3))(x)),
        BroadcastTo((2, 3)),
    ),
)
def stretched_twice(op: BroadcastTo, x: Value) -> Found:
    """Leading axes of size 1 before a broadcast, which adds them itself."""
    inner = unstretched(x)
    return None if inner is None else op(inner)


@rule(
    Pointwise,
    Example(
        sample(normal(3), normal(2, 3), dtypes=NUMERIC),
        lambda x, y: add(BroadcastTo((2, 3))(x), y),
        add,
    ),
    Example(
        sample(booleans(2, 3), normal(3)),
        lambda test, x: REGISTRY["where"]()(test, BroadcastTo((2, 3))(x), Reshape((1, 3))(x)),
        lambda test, x: REGISTRY["where"]()(test, x, x),
    ),
    Example(
        sample(normal(2, 3), dtypes=NUMERIC),
        lambda x: add(BroadcastTo((2, 3))(Reshape((1, 1))(scalar(2, x.dtype))), x),
        lambda x: add(scalar(2, x.dtype), x),
    ),
)
def stretched_operand(op: Pointwise, *operands: Value) -> Found:
    """Operands as they were before they were stretched, where the others give the result its shape."""
    current = list(operands)
    shape = None
    for place, value in enumerate(operands):
        smaller = unstretched(value) if type(value.node.op) in _STRETCHED else None
        while smaller is not None:
            if shape is None:
                shape = broadcast_shapes(*[each.shape for each in operands])
            trial = [*current[:place], smaller, *current[place + 1 :]]
            if broadcast_shapes(*[each.shape for each in trial]) != shape:
                break
            current, smaller = trial, unstretched(smaller)
    return None if tuple(current) == operands else op(*current)


# Arithmetic.


@rule(
    Negative,
    Example(sample(normal(3), dtypes=NUMERIC), lambda x: negative(negative(x)), lambda x: x),
)
def negated_twice(_: Negative, x: Value) -> Found:
    """The negative of a negative."""
    return below(x, Negative)


@rule(
    Multiply,
    Example(sample(normal(3), dtypes=REAL), lambda x: multiply(x, scalar(1, x.dtype)), lambda x: x),
    Example(sample(normal(3), dtypes=REAL), lambda x: multiply(scalar(1, x.dtype), x), lambda x: x),
)
def times_one(_: Multiply, x: Value, y: Value) -> Found:
    """``x * 1``, not of complex numbers, whose product adds a zero that may turn ``-0.0`` into ``0.0``."""
    if x.dtype.kind == "complex":
        return None
    return x if is_number(y, 1) else y if is_number(x, 1) else None


@rule(
    Divide,
    Example(sample(normal(3), dtypes=FLOATS), lambda x: divide(x, scalar(1, x.dtype)), lambda x: x),
)
def over_one(_: Divide, x: Value, y: Value) -> Found:
    """``x / 1``, not of complex numbers."""
    return x if x.dtype.kind != "complex" and is_number(y, 1) else None


@rule(
    Subtract,
    Example(sample(normal(3), dtypes=NUMERIC), lambda x: subtract(x, scalar(0, x.dtype)), lambda x: x),
)
def minus_zero(_: Subtract, x: Value, y: Value) -> Found:
    """``x - 0``."""
    return x if is_number(y, 0) else None


@rule(
    Add,
    Example(sample(normal(3), dtypes=INTEGERS), lambda x: add(x, scalar(0, x.dtype)), lambda x: x),
    Example(sample(normal(3), dtypes=INTEGERS), lambda x: add(scalar(0, x.dtype), x), lambda x: x),
)
def plus_zero(_: Add, x: Value, y: Value) -> Found:
    """``x + 0`` of integers; a floating ``-0.0 + 0.0`` is ``0.0``."""
    if x.dtype.is_inexact:
        return None
    return x if is_number(y, 0) else y if is_number(x, 0) else None


@rule(
    Divide,
    Example(
        sample(normal(3), dtypes=FLOATS),
        lambda x: divide(x, scalar(-8, x.dtype)),
        lambda x: multiply(x, scalar(-0.125, x.dtype)),
    ),
    Example(
        sample(normal(3), dtypes=("float16", "float32")),
        lambda x: divide(x, scalar(2.0**14, x.dtype)),
        lambda x: multiply(x, scalar(2.0**-14, x.dtype)),
    ),
)
def over_a_power_of_two(_: Divide, x: Value, y: Value) -> Found:
    """A quotient whose divisor has an exact inverse: the product has the same exact value, rounded once too."""
    if type(y.node.op) is not Constant or y.ndim or not y.dtype.is_floating:
        return None
    number = float(y.node.op.literal.array)
    exponent = _NORMAL_EXPONENTS.get(y.dtype.name, 0)
    if abs(math.frexp(number)[0]) != 0.5 or not 2.0**-exponent <= abs(number) <= 2.0**exponent:
        return None
    return multiply(x, scalar(1 / number, y.dtype))


_NORMAL_EXPONENTS = {"float16": 14, "bfloat16": 126, "float32": 126, "float64": 1022}
"""Powers of two with exponents up to these, of either sign, are normal numbers."""


@rule(
    (Add, Subtract),
    Example(sample(normal(3), normal(3), dtypes=NUMERIC), lambda x, y: add(x, negative(y)), subtract),
    Example(
        sample(normal(3), normal(3), dtypes=NUMERIC), lambda x, y: add(negative(x), y), lambda x, y: subtract(y, x)
    ),
    Example(sample(normal(3), normal(3), dtypes=NUMERIC), lambda x, y: subtract(x, negative(y)), add),
)
def plus_a_negative(op: Add | Subtract, x: Value, y: Value) -> Found:
    """A difference is a sum with the negative number, to the sign of zeros."""
    right = below(y, Negative)
    if right is not None:
        return subtract(x, right) if type(op) is Add else add(x, right)
    left = below(x, Negative) if type(op) is Add else None
    return None if left is None else subtract(y, left)


@rule(
    (Multiply, Divide),
    Example(
        sample(normal(3), normal(3), dtypes=FLOATS),
        lambda x, y: multiply(negative(x), y),
        lambda x, y: negative(multiply(x, y)),
    ),
    Example(
        sample(normal(3), normal(3), dtypes=FLOATS),
        lambda x, y: divide(x, negative(y)),
        lambda x, y: negative(divide(x, y)),
    ),
    Example(
        sample(normal(3), dtypes=FLOATS),
        lambda x: multiply(negative(x), scalar(3, x.dtype)),
        lambda x: multiply(x, scalar(-3, x.dtype)),
    ),
)
def times_a_negative(op: Multiply | Divide, x: Value, y: Value) -> Found:
    """The sign after a product or quotient of real numbers, where sums absorb it, or in a constant factor."""
    if not x.dtype.is_floating:
        return None
    left, right = below(x, Negative), below(y, Negative)
    if left is not None and type(y.node.op) is Constant and not y.ndim:
        return op(left, scalar(-float(y.node.op.literal.array), y.dtype))
    shape = broadcast_shapes(x.shape, y.shape)
    if left is not None and left.shape == shape:
        return negative(op(left, y))
    return negative(op(x, right)) if right is not None and right.shape == shape else None


_COMMUTE = frozenset(("add", "multiply", "equal", "not_equal", "logical_and", "logical_or", "logical_xor"))


def commutes(op: Operation, operands: tuple[Value, ...]) -> bool:
    """Whether an operation gives the same bits with its operands exchanged.

    Not of complex numbers, whose products are sums that may be rounded once or twice; nor a maximum, of which
    NumPy does not say what becomes of zeros of both signs.
    """
    return op.name in _COMMUTE and operands[0].dtype.kind != "complex"


CANONICAL = (
    to_its_own_shape,
    left_as_it_is,
    to_a_shape_twice,
    permuted_twice,
    flipped_twice,
    stretched_twice,
    stretched_operand,
    negated_twice,
    times_one,
    over_one,
    minus_zero,
    plus_zero,
    over_a_power_of_two,
    plus_a_negative,
    times_a_negative,
)
"""In the order they are tried."""
