"""What is saved comes back: graphs, names, trees, origins, tensors of every dtype."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytest

import rax
from rax.format.files import load
from rax.format.saving import save
from rax.ir.dims import dim
from rax.ir.errors import FormatError, TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Value, constant, new_input
from rax.ir.op import Op
from rax.ir.program import Program
from rax.ir.tree import ARGUMENTS, Tree, flatten, unflatten
from rax.ir.types import DTYPES, DType, TensorType, as_dtype, float32, tensor_type
from rax.ops import registry
from rax.ops.algebra import add
from rax.ops.arrays import literal, numpy_dtype, scalar
from rax.ops.calls import Checkpoint
from rax.ops.elementwise import multiply
from rax.ops.families import Composite
from rax.ops.reduction import Variance
from rax.ops.scan import Scan
from rax.ops.sorting import Sort
from rax.runtime.reference import evaluate_graph
from tests.format.build import chain, small, split, stored, to_bytes

Model = Callable[[rax.Tensor], rax.Tensor]


def there_and_back(program: Program | Graph, folder: Path) -> Program:
    """Save, load, and save again: the bytes are the same."""
    save(program, folder / "first")
    loaded = load(folder / "first")
    save(loaded, folder / "second")
    assert (folder / "first").read_bytes() == (folder / "second").read_bytes()
    return loaded


def test_a_program_comes_back_whole(tmp_path: Path) -> None:
    program = small()
    loaded = there_and_back(program, tmp_path)
    assert list(loaded) == ["choose", "predict"]
    assert (loaded.main, loaded.digest) == ("predict", program.digest)
    for name, graph in program.items():
        found = loaded[name]
        assert found == graph
        assert (found.in_types, found.out_types) == (graph.in_types, graph.out_types)
        assert (found.input_names, found.output_names) == (graph.input_names, graph.output_names)
        assert (found.in_tree, found.out_tree) == (graph.in_tree, graph.out_tree)
        assert [found.origins.get(node) for node in found.nodes] == [graph.origins.get(node) for node in graph.nodes]
        assert [node.op.name for node in found.nodes] == [node.op.name for node in graph.nodes]
    assert {name: each.key for name, each in loaded.defaults.items()} == {
        name: each.key for name, each in program.defaults.items()
    }
    mine, theirs = program.examples["predict"], loaded.examples["predict"]
    assert theirs.display == mine.display == {"x": "image"}
    assert theirs.outputs["wide.0"].key == mine.outputs["wide.0"].key


def test_the_origins_of_a_held_graph_come_back(tmp_path: Path) -> None:
    loaded = there_and_back(small(), tmp_path)
    (scan,) = [node.op for node in loaded["choose"].nodes if isinstance(node.op, Scan)]
    assert [str(origin) for origin in scan.body.origins.values()] == ["cell model.py:9 in step"]


def test_a_graph_alone_is_the_entry_main(tmp_path: Path) -> None:
    graph = chain(3)
    assert to_bytes(graph) == to_bytes(Program({"main": graph}))
    assert list(there_and_back(graph, tmp_path)) == ["main"]


def test_a_program_of_nothing(tmp_path: Path) -> None:
    assert list(there_and_back(Program({}), tmp_path)) == []
    loaded = there_and_back(Graph((), ()), tmp_path)
    assert loaded["main"].nodes == ()


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=repr)
@pytest.mark.parametrize("shape", [(), (3,), (40, 7), (0, 5)], ids=str)
def test_every_dtype(dtype: DType, shape: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 2 if dtype.kind == "bool" else 256, (*shape, dtype.itemsize), dtype=np.uint8)
    array = raw.view(numpy_dtype(dtype))[..., 0] if raw.size else np.zeros(shape, numpy_dtype(dtype))
    x = new_input("x", TensorType(dtype, shape))
    program = Program({"main": Graph([x], [x, constant(literal(array))])}, defaults={"x": literal(array)})
    loaded = there_and_back(program, tmp_path)
    held: Any = loaded["main"].outputs[1].node.op
    for found in (loaded.defaults["x"], held.literal):
        assert found.type == TensorType(dtype, shape)
        assert found.array.dtype == numpy_dtype(dtype)
        assert found.array.tobytes() == array.tobytes()
        assert not found.array.flags.writeable
        assert bytes(found.raw) == array.tobytes()


def test_floats_that_compare_badly(tmp_path: Path) -> None:
    numbers = [0.0, -0.0, math.nan, math.inf, 5e-324, 0.1]
    graph = Graph((), [scalar(number, as_dtype("float64")) for number in numbers])
    loaded = there_and_back(graph, tmp_path)["main"]
    found = np.array([evaluate[()] for evaluate in evaluate_graph(loaded, [])])
    assert found.tobytes() == np.array(numbers).tobytes()


SIZES = [
    "n", "2*n", "n*n*m", "n - 1", "3 - n", "n//2", "(n + 1)//(m + 2)*3", "max(n - 3, 0)//2 + 1", "min(n, m)",
    "n*m - max(m, 2)*min(n, 7) + 4", "-2*n + 5*m - 7", "((n - 3)//2 - 3)//2",
]  # fmt: skip


@pytest.mark.parametrize("text", SIZES)
def test_symbolic_sizes(text: str, tmp_path: Path) -> None:
    x = new_input("x", TensorType(float32, (dim(text), 3)))
    assert there_and_back(Graph([x], [x]), tmp_path)["main"].in_types == (TensorType(float32, (dim(text), 3)),)


@dataclass
class Layer:
    weight: object
    σ: object  # noqa: PLC2401  # formulas have such names


class Pair(NamedTuple):
    left: object
    right: object


def test_trees(tmp_path: Path) -> None:
    nest = {
        "b": [1, (2,), ()],
        7: None,
        "layer": Layer({"é b": 1}, Pair(1, {})),
        "ordered": OrderedDict(z=1, a=OrderedDict()),
    }
    leaves, tree = flatten(nest)
    inputs = [new_input(f"x{index}", tensor_type(())) for index in range(len(leaves))]
    graph = Graph(inputs, inputs[::-1], Tree(ARGUMENTS, ("nest",), (tree,)), tree)
    loaded = there_and_back(graph, tmp_path)["main"]
    assert loaded.in_tree.children == (tree,)
    assert loaded.out_tree == tree
    rebuilt = unflatten(loaded.out_tree, leaves)
    assert (rebuilt["layer"].σ.right, list(rebuilt["ordered"])) == ({}, ["z", "a"])


def test_a_long_chain(tmp_path: Path) -> None:
    graph = chain(20_000)
    loaded = there_and_back(graph, tmp_path)["main"]
    assert len(loaded.nodes) == len(graph.nodes) == 20_002


def test_graphs_inside_graphs(tmp_path: Path) -> None:
    def nested(depth: int) -> Graph:
        x = new_input("x", tensor_type(()))
        return Graph([x], Checkpoint(nested(depth - 1)).results(x) if depth else [add(x, x)])

    loaded = there_and_back(nested(31), tmp_path)["main"]
    assert np.asarray(evaluate_graph(loaded, [np.asarray(3, "float32")])[0]) == 6
    with pytest.raises(FormatError, match="levels of graphs inside graphs: 33, where at most 32") as caught:
        save(nested(32), tmp_path / "deep")
    assert caught.value.code == "total"


def test_equal_graphs_and_tensors_are_stored_once() -> None:
    program = Program(first=stored(500)["main"], second=stored(500)["main"], third=stored(500, 20)["main"])
    header = split(to_bytes(program)).header
    assert header["entries"] == {"first": 0, "second": 0, "third": 1}
    assert len(header["graphs"]) == len(header["tensors"]) == 2


@dataclass(frozen=True, eq=False, repr=False)
class Cube(Composite):
    """``scale * x**3`` in a user's own words; not registered, as in a process that lacks it."""

    scale: float

    name = "test.cube"
    since = 0

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        return multiply(multiply(multiply(x, x), x), scalar(self.scale, x.dtype))


