"""The incomplete gamma functions and their derivatives by the shape, of every order.

All come from one integral: that of the density of ``u = log(t)``, ``t`` gamma distributed, over the side of
``log(x)`` that lies away from its mean ``digamma(a)``. The integrand is smooth and positive there and falls
at least exponentially, so Gauss and Legendre's rule over the part that counts gives it to rounding; each
derivative by ``a`` brings a polynomial in ``u`` as a factor and no cancellation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import op
from rax.ir.types import TensorType
from rax.ops.algebra import add
from rax.ops.arithmetic import power
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import equal, greater, isfinite
from rax.ops.elementwise import multiply, negative, subtract
from rax.ops.logical import logical_and, logical_not
from rax.ops.samples import FLOATS, normal, positive, reject, sample, uniform, values
from rax.ops.selection import where
from rax.ops.special.double import Special, log1p_less, polynomial
from rax.ops.special.gamma_functions import (
    Polygamma,
    digamma,
    digamma_double,
    gammaln,
    log_gamma_positive,
    polygamma_double,
    stirling,
)
from rax.ops.transcendental import exp, log

NODES = 64
DROP = 45.0
"""Past where the density has fallen by ``exp(-45)`` nothing counts in float64."""

Weight = Callable[[Array], Array]

_BLOCK = 1024
"""How many elements are integrated at once: their integrands fit a cache."""


class Integral(Special):
    """A function that is an integral: computed for blocks of elements, each a vector."""

    def reference(self, *arrays: Array) -> Array:
        wide = np.broadcast_arrays(*[np.asarray(x, np.float64) for x in arrays])
        flat = [np.ravel(x) for x in wide]
        result = np.empty(flat[0].shape)
        for start in range(0, result.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            result[block] = self.double(*[x[block] for x in flat])
        return result.reshape(wide[0].shape).astype(arrays[0].dtype)


@functools.cache
def rule() -> tuple[Array, Array]:
    """Points and weights of Gauss and Legendre's rule on [0, 1], the points along an axis before another."""
    points, weights = np.polynomial.legendre.leggauss(NODES)
    return (1 + points[:, None]) / 2, weights / 2


def _exp_less(s: Array, *, careful: bool) -> Array:
    """``exp(s) - 1 - s``; by its series near 0 where large shapes would show the cancellation."""
    plain = np.expm1(s) - s
    if not careful:
        return plain
    small = np.clip(s, -0.7, 0.7)
    series = small * small * polynomial(tuple(1 / math.factorial(k) for k in range(2, 17)), small)
    return np.where(np.abs(s) < 0.7, series, plain)


def side_integral(a: Array, x: Array, u: Array, weight: Weight) -> tuple[Array, Array]:
    """The integral of ``exp(a s - x (exp(s) - 1)) weight(s)``, ``u = log(x)``, over one side of ``s = 0``.

    Returns:
        Whether that is the side below 0, and the integral.
    """
    below = u < digamma_double(a)
    careful = bool(np.any(a > 200))
    away = x - a
    c = DROP / a
    left = np.minimum(c / 3 + np.sqrt(c * c / 9 + 2 * c), np.where(away < 0, DROP / -away, np.inf))
    with np.errstate(all="ignore"):
        right = np.nan_to_num(2 * DROP / (away + np.sqrt(away * away + 2 * DROP * x)), nan=np.inf)
    right = np.minimum(right, 710 - u)
    for _ in range(3):
        left = np.minimum(left, (DROP - x * np.expm1(-left)) / a)
        right = np.minimum(right, np.log(DROP + x + a * right) - u)
    # Below log(x) = -12 the density is all but an exponential: a piece of its own.
    first = np.where(below, 0, np.clip(-12 - u, 0, right))
    total = np.zeros_like(a)
    for start, length in ((0 * first, first), (first, np.where(below, left, right - first))):
        if not np.any(length):
            continue
        points, shares = rule()
        s = np.where(below, -1, 1) * (start + length * points)
        drop = away * s + x * _exp_less(s, careful=careful)
        total = total + length * (shares @ (np.exp(-drop) * weight(s)))
    return below, total


def _log_factor(a: Array, x: Array, u: Array) -> Array:
    """``log(x**a exp(-x) / gamma(a))``."""
    large = np.maximum(a, 10)
    apart = (x - large) / large
    near = large * log1p_less(apart) + 0.5 * np.log(large / (2 * math.pi)) - stirling(large)
    return np.where(a >= 10, near, a * u - x - log_gamma_positive(a))


def _bell(order: int, cumulants: Sequence[Array]) -> Array:
    """The complete Bell polynomial: a moment from cumulants."""
    known = [np.ones_like(cumulants[0]) if cumulants else np.ones(())]
    for n in range(order):
        known.append(sum((math.comb(n, k) * known[n - k] * cumulants[k] for k in range(n + 1)), np.zeros(())))
    return known[order]


def _slopes(a: Array, order: int) -> list[Array]:
    """The first derivatives of digamma, from the function itself."""
    return [digamma_double(a), *[polygamma_double(k, a) for k in range(1, order)]]


