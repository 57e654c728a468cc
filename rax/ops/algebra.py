"""What every transform needs to add derivatives up and line them up: add, zeros, broadcast.

They stand below the classes they use, so they look them up in the registry.
"""

from __future__ import annotations

from typing import Any

from rax.ir.dims import Shape, Size
from rax.ir.node import Value
from rax.ir.op import REGISTRY
from rax.ir.types import TensorType
from rax.ops.arrays import scalar


def add(left: Value, right: Value) -> Value:
    """The sum of two values of one type."""
    return REGISTRY["add"]()(left, right)


def broadcast_to(x: Value, shape: Shape) -> Value:
    """``x`` stretched to a shape; itself if it has that shape."""
    stretch: Any = REGISTRY["broadcast_to"]
    return x if x.shape == shape else stretch(shape=shape)(x)


def full(type: TensorType, number: complex) -> Value:
    """A number in every element."""
    return broadcast_to(scalar(number, type.dtype), type.shape)


def zeros(type: TensorType) -> Value:
    """Zero in every element."""
    return full(type, 0)


def all_batched(size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]) -> list[Value]:
    """The operands, each with the leading batch axis."""
    return [
        value if some else broadcast_to(value, (size, *value.shape))
        for value, some in zip(operands, batched, strict=True)
    ]