def test_an_operation_of_the_users_own_loads_anywhere(tmp_path: Path) -> None:
    x = new_input("x", tensor_type(("n",)))
    y = new_input("y", tensor_type((2,)))
    graph = Graph([x, y], [Cube(2.0)(add(Cube(2.0)(x), x)), Cube(2.0)(y)], origins={})
    save(graph, tmp_path / "first")
    header = split((tmp_path / "first").read_bytes()).header
    bodies = [row[3] for row in header["ops"] if row[0] == "test.cube"]
    assert bodies == [0, 1]  # one for each type of operand

    known = load(tmp_path / "first", registry={**registry(), "test.cube": Cube})
    assert known["main"].digest == graph.digest
    assert to_bytes(known) == to_bytes(graph)

    foreign = load(tmp_path / "first")["main"]
    assert {node.op.name for node in foreign.nodes} == {"input", "add", "test.cube"}
    assert to_bytes(foreign) == to_bytes(graph), "loading and saving gives the same bytes without the code too"
    (first, second) = evaluate_graph(foreign, [np.array([1.0, 2.0], "float32"), np.array([3.0, 0.0], "float32")])
    np.testing.assert_array_equal(first, [2 * 3.0**3, 2 * 18.0**3])
    np.testing.assert_array_equal(second, [54.0, 0.0])


@dataclass(frozen=True, eq=False, repr=False)
class Bare(Op):
    """An operation that is neither the format's nor a composite."""

    value: Any = None

    def result(self, *operands: TensorType) -> TensorType:
        return operands[0]


