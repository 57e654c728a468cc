"""Rewrites of operations that hold graphs: a choice already made, and slices a loop need not stack."""

from __future__ import annotations

from rax.ir.graph import Graph
from rax.ir.node import Constant, Value, new_input
from rax.ir.types import int32
from rax.ops.algebra import add
from rax.ops.arrays import scalar
from rax.ops.control import Cond
from rax.ops.elementwise import multiply, negative
from rax.ops.samples import FLOATS, normal, sample
from rax.ops.scan import Scan
from rax.ops.subgraphs import split
from rax.passes.rule import Example, Found, rule


def _branch(x: Value, *, sign: bool) -> Graph:
    """A branch for the example: -x, or x + x."""
    inner = new_input("x", x.type)
    return Graph((inner,), (negative(inner) if sign else add(inner, inner),))


def _choice(x: Value, index: int) -> Value:
    """A choice for the example, by a constant."""
    return Cond((_branch(x, sign=True), _branch(x, sign=False)))(scalar(index, int32), x)


@rule(
    Cond,
    Example(sample(normal(3), dtypes=FLOATS), lambda x: _choice(x, 0), negative),
    Example(sample(normal(3), dtypes=FLOATS), lambda x: _choice(x, 7), lambda x: add(x, x)),
)
def chosen(op: Cond, index: Value, *operands: Value) -> Found:
    """The branch that a constant names, in place of the choice."""
    if not isinstance(index.node.op, Constant):
        return None
    number = int(index.node.op.literal.array)
    return op.branches[min(max(number, 0), len(op.branches) - 1)].inline(operands)


def _rounds(start: Value, x: Value, *, copies: bool) -> tuple[Value, ...]:
    """A loop for the example: totals times x, stacked; or the slices of x, then the products twice."""
    total, part = (new_input(name, start.type) for name in ("total", "x"))
    made = multiply(total, part)
    body = Graph((total, part), (add(total, part), *([part, made, made] if copies else [made])))
    return Scan(body, 0, 1, 3).results(start, x)


def _spread(start: Value, x: Value) -> tuple[Value, ...]:
    """The results of that loop with copies, from the one without."""
    final, made = _rounds(start, x, copies=False)
    return final, x, made, made


@rule(
    Scan,
    Example(
        sample(normal(), normal(3), dtypes=FLOATS),
        lambda start, x: _rounds(start, x, copies=True),
        _spread,
    ),
)
def stacked_once(op: Scan, *operands: Value) -> Found:
    """A loop that stacks the slices of an x as they are, or one value twice, as derivatives of loops do."""
    _, in_xs = split(op.body.inputs, op.num_consts + op.num_carry)
    known = dict(zip(in_xs, operands[-len(in_xs) :] if in_xs else (), strict=True))
    new, ys = split(op.body.outputs, op.num_carry)
    kept = [y for y in dict.fromkeys(ys) if y not in known]
    if len(kept) == len(ys):
        return None
    body = Graph(op.body.inputs, (*new, *kept), op.body.in_tree, origins=op.body.origins)
    loop = Scan(body, op.num_consts, op.num_carry, op.length, op.reverse)
    final, stacked = split(loop.results(*operands), op.num_carry)
    known.update(zip(kept, stacked, strict=True))
    return (*final, *[known[y] for y in ys])


CONTROL = (chosen, stacked_once)
"""In the order they are tried."""
