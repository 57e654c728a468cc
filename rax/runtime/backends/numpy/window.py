"""Kernels of sliding windows: convolution as a matrix product with the windows laid out as columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.ops.shape import Pad
from rax.ops.window import spread
from rax.runtime.backends.numpy.kernel import Kernel, Types, is_half, ordered
from rax.runtime.backends.numpy.movement import itself, padding
from rax.runtime.layout import windows_lie_first

# Columns of about this many bytes are laid out at a time: they should stay in cache, and bound the scratch memory.
_BLOCK_BYTES = 1 << 20
# With fewer windows than this in an image, one product over the whole batch beats one for each image.
_FEW_WINDOWS = 64
# But not where the columns of the batch take more than this.
_MOST_BYTES = 1 << 26


def _windows(
    x: Array, out: tuple[int, ...], window: tuple[int, ...], steps: Any, spacing: Any, *, writeable: bool = False
) -> Array:
    """A view ``(*lead, *window, *out)`` of an array ``(*lead, *spatial)``."""
    lead = x.ndim - len(out)
    within = [step * dilation for step, dilation in zip(x.strides[lead:], spacing, strict=True)]
    between = [step * stride for step, stride in zip(x.strides[lead:], steps, strict=True)]
    strides = (*x.strides[:lead], *within, *between)
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:lead], *window, *out), strides, writeable=writeable)


def make_conv(op: Any, types: Types) -> Kernel | None:
    """The kernel of a convolution."""
    x, weights = types
    if is_half(x.dtype) or 0 in (*x.shape, *weights.shape):
        return None
    (result,) = op.infer(*types)
    shape, spots = concrete(result.shape), concrete(result.shape[2:])
    if 0 in shape:
        return None
    count, groups = shape[0], op.groups.__index__()
    outs, ins, *window = concrete(weights.shape)
    prepare = _padder(op, types)
    rows, columns = ins * math.prod(window), math.prod(spots)
    matrix = (groups, outs // groups, rows)
    dtype = numpy_dtype(x.dtype)
    windowed = (count, groups, ins, *window, *spots)
    pointwise = math.prod(window) == 1 and all(stride == 1 for stride in op.strides)
    block = max(1, _BLOCK_BYTES // (groups * rows * columns * dtype.itemsize))

    def view(x: Array) -> Array:
        windows = _windows(prepare(x), spots, tuple(window), op.strides, op.kernel_dilation)
        return windows.reshape(windowed) if groups == 1 else _split_channels(windows, groups)

    def for_each_image(x: Array, kernel: Array, out: Array | None = None) -> Array:
        left = kernel.reshape(matrix)
        made = np.empty(shape, dtype) if out is None else out
        result = made.reshape(count, groups, outs // groups, columns)
        if pointwise:
            np.matmul(left, prepare(x).reshape(count, groups, rows, columns), result)
            return made
        windows = view(x)
        scratch = np.empty((min(block, count), *windowed[1:]), dtype)
        for start in range(0, count, block):
            part = scratch[: min(block, count - start)]
            np.copyto(part, windows[start : start + block])
            np.matmul(left, part.reshape(-1, groups, rows, columns), out=result[start : start + block])
        return made

    def for_all_images(x: Array, kernel: Array, out: Array | None = None) -> Array:
        windows = view(x)
        order = (1, *range(2, 3 + len(window)), 0, *range(3 + len(window), windows.ndim))
        right = windows.transpose(order).reshape(rows, count * columns)
        joined = np.matmul(kernel.reshape(outs, rows), right).reshape(outs, count, *spots)
        return _dense(np.moveaxis(joined, 0, 1), out)

    if groups == 1 and columns < math.prod(window):
        return _with_large_kernel(op, prepare, (count, outs, ins), tuple(window), spots, dtype)
    small = columns < _FEW_WINDOWS and count * rows * columns * dtype.itemsize <= _MOST_BYTES
    return for_all_images if groups == 1 and small and count > 1 else for_each_image


def _with_large_kernel(
    op: Any,
    prepare: Kernel,
    sizes: tuple[int, int, int],
    window: tuple[int, ...],
    spots: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Kernel:
    """A convolution with few windows of many elements, as the derivative by a kernel is one.

    A row of the columns is laid out as a window lies, along as many channels as fit; their products add up.
    """
    count, outs, ins = sizes
    taps, columns = math.prod(window), math.prod(spots)
    images = min(count, max(1, _BLOCK_BYTES // (columns * taps * dtype.itemsize)))
    channels = min(ins, max(1, _BLOCK_BYTES // (images * columns * taps * dtype.itemsize)))
    axes = len(window)
    order = (0, *range(2 + axes, 2 + 2 * axes), 1, *range(2, 2 + axes))

    def conv(x: Array, kernel: Array, out: Array | None = None) -> Array:
        windows = _windows(prepare(x), spots, window, op.strides, op.kernel_dilation).transpose(order)
        total = np.zeros((outs, count * columns), dtype)
        scratch = np.empty(images * columns * channels * taps, dtype)
        for first in range(0, ins, channels):
            last = min(first + channels, ins)
            left = kernel[:, first:last].reshape(outs, -1)
            for image in range(0, count, images):
                stop = min(image + images, count)
                part = windows[(slice(image, stop), *[slice(None)] * axes, slice(first, last))]
                right = scratch[: part.size].reshape(part.shape)
                np.copyto(right, part)
                product = np.matmul(left, right.reshape(-1, (last - first) * taps).T)
                np.add(total[:, image * columns : stop * columns], product, total[:, image * columns : stop * columns])
        return _dense(total.reshape(outs, count, *spots).swapaxes(0, 1), out)

    return conv


def _dense(array: Array, out: Array | None) -> Array:
    """C-contiguous, in the memory that is given."""
    if out is None:
        return np.ascontiguousarray(array)
    np.copyto(out, array)
    return out


def _split_channels(windows: Array, groups: int) -> Array:
    """``(N, C, …)`` as ``(N, groups, C / groups, …)``, a view whatever the strides."""
    count, channels, *rest = windows.shape
    step = windows.strides[1]
    shape = (count, groups, channels // groups, *rest)
    strides = (windows.strides[0], step * (channels // groups), *windows.strides[1:])
    return np.lib.stride_tricks.as_strided(windows, shape, strides, writeable=False)


def _padder(op: Any, types: Types) -> Kernel:
    """The input of a convolution with zeros between and around its elements."""
    spacing = [dilation - 1 for dilation in op.input_dilation]
    if all(pair == (0, 0) for pair in op.padding) and not any(spacing):
        return itself
    low, high = ((0, 0, *[pair[side] for pair in op.padding]) for side in (0, 1))
    return padding(Pad(low, high, (0, 0, *spacing)), types[:1])


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
    """Every element of the windows added where it came from; all in one sweep where windows do not overlap."""
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

    def fold_windows(x: Array, out: Array | None = None) -> Array:
        total = np.empty(shape, dtype) if out is None else out
        if not full:
            total.fill(0)
        windows = _windows(total, spots, window, op.strides, op.dilation, writeable=True)
        np.add(x.transpose(order), zero, out=windows)  # as a sum from 0 on: -0.0 gives 0.0
        return total

    return fold_windows
