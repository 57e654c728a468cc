"""One range of memory for all that a run makes: where each buffer lies in it.

Buffers that are never alive at once may lie at one place. The places are chosen greedily, as Pisarchyk and Lee
describe it ("Efficient Memory Management for Deep Neural Net Inference", 2020), one buffer after another, each into
the smallest gap that those alive with it leave: by breadth, those first that are alive when most is, and by size.
What then lies highest is placed earlier, and all else anew, as long as that is worth its time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from itertools import accumulate

from rax.ir.record import Record

# Where a buffer may begin: the width of a line of the processor's cache.
ALIGNMENT = 64
# The elements that NumPy copies at a time of an operand whose elements do not follow on each other for longer.
BUFFER = 8192
# The bytes that a step reads and writes, at least, for threads of ours to share its work.
SHARED_BYTES = 1 << 20
# So many of the largest buffers are given places one against the other; the rest share by size alone.
_COMPARED = 1024
# So many orders are tried at most, and fewer where they would take so many looks of one buffer at another.
_TRIES = 16
_LOOKS = 500_000

Life = tuple[int, int, int]
"""Of a buffer its bytes, and the first and last step at which it is alive."""


class Arena(Record):
    """Where the buffers of a plan lie.

    Attributes:
        offsets: where the buffer begins, by the value that owns it.
        blocks: where the memory that a step is given begins, and how many bytes it has, by the step: of a loop
            or choice its spare carries, then the arenas of the graphs it runs; of others their scratch memory.
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
    by_size = sorted(range(len(lives)), key=lambda index: -lives[index][0])
    offsets = [0] * len(lives)
    compared, rest = by_size[:_COMPARED], by_size[_COMPARED:]
    total = _place_compared(lives, compared, offsets) if compared else 0
    return _place_rest(lives, sorted(rest, key=lambda index: lives[index][1]), offsets, total)


def _place_compared(lives: Sequence[Life], by_size: Sequence[int], offsets: list[int]) -> int:
    """Fills in the best places found, and says where they end."""
    by_breadth, least = _by_breadth(lives, by_size)
    tries = max(min(_TRIES, _LOOKS // len(by_size) ** 2), 1)
    best: dict[int, int] = {}
    total = 0
    order = by_breadth
    for number in range(tries):
        if number == tries - tries // 3:
            order = [*by_size]
        found, end, highest = _placed(lives, order, total)
        if not total or end < total:
            best, total = found, end
        if total == least:
            break
        before = order.index(highest)
        order.insert(before // 2, order.pop(before))
    for index, begin in best.items():
        offsets[index] = begin
    return total


def _by_breadth(lives: Sequence[Life], by_size: Sequence[int]) -> tuple[list[int], int]:
    """Those first that are alive when most is, the largest of them first; and how much that is."""
    births = sorted({lives[index][1] for index in by_size})  # where two lives meet, one begins in the other
    changes = [0] * (len(births) + 1)
    spans: dict[int, tuple[int, int]] = {}
    for index in by_size:
        size, birth, death = lives[index]
        first, stop = spans[index] = bisect_left(births, birth), bisect_right(births, death)
        changes[first] += aligned(size)
        changes[stop] -= aligned(size)
    breadths = [*accumulate(changes)]
    widest = {index: -max(breadths[first:stop]) for index, (first, stop) in spans.items()}
    return sorted(by_size, key=widest.__getitem__), max(breadths)


def _placed(lives: Sequence[Life], order: Sequence[int], limit: int) -> tuple[dict[int, int], int, int]:
    """Places for buffers in an order, where they end, and which does; no further than a limit, unless it is 0."""
    placed: list[tuple[int, int, int, int]] = []  # where it begins and ends, and its life, by where it begins
    found: dict[int, int] = {}
    total, highest = 0, order[0]
    for index in order:
        size, birth, death = lives[index]
        size = aligned(size)
        best, least, reached = -1, -1, 0
        for begin, end, born, dead in placed:
            if born <= death and birth <= dead:
                if begin > reached:
                    gap = begin - reached
                    if gap >= size and (best < 0 or gap < least):
                        best, least = reached, gap
                reached = max(reached, end)
        begin = found[index] = best if best >= 0 else reached
        if begin + size > total:
            total, highest = begin + size, index
            if limit and total >= limit:
                break
        insort(placed, (begin, begin + size, birth, death))
    return found, total, highest


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
