"""What must hold of any bytes given as a file, and the limits of time and memory it must hold within."""

from __future__ import annotations

import contextlib
import resource
import signal
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import NoReturn

from rax.format.describing import describe
from rax.format.files import load
from rax.ir.errors import FormatError
from tests.format.build import to_bytes
from tests.format.page import CODES

SECONDS = 1.0
"""The time of the processor that one file of ordinary size may take."""
MEMORY_BYTES = 2**28
"""The memory that it may take."""
LONGEST_ERROR = 8192
MOST_PRINTED = 4096
"""Larger files are not printed: text repeats at each node the attributes and graphs that a file has once."""
EXHAUSTION = ("MemoryError", "RecursionError", "maximum recursion", "integer string conversion")
LOADS = "loads"
BEYOND_HEADER = ("unknown-op", "op-version", "op-refused", "wrong-type", "bad-program", "digest", "external")


class Hang(BaseException):
    """A file took longer than it may."""


@contextlib.contextmanager
def limits(seconds: float = SECONDS, nbytes: int = MEMORY_BYTES) -> Generator[None]:
    """Within the block, raise :class:`Hang` past a time of the processor, ``MemoryError`` past an amount of memory.

    To be used in a process of its own, or for one check: the memory is that of the address space.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + nbytes, before[1]))
    signal.signal(signal.SIGPROF, lambda *_: _hang())
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _hang() -> NoReturn:
    raise Hang


def address_space() -> int:
    """The bytes of this process's address space."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def examine(data: bytes, path: Path) -> str:
    """Load bytes as a file, and hold what comes of it to what a reader promises.

    Args:
        data: the bytes.
        path: where to write them.

    Returns:
        The code of the error, or ``"loads"``.

    Raises:
        BaseException: of any kind: the reader has a defect.
    """
    path.write_bytes(data)
    try:
        program = load(path)
    except FormatError as error:
        code = checked(error)
        if code in BEYOND_HEADER or zlib.crc32(data) % 8 == 0:  # the rest differ little, and it takes time
            described = _described(path)
            assert described in (LOADS, code), f"described as {described}, loaded as {code}"
        return code
    assert (described := _described(path)) == LOADS, f"loads, but is described as {described}"
    for graph in program.values() if len(data) <= MOST_PRINTED else ():
        assert str(graph).startswith("graph (")
        assert repr(graph)
    again = to_bytes(program)
    path.write_bytes(again)
    assert to_bytes(load(path)) == again, "what was saved is saved as other bytes when it is loaded"
    return LOADS


def _described(path: Path) -> str:
    try:
        describe(path)
    except FormatError as error:
        return checked(error)
    return LOADS


def checked(error: FormatError) -> str:
    """The code of an error that says what it must, and not at length."""
    text = str(error)
    assert error.code in CODES, f"the page does not list the code {error.code!r}"
    assert error.what
    assert error.where or error.code == "limit", f"an error without a place: {text}"
    assert len(text) <= LONGEST_ERROR, f"an error of {len(text)} characters: {text[:200]}"
    assert not any(word in text for word in EXHAUSTION), text
    return error.code
