"""Elementwise functions beyond the standard, and comparisons of whole tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.numpy import aliases
from tests.numpy.agree import agree, batches, differentiable, draw, same

INF, NAN = float("inf"), float("nan")
SPECIAL = np.array([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.5, 2.5, 7.0, -8.0])
UNARY = ["cbrt", "exp2", "sinc", "degrees", "radians", "angle", "nan_to_num"]
BINARY = ["fmax", "fmin", "heaviside", "fmod", "logaddexp2", "float_power"]


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_of_one_operand(name: str, dtype: str) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    x = draw((3, 2), dtype)
    due = numpys(x)
    same(ours(x), due.astype("float32") if dtype == "int64" and due.dtype.kind == "f" else due)
    if dtype != "int64":
        special = SPECIAL.astype(dtype)[1 if name == "angle" else 0 :]
        with np.errstate(all="ignore"):
            finite = special if name != "sinc" else special[3:]
            same(ours(finite), numpys(finite))


@pytest.mark.parametrize("name", BINARY)
def test_of_two_operands(name: str) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    agree(ours, numpys, np.abs(draw((3, 2), "float64")), draw((2,), "float64", 1))
    x, y = (SPECIAL[:, None] + np.zeros(len(SPECIAL))), SPECIAL
    with np.errstate(all="ignore"):
        if name == "float_power":
            x = np.abs(x)
        same(ours(x, y), numpys(x, y))


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8"])
def test_integers(dtype: str) -> None:
    x, y = draw((4, 3), dtype), draw((3,), dtype, 1)
    y[y == 0] = 3
    for name in ("fmax", "fmin", "fmod", "divmod", "gcd", "lcm"):
        same(getattr(rnp, name)(x, y), getattr(np, name)(x, y))
    same(rnp.gcd(x, 0), np.gcd(x, 0))
    same(rnp.float_power(np.array([2, 4]), -1), np.array([0.5, 0.25], "float32"))
    with pytest.raises(rax.TypeInferenceError, match="gcd is defined on integers, not on float32"):
        rnp.gcd(1.5, 2)


def test_greatest_common_divisors_in_a_batch() -> None:
    x, y = np.array([[12, 18], [7, 0]]), np.array([[8, 27], [21, 5]])
    same(rax.vmap(rnp.gcd)(x, y), np.gcd(x, y))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_mantissa_and_exponent(dtype: str) -> None:
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.concatenate([SPECIAL[1:], np.array([tiny, 3 * tiny, np.finfo(dtype).max, 4095.999, 0.5, 0.4999999])]).astype(
        dtype
    )
    same(rnp.frexp(x), np.frexp(x))
    same(rnp.frexp(2.0 ** np.arange(-20.0, 20)), np.frexp(2.0 ** np.arange(-20.0, 20)))
    mantissa, exponent = np.frexp(x)
    same(rnp.ldexp(mantissa, exponent), np.ldexp(mantissa, exponent))
    same(rnp.modf(x), np.modf(x))
    with pytest.raises(rax.TypeInferenceError, match="ldexp takes whole powers of 2, not float32"):
        rnp.ldexp(1.0, 2.5)


def test_numbers_in_place_of_nan() -> None:
    same(rnp.nan_to_num(SPECIAL, nan=1, posinf=2, neginf=3), np.nan_to_num(SPECIAL, nan=1, posinf=2, neginf=3))
    parts = np.stack([SPECIAL, SPECIAL[::-1]], -1).view("complex128")
    same(rnp.nan_to_num(parts), np.nan_to_num(parts))
    half = SPECIAL.astype("float16")
    same(rnp.nan_to_num(half), np.nan_to_num(half))


def test_angles() -> None:
    z = draw((5,), "complex128")
    agree(rnp.angle, np.angle, z)
    agree(lambda z: rnp.angle(z, deg=True), lambda z: np.angle(z, deg=True), z)


@pytest.mark.parametrize("equal_nan", [False, True])
def test_closeness(equal_nan: bool) -> None:
    x = np.concatenate([SPECIAL, [1 + 1e-6, 1e-9, 100.001]])
    due = np.isclose(x[:, None], x, equal_nan=equal_nan)
    same(rnp.isclose(x[:, None], x, equal_nan=equal_nan), due)
    same(rnp.isclose(x[:, None], x, 0.5, 0.1), np.isclose(x[:, None], x, 0.5, 0.1))
    same(rnp.allclose(x, x, equal_nan=equal_nan), np.asarray(np.allclose(x, x, equal_nan=equal_nan)))
    same(rnp.array_equal(x, x, equal_nan), np.asarray(np.array_equal(x, x, equal_nan=equal_nan)))
    assert rnp.array_equal(x, x[1:]).item() is False
    assert rnp.array_equiv(np.ones((2, 3)), np.ones(3)).item() is True
    assert rnp.array_equiv(np.ones((2, 3)), np.ones(2)).item() is False


def test_derivatives() -> None:
    x, y = draw((3, 2), "float64"), np.abs(draw((2,), "float64", 1)) + 0.5
    for name in ("cbrt", "exp2", "sinc", "degrees", "radians", "nan_to_num"):
        differentiable(getattr(rnp, name), x)
    for name in ("fmax", "fmin", "fmod", "logaddexp2"):
        differentiable(getattr(rnp, name), x, y)
        batches(getattr(rnp, name), x, y)
    differentiable(rnp.float_power, np.abs(x), y)
    differentiable(lambda x: rnp.ldexp(x, 3), x)
    differentiable(lambda x: rnp.modf(x)[0], x)
    differentiable(lambda x: rnp.frexp(x)[0], x)
    differentiable(rnp.angle, draw((3,), "complex128"))


def test_the_derivatives_of_sinc_at_0() -> None:
    """Its series is ``1 - (pi x)**2 / 6 + (pi x)**4 / 120``."""
    orders: list[Any] = [rnp.sinc]
    for _ in range(4):
        orders.append(rax.grad(orders[-1]))
    due = [1, 0, -(np.pi**2) / 3, 0, np.pi**4 / 5]
    np.testing.assert_allclose([float(order(np.float64(0))) for order in orders], due, atol=1e-12)


def test_nan_beside_a_number_leaves_it_the_derivative() -> None:
    assert rax.grad(lambda x: rnp.fmax(NAN, x))(2.0) == 1
    assert rax.grad(lambda x: rnp.fmin(x, NAN))(2.0) == 1
    assert rax.grad(lambda x: rnp.fmod(x, 3.0))(6.0) == 1


def test_numpys_names_are_the_standards_functions() -> None:
    pairs = {
        "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
        "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "conjugate": "conj", "deg2rad": "radians",
        "invert": "bitwise_invert", "left_shift": "bitwise_left_shift", "mod": "remainder", "power": "pow",
        "rad2deg": "degrees", "right_shift": "bitwise_right_shift", "rint": "round", "true_divide": "divide",
    }  # fmt: skip
    for name, standard in pairs.items():
        assert getattr(aliases, name) is getattr(rnp, standard)
    for name in ("cumsum", "cumprod"):
        for axis in (None, 0, 1):
            x = draw((2, 3), "int32")
            same(getattr(rnp, name)(x, axis), getattr(np, name)(x, axis))


def test_makers_of_tensors() -> None:
    same(rnp.array([[1, 2]], "float64", ndmin=3), np.array([[1, 2]], "float64", ndmin=3))
    same(rnp.identity(2), np.identity(2, "float32"))
    same(rnp.logspace(0, 2, 5, base=2), np.logspace(0, 2, 5, base=2).astype("float32"))
    same(rnp.geomspace(1, 1000, 4, False, "float64"), np.geomspace(1, 1000, 4, False))
    same(rnp.geomspace(1j, 1000j, 4), np.geomspace(1j, 1000j, 4).astype("complex64"))
