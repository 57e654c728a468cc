"""How long runs may take: a deadline of the thread, looked at between the steps of a run."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager


class OutOfTimeError(Exception):
    """The deadline has passed; what runs the step turns it into an error that names the step.

    Args:
        seconds: how long the run was given.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)


class _Running(threading.local):
    """What the runs of one thread are given: until when, and how many seconds that were at first."""

    deadline = math.inf
    seconds = math.inf


_running = _Running()


@contextmanager
def time_limit(seconds: float | None) -> Generator[None]:
    """What this thread runs within the block stops when the time is over; None sets no limit.

    One block within another can only shorten the time.

    Example:
        >>> with time_limit(60):
        ...     is_timed()
        True
    """
    outer = _running.deadline, _running.seconds
    if seconds is not None and time.monotonic() + seconds < outer[0]:
        _running.deadline, _running.seconds = time.monotonic() + seconds, seconds
    try:
        yield
    finally:
        _running.deadline, _running.seconds = outer


def is_timed() -> bool:
    """Whether what this thread runs has a limit."""
    return _running.deadline != math.inf


def check_time() -> None:
    """Look at the clock.

    Raises:
        OutOfTimeError: the time is over.
    """
    if time.monotonic() > _running.deadline:
        raise OutOfTimeError(_running.seconds)
