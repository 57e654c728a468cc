"""rax save: weights go out of a file and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

import rax
from rax.cli.main import main
from rax.cli.run import main as rax_run
from tests.cli.programs import program

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "digits" / "mlp.msgpack"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_weights_go_out_and_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["save", str(MODEL), "small.msgpack", "--external", "weights/mlp.safetensors"]) == 0
    size = Path("small.msgpack").stat().st_size
    assert capsys.readouterr().out == f"small.msgpack: {size:,} bytes\n"
    assert size < MODEL.stat().st_size / 10
    assert rax_run(["small.msgpack", "--check"]) == 0
    capsys.readouterr()
    assert rax_run(["small.msgpack", "--info"]) == 0
    info = capsys.readouterr().out
    assert "in weights/mlp.safetensors" in info
    assert main(["diff", str(MODEL), "small.msgpack"]) == 0
    assert main(["save", "small.msgpack", "whole.msgpack"]) == 0
    assert Path("whole.msgpack").read_bytes() == MODEL.read_bytes()


def test_a_file_may_be_written_over_itself(capsys: pytest.CaptureFixture[str]) -> None:
    rax.save(program(), "m")
    before = Path("m").read_bytes()
    assert main(["save", "m", "m"]) == 0
    assert Path("m").read_bytes() == before
    capsys.readouterr()


def test_what_is_wrong_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    rax.save(program(), "m")
    assert main(["save", "m", "out", "--external", "../w"]) == 2
    assert capsys.readouterr().err == (
        "rax: [bad-path] the path '../w' may lead out of the folder of the file (external): "
        "write a relative path with / between its parts, without . and .., \\, : and control characters\n"
    )
    assert not Path("out").exists()
    assert main(["save", "absent", "out"]) == 2
    assert capsys.readouterr().err == "rax: cannot read absent: No such file or directory\n"
