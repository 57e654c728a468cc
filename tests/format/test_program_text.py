"""A program as text and back gives the bytes of its file."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rax
from rax.format.files import load
from rax.format.saving import save
from rax.format.versions import newest
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.graph import Graph
from rax.ir.node import Literal, Value, constant, new_input
from rax.ir.op import Op
from rax.ir.program import Example, Program
from rax.ir.text.program_parser import parse
from rax.ir.text.program_printer import TEXT_VERSION, print_program
from rax.ir.trail import Origin
from rax.ir.tree import ARGUMENTS, Tree, flatten
from rax.ir.types import DTYPES, DType, TensorType, tensor_type
from rax.ops import registry
from rax.ops.algebra import add
from rax.ops.arrays import literal, literal_from_bytes
from rax.ops.composites import UserComposite
from rax.ops.control import Cond
from rax.ops.elementwise import multiply, negative
from tests.format.build import branches, chain, operations, small, stored, to_bytes
from tests.format.test_golden import FOLDER, GOLDEN
from tests.format.test_properties import NESTS, sizes
from tests.golden.make import EXTERNAL, Cube

importlib.import_module("rax.ops")
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.msgpack"))


def check(program: Program | Graph, registry: Mapping[str, type[Op]] | None = None) -> str:
    """The text of a program; checks that it comes back to the byte."""
    whole = Program({"main": program}) if isinstance(program, Graph) else program
    text = print_program(whole)
    again = parse(text, tensors=[whole], registry=registry)
    assert to_bytes(again) == to_bytes(whole)
    assert print_program(again) == text
    return text


@pytest.mark.parametrize("path", [*[FOLDER / name for name in GOLDEN], *EXAMPLES], ids=lambda path: path.name)
def test_files_come_back_to_the_byte(path: Path, tmp_path: Path) -> None:
    known = {**registry(), Cube.name: Cube}
    program = load(path, registry=known)
    text = check(program, registry=known)
    if path.parent.name == f"v{newest()}":
        shutil.copytree(path.parent, tmp_path, dirs_exist_ok=True)
        again = parse(text, tensors=[program], registry=known)
        save(again, tmp_path / path.name, external=EXTERNAL.get(path.stem, ()))
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_an_operation_of_somebodys_own_comes_back_where_it_is_unknown() -> None:
    path = FOLDER / "v1" / "own_operation.msgpack"
    known = load(path, registry={**registry(), Cube.name: Cube})
    text = check(load(path))
    assert print_program(known) == text
    assert to_bytes(parse(text)) == path.read_bytes()


def test_programs_of_the_builders_come_back() -> None:
    for program in (small(), stored(), stored(3, 100, 1000, 100), operations(), chain(50)):
        check(program)


def test_the_text_is_of_the_newest_version() -> None:
    assert newest() == TEXT_VERSION


def test_a_program_prints_as_its_text() -> None:
    assert str(small()) == print_program(small())
    assert print_program(small()).startswith("rax 1\nmain predict\n\nentry choose = graph (index: int32[], ")


# What random programs are made of.

SPECIAL = ("", "main", "a.b", "two words", "größe", "0", "float32", "graph", 'a"b\\', "\n", "&0", "#", "return")
NAMES = st.one_of(st.sampled_from("abc"), st.sampled_from(SPECIAL), st.text(max_size=3))
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
PLACES = st.builds(Origin, st.lists(NAMES, max_size=2).map(tuple), st.sampled_from(["", "a.py:1 in f", "\x1b é"]))


@st.composite
def literals(draw: st.DrawFn, type: TensorType | None = None) -> Literal:
    """A tensor of any bytes, sometimes one too large to stand in the text."""
    if type is None:
        dtype: DType = draw(st.sampled_from(list(DTYPES.values())))
        type = TensorType(dtype, draw(st.one_of(SHAPES, st.just((40,)))))
    assert type.nbytes is not None
    top = 1 if type.dtype.kind == "bool" else 255
    pattern = draw(st.lists(st.integers(0, top), min_size=1, max_size=16))
    return literal_from_bytes(type, bytes([pattern[place % len(pattern)] for place in range(type.nbytes)]))


@st.composite
def attributes(draw: st.DrawFn, held: list[Graph]) -> dict[str, Any]:
    """Attributes of every kind."""
    types = st.builds(tensor_type, st.lists(sizes().filter(_is_axis), max_size=2), st.sampled_from(list(DTYPES)))
    plain = st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5), sizes(),
        st.sampled_from(list(DTYPES.values())), types, literals(), st.sampled_from(held),
        st.sampled_from([dims.dim("float32"), dims.dim("graph + n"), dims.dim("max(inf, 2)//n"), -0.0]),
    )  # fmt: skip
    values = st.recursive(plain, lambda below: st.lists(below, max_size=3).map(tuple), max_leaves=5)
    return draw(st.dictionaries(NAMES.filter(lambda name: name != "body"), values, max_size=3))


def _is_axis(size: Size) -> bool:
    return not isinstance(size, int) or size >= 0


@st.composite
def graphs(draw: st.DrawFn, held: list[Graph]) -> Graph:
    """A graph over vectors, with nests, origins, constants, choices and operations of a user's own."""
    vector = tensor_type((3,))
    names = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    inputs = [new_input(name, vector) for name in names]
    values: list[Value] = list(inputs)
    for _ in range(draw(st.integers(0, 6))):
        first, second = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        step = draw(st.integers(0, 5))
        if step == 0:
            values.append(constant(draw(literals(vector))))
        elif step == 1:
            values.append(add(first, constant(draw(literals(tensor_type(()))))))
        elif step == 2:
            pair = (draw(st.sampled_from(held)), draw(st.sampled_from(held)))
            index = constant(literal(np.int32(draw(st.integers(0, 1)))))
            values += Cond(pair).results(index, first, second)
        elif step == 3:
            name = draw(st.sampled_from(["acme.step", "ü.x"]))
            op = UserComposite(name, draw(attributes(held)), draw(st.sampled_from(held)))
            values += op.results(first, second)
        else:
            values.append((negative(first), multiply(first, second))[step - 4])
    leaves, child = flatten(draw(NESTS))
    outputs = [draw(st.sampled_from(values)) for _ in leaves]
    in_tree = Tree(ARGUMENTS, ("all",), (flatten([0] * len(inputs))[1],)) if draw(st.booleans()) else None
    titles = draw(st.lists(NAMES, min_size=len(outputs), max_size=len(outputs), unique=True))
    origins = {value.node: draw(PLACES) for value in values if draw(st.booleans())}
    return Graph(inputs, outputs, in_tree, child, titles, {n: o for n, o in origins.items() if o != Origin()})


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A program whose graphs hold graphs that others hold too."""
    held = list(branches())
    for _ in range(draw(st.integers(0, 2))):
        found = draw(graphs(held))
        if (found.in_types, found.out_types) == (held[0].in_types, held[0].out_types):
            held.append(found)
    pool = [draw(graphs(held)) for _ in range(draw(st.integers(1, 2)))]
    entries = {name: draw(st.sampled_from(pool)) for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))}
    graph = next(iter(entries.values()))
    defaults = {name: draw(literals(tensor_type((3,)))) for name in graph.input_names if draw(st.booleans())}
    example = Example(
        {graph.input_names[0]: draw(literals(tensor_type((3,))))},
        {name: draw(literals(value.type)) for name, value in zip(graph.output_names, graph.outputs, strict=True)},
        draw(st.dictionaries(NAMES, NAMES, max_size=1)),
    )
    main = draw(st.sampled_from([None, *entries]))
    return Program(entries, defaults=defaults, examples={next(iter(entries)): example}, main=main)


@given(programs())
@settings(max_examples=30, deadline=None)
def test_random_programs_come_back(program: Program) -> None:
    check(program)


@pytest.mark.slow
@given(programs())
@settings(max_examples=1000, deadline=None)
def test_many_random_programs_come_back(program: Program) -> None:
    check(program)


# Shared graphs.


def doubling(levels: int) -> Graph:
    """A graph of so many levels, in which each holds the one below it twice."""
    graph = branches()[0]
    for _ in range(levels - 1):
        x, y = new_input("x", tensor_type((3,))), new_input("y", tensor_type((3,)))
        graph = Graph((x, y), Cond((graph, graph)).results(constant(literal(np.int32(0))), x, y), origins={})
    return graph


def test_a_graph_that_is_held_twice_is_printed_once() -> None:
    text = check(doubling(20))
    assert text.count("graph &") == 19
    assert len(text.splitlines()) < 110


def test_entries_of_one_graph_share_it() -> None:
    graph = branches()[0]
    text = check(Program(a=graph, b=graph))
    assert "\nentry a = &0\n\nentry b = &0\n" in text
    program = parse(text)
    assert program["a"] is program["b"]


def nested(levels: int) -> Graph:
    """A graph of so many levels, each of which holds the next once."""
    graph = branches()[0]
    for _ in range(levels - 1):
        x, y = new_input("x", tensor_type((3,))), new_input("y", tensor_type((3,)))
        op = UserComposite("acme.level", {}, graph)
        graph = Graph((x, y), op.results(x, y), origins={})
    return graph


def test_a_deep_graph_is_not_indented_without_end() -> None:
    text = check(nested(32))
    assert max(len(line) - len(line.lstrip()) for line in text.splitlines()) < 30


def test_one_graph_prints_as_deep_as_it_is() -> None:
    graph = nested(32)
    assert parse(str(graph))["main"] == graph
    with pytest.raises(rax.ParseError, match="graphs nested more than 32 deep"):
        parse(str(nested(33)))


def test_graphs_that_are_too_large_when_run_through_are_refused() -> None:
    lines = [str(branches()[0]).replace("graph", "graph &0", 1)]
    head = "(x: float32[3], y: float32[3]) -> (0: float32[3]) { %0 = cond(int32(0), x, y)[branches=("
    for level in range(1, 31):
        held = f"&{level - 1}, " * (1 if level < 3 else 2)
        lines.append(f"graph &{level} {head}{held})] : float32[3] return %0 }}")
    with pytest.raises(rax.ParseError, match="nodes, counting held graphs each time, where at most 32 and 67108864"):
        parse("\n".join(["rax 1", *lines]))


# Scalars and origins.


def test_a_scalar_from_elsewhere_has_a_line_of_its_own() -> None:
    x = new_input("x", tensor_type((3,)))
    half = constant(literal(np.float32(0.5)))
    y = multiply(x, half)
    places = [Origin((), "a.py:1 in f"), Origin(("s", "two words"), "a.py:2 in f")]
    same = Graph((x,), (y,), origins={half.node: places[0], y.node: places[0]})
    apart = Graph((x,), (y, half), origins={half.node: places[1], y.node: places[0], x.node: places[1]})
    assert '  at "a.py:1 in f"\n  %0 = multiply(x, float32(0.5)) : float32[3]\n' in check(same)
    assert check(apart).split("{\n")[1] == (
        '  at "a.py:2 in f" in s/"two words" for *\n'
        '  at "a.py:2 in f" in s/"two words"\n'
        "  %0 = constant(0.5) : float32[]\n"
        '  at "a.py:1 in f"\n'
        "  %1 = multiply(x, %0) : float32[3]\n"
        "  return %1, %0\n"
        "}\n"
    )


def test_the_data_may_come_from_several_programs() -> None:
    both = stored(50, 60)
    text = print_program(both)
    assert to_bytes(parse(text, tensors=[stored(50), Program({"main": _second()})])) == to_bytes(both)
    with pytest.raises(rax.ParseError, match="the data with this digest is not given"):
        parse(text, tensors=[stored(50)])


def _second() -> Graph:
    return Graph((), (constant(literal(np.arange(60, dtype="float32") + 1)),), origins={})


# Time.


@pytest.mark.slow
def test_ten_thousand_nodes_take_a_second_and_time_grows_with_length() -> None:
    taken: list[float] = []
    for length in (10_000, 40_000):
        text = print_program(Program({"main": chain(length)}))
        start = time.process_time()
        parse(text)
        taken.append(time.process_time() - start)
    assert taken[0] < 1.5
    assert taken[1] < 8 * taken[0]


@pytest.mark.parametrize(
    "text",
    [
        "rax 1 " + "# c\n" * 100_000 + "?",
        "rax 1" + " " * 1_000_000 + "?",
        "graph (" * 100_000,
        "graph () -> () { in " + "[" * 100_000,
        'graph () -> () { %0 = sum()[axes=' + "(" * 100_000,
        'graph () -> () { %0 = sum()[axes=(' + "dim(n), " * 50_000,
        'graph () -> () { %0 = sum()[axes=dim(' + "(" * 100_000,
        'graph () -> () { %0 = sum()[axes=' + "n + " * 50_000,
        'graph () -> () { %0 = sum()[axes=' + "9" * 100_000 + "] : () return }",
        'graph () -> () { %0 = constant(' + "[" * 100_000,
        'graph () -> () { %0 = constant(' + "9" * 1_000_000 + ") : int64[] return }",
        'graph (x: float32[' + "n, " * 100_000,
        'graph (x: float32[' + "(" * 100_000 + "]) -> () { return }",
        'graph (x: float32[' + "9" * 100_000 + "]) -> () { return }",
        'graph ("' + "\\u0041" * 200_000,
        "rax 1 " + "default a = float32(1.0) " * 20_000,
        "rax 1 " + "".join(f"default a{number} = float32(1.0) " for number in range(5_000)),
    ],
    ids=lambda text: text[:45],
)  # fmt: skip
def test_a_hostile_text_is_refused_quickly(text: str) -> None:
    start = time.process_time()
    with pytest.raises(rax.ParseError):
        parse(text)
    assert time.process_time() - start < 2
