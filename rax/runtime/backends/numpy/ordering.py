"""Kernels of sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ops.arrays import Array
from rax.runtime.backends.numpy.kernel import Kernel, Types, reference_kernel


def make_sort(op: Any, types: Types) -> Kernel | None:
    """NumPy's own sort, which is not stable: of equal elements only zeros of both signs show it."""
    dtype, axis = types[0].dtype, op.axis
    if dtype.is_floating and dtype.itemsize < 4:
        return None
    stable = reference_kernel(op, types)
    signed = dtype.is_floating

    def sort(x: Array) -> Array:
        if signed and bool(np.any(np.signbit(x) & (x == 0))):
            return stable(x)
        result = np.sort(x, axis)
        return np.ascontiguousarray(np.flip(result, axis)) if op.descending else result

    return sort
