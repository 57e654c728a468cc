"""Promotion: the standard's lattice for strong operands, and weak Python numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.frontend.promotion import promote_operands
from rax.ir import dims
from rax.ir.types import DTYPES, DType

STANDARD = [name for name in DTYPES if name not in ("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16")]


def met(*operands: object) -> DType:
    (dtype,) = {value.dtype for value in promote_operands(*operands)}
    return dtype


@pytest.mark.parametrize(("first", "second"), [*itertools.product(STANDARD, STANDARD)])
def test_strong_operands_meet_as_in_numpy_within_a_kind(first: str, second: str) -> None:
    left, right = rnp.zeros(2, dtype=first), np.zeros(2, second)
    kinds = {DTYPES[first].kind, DTYPES[second].kind}
    if {first, second} in ({"uint64", name} for name in ("int8", "int16", "int32", "int64")):
        with pytest.raises(rax.TypeInferenceError, match="no common integer dtype"):
            met(left, right)
    elif kinds <= {"bool", "int", "uint"} or kinds <= {"float", "complex"}:
        assert met(left, right).name == np.result_type(np.dtype(first), np.dtype(second)).name
    else:
        wider = next(dtype for dtype in (DTYPES[first], DTYPES[second]) if dtype.is_inexact)
        assert met(left, right) is wider


@pytest.mark.parametrize("dtype", STANDARD)
def test_numbers_take_the_dtype_they_meet(dtype: str) -> None:
    x = rnp.zeros(2, dtype=dtype)
    kind = DTYPES[dtype].kind
    assert met(x, True) is x.dtype
    assert met(x, 1) is (rnp.int64 if kind == "bool" else x.dtype)
    assert met(1.5, x) is (x.dtype if kind in ("float", "complex") else rnp.float32)
    due = {"float64": rnp.complex128, "complex64": rnp.complex64, "complex128": rnp.complex128}
    assert met(x, 1j) is due.get(dtype, rnp.complex64)


def test_numbers_among_themselves_have_default_dtypes() -> None:
    assert [met(number) for number in (True, 1, 1.5, 1j)] == [rnp.bool, rnp.int64, rnp.float32, rnp.complex64]
    assert met(1, 2.5) is rnp.float32
    assert met(True, 2) is rnp.int64


def test_numpys_scalars_are_strong() -> None:
    assert met(rnp.zeros(2), np.float64(1)) is rnp.float64
    assert met(rnp.zeros(2, dtype="int8"), np.int16(1)) is rnp.int16


def test_a_symbolic_size_is_weak() -> None:
    size = dims.dim("n")
    assert met(size) is rnp.int64
    assert met(size, rnp.zeros(2, dtype="int8")) is rnp.int8
    assert met(size, rnp.zeros(2)) is rnp.float32


def test_the_limits_of_a_dtype_fit_it() -> None:
    for name in ("int8", "int64", "uint8", "uint64"):
        info = rnp.iinfo(name)
        x = rnp.zeros(1, dtype=name)
        assert (x + info.max).tolist() == [info.max]
        assert (x + info.min).tolist() == [info.min]
        with pytest.raises(rax.TypeInferenceError, match=f"{info.max + 1} does not fit {name}"):
            _ = x + (info.max + 1)
        with pytest.raises(rax.TypeInferenceError, match=f"{info.min - 1} does not fit {name}"):
            _ = x + (info.min - 1)
