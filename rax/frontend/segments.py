"""A loop cut into segments that are computed again on the way back, so that reverse mode keeps less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ops.calls import Checkpoint
from rax.ops.scan import Scan
from rax.ops.shape import Concat, reshape, slice_axis
from rax.ops.subgraphs import split


def segmented(loop: Scan, operands: Sequence[Value], checkpoint: int | Literal["sqrt"]) -> tuple[Value, ...]:
    """The results of a loop that keeps the carry of one round in so many for reverse mode.

    A loop over segments runs a checkpointed loop over the rounds of each; rounds that fill no
    segment come last, as a shorter one.

    Args:
        loop: the loop.
        operands: what it is applied to.
        checkpoint: the rounds of a segment; ``"sqrt"`` for the square root of all.

    Raises:
        RaxError: ``checkpoint`` is no positive number, or is ``"sqrt"`` of a symbolic length.
    """
    rounds = _rounds(loop.length, checkpoint)
    consts, carry, xs = split(operands, loop.num_consts, loop.num_carry)
    count = dims.floor_divide(loop.length, rounds)
    whole = count * rounds

    def segments(carry: Sequence[Value]) -> tuple[Sequence[Value], Sequence[Value]]:
        rows = [reshape(slice_axis(x, 0, 0, whole), (count, rounds, *x.shape[1:])) for x in xs]
        slices = [new_input(f"x{index}", row.type.with_shape(row.shape[1:])) for index, row in enumerate(rows)]
        inputs = [new_input(f"operand{index}", value.type) for index, value in enumerate((*consts, *carry))]
        body = Graph((*inputs, *slices), _segment(loop, rounds, (*inputs, *slices)))
        outer = Scan(body, loop.num_consts, loop.num_carry, count, loop.reverse)
        final, stacked = split(outer.results(*consts, *carry, *rows), loop.num_carry)
        return final, [reshape(y, (whole, *y.shape[2:])) for y in stacked]

    def rest(carry: Sequence[Value]) -> tuple[Sequence[Value], Sequence[Value]]:
        ends = [slice_axis(x, 0, whole, loop.length) for x in xs]
        final, stacked = split(_segment(loop, loop.length - whole, (*consts, *carry, *ends)), loop.num_carry)
        return final, stacked

    if whole == loop.length:
        final, ys = segments(carry)
        return (*final, *ys)
    if loop.reverse:
        final, last = rest(carry)
        final, first = segments(final)
    else:
        final, first = segments(carry)
        final, last = rest(final)
    return (*final, *[Concat(0)(*pair) for pair in zip(first, last, strict=True)])


def _segment(loop: Scan, rounds: Size, operands: Sequence[Value]) -> tuple[Value, ...]:
    inner = Scan(loop.body, loop.num_consts, loop.num_carry, rounds, loop.reverse)
    inputs = [new_input(f"operand{index}", value.type) for index, value in enumerate(operands)]
    return Checkpoint(Graph(inputs, inner.results(*inputs))).results(*operands)


def _rounds(length: Size, checkpoint: int | str) -> int:
    if checkpoint == "sqrt":
        if not isinstance(length, int):
            raise RaxError(
                f"scan: the square root of the symbolic length {length} is no size",
                fix="give checkpoint= a number of rounds, such as 32",
            )
        return max(1, math.isqrt(length))
    if type(checkpoint) is not int or checkpoint < 1:
        raise RaxError(
            f"scan: checkpoint is {checkpoint!r}, which is no number of rounds", fix='give an int from 1, or "sqrt"'
        )
    return checkpoint
