"""Other files that hold a file's tensors: the rule for their paths, and how they are opened.

A path is relative to the folder of the rax file and leads down from it. Opening follows no link, so that
a file from somebody else cannot reach what lies elsewhere; and what is read is compared with a digest.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import IO

from rax.format.limits import MAX_FILES, MAX_PATH, MAX_PATH_PART, as_array, as_text, refuse, shown

_FORBIDDEN = frozenset("\\:\x7f") | {chr(code) for code in range(0x20)}
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_DESCENDS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")


def read_paths(value: object) -> list[str]:
    """The paths of the header's table.

    Raises:
        FormatError: one breaks the rule, or comes twice.
    """
    paths: dict[str, None] = {}
    for number, item in enumerate(as_array(value, "files", MAX_FILES)):
        path = check_path(as_text(item, f"files[{number}]", MAX_PATH), f"files[{number}]")
        if path in paths:
            refuse("bad-path", f"the path {shown(path)} comes twice", f"files[{number}]")
        paths[path] = None
    return list(paths)


def check_path(path: str, where: str) -> str:
    """The path, if it leads from a folder to something inside it, on every system.

    Raises:
        FormatError: it does not.

    Example:
        >>> check_path("weights/base.safetensors", "files[0]")
        'weights/base.safetensors'
    """
    for part in path.split("/"):
        if part in ("", ".", "..") or len(part) > MAX_PATH_PART or not _FORBIDDEN.isdisjoint(part):
            fix = "write a relative path with / between its parts, without . and .., \\, : and control characters"
            refuse("bad-path", f"the path {shown(path)} may lead out of the folder of the file", where, fix)
    return path


def open_beside(folder: str | os.PathLike[str], path: str, where: str) -> IO[bytes]:
    """Open a file by its path from a folder, following no link.

    Args:
        folder: where the rax file lies.
        path: a path that follows the rule.
        where: the row in the header.

    Raises:
        FormatError: there is no such file, it is no regular file, or a link leads to it.
    """
    try:
        descriptor = _descend(folder, path) if _DESCENDS else os.open(_resolved(folder, path), _OPEN)
    except OSError as error:
        link = error.errno in (errno.ELOOP, errno.ENOTDIR)
        why = "a link, or no folder, is on the way to it" if link else error.strerror
        refuse(
            "external", f"the file of tensors {shown(path)} cannot be opened: {why}", where, f"it is due in {folder}"
        )
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        what = "has a second name (a hard link)" if stat.S_ISREG(status.st_mode) else "is no regular file"
        refuse("external", f"the file of tensors {shown(path)} {what}", where, f"put a copy into {folder}")
    return os.fdopen(descriptor, "rb")


def check_way(folder: str | os.PathLike[str], path: str, where: str) -> None:
    """Check that no link is on the way to a file that is to be written: it could not be read again.

    Raises:
        FormatError: one is, or something that is no folder.
    """
    here = os.fspath(folder)
    for part in path.split("/")[:-1]:
        here = os.path.join(here, part)
        if os.path.islink(here) or (os.path.exists(here) and not os.path.isdir(here)):
            what = f"the file of tensors {path!r} cannot be written: a link, or no folder, is on the way to it"
            refuse("external", what, where, f"put a folder in place of {here}")


def _descend(folder: str | os.PathLike[str], path: str) -> int:
    """Open part by part, so that no folder on the way can be replaced by a link meanwhile."""
    *folders, name = path.split("/")
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(name, _OPEN, dir_fd=here)
    finally:
        os.close(here)


def _resolved(folder: str | os.PathLike[str], path: str) -> str:
    """The path, where no link is on it; for systems that cannot open from a folder."""
    whole = os.path.join(os.path.realpath(folder), *path.split("/"))
    if os.path.realpath(whole) != whole:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return whole
