"""rax show and rax parse: a file as text and back, and what is said of a bad text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rax
from rax.cli.main import main
from tests.cli.programs import program
from tests.format.build import stored, to_bytes

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "digits" / "mlp.msgpack"


def show(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["show", *words]) == 0
    return capsys.readouterr().out


def test_a_file_comes_back_to_the_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "model.txt"
    text.write_text(show(capsys, str(MODEL)), encoding="utf-8")
    assert main(["parse", str(text), "-o", str(tmp_path / "model"), "--tensors", str(MODEL)]) == 0
    assert (tmp_path / "model").read_bytes() == MODEL.read_bytes()
    assert capsys.readouterr() == ("", "")


def test_standard_input_and_output_are_dashes() -> None:
    command = [sys.executable, "-m", "rax.cli.main"]
    shown = subprocess.run([*command, "show", "-"], input=MODEL.read_bytes(), capture_output=True, check=True, cwd=ROOT)
    again = subprocess.run(
        [*command, "parse", "-", "-o", "-", "--tensors", str(MODEL)],
        input=shown.stdout, capture_output=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert again.stdout == MODEL.read_bytes()


def test_tensors_may_lie_in_several_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = tmp_path / "both"
    rax.save(stored(50, 60), both)
    (tmp_path / "text").write_text(show(capsys, str(both)), encoding="utf-8")
    rax.save(stored(50), tmp_path / "first")
    rax.save(stored(50, 60), tmp_path / "second")
    words = ["parse", str(tmp_path / "text"), "-o", str(tmp_path / "again"), "--tensors", str(tmp_path / "first")]
    assert main(words) == 2
    assert "the data with this digest is not given" in capsys.readouterr().err
    assert main([*words, "--tensors", str(tmp_path / "second")]) == 0
    assert (tmp_path / "again").read_bytes() == both.read_bytes()


def test_one_entry_is_a_program_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = program()
    path = tmp_path / "a:b"
    rax.save(whole, path)
    assert show(capsys, str(path)) == str(rax.load(path))
    for entry in whole:
        alone = rax.parse(show(capsys, f"{path}:{entry}"), tensors=[whole])
        assert list(alone) == [entry]
        assert alone[entry] == whole[entry]
        assert set(alone.defaults) == set(whole.defaults) & set(whole[entry].input_names)
        assert set(alone.examples) == set(whole.examples) & {entry}
    assert main(["show", f"{path}:predit"]) == 2
    assert capsys.readouterr().err == "rax: there is no entry 'predit': did you mean 'predict'?\n"
    assert main(["show", f"{path}:none at all"]) == 2
    assert "choose one of" in capsys.readouterr().err


def test_a_bad_text_ends_with_2_and_a_caret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "model.txt"
    text.write_text("rax 1\nentry f = graph (x: float32[2]) -> (y: float32[2]) {\n\t%0 = sinn(x) : float32[2]\n")
    output = tmp_path / "out"
    assert main(["parse", str(text), "-o", str(output)]) == 2
    assert capsys.readouterr().err == (
        f"rax: {text}:3:7: there is no operation 'sinn'\n"
        "   %0 = sinn(x) : float32[2]\n"
        "        ^\n"
        "  fix: did you mean 'sin'?\n"
    )
    assert not output.exists()


def test_the_text_of_a_graph_is_a_program(tmp_path: Path) -> None:
    graph = rax.trace(lambda x: x * 2, rax.spec(("n",)))
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbf" + str(graph).encode())
    assert main(["parse", str(tmp_path / "text"), "-o", str(tmp_path / "out")]) == 0
    assert rax.load(tmp_path / "out")["main"] == graph
    assert to_bytes(rax.parse(str(graph))) == (tmp_path / "out").read_bytes()


def test_what_cannot_be_read_or_written_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"rax 1 # \xff")
    assert main(["parse", str(text), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"rax: {text}: byte 8 is no UTF-8: save the text as UTF-8\n"
    text.write_text("rax 1")
    assert main(["parse", str(text), "-o", str(tmp_path / "none" / "out")]) == 2
    assert capsys.readouterr().err.startswith(f"rax: cannot write {tmp_path / 'none' / 'out'}: ")
    assert main(["parse", str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"rax: cannot read {tmp_path / 'none'}: No such file or directory\n"
    assert main(["show", str(text)]) == 2
    assert capsys.readouterr().err.startswith("rax: [not-rax]")
    text.write_text('rax 1 entry "' + "e" * 70_000 + '" = graph () -> () { return }')
    assert main(["parse", str(text), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("rax: [limit] a str of 70000 characters")
