"""The family of elementwise operations, and the arithmetic every derivative is made of.

Operands broadcast as in NumPy and share one dtype; the front end promotes and casts.
"""

from __future__ import annotations

import numpy as np

from rax.ir.dims import Size
from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import DType, TensorType, broadcast_shapes
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import Array, scalar
from rax.ops.broadcasting import sum_to
from rax.ops.families import TypedOp
from rax.ops.samples import FLOATS, INEXACT, NUMERIC, normal, positive, reject, sample, values
from rax.ops.shape import reshape


def align(batched: tuple[bool, ...], operands: tuple[Value, ...]) -> tuple[Value, ...]:
    """Give batched operands axes of size 1 after the batch axis, so that the rest broadcasts."""
    rank = max(value.ndim - some for value, some in zip(operands, batched, strict=True))
    return tuple(
        reshape(value, (value.shape[0], *[1] * (rank + 1 - value.ndim), *value.shape[1:])) if some else value
        for value, some in zip(operands, batched, strict=True)
    )


UNARY = (sample(normal(2, 3)), sample(normal()), sample(normal(0, 2)))
BINARY = (
    sample(normal(2, 3), normal(2, 3)),
    sample(normal(2, 3), normal(3)),
    sample(normal(2, 1), normal(3)),
    sample(normal(), normal(2)),
    sample(normal(0, 3), normal(3)),
)
BINARY_REJECTS = (
    reject(normal(2, 3), normal(4), match="do not broadcast: 3 against 4 on axis -1"),
    reject(normal(2), match="takes 2 operands, not 1"),
)
SPECIAL = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1.0, -1.0, 2.5, -3.0, 1e-30)
UNARY_EDGES = (sample(values(*SPECIAL), dtypes=FLOATS),)
BINARY_EDGES = (sample(values(*[x for x in SPECIAL for _ in SPECIAL]), values(*SPECIAL * len(SPECIAL)), dtypes=FLOATS),)


class Pointwise(TypedOp):
    """Each element by itself, operands broadcast; the final class says how to differentiate."""

    arity = 1

    def result_dtype(self, dtype: DType) -> DType:
        """The dtype of the result, given the operands'."""
        return dtype

    def result(self, *operands: TensorType) -> TensorType:
        first = self.require(*operands)
        shape = broadcast_shapes(*[x.shape for x in operands]) if len(operands) > 1 else first.shape
        return TensorType(self.result_dtype(first.dtype), shape)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*align(batched, operands))


class Elementwise(Pointwise):
    """Differentiated by multiplying each tangent with ``partial``, which the final class fills."""

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The sum of each tangent times its partial derivative."""
        del transforms
        (result,) = outputs
        total: Derivative = None
        for index, tangent in enumerate(tangents):
            term = None if tangent is None else self._scaled(tangent, index, (*primals, result))
            if term is not None:
                total = term if total is None else add(total, term)
        return (None if total is None else broadcast_to(total, result.shape),)

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The cotangent times the partial derivative, which is free of the linear operand."""
        del transforms
        (ct,) = cotangents
        assert ct is not None
        parts: list[Derivative] = []
        for index, (some, operand) in enumerate(zip(linear, operands, strict=True)):
            part = self._scaled(ct, index, (*operands, ct)) if some else None
            parts.append(None if part is None else sum_to(part, operand.shape))
        return tuple(parts)

    def _scaled(self, derivative: Value, index: int, values: tuple[Value, ...]) -> Derivative:
        slope = self.partial(index, *values)
        if isinstance(slope, int):
            return derivative if slope == 1 else negative(derivative)
        return None if slope is None else multiply(derivative, slope)


def is_real(x: Value) -> bool:
    """Whether a value's dtype is not complex."""
    return x.dtype.kind != "complex"


@op("add", since=1)
class Add(Elementwise):
    """``x + y``."""

    arity = 2
    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        return np.add(*arrays)

    def partial(self, operand: int, *values: Value) -> int:
        return 1

    samples = BINARY
    edges = BINARY_EDGES
    rejects = (
        *BINARY_REJECTS,
        reject(normal(2), normal(2), normal(2), match="add takes 2 operands, not 3"),
        reject(normal(2), normal(2), match="add is not defined on bool", dtype="bool"),
    )


@op("subtract", since=1)
class Subtract(Elementwise):
    """``x - y``."""

    arity = 2
    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        return np.subtract(*arrays)

    def partial(self, operand: int, *values: Value) -> int:
        return -1 if operand else 1

    samples = BINARY
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS


@op("multiply", since=1)
class Multiply(Elementwise):
    """``x * y``."""

    arity = 2
    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        return np.multiply(*arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        return values[1 - operand]

    samples = BINARY
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS


@op("divide", since=1)
class Divide(Elementwise):
    """``x / y``, on inexact dtypes."""

    arity = 2
    dtypes = INEXACT

    def reference(self, *arrays: Array) -> Array:
        return np.divide(*arrays)

    def partial(self, operand: int, *values: Value) -> Value:
        _, y, result = values
        return negative(divide(result, y)) if operand else reciprocal(y)

    def _scaled(self, derivative: Value, index: int, values: tuple[Value, ...]) -> Derivative:
        if index == 0:
            return super()._scaled(derivative, index, values)
        # By a divisor for many numbers, all but one step then have its size, in the transpose too.
        _, y, result = values
        return multiply(negative(divide(derivative, y)), result)

    samples = (
        *BINARY[:1],
        sample(normal(2, 3), positive(3)),
        sample(positive(2, 1), positive(4)),
        sample(normal(0, 2), positive(2)),
    )
    edges = BINARY_EDGES
    rejects = (
        *BINARY_REJECTS,
        reject(normal(2), normal(2), match="divide is not defined on int32", dtype="int32"),
    )


@op("xdivy", since=1)
class XDivY(Pointwise):
    """``x / y``, and 0 wherever ``x`` is 0, even over 0.

    Linear in ``x``: derivatives use it where a quotient counts only if its numerator is there.
    """

    arity = 2
    dtypes = INEXACT

    def reference(self, *arrays: Array) -> Array:
        x, y = arrays
        return np.where(x == 0, np.zeros((), x.dtype), np.divide(x, y))

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """``dx / y - (x / y) / y * dy``, each quotient by the same rule."""
        del transforms
        (_, y), (dx, dy), (result,) = primals, tangents, outputs
        total = None if dx is None else self(broadcast_to(dx, result.shape), y)
        if dy is not None:
            slope = negative(self(result, y))
            moved = broadcast_to(multiply(slope, dy), result.shape)
            total = moved if total is None else add(total, moved)
        return (total,)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        x, y = operands
        return sum_to(self(ct, y), x.shape), None

    samples = (
        *BINARY[:1],
        sample(normal(2, 3), positive(3)),
        sample(positive(1), positive(2, 4)),
        sample(normal(0, 2), positive(2)),
    )
    edges = BINARY_EDGES
    rejects = (
        *BINARY_REJECTS,
        reject(normal(2), normal(2), match="xdivy is not defined on int32", dtype="int32"),
    )


@op("negative", since=1)
class Negative(Elementwise):
    """``-x``; unsigned integers wrap around."""

    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        return np.negative(arrays[0])

    def partial(self, operand: int, *values: Value) -> int:
        return -1

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="negative is not defined on bool", dtype="bool"),)


subtract = Subtract()
multiply = Multiply()
divide = Divide()
xdivy = XDivY()
negative = Negative()


def reciprocal(x: Value) -> Value:
    """``1 / x``."""
    return divide(scalar(1, x.dtype), x)
