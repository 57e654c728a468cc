"""The activation function that most networks need alone."""

from __future__ import annotations

import numpy as np

from rax.ir.late import late
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ops.arrays import Array, scalar
from rax.ops.elementwise import UNARY, UNARY_EDGES, Pointwise
from rax.ops.samples import REAL, normal, reject

# For derivatives alone.
_greater = late("rax.ops.comparison", "greater")
_where = late("rax.ops.selection", "where")


@op("relu", since=1)
class Relu(Pointwise):
    """``maximum(x, 0)``; the derivative at 0 is 0."""

    dtypes = REAL

    def reference(self, *arrays: Array) -> Array:
        return np.maximum(arrays[0], np.zeros((), arrays[0].dtype))

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Value:
        (tangent,) = tangents
        assert tangent is not None
        zero = scalar(0, result.dtype)
        # The result serves as well as the operand, which need not be kept for it.
        return _where(_greater(result, zero), tangent, zero)

    samples = UNARY
    edges = UNARY_EDGES
    rejects = (reject(normal(2), match="relu is not defined on bool", dtype="bool"),)


relu = Relu()
