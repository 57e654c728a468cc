"""Contractions in index notation: beyond the standard, in NumPy's notation."""

from __future__ import annotations

import re

from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ops import contraction
from rax.ops.broadcasting import Sum
from rax.ops.creation import iota
from rax.ops.elementwise import multiply
from rax.ops.indexing import Gather
from rax.ops.shape import permute_dims, reshape

_SIDE = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*\Z")
Labels = tuple[str, ...]


def einsum(subscripts: str, /, *operands: TensorLike) -> Tensor:
    """The sum of products that an index notation describes.

    A letter names an axis. Axes of one letter are paired, and summed over unless the letter
    stands after ``->``; without an arrow the letters that occur once stay, in alphabetical
    order. ``...`` stands for axes that broadcast. Operands are contracted from left to right.

    Args:
        subscripts: such as ``"bij,bjk->bik"``.
        *operands: one tensor for each part before the arrow; dtypes are promoted.

    Raises:
        TypeInferenceError: the notation is malformed, or does not fit the operands.

    Example:
        >>> from rax.numpy import asarray
        >>> einsum("ii->i", asarray([[1, 2], [3, 4]]))
        Tensor([1, 4], dtype=int64)
    """
    values = promote_operands(*operands) if operands else []
    terms, result = _parse(subscripts.replace(" ", ""), values)
    value, labels = _own_sums(*_diagonal(values[0], terms[0]), {*result, *_flat(terms[1:])})
    for index, (other, other_labels) in enumerate(zip(values[1:], terms[1:], strict=True), start=1):
        keep = {*result, *_flat(terms[index + 1 :])}
        part = _own_sums(*_diagonal(other, other_labels), {*keep, *labels})
        value, labels = _contract(*_own_sums(value, labels, {*keep, *part[1]}), *part, keep)
    return Tensor(permute_dims(value, tuple(labels.index(label) for label in result)))


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
    for label in sizes[0].keys() & sizes[1].keys():
        first, second = sizes[0][label], sizes[1][label]
        if first != second and 1 not in (first, second):
            raise TypeInferenceError(f"the axes {label!r} have the sizes {first} and {second}")
    drop_left = {label for label in left if sizes[0][label] == 1 and sizes[1].get(label, 1) != 1}
    drop_right = {label for label in right if sizes[1][label] == 1 and sizes[0].get(label, 1) != 1}
    return (*_dropped(x, left, drop_left), *_dropped(y, right, drop_right))


def _dropped(value: Value, labels: Labels, drop: set[str]) -> tuple[Value, Labels]:
    kept = [place for place, label in enumerate(labels) if label not in drop]
    return reshape(value, tuple(value.shape[place] for place in kept)), tuple(labels[place] for place in kept)
