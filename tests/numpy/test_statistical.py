"""Statistical and utility functions, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, draw, same

AXES = [None, 0, -1, (0, 2), (), (2, -3)]
REDUCTIONS = ["sum", "prod", "max", "min", "mean", "var", "std", "all", "any", "count_nonzero"]


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name: str, axis: Any, keepdims: bool) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    options = {"axis": axis, "keepdims": keepdims}
    agree(lambda x: ours(x, **options), lambda x: numpys(x, **options), draw((2, 3, 2)))


@pytest.mark.parametrize("name", [*REDUCTIONS])
@pytest.mark.parametrize("axis", [0, 1, None], ids=str)
def test_reductions_over_symbolic_and_empty_axes(name: str, axis: Any) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    sizes: list[dict[str, int]] = [{"n": 3, "m": 2}, {"n": 1, "m": 4}]
    if name in ("sum", "prod", "all", "any", "count_nonzero"):
        sizes.append({"n": 0, "m": 2})
    agree_symbolic(lambda x: ours(x, axis=axis), lambda x: numpys(x, axis=axis), ("n", "m"), sizes=sizes)


def test_the_mean_of_nothing_is_nan() -> None:
    for function in (rnp.mean, rnp.var, rnp.std):
        assert rnp.isnan(function(rnp.zeros(0))).item() is True
    with pytest.raises(rax.TypeInferenceError, match="max of no elements is not defined"):
        rnp.max(rnp.zeros(0))


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int32", "uint8", "uint32", "uint64", "float16", "float32", "complex64"]
)
@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_integers_are_summed_in_the_widest_dtype(name: str, dtype: str) -> None:
    x = draw((4,), dtype)
    same(getattr(rnp, name)(x), getattr(np, name)(x))
    same(getattr(rnp, name)(x, dtype="complex128"), getattr(np, name)(x, dtype="complex128"))


@pytest.mark.parametrize("name", ["max", "min", "mean", "var", "std", "all", "any", "count_nonzero"])
@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8"])
def test_reductions_of_integers(name: str, dtype: str) -> None:
    x = draw((3, 2), dtype)
    due = getattr(np, name)(x, axis=0)
    same(getattr(rnp, name)(x, axis=0), due.astype("float32") if due.dtype.kind == "f" else due)


@pytest.mark.parametrize("correction", [0, 1, 0.5])
@pytest.mark.parametrize("name", ["var", "std"])
def test_correction(name: str, correction: float) -> None:
    x = draw((4, 3))
    due = getattr(np, name)(x, axis=0, correction=correction)
    same(getattr(rnp, name)(x, axis=0, correction=correction), due)


def test_means_of_complex_numbers() -> None:
    agree(rnp.mean, np.mean, draw((3,), "complex64"))


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("initial", [False, True])
def test_running_sums(name: str, initial: bool) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    options = {"axis": -1, "include_initial": initial}
    agree(lambda x: ours(x, **options), lambda x: numpys(x, **options), draw((2, 3)))
    options["axis"] = 0
    agree_symbolic(lambda x: ours(x, **options), lambda x: numpys(x, **options), ("n", 2))
    with pytest.raises(rax.TypeInferenceError, match=f"{name} needs an axis for float32"):
        ours(rnp.ones((2, 2)))


@pytest.mark.parametrize(
    ("axis", "text"),
    [(2, "axis 2 is out of range for a tensor with 2 axes"), ((0, -2), "the same axis is given twice: (0, -2)")],
)
def test_axes_must_name_axes(axis: Any, text: str) -> None:
    with pytest.raises((rax.OutOfRangeError, rax.ShapeError)) as caught:
        rnp.sum(rnp.ones((2, 2)), axis=axis)
    assert caught.value.what == text


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("axis", [0, -1])
def test_diff(n: int, axis: int) -> None:
    agree(lambda x: rnp.diff(x, n=n, axis=axis), lambda x: np.diff(x, n=n, axis=axis), draw((4, 3)))
    agree_symbolic(lambda x: rnp.diff(x, n=n, axis=axis), lambda x: np.diff(x, n=n, axis=axis), ("n", "m"))


def test_diff_with_ends() -> None:
    x, ends = draw((2, 3)), np.zeros((2, 1), np.float32)
    same(rnp.diff(x, prepend=ends, append=ends + 1), np.diff(x, prepend=ends, append=ends + 1))
    same(rnp.diff(x, axis=0, prepend=5, append=2), np.diff(x, axis=0, prepend=np.float32(5), append=np.float32(2)))
    same(rnp.diff(np.array([True, False, False])), np.diff(np.array([True, False, False])))
    with pytest.raises(rax.TypeInferenceError, match="diff cannot be taken -1 times"):
        rnp.diff(x, n=-1)
