"""Running sums, products and first-order recurrences along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import TensorType, normalize_axis
from rax.ops.algebra import add, all_batched, broadcast_to
from rax.ops.arrays import Array, scalar, wide
from rax.ops.elementwise import multiply
from rax.ops.families import Linear, TypedOp
from rax.ops.samples import NUMERIC, normal, reject, sample, values
from rax.ops.shape import pad


def _check_axis(axis: int, x: TensorType) -> TensorType:
    if axis < 0:
        raise TypeInferenceError(f"the axis of a running operation counts from the front, not {axis}")
    normalize_axis(axis, x.ndim)
    return x


def _in_order(x: Array, axis: int, reverse: bool) -> Array:
    """A view that has the axis first and runs in the direction asked for."""
    first = np.moveaxis(wide(x), axis, 0)
    return first[::-1] if reverse else first


def _back(x: Array, axis: int, reverse: bool, dtype: np.dtype[Any]) -> Array:
    """Undo :func:`_in_order`."""
    return np.moveaxis(x[::-1] if reverse else x, 0, axis).astype(dtype)


def shift(x: Value, axis: int, *, reverse: bool) -> Value:
    """Each element's predecessor in running order, zero for the first."""
    amounts = [0] * x.ndim
    amounts[axis] = -1 if reverse else 1
    return pad(x, tuple(amounts), tuple(-amount for amount in amounts), (0,) * x.ndim)


def _one_first(x: Value, axis: int, reverse: bool) -> Value:
    """1 at the first position in running order, 0 elsewhere; of size 1 on the other axes."""
    none, rest = [0] * x.ndim, [0] * x.ndim
    wide_rest: list[Size] = list(rest)
    wide_rest[axis] = x.shape[axis] - 1
    low, high = (tuple(wide_rest), tuple(none)) if reverse else (tuple(none), tuple(wide_rest))
    return pad(broadcast_to(scalar(1, x.dtype), (1,) * x.ndim), low, high, (0,) * x.ndim)


@op("cumulative_sum", since=1)
class CumulativeSum(Linear):
    """The running sum along one axis: ``y[i] = x[0] + … + x[i]``, or from the end."""

    axis: int
    reverse: bool = False

    arity = 1
    dtypes = NUMERIC

    def result(self, *operands: TensorType) -> TensorType:
        return _check_axis(self.axis, self.require(*operands))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        ordered = _in_order(x, self.axis, self.reverse)
        return _back(np.cumsum(ordered, axis=0, dtype=ordered.dtype), self.axis, self.reverse, x.dtype)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        return (CumulativeSum(self.axis, not self.reverse)(ct),)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return CumulativeSum(self.axis + 1, self.reverse)(operands[0])

    samples = (
        sample(normal(4), axis=0),
        sample(normal(2, 3), axis=1, reverse=True),
        sample(normal(2, 3, 2), axis=1),
        sample(normal(0, 2), axis=0),
        sample(normal(2, 0), axis=0, reverse=True),
    )
    rejects = (
        reject(normal(2, 3), axis=2, match="axis 2 is out of range for a tensor with 2 axes"),
        reject(normal(2, 3), axis=-1, match="counts from the front, not -1"),
        reject(normal(3), axis=0, dtype="bool", match="cumulative_sum is not defined on bool"),
    )


@op("linear_recurrence", since=1)
class LinearRecurrence(TypedOp):
    """``y[i] = a[i] * y[i-1] + b[i]`` along one axis, from ``y[-1] = 0``; or from the end.

    The derivative of a running product is such a recurrence, and so is the derivative of this
    one: nothing is ever divided, so zeros among ``a`` do no harm.
    """

    axis: int
    reverse: bool = False

    arity = 2
    dtypes = NUMERIC

    def result(self, *operands: TensorType) -> TensorType:
        a, b = operands
        self.require(a, b)
        if a.shape != b.shape:
            raise TypeInferenceError(f"linear_recurrence needs operands of one shape, not {a} and {b}")
        return _check_axis(self.axis, b)

    def reference(self, *arrays: Array) -> Array:
        a, b = (_in_order(x, self.axis, self.reverse) for x in arrays)
        y = np.zeros_like(b)
        for index in range(len(b)):
            y[index] = a[index] * y[index - 1] + b[index] if index else b[0]
        return _back(y, self.axis, self.reverse, arrays[1].dtype)

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """``dy[i] = a[i] * dy[i-1] + (da[i] * y[i-1] + db[i])``: the same recurrence."""
        da, db = tangents
        source = db
        if da is not None:
            source = multiply(da, shift(outputs[0], self.axis, reverse=self.reverse))
            source = source if db is None else add(source, db)
        return (None if source is None else self(primals[0], source),)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        turned = not self.reverse
        following = shift(operands[0], self.axis, reverse=turned)
        return (None, LinearRecurrence(self.axis, turned)(following, ct))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return LinearRecurrence(self.axis + 1, self.reverse)(*all_batched(size, batched, operands))

    samples = (
        sample(normal(4), normal(4), axis=0),
        sample(normal(2, 3), normal(2, 3), axis=1, reverse=True),
        sample(normal(3, 2), normal(3, 2), axis=0),
        sample(values(0, 2, 0, 0, 1.5), normal(5), axis=0),
        sample(normal(0, 2), normal(0, 2), axis=0),
        sample(normal(2, 0), normal(2, 0), axis=0, reverse=True),
    )
    rejects = (
        reject(normal(2), normal(3), axis=0, match="one shape, not float32[2] and float32[3]"),
        reject(normal(2), normal(2), axis=1, match="axis 1 is out of range"),
    )


@op("cumulative_prod", since=1)
class CumulativeProd(TypedOp):
    """The running product along one axis: ``y[i] = x[0] * … * x[i]``, or from the end."""

    axis: int
    reverse: bool = False

    arity = 1
    dtypes = NUMERIC

    def result(self, *operands: TensorType) -> TensorType:
        return _check_axis(self.axis, self.require(*operands))

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        ordered = _in_order(x, self.axis, self.reverse)
        return _back(np.cumprod(ordered, axis=0, dtype=ordered.dtype), self.axis, self.reverse, x.dtype)

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        before = _after_one(result, self.axis, self.reverse)
        return LinearRecurrence(self.axis, self.reverse)(primals[0], multiply(dx, before))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return CumulativeProd(self.axis + 1, self.reverse)(operands[0])

    samples = (
        sample(normal(4), axis=0),
        sample(normal(2, 3), axis=1, reverse=True),
        sample(values(1.5, 0, 2, 0.5), axis=0),
        sample(values(1.5, 0, 2, 0), axis=0, reverse=True),
        sample(normal(0, 2), axis=0),
        sample(normal(2, 0), axis=0),
    )
    rejects = (reject(normal(2, 3), axis=2, match="axis 2 is out of range for a tensor with 2 axes"),)


def _after_one(running: Value, axis: int, reverse: bool) -> Value:
    """A running product shifted by one, with 1 first."""
    moved = shift(running, axis, reverse=reverse)
    return add(moved, broadcast_to(_one_first(running, axis, reverse), running.shape))


def product_of_others(x: Value, axis: int) -> Value:
    """For each element the product of the others along ``axis``, without a division."""
    before, behind = (
        _after_one(CumulativeProd(axis, reverse)(x), axis, reverse) for reverse in (False, True)
    )  # fmt: skip
    return multiply(before, behind)
