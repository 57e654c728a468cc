"""Whatever is done to a file, loading it gives a program or a ``FormatError``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rax.ir.errors import FormatError
from tests.format.build import from_bytes, pack, small, split, stored, to_bytes
from tests.format.hostile import without_checksum
from tests.format.mutation import VALUES, WAYS, mutate, operations

PROGRAMS = {"small": to_bytes(small()), "stored": to_bytes(stored(100, 3, 50)), "operations": to_bytes(operations())}
COUNTS = st.integers(0, 2**20)
MUTATIONS = st.lists(st.tuples(COUNTS, st.sampled_from(WAYS), st.sampled_from(VALUES), COUNTS), min_size=1, max_size=4)


def check(data: bytes) -> None:
    """Load; what loads must save to something that loads to the same."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            program = from_bytes(data, Path(folder))
        except FormatError:
            return
        again = to_bytes(program)
        assert to_bytes(from_bytes(again, Path(folder))) == again


@pytest.mark.parametrize("name", PROGRAMS)
@given(mutations=MUTATIONS, place=st.booleans())
@settings(max_examples=100)
def test_a_header_changed_at_random(name: str, mutations: list[tuple[int, str, Any, int]], place: bool) -> None:
    parts = split(PROGRAMS[name])
    for mutation in mutations:
        mutate(parts.header, *mutation)
    try:
        data = parts.join(place=place)
    except (IndexError, KeyError, OverflowError, TypeError):  # no offsets can be written into this
        return
    check(data)


@given(bits=st.lists(COUNTS, min_size=1, max_size=5))
@settings(max_examples=200)
def test_the_bytes_of_a_header_changed_at_random(bits: list[int]) -> None:
    header = bytearray(pack(split(PROGRAMS["small"]).header))
    for bit in bits:
        header[bit // 8 % len(header)] ^= 1 << bit % 8
    check(without_checksum(bytes(header)))


@given(bits=st.lists(COUNTS, max_size=5), cut=st.integers(-8, 0), tail=st.binary(max_size=4))
@settings(max_examples=200)
def test_the_bytes_of_a_file_changed_at_random(bits: list[int], cut: int, tail: bytes) -> None:
    data = bytearray(PROGRAMS["stored"])
    for bit in bits:
        data[bit // 8 % len(data)] ^= 1 << bit % 8
    check(bytes(data[: len(data) + cut]) + tail)
