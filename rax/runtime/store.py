"""Small entries on disk by key, shared by all processes of a user: bounded, and whole or absent.

An entry is written aside and renamed, so that a process killed at any moment leaves what was there.
It carries a digest of its key and data: one that was cut off, altered or renamed is removed when it is met.
The folder is the user's alone: one that others own or may write to is not used, nor is a link to one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time

from rax.ir.record import Record

MAGIC = b"rax cache 1\n"
"""What an entry begins with; the number is raised when entries of before say something else."""
MAX_ENTRY_BYTES = 1 << 22
"""A larger one is neither written nor read."""
MAX_BYTES = 1 << 26
"""What all may take together; past it those are removed that were not used for the longest time."""
_ASIDE = ".new-"
_ASIDE_SECONDS = 3600
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Found(Record):
    """What a look into the store gave.

    Attributes:
        data: the entry's; None where there is none.
        why: a few words for who asks.
    """

    data: bytes | None
    why: str


class Store:
    """Entries in a folder.

    No method raises an error for what is wrong with the folder or an entry: then there is nothing, and
    a few words say why.

    Args:
        folder: made when the first entry is written.
        limit: the bytes that all entries may take together.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = Store(folder)
        ...     store.write("ab12", b"data")
        ...     store.read("ab12").data, store.read("cd34").why
        ''
        (b'data', 'there is no entry')
    """

    def __init__(self, folder: str, limit: int = MAX_BYTES) -> None:
        self.folder = folder
        self.limit = limit

    def path(self, key: str) -> str:
        """The file of an entry."""
        return os.path.join(self.folder, f"{key}.plan")

    def read(self, key: str) -> Found:
        """An entry, which then counts as used now.

        Args:
            key: letters and digits.
        """
        try:
            wrong = self._wrong()
            if wrong:
                return Found(None, wrong)
            with os.fdopen(os.open(self.path(key), _READ), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_ENTRY_BYTES:
                    return Found(None, "the entry is too large, or no regular file")
                entry = file.read(MAX_ENTRY_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return Found(None, "there is no entry")
        except OSError as error:
            return Found(None, f"the entry cannot be read: {error.strerror}")
        data = entry[len(MAGIC) + 32 :]
        if entry != _entry(key, data):
            self.remove(key)
            known = entry.startswith(MAGIC)
            return Found(None, "the entry was damaged or altered" if known else "the entry is of another version")
        try:
            os.utime(self.path(key))
        except OSError:
            return Found(data, "found, in a folder that cannot be written")
        return Found(data, "found")

    def write(self, key: str, data: bytes) -> str:
        """Keep an entry, in place of an older one.

        Returns:
            Why it was not kept, in a few words; nothing if it was.
        """
        entry = _entry(key, data)
        if len(entry) > min(MAX_ENTRY_BYTES, self.limit):
            return f"an entry of {len(entry):,} bytes is too large"
        aside = os.path.join(self.folder, f"{_ASIDE}{os.urandom(8).hex()}")
        try:
            os.makedirs(os.path.dirname(self.folder), exist_ok=True)
            if not os.path.lexists(self.folder):
                os.makedirs(self.folder, 0o700, exist_ok=True)
            wrong = self._wrong()
            if wrong:
                return wrong
            try:
                with os.fdopen(os.open(aside, _WRITE, 0o600), "wb") as file:
                    file.write(entry)
                os.replace(aside, self.path(key))
            except OSError:
                _remove(aside)
                raise
        except OSError as error:
            return f"the folder cannot be written: {error.strerror}"
        self._bound()
        return ""

    def remove(self, key: str) -> None:
        """Remove an entry, if there is one."""
        _remove(self.path(key))

    def _wrong(self) -> str:
        """Why the folder is not used; nothing if it is."""
        status = os.lstat(self.folder)
        if not stat.S_ISDIR(status.st_mode):
            return "the folder is a link, or no folder"
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            return "others own the folder, or may write to it"
        return ""

    def _bound(self) -> None:
        """Remove what was not used for the longest time, until the rest is within the limit."""
        entries: list[tuple[float, int, str]] = []
        try:
            with os.scandir(self.folder) as found:
                for each in found:
                    status = each.stat(follow_symlinks=False)
                    entries.append((status.st_mtime, status.st_size, each.path))
        except OSError:  # another process removes entries too: the next write looks again
            return
        total = sum(size for _, size, _ in entries)
        now = time.time()
        for used, size, path in sorted(entries):
            if os.path.basename(path).startswith(_ASIDE):
                if now - used > _ASIDE_SECONDS:  # of a process that was killed
                    _remove(path)
            elif total > self.limit:
                _remove(path)
                total -= size


def _entry(key: str, data: bytes) -> bytes:
    return MAGIC + hashlib.sha256(key.encode() + b"\n" + data).digest() + data


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:  # it is gone, or cannot be
        return
