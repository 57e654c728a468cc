"""Kernels of gather and scatter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ir import dims
from rax.ir.types import TensorType
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.backends.numpy.kernel import Kernel, Types, is_half
from rax.runtime.backends.numpy.scratch import Space

# About so many bytes of rows are added at once.
_ROW_BYTES = 1 << 18
_FIRST = np.zeros(1, np.intp)
# Smaller results than this, of bytes, are taken faster than positions are looked at.
_LARGE = 1 << 16


def _counting(shape: tuple[int, ...], batch_dims: int) -> tuple[Array, ...]:
    """An index for each batch axis that counts along it, to broadcast against indices of ``shape``."""
    counts = [np.arange(size) for size in shape[:batch_dims]]
    ranks = range(len(shape) - 1, len(shape) - 1 - batch_dims, -1)
    return tuple([count.reshape(-1, *[1] * rank) for count, rank in zip(counts, ranks, strict=True)])


def _signed(index: Array) -> Array:
    """NumPy takes any integers as indices but uint64."""
    return index.astype(np.int64) if index.dtype == np.uint64 else index


def takes_rows(op: Any, types: Types) -> bool:
    """Whether a gather puts its result where it is told."""
    x, index = types[:2]
    size = index.size * dims.product(x.shape[1:])
    large = isinstance(size, int) and size * x.dtype.itemsize >= _LARGE
    return len(types) == 2 and op.batch_dims == 0 and large


def make_gather(op: Any, types: Types) -> Kernel | None:
    """Elements at positions."""
    shape = concrete(types[1].shape)
    if len(types) == 2 and op.batch_dims == 0:
        return _take_into if takes_rows(op, types) else _take
    if not shape:
        return None  # an index of numbers alone would give a view
    lead = _counting(shape, op.batch_dims)

    def gather(x: Array, *indices: Array) -> Array:
        return x[(*lead, *map(_signed, indices))]

    return gather


def _take(x: Array, index: Array) -> Array:
    return x.take(_signed(index), 0)


def _take_into(x: Array, index: Array, out: Array | None = None) -> Array:
    positions, count = _signed(index), x.shape[0]
    if out is None or (positions.size and not (positions.min() >= -count and positions.max() < count)):
        return x.take(positions, 0)  # which raises the error that is due
    return x.take(positions, 0, out, "wrap")  # NumPy takes rows to another place first where it looks at positions


def scatters(op: Any, types: Types) -> bool:
    """Whether a scatter has a kernel."""
    return types[1].ndim > 0 and not is_half(types[0].dtype) and (op.reduction != "set" or op.unique_indices)


def make_scatter(op: Any, types: Types) -> Kernel | None:
    """Numbers set or added at positions."""
    if not scatters(op, types):
        return None
    index_types = types[1:-1]
    shape = concrete(index_types[0].shape)
    unique = op.unique_indices
    if adds_rows(op, types):
        return _row_adder(types[0], shape)
    lead = _counting(shape, op.batch_dims)
    write = op.reduction == "set"

    def scatter(x: Array, *operands: Array, out: Array | None = None) -> Array:
        *indices, updates = operands
        key = (*lead, *map(_signed, indices))
        total = _copied(x, out)
        if write:
            total[key] = updates
        elif unique:
            total[key] += updates
        else:
            np.add.at(total, key, updates)
        return total

    return scatter


def _copied(x: Array, out: Array | None) -> Array:
    """A copy that may be changed; ``out`` may be the array itself."""
    if out is None:
        return np.array(x, order="C")
    if out is not x:
        np.copyto(out, x)
    return out


def adds_rows(op: Any, types: Types) -> bool:
    """Whether a scatter adds rows at positions that may repeat."""
    several = scatters(op, types) and not op.unique_indices
    return several and len(types) == 3 and op.batch_dims == 0 and types[0].ndim > 1


def rows_at_a_time(x: TensorType, count: int) -> int:
    """How many of so many rows are added at once: those that stay in the cache."""
    row = max(dims.product(x.shape[1:]).__index__() * x.dtype.itemsize, 1)
    return min(count, max(_ROW_BYTES // row, 1))


def _row_adder(type: TensorType, index_shape: tuple[int, ...]) -> Kernel:
    """Rows added at positions that may repeat: sorted by position, then summed run by run."""
    count, shape, dtype = math.prod(index_shape), concrete(type.shape), numpy_dtype(type.dtype)
    most = rows_at_a_time(type, count)

    def add_rows(x: Array, index: Array, updates: Array, out: Array | None = None, space: Array | None = None) -> Array:
        total = _copied(x, out)
        if count == 0 or total.size == 0:
            np.take(total, index, 0)  # an index out of range fails here as anywhere
            return total
        positions = _signed(np.asarray(index)).reshape(-1)
        low, high = int(positions.min()), int(positions.max())
        if low < -shape[0] or high >= shape[0]:
            wrong = low if low < -shape[0] else high
            raise IndexError(f"index {wrong} is out of bounds for axis 0 with size {shape[0]}")
        if low < 0:
            positions = np.where(positions < 0, positions + shape[0], positions)
        order = np.argsort(positions, kind="stable")
        ordered = positions[order]
        given = Space(space)
        rows, sums, before = [given.array((most, *shape[1:]), dtype) for _ in range(3)]
        all_rows = updates.reshape(count, *shape[1:])
        for start in range(0, count, most):
            places = order[start : start + most]
            aims = ordered[start : start + most]
            starts = np.flatnonzero(aims[1:] != aims[:-1])
            starts += 1
            starts = np.concatenate((_FIRST, starts))
            part = all_rows.take(places, 0, rows[: len(places)], "clip")
            aims = aims[starts]
            added = np.add.reduceat(part, starts, 0, None, sums[: len(starts)])
            old = total.take(aims, 0, before[: len(starts)], "clip")
            total[aims] = np.add(old, added, old)
        return total

    return add_rows


def make_iota(op: Any, types: Types) -> Kernel:
    """The whole numbers from 0."""
    del types
    size: int = op.size.__index__()
    dtype = numpy_dtype(op.dtype)

    def iota() -> Array:
        return np.arange(size).astype(dtype)

    return iota
