"""Runs a plan step by step and notes when each step began and ended, those of loops and choices too.

A step is run by itself, on arrays and to arrays of its own, by what a backend says computes it: so a figure
is that of the step, not of what a backend makes of several. Views take no time, and are not noted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rax.ir.errors import ExecutionError
from rax.ir.graph import Graph
from rax.ir.trail import Origin
from rax.ir.types import TensorType
from rax.ops.arrays import Array
from rax.runtime.backends.base import Backend, Run
from rax.runtime.deadline import check_time
from rax.runtime.flops import flops
from rax.runtime.plan import Plan, Step
from rax.runtime.planning import graphs_run
from rax.runtime.reference import failure

MOST_EVENTS = 200_000
"""Of more steps that run in one run, as loops may have, no times are kept but the totals."""


@dataclass(frozen=True)
class StepInfo:
    """One step of the plan, or of the plan of a graph that a loop or choice runs, as it is planned.

    Attributes:
        place: its number in the schedule, after those of the loops it is in and of their graphs.
        loops: the names of the loops and choices it is in.
        name: the operation's, or those of a group that runs as one.
        how: ``"kernel"``, ``"reference"``, ``"group"``, or ``"graphs"`` of a loop or choice.
        operands: their types.
        results: their types.
        origin: the scopes it was written in, and the line.
        members: of a group, the names of its operations.
        held: the bytes that a run holds meanwhile, as planned.
    """

    place: tuple[int, ...]
    loops: tuple[str, ...]
    name: str
    how: str
    operands: tuple[TensorType, ...]
    results: tuple[TensorType, ...]
    origin: Origin
    members: tuple[str, ...]
    held: int


@dataclass(slots=True)
class Tally:
    """One step of a plan, and the time it took.

    Attributes:
        step: which it is.
        outer: the scopes of the loop it is in.
        bytes: those it reads and writes each time.
        flops: the operations on numbers it takes each time; see :mod:`rax.runtime.flops`.
        count: how often it has run in this run.
        seconds: for each run what it took in all, without the steps it runs.
    """

    step: StepInfo
    outer: tuple[str, ...]
    bytes: int = 0
    flops: int = 0
    count: int = 0
    seconds: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True)
class Event:
    """One step that ran once.

    Attributes:
        tally: the step's.
        frame: which run of a plan it is part of: 0 is the whole, each round of a loop has a number of its own.
        start: in seconds, from the start of the whole.
        stop: in seconds.
    """

    tally: Tally
    frame: int
    start: float
    stop: float


class Recorder:
    """A plan made ready to be run step by step.

    Args:
        plan: what to run; the sizes of its named dims are known.
        backend: what computes each step.

    Attributes:
        tallies: the steps, in order, those that a loop runs before the loop.
        events: what the last run did, step by step.
        left_out: how many steps of the last run are not among the events.
        wall: what the last run took in all, in seconds.
    """

    def __init__(self, plan: Plan, backend: Backend) -> None:
        self._backend = backend
        self.tallies: list[Tally] = []
        self.events: list[Event] = []
        self.left_out = 0
        self.wall = 0.0
        self._frames = 0
        self._noted = 0.0  # the time of all steps noted so far in this run
        self._start = 0.0
        self._run = self._runner(plan, (), (), (), 0)

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """Run once; the results may share memory with the arrays."""
        for tally in self.tallies:
            tally.count = 0
            tally.seconds.append(0.0)
        self.events, self.left_out, self._frames, self._noted = [], 0, 0, 0.0
        with np.errstate(all="ignore"):
            self._start = time.perf_counter()
            results = self._run(list(arrays))
            self.wall = time.perf_counter() - self._start
        return results

    def _runner(
        self, plan: Plan, place: tuple[int, ...], loops: tuple[str, ...], outer: tuple[str, ...], base: int
    ) -> Run:
        """What runs a plan; ``base`` is what is held outside it, ``outer`` are the scopes of the loop it is in."""
        constants = {value: literal.array for value, literal in plan.constants.items()}
        dying: list[list[int]] = [[] for _ in plan.steps]
        for value, last in enumerate(plan.last_reads):
            if 0 <= last < len(plan.steps):
                dying[last].append(value)
        for index, step in enumerate(plan.steps):
            dying[index] += [value for value in step.results if plan.last_reads[value] < 0]
        live = [base + held.__index__() for held in plan.live_bytes()]
        rows = [
            (step, *self._row(plan, step, (*place, index), loops, outer, live[index]), dying[index])
            for index, step in enumerate(plan.steps)
        ]

        def run(arrays: list[Array]) -> list[Array]:
            frame, self._frames = self._frames, self._frames + 1
            values: dict[int, Any] = {**constants, **dict(zip(plan.inputs, arrays, strict=True))}
            arrays.clear()
            for step, kernel, tally, dead in rows:
                try:
                    check_time()
                    found = self._timed(kernel, tally, frame, [values[operand] for operand in step.operands])
                except ExecutionError:
                    raise
                except Exception as error:
                    raise failure(step.op, [plan.types[each] for each in step.operands], error, step.origin) from error
                results = found if len(step.results) > 1 or step.nested else (found,)
                values.update(zip(step.results, results, strict=True))
                del found, results
                for value in dead:
                    values.pop(value, None)
            return [np.asarray(values[value]) for value in plan.outputs]

        return run

    def _timed(self, kernel: Any, tally: Tally | None, frame: int, operands: list[Any]) -> Any:
        if tally is None:
            return kernel(*operands)
        before, start = self._noted, time.perf_counter()
        found = kernel(*operands)
        stop = time.perf_counter()
        own = stop - start - (self._noted - before)
        tally.seconds[-1] += own
        tally.count += 1
        self._noted += own
        if len(self.events) < MOST_EVENTS:
            self.events.append(Event(tally, frame, start - self._start, stop - self._start))
        else:
            self.left_out += 1
        return found

    def _row(
        self, plan: Plan, step: Step, place: tuple[int, ...], loops: tuple[str, ...], outer: tuple[str, ...], held: int
    ) -> tuple[Any, Tally | None]:
        """What computes a step, and its tally; None of a view."""
        if step.view:
            return self._backend.kernel(step, plan.types), None
        operands, results = (tuple([plan.types[each] for each in side]) for side in (step.operands, step.results))
        members = tuple([str(member.op.name) for member in step.members])
        how = "graphs" if step.nested else "group" if members else self._backend.coverage(type(step.op))
        info = StepInfo(place, loops, step.name, how, operands, results, _origin(step), members, held)
        if step.nested:
            outside = held - max([nested.peak_bytes for nested in step.nested])
            runs = [
                self._runner(nested, (*place, index), (*loops, step.name), step.origin.scope, outside)
                for index, nested in enumerate(step.nested)
            ]
            kernel, tally = _evaluating(step, runs), Tally(info, outer)
        else:
            kernel = self._backend.kernel(step, plan.types)
            tally = Tally(
                info, outer, _moved(plan, step), sum([_flops(plan, each) for each in step.members or (step,)])
            )
        self.tallies.append(tally)
        return kernel, tally


def _evaluating(step: Step, runs: Sequence[Run]) -> Any:
    """An operation that runs graphs, as its reference does, each graph by its run."""
    known = {id(graph): run for graph, run in zip(graphs_run(step.op), runs, strict=True)}

    def evaluate(graph: Graph, arrays: list[Array]) -> list[Array]:
        return known[id(graph)](list(arrays))

    def kernel(*operands: Array) -> tuple[Any, ...]:
        return step.op.reference_with(evaluate, *[np.asarray(operand) for operand in operands])

    return kernel


def _origin(step: Step) -> Origin:
    """Where a step was written; of a group the line of the last, and the scopes that all are in."""
    scope = step.origin.scope
    for member in step.members:
        while member.origin.scope[: len(scope)] != scope:
            scope = scope[:-1]
    return Origin(scope, step.origin.source)


def _moved(plan: Plan, step: Step) -> int:
    """The bytes read and written: of an operand that a broadcast has stretched, those that are there."""
    values = (*dict.fromkeys(step.operands), *step.results)
    sizes = [(plan.types[value].nbytes, plan.types[plan.buffers[value]].nbytes) for value in values]
    return sum([min(own.__index__(), buffer.__index__()) for own, buffer in sizes])


def _flops(plan: Plan, step: Step) -> int:
    operands, results = ([plan.types[each] for each in side] for side in (step.operands, step.results))
    return flops(step.op, operands, results)
