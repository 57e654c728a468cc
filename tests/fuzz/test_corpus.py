"""What fuzzing found stays mended, and what finds it works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.format.page import CODES
from tests.fuzz.campaign import produce
from tests.fuzz.examine import LOADS, Hang, examine, limits
from tests.fuzz.seeds import CORPUS, constructs

ROOT = Path(__file__).parents[2]
FOUND = sorted(CORPUS.glob("*.msgpack"))


@pytest.mark.parametrize("found", FOUND, ids=[path.stem for path in FOUND])
def test_what_was_found_is_mended(found: Path, tmp_path: Path) -> None:
    with limits():
        assert examine(found.read_bytes(), tmp_path / "file") in {*CODES, LOADS}


def test_a_number_gives_the_same_files() -> None:
    seeds = constructs()[:9]
    first = [produce(7, index, seeds) for index in range(200)]
    assert [produce(7, index, seeds) for index in range(200)] == first
    files = {data for data, _ in first}
    assert len(files) > 180
    assert len(files & {seed.data for seed in seeds}) < 9


def forever() -> None:
    while True:
        pass


def test_a_file_that_takes_too_long_is_noticed() -> None:
    with pytest.raises(Hang), limits(seconds=0.05):
        forever()


def test_a_file_that_takes_too_much_memory_is_noticed() -> None:
    with pytest.raises(MemoryError), limits(nbytes=2**26):
        bytearray(2**27)


BROKEN = """
import os
import zlib

from tests.fuzz import campaign
from tests.fuzz.seeds import constructs


def broken(data, path):
    kind = zlib.crc32(data) % 40
    if kind < 9:
        raise ValueError("no error of the format")
    if kind < 18:
        bytearray(2**29)
    if kind < 27:
        os._exit(3)
    while kind == 39:
        pass
    return "loads"


report = campaign.run(constructs()[:3], 120, workers=2, check=broken)
assert report.done == 120, report
signatures = {finding.signature for finding in report.findings}
assert signatures == {"ValueError", "MemoryError", "died of 3", "Hang"}, signatures
"""


def test_every_kind_of_defect_is_found() -> None:
    subprocess.run([sys.executable, "-c", BROKEN], cwd=ROOT, check=True, timeout=120)


def test_the_program_runs(tmp_path: Path) -> None:
    """A short campaign; the long one is run by hand, and one between by ``.ci/run``."""
    command = [sys.executable, "-m", "tests.fuzz", "--count", "600", "--workers", "1", "--findings", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "0 findings" in done.stdout
