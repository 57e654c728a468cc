"""rax-run --memory and --steps: how much a run holds, and that it gives the same."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.cli.run import main
from rax.ops.arrays import Array
from rax.runtime.backends.numpy.instances import free_idle
from rax.runtime.entry import Entry
from rax.runtime.executable import compile

LAYERS, WIDTH, ROWS = 12, 100, 12_000
STATE = LAYERS * WIDTH * WIDTH * 4


def train(params: Any, x: Any) -> Any:
    """A step of training for a chain of products."""

    def loss(params: Any) -> Any:
        y = x
        for layer in range(LAYERS):
            y = rnp.tanh(y @ params[f"w{layer}"])
        return rnp.mean(rnp.square(y))

    value, slopes = rax.value_and_grad(loss)(params)
    return {"loss": value, "params": {name: params[name] - slopes[name] for name in params}}


def program(rows: int) -> rax.Program:
    rng = np.random.default_rng(0)
    params = {f"w{n}": rng.standard_normal((WIDTH, WIDTH), np.float32) / WIDTH**0.5 for n in range(LAYERS)}
    defaults = {"params": params, "x": rng.standard_normal((rows, WIDTH), np.float32)}
    return rax.Program({"train": rax.trace(train, **defaults)}, defaults=defaults)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def peak(*arguments: str) -> int:
    """The most that a command holds, in bytes, which must end well."""
    free_idle()
    gc.collect()
    tracemalloc.start()
    assert main(arguments) == 0
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def outputs(path: str) -> dict[str, Array]:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def test_under_a_budget_a_run_holds_less_and_gives_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    rax.save(program(ROWS), "m.rax")
    plain = compile(rax.load("m.rax")["train"]).plan.peak_bytes
    budget = plain // 2
    compile(rax.load("m.rax")["train"], memory=budget)  # networkx, when first imported, takes some 13 MB
    held = peak("m.rax", "-o", "plain.npz")
    assert peak("m.rax", "-o", "less.npz", "--memory", str(budget)) < held - plain // 3
    due, found = outputs("plain.npz"), outputs("less.npz")
    assert due.keys() == found.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, due[name])
    capsys.readouterr()
    assert main(["m.rax", "--memory", str(budget), "--max-memory", str(budget), "-o", "less.npz"]) == 0
    assert main(["m.rax", "--max-memory", str(budget)]) == 3
    assert "rax-run: entry 'train': it would hold" in capsys.readouterr().err


def test_a_budget_that_no_run_fits_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rax.save(program(ROWS), "m.rax")
    assert main(["m.rax", "--memory", "64KiB"]) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "64 KiB" in err
    with pytest.raises(SystemExit) as stop:
        main(["m.rax", "--memory", "half"])
    assert stop.value.code == 2
    assert "rax-run: argument --memory: 'half' is no amount of memory: write 512MiB" in capsys.readouterr().err


def test_steps_write_new_state_over_the_old() -> None:
    file = program(20)
    given = {name: literal.array.copy() for name, literal in file.defaults.items()}
    most: list[list[int]] = []
    seen: list[list[dict[str, Array]]] = []
    for in_place in (False, True):
        entry = Entry(file, in_place=in_place)
        free_idle()
        gc.collect()
        most.append([])
        seen.append([])
        tracemalloc.start()
        state: Array | None = None
        for step, found in enumerate(entry.steps(given, 8)):
            most[-1].append(tracemalloc.get_traced_memory()[1])
            assert (found["params.w0"] is state) == (in_place and step > 0)
            state = found["params.w0"]
            seen[-1].append({name: array.copy() for name, array in found.items() if step == 7 or name == "loss"})
            tracemalloc.reset_peak()
        tracemalloc.stop()
    for due, found in zip(*seen, strict=True):
        for name, array in found.items():
            np.testing.assert_array_equal(array, due[name])
    for name, literal in file.defaults.items():
        np.testing.assert_array_equal(given[name], literal.array)
    plain, less = (each[1:] for each in most)  # a first step has no state of its own
    assert max(less) < min(plain) - 0.9 * STATE
    assert max(less) < min(less) + 0.01 * STATE


def test_the_steps_of_a_command_hold_no_more_the_more_there_are() -> None:
    rax.save(program(20), "m.rax")
    few, many = (peak("m.rax", "--steps", str(count), "-o", f"{count}.npz") for count in (2, 30))
    assert many < few + STATE / 4
    *_, last = Entry(rax.load("m.rax")).steps({}, 30)
    found = outputs("30.npz")
    assert found.keys() == last.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, last[name])
