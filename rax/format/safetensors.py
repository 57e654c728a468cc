"""The layout of safetensors files, as far as writing one and finding the bytes in one takes.

The format: https://github.com/huggingface/safetensors. Eight bytes of length, a JSON header, and the tensors
without gaps. Those of wider elements come first, and the header is padded, so that every tensor is aligned.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import IO, Any, cast

from rax.format.limits import ALIGNMENT, refuse
from rax.ir.node import Literal

DTYPES = {
    "bool": "BOOL", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint16": "U16",
    "uint32": "U32", "uint64": "U64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float16": "F16",
    "bfloat16": "BF16", "float32": "F32", "float64": "F64", "complex64": "C64",
}  # fmt: skip
"""The format's name of each dtype it has."""
MAX_HEADER_BYTES = 100_000_000
_LENGTH = struct.Struct("<Q")


class SafetensorsLayout:
    """A file that is ready to be written.

    Args:
        tensors: by name, each of a dtype the format has.

    Attributes:
        segments: where each tensor lies in the file, as ``(offset, nbytes)``.
    """

    def __init__(self, tensors: Mapping[str, Literal]) -> None:
        self._tensors = sorted(tensors.items(), key=lambda row: (-row[1].type.dtype.itemsize, row[0]))
        rows: dict[str, Any] = {}
        stop = 0
        for name, literal in self._tensors:
            start, stop = stop, stop + literal.raw.nbytes
            dtype, shape = DTYPES[literal.type.dtype.name], [int(size.__index__()) for size in literal.type.shape]
            rows[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}
        import json  # noqa: PLC0415  # a rax file needs none

        text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-(_LENGTH.size + len(text)) % ALIGNMENT)
        self._head = _LENGTH.pack(len(text)) + text
        self.segments = {
            name: (len(self._head) + row["data_offsets"][0], row["data_offsets"][1] - row["data_offsets"][0])
            for name, row in rows.items()
        }

    def write(self, file: IO[bytes]) -> None:
        """Write the file, its tensors straight from where they are."""
        file.write(self._head)
        for _, literal in self._tensors:
            file.write(literal.raw)


def is_safetensors(view: memoryview) -> bool:
    """Whether bytes begin as such a file does, and a rax file does not."""
    return bytes(view[_LENGTH.size : _LENGTH.size + 1]) == b"{"


def read_segments(view: memoryview, where: str) -> list[tuple[int, int]]:
    """Where the tensors of a file lie, as ``(offset, nbytes)``.

    Raises:
        FormatError: it is no safetensors file.
    """
    (length,) = _LENGTH.unpack(view[: _LENGTH.size])
    import json  # noqa: PLC0415  # a rax file needs none

    end = _LENGTH.size + length
    try:
        header = cast("object", json.loads(bytes(view[_LENGTH.size : end]))) if length <= MAX_HEADER_BYTES else None
        rows = cast("dict[str, Any]", header)
        ranges = [row["data_offsets"] for name, row in rows.items() if name != "__metadata__"]
        segments = [(end + int(start), int(stop) - int(start)) for start, stop in ranges]
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        refuse("external", "a damaged safetensors file", where)
    if any(offset < end or nbytes < 0 or offset + nbytes > len(view) for offset, nbytes in segments):
        refuse("external", "a safetensors file whose tensors lie outside it", where)
    return segments
