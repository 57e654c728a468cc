"""Logic on truth values, and on and among the bits of integers."""

from __future__ import annotations

import numpy as np

from rax.ir.op import op
from rax.ops.arrays import Array
from rax.ops.elementwise import BINARY, UNARY, Pointwise
from rax.ops.families import Nondifferentiable
from rax.ops.samples import BOOL, INTEGERS, normal, positive, reject, sample, values


class Logical(Nondifferentiable, Pointwise):
    """Truth values to truth values."""

    nondiff = "truth values have no derivative"
    arity = 2
    dtypes = BOOL
    samples = (*BINARY, sample(values(0, 0, 1, 1), values(0, 1, 0, 1)))
    rejects = (
        reject(normal(2, 3), normal(4), match="do not broadcast: 3 against 4 on axis -1", dtype="bool"),
        reject(normal(2), normal(2), match="is not defined on float32"),
    )


class Bitwise(Nondifferentiable, Pointwise):
    """Bits to bits; a bool is one bit."""

    nondiff = "bits have no derivative"
    arity = 2
    dtypes = BOOL + INTEGERS
    samples = (*BINARY, sample(values(0, 0, 1, 1), values(0, 1, 0, 1)))
    rejects = (reject(normal(2), normal(2), match="is not defined on float32"),)


class Shift(Nondifferentiable, Pointwise):
    """Bits moved; a count outside ``0 .. bits - 1`` moves every bit out."""

    nondiff = "bits have no derivative"
    arity = 2
    dtypes = INTEGERS
    samples = (
        sample(normal(2, 3), positive(2, 3)),
        sample(normal(2, 3), positive()),
        sample(positive(2, 1), positive(3)),
        sample(normal(0), positive()),
    )
    edges = (sample(values(5, -5, 5, -5), values(100, 100, -1, -1), dtypes=("int8", "int32", "int64")),)
    rejects = (
        reject(normal(2, 3), normal(4), match="do not broadcast: 3 against 4 on axis -1", dtype="int32"),
        reject(normal(2), normal(2), match="is not defined on bool", dtype="bool"),
    )


@op("logical_and", since=1)
class LogicalAnd(Logical):
    """``x and y``."""

    def reference(self, *arrays: Array) -> Array:
        return np.logical_and(*arrays)


@op("logical_or", since=1)
class LogicalOr(Logical):
    """``x or y``."""

    def reference(self, *arrays: Array) -> Array:
        return np.logical_or(*arrays)


@op("logical_xor", since=1)
class LogicalXor(Logical):
    """Whether one is true and the other is not."""

    def reference(self, *arrays: Array) -> Array:
        return np.logical_xor(*arrays)


@op("logical_not", since=1)
class LogicalNot(Logical):
    """``not x``."""

    arity = 1

    def reference(self, *arrays: Array) -> Array:
        return np.logical_not(arrays[0])

    samples = UNARY
    rejects = (reject(normal(2), match="logical_not is not defined on float32"),)


@op("bitwise_and", since=1)
class BitwiseAnd(Bitwise):
    """``x & y``."""

    def reference(self, *arrays: Array) -> Array:
        return np.bitwise_and(*arrays)


@op("bitwise_or", since=1)
class BitwiseOr(Bitwise):
    """``x | y``."""

    def reference(self, *arrays: Array) -> Array:
        return np.bitwise_or(*arrays)


@op("bitwise_xor", since=1)
class BitwiseXor(Bitwise):
    """``x ^ y``."""

    def reference(self, *arrays: Array) -> Array:
        return np.bitwise_xor(*arrays)


@op("bitwise_invert", since=1)
class BitwiseInvert(Bitwise):
    """``~x``; of a bool, ``not x``."""

    arity = 1

    def reference(self, *arrays: Array) -> Array:
        return np.invert(arrays[0])

    samples = UNARY
    rejects = (reject(normal(2), match="bitwise_invert is not defined on float32"),)


@op("bitwise_left_shift", since=1)
class BitwiseLeftShift(Shift):
    """``x << y``: zeros come in on the right."""

    def reference(self, *arrays: Array) -> Array:
        return np.left_shift(*arrays)


@op("bitwise_right_shift", since=1)
class BitwiseRightShift(Shift):
    """``x >> y``, arithmetic: the sign bit comes in on the left."""

    def reference(self, *arrays: Array) -> Array:
        return np.right_shift(*arrays)


logical_and = LogicalAnd()
logical_or = LogicalOr()
logical_xor = LogicalXor()
logical_not = LogicalNot()
bitwise_and = BitwiseAnd()
bitwise_or = BitwiseOr()
bitwise_xor = BitwiseXor()
bitwise_invert = BitwiseInvert()
bitwise_left_shift = BitwiseLeftShift()
bitwise_right_shift = BitwiseRightShift()
