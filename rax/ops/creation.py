"""Values from no operand: counting numbers, and the run-time value of a size."""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import op
from rax.ir.types import DType, TensorType, bfloat16, bool_, float32, int32, int64, uint8
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import Array, numpy_dtype, scalar
from rax.ops.families import Nondifferentiable
from rax.ops.samples import REAL, Reject, sample
from rax.ops.selection import cast


@op("iota", since=1)
class Iota(Nondifferentiable):
    """The numbers ``0, 1, …, size - 1`` as a vector."""

    size: Size
    dtype: DType

    arity = 0
    dtypes = REAL
    nondiff = "it has no operand"

    def result(self, *operands: TensorType) -> TensorType:
        if isinstance(self.size, int) and self.size < 0:
            raise TypeInferenceError(f"iota needs a size that is not negative, not {self.size}")
        return self.require(TensorType(self.dtype, (self.size,)))

    def reference(self, *arrays: Array) -> Array:
        return np.arange(self.size.__index__()).astype(numpy_dtype(self.dtype))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return broadcast_to(self(), (size, self.size))

    samples = (
        sample(size=5, dtype=int64, dtypes=("int64",)),
        sample(size=0, dtype=int32, dtypes=("int32",)),
        sample(size=3, dtype=float32, dtypes=("float32",)),
        sample(size=4, dtype=bfloat16, dtypes=("bfloat16",)),
        sample(size=4, dtype=uint8, dtypes=("uint8",)),
    )
    rejects = (
        Reject((), "a size that is not negative, not -1", {"size": -1, "dtype": int64}),
        Reject((), "iota is not defined on bool", {"size": 2, "dtype": bool_}),
    )


def iota(size: Size, dtype: DType = int64) -> Value:
    """``0, 1, …, size - 1`` as a vector."""
    return Iota(size, dtype)()


@op("dim_size", since=1)
class DimSize(Nondifferentiable):
    """The number that a size expression stands for when the graph runs, as an int64 scalar."""

    size: Size

    arity = 0
    dtypes = ("int64",)
    nondiff = "it has no operand"

    def result(self, *operands: TensorType) -> TensorType:
        return TensorType(int64, ())

    def reference(self, *arrays: Array) -> Array:
        return np.asarray(self.size.__index__(), np.int64)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return broadcast_to(self(), (size,))

    samples = (sample(size=7), sample(size=0))


def dim_size(size: Size, dtype: DType = int64) -> Value:
    """A size as a scalar: a constant where it is known, else what it is when the graph runs.

    Example:
        >>> dim_size(dims.dim("2*n + 1"))
        <dim_size[size=2*n + 1]() -> int64[]>
    """
    return scalar(size, dtype) if isinstance(size, int) else cast(DimSize(size)(), dtype)


def element_count(x: Value, axes: tuple[int, ...], dtype: DType) -> Value:
    """The number of elements along some axes, as a scalar."""
    return dim_size(dims.product(x.shape[axis] for axis in axes), dtype)
