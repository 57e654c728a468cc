"""The conformance vectors: what is committed is what is made, the good ones load and the bad ones do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import pytest

import rax
from rax.format.files import load
from rax.ir.errors import FormatError
from rax.runtime.entry import Entry
from tests.format.build import as_json, split
from tests.format.digests import program_text, sha
from tests.format.vectors import files

FOLDER = Path(__file__).parents[2] / "schemas" / "vectors"
GOOD = cast("dict[str, Any]", json.loads((FOLDER / "good/index.json").read_bytes()))
BAD = cast("dict[str, Any]", json.loads((FOLDER / "bad/index.json").read_bytes()))


def test_the_vectors_are_those_that_are_made() -> None:
    made = files()
    committed = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.glob("*/**/*") if path.is_file()}
    assert set(made) == set(committed)
    changed = [name for name, data in made.items() if committed[name].read_bytes() != data]
    assert changed == [], "review the change, then: python -m tests.format.vectors schemas/vectors"


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_gives_what_its_examples_say(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"good/{name}.msgpack"
    program = load(path)
    header = json.loads(path.with_suffix(".json").read_bytes())
    others = header["files"] if GOOD[name]["canonical"] else []
    for other in others:
        shutil.copyfile(FOLDER / "good" / other, tmp_path / other)
    rax.save(program, tmp_path / f"{name}.msgpack", external=others)
    assert ((tmp_path / f"{name}.msgpack").read_bytes() == path.read_bytes()) == GOOD[name]["canonical"]
    assert program.digest == GOOD[name]["digest"]
    if GOOD[name]["canonical"]:
        assert sha(program_text(split(path.read_bytes()).header)) == program.digest
    assert list(program.examples) == list(program)
    for entry in program:
        runner = Entry(program, entry)
        assert [each for each in runner.check(runner.run()) if not each.equal] == [], entry
    assert as_json(split(path.read_bytes()).header) == header


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_code(name: str) -> None:
    with pytest.raises(FormatError) as caught:
        load(FOLDER / f"bad/{name}.msgpack")
    error = caught.value
    assert {"code": error.code, "where": error.where, "says": error.what} == BAD[name]
