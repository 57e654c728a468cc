"""Work on arrays that share their first axes, some of these at a time, over several threads where there is much."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.ops.arrays import Array
from rax.runtime.arena import BUFFER, SHARED_BYTES
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.fusion import threads

# What a block reads and writes: shorter steps have threads wait for each other, more falls out of the caches.
_BLOCK_BYTES = 1 << 21
# The blocks for each thread, at least, so that all end at about the same time.
_BLOCKS_EACH = 2
# The views and iterators of a thread.
_OBJECTS = 1 << 12

Key = tuple[Any, ...]


class Lead(Record):
    """How the first axes of arrays are cut into blocks.

    Attributes:
        shape: those axes, one at least; none has the size 0.
        rows: how many of them, counted as one axis, make a block, about.
        shared: whether there is work enough for several threads.
        apart: whether they never lie as one.
    """

    shape: tuple[int, ...]
    rows: int
    shared: bool
    apart: bool

    @property
    def workers(self) -> int:
        """How many threads may be at work."""
        return threads() if self.shared else 1

    @property
    def most(self) -> int:
        """The most rows of a block."""
        beside = math.prod(self.shape[self._axis + 1 :])
        cut = min(max(self.rows // beside, 1), max(self.shape)) * beside
        return cut if self.apart else max(self.rows, cut)

    def buffer_bytes(self, type: TensorType) -> int:
        """What NumPy takes in all threads: it copies two operands, a part at a time, that do not lie as one.

        Args:
            type: of what is computed at a time, were it done for all rows.
        """
        each = type.size.__index__() // math.prod(self.shape) * self.most
        return 2 * self.workers * min(BUFFER, each) * type.dtype.itemsize + self.object_bytes

    @property
    def object_bytes(self) -> int:
        """What the views and iterators of several threads take."""
        return self.workers * _OBJECTS if self.shared else 0

    @property
    def _axis(self) -> int:
        """The longest, which is cut where the axes do not lie as one."""
        return self.shape.index(max(self.shape))

    def run(self, arrays: Sequence[Array], start: Callable[[], Callable[..., None]]) -> None:
        """Do all blocks.

        Args:
            arrays: each with these axes first.
            start: makes the work of one thread, which is called with the block of each array: some axes, all
                axes but the first of them those of the arrays.
        """
        count = len(self.shape)
        if all(array.flags.c_contiguous for array in arrays):
            joined = [array.reshape(math.prod(self.shape), *array.shape[count:]) for array in arrays]
            keys: list[Key] = [(part,) for part in _parts(math.prod(self.shape), self.rows)]
        else:
            axis, joined = self._axis, arrays
            parts = _parts(self.shape[axis], max(self.rows // math.prod(self.shape[axis + 1 :]), 1))
            keys = [(*index, part) for index in np.ndindex(*self.shape[:axis]) for part in parts]

        def begin() -> Callable[[Key], None]:
            work = start()
            return lambda key: work(*[array[key] for array in joined])

        if self.shared:
            run_blocks(keys, begin)
            return
        each = begin()
        for key in keys:
            each(key)


def lead(shape: Sequence[int], nbytes: int, row_bytes: int | None = None, *, apart: bool = False) -> Lead:
    """Choose blocks.

    Args:
        shape: the first axes of all arrays; none has the size 0.
        nbytes: how many bytes are read and written.
        row_bytes: how many bytes a thread has to keep for each row; by default those that are read and written.
        apart: whether these axes never lie as one.

    Example:
        >>> lead((32, 64), 1 << 19).rows
        2048
    """
    whole = (*shape,) or (1,)
    count = math.prod(whole)
    each = row_bytes or nbytes // count
    shared = nbytes >= SHARED_BYTES and threads() > 1
    rows = max(_BLOCK_BYTES // max(each, 1), 1)
    return Lead(whole, min(rows, -(-count // (_BLOCKS_EACH * threads() if shared else 1))), shared, apart)


def beside(x: TensorType, axis: int, work: int = 1) -> Lead:
    """The blocks of what is done along one axis, for all places on the others.

    Args:
        x: what is read; of static sizes, none of them 0.
        axis: which.
        work: how many times as long it takes as a sum; blocks may be so much smaller.
    """
    shape = [size.__index__() for place, size in enumerate(x.shape) if place != axis]
    nbytes = 2 * x.nbytes.__index__()
    each = work * nbytes // math.prod(shape)
    return lead(shape, nbytes, each, apart=axis < x.ndim - 1)


def along(blocks: Lead, axis: int, arrays: Sequence[Array], work: Callable[..., None]) -> None:
    """Do what is done along one axis.

    Args:
        blocks: from :func:`beside`.
        axis: which.
        arrays: all of one shape, but for that axis.
        work: called with a block of each array, in which the axis is the last.
    """
    moved = [np.moveaxis(array, axis, -1) for array in arrays]
    blocks.run(moved if moved[0].ndim > 1 else [array[None] for array in moved], lambda: work)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
