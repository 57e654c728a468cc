"""Symbolic sizes: integer polynomials over named dims, closed under ``+ - * // **``, min, max.

A ``Size`` is an ``int`` or a ``Dim``. A ``Dim`` is kept in one canonical form (a sum of
monomials with integer coefficients), so two expressions that are equal as polynomials are
equal as Python objects. Named dims stand for integers ``>= 0``: a batch may be empty.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Never, NoReturn, TypeGuard

from rax.ir.errors import ParseError, ShapeError

MAX_DIM_DEPTH = 32
MAX_DIM_TOKENS = 8192
MAX_DIM_DIGITS = 100
MAX_DIM_TERMS = 128
MAX_BOUND_STEPS = 500
"""Limits on hostile expressions: nesting, tokens, digits of a number, terms of a sum, work on a proof."""
MAX_SHOWN = 100
_RESERVED = ("min", "max")


class _Work:
    """Steps of arithmetic that may still be made, and what to do when there are none left."""

    __slots__ = ("left", "stop")

    def __init__(self, left: int, stop: Callable[[], NoReturn]) -> None:
        self.left = left
        self.stop = stop

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            self.stop()


_work: ContextVar[_Work | None] = ContextVar("rax_dims_work", default=None)


@contextmanager
def bounded_work(steps: int, stop: Callable[[], NoReturn]) -> Generator[None]:
    """Within the block, let arithmetic on sizes make so many steps, then call ``stop``, which raises.

    A step is a term that is added, or a pair of terms multiplied; to bound a size takes a few more. So
    what somebody else wrote, whose sizes may be long on purpose, is read in bounded time.
    """
    token = _work.set(_Work(steps, stop))
    try:
        yield
    finally:
        _work.reset(token)


class DimCall:
    """An atom that is no polynomial: ``left // right``, ``min(left, right)``, ``max(...)``."""

    __slots__ = ("_hash", "_text", "depth", "kind", "left", "right")

    def __init__(self, kind: str, left: Size, right: Size) -> None:
        self.kind = kind
        self._text = ""
        self.left = left
        self.right = right
        self.depth = 1 + max(call_depth(left), call_depth(right))
        if self.depth > MAX_DIM_DEPTH:
            raise ShapeError(
                f"a size nests {kind} more than {MAX_DIM_DEPTH} deep", fix="name a part of it as a dim of its own"
            )
        self._hash = hash((kind, left, right))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DimCall)
            and self._hash == other._hash
            and (self.kind, self.left, self.right) == (other.kind, other.left, other.right)
        )

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return DimCall, (self.kind, self.left, self.right)  # the hash differs in another process

    def __str__(self) -> str:
        if not self._text:  # what monomials are sorted by, again and again
            quotient = self.kind == "//"
            sides = f"{_grouped(self.left)}//{_grouped(self.right)}" if quotient else f"({self.left}, {self.right})"
            self._text = sides if quotient else self.kind + sides
        return self._text


def call_depth(size: Size) -> int:
    """How many quotients, minima and maxima are inside each other in a size."""
    if isinstance(size, int):
        return 0
    calls = (atom.depth for monomial, _ in size.terms for atom, _ in monomial if isinstance(atom, DimCall))
    return max(calls, default=0)


Atom = str | DimCall
Monomial = tuple[tuple[Atom, int], ...]


