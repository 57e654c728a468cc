"""Reductions but the sum: several elements to one, along axes that disappear."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import DType, TensorType, float32, int64
from rax.ops.algebra import add, zeros
from rax.ops.arithmetic import maximum
from rax.ops.arrays import Array, scalar, wide
from rax.ops.broadcasting import Sum, reduced
from rax.ops.comparison import equal, isfinite
from rax.ops.creation import element_count
from rax.ops.cumulative import product_of_others
from rax.ops.elementwise import divide, multiply, subtract
from rax.ops.families import Composite, Nondifferentiable, TypedOp
from rax.ops.samples import FLOATS, INEXACT, NUMERIC, REAL, booleans, distinct, normal, reject, sample, values
from rax.ops.selection import cast, stop_gradient, where
from rax.ops.shape import expand_dims, permute_dims, reshape
from rax.ops.transcendental import exp, log

BAD_AXES = (
    reject(normal(2, 3), axes=(2,), match="axes (2,) do not name axes of [2, 3]"),
    reject(normal(2, 3), axes=(1, 0), match="axes (1, 0) do not name axes of [2, 3] in order"),
)


def reduction_samples(draw: Any) -> tuple[Any, ...]:
    """Operands with one, some, all and no axes to reduce."""
    return (
        sample(draw(2, 3), axes=(0,)),
        sample(draw(2, 3, 2), axes=(0, 2)),
        sample(draw(2, 3), axes=(0, 1)),
        sample(draw(2), axes=()),
        sample(draw(), axes=()),
        sample(draw(0, 3), axes=(1,)),
    )


class Reduction(TypedOp):
    """Along sorted, distinct axes counted from the front."""

    axes: tuple[int, ...]

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        return reduced(self.require(*operands), self.axes)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return type(self)(tuple(axis + 1 for axis in self.axes))(operands[0])


def kept(x: Value, axes: tuple[int, ...]) -> Value:
    """A reduction's result with the reduced axes back, of size 1."""
    return expand_dims(x, axes)


def computing_dtype(dtype: DType) -> DType:
    """The dtype sums are computed in: float32 for the half-precision floats."""
    return float32 if dtype.is_floating and dtype.itemsize == 2 else dtype


@op("prod", since=1)
class Prod(Reduction):
    """The product over some axes; 1 over none. Exact derivatives, zeros or not."""

    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        x = wide(arrays[0])
        return np.prod(x, axis=self.axes, dtype=x.dtype).astype(arrays[0].dtype)

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        x, dx = self._last_axis(primals[0]), self._last_axis(dx)
        last = x.ndim - 1
        return Sum((last,))(multiply(dx, product_of_others(x, last)))

    def _last_axis(self, x: Value) -> Value:
        """The reduced axes joined into one, at the end."""
        others = tuple(axis for axis in range(x.ndim) if axis not in self.axes)
        count = dims.product(x.shape[axis] for axis in self.axes)
        return reshape(permute_dims(x, (*others, *self.axes)), (*[x.shape[axis] for axis in others], count))

    samples = (
        *reduction_samples(normal),
        sample(values(0, 2, 3), axes=(0,)),
        sample(values(0, 2, 0, 0.5), axes=(0,)),
        sample(normal(0, 2), axes=(0,)),
    )
    rejects = (*BAD_AXES, reject(normal(2), axes=(0,), dtype="bool", match="prod is not defined on bool"))


class Extremum(Reduction):
    """The largest or smallest element; ties share the derivative evenly."""

    dtypes = REAL

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        result = reduced(x, self.axes)
        check_not_empty(self.name, x, self.axes)
        return result

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        chosen = equal(primals[0], kept(result, self.axes))
        total = Sum(self.axes)(where(chosen, dx, zeros(dx.type)))
        dtype = computing_dtype(dx.dtype)  # in which ties are counted: float16 ends at 65504
        return cast(divide(cast(total, dtype), Sum(self.axes)(cast(chosen, dtype))), dx.dtype)

    samples = reduction_samples(distinct)
    edges = (
        sample(values(1, float("nan"), 3), axes=(0,), dtypes=FLOATS),
        sample(values(1, float("inf"), float("-inf")), axes=(0,), dtypes=FLOATS),
        sample(values(2, 1, 2, 1), axes=(0,)),
    )
    rejects = (
        *BAD_AXES,
        reject(normal(2, 0), axes=(1,), match="of no elements is not defined"),
        reject(normal(2), axes=(0,), dtype="complex64", match="is not defined on complex64"),
    )


