"""A graph to break: operations of fixed result types, and nodes no rule has checked."""

from __future__ import annotations

import dataclasses
from typing import Any

from rax.ir.node import Node, Operation, Value, apply, new_input
from rax.ir.op import Op
from rax.ir.types import TensorType, tensor_type

VECTOR = tensor_type((3,))
SCALAR = tensor_type(())


class Simple(Operation):
    """An operation that always gives results of the same types."""

    def __init__(self, name: str, *types: TensorType) -> None:
        self.name = name  # pyright: ignore[reportAttributeAccessIssue]  # one class stands for many operations
        self.types = types
        self.key = (Simple, name, str(types))

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        return self.types

    def __repr__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Anything(Op):
    """An operation with one attribute, of any kind."""

    name = "anything"
    value: Any = None

    def result(self, *operands: TensorType) -> TensorType:
        return operands[0] if operands else VECTOR


def step(name: str, *operands: Value, type: TensorType = VECTOR) -> Value:
    """One result of a simple operation."""
    return apply(Simple(name, type), operands)


def chain(length: int) -> tuple[Value, Value]:
    """The first and the last value of a chain of nodes, each the only operand of the next."""
    first = last = new_input("x", VECTOR)
    operation = Simple("next", VECTOR)
    for _ in range(length):
        last = apply(operation, (last,), (VECTOR,))
    return first, last


def unchecked(name: str, operands: tuple[Value, ...], claimed: TensorType, *, due: TensorType = VECTOR) -> Value:
    """A node that claims another type than its rule gives; never interned."""
    return Node(Simple(name, due), operands, (claimed,))
