"""Rounding, and the neighbourhood and sign of floating numbers."""

from __future__ import annotations

import numpy as np

from rax.ir.node import Value
from rax.ir.op import op
from rax.ops.arrays import Array
from rax.ops.elementwise import BINARY, BINARY_EDGES, BINARY_REJECTS, UNARY, UNARY_EDGES, Elementwise, Pointwise
from rax.ops.families import Nondifferentiable
from rax.ops.samples import FLOATS, NUMERIC, REAL, normal, reject, sample, values

HALVES = sample(values(-2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5, 7), dtypes=FLOATS)


class Rounding(Nondifferentiable, Pointwise):
    """To a whole number; integers stay as they are."""

    nondiff = "rounding jumps, and is constant between jumps"
    dtypes = REAL
    samples = (*UNARY, HALVES)
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="is not defined on bool", dtype="bool"),)


@op("floor", since=1)
class Floor(Rounding):
    """The greatest whole number not above ``x``."""

    def reference(self, *arrays: Array) -> Array:
        return np.floor(arrays[0])


@op("ceil", since=1)
class Ceil(Rounding):
    """The least whole number not below ``x``."""

    def reference(self, *arrays: Array) -> Array:
        return np.ceil(arrays[0])


@op("trunc", since=1)
class Trunc(Rounding):
    """``x`` without its fraction, towards zero."""

    def reference(self, *arrays: Array) -> Array:
        return np.trunc(arrays[0])


@op("round", since=1)
class Round(Rounding):
    """The nearest whole number, halves to the even one; complex numbers part by part."""

    dtypes = NUMERIC

    def reference(self, *arrays: Array) -> Array:
        (x,) = arrays
        return x if x.dtype.kind in "iu" else np.rint(x)


@op("nextafter", since=1)
class NextAfter(Elementwise):
    """The floating number next to ``x`` on the way to ``y``; differentiated as ``x``."""

    arity = 2
    dtypes = FLOATS

    def reference(self, *arrays: Array) -> Array:
        x, y = arrays
        return np.where(x == y, y, np.nextafter(x, y))  # NumPy's float16 keeps x, of the other zero's sign

    def partial(self, operand: int, *values: Value) -> int | None:
        return None if operand else 1

    samples = BINARY
    edges = BINARY_EDGES
    rejects = (*BINARY_REJECTS, reject(normal(2), normal(2), match="is not defined on int32", dtype="int32"))


floor = Floor()
ceil = Ceil()
trunc = Trunc()
round_ = Round()
nextafter = NextAfter()
