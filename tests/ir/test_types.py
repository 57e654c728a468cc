"""Dtypes, promotion and broadcasting: the array API's published tables, and NumPy where it agrees with them."""

from __future__ import annotations

import copy
import itertools
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from rax.ir import dims, types
from rax.ir.errors import TypeInferenceError
from rax.ir.types import DTYPES, DType, TensorType, as_dtype, broadcast_shapes, promote, tensor_type

# The array API standard 2024.12, "Type promotion rules": rows and columns in the order given there.
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INEXACT = ("float32", "float64", "complex64", "complex128")
SIGNED_TABLE = """
int8 int16 int32 int64
int16 int16 int32 int64
int32 int32 int32 int64
int64 int64 int64 int64
"""
UNSIGNED_TABLE = """
uint8 uint16 uint32 uint64
uint16 uint16 uint32 uint64
uint32 uint32 uint32 uint64
uint64 uint64 uint64 uint64
"""
MIXED_TABLE = """
int16 int32 int64
int16 int32 int64
int32 int32 int64
int64 int64 int64
"""
INEXACT_TABLE = """
float32 float64 complex64 complex128
float64 float64 complex128 complex128
complex64 complex128 complex64 complex128
complex128 complex128 complex128 complex128
"""


def rows(table: str, left: tuple[str, ...], right: tuple[str, ...]) -> list[tuple[str, str, str]]:
    cells = [line.split() for line in table.strip().splitlines()]
    return [
        (a, b, cells[i][j])
        for (i, a), (j, b) in itertools.product(enumerate(left), enumerate(right))
    ]  # fmt: skip


FROM_ML_DTYPES = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
PUBLISHED = [
    *rows(SIGNED_TABLE, SIGNED, SIGNED),
    *rows(UNSIGNED_TABLE, UNSIGNED, UNSIGNED),
    *rows(MIXED_TABLE, SIGNED, UNSIGNED[:3]),
    *rows(INEXACT_TABLE, INEXACT, INEXACT),
    ("bool", "bool", "bool"),
]


@pytest.mark.parametrize(("first", "second", "expected"), PUBLISHED)
def test_promotion_is_the_array_apis(first: str, second: str, expected: str) -> None:
    assert promote(DTYPES[first], DTYPES[second]).name == expected
    assert promote(DTYPES[second], DTYPES[first]).name == expected
    assert np.promote_types(first, second).name == expected


@pytest.mark.parametrize("number", [name for name in DTYPES if name not in ("bool", *FROM_ML_DTYPES)])
def test_a_bool_meets_a_number_as_in_numpy(number: str) -> None:
    assert promote(types.bool_, DTYPES[number]).name == np.promote_types("bool", number).name == number


@pytest.mark.parametrize("integer", SIGNED + UNSIGNED)
@pytest.mark.parametrize("inexact", ["float16", "bfloat16", *INEXACT])
def test_an_integer_meets_an_inexact_dtype_in_that_dtype(integer: str, inexact: str) -> None:
    assert promote(DTYPES[integer], DTYPES[inexact]) is promote(DTYPES[inexact], DTYPES[integer]) is DTYPES[inexact]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("float16", "float32", "float32"),
        ("bfloat16", "float32", "float32"),
        ("bfloat16", "float16", "float32"),
        ("float16", "float64", "float64"),
        ("float16", "complex64", "complex64"),
        ("bfloat16", "complex64", "complex64"),
        ("float64", "complex64", "complex128"),
    ],
)
def test_half_precision_promotes(first: str, second: str, expected: str) -> None:
    assert promote(DTYPES[first], DTYPES[second]) is promote(DTYPES[second], DTYPES[first]) is DTYPES[expected]


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_meets_nothing_but_itself(name: str) -> None:
    stored = DTYPES[name]
    assert promote(stored, stored) is stored
    for other in DTYPES.values():
        if other is not stored:
            for pair in ((stored, other), (other, stored)):
                with pytest.raises(TypeInferenceError) as caught:
                    promote(*pair)
                assert str(caught.value) == (
                    f"{pair[0]} and {pair[1]} have no common dtype\n  fix: cast one side with astype"
                )


@pytest.mark.parametrize("signed", SIGNED)
def test_uint64_has_no_signed_partner(signed: str) -> None:
    for pair in ((DTYPES[signed], types.uint64), (types.uint64, DTYPES[signed])):
        with pytest.raises(TypeInferenceError) as caught:
            promote(*pair)
        assert str(caught.value) == (
            f"uint64 and {signed} have no common integer dtype\n  fix: cast one side with astype"
        )


def test_promotion_is_a_join() -> None:
    """Idempotent, commutative, associative wherever every step is defined, and never loses a kind."""
    order = ("bool", "uint", "int", "float", "complex")

    def join(a: DType | None, b: DType | None) -> DType | None:
        try:
            return None if a is None or b is None else promote(a, b)
        except TypeInferenceError:
            return None

    for a, b, c in itertools.product(DTYPES.values(), repeat=3):
        left, right = join(join(a, b), c), join(a, join(b, c))
        assert left is right or left is None or right is None or "uint64" in (a.name, b.name, c.name), (a, b, c)
        assert join(a, a) is a
        assert join(a, b) is join(b, a)
        both = join(a, b)
        assert both is None or order.index(both.kind) >= max(order.index(a.kind), order.index(b.kind))


