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

# Fewer elements are chosen faster by np.where: where one operand is a number, and of two arrays.
_FEW = (1024, 4096)
_BITS: dict[int, type[np.signedinteger[Any]]] = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}
# Of wider elements np.where chooses between two arrays as fast: NumPy multiplies their bits one by one.
WIDEST_OF_TWO = 4


def choice(op: Any, types: Types) -> Kernel:
    """The kernel of ``where``; its operands may be blocks of what has the types."""
    del op
    if not chooses_by_bits(types):
        return _plain
    _, x, y = types
    dtype = numpy_dtype(x.dtype)
    bits = _BITS[dtype.itemsize]
    x_number, y_number = x.ndim == 0, y.ndim == 0
    wide = dtype.itemsize > WIDEST_OF_TWO

    def where(condition: Array, x: Array, y: Array, out: Array | None = None, space: Array | None = None) -> Array:
        left = np.asarray(x).view(bits)
        right = np.asarray(y).view(bits)
        target = None if out is None else out.view(bits)
        if y_number and not right:
            chosen = np.multiply(left, condition, target)
        elif x_number and not left:
            chosen = np.multiply(right, _opposite(condition, space), target)
        elif wide:
            return _plain(condition, x, y, out)
        else:
            if target is not None and not y_number and _address(target) == _address(right):
                left, right, condition = right, left, _opposite(condition, space)
            whole = target is not None and np.broadcast(left, right).shape == target.shape
            apart = np.bitwise_xor(left, right, out=target if whole else None)
            whole = whole or (target is None and np.broadcast(apart, condition).shape == apart.shape)
            chosen = np.multiply(apart, condition, out=apart if whole else target)
            np.bitwise_xor(chosen, right, out=chosen)
        return chosen.view(dtype) if out is None else out

    return where


def _opposite(condition: Array, space: Array | None) -> Array:
    """A mask turned round, in memory that may be given."""
    return np.logical_not(condition, np.ndarray(condition.shape, np.bool_, space))


def chooses_by_bits(types: Types) -> bool:
    """Whether a choice between two operands is made by their bits."""
    _, x, y = types
    size = dims.product(broadcast_shapes(*[type.shape for type in types]))
    itemsize, two = numpy_dtype(x.dtype).itemsize, x.ndim > 0 and y.ndim > 0
    few = isinstance(size, int) and size < _FEW[two]
    return itemsize in _BITS and not few and not (two and itemsize > WIDEST_OF_TWO)


def _plain(condition: Array, x: Array, y: Array, out: Array | None = None) -> Array:
    chosen = np.where(condition, x, y)
    if out is None:
        return chosen
    np.copyto(out, chosen)
    return out


def _address(array: Array) -> int:
    return array.__array_interface__["data"][0]
