"""The lazy tensor: operators as NumPy has them, values on demand, and the errors where there is none."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from tests.numpy.agree import agree, agree_symbolic, draw, same

Binary = Callable[[Any, Any], Any]

ARITHMETIC: list[Binary] = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
]  # fmt: skip
COMPARISONS: list[Binary] = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
BITS: list[Binary] = [operator.and_, operator.or_, operator.xor]


@pytest.mark.parametrize("op", [*ARITHMETIC, *COMPARISONS])
def test_operators_on_floats_are_numpys(op: Binary) -> None:
    agree(op, op, draw((2, 3)), draw((3,), seed=1) + 4)


@pytest.mark.parametrize("op", [*[op for op in ARITHMETIC if op is not operator.truediv], *COMPARISONS, *BITS])
def test_operators_on_integers_are_numpys(op: Binary) -> None:
    agree(op, op, draw((2, 3), "int32"), np.abs(draw((3,), "int32", 1)) + 1)


@pytest.mark.parametrize("op", [operator.lshift, operator.rshift])
def test_shifts_are_numpys(op: Binary) -> None:
    agree(op, op, draw((3,), "int64"), np.array([0, 1, 5]))


@pytest.mark.parametrize("op", [*BITS, *COMPARISONS])
def test_operators_on_bools_are_numpys(op: Binary) -> None:
    agree(op, op, draw((5,), "bool"), draw((5,), "bool", 1))


@pytest.mark.parametrize("op", [*ARITHMETIC, operator.pow])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_takes_the_dtype_of_the_tensor_on_either_side(op: Binary, dtype: str) -> None:
    x = np.abs(draw((4,), dtype)) + 0.5
    agree(lambda t: op(t, 3), lambda t: op(t, 3), x)
    agree(lambda t: op(2.5, t), lambda t: op(2.5, t), x)


@pytest.mark.parametrize("op", [*ARITHMETIC, *COMPARISONS, operator.pow])
def test_an_array_on_the_left_gives_a_tensor(op: Binary) -> None:
    x, y = draw((3,)) + 20, np.abs(draw((3,), seed=1)) + 0.5
    result = op(x, rnp.asarray(y))
    assert isinstance(result, Tensor)
    same(result, op(x, y))
    same(op(np.float32(7), rnp.asarray(y)), op(np.float32(7), y))


def test_unary_operators_are_numpys() -> None:
    for op in (operator.neg, operator.pos, abs):
        agree(op, op, draw((2, 3)))
    agree(operator.invert, operator.invert, draw((4,), "int64"))
    agree(operator.invert, operator.invert, draw((4,), "bool"))


def test_a_square_is_taken_as_such() -> None:
    graph = rax.trace(lambda x: x**2, rax.spec((3,)))
    assert [node.op.name for node in graph.nodes] == ["input", "square"]
    agree(lambda x: x**2, lambda x: x**2, draw((3,), "int64"))
    assert (rnp.asarray([1, 2]) ** 2.0).dtype is rnp.float32


@pytest.mark.parametrize(
    ("left", "right"),
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((1, 2, 3), (4, 3, 2))],
)
def test_matmul_has_every_form(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    agree(operator.matmul, operator.matmul, draw(left), draw(right, seed=1))
    same(draw(left) @ rnp.asarray(draw(right, seed=1)), draw(left) @ draw(right, seed=1))


def test_matmul_with_symbolic_sizes() -> None:
    agree_symbolic(operator.matmul, operator.matmul, ("n", 3), (3, "m"))
    agree_symbolic(operator.matmul, operator.matmul, ("n", "m"), ("m",))


def test_properties() -> None:
    x = rax.input("x", ("n", 3, 4), "int32")
    n = dims.dim("n")
    assert (x.shape, x.ndim, x.size, x.dtype, x.device) == ((n, 3, 4), 3, n * 12, rnp.int32, "cpu")
    assert x.mT.shape == (n, 4, 3)
    assert rax.input("y", ("n", 2)).T.shape == (2, n)
    assert x.to_device("cpu") is x
    assert x.__array_namespace__() is rnp


def test_a_symbolic_size_is_a_number_in_arithmetic() -> None:
    agree_symbolic(lambda x: x / x.shape[0] + x.shape[0] * 2, lambda x: x / np.float32(len(x)) + len(x) * 2, ("n",))
    agree_symbolic(lambda x: x.shape[0] + x, lambda x: x + np.float32(len(x)), ("n",))
    agree_symbolic(lambda x: x.shape[0] - rnp.arange(4), lambda x: len(x) - np.arange(4), ("n",))


# In place.


def test_in_place_operators_rebind_the_handle_alone() -> None:
    x = rnp.asarray([1.0, 2.0])
    alias, before = x, x * 10
    x += 1
    x *= 2
    x -= 0.5
    x /= 2
    assert alias is x
    assert x.tolist() == [1.75, 2.75]
    assert before.tolist() == [10, 20]


def test_every_in_place_operator() -> None:
    x, y = np.array([7, 9]), np.array([2, 1])
    for op in (
        operator.iadd, operator.isub, operator.imul, operator.ifloordiv, operator.imod, operator.ipow, operator.iand,
        operator.ior, operator.ixor, operator.ilshift, operator.irshift,
    ):  # fmt: skip
        same(op(rnp.asarray(x), y), op(x.copy(), y))
    matrix = draw((2, 2))
    same(operator.imatmul(rnp.asarray(matrix), matrix), matrix @ matrix)


def test_an_in_place_operator_keeps_dtype_and_shape() -> None:
    x = rnp.asarray([1, 2])
    with pytest.raises(rax.TypeInferenceError) as caught:
        x /= 2
    assert str(caught.value) == "x /= y would turn int64[2] into float32[2]\n  fix: write x = x / y"
    with pytest.raises(rax.TypeInferenceError, match=r"into int64\[3, 2\]"):
        x += np.ones((3, 1), np.int64)
    assert x.tolist() == [1, 2]


# Values on demand.


def test_a_tensor_without_inputs_evaluates_when_asked() -> None:
    x = rnp.asarray([[1.5, 2.0]]) * 2
    assert (x.tolist(), x[0, 0].item(), float(x[0, 1]), int(x[0, 0])) == ([[3.0, 4.0]], 3.0, 4.0, 3)
    assert complex(x[0, 0]) == 3 + 0j
    assert bool(x[0, 0] > 2)
    assert len(x) == 1
    assert [row.tolist() for row in x] == [[3.0, 4.0]]
    assert [10, 20, 30][rnp.asarray(1)] == 20
    assert repr(x) == "Tensor([[3., 4.]], dtype=float32)"
    assert f"{x[0, 0]:.2f} {x[0]}" == "3.00 Tensor([3., 4.], dtype=float32)"


def test_an_evaluated_tensor_is_a_constant_from_then_on() -> None:
    x = rnp.asarray([1.0, 2.0]) + 1
    assert x.value.node.op.name == "add"
    first = x.numpy()
    assert x.value.node.op.name == "constant"
    assert x.numpy() is first
    assert not first.flags.writeable


def test_arrays_leave_by_every_protocol() -> None:
    x = rnp.asarray([1, 2, 3]) * 2
    same(np.asarray(x), np.array([2, 4, 6]))
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    copied = np.array(x)
    copied[0] = 9
    assert x.tolist() == [2, 4, 6]
    same(np.from_dlpack(x), np.array([2, 4, 6]))
    same(np.from_dlpack(x, copy=True), np.array([2, 4, 6]))
    assert x.__dlpack_device__() == (1, 0)
    shared = np.from_dlpack(x, copy=False)
    assert not np.shares_memory(shared, x.numpy())


def test_data_given_are_copied() -> None:
    data = np.array([1.0, 2.0])
    x = rnp.asarray(data)
    data[0] = 9
    assert x.tolist() == [1.0, 2.0]


def test_copies_share_the_value_not_the_handle() -> None:
    x = rax.input("x", (2,))
    for twin in (copy.copy(x), copy.deepcopy({"x": [x]})["x"][0], rnp.asarray(x, copy=True)):
        assert twin is not x
        assert twin.value == x.value
    assert as_tensor(x) is x


def message(action: Callable[[], object]) -> str:
    with pytest.raises(rax.UnboundInputError) as caught:
        action()
    return str(caught.value)


def test_a_condition_on_an_input_says_what_to_use() -> None:
    x = rax.input("x", ())

    def model() -> int:
        return 1 if x > 0 else 2

    line = model.__code__.co_firstlineno + 1
    assert message(model) == (
        "a condition (if, while, and, or, not, bool) needs the value of a tensor bool[], which depends on the "
        "input 'x': float32[]\n"
        f"  at: test_tensor.py:{line} in model\n"
        "  fix: use rax.cond or rax.numpy.where for if, rax.while_loop for while, and & | ~ for and, or, not"
    )


def test_each_way_of_asking_names_the_inputs() -> None:
    x, y = rax.input("x", (2,)), rax.input("y", (2,))
    total = rnp.sum(x * y)
    fix = "fix: return the tensor from the traced function, or give the input a value with rax.evaluate"
    for ask, name in ((float, "float()"), (int, "int()"), (complex, "complex()"), (np.asarray, "np.asarray")):
        text = message(lambda ask=ask: ask(total))
        assert text.startswith(
            f"{name} needs the value of a tensor float32[], which depends on the "
            "inputs 'x': float32[2], 'y': float32[2]"
        )
        numpy_fix = "; in place of a NumPy function use that of rax.numpy"
        assert text.endswith(fix + numpy_fix * (ask is np.asarray))
    assert message(total.item).startswith("item() needs")
    assert message(total.tolist).startswith("tolist() needs")
    assert message(total.numpy).startswith("numpy() needs")
    assert message(lambda: np.from_dlpack(total)).startswith("DLPack needs")


def test_methods_and_functions_of_numpy_name_those_of_rax() -> None:
    x = rax.input("x", (3,))
    for name, function in (("sum", "sum"), ("astype", "astype"), ("flatten", "reshape"), ("copy", "asarray")):
        with pytest.raises(AttributeError) as caught:
            getattr(x, name)
        assert str(caught.value) == f"a Tensor has no attribute '{name}'\n  fix: use rax.numpy.{function}(x)"
    with pytest.raises(AttributeError) as caught:
        _ = getattr(x, "shap")  # noqa: B009
    assert str(caught.value) == "a Tensor has no attribute 'shap'"
    assert not hasattr(x, "__array_interface__")

    def model() -> Any:
        return np.mean(x)

    line = model.__code__.co_firstlineno + 1
    needs = "needs the value of a tensor float32[3], which depends on the input 'x': float32[3]"
    assert message(model) == f"numpy.mean {needs}\n  at: test_tensor.py:{line} in model\n  fix: use rax.numpy.mean"
    for call, asked, function in (
        (lambda: np.exp(x), "numpy.exp", "rax.numpy.exp"),
        (lambda: np.add.reduce(x), "numpy.add.reduce", "rax.numpy.sum"),
        (lambda: np.sum(x), "numpy.sum", "rax.numpy.sum"),
        (lambda: np.concatenate([x, x]), "numpy.concatenate", "rax.numpy.concatenate"),
        (lambda: np.fft.rfft(x), "numpy.fft.rfft", "rax.numpy.fft.rfft"),
        (lambda: np.fabs(x), "numpy.fabs", "rax.numpy.abs"),
    ):
        text = message(call)
        assert text.startswith(f"{asked} {needs}")
        assert text.endswith(f"fix: use {function}")
    assert message(lambda: np.partition(x, 1)).endswith("fix: in place of a NumPy function use that of rax.numpy")


def test_functions_of_numpy_compute_with_known_values() -> None:
    x, y = rnp.asarray([1.0, 4.0]), np.array([2.0, 3.0], np.float32)
    for result, due in (
        (np.sqrt(x), [1, 2]),
        (np.sum(x), 5),
        (np.mean(x), 2.5),
        (np.concatenate([x, y]), [1, 4, 2, 3]),
    ):
        assert isinstance(result, (np.ndarray, np.generic))
        np.testing.assert_array_equal(result, due)
    total = np.zeros(2)
    total += x
    np.testing.assert_array_equal(total, [1, 4])
    unknown = rax.input("x", (2,))
    assert np.shape(unknown) == (2,)
    with pytest.raises(rax.UnboundInputError, match=r"numpy.add needs the value.*\n.*\n.*write x = x \+ y in place of"):
        total += unknown
    with pytest.raises(TypeError, match="all returned NotImplemented"):
        np.add(y, y, out=cast("Any", x))


def test_operators_between_an_array_and_a_tensor_build_graph() -> None:
    x, y = np.array([7, 2]), rax.input("y", (2,), "int64")
    symbols = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift",
               "matmul", "lt", "le", "gt", "ge", "eq", "ne")  # fmt: skip
    for symbol in symbols:
        function = getattr(operator, symbol)
        result = function(x, y)
        assert isinstance(result, rax.Tensor)
        np.testing.assert_allclose(rax.evaluate(result, {"y": np.array([2, 2])}), function(x, np.array([2, 2])))
        assert isinstance(function(np.int64(7), y) if symbol != "matmul" else result, rax.Tensor)


def test_an_index_from_an_input_says_what_to_use() -> None:
    k = rax.input("k", (), "int64")
    text = message(lambda: rnp.zeros(k))
    assert text.startswith("a Python index or size needs the value of a tensor int64[]")
    assert text.endswith(
        "fix: fix the size in the spec, loop with rax.fori_loop or rax.scan, or use Python numbers as sizes and indices"
    )
    with pytest.raises(TypeError, match="an index is an integer, not float32"):
        operator.index(rnp.asarray(1.0))


def test_symbolic_sizes_cannot_be_counted() -> None:
    x = rax.input("x", ("n", 2))
    assert "len() needs the symbolic size n" in message(lambda: len(x))
    assert "a loop over a tensor needs its symbolic size n" in message(lambda: next(iter(x)))
    assert "len() needs the symbolic size n" in message(lambda: list(x))
    assert np.iterable(x)  # to ask is no loop
    assert message(rnp.zeros((dims.dim("n"),)).tolist).startswith(
        "tolist() needs the value of a tensor float32[n], which depends on the symbolic size n"
    )


def test_repr_never_asks_for_what_is_not_there() -> None:
    x = rax.input("x", ("n",))
    assert repr(x + 1) == "<Tensor float32[n] of x>"
    assert repr(rnp.zeros((dims.dim("n"),))) == "<Tensor float32[n] of n>"


def test_one_element_is_wanted() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"float\(\) takes a tensor with one element, not float32\[2\]"):
        float(rnp.zeros(2))
    with pytest.raises(TypeError, match="a scalar tensor has no len"):
        len(rnp.asarray(1))
    with pytest.raises(TypeError, match="cannot be iterated over"):
        iter(rnp.asarray(1))


def test_what_is_no_operand_is_refused() -> None:
    x = rnp.asarray([1.0])
    for wrong in ("one", [1.0], None, object()):
        with pytest.raises(TypeError):
            _ = x + wrong
    assert (x == None) is False  # noqa: E711
    with pytest.raises(rax.RaxError, match="a tensor, array or number is due, not list"):
        as_tensor([1, 2])


def test_a_number_must_fit() -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        _ = rnp.asarray([1], dtype="uint8") + 300
    assert str(caught.value) == "300 does not fit uint8\n  fix: cast the tensor to a wider dtype"


def test_matrices_alone_transpose() -> None:
    with pytest.raises(rax.TypeInferenceError, match="T is for matrices, not float32"):
        _ = rnp.zeros(3).T
    with pytest.raises(rax.TypeInferenceError, match="a matrix has two axes"):
        _ = rnp.zeros(3).mT
    with pytest.raises(rax.TypeInferenceError, match="a tensor lives on 'cpu', not 'gpu'"):
        rnp.zeros(3).to_device("gpu")
    with pytest.raises(ValueError, match=r"up to 2025\.12"):
        rnp.zeros(3).__array_namespace__(api_version="1999.1")
