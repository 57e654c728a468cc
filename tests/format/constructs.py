"""A small program for every construct of the file format, each entry with an example: the good vectors.

What is computed is exact in its dtype, or taken from Python's ``math`` and rounded, so that the same
bytes come out on every machine.
"""

from __future__ import annotations

import importlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import rax
import rax.numpy as rnp
from rax.ir import trail
from rax.ir.dims import dim
from rax.ir.graph import Graph
from rax.ir.node import Value, apply, constant, new_input
from rax.ir.program import Example, Program
from rax.ir.trail import NOWHERE, Origin
from rax.ir.tree import ARGUMENTS, Tree, flatten
from rax.ir.types import DTYPES, DType, TensorType, as_dtype, float32, tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import Array, literal, numpy_dtype, scalar
from rax.ops.composites import UserComposite
from rax.ops.creation import dim_size, iota
from rax.ops.elementwise import multiply
from tests.format.build import small
from tests.golden.make import program

importlib.import_module("rax.ops")  # fills the registry

Construct = tuple[str, Callable[[], Program]]
spec = rax.spec


class Point(NamedTuple):
    """A tuple with named fields."""

    x: Any
    y: Any


@dataclass
class Groesse:
    """A record; a reader knows of it only its name."""

    height: Any
    _w: Any


def array(dtype: str, values: Any) -> Array:
    """A number or nest of them as an array."""
    return np.array(values, dtype)


def numbers(*shape: int, dtype: str = "float32") -> Array:
    """Small whole numbers of both signs, or of one if the dtype has no other."""
    counted = np.arange(math.prod(shape)) * 7 % 11 - (0 if dtype.startswith("u") else 5)
    return counted.astype(numpy_dtype(as_dtype(dtype))).reshape(shape)


def traced(function: Callable[..., Any], *specs: Any) -> Graph:
    """The graph of a function, without origins: they would change with the lines of this file."""
    with trail.pinning() as recorder:
        recorder.pinned = NOWHERE
        made = rax.trace(function, *specs)
    return Graph(made.inputs, made.outputs, made.in_tree, made.out_tree, made.output_names, origins={})


def one(function: Callable[..., Any], arrays: Mapping[str, Array], *specs: Any) -> Program:
    """A program of one entry, ``main``, with arrays for its inputs."""
    return program({"main": (traced(function, *specs), arrays)})


def same(function: Callable[..., Any], *arrays: Array) -> Program:
    """A program of one entry over inputs of the types of some arrays."""
    graph = traced(function, *[tensor_type(array.shape, array.dtype.name) for array in arrays])
    return program({"main": (graph, dict(zip(graph.input_names, arrays, strict=True)))})


def plain(inputs: tuple[Value, ...], outputs: tuple[Value, ...], arrays: Mapping[str, Array]) -> Program:
    """A program of one entry, from values."""
    return program({"main": (Graph(inputs, outputs, origins={}), arrays)})


def patterns(dtype: DType) -> Array:
    """Elements of telling bits: zeros of both signs, extremes, infinities, NaNs of several payloads."""
    if dtype.kind == "bool":
        return np.array([False, True, True])
    size = dtype.itemsize // (2 if dtype.kind == "complex" else 1)
    bits = 8 * size
    words = [0, 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1, 2**bits - 1, 2 ** (bits - 2) + 3]
    if dtype.is_inexact:
        fraction = {"float8_e4m3fn": 3, "float8_e5m2": 2, "bfloat16": 7}.get(dtype.name) or {2: 10, 4: 23, 8: 52}[size]
        exponent = (2 ** (bits - 1) - 1) >> fraction << fraction
        words += [exponent, exponent + 1, 2 ** (bits - 1) + exponent, exponent - 1]
    raw = b"".join(word.to_bytes(size, "little") for word in words)
    return np.frombuffer(raw, numpy_dtype(dtype)).copy()


