"""Opening a file: its bytes read or mapped, its layout and header checked; no tensor is read."""

from __future__ import annotations

import mmap
import os
import stat
from io import RawIOBase
from typing import IO, cast

from rax.format.container import check_segments, read_raw_header, read_start
from rax.format.header import Header, Segments, read_header
from rax.format.limits import bounded_work, refuse, shown
from rax.format.paths import open_beside
from rax.format.versions import upgrade
from rax.ir.record import Record

PathLike = str | os.PathLike[str]


class Opened(Record):
    """A file whose layout and header are checked.

    Attributes:
        folder: where it lies.
        version: its format version.
        header: its rows.
        header_bytes: how many bytes the file has up to its first pad.
        view: all its bytes.
    """

    folder: str
    version: int
    header: Header
    header_bytes: int
    view: memoryview

    def others(self) -> list[memoryview]:
        """The other files that hold tensors, mapped; one of which nothing is needed is not opened.

        Raises:
            FormatError: one is absent, out of reach, or too short for what is said to lie in it.
        """
        lists: list[set[Segments]] = [set() for _ in self.header.files]
        for row in self.header.tensors:
            if row.file is not None:
                lists[row.file].add(row.segments)
        needed: list[int] = []
        for found in lists:
            segments = [segment for each in found for segment in each]
            # A small file is no huge tensor, nor many tensors that take long to be hashed.
            needed.append(max([sum(nbytes for _, nbytes in segments), *map(sum, segments)]))
        views: list[memoryview] = []
        for number, (path, nbytes) in enumerate(zip(self.header.files, needed, strict=True)):
            where = f"files[{number}]"
            if not nbytes:
                views.append(memoryview(b""))
                continue
            with open_beside(self.folder, path, where) as file:
                size = os.fstat(file.fileno()).st_size
                if size < nbytes:
                    what = f"the file of tensors {shown(path)} has {size} bytes, not {nbytes} or more"
                    refuse("external", what, where)
                views.append(memoryview(memory_of(file, size, 0)).toreadonly())
        return views


def open_file(path: PathLike, read_bytes: int) -> Opened:
    """Check a file's layout and header.

    Args:
        path: the file.
        read_bytes: up to this size it is read, past it mapped.

    Raises:
        FormatError: the file is damaged, newer than this rax, or no rax file.
        OSError: the file cannot be read.
    """
    place = os.fspath(path)
    if not stat.S_ISREG(os.stat(place).st_mode):
        refuse("not-rax", f"{place} is no regular file", "byte 0")
    with open(place, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            refuse("truncated", "the file is empty", "byte 0")
        memory = memory_of(file, size, read_bytes)
    items, version = read_start(memory)
    raw, position = read_raw_header(memory)
    with bounded_work(position):
        header = read_header(upgrade(raw, version))
    view = memoryview(memory).toreadonly()
    check_segments(view, position, items, header.tensors)
    return Opened(os.path.dirname(os.path.realpath(place)), version, header, position, view)


def memory_of(file: IO[bytes], size: int, read_bytes: int) -> mmap.mmap:
    """What a file holds: read up to a size, past it mapped."""
    if size > read_bytes:
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    memory = _empty(size)
    cast("RawIOBase", file).readinto(memory)
    return memory


def _empty(size: int) -> mmap.mmap:
    """Memory aligned as a mapped file is; where the system can, given at once and not page by page when written."""
    if not hasattr(mmap, "MAP_POPULATE"):
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
