"""Medians, quantiles and the largest few, compared with NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, batches, differentiable, draw, same

CONTINUOUS = ["linear", "hazen", "weibull", "median_unbiased", "normal_unbiased", "interpolated_inverted_cdf"]
DISCRETE = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "lower", "higher", "midpoint", "nearest",
]  # fmt: skip
NAN = float("nan")
INF = float("inf")
AXES: list[Any] = [None, 0, -1, (0, 2)]


@pytest.fixture(autouse=True)
def numpy_is_quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def with_nan() -> np.ndarray[Any, Any]:
    x = draw((4, 5, 3), "float64")
    x[0, 0, 0] = x[2, 3, 1] = NAN
    x[:, 1, 1] = NAN
    x[2, 3] = NAN
    return x


@pytest.mark.parametrize("method", [*CONTINUOUS, *DISCRETE])
def test_every_method_is_numpys(method: str) -> None:
    for size in (1, 2, 5, 8):
        x = draw((size, 3), "float64")
        for q in (0.0, 0.3, 0.5, 1.0, np.array([[0.1, 0.25], [0.75, 1.0]])):
            same(rnp.quantile(x, q, 0, method=method), np.quantile(x, q, axis=0, method=method))  # pyright: ignore[reportCallIssue, reportArgumentType]  # any method


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes(axis: Any, keepdims: bool) -> None:
    for x in (draw((4, 5, 3), "float64"), with_nan()):
        for name in ("quantile", "nanquantile"):
            ours, numpys = getattr(rnp, name), getattr(np, name)
            for q in (0.5, [0.1, 0.9]):
                due = numpys(x, q, axis=axis, keepdims=keepdims)
                same(ours(x, q, axis, keepdims=keepdims), due)
        for name in ("median", "nanmedian"):
            ours, numpys = getattr(rnp, name), getattr(np, name)
            same(ours(x, axis, keepdims=keepdims), numpys(x, axis=axis, keepdims=keepdims))


def test_percentiles_are_of_a_hundred() -> None:
    x = draw((7,), "float64")
    for name in ("percentile", "nanpercentile"):
        ours, numpys = getattr(rnp, name), getattr(np, name)
        agree(lambda x, f=ours: f(x, [10, 50.0]), lambda x, f=numpys: f(x, [10, 50.0]), x)
        same(ours(x, 20), numpys(x, 20))


@pytest.mark.parametrize("dtype", ["int32", "bool", "uint8", "float32", "float16"])
def test_dtypes(dtype: str) -> None:
    x = draw((6,), dtype)
    due = np.median(x.astype("float64")).astype(dtype if dtype.startswith("float") else "float32")
    same(rnp.median(x), due)


def test_infinite_elements_give_no_needless_nan() -> None:
    for x, due in (
        ([INF, INF, 1.0], INF), ([INF, 1.0], INF), ([-INF, -INF], -INF), ([-INF, -INF, 1.0, INF], -INF),
    ):  # fmt: skip
        assert rnp.quantile(np.array(x), 0.5).item() == due
    assert rnp.median(np.array([-INF, 2.0, INF])).item() == 2.0


@pytest.mark.parametrize("method", CONTINUOUS)
def test_derivatives_by_elements_and_by_q(method: str) -> None:
    x = draw((5, 2), "float64")
    differentiable(lambda x, q: rnp.quantile(x, q, 0, method=method), x, np.array([0.33, 0.61]))


def test_derivatives() -> None:
    x = draw((2, 4), "float64")
    for method in DISCRETE:
        differentiable(lambda x, m=method: rnp.quantile(x, 0.4, 1, method=m), x)
    differentiable(lambda x: rnp.median(x), x)
    differentiable(lambda x: rnp.median(x, 0), draw((3, 2), "float64"))
    differentiable(lambda x: rnp.top_k(x, 2)[0], x)
    differentiable(lambda x: rnp.ptp(x, 1), x)


def test_the_derivative_by_q_at_an_element_is_the_slope_behind_it() -> None:
    x = np.array([1.0, 2.0, 5.0])
    assert rax.grad(lambda q: rnp.quantile(rnp.asarray(x), q))(0.5) == pytest.approx(6.0)


def test_nan_has_no_part_in_the_derivative() -> None:
    x = with_nan()
    slope = rax.grad(lambda x: rnp.nansum(rnp.nanmedian(x, 0)))(x)
    assert np.isfinite(slope).all()
    assert not slope[np.isnan(x)].any()


def test_symbolic_sizes_and_batches() -> None:
    sizes: list[dict[str, int]] = [{"n": 3, "m": 2}, {"n": 1, "m": 4}, {"n": 6, "m": 1}]
    for name in ("median", "nanmedian", "ptp"):
        ours, numpys = getattr(rnp, name), getattr(np, name)
        agree_symbolic(
            lambda x, f=ours: f(x, 0), lambda x, f=numpys: f(x, axis=0), ("n", "m"), dtype="float64", sizes=sizes
        )
        batches(lambda x, f=ours: f(x, 0), draw((3, 2), "float64"))
    agree_symbolic(lambda x: rnp.quantile(x, [0.2, 0.9]), lambda x: np.quantile(x, [0.2, 0.9]), ("n", "m"),
                   dtype="float64", sizes=sizes)  # fmt: skip
    batches(lambda x, q: rnp.quantile(x, q), draw((4,), "float64"), np.array([0.1, 0.4]))


@pytest.mark.parametrize("mode", ["largest", "smallest"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
def test_top_k_is_the_head_of_a_stable_sort(mode: str, dtype: str) -> None:
    x = draw((3, 6), dtype)
    x[0, :3] = x[0, 3]
    keys = x.astype("float64") * (-1 if mode == "largest" else 1)
    order = np.argsort(keys, axis=1, kind="stable")[:, :4]
    same(rnp.top_k(x, 4, mode=mode), (np.take_along_axis(x, order, 1), order))
    same(rnp.top_k(x.T, 4, axis=0, mode=mode)[1], order.T)
    batches(lambda x: rnp.top_k(x, 2), draw((4,), "float64"))


def test_what_does_not_fit_is_refused() -> None:
    x = draw((3,))
    with pytest.raises(rax.RaxError, match="quantile takes parts from 0 to 1"):
        rnp.quantile(x, 1.5)
    with pytest.raises(rax.RaxError, match="percentile takes parts from 0 to 100"):
        rnp.percentile(x, 101)
    with pytest.raises(rax.RaxError, match=r"quantile's method is one of averaged_inverted_cdf, .* not 'best'"):
        rnp.quantile(x, 0.5, method="best")
    with pytest.raises(rax.TypeInferenceError, match=r"median of no elements is not defined: float32\[0\] has none"):
        rnp.median(np.zeros(0, "float32"))
    with pytest.raises(rax.TypeInferenceError, match=r"top_k takes from 0 to 3 elements of float32\[3\], not 4"):
        rnp.top_k(x, 4)
    with pytest.raises(rax.TypeInferenceError, match="top_k's mode is 'largest' or 'smallest', not 'best'"):
        rnp.top_k(x, 1, mode="best")
