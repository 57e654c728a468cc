"""MessagePack as the format uses it; the only importer of the library."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from mmap import mmap
from typing import Any, cast

import msgpack

from rax.format.limits import refuse
from rax.ir.errors import FormatError

_msgpack = cast("Any", msgpack)  # it ships no types
packb: Callable[[Any], bytes] = _msgpack.packb
OutOfData: type[Exception] = _msgpack.OutOfData
BufferFull: type[Exception] = _msgpack.BufferFull
INVALID: tuple[type[Exception], ...] = (ValueError, _msgpack.UnpackException)
"""What the library raises on bytes that are no MessagePack."""


def pack_array_header(count: int) -> bytes:
    """The bytes before the items of an array."""
    return cast("bytes", _msgpack.Packer().pack_array_header(count))


def pack_array(items: Iterable[bytes]) -> bytes:
    """An array of items that are packed already."""
    rows = list(items)
    return pack_array_header(len(rows)) + b"".join(rows)


def pack_map(items: dict[str, bytes]) -> bytes:
    """A map of fewer than 16 values that are packed already."""
    return bytes([0x80 | len(items)]) + b"".join(packb(key) + value for key, value in items.items())


def pack_bin_header(nbytes: int) -> bytes:
    """The bytes before a bin's payload."""
    if nbytes < 2**8:
        return struct.pack(">BB", 0xC4, nbytes)
    return struct.pack(">BH", 0xC5, nbytes) if nbytes < 2**16 else struct.pack(">BI", 0xC6, nbytes)


class Start:
    """Reads values one after another from a few bytes.

    Args:
        head: the bytes; no value can claim more than there are.
    """

    def __init__(self, head: bytes) -> None:
        self._unpacker = _msgpack.Unpacker(max_buffer_size=max(len(head), 1))
        self._unpacker.feed(head)

    def array_header(self) -> int:
        """How many items the array has that starts here."""
        return cast("int", self._unpacker.read_array_header())

    def value(self) -> object:
        """The next value."""
        return self._unpacker.unpack()

    def tell(self) -> int:
        """How many bytes were read."""
        return cast("int", self._unpacker.tell())


def skip(file: mmap, most: int) -> tuple[int, type[Exception] | None]:
    """Pass over one value of a file without building it.

    Args:
        file: left anywhere after the value.
        most: how many bytes one scalar may have.

    Returns:
        How many bytes the value has, or were read before it went wrong; and what went wrong:
        ``OutOfData``, ``BufferFull`` (a scalar is too long), or ``FormatError`` (no MessagePack).
    """
    unpacker = _msgpack.Unpacker(file, max_buffer_size=most, read_size=min(most, 2**16))
    problem: type[Exception] | None = None
    try:
        unpacker.skip()
    except (OutOfData, BufferFull) as error:
        problem = type(error)
    except INVALID:
        problem = FormatError
    return cast("int", unpacker.tell()), problem


def unpack(packed: bytes) -> Any:
    """One value, each key of a map once and a string.

    Raises:
        FormatError: it is no MessagePack, or has a key twice.
    """
    try:
        return _msgpack.unpackb(packed, object_pairs_hook=_unique, strict_map_key=True)
    except FormatError:
        raise
    except UnicodeDecodeError:
        return refuse("bad-msgpack", "a str of the header is not UTF-8", "header")
    except INVALID as error:
        return refuse("bad-msgpack", f"the header cannot be read: {error}", "header")


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    items: dict[Any, Any] = {}
    for key, item in pairs:
        if key in items:
            refuse("duplicate-key", f"the key {key!r} comes twice in a map"[:200], "header")
        items[key] = item
    return items