def derivative_double(order: int, a: Array, x: Array, u: Array) -> tuple[Array, Array]:
    """On which side of ``u`` an integral was taken, and the derivative of that part by ``a``."""
    slopes = _slopes(a, order) if order else []

    def weight(s: Array) -> Array:
        return _bell(order, [u + s - slopes[0], *[-slope for slope in slopes[1:]]] if order else [])

    below, total = side_integral(a, x, u, weight)
    return below, np.exp(_log_factor(a, x, u)) * total


def _inside(a: Array, x: Array) -> tuple[Array, Array, Array]:
    """Where both are positive and finite, and both with harmless numbers elsewhere."""
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    return inside, np.where(inside, a, 1), np.where(inside, x, 1)


def gammainc_double(a: Array, x: Array, *, upper: bool) -> Array:
    """The share of the gamma distribution below ``x``, or above."""
    inside, shape, point = _inside(a, x)
    below, part = derivative_double(0, shape, point, np.log(point))
    result = np.minimum(np.where(below != upper, part, 1 - part), 1)
    # At the ends all of the distribution is on one side.
    lower = np.where((x == 0) & (a > 0) | (a == np.inf) & np.isfinite(x), 0.0, 1.0)
    none = (a < 0) | (x < 0) | np.isnan(a) | np.isnan(x) | (a == 0) & (x == 0) | (a == np.inf) & (x == np.inf)
    ends = np.where(none, np.nan, 1 - lower if upper else lower)
    return np.where(inside, result, ends)


def log_gamma_slope_double(order: int, a: Array, u: Array) -> Array:
    """The ``order``-th derivative by ``a`` of the slope of ``log(x)`` by ``a`` at a fixed share below ``x``."""
    inside = (a > 0) & np.isfinite(a) & np.isfinite(u)
    shape, point = np.where(inside, a, 1), np.where(inside, u, 0)
    slopes = _slopes(shape, order + 1)

    def weight(s: Array) -> Array:
        total = s**order * (point + s - slopes[0])
        for k in range(1, order + 1):
            total = total - math.comb(order, k) * s ** (order - k) * slopes[k]
        return total

    below, total = side_integral(shape, np.exp(point), point, weight)
    return np.where(inside, np.where(below, -total, total), np.nan)


def transport_double(a: Array, a0: Array, u0: Array) -> Array:
    """``u`` with as large a share of shape ``a`` below it as ``u0`` has of shape ``a0``.

    By Newton's method on the logarithm of the smaller share, which is concave: once past the solution it comes
    back to it from one side. Steps are bounded, so that none leaps to where the share rounds to 0.
    """
    if np.array_equal(a, a0, equal_nan=True):
        return u0
    lower = u0 < digamma_double(a0)
    share = derivative_double(0, a0, np.exp(u0), u0)[1]
    u = u0
    for _ in range(200):
        below, part = derivative_double(0, a, np.exp(u), u)
        now = np.where(below == lower, part, 1 - part)
        step = np.clip(np.log(share / now) * now / np.exp(_log_factor(a, np.exp(u), u)), -1, 1)
        u = u + np.where(lower, step, -step)
        if np.all(np.abs(step) <= 1e-15 * (1 + np.abs(u))):
            break
    return u


SHAPES = (
    sample(positive(2, 3), positive(3)),
    sample(uniform(2, low=20, high=30), uniform(low=15, high=35)),
    sample(positive(0, 2), positive(2)),
)
ENDS = (
    sample(
        values(0, 0, 1, 1, -1, 2, float("inf"), 3, float("nan")),
        values(0, 1, 0, float("inf"), 1, -1, 1, 1e4, 1),
        dtypes=FLOATS,
    ),
)
REJECTS = (reject(normal(2), normal(2), match="is not defined on int32", dtype="int32"),)


def _density(a: Value, x: Value, order: int) -> Value:
    """The ``order``-th derivative by ``a`` of the gamma density at ``x``; that of order 1 and more is 0 at 0."""
    zero, one = scalar(0, x.dtype), scalar(1, x.dtype)
    start = equal(x, zero)
    inside = logical_and(isfinite(x), greater(x, zero) if order else logical_not(start))
    point = where(inside, x, one)
    logarithm = log(point)
    density = exp(subtract(subtract(multiply(subtract(a, one), logarithm), point), gammaln(a)))
    known = [density]
    for n in range(order):
        total = multiply(known[n], subtract(logarithm, digamma(a)))
        for k in range(1, n + 1):
            factor = multiply(scalar(math.comb(n, k), x.dtype), Polygamma(k)(a))
            total = subtract(total, multiply(known[n - k], factor))
        known.append(total)
    if order:
        return where(inside, known[order], zero)
    # At 0 a power, whose derivatives are right there.
    near = where(start, x, one)
    end = multiply(power(near, subtract(a, one)), exp(negative(add(near, gammaln(a)))))
    return where(inside, density, where(start, end, zero))


class IncompleteGamma(Integral):
    """A share of the gamma distribution."""

    arity = 2
    samples = SHAPES
    edges = ENDS
    rejects = REJECTS


