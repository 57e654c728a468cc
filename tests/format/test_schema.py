"""The published schema and the loader accept and refuse the same headers: one law, held from both sides.

A header that the schema refuses is refused by the loader. One that it accepts is accepted, or refused with a code
that the page calls relational.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rax.format import limits
from tests.format.build import PROGRAMS, Parts, as_json, everything, from_json, small, split, to_bytes
from tests.format.generate import document, repaired
from tests.format.hostile import CHANGES
from tests.format.page import RELATIONAL, STRUCTURAL
from tests.format.schema import SCHEMA, VALIDATOR, verdict
from tests.format.schema_coverage import Keyword, keywords, trace, violations
from tests.fuzz.mutation import Seed, changed_header

COUNTS = st.integers(0, 2**20)
RANDOM = st.randoms(use_true_random=False)


def outside(folder: Path) -> Parts:
    """Every form of a header: the last stored tensor of ``everything()`` lies in another file."""
    parts = split(to_bytes(everything()))
    (folder / "weights").mkdir(exist_ok=True)
    (folder / "weights" / "w.bin").write_bytes(b"--" + parts.payloads.pop())
    parts.header["files"] = ["weights/w.bin"]
    row = [row for row in parts.header["tensors"] if len(row) == 3][-1]
    row[2:] = [[[2, 160]], 0]
    return split(parts.join())


def agree(header: Any, folder: Path, payloads: list[bytes] | None = None) -> str | None:
    """Hold the law for one header; give the code it is refused with."""
    code = verdict(header, folder, payloads)
    if VALIDATOR.is_valid(as_json(header)):
        due = RELATIONAL | {None, "truncated"}  # a header may place more in its file than that has
        assert code in due, f"the schema accepts what is refused as {code}"
    else:
        assert code in STRUCTURAL | RELATIONAL, f"the schema refuses what gives {code}"
    return code


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_written_fits(name: str) -> None:
    header = split(to_bytes(PROGRAMS[name]())).header
    form = json.loads(json.dumps(as_json(header), allow_nan=False))
    VALIDATOR.validate(form)
    assert from_json(form) == header


SLOW = ["a long attribute"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CHANGES]
)
def test_what_is_refused_with_a_structural_code_does_not_fit(name: str) -> None:
    change, code, _, _ = CHANGES[name]
    header = split(to_bytes(small())).header
    change(header)
    try:
        form = as_json(header)
    except TypeError:  # an extension, or a key that is a bin, has no form
        assert code in STRUCTURAL
    else:
        assert VALIDATOR.is_valid(form) == (code in RELATIONAL)


# From the schema's side.


def generated(seeds: Iterable[int], folder: Path) -> Counter[str | None]:
    """Hold the law for documents of the schema, as they are and repaired; what the repaired come to."""
    found: Counter[str | None] = Counter()
    for seed in seeds:
        form = document(random.Random(seed))
        code = agree(from_json(form), folder)
        assert code is None or code in RELATIONAL
        found[agree(repaired(form, random.Random(seed)), folder)] += 1
    return found


def test_what_the_schema_allows_loads_or_is_refused_for_what_no_schema_says(tmp_path: Path) -> None:
    found = generated(range(25), tmp_path)
    assert found[None] >= 15, found


@pytest.mark.slow
def test_much_of_what_the_schema_allows(tmp_path: Path) -> None:
    found = generated(range(100, 1500), tmp_path)
    assert found[None] >= found.total() / 2, found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schema")


@pytest.fixture(scope="module")
def covered(folder: Path) -> tuple[dict[str, Keyword], Parts]:
    """Each keyword with the places of one header that it is held against."""
    parts = outside(folder)
    assert verdict(parts.header, folder, parts.payloads) is None
    found = keywords()
    trace(as_json(parts.header), found)
    return found, parts


def refusal(form: Any, folder: Path, payloads: list[bytes]) -> str | None:
    """What the loader says to a document; one that is the form of no header is refused before it."""
    try:
        header = from_json(form)
    except ValueError:
        return "no form"
    return verdict(header, folder, payloads)


def test_each_keyword_of_the_schema_keeps_out_what_the_loader_refuses(
    covered: tuple[dict[str, Keyword], Parts], folder: Path
) -> None:
    found, parts = covered
    idle: list[str] = []
    for path, keyword in found.items():
        if keyword.is_large:
            continue
        for form in violations(keyword):
            if VALIDATOR.is_valid(form):  # as another of several forms
                continue
            code = refusal(form, folder, parts.payloads)
            assert code is not None, f"{path} refuses what loads"
            if code in STRUCTURAL or code == "no form":
                break
        else:
            idle.append(path)
    assert idle == []


def test_the_large_bounds_are_the_loaders() -> None:
    bounds = {
        "graphs": limits.MAX_GRAPHS, "nodes": limits.MAX_NODES, "entries": limits.MAX_ENTRIES,
        "examples": limits.MAX_ENTRIES, "files": limits.MAX_FILES, "node": limits.MAX_OPERANDS + 2,
        "1": limits.MAX_OPERANDS, "children": limits.MAX_TREE_ITEMS,
    }  # fmt: skip
    for path, keyword in keywords().items():
        if keyword.is_large:
            name = path.split("/")[-2]
            due = 2 * limits.MAX_NODES if path == "/$defs/graph/properties/origins/maxItems" else limits.MAX_ROWS
            assert keyword.node[keyword.name] == bounds.get(name, due), path


# From the loader's side.

FILES = {name: Seed(name, to_bytes(PROGRAMS[name]())) for name in ("small", "everything", "stored")}


def changed_at_random(name: str, rng: random.Random, folder: Path) -> None:
    header, payloads = changed_header(rng, FILES[name], list(FILES.values()))
    agree(header, folder, payloads)


@pytest.mark.parametrize("name", FILES)
@given(rng=RANDOM)
@settings(max_examples=60)
def test_headers_changed_at_random(name: str, rng: random.Random, folder: Path) -> None:
    changed_at_random(name, rng, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@given(rng=RANDOM)
@settings(max_examples=2000)
def test_many_headers_changed_at_random(name: str, rng: random.Random, folder: Path) -> None:
    changed_at_random(name, rng, folder)
