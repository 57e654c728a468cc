"""Special functions against SciPy, at their ends and poles, and their derivatives where rules are delicate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special as scipy

import rax
import rax.numpy as rnp
from rax import special

Function = Callable[..., Any]
Grid = tuple[np.ndarray, ...]

RNG = np.random.default_rng(20)
LINE = np.concatenate([np.linspace(-26, 26, 1041), np.logspace(-300, 1, 302), -np.logspace(-300, 1, 302)])
CHANCES = np.concatenate([np.linspace(0.001, 0.999, 501), np.logspace(-300, -1, 300), 1 - np.logspace(-15, -1, 100)])
POSITIVE = np.concatenate([np.logspace(-10, 10, 501), np.linspace(0.01, 20, 1000)])
BOTH_SIDES = np.concatenate([POSITIVE, np.linspace(-19.97, -0.03, 500)])
NEAR_ROOTS = np.concatenate([1 + np.linspace(-0.2, 0.2, 100), 2 + np.linspace(-0.2, 0.2, 100)])


def spread(low: float, high: float, count: int = 600) -> np.ndarray:
    """Numbers whose logarithms are even between two."""
    return np.exp(RNG.uniform(math.log(low), math.log(high), count))


def gamma_pairs() -> Grid:
    """Shapes, and points from deep in one tail of the distribution to deep in the other."""
    a = spread(1e-2, 1e4, 1500)
    return a, a * np.exp(RNG.normal(size=a.size) * 2 / np.sqrt(np.minimum(a, 100)))


def beta_triples() -> Grid:
    a, b = spread(5e-2, 2e3, 1500), spread(5e-2, 2e3, 1500)
    width = 2 / np.sqrt(np.minimum(np.minimum(a, b), 100))
    return a, b, scipy.expit(np.log(a / b) + RNG.normal(size=a.size) * width)


# Name, operands, relative tolerance: SciPy's own errors are behind the larger ones.
AGREE: dict[str, tuple[Grid, float]] = {
    "erf": ((LINE,), 1e-15),
    "erfc": ((LINE,), 1e-13),
    "erfcx": ((LINE[LINE > -5],), 5e-15),
    "erfinv": ((2 * CHANCES - 1,), 5e-15),
    "erfcinv": ((np.concatenate([CHANCES, 1 + CHANCES]),), 1e-14),
    "ndtr": ((LINE,), 5e-14),
    "log_ndtr": ((np.concatenate([LINE[LINE < 15], -np.logspace(1, 100, 100)]),), 2e-14),
    "ndtri": ((CHANCES,), 5e-15),
    "gamma": ((np.concatenate([BOTH_SIDES[np.abs(BOTH_SIDES) < 1e5], np.linspace(20, 171, 400)]),), 5e-15),
    "digamma": ((POSITIVE,), 2e-15),
    "i0": ((LINE,), 5e-15),
    "i0e": ((np.concatenate([LINE, np.logspace(1, 300, 100)]),), 5e-15),
    "i1": ((LINE,), 5e-15),
    "i1e": ((np.concatenate([LINE, np.logspace(1, 300, 100)]),), 5e-15),
    "zeta": ((1 + spread(1e-4, 50), spread(1e-3, 1e4)), 1e-14),
    "gammainc": (gamma_pairs(), 2e-11),
    "gammaincc": (gamma_pairs(), 2e-11),
    "betainc": (beta_triples(), 2e-11),
    "beta": ((spread(1e-2, 50), spread(1e-2, 50)), 2e-13),
    "expit": ((LINE,), 1e-14),
    "log_expit": ((LINE,), 1e-14),
    "xlogy": ((np.abs(LINE), np.abs(LINE[::-1])), 1e-14),
    "xlog1py": ((LINE, np.abs(LINE[::-1])), 1e-14),
    "entr": ((np.abs(LINE),), 1e-14),
    "rel_entr": ((spread(1e-300, 1e300), spread(1e-300, 1e300)), 1e-14),
    "exprel": ((np.concatenate([LINE, np.linspace(-0.03, 0.03, 101)]),), 1e-14),
    "factorial": ((np.concatenate([np.arange(0.0, 170), np.linspace(0, 30, 100)]),), 5e-15),
    "binom": ((spread(1, 60), spread(0.1, 60)), 1e-9),
}


@pytest.mark.parametrize("name", AGREE)
def test_values_are_those_of_scipy(name: str) -> None:
    operands, tolerance = AGREE[name]
    due = getattr(scipy, name)(*operands)
    normal = np.abs(due) > 1e-290  # beyond, the numbers themselves lose digits
    assert np.mean(normal) > 0.5
    result = getattr(special, name)(*operands).numpy()
    np.testing.assert_allclose(result[normal], due[normal], rtol=tolerance)
    np.testing.assert_allclose(result[~normal], due[~normal], atol=1e-290)


def test_functions_with_roots_agree_with_scipy() -> None:
    """Relative to 1 near a root left of 0, where reflection cancels; at the roots 1 and 2 exact themselves."""
    np.testing.assert_allclose(special.gammaln(BOTH_SIDES).numpy(), scipy.gammaln(BOTH_SIDES), rtol=4e-13, atol=1e-14)
    np.testing.assert_allclose(special.digamma(BOTH_SIDES).numpy(), scipy.digamma(BOTH_SIDES), rtol=1e-14, atol=1e-13)
    away = np.logspace(-15, -5, 50)
    exact = (1 + away) - 1
    series = -np.euler_gamma * exact + np.pi**2 / 12 * exact**2 - 1.2020569031595942 / 3 * exact**3
    np.testing.assert_allclose(special.gammaln(1 + away).numpy(), series, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_polygamma_agrees_with_scipy_and_by_recurrence_left_of_0(order: int) -> None:
    x = POSITIVE[POSITIVE < 1e4]
    np.testing.assert_allclose(special.polygamma(order, x).numpy(), scipy.polygamma(order, x), rtol=1e-13)
    left = np.linspace(-5.9, -0.1, 59)
    left = left[np.abs(left - np.rint(left)) > 0.05]
    size = (-1.0) ** order * math.factorial(order)
    due = scipy.polygamma(order, left + 7) - size * sum((left + k) ** -(order + 1.0) for k in range(7))
    np.testing.assert_allclose(
        special.polygamma(order, left).numpy(), due, rtol=1e-11, atol=1e-11 * math.factorial(order)
    )


def test_betaln_keeps_digits_that_gammaln_cancels() -> None:
    b = np.array([1e3, 1e6, 1e12])
    np.testing.assert_allclose(special.betaln(1.0, b).numpy(), -np.log(b), rtol=1e-15)
    np.testing.assert_allclose(special.betaln(2.0, b).numpy(), -np.log(b) - np.log1p(b), rtol=1e-15)
    a = np.array([0.3, 12.0, 40.0])
    np.testing.assert_allclose(special.betaln(a, 17.0).numpy(), scipy.betaln(a, 17.0), rtol=1e-14)


INF, NAN = math.inf, math.nan
ENDS: dict[str, list[tuple[float, ...]]] = {
    # Operands, then the value: SciPy's, but for gammaln at -inf, which is C's.
    "erf": [(INF, 1), (-INF, -1), (-0.0, -0.0), (NAN, NAN)],
    "erfc": [(INF, 0), (-INF, 2), (NAN, NAN), (30, 0)],
    "erfcx": [(INF, 0), (-INF, INF), (NAN, NAN), (-30, INF)],
    "erfinv": [(1, INF), (-1, -INF), (0, 0), (-0.0, -0.0), (1.5, NAN), (NAN, NAN)],
    "erfcinv": [(0, INF), (2, -INF), (3, NAN)],
    "ndtr": [(INF, 1), (-INF, 0), (NAN, NAN)],
    "ndtri": [(0, -INF), (1, INF), (0.5, 0), (-1, NAN), (2, NAN), (NAN, NAN)],
    "log_ndtr": [(INF, 0), (-INF, -INF), (NAN, NAN)],
    "gammaln": [
        (0, INF), (-3, INF), (INF, INF), (-INF, INF), (1, 0), (2, 0), (NAN, NAN), (1e306, scipy.gammaln(1e306)),
    ],
    "gamma": [(0, INF), (-0.0, -INF), (-3, NAN), (INF, INF), (-INF, NAN), (172, INF), (-200.5, 0), (5, 24)],
    "digamma": [(0, -INF), (-0.0, INF), (-3, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
    "gammasgn": [(0, 1), (-0.0, -1), (-1, NAN), (-0.5, -1), (-1.5, 1), (3, 1), (NAN, NAN)],
    "i0": [(INF, INF), (-INF, INF), (0, 1), (NAN, NAN)],
    "i1": [(INF, INF), (-INF, -INF), (0, 0), (NAN, NAN)],
    "i0e": [(INF, 0), (-INF, 0)],
    "zeta": [
        (1, 1, INF), (0.5, 1, NAN), (2, 0, INF), (2, -1, INF), (INF, 1, 1), (INF, 2, 0), (3, INF, 0), (NAN, 1, NAN),
    ],
    "gammainc": [
        (0, 0, NAN), (0, 1, 1), (1, 0, 0), (1, INF, 1), (INF, 3, 0), (INF, INF, NAN), (-1, 1, NAN), (1, -1, NAN),
    ],
    "gammaincc": [
        (0, 1, 0), (1, 0, 1), (1, INF, 0), (INF, 3, 1), (1, 700, math.exp(-700)),
        (1e-15, 1e-3, 1e-15 * scipy.exp1(1e-3)),
    ],
    "betainc": [(1, 2, 0, 0), (1, 2, 1, 1), (-1, 2, 0.5, NAN), (1, 2, 1.5, NAN), (1, 2, NAN, NAN)],
    "betaln": [(0, 1, INF), (1, INF, -INF), (NAN, 1, NAN)],
    "logit": [(0, -INF), (1, INF), (2, NAN), (0.5, 0)],
    "log_expit": [(INF, 0), (-INF, -INF), (-800, -800)],
    "xlogy": [(0, 0, 0), (0, INF, 0), (0, -1, 0), (0, NAN, NAN), (2, 0, -INF), (1, -1, NAN)],
    "xlog1py": [(0, -1, 0), (0, NAN, NAN), (2, -1, -INF)],
    "entr": [(0, 0), (-1, -INF), (1, 0), (NAN, NAN), (INF, -INF)],
    "rel_entr": [(0, 0, 0), (0, 1, 0), (1, 0, INF), (-1, 1, INF), (1, -1, INF), (NAN, 1, NAN)],
    "kl_div": [(0, 0, 0), (0, 2, 2), (1, 0, INF), (-1, 1, INF), (1, 1, 0)],
    "exprel": [(0, 1), (INF, INF), (-INF, 0), (NAN, NAN)],
    "factorial": [(0, 1), (-1, 0), (5, 120), (171, INF)],
    "comb": [(5, 2, 10), (5, 6, 0), (5, -1, 0), (-1, 0, 0), (30, 15, 155117520), (0, 0, 1)],
    "binom": [(5, 2, 10), (3, 5, 0), (3, -1, 0), (0.5, 2, -0.125), (60, 30, scipy.binom(60, 30))],
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_ends_and_poles(name: str) -> None:
    for *operands, due in ENDS[name]:
        result = getattr(special, name)(*[np.float64(x) for x in operands]).numpy()
        np.testing.assert_allclose(result, due, rtol=2e-12, err_msg=f"{name}{tuple(operands)}")
        assert np.isnan(due) or np.signbit(result) == np.signbit(due) or due != 0 or name not in {"erf", "erfinv"}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_narrow_dtypes_are_rounded_once(dtype: str) -> None:
    x = rnp.asarray(np.linspace(0.1, 3, 50), dtype=dtype)
    wide = rnp.astype(x, "float64")
    for function in (special.gammaln, special.digamma, special.erfc, special.i1e, special.ndtr, special.log_ndtr):
        assert np.array_equal(function(x).numpy(), rnp.astype(function(wide), dtype).numpy())


def test_integers_become_float32_and_dtypes_are_checked() -> None:
    assert special.gamma(5).dtype == rnp.float32
    assert special.comb(rnp.asarray([4]), 2).dtype == rnp.float32
    with pytest.raises(rax.TypeInferenceError, match="gammaln is not defined on complex64"):
        special.gammaln(1j)
    with pytest.raises(rax.TypeInferenceError, match="polygamma has an order from 1 to 100, not 101"):
        special.polygamma(101, 1.0)
    with pytest.raises(rax.RaxError, match="multigammaln has a dimension of 1 or more, not 0"):
        special.multigammaln(1.0, 0)


def test_multigammaln_is_a_sum_of_logarithms() -> None:
    a = np.array([3.0, 5.5, 40.0])
    due = sum(scipy.gammaln(a - k / 2) for k in range(4)) + 3 * math.log(math.pi)
    np.testing.assert_allclose(special.multigammaln(a, 4).numpy(), due, rtol=1e-14)


def test_logsumexp_with_factors_agrees_with_scipy() -> None:
    a, b = RNG.normal(size=(3, 4)) * 300, RNG.normal(size=4)
    b[1] = 0
    for axis in (None, 0, (0, 1), -1):
        due, sign = (np.asarray(x) for x in scipy.logsumexp(a, axis, b, return_sign=True))
        result = special.logsumexp(a, axis, b, return_sign=True)
        np.testing.assert_allclose(result[0].numpy(), due, rtol=1e-13)
        assert np.array_equal(result[1].numpy(), sign)
        due = np.asarray(scipy.logsumexp(a, axis, np.abs(b)))
        np.testing.assert_allclose(special.logsumexp(a, axis, np.abs(b)).numpy(), due)
    assert special.logsumexp(a, 1, b, keepdims=True).shape == (3, 1)
    assert math.isnan(float(special.logsumexp(np.zeros(2), b=np.array([1.0, -2.0]))))
    slope = rax.grad(lambda b: special.logsumexp(np.array([1e3, 1e3]), b=b))(np.array([1.0, 3.0]))
    np.testing.assert_allclose(slope, [0.25, 0.25])


# Function and point(s) at which a derivative rule multiplies 0 by infinity, unless it takes care; the gradient due.
GRADIENTS: list[tuple[Function, tuple[float, ...], tuple[float, ...]]] = [
    (special.xlogy, (0.0, 0.0), (0.0, 0.0)),
    (special.xlogy, (0.0, 0.5), (math.log(0.5), 0.0)),
    (special.xlogy, (2.0, 0.5), (math.log(0.5), 4.0)),
    (special.xlog1py, (0.0, -1.0), (0.0, 0.0)),
    (special.entr, (0.0,), (0.0,)),
    (special.entr, (-1.0,), (0.0,)),
    (special.rel_entr, (0.0, 0.5), (0.0, 0.0)),
    (special.rel_entr, (0.5, 0.25), (math.log(2.0) + 1, -2.0)),
    (special.kl_div, (0.5, 0.25), (math.log(2.0), -1.0)),
    (special.exprel, (0.0,), (0.5,)),
    (special.exprel, (1.0,), (1.0,)),
    (special.log_expit, (-1000.0,), (1.0,)),
    (special.log_expit, (1000.0,), (0.0,)),
    (special.logit, (0.0,), (INF,)),
    (special.log_ndtr, (-1e4,), (1e4,)),
    (special.log_ndtr, (50.0,), (0.0,)),
    (special.i0, (0.0,), (0.0,)),
    (special.i1, (0.0,), (0.5,)),
    (special.i0e, (0.0,), (0.0,)),
    (special.i1e, (0.0,), (0.5,)),
    (special.gammainc, (2.0, 0.0), (0.0, 0.0)),
    (special.gammainc, (1.0, 0.0), (0.0, 1.0)),
    (special.gammainc, (0.5, 0.0), (0.0, INF)),
    (special.gammaincc, (3.0, INF), (0.0, 0.0)),
    (special.betainc, (2.0, 3.0, 0.0), (0.0, 0.0, 0.0)),
    (special.betainc, (2.0, 3.0, 1.0), (0.0, 0.0, 0.0)),
    (special.factorial, (-1.0,), (0.0,)),
    (special.comb, (2.0, 5.0), (0.0, 0.0)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "point", "due"), GRADIENTS)
def test_gradients_are_not_needlessly_nan(function: Function, point: tuple[float, ...], due: tuple[float, ...]) -> None:
    operands = [np.float64(x) for x in point]
    found = rax.grad(lambda *args: function(*args), argnums=tuple(range(len(point))))(*operands)
    np.testing.assert_allclose(np.asarray(found), due, rtol=1e-7)


def test_second_derivatives_where_the_first_is_delicate() -> None:
    second = rax.grad(rax.grad(special.log_ndtr))
    for x in (-30.0, -1.0, 0.5, 45.0):
        slope = float(rax.grad(special.log_ndtr)(np.float64(x)))
        np.testing.assert_allclose(second(np.float64(x)), -slope * (x + slope), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(rax.grad(rax.grad(special.i0))(np.float64(0)), 0.5)
    np.testing.assert_allclose(rax.grad(rax.grad(special.exprel))(np.float64(0)), 1 / 3, rtol=1e-12)


def test_derivatives_by_shapes_agree_with_differences_in_the_tails() -> None:
    step = 1e-6
    for a, x in ((0.05, 1e-8), (0.7, 5.0), (30.0, 12.0), (30.0, 60.0), (800.0, 820.0)):
        numeric = (scipy.gammainc(a + a * step, x) - scipy.gammainc(a - a * step, x)) / (2 * a * step)
        if x > a:
            numeric = (scipy.gammaincc(a - a * step, x) - scipy.gammaincc(a + a * step, x)) / (2 * a * step)
        np.testing.assert_allclose(rax.grad(special.gammainc)(np.float64(a), np.float64(x)), numeric, rtol=1e-6)
    for a, b, x in ((0.1, 3.0, 1e-6), (5.0, 2.0, 0.2), (90.0, 60.0, 0.5)):
        numeric = (scipy.betainc(a + a * step, b, x) - scipy.betainc(a - a * step, b, x)) / (2 * a * step)
        np.testing.assert_allclose(rax.grad(special.betainc)(*map(np.float64, (a, b, x))), numeric, rtol=1e-6)


def test_a_graph_of_special_functions_is_saved_and_loaded(tmp_path: Any) -> None:
    def function(a: rax.Tensor, x: rax.Tensor) -> rax.Tensor:
        return rnp.sum(special.gammainc(a, x) + special.betaln(a, x) + special.erfinv(special.ndtr(x) - 0.5))

    graph = rax.trace(rax.value_and_grad(function), rax.spec(("n",), "float64"), rax.spec(("n",), "float64"))
    rax.save(rax.Program(step=graph), tmp_path / "special.msgpack")
    operands = np.array([0.5, 3.0]), np.array([1.0, 2.0])
    for found, due in zip(rax.load(tmp_path / "special.msgpack")["step"](*operands), graph(*operands), strict=True):
        assert np.array_equal(found, due)
