"""Dtypes: conversion, limits, kinds and promotion."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.types import DTYPES
from rax.ops.arrays import numpy_dtype
from tests.numpy.agree import draw, same

FLOATS = ["float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
REAL = [name for name in DTYPES if not name.startswith(("complex", "bfloat", "float8"))]


@pytest.mark.parametrize(("start", "end"), [*itertools.product(REAL, REAL)])
def test_astype(start: str, end: str) -> None:
    x = np.abs(draw((4,), "float64")).astype(start)
    same(rnp.astype(x, end), x.astype(end))


def test_astype_of_complex_numbers() -> None:
    same(rnp.astype(draw((2,), "complex64"), "complex128"), draw((2,), "complex64").astype("complex128"))
    same(rnp.astype(np.ones(2), rnp.complex64), np.ones(2, np.complex64))
    with pytest.raises(rax.TypeInferenceError, match="cannot cast complex64 to float32"):
        rnp.astype(1j, "float32")


def test_astype_copies_the_handle() -> None:
    x = rax.input("x", (2,))
    assert rnp.astype(x, "float32") is not x
    assert rnp.astype(x, "float32", copy=False) is x
    with pytest.raises(rax.TypeInferenceError, match="lives on 'cpu'"):
        rnp.astype(x, "float32", device="gpu")


@pytest.mark.parametrize("name", FLOATS)
def test_limits_of_floats(name: str) -> None:
    info = rnp.finfo(name)
    due = ml_dtypes.finfo(numpy_dtype(DTYPES[name]))
    assert (info.bits, info.eps, info.max, info.min, info.smallest_normal) == (
        due.bits, float(due.eps), float(due.max), float(due.min), float(due.smallest_normal)
    )  # fmt: skip
    assert rnp.finfo(rnp.zeros(1, dtype=name)) == info
    assert info.dtype.is_floating


@pytest.mark.parametrize("name", [name for name in DTYPES if "int" in name])
def test_limits_of_integers(name: str) -> None:
    info, due = rnp.iinfo(name), np.iinfo(name)
    assert (info.bits, info.max, info.min, info.dtype.name) == (due.bits, due.max, due.min, name)
    assert rnp.iinfo(np.zeros(1, name)) == info


def test_limits_are_asked_of_their_kind() -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rnp.finfo("int8")
    assert str(caught.value) == "finfo is for floating and complex dtypes, not int8\n  fix: use iinfo"
    with pytest.raises(rax.TypeInferenceError, match="iinfo is for integer dtypes, not bool"):
        rnp.iinfo(rnp.bool)


@pytest.mark.parametrize("kind", ["bool", "signed integer", "unsigned integer", "integral", "real floating",
                                  "complex floating", "numeric"])  # fmt: skip
def test_kinds_are_numpys(kind: str) -> None:
    for name in DTYPES:
        if name != "bfloat16" and "float8" not in name:
            assert rnp.isdtype(name, kind) == np.isdtype(np.dtype(name), kind)
    assert rnp.isdtype(rnp.int8, (rnp.int8, "bool"))
    assert not rnp.isdtype(rnp.int8, rnp.int16)
    with pytest.raises(rax.TypeInferenceError, match="there is no kind of dtype 'float'"):
        rnp.isdtype(rnp.int8, "float")


def test_casting_follows_promotion() -> None:
    assert rnp.can_cast("uint8", "int16")
    assert not rnp.can_cast("int16", "uint8")
    assert not rnp.can_cast("uint64", "int64")
    assert rnp.can_cast(rnp.zeros(1), rnp.complex64)
    assert rnp.can_cast(np.zeros(1, np.int8), "int8")


def test_result_type() -> None:
    assert rnp.result_type("int8", np.zeros(1, np.uint8)) is rnp.int16
    assert rnp.result_type(rnp.zeros(1, dtype="float64"), 1) is rnp.float64
    assert rnp.result_type(rnp.int32, 1.5) is rnp.float32
    with pytest.raises(rax.TypeInferenceError, match="at least one array or dtype"):
        rnp.result_type()


def test_bfloat16_is_a_dtype_like_any() -> None:
    x = rnp.asarray([1, 2.5], dtype="bfloat16")
    assert repr(x * 2) == "Tensor([2, 5], dtype=bfloat16)"
    assert (x + 1.5).dtype is rnp.bfloat16
    assert rnp.mean(x).dtype is rnp.bfloat16
    assert (x + rnp.ones(2, dtype="float16")).dtype is rnp.float32
    same(rnp.astype(rnp.asarray(x.numpy()), "float32"), np.array([1, 2.5], np.float32))
