"""Saving with tensors in other files: those that have them are searched, one that is absent is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rax.format.atomic import make_folders, replacing
from rax.format.encode import ProgramWriter
from rax.format.header import Segments
from rax.format.layout import Places
from rax.format.limits import MAX_INLINE_BYTES, refuse
from rax.format.opening import memory_of, open_file
from rax.format.paths import check_path, check_way, open_beside
from rax.format.safetensors import DTYPES, SafetensorsLayout, is_safetensors, read_segments
from rax.format.tensors import Stored
from rax.ir.errors import FormatError
from rax.ir.node import Literal


class Outside:
    """Where the tensors of a program lie, if not in its own file.

    Args:
        target: the program's file.
        paths: other files, from the target's folder downwards; one may be absent.

    Raises:
        FormatError: a path leads out of the folder, names the target, or is a second one that is absent.
    """

    def __init__(self, target: Path, paths: Sequence[str]) -> None:
        self._folder = target.parent
        self._new: str | None = None
        self._found: list[str] = []
        self._layout: SafetensorsLayout | None = None
        for path in dict.fromkeys(paths):
            place = self._folder / check_path(path, "external")
            if _plain(place) == _plain(target):
                refuse("bad-path", f"{path!r} is the file that is written", "external")
            if os.path.lexists(place):
                self._found.append(path)
            elif self._new is None:
                self._new = path
            else:
                refuse("external", f"neither {self._new!r} nor {path!r} exists; only one can be written", "external")

    def place(self, writer: ProgramWriter) -> Places:
        """Where tensors lie, by their rows.

        Raises:
            FormatError: a file is out of reach, or no file of tensors.
        """
        large = {row: each for row, each in enumerate(writer.literals) if each.raw.nbytes > MAX_INLINE_BYTES}
        missing = {each.digest: each.raw.nbytes for each in large.values()}
        known: dict[bytes, tuple[str, Segments]] = {}
        for path in self._found:
            for digest, segments in self._search(path, missing):
                known[digest] = (path, segments)
                del missing[digest]
        if self._new is not None:
            fresh = _named(writer, {row: each for row, each in large.items() if each.digest in missing})
            self._layout = SafetensorsLayout(fresh)
            for name, literal in fresh.items():
                known[literal.digest] = (self._new, (self._layout.segments[name],))
        return {row: known[literal.digest] for row, literal in large.items() if literal.digest in known}

    def write(self) -> None:
        """Write the file that was absent, if there are tensors for it.

        Raises:
            FormatError: a link is on the way to it.
            FileExistsError: another process has written it meanwhile.
        """
        if self._layout is not None and self._layout.segments and self._new is not None:
            check_way(self._folder, self._new, "external")
            place = self._folder / self._new
            make_folders(place.parent)
            with replacing(place, new=True) as file:
                self._layout.write(file)

    def _search(self, path: str, missing: dict[bytes, int]) -> Iterator[tuple[bytes, Segments]]:
        """The tensors of a file that are among those sought; what they hash to is never taken on trust."""
        with open_beside(self._folder, path, "external") as file:
            size = os.fstat(file.fileno()).st_size
            view = memoryview(memory_of(file, size, 0) if size else b"")
        if is_safetensors(view):
            places = [(segment,) for segment in read_segments(view, path)]
        else:
            try:
                rows = open_file(self._folder / path, 0).header.tensors
            except FormatError as error:
                refuse(error.code, error.what, f"{error.where} of {path!r}", error.fix)
            places = [row.segments for row in rows if row.file is None and row.digest in missing]
        lengths = set(missing.values())
        for segments in places:
            if sum(nbytes for _, nbytes in segments) in lengths:
                digest = Stored(view, segments).digest
                if digest in missing:
                    yield digest, segments


def _plain(place: Path) -> str:
    """One text for all spellings that some system takes for the same file."""
    import unicodedata  # noqa: PLC0415  # for saves with other files alone

    return unicodedata.normalize("NFC", str(place).casefold())


def _named(writer: ProgramWriter, tensors: Mapping[int, Literal]) -> dict[str, Literal]:
    """Each tensor that a safetensors file can hold, once, under the name of its default or its digest."""
    defaults = {row: name for name, row in reversed(writer.defaults.items()) if name != "__metadata__"}
    names: dict[bytes, tuple[str, Literal]] = {}
    for row, literal in tensors.items():
        if literal.type.dtype.name in DTYPES:
            names.setdefault(literal.digest, (defaults.get(row, f"sha256:{literal.digest.hex()}"), literal))
    return dict(names.values())
