"""What a command prints: where its output is closed, full, or its reader has left, and which of it is an error.

Python has no stream where a process was started with a closed one, and what is printed there is lost in silence, or
printed on another.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

from rax.ir.errors import RaxError


def stream(name: str) -> TextIO | None:
    """A standard stream by its name in ``sys``; None where the process was started without it."""
    return getattr(sys, name)


def fill_gaps() -> None:
    """Open the null device in place of standard streams that are closed.

    The next file that is opened would get their numbers, and what libraries print would be written into it.
    """
    if None not in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        return
    while (place := os.open(os.devnull, os.O_RDWR)) <= 2:  # standard error, the last of them
        pass
    os.close(place)


def say(text: str) -> bool:
    r"""Print text on standard output, and a line break.

    Returns:
        Whether anyone reads: False where the reader has left, which is no error; nothing is printed from then on.

    Raises:
        RaxError: standard output is closed, or cannot be written.

    Example:
        >>> say("loss = 0.25")
        loss = 0.25
        True
    """
    return deliver(lambda output: output.write(f"{text}\n"))


def deliver(write: Callable[[TextIO], object]) -> bool:
    """Do what writes on standard output; as :func:`say`."""
    output = stream("stdout")
    if output is None:
        raise RaxError("standard output is closed", fix="send it to a file, or to /dev/null")
    try:
        write(output)
        output.flush()
    except BrokenPipeError:
        _mute(output)
        return False
    except OSError as error:
        _mute(output)
        raise RaxError(f"cannot write on standard output: {error.strerror}") from error
    return True


def given() -> bytes:
    """What there is to read on standard input.

    Raises:
        RaxError: it is closed.
    """
    source = stream("stdin")
    if source is None:
        raise RaxError("standard input is closed", fix="name a file in place of -")
    return source.buffer.read()


def complain(line: str) -> None:
    """Print a line on standard error, where that can be: the exit code says that something is wrong in any case."""
    errors = stream("stderr")
    if errors is None:
        return
    try:
        errors.write(f"{line}\n")
        errors.flush()
    except OSError:
        _mute(errors)


def _mute(output: TextIO) -> None:
    """Let what follows be lost, and what was held back with it: Python would write that at exit, and fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
