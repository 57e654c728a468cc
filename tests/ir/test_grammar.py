"""The grammar of schemas/TEXT.md as it stands there, held against the reader and the printer."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rax.format.files import load
from rax.ir.errors import ParseError, RaxError
from rax.ir.text.program_parser import parse
from rax.ir.text.program_printer import print_program, program_literals
from tests.format.build import small
from tests.format.test_golden import FOLDER, GOLDEN
from tests.format.test_program_text import programs
from tests.ir.ebnf import Grammar

PAGE = (Path(__file__).parents[2] / "schemas" / "TEXT.md").read_text(encoding="utf-8")
(_SOURCE,) = re.findall(r"```ebnf\n(.*?)```", PAGE, re.DOTALL)
GRAMMAR = Grammar(_SOURCE)
SYNTAX = re.compile(
    r"expected |the string |the parenthesis |.* is not a size: (unexpected|expected|it ends)", re.DOTALL
)
"""How the messages of those errors begin that the grammar alone can find."""
TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"|[%@&]?[A-Za-z0-9_.]+|->|//|#[^\n]*|\s+|.', re.DOTALL)


# The long ones have nothing that these have not; each is read and printed in test_program_text.py.
FILES = [name for name in GOLDEN if (FOLDER / name).stat().st_size < 2**15]


def error_of(text: str, tensors: list[Any]) -> ParseError | None:
    """What the reader says of a text; None if it takes it."""
    try:
        parse(text, tensors=tensors)
    except ParseError as error:
        return error
    return None


def test_every_rule_of_the_page_is_used_and_there() -> None:
    used = set(re.findall(r"'rule', '(\w+)'", repr(GRAMMAR.rules))) | {"text"}
    assert used == set(GRAMMAR.rules)


def test_the_examples_of_the_page_are_texts() -> None:
    (example,) = re.findall(r"```\n(rax 1\n.*?)```", PAGE, re.DOTALL)
    assert GRAMMAR.accepts(example)
    program = parse(example)
    assert print_program(program) == example
    with pytest.raises(ParseError) as caught:
        parse(example.replace("multiply(x", "multipy(x"))
    shown = re.findall(r"```\nmodel.txt:(\d+):(\d+): (.*?)\n(.*?\n.*?)\n  fix: (.*?)\n```", PAGE, re.DOTALL)
    error = caught.value
    where = "\n".join(["  " + line for line in error.where.splitlines()[1:]])
    assert shown == [("7", "8", error.what, where, error.fix)]
    assert (error.line, error.column) == (7, 8)


@pytest.mark.parametrize("name", FILES)
def test_printed_files_are_of_the_grammar(name: str) -> None:
    program = load(FOLDER / name)
    assert GRAMMAR.accepts(print_program(program))
    assert all(map(GRAMMAR.accepts, map(str, program.values())))


@given(programs())
@settings(max_examples=8, deadline=None)
def test_printed_programs_are_of_the_grammar(program: Any) -> None:
    assert GRAMMAR.accepts(print_program(program))


# Texts made of the grammar.

ATTRIBUTE = "graph (x: float32[2]) -> () {{ %0 = sum(x)[axes={}] : float32[] return }}"
FRAMES = {
    "text": "{}",
    "graph": "{}",
    "value": ATTRIBUTE,
    "tensor": "rax 1 default x = {}",
    "tree": "graph () -> () {{ in {} return }}",
    "type": "graph (x: {}) -> () {{ return }}",
    "size": "graph (x: float32[{}]) -> () {{ return }}",
    "origin": "graph () -> () {{ {} return }}",
    "node": "graph () -> () {{ {} return }}",
    "string": "rax 1 main {}",
}


@functools.cache
def tokens(pattern: str) -> st.SearchStrategy[str]:
    """Words of an expression."""
    return st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="latin-1"))


def check_made(rule: str, data: st.DataObject) -> None:
    """The reader finds nothing wrong with the syntax of a text that the grammar makes."""

    def draw(kind: str, what: Any) -> Any:
        if kind == "number":
            return data.draw(st.integers(0, what - 1))
        return data.draw(tokens(what))

    text = FRAMES[rule].format(GRAMMAR.make(draw, rule))
    assert GRAMMAR.accepts(text)
    error = error_of(text, [])
    assert error is None or not SYNTAX.match(error.what)


@pytest.mark.parametrize("rule", FRAMES)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_a_text_of_the_grammar_is_refused_for_its_meaning_alone(rule: str, data: st.DataObject) -> None:
    check_made(rule, data)


@pytest.mark.slow
@given(data=st.data(), rule=st.sampled_from(list(FRAMES)))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_many_texts_of_the_grammar_are_refused_for_their_meaning_alone(data: st.DataObject, rule: str) -> None:
    check_made(rule, data)


# Printed texts, changed.

BASE = TOKENS.findall(print_program(small()))
PIECES = [
    "(", ")", "[", "]", "{", "}", ",", ":", "=", "->", "/", "//", "*", "+", "-", "#\n", " ", "%0", "%0.1", "%x:2", "@0",
    "&0", "graph", "entry", "default", "at", "nowhere", "for", "in", "out", "return", "main", "dim", "constant", "n",
    "float32", "None", "inf", "nan", "0", "1.5", "2e3", "max", '"a"', '"\\u0041"', '"', "hex:00", "sha256:00", "x",
]  # fmt: skip


def check_change(pieces: list[str]) -> None:
    """The grammar and the reader agree on a text, but for what only its meaning forbids."""
    text = "".join(pieces)
    error = error_of(text, [])
    if GRAMMAR.accepts(text):
        assert error is None or not SYNTAX.match(error.what), text
    else:
        assert error is not None, text


CHANGES = st.lists(
    st.tuples(
        st.integers(0, len(BASE) - 1), st.sampled_from(["put", "insert", "remove", "copy"]), st.integers(0, 10**6)
    ),
    min_size=1,
    max_size=2,
)


def changed(changes: list[tuple[int, str, int]]) -> list[str]:
    pieces = list(BASE)
    for place, way, other in changes:
        place %= len(pieces)
        if way == "remove":
            del pieces[place]
        else:
            new = BASE[other % len(BASE)] if way == "copy" else PIECES[other % len(PIECES)]
            pieces[place : place + (way != "insert")] = [new]
    return pieces


@given(CHANGES)
@settings(max_examples=60, deadline=None)
def test_changed_texts_are_judged_alike(changes: list[tuple[int, str, int]]) -> None:
    check_change(changed(changes))


@pytest.mark.slow
@given(CHANGES)
@settings(max_examples=2_000, deadline=None)
def test_many_changed_texts_are_judged_alike(changes: list[tuple[int, str, int]]) -> None:
    check_change(changed(changes))


# Any change of a good text.


def check_any(text: str, tensors: list[Any]) -> None:
    """A text is read or refused with a place; nothing else."""
    error = error_of(text, tensors)
    if error is not None:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        place, shown, caret = error.where.split("\n")
        assert place == f"line {error.line}, column {error.column}"
        assert len(shown) <= 100
        assert caret.strip() == "^"


TEXTS = [(print_program(program), [program]) for program in (load(FOLDER / name) for name in FILES)]
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.one_of(st.sampled_from(PIECES), st.text(max_size=2))),
    min_size=1,
    max_size=4,
)


def edited(text: str, edits: list[tuple[float, int, str]]) -> str:
    for part, count, new in edits:
        place = int(part * len(text))
        text = text[:place] + new + text[place + count :]
    return text


@given(st.sampled_from(TEXTS), EDITS)
@settings(max_examples=40, deadline=None)
def test_no_change_of_a_good_text_breaks_the_reader(base: tuple[str, list[Any]], edits: Any) -> None:
    check_any(edited(base[0], edits), base[1])


@pytest.mark.slow
@given(st.sampled_from(TEXTS), EDITS)
@settings(max_examples=2_000, deadline=None)
def test_no_change_of_a_good_text_breaks_the_reader_in_many_tries(base: tuple[str, list[Any]], edits: Any) -> None:
    check_any(edited(base[0], edits), base[1])


@given(st.text(alphabet='rax 1graph(x:)->{}%0=ad,[]&@"\n#ü漢\u0301\t', max_size=60), st.booleans())
def test_no_text_breaks_the_reader(tail: str, whole: bool) -> None:
    check_any(("rax 1 entry a = " if whole else "") + "graph (x: float32[2]) -> (0: float32[2]) {" + tail, [])


def test_tensors_of_held_graphs_are_found() -> None:
    for text, (program,) in TEXTS:
        assert set(re.findall(r"sha256:(\w+)", text)) <= set(program_literals(program))
    with pytest.raises(RaxError):
        parse(next(text for text, _ in TEXTS if "sha256:" in text))
