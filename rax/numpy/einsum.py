"""Contractions in index notation: beyond the standard, in NumPy's notation."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any, cast

import opt_einsum

from rax.frontend.promotion import promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.numpy.common import sequence
from rax.ops import contraction
from rax.ops.broadcasting import Sum
from rax.ops.creation import iota
from rax.ops.elementwise import multiply
from rax.ops.indexing import Gather
from rax.ops.shape import permute_dims, reshape

_SIDE = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*\Z")
Labels = tuple[str, ...]
Optimize = bool | str | Sequence[Any]


def einsum(*operands: Any, optimize: Optimize = True) -> Tensor:
    """The sum of products that an index notation describes.

    A letter names an axis. Axes of one letter are paired, and summed over unless the letter
    stands after ``->``; without an arrow the letters that occur once stay, in alphabetical
    order. ``...`` stands for axes that broadcast. The order of contraction is opt_einsum's choice,
    for which a symbolic size counts as 64.

    Args:
        *operands: a notation such as ``"bij,bjk->bik"``, then one tensor for each part before the
            arrow; or after each tensor a list of numbers for its axes, and perhaps one for the
            result, as in ``einsum(x, [0, 1], y, [1, 2], [0, 2])``. Dtypes are promoted.
        optimize: whether to look for a good order; or the name of a method of opt_einsum, such as
            ``"optimal"`` or ``"greedy"``; or the order itself, as :func:`einsum_path` gives it.

    Raises:
        TypeInferenceError: the notation is malformed, or does not fit the operands.

    Example:
        >>> from rax.numpy import asarray
        >>> einsum("ii->i", asarray([[1, 2], [3, 4]]))
        Tensor([1, 4], dtype=int64)
    """
    subscripts, values = _arguments(operands)
    terms, result = _parse(subscripts, values)
    parts = _parts(values, terms)
    for step in _path(parts, result, optimize)[0]:
        chosen = [parts.pop(place) for place in sorted(step, reverse=True)][::-1]
        parts.append(_merged(chosen, {*result, *_flat([labels for _, labels in parts])}))
    ((value, labels),) = parts
    return Tensor(permute_dims(value, tuple(labels.index(label) for label in result)))


def einsum_path(*operands: Any, optimize: Optimize = True) -> tuple[list[Any], str]:
    """The order in which :func:`einsum` contracts, and a report of what it costs.

    Args:
        *operands: as for :func:`einsum`.
        optimize: as for :func:`einsum`.

    Returns:
        ``["einsum_path", (0, 1), …]``, where each step joins the operands at these positions into one
        that goes to the end; and opt_einsum's report.

    Raises:
        TypeInferenceError: the notation is malformed, or does not fit the operands.

    Example:
        >>> from rax.numpy import ones
        >>> einsum_path("ij,jk,kl->il", ones((9, 2)), ones((2, 9)), ones((9, 3)))[0]
        ['einsum_path', (1, 2), (0, 1)]
    """
    subscripts, values = _arguments(operands)
    terms, result = _parse(subscripts, values)
    parts = _parts(values, terms)
    path, report = _path(parts, result, optimize, report=True)
    return ["einsum_path", *path], report


def _parts(values: list[Value], terms: list[Labels]) -> list[tuple[Value, Labels]]:
    """Operands with each label once, whose sizes fit."""
    parts = [_diagonal(value, labels) for value, labels in zip(values, terms, strict=True)]
    sizes: dict[str, Size] = {}
    for value, labels in parts:
        for label, size in zip(labels, value.shape, strict=True):
            known = sizes.get(label, 1)
            if size != known and 1 not in (size, known):
                raise TypeInferenceError(f"the axes {label!r} have the sizes {known} and {size}")
            sizes[label] = size if known == 1 else known
    return parts


def _arguments(operands: tuple[Any, ...]) -> tuple[str, list[Value]]:
    """The notation as text without spaces, and the operands."""
    if operands and isinstance(operands[0], str):
        return operands[0].replace(" ", ""), promote_operands(*operands[1:]) if operands[1:] else []
    pairs, rest = operands[: len(operands) // 2 * 2], operands[len(operands) // 2 * 2 :]
    if not pairs:
        raise TypeInferenceError("einsum needs a notation and operands", fix='write e.g. einsum("ij,jk->ik", x, y)')
    left = ",".join(map(_letters, pairs[1::2]))
    return left + "".join("->" + _letters(labels) for labels in rest), promote_operands(*pairs[::2])


def _letters(labels: Any) -> str:
    """A list of axis numbers as letters."""
    letters = string.ascii_uppercase + string.ascii_lowercase
    items = sequence(labels)
    for item in [None] if items is None else items:
        if item is not Ellipsis and not (isinstance(item, int) and 0 <= item < len(letters)):
            raise TypeInferenceError(
                f"einsum's lists of axes hold numbers below {len(letters)} and ..., not {labels!r}",
                fix="write e.g. einsum(x, [0, 1], y, [1, 2], [0, 2])",
            )
    return "".join("..." if item is Ellipsis else letters[item] for item in items or ())


def _path(
    parts: list[tuple[Value, Labels]], result: Labels, optimize: Optimize, *, report: bool = False
) -> tuple[list[tuple[int, ...]], str]:
    """The steps of the contraction, and where asked for opt_einsum's report."""
    everything = [tuple(range(len(parts)))]
    if not isinstance(optimize, (bool, str)):
        steps = [step for step in optimize if step != "einsum_path"]
        _check_path(steps, len(parts))
        return cast("list[tuple[int, ...]]", steps), ""
    if not report and (optimize is False or len(parts) <= 2):
        return everything, ""
    symbols = {label: opt_einsum.get_symbol(number) for number, label in enumerate(dict.fromkeys(_all_labels(parts)))}
    sides = ["".join(symbols[label] for label in labels) for _, labels in parts]
    shapes = [tuple(max(dims.evaluate(size, _GUESS), 1) for size in value.shape) for value, _ in parts]
    method: Any = everything if optimize is False else "auto" if optimize is True else optimize
    try:
        path, info = opt_einsum.contract_path(
            ",".join(sides) + "->" + "".join(symbols[label] for label in result),
            *shapes, shapes=True, optimize=method,
        )  # fmt: skip
    except KeyError:
        raise TypeInferenceError(
            f"einsum knows no method {optimize!r}", fix="use True, 'optimal', 'greedy' or another of opt_einsum"
        ) from None
    return [tuple(step) for step in path], str(info)


