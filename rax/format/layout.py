"""Where all lies in a file that is to be written; how it looks says ``rax.format.container``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, NamedTuple

from rax.format.container import CHECKSUM_BYTES, FIXED_ITEMS, MAGIC, checksum, pack_lead
from rax.format.encode import ProgramWriter
from rax.format.header import HEADER_KEYS, Segments
from rax.format.limits import MAX_INLINE_BYTES, MAX_SEGMENT_BYTES
from rax.format.wire import pack_array, pack_array_header, pack_map, packb

Places = Mapping[int, tuple[str, Segments]]
"""For rows of the tensor table, the path of another file and the segments in it."""


class Layout(NamedTuple):
    """A file that is ready to be written.

    Attributes:
        start: the bytes before the header.
        header: the header, packed.
        segments: for each segment its pad and bin header, and its payload.
    """

    start: bytes
    header: bytes
    segments: list[tuple[bytes, memoryview]]

    def write(self, file: IO[bytes]) -> None:
        """Write the file, its tensors straight from where they are."""
        file.write(self.start)
        file.write(self.header)
        file.write(checksum(self.start, self.header))
        for lead, payload in self.segments:
            file.write(lead)
            file.write(payload)


def lay_out(program: ProgramWriter, outside: Places | None = None, segment_bytes: int = MAX_SEGMENT_BYTES) -> Layout:
    """Place a program's tensors in a file.

    Args:
        program: the tables.
        outside: where the tensors lie that are not to be in this file, by their rows.
        segment_bytes: where a tensor is split; a multiple of 64. Files use the default.
    """
    elsewhere = outside or {}
    pieces: list[list[memoryview]] = []
    for row, literal in enumerate(program.literals):
        stored = literal.raw.nbytes > MAX_INLINE_BYTES and row not in elsewhere
        starts = range(0, literal.raw.nbytes, segment_bytes) if stored else ()
        pieces.append([literal.raw[start : start + segment_bytes] for start in starts])
    files = {elsewhere[row][0]: None for row in sorted(elsewhere)}
    tables = {**program.tables, "files": packb(list(files))}
    start = pack_array_header(FIXED_ITEMS + 2 * sum(map(len, pieces))) + packb(MAGIC) + packb(program.version)
    without = pack_map({key: tables.get(key, b"") for key in HEADER_KEYS})
    rows = {path: row for row, path in enumerate(files)}
    placed = {row: (segments, rows[path]) for row, (path, segments) in elsewhere.items()}
    tensors = _place(program, pieces, placed, len(start) + len(without) + CHECKSUM_BYTES)
    header = pack_map({key: tables.get(key, tensors) for key in HEADER_KEYS})
    position = len(start) + len(header) + CHECKSUM_BYTES
    segments: list[tuple[bytes, memoryview]] = []
    for piece in (piece for parts in pieces for piece in parts):
        lead = pack_lead(position, piece.nbytes)
        segments.append((lead, piece))
        position += len(lead) + piece.nbytes
    return Layout(start, header, segments)


def _place(
    program: ProgramWriter,
    pieces: list[list[memoryview]],
    outside: Mapping[int, tuple[Segments, int]],
    before: int,
) -> bytes:
    """The packed table of tensors: the shortest whose offsets are true of the file it makes.

    Longer offsets make a longer header, hence offsets that are no smaller: starting from an empty
    table its length only grows, and stops at the least that fits.

    Args:
        program: the tables.
        pieces: for each tensor its segments; none for one that is in the header or outside.
        outside: the segments of each tensor that is outside, and the row in ``files``.
        before: the bytes before the first pad, the table apart.
    """
    types = program.tensor_types()
    packed = b""
    while True:
        position = before + len(packed)
        rows: list[bytes] = []
        for row, (type, literal, parts) in enumerate(zip(types, program.literals, pieces, strict=True)):
            if row in outside:
                rows.append(packb([type, literal.digest, *outside[row]]))
                continue
            segments: list[tuple[int, int]] = []
            for piece in parts:
                position += len(pack_lead(position, piece.nbytes))
                segments.append((position, piece.nbytes))
                position += piece.nbytes
            rows.append(packb([type, literal.digest, segments] if parts else [type, bytes(literal.raw)]))
        table = pack_array(rows)
        if len(table) == len(packed):
            return table
        packed = table
