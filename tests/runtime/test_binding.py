"""Arguments to arrays: what is taken as it is, what is converted, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from rax.ir.errors import BindingError, RaxError, TreeError
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.tree import ARGUMENTS, Tree, flatten
from rax.ir.types import tensor_type
from rax.runtime.binding import Binder, as_array, resolve_dims


def graph_of(in_tree: Tree | None = None, **types: Any) -> Graph:
    inputs = [new_input(name, tensor_type(*type)) for name, type in types.items()]
    return Graph(inputs, inputs[:1], in_tree)


def nested() -> Graph:
    tree = Tree(ARGUMENTS, ("params", "x"), (flatten({"b": 0, "w": 0})[1], flatten(0)[1]))
    inputs = [new_input(name, tensor_type((2,))) for name in ("params.b", "params.w", "x")]
    return Graph(inputs, inputs, tree)


XY = Binder(graph_of(x=(("batch", 3),), y=(("batch",), "int64")))
X, Y = np.zeros((7, 3), np.float32), np.zeros(7, np.int64)


def refusal(error: pytest.ExceptionInfo[RaxError]) -> str:
    return str(error.value)


def test_arrays_are_taken_as_they_are_by_position_and_name() -> None:
    for args, kwargs in (((X, Y), {}), ((X,), {"y": Y}), ((), {"y": Y, "x": X})):
        found = XY.bind(args, kwargs)
        assert [found[0] is X, found[1] is Y] == [True, True]
    assert XY.dims([X, Y]) == {"batch": 7}


def test_nested_arguments_bind_in_the_order_of_their_leaves() -> None:
    binder = Binder(nested())
    b, w, x = (np.full(2, number, np.float32) for number in range(3))
    assert [array[0] for array in binder.bind(({"w": w, "b": b}, x), {})] == [0, 1, 2]
    assert [array[0] for array in binder.bind((), {"x": x, "params": {"b": b, "w": w}})] == [0, 1, 2]
    assert [array[0] for array in binder.bind_named({"x": x, "params.w": w, "params.b": b})] == [0, 1, 2]


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((X, Y, 1), {}, "3 arguments are given, the graph takes 2 arguments\n  fix: the graph takes x, y"),
        ((X,), {}, "the argument 'y' is missing\n  fix: the graph takes x, y"),
        ((), {}, "the arguments 'x', 'y' are missing\n  fix: the graph takes x, y"),
        ((X, Y), {"z": 1}, "there is no argument 'z'\n  fix: the graph takes x, y"),
        ((X, Y), {"x": X}, "the argument 'x' is given twice\n  fix: give it by position or by name"),
        (
            (X.astype(np.float64), Y), {},
            'x is float64, the graph takes float32\n  fix: cast with .astype("float32")',
        ),
        ((X, Y.astype(np.int32)), {}, 'y is int32, the graph takes int64\n  fix: cast with .astype("int64")'),
        ((X[:, :2], Y), {}, "x has shape [7, 2], the graph takes [batch, 3]"),
        ((X[0], Y), {}, "x has shape [3], the graph takes [batch, 3]"),
        ((X, 1), {}, "y has shape [], the graph takes [batch]"),
        ((X, [1.5]), {}, "y holds floating-point numbers, the graph takes int64"),
        ((X, [True]), {}, "y holds bools, the graph takes int64"),
        ((X, [[1], [2, 3]]), {}, "y is no rectangular list of numbers\n  fix: give int64[batch]"),
        ((X, ["a"]), {}, "y is no list of numbers\n  fix: give int64[batch]"),
        ((X, [2**63]), {}, "y holds numbers that do not fit int64"),
        ((X, "a"), {}, "y is a str, the graph takes int64[batch]\n  fix: give an array of numbers"),
        ((X, None), {}, "y is a NoneType, the graph takes int64[batch]\n  fix: give an array of numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(BindingError) as error:
        XY.bind(args, kwargs)
    assert refusal(error) == text


def test_names_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BindingError) as error:
        XY.bind_named({"x": X, "y": Y, "z": Y})
    assert refusal(error) == "there is no input 'z'\n  fix: the graph takes x, y"
    with pytest.raises(BindingError) as error:
        XY.bind_named({"y": Y})
    assert refusal(error) == "the input 'x': float32[batch, 3] is missing\n  fix: give it a value"
    with pytest.raises(BindingError) as error:
        Binder(nested()).bind_named({})
    assert refusal(error) == "the input 'params.b': float32[2] is missing (and 2 more)\n  fix: give it a value"


def test_a_nest_of_another_structure_is_refused() -> None:
    with pytest.raises(TreeError, match="params lacks 'w'"):
        Binder(nested()).bind(({"b": X}, X), {})


def test_dims_that_disagree_name_the_input_that_fixed_them() -> None:
    with pytest.raises(BindingError) as error:
        XY.dims([X, Y[:3]])
    assert refusal(error) == "batch is 7 from x but 3 in y\n  fix: give them one size"


@pytest.mark.parametrize(
    ("sizes", "shape", "text"),
    [
        (("2*n", "n"), (6, 4), "n is 3 from x but 4 in x"),
        (("2*n",), (5,), "axis 0 of x is 5, from which n in 2*n cannot be told"),
        (("m*n",), (6,), "axis 0 of x is 6, from which m in m*n cannot be told"),
        (("n + 4",), (3,), "axis 0 of x is 3, from which n in n + 4 cannot be told"),
    ],
)
def test_sizes_that_fit_no_dim_are_refused(sizes: tuple[str, ...], shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(BindingError) as error:
        resolve_dims(["x"], [tensor_type(sizes)], [shape])
    assert refusal(error).splitlines()[0] == text


def test_expressions_are_solved_whatever_the_order() -> None:
    types = [tensor_type(("m*n", "n + 1")), tensor_type(("(n - 1)//2",)), tensor_type("m")]
    assert resolve_dims(["x", "y", "z"], types, [(12, 5), (1,), (3,)]) == {"n": 4, "m": 3}
    with pytest.raises(BindingError) as error:
        resolve_dims(["x", "y", "z"], types, [(12, 5), (2,), (3,)])
    assert refusal(error) == "axis 0 of y is 2, the graph takes (n + 1)//2 - 1, which is 1: n is 4 from x"


def test_numbers_and_lists_become_the_inputs_dtype() -> None:
    for value, dtype, due in (
        (3, "float32", np.float32(3)),
        (2.5, "bfloat16", ml_dtypes.bfloat16(2.5)),
        ([1, 2], "uint8", np.array([1, 2], np.uint8)),
        (True, "bool", np.bool(True)),
        ([], "int64", np.zeros(0, np.int64)),
        (2**63, "uint64", np.uint64(2**63)),
        (1 + 2j, "complex64", np.complex64(1 + 2j)),
    ):
        found = as_array(value, tensor_type((), dtype), "x")
        assert found.dtype == due.dtype
        assert np.array_equal(found, due)


class Exported:
    """An array of another library, which offers DLPack alone."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


def test_other_arrays_are_shared_not_copied() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    type = tensor_type((2, 3))
    for given in (x[::-1], x.T.T, Exported(x)):
        assert np.shares_memory(as_array(given, type, "x"), x)
    swapped = x.astype(">f4")
    assert as_array(swapped, type, "x").dtype == np.float32
    assert np.array_equal(as_array(swapped, type, "x"), x)
