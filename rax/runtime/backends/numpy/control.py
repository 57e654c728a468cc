"""Kernels of operations that run graphs: each graph is built once, then only called.

Such a kernel always returns a list or tuple of results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir.graph import Graph
from rax.ir.op import Op
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.backends.base import Run
from rax.runtime.backends.numpy.kernel import Kernel, fresh
from rax.runtime.planning import graphs_run


def _cond(op: Any, runs: Sequence[Run]) -> Kernel:
    del op
    last = len(runs) - 1

    def cond(index: Array, *operands: Array) -> list[Array]:
        return fresh(runs[min(max(int(index), 0), last)](list(operands)), operands)

    return cond


def _while_loop(op: Any, runs: Sequence[Run]) -> Kernel:
    condition, body = runs
    count = op.num_consts

    def while_loop(*operands: Array) -> list[Array]:
        consts = operands[:count]
        carry: Sequence[Array] = operands[count:]
        while condition([*consts, *carry])[0]:
            carry = body([*consts, *carry])
        return fresh(carry, operands)

    return while_loop


def _scan(op: Any, runs: Sequence[Run]) -> Kernel:
    (body,) = runs
    first, second = op.num_consts, op.num_consts + op.num_carry
    carries, length = op.num_carry, op.length.__index__()
    rows = [(concrete((length, *y.shape)), numpy_dtype(y.dtype)) for y in op.body.out_types[carries:]]
    places = range(length - 1, -1, -1) if op.reverse else range(length)

    def scan(*operands: Array) -> list[Array]:
        consts, xs = operands[:first], operands[second:]
        carry: Sequence[Array] = operands[first:second]
        stacked = [np.empty(shape, dtype) for shape, dtype in rows]
        for place in places:
            results = body([*consts, *carry, *[x[place] for x in xs]])
            carry = results[:carries]
            for y, part in zip(stacked, results[carries:], strict=True):
                y[place] = part
        return [*fresh(carry, operands), *stacked]

    return scan


def _by_reference(op: Op, runs: Sequence[Run]) -> Kernel:
    known = {id(graph): run for graph, run in zip(graphs_run(op), runs, strict=True)}

    def evaluate(graph: Graph, arrays: list[Array]) -> list[Array]:
        return known[id(graph)](list(arrays))

    def kernel(*operands: Array) -> list[Array]:
        return fresh(op.reference_with(evaluate, *[np.asarray(operand) for operand in operands]), operands)

    return kernel


CONTROL: dict[str, Callable[[Any, Sequence[Run]], Kernel]] = {"cond": _cond, "while_loop": _while_loop, "scan": _scan}


def control_kernel(op: Op, runs: Sequence[Run]) -> Kernel:
    """The kernel of an operation that runs graphs, given what runs each."""
    return CONTROL.get(op.name, _by_reference)(op, runs)
