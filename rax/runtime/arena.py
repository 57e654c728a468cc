"""One range of memory for all that a run makes: where each buffer lies in it.

Buffers that are never alive at once may lie at one place. The places are chosen greedily by size, as
Pisarchyk and Lee describe it ("Efficient Memory Management for Deep Neural Net Inference", 2020): the
largest buffer first, each into the smallest gap that those alive with it leave.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from rax.ir.record import Record

# Where a buffer may begin: the width of a line of the processor's cache.
ALIGNMENT = 64
# So many of the largest buffers are given places one against the other; the rest share by size alone.
_COMPARED = 1024

Life = tuple[int, int, int]
"""Of a buffer its bytes, and the first and last step at which it is alive."""


class Arena(Record):
    """Where the buffers of a plan lie.

    Attributes:
        offsets: where the buffer begins, by the value that owns it.
        blocks: where the memory of a loop or choice begins, and how many bytes it has, by its step: its
            spare carries, then the arenas of the graphs it runs.
        given: for each output of the graph of a loop or choice whether the caller gives its buffer.
        fresh: the values that own a buffer outside the arena, allocated while the plan runs.
        nbytes: the length.
    """

    offsets: dict[int, int]
    blocks: dict[int, tuple[int, int]]
    given: tuple[bool, ...]
    fresh: frozenset[int]
    nbytes: int


def aligned(nbytes: int) -> int:
    """The next place at which a buffer may begin.

    Example:
        >>> aligned(0), aligned(1), aligned(64)
        (0, 64, 64)
    """
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def place(lives: Sequence[Life]) -> tuple[list[int], int]:
    """Where each buffer begins, and how many bytes all take.

    Example:
        >>> place([(100, 0, 1), (64, 1, 2), (100, 2, 3)])
        ([0, 128, 0], 192)
    """
    order = sorted(range(len(lives)), key=lambda index: -lives[index][0])
    offsets = [0] * len(lives)
    placed: list[tuple[int, int, int, int]] = []  # where it begins and ends, and its life, by where it begins
    total = 0
    for index in order[:_COMPARED]:
        size, birth, death = lives[index]
        size = aligned(size)
        best, least, reached = -1, -1, 0
        for begin, end, born, dead in placed:
            if born <= death and birth <= dead:
                gap = begin - reached
                if gap >= size and (best < 0 or gap < least):
                    best, least = reached, gap
                reached = max(reached, end)
        offsets[index] = best if best >= 0 else reached
        insort(placed, (offsets[index], offsets[index] + size, birth, death))
        total = max(total, offsets[index] + size)
    return _place_rest(lives, sorted(order[_COMPARED:], key=lambda index: lives[index][1]), offsets, total)


def _place_rest(lives: Sequence[Life], order: Sequence[int], offsets: list[int], total: int) -> tuple[list[int], int]:
    """Places behind all others, by birth: that of a buffer as large which has died, or a new one."""
    if not order:
        return offsets, total
    from heapq import heappop, heappush  # noqa: PLC0415  # few plans have so many buffers

    used: dict[int, list[tuple[int, int]]] = {}  # by size, when it is free again and where it begins
    for index in order:
        size, birth, death = lives[index]
        size = aligned(size)
        rows = used.setdefault(size, [])
        if rows and rows[0][0] < birth:
            _, offsets[index] = heappop(rows)
        else:
            offsets[index] = total
            total += size
        heappush(rows, (death, offsets[index]))
    return offsets, total
