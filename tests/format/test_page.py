"""The page on the format says what the code does: its codes, names, bounds, digests, and its example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rax.format import limits, versions
from rax.format.header import EXAMPLE_KEYS, GRAPH_KEYS, HEADER_KEYS
from rax.format.trees import KEYWORDS, ROW_LENGTHS
from rax.ir.dims import MAX_DIM_DEPTH
from rax.ir.types import DTYPES
from tests.format.build import PROGRAMS, as_json, from_bytes, from_json, split, to_bytes
from tests.format.digests import graph_text, program_text, sha
from tests.format.page import CODES, PAGE, section
from tests.format.schema import DEFINITIONS, SCHEMA

BOUNDS = {
    "bytes of the header": limits.MAX_HEADER_BYTES,
    "levels of maps and arrays in the file": 1024,  # msgpack's own
    "bytes of a tensor in the header": limits.MAX_INLINE_BYTES,
    "bytes of a segment of the file itself": limits.MAX_SEGMENT_BYTES,
    "rows of a table": limits.MAX_ROWS,
    "inputs, outputs or constants of a graph; segments of a tensor": limits.MAX_ROWS,
    "defaults; inputs, outputs or hints of an example": limits.MAX_ROWS,
    "graphs": limits.MAX_GRAPHS,
    "nodes of a graph": limits.MAX_NODES,
    "values of a graph": limits.MAX_VALUES,
    "operands of a node": limits.MAX_OPERANDS,
    "results of a node": limits.MAX_OPERANDS,
    "levels of graphs inside graphs, the entry's included": limits.MAX_GRAPH_DEPTH,
    "nodes of a graph, counting those of held graphs for each node that holds them": limits.MAX_EXPANDED_NODES,
    "attributes of an operation": limits.MAX_ATTRIBUTES,
    "values in the attributes of an operation": limits.MAX_ATTRIBUTE_ITEMS,
    "levels of arrays in an attribute": limits.MAX_ATTRIBUTE_DEPTH,
    "axes of a type": limits.MAX_RANK,
    "an int of a size, negative or not; multiplied out, `total`": limits.MAX_INT,
    "bytes of a tensor; where the type has symbolic sizes or sizes of 0, those count as 1": limits.MAX_TENSOR_BYTES,
    "characters of a dim's name": limits.MAX_DIM_NAME,
    "ints, names and operators in a size, as it stands and multiplied out": limits.MAX_DIM_ITEMS,
    "levels of arrays in a size, as it stands and multiplied out": limits.MAX_DIM_DEPTH,
    "terms of a size, multiplied out": limits.MAX_DIM_TERMS,
    "quotients, minima and maxima inside each other": MAX_DIM_DEPTH,
    "ints, names, operators in the sizes of a file that differ; no ints in shapes": limits.MAX_FILE_DIM_ITEMS,
    "levels of a tree": limits.MAX_TREE_DEPTH,
    "items of a tree, counting a child each time it is named": limits.MAX_TREE_ITEMS,
    "children of a row of `trees`": limits.MAX_TREE_ITEMS,
    "scopes of an origin": limits.MAX_SCOPE_DEPTH,
    "entries; examples": limits.MAX_ENTRIES,
    "files": limits.MAX_FILES,
    "characters of a path in `files`": limits.MAX_PATH,
    "characters of a part of a path": limits.MAX_PATH_PART,
    "characters of any other str": limits.MAX_TEXT,
}


def number(text: str) -> int:
    """A number of the page, such as 2⁶³ − 1."""
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    total, sign = 0, 1
    for word in text.split():
        power = re.fullmatch(r"(\d+?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", word)
        if word in "+−":
            sign = 1 if word == "+" else -1
        else:
            total += sign * (int(power[1]) ** int(power[2].translate(digits)) if power else int(word))
    return total


def test_every_bound_of_the_page_is_the_readers_and_every_one_of_the_reader_is_on_the_page() -> None:
    rows = re.findall(r"^\| (.*?) \| (.*?) \| `(.*?)` \|$", section("Bounds"), re.MULTILINE)
    assert {what: number(most) for what, most, _ in rows} == BOUNDS
    assert {code for _, _, code in rows} <= set(CODES)
    mine = {name: value for name, value in vars(limits).items() if name.startswith("MAX_")}
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in mine if f"limits.{name}," not in source] == []


def test_the_page_lists_every_code() -> None:
    folder = Path(limits.__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    raised = set(re.findall(r'(?:refuse|_refused)\(\s*"([a-z-]+)"', sources)) | {"unknown-op", "op-version"}
    assert set(CODES) | {"bad-text"} == raised
    assert set(CODES.values()) == {"file", "structural", "relational"}


def test_the_page_names_every_key_and_kind() -> None:
    for name in (*HEADER_KEYS, *GRAPH_KEYS, *EXAMPLE_KEYS, *DTYPES):
        assert f"`{name}`" in PAGE, name
    for kind in ROW_LENGTHS:
        assert f'`["{kind}"' in PAGE, kind
    listed = re.search(r"none of `(False[^`]*)`", PAGE)
    assert listed is not None
    assert set(listed[1].split()) == KEYWORDS


def test_the_schema_names_every_key_and_kind() -> None:
    assert tuple(SCHEMA["properties"]) == HEADER_KEYS
    assert tuple(DEFINITIONS["graph"]["properties"]) == GRAPH_KEYS
    assert tuple(DEFINITIONS["example"]["properties"]) == EXAMPLE_KEYS
    assert DEFINITIONS["dtype"]["enum"] == list(DTYPES)
    assert set(DEFINITIONS["identifier"]["not"]["enum"]) == KEYWORDS
    lengths: dict[str, int] = {}
    for form in DEFINITIONS["tree"]["anyOf"]:
        kind, *_ = form["prefixItems"]
        lengths |= dict.fromkeys(kind.get("enum", [kind.get("const")]), form["minItems"])
    assert lengths == ROW_LENGTHS


def test_the_log_of_versions_ends_with_the_newest() -> None:
    rows = re.findall(r"^\| (\d+) \|", section("Versions"), re.MULTILINE)
    assert rows == [str(version + 1) for version in range(versions.newest())]


def test_the_page_refers_to_no_code() -> None:
    assert re.findall(r"\w+\.py\b(?!:)|rax\.[a-z]+\.|import rax", PAGE) == []


def blocks(text: str, language: str = "") -> list[str]:
    """The fenced blocks of a part of the page."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_example_on_the_page_is_the_file(tmp_path: Path) -> None:
    example = section("An example")
    (header,) = blocks(example, "json")
    dump = blocks(example.split("```json")[1].split("```", 1)[1])[0]
    data = bytes.fromhex("".join(line[6:53] for line in dump.splitlines()))
    assert as_json(split(data).header) == json.loads(header)
    assert from_json(json.loads(header)) == split(data).header
    loaded = from_bytes(data, tmp_path)
    assert to_bytes(loaded) == data
    assert (
        str(loaded["double"])
        == "graph (x: float32[n]) -> (y: float32[n]) {\n  %0 = add(x, x) : float32[n]\n  return %0\n}"
    )
    graph, program = blocks(section("Digests"))
    assert (graph, program) == (graph_text(split(data).header, 0), program_text(split(data).header))
    assert sha(program) == loaded.digest
    assert loaded.digest in section("Digests")


@pytest.mark.parametrize("name", PROGRAMS)
def test_digests_are_computed_from_a_file_by_the_words_of_the_page(name: str) -> None:
    program = PROGRAMS[name]()
    header = split(to_bytes(program)).header
    assert sha(program_text(header)) == program.digest
    for entry, row in header["entries"].items():
        assert sha(graph_text(header, row)) == program[entry].digest
