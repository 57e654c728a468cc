"""Elementwise functions, compared with NumPy's; what each operation computes is tested on the operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, draw, same
from tests.numpy.test_namespace import BINARY, UNARY

TRUTHS = ("logical_and", "logical_or", "logical_xor", "logical_not")
BITS = tuple(name for name in (*UNARY, *BINARY) if name.startswith("bitwise"))
FLOATS_ONLY = ("atan2", "copysign", "hypot", "logaddexp", "nextafter", "signbit")
DOMAIN: dict[str, Any] = {
    "acos": np.tanh, "asin": np.tanh, "atanh": np.tanh, "acosh": lambda x: np.abs(x) + 1,
    **dict.fromkeys(("log", "log2", "log10", "log1p", "sqrt"), np.abs),
}  # fmt: skip


def numpys(name: str) -> Any:
    return getattr(np, name)


@pytest.mark.parametrize("name", [name for name in UNARY if name not in BITS])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_floats(name: str, dtype: str) -> None:
    x = DOMAIN.get(name, lambda x: x)(draw((2, 3), dtype))
    agree(getattr(rnp, name), numpys(name), x)


@pytest.mark.parametrize("name", [name for name in BINARY if name not in BITS])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_two_floats(name: str, dtype: str) -> None:
    x = np.abs(draw((2, 3), dtype)) if name == "pow" else draw((2, 3), dtype)
    agree(getattr(rnp, name), numpys(name), x, draw((3,), dtype, 1))


@pytest.mark.parametrize("name", [name for name in UNARY if name not in FLOATS_ONLY])
@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_functions_of_integers_give_integers_or_float32(name: str, dtype: str) -> None:
    x = np.array([1, 2, 5], dtype) if name != "atanh" else np.zeros(2, dtype)
    x = np.ones(2, dtype) if name in ("acos", "asin") else x
    due = numpys(name)(x.astype("float32") if name == "reciprocal" else x)
    got = rnp.asarray(getattr(rnp, name)(x))
    same(got, due.astype("float32") if due.dtype.kind == "f" else due)


@pytest.mark.parametrize("name", [name for name in BINARY if name not in FLOATS_ONLY])
def test_functions_of_two_integers(name: str) -> None:
    x, y = np.array([7, -7, 3, 0], np.int32), np.array([2, 3, 1, 5], np.int32)
    due = numpys(name)(x, y)
    same(getattr(rnp, name)(x, y), due.astype("float32") if name == "divide" else due)


@pytest.mark.parametrize("name", [*BITS, *TRUTHS, "equal", "not_equal", "isnan", "isfinite"])
def test_functions_of_bools(name: str) -> None:
    x, y = draw((4,), "bool"), draw((4,), "bool", 1)
    operands = (x,) if name in UNARY else (x, y)
    if "shift" in name:
        operands = tuple(operand.astype("int64") for operand in operands)
    same(getattr(rnp, name)(*operands), numpys(name)(*operands))


@pytest.mark.parametrize("name", TRUTHS)
def test_numbers_are_true_unless_zero(name: str) -> None:
    x, y = np.array([0.0, 2.0, np.nan, -0.0]), np.array([1, 0, 0, 0])
    operands = (x,) if name in UNARY else (x, y)
    same(getattr(rnp, name)(*operands), numpys(name)(*operands))


@pytest.mark.parametrize("name", ["abs", "conj", "real", "imag", "exp", "negative", "reciprocal", "sqrt", "square"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_functions_of_complex_numbers(name: str, dtype: str) -> None:
    agree(getattr(rnp, name), numpys(name), draw((3,), dtype))


def test_parts_of_real_numbers() -> None:
    for name in ("real", "imag", "conj", "positive"):
        agree(getattr(rnp, name), numpys(name), draw((3,)))
        agree(getattr(rnp, name), numpys(name), draw((3,), "int8"))


@pytest.mark.parametrize("bounds", [(-1, 1), (None, 0.5), (-2, None), (None, None), (1, -1)])
def test_clip(bounds: tuple[Any, Any]) -> None:
    x = np.append(draw((2, 3)), [[np.nan, 0, -0.0]], axis=0).astype(np.float32)
    same(rnp.clip(x, *bounds), x if bounds == (None, None) else np.clip(x, *bounds))
    same(rnp.clip(np.arange(-3, 3), min=-1, max=1), np.clip(np.arange(-3, 3), -1, 1))
    agree(lambda x, low: rnp.clip(x, low, max=2), lambda x, low: np.clip(x, low, 2), x, draw((3,), seed=1))


def test_operands_are_promoted_and_broadcast() -> None:
    same(rnp.add(np.ones((2, 1), np.int8), np.ones(3, np.uint8)), np.full((2, 3), 2, np.int16))
    same(rnp.multiply(np.ones(2, np.float32), 2.5), np.full(2, 2.5, np.float32))
    same(rnp.maximum(1, np.zeros(2, np.float64)), np.ones(2))
    agree_symbolic(rnp.hypot, np.hypot, ("n", 1), ("m",))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(rax.TypeInferenceError, match="bitwise_and is not defined on float32"):
        rnp.bitwise_and(rnp.ones(2), rnp.ones(2))
    with pytest.raises(rax.TypeInferenceError, match="do not broadcast: 2 against 3"):
        rnp.add(rnp.ones(2), rnp.ones(3))
    with pytest.raises(rax.TypeInferenceError, match="floor is not defined on complex64"):
        rnp.floor(1j)
