"""Tensors of a file as literals: mapped, not copied, and read only when touched."""

from __future__ import annotations

import hashlib
from typing import Any

from rax.format.header import Segments, TensorRow
from rax.format.limits import refuse
from rax.ir import services
from rax.ir.node import INLINE_KEY_BYTES, Literal
from rax.ir.types import TensorType


class Stored:
    """Bytes of a mapped file, in one segment or several; rows of the same bytes share one.

    Args:
        view: the whole file.
        segments: where the bytes lie.
    """

    __slots__ = ("_digest", "_pieces", "_raw", "nbytes")

    def __init__(self, view: memoryview, segments: Segments) -> None:
        self._pieces = [view[offset : offset + nbytes] for offset, nbytes in segments]
        self.nbytes = sum(piece.nbytes for piece in self._pieces)
        self._digest: bytes | None = None
        self._raw: memoryview | None = None

    @property
    def raw(self) -> memoryview:
        """The bytes in one piece; several are joined by copying when this is first asked for."""
        if self._raw is None and len(self._pieces) == 1:
            self._raw = self._pieces[0]
        if self._raw is None:
            joined = memoryview(bytearray(self.nbytes))
            position = 0
            for piece in self._pieces:
                joined[position : position + piece.nbytes] = piece
                position += piece.nbytes
            self._raw = joined.toreadonly()
        return self._raw

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the bytes, computed when it is first asked for."""
        if self._digest is None:
            total = hashlib.sha256()
            for piece in self._pieces:
                total.update(piece)
            self._digest = total.digest()
        return self._digest


class StoredLiteral(Literal):
    """A tensor that lies in a mapped file.

    Its data is mapped when first touched; its digest is compared with the file's when first asked
    for, and where the data lies in another file than the digest, when the data is first touched.
    While the digest is unproven the key is the literal's own, so that nothing a file claims can
    stand in for another file's tensor.

    Args:
        row: what the header says.
        stored: the bytes.
        where: the row's place in the header.
        check: compare the digest now.

    Raises:
        FormatError: the digest differs, or a bool is neither 0 nor 1.
    """

    __slots__ = ("_array", "_claimed", "_outside", "_stored", "_where")

    def __init__(self, row: TensorRow, stored: Stored, where: str, *, check: bool) -> None:
        # The base's own __init__ would read the data.
        self.type = row.type
        self._stored = stored
        self._claimed = row.digest
        self._digest = None
        self._where = where
        self._outside = row.file is not None
        self._array: Any = None
        small = stored.nbytes <= INLINE_KEY_BYTES
        content: object = bytes(self.raw) if small else self.digest if check else object()
        self._key = (self.type.dtype.name, self.type.shape, content)
        if small or (check and row.type.dtype.kind == "bool"):
            _ = self.digest, self.array

    @property
    def array(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]  # read when touched
        """The elements, read-only."""
        if self._array is None:
            self._array = array_over(self.type, self.raw, self._claimed, self._where)
        return self._array

    @property
    def raw(self) -> memoryview:  # pyright: ignore[reportIncompatibleVariableOverride]  # read when touched
        """The bytes, in one piece."""
        if self._outside:
            _ = self.digest
        return self._stored.raw

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the bytes.

        Raises:
            FormatError: it is not what the file says.
        """
        if self._digest is None:
            if self._stored.digest != self._claimed:
                refuse("digest", "a tensor was changed or damaged: its SHA-256 differs", self._where)
            self._digest = self._claimed
        return self._digest


def read_tensor(row: TensorRow, stored: Stored | None, where: str, *, check: bool) -> Literal:
    """The literal of a row.

    Args:
        row: the row.
        stored: the bytes; None where they stand in the row.
        where: the row's place in the header.
        check: compare the digest of a stored tensor now.

    Raises:
        FormatError: the digest differs, or a bool is neither 0 nor 1.
    """
    if stored is not None:
        return StoredLiteral(row, stored, where, check=check)
    raw = memoryview(row.inline or b"")
    return Literal(row.type, array_over(row.type, raw, b"", where), raw)


def array_over(type: TensorType, raw: memoryview, digest: bytes, where: str) -> Any:
    """The array over stored bytes; the digest is not looked at."""
    array = services.get("literal")(type, raw, digest).array
    if type.dtype.kind == "bool" and int(array.view("uint8").max(initial=0)) > 1:
        refuse("bad-tensor", "a bool is stored as a byte 0 or 1", where)
    return array
