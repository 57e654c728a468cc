"""Comparisons and the tests on floating numbers: elementwise, with bool results."""

from __future__ import annotations

import numpy as np

from rax.ir.op import op
from rax.ir.types import DType, bool_
from rax.ops.arrays import Array
from rax.ops.elementwise import BINARY, BINARY_EDGES, BINARY_REJECTS, UNARY, UNARY_EDGES, Pointwise
from rax.ops.families import Nondifferentiable
from rax.ops.samples import ANY, BOOL, FLOAT8, FLOATS, NUMERIC, REAL, normal, reject, sample, values

TIES = sample(values(1, 2, 3, -1), values(1, 3, 2, -1))


class Predicate(Nondifferentiable, Pointwise):
    """A truth value for each element."""

    nondiff = "a truth value jumps, and is constant between jumps"

    def result_dtype(self, dtype: DType) -> DType:
        return bool_


class Order(Predicate):
    """A comparison by size, which complex numbers do not have; False < True."""

    arity = 2
    dtypes = BOOL + REAL
    samples = (*BINARY, TIES)
    edges = BINARY_EDGES
    rejects = (
        *BINARY_REJECTS,
        reject(normal(2), normal(2), match="is not defined on complex64", dtype="complex64"),
    )


@op("equal", since=1)
class Equal(Predicate):
    """``x == y``; NaN equals nothing, and ``-0.0 == 0.0``."""

    arity = 2
    dtypes = ANY

    def reference(self, *arrays: Array) -> Array:
        return np.equal(*arrays)

    samples = (*BINARY, TIES)
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS


@op("not_equal", since=1)
class NotEqual(Predicate):
    """``x != y``; NaN differs from everything."""

    arity = 2
    dtypes = ANY

    def reference(self, *arrays: Array) -> Array:
        return np.not_equal(*arrays)

    samples = (*BINARY, TIES)
    edges = BINARY_EDGES
    rejects = BINARY_REJECTS


@op("less", since=1)
class Less(Order):
    """``x < y``; False beside a NaN."""

    def reference(self, *arrays: Array) -> Array:
        return np.less(*arrays)


@op("less_equal", since=1)
class LessEqual(Order):
    """``x <= y``; False beside a NaN."""

    def reference(self, *arrays: Array) -> Array:
        return np.less_equal(*arrays)


@op("greater", since=1)
class Greater(Order):
    """``x > y``; False beside a NaN."""

    def reference(self, *arrays: Array) -> Array:
        return np.greater(*arrays)


@op("greater_equal", since=1)
class GreaterEqual(Order):
    """``x >= y``; False beside a NaN."""

    def reference(self, *arrays: Array) -> Array:
        return np.greater_equal(*arrays)


@op("isnan", since=1)
class IsNan(Predicate):
    """Whether an element is not a number; for complex numbers, whether either part is not."""

    dtypes = NUMERIC + FLOAT8

    def reference(self, *arrays: Array) -> Array:
        return np.isnan(arrays[0])

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="isnan is not defined on bool", dtype="bool"),)


@op("isinf", since=1)
class IsInf(Predicate):
    """Whether an element is infinite; for complex numbers, whether either part is."""

    dtypes = NUMERIC + FLOAT8

    def reference(self, *arrays: Array) -> Array:
        return np.isinf(arrays[0])

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="isinf is not defined on bool", dtype="bool"),)


@op("isfinite", since=1)
class IsFinite(Predicate):
    """Whether an element is neither infinite nor NaN; for complex numbers, whether both parts are."""

    dtypes = NUMERIC + FLOAT8

    def reference(self, *arrays: Array) -> Array:
        return np.isfinite(arrays[0])

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="isfinite is not defined on bool", dtype="bool"),)


@op("signbit", since=1)
class SignBit(Predicate):
    """Whether the sign bit is set, of ``-0.0`` and of NaNs too."""

    dtypes = FLOATS + FLOAT8

    def reference(self, *arrays: Array) -> Array:
        return np.signbit(arrays[0])

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="signbit is not defined on int32", dtype="int32"),)


equal = Equal()
not_equal = NotEqual()
less = Less()
less_equal = LessEqual()
greater = Greater()
greater_equal = GreaterEqual()
isnan = IsNan()
isinf = IsInf()
isfinite = IsFinite()
signbit = SignBit()
