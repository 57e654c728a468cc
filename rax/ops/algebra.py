"""What every transform needs to add derivatives up and line them up: add, zeros, broadcast.

They stand below the classes they use, so they look them up in the registry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rax.ir.dims import Shape, Size
from rax.ir.node import Value
from rax.ir.op import REGISTRY
from rax.ir.types import TensorType, float32
from rax.ops.arrays import scalar


def add(left: Value, right: Value) -> Value:
    """The sum of two values of one type."""
    return in_float32(REGISTRY["add"](), left, right)


def in_float32(function: Callable[..., Value], *values: Value) -> Value:
    """A sum of derivatives: of float8, in which nothing is added, in float32 and rounded; else as it is."""
    dtype = values[0].dtype
    if not dtype.is_float8:
        return function(*values)
    cast: Any = REGISTRY["cast"]
    return cast(dtype)(function(*[cast(float32)(value) for value in values]))


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
