"""``broadcast_to`` and ``sum``: each is the other's transpose."""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType, broadcast_shapes
from rax.ops.algebra import broadcast_to, in_float32
from rax.ops.arrays import Array, concrete, wide
from rax.ops.families import Linear
from rax.ops.samples import NUMERIC, normal, reject, sample
from rax.ops.shape import expand_dims, reshape


@op("broadcast_to", since=1)
class BroadcastTo(Linear):
    """The operand repeated along new leading axes and axes of size 1."""

    shape: Shape

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        if x.ndim > len(self.shape) or broadcast_shapes(x.shape, self.shape) != self.shape:
            raise TypeInferenceError(f"{dims.shape_text(x.shape)} does not broadcast to {dims.shape_text(self.shape)}")
        return x.with_shape(self.shape)

    def reference(self, *arrays: Array) -> Array:
        return np.broadcast_to(arrays[0], concrete(self.shape))

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (sum_to(ct, operands[0].shape),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        (x,) = operands
        missing = len(self.shape) + 1 - x.ndim
        return broadcast_to(expand_dims(x, tuple(range(1, 1 + missing))), (size, *self.shape))

    samples = (
        sample(normal(), shape=(2, 3)),
        sample(normal(3), shape=(2, 3)),
        sample(normal(2, 1, 3), shape=(2, 4, 3)),
        sample(normal(1), shape=(0,)),
    )
    rejects = (
        reject(normal(3), shape=(2,), match="do not broadcast"),
        reject(normal(2, 3), shape=(3,), match="[2, 3] does not broadcast to [3]"),
    )


@op("sum", since=1)
class Sum(Linear):
    """The sum over some axes, which disappear, in the operand's dtype; half types add up in float32."""

    axes: tuple[int, ...]

    arity = 1
    dtypes = NUMERIC

    def result(self, *operands: TensorType) -> TensorType:
        return reduced(self.require(*operands), self.axes)

    def reference(self, *arrays: Array) -> Array:
        x = wide(arrays[0])
        return np.sum(x, axis=self.axes, dtype=x.dtype).astype(arrays[0].dtype)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (broadcast_to(expand_dims(ct, self.axes), operands[0].shape),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return Sum(tuple(axis + 1 for axis in self.axes))(operands[0])

    samples = (
        sample(normal(2, 3), axes=(0,)),
        sample(normal(2, 3, 4), axes=(0, 2)),
        sample(normal(2, 3), axes=(0, 1)),
        sample(normal(), axes=()),
        sample(normal(0, 3), axes=(0,)),
    )
    rejects = (reject(normal(2, 3), axes=(2,), match="axes (2,) do not name axes of [2, 3]"),)


def reduced(x: TensorType, axes: tuple[int, ...]) -> TensorType:
    """The type of a reduction over sorted, distinct axes counted from the front."""
    if list(axes) != sorted(set(axes)) or any(not 0 <= axis < x.ndim for axis in axes):
        raise TypeInferenceError(f"axes {axes} do not name axes of {dims.shape_text(x.shape)} in order")
    return x.with_shape(tuple(size for axis, size in enumerate(x.shape) if axis not in axes))


def sum_to(x: Value, shape: Shape) -> Value:
    """The transpose of broadcasting ``shape`` to ``x.shape``: sum what was repeated."""
    missing = x.ndim - len(shape)
    axes = [
        axis for axis, size in enumerate(x.shape)
        if axis < missing or (shape[axis - missing] == 1 and size != 1)
    ]  # fmt: skip
    return reshape(in_float32(Sum(tuple(axes)), x), shape) if axes else x