@pytest.mark.parametrize(
    ("since", "value", "code", "says"),
    [
        (None, 1, "bad-op", "the operation 'bare' is not registered, so no file may hold it"),
        (0, 1, "bad-op", "'bare' is no operation of the format, and a name of your own has a dot"),
        (1, b"1", "bad-attribute", "b'1' of type bytes cannot be stored"),
        (1, np.float64(1), "bad-attribute", "np.float64(1.0) of type float64 cannot be stored"),
        (1, 2**64, "limit", "an int has more than 64 bits"),
        (1, "\ud800", "bad-text", "'\\ud800' is not Unicode text: it holds a lone surrogate"),
        (1, "x" * 70_000, "limit", "a str of 70000 characters, where 0 to 65536 are allowed"),
    ],
)
def test_what_no_file_can_hold(since: int | None, value: object, code: str, says: str, tmp_path: Path) -> None:
    cls = dataclass(frozen=True, eq=False, repr=False)(type("Bare", (Bare,), {"name": "bare"}))
    if since is not None:
        cls.since = since
    x = new_input("x", tensor_type(()))
    with pytest.raises(FormatError) as caught:
        save(Graph([x], [cls(value)(x)]), tmp_path / "file")
    assert (caught.value.code, caught.value.what) == (code, says)
    assert list(tmp_path.iterdir()) == []


ATTRIBUTES = [
    None, True, 1, -(2**63), 2**63 - 1, 0.1, -0.0, math.inf, -math.inf, "é", (), ((1, (True, None)), "x"),
    as_dtype("bfloat16"), dim("2*n + 1"), tensor_type(("n", 2)), (1, dim("n")),
]  # fmt: skip


@pytest.mark.parametrize("value", ATTRIBUTES, ids=repr)
def test_attributes(value: object, tmp_path: Path) -> None:
    cls = dataclass(frozen=True, eq=False, repr=False)(type("Bare", (Bare,), {"name": "bare", "since": 1}))
    x = new_input("x", tensor_type(()))
    save(Graph([x], [cls(value)(x)]), tmp_path / "file")
    found: Any = load(tmp_path / "file", registry={"bare": cls})["main"].nodes[1].op
    assert repr(found.value) == repr(value)
    assert found == cls(value)


def test_attributes_that_hold_data(tmp_path: Path) -> None:
    cls = dataclass(frozen=True, eq=False, repr=False)(type("Bare", (Bare,), {"name": "bare", "since": 1}))
    x = new_input("x", tensor_type(()))
    held = (literal(np.arange(100)), literal(True), chain(2), math.nan)
    save(Graph([x], [cls(held)(x)]), tmp_path / "file")
    found: Any = load(tmp_path / "file", registry={**registry(), "bare": cls})["main"].nodes[1].op
    first, second, graph, number = found.value
    np.testing.assert_array_equal(first.array, np.arange(100))
    assert second.array[()] == np.True_
    assert graph == chain(2)
    assert math.isnan(number)


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (lambda x: rax.numpy.sort(x, descending=cast("bool", 1)), lambda x: rax.numpy.sort(x, descending=True)),
        (lambda x: rax.numpy.sort(x, descending=cast("bool", np.False_)), rax.numpy.sort),
        (lambda x: rax.nn.layer_norm(x, epsilon=1), lambda x: rax.nn.layer_norm(x, epsilon=1.0)),
        (lambda x: rax.nn.layer_norm(x, epsilon=np.float64(0.5)), lambda x: rax.nn.layer_norm(x, epsilon=0.5)),
    ],
)
def test_an_attribute_is_what_it_is_declared_to_be(given: Model, due: Model, tmp_path: Path) -> None:
    """However a number is spelt in Python, the computation is one, and comes back as what was saved."""
    first, second = (rax.trace(function, rax.spec((2, 3))) for function in (given, due))
    assert there_and_back(first, tmp_path)["main"].digest == first.digest == second.digest


def test_a_default_is_the_very_value(tmp_path: Path) -> None:
    """A negative zero where the default is zero is written, and comes back."""
    x = new_input("x", tensor_type((3,)))
    graph = Graph([x], [Variance((0,))(x), Variance((0,), -0.0)(x), Variance((0,), 0.0)(x)])
    assert len(graph.nodes) == 3
    nodes = there_and_back(graph, tmp_path)["main"].nodes
    assert [math.copysign(1, cast("Variance", node.op).correction) for node in nodes[1:]] == [1, -1]


def test_an_attribute_that_is_no_number_is_refused_where_it_is_given() -> None:
    for given in ("yes", 2, None, [True]):
        with pytest.raises(TypeInferenceError, match="the attribute 'descending' of sort is a bool, not "):
            Sort(0, cast("bool", given))
