"""rax ops: the table of operations, one in full, and what is said of a name that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rax.cli.main import main
from rax.cli.ops import coverage
from rax.ops import registry

ROOT = Path(__file__).parents[2]


def test_the_table_has_a_line_for_every_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops"]) == 0
    head, *rows, blank, count = capsys.readouterr().out.splitlines()
    assert head.split() == ["operation", "dtypes", "derivative", "batching", "numpy", "reference"]
    assert [row.split()[0] for row in rows] == sorted(registry())
    assert (blank, count) == ("", f"{len(registry())} operations")


def test_an_operation_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "sum"]) == 0
    assert capsys.readouterr().out == (
        "The sum over some axes, which disappear, in the operand's dtype; half types add up in float32.\n\n"
        "- Attributes: `axes: tuple[int, ...]`\n"
        "- Example: `sum[axes=(0,)](float32[2, 3]) -> float32[3]`\n"
        "- Dtypes: all but bool\n"
        "- Derivative: forward, reverse; linear: its transpose\n"
        "- Batching: by its rule\n"
        "- Backends: numpy (kernel), reference (reference)\n"
        "- Since: version 1\n"
    )


def test_the_list_for_programs_is_the_committed_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "--json"]) == 0
    committed = (ROOT / "schemas" / "ops.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == committed, "rax ops --json > schemas/ops.json"
    assert main(["ops", "sum", "--json"]) == 2
    assert capsys.readouterr().err == "rax: --json lists every operation: leave out 'sum', or --json\n"


def test_a_name_that_is_no_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "summ"]) == 2
    assert capsys.readouterr().err == "rax: there is no operation 'summ': rax ops lists them\n"


@pytest.mark.parametrize(
    ("name", "modes", "batching", "how"),
    [
        ("exp", "forward, reverse", "rule", "kernel"),
        ("argmax", "none", "rule", "kernel"),
        ("while_loop", "forward", "rule", "kernel"),
        ("checkpoint", "forward, reverse", "rule", "body"),
        ("softplus", "forward, reverse", "body", "kernel"),
        ("sort", "forward, reverse", "rule", "kernel"),
    ],
)
def test_coverage_is_what_the_class_says(name: str, modes: str, batching: str, how: str) -> None:
    found = coverage(registry()[name])
    assert (found.modes, found.batching, found.backends["numpy"]) == (modes, batching, how)
