"""The first of many elements in sorted order, found without sorting the rest.

``top_k`` is a slice of the positions that an ``argsort`` gives. :func:`take_leading` makes one step of both,
whose kernel finds the last element that is taken by partition, and sorts only what comes before it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ir.graph import Graph
from rax.ir.node import Value
from rax.ops.arrays import Array, concrete, wide
from rax.ops.families import Composite
from rax.ops.samples import REAL, normal, sample
from rax.ops.shape import Slice, slice_axis
from rax.ops.sorting import ArgSort
from rax.passes.pipeline import Pipeline
from rax.passes.rule import Example, Found, Rewrite, rule
from rax.runtime.backends.numpy.kernel import Kernel, Types

# Of fewer elements, and where more than one in so many is taken, all are sorted as fast.
_FEW = 256
_MANY = 8


class Leading(Composite):
    """The positions, as int64, of the first ``count`` elements along an axis in order; as ``argsort`` orders them.

    It stands in plans alone, never in a file.
    """

    name = "leading"
    axis: int
    descending: bool
    count: int

    arity = 1
    dtypes = REAL

    def expand(self, *operands: Value) -> Value:
        """The slice of the argsort that it stands for."""
        return slice_axis(ArgSort(self.axis, self.descending)(*operands), self.axis, 0, self.count)

    def reference(self, *arrays: Array) -> Array:
        """All sorted."""
        order = ArgSort(self.axis, self.descending).reference(*arrays)
        return np.moveaxis(np.moveaxis(order, self.axis, 0)[: self.count], 0, self.axis)


@rule(
    Slice,
    Example(
        sample(normal(400, 2), dtypes=REAL),
        lambda x: slice_axis(ArgSort(0, descending=True)(x), 0, 0, 3),
        lambda x: Leading(0, descending=True, count=3)(x),
    ),
    Example(
        sample(normal(2, 400), dtypes=REAL),
        lambda x: Slice((1, 2), (2, 5), (1, 1))(ArgSort(1)(x)),
        lambda x: Slice((1, 2), (2, 5), (1, 1))(Leading(1, descending=False, count=5)(x)),
    ),
)
def sorted_so_far(op: Slice, x: Value) -> Found:
    """Part of the positions in order, of which the last are not taken."""
    order = x.node.op
    if not isinstance(order, ArgSort):
        return None
    count, size = op.stops[order.axis], x.shape[order.axis]
    if not isinstance(count, int) or (isinstance(size, int) and not _is_part(count, size)):
        return None
    taken = Leading(order.axis, order.descending, count)(x.node.inputs[0])
    others = zip(op.starts, op.stops, taken.shape, strict=True)
    whole = all(start == 0 and stop == size for start, stop, size in others) and set(op.steps) <= {1}
    return taken if whole else op(taken)


_PASSES = Pipeline((Rewrite("leading", (sorted_so_far,)),))


def take_leading(graph: Graph) -> Graph:
    """The graph with that step wherever few of many positions are taken, in bodies too."""
    return _PASSES.run(graph)


def _is_part(count: int, size: int) -> bool:
    return size >= _FEW and 0 < count * _MANY <= size


def make_leading(op: Any, types: Types) -> Kernel:
    """The kernel of the first positions in order.

    Where the last that is taken is a NaN, all are sorted: nothing is equal to it.
    """
    shape = concrete(types[0].shape)
    axis: int = op.axis
    count: int = op.count
    size = shape[axis]

    def by_sorting(x: Array) -> Array:
        return np.array(op.reference(x), order="C")

    if not _is_part(count, size) or 0 in shape:
        return by_sorting
    others = shape[:axis] + shape[axis + 1 :]
    order = ArgSort(len(others), op.descending).order
    place = size - count if op.descending else count - 1
    due = count * math.prod(others)

    def leading(x: Array) -> Array:
        rows: Array = np.moveaxis(wide(x), axis, -1)
        last: Array = np.partition(rows, place, -1)[..., place : place + 1]
        if np.isnan(last).any():
            return by_sorting(x)
        taken = ~(rows < last) if op.descending else rows <= last
        if np.count_nonzero(taken) != due:  # of those that equal the last, the first are taken
            tied = rows == last
            before = taken & ~tied
            left: Array = count - before.sum(-1, keepdims=True)
            taken = before | (tied & (tied.cumsum(-1) <= left))
        positions: Array = (np.flatnonzero(taken) % size).reshape(*others, count)
        within = order(np.take_along_axis(rows, positions, -1))
        found: Array = np.take_along_axis(positions, within, -1)
        return np.ascontiguousarray(np.moveaxis(found, -1, axis))

    return leading
