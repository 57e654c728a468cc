"""Many mutations, in processes with limits: what is found is kept with the way to it."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.fuzz.examine import BYTES, SECONDS, address_space, examine, limits
from tests.fuzz.mutation import Seed, mutate

MEMORY_CHECK = 256
"""After so many files a process's limit of memory is counted from where it is then."""
STUCK = 10.0
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
    said = str(error)[:40] if isinstance(error, AssertionError) else ""
    return " ".join(filter(None, (type(error).__name__, place, said)))


def attempt(data: bytes, path: Path) -> tuple[str, str, str]:
    """Examine bytes: the outcome; or nothing, a signature and what happened."""
    try:
        return examine(data, path), "", ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever comes is a finding
        return "", signature(error), "".join(traceback.format_exception(error, limit=-12))[-6000:]


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    at: Any
    """The index the process is at, shared with it."""
    last: int = -1
    since: float = field(default_factory=time.monotonic)


def _work(number: int, seeds: Sequence[Seed], indices: range, until: float, at: Any, pipe: Connection) -> None:
    """What a process does: examine the files of its indices, and send what is found and, last, the counts."""
    os.nice(5)
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=PLACE) as folder, limits(10**6):
        path = Path(folder) / "file"
        for count, index in enumerate(indices):
            if count % MEMORY_CHECK == 0:
                _, hard = resource.getrlimit(resource.RLIMIT_AS)
                resource.setrlimit(resource.RLIMIT_AS, (address_space() + BYTES, hard))
                if time.monotonic() > until:
                    break
            at.value = index
            data, steps = produce(number, index, seeds)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            code, what, details = attempt(data, path)
            signal.setitimer(signal.ITIMER_PROF, 0)
            if code:
                outcomes[code] += 1
            else:
                pipe.send(Finding(index, what, details, data, steps))
    pipe.send((outcomes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def run(seeds: Sequence[Seed], count: int, *, number: int = 0, workers: int = 1, seconds: float = 1e9) -> Report:
    """Examine files until there were so many, or so long.

    Args:
        seeds: what the files are made from.
        count: how many.
        number: of the campaign: the same gives the same files.
        workers: processes.
        seconds: by the clock.
    """
    context = multiprocessing.get_context("fork")
    report = Report()
    begun = time.monotonic()
    for seed in seeds:
        _ = seed.paths  # before the processes part, so that they share them

    def start(indices: range) -> _Worker:
        at = context.Value("q", -1, lock=False)
        ours, theirs = context.Pipe(duplex=False)
        task = (number, seeds, indices, begun + seconds, at, theirs)
        process = context.Process(target=_work, args=task, daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours, at)

    running = [start(range(place, count, workers)) for place in range(workers)]
    while running:
        ready = wait([worker.pipe for worker in running], timeout=0.5)
        for worker in list(running):
            ended = worker.pipe in ready and _receive(worker, report)
            if not ended and not _is_stuck(worker):
                continue
            running.remove(worker)
            worker.process.kill()
            worker.process.join()
            if not (ended and worker.last == _FINISHED):
                report.findings.append(_fatal(worker, number, seeds))
                running.append(start(range(worker.at.value + workers, count, workers)))
    report.seconds = time.monotonic() - begun
    return report


_FINISHED = -2


def _receive(worker: _Worker, report: Report) -> bool:
    """Take what a process sent; whether it has ended."""
    try:
        sent = worker.pipe.recv()
    except EOFError:
        return True
    if isinstance(sent, Finding):
        report.findings.append(sent)
        return False
    outcomes, memory = sent
    report.outcomes += outcomes
    report.memory = max(report.memory, memory)
    worker.last = _FINISHED
    return True


def _is_stuck(worker: _Worker) -> bool:
    now = time.monotonic()
    if worker.at.value != worker.last:
        worker.last, worker.since = worker.at.value, now
    return now - worker.since > STUCK


def _fatal(worker: _Worker, number: int, seeds: Sequence[Seed]) -> Finding:
    """What a process that died, or had to be ended, was at."""
    index = worker.at.value
    data, steps = produce(number, index, seeds)
    how = "stuck" if worker.process.exitcode == -signal.SIGKILL else f"died of {worker.process.exitcode}"
    return Finding(index, how, "", data, steps)
