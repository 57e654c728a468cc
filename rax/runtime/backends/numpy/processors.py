"""Which processors the threads of one job run on: each keeps to one of its own until the job is done.

Threads that take turns at the interpreter's lock wake each other many times in a job, and each time the system
chooses anew where the woken one runs. That of a virtual machine may count a halted processor as taken, and puts the
woken thread beside the one that woke it: two share a processor and another stands still until the next balancing,
milliseconds later (in Linux, ``available_idle_cpu`` asks ``vcpu_is_preempted``).

The system may take processors away from a process at any moment, those of a running job too, and refuse what names no
other (``cpuset``). Then a thread runs wherever it may; a job never fails for that.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress


def _current_processor() -> Callable[[], int] | None:
    """The function that tells on which processor the calling thread runs; None where threads cannot be kept to one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        return ctypes.CDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return None


def _keep_nowhere(thread: int) -> None:
    """Let a thread run wherever the process may."""
    with suppress(OSError):  # refused altogether; or the thread is no more
        os.sched_setaffinity(thread, range(os.sysconf("SC_NPROCESSORS_CONF")))


class Helper:
    """A thread that helps with jobs, and where it runs.

    Args:
        thread: its number in the system.
    """

    def __init__(self, thread: int) -> None:
        self._thread = thread
        self._processor = -1

    def keep_to(self, processor: int) -> None:
        """Run nowhere else from now on, if that can be."""
        if self._processor == processor:
            return
        try:
            os.sched_setaffinity(self._thread, {processor})
            self._processor = processor
        except OSError:
            self._processor = -1
            _keep_nowhere(self._thread)


class Processors:
    """Those that callers of jobs have taken, in all threads."""

    def __init__(self) -> None:
        self._current = _current_processor()
        self.forget()

    def forget(self) -> None:
        """Begin with none taken: a forked process has no other thread of its parent's."""
        self._taken: dict[int, int] = {}  # by thread
        self._lock = threading.Lock()

    def run(self, work: Callable[[int], None], helpers: Sequence[Helper]) -> None:
        """Work, while the calling thread keeps to the processor it runs on and helpers to others.

        Args:
            work: is told how many of the helpers have a processor that no caller has: so many of the first.
            helpers: those that may help.
        """
        if self._current is None:
            work(len(helpers))
            return
        caller, allowed = threading.get_ident(), os.sched_getaffinity(0)
        if len(allowed) == 1:  # within a job of its own, or kept there by others, who may let it go again
            work(0)
            return
        try:
            with self._lock:
                self._taken.pop(caller, None)  # left by an interrupt
                free = sorted(allowed.difference(self._taken.values()))
                current = self._current()
                own = current if current in free else next(iter(free), None)
                if own is not None:
                    self._taken[caller] = own
            self._work(work, helpers, free, own)
        finally:
            try:
                os.sched_setaffinity(0, allowed)
            except OSError:  # none of them is left
                _keep_nowhere(0)
            finally:
                self._taken.pop(caller, None)

    def _work(self, work: Callable[[int], None], helpers: Sequence[Helper], free: list[int], own: int | None) -> None:
        if own is None:
            work(0)
            return
        # Those that follow its own, so that processes side by side do not all take the first.
        others = [*[each for each in free if each > own], *[each for each in free if each < own]]
        for helper, processor in zip(helpers, others, strict=False):
            helper.keep_to(processor)
        with suppress(OSError):  # it was taken away meanwhile
            os.sched_setaffinity(0, {own})
        work(min(len(helpers), len(others)))
