"""Where the time of a run goes: what ``Executable.profile`` measures, as figures, as tables, and as a trace."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rax.ir.errors import RaxError
from rax.ops.arrays import Array
from rax.runtime.amounts import amount
from rax.runtime.backends.base import Backend, Run
from rax.runtime.chrome_trace import trace_events
from rax.runtime.deadline import time_limit
from rax.runtime.plan import Plan
from rax.runtime.recorder import Event, Recorder, StepInfo, Tally

SHOWN = 40
_COLUMNS = f"{'time':>10} {'share':>6} {'times':>7} {'each':>10} {'GFLOP/s':>8} {'GB/s':>7}"


@dataclass(frozen=True)
class Figures:
    """What some steps took in one run.

    Attributes:
        seconds: the time; a median over runs.
        count: how often they ran.
        flops: the operations on numbers: a multiplication with its addition is two, whatever gives an element
            by itself one.
        bytes: those read and written.
    """

    seconds: float = 0.0
    count: int = 0
    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.seconds + other.seconds, self.count + other.count, self.flops + other.flops, self.bytes + other.bytes
        )

    @property
    def gflops(self) -> float:
        """Operations on numbers, in 10⁹ a second."""
        return self.flops / self.seconds / 1e9 if self.seconds else 0.0

    @property
    def bandwidth(self) -> float:
        """Bytes read and written, in 10⁹ a second."""
        return self.bytes / self.seconds / 1e9 if self.seconds else 0.0


@dataclass(frozen=True)
class StepProfile(StepInfo):
    """A step, and what it took.

    Attributes:
        figures: of all the times it ran in one run; of a loop without the steps in it.
    """

    figures: Figures

    @property
    def called(self) -> str:
        """The operation with its types, after the loops it is in."""
        name = f"group[{' '.join(self.members)}]" if self.members else self.name
        operands, results = (", ".join(map(str, types)) for types in (self.operands, self.results))
        return f"{''.join([f'{loop}: ' for loop in self.loops])}{name}({operands}) -> {results}"


@dataclass(frozen=True)
class Profile:
    """Where the time of a run goes; what :meth:`Executable.profile` returns. ``print`` shows it as tables.

    Each step is run and timed by itself, so what they take together is not what a call takes: that
    is measured beside it. Views take no time and are not among the steps.

    Attributes:
        results: what the call returns.
        runs: how many runs the medians are of.
        call_seconds: what a call takes.
        seconds: what the steps take together, each by its median.
        wall_seconds: what a run step by step takes, with the noting.
        peak_bytes: the most a run holds, as planned.
        steps: in the order of the schedule, those in a loop after it.
    """

    results: Any
    runs: int
    call_seconds: float
    wall_seconds: float
    peak_bytes: int
    steps: tuple[StepProfile, ...]
    _events: tuple[Event, ...] = field(repr=False)

    def with_results(self, results: Any) -> Profile:
        """The same with the results in another nest."""
        return replace(self, results=results)

    _left_out: int = field(repr=False)

    @property
    def total(self) -> Figures:
        """Of all steps."""
        return _sum(self.steps)

    def by_operation(self) -> dict[str, Figures]:
        """The figures by name of the operation, the slowest first; those of groups under ``"group"``."""
        return _grouped([("group" if step.members else step.name, step) for step in self.steps])

    def by_scope(self) -> dict[str, Figures]:
        """The figures by scope, as in ``"encoder/layer0"``, inner scopes included, in the order they come first.

        Steps outside all scopes are under ``""``.
        """
        rows: list[tuple[str, StepProfile]] = []
        for step in self.steps:
            scope = step.origin.scope
            rows += [("/".join(scope[:depth]), step) for depth in range(1, len(scope) + 1)] or [("", step)]
        return {name: _sum([step for each, step in rows if each == name]) for name in dict(rows)}

    def by_line(self) -> dict[str, Figures]:
        """The figures by line of the user's, as in ``"model.py:12 in loss"``, the slowest first."""
        return _grouped([(step.origin.source, step) for step in self.steps])

    def save_trace(self, path: str | Path) -> None:
        """Write the quickest run as a file that Perfetto and chrome://tracing show.

        Steps are events with their types, bytes and operations on numbers; within loops they are nested, and
        scopes are events around their steps. Times include the noting, in loops visibly.

        Raises:
            RaxError: the file cannot be written.
        """
        text = json.dumps(trace_events(self._events, self._left_out))
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise RaxError(f"cannot write the trace {path}: {error.strerror}") from None

    def __str__(self) -> str:
        total = self.total
        times = f"a call takes {_time(self.call_seconds)}, its steps by themselves {_time(total.seconds)}"
        amounts = f"{total.flops:,} operations on numbers, {amount(total.bytes)} read and written"
        head = [
            f"{times}: medians of {self.runs} run{'s' * (self.runs != 1)}",
            f"{len(self.steps)} steps, {amounts}, at most {amount(self.peak_bytes)} held",
        ]
        scopes = self.by_scope()
        parts = [("operation", self.by_operation()), ("line", self.by_line())]
        if set(scopes) - {""}:
            parts.insert(0, ("scope", scopes))
        for what, rows in parts:
            head += ["", f"{_COLUMNS}  {what}"]
            head += [self._row(figures) + f"  {name or '(none)'}" for name, figures in [*rows.items()][:SHOWN]]
            head += _more(len(rows))
        return "\n".join([*head, "", *self._step_lines()])

    def _step_lines(self) -> list[str]:
        lines = [f"{_COLUMNS} {'held':>11}  step"]
        for step in sorted(self.steps, key=lambda step: -step.figures.seconds)[:SHOWN]:
            origin = f"  {step.origin}" if str(step.origin) else ""
            place = ".".join(map(str, step.place))
            lines.append(f"{self._row(step.figures)} {amount(step.held):>11}  {place} {step.called}{origin}")
        return [*lines, *_more(len(self.steps))]

    def _row(self, figures: Figures) -> str:
        share = figures.seconds / (self.total.seconds or 1.0)
        each = figures.seconds / max(figures.count, 1)
        return (
            f"{_time(figures.seconds):>10} {share:6.1%} {figures.count:7} {_time(each):>10} "
            f"{figures.gflops:8.2f} {figures.bandwidth:7.2f}"
        )


