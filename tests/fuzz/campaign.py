"""Many mutations, in processes with limits: what is found is kept with the way to it."""

from __future__ import annotations

import multiprocessing
import random
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from rax.ir.errors import RaxError
from tests.format.page import CODES
from tests.fuzz.examine import LOADS, MEMORY_BYTES, SECONDS, Hang, address_space, examine, limits
from tests.fuzz.mutation import Seed, mutate

Examine = Callable[[bytes, Path], str]
OUTCOMES = (LOADS, *sorted(CODES))
MEMORY_CHECK = 256
"""After so many files a process's limit of memory is counted from where it is then."""
STUCK = 60.0
"""A process that has been at one file for so many seconds of the clock is ended: code in C hears no alarm."""
PLACE = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())


@dataclass(frozen=True)
class Finding:
    """A file that the reader does not handle as it must."""

    index: int
    signature: str
    details: str
    data: bytes
    steps: list[str]


@dataclass
class Report:
    """What came of a campaign."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    seconds: float = 0.0
    memory: int = 0

    @property
    def done(self) -> int:
        """How many files were examined."""
        return self.outcomes.total() + len(self.findings)


def produce(number: int, index: int, seeds: Sequence[Seed]) -> tuple[bytes, list[str]]:
    """The file of an index of a campaign; ``number`` is the campaign's."""
    rng = random.Random((number << 40) + index)
    seed = rng.choice(seeds)
    data, steps = mutate(rng, seed, seeds)
    return data, [f"from {seed.name}", *steps]


def signature(error: BaseException) -> str:
    """What tells one defect from another: the kind of the error and the place in rax that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/rax/" in frame.filename]
    place = f"{Path(ours[-1].filename).stem}.{ours[-1].name}" if ours and type(error).__name__ != "Hang" else ""
    said = str(error)[:40] if isinstance(error, (AssertionError, RaxError)) else ""
    return " ".join(filter(None, (type(error).__name__, place, said)))


def attempt(data: bytes, path: Path, check: Examine = examine) -> tuple[str, str, str]:
    """Examine bytes: the outcome; or nothing, a signature and what happened."""
    try:
        return check(data, path), "", ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever comes is a finding
        return "", signature(error), "".join(traceback.format_exception(error, limit=-12))[-6000:]


class _Shared:
    """What a process and the one that began it both see.

    Attributes:
        at: the index the process is at; ``_FINISHED`` after the last.
        counts: how often each of ``OUTCOMES`` came up.
        memory: the most bytes the process had.
    """

    def __init__(self, context: Any) -> None:
        self.at = context.Value("q", -1, lock=False)
        self.counts = context.Array("q", len(OUTCOMES), lock=False)
        self.memory = context.Value("q", 0, lock=False)


_FINISHED = -2


@dataclass
class _Worker:
    process: Any
    pipe: Any
    shared: _Shared
    last: int = -1
    since: float = field(default_factory=time.monotonic)

    def is_stuck(self) -> bool:
        """Whether the process has been at one file for too long."""
        now, at = time.monotonic(), self.shared.at.value
        if at != self.last:
            self.last, self.since = at, now
        return now - self.since > STUCK


def _work(
    number: int, seeds: Sequence[Seed], indices: range, until: float, shared: _Shared, pipe: Any, check: Examine
) -> None:
    """What a process does: examine the files of its indices, and send what is found."""
    met = -1

    def tick(*_: object) -> None:
        nonlocal met
        if met == shared.at.value != _FINISHED:
            raise Hang
        met = shared.at.value

    with tempfile.TemporaryDirectory(dir=PLACE) as folder, limits(10**6):
        path = Path(folder) / "file"
        # One alarm that comes again and again: to set it for each file takes longer than most files do.
        signal.signal(signal.SIGPROF, tick)
        signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)
        for done, index in enumerate(indices):
            if done % MEMORY_CHECK == 0:
                _, hard = resource.getrlimit(resource.RLIMIT_AS)
                resource.setrlimit(resource.RLIMIT_AS, (address_space() + MEMORY_BYTES, hard))
                shared.memory.value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
                if time.monotonic() > until:
                    break
            shared.at.value = index
            data, steps = produce(number, index, seeds)
            code, what, details = attempt(data, path, check)
            if code:
                shared.counts[OUTCOMES.index(code)] += 1
            else:
                pipe.send(Finding(index, what, details, data, steps))
    shared.at.value = _FINISHED


def run(
    seeds: Sequence[Seed],
    count: int,
    *,
    number: int = 0,
    workers: int = 1,
    seconds: float = 1e9,
    check: Examine = examine,
) -> Report:
    """Examine files until there were so many, or so long.

    Args:
        seeds: what the files are made from.
        count: how many.
        number: of the campaign: the same gives the same files.
        workers: processes.
        seconds: by the clock.
        check: what is done with each file.
    """
    context = multiprocessing.get_context("fork")
    report = Report()
    begun = time.monotonic()
    for seed in seeds:
        _ = seed.paths  # before the processes part, so that they share them

    def start(indices: range) -> _Worker:
        shared = _Shared(context)
        ours, theirs = context.Pipe(duplex=False)
        task = (number, seeds, indices, begun + seconds, shared, theirs, check)
        process = context.Process(target=_work, args=task, daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours, shared)

    running = [start(range(place, count, workers)) for place in range(workers)]
    while running:
        ready = wait([worker.pipe for worker in running], timeout=0.5)
        for worker in list(running):
            ended = worker.pipe in ready and _receive(worker, report)
            if not ended and not worker.is_stuck():
                continue
            running.remove(worker)
            at = _end(worker, report, ended=ended)
            if at != _FINISHED:
                how = f"died of {worker.process.exitcode}" if ended else "stuck"
                data, steps = produce(number, at, seeds)
                report.findings.append(Finding(at, how, "", data, steps))
                running.append(start(range(at + workers, count, workers)))
    report.seconds = time.monotonic() - begun
    return report


def _receive(worker: _Worker, report: Report) -> bool:
    """Take a finding from a process; whether it has ended."""
    try:
        report.findings.append(worker.pipe.recv())
    except EOFError:
        return True
    return False


def _end(worker: _Worker, report: Report, *, ended: bool) -> int:
    """End a process and take its counts; the index it was at."""
    if not ended:
        worker.process.kill()
    worker.process.join()
    report.outcomes += Counter(dict(zip(OUTCOMES, worker.shared.counts, strict=True)))
    report.memory = max(report.memory, worker.shared.memory.value)
    return worker.shared.at.value
