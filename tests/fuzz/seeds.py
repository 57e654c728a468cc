"""The files that fuzzing starts from: the conformance vectors, the golden files, every construct, what was found."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rax.ir.program import Program
from tests.format.build import operations, small, stored, to_bytes
from tests.fuzz.mutation import Seed

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
FOLDERS = (ROOT / "schemas" / "vectors", ROOT / "tests" / "golden", CORPUS)
LARGEST = 6144
"""Larger files of a folder are left out: they are slow, and hold nothing that small ones do not."""


def seeds(given: Iterable[Path] = ()) -> list[Seed]:
    """The files given, or all that are here."""
    named = list(given)
    read = [Seed(path.name, path.read_bytes()) for place in named or FOLDERS for path in _files(place)]
    return read if named else [*read, *constructs()]


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return [path for path in sorted(place.rglob("*.msgpack")) if path.stat().st_size <= LARGEST]


def constructs() -> list[Seed]:
    """Small files: one that has everything, one of stored tensors, and one for each operation."""
    programs = {"small": small(), "stored": stored(100, 3, 50)}
    programs |= {name: Program({"main": graph}, main="main") for name, graph in operations().items()}
    return [Seed(f"construct {name}", to_bytes(program)) for name, program in programs.items()]
