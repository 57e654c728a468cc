"""Blocks of work done by the calling thread and by a few that wait for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np

from rax.runtime.backends.numpy.blas import ONE_THREAD
from rax.runtime.backends.numpy.processors import Helper, Processors
from rax.runtime.deadline import check_time
from rax.runtime.fusion import threads

Block = Any
Work = Callable[[Block], None]


class _Job:
    """Blocks that are left to do, and how many threads help."""

    def __init__(self, blocks: Sequence[Block], start: Callable[[], Work]) -> None:
        self._left = iter(blocks)  # of a list or range: the interpreter's lock keeps it whole
        self._start = start
        self._works: list[Work] = []
        self._helpers = 0
        self._closed = False
        self._error: BaseException | None = None
        # Unlike conditions, these stay whole when a wait is interrupted.
        self._lock = threading.Lock()
        self._left_by: SimpleQueue[None] = SimpleQueue()

    def prepare(self, threads: int) -> None:
        """Make the work of so many threads, before they are woken: made by them, it would hold up the first blocks."""
        self._works = [self._start() for _ in range(threads)]

    def help(self) -> None:
        """Do blocks until none is left or one has failed; nothing if that is so already."""
        with self._lock:
            if self._closed:
                return
            self._helpers += 1
        self._work()
        self._left_by.put(None)

    def _work(self) -> None:
        try:
            work = self._works.pop()
            for block in self._left:
                check_time()
                work(block)
                if self._error is not None:
                    return
        except BaseException as error:  # noqa: BLE001  # whoever waits raises it
            self._error = self._error or error

    def finish(self) -> None:
        """Work too, and wait for the others."""
        self._work()
        with self._lock:
            self._closed = True
        for _ in range(self._helpers):
            self._left_by.get()
        del self._start, self._works  # with the arrays they hold: a thread may come late
        if self._error is not None:
            raise self._error


class _Pool:
    """Threads that are started when first needed, and then wait for jobs."""

    def __init__(self) -> None:
        self._processors = Processors()
        self.forget()

    def forget(self) -> None:
        """Begin with no thread: a forked process has none of its parent's."""
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._helpers: list[Helper] = []
        self._lock = threading.Lock()
        self._processors.forget()
        ONE_THREAD.forget()

    def run(self, job: _Job, helpers: int) -> None:
        """Do a job, with the help of so many threads if they are free before it is done."""
        if len(self._helpers) < helpers:
            with self._lock:
                while len(self._helpers) < helpers:
                    thread = threading.Thread(target=self._serve, args=(self._jobs,), name="rax", daemon=True)
                    thread.start()
                    self._helpers.append(Helper(thread.native_id or 0))

        def work(able: int) -> None:
            job.prepare(able + 1)
            for _ in range(able):
                self._jobs.put(job)
            job.finish()

        ONE_THREAD.run(self._processors.run, work, self._helpers[:helpers])

    def _serve(self, jobs: SimpleQueue[_Job]) -> None:
        with np.errstate(all="ignore"):
            while True:
                jobs.get().help()


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def run_blocks(blocks: Sequence[Block], start: Callable[[], Work]) -> None:
    """Do each block once, in any order and several at a time, and wait until all are done.

    It may be called from several threads at once.

    Args:
        blocks: what is given to the work, one by one.
        start: makes the work of one thread, with memory of its own; called by the calling thread, before any block
            is done.

    Raises:
        Exception: what the work of a block raised first; then blocks are left out.
        OutOfTimeError: the time of the calling thread is over.
    """
    helpers = min(threads(), len(blocks)) - 1
    if helpers <= 0:
        work = start()
        for block in blocks:
            check_time()
            work(block)
        return
    _pool.run(_Job(blocks, start), helpers)
