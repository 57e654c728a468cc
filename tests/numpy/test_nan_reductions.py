"""Reductions that pass over NaN, compared with NumPy's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ops.arrays import Array
from tests.numpy.agree import agree_symbolic, batches, differentiable, draw, same

REDUCTIONS = ["nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin"]
NAN = float("nan")


@pytest.fixture(autouse=True)
def numpy_is_quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def with_nan(dtype: str = "float64") -> Array:
    x = draw((3, 4, 2), dtype)
    x[0, 1] = NAN
    x[:, 2, 0] = NAN
    return x


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_reductions(name: str, dtype: str) -> None:
    x = with_nan(dtype) if dtype != "int64" else draw((3, 4, 2), dtype)
    axes: list[Any] = [None, 0, -1, (0, 2)]
    for axis in axes:
        for keepdims in (False, True):
            due = getattr(np, name)(x, axis=axis, keepdims=keepdims)
            due = due.astype("float32") if x.dtype.kind == "i" and due.dtype.kind == "f" else due
            same(getattr(rnp, name)(x, axis, keepdims=keepdims), due)


@pytest.mark.parametrize("name", ["nansum", "nanprod", "nanmean", "nanvar", "nanstd"])
def test_complex_numbers(name: str) -> None:
    x = draw((3, 2), "complex128")
    x[0, 1] = complex(0, NAN)
    same(getattr(rnp, name)(x, 0), getattr(np, name)(x, axis=0))


@pytest.mark.parametrize("name", ["nancumsum", "nancumprod"])
def test_running(name: str) -> None:
    for axis in (None, 0, 1, -1):
        same(getattr(rnp, name)(with_nan(), axis), getattr(np, name)(with_nan(), axis=axis))
    same(getattr(rnp, name)(draw((3,), "int8")), getattr(np, name)(draw((3,), "int8")))


@pytest.mark.parametrize("name", ["nanargmax", "nanargmin"])
def test_positions(name: str) -> None:
    x = with_nan()
    x[0, 0, 0] = -np.inf
    x[1, 3, 1] = np.inf
    same(getattr(rnp, name)(x), getattr(np, name)(x))
    same(getattr(rnp, name)(x, 2, keepdims=True)[1], getattr(np, name)(x[1:], axis=2, keepdims=True)[0])
    line = np.array([NAN, -np.inf, np.inf, NAN])
    assert getattr(rnp, name)(line).item() == getattr(np, name)(line)
    assert getattr(rnp, name)(np.array([NAN, NAN])).item() == -1


def test_degrees_of_freedom_and_dtype() -> None:
    x = with_nan()
    same(rnp.nanvar(x, 0, ddof=1), np.nanvar(x, axis=0, ddof=1))
    same(rnp.nanstd(x, 0, ddof=5), np.nanstd(x, axis=0, ddof=5))
    same(rnp.nanmean(x.astype("float32"), 0, "float64"), np.nanmean(x.astype("float32"), axis=0, dtype="float64"))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_derivatives(name: str) -> None:
    differentiable(lambda x: getattr(rnp, name)(x, 0), draw((4, 3), "float64"))

    def masked(x: Any) -> Any:
        return rnp.nansum(getattr(rnp, name)(rnp.where(np.isnan(with_nan()), NAN, x), 0))

    slope = rax.grad(masked)(draw((3, 4, 2), "float64"))
    assert np.isfinite(slope).all()
    assert not slope[np.isnan(with_nan())].any()


def test_the_spread_of_equal_numbers_has_the_derivative_zero() -> None:
    assert not rax.grad(lambda x: rnp.nanstd(x))(np.array([2.0, 2.0, NAN])).any()


@pytest.mark.parametrize("name", REDUCTIONS)
def test_symbolic_sizes_and_batches(name: str) -> None:
    function, due = (lambda x: getattr(rnp, name)(x, 0)), (lambda x: getattr(np, name)(x, axis=0))
    sizes: list[dict[str, int]] = [{"n": 3, "m": 2}, {"n": 1, "m": 4}]
    agree_symbolic(function, due, ("n", "m"), dtype="float64", sizes=sizes)
    batches(function, draw((3, 2), "float64"))
