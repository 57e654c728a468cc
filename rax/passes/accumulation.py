"""Sums that a scan adds to in every round, added up after it in one operation; equal but for the order of rounding.

The derivative of a loop by a weight is such a sum: of a product of what each round had and of its cotangent. All
those products together are one product, whose inner axis is that of the rounds too.
"""

from __future__ import annotations

from collections.abc import Sequence

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.graph import Graph
from rax.ir.node import Constant, Node, Value, new_input
from rax.ops.algebra import add
from rax.ops.broadcasting import Sum
from rax.ops.contraction import MatMul, matmul
from rax.ops.elementwise import Add, multiply
from rax.ops.samples import FLOATS, normal, sample
from rax.ops.scan import Scan
from rax.ops.shape import PermuteDims, permute_dims, reshape
from rax.passes.joining import is_zero
from rax.passes.loops import Loop, Stacker, follows, reached, taken_apart
from rax.passes.rule import Example, Found, rule


def _products(x: Value, rows: Value, *, after: bool) -> tuple[Value, ...]:
    """A loop for the example: the sum of ``row.T @ (row * h)``, where h is doubled in each round."""
    total, h, row = (new_input(name, t) for name, t in (("total", x.type), ("h", x.type), ("row", x.type)))
    made = multiply(row, h)
    if not after:
        new = add(total, matmul(permute_dims(row, (1, 0)), made))
        return Scan(Graph((total, h, row), (new, add(h, h))), 0, 2, 3).results(x, x, rows)
    final, stacked = Scan(Graph((h, row), (add(h, h), made)), 0, 1, 3).results(x, rows)
    left = reshape(permute_dims(permute_dims(rows, (0, 2, 1)), (1, 0, 2)), (2, 6))
    return add(x, matmul(left, reshape(stacked, (6, 2)))), final


@rule(
    Scan,
    Example(
        sample(normal(2, 2), normal(3, 2, 2), dtypes=FLOATS),
        lambda x, rows: _products(x, rows, after=False),
        lambda x, rows: _products(x, rows, after=True),
    ),
)
def summed_afterwards(op: Scan, *operands: Value) -> Found:
    """Carries that the body only adds to: products, sums over axes, or what is at hand for all rounds already."""
    loop = taken_apart(op, operands)
    uses = _uses(loop)
    found: dict[int, list[Value]] = {}
    added: dict[Value, None] = {}
    for place, (inner, out, _) in enumerate(loop.carries):
        terms = _terms(inner, out, uses)
        needed = None if terms is None else _needed(loop, terms)
        if terms is not None and needed is not None:
            found[place] = terms
            added.update(dict.fromkeys(needed))
    if not found:
        return None
    carries = [carry for place, carry in enumerate(loop.carries) if place not in found]
    ys = list(dict.fromkeys([*loop.ys, *added]))
    final, stacked = loop.replaced(carries=carries, ys=ys).run()
    ready = {**dict(loop.xs), **dict(zip(ys, stacked, strict=True))}
    stacker, rest = Stacker(op, ready, dict(loop.consts)), iter(final)
    results: list[Value] = []
    for place, (_, _, given) in enumerate(loop.carries):
        if place not in found:
            results.append(next(rest))
            continue
        total = None if is_zero(given) else given
        for term in found[place]:
            part = _summed(term, stacker)
            total = part if total is None else add(total, part)
        assert total is not None
        results.append(total)
    return (*results, *[ready[y] for y in loop.ys])


def _uses(loop: Loop) -> dict[Value, int]:
    """How often the body uses each value, as an output too."""
    counts: dict[Value, int] = {}
    for value in [*loop.outputs, *[value for node in reached(loop.outputs) for value in node.inputs]]:
        counts[value] = counts.get(value, 0) + 1
    return counts


def _terms(inner: Value, out: Value, uses: dict[Value, int]) -> list[Value] | None:
    """What a body adds to a carry, if it does nothing else with it."""
    if not inner.dtype.is_inexact or uses.get(inner) != 1:
        return None
    terms: list[Value] = []
    value = out
    while value != inner:
        if type(value.node.op) is not Add or uses[value] != 1 or value.type != inner.type:
            return None
        leads = [inner == operand or inner.node in reached([operand]) for operand in value.node.inputs]
        if sum(leads) != 1:
            return None
        on, other = value.node.inputs if leads[0] else value.node.inputs[::-1]
        if other.type != inner.type:
            return None
        terms.append(other)
        value = on
    return terms or None


def _needed(loop: Loop, terms: Sequence[Value]) -> list[Value] | None:
    """What must be stacked besides, so that terms can be summed afterwards; None if that is not worth it."""
    given = {*[inner for inner, _ in loop.xs], *loop.ys}
    fixed = {inner for inner, _ in loop.consts}
    needed: dict[Value, None] = {}
    for term in terms:
        product = isinstance(term.node.op, MatMul) and all(side.ndim == 2 for side in term.node.inputs)
        sources = term.node.inputs if product or isinstance(term.node.op, Sum) else (term,)
        for source in sources:
            base = source
            while isinstance(base.node.op, PermuteDims):
                base = base.node.inputs[0]
            if base in given or follows(base, {*given, *fixed}):
                continue
            if not product or base in fixed or isinstance(base.node.op, Constant):
                return None
            needed[base] = None
    length = loop.op.length
    more = [length * base.type.nbytes for base in needed]
    there = [operand.type.nbytes for _, operand in loop.xs]
    return list(needed) if dims.at_least(_total(there), _total(more)) else None


def _total(sizes: Sequence[Size]) -> Size:
    total: Size = 0
    for size in sizes:
        total = total + size
    return total


def _summed(term: Value, stacker: Stacker) -> Value:
    node: Node = term.node
    if isinstance(node.op, MatMul) and all(side.ndim == 2 for side in node.inputs):
        left, right = map(stacker.stack, node.inputs)
        count, rows, inner = left.shape
        joined = reshape(permute_dims(left, (1, 0, 2)), (rows, count * inner))
        return matmul(joined, reshape(right, (count * inner, right.shape[2])))
    if isinstance(node.op, Sum):
        return Sum((0, *[axis + 1 for axis in node.op.axes]))(stacker.stack(node.inputs[0]))
    return Sum((0,))(stacker.stack(term))


ACCUMULATION = (summed_afterwards,)
"""In the order they are tried."""