@op("gammainc", since=1)
class GammaInc(IncompleteGamma):
    """The regularised lower incomplete gamma function: the share of a gamma distribution of shape ``a`` below ``x``."""

    def double(self, *arrays: Array) -> Array:
        return gammainc_double(*arrays, upper=False)

    def partial(self, operand: int, *values: Value) -> Value:
        a, x, _ = values
        return _density(a, x, 0) if operand else GammaIncDerivative(1)(a, x)


@op("gammaincc", since=1)
class GammaIncC(IncompleteGamma):
    """The regularised upper incomplete gamma function, ``1 - gammainc(a, x)``, precise where that is small."""

    def double(self, *arrays: Array) -> Array:
        return gammainc_double(*arrays, upper=True)

    def partial(self, operand: int, *values: Value) -> Value:
        a, x, _ = values
        return negative(_density(a, x, 0) if operand else GammaIncDerivative(1)(a, x))


@op("gammainc_derivative", since=1)
class GammaIncDerivative(IncompleteGamma):
    """The ``order``-th derivative of ``gammainc`` by its shape, ``order >= 1``."""

    order: int

    def result(self, *operands: TensorType) -> TensorType:
        if self.order < 1:
            raise TypeInferenceError(f"gammainc_derivative has an order of 1 or more, not {self.order}")
        return super().result(*operands)

    def double(self, *arrays: Array) -> Array:
        a, x = arrays
        inside, shape, point = _inside(a, x)
        below, part = derivative_double(self.order, shape, point, np.log(point))
        return np.where(inside, np.where(below, part, -part), np.where((a > 0) & ((x == 0) | (x == np.inf)), 0, np.nan))

    def partial(self, operand: int, *values: Value) -> Value:
        a, x, _ = values
        return _density(a, x, self.order) if operand else GammaIncDerivative(self.order + 1)(a, x)

    samples = (
        sample(*SHAPES[0].operands, order=1),
        sample(*SHAPES[1].operands, order=2),
        sample(*SHAPES[-1].operands, order=1),
    )
    edges = ()
    rejects = (
        reject(normal(2), normal(2), order=0, match="gammainc_derivative has an order of 1 or more, not 0"),
        reject(normal(2), normal(2), order=1, dtype="int32", match="is not defined on int32"),
    )


@op("loggamma_slope", since=1)
class LogGammaSlope(IncompleteGamma):
    """How fast ``u``, the logarithm of a gamma variable, moves with the shape ``a`` at a fixed share below it.

    The implicit derivative of a draw (Figurnov, Mohamed and Mnih, "Implicit reparameterization gradients",
    2018), and its ``order``-th derivative by ``a``.
    """

    order: int

    def result(self, *operands: TensorType) -> TensorType:
        if self.order < 0:
            raise TypeInferenceError(f"loggamma_slope has an order of 0 or more, not {self.order}")
        return super().result(*operands)

    def double(self, *arrays: Array) -> Array:
        return log_gamma_slope_double(self.order, *arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        a, u, slope = values
        if operand == 0:
            return LogGammaSlope(self.order + 1)(a, u)
        # d/du of the integral, differentiated by a as often as the integral is.
        moved = multiply(subtract(exp(u), a), slope)
        if self.order == 0:
            return add(moved, subtract(digamma(a), u))
        lower = multiply(scalar(self.order, u.dtype), LogGammaSlope(self.order - 1)(a, u))
        return add(subtract(moved, lower), Polygamma(self.order)(a))

    samples = (
        sample(positive(2, 3), normal(3), order=0),
        sample(positive(2), normal(), order=1),
        sample(positive(0, 2), normal(2), order=0),
    )
    edges = ()
    rejects = (
        reject(normal(2), normal(2), order=-1, match="loggamma_slope has an order of 0 or more, not -1"),
        reject(normal(2), normal(2), order=0, dtype="int32", match="is not defined on int32"),
    )


@op("loggamma_transport", since=1)
class LogGammaTransport(IncompleteGamma):
    """``u``, the logarithm of a gamma variable of shape ``a0``, moved to shape ``a``, with as large a share below it.

    Operands are ``a``, ``a0`` and ``u``. Where ``a`` is ``a0`` the result is ``u``, and its derivative by ``a``
    that of a draw by its shape.
    """

    arity = 3

    def double(self, *arrays: Array) -> Array:
        return transport_double(*arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        a, start, u, result = values
        if operand == 0:
            return LogGammaSlope(0)(a, result)
        densities = [subtract(subtract(multiply(s, v), exp(v)), gammaln(s)) for s, v in ((start, u), (a, result))]
        ratio = exp(subtract(*densities))
        return ratio if operand == 2 else negative(multiply(ratio, LogGammaSlope(0)(start, u)))

    samples = (
        sample(positive(2, 3), positive(2, 3), normal(3)),
        sample(positive(0, 2), positive(2), normal()),
    )
    edges = ()
    rejects = (reject(normal(2), normal(2), normal(2), match="is not defined on int32", dtype="int32"),)


gammainc = GammaInc()
gammaincc = GammaIncC()
loggamma_transport = LogGammaTransport()
