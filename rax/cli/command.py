"""What a command line of ``rax-run`` asks for."""

from __future__ import annotations

import os

from rax.ir.record import Record

EXIT_CODE = 3
"""The exit code of a run that was refused or stopped for its memory or time."""


class Command(Record):
    """What a command line asks for; see ``rax-run --help``."""

    file: str
    inputs: tuple[str, ...]
    info: bool = False
    check: bool = False
    steps: int | None = None
    output: str = ""
    backend: str = "numpy"
    memory: int | None = None
    max_memory: int | None = None
    timeout: float | None = None
    profile: bool = False
    profile_trace: str = ""
    progress: bool = False
    explain_cache: bool = False

    @property
    def reads_ahead(self) -> bool:
        """Whether the file may be read before anything else is done: it is to be run, and within no limits."""
        return not (self.info or self.check or self.max_memory is not None or self.timeout is not None)


def split_entry(text: str) -> tuple[str, str | None]:
    """A file and the entry named behind a colon; a file that exists under the whole text is the file.

    Example:
        >>> split_entry("model.msgpack:predict")
        ('model.msgpack', 'predict')
    """
    path, colon, name = text.rpartition(":")
    if not colon or not path or not name or os.path.exists(text):
        return text, None
    return path, name
