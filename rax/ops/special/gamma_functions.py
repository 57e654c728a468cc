"""The gamma function, its logarithm and that logarithm's derivatives; the zeta and beta functions."""

from __future__ import annotations

import math

import numpy as np

from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import op
from rax.ir.types import TensorType
from rax.ops.algebra import add
from rax.ops.arrays import Array, scalar
from rax.ops.elementwise import BINARY_EDGES, multiply, negative, subtract
from rax.ops.samples import FLOATS, normal, positive, reject, sample, uniform, values
from rax.ops.special.double import Special, chebyshev, polynomial, sin_pi

# log(gamma(x)) / (x - 2) in 2 (x - 2), for 1.5 <= x <= 2.5.
_LOG_GAMMA = (
    0.41418612492156676, 0.16322170068760064, -0.008658972394126285, 0.0006727515726001485,
    -6.139556963628233e-05, 6.110065797003576e-06, -6.410003033826223e-07, 6.962242692768951e-08,
    -7.747248733788217e-09, 8.774075140687239e-10, -1.0070266869830198e-10, 1.1678602130652374e-11,
    -1.3656871334744932e-12, 1.6079351149711552e-13, -1.9039501088488732e-14, 2.2653768767833064e-15,
    -2.706656814831896e-16, 3.245660731626191e-17,
)  # fmt: skip
# digamma(x) / (x - root) in 2 x - 3, for 1 <= x <= 2; the root in two parts.
_DIGAMMA = (
    0.983570260441567, -0.2270640863346444, 0.03336889902393011, -0.005320077271596548, 0.0008788656937820505,
    -0.00014773492650606044, 2.5060543468359146e-05, -4.2721034029993324e-06, 7.302769272465923e-07,
    -1.2502886813559594e-07, 2.1425009322359472e-08, -3.673295918565179e-09, 6.299717236108931e-10,
    -1.080593028883266e-10, 1.853735192053638e-11, -3.18023536582553e-12, 5.456147570322795e-13,
    -9.360993131036438e-14, 1.606064636295075e-14, -2.7555431377438815e-15, 4.727736178601912e-16,
    -8.11148420346509e-17, 1.391707769474154e-17,
)  # fmt: skip
_DIGAMMA_ROOT = (1.4616321449683622, 9.549995429965697e-17)

# B(2k), DLMF 24.2.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1))
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_LARGE = 10.0


def stirling(x: Array) -> Array:
    """``log(gamma(x)) - (x - 1/2) log(x) + x - log(2 pi) / 2``, for ``x >= 10`` (DLMF 5.11.1)."""
    inverse = 1 / np.maximum(x, _LARGE)
    return inverse * polynomial(_STIRLING, inverse * inverse)


def _near_two(away: Array) -> Array:
    """``log(gamma(2 + away))``, for ``-0.5 <= away <= 0.5``."""
    return away * chebyshev(_LOG_GAMMA, 2 * away)


def _steps(x: Array) -> tuple[Array, Array, Array]:
    """``x > 0`` as a number away from 2 by at most 1/2, and what multiplies and divides its gamma, for ``x < 10``."""
    x = np.clip(x, 0, _LARGE)
    count = np.rint(x) - 2
    factor = np.ones_like(x)
    for step in range(1, 9):
        factor = np.where(count >= step, factor * (x - step), factor)
    divisor = np.where(count == -1, x, np.where(count == -2, x * (x + 1), 1))
    return x - np.rint(x), factor, divisor


def log_gamma_positive(x: Array) -> Array:
    """``log(gamma(x))`` for ``x > 0``."""
    away, factor, divisor = _steps(x)
    large = np.maximum(x, _LARGE)
    far = (large - 0.5) * (np.log(large) - 1) + (_HALF_LOG_TWO_PI - 0.5 + stirling(x))
    far = np.where(x == np.inf, np.inf, far)
    return np.where(x < _LARGE, _near_two(away) + np.log(factor) - np.log(divisor), far)


def log_gamma_1p(x: Array) -> Array:
    """``log(gamma(1 + x))`` for ``-0.5 <= x <= 0.5``, exact near 0."""
    return _near_two(x) - np.log1p(x)


