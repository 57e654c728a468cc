"""Every keyword of the published schema, and for each a value that this keyword alone keeps out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.format.schema import DEFINITIONS, SCHEMA, VALIDATOR

Place = tuple[Any, ...]
"""Keys and indices from the top of a document; ``KEY`` before the last says that the key itself is meant."""
KEY = object()
SAYS_NOTHING = {"$schema", "$id", "$defs", "$comment", "title", "description", "if"}
POOL: tuple[Any, ...] = (
    None, True, False, 0, 1, 7, -1, 2**63, 2**64 - 1, -(2**63), "",
    "n", "a b", "..", "a/../b", "min", "class", "_a", "a.b", "$a", "0g", "00" * 65, "a/" * 2048 + "b", "n\n", "9",
    [], [0], [1, 2], ["+", "n"], ["%", "n", 1], ["//", "n", 2, 3], {}, {"a": 0},
    {"$bin": ""}, {"$bin": "00"}, {"$bin": "00" * 65}, {"$float": 0.5}, 0.5, 1e999, -1e999, {"graph": 0, "type": 0},
)  # fmt: skip
LONG = 300
"""Longer lists and maps are not made."""


@dataclass
class Keyword:
    """A keyword of the schema, or one property or item it holds.

    Attributes:
        node: the schema it stands in.
        name: the keyword.
        part: the property or the number of the item.
        places: where documents have a value it is held against.
    """

    node: dict[str, Any]
    name: str
    part: str | int | None = None
    places: list[tuple[Any, Place]] = field(default_factory=list[Any])

    @property
    def is_large(self) -> bool:
        """Whether it is a bound that takes a long list to pass."""
        return self.name in ("maxItems", "maxProperties") and self.node[self.name] > LONG

    def keeps_out(self, values: Iterator[Any]) -> Iterator[Any]:
        """Those of some values that this keyword alone keeps out."""
        rest = {key: value for key, value in self.node.items() if key != self.name}
        if self.part is not None:
            parts = copy.copy(self.node[self.name])
            parts[self.part] = True
            rest[self.name] = parts
        whole, less = (VALIDATOR.evolve(schema={**schema, "$defs": DEFINITIONS}) for schema in (self.node, rest))
        return (value for value in values if not whole.is_valid(value) and less.is_valid(value))


def keywords() -> dict[str, Keyword]:
    """Every keyword by its place in the schema; what stands in ``not`` and ``if`` belongs to them."""
    found: dict[str, Keyword] = {}

    def visit(node: Any, at: str) -> None:
        for name, value in node.items() if isinstance(node, dict) else ():
            parts = {"properties": dict, "prefixItems": list, "anyOf": list}.get(name)
            rows = list(value.items() if parts is dict else enumerate(value)) if parts else []
            for part, below in rows:
                if below is not True and name != "anyOf":
                    found[f"{at}/{name}/{part}"] = Keyword(node, name, part)
                visit(below, f"{at}/{name}/{part}")
            if not parts or name == "anyOf":
                if name not in SAYS_NOTHING:
                    found[f"{at}/{name}"] = Keyword(node, name)
                if name not in ("not", "if"):
                    visit(value if name != "$defs" else {}, f"{at}/{name}")

    visit(SCHEMA, "")
    for name, node in DEFINITIONS.items():
        visit(node, f"/$defs/{name}")
    return found


def valid(value: Any, schema: Any) -> bool:
    """Whether a value is as a part of the schema says."""
    return schema is True or VALIDATOR.evolve(schema={**schema, "$defs": DEFINITIONS}).is_valid(value)


def trace(document: Any, into: dict[str, Keyword]) -> None:
    """Note for each keyword the places of a document it is held against."""

    def visit(node: Any, at: str, value: Any, document: Any, place: Place) -> None:
        for keyword in [into[path] for path in _own(node, at, value) if path in into]:
            keyword.places.append((document, place))
        for below, path, item, more in _below(node, at, value):
            visit(below, path, item, document, (*place, *more))

    visit(SCHEMA, "", document, document, ())


def _own(node: Any, at: str, value: Any) -> list[str]:
    """The keywords of a schema, and of its properties and items those that a value has."""
    paths: list[str] = []
    for name, held in node.items() if isinstance(node, dict) else ():
        paths.append(f"{at}/{name}")
        if name == "properties" and isinstance(value, dict):
            paths += [f"{at}/{name}/{part}" for part in value]
        elif name == "prefixItems" and isinstance(value, list):
            paths += [f"{at}/{name}/{part}" for part in range(min(len(held), len(value)))]
    return paths


def _below(node: Any, at: str, value: Any) -> Iterator[tuple[Any, str, Any, Place]]:
    """The schemas that a node holds its value, or what is in it, against."""
    if not isinstance(node, dict):
        return
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        yield DEFINITIONS[name], f"/$defs/{name}", value, ()
    for number, branch in enumerate(node.get("anyOf", ())):
        if valid(value, branch):
            yield branch, f"{at}/anyOf/{number}", value, ()
    if "if" in node:
        name = "then" if valid(value, node["if"]) else "else"
        yield node.get(name, True), f"{at}/{name}", value, ()
    if isinstance(value, dict):
        known = node.get("properties", {})
        for key, item in value.items():
            if key in known:
                yield known[key], f"{at}/properties/{key}", item, (key,)
            elif "additionalProperties" in node:
                yield node["additionalProperties"], f"{at}/additionalProperties", item, (key,)
            if "propertyNames" in node:
                yield node["propertyNames"], f"{at}/propertyNames", key, (KEY, key)
    if isinstance(value, list):
        prefix = node.get("prefixItems", ())
        for number, item in enumerate(value):
            if number < len(prefix):
                yield prefix[number], f"{at}/prefixItems/{number}", item, (number,)
            elif "items" in node:
                yield node["items"], f"{at}/items", item, (number,)


def value_at(document: Any, place: Place) -> Any:
    """What stands at a place."""
    for number, step in enumerate(place):
        if step is KEY:
            return place[number + 1]
        document = document[step]
    return document


def put(document: Any, place: Place, value: Any) -> Any:
    """The document with another value, or key, at a place."""
    if not place:
        return value
    step, *rest = place
    if step is KEY:
        return {value if key == rest[0] else key: item for key, item in document.items()}
    changed = copy.copy(document)
    changed[step] = put(document[step], tuple(rest), value)
    return changed


def others(value: Any, keyword: Keyword) -> Iterator[Any]:
    """Values near one that a keyword is held against."""
    node, part = keyword.node, keyword.part
    if part is not None:
        yield from (put(value, (part,), other) for other in POOL)
        return
    yield from (node[name] + step for name, step in (("minimum", -1), ("maximum", 1)) if type(node.get(name)) is int)
    if isinstance(value, str):
        for letter in (value[-1:] or "a", "a", "0", "$"):
            yield letter * (node.get("maxLength", 0) + 1)
            yield from ("00" * 31, "00" * 33, value + "\n")
    yield from POOL
    if isinstance(value, list):
        yield value[:-1]
        for item in (*value[-1:], *POOL):
            yield [*value, item]
        for number in range(min(len(value), 5)):
            yield from ([*value[:number], item, *value[number + 1 :]] for item in (*value[:1], *POOL))
        if value and node.get("maxItems", LONG + 1) <= LONG:
            yield [*value, *value[-1:] * (node["maxItems"] + 1 - len(value))]
    if isinstance(value, dict):
        for key, item in value.items():
            yield {other: each for other, each in value.items() if other != key}
            yield from ({**value, key: other} for other in POOL)
            yield from ({**value, extra: item} for extra in ("extra", "body"))
            yield {**value, "a" * (2**16 + 1): item}
            if node.get("maxProperties", LONG + 1) <= LONG:
                yield {**value, **{f"n{number}": item for number in range(node["maxProperties"])}}
        yield {**value, "body": 0, "extra": None}


def violations(keyword: Keyword) -> Iterator[Any]:
    """Documents that are as the schema says, but for one value that this keyword alone keeps out of its place."""
    for document, place in keyword.places:
        for other in keyword.keeps_out(others(value_at(document, place), keyword)):
            yield put(document, place, other)
