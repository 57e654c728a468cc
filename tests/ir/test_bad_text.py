"""What is wrong with a text, where and what to do: a row for each kind of error."""

from __future__ import annotations

import importlib

import pytest

from rax.ir.errors import ParseError
from rax.ir.text.graph_parser import parse_graph
from rax.ir.text.program_parser import parse
from rax.ir.text.scanner import pointed
from rax.ir.types import DTYPES

importlib.import_module("rax.ops")
HEAD = "graph (x: float32[2, n], y: float32[n]) -> (0: float32[2, n]) {\n"
NODE, VALUE = "expected a node such as %0 = …, or 'return', not ", "expected a value, not "
OPERAND, NEST = (
    "expected an operand such as %0 or an input's name, not ",
    'expected a nest of * such as {"w": [*, *]}, not ',
)
SIZE = 'write e.g. "batch" or "2*n + 1"'
GIVE = "give what holds it: a program in tensors, a file with --tensors"
ESCAPES = 'the escapes are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with 4 digits'

# Lines of a graph after HEAD; ^ stands before the place that the error shows.
LINES = [
    # Operations and operands.
    ("%0 = ^addd(x, y) : float32[2, n]", "there is no operation 'addd'", "did you mean 'add'?"),
    ("%0 = ^zzzz(x) : float32[2, n]", "there is no operation 'zzzz'", ""),
    ("%0 = ^acme.own(x) : float32[2, n]", "there is no operation 'acme.own'", ""),
    ("%0 = add(x, ^z) : float32[2, n]", "there is no input 'z'", ""),
    ("%0 = add(x, ^yy) : float32[2, n]", "there is no input 'yy'", "did you mean 'y'?"),
    ("%0 = add(x, ^%0) : float32[2, n]", "%0 is not defined above", ""),
    ("%first = add(x, y) : float32[2, n] %1 = add(^%frist)", "%frist is not defined above", "did you mean '%first'?"),
    ("%0 = add(x, y) : float32[2, n] ^%0 = add(x, x)", "%0 is defined above already", ""),
    ("%0 = add(x, ^@2) : float32[2, n]", "the graph has 2 inputs, no @2", ""),
    ("%0 = add(x, ^&0) : float32[2, n]", OPERAND + "'&'", ""),
    ("%0 = add(x, y) : ^float32[n, 2]", "add gives float32[2, n]", ""),
    ("%0 = add(x, y) : ^float32[2, n], float32[n]", "add gives float32[2, n]", ""),
    ("%0 = add(x, y) : ^()", "add gives float32[2, n]", ""),
    ("%0 = add(x, y) ^return x", "expected ':', not 'return'", ""),
    ("%0 = add(x ^y) : float32[2, n]", "expected ')', not 'y'", ""),
    ("%0 = ^(x) : float32[2, n]", "expected an operation, not '('", ""),
    ("%0 ^add(x) : float32[2, n]", "expected '=', not 'add'", ""),
    ("^% = add(x) : float32[2, n]", "expected a result such as %0, not '%'", ""),
    ("^%0:2 = add(x, y) : float32[2, n]", "add has 1 results, not 2", ""),
    ("^add(x, y)", NODE + "'add'", ""),
    ("^retrun x", NODE + "'retrun'", "did you mean 'return'?"),
    # Attributes.
    ("%0 = ^add(x, y)[axis=1] : float32[2, n]", "add has no attribute 'axis'", "it has none"),
    ("%0 = ^sum(x) : float32[2]", "sum lacks the attribute 'axes'", ""),
    ("%0 = ^sum(x)[axis=1] : float32[2]", "sum has no attribute 'axis'", "it has axes"),
    ("%0 = ^sum(x)[axes=1] : float32[2]", "the attribute 'axes' of sum cannot be 1", ""),
    ("%0 = sum(x)[axes=(1,), ^axes=(1,)] : float32[2]", "the attribute 'axes' is given twice", ""),
    ("%0 = sum(x)[axes=(1,)^) : float32[2]", "expected ']', not ')'", ""),
    ("%0 = sum(x)[axes ^(1,)] : float32[2]", "expected '=', not '('", ""),
    ("%0 = sum(x)[axes=^] : float32[2]", VALUE + "']'", ""),
    ("%0 = sum(x)[axes=(1 ^2)] : float32[2]", "expected ')', not '2'", ""),
    ("%0 = sum(x)[axes=n ^+] : float32[2]", "expected ']', not '+'", ""),
    ("%0 = sum(x)[axes=2^n] : float32[2]", "'2n' is not a size: unexpected 'n'", SIZE),
    ("%0 = sum(x)[axes=^float33[n]] : float32[2]", "there is no dtype 'float33'", "did you mean 'float32'?"),
    ("%0 = sum(x)[axes=^wide[n]] : float32[2]", "there is no dtype 'wide'", f"use one of {', '.join(DTYPES)}"),
    ("%0 = sum(x)[axes=dim^(n + 1] : float32[2]", "the parenthesis is not closed", ""),
    ("%0 = sum(x)[axes=dim(n +^)] : float32[2]", "'n +' is not a size: it ends too early", SIZE),
    ("%0 = sum(x)[axes=dim(n ^% 2)] : float32[2]", "'n % 2' is not a size: unexpected '%'", SIZE),
    ("%0 = sum(x)[axes=^1234" + "0" * 100 + "] : float32[2]", "a number has at most 100 digits", ""),
    ("%0 = sum(x)[axes=float32 ^+ 1] : float32[2]", "expected ']', not '+'", ""),
    ("%0 = sum(x)[axes=^&7] : float32[2]", "there is no graph &7 above", ""),
    ("%0 = sum(x)[axes=" + "(" * 64 + "^(((", "nested more than 64 deep", ""),
    ("%0 = sum(x)[axes=^-1e999] : float32[2]", "'-1e999' is past the largest float", "write inf, or a smaller number"),
    # Strings.
    ('%0 = sum(x)[axes="a^\\q"] : float32[2]', "the string has a bad escape", ESCAPES),
    ('%0 = sum(x)[axes="a^\\u12"] : float32[2]', "the string has a bad escape", ESCAPES),
    ('%0 = sum(x)[axes=^"a] : float32[2]', "the string is not closed", 'close it with " on the same line'),
    ('%0 = sum(x)[axes="a^\tb"]', "the string has the control character '\\t'", "write it as an escape"),
    # Data.
    ("%0 = add(x, float32(^zero)) : float32[2, n]", "'zero' is no float32", ""),
    ("%0 = add(x, float32(^1_0)) : float32[2, n]", "'1_0' is no float32", ""),
    ("%0 = add(x, int8(^300)) : float32[2, n]", "'300' is no int8", ""),
    ("%0 = add(x, float64(^1e999)) : float32[2, n]", "'1e999' is no float64", ""),
    ("%0 = add(x, bfloat16(^3.4e38)) : float32[2, n]", "'3.4e38' is no bfloat16", ""),
    ("%0 = add(x, complex64(^1.0+1e39j)) : float32[2, n]", "'1.0+1e39j' is no complex64", ""),
    ("%0 = add(x, int8(^1.5)) : float32[2, n]", "'1.5' is no int8", ""),
    ("%0 = add(x, bool(^1)) : float32[2, n]", "'1' is no bool", ""),
    ("%0 = add(x, bool(^hex:02)) : float32[2, n]", "a bool is a byte 0 or 1", ""),
    ("%0 = add(x, float32(^)) : float32[2, n]", "expected data, not ')'", ""),
    ("%0 = add(x, float32(^1.0 2.0)) : float32[2, n]", "the data does not have the shape of float32[]", ""),
    ("%0 = add(float32(12.0), float32(^1 2.0)) :", "the data does not have the shape of float32[]", ""),
    ("%0 = add(x, float32(^hex:00)) : float32[2, n]", "float32[] takes 4 bytes, not 1", ""),
    ("%0 = add(x, float32(^hex:0g)) : float32[2, n]", "'0g' is no hexadecimal number of whole bytes", ""),
    ("%0 = add(x, float32(^hex:000)) : float32[2, n]", "'000' is no hexadecimal number of whole bytes", ""),
    ("%0 = constant(^[1.0, 2.0]) : float32[3]", "the data does not have the shape of float32[3]", ""),
    ("%0 = constant(^[1.0, [2.0]]) : float32[2]", "the data does not have the shape of float32[2]", ""),
    ("%0 = constant(^[1.0]) : float32[n]", "data cannot have the symbolic type float32[n]", ""),
    ("%0 = constant(^sha256:00) : float32[3]", "a digest is sha256: and 64 digits 0-9 a-f", ""),
    ("%0 = constant(^sha256:" + "0" * 64 + ") : float32[3]", "the data with this digest is not given", GIVE),
    # Types.
    ("%0 = add(x, y) : ^float32", "expected a type such as float32[2, n], not 'float32'", ""),
    ("%0 = add(x, y) : float32[2, ^-1]", "a shape has no negative size -1", ""),
    ("%0 = add(x, y) : float32[2,^]", "'' is not a size: it ends too early", SIZE),
    ("%0 = add(x, y) : float32[2, n ^m]", "'n m' is not a size: unexpected 'm'", SIZE),
    ("%0 = add(x, y) : float32[^9223372036854775808]", "a size is at most 9223372036854775807", ""),
    ("%0 = add(x, y) : float32[4611686018427387904^]", "a tensor has at most 4611686018427387904 bytes", ""),
    ("%0 = add(x, y) : float32[" + "1, " * 64 + "^1]", "a type has at most 64 axes", ""),
    ("%0 = add(x, y) : float32[^n//0]", "the size n is divided by zero", ""),
    # Trees.
    ("out ^{1: *, 0: *}", "a tree of kind 'dict' has its keys in order, not 1, 0", ""),
    ("out ^{1: *, 1: *}", "a tree of kind 'dict' has no key twice", ""),
    ("out {1 ^*}", "expected ':', not '*'", ""),
    ("out {^*}", "expected a key, not '*'", ""),
    ("in arguments(x=*, y=^?)", NEST + "'?'", ""),
    ("in arguments(x ^*)", "expected '=', not '*'", ""),
    ("in " + "[" * 64 + "^" + "[" * 7 + "]" * 70, "nested more than 64 deep", ""),
    # Origins.
    ("at ^model.py", "expected a string, not 'model'", ""),
    ('at ^""', "a place in source code has a line or a scope", "write at nowhere"),
    ('at "a.py:1" for ^z', "there is no input 'z'", ""),
    ('%0 = add(x, y) : float32[2, n] at "a.py:1" for ^%0', "only the origin of an input is given so",
     "put the line before the node"),
    ('at "a.py:1" in ^/b', "expected a scope, not '/'", ""),
]  # fmt: skip

