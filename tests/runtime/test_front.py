"""The code made for a graph's arguments and results: the same as the binder's walk, or it gives up."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.tree import ARGUMENTS, Tree, flatten, unflatten
from rax.ir.types import TensorType, tensor_type
from rax.ops.arrays import Array
from rax.runtime.binding import Binder
from rax.runtime.executable import Executable, compile
from rax.runtime.front import MOST_LEAVES, giver, taker


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass
class State:
    mean: Any
    count: Any = None


X = np.ones((7, 3), np.float32)
Y = np.arange(7)
S = np.asarray(2.5)
MATRIX, FIXED, INTS, NUMBER = (
    tensor_type(("batch", "n")), tensor_type((7, 3)), tensor_type("batch", "int64"), tensor_type((), "float64"),
)  # fmt: skip
# Arguments, and the types of their leaves in order.
NESTS: dict[str, tuple[tuple[Any, ...], list[TensorType]]] = {
    "flat": ((X, Y), [MATRIX, INTS]),
    "nothing": ((), []),
    "empty containers": (({}, [], (), None, X), [FIXED]),
    "a dict": (({"w": X, "b": S, 3: Y},), [INTS, NUMBER, MATRIX]),
    "lists and tuples": (([X, (Y, None)], (S,)), [MATRIX, INTS, NUMBER]),
    "named tuples": ((Pair(X, {"y": Y}),), [FIXED, INTS]),
    "data classes": ((State(X, [S]),), [MATRIX, NUMBER]),
    "names that are code": (({"'] or 1 #": X, "\n\\": S},), [NUMBER, FIXED]),
    "other dtypes": ((Y.astype(ml_dtypes.bfloat16), Y > 2), [tensor_type("n", "bfloat16"), tensor_type("n", "bool")]),
    "an empty array": ((X[:0], Y[:0]), [MATRIX, INTS]),
}


def graph_of(args: Sequence[Any], types: Sequence[TensorType]) -> Graph:
    """Of these arguments; its results are the inputs in the same nest."""
    trees = [flatten(arg)[1] for arg in args]
    inputs = [new_input(f"x{index}", type) for index, type in enumerate(types)]
    names = tuple([f"arg{index}" for index in range(len(args))])
    return Graph(inputs, inputs, Tree(ARGUMENTS, names, tuple(trees)), flatten(tuple(args))[1])


def taken(graph: Graph, args: tuple[Any, ...]) -> tuple[list[Array], tuple[int, ...]] | None:
    take = taker(graph.in_tree, graph.in_types, Binder(graph).dim_names)
    assert take is not None
    return take(args)


@pytest.mark.parametrize("name", NESTS)
def test_usual_arguments_are_taken_as_the_binder_takes_them(name: str) -> None:
    args, types = NESTS[name]
    graph = graph_of(args, types)
    found, binder = taken(graph, args), Binder(graph)
    assert found is not None
    arrays, sizes = found
    due = binder.bind(args, {})
    assert len(arrays) == len(due)
    assert all(one is other for one, other in zip(arrays, due, strict=True))
    assert dict(zip(binder.dim_names, sizes, strict=True)) == binder.dims(due)


def spoilt(nest: Any) -> list[Any]:
    """Nests that differ from one in one place."""
    if isinstance(nest, np.ndarray):
        kind = np.int32 if nest.dtype.kind == "f" else np.float32
        return [
            nest.tolist(),
            nest.astype(kind),
            nest[None],
            nest[..., :0] if nest.ndim else X,
            None,
            [nest],
            np.ma.asarray(nest),
            "text",
        ]
    if nest is None:
        return [X, ()]
    if isinstance(nest, dict):
        found = [{**nest, key: other} for key, value in nest.items() for other in spoilt(value)]
        return [*found, {**nest, "more": X}, dict(list(nest.items())[1:]), OrderedDict(nest), [*nest.values()]]
    if isinstance(nest, Pair):
        return [Pair(left, nest.right) for left in spoilt(nest.left)] + [nest._asdict(), tuple(nest)]
    if isinstance(nest, State):
        return [State(mean, nest.count) for mean in spoilt(nest.mean)] + [Pair(nest.mean, nest.count)]
    changed = [[*nest[:index], other, *nest[index + 1 :]] for index, item in enumerate(nest) for other in spoilt(item)]
    kind = type(nest)
    return [*map(kind, changed), kind([*nest, X]), kind(nest[1:]), tuple(nest) if kind is list else [*nest]]


def outcome(exe: Executable, args: tuple[Any, ...]) -> Any:
    """The results as text, or the words of the error."""
    try:
        leaves, tree = flatten(exe(*args))
    except RaxError as error:
        return type(error), str(error)
    return tree, [(leaf.dtype, leaf.shape, leaf.tobytes()) for leaf in leaves]


@pytest.mark.parametrize("name", NESTS)
def test_other_arguments_have_the_results_and_errors_they_have_in_the_first_call(name: str) -> None:
    args, types = NESTS[name]
    graph = graph_of(args, types)
    warm = Executable(graph, "numpy")
    usual = [outcome(warm, args) for _ in range(3)][-1]
    for given in [each for each in spoilt(args) if isinstance(each, tuple)]:
        cold = outcome(Executable(graph, "numpy"), given)
        assert outcome(warm, given) == cold
    assert outcome(warm, args) == usual == outcome(Executable(graph, "numpy"), args)


def test_sizes_that_disagree_are_refused_in_any_call() -> None:
    args, types = NESTS["flat"]
    exe = Executable(graph_of(args, types), "numpy")
    for _ in range(3):
        exe(*args)
        assert outcome(exe, (X, Y[:3]))[1].startswith("batch is 7 from x0 but 3 in x1")
        assert outcome(exe, (X[:3], Y[:3]))[1] == outcome(compile(exe.graph), (X[:3], Y[:3]))[1]


def test_only_a_binder_takes_what_is_no_size_of_an_axis_and_huge_nests() -> None:
    wide = tensor_type(("2*n",))
    assert taker(Tree(ARGUMENTS, ("x",), (flatten(0)[1],)), [wide], []) is None
    many = [0] * (MOST_LEAVES + 1)
    tree = flatten(many)[1]
    assert taker(Tree(ARGUMENTS, ("x",), (tree,)), [FIXED] * len(many), []) is None
    assert giver(tree)([X] * len(many)) == [X] * len(many)
    exe = compile(graph_of((X[0],), [wide.with_shape((tensor_type("n").shape[0] * 3,))]))
    for _ in range(3):
        assert exe(X[0])[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "nest",
    [
        0,
        None,
        (),
        (0,),
        [0, [None, ()]],
        {"a": 0, "b": {1: (0, 0)}},
        Pair(0, State(0, [0])),
        OrderedDict(b=0, a=(0, 0)),
    ],
)
def test_results_have_the_nest_that_unflatten_makes(nest: Any) -> None:
    leaves, tree = flatten(nest)
    results = [np.full(2, index) for index, _ in enumerate(leaves)]
    found, due = giver(tree)(results), unflatten(tree, results)
    assert flatten(found)[1] == flatten(due)[1]
    assert all(one is other for one, other in zip(flatten(found)[0], results, strict=True))


def test_arrays_of_any_layout_are_not_copied() -> None:
    graph = graph_of((X, Y), [MATRIX, INTS])
    frozen = X.copy()
    frozen.flags.writeable = False
    for x in (X, X[::-1], np.asfortranarray(X), np.broadcast_to(X[0], (7, 3)), frozen, np.zeros((7, 6), "f4")[:, ::2]):
        found = taken(graph, (x, Y))
        assert found is not None
        assert found[0][0] is x


def test_several_threads_call_at_once_each_with_sizes_of_its_own() -> None:
    exe = compile(rax.trace(lambda p: {"sum": rnp.sum(p["x"] / 0.0 * 0.0 + p["x"], axis=0)}, {"x": rax.spec(("n", 2))}))
    wrong: list[Any] = []

    def work(size: int) -> None:
        x = {"x": np.full((size, 2), np.inf, np.float32)}
        for _ in range(200):
            found = exe(x)["sum"]
            wrong.extend([size] * (found.shape != (2,) or not np.all(np.isnan(found))))

    threads = [threading.Thread(target=work, args=(size,)) for size in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_run_is_quiet_and_leaves_what_warns_as_it_was() -> None:
    exe = compile(rax.trace(lambda x: x / (x - x), X))
    with np.errstate(all="raise"):
        for _ in range(3):
            assert np.all(np.isinf(exe(X)))
        with pytest.raises(FloatingPointError):
            np.divide(X, 0)


def test_a_jitted_function_is_called_with_what_it_was_traced_for() -> None:
    traces: list[Any] = []

    @rax.jit
    def double(nest: Any, more: Any = None) -> Any:
        traces.append(type(nest))
        return {"kind": type(nest)([nest[0] * 2]), "more": more}

    for _ in range(3):
        for nest in ([X], (X,), [X[:2]], [Y]):
            found = double(nest)["kind"]
            assert type(found) is type(nest)
            np.testing.assert_array_equal(found[0], nest[0] * 2)
        assert double([X], more=Y)["more"].tolist() == Y.tolist()
        assert double([X], Y)["more"].tolist() == Y.tolist()
        assert double([X])["more"] is None
        assert isinstance(rax.trace(lambda x: double([x])["kind"][0], X), Graph)
    assert len(traces) == 6 + 3
