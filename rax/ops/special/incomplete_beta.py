"""The incomplete beta function and its derivatives by both shapes, of every order.

As in :mod:`rax.ops.special.incomplete_gamma`: the density of ``log(t / (1 - t))``, ``t`` beta distributed, is
integrated over the side of ``x`` that lies away from its mean; derivatives by the shapes bring polynomials.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import op
from rax.ir.types import TensorType
from rax.ops.algebra import add
from rax.ops.arithmetic import power
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import equal, greater, less
from rax.ops.elementwise import multiply, negative, subtract
from rax.ops.logical import logical_and, logical_or
from rax.ops.samples import FLOATS, normal, positive, reject, sample, uniform, values
from rax.ops.selection import where
from rax.ops.special.double import log1p_less
from rax.ops.special.gamma_functions import (
    Polygamma,
    betaln,
    digamma,
    digamma_double,
    log_beta_double,
    polygamma_double,
    stirling,
)
from rax.ops.special.incomplete_gamma import DROP, Integral, rule
from rax.ops.transcendental import exp, log, log1p

Weight = Callable[[Array, Array], Array]


def _piece_ends(a: Array, u: Array, length: Array) -> list[Array]:
    """Ends of pieces of ``[0, length]``: the density bends between ``u - s = 0`` and ``log(a)``, on a scale of 1."""
    top = np.log(np.maximum(a, 1))
    return [0 * u, *[np.clip(u - place, 0, length) for place in (top + 40, top + 5, -5, -40)], length]


def lower_integral(a: Array, b: Array, x: Array, y: Array, weight: Weight) -> Array:
    """The integral from ``x = 1 - y`` down of the density by that at ``x``, times a weight of two logarithms."""
    both = a + b
    log_x, log_y = np.log(x), np.log(y)

    def change(s: Array) -> Array:
        """By how much ``log(1 - t)`` grows over a step of ``s`` down."""
        return -np.where(x < 0.5, np.log1p(x * np.expm1(-s)), np.log(y + x * np.exp(-s)))

    # The fall is convex, so from far out Newton's method comes down to where it is 45, never below.
    length = (DROP - both * log_y) / a
    for _ in range(24):
        far = a * length - both * change(length) - DROP
        slope = a - both / (1 + y / x * np.exp(length))
        length = length - np.where((far > 0) & (slope > 0), far / slope, 0)
    ends = _piece_ends(a, log_x - log_y, length)
    total = np.zeros_like(a)
    for start, stop in pairwise(ends):
        width = stop - start
        if np.any(width > 0):
            points, shares = rule()
            s = start + width * points
            grown = change(s)
            density = np.exp(both * grown - a * s)
            total = total + width * (shares @ (density * weight(log_x - s + grown, log_y + grown)))
    return total


def _log_factor(a: Array, b: Array, x: Array, y: Array) -> Array:
    """``log(x**a * y**b / beta(a, b))``."""
    big_a, big_b = np.maximum(a, 10), np.maximum(b, 10)
    both = big_a + big_b
    away = np.where(x < 0.5, x * both - big_a, big_b - y * both)
    near = big_a * log1p_less(away / big_a) + big_b * log1p_less(-away / big_b)
    near = near + 0.5 * np.log(big_a / both * big_b / (2 * math.pi))
    near = near + stirling(both) - stirling(big_a) - stirling(big_b)
    plain = a * np.log(x) + b * np.log(y) - log_beta_double(a, b)
    return np.where((a >= 10) & (b >= 10), near, plain)


def _moment(orders: tuple[int, int], cumulant: Callable[[int, int], Array]) -> Array:
    """A joint moment from joint cumulants, by the recurrence of the complete Bell polynomials."""
    known: dict[tuple[int, int], Array] = {(0, 0): np.ones(())}
    for m in range(orders[0] + 1):
        for n in range(orders[1] + 1):
            if m + n == 0:
                continue
            lead = (1, 0) if m else (0, 1)
            total = np.zeros(())
            for i in range(m - lead[0] + 1):
                for j in range(n - lead[1] + 1):
                    count = math.comb(m - lead[0], i) * math.comb(n - lead[1], j)
                    total = total + count * known[m - lead[0] - i, n - lead[1] - j] * cumulant(i + lead[0], j + lead[1])
            known[m, n] = total
    return known[orders]


def _slopes(order: int, *shapes: Array) -> list[list[Array]]:
    """Digamma and its derivatives below an order, of each shape."""
    return [[digamma_double(s), *[polygamma_double(k, s) for k in range(1, order)]] for s in shapes]


def _part(orders: tuple[int, int], a: Array, b: Array, x: Array, y: Array) -> Array:
    """The derivative by the shapes of the share below ``x = 1 - y``, which is below the mean."""
    if orders == (0, 0):
        total = lower_integral(a, b, x, y, lambda log_t, log_rest: np.ones(()))
    else:
        of_a, of_b, of_both = _slopes(sum(orders), a, b, a + b)

        def weight(log_t: Array, log_rest: Array) -> Array:
            def cumulant(i: int, j: int) -> Array:
                common = of_both[i + j - 1]
                if i and j:
                    return common
                own = of_a[i - 1] if i else of_b[j - 1]
                return common - own + (0 if i + j > 1 else log_t if i else log_rest)

            return _moment(orders, cumulant)

        total = lower_integral(a, b, x, y, weight)
    return np.exp(_log_factor(a, b, x, y)) * total


def betainc_double(orders: tuple[int, int], a: Array, b: Array, x: Array) -> Array:
    """The share of the beta distribution below ``x``, differentiated by the shapes so many times."""
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1) & np.isfinite(a) & np.isfinite(b)
    first, second, point = [np.where(inside, v, w) for v, w in ((a, 1), (b, 1), (x, 0.5))]
    below = np.log(point) - np.log1p(-point) < digamma_double(first) - digamma_double(second)
    low, high = np.where(below, first, second), np.where(below, second, first)
    here, rest = np.where(below, point, 1 - point), np.where(below, 1 - point, point)
    shares = [_part(orders, low, high, here, rest)]
    if orders[0] != orders[1]:  # above the mean the shapes change places
        shares.append(_part((orders[1], orders[0]), low, high, here, rest))
    if orders == (0, 0):
        result = np.where(below, np.minimum(shares[0], 1), 1 - shares[0])
    else:
        result = np.where(below, shares[0], -shares[-1])
    at_end = ((x == 0) | (x == 1)) & (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    return np.where(inside, result, np.where(at_end, 0 * x if any(orders) else x, np.nan))


SHAPES = (
    sample(positive(2, 3), positive(3), uniform(2, 3, low=0.1, high=0.9)),
    sample(uniform(low=3, high=4), uniform(2, low=2, high=3), uniform(2, low=0.4, high=0.8)),
    sample(positive(0, 2), positive(2), uniform(2, low=0.1, high=0.9)),
)
REJECTS = (reject(normal(2), normal(2), normal(2), match="is not defined on int32", dtype="int32"),)


def _density(a: Value, b: Value, x: Value, orders: tuple[int, int]) -> Value:
    """The beta density at ``x`` differentiated by the shapes; once differentiated, it counts as 0 at the ends."""
    zero, one = scalar(0, x.dtype), scalar(1, x.dtype)
    inside = logical_and(greater(x, zero), less(x, one))
    point = where(inside, x, scalar(0.5, x.dtype))
    logs = log(point), log1p(negative(point))
    total = add(a, b)
    powers = add(multiply(subtract(a, one), logs[0]), multiply(subtract(b, one), logs[1]))
    known = {(0, 0): exp(subtract(powers, betaln(a, b)))}

    def cumulant(i: int, j: int) -> Value:
        order = i + j - 1
        common = Polygamma(order)(total) if order else digamma(total)
        if i and j:
            return common
        shape = a if i else b
        rest = subtract(common, Polygamma(order)(shape) if order else digamma(shape))
        return rest if order else add(rest, logs[0] if i else logs[1])

    for m in range(orders[0] + 1):
        for n in range(orders[1] + 1):
            if m + n:
                p, q = (1, 0) if m else (0, 1)
                terms = [
                    multiply(
                        multiply(
                            scalar(math.comb(m - p, i) * math.comb(n - q, j), x.dtype), known[m - p - i, n - q - j]
                        ),
                        cumulant(i + p, j + q),
                    )
                    for i in range(m - p + 1)
                    for j in range(n - q + 1)
                ]
                known[m, n] = terms[0]
                for term in terms[1:]:
                    known[m, n] = add(known[m, n], term)
    if orders != (0, 0):
        return where(inside, known[orders], zero)
    # At the ends powers, whose derivatives are right there.
    at_end = logical_or(equal(x, zero), equal(x, one))
    low, high = where(at_end, x, scalar(0.5, x.dtype)), where(at_end, subtract(one, x), scalar(0.5, x.dtype))
    sides = multiply(power(low, subtract(a, one)), power(high, subtract(b, one)))
    end = multiply(sides, exp(negative(betaln(a, b))))
    return where(inside, known[orders], where(at_end, end, zero))


@op("betainc", since=1)
class BetaInc(Integral):
    """The regularised incomplete beta function: the share of the beta distribution of shapes ``a, b`` below ``x``.

    The derivative by ``x`` is the density, at the ends too: infinite at 0 where ``a < 1``, at 1 where ``b < 1``.
    """

    arity = 3

    def double(self, *arrays: Array) -> Array:
        return betainc_double((0, 0), *arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        a, b, x, _ = values
        return _density(a, b, x, (0, 0)) if operand == 2 else BetaIncDerivative(1 - operand, operand)(a, b, x)

    samples = SHAPES
    edges = (
        sample(
            values(1, 2, -1, 0, 2, float("nan"), 2, 1e-4, float("inf")),
            values(2, 1, 1, 1, 2, 1, 2, 1e4, 1),
            values(0, 1, 0.5, 0.5, 2, 0.5, -1, 1e-4, 0.5),
            dtypes=FLOATS,
        ),
    )
    rejects = REJECTS


@op("betainc_derivative", since=1)
class BetaIncDerivative(Integral):
    """``betainc`` differentiated ``by_a`` times by its first shape and ``by_b`` times by its second."""

    by_a: int
    by_b: int

    arity = 3

    def result(self, *operands: TensorType) -> TensorType:
        if self.by_a < 0 or self.by_b < 0:
            raise TypeInferenceError(f"betainc_derivative has orders of 0 or more, not {self.by_a} and {self.by_b}")
        return super().result(*operands)

    def double(self, *arrays: Array) -> Array:
        return betainc_double((self.by_a, self.by_b), *arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        a, b, x, _ = values
        if operand == 2:
            return _density(a, b, x, (self.by_a, self.by_b))
        return BetaIncDerivative(self.by_a + 1 - operand, self.by_b + operand)(a, b, x)

    samples = (
        sample(*SHAPES[0].operands, by_a=1, by_b=0),
        sample(*SHAPES[1].operands, by_a=1, by_b=1),
        sample(*SHAPES[-1].operands, by_a=0, by_b=1),
    )
    edges = ()
    rejects = (
        reject(
            normal(2), normal(2), normal(2), by_a=-1, by_b=0,
            match="betainc_derivative has orders of 0 or more, not -1 and 0",
        ),
        reject(normal(2), normal(2), normal(2), by_a=0, by_b=1, dtype="int32", match="is not defined on int32"),
    )  # fmt: skip


betainc = BetaInc()
