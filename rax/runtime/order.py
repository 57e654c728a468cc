"""The order of a plan's steps: one in which less memory is held at once than in that of the graph.

A step that reads a large value for the last time is run as soon as it can be; so a weight's update
runs when its gradient is there, and not when all gradients are. A step whose result is read much later
than its operands are there anyway is run as late as it can be. Everything else stays in place.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.ops.elementwise import Pointwise
from rax.runtime.donation import successors
from rax.runtime.plan import Skeleton, Step

# Bytes that no order of steps is worth a thought for: they fit the cache.
_LEAST = 1 << 18
# No order is looked for to hold less by a smaller part than one of this many.
_LEAST_PART = 64
# Of a buffer with more readers than this left, none is run early for the sake of it.
_MOST_READERS = 16


def lower_orders(skeleton: Skeleton, steps: Sequence[Step], types: Sequence[TensorType]) -> list[list[int]]:
    """Other orders of steps, by their places, in which less seems to be held at once; that with the least first.

    Takes time in proportion to the steps and what they read.

    Args:
        skeleton: what is known of the values.
        steps: in an order in which they can run.
        types: of all values; all sizes are known.

    Example:
        The last sum of a large value is made before another large value is.

        >>> from rax.ir.graph import Graph
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.broadcasting import Sum
        >>> from rax.ops.trigonometric import cos, sin
        >>> from rax.runtime.planning import make_plan
        >>> x = new_input("x", tensor_type((1000, 100)))
        >>> large = sin(x)
        >>> plan = make_plan(Graph([x], [Sum((0,))(large), Sum((0,))(cos(x)), Sum((1,))(large)]))
        >>> [step.name for step in plan.steps], plan.peak_bytes
        (['sin', 'sum', 'sum', 'cos', 'sum'], 404800)
    """
    work = _Work.of(skeleton, steps, types)
    given = list(range(len(work.steps)))
    least, highest = work.peak(given)
    if least < _LEAST or least - work.due(highest) < least // _LEAST_PART:
        return []
    found: list[tuple[int, list[int]]] = []
    early = _Mover(work, given).moved()
    late = _Mover(work.backwards(), given[::-1]).moved()[::-1]
    for order in (early, late, _Mover(work, late).moved()):
        peak, _ = work.peak(order)
        if peak < least and all(order != other for _, other in found):
            found.append((peak, order))
    return [work.with_views(order) for _, order in sorted(found, key=lambda item: item[0])]


class _Work(Record):
    """The steps but for views, by number, and the buffers that each touches.

    Attributes:
        steps: those that make buffers.
        places: where each stood.
        views: where those stood that make none, and what they read, by the value they make.
        touches: for each step the buffers it reads or makes, that a run allocates.
        after: for each step those that can run only after it.
        size: the bytes of each buffer.
        scratch: for each step the bytes it needs beside.
        lends: for each step the bytes of a result that can be written over an operand which dies.
        first: the buffers that are there before the first step.
        stay: the buffers that are still there after the last.
        outputs: of the graph.
    """

    steps: list[Step]
    places: list[int]
    views: dict[int, tuple[int, int]]
    touches: list[list[int]]
    after: list[list[int]]
    size: dict[int, int]
    scratch: list[int]
    lends: list[int]
    first: frozenset[int]
    stay: frozenset[int]

    @classmethod
    def of(cls, skeleton: Skeleton, steps: Sequence[Step], types: Sequence[TensorType]) -> _Work:
        roots = skeleton.roots
        outside = frozenset((*skeleton.inputs, *skeleton.constants))
        views = {step.results[0]: (place, step.operands[0]) for place, step in enumerate(steps) if step.view}
        places = [place for place, step in enumerate(steps) if not step.view]
        kept = [steps[place] for place in places]
        maker: dict[int, int] = {}
        touches: list[list[int]] = []
        after: list[list[int]] = [[] for _ in kept]
        size: dict[int, int] = {}
        for place, step in enumerate(kept):
            read = list(dict.fromkeys([roots[value] for value in step.operands if roots[value] not in outside]))
            for before in dict.fromkeys([maker[root] for root in read]):
                after[before].append(place)
            for value in step.results:
                maker[value] = place
                size[value] = types[value].nbytes.__index__()
            touches.append([*read, *step.results])
        numbers = {place: number for number, place in enumerate(places)}
        for place, readers in successors(skeleton, steps, types).items():
            for each in readers:
                after[numbers[each]].append(numbers[place])
            size[steps[place].results[0]] = 0  # it lies where the input did
        stay = frozenset([roots[value] for value in skeleton.outputs]) - outside
        scratch = [_scratch(step) for step in kept]
        lends = [_lent(step, types) for step in kept]
        return cls(kept, places, views, touches, after, size, scratch, lends, frozenset(), stay)

    def backwards(self) -> _Work:
        """The same with time turned round."""
        return _Work(
            self.steps, self.places, self.views, self.touches, self.before(), self.size, self.scratch, self.lends,
            self.stay, self.first,
        )  # fmt: skip

    def peak(self, order: Sequence[int]) -> tuple[int, int]:
        """About the most bytes held at once in an order, and the step at which they are."""
        left = self.touching()
        live, most, highest, held = 0, 0, 0, set(self.first)
        for place in order:
            dying = 0
            for buffer in self.touches[place]:
                if buffer not in held:
                    held.add(buffer)
                    live += self.size[buffer]
                left[buffer] -= 1
                if not left[buffer] and buffer not in self.stay:
                    dying += self.size[buffer]
            now = live + self.scratch[place] - min(dying, self.lends[place])
            if now > most:
                most, highest = now, place
            live -= dying
        return most, highest

    def due(self, place: int) -> int:
        """The bytes held at a step in any order: of what is made before it in each, and read after it in each."""
        before, after = self._reached(place, self.before()), self._reached(place, self.after)
        held = dying = 0
        for buffer, touching in self.touched_by().items():
            ends = buffer not in self.stay and all(each not in after for each in touching)
            if touching[0] == place or (touching[0] in before and not (ends and place not in touching)):
                held += self.size[buffer]
                dying += self.size[buffer] * ends
        return held + self.scratch[place] - min(dying, self.lends[place])

    @staticmethod
    def _reached(place: int, edges: Sequence[Sequence[int]]) -> set[int]:
        """The steps that edges lead to from one."""
        found: set[int] = set()
        pending = [place]
        while pending:
            for each in edges[pending.pop()]:
                if each not in found:
                    found.add(each)
                    pending.append(each)
        return found

    def before(self) -> list[list[int]]:
        """For each step those that can run only before it."""
        found: list[list[int]] = [[] for _ in self.steps]
        for place, later in enumerate(self.after):
            for each in later:
                found[each].append(place)
        return found

    def touched_by(self) -> dict[int, list[int]]:
        """The steps that touch each buffer."""
        found: dict[int, list[int]] = {buffer: [] for buffer in self.size}
        for place, touched in enumerate(self.touches):
            for buffer in touched:
                found[buffer].append(place)
        return found

    def touching(self) -> dict[int, int]:
        """How many steps touch each buffer."""
        return {buffer: len(places) for buffer, places in self.touched_by().items()}

    def with_views(self, order: Iterable[int]) -> list[int]:
        """The places of all steps, each view before the first step that reads it; those nobody reads come last."""
        left = dict(self.views)
        found: list[int] = []
        for each in order:
            self._take_views(self.steps[each].operands, left, found)
            found.append(self.places[each])
        self._take_views(list(left), left, found)
        return found

    @staticmethod
    def _take_views(values: Sequence[int], left: dict[int, tuple[int, int]], found: list[int]) -> None:
        for value in values:
            chain: list[int] = []
            while value in left:
                place, value = left.pop(value)
                chain.append(place)
            found += reversed(chain)


def _scratch(step: Step) -> int:
    """What a step needs while it runs."""
    return max([plan.peak_bytes for plan in step.nested], default=0) + step.scratch.__index__()


def _lent(step: Step, types: Sequence[TensorType]) -> int:
    """The bytes of a result that can be written over an operand which dies."""
    able = len(step.results) == 1 and (step.members or isinstance(step.op, Pointwise))
    result = types[step.results[0]] if able else None
    return result.nbytes.__index__() if result is not None and any(types[v] == result for v in step.operands) else 0


class _Mover:
    """Takes steps in a given order, and before their turn those that free more than they make."""

    waits: list[int]
    done: list[bool]
    left: dict[int, int]
    unready: dict[int, int]
    touched_by: dict[int, list[int]]
    held: set[int]
    rank: list[int]
    found: list[int]

    def __init__(self, work: _Work, order: Sequence[int]) -> None:
        self.work = work
        self.order = order

    def moved(self) -> list[int]:
        """The new order."""
        work = self.work
        self.done = [False] * len(work.steps)
        self.left = work.touching()
        self.unready = dict(self.left)
        self.held = set(work.first)
        self.found = []
        self.rank = [0] * len(work.steps)
        self.touched_by = work.touched_by()
        self.waits = [0] * len(work.steps)
        for rank, place in enumerate(self.order):
            self.rank[place] = rank
            for each in work.after[place]:
                self.waits[each] += 1
        pending: list[tuple[int, int]] = []
        for place in self.order:
            if not self.waits[place]:
                self._ready(place, pending)
        for place in self.order:
            if not self.done[place]:
                self._run(place, pending)
            while pending:
                self._free(heapq.heappop(pending)[1], pending)
        return self.found

    def _ready(self, place: int, pending: list[tuple[int, int]]) -> None:
        for buffer in self.work.touches[place]:
            self.unready[buffer] -= 1
            self._offer(buffer, pending)

    def _offer(self, buffer: int, pending: list[tuple[int, int]]) -> None:
        """Think about a buffer later, if all that is left to touch it can run."""
        if buffer in self.held and not self.unready[buffer] and 0 < self.left[buffer] <= _MOST_READERS:
            heapq.heappush(pending, (-self.work.size[buffer], buffer))

    def _run(self, place: int, pending: list[tuple[int, int]]) -> None:
        self.done[place] = True
        self.found.append(place)
        for buffer in self.work.touches[place]:
            self.held.add(buffer)
            self.left[buffer] -= 1
        for each in self.work.after[place]:
            self.waits[each] -= 1
            if not self.waits[each]:
                self._ready(each, pending)
        for buffer in self.work.touches[place]:
            self._offer(buffer, pending)

    def _free(self, buffer: int, pending: list[tuple[int, int]]) -> None:
        """Run what is left to touch a buffer, if that frees more than it makes."""
        work = self.work
        places = [place for place in self.touched_by[buffer] if not self.done[place]]
        touches: dict[int, int] = {}
        for place in places:
            for each in work.touches[place]:
                touches[each] = touches.get(each, 0) + 1
        gain = 0
        for each, count in touches.items():
            gain -= 0 if each in self.held else work.size[each]
            gain += work.size[each] if self.left[each] == count and each not in work.stay else 0
        if gain > 0:
            for place in sorted(places, key=self.rank.__getitem__):
                self._run(place, pending)
