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
from rax.passes.merge import Merged, PairRule, Union
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


def _merged_scans(first: Scan, second: Scan, union: Union) -> Merged | None:
    """One loop that stacks what either does, where both carry the same."""
    left, right = union(first.body, second.body)
    carry, left_ys = split(left, first.num_carry)
    other, right_ys = split(right, first.num_carry)
    if carry != other:
        return None
    places = {y: first.num_carry + place for place, y in enumerate(dict.fromkeys((*left_ys, *right_ys)))}
    body = Graph(first.body.inputs, (*carry, *places))
    loop = Scan(body, first.num_consts, first.num_carry, first.length, first.reverse)
    kept = range(first.num_carry)
    return loop, [*kept, *[places[y] for y in left_ys]], [*kept, *[places[y] for y in right_ys]]


def _merged_choices(first: Cond, second: Cond, union: Union) -> Merged:
    """One choice that returns what either does."""
    unions = [union(one, two) for one, two in zip(first.branches, second.branches, strict=True)]
    left, right = (list(zip(*[pair[side] for pair in unions], strict=True)) for side in (0, 1))
    places = {column: place for place, column in enumerate(dict.fromkeys((*left, *right)))}
    branches = tuple(
        Graph(branch.inputs, [column[index] for column in places]) for index, branch in enumerate(first.branches)
    )
    return Cond(branches), [places[column] for column in left], [places[column] for column in right]


CONTROL = (chosen, stacked_once)
"""In the order they are tried."""
PAIRS = (
    PairRule(Scan, lambda op: (op.num_consts, op.num_carry, op.length, op.reverse), _merged_scans),
    PairRule(Cond, lambda op: (len(op.branches),), _merged_choices),
)
"""Loops and choices of which one stands for two."""
