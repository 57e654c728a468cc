"""Work on arrays that share their first axes, some of these at a time, over several threads where there is much."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.ops.arrays import Array
from rax.runtime.arena import BUFFER
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.fusion import threads

# What a block reads and writes: shorter steps have threads wait for each other, more falls out of the caches.
_BLOCK_BYTES = 1 << 21
# Of fewer bytes, all is work for the calling thread.
_LARGE = 1 << 20
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
    """

    shape: tuple[int, ...]
    rows: int
    shared: bool

    @property
    def workers(self) -> int:
        """How many threads may be at work."""
        return threads() if self.shared else 1

    @property
    def most(self) -> int:
        """The most rows of a block."""
        return max(self.rows, math.prod(self.shape[self._axis + 1 :]))

    def buffer_bytes(self, type: TensorType) -> int:
        """What NumPy takes in all threads: it copies two operands, a part at a time, that do not lie as one.

        Args:
            type: of what is computed at a time, were it done for all rows.
        """
        each = type.size.__index__() // math.prod(self.shape) * self.most
        return self.workers * (2 * min(BUFFER, each) * type.dtype.itemsize + _OBJECTS)

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


def lead(shape: Sequence[int], nbytes: int, row_bytes: int | None = None) -> Lead:
    """Choose blocks.

    Args:
        shape: the first axes of all arrays; none has the size 0.
        nbytes: how many bytes are read and written.
        row_bytes: how many bytes a thread has to keep for each row; by default those that are read and written.

    Example:
        >>> lead((32, 64), 1 << 19).rows
        2048
    """
    whole = (*shape,) or (1,)
    count = math.prod(whole)
    shared = nbytes >= _LARGE and threads() > 1
    rows = max(_BLOCK_BYTES // max(row_bytes or nbytes // count, 1), 1)
    return Lead(whole, min(rows, -(-count // (_BLOCKS_EACH * threads() if shared else 1))), shared)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
