"""Replacing a file so that it is whole at every moment, whatever kills the process."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None

PREFIX, SUFFIX = ".rax-save-", ".tmp"


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """A file to write, beside ``path``, that takes its place when the block ends without an error.

    Its data reaches the disk before its name changes, and the change of name before this returns.
    What earlier saves left in the folder when they were killed is removed first: a process holds
    a lock on the file it writes, and the lock goes when the process does.

    Args:
        path: the file to replace; a symbolic link is followed.

    Raises:
        OSError: the folder is absent or full, or the file may not be replaced.
    """
    target = Path(os.path.realpath(path))
    _clean(target.parent)
    aside, file = _create(target.parent)
    try:
        with file:
            yield file
            file.flush()
            if fcntl is not None:
                _keep_mode(target, file)
                os.fsync(file.fileno())
                aside.replace(target)  # while the lock is held
        if fcntl is None:
            aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if fcntl is not None:
        _sync_folder(target.parent)


def _clean(folder: Path) -> None:
    """Remove what killed saves left behind."""
    with contextlib.suppress(OSError):
        for leftover in folder.glob(f"{PREFIX}*{SUFFIX}"):
            _remove_if_unlocked(leftover)


def _remove_if_unlocked(leftover: Path) -> None:
    with contextlib.suppress(OSError):  # another process is writing it, or has removed it
        if fcntl is None:
            leftover.unlink()
        else:
            with leftover.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()


def _create(folder: Path) -> tuple[Path, IO[bytes]]:
    """A new, locked file."""
    while True:
        aside = folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        try:
            file = aside.open("xb", buffering=2**16)
        except OSError as error:
            error.filename = str(folder)  # what the caller can do something about
            raise
        if fcntl is None:
            return aside, file
        with contextlib.suppress(OSError):  # a file system without locks: nothing is removed there
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink:
            return aside, file
        file.close()  # another save took it for a leftover before it was locked


def _keep_mode(target: Path, file: IO[bytes]) -> None:
    """Give the new file the permissions of the one it replaces."""
    with contextlib.suppress(FileNotFoundError):
        os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
