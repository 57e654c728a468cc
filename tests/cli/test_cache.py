"""rax-run --explain-cache, and what rax-run keeps, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rax
import rax.numpy as rnp

ROOT = Path(__file__).parents[2]
COUNT = 400


def wide(x: rax.Tensor) -> rax.Tensor:
    large = [rnp.cumulative_sum(x * n, axis=0) for n in range(COUNT)]
    return rnp.sum(rnp.stack([rnp.sum(each) for each in large])) + rnp.sum(rnp.stack([each[0, 0] for each in large]))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    rax.save(rax.trace(wide, x=rax.spec(("n", 20))), "model.rax")
    np.save("x.npy", np.random.default_rng(0).standard_normal((2000, 20)).astype(np.float32))
    return "model.rax"


def run(model: str, cache: str | None, *more: str) -> list[str]:
    own = {} if cache is None else {"RAX_CACHE_DIR": cache}
    inherited = {key: value for key, value in os.environ.items() if key not in ("RAX_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", "rax.cli.run", model, "x=@x.npy", "-o", "out.npz", *more],
        env={**inherited, "PYTHONPATH": str(ROOT), "HOME": str(Path.cwd()), **own},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout.splitlines()


def test_the_second_run_says_hit_and_gives_the_same(model: str) -> None:
    first = run(model, "cache", "--explain-cache")
    results = Path("out.npz").read_bytes()
    second = run(model, "cache", "--explain-cache")
    assert Path("out.npz").read_bytes() == results
    assert first[0] == second[0] == run(model, "cache")[0]
    assert first[1] == f"plans are kept in {Path.cwd() / 'cache'}"
    assert "miss: there is no entry; kept now; it took" in "\n".join(first)
    assert any(": hit: found; " in line and line.endswith(" ms saved") for line in second)
    (entry,) = Path("cache").iterdir()
    assert any(line.startswith(f"  {entry.resolve()} (") for line in second)
    entry.write_bytes(entry.read_bytes()[:-1])
    assert "miss: the entry was damaged or altered; kept now" in "\n".join(run(model, "cache", "--explain-cache"))


def test_plans_are_kept_in_the_users_folder_unless_told_otherwise(model: str) -> None:
    assert run(model, None, "--explain-cache")[1] == f"plans are kept in {Path.cwd() / '.cache' / 'rax'}"
    assert len(list(Path(".cache/rax").iterdir())) == 1
    assert run(model, "", "--explain-cache")[1] == "no plans are kept: RAX_CACHE_DIR is empty"


def test_a_folder_that_cannot_be_written_does_no_harm(model: str) -> None:
    Path("file").write_text("")
    lines = "\n".join(run(model, "file/cache", "--explain-cache"))
    assert "miss: there is no entry; not kept: the folder cannot be written: " in lines


@pytest.mark.usefixtures("model")
def test_compile_keeps_plans_only_where_told() -> None:
    code = "import rax; rax.load('model.rax')['main'](__import__('numpy').load('x.npy'))"
    inherited = {key: value for key, value in os.environ.items() if key != "RAX_CACHE_DIR"}
    for own in ({}, {"RAX_CACHE_DIR": "kept"}):
        environment = {**inherited, "PYTHONPATH": str(ROOT), "HOME": str(Path.cwd()), **own}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
        assert not Path(".cache").exists()
        assert Path("kept").exists() == bool(own)
