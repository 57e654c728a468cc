"""The table of what is costly to make, in processes forked while it is in use."""

from __future__ import annotations

import os
import threading

import pytest

from rax.runtime.cache import Cache


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_process_does_not_wait_for_a_thread_that_it_has_not() -> None:
    cache = Cache[str, int](4)
    begun, end = threading.Event(), threading.Event()

    def make() -> int:
        begun.set()
        return 1 if end.wait(30) else 2

    thread = threading.Thread(target=lambda: cache.get("slow", make))
    thread.start()
    begun.wait(30)
    child = os.fork()
    if child == 0:
        threading.Timer(10, os._exit, [1]).start()
        os._exit(0 if cache.get("other", lambda: 3) == 3 else 1)
    end.set()
    thread.join(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
