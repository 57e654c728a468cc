"""The kernel of matrix products: BLAS through ``np.matmul``."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ir import dims
from rax.ops.arrays import Array, concrete
from rax.runtime.backends.numpy.kernel import Factory, Kernel, Types, is_half


def _matmul(op: Any, types: Types) -> Kernel | None:
    del op
    x, y = types
    if is_half(x.dtype):
        return None
    if y.ndim > 2 or x.ndim == 2:
        return np.matmul
    # One large product is faster than one for each batch row.
    rows = dims.product(x.shape[:-1])
    tall, result = concrete((rows, x.shape[-1])), concrete((*x.shape[:-1], y.shape[-1]))

    def matmul(x: Array, y: Array) -> Array:
        return np.matmul(x.reshape(tall), y).reshape(result)

    return matmul


CONTRACTION: dict[str, Factory] = {"matmul": _matmul}
