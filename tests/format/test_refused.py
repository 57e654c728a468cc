"""Every way a file can be bad: a ``FormatError`` with a stable code and the place."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from rax.format import limits
from rax.format.describing import describe
from rax.format.files import load
from rax.ir.errors import FormatError
from rax.ir.program import Program
from tests.format.build import changed, from_bytes, small, split, stored, to_bytes
from tests.format.hostile import BYTES, CHANGES, GOOD, STORED, Change, Header


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_header(name: str, tmp_path: Path) -> None:
    change, code, where, says = CHANGES[name]
    with pytest.raises(FormatError) as caught:
        from_bytes(changed(small(), change), tmp_path)
    error = caught.value
    assert (error.code, error.where) == (code, where)
    assert says in error.what
    assert error.__suppress_context__


@pytest.mark.parametrize("name", BYTES)
def test_bad_bytes(name: str, tmp_path: Path) -> None:
    data, code, where, says = BYTES[name]
    with pytest.raises(FormatError) as caught:
        from_bytes(data, tmp_path)
    assert caught.value.code == code
    assert says in caught.value.what
    assert re.fullmatch(where or r"byte \d+", caught.value.where)


def shift(offset: int) -> Change:
    """Move the second segment in the index."""

    def change(header: Header) -> None:
        segments = [row[2][0] for row in header["tensors"] if len(row) == 3]
        segments[1][0] = segments[0][0] + offset

    return change


@pytest.mark.parametrize("offset", [0, 64, -64, 2**20, 2**40])
def test_segments_that_overlap_or_leave_the_file(offset: int, tmp_path: Path) -> None:
    parts = split(STORED)
    data = STORED
    for _ in range(4):  # until the longer offset has moved everything else
        parts.header["tensors"][0][2][0][0] = split_offset(data)
        shift(offset)(parts.header)
        data = parts.join(place=False)
    with pytest.raises(FormatError) as caught:
        from_bytes(data, tmp_path)
    assert caught.value.code == "bad-segment"


def split_offset(data: bytes) -> int:
    """Where the first payload lies."""
    return data.index(b"\xc5\x01\x90") + 3


def test_every_cut_is_found(tmp_path: Path) -> None:
    for data in (to_bytes(stored(20)), to_bytes(Program({}))):
        for length in range(len(data)):
            with pytest.raises(FormatError) as caught:
                from_bytes(data[:length], tmp_path)
            assert caught.value.code in ("truncated", "not-rax"), length


def test_every_bit_is_checked(tmp_path: Path) -> None:
    data = bytearray(to_bytes(stored(20)))
    for place in range(len(data)):
        data[place] ^= 1 << place % 8
        with pytest.raises(FormatError):
            from_bytes(bytes(data), tmp_path)
        data[place] ^= 1 << place % 8


@pytest.mark.parametrize("inline", [True, False])
def test_a_bool_is_zero_or_one(inline: bool, tmp_path: Path) -> None:
    parts = split(to_bytes(stored(5 if inline else 50)))
    row = parts.header["tensors"][0]
    data = bytes([0, 1, 2, 1]) * (5 if inline else 50)
    parts.header["types"][row[0]] = ["bool", [len(data)]]
    if inline:
        row[1] = data
    else:
        row[1], parts.payloads = hashlib.sha256(data).digest(), [data]
    with pytest.raises(FormatError, match="a bool is stored as a byte 0 or 1") as caught:
        from_bytes(parts.join(), tmp_path)
    assert (caught.value.code, caught.value.where) == ("bad-tensor", "tensors[0]")


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is no regular file"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent")


def test_describe_refuses_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(GOOD[:-1])
    with pytest.raises(FormatError, match="the file ends inside its checksum"):
        describe(tmp_path / "file")


def test_a_program_past_a_bound_is_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_NODES", 2)
    with pytest.raises(FormatError, match=r"graphs\[3\].nodes") as caught:
        to_bytes(small())
    assert caught.value.code == "limit"


def test_graphs_that_hold_others_many_times(tmp_path: Path) -> None:
    """8,192 nodes that hold 8,192 each are 2²⁶, and with themselves more."""

    def change(header: Header) -> None:
        header["ops"] = [["add", 1, {}], ["checkpoint", 1, {"body": {"graph": 0}}]]
        inner, outer = header["graphs"][0], dict(header["graphs"][0])
        inner.update(nodes=[[0, 0, -1, -1]] * 8192, origins=[])
        outer.update(nodes=[[1, 0, -1]] * 8192, origins=[])
        header["graphs"] = [inner, outer]

    with pytest.raises(FormatError, match="nodes, counting held graphs each time: 67117056") as caught:
        from_bytes(changed(small(), change), tmp_path)
    assert (caught.value.code, caught.value.where) == ("total", "graphs[1].nodes")


def test_many_large_sizes(tmp_path: Path) -> None:
    """Each is within its bound; they are not within that of all together."""
    types = [["float32", [["+", f"a{row}", f"b{row}", f"c{row}"]]] for row in range(2**13)]
    with pytest.raises(FormatError, match="items of symbolic sizes in the file: ") as caught:
        from_bytes(changed(small(), lambda header: header["types"].extend(types)), tmp_path)
    assert caught.value.code == "total"


def test_an_error_reads_well(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        from_bytes(changed(small(), CHANGES["a newer operation"][0]), tmp_path)
    assert str(caught.value) == (
        "[op-version] the operation 'multiply' of format version 2 is known as of format version 1\n"
        "  ops[0]\n"
        "  fix: install a newer rax"
    )
