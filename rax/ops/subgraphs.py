"""Small tools for operations that hold graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rax.ir.dims import shape_text
from rax.ir.errors import TypeInferenceError, some
from rax.ir.graph import Graph
from rax.ir.node import Value
from rax.ir.op import Derivative
from rax.ir.types import TensorType
from rax.ops.algebra import zeros

T = TypeVar("T")


def split(items: Iterable[T], *counts: int) -> list[tuple[T, ...]]:
    """Cut items into consecutive parts of the given lengths, and the rest."""
    rest = tuple(items)
    parts: list[tuple[T, ...]] = []
    for count in counts:
        parts.append(rest[:count])
        rest = rest[count:]
    return [*parts, rest]


def pick(items: Iterable[T], chosen: Iterable[bool]) -> tuple[T, ...]:
    """The items whose flag is set."""
    return tuple(item for item, some in zip(items, chosen, strict=True) if some)


def unpick(items: Iterable[T], chosen: Iterable[bool]) -> tuple[T | None, ...]:
    """The inverse of :func:`pick`: each item in the place of a set flag, None elsewhere."""
    rest = iter(items)
    return tuple(next(rest) if some else None for some in chosen)


def fill(parts: Sequence[Derivative], types: Iterable[TensorType]) -> list[Value]:
    """Derivatives with zeros where there is none."""
    return [zeros(type) if part is None else part for part, type in zip(parts, types, strict=True)]


def present(parts: Iterable[Derivative]) -> tuple[Value, ...]:
    """The derivatives that are not zero."""
    return tuple(part for part in parts if part is not None)


def flags(parts: Iterable[Derivative]) -> tuple[bool, ...]:
    """Which derivatives are not zero."""
    return tuple(part is not None for part in parts)


def invert(chosen: Iterable[bool]) -> tuple[bool, ...]:
    """Each flag turned round."""
    return tuple(not some for some in chosen)


def varying_outputs(graph: Graph, inputs: Sequence[Value]) -> tuple[bool, ...]:
    """Which outputs of a graph depend on any of some of its inputs."""
    found = {value.node for value in inputs}
    for node in graph.nodes:
        if any(value.node in found for value in node.inputs):
            found.add(node)
    return tuple(value.node in found for value in graph.outputs)


def check_operands(name: str, graph: Graph, types: Sequence[TensorType]) -> None:
    """Check that a held graph takes operands of these types.

    Raises:
        TypeInferenceError: it does not.
    """
    if graph.in_types != tuple(types):
        raise TypeInferenceError(f"{name}: the graph takes ({some(graph.in_types)}), not ({some(types)})")


def check_same(name: str, what: str, first: Sequence[TensorType], second: Sequence[TensorType]) -> None:
    """Check that two lists of types are one.

    Raises:
        TypeInferenceError: they differ, naming the first place.
    """
    if len(first) != len(second):
        raise TypeInferenceError(f"{name}: {what}: {len(first)} values against {len(second)}")
    for index, (a, b) in enumerate(zip(first, second, strict=True)):
        if a != b:
            kind = "dtypes" if a.shape == b.shape else f"shapes {shape_text(a.shape)} and {shape_text(b.shape)}"
            raise TypeInferenceError(f"{name}: {what}: value {index} is {a} against {b} ({kind} differ)")
