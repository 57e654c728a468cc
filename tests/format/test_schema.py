"""The published schema and the loader agree, as far as a schema can say it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from rax.format import limits
from rax.format.header import EXAMPLE_KEYS, GRAPH_KEYS, HEADER_KEYS
from rax.format.trees import KEYWORDS, ROW_LENGTHS
from rax.ir.program import Program
from rax.ir.types import DTYPES
from tests.format.build import chain, from_bytes, small, split, stored, to_bytes
from tests.format.hostile import CHANGES
from tests.format.mutation import operations

SCHEMAS = Path(__file__).parents[2] / "schemas"
SCHEMA = cast("dict[str, Any]", json.loads((SCHEMAS / "header.schema.json").read_text(encoding="utf-8")))
VALIDATOR = Draft202012Validator(SCHEMA)

# Refused for what no schema says (but see SAID): that rows exist and come before, what operations infer, what
# entries need.
BEYOND_CODES = {
    "bad-index", "forward-reference", "wrong-type", "op-refused", "op-version", "unknown-op", "bad-program",
    "bad-graph",
}  # fmt: skip
SAID = {"a tree of no row", "an attribute's type", "a node of itself"}
# Neither what sums, products, depths or other rows decide, nor what JSON cannot tell apart.
BEYOND = {
    "too many bytes", "too many bytes beside a zero", "a division by zero", "a deep size", "a size that explodes",
    "a tree's key missing", "a dict out of order", "a deep tree", "a tree that doubles",
    "inputs that are no arguments", "a tree of other leaves", "an odd number of origins", "an empty run",
    "symbolic data", "data too short", "data as text", "a split off the boundary", "a segment the file lacks",
    "an unknown attribute", "a missing attribute", "an attribute of another type", "a deep attribute",
    "a huge attribute", "an attribute that is NaN", "a size that is a float",
    "an output's name missing", "a tensor of other length in another file", "a tensor in a file that is absent",
}  # fmt: skip


def as_json(value: Any) -> Any:
    """A header's JSON form: bins as hexadecimal digits."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [as_json(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


PROGRAMS = {
    "small": small(), "stored": stored(100, 5), "operations": operations(), "nothing": Program({}), "chain": chain(300),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_written_fits(name: str) -> None:
    program = PROGRAMS[name]
    header = as_json(split(to_bytes(program)).header)
    VALIDATOR.validate(json.loads(json.dumps(header, allow_nan=False)))


# A validator takes seconds for an attribute of 65,537 items, and has nothing against it.
@pytest.mark.parametrize("name", [name for name in CHANGES if name != "a long attribute"])
def test_what_is_refused_does_not_fit(name: str) -> None:
    change, code, _, _ = CHANGES[name]
    header = split(to_bytes(small())).header
    change(header)
    beyond = (code in BEYOND_CODES and name not in SAID) or name in BEYOND
    assert VALIDATOR.is_valid(as_json(header)) == beyond


def test_names_and_bounds_are_the_readers() -> None:
    definitions = SCHEMA["$defs"]
    assert tuple(SCHEMA["properties"]) == HEADER_KEYS
    assert tuple(definitions["graph"]["properties"]) == GRAPH_KEYS
    assert tuple(definitions["example"]["properties"]) == EXAMPLE_KEYS
    assert definitions["dtype"]["enum"] == list(DTYPES)
    assert set(definitions["identifier"]["not"]["enum"]) == KEYWORDS
    lengths: dict[str, int] = {}
    for form in definitions["tree"]["anyOf"]:
        kind, *_ = form["prefixItems"]
        lengths |= dict.fromkeys(kind.get("enum", [kind.get("const")]), form["minItems"])
    assert lengths == ROW_LENGTHS
    numbers = set(map(int, re.findall(r'"max\w+": (\d+)', json.dumps(SCHEMA))))
    for name in ("ROWS", "GRAPHS", "NODES", "ENTRIES", "ATTRIBUTES", "ATTRIBUTE_ITEMS", "SCOPE_DEPTH", "TEXT", "RANK",
                 "INT", "DIM_NAME", "DIM_ITEMS"):  # fmt: skip
        assert getattr(limits, f"MAX_{name}") in numbers, name


PAGE = (SCHEMAS / "FORMAT.md").read_text(encoding="utf-8")


def test_the_page_lists_every_code() -> None:
    table = PAGE[PAGE.index("## Errors") : PAGE.index("## Versions")]
    listed = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|checksum|digest|external|limit|truncated)`", table))
    folder = Path(limits.__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    raised = set(re.findall(r'(?:refuse|_refused)\(\s*"([a-z-]+)"', sources)) | {"unknown-op", "op-version"}
    assert listed == raised


def test_the_page_names_every_key_and_kind() -> None:
    for name in (*HEADER_KEYS, *GRAPH_KEYS, *EXAMPLE_KEYS, *DTYPES):
        assert f"`{name}`" in PAGE, name
    for kind in ROW_LENGTHS:
        assert f'`["{kind}"' in PAGE, kind


def test_the_example_on_the_page_is_the_file(tmp_path: Path) -> None:
    example = PAGE[PAGE.index("## An example") :]
    ((header,), (dump,)) = (
        re.findall(r"```json\n(.*?)```", example, re.DOTALL),
        re.findall(r"```\n(0000.*?)```", example, re.DOTALL),
    )
    data = bytes.fromhex("".join(line[6:53] for line in dump.splitlines()))
    assert as_json(split(data).header) == json.loads(header)
    loaded = from_bytes(data, tmp_path)
    assert to_bytes(loaded) == data
    assert (
        str(loaded["double"])
        == "graph (x: float32[n]) -> (y: float32[n]) {\n  %0 = add(x, x) : float32[n]\n  return %0\n}"
    )
