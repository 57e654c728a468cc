"""The bytes of a file: one msgpack array of a header and aligned segments.

``["rax", version, header, checksum, pad, segment, pad, segment, …]``: the checksum is the SHA-256
of every byte before it, each pad makes the next segment's payload start on a 64-byte boundary,
and the header's offsets count from the start of the file.
"""

from __future__ import annotations

import hashlib
from mmap import mmap
from typing import Any

from rax.format.header import TensorRow
from rax.format.limits import ALIGNMENT, MAX_HEADER_BYTES, in_total, refuse
from rax.format.versions import newest
from rax.format.wire import (
    INVALID,
    BufferFull,
    OutOfData,
    Start,
    pack_bin_header,
    skip,
    unpack,
)

MAGIC = "rax"
FIXED_ITEMS = 4
_START_BYTES = 5 + 8 + 9
"""The most that the array's header and the first two items take."""
_CHECKSUM_HEADER = pack_bin_header(hashlib.sha256().digest_size)
CHECKSUM_BYTES = len(_CHECKSUM_HEADER) + hashlib.sha256().digest_size


def checksum(start: bytes, header: bytes) -> bytes:
    """The checksum after a header, as a bin."""
    return _CHECKSUM_HEADER + hashlib.sha256(start + header).digest()


def pack_lead(position: int, nbytes: int) -> bytes:
    """The pad and the bin header that put a payload on the next boundary after ``position``."""
    own = pack_bin_header(nbytes)
    zeros = -(position + len(pack_bin_header(0)) + len(own)) % ALIGNMENT
    return pack_bin_header(zeros) + bytes(zeros) + own


def read_start(file: mmap) -> tuple[int, int]:
    """Check that a file is rax's and of a known version; leave it at its header.

    Returns:
        How many items the file's array has, and the version.
    """
    head = file.read(_START_BYTES)
    start = Start(head)
    try:
        items, magic = start.array_header(), start.value()
        version = start.value() if magic == MAGIC else None
    except (OutOfData, *INVALID) as error:
        if isinstance(error, OutOfData) and len(head) < _START_BYTES:
            refuse("truncated", "the file ends in its first bytes", f"byte {len(head)}")
        refuse("not-rax", "the file is not a rax file", "byte 0")
    if type(version) is not int or version < 1:
        refuse("not-rax", "the file is not a rax file", "byte 0")
    if version > newest():
        known = "version 1" if newest() == 1 else f"versions 1 to {newest()}"
        what = f"the file has format version {version}; this rax reads {known}"
        refuse("newer-version", what, f"byte {start.tell() - 1}", fix="install a newer rax")
    file.seek(start.tell())
    return items, version


def read_raw_header(file: mmap) -> tuple[Any, int]:
    """Decode the header a file is at, and check the checksum after it.

    The header is first passed over, which allocates nothing, so that when it is decoded every
    array and map is known to be as long as it claims.

    Returns:
        The header, and where the bytes after the checksum start.
    """
    start = file.tell()
    size, problem = skip(file, MAX_HEADER_BYTES)
    if problem is OutOfData:
        refuse("truncated", "the file ends inside its header", f"byte {start + size}")
    if problem is BufferFull:
        refuse("total", f"the header has more than {MAX_HEADER_BYTES} bytes", f"byte {start + size}")
    if problem is not None:
        refuse("bad-msgpack", "the header is no MessagePack, or nests too deep", f"byte {start + size}")
    in_total(size, MAX_HEADER_BYTES, "bytes of the header", "header")
    file.seek(0)
    head, header, check = file.read(start), file.read(size), file.read(CHECKSUM_BYTES)
    end = start + size
    if len(check) < CHECKSUM_BYTES:
        refuse("truncated", "the file ends inside its checksum", f"byte {end + len(check)}")
    if check != checksum(head, header):
        refuse("checksum", "the header was changed or damaged: its checksum differs", f"byte {end}")
    return unpack(header), end + CHECKSUM_BYTES


def check_segments(view: memoryview, position: int, items: int, tensors: list[TensorRow]) -> None:
    """Check that pads and segments are exactly where the header says, up to the file's end.

    Args:
        view: the whole file.
        position: where the first pad is due.
        items: how many items the file's array says it has.
        tensors: the rows of the header.
    """
    segments = [segment for row in tensors if row.file is None for segment in row.segments]
    due = FIXED_ITEMS + 2 * len(segments)
    if items != due:
        refuse("bad-segment", f"the file's array has {items} items, where {due} are due", "byte 0")
    for place, (offset, nbytes) in enumerate(segments):
        lead = pack_lead(position, nbytes)
        if offset != position + len(lead):
            refuse("bad-segment", f"segment {place} is due at byte {position + len(lead)}, not {offset}", "tensors")
        if len(view) < offset + nbytes:
            refuse("truncated", f"the file ends inside segment {place}", f"byte {len(view)}")
        if bytes(view[position:offset]) != lead:
            refuse("bad-segment", f"the bytes before segment {place} are no pad and bin header", f"byte {position}")
        position = offset + nbytes
    if len(view) != position:
        refuse("trailing-bytes", f"{len(view) - position} bytes follow the last segment", f"byte {position}")
