"""The clock: contestants take turns in one process, so that what disturbs the machine disturbs them all alike."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.runtime.work import Contestant, Work, check_agreement


@dataclass(frozen=True)
class Pace:
    """How long is measured.

    Attributes:
        seconds: the least time of samples of each contestant.
        turns: the least number of turns of each.
        turn: the least time of a turn: quick work is done several times in one, of which the mean is a sample.
        pause: seconds between turns; other libraries' threads spin for up to 100 ms after their work.
        processes: how often a whole process is run, where that is measured.
        cpu: whether time is that of the processor, in all threads together, instead of the clock on the wall.
    """

    seconds: float
    turns: int
    turn: float
    pause: float
    processes: int
    cpu: bool = False

    def now(self) -> float:
        """Seconds from some start."""
        return time.process_time() if self.cpu else time.perf_counter()


FULL = Pace(seconds=0.5, turns=11, turn=0.005, pause=0.1, processes=3)
QUICK = Pace(seconds=0.0, turns=2, turn=0.0, pause=0.0, processes=1)


@dataclass(frozen=True)
class Spread:
    """The median of some samples, and their quartiles, with what else there is to say."""

    median: float
    low: float
    high: float
    note: str = ""


def spread(samples: Sequence[float]) -> Spread:
    """The median and quartiles of some numbers.

    Example:
        >>> spread([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.5, high=2.5, note='')
    """
    low, median, high = (float(each) for each in np.quantile(samples, (0.25, 0.5, 0.75)))
    return Spread(median, low, high)


def seconds_of(work: Work, pace: Pace) -> dict[str, Spread]:
    """The seconds that each library needs, after their results have been compared.

    Raises:
        DisagreementError: they do not compute the same.
    """
    contestants = {name: make() for name, make in work.factories.items()}
    check_agreement({name: each.arrays(each.run()) for name, each in contestants.items()}, work.before)
    return {name: spread(samples) for name, samples in race(contestants, pace).items()}


def race(contestants: Mapping[str, Contestant], pace: Pace) -> dict[str, list[float]]:
    """Samples of each contestant's seconds; each turn begins with a run that does not count."""
    counts = {name: _runs_in_a_turn(each, pace) for name, each in contestants.items()}
    samples: dict[str, list[float]] = {name: [] for name in contestants}

    def is_measured(name: str) -> bool:
        return len(samples[name]) >= pace.turns and sum(samples[name]) * counts[name] >= pace.seconds

    while not all(map(is_measured, contestants)):
        for name, each in contestants.items():
            time.sleep(pace.pause)
            each.run()
            start = pace.now()
            for _ in range(counts[name]):
                each.run()
            samples[name].append((pace.now() - start) / counts[name])
    return samples


def _runs_in_a_turn(contestant: Contestant, pace: Pace) -> int:
    """After a few runs to warm up."""
    least = math.inf
    for _ in range(5 if pace.turn else 1):
        start = pace.now()
        contestant.run()
        least = min(least, pace.now() - start)
    return max(1, math.ceil(pace.turn / least))
