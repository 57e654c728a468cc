"""Kernels of sliding windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ir.types import TensorType
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.ops.window import spread
from rax.runtime.backends.numpy.kernel import Kernel, Types, is_half, ordered
from rax.runtime.backends.numpy.lead import Lead, lead
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


def window_places(window: tuple[int, ...], op: Any, spots: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """For each place in windows, as many as there are ``spots``, the elements there: of the last axes of an array."""
    found: list[tuple[Any, ...]] = []
    for offset in np.ndindex(*window):
        axes = zip(offset, op.strides, op.dilation, spots, strict=True)
        parts = [slice(at * by, at * by + max(count - 1, 0) * step + 1, step) for at, step, by, count in axes]
        found.append((..., *parts))
    return found


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


def _blocks(op: Any, x: TensorType) -> Lead:
    """How the elements of windows are added up."""
    (result,) = op.infer(x)
    ahead = x.ndim - 2 * len(op.shape)
    return lead(concrete(x.shape)[:ahead], x.nbytes.__index__() + result.nbytes.__index__())


def fold_bytes(op: Any, types: Types) -> int:
    """The bytes that the adding up of windows takes, all of them NumPy's own."""
    (x,) = types
    return 0 if 0 in x.shape else _blocks(op, x).buffer_bytes(x.with_shape(x.shape[: x.ndim - len(op.shape)]))


def make_fold_windows(op: Any, types: Types) -> Kernel | None:
    """The elements of the windows added up: all first ones, then all second ones, and so on.

    Where windows do not overlap, and have more elements than there are windows in a row, it is one sweep: then its
    inner loops are longer.
    """
    (x,) = types
    (result,) = op.infer(x)
    count = len(op.shape)
    ahead = x.ndim - 2 * count
    sizes, shape = concrete(x.shape), concrete(result.shape)
    spots, window = sizes[ahead : ahead + count], sizes[ahead + count :]
    if 0 in sizes or not count or is_half(x.dtype) or x.dtype.is_float8:
        return None
    extents = [spread(size, dilation).__index__() for size, dilation in zip(window, op.dilation, strict=True)]
    apart = all(extent <= stride for extent, stride in zip(extents, op.strides, strict=True))
    full = all(size == steps * stride for size, steps, stride in zip(shape[ahead:], spots, op.strides, strict=True))
    full = full and apart and window == op.strides
    dtype = numpy_dtype(x.dtype)
    zero = dtype.type(0)
    in_order = (*range(ahead), *range(ahead + count, ahead + 2 * count), *range(ahead, ahead + count))
    at_once = apart and math.prod(window) > spots[-1]
    places = [] if at_once else window_places(window, op, spots)
    offsets = list(np.ndindex(*window))
    blocks = _blocks(op, x)

    def add(elements: Array, total: Array) -> None:
        if not full:
            total.fill(0)
        for place, offset in zip(places, offsets, strict=True):
            target = total[place]
            np.add(elements[(..., *offset)], zero if apart else target, out=target)  # from 0 on: -0.0 gives 0.0

    def fold_windows(x: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        blocks.run([x, made] if ahead else [x[None], made[None]], lambda: add)
        return made

    def fold_at_once(x: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        if not full:
            made.fill(0)
        target = _windows(made, spots, window, op.strides, op.dilation, writeable=True)
        np.add(x.transpose(in_order), zero, out=target)
        return made

    return fold_at_once if at_once else fold_windows
