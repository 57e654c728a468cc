"""Where the time of a run goes: each step of rax's plan by itself, those of loops' bodies too."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import rax
from benchmarks.runtime.timing import FULL, Pace, race
from benchmarks.runtime.work import Work
from rax.ir.tree import flatten
from rax.ops.arrays import Array
from rax.runtime.backends.base import Run
from rax.runtime.backends.numpy.control import control_kernel
from rax.runtime.backends.numpy.movement import copying_reshape
from rax.runtime.backends.numpy.table import KERNELS, find_kernel
from rax.runtime.plan import Plan, Step

RUNS = 11
SHOWN = 40


@dataclass
class Entry:
    """Steps alike: one operation on the same types.

    Attributes:
        called: the operation and its types.
        how: ``kernel``, ``reference`` or ``view``.
        bytes: those read and written by one.
        flops: of a product or convolution.
        count: how often it runs in a run.
        seconds: those of the runs so far, each all its steps together.
    """

    called: str
    how: str
    bytes: int
    flops: int
    count: int = 0
    seconds: list[float] = field(default_factory=list[float])

    @property
    def time(self) -> float:
        """The median seconds in a run."""
        return statistics.median(self.seconds)


class Recorder:
    """Runs plans step by step, and adds up the time of steps that are alike."""

    def __init__(self, pace: Pace = FULL) -> None:
        self._now = pace.now
        self.entries: dict[str, Entry] = {}

    def begin(self) -> None:
        """A run begins."""
        for entry in self.entries.values():
            entry.count = 0
            entry.seconds.append(0.0)

    def build(self, plan: Plan, inside: str = "") -> Run:
        """A run of a plan that is recorded."""
        kernels = [self._kernel(step, plan, inside) for step in plan.steps]
        entries = [self._entry(step, plan, inside) for step in plan.steps]
        constants = {value: literal.array for value, literal in plan.constants.items()}
        now = self._now
        dying: list[list[int]] = [[] for _ in plan.steps]
        for value, last in enumerate(plan.last_reads):
            if 0 <= last < len(plan.steps):
                dying[last].append(value)

        def run(arrays: list[Array]) -> list[Array]:
            values: dict[int, Any] = {**constants, **dict(zip(plan.inputs, arrays, strict=True))}
            arrays.clear()
            for step, kernel, entry, dead in zip(plan.steps, kernels, entries, dying, strict=True):
                operands = [values[operand] for operand in step.operands]
                start = now()
                results = kernel(*operands)
                entry.seconds[-1] += now() - start
                entry.count += 1
                several = len(step.results) > 1 or step.nested
                values.update(zip(step.results, results if several else (results,), strict=True))
                del operands, results
                for value in dead:
                    values.pop(value, None)
            return [np.asarray(values[value]) for value in plan.outputs]

        return run

    def _kernel(self, step: Step, plan: Plan, inside: str) -> Any:
        if step.nested:
            return control_kernel(step.op, [self.build(each, f"{inside}{step.op.name}: ") for each in step.nested])
        types = tuple(plan.types[operand] for operand in step.operands)
        return (copying_reshape if step.op.name == "reshape" and not step.view else find_kernel)(step.op, types)

    def _entry(self, step: Step, plan: Plan, inside: str) -> Entry:
        operands, results = ([plan.types[value] for value in side] for side in (step.operands, step.results))
        called = f"{inside}{step.op.name}({', '.join(map(str, operands))}) -> {', '.join(map(str, results))}"
        moved = 0 if step.view else sum(type.nbytes.__index__() for type in (*operands, *results))
        flops = 0
        if step.op.name in ("matmul", "conv"):
            inner = operands[0].shape[-1:] if step.op.name == "matmul" else operands[1].shape[1:]
            flops = 2 * results[0].size.__index__() * int(np.prod([size.__index__() for size in inner]))
        how = "view" if step.view else "body" if step.nested else "kernel" if step.op.name in KERNELS else "reference"
        return self.entries.setdefault(called, Entry(called, how, moved, flops))


def profile(work: Work, pace: Pace = FULL) -> list[str]:
    """Lines that say where the time goes, the most expensive first."""
    exe = rax.compile(work.trace())
    arrays = [np.asarray(leaf) for leaf in flatten([*work.arguments])[0]]
    recorder = Recorder(pace)
    with np.errstate(all="ignore"):
        run = recorder.build(exe.plan)
        for _ in range(RUNS):
            recorder.begin()  # the median takes no notice of the first run, which is slow
            run([*arrays])
    entries = [entry for entry in recorder.entries.values() if entry.count]
    whole = statistics.median(race({"rax": work.contestant()}, pace)["rax"])
    summary = f"{len(exe.plan.steps)} steps, {whole * 1e6:,.0f} µs a run, planned peak {exe.plan.peak_bytes:,} bytes"
    return [summary, *_by_operation(entries), "", *_by_types(entries)]


def _total(entries: Sequence[Entry]) -> float:
    """The time of all steps; that of a loop is that of its body's steps."""
    return sum(entry.time for entry in entries if entry.how != "body")


def _by_operation(entries: Sequence[Entry]) -> list[str]:
    total = _total(entries)
    rows: dict[str, tuple[int, float]] = {}
    for entry in entries:
        if entry.how != "body":
            name = entry.called.split("(")[0]
            count, seconds = rows.get(name, (0, 0.0))
            rows[name] = count + entry.count, seconds + entry.time
    lines = [f"steps by themselves: {total * 1e6:,.0f} µs a run", ""]
    for name, (count, seconds) in sorted(rows.items(), key=lambda item: -item[1][1]):
        lines.append(f"{seconds * 1e6:12,.1f} µs {seconds / total:6.1%} {count:6} × {name}")
    return lines


def _by_types(entries: Sequence[Entry]) -> list[str]:
    total = _total(entries)
    lines = [f"{'µs':>12} {'share':>6} {'times':>6} {'µs each':>9} {'GB/s':>6} {'GFLOP/s':>7}"]
    for entry in sorted(entries, key=lambda entry: -entry.time)[:SHOWN]:
        each = entry.time / entry.count
        lines.append(
            f"{entry.time * 1e6:12,.1f} {entry.time / total:6.1%} {entry.count:6} {each * 1e6:9.1f} "
            f"{entry.bytes / each / 1e9:6.1f} {entry.flops / each / 1e9:7.1f}  {entry.how:9} {entry.called}"
        )
    return lines
