"""Kernels of sorting, of several vectors at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ir.types import TensorType
from rax.ops.arrays import Array, numpy_dtype
from rax.ops.sorting import ArgSort, Sort
from rax.runtime.arena import BUFFER
from rax.runtime.backends.numpy.kernel import Kernel, Types, is_half
from rax.runtime.backends.numpy.lead import along, beside

# How many times as long as to add up elements it takes to sort them.
_WORK = 16


def make_sort(op: Any, types: Types) -> Kernel | None:
    """NumPy's own sort, which is not stable: of equal elements only zeros of both signs show it."""
    dtype, axis = types[0].dtype, op.axis
    if dtype.is_floating and dtype.itemsize < 4:
        return None
    signed = dtype.is_floating

    def sort(x: Array, out: Array) -> None:
        if signed and bool(np.any(np.signbit(x) & (x == 0))):
            out[...] = Sort(x.ndim - 1, op.descending).reference(x)
            return
        target = out[..., ::-1] if op.descending else out
        np.copyto(target, x)
        target.sort(-1)

    return _along(types[0], axis, types[0], sort)


def make_argsort(op: Any, types: Types) -> Kernel:
    """The positions in order, as its definition finds them."""

    def order(x: Array, out: Array) -> None:
        out[...] = ArgSort(x.ndim - 1, op.descending).order(x)

    return _along(types[0], op.axis, op.infer(*types)[0], order)


def _along(x: TensorType, axis: int, result: TensorType, work: Kernel) -> Kernel:
    """What is done along an axis, as a kernel."""
    blocks = beside(x, axis, _WORK) if 0 not in x.shape else None
    shape, dtype = tuple([size.__index__() for size in result.shape]), numpy_dtype(result.dtype)

    def kernel(x: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        if blocks is not None:
            along(blocks, axis, [x, made], work)
        return made

    return kernel


def sort_bytes(op: Any, types: Types) -> int:
    """What blocks take: of a sort the definition, where there are zeros of both signs; of positions copies of them."""
    (x,) = types
    if 0 in x.shape:
        return 0
    axis: int = op.axis
    own = x.dtype.itemsize + 24 if op.name == "sort" else max(8 + 8 * bool(op.descending), 12 * is_half(x.dtype))
    blocks, vector = beside(x, axis, _WORK), x.shape[axis].__index__()
    return blocks.workers * (vector * (blocks.most * own + 16) + 2 * BUFFER) + blocks.object_bytes
