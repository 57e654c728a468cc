"""A file of n bytes costs time and memory in proportion to n, whatever is in it."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from rax.format.describing import describe
from rax.format.files import load
from rax.format.saving import encode
from rax.ir.errors import FormatError
from tests.fuzz.costly import COSTLY
from tests.fuzz.examine import LOADS, checked, limits

SMALL = 60_000
LARGE = 2**21
SECONDS_PER_MIB = 6.0
"""Most take under 1.5 on the machine this was written on; it leaves room for slow ones."""
BYTES_PER_BYTE = 256


def read(path: Path) -> str:
    """Look at a file, load it, and make a file of it again: the code of the error, if there is one."""
    try:
        describe(path)
        encode(load(path))
    except FormatError as error:
        return checked(error)
    return LOADS


@pytest.mark.parametrize("make", COSTLY)
def test_a_small_file_is_read_at_once(make: Callable[[int], bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(make(SMALL))
    assert path.stat().st_size <= 90_000
    with limits():
        assert read(path) == COSTLY[make]


@pytest.mark.slow
@pytest.mark.parametrize("make", COSTLY)
def test_time_and_memory_are_in_proportion(make: Callable[[int], bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(make(LARGE))
    size = path.stat().st_size
    gc.collect()
    start = time.process_time()
    assert read(path) in (COSTLY[make], "limit", "total")  # as large as this, some are past a bound
    taken = time.process_time() - start
    assert taken <= 1.0 + SECONDS_PER_MIB * size / 2**20
    tracemalloc.start()
    read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= 2**24 + BYTES_PER_BYTE * size
