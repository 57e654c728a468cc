"""Work taken out of the rounds of a scan, exact: what every round repeats, and what can be done for all rounds at once.

Elementwise operations give the same numbers on slices as on what they are slices of. So of what a loop stacks, that
which follows from other things it stacks is computed after it, in one operation instead of one a round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rax.ir.graph import Graph, topological
from rax.ir.node import Constant, Node, Value, apply, new_input
from rax.ir.record import Record
from rax.ir.trail import Origin
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import scalar
from rax.ops.broadcasting import BroadcastTo
from rax.ops.elementwise import Pointwise, multiply, negative
from rax.ops.samples import FLOATS, normal, sample
from rax.ops.scan import Scan
from rax.ops.shape import Flip, PermuteDims, Reshape, permute_dims, reshape
from rax.ops.subgraphs import split
from rax.passes.hoisting import may_fail
from rax.passes.rule import Example, Found, rule


class Loop(Record):
    """A scan with its operands, each beside the body's input for it.

    Attributes:
        op: the scan.
        consts: for each constant the body's input and the operand.
        carries: for each carry the body's input, its output and the operand.
        xs: for each x the body's input, of a slice, and the operand.
        ys: the body's outputs that are stacked.
    """

    op: Scan
    consts: list[tuple[Value, Value]]
    carries: list[tuple[Value, Value, Value]]
    xs: list[tuple[Value, Value]]
    ys: list[Value]

    def run(self, origins: Mapping[Node, Origin] | None = None) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The final carries and the stacked ys.

        Args:
            origins: where the body's nodes come from, if it has others than the loop's had.
        """
        inputs = [pair[0] for pair in (*self.consts, *self.carries, *self.xs)]
        outputs = (*[carry[1] for carry in self.carries], *self.ys)
        body = Graph(inputs, outputs, origins=origins or self.op.body.origins)
        loop = Scan(body, len(self.consts), len(self.carries), self.op.length, self.op.reverse)
        operands = [pair[-1] for pair in (*self.consts, *self.carries, *self.xs)]
        final, stacked = split(loop.results(*operands), len(self.carries))
        return final, stacked

    @property
    def outputs(self) -> list[Value]:
        """Every output of the body."""
        return [*[carry[1] for carry in self.carries], *self.ys]


def taken_apart(op: Scan, operands: Sequence[Value]) -> Loop:
    """A scan with its operands."""
    ins = list(zip(op.body.inputs, operands, strict=True))
    consts, carries, xs = split(ins, op.num_consts, op.num_carry)
    new, ys = split(op.body.outputs, op.num_carry)
    return Loop(
        op, list(consts), [(inner, out, given) for (inner, given), out in zip(carries, new, strict=True)],
        list(xs), list(ys),
    )  # fmt: skip


def reached(outputs: Iterable[Value], stop: Iterable[Value] = ()) -> set[Node]:
    """The nodes that outputs depend on, not by way of some."""
    ends = {value.node for value in stop}
    return set(topological(outputs, ends.__contains__))


def _body(shape: tuple[int, ...], x: Value, build: str) -> Graph:
    """Bodies for the examples, of (const; carry; x)."""
    c, h, row = (new_input(name, x.type.with_shape(shape)) for name in ("c", "h", "x"))
    match build:
        case "invariant":
            return Graph((c, h, row), (multiply(add(h, negative(c)), row),))
        case "once":
            fresh = new_input("once", c.type)
            return Graph((fresh, h, row), (multiply(add(h, fresh), row),))
        case "unread":
            return Graph((c, h, row), (add(h, scalar(1, x.dtype)), h))
        case "read":
            return Graph((h,), (add(h, scalar(1, x.dtype)), h))
        case "kept":
            return Graph((c, h, row), (h, multiply(h, row)))
        case "const":
            return Graph((h, row), (multiply(h, row),))
        case "stacked":
            new = add(h, row)
            return Graph((c, h, row), (new, new, multiply(multiply(new, c), row)))
        case _:
            new = add(h, row)
            return Graph((c, h, row), (new, new))


