"""The transformer step within budgets of memory: what a run holds, as planned and as measured, and what that costs."""

from __future__ import annotations

import dataclasses
import functools
import math

from benchmarks.runtime import fresh, transformer
from benchmarks.runtime.timing import Pace, Spread, race, spread
from benchmarks.runtime.transformer import Sizes
from benchmarks.runtime.work import Contestant, Work, check_agreement
from rax.ir.errors import ResourceError
from rax.runtime.amounts import amount


def work(quick: bool) -> Work:
    """The step as it is, and within parts of what that holds; the least, long to find, not in the short form."""
    step = transformer.work(Sizes(2, 8, 2, 11, 6, 64) if quick else Sizes())
    return within(step, *((1.0, 0.6) if quick else (1.0, 0.6, 0.35)))


def within(step: Work, *shares: float) -> Work:
    """A step beside itself within parts of what it holds."""
    peers = {f"rax in {share:.0%}": functools.partial(_fitted, step, share) for share in shares}
    return dataclasses.replace(step, peers=peers)


def _fitted(step: Work, share: float) -> Contestant:
    return step.contestant(memory=int(step.executable().plan.peak_bytes * share))


def seconds(work: Work, pace: Pace) -> dict[str, Spread]:
    """Seconds of each, with what it holds: as planned, and as tracemalloc and the kernel see it.

    A budget that no plan is found for takes for ever.
    """
    contestants: dict[str, Contestant] = {}
    refused: dict[str, Spread] = {}
    for name, make in work.factories.items():
        try:
            contestants[name] = make()
        except ResourceError as error:
            refused[name] = Spread(math.inf, math.inf, math.inf, error.what)
    check_agreement({name: each.arrays(each.run()) for name, each in contestants.items()}, work.before)
    found = {name: spread(samples) for name, samples in race(contestants, pace).items()}
    for name, each in found.items():
        held = fresh.held(contestants[name])
        sizes = ", ".join(f"{amount(int(size))} {how}" for how, size in held.items())
        times = each.median / found["rax"].median
        found[name] = dataclasses.replace(each, note=f"{times:.2f} × the time, {sizes}")
    return found | refused
