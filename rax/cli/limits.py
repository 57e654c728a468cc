"""``--max-memory`` and ``--timeout``: what holds the whole process to them.

A plan is refused, and a loop stopped, by the runtime itself, with an error that names the step. This
module is the backstop for what the runtime cannot see: one call into NumPy that takes long or much
memory, a file that is long to load or to compile.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from rax.cli.command import EXIT_CODE
from rax.runtime.deadline import time_limit

try:
    import resource
except ImportError:  # Windows
    resource = None

OVERHEAD_BYTES = 1 << 27
"""What the process may take beside ``--max-memory``: for Python's objects, and scratch of single operations."""
_GRACE_SECONDS = 0.25
_STATUS = Path("/proc/self/status")


@contextmanager
def stopped_after(seconds: float) -> Generator[None]:
    """What runs within the block is given some seconds.

    Loops and long plans stop by themselves, with an error that names the step. Where that does not
    happen in time, as within one long call into NumPy, another thread ends the process. So what is
    written within the block may be left half-written.
    """
    lock, over = threading.Lock(), threading.Event()

    def watch() -> None:
        if over.wait(seconds + _GRACE_SECONDS):
            return
        with lock:
            if not over.is_set():
                with suppress(OSError):  # nobody reads it
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
def held_to(memory: int) -> Generator[None]:
    """What runs within the block may take that much memory beside what is taken already.

    On Linux the kernel refuses what is more, by some megabytes, and Python raises a MemoryError.
    Files that are mapped do not count. Elsewhere the process is not held, plans alone are.
    """
    if resource is None or not _STATUS.exists():
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
