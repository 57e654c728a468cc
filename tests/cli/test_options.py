"""The words of a command line: which are options, which values, and what is said of those that are wrong."""

from __future__ import annotations

import pytest

from rax.cli.options import Option, Wording, parse
from rax.cli.run import main
from rax.runtime.backends import BACKENDS

OPTIONS = (
    Option("--check", "compare"),
    Option("--steps", "how often", "N", int),
    Option("--stop-at", "when", "TIME"),
    Option("--output", "where to", "FILE", short="-o"),
)
WORDING = Wording("cmd", "cmd FILE [options]", "It does.", (("FILE", "the file"),), "It is done.")


@pytest.mark.parametrize(
    ("words", "plain", "found"),
    [
        ("", [], {}),
        ("a b", ["a", "b"], {}),
        ("a --check x=-1 --steps 3", ["a", "x=-1"], {"check": True, "steps": 3}),
        ("--steps=3 a", ["a"], {"steps": 3}),
        ("--ste 3 --out f", [], {"steps": 3, "output": "f"}),
        ("-o f a", ["a"], {"output": "f"}),
        ("-of -", ["-"], {"output": "f"}),
        ("-o=f", [], {"output": "f"}),
        ("--steps -3", [], {"steps": -3}),
        ("--check -- --steps -o", ["--steps", "-o"], {"check": True}),
        ("--stop-at= a", ["a"], {"stop_at": ""}),
    ],
)
def test_words_are_sorted(words: str, plain: list[str], found: dict[str, object]) -> None:
    assert parse(WORDING, OPTIONS, words.split()) == (plain, found)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--wrong", "there is no option --wrong"),
        ("-x", "there is no option -x"),
        ("--st 3", "--st may be --steps or --stop-at"),
        ("--steps", "argument --steps: a value is due: N"),
        ("--steps x", "argument --steps: invalid literal for int() with base 10: 'x'"),
        ("--check=1", "argument --check: it takes no value"),
    ],
)
def test_a_wrong_word_ends_the_process_with_one_line(words: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(WORDING, OPTIONS, words.split())
    assert stopped.value.code == 2
    assert capsys.readouterr() == ("", f"cmd: {text}\n")


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(WORDING, OPTIONS, ["a", "-h"])
    assert not stopped.value.code
    assert capsys.readouterr().out == (
        "usage: cmd FILE [options]\n\nIt does.\narguments:\n  FILE                  the file\n\n"
        "options:\n  -h, --help            show this help and exit\n  --check               compare\n"
        "  --steps N             how often\n  --stop-at TIME        when\n  -o, --output FILE     where to\n\n"
        "It is done.\n"
    )


def test_the_help_of_rax_run_names_every_backend(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"what computes: {' or '.join(BACKENDS)}" in capsys.readouterr().out
