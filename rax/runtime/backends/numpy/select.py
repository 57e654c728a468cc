"""The choice between two arrays by a mask: by their bits where that is faster.

``np.where`` branches on each element of the mask; where the mask has no pattern the processor mistakes
half of the branches, and that takes ten times the time of all else. Arithmetic on the bits, read as
integers, has no branches and is exact: NaN, its payload, infinities and ``-0.0`` stay as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ir import dims
from rax.ir.types import broadcast_shapes
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.backends.numpy.kernel import Kernel, Types

# Fewer elements are chosen faster by np.where.
_FEW = 4096
_BITS: dict[int, type[np.signedinteger[Any]]] = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}
# Of wider elements np.where chooses between two arrays as fast: NumPy multiplies their bits one by one.
_WIDEST_OF_TWO = 4


def choice(op: Any, types: Types) -> Kernel:
    """The kernel of ``where``; its operands may be blocks of what has the types."""
    del op
    _, x, y = types
    dtype = numpy_dtype(x.dtype)
    size = dims.product(broadcast_shapes(*[type.shape for type in types]))
    bits = _BITS.get(dtype.itemsize)
    if bits is None or (isinstance(size, int) and size < _FEW):
        return np.where
    x_number, y_number = x.ndim == 0, y.ndim == 0
    wide = dtype.itemsize > _WIDEST_OF_TWO
    if wide and not (x_number or y_number):
        return np.where

    def where(condition: Array, x: Array, y: Array) -> Array:
        left = np.asarray(x).view(bits)
        right = np.asarray(y).view(bits)
        if y_number and not right:
            return np.multiply(left, condition).view(dtype)
        if x_number and not left:
            return np.multiply(right, np.logical_not(condition)).view(dtype)
        if wide:
            return np.where(condition, x, y)
        apart = np.bitwise_xor(left, right)
        whole = np.broadcast(apart, condition).shape == apart.shape
        chosen = np.multiply(apart, condition, out=apart if whole else None)
        return np.bitwise_xor(chosen, right, out=chosen).view(dtype)

    return where