def log_gamma_double(x: Array) -> Array:
    """``log(abs(gamma(x)))``; left of 0 by reflection (DLMF 5.5.3)."""
    left = np.minimum(x, 0)
    reflected = math.log(math.pi) - np.log(np.abs(sin_pi(left))) - np.log(-left) - log_gamma_positive(-left)
    reflected = np.where(left == 0, np.inf, reflected)
    return np.where(x == -np.inf, np.inf, np.where(x <= 0, reflected, log_gamma_positive(x)))


def _gamma_positive(x: Array) -> Array:
    away, factor, divisor = _steps(x)
    large = np.clip(x, _LARGE, 200)
    half = np.power(large, large / 2 - 0.25)  # the whole power would overflow too early
    far = math.sqrt(2 * math.pi) * half * np.exp(-large) * np.exp(stirling(large)) * half
    return np.where(x < _LARGE, np.exp(_near_two(away)) * factor / divisor, far)


def gamma_double(x: Array) -> Array:
    """The gamma function; left of 0 by reflection (DLMF 5.5.3)."""
    left = np.minimum(x, -0.5)
    reflected = -math.pi / (sin_pi(left) * left * _gamma_positive(-left))
    small = np.where((x > -0.5) & (x <= 0), x, 0.5)
    result = np.where(x <= -0.5, reflected, _gamma_positive(np.maximum(x, 0)))
    result = np.where((x > -0.5) & (x <= 0), _gamma_positive(1 + small) / small, result)
    result = np.where((x < 0) & (x == np.floor(x)), np.nan, result)
    return np.where(x == np.inf, np.inf, result)


def _digamma_positive(x: Array) -> Array:
    bounded = np.clip(x, 0, _LARGE)
    start = np.where(bounded < 1, bounded + 1, bounded - np.maximum(np.floor(bounded), 1) + 1)
    root, rest = _DIGAMMA_ROOT
    near = ((start - root) - rest) * chebyshev(_DIGAMMA, 2 * start - 3)
    for step in range(1, 10):
        near = np.where(bounded >= step + 1, near + 1 / (np.maximum(bounded, step + 1) - step), near)
    near = np.where(bounded < 1, near - 1 / bounded, near)
    inverse = 1 / np.maximum(x, _LARGE)
    square = inverse * inverse
    terms = tuple(b / (2 * k) for k, b in enumerate(_BERNOULLI, 1))
    far = np.log(np.maximum(x, _LARGE)) - inverse / 2 - square * polynomial(terms, square)
    return np.where(x < _LARGE, near, far)


def digamma_double(x: Array) -> Array:
    """The derivative of ``log(gamma(x))`` (DLMF 5.11.2, 5.5.2, 5.5.4)."""
    left = np.where(x < 0, x, -0.5)
    reflected = _digamma_positive(1 - left) - math.pi / np.tan(math.pi * (left - np.rint(left)))
    reflected = np.where(left == np.rint(left), np.nan, reflected)
    result = np.where(x < 0, reflected, _digamma_positive(np.maximum(x, 0)))
    return np.where(x == 0, -np.copysign(np.inf, x), result)