def of_dtype(name: str) -> Program:
    """An entry that gives back its input, a constant in the header, one in a segment, an empty one and a scalar."""
    dtype = DTYPES[name]
    held = patterns(dtype)
    shown = held[: 64 // dtype.itemsize]
    long = np.tile(held, -(-65 // held.nbytes))
    x = new_input("x", TensorType(dtype, (len(shown),)))
    outputs = (x, *[constant(literal(array)) for array in (shown[::-1].copy(), long, held[:0], held[1])])
    return plain((x,), outputs, {"x": shown})


def of_bytes(*counts: int) -> Program:
    """An entry that gives back constants of so many bytes."""
    arrays = [(np.arange(count) % 251).astype("uint8") for count in counts]
    return plain((), tuple(constant(literal(array)) for array in arrays), {})


def of_size(text: str) -> Program:
    """An entry over an input of a symbolic size, which also gives that size as a number."""
    n = dim(text)
    sizes = {name: value for name, value in {"n": 5, "m": 3, "_N_0": 4}.items() if name in text}
    value = eval(text, {"min": min, "max": max}, sizes)
    x = new_input("x", tensor_type((n,), "int32"))
    others = tuple(new_input(name, tensor_type((name,), "int32")) for name in sizes)
    outputs = (add(x, x), dim_size(n), iota(n, as_dtype("int32")))
    arrays = {name: numbers(size, dtype="int32") for name, size in {"x": value, **sizes}.items()}
    return plain((*others, x), outputs, arrays)


def of_attributes(**attributes: Any) -> Program:
    """An operation of somebody's own with such attributes."""
    x = new_input("x", tensor_type((3,)))
    body = Graph((x,), (multiply(x, x),), origins={})
    made = UserComposite("acme.square", attributes, body)
    y = new_input("y", tensor_type((3,)))
    return plain((y,), tuple(apply(made, [y]).outputs), {"y": numbers(3)})


def half() -> Graph:
    """A graph that halves, with a constant."""
    x = new_input("x", tensor_type((3,)))
    return Graph((x,), (multiply(x, scalar(0.5, float32)),), origins={})


def origins() -> Program:
    """Lines and scopes, known for some nodes, not for others."""
    x = new_input("x", tensor_type((3,)))
    a = add(x, x)
    b = multiply(a, x)
    c = add(b, a)
    known = {
        x.node: Origin((), "model.py:1 in model"), a.node: Origin(("layer", "dense"), "model.py:3 in model"),
        b.node: Origin(("layer", "dense"), "model.py:3 in model"), c.node: Origin(("größe",), ""),
    }  # fmt: skip
    return program({"main": (Graph((x,), (c, add(c, x)), origins=known), {"x": numbers(3)})})


def shared() -> Program:
    """Two entries that hold the same graph, and the same tensor."""
    weights = constant(literal(numbers(40)))
    entries: dict[str, tuple[Graph, Mapping[str, Array]]] = {}
    for name, count in (("once", 1), ("twice", 2)):
        x = new_input("x", tensor_type((3,)))
        value = x
        for _ in range(count):
            (value,) = apply(UserComposite("acme.half", {}, half()), [value]).outputs
        entries[name] = (Graph((x,), (value, weights), origins={}), {"x": numbers(3)})
    return program(entries, main="twice")


def one_row_more() -> Program:
    """Two operations of somebody's own that are unlike only in what their body takes."""
    outputs: list[Value] = []
    inputs: list[Value] = []
    for count in (2, 3):
        x = new_input("x", tensor_type((count,)))
        body = Graph((x,), (add(x, x),), origins={})
        y = new_input(f"y{count}", tensor_type((count,)))
        inputs.append(y)
        outputs += apply(UserComposite("acme.double", {}, body), [y]).outputs
    return plain(tuple(inputs), tuple(outputs), {"y2": numbers(2), "y3": numbers(3)})


def defaults() -> Program:
    """Values that inputs take in any entry; one entry's example gives another."""
    w, b, x = (new_input(name, tensor_type((3,))) for name in ("params.w", "params.b", "x"))
    line = Graph((w, b, x), (add(multiply(w, x), b),), origins={})
    shift = Graph((b, x), (add(x, b),), origins={})
    given = {"params.w": literal(numbers(3)), "params.b": literal(array("float32", [1, 2, 3]))}
    entries = {"line": (line, {"x": numbers(3)}), "shift": (shift, {"x": numbers(3), "params.b": numbers(3)})}
    return program(entries, defaults=given)


def display() -> Program:
    """Hints how to show inputs and outputs, in an entry that names them; some of the outputs due."""
    x = new_input("x", tensor_type(("h", "w"), "uint8"))
    graph = Graph((x,), (x, add(x, x)), output_names=("image", "brighter"), origins={})
    pixels = numbers(2, 3, dtype="uint8")
    shown = {"x": "image", "brighter": "image", "image": "größer"}
    example = Example({"x": literal(pixels)}, {"brighter": literal(pixels + pixels)}, shown)
    return Program({"show": graph}, examples={"show": example}, main="show")


def states() -> Program:
    """A step whose outputs have the names and types of inputs."""
    count, x = new_input("count", tensor_type((), "int64")), new_input("x", tensor_type((3,)))
    one_more = constant(literal(array("int64", 1)))
    graph = Graph((count, x), (add(count, one_more), add(x, x)), output_names=("count", "x"), origins={})
    return program({"step": (graph, {"count": array("int64", 41), "x": numbers(3)})})


def unicode() -> Program:
    """Names in other scripts, an empty one, one beyond the basic plane, of entry, input, output and operation."""
    x, empty = new_input("größe \U0001f600", tensor_type((3,))), new_input("", tensor_type((3,)))
    (y,) = apply(UserComposite("名.前", {"ключ": "значение"}, half()), [x]).outputs
    graph = Graph((x, empty), (y, add(x, empty)), output_names=("__proto__", "\ufeff\u0000"), origins={})
    arrays = {"größe \U0001f600": numbers(3), "": numbers(3)}
    return program({"würfel": (graph, arrays), "\uffff": (graph, arrays), "\U00010000": (graph, arrays)})


def no_main() -> Program:
    """Two entries, none of them main."""
    x = new_input("x", tensor_type(()))
    entries = {name: Graph((x,), (value,), origins={}) for name, value in {"a": add(x, x), "b": multiply(x, x)}.items()}
    return program({name: (graph, {"x": array("float32", 3)}) for name, graph in entries.items()})


def nameless_main() -> Program:
    """Two entries, of which main is the one whose name is empty."""
    made = no_main()
    entries = {"": made["a"], "main": made["b"]}
    return program({name: (graph, {"x": array("float32", 3)}) for name, graph in entries.items()}, main="")


def results() -> Program:
    """Operations of several results, of which some are used and others not."""

    def run(a: Any, x: Any) -> Any:
        sign, log = rnp.linalg.slogdet(a)
        last, all = rax.scan(lambda total, x: (total + x, total * x), rnp.zeros(()), x)
        return sign + log, last, rax.scan(lambda total, x: (total + x, total * x), rnp.ones(()), x)[1], all

    return one(run, {"a": np.eye(2, dtype="float32"), "x": numbers(4)}, spec((2, 2)), spec(("n",)))


def double() -> Program:
    """The example of the page."""
    x = new_input("x", tensor_type(("n",)))
    graph = Graph((x,), (add(x, x),), output_names=("y",), origins={})
    example = Example({"x": literal(array("float32", [1]))}, {"y": literal(array("float32", [2]))})
    return Program({"double": graph}, examples={"double": example}, main="double")


def empty_tensors() -> Program:
    """Constants and an input of sizes of 0."""
    x = new_input("x", tensor_type((0, "n")))
    held = tuple(constant(literal(np.zeros(shape, "float32"))) for shape in ((0,), (0, 3), (3, 0), (2, 0, 2**40)))
    return plain((x,), (add(x, x), *held), {"x": np.zeros((0, 5), "float32")})


def of_rank(rank: int) -> Program:
    """An input of so many axes."""
    x = new_input("x", tensor_type((1,) * (rank - 1) + (2,)))
    return plain((x,), (add(x, x),), {"x": numbers(*[1] * (rank - 1), 2)})


def numbered(count: int) -> Program:
    """An entry of so many values in a row, each used by the next and by the one after that."""
    x = new_input("x", tensor_type((), "int64"))
    before, last = x, x
    for _ in range(count):
        before, last = last, add(before, last)
    return plain((x,), (last, x, before), {"x": array("int64", 1)})


def passed_through() -> Program:
    """Outputs that are an input, a constant, a value, and the same value again."""
    x = new_input("x", tensor_type((3,)))
    value = add(x, x)
    return plain((x,), (x, constant(literal(numbers(3))), value, value), {"x": numbers(3)})


def keys_of_both_kinds() -> Program:
    """A mapping with ints and strings as keys."""
    tree = flatten({2**63 - 1: 0, -(2**63): 0, 0: 0, "": 0, "b": {}, "ä": 0, "\U00010000": 0, "\uffff": 0})[1]
    return nest("d", tree)


def no_outputs() -> Program:
    """An entry that gives nothing."""
    return plain((new_input("x", tensor_type((3,))),), (), {"x": numbers(3)})


def nest(name: str, tree: Tree) -> Program:
    """An entry whose one argument, and result, has such a tree."""
    count = tree.leaf_count
    inputs = tuple(new_input(f"{name}{place}", tensor_type((), "int32")) for place in range(count))
    outputs = tuple(add(x, x) for x in inputs)
    names = tuple(f"out{place}" for place in range(count))
    graph = Graph(inputs, outputs, Tree(ARGUMENTS, (name,), (tree,)), tree, names, origins={})
    return program({"main": (graph, {label: array("int32", n) for n, label in enumerate(graph.input_names)})})


def identifiers() -> Program:
    """Names of classes and fields in letters, digits and marks of many scripts, and soft keywords."""
    fields = (
        "höhe",
        "ключ",
        "名前",
        "a٣",
        "_",
        "é",
        "e\u0301",
        "µ",
        "match",
        "type",
        "℘",
        "ª",
        "x" * 300,
        "\U0001d41a",
    )
    leaf = flatten(0)[1]
    return nest("x", Tree("dataclass", fields, (leaf,) * len(fields), "Größe"))


def of_nest(value: Any) -> Program:
    """An entry over the nest of a value."""
    return nest("x", flatten(value)[1])


def whole() -> Program:
    """Two entries with control flow, symbolic sizes, trees, origins and defaults."""
    made = small()
    arrays = {"choose": {"index": array("int32", 1), "v": numbers(3)}, "predict": {"x": numbers(2, 3)}}
    pairs = {name: (made[name], given) for name, given in arrays.items()}
    return program(pairs, defaults=made.defaults, main="predict")


ATTRIBUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "nil": ("attributes that are nil and bools", {"a": None, "b": True, "c": False}),
    "int": ("attributes that are ints, up to those of 64 bits", {
        f"i{place}": value
        for place, value in enumerate((0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1,
                                       -1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)))
    }),
    "float": ("attributes that are floats", {
        "a": 0.0, "b": -0.0, "c": 1.0, "d": 0.1, "e": 1e300, "f": 5e-324, "g": 2.0**53, "h": 1e21, "i": 1e-7,
    }),
    "float-by-name": ("attributes that are no finite floats", {"a": math.inf, "b": -math.inf, "c": math.nan}),
    "str": ("attributes that are strs", {"a": "", "b": "x", "c": "größe", "d": "z" * 32, "e": "z" * 256, "nan": "nan"}),
    "array": ("attributes that are tuples, one inside another", {
        "a": (), "b": (1, 2.0, "3", None, True), "c": (((((((1,),),),),),),), "d": ((1,), (), ((2,),)),
        "e": tuple(range(16)),
    }),
    "dtype": ("attributes that are element types", {"a": as_dtype("bfloat16"), "b": (as_dtype("bool"),)}),
    "dim": ("attributes that are sizes", {"a": dim("n"), "b": dim("2*n*m - n//2 + min(n, m) + 3"), "c": (dim("n"), 4)}),
    "type": ("attributes that are tensor types", {"a": tensor_type((3,)), "b": tensor_type(("n", 2), "int8")}),
    "tensor": ("attributes that are tensors, in the header and in a segment", {
        "a": literal(array("float32", [1, 2])), "b": literal(numbers(40)),
    }),
    "graph": ("attributes that are graphs", {"a": half(), "b": (half(), half())}),
}  # fmt: skip

SIZES = {
    "name": "n", "underscore": "_N_0", "sum": "n + m + 1", "multiple": "3*n", "negative-term": "n*m - n + 2",
    "power": "n*n*m", "quotient": "n//2", "quotient-of-sums": "(n + m + 1)//(m + 2)", "smaller": "min(n, 3)",
    "larger": "max(n - m, 0)", "nested": "max(min(n, m)//2, n//(m + 1)) + 1", "all": "2*n*m + n//2 + min(n, m) - 1",
}  # fmt: skip

CONSTRUCTS: dict[str, Construct] = {
    "nothing": ("no entry, no row of any table", lambda: Program({})),
    "double": ("the example of FORMAT.md", double),
    "whole": ("most of what there is, in one file", whole),
    **{
        f"dtype-{name}": (
            f"{name}: an input, and constants in the header and in a segment, without elements and without axes",
            lambda name=name: of_dtype(name),
        )
        for name in DTYPES
    },
    "tensors-of-64-bytes": (
        "the longest tensor in the header, and the shortest in a segment",
        lambda: of_bytes(64, 65),
    ),
    "tensors-of-256-bytes": ("segments with bin headers of two bytes and of three", lambda: of_bytes(255, 256)),
    "tensors-of-65536-bytes": ("a segment with a bin header of five bytes", lambda: of_bytes(65536)),
    "tensors-many": ("an array header of three bytes, and many pads", lambda: of_bytes(*range(65, 100, 5))),
    "tensors-empty": ("tensors without elements", empty_tensors),
    "rank-64": ("the greatest number of axes", lambda: of_rank(64)),
    **{
        f"size-{name}": (f"a size of the form {text}, in types and attributes", lambda text=text: of_size(text))
        for name, text in SIZES.items()
    },
    **{
        f"attribute-{name}": (what, lambda given=given: of_attributes(**given))
        for name, (what, given) in ATTRIBUTES.items()
    },
    "tree-list": ("a list", lambda: of_nest([0, 0])),
    "tree-tuple": ("a tuple, and one without items", lambda: of_nest((0, (), 0))),
    "tree-dict": ("a mapping whose keys are ints and strs", keys_of_both_kinds),
    "tree-ordered-dict": ("a mapping whose order counts", lambda: of_nest(OrderedDict([("b", 0), ("a", 0), (3, 0)]))),
    "tree-namedtuple": ("a tuple with named fields", lambda: of_nest(Point(0, 0))),
    "tree-dataclass": ("a record", lambda: of_nest(Groesse(0, [0]))),
    "tree-names": ("names of classes and fields in letters of many scripts", identifiers),
    "tree-none": ("a null among the leaves", lambda: of_nest([None, 0, {"a": None}])),
    "tree-nested": (
        "all kinds, one inside another",
        lambda: of_nest({"a": [Point((0, None), Groesse(0, {1: 0}))], "b": 0}),
    ),
    "no-inputs": ("an entry without inputs", lambda: of_bytes(3)),
    "no-outputs": ("an entry without outputs", no_outputs),
    "references": ("references to inputs, constants and values, some far back", passed_through),
    "values-140": ("a chain of nodes, and references of more than one byte", lambda: numbered(140)),
    "results-several": ("operations of several results", results),
    "origins": ("lines and scopes of some nodes", origins),
    "entries-sharing": ("two entries that hold the same graph and the same tensor, and which is main", shared),
    "entries-without-main": ("two entries, none of them main", no_main),
    "entries-main-without-name": ("an entry without a name, which is main", nameless_main),
    "own-operation-of-two-types": (
        "operations of somebody's own of one name, with bodies of other types",
        one_row_more,
    ),
    "defaults": ("values that inputs take in whatever entry has them", defaults),
    "display": ("hints how to show inputs and outputs; one of two outputs due", display),
    "states": ("outputs that are state", states),
    "names": ("names of every script, empty, and beyond the basic plane", unicode),
}