# Whole texts.
TEXTS = [
    ("^", "expected 'rax' or 'graph', not the end of the text",
     "a program begins with a line such as rax 1, a graph with the word graph"),
    ("^hello", "expected 'rax' or 'graph', not 'hello'",
     "a program begins with a line such as rax 1, a graph with the word graph"),
    ("rax ^one", "expected a version such as 1, not 'one'", ""),
    ("rax ^2", "the text has format version 2; this rax reads version 1", "install a newer rax"),
    ("rax ^0", "the text has format version 0; this rax reads version 1", ""),
    ("rax 1 ^enrty a = graph () -> () { return }",
     "expected 'main', 'graph', 'entry', 'default' or 'example', not 'enrty'",
     "did you mean 'entry'?"),
    ("rax 1 main ^a", "the program has no entry 'a'", ""),
    ("rax 1 main ^pedict entry predict = graph () -> () { return }", "the program has no entry 'pedict'",
     "did you mean 'predict'?"),
    ("rax 1 main a main ^b", "the main entry is named above already", ""),
    ("rax 1 entry a = graph () -> () { return } entry ^a = graph () -> () {", "the entry 'a' is given twice", ""),
    ("rax 1 entry a = ^body", "expected 'graph' or a label such as &0, not 'body'", ""),
    ("rax 1 entry a = ^&0", "there is no graph &0 above", ""),
    ("rax 1 graph &one () -> () { return } entry a = ^&on", "there is no graph &on above", "did you mean '&one'?"),
    ("rax 1 graph &0 () -> () { return } graph ^&0 () -> () { return }", "&0 is defined above already", ""),
    ("rax 1 graph ^() -> () { return }", "expected the label of a graph, such as &0, not '('", ""),
    ("rax 1 entry ^a = graph (x: float32[], x: float32[]) -> () { return }",
     "two inputs or two outputs of entry 'a' have the same name 'x'",
     "name arguments and keys so that their paths differ"),
    ("rax 1\nentry a = graph (x: float32[2]) -> () { return }\ndefault ^y = float32(1.0)",
     "no entry takes the default 'y'", "leave it out, or give the entry that takes it"),
    ("rax 1\nentry a = graph (x: float32[2]) -> () { return }\ndefault ^x = float32(1.0)",
     "'x' of entry 'a' is float32[2], not float32[]", ""),
    ("rax 1\nentry a = graph (x: float32[], y: bool[]) -> () { return }\ndefault x = float32(1.0) default ^y = int8(1)",
     "'y' of entry 'a' is bool[], not int8[]", ""),
    ("rax 1 default x = float32(1.0) default ^x = float32(2.0)", "the default 'x' is given twice", ""),
    ("rax 1 default x = float32(1.0^", "expected ')', not the end of the text", ""),
    ("rax 1 default x = float32[2] ^", "expected '(', not the end of the text", ""),
    ("rax 1 example ^a { }", "the program has no entry 'a'", ""),
    ("rax 1 example a { } example ^a { }", "the example of 'a' is given twice", ""),
    ("rax 1 example a { ^inptu x = float32(1.0) }", "expected 'input', 'output', 'display' or '}', not 'inptu'",
     "did you mean 'input'?"),
    ("rax 1 example a { display x = ^image }", "expected a string, not 'image'", ""),
    ("rax 1 example a { input x = float32(1.0) input ^x = float32(1.0) }", "the input 'x' is given twice", ""),
    ("rax 1 entry a = graph () -> (y: bool[]) { return bool(True) }\nexample a {\n  output ^z = float32(1.0)\n}",
     "entry 'a' has no 'z'", "it has y"),
    (" ^graph () -> (y: bool[], y: bool[]) { return bool(True), bool(False) }",
     "two inputs or two outputs of entry 'main' have the same name 'y'",
     "name arguments and keys so that their paths differ"),
    ("graph () ^\x0b -> () { return }", "expected '->', not '\\x0b'", ""),
    ("graph () -> () { ^\u00a0return }", NODE + "'\\xa0'", ""),
    ("graph () -> () { return } ^more", "expected the end of the text, not 'more'", ""),
    ("graph (x^) -> () { return }", "expected ':', not ')'", ""),
    ("graph (x: float32[2]) ^=> () { return }", "expected '->', not '='", ""),
    ("graph (x: float32[2]) -> () { return^", OPERAND + "the end of the text", ""),
    ("graph (x: float32[2]) -> (y: float32[3]) { return ^x }",
     "the graph returns (float32[2]), not what it announces", ""),
    ("graph (x: float32[]) -> (y: float32[]) { out ^[*, *] return x }", "a tree of 2 leaves for 1 outputs", ""),
    ("graph (x: float32[]) -> () { in ^arguments() return }", "a tree of 0 leaves for 1 inputs", ""),
    ("graph (x: float32[], x: float32[]) -> (y: float32[]) { return ^x }", "two inputs are called 'x'",
     "refer to it by place, as @0"),
]  # fmt: skip