def _more(count: int) -> list[str]:
    return [f"… and {count - SHOWN} more, which took less"] if count > SHOWN else []


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:,.2f} ms" if seconds >= 0.01 else f"{seconds * 1e6:,.1f} µs"


def _sum(steps: Iterable[StepProfile]) -> Figures:
    return sum([step.figures for step in steps], Figures())


def _grouped(rows: Sequence[tuple[str, StepProfile]]) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for name, step in rows:
        found[name] = found.get(name, Figures()) + step.figures
    return dict(sorted(found.items(), key=lambda item: -item[1].seconds))


def profile(
    plan: Plan, backend: Backend, call: Run, arrays: Sequence[Array], runs: int, timeout: float | None
) -> Profile:
    """Run a plan several times, as a call would and step by step.

    Args:
        plan: the sizes of its named dims are known.
        backend: what computes each step.
        call: runs it as a call does, within the limits of one.
        arrays: one for each input.
        runs: how often, after a first time that does not count.
        timeout: the most seconds a run step by step may take.

    Returns:
        The figures; their ``results`` are one array for each output.
    """
    if runs < 1:
        raise RaxError(f"a profile is of at least 1 run, not {runs}")
    recorder = Recorder(plan, backend)
    results = call(list(arrays))
    with time_limit(timeout):
        recorder.run(arrays)
    for tally in recorder.tallies:
        tally.seconds.clear()
    calls: list[float] = []
    walls: list[float] = []
    events: list[Event] = []
    left_out = 0
    for _ in range(runs):
        start = time.perf_counter()
        call(list(arrays))
        calls.append(time.perf_counter() - start)
        with time_limit(timeout):
            recorder.run(arrays)
        walls.append(recorder.wall)
        if recorder.wall == min(walls):
            events, left_out = recorder.events, recorder.left_out
    steps = [_step(tally) for tally in sorted(recorder.tallies, key=lambda tally: tally.step.place)]
    return Profile(
        results, runs, statistics.median(calls), statistics.median(walls), plan.peak_bytes, tuple(steps),
        tuple(events), left_out,
    )  # fmt: skip


def _step(tally: Tally) -> StepProfile:
    count, seconds = tally.count, statistics.median(tally.seconds)
    figures = Figures(seconds, count, count * tally.flops, count * tally.bytes)
    return StepProfile(**vars(tally.step), figures=figures)
