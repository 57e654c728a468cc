"""rax-run needs NumPy and msgpack, and nothing else that is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.programs import saved

ROOT = Path(__file__).parent.parent.parent

SCRIPT = """
import sys
from rax.cli.run import main
code = main(sys.argv[1:])
loaded = {name.split(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print("outside the standard library:", *sorted(loaded - sys.stdlib_module_names - {"__main__"}))
sys.exit(code)
"""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment in which only rax, NumPy and msgpack can be imported."""
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "rax").symlink_to(ROOT / "rax")
    for name in ("numpy", "msgpack"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        home = Path(next(iter(spec.submodule_search_locations)))
        (packages / name).symlink_to(home)
        libraries = home.parent / f"{name}.libs"
        if libraries.exists():
            (packages / libraries.name).symlink_to(libraries)
    return {**os.environ, "PYTHONPATH": str(packages), "COLUMNS": "80", "PYTHONUTF8": "1"}


def run(bare: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -S leaves out site-packages, -W error turns any warning into a failure.
    command = [sys.executable, "-S", "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=bare, check=False, encoding="utf-8")


def test_a_run_imports_numpy_and_msgpack_alone(bare: dict[str, str], tmp_path: Path) -> None:
    saved(tmp_path)
    for arguments in (["model.msgpack"], ["model.msgpack:train", "--steps", "3"], ["model.msgpack", "--info"]):
        done = run(bare, tmp_path, "-c", SCRIPT, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "outside the standard library: msgpack numpy rax"


def test_the_module_is_a_program(bare: dict[str, str], tmp_path: Path) -> None:
    saved(tmp_path)
    done = run(bare, tmp_path, "-m", "rax.cli.run", "model.msgpack", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "check: 3 outputs equal the expected ones (max difference 0)\n", "",
    )  # fmt: skip
    done = run(bare, tmp_path, "-m", "rax.cli.run", "model.msgpack", "labels=x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_is_no_error(bare: dict[str, str], tmp_path: Path) -> None:
    saved(tmp_path)
    command = [sys.executable, "-S", "-m", "rax.cli.run", "model.msgpack"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env={**bare, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_where_blocks_cannot_be_printed_images_are_drawn_in_ascii(bare: dict[str, str], tmp_path: Path) -> None:
    saved(tmp_path)
    plain = {**bare, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = run(plain, tmp_path, "-m", "rax.cli.run", "model.msgpack")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "  @@          @@@@"
