"""Kernels of sliding windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.ops.window import spread
from rax.runtime.backends.numpy.kernel import Kernel, Types, ordered
from rax.runtime.layout import windows_lie_first


def _windows(
    x: Array, out: tuple[int, ...], window: tuple[int, ...], steps: Any, spacing: Any, *, writeable: bool = False
) -> Array:
    """A view ``(*lead, *window, *out)`` of an array ``(*lead, *spatial)``."""
    lead = x.ndim - len(out)
    within = [step * dilation for step, dilation in zip(x.strides[lead:], spacing, strict=True)]
    between = [step * stride for step, stride in zip(x.strides[lead:], steps, strict=True)]
    strides = (*x.strides[:lead], *within, *between)
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:lead], *window, *out), strides, writeable=writeable)


def make_sliding_windows(op: Any, types: Types) -> Kernel | None:
    """The kernel of windows over an array."""
    (x,) = types
    (result,) = op.infer(x)
    shape, lead = concrete(result.shape), x.ndim - len(op.window)
    spots, window = shape[lead : lead + len(op.window)], concrete(op.window)
    if 0 in shape or not window or x.dtype.is_float8:  # NumPy makes no strided view of ml_dtypes' float8_e5m2
        return None
    # The view has the axes (lead, window, out); the result (lead, out, window), lying as the plan counts on.
    count = len(window)
    leading, within = range(lead), range(lead, lead + count)
    between = range(lead + count, lead + 2 * count)
    order = (*within, *leading, *between) if windows_lie_first(window) else (*leading, *between, *within)
    due = (*leading, *between, *within)
    back = tuple([order.index(axis) for axis in due])
    apart = tuple([due.index(axis) for axis in (*leading, *within, *between)])
    dtype = numpy_dtype(x.dtype)
    laid = [shape[due.index(axis)] for axis in order]

    def sliding_windows(x: Array, out: Array | None = None) -> Array:
        made = np.empty(laid, dtype).transpose(back) if out is None else out
        np.copyto(made.transpose(apart), _windows(x, spots, window, op.strides, op.dilation))
        return made

    return ordered(sliding_windows, tuple([due.index(axis) for axis in order]))


def make_fold_windows(op: Any, types: Types) -> Kernel | None:
    """Every element of the windows written where it came from, where windows do not overlap.

    In one sweep for each place in the windows, if those are fewer than windows in a row: then inner loops are longer.
    """
    (x,) = types
    (result,) = op.infer(x)
    count = len(op.shape)
    lead = x.ndim - 2 * count
    sizes, shape = concrete(x.shape), concrete(result.shape)
    spots, window = sizes[lead : lead + count], sizes[lead + count :]
    extents = [spread(size, dilation).__index__() for size, dilation in zip(window, op.dilation, strict=True)]
    apart = all(extent <= stride for extent, stride in zip(extents, op.strides, strict=True))
    if 0 in sizes or not count or not apart or x.dtype.is_float8:
        return None
    full = all(size == steps * stride for size, steps, stride in zip(shape[lead:], spots, op.strides, strict=True))
    full = full and window == op.strides
    dtype = numpy_dtype(x.dtype)
    order = (*range(lead), *range(lead + count, lead + 2 * count), *range(lead, lead + count))
    zero = dtype.type(0)
    apiece = math.prod(window) <= spots[-1]
    before = (slice(None),) * lead
    places = [(*before, *offset) for offset in np.ndindex(*window)] if apiece else [before]

    def fold_windows(x: Array, out: Array | None = None) -> Array:
        total = np.empty(shape, dtype) if out is None else out
        if not full:
            total.fill(0)
        windows = _windows(total, spots, window, op.strides, op.dilation, writeable=True)
        elements = x.transpose(order)
        for place in places:
            np.add(elements[place], zero, out=windows[place])  # as a sum from 0 on: -0.0 gives 0.0
        return total

    return fold_windows