@rule(
    Scan,
    Example(
        sample(normal(2), normal(3, 2), dtypes=FLOATS),
        lambda x, rows: Scan(_body((2,), x, "invariant"), 1, 1, 3).results(x, x, rows),
        lambda x, rows: Scan(_body((2,), x, "once"), 1, 1, 3).results(negative(x), x, rows),
    ),
)
def computed_once(op: Scan, *operands: Value) -> Found:
    """What the rounds compute from the constants alone, by operations that cannot fail and make nothing larger."""
    loop = taken_apart(op, operands)
    known = {inner.node for inner, _ in loop.consts}
    found: dict[Node, None] = {}
    ends: dict[Value, None] = {}
    for node in op.body.nodes[len(op.body.inputs) :]:
        fixed = [value.node in known for value in node.inputs]
        plain = all(some or type(value.node.op) is Constant for some, value in zip(fixed, node.inputs, strict=True))
        moves = isinstance(node.op, (PermuteDims, Reshape, Flip, BroadcastTo))
        safe = moves or (isinstance(node.op, Pointwise) and not may_fail(node.op, node.inputs[0]))
        if plain and any(fixed) and safe:
            known.add(node)
            found[node] = None
        else:
            ends.update(dict.fromkeys([value for value in node.inputs if value.node in found]))
    ends.update(dict.fromkeys([value for value in op.body.outputs if value.node in found]))
    if not ends:
        return None
    outside = dict(loop.consts)
    for node in found:
        made = apply(node.op, [outside.get(value, value) for value in node.inputs])
        outside.update(zip(node.outputs, made.outputs, strict=True))
    new = {value: new_input("once", value.type) for value in ends}
    consts = [*loop.consts, *[(inner, outside[value]) for value, inner in new.items()]]
    return simplified(loop.replaced(consts=consts), new)


def simplified(loop: Loop, new: Mapping[Value, Value]) -> tuple[Value, ...]:
    """The results of a loop in whose body some values are replaced, without what that leaves unread."""
    known = loop.op.body.origins
    outputs, origins = exchanged(loop.outputs, new, known)
    for old, value in new.items():
        for node in (value.node, *[operand.node for operand in value.node.inputs]):
            if old.node in known and node not in known:
                origins.setdefault(node, known[old.node])
    carries = [(inner, out, given) for (inner, _, given), out in zip(loop.carries, outputs, strict=False)]
    read = reached(outputs)
    consts, xs = ([pair for pair in side if pair[0].node in read] for side in (loop.consts, loop.xs))
    final, stacked = Loop(loop.op, consts, carries, xs, outputs[len(carries) :]).run({**known, **origins})
    return (*final, *stacked)


def exchanged(
    outputs: Sequence[Value], new: Mapping[Value, Value], origins: Mapping[Node, Origin]
) -> tuple[list[Value], dict[Node, Origin]]:
    """Outputs of a body rebuilt with some values replaced, and where the nodes made come from."""
    known, found = dict(new), dict[Node, Origin]()
    ends = {value.node for value in new}
    for node in topological(outputs, ends.__contains__):
        operands = tuple([known.get(value, value) for value in node.inputs])
        if operands == node.inputs:
            continue
        made = apply(node.op, operands, node.types)
        known.update(zip(node.outputs, made.outputs, strict=True))
        if node in origins:
            found[made] = origins[node]
    return [known.get(value, value) for value in outputs], found


@rule(
    Scan,
    Example(
        sample(normal(2), normal(3, 2), dtypes=FLOATS),
        lambda x, rows: Scan(_body((2,), x, "unread"), 1, 1, 3).results(x, x, rows),
        lambda x, rows: Scan(_body((2,), x, "read"), 0, 1, 3).results(x),
    ),
    Example(
        sample(normal(2), normal(3, 2), dtypes=FLOATS),
        lambda x, rows: Scan(_body((2,), x, "kept"), 1, 1, 3).results(x, x, rows),
        lambda x, rows: (x, Scan(_body((2,), x, "const"), 1, 0, 3)(x, rows)),
    ),
)
def handed_on_for_nothing(op: Scan, *operands: Value) -> Found:
    """Operands that the body does not read, and carries that it hands on as they are, which are constants."""
    loop = taken_apart(op, operands)
    read = reached(loop.outputs)
    consts, xs = ([pair for pair in side if pair[0].node in read] for side in (loop.consts, loop.xs))
    idle = [inner == out for inner, out, _ in loop.carries]
    if not any(idle) and (len(consts), len(xs)) == (len(loop.consts), len(loop.xs)):
        return None
    consts += [(inner, given) for (inner, _, given), same in zip(loop.carries, idle, strict=True) if same]
    consts = [pair for pair in consts if pair[0].node in read]
    carries = [carry for carry, same in zip(loop.carries, idle, strict=True) if not same]
    final, stacked = loop.replaced(consts=consts, carries=carries, xs=xs).run()
    rest = iter(final)
    results = [given if same else next(rest) for (_, _, given), same in zip(loop.carries, idle, strict=True)]
    return (*results, *stacked)


