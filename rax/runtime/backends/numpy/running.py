"""Kernels of running sums and products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ir.types import TensorType
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.arena import BUFFER
from rax.runtime.backends.numpy.kernel import Direct, Kernel, Types

# So many elements lie side by side, and so many stand beside each other in all, where it pays to go on by all of them
# at once: NumPy goes along each vector by itself, in long jumps.
_ROW = 32
_STEP = 256


def _goes_by_rows(op: Any, x: TensorType) -> bool:
    shape, axis = concrete(x.shape), int(op.axis)
    beside = math.prod(shape[axis + 1 :])
    return shape[axis] > 0 and beside >= _ROW and math.prod(shape[:axis]) * beside >= _STEP


def running_bytes(op: Any, x: TensorType) -> int:
    """What NumPy takes to copy rows that do not follow on each other."""
    before, beside = concrete(x.shape[: op.axis]), concrete(x.shape[op.axis + 1 :])
    if not _goes_by_rows(op, x) or math.prod(before) == 1:
        return 0
    return 3 * min(BUFFER, math.prod((*before, *beside))) * x.dtype.itemsize


def make_running(function: np.ufunc, op: Any, types: Types) -> Kernel:
    """The kernel of a running operation.

    Args:
        function: what is done to each element and what its predecessors gave.
        op: with an axis and a direction.
        types: of its operand, no half type.
    """
    (x,) = types
    axis, dtype, shape = op.axis, numpy_dtype(x.dtype), concrete(x.shape)

    def by_rows(x: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        sources, targets = (np.moveaxis(array, axis, 0)[:: -1 if op.reverse else 1] for array in (x, made))
        before = targets[0]
        np.copyto(before, sources[0])
        for source, target in zip(sources[1:], targets[1:], strict=True):
            before = function(before, source, target)
        return made

    def backwards(x: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        function.accumulate(np.flip(x, axis), axis, dtype, np.flip(made, axis))
        return made

    if _goes_by_rows(op, x):
        return by_rows
    return backwards if op.reverse else Direct(function.accumulate, axis, dtype)
