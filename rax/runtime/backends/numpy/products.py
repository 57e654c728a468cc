"""Large products of matrices, cut into blocks that the threads share, for plans whose other steps they share too."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
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
Multiply = Callable[[Array, Array, Array], None]
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
    result = _result(x, y)
    work = math.prod(result) * x[-1]
    if threads() == 1 or work <= _ALONE or kernel is np.multiply or is_half(types[0].dtype):
        return kernel
    multiply = in_parts(_matmul, x, y)
    shape, dtype = concrete((*types[0].shape[:-1], y[-1])) if len(y) == 2 else result, numpy_dtype(types[0].dtype)

    def product(left: Array, right: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        multiply(left.reshape(x), right, made.reshape(result))
        return made

    return product


def in_parts(multiply: Multiply, x: Sizes, y: Sizes) -> Multiply:
    """What does to matrices as the function does, in blocks that the threads share where there is much to do.

    Args:
        multiply: is given two operands of a product, and what has the shape of the result.
        x: the shape of the first operand.
        y: that of the second.
    """
    result = _result(x, y)
    work = math.prod(result) * x[-1]
    if threads() == 1 or work <= _ALONE:
        return multiply
    if work < _LEAST:
        return functools.partial(ONE_THREAD.run, multiply)
    parts = _parts(x, y, result)

    def product(left: Array, right: Array, target: Array) -> None:
        def do(part: _Part) -> None:
            rows, columns, both = part
            multiply(left[rows], right[columns], target[both])

        run_blocks(parts, lambda: do)

    return product


def _matmul(left: Array, right: Array, target: Array) -> None:
    np.matmul(left, right, out=target)


def _result(x: Sizes, y: Sizes) -> Sizes:
    return (*np.broadcast_shapes(x[:-2], y[:-2]), x[-2], y[-1])


def _parts(x: Sizes, y: Sizes, result: Sizes) -> list[_Part]:
    """What each block takes of the operands and of the result, along the batch if that is long enough."""
    *batch, rows, columns = result
    count = threads()  # more blocks would be laid out for BLAS more often
    if batch and max(batch) >= count:
        axis = batch.index(max(batch)) - len(result)
        return [(_of(x, axis, cut), _of(y, axis, cut), _of(result, axis, cut)) for cut in _cuts(max(batch), count)]
    # The calling thread begins earlier than those it wakes, and is not to wait for them.
    ahead = _LEAST / (math.prod(result) * x[-1])
    if rows >= columns:
        return [(_of(x, -2, cut), ..., _of(result, -2, cut)) for cut in _cuts(rows, count, ahead)]
    return [(..., _of(y, -1, cut), _of(result, -1, cut)) for cut in _cuts(columns, count, ahead)]


def _cuts(size: int, count: int, ahead: float = 0.0) -> list[slice]:
    """Equal parts but for the first, which is larger by so much of the whole."""
    first = size * (1 + (count - 1) * ahead) / count
    edges = [0, *[round(first + (size - first) * number / (count - 1)) for number in range(count)]]
    return [slice(*edge) for edge in itertools.pairwise(edges)]


def _of(shape: Sizes, axis: int, cut: slice) -> Any:
    """The part of an operand; all of one that is repeated along the axis."""
    if len(shape) < -axis or shape[axis] == 1:
        return ...
    return (..., cut, *[slice(None)] * (-axis - 1))
