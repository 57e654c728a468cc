"""``cond`` and ``while_loop``: which graph runs, and how often, is decided by a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from rax.ir.dims import Size
from rax.ir.errors import DerivativeError, TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.op import Derivative, Op, Transforms, op
from rax.ir.types import DType, TensorType, bool_, int32, int64
from rax.ops.algebra import add, all_batched, broadcast_to, zeros
from rax.ops.arithmetic import maximum, minimum
from rax.ops.arrays import Array, scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import equal, less
from rax.ops.cumulative import CumulativeSum
from rax.ops.elementwise import align, multiply, negative
from rax.ops.indexing import Gather
from rax.ops.reduction import AnyTrue
from rax.ops.samples import FLOATS, integers, normal, reject, sample
from rax.ops.selection import Cast, stop_gradient, where
from rax.ops.subgraphs import check_operands, check_same, fill, flags, invert, pick, present, split, unpick

Evaluate = Callable[[Graph, list[Array]], list[Array]]


def _branches(dtype: DType) -> tuple[Graph, ...]:
    """Branches for samples, of (x, y): x * y, and x + x."""
    graphs: list[Graph] = []
    for choice in range(2):
        x, y = (new_input(name, TensorType(dtype, (3,))) for name in ("x", "y"))
        graphs.append(Graph((x, y), ((multiply(x, y), add(x, x))[choice],)))
    return tuple(graphs)


def choose(test: Value, yes: Value, no: Value) -> Value:
    """``yes`` where a truth value for each batch row holds, else ``no``; both with the batch axis."""
    return where(*align((True,) * 3, (test, yes, no)))


def borrow(test: Value, operands: Sequence[Value], batched: Sequence[bool]) -> list[Value]:
    """Operands whose rows hold, where a test fails, what the first row has for which it holds.

    A graph is thereby computed, and differentiated, only on rows that a loop over the rows would
    give it: no index is out of range, no logarithm infinite, for the sake of a row not wanted.
    The test must hold for some row. No derivative flows to the row that lends.
    """
    so_far = CumulativeSum(0)(Cast(int64)(test))
    first = Sum((0,))(Cast(int64)(equal(so_far, scalar(0, int64))))
    return [
        choose(test, value, broadcast_to(stop_gradient(Gather()(value, first)), value.shape)) if some else value
        for value, some in zip(operands, batched, strict=True)
    ]


def run_where(test: Value, graph: Graph, operands: Sequence[Value], batched: Sequence[bool]) -> tuple[Value, ...]:
    """A batched graph's results, of meaning only in rows where a test holds; not run if it holds in none."""
    types = [value.type for value in (test, *operands)]
    holds, *inside = inputs = [new_input(f"operand{index}", t) for index, t in enumerate(types)]
    some = Graph(inputs, graph.inline(borrow(holds, inside, batched)))
    unused = [new_input(f"operand{index}", t) for index, t in enumerate(types)]
    none = Graph(unused, [zeros(t) for t in some.out_types])
    return Cond((none, some)).results(Cast(int32)(AnyTrue((0,))(test)), test, *operands)


