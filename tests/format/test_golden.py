"""Files of every released version: they load for ever, and mean what they meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rax.format.files import describe, load, save
from rax.format.versions import newest
from rax.ops import registry
from rax.runtime.entry import Entry
from tests.golden.make import EXTERNAL, FILES, Cube

FOLDER = Path(__file__).parents[1] / "golden"
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


def test_every_released_version_has_its_files() -> None:
    assert {name.split("/")[0] for name in GOLDEN} == {f"v{version}" for version in range(1, newest() + 1)}
    for name in GOLDEN:
        assert describe(FOLDER / name).version == int(name.split("/")[0][1:])
    assert {name for name in FILES if f"v{newest()}/{name}.msgpack" not in GOLDEN} == set()
