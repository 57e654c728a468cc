"""The rows of the benchmark beside other libraries: all run, all agree; and what they time is right."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
from benchmarks.runtime import (
    budgets,
    calls,
    convolution,
    elementwise,
    mlp,
    normalisation,
    recurrent,
    report,
    transformer,
    whole,
)
from benchmarks.runtime.rows import ROWS
from benchmarks.runtime.timing import QUICK, Spread
from benchmarks.runtime.work import DisagreementError, Work, check_agreement
from rax.ir.tree import flatten
from rax.runtime.amounts import amount
from rax.runtime.backends import BACKENDS
from rax.runtime.recorder import Recorder

ROOT = Path(__file__).parent.parent.parent

# Odd sizes, and batches of one and of none.
SIZES: dict[str, Callable[[int], Work]] = {
    "mlp": lambda batch: mlp.work((5, 7, 3), batch),
    "elementwise": elementwise.work,
    "normalisation": lambda batch: normalisation.work(batch, 5),
    "transformer": lambda batch: transformer.work(transformer.Sizes(2, 12, 3, 11, 7, batch)),
    "rnn": lambda batch: recurrent.work(3, 5, batch),
    "conv": lambda batch: convolution.work(8, batch, (3, 5, 7)),
    "predict": whole.work,
}


def leaves(nest: Any) -> list[np.ndarray]:
    return flatten(nest)[0]


def results(work: Work, backend: str = "numpy", arguments: Any = None) -> list[np.ndarray]:
    exe = rax.compile(work.trace(), backend)
    return leaves(exe(*(work.arguments if arguments is None else arguments)))


def compare(found: list[np.ndarray], due: list[np.ndarray]) -> None:
    for one, other in zip(found, due, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.max(np.abs(other), initial=1.0))


def strided(nest: Any) -> Any:
    """The same numbers, neither contiguous nor writable."""
    if isinstance(nest, dict):
        return {name: strided(item) for name, item in nest.items()}
    apart = np.zeros((*nest.shape[:-1], 2 * nest.shape[-1]), nest.dtype)[..., ::2]
    apart[...] = nest
    apart.flags.writeable = False
    return apart


@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("name", SIZES)
def test_every_row_equals_the_reference(name: str, batch: int) -> None:
    work = SIZES[name](batch)
    due = results(work, "reference")
    compare(results(work), due)
    compare(results(work, arguments=[strided(argument) for argument in work.arguments]), due)


@pytest.mark.parametrize("name", SIZES)
def test_every_row_runs_in_several_threads_at_once(name: str) -> None:
    work = SIZES[name](3)
    exe = rax.compile(work.trace())
    due = leaves(exe(*work.arguments))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: leaves(exe(*work.arguments)), range(16)):
            for one, other in zip(found, due, strict=True):
                np.testing.assert_array_equal(one, other)


def test_the_short_form_runs_every_row(tmp_path: Path) -> None:
    """With the libraries that are installed, whose results are compared."""
    command = [sys.executable, "-m", "benchmarks.runtime", "--quick", "--write", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert [row.title for row in ROWS.values() if f"| {row.title} |" not in table] == []


def test_budgets_are_kept_and_one_that_cannot_be_is_said() -> None:
    step = budgets.work(quick=True)
    plain = step.executable().plan.peak_bytes
    work = budgets.within(step, 0.6, 0.001)
    assert plain / 2 < (work.factories["rax in 60%"]().planned or 0) <= 0.6 * plain
    lines = report.text("budgets", ROWS["memory-budget"], budgets.seconds(work, QUICK))
    assert len(lines) == 1 + 3
    assert "1.00 × the time" in lines[1]
    assert f"{amount(plain)} planned" in lines[1]
    assert lines[3].endswith(f"is the least it was brought to, of {amount(plain)}")


def test_results_that_differ_are_refused() -> None:
    params = np.ones((2, 3), np.float32)
    moved = params - np.float32(1e-3)
    check_agreement({"rax": [moved], "other": [moved * np.float32(1 + 1e-7)]}, [params])
    for other in (moved - np.float32(1e-4), np.full_like(moved, np.nan), moved[:1], moved.astype(np.float64)):
        with pytest.raises(DisagreementError, match="other"):
            check_agreement({"rax": [moved], "other": [other]}, [params])


@pytest.mark.parametrize("name", SIZES)
def test_a_profile_of_every_row_gives_what_a_call_does(name: str) -> None:
    """Step by step too."""
    work = SIZES[name](3)
    exe = rax.compile(work.trace())
    recorder = Recorder(exe.plan, BACKENDS["numpy"])
    found, due = recorder.run(leaves([*work.arguments])), leaves(exe(*work.arguments))
    for one, other, third in zip(found, due, leaves(exe.profile(*work.arguments, runs=1).results), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(third, other)


def test_the_command_shows_a_profile(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    command = [sys.executable, "-m", "benchmarks.runtime", "--quick", "--profile", "rnn", "--trace", str(trace)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "scan: tanh(float32[3, 5])" in done.stdout
    assert json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]


def test_every_kind_of_call_gives_the_same_and_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    for call in calls.calls().values():
        for _ in range(3):
            (found,) = leaves(call())
            np.testing.assert_allclose(found, np.e, rtol=1e-6)
    calls.main(number=1, turns=1)
    assert len(capsys.readouterr().out.splitlines()) == len(calls.calls())


def test_a_verdict_compares_with_the_fastest_reference() -> None:
    def figures(**medians: float) -> dict[str, Spread]:
        return {name: Spread(median, median, median) for name, median in medians.items()}

    row = ROWS["transformer"]
    assert report.verdict(row, figures(rax=3.0, jax=2.0, torch=4.0)) == ("1.50 × jax", "missed ≤ 1.2 × jax by 1.25 ×")
    assert report.verdict(row, figures(rax=3.0, torch=4.0)) == ("0.75 × torch", "reached ≤ 1.2 × torch")
    assert report.verdict(row, figures(rax=3.0))[1] == "not compared: jax and torch not measured"
    assert math.isclose(row.factor, 1.2)
