"""The files that fuzzing starts from: the conformance vectors, the golden files, every construct, what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rax.ir.graph import Graph
from rax.ir.program import Program
from tests.format.build import small, stored, to_bytes
from tests.fuzz.mutation import Seed
from tests.ops import laws

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
FOLDERS = (ROOT / "schemas" / "vectors", ROOT / "tests" / "golden", CORPUS)
LARGEST = 6144
"""Files past this are left out unless they are named: they are slow, and hold nothing that small ones do not."""


def seeds(given: Iterable[Path] = ()) -> list[Seed]:
    """The files given, or all that are here."""
    named = list(given)
    if named:
        return [Seed(path.name, path.read_bytes()) for path in named for path in _files(path)]
    found = {path.relative_to(ROOT).as_posix(): path.read_bytes() for folder in FOLDERS for path in _files(folder)}
    kept = [Seed(name, data) for name, data in found.items() if len(data) <= LARGEST]
    return [*kept, *constructs()]


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.msgpack"))


def operations() -> Iterator[tuple[str, Graph]]:
    """A graph of each operation: the first of its samples."""
    names: set[str] = set()
    for case in laws.cases():
        if case.cls.name not in names:
            names.add(case.cls.name)
            yield case.cls.name, case.graph()


def constructs() -> list[Seed]:
    """Small files: one that has everything, one of stored tensors, and one for each operation."""
    programs = {"small": small(), "stored": stored(100, 3, 50)}
    programs |= {name: Program({"main": graph}, main="main") for name, graph in operations()}
    return [Seed(f"construct {name}", to_bytes(program)) for name, program in programs.items()]