class _Guess(dict[str, int]):
    """What a symbolic size is taken for where an order is chosen."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> int:
        return 64


_GUESS = _Guess()


def _all_labels(parts: list[tuple[Value, Labels]]) -> Labels:
    return _flat([labels for _, labels in parts])


def _check_path(steps: Sequence[Any], count: int) -> None:
    for step in steps:
        places = sequence(step) or []
        if not places or len(set(places)) != len(places) or not all(0 <= place < count for place in places):
            raise TypeInferenceError(f"einsum's order has the step {step!r}, where there are {count} operands")
        count -= len(places) - 1
    if count != 1:
        raise TypeInferenceError(f"einsum's order leaves {count} operands")


def _merged(parts: list[tuple[Value, Labels]], keep: set[str]) -> tuple[Value, Labels]:
    """Operands contracted from left to right, down to the labels to keep."""
    (value, labels), *rest = parts
    for index, (other, other_labels) in enumerate(rest):
        needed = {*keep, *_all_labels(rest[index + 1 :])}
        part = _own_sums(other, other_labels, {*needed, *labels})
        value, labels = _contract(*_own_sums(value, labels, {*needed, *part[1]}), *part, needed)
    return _own_sums(value, labels, keep)


def _flat(terms: list[Labels]) -> Labels:
    return tuple(label for term in terms for label in term)


def _parse(subscripts: str, values: list[Value]) -> tuple[list[Labels], Labels]:
    """The labels of each operand's axes, and of the result's."""
    left, arrow, right = subscripts.partition("->")
    parts = left.split(",")
    if not values or len(parts) != len(values) or not all(map(_SIDE.match, [*parts, right])):
        raise TypeInferenceError(
            f"{subscripts!r} does not describe {len(values)} operands",
            fix='write e.g. "ij,jk->ik", one part an operand',
        )
    terms = [_labels(part, value) for part, value in zip(parts, values, strict=True)]
    every = _flat(terms)
    dots = tuple(sorted({label for label in every if len(label) > 1}, key=lambda label: -int(label[3:])))
    if arrow:
        before, more, behind = right.partition("...")
        result = (*before, *(dots if more else ()), *behind)
    else:
        result = (*dots, *sorted(label for label in set(every) if len(label) == 1 and every.count(label) == 1))
    for label in result:
        if label not in every or result.count(label) > 1:
            raise TypeInferenceError(f"{label!r} in the result of {subscripts!r} must occur once there, and before ->")
    return terms, result


def _labels(part: str, value: Value) -> Labels:
    """The labels of one operand; those of ``...`` are counted from its last axis."""
    before, dots, behind = part.partition("...")
    extra = value.ndim - len(before) - len(behind)
    if extra < 0 or (extra and not dots):
        raise TypeInferenceError(f"{part!r} does not describe the {value.ndim} axes of {value.type}")
    return (*before, *[f"...{number}" for number in range(extra, 0, -1)], *behind)


def _diagonal(value: Value, labels: Labels) -> tuple[Value, Labels]:
    """Axes of one label made one."""
    for label in dict.fromkeys(labels):
        places = [place for place, name in enumerate(labels) if name == label]
        if len(places) > 1:
            sizes = {value.shape[place] for place in places}
            if len(sizes) > 1:
                raise TypeInferenceError(f"the axes {label!r} of {value.type} have different sizes")
            rest = [place for place in range(value.ndim) if place not in places]
            numbers = iota(sizes.pop())
            value = Gather(0, unique_indices=True)(permute_dims(value, (*places, *rest)), *[numbers] * len(places))
            labels = (label, *[labels[place] for place in rest])
    return value, labels


def _own_sums(value: Value, labels: Labels, keep: set[str]) -> tuple[Value, Labels]:
    """Sum over the axes that nothing else needs."""
    axes = tuple(place for place, label in enumerate(labels) if label not in keep)
    return (Sum(axes)(value) if axes else value), tuple(label for label in labels if label in keep)


def _contract(x: Value, left: Labels, y: Value, right: Labels, keep: set[str]) -> tuple[Value, Labels]:
    """The product of two operands, summed over the labels that both have and nothing else needs."""
    x, left, y, right = _without_stretched(x, left, y, right)
    both = [label for label in left if label in right]
    batch = [label for label in both if label in keep]
    inner = [label for label in both if label not in keep]
    rows = [label for label in left if label not in right]
    columns = [label for label in right if label not in left]
    sizes = {**dict(zip(right, y.shape, strict=True)), **dict(zip(left, x.shape, strict=True))}
    shape = {name: tuple(sizes[label] for label in group) for name, group in (
        ("batch", batch), ("inner", inner), ("rows", rows), ("columns", columns),
    )}  # fmt: skip
    x = permute_dims(x, tuple(left.index(label) for label in (*batch, *rows, *inner)))
    y = permute_dims(y, tuple(right.index(label) for label in (*batch, *inner, *columns)))
    if inner:
        flat = (*shape["batch"], dims.product(shape["rows"]), dims.product(shape["inner"]))
        tall = (*shape["batch"], dims.product(shape["inner"]), dims.product(shape["columns"]))
        product = contraction.matmul(reshape(x, flat), reshape(y, tall))
    else:
        product = multiply(
            reshape(x, (*shape["batch"], *shape["rows"], *[1] * len(columns))),
            reshape(y, (*shape["batch"], *[1] * len(rows), *shape["columns"])),
        )
    return reshape(product, (*shape["batch"], *shape["rows"], *shape["columns"])), (*batch, *rows, *columns)


def _without_stretched(x: Value, left: Labels, y: Value, right: Labels) -> tuple[Value, Labels, Value, Labels]:
    """Drop axes of size 1 that the other operand has with another size."""
    sizes = dict(zip(left, x.shape, strict=True)), dict(zip(right, y.shape, strict=True))
    drop_left = {label for label in left if sizes[0][label] == 1 and sizes[1].get(label, 1) != 1}
    drop_right = {label for label in right if sizes[1][label] == 1 and sizes[0].get(label, 1) != 1}
    return (*_dropped(x, left, drop_left), *_dropped(y, right, drop_right))


def _dropped(value: Value, labels: Labels, drop: set[str]) -> tuple[Value, Labels]:
    kept = [place for place, label in enumerate(labels) if label not in drop]
    return reshape(value, tuple(value.shape[place] for place in kept)), tuple(labels[place] for place in kept)
