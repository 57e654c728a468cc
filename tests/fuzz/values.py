"""Values for a header, drawn at random: what a reader may meet in each of its places, good and bad."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

OPS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "schemas" / "ops.json").read_text(encoding="utf-8"))
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
TREES = ("leaf", "none", "list", "tuple", "dict", "ordered_dict", "namedtuple", "dataclass", "arguments")
WORDS = (
    "", "n", "m", "batch", "x", "result", "float32", "dtype", "dim", "graph", "tensor", "type", "float", "nan", "inf",
    "leaf", "list", "arguments", "add", "scan", "cond", "body", "acme.op", "+", "*", "//", "min", "max", "_", "class",
    "..", "a/b", "/etc/passwd", "\x00", "é", "\U0001f600", "\u202e", "n" * 257, "x" * 65537,
)  # fmt: skip
NUMBERS = (
    0, 1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 63, 64, 65, 100, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**16, 2**20, 2**24,
    2**31 - 1, 2**31, 2**32 - 64, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -3, -64, -(2**31),
    -(2**63),
)  # fmt: skip
SCALARS: tuple[Any, ...] = (
    None, True, False, 0.0, -0.0, 0.5, 1.0, 1e308, -1e308, 5e-324, float("inf"), float("nan"), b"", b"\x00" * 4,
    bytes(32), bytes(64), bytes(65), msgpack.ExtType(5, b""), msgpack.Timestamp(0),
)  # fmt: skip
OPERATORS = ("+", "*", "//", "min", "max")


def number(rng: random.Random) -> int:
    """An int: small, or at a bound."""
    return rng.randrange(-4, 12) if rng.random() < 0.6 else rng.choice(NUMBERS)


def anything(rng: random.Random) -> Any:
    """A value of any kind."""
    kind = rng.randrange(9)
    if kind < 2:
        return number(rng)
    if kind == 2:
        return rng.choice(SCALARS)
    if kind == 3:
        return rng.choice(WORDS)
    if kind == 4:
        return [number(rng) for _ in range(rng.randrange(4))]
    if kind == 5:
        return {rng.choice(WORDS): number(rng) for _ in range(rng.randrange(3))}
    return (size, attribute, nested)[kind - 6](rng)


def nested(rng: random.Random) -> Any:
    """One value deep in arrays or maps."""
    value: Any = number(rng)
    for _ in range(rng.choice((1, 2, 8, 9, 33, 65, 101))):
        value = [value] if rng.random() < 0.9 else {"a": value}
    return value


def size(rng: random.Random, depth: int = 0) -> Any:
    """A size."""
    kind = rng.random()
    if kind < 0.3 or depth > 5:
        return rng.choice(("n", "m", "batch", "k"))
    if kind < 0.55:
        return number(rng)
    operator = rng.choice(OPERATORS)
    if rng.random() < 0.02:
        return _tall(rng, operator)
    count = rng.choice((2, 2, 2, 3, 12)) if operator in "+*" else 2
    return [operator, *[size(rng, depth + 1 + count // 4) for _ in range(count)]]


def _tall(rng: random.Random, operator: str) -> Any:
    """A size of one operator inside itself."""
    value: Any = "n"
    for step in range(rng.choice((31, 32, 33, 99, 100, 101))):
        other = rng.choice(("n", "m", step, -2, ["+", "k", 1]))
        value = [operator, value, other] if rng.random() < 0.5 else [operator, other, value]
    return value


def tensor_type(rng: random.Random) -> list[Any]:
    """A row of the table of types."""
    rank = rng.choice((0, 1, 1, 2, 2, 3, 4, 64, 65)) if rng.random() < 0.9 else rng.randrange(6)
    return [rng.choice(DTYPES), [size(rng) if rng.random() < 0.5 else rng.randrange(5) for _ in range(rank)]]


def tree(rng: random.Random) -> list[Any]:
    """A row of the table of trees."""
    kind = rng.choice(TREES)
    children = [rng.randrange(4) for _ in range(rng.randrange(4))]
    keys = [rng.choice(("a", "b", "c", "x", "_f", "class", 0, 1, -1, 2**63, 1.5)) for _ in children]
    return [kind, children, keys, rng.choice(("A", "a b", "class"))][: rng.choice((1, 2, 3, 3, 4))]


def attribute(rng: random.Random) -> Any:
    """A value that an attribute may have, by no type in particular."""
    makers: tuple[Callable[[], Any], ...] = (
        lambda: {"dtype": rng.choice(DTYPES)},
        lambda: {"dim": size(rng)},
        lambda: {"graph": rng.randrange(-1, 5)},
        lambda: {"tensor": rng.randrange(-1, 5)},
        lambda: {"type": rng.randrange(-1, 5)},
        lambda: {"float": rng.choice(("inf", "-inf", "nan", "1"))},
        lambda: [attribute(rng) for _ in range(rng.randrange(3))],
        lambda: [rng.randrange(-2, 5) for _ in range(rng.choice((0, 1, 2, 3, 300)))],
        lambda: number(rng),
        lambda: rng.choice(SCALARS),
        lambda: rng.choice(WORDS),
    )
    return rng.choice(makers)()


def of_type(rng: random.Random, due: Any) -> Any:
    """A value for an attribute of a type of ``ops.json``."""
    if isinstance(due, list):
        if due[-1] == "...":
            return [of_type(rng, due[0]) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4, 65)))]
        return [of_type(rng, each) for each in due]
    makers: dict[str, Callable[[], Any]] = {
        "int": lambda: number(rng),
        "bool": lambda: rng.random() < 0.5,
        "float": lambda: rng.choice((0.0, 1.0, -2.5, 1e308, 2, {"float": "nan"}, {"float": "inf"})),
        "str": lambda: rng.choice(WORDS),
        "size": lambda: number(rng) if rng.random() < 0.5 else {"dim": size(rng)},
        "dtype": lambda: {"dtype": rng.choice(DTYPES)},
        "graph": lambda: {"graph": rng.randrange(3)},
    }
    return makers[due]() if rng.random() < 0.95 else attribute(rng)


def operation(rng: random.Random) -> list[Any]:
    """A row of the table of operations: one of the format, its attributes of their types."""
    if rng.random() < 0.1:
        return [f"acme.{rng.choice('ab')}", 0, {rng.choice("uvw"): attribute(rng)}, rng.randrange(3)]
    row = rng.choice(OPS)
    attributes = {each["name"]: of_type(rng, each["type"]) for each in row["attributes"] if rng.random() < 0.95}
    return [row["name"], row["since"] if rng.random() < 0.98 else number(rng), attributes]
