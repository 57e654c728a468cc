"""The normal form of a size, by the words of FORMAT.md and nothing of rax.

A sum is a dict from products to coefficients; a product is a tuple of factors with their powers, in order; a factor is
a name, or a call: its operator and two sums, frozen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from tests.format.digests import size_text

Factor = str | tuple[str, "Frozen", "Frozen"]
Product = tuple[tuple[Factor, int], ...]
Frozen = tuple[tuple[Product, int], ...]
STEPS = 500


def normal(size: Any) -> Any:
    """The canonical form of a size in a file."""
    return form(freeze(build(size)))


def build(size: Any) -> Mapping[Product, int]:
    if isinstance(size, int):
        return number(size)
    if isinstance(size, str):
        return {((size, 1),): 1}
    operator, *parts = size
    total, *rest = [build(part) for part in parts]
    for part in rest:
        if operator in "+*":
            total = (plus if operator == "+" else times)(total, part)
        else:
            total = quotient(total, part) if operator == "//" else extremum(operator, total, part)
    return total


def number(value: int) -> Mapping[Product, int]:
    return {(): value} if value else {}


def as_int(size: Mapping[Product, int]) -> int | None:
    """The int a sum is, or None."""
    return size.get((), 0) if not any(size) else None


def plus(left: Mapping[Product, int], right: Mapping[Product, int], scale: int = 1) -> Mapping[Product, int]:
    products = {*left, *right}
    return {each: n for each in products if (n := left.get(each, 0) + scale * right.get(each, 0))}


def times(left: Mapping[Product, int], right: Mapping[Product, int]) -> Mapping[Product, int]:
    total: Mapping[Product, int] = {}
    for (first, a), (second, b) in itertools.product(left.items(), right.items()):
        powers = dict(first)
        for factor, power in second:
            powers[factor] = powers.get(factor, 0) + power
        joined = tuple(sorted(powers.items(), key=lambda item: factor_text(item[0])))
        total = plus(total, {joined: a * b})
    return total


def order(product: Product) -> tuple[int, bool, str]:
    degree = sum(power for _, power in product)
    calls = any(not isinstance(factor, str) for factor, _ in product)
    return -degree, calls, "*".join(f"{factor_text(factor)}^{power}" for factor, power in product)


def freeze(size: Mapping[Product, int]) -> Frozen:
    return tuple(sorted(size.items(), key=lambda term: order(term[0])))


def form(size: Frozen) -> Any:
    """A sum as a file has it."""
    terms: list[Any] = []
    for product, coefficient in size:
        factors = [factor_form(factor) for factor, power in product for _ in range(power)]
        if coefficient != 1 or not factors:
            factors.insert(0, coefficient)
        terms.append(factors[0] if len(factors) == 1 else ["*", *factors])
    return 0 if not terms else terms[0] if len(terms) == 1 else ["+", *terms]


def factor_form(factor: Factor) -> Any:
    return factor if isinstance(factor, str) else [factor[0], form(factor[1]), form(factor[2])]


def factor_text(factor: Factor) -> str:
    return size_text(factor_form(factor))


def text(size: Mapping[Product, int]) -> str:
    return size_text(form(freeze(size)))


def call(operator: str, left: Mapping[Product, int], right: Mapping[Product, int]) -> Mapping[Product, int]:
    return {(((operator, freeze(left), freeze(right)), 1),): 1}


def quotient(a: Mapping[Product, int], b: Mapping[Product, int]) -> Mapping[Product, int]:
    divisor, value = as_int(b), as_int(a)
    if divisor is None:
        exact = divided(a, b)
        return call("//", a, b) if exact is None else exact
    if value is not None:
        return number(value // divisor)
    if divisor < 0:
        return quotient(plus({}, a, -1), number(-divisor))
    whole = {product: n for product, c in a.items() if (n := c // divisor)}
    rest = {product: n for product, c in a.items() if (n := c % divisor)}
    if as_int(rest) is not None:
        return whole
    common = math.gcd(divisor, *[c for product, c in rest.items() if product])
    if common > 1:
        smaller = {product: n for product, c in rest.items() if (n := c // common)}
        return plus(whole, quotient(smaller, number(divisor // common)))
    for product, coefficient in freeze(rest):
        inner = lone(product)
        if coefficient == 1 and inner and inner[0] == "//" and (q := as_int(dict(inner[2]))) is not None:
            others = times(plus(rest, {product: 1}, -1), number(q))
            return plus(whole, quotient(plus(dict(inner[1]), others), number(q * divisor)))
    return plus(whole, call("//", rest, b))


def lone(product: Product) -> tuple[str, Frozen, Frozen] | None:
    """The call a product is, if it is one."""
    ((factor, power), *more) = product or (("", 0),)
    return factor if not more and power == 1 and not isinstance(factor, str) else None


def divided(a: Mapping[Product, int], b: Mapping[Product, int]) -> Mapping[Product, int] | None:
    """The sum that gives ``a`` when multiplied by ``b``, if there is one: long division in lexical order."""
    names = sorted({factor for product in (*a, *b) for factor, _ in product}, key=repr)

    def vector(product: Product) -> tuple[int, ...]:
        powers = dict(product)
        return tuple(powers.get(name, 0) for name in names)

    total: Mapping[Product, int] = {}
    rest = a
    top = max(b, key=vector)
    while rest:
        first = max(rest, key=vector)
        powers = {name: x - y for name, x, y in zip(names, vector(first), vector(top), strict=True)}
        if rest[first] % b[top] or min(powers.values(), default=0) < 0:
            return None
        kept = [(name, power) for name, power in powers.items() if power]
        step = {tuple(sorted(kept, key=lambda item: factor_text(item[0]))): rest[first] // b[top]}
        total, rest = plus(total, step), plus(rest, times(step, b), -1)
    return total


def extremum(kind: str, a: Mapping[Product, int], b: Mapping[Product, int]) -> Mapping[Product, int]:
    def wins(one: Mapping[Product, int], other: Mapping[Product, int]) -> bool:
        difference = plus(one, other, -1) if kind == "max" else plus(other, one, -1)
        bound = Proof().low(difference)
        return bound is not None and bound >= 0

    sizes = sorted((*operands(kind, a), *operands(kind, b)), key=lambda size: (as_int(size) is not None, text(size)))
    kept: list[Mapping[Product, int]] = []
    for size in sizes:
        if not any(wins(other, size) for other in kept):
            kept = [*[other for other in kept if not wins(size, other)], size]
    total, *rest = kept
    for size in rest:
        total = call(kind, total, size)
    return total


def operands(kind: str, size: Mapping[Product, int]) -> list[Mapping[Product, int]]:
    if len(size) == 1 and (*size.values(),) == (1,):
        inner = lone(next(iter(size)))
        if inner and inner[0] == kind:
            return [*operands(kind, dict(inner[1])), *operands(kind, dict(inner[2]))]
    return [size]


class Proof:
    """Bounds, as far as 500 steps go."""

    def __init__(self) -> None:
        self.steps = STEPS

    def low(self, size: Mapping[Product, int]) -> int | None:
        value = as_int(size)
        if value is not None:
            return value
        self.steps -= 1
        if self.steps < 0:
            return None
        terms = freeze(size)
        parts = [(c, self.product(product, low=c > 0)) for product, c in terms]
        known = [c * bound for c, bound in parts if bound is not None]
        first = sum(known) if len(known) == len(parts) else None
        second = None
        for product, c in terms:
            inner = lone(product)
            if inner:
                second = self.replaced(inner, c, plus(size, {product: c}, -1))
                break
        return best(max, first, second)

    def high(self, size: Mapping[Product, int]) -> int | None:
        bound = self.low(plus({}, size, -1))
        return None if bound is None else -bound

    def replaced(self, inner: tuple[str, Frozen, Frozen], c: int, rest: Mapping[Product, int]) -> int | None:
        kind, x, y = inner[0], dict(inner[1]), dict(inner[2])
        if kind != "//":
            sides = [self.low(plus(rest, side, c)) for side in (x, y)]
            if (kind == "max") == (c > 0):
                return best(max, *sides)
            return None if None in sides else best(min, *sides)
        q = as_int(y)
        if q is None:
            return None
        over = plus(x, number(q - 1), -1) if c > 0 else x
        bound = self.low(plus(times(number(q), rest), over, c))
        return None if bound is None else -(-bound // q)

    def product(self, product: Product, *, low: bool) -> int | None:
        if not product:
            return 1
        if len(product) == 1 and product[0][1] == 1:
            return self.factor(product[0][0], low=low)
        total = 1
        for factor, power in product:
            bottom = self.factor(factor, low=True)
            bound = bottom if low else self.factor(factor, low=False)
            if bottom is None or bottom < 0 or bound is None:
                return None
            total *= bound**power
        return total

    def factor(self, factor: Factor, *, low: bool) -> int | None:
        if isinstance(factor, str):
            return 0 if low else None
        kind, x, y = factor[0], dict(factor[1]), dict(factor[2])
        bound = self.low if low else self.high
        if kind == "//":
            over, q = bound(x), as_int(y)
            if q is not None:
                return None if over is None else over // q
            below = self.low(y) if low and over is not None and over >= 0 else None
            return None if below is None or below < 0 else 0
        sides = [bound(x), bound(y)]
        if (kind == "max") != low and None in sides:
            return None
        return best(max if kind == "max" else min, *sides)


def best(pick: Any, *bounds: int | None) -> int | None:
    known = [bound for bound in bounds if bound is not None]
    return pick(known) if known else None