@op("cond", since=1)
class Cond(Op):
    """Run one of several graphs on the same operands.

    Operands are an ``int32`` index of shape ``()``, clamped to the branches, and what the chosen
    branch is given. All branches return the same types.
    """

    branches: tuple[Graph, ...]

    dtypes = FLOATS
    holds_graphs = True

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        if not operands or operands[0] != TensorType(int32, ()):
            raise TypeInferenceError("cond needs an int32 index of shape () as its first operand")
        if not self.branches:
            raise TypeInferenceError("cond needs at least one branch")
        for branch in self.branches:
            check_operands("cond", branch, operands[1:])
            check_same("cond", "the branches return different types", self.branches[0].out_types, branch.out_types)
        return self.branches[0].out_types

    def reference_with(self, evaluate: Evaluate, *arrays: Array) -> tuple[Array, ...]:
        chosen = min(max(int(arrays[0]), 0), len(self.branches) - 1)
        return tuple(evaluate(self.branches[chosen], list(arrays[1:])))

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """One choice between branches that carry values and tangents."""
        moved = [transforms.jvp(branch, flags(tangents[1:])) for branch in self.branches]
        some = tuple(any(column) for column in zip(*[nonzero for _, nonzero in moved], strict=True))
        count = len(some)
        branches: list[Graph] = []
        for graph, nonzero in moved:
            outs, d_outs = split(graph.outputs, count)
            filled = fill(unpick(d_outs, nonzero), [value.type for value in outs])
            branches.append(Graph(graph.inputs, (*outs, *pick(filled, some))))
        outputs, pushed = split(Cond(tuple(branches)).results(*primals, *present(tangents[1:])), count)
        return outputs, unpick(pushed, some)

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """A choice that also returns what the tangents need, and a choice linear in them.

        Each branch fills the places of the other branches' residuals with zeros; operands that
        a tangent needs are passed on as they are.
        """
        parts = [transforms.linearize(branch, flags(tangents[1:])) for branch in self.branches]
        some = tuple(any(column) for column in zip(*[nonzero for _, _, nonzero in parts], strict=True))
        count = len(some)
        kept = [
            [(index, value) for index, value in enumerate(primal.outputs[count:]) if value not in primal.inputs]
            for primal, _, _ in parts
        ]
        types = [[value.type for _, value in row] for row in kept]
        branches: list[Graph] = []
        linear_branches: list[Graph] = []
        for place, (primal, linear, nonzero) in enumerate(parts):
            own = [value for _, value in kept[place]]
            columns = [own if row == place else [zeros(t) for t in types[row]] for row in range(len(parts))]
            branches.append(Graph(primal.inputs, (*primal.outputs[:count], *chain.from_iterable(columns))))
            linear_branches.append(_linear_branch(place, primal, linear, nonzero, some, kept, types))
        outputs, saved = split(Cond(tuple(branches)).results(*primals), count)
        chosen = Cond(tuple(linear_branches))
        return outputs, unpick(chosen.results(*primals, *saved, *present(tangents[1:])), some)

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """A choice between the transposed branches."""
        moving = linear[1:]
        branches = tuple(transforms.transpose(branch, moving) for branch in self.branches)
        fixed = pick(operands[1:], invert(moving))
        cts = fill(cotangents, self.branches[0].out_types)
        return (None, *unpick(Cond(branches).results(operands[0], *fixed, *cts), moving))

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """Batched branches; where the index is batched too, each on its rows, and a selection."""
        everything = (True,) * len(self.branches[0].outputs)
        moved = [transforms.batch(branch, size, batched[1:], everything)[0] for branch in self.branches]
        index, *rest = operands
        if not batched[0]:
            return Cond(tuple(moved)).results(index, *rest)
        last = scalar(len(moved) - 1, int32)
        index = minimum(maximum(index, scalar(0, int32)), last)
        results: list[Value] = []
        for place, branch in enumerate(moved):
            test = equal(index, scalar(place, int32))
            found = run_where(test, branch, rest, batched[1:])
            results = [choose(test, *pair) for pair in zip(found, results, strict=True)] if results else list(found)
        return tuple(results)

    samples = (
        sample(integers(low=0, high=1, dtype="int32"), normal(3), normal(3), branches=_branches),
        sample(integers(low=1, high=2, dtype="int32"), normal(3), normal(3), branches=_branches),
        sample(integers(low=7, high=8, dtype="int32"), normal(3), normal(3), branches=_branches),
    )
    rejects = (
        reject(normal(), normal(3), normal(3), branches=_branches, match="needs an int32 index of shape ()"),
        reject(
            integers(low=0, high=1, dtype="int32"), normal(3), normal(2), branches=_branches,
            match="cond: the graph takes",
        ),
    )  # fmt: skip


def _linear_branch(
    place: int,
    primal: Graph,
    linear: Graph,
    nonzero: tuple[bool, ...],
    some: tuple[bool, ...],
    kept: list[list[tuple[int, Value]]],
    types: list[list[TensorType]],
) -> Graph:
    """A branch's linear part as a graph of (operands, every branch's residuals, tangents)."""
    count = len(nonzero)
    residuals = primal.outputs[count:]
    operands = [new_input(f"operand{i}", value.type) for i, value in enumerate(primal.inputs)]
    saved = [[new_input(f"residual{row}.{i}", t) for i, t in enumerate(ts)] for row, ts in enumerate(types)]
    moving = [new_input(f"tangent{i}", value.type) for i, value in enumerate(linear.inputs[len(residuals) :])]
    own = {index: value for (index, _), value in zip(kept[place], saved[place], strict=True)}
    by_input = dict(zip(primal.inputs, operands, strict=True))
    values = [own[index] if index in own else by_input[value] for index, value in enumerate(residuals)]
    tangents = unpick(linear.inline((*values, *moving)), nonzero)
    filled = fill(tangents, [value.type for value in primal.outputs[:count]])
    return Graph((*operands, *chain.from_iterable(saved), *moving), pick(filled, some))


def _loop_inputs(dtype: DType) -> list[Value]:
    shapes = (("limit", int32, ()), ("x", dtype, (2,)), ("step", int32, ()))
    return [new_input(name, TensorType(d, shape)) for name, d, shape in shapes]


def _more(dtype: DType) -> Graph:
    """The condition of a loop for samples, of (limit; x, step): step < limit."""
    limit, x, step = _loop_inputs(dtype)
    return Graph((limit, x, step), (less(step, limit),))


def _round(dtype: DType) -> Graph:
    """Its body: x becomes -x * x, and step counts up."""
    limit, x, step = _loop_inputs(dtype)
    return Graph((limit, x, step), (negative(multiply(x, x)), add(step, scalar(1, int32))))


