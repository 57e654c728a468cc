"""schemas/ops.json against files: what a reader that knows the list alone would check of every operation in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

ROOT = Path(__file__).parents[2]
LISTED: dict[str, dict[str, Any]] = {row["name"]: row for row in json.loads((ROOT / "schemas/ops.json").read_bytes())}
FILES = sorted((ROOT / "tests/golden").glob("v*/*.msgpack")) + sorted((ROOT / "examples").glob("*/*.msgpack"))


def fits(value: Any, due: Any) -> bool:
    """Whether a decoded attribute has a type of the list, as FORMAT.md tells it."""
    if isinstance(due, list):
        if not isinstance(value, list):
            return False
        parts = due[:1] * len(value) if due[1:] == ["..."] else due
        return len(parts) == len(value) and all(map(fits, value, parts))
    if due == "size":
        return type(value) is int or (isinstance(value, dict) and set(value) == {"dim"})
    if due in ("dtype", "graph"):
        return isinstance(value, dict) and set(value) == {due}
    if due == "float":
        return type(value) in (int, float) or (isinstance(value, dict) and set(value) == {"float"})
    return type(value) is {"int": int, "bool": bool, "str": str}[due]


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file, with msgpack alone."""
    return msgpack.unpackb(path.read_bytes(), strict_map_key=False)[2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_operation_of_a_file_is_as_listed(path: Path) -> None:
    header = read_header(path)
    for name, since, attributes, *body in header["ops"]:
        if body:
            assert (since, name in LISTED) == (0, False)
            continue
        row = LISTED[name]
        types = {each["name"]: each["type"] for each in row["attributes"]}
        required = {each["name"] for each in row["attributes"] if "default" not in each}
        assert since == row["since"]
        assert required <= set(attributes) <= set(types)
        assert [key for key, value in attributes.items() if not fits(value, types[key])] == []
        values = {each["name"]: each["values"] for each in row["attributes"] if "values" in each}
        assert [key for key, allowed in values.items() if attributes.get(key, allowed[0]) not in allowed] == []


def test_defaults_have_the_type_of_their_attribute() -> None:
    rows = [(row["name"], each) for row in LISTED.values() for each in row["attributes"] if "default" in each]
    assert [(name, each) for name, each in rows if not fits(each["default"], each["type"])] == []


def test_an_attribute_that_is_a_string_has_its_values_listed() -> None:
    rows = [(row["name"], each) for row in LISTED.values() for each in row["attributes"]]
    assert [name for name, each in rows if (each["type"] == "str") != ("values" in each)] == []
    assert [name for name, each in rows if each.get("default") not in each.get("values", [each.get("default")])] == []


def test_operands_and_results_of_a_file_are_as_many_as_listed() -> None:
    header = read_header(ROOT / "tests/golden/v1/operations.msgpack")
    counted: set[str] = set()
    for graph in header["graphs"]:
        for number, results, *operands in graph["nodes"]:
            name = header["ops"][number][0]
            assert LISTED[name]["operands"] in (None, len(operands)), name
            assert LISTED[name]["results"] in (None, len(results) if isinstance(results, list) else 1), name
            counted.add(name)
    assert counted >= set(LISTED)