def zeta_double(order: int, s: Array, q: Array) -> Array:
    """Hurwitz's zeta function for ``s > 1``, by Euler and Maclaurin's sum (DLMF 25.11.28), differentiated by ``s``."""
    bounded, start = np.where(s > 1, s, 2), np.where(q > 0, q, 1)
    count = 10
    total = np.zeros_like(start)
    for step in range(count):
        total = total + (-np.log(start + step)) ** order * np.power(start + step, -bounded)
    end = start + count
    logarithm = np.log(end)
    total = total + (-logarithm) ** order * np.power(end, -bounded) / 2
    for i in range(order + 1):  # the integral from the end on
        factor = math.comb(order, i) * math.factorial(i) * (-1) ** i
        total = total + factor * (-logarithm) ** (order - i) * np.power(end, 1 - bounded) / (bounded - 1) ** (i + 1)
    # The derivatives of the summand by its index: end ** -s times polynomials in the logarithm.
    terms = [np.zeros_like(end) for _ in range(order)] + [(-1) ** order * np.power(end, -bounded)]
    for j in range(2 * len(_BERNOULLI)):
        if j % 2:
            value = sum((term * logarithm**k for k, term in enumerate(terms)), np.zeros_like(end))
            number = _BERNOULLI[j // 2] / math.factorial(j + 1)
            total = total - np.where(np.isfinite(value), value, 0) * number
        slopes = [*[k * term for k, term in enumerate(terms)][1:], np.zeros_like(end)]
        terms = [(slope - (bounded + j) * term) / end for slope, term in zip(slopes, terms, strict=True)]
    total = np.where(np.isposinf(q), 0, np.where(np.isnan(s) | np.isnan(q), np.nan, total))
    far = np.where(q > 1, 0, np.where(q == 1, 0.0 if order else 1.0, np.inf))
    total = np.where(np.isposinf(s), far, total)
    total = np.where(q > 0, total, np.where(q == np.floor(q), np.inf, np.nan))
    return np.where(s > 1, total, np.where(s == 1, (-1) ** order * np.inf, np.nan))


def _cotangent_derivative(order: int) -> tuple[float, ...]:
    """The ``order``-th derivative of ``cot(pi x)`` as a polynomial in ``cot(pi x)``."""
    coefficients = [0.0, 1.0]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        grown = [0.0] * (len(coefficients) + 1)
        for k, c in enumerate(slope):
            grown[k] -= math.pi * c
            grown[k + 2] -= math.pi * c
        coefficients = grown
    return tuple(coefficients)


def polygamma_double(order: int, x: Array) -> Array:
    """The ``order``-th derivative of digamma, ``order >= 1`` (DLMF 5.15.1, 5.15.6)."""
    sign = -1.0 if order % 2 == 0 else 1.0
    size = math.factorial(order)
    power = np.full_like(x, order + 1)
    right = sign * size * zeta_double(0, power, np.where(x < 0, 1 - x, x))
    left = np.where(x < 0, x, -0.5)
    cotangent = 1 / np.tan(math.pi * (left - np.rint(left)))
    reflected = -math.pi * polynomial(_cotangent_derivative(order), cotangent) - sign * right
    reflected = np.where(left == np.rint(left), sign * np.inf, reflected)
    return np.where(x < 0, np.where(x == -np.inf, np.nan, reflected), right)


def log_beta_double(a: Array, b: Array) -> Array:
    """``log(abs(beta(a, b)))``, without the cancellation of three large logarithms."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    both = low + high
    plain = log_gamma_double(low) + (log_gamma_double(high) - log_gamma_double(both))
    big, some = np.maximum(high, _LARGE), np.maximum(low, _LARGE)
    positive_low = np.where(low > 0, low, 1)
    total = positive_low + big
    ratio = np.log1p(positive_low / big)
    one = log_gamma_positive(positive_low) - (big - 0.5) * ratio - positive_low * (np.log(total) - 1)
    one = one + stirling(big) - stirling(total)
    total = some + big
    two = some * np.log(some / total) - 0.5 * np.log(some) - (big - 0.5) * np.log1p(some / big)
    two = two + _HALF_LOG_TWO_PI + stirling(some) + stirling(big) - stirling(total)
    large = np.where(low >= _LARGE, two, one)
    result = np.where((low > 0) & (high >= _LARGE) & np.isfinite(high), large, plain)
    return np.where((low > 0) & (high == np.inf), -np.inf, result)


_POSITIVE = (sample(positive(2, 3)), sample(uniform(low=-0.9, high=-0.2)), sample(positive(0, 2)))
_LATTICE = (sample(values(0, -0.0, -1, -2, 1, 2, 0.5, -0.5, 1e-8, 30, float("inf"), float("nan")), dtypes=FLOATS),)


@op("gammaln", since=1)
class GammaLn(Special):
    """``log(abs(gamma(x)))``: infinite at 0 and the negative whole numbers, where the derivative is NaN."""

    def double(self, *arrays: Array) -> Array:
        return log_gamma_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return digamma(values[0])

    samples = _POSITIVE
    edges = _LATTICE


@op("gamma", since=1)
class Gamma(Special):
    """The gamma function: infinite at 0, NaN at the negative whole numbers."""

    def double(self, *arrays: Array) -> Array:
        return gamma_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        x, y = values
        return multiply(y, digamma(x))

    samples = _POSITIVE
    edges = _LATTICE


@op("digamma", since=1)
class Digamma(Special):
    """The derivative of ``gammaln``: infinite at 0, NaN at the negative whole numbers."""

    def double(self, *arrays: Array) -> Array:
        return digamma_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return Polygamma(1)(values[0])

    samples = _POSITIVE
    edges = _LATTICE


@op("polygamma", since=1)
class Polygamma(Special):
    """The ``order``-th derivative of ``digamma``, ``order >= 1``."""

    order: int

    def result(self, *operands: TensorType) -> TensorType:
        if not 1 <= self.order <= 100:
            raise TypeInferenceError(f"polygamma has an order from 1 to 100, not {self.order}")
        return super().result(*operands)

    def double(self, *arrays: Array) -> Array:
        return polygamma_double(self.order, arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return Polygamma(self.order + 1)(values[0])

    samples = (
        sample(positive(2, 3), order=1),
        sample(uniform(low=-0.8, high=-0.3), order=2),
        sample(positive(0), order=1),
    )
    edges = tuple(sample(*edge.operands, dtypes=FLOATS, order=order) for edge in _LATTICE for order in (1, 2))
    rejects = (
        reject(normal(2), order=1, dtype="int32", match="is not defined on int32"),
        reject(normal(2), order=0, match="polygamma has an order from 1 to 100, not 0"),
    )


@op("zeta", since=1)
class Zeta(Special):
    """Hurwitz's zeta function, the sum of ``(q + k) ** -s`` over ``k >= 0``, ``by_s`` times differentiated by ``s``.

    For ``s > 1`` and ``q > 0``; infinite at ``s = 1`` and where ``q`` is 0 or a negative whole number, else NaN.
    """

    by_s: int

    arity = 2

    def result(self, *operands: TensorType) -> TensorType:
        if self.by_s < 0:
            raise TypeInferenceError(f"zeta is differentiated 0 times or more, not {self.by_s}")
        return super().result(*operands)

    def double(self, *arrays: Array) -> Array:
        return zeta_double(self.by_s, *arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        s, q, _ = values
        if operand == 0:
            return Zeta(self.by_s + 1)(s, q)
        raised = add(s, scalar(1, s.dtype))
        slope = negative(multiply(s, Zeta(self.by_s)(raised, q)))
        if self.by_s == 0:
            return slope
        return subtract(slope, multiply(scalar(self.by_s, s.dtype), Zeta(self.by_s - 1)(raised, q)))

    samples = (
        sample(uniform(2, 3, low=2, high=4), positive(3), by_s=0),
        sample(uniform(2, low=2, high=4), positive(), by_s=1),
        sample(uniform(0, 2, low=2, high=4), positive(2), by_s=0),
    )
    edges = (
        sample(
            values(1, 0.5, 2, 2, 2, float("inf"), 1e4, float("nan"), 200),
            values(1, 1, 0, -1, -0.5, 2, 3, 1, 100),
            dtypes=FLOATS,
            by_s=0,
        ),
    )
    rejects = (
        reject(normal(2), normal(2), by_s=-1, match="zeta is differentiated 0 times or more, not -1"),
        reject(normal(2), normal(2), by_s=0, dtype="int32", match="is not defined on int32"),
    )


@op("betaln", since=1)
class BetaLn(Special):
    """``log(abs(beta(a, b)))``, precise where ``gammaln(a) + gammaln(b) - gammaln(a + b)`` cancels."""

    arity = 2

    def double(self, *arrays: Array) -> Array:
        return log_beta_double(*arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        a, b, _ = values
        return subtract(digamma(values[operand]), digamma(add(a, b)))

    samples = (
        sample(positive(2, 3), positive(3)),
        sample(positive(), uniform(2, low=15, high=20)),
        sample(positive(0, 2), positive(2)),
    )
    edges = BINARY_EDGES
    rejects = (reject(normal(2), normal(2), match="is not defined on int32", dtype="int32"),)


gammaln = GammaLn()
gamma = Gamma()
digamma = Digamma()
betaln = BetaLn()
