"""What special functions share: float64 inside, and the sums they are approximated by."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from rax.ops.arrays import Array
from rax.ops.elementwise import UNARY, UNARY_EDGES, Elementwise
from rax.ops.samples import FLOATS, normal, reject

INTEGER_REJECTS = (reject(normal(2), match="is not defined on int32", dtype="int32"),)


class Special(Elementwise):
    """A function of floating numbers, computed in float64 whatever their dtype."""

    dtypes = FLOATS
    samples = UNARY
    edges = UNARY_EDGES
    rejects = INTEGER_REJECTS

    def double(self, *arrays: Array) -> Array:
        """The function of float64 arrays of one shape."""
        raise NotImplementedError

    def reference(self, *arrays: Array) -> Array:
        wide = cast("list[Array]", np.broadcast_arrays(*[np.asarray(x, np.float64) for x in arrays]))
        return np.asarray(self.double(*wide)).astype(arrays[0].dtype)


def chebyshev(coefficients: tuple[float, ...], t: Array) -> Array:
    """The sum of Chebyshev polynomials on [-1, 1], by Clenshaw's recurrence (1955)."""
    after, total = np.zeros_like(t), np.zeros_like(t)
    twice = 2 * t
    for coefficient in coefficients[:0:-1]:
        after, total = total, coefficient + twice * total - after
    return coefficients[0] + t * total - after


def polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """The sum of ``coefficients[k] * x**k``, by Horner's rule."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def exp_square(x: Array, sign: int) -> Array:
    """``exp(sign * x**2)``, without the error that rounding ``x**2`` would be multiplied to."""
    bounded = np.clip(x, -40, 40)
    near = np.rint(bounded * 16) / 16  # its square is exact
    exact = np.exp(sign * near * near) * np.exp(sign * (bounded - near) * (bounded + near))
    return np.where(np.isnan(x), np.nan, exact)


def sin_pi(x: Array) -> Array:
    """``sin(pi * x)``, exactly 0 at whole numbers."""
    nearest = np.rint(x)
    sine = np.sin(np.pi * (x - nearest))
    return np.where(np.remainder(nearest, 2) == 0, sine, -sine)


def log1p_less(x: Array) -> Array:
    """``log(1 + x) - x`` without cancellation.

    Near 0 from ``log(1 + x) = 2 atanh(v)`` with ``v = x / (2 + x)`` (DLMF 4.6.4).
    """
    small = np.abs(x) < 0.5
    v = np.where(small, x, 0) / (2 + np.where(small, x, 0))
    odd = polynomial(tuple(2 / k for k in range(3, 37, 2)), v * v)
    return np.where(small, v * v * (v * odd - 2 / (1 - v)), np.log1p(x) - x)


def as_double(x: Any) -> Array:
    """Anything as a float64 array."""
    return np.asarray(x, np.float64)
