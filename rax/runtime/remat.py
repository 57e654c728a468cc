"""Rematerialisation: values computed again where they are read late, so that a run fits a budget of memory.

A plan holds most at one step. Of the values that live across that step some can be computed again after it,
from others that are kept, or that are there anyway. Which to keep is a minimum cut: a buffer that is kept
costs its bytes, a step that runs again its work, at a price that falls as long as the budget is not met. The
steps that run again are copies, each placed before the first step that reads what it makes; that is repeated,
each time for the step that now holds most. Operations are pure, random bits too, so results stay the same, bit
for bit but for large sums: what runs again may be grouped otherwise, and a group adds up parts of its own.

Keeping some and computing the rest again is Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear
memory cost" (2016); the choice between the two as one problem of cost is Jain et al., "Checkmate" (2020); the
cut is that of He and Yu, "Transcending runtime-memory tradeoffs in checkpointing by being fusion aware" (2023).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import networkx as nx

from rax.ir.errors import ResourceError
from rax.ir.types import TensorType
from rax.runtime.amounts import amount
from rax.runtime.deadline import check_time
from rax.runtime.flops import flops
from rax.runtime.plan import Arrange, Plan, Remat, Skeleton, Step, are_static

_nx = cast("Any", nx)

# What a step costs is the bytes it moves, and one more for as many FLOPs.
_FLOPS_PER_BYTE = 8
# What computes more for each byte it moves, and random bits, runs again only where all else is not enough.
_HEAVY_FLOPS_PER_BYTE = 4
_HEAVY = frozenset(("random_bits", "threefry2x32"))
# The prices of work, in bytes held for each byte moved, and whether heavy operations may run again at that price.
_PRICES = (
    (Fraction(1, 4), False), (Fraction(1, 16), False), (Fraction(1, 256), False),
    (Fraction(1, 32), True), (Fraction(1, 128), True), (Fraction(1, 1024), True),
)  # fmt: skip
# A round gives up values for about this part of the first peak.
_ROUNDS = 24
# Rounds at one price that do not lower the peak, before another price is tried.
_PATIENCE = 4
# Buffers smaller than this part of the peak are always kept.
_TINY = 1 << 12


def fitting(budget: int, arrange: Arrange) -> Arrange:
    """What arranges plans so that they hold no more than a budget, where all sizes are known.

    Args:
        budget: in bytes.
        arrange: what arranges plans of given steps.
    """

    def fit(
        skeleton: Skeleton, dim_values: Mapping[str, int], steps: Sequence[Step], types: Sequence[TensorType]
    ) -> Plan:
        plan = arrange(skeleton, dim_values, steps, types)
        if not are_static(types) or plan.peak_bytes <= budget:
            return plan
        best = plan
        for other in _descent(arrange, _Schedule(skeleton, list(steps), types, plan)):
            best = other
            if best.peak_bytes <= budget:
                return best
        raise _refusal(best, plan.peak_bytes, budget)

    return fit


def _refusal(best: Plan, before: int, budget: int) -> ResourceError:
    live = [held.__index__() for held in best.value_bytes()]
    index = live.index(max(live))
    ended = index == len(best.steps)
    step = None if ended else best.steps[index]
    sizes = ", ".join(f"{name} = {size}" for name, size in best.dim_values.items())
    where = "held at the end, for what is returned" if step is None else f"held at step {index}: {step.name}"
    lowest = f"{amount(best.peak_bytes)} is the least it was brought to, of {amount(before)}"
    return ResourceError(
        f"{f'for {sizes} ' if sizes else ''}it cannot hold {amount(budget)} or less at once: {lowest}",
        where=where,
        source="" if step is None else step.origin.source,
        fix=f"allow memory={best.peak_bytes}, or give it smaller inputs",
    )


@dataclass(frozen=True, slots=True)
class _Schedule:
    """Steps without groups, and the plan that is made of them."""

    skeleton: Skeleton
    steps: Sequence[Step]
    types: Sequence[TensorType]
    plan: Plan

    def cost(self, meter: _Meter) -> tuple[int, int, int]:
        """How many steps run, the bytes they move, and their FLOPs."""
        costs = [meter.cost(step, self.types) for step in self.steps if not step.view]
        return len(costs), sum([moved for moved, _ in costs]), sum([computed for _, computed in costs])


def _descent(arrange: Arrange, start: _Schedule) -> Generator[Plan]:
    """Plans of the same that hold less and less, and do more and more work."""
    meter = _Meter()
    best, before = start, start.cost(meter)
    peak = start.plan.peak_bytes
    rung = max(peak // _ROUNDS, 1)
    for price, heavy in _PRICES:
        schedule, idle = best, 0
        while idle < _PATIENCE:
            check_time()
            changed = _Cut(schedule, meter, price, heavy=heavy).changed(rung)
            if changed is None:
                break
            skeleton, steps, types = changed
            schedule = _Schedule(skeleton, steps, types, arrange(skeleton, start.plan.dim_values, steps, types))
            gain = best.plan.peak_bytes - schedule.plan.peak_bytes
            idle = 0 if gain > rung // _PATIENCE else idle + 1
            if gain > 0:
                best = schedule
                count, moved, computed = (after - first for after, first in zip(best.cost(meter), before, strict=True))
                best.plan.remat = Remat(peak, best.plan.peak_bytes, count, moved, computed)
                yield best.plan


class _Meter:
    """What steps move and compute, counted once for equal operations on equal types."""

    def __init__(self) -> None:
        self._known: dict[object, tuple[int, int]] = {}

    def cost(self, step: Step, types: Sequence[TensorType]) -> tuple[int, int]:
        """The bytes a step reads and writes, and its FLOPs; a view and a loop count as nothing."""
        operands = tuple([types[value] for value in step.operands])
        results = [types[value] for value in step.results]
        if step.nested or step.view:
            return 0, 0
        key = (id(step.op), operands, len(set(step.operands)))  # the schedule holds its operations
        if key not in self._known:
            read = [types[value] for value in dict.fromkeys(step.operands)]
            moved = sum([type.nbytes.__index__() for type in (*read, *results)])
            self._known[key] = moved, flops(step.op, operands, results)
        return self._known[key]


class _Cut:
    """What is kept across the step at which a plan holds most, and what is computed again after it."""

    def __init__(self, schedule: _Schedule, meter: _Meter, price: Fraction, *, heavy: bool) -> None:
        self._schedule = schedule
        self._types = schedule.types
        self._roots = schedule.skeleton.roots
        self._meter = meter
        self._price = price
        self._heavy = heavy
        live = [held.__index__() for held in schedule.plan.value_bytes()]
        self._tiny = max(live) // _TINY
        index = live.index(max(live))
        places = self._places()
        order = sorted(range(len(places)), key=places.__getitem__)  # stable: a group's steps stay in order
        count = sum([place <= index for place in places])
        steps = [schedule.steps[each] for each in order]
        self._early, self._late = steps[:count], steps[count:]
        self._maker = {value: step for step in self._early if not step.view for value in step.results}
        self._views = {step.results[0]: step for step in self._early if step.view}
        self._fixed = {self._roots[value] for value in schedule.skeleton.outputs}

    def _places(self) -> list[int]:
        """For each step its place in the plan; a view that has none there stands before what reads it."""
        plan, steps = self._schedule.plan, self._schedule.steps
        known: dict[int, int] = {}
        for place, step in enumerate(plan.steps):
            for part in (step, *step.members):
                known.update(dict.fromkeys(part.results, place))
        found = [0] * len(steps)
        readers: dict[int, int] = {}
        for each in range(len(steps) - 1, -1, -1):
            step = steps[each]
            first = min([readers.get(value, len(plan.steps)) for value in step.results])
            found[each] = min(known.get(step.results[0], first), first)  # a group may read a view that stands after it
            for value in step.operands:
                readers[value] = min(found[each], readers.get(value, len(plan.steps)))
        return found

    def changed(self, rung: int) -> tuple[Skeleton, list[Step], list[TensorType]] | None:
        """The steps with some run again, so that about ``rung`` bytes less are kept; None if nothing is gained."""
        late = dict.fromkeys([self._roots[value] for step in self._late for value in step.operands])
        alive = [root for root in self._maker if root in late and root not in self._fixed]
        large = [root for root in alive if self._nbytes(root) > self._tiny]
        wanted = self._again(large, {root for root in alive if self._nbytes(root) <= self._tiny})
        given_up: list[int] = []
        for root in large:  # those made first are held longest
            if root in wanted and sum(map(self._nbytes, given_up)) < rung:
                given_up.append(root)
        chosen = self._again(given_up, set(alive) - set(given_up)) or wanted
        return (
            _Copier(self._schedule, self._maker, self._views, chosen).copied(self._early, self._late)
            if chosen
            else None
        )

    def _nbytes(self, root: int) -> int:
        return self._types[root].nbytes.__index__()

    def _again(self, due: Sequence[int], kept: set[int]) -> set[int]:
        """The buffers to make again, so that those that are due need not be kept; the others kept are there anyway."""
        if not due:
            return set()
        again = _min_cut(self._network(due, kept))
        found: set[int] = set()
        pending = list(due)
        while pending:
            root = pending.pop()
            if root not in found and root in again and self._can_run_again(root):
                found.add(root)
                pending += self._read(root, kept)
        return found

    def _network(self, due: Sequence[int], kept: set[int]) -> list[_Edge]:
        """The edges, with their capacities; what is on the sink's side is made again.

        A buffer stands as what is asked for, ``("due", root)``, and its step as ``("run", step)``: an edge
        from this to that costs the buffer's bytes, which are kept where the step does not run again.
        """
        edges: list[_Edge] = [(("due", root), _SINK, None) for root in due]
        seen, pending = set(due), list(due)
        ran: set[int] = set()
        while pending:
            root = pending.pop()
            if not self._can_run_again(root):
                edges.append((_SOURCE, ("due", root), self._nbytes(root)))
                continue
            step = self._maker[root]
            run = step.results[0]
            edges.append((("run", run), ("due", root), self._nbytes(root)))
            if run in ran:
                continue
            ran.add(run)
            moved, computed = self._meter.cost(step, self._types)
            work = moved + computed // _FLOPS_PER_BYTE
            edges.append((_SOURCE, ("run", run), int(self._price * work)))
            for each in self._read(root, kept):
                edges.append((("due", each), ("run", run), None))
                if each not in seen:
                    seen.add(each)
                    pending.append(each)
        return edges

    def _can_run_again(self, root: int) -> bool:
        step = self._maker[root]
        if step.nested or self._heavy:
            return not step.nested
        moved, computed = self._meter.cost(step, self._types)
        return step.op.name not in _HEAVY and computed <= _HEAVY_FLOPS_PER_BYTE * moved

    def _read(self, root: int, kept: set[int]) -> list[int]:
        """The buffers that a buffer's step reads, but for those that are there anyway."""
        roots = dict.fromkeys([self._roots[value] for value in self._maker[root].operands])
        return [
            each for each in roots
            if each in self._maker and each not in kept and each not in self._fixed and self._nbytes(each) > self._tiny
        ]  # fmt: skip


