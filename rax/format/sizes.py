"""Sizes in a file: an int, a dim's name, or a sum, product, quotient, min or max as an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from rax.format.limits import (
    MAX_DIM_DEPTH,
    MAX_DIM_ITEMS,
    MAX_DIM_NAME,
    MAX_DIM_TERMS,
    MAX_FILE_DIM_ITEMS,
    MAX_INT,
    as_int,
    as_text,
    in_total,
    kind_of,
    refuse,
)
from rax.ir import dims
from rax.ir.dims import Dim, DimCall, Size
from rax.ir.errors import ShapeError

Frozen = int | str | tuple[Any, ...]
CALLS: dict[str, Callable[[Size, Size], Size]] = {
    "+": lambda left, right: left + right,
    "*": lambda left, right: left * right,
    "//": dims.floor_divide,
    "min": dims.minimum,
    "max": dims.maximum,
}


def size_to_file(size: Size) -> Any:
    """The file's form of a size, each size in exactly one way.

    Example:
        >>> size_to_file(dims.dim("2*n - n*m + 3")), size_to_file(dims.dim("batch"))
        (['+', ['*', -1, 'm', 'n'], ['*', 2, 'n'], 3], 'batch')
    """
    if isinstance(size, int):
        return size
    terms = [_term(monomial, coefficient) for monomial, coefficient in size.terms]
    return terms[0] if len(terms) == 1 else ["+", *terms]


def _term(monomial: dims.Monomial, coefficient: int) -> Any:
    factors: list[Any] = []
    for atom, power in monomial:
        factors += [_atom(atom)] * power
    if coefficient != 1 or not factors:
        factors.insert(0, coefficient)
    return factors[0] if len(factors) == 1 else ["*", *factors]


def _atom(atom: dims.Atom) -> Any:
    if isinstance(atom, DimCall):
        return [atom.kind, size_to_file(atom.left), size_to_file(atom.right)]
    return atom


class SizeReader:
    """Reads the sizes of one file: equal ones once, and all of them with bounded work.

    Example:
        >>> SizeReader().read(["+", ["*", 2, "n"], -1], "types[0]")
        dim('2*n - 1')
    """

    def __init__(self) -> None:
        self._known: dict[Frozen, Size] = {}
        self._items = 0

    def read(self, value: object, where: str) -> Size:
        """The size of the file's form.

        Raises:
            FormatError: the value is no size, or past a bound, as it stands or multiplied out.
        """
        left = [MAX_DIM_ITEMS]
        frozen = _freeze(value, where, 1, left)
        known = self._known.get(frozen)
        if known is None:
            self._items += MAX_DIM_ITEMS - left[0]
            in_total(self._items, MAX_FILE_DIM_ITEMS, "items of symbolic sizes in the file", where)
            try:
                known = _build(frozen, where)
            except ShapeError as error:  # a sum on the way, or calls inside each other
                refuse("total", error.what, where)
            self._known[frozen] = known
        return known


def _freeze(value: object, where: str, depth: int, left: list[int]) -> Frozen:
    """The value as nested tuples, its grammar checked; ``left[0]`` items may still come."""
    left[0] -= 1
    if left[0] < 0:
        refuse("total", f"a size of more than {MAX_DIM_ITEMS} items", where)
    if type(value) is int:
        return as_int(value, where, -MAX_INT)
    if type(value) is str:
        if not dims.is_name(as_text(value, where, MAX_DIM_NAME)):
            refuse("bad-value", f"{value!r} is not a dim name", where)
        return value
    if type(value) is not list:
        refuse("wrong-kind", f"a size is an int, a str or an array, not {kind_of(value)}", where)
    in_total(depth, MAX_DIM_DEPTH, "nested arrays in a size", where)
    items = cast("list[object]", value)
    operator = items[0] if items else None
    if type(operator) is not str or operator not in CALLS:
        refuse("bad-value", f"an array that is a size starts with one of {' '.join(CALLS)}", where)
    if len(items) < 3 or (len(items) > 3 and operator not in "+*"):
        refuse("bad-value", f"{operator!r} of {len(items) - 1} sizes", where)
    return (operator, *[_freeze(item, where, depth + 1, left) for item in items[1:]])


def _check_written(form: Any, where: str, depth: int, left: list[int]) -> None:
    """Check that a size multiplied out can be written again."""
    left[0] -= 1
    if left[0] < 0:
        refuse("total", f"a size of more than {MAX_DIM_ITEMS} items, multiplied out", where)
    if type(form) is int:
        in_total(abs(form), MAX_INT, "an int of a size, multiplied out", where)
    elif type(form) is list:
        in_total(depth, MAX_DIM_DEPTH, "nested arrays in a size, multiplied out", where)
        for item in cast("list[Any]", form)[1:]:
            _check_written(item, where, depth + 1, left)


def _build(frozen: Frozen, where: str) -> Size:
    if isinstance(frozen, int):
        return frozen
    if isinstance(frozen, str):
        return dims.variable(frozen)
    operator = cast("str", frozen[0])
    first, *rest = [_build(item, where) for item in frozen[1:]]
    for size in rest:
        product = operator == "*"
        terms = _terms(first) * _terms(size) if product else _terms(first) + _terms(size)
        in_total(terms, MAX_DIM_TERMS, "terms of a size", where)
        if operator not in "+*":
            calls = 1 + max(dims.call_depth(first), dims.call_depth(size))
            in_total(calls, dims.MAX_DIM_DEPTH, "quotients, minima and maxima inside each other", where)
        if operator == "//" and size == 0:
            refuse("bad-dim", f"the size {first} is divided by zero", where)
        first = CALLS[operator](first, size)
        # Now rather than at the end: products of sums of calls would grow beyond measure before.
        _check_written(size_to_file(first), where, 1, [MAX_DIM_ITEMS])
    return first


def _terms(size: Size) -> int:
    return len(size.terms) if isinstance(size, Dim) else 1
