"""The benchmarks run. What they measure is looked at by people: no time passes or fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("stages", ["--length", "40", "--width", "8", "--runs", "1"], ["training step", "save", "load"]),
        ("files", ["--gib", "0.01", "--nodes", "100", "--runs", "1"], ["rax, chain", "rax, external=", "np.savez"]),
    ],
)
def test_a_benchmark_runs_in_small(name: str, options: list[str], says: list[str]) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    for word in says:
        assert word in done.stdout
