"""``--max-memory`` and ``--timeout``: how they are written, and what holds the whole process to them.

A plan is refused, and a loop stopped, by the runtime itself, with an error that names the step. This
module is the backstop for what the runtime cannot see: one call into NumPy that takes long or much
memory, a file that is long to load or to compile.
"""

from __future__ import annotations

import argparse
import os
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rax.runtime.deadline import time_limit

try:
    import resource
except ImportError:  # Windows
    resource = None

EXIT_CODE = 3
"""The exit code of a run that was refused or stopped for its memory or time."""
OVERHEAD_BYTES = 1 << 27
"""What the process may take beside ``--max-memory``: for Python's objects, and scratch of single operations."""
_GRACE_SECONDS = 0.25
_STATUS = Path("/proc/self/status")

_BYTES = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """A number of bytes, with KB, MB, GB, TB for powers of 1000 and KiB, MiB, GiB, TiB for powers of 1024.

    Raises:
        argparse.ArgumentTypeError: it is none.

    Example:
        >>> parse_bytes("512MiB"), parse_bytes("1.5 GB"), parse_bytes("4096")
        (536870912, 1500000000, 4096)
    """
    match = _QUANTITY.fullmatch(text)
    unit = _BYTES.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of memory: write 512MiB, 2GB or a number of bytes")
    whole, _, part = match[1].partition(".")
    return int(whole or "0") * unit + int(part or "0") * unit // 10 ** len(part)


def parse_seconds(text: str) -> float:
    """A number of seconds, or of what stands behind it: ms, s, min or h.

    Raises:
        argparse.ArgumentTypeError: it is none.

    Example:
        >>> parse_seconds("10"), parse_seconds("500ms"), parse_seconds("2min")
        (10.0, 0.5, 120.0)
    """
    match = _QUANTITY.fullmatch(text)
    unit = _SECONDS.get(match[2].lower()) if match else None
    seconds = float(match[1]) * unit if match and unit else 0.0
    if not 0 < seconds <= threading.TIMEOUT_MAX - 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time: write 10, 500ms or 2min")
    return seconds


@contextmanager
def stopped_after(seconds: float | None) -> Generator[None]:
    """What runs within the block is given some seconds; None sets no limit.

    Loops and long plans stop by themselves, with an error that names the step. Where that does not
    happen in time, as within one long call into NumPy, another thread ends the process. So what is
    written within the block may be left half-written.
    """
    if seconds is None:
        yield
        return
    lock, over = threading.Lock(), threading.Event()

    def watch() -> None:
        if over.wait(seconds + _GRACE_SECONDS):
            return
        with lock:
            if not over.is_set():
                os.write(2, f"rax-run: {out_of_time(seconds)}\n".encode())
                os._exit(EXIT_CODE)

    threading.Thread(target=watch, daemon=True).start()
    try:
        with time_limit(seconds):
            yield
    finally:
        with lock:
            over.set()


def out_of_time(seconds: float) -> str:
    """What is said of a process that took longer than it was given.

    Example:
        >>> out_of_time(10)
        'stopped after 10 s, all the time it may take: allow more with --timeout'
    """
    return f"stopped after {seconds:g} s, all the time it may take: allow more with --timeout"


@contextmanager
def held_to(memory: int | None) -> Generator[None]:
    """What runs within the block may take that much memory beside what is taken already; None sets no limit.

    On Linux the kernel refuses what is more, by some megabytes, and Python raises a MemoryError.
    Files that are mapped do not count. Elsewhere the process is not held, plans alone are.
    """
    if memory is None or resource is None or not _STATUS.exists():
        yield
        return
    square = np.ones((512, 512))
    np.matmul(square, square)  # for BLAS ends the process if it does not get its own memory, which it keeps
    limit = _taken() + memory + OVERHEAD_BYTES
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lowest = min([limit, *[each for each in (soft, hard) if each != resource.RLIM_INFINITY]])
    resource.setrlimit(resource.RLIMIT_DATA, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _taken() -> int:
    """The bytes of this process that the limit counts."""
    match = re.search(r"^VmData:\s*(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
