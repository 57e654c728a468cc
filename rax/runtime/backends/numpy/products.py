"""Large products of matrices, cut into blocks that the threads share, for plans whose other steps they share too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.backends.numpy.blas import ONE_THREAD
from rax.runtime.backends.numpy.kernel import Kernel, Types, is_half
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.fusion import threads

# Multiplications that one thread does in the time in which another is woken,
_LEAST = 1 << 22
# and those that BLAS leaves to one thread anyway.
_ALONE = 1 << 18

Sizes = tuple[int, ...]
_Part = tuple[Any, Any, Any]


def shared_product(kernel: Kernel, types: Types) -> Kernel:
    """The kernel of a product that the threads share.

    Args:
        kernel: the one that leaves it to BLAS; also for a product that is too small to share.
        types: of the operands.

    Example:
        >>> from rax.ir.types import tensor_type
        >>> both = [tensor_type((512, 512))] * 2
        >>> shared_product(np.matmul, tuple(both))(np.eye(512), np.eye(512)).shape
        (512, 512)
    """
    x, y = [concrete(type.shape) for type in types]
    if len(x) > 2 == len(y):
        x = (math.prod(x[:-1]), x[-1])
    batch = np.broadcast_shapes(x[:-2], y[:-2])
    result = (*batch, x[-2], y[-1])
    work = math.prod(result) * x[-1]
    if threads() == 1 or work <= _ALONE or kernel is np.multiply or is_half(types[0].dtype):
        return kernel
    if work < _LEAST:
        return _alone(kernel)
    parts = _parts(x, y, result)
    shape, dtype = concrete((*types[0].shape[:-1], y[-1])) if len(y) == 2 else result, numpy_dtype(types[0].dtype)

    def product(left: Array, right: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        left, target = left.reshape(x), made.reshape(result)

        def multiply(part: _Part) -> None:
            rows, columns, both = part
            np.matmul(left[rows], right[columns], out=target[both])

        run_blocks(parts, lambda: multiply)
        return made

    return product


def _alone(kernel: Kernel) -> Kernel:
    def product(left: Array, right: Array, **out: Array) -> Any:
        return ONE_THREAD.run(kernel, left, right, **out)

    return product


def _parts(x: Sizes, y: Sizes, result: Sizes) -> list[_Part]:
    """What each block takes of the operands and of the result, along the batch if that is long enough."""
    *batch, rows, columns = result
    count = threads()  # more blocks would be laid out for BLAS more often
    if batch and max(batch) >= count:
        axis = batch.index(max(batch)) - len(result)
        return [(_of(x, axis, cut), _of(y, axis, cut), _of(result, axis, cut)) for cut in _cuts(max(batch), count)]
    if rows >= columns:
        return [(_of(x, -2, cut), ..., _of(result, -2, cut)) for cut in _cuts(rows, count)]
    return [(..., _of(y, -1, cut), _of(result, -1, cut)) for cut in _cuts(columns, count)]


def _cuts(size: int, count: int) -> list[slice]:
    return [slice(size * number // count, size * (number + 1) // count) for number in range(count)]


def _of(shape: Sizes, axis: int, cut: slice) -> Any:
    """The part of an operand; all of one that is repeated along the axis."""
    if len(shape) < -axis or shape[axis] == 1:
        return ...
    return (..., cut, *[slice(None)] * (-axis - 1))
