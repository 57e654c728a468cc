"""The text form: printing then parsing gives the same graph, and a bad text says where and why."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rax.ir import dims, trail, types
from rax.ir.attributes import MISFIT, fit, make_op
from rax.ir.dims import Shape, Size
from rax.ir.errors import ParseError, RaxError, TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Value, apply, constant, new_input
from rax.ir.op import REGISTRY, Op
from rax.ir.text import graph_printer as text
from rax.ir.text import numerals
from rax.ir.text.graph_parser import parse_graph
from rax.ir.text.graph_printer import large_literals, neighbourhood, print_graph
from rax.ir.tree import LEAF_TREE, Tree, flatten
from rax.ir.types import DTYPES, DType, TensorType, tensor_type
from rax.ops import arrays
from rax.ops.samples import Sample
from tests.ir.simple import VECTOR, Anything, step


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pair(Op):
    """Two results."""

    name = "a pair"

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        return operands[0], VECTOR


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Typed(Op):
    """Attributes of each kind, checked when read."""

    name = "typed"
    axes: tuple[int, ...]
    scale: float
    shape: Shape = ()
    dtype: DType | None = None

    def result(self, *operands: TensorType) -> TensorType:
        return operands[self.axes[0]]


OURS: Mapping[str, type[Op]] = {**REGISTRY, "anything": Anything, "a pair": Pair, "typed": Typed}


def round_trip(graph: Graph) -> Graph:
    """The graph after printing and parsing; checks that nothing is lost on the way."""
    printed = print_graph(graph)
    back = parse_graph(printed, OURS, large_literals(graph))
    assert back == graph
    assert back.digest == graph.digest
    assert (back.input_names, back.in_types) == (graph.input_names, graph.in_types)
    assert (back.output_names, back.out_types) == (graph.output_names, graph.out_types)
    assert (back.in_tree, back.out_tree) == (graph.in_tree, graph.out_tree)
    assert print_graph(back) == printed
    full = print_graph(graph, origins=True)
    again = parse_graph(full, OURS, large_literals(graph))
    assert again == graph
    assert [again.origins.get(node) for node in again.nodes] == [graph.origins.get(node) for node in graph.nodes]
    assert print_graph(again, origins=True) == full
    return back


def holding(value: Any) -> Graph:
    """A graph of one operation with an attribute."""
    x = new_input("x", VECTOR)
    return Graph((x,), (Anything(value)(x),))


def attribute_of(graph: Graph) -> Any:
    op = graph.outputs[0].node.op
    assert isinstance(op, Anything)
    return op.value


# Every operation of rax.

SAMPLES = [
    pytest.param(cls, sample, id=f"{name}-{number}")
    for name, cls in REGISTRY.items()
    for number, sample in enumerate((*cls.samples, *cls.edges))
]


@pytest.mark.parametrize(("cls", "sample"), SAMPLES)
def test_every_operation_reads_back(cls: type[Op], sample: Sample) -> None:
    names: tuple[str, ...] = cls.dtypes  # pyright: ignore[reportAttributeAccessIssue]
    dtype = DTYPES[next(name for name in names if sample.dtypes is None or name in sample.dtypes)]
    inputs = [new_input(f"x{index}", kind) for index, kind in enumerate(sample.types(dtype))]
    attributes = {
        name: value(dtype) if callable(value) else value for name, value in sample.attributes.items()
    }  # fmt: skip
    graph = Graph(inputs, apply(cls(**attributes), inputs).outputs)
    assert round_trip(graph).nodes[-1].op == graph.nodes[-1].op


# Attributes.

PLAIN: list[Any] = [
    None, True, False, 0, -3, 2**70, 0.0, -0.0, 1.0, -1.5, 0.1, 1e300, 5e-324, math.inf, -math.inf,
    "", "plain", 'with "quotes" and \\ and \n and # and é and \u2028 and \x7f', "lone \ud800",
    types.float32, types.bfloat16, tensor_type((2, "n")), tensor_type(("max(n - 1, min(m, 2))", "n//2"), "int8"),
    dims.dim("n"), dims.dim("2*n + 1"), dims.dim("n - 3"), dims.dim("(n + 1)//2"), dims.dim("max(n - 1, 0)"),
    dims.dim("float32"), dims.dim("graph + 1"), dims.dim("None"), dims.dim("dim"), dims.dim("inf*nan"),
    (), (1,), (1, 2.0, None), ((), ((1,), "a")), (dims.dim("n"), 3, dims.dim("(n + 1)//2")),
]  # fmt: skip


def same(first: Any, second: Any) -> bool:
    """Equal, and of the same types, where ``==`` alone says too little."""
    if type(first) is not type(second):
        return False
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return repr(first) == repr(second) and first == second


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: ascii(value)[:40])
def test_attributes_read_back_exactly(value: Any) -> None:
    assert same(attribute_of(round_trip(holding(value))), value)


def test_nan_reads_back() -> None:
    assert math.isnan(attribute_of(round_trip(holding(math.nan))))


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.sampled_from(PLAIN)),
    lambda below: st.lists(below, max_size=3).map(tuple),
    max_leaves=6,
)


@given(values)
def test_any_attribute_reads_back(value: Any) -> None:
    assert same(attribute_of(round_trip(holding(value))), value)


@pytest.mark.parametrize("value", [1j, b"bytes", frozenset((1,)), object()])
def test_an_attribute_without_a_text_form_is_refused(value: object) -> None:
    with pytest.raises(RaxError, match="has no text form"):
        print_graph(holding(value))


def test_graphs_as_attributes_read_back() -> None:
    inner = holding(3)
    graph = holding((1, (inner, holding((inner, inner)))))
    _, (first, second) = attribute_of(round_trip(graph))
    assert first == inner
    assert attribute_of(second) == (inner, inner)
    assert round_trip(holding(inner)) != round_trip(holding(holding(4)))


def test_attributes_are_checked_against_their_fields() -> None:
    made = make_op(Typed, {"axes": (0,), "scale": 2, "dtype": types.int8})
    assert made == Typed((0,), 2.0, (), types.int8)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"axes": (0,)}, "typed lacks the attribute 'scale'"),
        ({"axes": 0, "scale": 1.0}, "the attribute 'axes' of typed cannot be 0"),
        ({"axes": (True,), "scale": 1.0}, r"the attribute 'axes' of typed cannot be \(True,\)"),
        ({"axes": (0,), "scale": "1"}, "the attribute 'scale' of typed cannot be '1'"),
        ({"axes": (0,), "scale": 1.0, "shape": (1.5,)}, "the attribute 'shape' of typed"),
        ({"axes": (0,), "scale": 1.0, "more": 1}, "typed has no attribute 'more'"),
    ]
    for attributes, message in wrong:
        with pytest.raises(TypeInferenceError, match=message):
            make_op(Typed, attributes)


def test_values_fit_types() -> None:
    pair, shape = (1, dims.dim("n")), tuple[Size, ...]
    assert fit(pair, shape) == pair
    assert fit((1, "a"), tuple[int, str]) == (1, "a")
    assert fit(None, int | None) is None
    assert fit(object, Any) is object
    for value, hint in ((1, str), ([1], shape), ((1,), tuple[int, str]), (True, int), (1.0, int), (2**60, float)):
        assert fit(value, hint) is MISFIT


# Constants.


def constant_of(graph: Graph) -> bytes:
    op = graph.outputs[0].node.op
    assert isinstance(op, Constant)
    return bytes(op.literal.raw)


def data(dtype: DType) -> st.SearchStrategy[bytes]:
    if dtype.kind == "bool":
        return st.lists(st.integers(0, 1), min_size=2, max_size=2).map(bytes)
    return st.binary(min_size=2 * dtype.itemsize, max_size=2 * dtype.itemsize)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
@given(drawn=st.data())
def test_constants_read_back_bit_for_bit(dtype: DType, drawn: st.DataObject) -> None:
    raw = drawn.draw(data(dtype))
    value = constant(arrays.literal_from_bytes(TensorType(dtype, (2,)), raw))
    scalar = constant(arrays.literal_from_bytes(TensorType(dtype, ()), raw[: dtype.itemsize]))
    assert constant_of(round_trip(Graph((), (value,)))) == raw
    assert constant_of(round_trip(Graph((), (scalar,)))) == raw[: dtype.itemsize]


@pytest.mark.parametrize("dtype", [d for d in DTYPES.values() if d.itemsize == 2], ids=str)
def test_every_number_of_two_bytes_reads_back(dtype: DType) -> None:
    for bits in range(0, 65536, 7):
        raw = struct.pack("<H", bits)
        found = numerals.texts(dtype, raw)
        if found is None:
            exponent = {"float16": 0x7C00, "bfloat16": 0x7F80}[dtype.name]
            assert bits & exponent == exponent  # a NaN
        else:
            assert numerals.pack(dtype, found[0]) == raw


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_every_number_of_float8_reads_back_and_the_nearest_is_taken(name: str) -> None:
    dtype = DTYPES[name]
    theirs = arrays.numpy_dtype(dtype)
    known = np.arange(256, dtype=np.uint8).view(theirs).astype(np.float64)
    for bits in range(256):
        found = numerals.texts(dtype, bytes([bits]))
        if found is None:
            assert np.isnan(known[bits])
        else:
            assert float(found[0]) == pytest.approx(known[bits], rel=0.01, nan_ok=True)
            assert numerals.pack(dtype, found[0]) == bytes([bits])
    finite = known[np.isfinite(known)]
    between = (finite[1:] + finite[:-1]) / 2
    for number in (*between, *between * 1.001, *between * 0.999):
        assert numerals.pack(dtype, repr(float(number))) == number.astype(theirs).tobytes()
    for beyond in ("1e6", "-65536.0", "inf" if name == "float8_e4m3fn" else "1e300"):
        with pytest.raises(ValueError, match=f"'{beyond}' is no {name}"):
            numerals.pack(dtype, beyond)


@pytest.mark.parametrize(
    ("dtype", "number", "shown"),
    [
        ("float32", 0.1, "0.1"),
        ("float32", 1 / 3, "0.33333334"),
        ("float32", 1e10, "1e+10"),
        ("float32", -0.0, "-0.0"),
        ("float32", math.nan, "nan"),
        ("float64", math.pi, "3.141592653589793"),
        ("float64", -math.inf, "-inf"),
        ("float16", 0.1, "0.1"),
        ("bfloat16", 0.1, "0.1"),
        ("float8_e4m3fn", 0.1, "0.102"),
        ("float8_e4m3fn", 448, "448.0"),
        ("float8_e5m2", -math.inf, "-inf"),
        ("int8", -128, "-128"),
        ("uint64", 2**64 - 1, "18446744073709551615"),
        ("bool", True, "True"),
        ("complex64", 1.5 - 2j, "1.5-2.0j"),
        ("complex128", complex(1e-30, math.inf), "1e-30+infj"),
        ("complex64", complex(-0.0, -0.0), "-0.0-0.0j"),
    ],
)
def test_numbers_read_as_one_would_write_them(dtype: str, number: complex, shown: str) -> None:
    assert print_graph(Graph((), (arrays.constant(number, DTYPES[dtype]),))).splitlines()[1] == (
        f"  return {dtype}({shown})"
    )


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 1, 1), (0,), (2, 0), (0, 3), (2, 2, 2)])
def test_constants_of_each_shape_read_back(shape: tuple[int, ...]) -> None:
    value = arrays.constant(np.arange(math.prod(shape), dtype=np.int16).reshape(shape))
    assert round_trip(Graph((), (value,))).out_types == (TensorType(types.int16, shape),)


def test_large_constants_go_by_digest_also_in_graphs_below() -> None:
    big = arrays.constant(np.arange(33, dtype=np.float32))
    small = arrays.constant(np.arange(32, dtype=np.float32))
    below = Graph((), (big,))
    graph = Graph((), (Anything(((below,), below))(big), small))
    assert isinstance(big.node.op, Constant)
    digest = big.node.op.literal.digest.hex()
    assert large_literals(graph) == {digest: big.node.op.literal}
    assert f"constant(sha256:{digest}) : float32[33]" in print_graph(graph)
    assert "constant([0.0, 1.0, 2.0" in print_graph(graph)
    round_trip(graph)
    with pytest.raises(ParseError, match="the data with this digest is not given"):
        parse_graph(print_graph(graph), OURS)
    seen = parse_graph(print_graph(below).replace("float32[33]", "int8[3, 44]"), OURS, large_literals(graph))
    assert (seen.out_types, constant_of(seen)) == ((TensorType(types.int8, (3, 44)),), constant_of(below))
    with pytest.raises(ParseError, match="the data with this digest has 132 bytes, not 136"):
        parse_graph(print_graph(below).replace("float32[33]", "float32[2, 17]"), OURS, large_literals(graph))
    with pytest.raises(ParseError, match="a bool is a byte 0 or 1"):
        parse_graph(print_graph(below).replace("float32[33]", "bool[132]"), OURS, large_literals(graph))


# Names, trees, results.


@pytest.mark.parametrize(
    "name", ["x", "params.layers.0.w", "0", "two words", "", "größe", 'a"b\\', "float32", "in", "%0"]
)
def test_any_name_of_an_input_reads_back(name: str) -> None:
    x, y = new_input(name, VECTOR), new_input("other", VECTOR)
    graph = Graph((x, y), (Anything()(x, y), x), output_names=(name or "result", "last"))
    assert round_trip(graph).input_names == (name, "other")


def test_inputs_of_one_name_go_by_place() -> None:
    inputs = [new_input(name, VECTOR) for name in ("x", "y", "x")]
    graph = Graph(inputs, (Anything(1)(*inputs), inputs[2], inputs[0]))
    assert "anything(@0, y, @2)" in print_graph(graph)
    round_trip(graph)


def test_each_result_of_several_reads_back() -> None:
    x = new_input("x", tensor_type((2,)))
    first, second = Pair().results(x)
    third, _ = Pair().results(second)
    graph = Graph((x,), (second, third, first))
    assert print_graph(graph) == (
        "graph (x: float32[2]) -> (0: float32[3], 1: float32[3], 2: float32[2]) {\n"
        '  %0:2 = "a pair"(x) : float32[2], float32[3]\n'
        '  %1:2 = "a pair"(%0.1) : float32[3], float32[3]\n'
        "  return %0.1, %1.0, %0.0\n"
        "}"
    )
    round_trip(graph)


nests = st.recursive(
    st.sampled_from([1, None]),
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.lists(below, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(-2, 2)), below, max_size=3),
    ),
    max_leaves=8,
)


@given(nests, nests)
def test_any_nest_of_arguments_and_results_reads_back(given_nest: object, due_nest: object) -> None:
    (leaves, child), (outputs, out_tree) = flatten(given_nest), flatten(due_nest)
    inputs = [new_input(f"x{index}", VECTOR) for index in range(len(leaves))]
    in_tree = Tree("arguments", ("params",), (child,))
    round_trip(Graph(inputs, [step_value(index) for index in range(len(outputs))], in_tree, out_tree))


def step_value(index: int) -> Value:
    return arrays.constant(index, types.int32)


def test_trees_of_classes_read_back() -> None:
    pair = Tree("namedtuple", ("w", "b"), (LEAF_TREE, LEAF_TREE), "Layer")
    model = Tree(
        "dataclass", ("w", "class", "3", 4), (Tree("list", (), (pair,)), LEAF_TREE, LEAF_TREE, LEAF_TREE), "A M"
    )
    ordered = Tree("ordered_dict", ("b", 1, "a"), (LEAF_TREE, model, LEAF_TREE))
    inputs = [new_input(f"x{index}", VECTOR) for index in range(7)]
    graph = Graph(inputs, (), Tree("arguments", ("one",), (ordered,)))
    assert print_graph(graph).splitlines()[9] == (
        '  in arguments(one=ordered{"b": *, 1: dataclass "A M"(w=[namedtuple Layer(w=*, b=*)], '
        'class=*, "3"=*, 4=*), "a": *})'
    )
    round_trip(graph)


# The look of it.


def test_the_look_of_a_graph() -> None:
    add, multiply = REGISTRY["add"], REGISTRY["multiply"]
    with trail.recording() as recorder:
        recorder.pinned = trail.Origin(("encoder", "first"), "model.py:12 in encode")
        x, w = new_input("x", tensor_type(("batch", 3))), new_input("params.w", VECTOR)
        y = add()(multiply()(x, w), arrays.scalar(0.5, types.float32))
        inner = Graph((z := new_input("z", VECTOR),), (multiply()(z, z),), output_names=("squared",))
        out = make_op(REGISTRY["sum"], {"axes": (0, 1)})(
            Anything((inner,))(multiply()(y, arrays.constant([1.0, 2.0, 3.0], types.float32)))
        )
        graph = Graph((x, w), (out,), Tree("arguments", ("x", "params"), (LEAF_TREE, flatten({"w": 1})[1])))
    assert print_graph(graph, origins=True) == (
        "graph (x: float32[batch, 3], params.w: float32[3]) -> (result: float32[]) {\n"
        '  in arguments(x=*, params={"w": *})\n'
        '  at "model.py:12 in encode" in encoder/first for *\n'
        '  at "model.py:12 in encode" in encoder/first\n'
        "  %0 = multiply(x, params.w) : float32[batch, 3]\n"
        "  %1 = add(%0, float32(0.5)) : float32[batch, 3]\n"
        "  %2 = constant([1.0, 2.0, 3.0]) : float32[3]\n"
        "  %3 = multiply(%1, %2) : float32[batch, 3]\n"
        "  %4 = anything(%3)[\n"
        "    value=(\n"
        "      graph (z: float32[3]) -> (squared: float32[3]) {\n"
        '        at "model.py:12 in encode" in encoder/first for *\n'
        '        at "model.py:12 in encode" in encoder/first\n'
        "        %0 = multiply(z, z) : float32[3]\n"
        "        return %0\n"
        "      },\n"
        "    ),\n"
        "  ] : float32[batch, 3]\n"
        "  %5 = sum(%4)[axes=(0, 1)] : float32[]\n"
        "  return %5\n"
        "}"
    )
    assert str(graph) == print_graph(graph)
    round_trip(graph)


def test_a_long_signature_takes_a_line_for_each_name() -> None:
    inputs = [new_input(f"parameters.layer{index}.weight", VECTOR) for index in range(3)]
    graph = Graph(inputs, (inputs[0],))
    assert print_graph(graph).splitlines()[:5] == [
        "graph (",
        "  parameters.layer0.weight: float32[3],",
        "  parameters.layer1.weight: float32[3],",
        "  parameters.layer2.weight: float32[3],",
        ") -> (result: float32[3]) {",
    ]
    round_trip(graph)


def test_neighbours_stand_above_a_node_and_a_caret_below() -> None:
    x = new_input("x", VECTOR)
    value = x
    for index in range(6):
        value = step(f"step{index}", value)
    last = Anything((holding(1), 2))(value)
    graph = Graph((x,), (last,))
    assert neighbourhood(graph, graph.nodes[3], "here").splitlines() == [
        "%0 = step0(x) : float32[3]",
        "%1 = step1(%0) : float32[3]",
        "%2 = step2(%1) : float32[3]",
        "     ^^^^^ here",
    ]
    assert neighbourhood(graph, last.node, "it fails").splitlines() == [
        "...",
        "%3 = step3(%2) : float32[3]",
        "%4 = step4(%3) : float32[3]",
        "%5 = step5(%4) : float32[3]",
        "%6 = anything(%5)[value=(graph {…}, 2)] : float32[3]",
        "     ^^^^^^^^ it fails",
    ]
    assert neighbourhood(graph, x.node, "unused").splitlines() == ["x: float32[3]", "^ unused"]


def test_texts_may_be_laid_out_freely() -> None:
    graph = parse_graph(
        """
        # A comment.
        graph(x:float32[n,3] , y : float32[ 3 ],)->(sum : float32[n, 3],) { %first=add(x,  # with a comment
          y):float32[n,3] return %first,
        }  # the end
        """
    )
    assert print_graph(graph) == (
        "graph (x: float32[n, 3], y: float32[3]) -> (sum: float32[n, 3]) {\n"
        "  %0 = add(x, y) : float32[n, 3]\n"
        "  return %0\n"
        "}"
    )
    assert parse_graph(print_graph(graph).replace("\n", "\r\n")) == graph


def test_a_long_chain_reads_back() -> None:
    add = REGISTRY["add"]()
    first = last = new_input("x", VECTOR)
    for _ in range(20_000):
        last = add(last, first)
    graph = Graph((first,), (last,))
    printed = print_graph(graph)
    assert printed.count("\n") == 20_002
    assert parse_graph(printed) == graph


# What is wrong with a text: the rest is in test_bad_text.py.

HEAD = "graph (x: float32[2, n], y: float32[n]) -> (0: float32[2, n]) {\n"


def test_results_are_told_apart() -> None:
    frame = 'graph (x: float32[2]) -> (0: float32[2]) {{ %a:2 = "a pair"(x) : float32[2], float32[3] {} return x }}'
    for body, message in (
        ("%a = anything(x) : float32[2]", "%a is defined above already"),
        ("%b = anything(%a) : float32[2]", "%a has 2 results\n"),
        ("%b = anything(%a.2) : float32[2]", "%a has 2 results, no %a.2"),
    ):
        with pytest.raises(ParseError, match=re.escape(message)):
            parse_graph(frame.format(body), OURS)
    with pytest.raises(ParseError, match="two inputs are called 'x'"):
        parse_graph("graph (x: float32[], x: float32[]) -> (0: float32[]) { return x }")


def test_a_type_rule_that_breaks_is_a_bad_text() -> None:
    source = "graph (x: float32[2]) -> (0: float32[2]) { %0 = typed(x)[axes=(7,), scale=1.0] : float32[2] return %0 }"
    with pytest.raises(ParseError) as caught:
        parse_graph(source, OURS)
    assert caught.value.what == "typed refuses its operands: IndexError: tuple index out of range"
    assert isinstance(caught.value.__cause__, IndexError)


def test_an_error_shows_the_line_with_a_caret() -> None:
    with pytest.raises(ParseError) as caught:
        parse_graph(f"{HEAD}  %0 = addd(x, y) : float32[2, n]\n  return %0\n}}")
    assert str(caught.value) == (
        "there is no operation 'addd'\n"
        "  line 2, column 8\n"
        "    %0 = addd(x, y) : float32[2, n]\n"
        "         ^\n"
        "  fix: did you mean 'add'?"
    )


def test_an_error_in_a_long_line_shows_the_part_around_it() -> None:
    source = "graph (" + ", ".join(f"x{index}: float32[2]" for index in range(100)) + ", ?) -> () { return }"
    with pytest.raises(ParseError) as caught:
        parse_graph(source)
    _, shown, caret = caught.value.where.splitlines()
    assert len(shown) <= 100
    assert shown[caret.index("^")] == "?"


@given(st.text(alphabet='graph(x:)->{}%0=add,[]12 "\n#', max_size=60))
def test_no_text_breaks_the_parser(tail: str) -> None:
    with contextlib.suppress(ParseError):
        parse_graph("graph (x: float32[2]) -> (0: float32[2]) {" + tail)


def test_words_that_mean_something_are_no_bare_dims() -> None:
    assert {"float32", "None", "graph", "dim", "nan"} <= text.WORDS
