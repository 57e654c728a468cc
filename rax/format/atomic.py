"""Replacing a file so that it is whole at every moment, whatever kills the process."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None

PREFIX, SUFFIX = ".rax-save-", ".tmp"
PUSH_BYTES = 2**23
"""How much is written before the disk is told to begin with it."""


class _Aside(FileIO):
    """A file that goes to the disk while more of it is written, so that the sync at its end finds little to do."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "x")
        self._pushed = self._written = 0

    def write(self, data: Any, /) -> int | None:
        """Write a part of what is given, as the buffer before it expects."""
        written = super().write(memoryview(data).cast("B")[:PUSH_BYTES])
        self._written += written or 0
        if self._written - self._pushed >= PUSH_BYTES and hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):  # advice: the sync at the end tells of what is wrong
                # What is not on the disk yet is sent there and kept.
                os.posix_fadvise(self.fileno(), self._pushed, PUSH_BYTES, os.POSIX_FADV_DONTNEED)
            self._pushed += PUSH_BYTES
        return written


@contextmanager
def replacing(path: str | os.PathLike[str], *, new: bool = False) -> Generator[IO[bytes]]:
    """A file to write, beside ``path``, that takes its place when the block ends without an error.

    Its data reaches the disk before its name changes, and the change of name before this returns.
    What earlier saves left in the folder when they were killed is removed first: a process holds
    a lock on the file it writes, and the lock goes when the process does.

    Args:
        path: the file to replace; a symbolic link is followed.
        new: replace nothing: there must be no such file when the new one is whole.

    Raises:
        FileExistsError: there is such a file, and ``new`` is set.
        OSError: the folder is absent or full, the file may not be replaced, or is no regular file.
    """
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    _clean(target.parent)
    aside, file = _create(target.parent)
    try:
        with file:
            yield file
            file.flush()
            if fcntl is not None:
                if mode is not None:
                    os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
                _rename(aside, target, new=new)  # while the lock is held
        if fcntl is None:
            _rename(aside, target, new=new)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _mode(target: Path) -> int | None:
    """The permissions of the file to replace; None where there is none."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "no regular file, so it is not replaced", str(target))
    return stat.S_IMODE(mode)


def _clean(folder: Path) -> None:
    """Remove what killed saves left behind."""
    with contextlib.suppress(OSError):
        for leftover in folder.glob(f"{PREFIX}*{SUFFIX}"):
            _remove_if_unlocked(leftover)


def _remove_if_unlocked(leftover: Path) -> None:
    with contextlib.suppress(OSError):  # another process is writing it, or has removed it
        if not stat.S_ISREG(leftover.lstat().st_mode):
            return
        if fcntl is None:
            leftover.unlink()
        else:
            with leftover.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()


def _create(folder: Path) -> tuple[Path, IO[bytes]]:
    """A new, locked file."""
    while True:
        aside = folder / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
        try:
            file = BufferedWriter(_Aside(aside), buffer_size=2**16)
        except OSError as error:
            error.filename = str(folder)  # what the caller can do something about
            raise
        if fcntl is None:
            return aside, file
        with contextlib.suppress(OSError):  # a file system without locks: nothing is removed there
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return aside, file
        file.close()  # another save took it for a leftover before it was locked


def _rename(aside: Path, target: Path, *, new: bool) -> None:
    if not new:
        aside.replace(target)
        return
    with _folder_locked(target.parent):  # between the look and the change of name comes no other save
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        aside.replace(target)


@contextmanager
def _folder_locked(folder: Path) -> Generator[None]:
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, where they are absent, in a way that outlasts a loss of power.

    Raises:
        OSError: one cannot be made.
    """
    absent = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in absent:
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if fcntl is None:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