@op("while_loop", since=1)
class WhileLoop(Op):
    """Run a body on a carry for as long as a condition holds.

    Operands are ``num_consts`` constants and the initial carry; ``condition`` and ``body`` are
    given both. The number of rounds is not known beforehand, so what the way back would need
    cannot be kept: there is forward mode only.
    """

    condition: Graph
    body: Graph
    num_consts: int

    dtypes = FLOATS
    holds_graphs = True
    forward_only = "the number of rounds is not known beforehand, so what the way back needs cannot be kept"

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        for graph in (self.condition, self.body):
            check_operands("while_loop", graph, operands)
        if self.condition.out_types != (TensorType(bool_, ()),):
            raise TypeInferenceError("while_loop: the condition returns one bool of shape ()")
        carry = operands[self.num_consts :]
        check_same("while_loop", "the carry changes its type", carry, self.body.out_types)
        return carry

    def reference_with(self, evaluate: Evaluate, *arrays: Array) -> tuple[Array, ...]:
        consts, carry = split(arrays, self.num_consts)
        while bool(np.all(evaluate(self.condition, [*consts, *carry])[0])):
            carry = tuple(evaluate(self.body, [*consts, *carry]))
        return carry

    def _grow(
        self, derive: Callable[[tuple[bool, ...]], tuple[bool, ...]], start: tuple[bool, ...]
    ) -> tuple[bool, ...]:
        consts, carry = split(start, self.num_consts)
        while True:
            grown = tuple(a or b for a, b in zip(carry, derive((*consts, *carry)), strict=True))
            if grown == carry:
                return (*consts, *carry)
            carry = grown

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The loop as it is, and one for the tangents, which fails only where it must be transposed."""
        return self.results(*primals), self.forward(transforms, primals, tangents)[1]

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """One loop that carries values and tangents."""
        active = self._grow(lambda some: transforms.jvp(self.body, some)[1], flags(tangents))
        moved, nonzero = transforms.jvp(self.body, active)
        consts, carry = split(primals, self.num_consts)
        on_consts, on_carry = split(active, self.num_consts)
        d_consts, d_carry = split(pick(fill(tangents, [v.type for v in primals]), active), sum(on_consts))
        ins, d_ins = split(moved.inputs, len(primals))
        in_consts, in_carry = split(ins, self.num_consts)
        din_consts, din_carry = split(d_ins, len(d_consts))
        outs, d_outs = split(moved.outputs, len(carry))
        d_new = fill(pick(unpick(d_outs, nonzero), on_carry), [value.type for value in d_carry])
        inputs = (*in_consts, *din_consts, *in_carry, *din_carry)
        test = self.condition.inline((*in_consts, *in_carry))
        loop = WhileLoop(Graph(inputs, test), Graph(inputs, (*outs, *d_new)), len(in_consts) + len(din_consts))
        final, d_final = split(loop.results(*consts, *d_consts, *carry, *d_carry), len(carry))
        return final, unpick(d_final, on_carry)

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """Refused: there is no reverse mode."""
        raise DerivativeError(
            "while_loop has no reverse-mode derivative: the number of its rounds is not known beforehand",
            fix="use scan or fori_loop with a fixed number of rounds, or forward mode (jvp, jacfwd)",
        )

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """Run until no row goes on; with a batched condition, rows that are done keep their carry."""
        everything = (True,) * len(self.body.outputs)
        consts, carry = split(operands, self.num_consts)
        on_consts, had_carry = split(batched, self.num_consts)
        wide = (*on_consts, *everything)
        body = transforms.batch(self.body, size, wide, everything)[0]
        condition, (tested,) = transforms.batch(self.condition, size, wide)
        start = all_batched(size, had_carry, carry)
        inputs = body.inputs
        test = condition.inline(inputs)
        new = body.outputs
        if tested:
            old = inputs[self.num_consts :]
            new = body.inline(borrow(test[0], inputs, wide))
            new = tuple(choose(test[0], after, before) for after, before in zip(new, old, strict=True))
            test = (AnyTrue((0,))(test[0]),)
        return WhileLoop(Graph(inputs, test), Graph(inputs, new), self.num_consts).results(*consts, *start)

    samples = (
        sample(
            integers(low=3, high=4, dtype="int32"), normal(2), integers(low=1, high=2, dtype="int32"),
            condition=_more, body=_round, num_consts=1,
        ),
        sample(
            integers(low=0, high=1, dtype="int32"), normal(2), integers(low=1, high=2, dtype="int32"),
            condition=_more, body=_round, num_consts=1,
        ),
    )  # fmt: skip
    rejects = (
        reject(
            integers(low=0, high=1, dtype="int32"), normal(3), integers(low=1, high=2, dtype="int32"),
            condition=_more, body=_round, num_consts=1,
            match="while_loop: the graph takes",
        ),
    )  # fmt: skip
