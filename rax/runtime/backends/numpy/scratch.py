"""Memory for intermediate results that a thread keeps from one call to the next, so that it need not ask for pages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from rax.ops.arrays import Array

# More than this is not kept.
_KEPT_BYTES = 1 << 22
_ALIGNMENT = 64


class Scratch(threading.local):
    """Scratch memory of each thread, for one use at a time."""

    def __init__(self) -> None:
        self._space = np.empty(0, np.uint8)

    def array(self, count: int, dtype: Any) -> Array:
        """An array of so many elements; good until the next is asked for."""
        return self.arrays([(count, np.dtype(dtype))])[0]

    def arrays(self, wanted: Sequence[tuple[int, np.dtype[Any]]]) -> list[Array]:
        """Arrays of so many elements, each aligned; good until others are asked for."""
        starts: list[int] = []
        total = 0
        for count, dtype in wanted:
            starts.append(total)
            total += -(-count * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
        space = self._space
        if space.nbytes < total:
            whole = np.empty(total + _ALIGNMENT, np.uint8)
            space = whole[-whole.ctypes.data % _ALIGNMENT :]
            if total <= _KEPT_BYTES:
                self._space = space
        return [
            space[start : start + count * dtype.itemsize].view(dtype)
            for start, (count, dtype) in zip(starts, wanted, strict=True)
        ]


kept = Scratch()
"""For kernels that work block by block, of which a thread runs one at a time."""
