"""The first call of a training step in a fresh process, and the memory a call needs above its inputs.

As a program, ``python -m benchmarks.runtime.fresh LIBRARY FOLDER``, it is that process: it writes the
results to the folder and prints what it measured.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import gc
import json
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runtime import transformer
from benchmarks.runtime.peers import library
from benchmarks.runtime.timing import Pace, Spread, spread
from benchmarks.runtime.work import Contestant, Work, check_agreement
from rax.runtime.backends.numpy.instances import free_idle

ROOT = Path(__file__).parent.parent.parent
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Figures = Mapping[str, float]


def first_call(work: Work, pace: Pace) -> dict[str, Spread]:
    """Seconds from functions and arrays to the first result: tracing, differentiating, planning, running."""
    key = "first, cpu" if pace.cpu else "first"
    return {name: spread([run[key] for run in runs]) for name, runs in _measured(work, pace).items()}


def peak_memory(work: Work, pace: Pace) -> dict[str, Spread]:
    """Bytes of the second call above what the process held before it, its inputs included.

    The kernel counts them, on Linux only. Of rax also what tracemalloc sees and what the plan says.
    """
    found = _measured(work, pace)
    figures = {name: [run["peak"] for run in runs if "peak" in run] for name, runs in found.items()}
    figures |= {f"rax, {key}": [run[key] for run in found["rax"]] for key in ("traced", "planned")}
    return {name: spread(samples) for name, samples in figures.items() if samples}


def _measured(work: Work, pace: Pace) -> dict[str, list[Figures]]:
    """What the processes print; the two rows share them."""
    small = max(np.shape(work.arguments[1])) < 64
    return _processes(tuple(work.factories), small, pace.processes)


@functools.cache
def _processes(names: tuple[str, ...], quick: bool, rounds: int) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name in names:
                command = [sys.executable, "-m", "benchmarks.runtime.fresh", name, folder, *["--quick"] * quick]
                done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603  # ourselves
                found[name].append(json.loads(done.stdout))
        results = {name: [*np.load(Path(folder) / f"{name}.npz").values()] for name in names}
    check_agreement(results, transformer.sized(quick).before)
    return found


def measure(name: str, quick: bool, file: Path) -> dict[str, float]:
    """Run the step of one library for the first time, and again for its memory."""
    work = transformer.sized(quick)
    library(name)
    figures: dict[str, float] = {}
    start, worked = time.perf_counter(), time.process_time()
    contestant = work.factories[name]()
    result = contestant.run()
    figures |= {"first": time.perf_counter() - start, "first, cpu": time.process_time() - worked}
    np.savez(file, *contestant.arrays(result))
    del result
    return figures | held(contestant)


def held(contestant: Contestant) -> dict[str, float]:
    """The bytes that one more run holds: for the kernel, on Linux; as planned and as traced, if there is a plan."""
    figures: dict[str, float] = {}
    base = _settled()
    if base is not None:
        contestant.run()
        figures["peak"] = _status("VmHWM") - base
    if contestant.planned is not None:
        figures["planned"] = contestant.planned
        free_idle()
        gc.collect()
        tracemalloc.start()
        contestant.run()
        figures["traced"] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return figures


def _settled() -> float | None:
    """The memory held once what is free has been given back, from which the peak now counts; None if it cannot.

    The arenas that rax keeps from call to call are among what is free: the second call makes its own, which counts.
    """
    free_idle()
    gc.collect()
    try:
        libc: Any = ctypes.CDLL("libc.so.6")
        libc.malloc_trim(0)
        RESET.write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def _status(key: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return float(line.split()[1]) * 1024


def main() -> None:
    """Measure one library in this process."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("library")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print(json.dumps(measure(options.library, options.quick, options.folder / f"{options.library}.npz")))


if __name__ == "__main__":
    main()
