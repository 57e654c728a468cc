"""Memory for what a kernel computes on the way: given by the run, from its arena, or else its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rax.ops.arrays import Array
from rax.runtime.arena import aligned


class Space:
    """Memory that arrays are taken from one after another.

    Args:
        memory: bytes that are given, as many as all the arrays take, each of them aligned; None for fresh arrays.
        begin: where the first one begins.
    """

    def __init__(self, memory: Array | None, begin: int = 0) -> None:
        self._memory = memory
        self._begin = begin

    def array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
        """An array of undefined numbers."""
        if self._memory is None:
            return np.empty(shape, dtype)
        array = np.ndarray(shape, dtype, self._memory, self._begin)
        self._begin += aligned(array.nbytes)
        return array

    def parts(self, count: int, nbytes: int) -> list[Space]:
        """So many of as many bytes, for threads that work side by side; none is to be had afterwards."""
        memory = self._memory
        return [Space(memory, 0 if memory is None else self._begin + part * nbytes) for part in range(count)]