def refused(text: str, *, whole: bool) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(text) if whole else parse_graph(text)
    return caught.value


def check(marked: str, what: str, fix: str, *, whole: bool) -> None:
    """A text, in which ^ marks the place, is refused there and so."""
    place = marked.index("^")
    error = refused(marked.replace("^", ""), whole=whole)
    line = marked[:place].count("\n") + 1
    column = place - marked[:place].rfind("\n")
    assert (error.what, error.fix, error.line, error.column) == (what, fix, line, column)
    head, _, caret = error.where.split("\n")
    assert head == f"line {line}, column {column}"
    assert caret.strip() == "^"


@pytest.mark.parametrize(("marked", "what", "fix"), LINES, ids=[row[0][:60] for row in LINES])
def test_a_bad_line_says_where_and_why(marked: str, what: str, fix: str) -> None:
    check(f"{HEAD}{marked}\n  return x\n}}", what, fix, whole=False)


@pytest.mark.parametrize(("marked", "what", "fix"), TEXTS, ids=[row[0][:60] for row in TEXTS])
def test_a_bad_text_says_where_and_why(marked: str, what: str, fix: str) -> None:
    check(marked, what, fix, whole=True)


def test_an_error_shows_the_line_with_a_caret() -> None:
    error = refused(f"{HEAD}  %0 = addd(x, y) : float32[2, n]\n  return %0\n}}", whole=False)
    assert str(error) == (
        "there is no operation 'addd'\n"
        "  line 2, column 8\n"
        "    %0 = addd(x, y) : float32[2, n]\n"
        "         ^\n"
        "  fix: did you mean 'add'?"
    )


