"""What a command line of ``rax-run`` asks for."""

from __future__ import annotations

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