def check_not_empty(name: str, x: TensorType, axes: tuple[int, ...]) -> None:
    """Refuse a reduction over nothing, where that is known, for an operation without identity."""
    if any(x.shape[axis] == 0 for axis in axes):
        raise TypeInferenceError(
            f"{name} of no elements is not defined: axes {axes} of {dims.shape_text(x.shape)} are empty",
            fix="reduce a non-empty axis",
        )


@op("max", since=1)
class Max(Extremum):
    """The largest element along some axes, of one at least; NaN if there is a NaN.

    Ties share the derivative evenly.
    """

    def reference(self, *arrays: Array) -> Array:
        return np.max(wide(arrays[0]), axis=self.axes).astype(arrays[0].dtype)


@op("min", since=1)
class Min(Extremum):
    """The smallest element along some axes, of one at least; NaN if there is a NaN.

    Ties share the derivative evenly.
    """

    def reference(self, *arrays: Array) -> Array:
        return np.min(wide(arrays[0]), axis=self.axes).astype(arrays[0].dtype)


class Quantifier(Reduction, Nondifferentiable):
    """A truth value from truth values."""

    dtypes = ("bool",)
    nondiff = "bools have no derivative"
    samples = (*reduction_samples(booleans), sample(booleans(0, 2), axes=(0,)))
    rejects = (reject(normal(2), axes=(0,), match="is not defined on float32"),)


@op("all", since=1)
class AllTrue(Quantifier):
    """Whether every element along some axes is true; true for none."""

    def reference(self, *arrays: Array) -> Array:
        return np.all(arrays[0], axis=self.axes)


@op("any", since=1)
class AnyTrue(Quantifier):
    """Whether some element along some axes is true; false for none."""

    def reference(self, *arrays: Array) -> Array:
        return np.any(arrays[0], axis=self.axes)


class Position(Nondifferentiable):
    """Where an extremum stands along one axis, as int64: the first of equals; a NaN wins."""

    axis: int

    arity = 1
    dtypes = REAL
    nondiff = "a position is an integer"

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        result = reduced(x, (self.axis,))
        check_not_empty(self.name, x, (self.axis,))
        return result.with_dtype(int64)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return type(self)(self.axis + 1)(operands[0])

    samples = (
        sample(distinct(5), axis=0),
        sample(distinct(2, 3), axis=1),
        sample(normal(2, 3, 2), axis=1),
        sample(values(2, 1, 2, 1), axis=0),
        sample(normal(0, 3), axis=1),
    )
    edges = (
        sample(values(1, float("nan"), 3, float("nan")), axis=0, dtypes=FLOATS),
        sample(values(float("inf"), 1, float("-inf")), axis=0, dtypes=FLOATS),
    )
    rejects = (
        reject(normal(2, 3), axis=2, match="axes (2,) do not name axes of [2, 3]"),
        reject(normal(2, 0), axis=1, match="of no elements is not defined"),
        reject(normal(2), axis=0, dtype="complex64", match="is not defined on complex64"),
    )


@op("argmax", since=1)
class ArgMax(Position):
    """The position of the largest element along one axis, as int64: the first of equals; a NaN wins."""

    def reference(self, *arrays: Array) -> Array:
        return np.asarray(np.argmax(wide(arrays[0]), axis=self.axis), np.int64)


@op("argmin", since=1)
class ArgMin(Position):
    """The position of the smallest element along one axis, as int64: the first of equals; a NaN wins."""

    def reference(self, *arrays: Array) -> Array:
        return np.asarray(np.argmin(wide(arrays[0]), axis=self.axis), np.int64)


class CompositeReduction(Composite):
    """A reduction made of others."""

    axes: tuple[int, ...]

    arity = 1

    def result(self, *operands: TensorType) -> TensorType:
        return reduced(self.require(*operands), self.axes)


def _count(x: Array, axes: tuple[int, ...]) -> int:
    return math.prod(x.shape[axis] for axis in axes)


