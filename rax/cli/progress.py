"""A progress bar of one line."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TextIO

WIDTH = 30
_REDRAW_SECONDS = 0.1


class Progress:
    """Redraws one line of a terminal, ten times a second at most.

    Args:
        total: the number of steps.
        stream: where to draw.
        shown: whether to draw at all.
    """

    def __init__(self, total: int, stream: TextIO, *, shown: bool) -> None:
        self._total = total
        self._stream = stream
        self._shown = shown
        self._start = time.monotonic()
        self._drawn = 0.0
        self._length = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def update(self, step: int) -> None:
        """Say that a number of steps is done."""
        if not self._shown:
            return
        now = time.monotonic()
        if step < self._total and now - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = now
        done = WIDTH * step // self._total
        left = (now - self._start) / step * (self._total - step)
        line = f"[{'#' * done}{'.' * (WIDTH - done)}] {step}/{self._total}, {duration(left)} left"
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._length:
            self._stream.write("\r" + " " * self._length + "\r")
            self._stream.flush()
            self._length = 0


def duration(seconds: float) -> str:
    """A time to read.

    Example:
        >>> duration(2.34), duration(61), duration(7325)
        ('2.3 s', '1:01', '2:02:05')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
