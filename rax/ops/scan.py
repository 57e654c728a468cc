"""``scan``: a loop of known length over the leading axis of its operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.op import Derivative, Op, Transforms, op
from rax.ir.types import DType, TensorType
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.ops.elementwise import multiply
from rax.ops.samples import FLOATS, normal, reject, sample
from rax.ops.shape import moveaxis
from rax.ops.subgraphs import (
    check_operands,
    check_same,
    fill,
    flags,
    invert,
    pick,
    present,
    split,
    unpick,
    varying_outputs,
)

Evaluate = Callable[[Graph, list[Array]], list[Array]]


def _decay(dtype: DType) -> Graph:
    """A body for samples: (scale; total; x) -> (total * scale + x, total * x)."""
    scale, total, x = (new_input(n, TensorType(dtype, s)) for n, s in (("scale", ()), ("total", (2,)), ("x", (2,))))
    return Graph((scale, total, x), (add(multiply(total, scale), x), multiply(total, x)))


def _growth(dtype: DType) -> Graph:
    """A body for samples without xs or ys: (rate; y) -> y + y * rate."""
    rate, y = (new_input(name, TensorType(dtype, (3,))) for name in ("rate", "y"))
    return Graph((rate, y), (add(y, multiply(y, rate)),))


@op("scan", since=1)
class Scan(Op):
    """Run a graph once for each position of a leading axis, passing a carry along.

    Operands are ``num_consts`` constants, the ``num_carry`` initial carries, and the xs, whose
    leading axis has ``length``. The body maps (constants, carry, one slice of each x) to (carry,
    one slice of each y). Results are the final carries and the ys stacked. ``reverse`` runs from
    the last position to the first; the ys keep their places.
    """

    body: Graph
    num_consts: int
    num_carry: int
    length: Size
    reverse: bool = False

    dtypes = FLOATS
    holds_graphs = True

    def _parts(self, items: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return split(items, self.num_consts, self.num_carry)

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        consts, carry, xs = self._parts(operands)
        if isinstance(self.length, int) and self.length < 0:
            raise TypeInferenceError(f"the length {self.length} of a scan is negative")
        for x in xs:
            if not x.shape or x.shape[0] != self.length:
                raise TypeInferenceError(f"scan: {x} has no leading axis of length {self.length}")
        slices = [x.with_shape(x.shape[1:]) for x in xs]
        check_operands("scan", self.body, (*consts, *carry, *slices))
        new, ys = split(self.body.out_types, self.num_carry)
        check_same("scan", "the carry changes its type", carry, new)
        return (*carry, *[y.with_shape((self.length, *y.shape)) for y in ys])

    def reference_with(self, evaluate: Evaluate, *arrays: Array) -> tuple[Array, ...]:
        consts, carry, xs = self._parts(arrays)
        length = self.length.__index__()
        y_types = self.body.out_types[self.num_carry :]
        ys = [np.zeros((length, *concrete(y.shape)), numpy_dtype(y.dtype)) for y in y_types]
        for step in reversed(range(length)) if self.reverse else range(length):
            results = evaluate(self.body, [*consts, *carry, *[x[step] for x in xs]])
            carry = tuple(results[: self.num_carry])
            for y, part in zip(ys, results[self.num_carry :], strict=True):
                y[step] = part
        return (*carry, *ys)

    def _active(
        self, derive: Callable[[tuple[bool, ...]], tuple[bool, ...]], start: tuple[bool, ...]
    ) -> tuple[bool, ...]:
        """Grow the active carries until the body makes no further one active."""
        consts, carry, xs = self._parts(start)
        while True:
            after = derive((*consts, *carry, *xs))[: self.num_carry]
            grown = tuple(a or b for a, b in zip(carry, after, strict=True))
            if grown == carry:
                return (*consts, *carry, *xs)
            carry = grown

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """One loop that carries values and tangents together."""
        active = self._active(lambda some: transforms.jvp(self.body, some)[1], flags(tangents))
        moved, nonzero = transforms.jvp(self.body, active)
        on_consts, on_carry, _ = self._parts(active)
        seeds = pick(fill(tangents, [value.type for value in primals]), active)
        d_consts, d_carry, d_xs = split(seeds, sum(on_consts), sum(on_carry))
        consts, carry, xs = self._parts(primals)
        ins, d_ins = split(moved.inputs, len(primals))
        in_consts, in_carry, in_xs = self._parts(ins)
        din_consts, din_carry, din_xs = split(d_ins, sum(on_consts), sum(on_carry))
        outs, d_outs = split(moved.outputs, len(self.body.outputs))
        new_carry, ys = split(outs, self.num_carry)
        d_results = unpick(d_outs, nonzero)
        d_new = fill(pick(d_results[: self.num_carry], on_carry), [value.type for value in pick(carry, on_carry)])
        body = Graph(
            (*in_consts, *din_consts, *in_carry, *din_carry, *in_xs, *din_xs),
            (*new_carry, *d_new, *ys, *present(d_results[self.num_carry :])),
        )
        loop = Scan(body, len(consts) + len(d_consts), len(carry) + len(d_carry), self.length, self.reverse)
        results = loop.results(*consts, *d_consts, *carry, *d_carry, *xs, *d_xs)
        final, d_final, stacked, d_stacked = split(results, len(carry), len(d_carry), len(ys))
        d_ys = unpick(d_stacked, nonzero[self.num_carry :])
        return (*final, *stacked), (*unpick(d_final, on_carry), *d_ys)

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """A loop that also stacks what the tangents need, and a loop linear in them.

        What the body computes from the constants alone is computed once, outside.
        """
        active = self._active(lambda some: transforms.linearize(self.body, some)[2], flags(tangents))
        primal, linear, nonzero = transforms.linearize(self.body, active)
        count = len(self.body.outputs)
        consts, carry, _ = self._parts(primals)
        varies = varying_outputs(primal, primal.inputs[len(consts) :])[count:]
        residuals = primal.outputs[count:]
        fixed = Graph(primal.inputs[: len(consts)], pick(residuals, invert(varies))).inline(consts)
        body = Graph(primal.inputs, (*primal.outputs[:count], *pick(residuals, varies)))
        loop = Scan(body, self.num_consts, self.num_carry, self.length, self.reverse)
        outputs, stacked = split(loop.results(*primals), count)

        on_consts, on_carry, _ = self._parts(active)
        seeds = pick(fill(tangents, [value.type for value in primals]), active)
        d_consts, d_carry, d_xs = split(seeds, sum(on_consts), sum(on_carry))
        saved, d_ins = split(linear.inputs, len(residuals))
        din_consts, din_carry, din_xs = split(d_ins, sum(on_consts), sum(on_carry))
        d_results = unpick(linear.outputs, nonzero)
        d_new = fill(pick(d_results[: self.num_carry], on_carry), [value.type for value in pick(carry, on_carry)])
        tangent_body = Graph(
            (*pick(saved, invert(varies)), *din_consts, *din_carry, *pick(saved, varies), *din_xs),
            (*d_new, *present(d_results[self.num_carry :])),
        )
        tangent_loop = Scan(tangent_body, len(fixed) + len(d_consts), len(d_carry), self.length, self.reverse)
        d_final, d_stacked = split(tangent_loop.results(*fixed, *d_consts, *d_carry, *stacked, *d_xs), len(d_carry))
        return outputs, (*unpick(d_final, on_carry), *unpick(d_stacked, nonzero[self.num_carry :]))

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The transposed body, run the other way, summing the cotangents of the constants."""
        on_consts, _, on_xs = self._parts(linear)
        consts, carry, xs = self._parts(operands)
        moving = (*on_consts, *[True] * len(carry), *on_xs)
        body = transforms.transpose(self.body, moving)
        d_new, d_ys = split(fill(cotangents, self.infer(*[value.type for value in operands])), len(carry))
        fixed, in_xs, in_new, in_ys = split(body.inputs, len(consts) - sum(on_consts), len(xs) - sum(on_xs), len(d_new))
        d_consts, d_carry, d_xs = split(body.outputs, sum(on_consts), len(carry))
        totals = [new_input(f"total{index}", value.type) for index, value in enumerate(d_consts)]
        summed = [add(total, part) for total, part in zip(totals, d_consts, strict=True)]
        back = Graph((*fixed, *totals, *in_new, *in_xs, *in_ys), (*summed, *d_carry, *d_xs))
        loop = Scan(back, len(fixed), len(totals) + len(carry), self.length, not self.reverse)
        start = fill([None] * len(totals), [value.type for value in totals])
        results = loop.results(*pick(consts, invert(on_consts)), *start, *d_new, *pick(xs, invert(on_xs)), *d_ys)
        sums, d_init, d_stacked = split(results, len(totals), len(carry))
        return (*unpick(sums, on_consts), *d_init, *unpick(d_stacked, on_xs))

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """The batched body; the loop's axis goes in front of the batch axis and back."""
        wide = self._active(lambda some: transforms.batch(self.body, size, some)[1], batched)
        _, on_carry, _ = self._parts(wide)
        count = len(self.body.outputs)
        force = (*on_carry, *[True] * (count - self.num_carry))
        body, _ = transforms.batch(self.body, size, wide, force)
        consts, carry, xs = self._parts(operands)
        _, had_carry, had_xs = self._parts(batched)
        start = [
            broadcast_to(value, (size, *value.shape)) if must and not had else value
            for value, must, had in zip(carry, on_carry, had_carry, strict=True)
        ]
        turned = [moveaxis(x, 1, 0) if some else x for x, some in zip(xs, had_xs, strict=True)]
        loop = Scan(body, self.num_consts, self.num_carry, self.length, self.reverse)
        final, stacked = split(loop.results(*consts, *start, *turned), self.num_carry)
        widened = [
            value if some else broadcast_to(value, (size, *value.shape))
            for value, some in zip(final, on_carry, strict=True)
        ]
        return (*widened, *[moveaxis(y, 1, 0) for y in stacked])

    samples = (
        sample(normal(), normal(2), normal(3, 2), body=_decay, num_consts=1, num_carry=1, length=3),
        sample(normal(), normal(2), normal(3, 2), body=_decay, num_consts=1, num_carry=1, length=3, reverse=True),
        sample(normal(), normal(2), normal(0, 2), body=_decay, num_consts=1, num_carry=1, length=0),
        sample(normal(3), normal(3), body=_growth, num_consts=1, num_carry=1, length=4),
    )
    rejects = (
        reject(
            normal(), normal(2), normal(4, 2), body=_decay, num_consts=1, num_carry=1, length=3,
            match="has no leading axis of length 3",
        ),
        reject(
            normal(), normal(2), body=_decay, num_consts=1, num_carry=1, length=-1,
            match="the length -1 of a scan is negative",
        ),
        reject(
            normal(), normal(3), normal(3, 2), body=_decay, num_consts=1, num_carry=1, length=3,
            match="scan: the graph takes",
        ),
    )  # fmt: skip
