"""Several threads for what is done to many bytes: hashing lets other threads run meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
THREADED_BYTES = 2**23
"""Below it, one thread is done before others have begun."""


def spread(work: Callable[[Item], Made], items: Sequence[Item], nbytes: Callable[[Item], int]) -> list[Made]:
    """What ``work`` makes of each item, in order; several at a time if there is much to do.

    Args:
        work: what to do; its first error, in the order of the items, is raised.
        items: the items.
        nbytes: how many bytes are in an item.

    Example:
        >>> spread(abs, [-1, 2], lambda item: 2**30)
        [1, 2]
    """
    if len(items) < 2 or sum(map(nbytes, items)) < THREADED_BYTES:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # a small file needs none

    with ThreadPoolExecutor(min(len(items), os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))
