"""Kernels of gather and scatter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir import dims
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.backends.numpy.kernel import Kernel, Types, is_half
from rax.runtime.backends.numpy.scratch import Space

# About so many bytes of rows are added at once.
_ROW_BYTES = 1 << 20
# So many numbers or more need eight bytes each.
_MANY = 1 << 31
_TRUE = np.ones(1, np.bool_)
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
    return types[1].ndim > 0 and (op.reduction == "set" or not is_half(types[0].dtype))


def make_scatter(op: Any, types: Types) -> Kernel | None:
    """Numbers set or added at positions."""
    if not scatters(op, types):
        return None
    if op.unique_indices:
        return _unique(op, types)
    if adds_rows(op, types):
        return _row_adder(op, types)
    find = _finder(op, types)
    count, leading, rest = _split(op, types)
    write = op.reduction == "set"

    def scatter(x: Array, *operands: Array, out: Array | None = None) -> Array:
        *indices, updates = operands
        total = _copied(x, out)
        places = find(indices)
        if not total.size or not count:
            return total
        rows, given = total.reshape(leading, *rest), updates.reshape(count, *rest)
        if write:
            places, given = _lasting(places, given, leading)
            rows[places] = given
        else:
            np.add.at(rows, places, given)
        return total

    return scatter


def _unique(op: Any, types: Types) -> Kernel:
    """Numbers set or added at positions of which no two are the same: NumPy's own indexing does it."""
    lead, write = _counting(concrete(types[1].shape), op.batch_dims), op.reduction == "set"

    def scatter(x: Array, *operands: Array, out: Array | None = None) -> Array:
        *indices, updates = operands
        key = (*lead, *map(_signed, indices))
        total = _copied(x, out)
        if write:
            total[key] = updates
        else:
            total[key] += updates
        return total

    return scatter


def _lasting(places: Array, given: Array, leading: int) -> tuple[Array, Array]:
    """Each of the places once, and what is written there last: NumPy does not promise an order."""
    numbers = np.arange(len(places), dtype=np.int32 if len(places) < _MANY else np.intp)
    winners = np.empty(leading, numbers.dtype)
    winners[places] = -1
    np.maximum.at(winners, places, numbers)
    lasts = np.flatnonzero(winners.take(places) == numbers)
    return (places, given) if len(lasts) == len(places) else (places.take(lasts), given.take(lasts, 0))


def _split(op: Any, types: Types) -> tuple[int, int, tuple[int, ...]]:
    """How many positions there are, how many they are chosen of, and the shape of what stands at each."""
    shape = concrete(types[0].shape)
    edge = op.batch_dims + len(types) - 2
    return math.prod(concrete(types[1].shape)), math.prod(shape[:edge]), shape[edge:]


def _finder(op: Any, types: Types) -> Callable[[Sequence[Array]], Array]:
    """What makes one vector of the indices of a scatter: positions along its first axes, counted as one axis."""
    sizes, shape = concrete(types[0].shape), concrete(types[1].shape)
    counts = _counting(shape, op.batch_dims)

    def find(indices: Sequence[Array]) -> Array:
        places: Array | None = None
        if 0 in shape:
            return np.empty(0, np.intp)
        for axis, index in enumerate((*counts, *indices)):
            given = axis >= len(counts)
            found = _within(np.asarray(index).astype(np.intp, copy=False), axis, sizes[axis]) if given else index
            places = found if places is None else places * sizes[axis] + found
        return np.broadcast_to(np.asarray(places, np.intp), shape).reshape(-1)

    return find


def _within(index: Array, axis: int, size: int) -> Array:
    """Positions along an axis counted from the front."""
    low, high = int(index.min()), int(index.max())
    if low < -size or high >= size:
        wrong = low if low < -size else high
        raise IndexError(f"index {wrong} is out of bounds for axis {axis} with size {size}")
    return index if low >= 0 else np.where(index < 0, index + size, index)


def _copied(x: Array, out: Array | None) -> Array:
    """A copy that may be changed; ``out`` may be the array itself."""
    if out is None:
        return np.array(x, order="C")
    if out is not x:
        np.copyto(out, x)
    return out


def adds_rows(op: Any, types: Types) -> bool:
    """Whether a scatter adds rows at positions that may repeat."""
    several = scatters(op, types) and not op.unique_indices and op.reduction == "add"
    return several and types[0].ndim > op.batch_dims + len(types) - 2


def rows_at_a_time(op: Any, types: Types) -> int:
    """How many of the rows that a scatter adds are added at once: those that stay in the cache."""
    count, _, rest = _split(op, types)
    row = max(math.prod(rest) * types[0].dtype.itemsize, 1)
    return min(count, max(_ROW_BYTES // row, 1))


def _row_adder(op: Any, types: Types) -> Kernel:
    """Rows added at positions that may repeat: sorted by position, and those of one position added up first."""
    count, leading, rest = _split(op, types)
    dtype, most, find = numpy_dtype(types[0].dtype), rows_at_a_time(op, types), _finder(op, types)

    def add_rows(x: Array, *operands: Array, out: Array | None = None, space: Array | None = None) -> Array:
        *indices, updates = operands
        whole = _copied(x, out)
        positions = find(indices)
        if count == 0 or whole.size == 0:
            return whole
        total = whole.reshape(leading, *rest)
        order = np.argsort(positions, kind="stable")
        ordered = positions[order]
        given = Space(space)
        rows, left, right = [given.array((most, *rest), dtype) for _ in range(3)]
        all_rows = updates.reshape(count, *rest)
        for start in range(0, count, most):
            places = order[start : start + most]
            aims = ordered[start : start + most]
            all_rows.take(places, 0, rows[: len(places)], "clip")
            firsts = np.flatnonzero(np.concatenate((_TRUE, aims[1:] != aims[:-1])))
            kept = _added_up(rows, firsts, len(aims), left, right)
            added = rows.take(kept, 0, right[: len(kept)], "clip")
            aims = aims[firsts]
            old = total.take(aims, 0, left[: len(aims)], "clip")
            total[aims] = np.add(old, added, old)
        return whole

    return add_rows


def _added_up(rows: Array, firsts: Array, count: int, left: Array, right: Array) -> Array:
    """Add up runs of rows, two by two until one row of each run is left; which ones these are.

    Args:
        rows: changed in place.
        firsts: where the runs begin.
        count: how many rows there are.
        left: memory for as many rows.
        right: the same.
    """
    kept = np.arange(count)
    place = kept - np.repeat(firsts, np.diff(firsts, append=count))  # within its run
    while True:
        odd = np.flatnonzero(place & 1)
        if not len(odd):
            return kept
        into = kept[odd - 1]
        one = rows.take(into, 0, left[: len(odd)], "clip")
        rows[into] = np.add(one, rows.take(kept[odd], 0, right[: len(odd)], "clip"), one)
        even = np.flatnonzero(~place & 1)
        kept, place = kept[even], place[even] >> 1


def make_iota(op: Any, types: Types) -> Kernel:
    """The whole numbers from 0."""
    del types
    size: int = op.size.__index__()
    dtype = numpy_dtype(op.dtype)

    def iota() -> Array:
        return np.arange(size).astype(dtype)

    return iota
