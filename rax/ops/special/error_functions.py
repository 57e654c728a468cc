"""The error function, its relatives and the normal distribution function."""

from __future__ import annotations

import math

import numpy as np

from rax.ir.node import Value
from rax.ir.op import op
from rax.ops.arithmetic import maximum, minimum
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import greater
from rax.ops.elementwise import UNARY_EDGES, divide, multiply, negative, subtract
from rax.ops.samples import FLOATS, sample, uniform, values
from rax.ops.selection import where
from rax.ops.special.double import Special, chebyshev, exp_square, polynomial
from rax.ops.transcendental import exp

_ROOT_HALF = math.sqrt(0.5)
_TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)

# erf(x) / x in 2 x**2 - 1, for |x| <= 1.
_ERF = (
    0.9754769393826541, -0.14226120510371365, 0.010035582187599796, -0.0005768764699767485,
    2.741993125219606e-05, -1.1043175507344507e-06, 3.8488755420345036e-08, -1.1808582533875466e-09,
    3.2334215826050907e-11, -7.991015947004549e-13, 1.7990725113961456e-14, -3.718635487818693e-16,
)  # fmt: skip
# (1 + 2 x) erfcx(x) in (x - 3.75) / (x + 3.75), for x >= 0: the form of Shepherd and Laframboise,
# "Chebyshev approximation of (1 + 2x)exp(x^2)erfc x in 0 <= x < inf" (Math. Comp. 36, 1981).
_ERFCX = (
    1.1775789345674017, -0.004590054580646478, -0.08424913336651792, 0.05920993999819189, -0.026658668435305753,
    0.009074997670705265, -0.002413163540417608, 0.0004907758365258086, -6.916973302501207e-05,
    4.13902798607301e-06, 7.74038306619849e-07, -2.1886401049234397e-07, 1.076499946567091e-08,
    4.521959811218287e-09, -7.754400208831351e-10, -6.318088340886684e-11, 2.86879501093067e-11,
    1.9455868545777347e-13, -9.65469674843344e-13, 3.25254814814874e-14, 3.3478119482868056e-14,
    -1.864562880419313e-15, -1.2507950530688648e-15, 7.418235256624044e-17, 5.068148904796111e-17,
)  # fmt: skip


def erfcx_double(x: Array) -> Array:
    """``exp(x**2) erfc(x)``."""
    size = np.abs(x)
    right = chebyshev(_ERFCX, 1 - 7.5 / (size + 3.75)) / (1 + 2 * size)
    return np.where(x < 0, 2 * exp_square(size, 1) - right, right)


def _erf_near(x: Array) -> Array:
    bounded = np.clip(x, -1, 1)
    return bounded * chebyshev(_ERF, 2 * bounded * bounded - 1)


def erf_double(x: Array) -> Array:
    """The error function."""
    size = np.abs(x)
    far = np.copysign(1 - exp_square(size, -1) * erfcx_double(size), x)
    return np.where(size < 1, _erf_near(x), far)


def erfc_double(x: Array) -> Array:
    """``1 - erf(x)``."""
    size = np.abs(x)
    far = exp_square(size, -1) * erfcx_double(size)
    return np.where(size < 0.5, 1 - _erf_near(x), np.where(x < 0, 2 - far, far))


# Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (Applied Statistics 37,
# 1988), PPND16: numerators and denominators for the middle, the tails, and the far tails.
_MIDDLE = (
    (3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_TAIL = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip


def normal_quantile(centred: Array, tail: Array) -> Array:
    """The normal quantile, from ``p - 0.5`` and ``min(p, 1 - p)``, each exact where it is small."""
    square = 0.180625 - centred * centred
    middle = centred * polynomial(_MIDDLE[0], square) / polynomial(_MIDDLE[1], square)
    outside = np.abs(centred) > 0.425
    if not np.any(outside):
        return middle
    reach = np.sqrt(-np.log(tail[outside]))
    near, far = reach - 1.6, reach - 5
    quantile = np.where(
        reach <= 5,
        polynomial(_TAIL[0], near) / polynomial(_TAIL[1], near),
        polynomial(_FAR_TAIL[0], far) / polynomial(_FAR_TAIL[1], far),
    )
    quantile = np.where(reach == np.inf, np.inf, quantile)
    result = np.array(middle)
    result[outside] = np.copysign(quantile, centred[outside])
    return result


def ndtr_double(x: Array) -> Array:
    """The normal distribution function."""
    return erfc_double(-x * _ROOT_HALF) / 2


def log_ndtr_double(x: Array) -> Array:
    """Its logarithm."""
    left = np.minimum(x, 0)
    return np.where(
        x < -1,
        np.log(erfcx_double(-left * _ROOT_HALF) / 2) - left * left / 2,
        np.log1p(-erfc_double(x * _ROOT_HALF) / 2),
    )


def _number(value: float, like: Value) -> Value:
    return scalar(value, like.dtype)


def normal_density(x: Value) -> Value:
    """``exp(-x**2 / 2) / sqrt(2 pi)``."""
    return multiply(exp(multiply(_number(-0.5, x), multiply(x, x))), _number(1 / math.sqrt(2 * math.pi), x))


@op("erf", since=1)
class Erf(Special):
    """The error function: ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``."""

    def double(self, *arrays: Array) -> Array:
        return erf_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        (x, _) = values
        return multiply(_number(_TWO_BY_ROOT_PI, x), exp(negative(multiply(x, x))))


@op("erfc", since=1)
class Erfc(Special):
    """``1 - erf(x)``, precise where that is small."""

    def double(self, *arrays: Array) -> Array:
        return erfc_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        (x, _) = values
        return multiply(_number(-_TWO_BY_ROOT_PI, x), exp(negative(multiply(x, x))))


@op("erfcx", since=1)
class Erfcx(Special):
    """``exp(x**2) * erfc(x)``, which falls as ``1 / (sqrt(pi) x)``."""

    def double(self, *arrays: Array) -> Array:
        return erfcx_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        x, y = values
        return subtract(multiply(multiply(_number(2, x), x), y), _number(_TWO_BY_ROOT_PI, x))


_INSIDE = (
    sample(uniform(2, 3, low=-0.9, high=0.9)),
    sample(uniform(low=-0.5, high=0.5)),
    sample(uniform(0, 2, low=0, high=1)),
)
_CHANCES = (
    sample(uniform(2, 3, low=0.05, high=0.95)),
    sample(uniform(low=0.2, high=0.8)),
    sample(uniform(0, 2, low=0, high=1)),
)
_ENDS = (sample(values(-1, 1, 0, -0.0, 2, 0.5, 0.999, 1e-6, float("nan")), dtypes=FLOATS),)


@op("erfinv", since=1)
class Erfinv(Special):
    """The inverse of ``erf``: infinite at -1 and 1, NaN beyond."""

    def double(self, *arrays: Array) -> Array:
        (x,) = arrays
        return normal_quantile(x / 2, (1 - np.abs(x)) / 2) * _ROOT_HALF

    def partial(self, operand: int, *values: Value) -> Value:
        (_, y) = values
        return multiply(_number(math.sqrt(math.pi) / 2, y), exp(multiply(y, y)))

    samples = _INSIDE
    edges = _ENDS


@op("ndtr", since=1)
class Ndtr(Special):
    """The share of the standard normal distribution below ``x``."""

    def double(self, *arrays: Array) -> Array:
        return ndtr_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return normal_density(values[0])


@op("ndtri", since=1)
class Ndtri(Special):
    """The inverse of ``ndtr``: infinite at 0 and 1, NaN beyond."""

    def double(self, *arrays: Array) -> Array:
        (p,) = arrays
        return normal_quantile(p - 0.5, np.minimum(p, 1 - p))

    def partial(self, operand: int, *values: Value) -> Value:
        (_, y) = values
        return multiply(_number(math.sqrt(2 * math.pi), y), exp(multiply(multiply(y, y), _number(0.5, y))))

    samples = _CHANCES
    edges = _ENDS


@op("log_ndtr", since=1)
class LogNdtr(Special):
    """The logarithm of ``ndtr``, finite far below 0."""

    def double(self, *arrays: Array) -> Array:
        return log_ndtr_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        (x, _) = values
        zero = _number(0, x)
        # The density by the distribution function; below 0 both are far smaller than their ratio.
        above = maximum(x, zero)
        right = divide(normal_density(above), ndtr(above))
        left = divide(_number(math.sqrt(2 / math.pi), x), erfcx(multiply(minimum(x, zero), _number(-_ROOT_HALF, x))))
        return where(greater(x, zero), right, left)

    edges = (*UNARY_EDGES, sample(values(-40, -1, 40), dtypes=FLOATS))


erf = Erf()
erfc = Erfc()
erfcx = Erfcx()
erfinv = Erfinv()
ndtr = Ndtr()
ndtri = Ndtri()
log_ndtr = LogNdtr()


def erfcinv(x: Value) -> Value:
    """The inverse of ``erfc``."""
    return multiply(ndtri(multiply(x, _number(0.5, x))), _number(-_ROOT_HALF, x))
