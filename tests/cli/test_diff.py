"""rax diff: every kind of difference has its line; files of one program have none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.cli.diff import differences
from rax.cli.main import main
from tests.cli.programs import program

ROOT = Path(__file__).parents[2]
VECTOR, MATRIX = rax.spec(("n",)), rax.spec((2, 3))
COLUMNS = rax.trace(lambda x: rnp.sum(x, axis=0), MATRIX).outputs[0]


def traced(function: Callable[..., Any], *specs: Any) -> rax.Program:
    return rax.Program(f=rax.trace(function, *(specs or (VECTOR,))))


def test_a_file_and_its_copy_are_the_same_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = str(ROOT / "examples" / "digits" / "mlp.msgpack")
    rax.save(rax.load(first), tmp_path / "copy")
    assert main(["diff", first, str(tmp_path / "copy")]) == 0
    assert capsys.readouterr().out == "the same program\n"


def test_files_that_differ_end_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rax.save(program(), tmp_path / "first")
    rax.save(program(wrong=True), tmp_path / "second")
    assert main(["diff", str(tmp_path / "first"), str(tmp_path / "second")]) == 1
    assert capsys.readouterr().out == "the example of 'predict': output 'digit': int64[3] differs by at most 1\n"


def test_what_cannot_be_read_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rax.save(program(), tmp_path / "first")
    (tmp_path / "second").write_bytes(b"no program")
    assert main(["diff", str(tmp_path / "first"), str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"rax: cannot read {tmp_path / 'none'}: No such file or directory\n"
    assert main(["diff", str(tmp_path / "first"), str(tmp_path / "second")]) == 2
    assert capsys.readouterr().err == f"rax: [not-rax] the file is not a rax file (byte 0 of {tmp_path / 'second'})\n"


def scanned(table: Any, step: float = 1.0, *, reverse: bool = False) -> rax.Program:
    def body(carry: rax.Tensor, x: rax.Tensor) -> Any:
        return rax.cond(x > 0, lambda y: y * step, lambda y: y, carry) + table, x

    return traced(lambda x, xs: rax.scan(body, x, xs, reverse=reverse), rax.spec((100,)), rax.spec((5,)))


def test_graphs_that_an_operation_holds_are_compared_in_their_turn() -> None:
    table = np.arange(100, dtype="float32")
    assert list(differences(scanned(table), scanned(table * 2, 3.0))) == [
        "entry 'f': body of scan: branches[1] of cond: the constant float32(1.0): float32[] differs by at most 2",
        "entry 'f': body of scan: the constant %3: float32[100] differs by at most 99",
    ]
    (line,) = differences(scanned(table), scanned(table, reverse=True))
    assert line.startswith("entry 'f': they part at %0: <scan[num_consts=0, num_carry=1, length=5, reverse=False](")
    assert "\n" not in line


def test_source_lines_do_not_count() -> None:
    first = traced(lambda x: x * 2)
    second = traced(lambda x: x * 2)
    assert list(differences(first, second)) == []


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        (
            traced(lambda x: x + 1),
            traced(lambda x: x + 3),
            ["the constant float32(1.0): float32[] differs by at most 2"],
        ),
        (
            traced(lambda x: rnp.sin(x)),
            traced(lambda x: rnp.cos(x)),
            ["they part at %0: <sin(float32[n]) -> float32[n]>, there <cos(float32[n]) -> float32[n]>"],
        ),
        (
            traced(lambda x: rnp.sin(x)),
            traced(lambda x: rnp.tan(rnp.sin(x))),
            ["2 nodes, there 3", "they part: nothing more, there <tan(float32[n]) -> float32[n]>"],
        ),
        (
            traced(lambda x: rnp.sin(x)),
            traced(lambda x: rnp.sin(x), rax.spec((3,))),
            [
                "the input 'x' is float32[n], there float32[3]",
                "the output 'result' is float32[n], there float32[3]",
            ],
        ),
        (
            traced(lambda x: {"a": x, "b": rnp.sin(x)}),
            traced(lambda x: {"b": x, "a": rnp.sin(x)}),
            ["other nodes are the results"],
        ),
        (
            traced(lambda x: {"a": x}),
            traced(lambda x: [x]),
            [
                "the output '0': float32[n] is only in the second",
                "the output 'a': float32[n] is only in the first",
                "the results are nested as {'a': *}, there [*]",
            ],
        ),
        (
            traced(lambda x: rnp.sum(x), MATRIX),
            traced(lambda x: rnp.sum(rnp.sum(x, axis=0)), MATRIX),
            [
                "2 nodes, there 3",
                "they part at %0: <sum[axes=(0, 1)](float32[2, 3]) -> float32[]>, there " + repr(COLUMNS),
            ],
        ),
    ],
)
def test_differences_of_graphs(first: rax.Program, second: rax.Program, lines: list[str]) -> None:
    assert list(differences(first, second)) == [f"entry 'f': {line}" for line in lines]


def test_differences_of_entries_and_tensors() -> None:
    graph = rax.trace(lambda w, x: w * x, rax.spec((3,)), rax.spec((3,)))
    first = rax.Program({"a": graph, "b": graph}, defaults={"w": np.array([1.0, 2.0, 3.0], np.float32)}, main="a")
    second = rax.Program(
        {"a": graph, "c": graph},
        defaults={"w": np.array([1.0, 2.0, 3.25], np.float32), "x": np.zeros(3, np.float32)},
        main="c",
    )
    assert list(differences(first, second)) == [
        "the main entry is 'a', there 'c'",
        "entry 'b' is only in the first",
        "entry 'c' is only in the second",
        "the default 'w': float32[3] differs by at most 0.25",
        "the default 'x' is only in the second",
    ]


@pytest.mark.parametrize(
    ("here", "there", "how"),
    [
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.5]), "differs by at most 0.5"),
        (np.array([np.inf, 1.0]), np.array([np.inf, 1.0 + 2**-52]), "differs by at most 2.22045e-16"),
        (np.array([np.nan, 1.0]), np.array([0.0, 1.0]), "differs by at most inf"),
        (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0]), "differs by at most inf"),
        (np.array([0.0]), np.array([-0.0]), "differs by at most 0"),
        (np.array([2**63 - 1]), np.array([-(2**63)]), "differs by at most 18446744073709551615"),
        (np.array([True, False, True]), np.array([True, True, False]), "differs in 2 of 3 elements"),
        (np.array([1 + 1j]), np.array([4 + 5j]), "differs by at most 5"),
        (np.array([1.0]), np.array([1.0, 2.0]), "is float64[2] there"),
    ],
)
def test_differences_of_tensors(here: Any, there: Any, how: str) -> None:
    def holding(array: Any) -> rax.Program:
        graph = rax.trace(lambda w: w, rax.spec(("n",), array.dtype.name))
        return rax.Program(f=graph, defaults={"w": array})

    (line,) = differences(holding(here), holding(there))
    name = {"f": "float64", "i": "int64", "b": "bool", "c": "complex128"}[here.dtype.kind]
    assert line == f"the default 'w': {name}[{here.size}] {how}"
