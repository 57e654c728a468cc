"""Changes to a decoded header that know its structure, for fuzzing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

from rax.ir.graph import Graph
from rax.ir.program import Program
from tests.ops import laws

Place = tuple[Any, Any]
"""A container and a key or index in it."""

WORDS = (
    "", "n", "batch", "float32", "bfloat16", "dtype", "dim", "graph", "tensor", "type", "float", "nan", "leaf", "list",
    "dict", "dataclass", "add", "scan", "cond", "reshape", "+", "*", "//", "min", "\x00", "é",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 3, 5, 64, 65, -1, -2, -3, 127, 128, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**53, 2**62,
    2**63 - 1, 2**64 - 1, -(2**31), -(2**63), 0.5, 1.0, -1e308, float("inf"), float("nan"), b"", b"\x00" * 4, bytes(32),
    [], [0], [1, 2], [[]], {}, {"dim": "n"}, {"graph": 0}, {"tensor": 0}, {"type": 0}, {"dtype": "int64"},
    {"dim": ["*", 2, "n"]}, {"dim": ["//", 7, "n"]}, {"float": "nan"}, ["+", "n", 1], ["//", "n", "m"], *WORDS,
)  # fmt: skip
WAYS = ("put", "remove", "repeat", "copy", "swap", "nudge")


def operations() -> Program:
    """An entry for each operation: the first of its samples."""
    entries: dict[str, Graph] = {}
    for case in laws.cases():
        entries.setdefault(case.cls.name, case.graph())
    return Program(entries)


def places(header: dict[str, Any]) -> list[Place]:
    """Every place of a header at which there is a value."""
    return list(_places(header))


def _places(value: Any) -> Iterator[Place]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


def mutate(header: dict[str, Any], where: int, way: str, value: Any, other: int) -> None:
    """Change one place of a header.

    Args:
        header: changed in place.
        where: counts the place; any int.
        way: one of ``WAYS``.
        value: what is put.
        other: counts the place that is copied from or swapped with.
    """
    found = places(header)
    if not found:
        return
    box, key = found[where % len(found)]
    from_box, from_key = found[other % len(found)]
    if way == "put":
        box[key] = copy.deepcopy(value)
    elif way == "remove":
        del box[key]
    elif way == "repeat" and isinstance(box, list):
        cast("list[Any]", box).insert(key, copy.deepcopy(box[key]))
    elif way == "copy":
        box[key] = copy.deepcopy(from_box[from_key])
    elif way == "swap":
        box[key], from_box[from_key] = copy.deepcopy(from_box[from_key]), copy.deepcopy(box[key])
    elif way == "nudge" and type(box[key]) is int:
        box[key] += (where + other) % 7 - 3