@rule(
    Scan,
    Example(
        sample(normal(2), normal(3, 2), dtypes=FLOATS),
        lambda x, rows: Scan(_body((2,), x, "stacked"), 1, 1, 3).results(x, x, rows),
        lambda x, rows: _all_at_once(x, rows),
    ),
)
def stacked_and_computed(op: Scan, *operands: Value) -> Found:
    """What is stacked but follows, element by element, from other things that are stacked, and is not carried on."""
    loop = taken_apart(op, operands)
    carried = reached([carry[1] for carry in loop.carries])
    ready = dict(loop.xs)
    fixed = dict(loop.consts)
    moved: list[Value] = []
    for y in loop.ys:
        if y.node in carried:
            continue
        kept = {other for other in loop.ys if other != y and other not in moved}
        if follows(y, {*kept, *ready, *fixed}):
            moved.append(y)
    if not moved:
        return None
    kept = [y for y in loop.ys if y not in moved]
    final, stacked = loop.replaced(ys=kept).run()
    ready.update(zip(kept, stacked, strict=True))
    known = dict(ready)
    return (*final, *[known[y] if y in known else Stacker(op, ready, fixed).stack(y) for y in loop.ys])


def _all_at_once(x: Value, rows: Value) -> tuple[Value, ...]:
    final, stacked = Scan(_body((2,), x, "sum"), 1, 1, 3).results(x, x, rows)
    return final, stacked, multiply(multiply(stacked, x), rows)


def follows(y: Value, given: set[Value]) -> bool:
    """Whether a value follows from others by elementwise operations alone, and from one that is not a constant."""
    if not isinstance(y.node.op, Pointwise):
        return False
    for node in topological([y], {value.node for value in given if value != y}.__contains__):
        for value in node.inputs:
            known = value in given or type(value.node.op) is Constant or isinstance(value.node.op, Pointwise)
            if not known:
                return False
        if not isinstance(node.op, (Pointwise, Constant)):
            return False
    return True


class Stacker:
    """Computes for all rounds at once what the body computes in each.

    Args:
        op: the scan.
        ready: what is stacked already: by values of the body.
        fixed: what is the same in each round: by values of the body.
    """

    def __init__(self, op: Scan, ready: Mapping[Value, Value], fixed: Mapping[Value, Value]) -> None:
        self._length = op.length
        self._ready = dict(ready)
        self._fixed = fixed

    def stack(self, y: Value) -> Value:
        """A value of the body, stacked; it follows from what is ready or fixed."""
        if y in self._ready:
            return self._ready[y]
        ends = {value.node for value in (*self._ready, *self._fixed)}
        for node in topological([y], ends.__contains__):
            if type(node.op) is not Constant:
                self._apply(node)
        return self._ready[y]

    def _apply(self, node: Node) -> None:
        (result,) = node.outputs
        if isinstance(node.op, PermuteDims):
            axes = (0, *[axis + 1 for axis in node.op.axes])
            self._ready[result] = permute_dims(self._ready[node.inputs[0]], axes)
            return
        operands = [self._aligned(value, result.ndim) for value in node.inputs]
        made = apply(node.op, operands).outputs[0]
        self._ready[result] = broadcast_to(made, (self._length, *result.shape))

    def _aligned(self, value: Value, rank: int) -> Value:
        """An operand with the axis of the rounds before all others, if it has one."""
        if value not in self._ready:
            return self._fixed.get(value, value)
        stacked = self._ready[value]
        return reshape(stacked, (self._length, *[1] * (rank - value.ndim), *value.shape))


LOOPS = (handed_on_for_nothing, computed_once, stacked_and_computed)
"""In the order they are tried."""
