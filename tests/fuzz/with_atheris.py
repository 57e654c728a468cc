"""Fuzzing guided by coverage: ``python -m tests.fuzz.with_atheris [OPTIONS OF LIBFUZZER]``, where atheris is installed.

libFuzzer chooses files whose reading reaches something new in rax; the changes are those of the
engine here. Stop it with ``-max_total_time=300``; it writes what it finds beside it, as
``crash-…``, and names the defect on the last lines.
"""

from __future__ import annotations

import importlib
import random
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Run until something is found, or for as long as is asked."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["rax"]):
        # Imported here and so, because the instrumentation must come before whatever imports rax.
        examine: Any = importlib.import_module("tests.fuzz.examine").examine
        mutation: Any = importlib.import_module("tests.fuzz.mutation")
        seeds: Any = importlib.import_module("tests.fuzz.seeds").seeds()
    with tempfile.TemporaryDirectory() as folder:
        corpus, path = Path(folder) / "corpus", Path(folder) / "file"
        corpus.mkdir()
        for number, seed in enumerate(seeds):
            (corpus / f"{number}").write_bytes(seed.data)

        def test(data: bytes) -> None:
            examine(data, path)

        def mutate(data: bytes, longest: int, number: int) -> bytes:
            changed, _ = mutation.mutate(random.Random(number), mutation.Seed("", data), seeds)
            return changed[:longest]

        limits = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=65536", "-len_control=0"]
        atheris.Setup([sys.argv[0], *limits, *sys.argv[1:], str(corpus)], test, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
