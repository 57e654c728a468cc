"""Blocks of work in threads: each is done once, errors come through, and threads keep out of each other's way."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rax
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.executable import compile
from rax.runtime.fusion import threads


def looking(look: Callable[[], object]) -> Callable[[], Callable[[int], None]]:
    """What makes works that look around at their first block."""

    def start() -> Callable[[int], None]:
        due = [look]

        def work(block: int) -> None:
            del block
            if due:
                due.pop()()

        return work

    return start


def test_blocks_are_done_once_and_the_first_failure_is_raised() -> None:
    done: list[int] = []
    run_blocks(range(100), lambda: done.append)
    assert sorted(done) == list(range(100))

    def fail(block: int) -> None:
        raise ValueError(block)

    with pytest.raises(ValueError, match=r"^[0-9]+$"):
        run_blocks(range(100), lambda: fail)
    run_blocks([], lambda: fail)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    x = np.ones(1 << 20, np.float32)
    exe = compile(rax.trace(lambda x: x * 2 + 1 - x, x))
    exe(x)
    child = os.fork()
    if child == 0:
        os._exit(int(not np.array_equal(exe(x), x * 2 + 1 - x)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_each_thread_of_a_job_has_a_processor_of_its_own() -> None:
    before = os.sched_getaffinity(0)
    found: dict[int, set[int]] = {}
    together = threading.Barrier(threads())

    def look() -> None:
        found[threading.get_ident()] = os.sched_getaffinity(0)
        together.wait(10)

    run_blocks(range(100), looking(look))
    assert len(found) == threads()
    assert all(len(each) == 1 for each in found.values())
    assert set.union(*found.values()) == before
    assert os.sched_getaffinity(0) == before


def test_callers_at_once_have_different_processors() -> None:
    found: dict[int, set[int]] = {}
    together = threading.Barrier(threads())

    def call(caller: int) -> None:
        def look() -> None:
            if threading.current_thread().name != "rax":
                found[caller] = os.sched_getaffinity(0)
                together.wait(10)

        run_blocks(range(100), looking(look))

    with ThreadPoolExecutor(threads()) as callers:
        list(callers.map(call, range(threads())))
    assert all(len(each) == 1 for each in found.values())
    assert set.union(*found.values()) == os.sched_getaffinity(0)


def test_a_caller_may_run_anywhere_again_after_an_error() -> None:
    before = os.sched_getaffinity(0)

    def start() -> Callable[[int], None]:
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        run_blocks(range(100), start)
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("first", "count"), [(0, 1), (1, 1), (2, 1), (3, 1), (0, 100), (1, 100), (2, 100)])
def test_a_job_is_done_though_processors_are_taken_away(
    first: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses to keep threads to those they had: a helper, the caller, or the caller when it is let go."""
    before, calls = os.sched_getaffinity(0), itertools.count()
    keep = os.sched_setaffinity
    run_blocks(range(2), lambda: lambda _: None)  # starts the threads

    def refuse(thread: int, processors: Iterable[int]) -> None:
        if first <= next(calls) < first + count:
            raise OSError(errno.EINVAL, "Invalid argument")
        keep(thread, processors)

    def start() -> Callable[[int], None]:
        due = [together] * (count == 1)  # else the caller may have to stay where it is, and works alone

        def work(block: int) -> None:
            if due:
                due.pop().wait(10)
            done.append(block)

        return work

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    try:
        for _ in range(3):
            done: list[int] = []
            together = threading.Barrier(threads())
            run_blocks(range(100), start)
            assert sorted(done) == list(range(100))
        assert count > 1 or os.sched_getaffinity(0) == before
    finally:
        keep(0, before)
        monkeypatch.undo()
    test_each_thread_of_a_job_has_a_processor_of_its_own()


def test_a_caller_that_is_kept_to_a_processor_works_alone_there() -> None:
    before = os.sched_getaffinity(0)
    own = {min(before)}
    os.sched_setaffinity(0, own)
    try:
        workers: set[int] = set()

        run_blocks(range(100), looking(lambda: workers.add(threading.get_ident())))
        assert workers == {threading.get_ident()}
        assert os.sched_getaffinity(0) == own
    finally:
        os.sched_setaffinity(0, before)
