"""Kernels of operations that run graphs: each graph is built once, then only called.

Such a kernel is given as ``out`` an array for each result, and returns them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir.graph import Graph
from rax.ir.op import Op
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.backends.base import Run
from rax.runtime.backends.numpy.kernel import Kernel
from rax.runtime.planning import graphs_run


class Body:
    """What runs one of the graphs.

    Args:
        run: from arrays for the inputs, and then for the outputs those to write them into, to the outputs: the
            arrays it was given for them, or others, which hold until the next call.
        copied: the outputs that it does not write where it is told.
    """

    def __init__(self, run: Run, copied: Sequence[int]) -> None:
        self._run = run
        self._copied = copied

    def __call__(self, operands: Sequence[Array], out: Sequence[Array]) -> None:
        """Run the graph, and have its outputs in ``out``, which shares no memory with the operands."""
        results = self._run([*operands, *out])
        for place in self._copied:
            np.copyto(out[place], results[place])


def _cond(op: Any, bodies: Sequence[Body], spare: Sequence[Array]) -> Kernel:
    del op, spare
    last = len(bodies) - 1

    def cond(index: Array, *operands: Array, out: Sequence[Array]) -> Sequence[Array]:
        bodies[min(max(int(index), 0), last)](operands, out)
        return out

    return cond


def _while_loop(op: Any, bodies: Sequence[Body], spare: Sequence[Array]) -> Kernel:
    condition, body = bodies
    count = op.num_consts
    flag, *second = spare
    flags = [flag]

    def while_loop(*operands: Array, out: Sequence[Array]) -> Sequence[Array]:
        consts, carry = operands[:count], operands[count:]
        here, there = out, second
        while True:
            condition((*consts, *carry), flags)
            if not flag:
                break
            body((*consts, *carry), here)
            carry = here
            here, there = there, here
        if carry is not out:
            for target, array in zip(out, carry, strict=True):
                np.copyto(target, array)
        return out

    return while_loop


def _scan(op: Any, bodies: Sequence[Body], spare: Sequence[Array]) -> Kernel:
    (body,) = bodies
    first, second = op.num_consts, op.num_consts + op.num_carry
    carries, length = op.num_carry, op.length.__index__()
    places = range(length - 1, -1, -1) if op.reverse else range(length)

    def scan(*operands: Array, out: Sequence[Array]) -> Sequence[Array]:
        consts, carry, xs = operands[:first], operands[first:second], operands[second:]
        last, stacked = out[:carries], out[carries:]
        here, there = (last, spare) if length % 2 else (spare, last)
        for place in places:
            row = (place, ...)
            body((*consts, *carry, *[x[row] for x in xs]), (*here, *[y[row] for y in stacked]))
            carry = here
            here, there = there, here
        if not length:
            for target, array in zip(last, carry, strict=True):
                np.copyto(target, array)
        return out

    return scan


def _by_reference(op: Op, bodies: Sequence[Body], spare: Sequence[Array]) -> Kernel:
    del spare
    known = {id(graph): body for graph, body in zip(graphs_run(op), bodies, strict=True)}

    def evaluate(graph: Graph, arrays: list[Array]) -> list[Array]:
        results = [np.empty(concrete(type.shape), numpy_dtype(type.dtype)) for type in graph.out_types]
        known[id(graph)](arrays, results)
        return results

    def kernel(*operands: Array, out: Sequence[Array]) -> Sequence[Array]:
        for target, array in zip(out, op.reference_with(evaluate, *map(np.asarray, operands)), strict=True):
            np.copyto(target, array)
        return out

    return kernel


_CONTROL: dict[str, Callable[[Any, Sequence[Body], Sequence[Array]], Kernel]] = {
    "cond": _cond, "while_loop": _while_loop, "scan": _scan,
}  # fmt: skip


def has_control_kernel(name: str) -> bool:
    """Whether an operation of this name has a kernel here; others that run graphs do so by their reference."""
    return name in _CONTROL


def control_kernel(op: Op, bodies: Sequence[Body], spare: Sequence[Array]) -> Kernel:
    """The kernel of an operation that runs graphs, given what runs each, and :func:`spare_types` as arrays."""
    return _CONTROL.get(op.name, _by_reference)(op, bodies, spare)