@pytest.mark.parametrize("name", [name for name in DTYPES if name not in FROM_ML_DTYPES])
def test_dtypes_are_numpys(name: str) -> None:
    dtype, theirs = DTYPES[name], np.dtype(name)
    assert dtype.itemsize == theirs.itemsize
    assert {"bool": "b", "int": "i", "uint": "u", "float": "f", "complex": "c"}[dtype.kind] == theirs.kind
    for spelling in (name, theirs, theirs.type, dtype):
        assert as_dtype(spelling) is dtype
    assert types.real_dtype(dtype).name == np.real(np.zeros((), theirs)).dtype.name


def test_other_spellings_of_dtypes() -> None:
    for name in FROM_ML_DTYPES:
        theirs = getattr(ml_dtypes, name)
        assert as_dtype(theirs) is as_dtype(np.dtype(theirs)) is getattr(types, name)
    assert [as_dtype(python).name for python in (bool, int, float, complex)] == [
        "bool", "int64", "float32", "complex64",
    ]  # fmt: skip
    assert as_dtype(np.dtype(">f4")) is types.float32


@pytest.mark.parametrize("wrong", ["float33", "", object(), 3, np.dtype("datetime64[s]"), np.dtype("S3"), str])
def test_what_is_no_dtype(wrong: object) -> None:
    with pytest.raises(TypeInferenceError, match="there is no dtype") as caught:
        as_dtype(wrong)
    assert caught.value.fix.startswith("use one of bool, int8, int16")


def test_complex_dtypes_hold_their_parts() -> None:
    assert [types.complex_dtype(dtype).name for dtype in (types.float32, types.float64, types.complex64)] == [
        "complex64", "complex128", "complex64",
    ]  # fmt: skip
    assert types.float16.is_floating
    assert not types.complex64.is_floating
    assert types.complex64.is_inexact
    assert not types.int8.is_inexact


def test_dtypes_stay_single_objects() -> None:
    for dtype in DTYPES.values():
        assert pickle.loads(pickle.dumps(dtype)) is copy.deepcopy(dtype) is dtype


@given(mutually_broadcastable_shapes(num_shapes=3, min_side=0))
def test_broadcasting_is_numpys(drawn: object) -> None:
    shapes: tuple[tuple[int, ...], ...] = drawn.input_shapes  # pyright: ignore[reportAttributeAccessIssue]
    assert broadcast_shapes(*shapes) == np.broadcast_shapes(*shapes)


@given(st.lists(st.lists(st.integers(0, 3), max_size=3).map(tuple), max_size=3))
def test_broadcasting_fails_where_numpys_does(shapes: list[tuple[int, ...]]) -> None:
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(TypeInferenceError, match="do not broadcast"):
            broadcast_shapes(*shapes)
    else:
        assert broadcast_shapes(*shapes) == expected


named = st.sampled_from([1, 2, 3, dims.dim("n"), dims.dim("m"), dims.dim("n + 1")])


@given(
    st.lists(st.lists(named, max_size=3).map(tuple), min_size=1, max_size=3),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_symbolic_broadcasting_holds_for_every_value(shapes: list[dims.Shape], n: int, m: int) -> None:
    try:
        result = broadcast_shapes(*shapes)
    except TypeInferenceError:
        return  # not provable
    env = {"n": n, "m": m}

    def numbers(shape: dims.Shape) -> tuple[int, ...]:
        return tuple(dims.evaluate(size, env) for size in shape)

    assert np.broadcast_shapes(*map(numbers, shapes)) == numbers(result)


def test_broadcasting_says_what_does_not_fit() -> None:
    n, m = dims.dim("n"), dims.dim("m")
    with pytest.raises(TypeInferenceError) as caught:
        broadcast_shapes((n, 3), (m, 3))
    assert str(caught.value) == (
        "shapes [n, 3] and [m, 3] do not broadcast: n against m on axis -2\n"
        "  fix: make the sizes equal, or one of them 1"
    )


def test_tensor_types() -> None:
    kind = tensor_type(("batch", 3), "float64")
    assert str(kind) == repr(kind) == "float64[batch, 3]"
    assert (kind.ndim, str(kind.size), str(kind.nbytes)) == (2, "3*batch", "24*batch")
    assert kind == TensorType(types.float64, (dims.dim("batch"), 3))
    assert hash(kind) == hash(tensor_type(("batch", 3), np.float64))
    assert kind.with_shape((2,)) == tensor_type(2, float).with_dtype(types.float64)
    assert str(tensor_type(())) == "float32[]"
    assert tensor_type(()).size == 1
    assert pickle.loads(pickle.dumps(kind)) == kind


@given(st.integers(-5, 5), st.integers(0, 4))
def test_axes_count_as_in_numpy(axis: int, ndim: int) -> None:
    if -ndim <= axis < ndim:
        assert types.normalize_axis(axis, ndim) == range(ndim)[axis]
    else:
        with pytest.raises(TypeInferenceError, match=f"axis {axis} is out of range for a tensor with {ndim} axes"):
            types.normalize_axis(axis, ndim)
