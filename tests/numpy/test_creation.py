"""Creation functions, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir import dims
from rax.ir.errors import UnboundInputError
from tests.numpy.agree import agree, agree_symbolic, differentiable, draw, same


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (True, "bool"), (3, "int64"), (2.5, "float32"), (1j, "complex64"), ([1, 2.5], "float32"), ([], "float32"),
        ([[True], [False]], "bool"), ([1, 2j], "complex64"), (np.float64(2), "float64"), ([np.int8(1)], "int8"),
        (np.ones((2, 3), np.int16), "int16"), ([np.ones(2), np.zeros(2)], "float64"), ((1, (2)), "int64"),
    ],
)  # fmt: skip
def test_data_keep_their_values_and_get_default_dtypes(data: Any, dtype: str) -> None:
    x = rnp.asarray(data)
    assert x.dtype.name == dtype
    same(x, np.asarray(data).astype(dtype))


def test_data_are_cast_on_request() -> None:
    same(rnp.asarray([1, 0, 2], dtype=bool), np.array([True, False, True]))
    same(rnp.asarray(np.ones(2), dtype="float32"), np.ones(2, np.float32))
    same(rnp.asarray([1.5], dtype=rnp.float64), np.array([1.5]))
    x = rax.input("x", (2,))
    assert rnp.asarray(x) is x
    assert rnp.asarray(x, dtype="int32").dtype is rnp.int32


def test_tensors_stand_in_nests() -> None:
    x = rax.input("x", ())
    made = rnp.asarray([[x, 1], [2.5, np.float32(3)]])
    assert made.dtype is rnp.float32
    same(rax.evaluate(made, {"x": 7}), np.array([[7, 1], [2.5, 3]], np.float32))
    assert rnp.asarray([x, 1j]).dtype is rnp.complex64
    assert rnp.asarray([x, x], dtype="float64").dtype is rnp.float64
    agree_symbolic(lambda x: rnp.asarray([x.shape[0], 2]), lambda x: np.array([len(x), 2]), ("n",))


@pytest.mark.parametrize(
    ("data", "options", "text"),
    [
        ([[1], [1, 2]], {}, "the nested sequences are not rectangular"),
        ([[rnp.asarray(1)], [1, 2]], {}, "the nested sequences are not rectangular"),
        ([300], {"dtype": "uint8"}, "the numbers do not fit uint8"),
        (["a"], {}, "an array of <U1 cannot be a constant"),
        ("text", {}, "a tensor, array or number is due, not str"),
        (1, {"device": "gpu"}, "a tensor lives on 'cpu', not 'gpu'"),
        (1, {"dtype": "float8"}, "there is no dtype 'float8'"),
    ],
)
def test_data_that_are_no_tensor_are_refused(data: Any, options: Any, text: str) -> None:
    with pytest.raises(rax.RaxError) as caught:
        rnp.asarray(data, **options)
    assert caught.value.what == text


def test_a_shape_in_parts_is_taken_for_a_dtype() -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rnp.zeros(2, 3)
    assert caught.value.what == "there is no dtype '3'"
    assert caught.value.fix.endswith("; a shape of several axes is a tuple")


def test_copies_are_refused_where_they_are_due() -> None:
    x = rnp.asarray([1])
    assert rnp.asarray(x, copy=False) is x
    with pytest.raises(ValueError, match="must be copied"):
        rnp.asarray([1], copy=False)
    with pytest.raises(ValueError, match="must be copied into a graph"):
        rnp.from_dlpack(np.ones(2), copy=False)


def test_dlpack() -> None:
    same(rnp.from_dlpack(np.arange(3)), np.arange(3))
    same(rnp.from_dlpack(rnp.arange(3)), np.arange(3))


@pytest.mark.parametrize("name", ["zeros", "ones"])
def test_zeros_and_ones(name: str) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    for shape in [(), 3, (2, 0), (2, 3)]:
        same(ours(shape), numpys(shape, np.float32))
    same(ours(np.int64(2), dtype="int8"), numpys(2, np.int8))
    x = draw((2, 3), "int32")
    same(getattr(rnp, f"{name}_like")(x), numpys((2, 3), np.int32))
    same(getattr(rnp, f"{name}_like")(x, dtype=bool), numpys((2, 3), bool))


def test_empty_and_full() -> None:
    same(rnp.empty((2, 3)), np.zeros((2, 3), np.float32))
    same(rnp.empty_like(np.ones(2)), np.zeros(2))
    same(rnp.full((2,), 1j), np.full(2, 1j, np.complex64))
    same(rnp.full((2, 2), True), np.full((2, 2), True))
    same(rnp.full(2, 7, dtype="uint8"), np.full(2, 7, np.uint8))
    same(rnp.full_like(np.ones(2, np.int8), 3), np.full(2, 3, np.int8))
    same(rnp.full_like(np.ones(2), 3), np.full(2, 3.0))


def test_shapes_may_be_symbolic() -> None:
    assert str(rnp.zeros(("n", "2*n")).value.type) == "float32[n, 2*n]"
    agree_symbolic(lambda x: x + rnp.ones(x.shape), lambda x: x + 1, ("n", "m"))
    agree_symbolic(rnp.ones_like, np.ones_like, ("n",))


@pytest.mark.parametrize(
    "bounds",
    [(5,), (0,), (-2,), (2, 10, 3), (10, 2, -3), (3, 3), (5, 2), (2, 9, 7), (0, 7, 7), (-3, 3)],
)
def test_arange_of_integers(bounds: tuple[int, ...]) -> None:
    same(rnp.arange(*bounds), np.arange(*bounds))
    for dtype in ("int8", "float64", "complex64"):
        same(rnp.arange(*bounds, dtype=dtype), np.arange(*bounds).astype(dtype))


@pytest.mark.parametrize("bounds", [(2.5,), (0, 1, 0.1), (1.0, 0, -0.25), (0, 1, 0.3), (0.5, 0.4)])
def test_arange_of_floats(bounds: tuple[float, ...]) -> None:
    same(rnp.arange(*bounds), np.arange(*bounds).astype(np.float32))
    same(rnp.arange(*bounds, dtype="float64"), np.arange(*bounds))


def test_arange_of_numpys_numbers() -> None:
    one: Any = np.int8(1)
    nine: Any = np.int64(9)
    half: Any = np.float32(2.5)
    same(rnp.arange(nine).numpy(), np.arange(9))
    same(rnp.arange(one, nine, one + one).numpy(), np.arange(1, 9, 2))
    same(rnp.arange(half).numpy(), np.arange(2.5, dtype="float32"))


def test_arange_of_tensors_takes_known_values() -> None:
    size = rnp.asarray(3.0)
    same(rnp.arange(1, size + 1, dtype=size.dtype), np.arange(1, 4).astype(np.float32))
    same(rnp.arange(rnp.asarray(4)), np.arange(4))
    with pytest.raises(UnboundInputError, match="arange needs the value of a tensor int64"):
        rnp.arange(rax.input("n", (), "int64"))


def test_arange_of_symbolic_sizes() -> None:
    n = dims.dim("n")
    agree_symbolic(lambda x: rnp.arange(x.shape[0]), lambda x: np.arange(len(x)), ("n",))
    agree_symbolic(lambda x: rnp.arange(1, x.shape[0], 2), lambda x: np.arange(1, len(x), 2), ("n",))
    agree_symbolic(lambda x: rnp.arange(x.shape[0], -2, -3), lambda x: np.arange(len(x), -2, -3), ("n",))
    agree_symbolic(lambda x: rnp.arange(x.shape[0], 5), lambda x: np.arange(len(x), 5), ("n",))
    with pytest.raises(rax.TypeInferenceError, match="integers beside a symbolic size"):
        rnp.arange(0, n, 0.5)
    with pytest.raises(rax.TypeInferenceError, match="a step other than 0"):
        rnp.arange(0, 3, 0)


@pytest.mark.parametrize("options", [{}, {"endpoint": False}])
@pytest.mark.parametrize("bounds", [(0, 1, 5), (1.5, -2, 4), (3, 3, 2), (0, 1, 1), (0, 1, 0), (1j, 2, 3)])
def test_linspace(bounds: tuple[Any, ...], options: dict[str, Any]) -> None:
    due = np.linspace(*bounds, **options)
    same(rnp.linspace(*bounds, **options), due.astype("complex64" if due.dtype.kind == "c" else "float32"))
    same(rnp.linspace(*bounds, **options, dtype="complex128"), due.astype("complex128"))


@pytest.mark.parametrize("name", ["linspace", "logspace", "geomspace"])
@pytest.mark.parametrize(("num", "endpoint"), [(0, True), (1, True), (1, False), (5, True), (5, False)])
def test_numbers_spaced_between_tensors(name: str, num: int, endpoint: bool) -> None:
    ends = np.array([1.0, 2.0, 3.0]), np.array([[0.5], [7.0]])

    def ours(start: Any, stop: Any) -> Any:
        return getattr(rnp, name)(start, stop, num, endpoint=endpoint)

    def due(start: Any, stop: Any) -> Any:
        return getattr(np, name)(start, stop, num, endpoint=endpoint)

    agree(ours, due, *ends)
    agree(lambda start: ours(start, 4.0), lambda start: due(start, 4.0), ends[0])
    agree_symbolic(lambda x: ours(x / 9 + 2, 5), lambda x: due(x / 9 + 2, 5).astype(x.dtype), ("n", "m"))
    if num > 1:
        differentiable(ours, *ends)


def test_numbers_spaced_of_other_dtypes() -> None:
    corner = np.array([1 + 2j, -3j])
    same(rnp.geomspace(corner, 2 - 4j, 3), np.geomspace(corner, 2 - 4j, 3))
    same(rnp.geomspace(np.array([-2.0]), np.array(-8.0), 3), np.geomspace(np.array([-2.0]), -8.0, 3))
    same(rnp.logspace(0, 2, 3, base=np.array(3.0)), np.logspace(0, 2, 3, base=3.0))
    same(rnp.linspace(np.array([0, 4]), 1, 3), np.linspace([0, 4], 1, 3).astype("float32"))
    same(rnp.linspace(np.float32(0), 1, 3, dtype="float64"), np.linspace(0, 1, 3))
    agree_symbolic(
        lambda x: rnp.linspace(0, x.shape[0], 3), lambda x: np.linspace(0, len(x), 3, dtype="float32"), ("n",)
    )
    for name in ("linspace", "logspace", "geomspace"):
        with pytest.raises(rax.TypeInferenceError, match=f"{name} cannot give -1 numbers"):
            getattr(rnp, name)(1.0, 2.0, -1)
    with pytest.raises(rax.TypeInferenceError, match="geomspace has no 0 among its numbers"):
        rnp.geomspace(0, 2.0)


@pytest.mark.parametrize("k", [-4, -1, 0, 1, 4, 2**70])
def test_eye_and_triangles(k: int) -> None:
    same(rnp.eye(3, 4, k=k), np.eye(3, 4, k, np.float32))
    same(rnp.eye(3, k=k, dtype="int8"), np.eye(3, k=k, dtype=np.int8))
    k = min(k, 9)
    agree(lambda x: (rnp.tril(x, k=k), rnp.triu(x, k=k)), lambda x: (np.tril(x, k), np.triu(x, k)), draw((2, 3, 4)))
    agree_symbolic(lambda x: rnp.tril(x, k=k), lambda x: np.tril(x, k), ("n", "m"))
    agree_symbolic(lambda x: rnp.eye(*x.shape, k=k), lambda x: np.eye(*x.shape, k=k, dtype=np.float32), ("n", "m"))


def test_a_triangle_is_of_a_matrix() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"not of float32\[2\]"):
        rnp.tril(rnp.ones(2))


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_meshgrid(count: int, indexing: Any) -> None:
    vectors = [draw((size,), seed=size) for size in range(2, 2 + count)]
    same(rnp.meshgrid(*vectors, indexing=indexing), list(np.meshgrid(*vectors, indexing=indexing)))


def test_meshgrid_refuses() -> None:
    with pytest.raises(rax.TypeInferenceError, match="'xy' or 'ij', not 'yx'"):
        rnp.meshgrid(np.ones(2), indexing="yx")
    with pytest.raises(rax.TypeInferenceError, match="meshgrid takes vectors"):
        rnp.meshgrid(np.ones((2, 2)))
    agree_symbolic(rnp.meshgrid, lambda x, y: list(np.meshgrid(x, y)), ("n",), ("m",))
