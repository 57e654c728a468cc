"""Kernels that move elements: views wherever there is one."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.backends.numpy.kernel import Factory, Kernel, Types, plainly


def _reshape(op: Any, types: Types) -> Kernel:
    del types
    return operator.methodcaller("reshape", concrete(op.shape))


def copying_reshape(op: Any, types: Types) -> Kernel:
    """A reshape of an operand that is not dense, where the plan counts on a copy."""
    before, shape = concrete(types[0].shape), concrete(op.shape)

    def reshape(x: Array, out: Array | None = None) -> Array:
        if out is None:
            return np.asarray(x).reshape(shape, copy=True)
        np.copyto(out.reshape(before), x)
        return out

    return reshape


def _permute_dims(op: Any, types: Types) -> Kernel:
    del types
    return operator.methodcaller("transpose", op.axes)


def _slice(op: Any, types: Types) -> Kernel:
    del types
    starts, stops = concrete(op.starts), concrete(op.stops)
    key = tuple([slice(*row) for row in zip(starts, stops, op.steps, strict=True)])
    return operator.itemgetter(key)


def _flip(op: Any, types: Types) -> Kernel:
    ndim = types[0].ndim
    key = tuple([slice(None, None, -1 if axis in op.axes else None) for axis in range(ndim)])
    return operator.itemgetter(key)


def _broadcast_to(op: Any, types: Types) -> Kernel:
    """A view with steps of 0 bytes; made by hand where the operand is C-contiguous, which is faster."""
    (x,) = types
    shape, dtype = concrete(op.shape), numpy_dtype(x.dtype)
    before = concrete(x.shape)
    steps: list[int] = []
    step = dtype.itemsize
    for size in reversed(before):
        steps.append(0 if size == 1 else step)
        step *= size
    strides = (*[0] * (len(shape) - len(before)), *reversed(steps))

    def broadcast_to(x: Array) -> Array:
        if not x.flags.c_contiguous:  # NumPy would read a Fortran-contiguous buffer in the wrong order
            return np.broadcast_to(x, shape)
        try:
            return np.ndarray(shape, dtype, x, 0, strides)
        except (TypeError, ValueError):
            return np.broadcast_to(x, shape)

    return broadcast_to


def _concat(op: Any, types: Types) -> Kernel:
    del types
    axis = op.axis

    def concat(*arrays: Array, out: Array | None = None) -> Array:
        return np.concatenate(arrays, axis, out)

    return concat


def padding(op: Any, types: Types) -> Kernel:
    """Zeros around and between the elements, or some cropped away: one strided copy."""
    low, high, gaps = concrete(op.low), concrete(op.high), op.interior
    sizes = concrete(types[0].shape)
    dtype = numpy_dtype(types[0].dtype)
    shape: list[int] = []
    source: list[slice] = []
    target: list[slice] = []
    for size, before, after, gap in zip(sizes, low, high, gaps, strict=True):
        step = gap + 1
        total = max((size - 1) * step + 1, 0) + before + after
        first = max(-(before // step), 0)  # the first element that cropping leaves
        start = first * step + before
        kept = max(min(size - first, (total - start + step - 1) // step), 0)
        shape.append(total)
        source.append(slice(first, first + kept))
        target.append(slice(start, start + (kept - 1) * step + 1 if kept else start, step))
    into, out_of = tuple(target), tuple(source)
    filled = all(part == slice(0, size, 1) for part, size in zip(into, shape, strict=True))

    def pad(x: Array, out: Array | None = None) -> Array:
        if out is None:
            result = np.empty(shape, dtype) if filled else np.zeros(shape, dtype)
        else:
            result = out
            if not filled:
                result.fill(0)
        result[into] = x[out_of]
        return result

    return pad


def itself(x: Array) -> Array:
    """The operand."""
    return x


MOVEMENT: dict[str, Factory] = {
    "reshape": _reshape,
    "permute_dims": _permute_dims,
    "slice": _slice,
    "flip": _flip,
    "broadcast_to": _broadcast_to,
    "stop_gradient": plainly(itself),
    "concat": _concat,
    "pad": padding,
}
