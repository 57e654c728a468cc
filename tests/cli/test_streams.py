"""Standard streams that are closed, full, or read by nobody: exit codes, one line of error, and files all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.programs import program, saved

ROOT = Path(__file__).parent.parent.parent
RUN, RAX = "rax.cli.run", "rax.cli.main"
CLOSED = ">&-"
QUICK = [
    (RUN, "model.msgpack"),
    (RUN, "--help"),
    (RAX, "show model.msgpack"),
]
SLOW = [
    (RUN, "model.msgpack --profile"),
    (RUN, "model.msgpack:train --steps 3"),
    (RUN, "model.msgpack --check"),
    (RUN, "model.msgpack --info"),
    (RAX, "diff model.msgpack model.msgpack"),
    (RAX, "ops"),
    (RAX, "save model.msgpack again.msgpack"),
    (RAX, "parse model.txt -o -"),
]
PRINTING = [*QUICK, *[pytest.param(*each, marks=pytest.mark.slow) for each in SLOW]]


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saved(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    Path("model.txt").write_text(str(program()), encoding="utf-8")


def shell(module: str, words: str) -> subprocess.CompletedProcess[str]:
    """A command as a shell starts it, which closes and joins streams."""
    line = f"set -o pipefail; {sys.executable} -m {module} {words}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("module", "words"), PRINTING)
def test_what_cannot_be_printed_is_an_error_of_one_line(module: str, words: str) -> None:
    command = "rax-run" if module == RUN else "rax"
    done = shell(module, f"{words} {CLOSED}")
    due = f"{command}: standard output is closed: send it to a file, or to /dev/null\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", due)
    done = shell(module, f"{words} >/dev/full")
    due = f"{command}: cannot write on standard output: No space left on device\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", due)


@pytest.mark.parametrize(("module", "words"), PRINTING)
def test_a_reader_that_leaves_is_no_error(module: str, words: str) -> None:
    done = shell(module, f"{words} | true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("module", [RUN, RAX])
@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", pytest.param("<&- >&- 2>&-", marks=pytest.mark.slow)])
def test_an_error_that_cannot_be_printed_has_its_exit_code_and_is_printed_nowhere_else(module: str, where: str) -> None:
    for words in (
        ("absent.msgpack", "--unknown") if module == RUN else ("show absent.msgpack", "parse model.msgpack -o -")
    ):
        done = shell(module, f"{words} {where}")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_what_is_not_printed_needs_no_stream() -> None:
    done = shell(RUN, "model.msgpack:train --steps 3 -o out.npz 2>&-")
    assert (done.returncode, done.stderr) == (0, "")
    done = shell(RAX, f"parse model.txt -o parsed.msgpack <&- {CLOSED}")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("parsed.msgpack").read_bytes() == Path("model.msgpack").read_bytes()
    done = shell(RAX, "show - <&-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rax: standard input is closed: name a file in place of -\n"


@pytest.mark.parametrize("where", ["| true", CLOSED, pytest.param("<&- >&- 2>&-", marks=pytest.mark.slow)])
def test_files_are_written_whoever_reads(where: str) -> None:
    done = shell(RUN, f"model.msgpack --profile-trace trace.json -o out.npz {where}")
    assert done.returncode == (0 if where == "| true" else 2)
    assert Path("trace.json").stat().st_size
    with np.load("out.npz") as archive:
        assert archive["digit"].tolist() == [1, 0, 0]


def test_training_ends_when_nobody_reads_and_nothing_is_to_be_written() -> None:
    done = shell(RUN, "model.msgpack:train --steps 1000 | head -1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("step 100: loss = ")
    done = shell(RUN, "model.msgpack:train --steps 20 -o out.npz | true")
    assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_array_equal(np.load("out.npz")["params.b"], np.full(2, 0.5**20, np.float32))


def test_a_check_that_fails_says_so_to_whoever_waits_for_the_exit_code() -> None:
    saved(Path(), wrong=True)
    assert shell(RUN, "model.msgpack --check | true").returncode == 1
    assert shell(RUN, "model.msgpack | true").returncode == 1


def test_no_file_is_opened_where_a_closed_stream_was() -> None:
    """Else what is printed by libraries would be written into it."""
    script = (
        "import os, sys; from rax.cli.run import main; main(['model.msgpack', '--info']); "
        "sys.exit(os.open('model.msgpack', os.O_RDONLY) <= 2)"
    )
    for where in ("2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["bash", "-c", f'{sys.executable} -c "{script}" {where}'], capture_output=True, check=False
        )
        assert done.returncode == 0, (where, done.stderr)


def test_a_stopped_run_ends_though_nobody_can_be_told() -> None:
    done = shell(RUN, "model.msgpack:train --steps 100000000 --timeout 0.5 2>/dev/full")
    assert done.returncode == 3