_Node = tuple[str, int]
_Edge = tuple[_Node, _Node, int | None]
_SOURCE, _SINK = ("source", 0), ("sink", 0)


def _min_cut(edges: Sequence[_Edge]) -> set[int]:
    """The first results of the steps on the sink's side of a cut that costs least."""
    network = _nx.DiGraph()
    for tail, head, capacity in edges:
        if capacity is None:
            network.add_edge(tail, head)
        else:
            network.add_edge(tail, head, capacity=capacity)
    if _SOURCE not in network:
        return set()
    _, (_, far) = _nx.minimum_cut(network, _SOURCE, _SINK, flow_func=_nx.algorithms.flow.boykov_kolmogorov)
    return {value for kind, value in cast("set[_Node]", far) if kind == "run"}


class _Copier:
    """Puts copies of steps before the late steps that read what they make."""

    def __init__(
        self, schedule: _Schedule, maker: Mapping[int, Step], views: Mapping[int, Step], again: set[int]
    ) -> None:
        self._schedule = schedule
        self._maker = maker
        self._views = views
        self._again = again
        skeleton = schedule.skeleton
        self._types = list(schedule.types)
        self._roots = list(skeleton.roots)
        self._dense = list(skeleton.dense)
        self._parts = set(skeleton.parts)
        self._new: dict[int, int] = {}  # the copy of each value
        self._steps: list[Step] = []

    def copied(self, early: Sequence[Step], late: Sequence[Step]) -> tuple[Skeleton, list[Step], list[TensorType]]:
        """All that a plan is made of."""
        self._steps = list(early)
        for step in late:
            self._copy(step.operands)
            operands = tuple([self._new.get(value, value) for value in step.operands])
            if step.view:
                self._roots[step.results[0]] = self._roots[operands[0]]
            self._steps.append(step if operands == step.operands else step.replaced(operands=operands))
        skeleton = self._schedule.skeleton.replaced(roots=self._roots, dense=self._dense, parts=self._parts)
        return skeleton, _live(self._steps, skeleton.outputs), self._types

    def _copy(self, values: Sequence[int]) -> None:
        """Make copies of values, where their buffers are made again, and of what they are made from."""
        pending = [value for value in reversed(values) if self._is_again(value)]
        while pending:
            value = pending[-1]
            step = self._views.get(value) or self._maker[value]
            waiting = [each for each in step.operands if self._is_again(each)]
            if value in self._new or not waiting:
                pending.pop()
                if value not in self._new:
                    self._copy_step(step)
            else:
                pending += reversed(waiting)

    def _is_again(self, value: int) -> bool:
        return value not in self._new and self._roots[value] in self._again

    def _copy_step(self, step: Step) -> None:
        operands = tuple([self._new.get(value, value) for value in step.operands])
        results: list[int] = []
        for value in step.results:
            copy = self._new[value] = len(self._types)
            self._types.append(self._types[value])
            self._roots.append(self._roots[operands[0]] if step.view else copy)
            self._dense.append(self._dense[value])
            if value in self._parts:
                self._parts.add(copy)
            results.append(copy)
        self._steps.append(step.replaced(operands=operands, results=tuple(results)))


def _live(steps: Sequence[Step], outputs: Sequence[int]) -> list[Step]:
    """The steps whose results are read: a value that only late steps read is made late, and no longer early."""
    needed = set(outputs)
    found: list[Step] = []
    for step in reversed(steps):
        if not needed.isdisjoint(step.results):
            needed.update(step.operands)
            found.append(step)
    return found[::-1]
