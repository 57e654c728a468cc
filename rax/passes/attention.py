"""Attention found in what a derivative is made of, for backends that compute it and its gradient without its weights.

A derivative of ``dot_product_attention`` is that of its body: the weights of all queries are kept for the way back.
Where nothing else needs them, the products and what stands between them become two operations on queries, keys and
values: the attention itself, and its gradient, which computes weights again. The second is no operation of a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

from rax.ir.dims import Size, floor_divide
from rax.ir.graph import Graph
from rax.ir.node import Constant, Value
from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.ops.arrays import scalar
from rax.ops.attention import DotProductAttention, attention_weights, weighted_values
from rax.ops.broadcasting import Sum
from rax.ops.contraction import matmul
from rax.ops.elementwise import multiply, subtract
from rax.ops.families import Composite
from rax.ops.reduction import kept
from rax.ops.samples import FLOATS
from rax.ops.shape import permute_dims, reshape
from rax.passes.replace import replaced

# With fewer scores than this all steps on them are quicker as they are; a size that is not known counts as a few.
_LARGE = 1 << 18
_UNKNOWN = 64
# To compute weights again for the gradient takes time, which is saved where the weights of all do not fit caches.
_LARGE_TO_KEEP = 1 << 20


def is_large(query: TensorType, key: TensorType) -> bool:
    """Whether attention has so many scores that it should be computed block by block.

    Args:
        query: ``(*lead, T, N, size)``.
        key: ``(*lead, S, K, size)``.
    """
    return _count((*query.shape[:-1], key.shape[-3])) >= _LARGE


def _count(sizes: Sequence[Size]) -> int:
    return math.prod([size if isinstance(size, int) else _UNKNOWN for size in sizes])


class AttentionGradient(Composite):
    """The gradient of an attention by query, key and value.

    The operands are those of the attention, and last the derivative by its result.
    """

    name = "attention_gradient"
    scale: float
    causal: bool = False

    dtypes = FLOATS

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        """The types of query, key and value."""
        return operands[:3]

    def expand(self, *operands: Value) -> tuple[Value, ...]:
        """From the weights of all queries."""
        query, key, value, *bias, given = operands
        scale, groups = scalar(self.scale, query.dtype), key.shape[-2]
        weights = attention_weights(query, key, bias[0] if bias else None, self.scale, self.causal)
        rows = _rows(given, groups)
        slopes = reshape(matmul(rows, _swapped(value, -2, -1, -3)), weights.shape)
        last = (weights.ndim - 1,)
        slopes = multiply(subtract(slopes, kept(Sum(last)(multiply(slopes, weights)), last)), weights)
        by_weight, by_score = (_swapped(_joined(each, groups), -1, -2) for each in (weights, slopes))
        return (
            multiply(weighted_values(slopes, key), scale),
            _swapped(matmul(by_score, _rows(multiply(query, scale), groups)), -2, -3, -1),
            _swapped(matmul(by_weight, rows), -2, -3, -1),
        )


def _swapped(x: Value, *places: int) -> Value:
    """``x`` with its last axes in another order; places are counted from the end."""
    count = x.ndim - len(places)
    return permute_dims(x, (*range(count), *[x.ndim + place for place in places]))


def _joined(x: Value, groups: Size) -> Value:
    """``(*lead, N, T, size)`` as ``(*lead, groups, rows, size)``."""
    *lead, heads, count, size = x.shape
    return reshape(x, (*lead, groups, floor_divide(heads, groups) * count, size))


def _rows(x: Value, groups: Size) -> Value:
    """``(*lead, T, N, size)`` as ``(*lead, groups, rows, size)``."""
    return _joined(_swapped(x, -2, -3, -1), groups)


def _heads(x: Value, heads: Size, count: Size) -> Value:
    """``(*lead, groups, rows, size)`` as ``(*lead, T, N, size)``."""
    return _swapped(reshape(x, (*x.shape[:-3], heads, count, x.shape[-1])), -2, -3, -1)


def blockwise(graph: Graph) -> Graph:
    """The graph with attention and its gradients as one operation each, where weights are used for nothing else.

    The results are the same within rounding. Graphs that operations hold are looked through too.

    Args:
        graph: one that :func:`rax.passes.optimise.optimise` returned.

    Returns:
        A graph with the same interface, to be simplified again; the same object if it has no such part.
    """
    return replaced(graph, _matches)


def _fed(value: Value, name: str) -> tuple[Value, ...] | None:
    """The operands of what makes a value, if it is such an operation."""
    return value.node.inputs if value.node.op.name == name else None


def _beside(value: Value, name: str, other: Value) -> Value | None:
    """The operand beside another, of an operation that may have them in either order."""
    operands = _fed(value, name)
    if operands is None or other not in operands:
        return None
    return operands[operands[0] == other]


def _under(value: Value, name: str) -> Value:
    """A value without such an operation on it."""
    operands = _fed(value, name)
    return value if operands is None else operands[0]


def _is(value: Value, number: float) -> bool:
    return isinstance(value.node.op, Constant) and value == scalar(number, value.dtype)


def _along_last(value: Value, name: str) -> Value | None:
    """What is reduced along its last axis to give a value."""
    operands = _fed(value, name)
    op = cast("Any", value.node.op)
    return operands[0] if operands is not None and op.axes == (operands[0].ndim - 1,) else None


def _permuted(value: Value) -> tuple[Value, tuple[int, ...]]:
    """A value whose axes are permuted, and how."""
    axes = tuple(range(value.ndim))
    while value.node.op.name == "permute_dims":
        inner: tuple[int, ...] = cast("Any", value.node.op).axes
        value, axes = value.node.inputs[0], tuple([inner[axis] for axis in axes])
    return value, axes


def _are_turned(one: Value, other: Value) -> bool:
    """Whether two values differ by the order of their last two axes alone."""
    (base, axes), (other_base, other_axes) = _permuted(one), _permuted(other)
    return base == other_base and (*axes[:-2], axes[-1], axes[-2]) == other_axes


class _Weights(Record):
    """The weights of an attention, and what they are made of.

    Attributes:
        weights: ``(*lead, N, T, S)``.
        powers: of which they are the shares.
        total: what those are divided by.
        is_zero: where that would be 0.
        masks: in the order in which they are laid over the scores, the last one first.
        bias: what is added to the scores, or the mask of bools.
        causal: whether later keys are left out.
        rows: ``(*lead, groups, rows, size)``.
        columns: ``(*lead, groups, size, S)``.
    """

    weights: Value
    powers: Value
    total: Value
    is_zero: Value
    masks: tuple[Value, ...]
    bias: Value | None
    causal: bool
    rows: Value
    columns: Value

    def joined(self, value: Value) -> Value:
        """What a value ``(*lead, groups, rows, S)`` is made of by a reshape, where it was not so before."""
        return _under(value, "reshape") if self.rows.shape[-2] != self.weights.shape[-2] else value

    def heads(self, value: Value) -> Value:
        """``(*lead, groups, rows, size)`` as ``(*lead, T, N, size)``."""
        return _heads(value, *self.weights.shape[-3:-1])


def _find_weights(value: Value) -> _Weights | None:
    """Take apart what may be the weights of an attention."""
    parts = _fed(value, "divide")
    if parts is None or value.ndim < 3:
        return None
    powers, total = parts[0], _under(parts[1], "reshape")
    guarded, raised = _fed(total, "where"), _fed(powers, "exp")
    if guarded is None or raised is None or not _is(guarded[1], 1):
        return None
    is_zero, _, whole = guarded
    shifted = _fed(raised[0], "subtract")
    zero = _beside(is_zero, "equal", whole)
    if shifted is None or zero is None or not _is(zero, 0) or _along_last(whole, "sum") != powers:
        return None
    scores, top = shifted[0], _fed(_under(shifted[1], "reshape"), "where")
    if top is None or _fed(top[0], "isfinite") != top[1:2] or not _is(top[2], 0):
        return None
    if _along_last(_under(top[1], "stop_gradient"), "max") != scores:
        return None
    sums = _fed(scores, "add")
    for inner, bias in ((scores, None), *([] if sums is None else [sums, sums[::-1]])):
        found = _find_products(inner, value)
        if found is not None:
            masks, causal, product = found
            chosen = masks[: len(masks) - causal]
            if len(chosen) <= (bias is None):
                known = bias if bias is not None else chosen[0] if chosen else None
                return _Weights(value, powers, total, is_zero, masks, known, causal, *product)
    return None


def _find_products(value: Value, weights: Value) -> tuple[tuple[Value, ...], bool, tuple[Value, ...]] | None:
    """The masks laid over scores, whether the first of them leaves out later keys, and rows and columns."""
    masks: list[Value] = []
    while (chosen := _fed(value, "where")) is not None and _is(chosen[2], -math.inf):
        masks.append(chosen[0])
        value = chosen[1]
    product = _fed(_under(value, "reshape"), "matmul")
    if product is None:
        product = _fed(value, "matmul")
    if product is None or not product[0].ndim == product[1].ndim == weights.ndim:
        return None
    rows, columns = product
    *lead, heads, count, others = weights.shape
    groups = rows.shape[-3]
    if not (isinstance(heads, int) and isinstance(groups, int)) or heads % groups:
        return None
    if rows.shape[:-1] != (*lead, groups, heads // groups * count) or columns.shape[-1] != others:
        return None
    if columns.shape[:-2] != rows.shape[:-2]:
        return None
    return tuple(masks), bool(masks) and _leaves_out_later(masks[-1], count, others), product


def _leaves_out_later(mask: Value, count: Size, others: Size) -> bool:
    compared = _fed(mask, "greater_equal")
    if compared is None or mask.shape != (count, others) or compared[1].shape != (others,):
        return False
    return all(_under(each, "reshape").node.op.name == "iota" for each in compared)


class _Gradient(Record):
    """The gradient by the operands of both products.

    Attributes:
        given: the derivative by the result, ``(*lead, groups, rows, width)``.
        by_rows: by the rows of scores.
        by_columns: by their columns.
        by_value: by the values.
    """

    given: Value
    by_rows: Value
    by_columns: Value
    by_value: Value


class _Match(Record):
    """An attention in a graph.

    Attributes:
        weights: its weights.
        result: the values summed with them, if they are there.
        value: ``(*lead, groups, S, width)``.
        gradient: its gradient, if it is there.
    """

    weights: _Weights
    result: Value | None
    value: Value
    gradient: _Gradient | None

    def operands(self) -> tuple[Value, ...]:
        """What is needed to compute it otherwise."""
        found = self.weights
        bias = () if found.bias is None else (found.bias,)
        given = () if self.gradient is None else (self.gradient.given,)
        return (found.rows, found.columns, self.value, *bias, *given)

    def made(self, operands: Sequence[Value]) -> dict[Value, Value]:
        """The results of an attention, or those of its gradient, from what is needed for them."""
        rows, columns, value, *others = operands
        weights, gradient = self.weights, self.gradient
        query, key, values = weights.heads(rows), _swapped(columns, -1, -3, -2), _swapped(value, -2, -3, -1)
        groups = rows.shape[-3]
        if gradient is None:
            assert self.result is not None
            whole = DotProductAttention(1.0, weights.causal)(query, key, values, *others)
            return {self.result: _rows(whole, groups)}
        others[-1] = weights.heads(others[-1])
        by_query, by_key, by_value = AttentionGradient(1.0, weights.causal).results(query, key, values, *others)
        return {
            gradient.by_rows: _rows(by_query, groups),
            gradient.by_columns: _swapped(by_key, -2, -1, -3),
            gradient.by_value: _swapped(by_value, -2, -3, -1),
        }


class _Finder:
    """Looks for attention in one graph."""

    def __init__(self, graph: Graph) -> None:
        self._users: dict[Value, list[Value]] = {value: [value] for value in graph.outputs}
        for node in graph.nodes:
            for value in dict.fromkeys(node.inputs):
                self._users.setdefault(value, []).append(node.outputs[0])

    def find(self, weights: _Weights) -> _Match | None:
        """What is made of weights; None if they are needed for something else."""
        readers, joined = self._spread(weights, weights.weights)
        results = [each for each in readers if each.node.op.name == "matmul" and each.node.inputs[0] == joined]
        others = [each for each in readers if each not in results]
        if len(results) > 1:
            return None
        result = results[0] if results else None
        value = None if result is None else result.node.inputs[1]
        if value is not None and (value.ndim != joined.ndim or value.shape[:-2] != joined.shape[:-2]):
            return None
        if not others:
            alone = len(self._users[weights.powers]) == 2
            return _Match(weights, result, value, None) if alone and value is not None else None
        products = [each for each in others if each.node.op.name == "multiply"]
        turned = [each for each in others if each.node.op.name == "permute_dims"]
        if len(products) != 1 or len(turned) != 1 or len(others) != 2 or not _are_turned(joined, turned[0]):
            return None
        return self._with_gradient(weights, result, value, products[0], turned[0])

    def _spread(self, weights: _Weights, value: Value) -> tuple[list[Value], Value]:
        """What reads a value ``(*lead, N, T, S)``, and it joined to ``(*lead, groups, rows, S)``."""
        readers, joined = self._users[value], value
        found: list[Value] = []
        for each in readers:
            if each.node.op.name == "reshape" and each.shape == (*weights.rows.shape[:-1], value.shape[-1]):
                joined = each
                found += self._users[each]
            else:
                found.append(each)
        return found, joined

    def _with_gradient(
        self, weights: _Weights, result: Value | None, value: Value | None, product: Value, turned: Value
    ) -> _Match | None:
        """The rest of a gradient, of which weights are multiplied, and multiply as columns; there may be no result."""
        slopes = _beside(product, "multiply", weights.weights)
        made = None if slopes is None else _fed(weights.joined(slopes), "matmul")
        if slopes is None or made is None:
            return None
        given, columns = made
        value = value if value is not None else _swapped(columns, -1, -2)
        by_value = self._only(turned)
        if columns.ndim != turned.ndim or not _are_turned(value, columns) or by_value is None:
            return None
        by_score = self._through_softmax(weights, slopes, product)
        if by_score is None or _fed(by_value, "matmul") != (turned, given):
            return None
        readers, joined = self._spread(weights, by_score)
        by_rows = by_columns = None
        for each in readers:
            operands = _fed(each, "matmul")
            if operands is not None and operands[0] == joined and _are_turned(weights.columns, operands[1]):
                by_rows = each
            elif operands is not None and operands[1] == joined and _are_turned(weights.rows, operands[0]):
                by_columns = each
        if len(readers) != 2 or by_rows is None or by_columns is None:
            return None
        return _Match(weights, result, value, _Gradient(given, by_rows, by_columns, by_value))

    def _only(self, value: Value | None) -> Value | None:
        """The one value that is made of another."""
        users = [] if value is None else self._users.get(value, [])
        return users[0] if len(users) == 1 else None

    def _through_softmax(self, weights: _Weights, slopes: Value, product: Value) -> Value | None:
        """The derivative by the scores, from that by the weights and its product with them."""
        total = self._only(product)
        if total is None or _along_last(total, "sum") != product:
            return None
        scaled = self._only(total)
        inverse = None if scaled is None else _beside(scaled, "multiply", total)
        over = None if inverse is None else _fed(inverse, "divide")
        if over is None or not _is(over[0], 1) or over[1] != weights.total:
            return None
        turned = self._only(scaled)
        guarded = self._only(turned)
        if turned is None or guarded is None or _fed(turned, "negative") != (scaled,):
            return None
        choice = _fed(guarded, "where")
        if choice is None or choice[0] != weights.is_zero or not _is(choice[1], 0) or choice[2] != turned:
            return None
        shift = self._only(guarded)
        moved = self._only(shift)
        rest = None if shift is None or moved is None else _beside(moved, "add", shift)
        shared = None if rest is None else _beside(rest, "multiply", slopes)
        if moved is None or shared is None or _under(shared, "reshape") != inverse:
            return None
        found = self._only(moved)
        if found is None or _beside(found, "multiply", moved) != weights.powers:
            return None
        if len(self._users[slopes]) != 2 or len(self._users[weights.powers]) != 3:
            return None
        for mask in weights.masks:
            inner, found = found, self._only(found)
            chosen = None if found is None else _fed(found, "where")
            if chosen is None or chosen[:2] != (mask, inner) or not _is(chosen[2], 0):
                return None
        return found


def _matches(graph: Graph) -> Iterator[tuple[Value, _Match]]:
    """The values that can be computed otherwise, each with what it is a part of."""
    finder: _Finder | None = None
    for node in graph.nodes:
        weights = _find_weights(node.outputs[0]) if node.op.name == "divide" else None
        if weights is None:
            continue
        scores = _count(weights.weights.shape)
        if scores < _LARGE:
            continue
        finder = finder or _Finder(graph)
        match = finder.find(weights)
        if match is not None and (match.gradient is None or scores >= _LARGE_TO_KEEP):
            if match.result is not None:
                yield match.result, _Match(match.weights, match.result, match.value, None)
            if match.gradient is not None:
                for value in (match.gradient.by_rows, match.gradient.by_columns, match.gradient.by_value):
                    yield value, match
