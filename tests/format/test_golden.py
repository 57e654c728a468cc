"""Files of every released version: they load for ever, and mean what they meant."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rax.format.describing import describe
from rax.format.files import load
from rax.format.saving import save
from rax.format.versions import newest
from rax.ir.text.program_parser import parse
from rax.ops import registry
from rax.runtime.entry import Entry
from tests.format.build import to_bytes
from tests.golden.make import EXTERNAL, FILES, Cube

FOLDER = Path(__file__).parents[1] / "golden"
SCHEMAS = Path(__file__).parents[2] / "schemas"
GOLDEN = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("v*/*.msgpack"))


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_file_loads_and_gives_what_it_gave(name: str) -> None:
    program = load(FOLDER / name, verify=True)
    assert program.examples.keys() == set(program)
    for entry in program:
        runner = Entry(program, entry)
        compared = runner.check(runner.run())
        assert {each.name for each in compared} == set(program[entry].output_names)
        assert [each for each in compared if not each.equal] == [], entry


@pytest.mark.parametrize("name", [name for name in GOLDEN if name.startswith(f"v{newest()}/")])
def test_a_golden_file_of_this_version_is_canonical(name: str, tmp_path: Path) -> None:
    known = {**registry(), Cube.name: Cube}
    shutil.copytree(FOLDER / name.split("/", maxsplit=1)[0], tmp_path, dirs_exist_ok=True)
    copy = tmp_path / Path(name).name
    save(load(copy, registry=known), copy, external=EXTERNAL.get(copy.stem, ()))
    assert copy.read_bytes() == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", [name for name in GOLDEN if (FOLDER / name).with_suffix(".txt").exists()])
def test_a_golden_text_is_the_program_of_its_file(name: str) -> None:
    whole = load(FOLDER / name)
    text = (FOLDER / name).with_suffix(".txt").read_text(encoding="utf-8")
    assert to_bytes(parse(text, tensors=[whole])) == to_bytes(whole)


def test_every_released_version_has_its_files() -> None:
    assert {name.split("/")[0] for name in GOLDEN} == {f"v{version}" for version in range(1, newest() + 1)}
    for name in GOLDEN:
        assert describe(FOLDER / name).version == int(name.split("/")[0][1:])
    assert {name for name in FILES if f"v{newest()}/{name}.msgpack" not in GOLDEN} == set()


def operations(path: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("version", range(1, newest() + 1))
def test_operations_of_a_released_version_stay_as_they_were(version: int) -> None:
    """They may gain attributes that have defaults; none is added to a version later."""
    now = operations(SCHEMAS / "ops.json")
    then = operations(FOLDER / f"v{version}" / "ops.json")
    assert {name for name, row in now.items() if row["since"] <= version} == set(then)
    for name, row in then.items():
        assert [now[name][key] for key in ("since", "operands", "results")] == [
            row[key] for key in ("since", "operands", "results")
        ]
        attributes = {each["name"]: each for each in now[name]["attributes"]}
        for each in row["attributes"]:
            left = attributes.pop(each["name"])
            assert [left["type"], left.get("default")] == [each["type"], each.get("default")], name
            assert set(each.get("values", ())) <= set(left.get("values", ())), name
        assert all("default" in each for each in attributes.values()), name