class Dim:
    """A symbolic size, immutable and canonical. Build one with :func:`dim` or arithmetic.

    Example:
        >>> n = dim("batch")
        >>> print((n + 1) * 2 - n)
        batch + 2
        >>> (n * 4) // 2 == n * 2
        True
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Dim) and self._hash == other._hash and self.terms == other.terms)

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Size) -> Size:
        return _combine([(self, 1), (other, 1)]) if _is_size(other) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Size) -> Size:
        return _combine([(self, 1), (other, -1)]) if _is_size(other) else NotImplemented

    def __rsub__(self, other: Size) -> Size:
        return _combine([(other, 1), (self, -1)]) if _is_size(other) else NotImplemented

    def __neg__(self) -> Size:
        return _combine([(self, -1)])

    def __mul__(self, other: Size) -> Size:
        if isinstance(other, float):
            self._refuse("times a float")
        return _multiply(self, other) if _is_size(other) else NotImplemented

    __rmul__ = __mul__

    def __pow__(self, other: object) -> Size:
        if not _is_number(other):
            return NotImplemented
        if not isinstance(other, int) or other < 0:
            self._refuse(f"to the power {other}")
        # Squaring keeps the number of products small; a size of many terms is refused as it grows.
        total: Size = 1
        for bit in f"{other:b}":
            total = total * total * (self if bit == "1" else 1)
        return total

    def __rpow__(self, other: object) -> object:
        return self._refuse("as a power") if _is_number(other) else NotImplemented

    def __truediv__(self, other: object) -> object:
        return self._refuse("divided with /") if _is_number(other) else NotImplemented

    def __rtruediv__(self, other: object) -> object:
        return self._refuse("as a divisor with /") if _is_number(other) else NotImplemented

    def _refuse(self, what: str) -> Never:
        raise ShapeError(
            f"the symbolic size {self} {what} is no size",
            fix="use // for a size; to compute with it as a number, make it a tensor with rax.numpy.asarray",
        )

    def __floordiv__(self, other: Size) -> Size:
        return floor_divide(self, other) if _is_size(other) else NotImplemented

    def __rfloordiv__(self, other: Size) -> Size:
        return floor_divide(other, self) if _is_size(other) else NotImplemented

    def __mod__(self, other: Size) -> Size:
        return self - other * floor_divide(self, other) if _is_size(other) else NotImplemented

    def __rmod__(self, other: Size) -> Size:
        return other - self * floor_divide(other, self)

    def __ge__(self, other: Size) -> bool:
        return _decide(self, ">=", other)

    def __gt__(self, other: Size) -> bool:
        return _decide(self, ">", other)

    def __le__(self, other: Size) -> bool:
        return _decide(self, "<=", other)

    def __lt__(self, other: Size) -> bool:
        return _decide(self, "<", other)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Dim, (self.terms,)  # the hash differs in another process

    def __bool__(self) -> bool:
        raise ShapeError(
            f"the symbolic size {self} has no truth value",
            fix="compare it with a size, or trace with a fixed size",
        )

    def __index__(self) -> int:
        raise ShapeError(
            f"the symbolic size {self} is not a number yet",
            fix="trace with a fixed size, or keep the expression symbolic",
        )

    def __str__(self) -> str:
        pieces: list[str] = []
        for monomial, coefficient in self.terms:
            magnitude = abs(coefficient)
            alone = len(monomial) == 1 and monomial[0][1] == 1 and (coefficient == 1 or (pieces and magnitude == 1))
            body = str(monomial[0][0]) if alone else "*".join(_power_text(atom, power) for atom, power in monomial)
            text = str(magnitude) if not body else body if magnitude == 1 else f"{magnitude}*{body}"
            sign = "-" if coefficient < 0 else "+"
            pieces.append((f" {sign} " if pieces else "-" if sign == "-" else "") + text)
        return "".join(pieces)

    def __repr__(self) -> str:
        return f"dim({str(self)!r})"


Size = int | Dim
Shape = tuple[Size, ...]


def _is_number(x: object) -> bool:
    return isinstance(x, (int, float, Dim))


def _is_size(x: object) -> bool:
    return isinstance(x, (int, Dim))  # arithmetic leaves tensors and arrays to themselves


def dim(text: str | int | Dim) -> Size:
    """Read a size: an int, a name, or an expression such as ``"(n - 3)//2 + 1"``.

    Args:
        text: the expression; names match ``[A-Za-z_][A-Za-z0-9_]*``.

    Returns:
        An ``int`` if the expression is constant, else a ``Dim``.

    Raises:
        ParseError: the text is not a size expression.

    Example:
        >>> dim("2*3 + 1")
        7
        >>> dim("max(n - 1, 0)")
        dim('max(n - 1, 0)')
    """
    if isinstance(text, Dim) or type(text) is int:
        return text
    if not isinstance(text, str):
        try:
            return int(text.__index__())
        except (AttributeError, TypeError):
            fix = "for a size that is not fixed give a name, such as 'batch'"
            raise ParseError(f"a size is an int or a dim expression, not {text!r}", fix=fix) from None
    return _SizeParser(text).parse()


def variable(name: str) -> Dim:
    """The dim called ``name``."""
    if not is_name(name):
        raise ParseError(f"{name!r} is not a dim name", fix="use letters, digits and _")
    return Dim(((((name, 1),), 1),))


def _is_word(text: str) -> bool:
    """Whether it is ASCII letters, digits and ``_``, and begins with no digit."""
    return text.isascii() and text.isidentifier()


def is_name(name: str) -> bool:
    """Whether a dim may have this name."""
    return _is_word(name) and name not in _RESERVED


def as_shape(shape: Iterable[int | str | Dim] | int | str | Dim) -> Shape:
    """Normalise a shape: a size or an iterable of sizes, strings read as expressions."""
    if isinstance(shape, (str, Dim)) or not isinstance(shape, Iterable):
        shape = (shape,)
    sizes = tuple(dim(size) for size in shape)
    for size in sizes:
        if isinstance(size, int) and size < 0:
            raise ShapeError(f"the shape {shape_text(sizes)} has a negative size")
    return sizes


def shape_text(shape: Shape) -> str:
    """A shape as text: ``[batch, 64]``."""
    return "[" + ", ".join(map(str, shape)) + "]"


def _grouped(size: Size) -> str:
    if isinstance(size, int):
        return str(size) if size >= 0 else f"({size})"
    simple = len(size.terms) == 1 and size.terms[0][1] == 1 and len(size.terms[0][0]) == 1
    atom = size.terms[0][0][0] if simple else None
    if atom is not None and atom[1] == 1 and not _is_quotient(atom[0]):
        return str(size)
    return f"({size})"


def _is_quotient(atom: Atom) -> TypeGuard[DimCall]:
    return isinstance(atom, DimCall) and atom.kind == "//"


def _power_text(atom: Atom, power: int) -> str:
    text = f"({atom})" if _is_quotient(atom) else str(atom)
    return "*".join([text] * power)


def _terms(size: Size) -> Iterable[tuple[Monomial, int]]:
    if isinstance(size, Dim):
        return size.terms
    return (((), size),) if size else ()


@functools.lru_cache(maxsize=8192)
def _monomial_key(monomial: Monomial) -> tuple[int, bool, str]:
    calls = any(isinstance(atom, DimCall) for atom, _ in monomial)
    return (-sum(power for _, power in monomial), calls, "*".join(f"{a}^{p}" for a, p in monomial))


def _build(sums: Mapping[Monomial, int]) -> Size:
    kept = [(monomial, total) for monomial, total in sums.items() if total]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    if len(kept) > MAX_DIM_TERMS:
        raise ShapeError(f"a size has at most {MAX_DIM_TERMS} terms", fix="name a part of it as a dim of its own")
    kept.sort(key=lambda term: _monomial_key(term[0]))
    return Dim(tuple(kept))


def _combine(parts: Iterable[tuple[Size, int]]) -> Size:
    sums: dict[Monomial, int] = {}
    work = _work.get()
    for size, scale in parts:
        if work is not None and isinstance(size, Dim):
            work.spend(len(size.terms))
        for monomial, coefficient in _terms(size):
            sums[monomial] = sums.get(monomial, 0) + coefficient * scale
    return _build(sums)


def _multiply(left: Size, right: Size) -> Size:
    sums: dict[Monomial, int] = {}
    work = _work.get()
    if work is not None and isinstance(left, Dim):
        work.spend(len(left.terms) * (len(right.terms) if isinstance(right, Dim) else 1))
    for first, a in _terms(left):
        for second, b in _terms(right):
            key = _multiply_monomials(first, second)
            sums[key] = sums.get(key, 0) + a * b
    return _build(sums)


def _multiply_monomials(first: Monomial, second: Monomial) -> Monomial:
    if not first or not second:
        return first or second
    powers: dict[Atom, int] = dict(first)
    for atom, power in second:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(powers.items()) if len(powers) == 1 else tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes; 1 for none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def _leading(size: Size) -> tuple[Monomial, int]:
    """The leading term in graded lexical order, which multiplication respects, as long division needs."""

    def order(term: tuple[Monomial, int]) -> tuple[int, list[tuple[str, int]]]:
        return -sum(power for _, power in term[0]), [(str(atom), -power) for atom, power in term[0]]

    return min(_terms(size), key=order)


def _exact_quotient(left: Dim, right: Dim) -> Size | None:
    """``left / right`` where it is a polynomial, by long division."""
    powers, scale = _leading(right)
    rest: Size = left
    total: Size = 0
    while rest != 0:
        monomial, coefficient = _leading(rest)
        above = dict(monomial)
        for atom, power in powers:
            above[atom] = above.get(atom, 0) - power
        if coefficient % scale or min(above.values(), default=0) < 0:
            return None
        factor = _build({tuple((atom, power) for atom, power in above.items() if power): coefficient // scale})
        total, rest = total + factor, rest - factor * right
    return total


def floor_divide(left: Size, right: Size) -> Size:
    """``left // right`` rounded down, simplified where a division is exact.

    Raises:
        ShapeError: ``right`` is 0.

    Example:
        >>> floor_divide(dim("4*n + 3"), 4)
        dim('n')
        >>> floor_divide(dim("(n + 1)*m"), dim("n + 1"))
        dim('m')
    """
    if isinstance(right, int):
        if right == 0:
            raise ShapeError(f"the size {left} is divided by zero")
        return left // right if isinstance(left, int) else _divide_by_number(left, right)
    exact = 0 if left == 0 else _exact_quotient(left, right) if isinstance(left, Dim) else None
    return _atom("//", left, right) if exact is None else exact


def _divide_by_number(left: Dim, right: int) -> Size:
    """Normal form of ``left // right``: what divides comes out, the common factor goes, nested floors join."""
    if right < 0:
        return floor_divide(-left, -right)
    quotient = _build({monomial: coefficient // right for monomial, coefficient in left.terms})
    rest = _build({monomial: coefficient % right for monomial, coefficient in left.terms})
    if isinstance(rest, int):
        return quotient  # the constant term's remainder is below right
    common = math.gcd(right, *[coefficient for monomial, coefficient in rest.terms if monomial])
    if common > 1:
        # floor((g*p + c) / (g*q)) = floor((p + floor(c / g)) / q)
        shrunk = _build({monomial: coefficient // common for monomial, coefficient in rest.terms})
        return quotient + floor_divide(shrunk, right // common)
    for monomial, coefficient in rest.terms:
        atom = monomial[0][0] if len(monomial) == 1 and monomial[0][1] == coefficient == 1 else None
        if isinstance(atom, DimCall) and atom.kind == "//" and isinstance(atom.right, int):
            # floor((floor(p / q) + c) / r) = floor((p + c*q) / (q*r))
            others = rest - _build({monomial: 1})
            return quotient + floor_divide(atom.left + others * atom.right, atom.right * right)
    return quotient + _atom("//", rest, right)


def _atom(kind: str, left: Size, right: Size) -> Dim:
    return Dim(((((DimCall(kind, left, right), 1),), 1),))


def minimum(left: Size, right: Size) -> Size:
    """The smaller size, symbolic only where the order is not provable."""
    return _extremum("min", left, right)


def maximum(left: Size, right: Size) -> Size:
    """The larger size, symbolic only where the order is not provable."""
    return _extremum("max", left, right)


def _extremum(kind: str, left: Size, right: Size) -> Size:
    """One flat, sorted chain of what no other operand makes superfluous."""
    sizes = sorted(
        (*_operands(kind, left), *_operands(kind, right)), key=lambda size: (isinstance(size, int), str(size))
    )
    kept: list[Size] = []
    for size in sizes:
        if not any(_wins(kind, other, size) for other in kept):
            kept = [*[other for other in kept if not _wins(kind, size, other)], size]
    return functools.reduce(lambda total, size: _atom(kind, total, size), kept)


def _wins(kind: str, size: Size, other: Size) -> bool:
    return at_least(size, other) if kind == "max" else at_least(other, size)


def _operands(kind: str, size: Size) -> list[Size]:
    """The operands of nested calls of one kind."""
    found: list[Size] = []
    while isinstance(size, Dim):
        atom = _lone_atom(size)
        if not isinstance(atom, DimCall) or atom.kind != kind:
            break
        found.append(atom.right)  # chains lean left
        size = atom.left
    return [size, *reversed(found)]


def _lone_atom(size: Dim) -> Atom | None:
    ((monomial, coefficient), *more) = size.terms
    alone = not more and coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1
    return monomial[0][0] if alone else None


def _decide(left: Size, relation: str, right: Size) -> bool:
    """The truth of a comparison, where it is the same for every value of the dims."""
    low, high = lower_bound(left - right), upper_bound(left - right)
    strict = relation in ("<", ">")
    if relation in ("<", "<="):
        low, high = (None if high is None else -high), (None if low is None else -low)
    if low is not None and low >= strict:
        return True
    if high is not None and high < strict:
        return False
    raise ShapeError(
        f"whether {left} {relation} {right} depends on the value of {', '.join(sorted({*variables(left - right)}))}",
        fix="trace with a fixed size, or use rax.ir.dims.minimum and maximum",
    )


def at_least(left: Size, right: Size) -> bool:
    """Whether ``left >= right`` is provable for every value of the dims."""
    low = lower_bound(left - right)
    return low is not None and low >= 0


@functools.lru_cache(maxsize=8192)
def lower_bound(size: Size) -> int | None:
    """The largest provable lower bound, or None.

    Example:
        >>> lower_bound(dim("n - min(n, 3)")), lower_bound(dim("n - m"))
        (0, None)
    """
    return _Bounds().lower(size)


def upper_bound(size: Size) -> int | None:
    """The smallest provable upper bound, or None."""
    return _negated(lower_bound(-size))


def _negated(bound: int | None) -> int | None:
    return None if bound is None else -bound


def _best(pick: Callable[[list[int]], int], *bounds: int | None) -> int | None:
    known = [bound for bound in bounds if bound is not None]
    return pick(known) if known else None


class _Bounds:
    """One proof of a bound; gives up, with None, after ``MAX_BOUND_STEPS``."""

    def __init__(self) -> None:
        self.steps = MAX_BOUND_STEPS

    def lower(self, size: Size) -> int | None:
        """The better of two bounds: each term by itself, or a call replaced by what it lies between."""
        if isinstance(size, int):
            return size
        self.steps -= 1
        if self.steps < 0:
            return None
        work = _work.get()
        if work is not None:
            work.spend(4 + len(size.terms))
        total: int | None = 0
        for monomial, coefficient in size.terms:
            bound = self._monomial(monomial, low=coefficient > 0)
            total = None if bound is None or total is None else total + coefficient * bound
        for monomial, coefficient in size.terms:
            atom = monomial[0][0] if len(monomial) == 1 and monomial[0][1] == 1 else None
            if isinstance(atom, DimCall):
                return _best(max, total, self._without(atom, coefficient, size - coefficient * _build({monomial: 1})))
        return total

    def upper(self, size: Size) -> int | None:
        return _negated(self.lower(-size))

    def _without(self, atom: DimCall, coefficient: int, rest: Size) -> int | None:
        """A lower bound of ``rest + coefficient*atom``."""
        if atom.kind == "//":
            if not isinstance(atom.right, int):
                return None
            # q*floor(p / q) lies between p - (q - 1) and p.
            numerator = atom.left - (atom.right - 1) if coefficient > 0 else atom.left
            scaled = self.lower(rest * atom.right + coefficient * numerator)
            return None if scaled is None else -(-scaled // atom.right)
        sides = [self.lower(rest + coefficient * side) for side in (atom.left, atom.right)]
        if (atom.kind == "max") == (coefficient > 0):
            return _best(max, *sides)
        return None if None in sides else _best(min, *sides)

    def _monomial(self, monomial: Monomial, *, low: bool) -> int | None:
        if len(monomial) == 1 and monomial[0][1] == 1:
            return self._atom(monomial[0][0], low=low)
        total = 1
        for atom, power in monomial:
            bottom = self._atom(atom, low=True)
            bound = bottom if low else self._atom(atom, low=False)
            if bottom is None or bottom < 0 or bound is None:
                return None  # a product of unknown signs
            total *= bound**power
        return total

    def _atom(self, atom: Atom, *, low: bool) -> int | None:
        if isinstance(atom, str):
            return 0 if low else None
        pick = self.lower if low else self.upper
        if atom.kind == "//":
            left = pick(atom.left)
            if isinstance(atom.right, int):
                return None if left is None else left // atom.right
            # Where the divisor is 0 there is no size, so a divisor that is never negative is positive.
            bottom = self.lower(atom.right) if low and left is not None and left >= 0 else None
            return None if bottom is None or bottom < 0 else 0
        sides = (pick(atom.left), pick(atom.right))
        pull = max if atom.kind == "max" else min
        return None if (atom.kind == "max") != low and None in sides else _best(pull, *sides)


def variables(size: Size) -> Iterator[str]:
    """The names a size depends on, with repeats."""
    if isinstance(size, Dim):
        for monomial, _ in size.terms:
            for atom, _ in monomial:
                if isinstance(atom, str):
                    yield atom
                else:
                    yield from variables(atom.left)
                    yield from variables(atom.right)


def evaluate(size: Size, values: Mapping[str, int]) -> int:
    """The number a size stands for.

    Raises:
        ShapeError: a dim has no value, or a divisor is zero.

    Example:
        >>> evaluate(dim("(n - 3)//2 + 1"), {"n": 28})
        13
    """
    if isinstance(size, int):
        return size
    total = 0
    for monomial, coefficient in size.terms:
        for atom, power in monomial:
            coefficient *= _evaluate_atom(atom, values) ** power
        total += coefficient
    return total


def _evaluate_atom(atom: Atom, values: Mapping[str, int]) -> int:
    if isinstance(atom, str):
        if atom not in values:
            raise ShapeError(f"the dim {atom!r} has no value", fix="give an input that fixes it")
        return values[atom]
    left, right = evaluate(atom.left, values), evaluate(atom.right, values)
    if atom.kind == "//":
        if right == 0:
            raise ShapeError(f"the size {atom} is divided by zero for {dict(values)}")
        return left // right
    return min(left, right) if atom.kind == "min" else max(left, right)


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """``size`` with named dims replaced by other sizes; names not given stay."""
    if isinstance(size, int):
        return size
    total: Size = 0
    for monomial, coefficient in size.terms:
        term: Size = coefficient
        for atom, power in monomial:
            for _ in range(power):
                term = term * _substitute_atom(atom, values)
        total = total + term
    return total


def _substitute_atom(atom: Atom, values: Mapping[str, Size]) -> Size:
    if isinstance(atom, str):
        return values[atom] if atom in values else variable(atom)
    left, right = substitute(atom.left, values), substitute(atom.right, values)
    if atom.kind == "//":
        return floor_divide(left, right)
    return _extremum(atom.kind, left, right)


def solve(size: Size, actual: int, values: dict[str, int]) -> bool:
    """Learn a dim from ``size == actual`` if ``size`` is ``a*name + b``; say whether it could.

    ``values`` gains the name; the names in it already count as numbers. A size already known
    is left to a later check.
    """
    size = substitute(size, values)
    if isinstance(size, int):
        return True
    offset, linear = 0, None
    for monomial, coefficient in size.terms:
        if not monomial:
            offset = coefficient
        elif linear is None and len(monomial) == 1 and isinstance(monomial[0][0], str) and monomial[0][1] == 1:
            linear = (monomial[0][0], coefficient)
        else:
            return False
    if linear is None or (actual - offset) % linear[1] or (actual - offset) // linear[1] < 0:
        return False
    values[linear[0]] = (actual - offset) // linear[1]
    return True


class _SizeParser:
    """Recursive descent over ``+ - * //``, parentheses, min and max; bounded depth."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        self.places: list[int] = []
        self.next = 0
        position = 0
        stripped = text.rstrip(" \t\r\n")
        token = re.compile(r"[ \t\r\n]*(//|[-+*(),]|[0-9]+|[A-Za-z_][A-Za-z0-9_]*)")
        while position < len(stripped):
            match = token.match(stripped, position)
            if match is None:
                place = position + len(stripped[position:]) - len(stripped[position:].lstrip(" \t\r\n"))
                raise self._error(f"unexpected {stripped[place]!r}", place)
            if len(self.tokens) == MAX_DIM_TOKENS:
                raise ParseError(f"a size has at most {MAX_DIM_TOKENS} numbers, names and signs")
            self.tokens.append(match.group(1))
            self.places.append(match.start(1))
            position = match.end()
        self.places.append(len(stripped))

    def _error(self, why: str, place: int | None = None) -> ParseError:
        column = (self.places[self.next] if place is None else place) + 1
        shown = self.text if len(self.text) <= MAX_SHOWN else self.text[:MAX_SHOWN] + "…"
        fix = 'write e.g. "batch" or "2*n + 1"'
        return ParseError(f"{shown!r} is not a size: {why}", fix=fix, column=column)

    def _take(self, *wanted: str) -> str | None:
        if self.next < len(self.tokens) and self.tokens[self.next] in wanted:
            self.next += 1
            return self.tokens[self.next - 1]
        return None

    def _need(self, token: str) -> None:
        if self._take(token) is None:
            raise self._error(f"expected {token!r}")

    def parse(self) -> Size:
        size = self._sum(0)
        if self.next != len(self.tokens):
            raise self._error(f"unexpected {self.tokens[self.next]!r}")
        return size

    def _sum(self, depth: int) -> Size:
        if depth > 2 * MAX_DIM_DEPTH:  # the text of one call opens up to two parentheses
            raise self._error("nested too deeply")
        total = -self._term(depth) if self._take("-") else self._term(depth)
        while operator := self._take("+", "-"):
            term = self._term(depth)
            total = total + term if operator == "+" else total - term
        return total

    def _term(self, depth: int) -> Size:
        total = self._factor(depth)
        while operator := self._take("*", "//"):
            factor = self._factor(depth)
            total = total * factor if operator == "*" else floor_divide(total, factor)
        return total

    def _factor(self, depth: int) -> Size:
        if self._take("("):
            size = self._sum(depth + 1)
            self._need(")")
            return size
        if operator := self._take(*_RESERVED):
            self._need("(")
            left = self._sum(depth + 1)
            self._need(",")
            right = self._sum(depth + 1)
            self._need(")")
            return _extremum(operator, left, right)
        if self.next == len(self.tokens):
            raise self._error("it ends too early")
        token = self.tokens[self.next]
        if token.isdigit():
            if len(token) > MAX_DIM_DIGITS:
                raise self._error(f"a number has at most {MAX_DIM_DIGITS} digits")
        elif not _is_word(token):
            raise self._error(f"unexpected {token!r}")
        self.next += 1
        return int(token) if token.isdigit() else variable(token)