@pytest.mark.parametrize(
    ("line", "column", "shown"),
    [
        ("\tx ?", 3, " x ?\n   ^"),
        ("漢字 ?", 3, "漢字 ?\n     ^"),
        ("e\u0301e\u0301 ?", 5, "e\u0301e\u0301 ?\n   ^"),
        ("ae\u0301", 2, "ae\u0301\n ^"),
        ("\x1b[31m ?", 6, "\ufffd[31m ?\n      ^"),
        ("a\u2028\u202eb", 3, "a\ufffd\ufffdb\n   ^"),
        ("", 0, "\n^"),
        ("abc", 3, "abc\n   ^"),
    ],
)
def test_a_caret_stands_under_its_character(line: str, column: int, shown: str) -> None:
    assert pointed(line, column) == shown


@pytest.mark.parametrize("column", [0, 50, 100, 5_000, 9_999, 10_000])
def test_of_a_long_line_the_part_around_the_place_is_shown(column: int) -> None:
    line = "".join([chr(0x4E00 + place) for place in range(10_000)])
    shown, caret = pointed(line, column).split("\n")
    assert len(shown) <= 100
    assert caret.strip() == "^"
    if column < len(line):
        assert shown[(len(caret) - 1) // 2] == line[column]


def test_an_error_in_a_long_line_shows_the_part_around_it() -> None:
    source = "graph (" + ", ".join(f"x{index}: float32[2]" for index in range(100)) + ", ?) -> () { return }"
    _, shown, caret = refused(source, whole=False).where.splitlines()
    assert len(shown) <= 100
    assert shown[caret.index("^")] == "?"


def test_lines_end_as_on_any_system() -> None:
    error = refused(f"{HEAD}  %0 = addd(x, y) : float32[2, n]\n".replace("\n", "\r\n"), whole=False)
    assert (error.line, error.column, error.what) == (2, 8, "there is no operation 'addd'")
    assert "\r" not in str(error)


def test_a_long_word_is_not_repeated_whole() -> None:
    assert len(str(refused("graph () -> () { " + "w" * 100_000, whole=False))) < 500
    assert len(str(refused("rax 1 main " + "w" * 100_000, whole=True))) < 500


def test_an_empty_registry_says_how_to_fill_it() -> None:
    with pytest.raises(ParseError) as caught:
        parse_graph("graph () -> () { %0 = add() : float32[] return }", {})
    assert caught.value.fix == "import rax.ops"


def test_parsed_nodes_have_no_origin() -> None:
    assert parse_graph(f"{HEAD} %0 = add(x, y) : float32[2, n] return %0 }}").origins == {}
