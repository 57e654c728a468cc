"""The kernels of matrix products: BLAS through ``np.matmul``."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from rax.ir import dims
from rax.ir.types import DType, TensorType, float32, float64
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.backends.numpy.kernel import Factory, Kernel, Types, is_half

# Elements of a product.
_SMALL = 1 << 14


def _matmul(op: Any, types: Types) -> Kernel | None:
    del op
    x, y = types
    if is_half(x.dtype):
        return None
    if x.shape[-1] == 1 and max(x.ndim, y.ndim) > 2:
        return np.multiply  # of columns by rows, for which matmul has no better way
    if y.ndim > 2:
        return np.matmul
    product = _product(x, y)
    if x.ndim == 2:
        return product
    # One large product is faster than one for each batch row.
    rows = dims.product(x.shape[:-1])
    tall, flat = concrete((rows, x.shape[-1])), concrete((rows, y.shape[-1]))
    result = concrete((*x.shape[:-1], y.shape[-1]))

    def matmul(x: Array, y: Array, out: Array | None = None) -> Array:
        if out is None:
            return product(x.reshape(tall), y).reshape(result)
        product(x.reshape(tall), y, out=out.reshape(flat))
        return out

    return matmul


def _product(x: TensorType, y: TensorType) -> Kernel:
    """Of matrices. BLAS does it either way; ``dot`` begins half a microsecond earlier, but clears the result first."""
    size = dims.product((*x.shape[:-1], y.shape[-1]))
    small = x.dtype.is_inexact and (size <= _SMALL or x.shape[-1] == 1)
    return cast("Kernel", np.ndarray.dot) if small else np.matmul


# Integers up to these are exact in float32 and in float64.
_EXACT32, _EXACT64 = 1 << 24, 1 << 53
# Sums of fewer terms at a time cost more in float32 than all at once in float64.
_LEAST_BLOCK = 128


def _widening_matmul(op: Any, types: Types) -> Kernel | None:
    """In floating numbers, which BLAS multiplies: exact for integers, while their sums are below a bound."""
    if op.dtype.is_floating:
        return _product_in(op.dtype, types)
    x, y = types
    due = numpy_dtype(op.dtype)
    (count,) = concrete(x.shape[-1:])
    largest = _magnitude(x.dtype) * _magnitude(y.dtype)
    block = _EXACT32 // largest
    if _LEAST_BLOCK <= block < count:
        return _in_blocks(block, count, due)
    if count * largest > _EXACT64:
        return None
    product = _product_in(float32 if count <= block else float64, types)
    assert product is not None

    def exactly(x: Array, y: Array) -> Array:
        # By int64, for NumPy does not say what a floating number out of range becomes.
        return cast("Array", product(x, y)).astype(np.int64).astype(due, copy=False)

    return exactly


def _in_blocks(block: int, count: int, dtype: np.dtype[Any]) -> Kernel:
    def in_blocks(x: Array, y: Array) -> Array:
        left, right = x.astype(np.float32), y.astype(np.float32)
        total = np.matmul(left[..., :block], right[..., :block, :]).astype(dtype)
        for start in range(block, count, block):
            total += np.matmul(left[..., start : start + block], right[..., start : start + block, :]).astype(dtype)
        return total

    return in_blocks


def _magnitude(dtype: DType) -> int:
    return 1 << (dtype.itemsize * 8 - (dtype.kind == "int"))


def _product_in(dtype: DType, types: Types) -> Kernel | None:
    kernel = _matmul(None, tuple([type.with_dtype(dtype) for type in types]))
    wide = numpy_dtype(dtype)
    if kernel is None:
        return None

    def product(x: Array, y: Array) -> Array:
        return kernel(x.astype(wide), y.astype(wide))

    return product


CONTRACTION: dict[str, Factory] = {"matmul": _matmul, "widening_matmul": _widening_matmul}