@op("mean", since=1)
class Mean(CompositeReduction):
    """The mean over some axes; NaN over none. Half types are summed in float32."""

    dtypes = INEXACT

    def reference(self, *arrays: Array) -> Array:
        x = wide(arrays[0])
        total = np.sum(x, axis=self.axes, keepdims=True)
        return np.divide(total, x.dtype.type(_count(x, self.axes))).squeeze(self.axes).astype(arrays[0].dtype)

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        dtype = computing_dtype(x.dtype)
        total = Sum(self.axes)(cast(x, dtype))
        return cast(divide(total, element_count(x, self.axes, dtype)), x.dtype)

    samples = reduction_samples(normal)
    edges = (sample(normal(0, 2), axes=(0,)),)
    rejects = (*BAD_AXES, reject(normal(2), axes=(0,), dtype="int64", match="mean is not defined on int64"))


@op("var", since=1)
class Variance(CompositeReduction):
    """The mean squared distance from the mean over some axes, dividing by ``count - correction``.

    A divisor below 0 counts as 0, so that the result is infinite or NaN.
    """

    correction: float = 0.0

    dtypes = FLOATS

    def reference(self, *arrays: Array) -> Array:
        x = wide(arrays[0])
        count = _count(x, self.axes)
        mean = np.divide(np.sum(x, axis=self.axes, keepdims=True), x.dtype.type(count))
        total = np.sum(np.square(x - mean), axis=self.axes)
        return np.divide(total, x.dtype.type(max(count - self.correction, 0))).astype(arrays[0].dtype)

    def expand(self, *operands: Value) -> Value:
        dtype = computing_dtype(operands[0].dtype)
        x = cast(operands[0], dtype)
        count = element_count(x, self.axes, dtype)
        apart = subtract(x, kept(divide(Sum(self.axes)(x), count), self.axes))
        divisor = subtract(count, scalar(self.correction, dtype))
        total = Sum(self.axes)(multiply(apart, apart))
        return cast(divide(total, maximum(divisor, scalar(0, dtype))), operands[0].dtype)

    samples = (
        sample(normal(2, 3), axes=(0,)),
        sample(normal(2, 3, 2), axes=(0, 2), correction=1.0),
        sample(normal(4), axes=(0,), correction=0.5),
        sample(normal(0, 3), axes=(1,)),
    )
    edges = (sample(normal(1), axes=(0,), correction=1.0), sample(normal(0, 2), axes=(0,)))
    rejects = (*BAD_AXES, reject(normal(2), axes=(0,), dtype="complex64", match="var is not defined on complex64"))


@op("logsumexp", since=1)
class LogSumExp(CompositeReduction):
    """``log(sum(exp(x)))`` over some axes, without overflow.

    Elements of -inf add nothing, and have the derivative 0; where all are -inf, so is the result. Where one
    is +inf, so is the result, and the derivative by that one is NaN.
    """

    dtypes = FLOATS

    def result(self, *operands: TensorType) -> TensorType:
        result = super().result(*operands)
        check_not_empty(self.name, operands[0], self.axes)
        return result

    def reference(self, *arrays: Array) -> Array:
        return np.asarray(np.logaddexp.reduce(wide(arrays[0]), axis=self.axes)).astype(arrays[0].dtype)

    def expand(self, *operands: Value) -> Value:
        x = cast(operands[0], computing_dtype(operands[0].dtype))
        top = stop_gradient(Max(self.axes)(x))
        zero, one = scalar(0, x.dtype), scalar(1, x.dtype)
        # An infinite maximum would give inf - inf; 0 in its place leaves exp exact.
        top = where(isfinite(top), top, zero)
        total = Sum(self.axes)(exp(subtract(x, kept(top, self.axes))))
        nothing = equal(total, zero)
        result = add(log(where(nothing, one, total)), top)
        return cast(where(nothing, scalar(-math.inf, x.dtype), result), operands[0].dtype)

    samples = reduction_samples(normal)
    edges = (
        sample(values(float("-inf"), 1, 2), axes=(0,)),
        sample(values(float("-inf"), float("-inf")), axes=(0,)),
        sample(values(float("inf"), 1), axes=(0,)),
        sample(values(float("nan"), 1), axes=(0,)),
        sample(values(1000, 1000), axes=(0,)),
    )
    rejects = (*BAD_AXES, reject(normal(2, 0), axes=(1,), match="logsumexp of no elements is not defined"))
