"""rax-run --max-memory and --timeout: what they refuse and stop, from outside the process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.cli.limits import OVERHEAD_BYTES, held_to
from rax.cli.run import main
from rax.runtime.amounts import parse_bytes

ROOT = Path(__file__).parents[2]
HUGE = 2**40
LINUX = sys.platform == "linux"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def saved(function: Callable[..., Any], *shape: int | str) -> str:
    """A file whose entry is a function of ``x``, which has a shape."""
    rax.save(rax.Program({"main": rax.trace(function, x=rax.spec(shape))}), "model.rax")
    return "model.rax"


@dataclass(frozen=True)
class Ended:
    """How a process of rax-run ended: its code, what it said, the seconds and the most memory it took."""

    code: int
    error: str
    seconds: float
    resident: int


def run(*arguments: str) -> Ended:
    with tempfile.TemporaryFile() as said:
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "rax.cli.run", *arguments],
            stdout=subprocess.DEVNULL, stderr=said, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        error = said.read().decode()
        return Ended(process.returncode, error, time.monotonic() - start, usage.ru_maxrss * (1024 if LINUX else 1))


def endless(x: Any) -> Any:
    return rax.while_loop(lambda c: c[1] >= 0, lambda c: (c[0] * 1.0, c[1] * 1), (x, rnp.asarray(1)))[0]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("reference", marks=pytest.mark.slow)])
def test_an_endless_loop_is_stopped_and_named(backend: str) -> None:
    path = saved(lambda x: rax.while_loop(lambda c: rnp.all(c > 0), endless, x), 3)
    ended = run(path, "x=[1,2,3]", "--timeout", "400ms", "--backend", backend)
    assert ended.code == 3
    assert ended.error.startswith("rax-run: entry 'main': stopped after 0.4 s, all the time it may take (")
    assert " at test_limits.py:" in ended.error
    assert ended.error.count("\n") == 1
    assert ended.seconds < 10


def test_a_single_long_call_into_numpy_is_ended() -> None:
    path = saved(lambda x: rnp.sum(rnp.broadcast_to(x, (HUGE,))), 1)
    ended = run(path, "x=[1]", "--timeout", "0.4", "--max-memory", "1MB")
    assert ended.code == 3
    assert ended.error == "rax-run: stopped after 0.4 s, all the time it may take: allow more with --timeout\n"
    assert ended.seconds < 10


def test_an_output_is_not_left_half_written() -> None:
    path = saved(lambda x: {"x": x + 1, "loss": rnp.sum(rnp.broadcast_to(x, (HUGE,)))}, 1)
    Path("out.npz").write_bytes(b"an older file")
    before = sorted(Path().iterdir())
    assert run(path, "x=[1]", "--timeout", "400ms", "-o", "out.npz").code == 3
    assert sorted(Path().iterdir()) == before
    assert Path("out.npz").read_bytes() == b"an older file"


def test_training_is_stopped() -> None:
    path = saved(lambda x: {"x": x + 1, "loss": rnp.sum(x)}, 3)
    ended = run(path, "x=[1,2,3]", "--steps", str(10**12), "--timeout", "500ms")
    assert ended.code == 3
    assert "stopped after 0.5 s" in ended.error


@pytest.mark.parametrize("backend", ["numpy", pytest.param("reference", marks=pytest.mark.slow)])
def test_a_graph_that_is_over_is_refused_before_it_takes_memory(backend: str) -> None:
    limit = ("--max-memory", "512MiB", "--backend", backend)
    small = run(saved(lambda x: x + 1, 1), "x=[1]", *limit)
    assert small.code == 0
    ended = run(saved(lambda x: rnp.cumulative_sum(rnp.broadcast_to(x, (HUGE,))), 1), "x=[1]", *limit)
    assert ended.code == 3
    assert ended.error.startswith("rax-run: entry 'main': it would hold 4 TiB at once, 512 MiB are allowed (more from ")
    assert ended.resident < small.resident + 2**23


@pytest.mark.slow
def test_scratch_memory_that_no_plan_knows_is_held_to_the_limit_too() -> None:
    path = saved(lambda x: rnp.fft.fft(x + 0j), "n")
    np.save("x.npy", np.ones(2**23, np.float32))
    planned = 2 * 2**23 * 8 + 64  # an arena begins where a line of the cache does
    if LINUX:  # whose kernel holds the process to the limit
        ended = run(path, "x=@x.npy", "--max-memory", str(planned))
        assert ended.code == 3
        assert "fft failed: there is not enough memory" in ended.error
        assert ended.resident < planned + 2**26 + OVERHEAD_BYTES + 2**26
    assert run(path, "x=@x.npy", "--max-memory", str(8 * planned)).code == 0


def test_the_size_of_an_input_decides(capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(lambda x: x[:, None] * x, "n")
    assert main([path, "x=[1,2]", "--max-memory", "48"]) == 0
    assert main([path, "x=[1,2]", "--max-memory", "47"]) == 3
    np.save("x.npy", np.ones(2**20, np.float32))
    capsys.readouterr()
    assert main([path, "x=@x.npy", "--max-memory", "512MiB"]) == 3
    assert capsys.readouterr().err.startswith(
        "rax-run: entry 'main': for n = 1048576 it would hold 4 TiB at once, 512 MiB are allowed "
        "(more from step 1 of 2: multiply gives float32[1048576, 1048576]) at test_limits.py:"
    )


def test_loading_and_looking_compute_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(lambda x: rnp.sum(rnp.zeros(HUGE) + x), 1)
    assert main([path, "--info", "--max-memory", "16MB", "--timeout", "60"]) == 0
    assert "main" in capsys.readouterr().out


def test_a_check_is_held_to_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    golden = str(ROOT / "tests" / "golden" / "v1" / "training.msgpack")
    assert main([golden, "--check", "--max-memory", "1MiB", "--timeout", "2min"]) == 0
    assert main([golden, "--check", "--max-memory", "1"]) == 3
    assert "1 byte" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "text"),
    [("--max-memory", text) for text in ("", "5Q", "-1", "1e9", "MiB", "512 M", "1.5.2GB")]
    + [("--timeout", text) for text in ("", "0", "-1", "1x", "inf", "nan", "0ms", "1e300")],
)
def test_a_limit_that_is_none_is_refused(option: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["model.rax", f"{option}={text}"])
    assert stop.value.code == 2
    what = "amount of memory: write 512MiB" if option == "--max-memory" else "length of time: write 10, 500ms"
    assert f"rax-run: argument {option}: {text!r} is no {what}" in capsys.readouterr().err


@pytest.mark.parametrize(("power", "letter"), [*enumerate("KMGT", 1)])
def test_units_of_memory(power: int, letter: str) -> None:
    assert parse_bytes(f"3{letter}B") == 3 * 1000**power
    assert parse_bytes(f"2.5 {letter}iB") == 5 * 1024**power // 2
    assert parse_bytes(f"7{letter.lower()}ib") == 7 * 1024**power


def test_the_process_is_held_within_the_block_alone() -> None:
    with held_to(2**20), pytest.raises(MemoryError) if LINUX else nullcontext():
        np.empty(2**30, np.uint8)
    assert np.empty(2**30, np.uint8).nbytes == 2**30
