"""Operations that choose or convert elements: where, cast, stop_gradient."""

from __future__ import annotations

import numpy as np

from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import (
    DType,
    TensorType,
    bfloat16,
    bool_,
    broadcast_shapes,
    complex128,
    float32,
    float64,
    int8,
    int64,
    uint8,
)
from rax.ops.algebra import zeros
from rax.ops.arrays import Array, numpy_dtype, scalar
from rax.ops.broadcasting import sum_to
from rax.ops.complex_parts import real
from rax.ops.elementwise import UNARY, UNARY_EDGES, Pointwise
from rax.ops.families import Linear, Nondifferentiable
from rax.ops.samples import (
    BOOL,
    FLOATS,
    INTEGERS,
    REAL,
    Reject,
    booleans,
    normal,
    reject,
    sample,
    values,
)


@op("where", since=1)
class Where(Pointwise):
    """``x`` where ``condition`` is true, else ``y``.

    Linear in ``x`` and ``y``. The derivative selects too, and never multiplies: an infinite or
    NaN slope of the branch not taken stays out of the *forward* derivative. A reverse
    derivative still multiplies the zero that branch receives by its slope, so keep the branch
    finite, as in ``where(x > 0, log(where(x > 0, x, 1)), 0)``.
    """

    arity = 3

    def result(self, *operands: TensorType) -> TensorType:
        condition, x, y = operands
        if condition.dtype is not bool_:
            raise TypeInferenceError(
                f"where needs a bool condition, not {condition.dtype}", fix="compare with something, as in x != 0"
            )
        self.require(x, y)
        return x.with_shape(broadcast_shapes(condition.shape, x.shape, y.shape))

    def reference(self, *arrays: Array) -> Array:
        return np.where(*arrays)

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The tangent of the chosen branch."""
        del transforms, outputs
        if tangents[1] is None and tangents[2] is None:
            return (None,)
        pairs = zip(primals[1:], tangents[1:], strict=True)
        return (self(primals[0], *[zeros(x.type) if tangent is None else tangent for x, tangent in pairs]),)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        condition, x, y = operands
        nothing = scalar(0, ct.dtype)
        return (
            None,
            sum_to(where(condition, ct, nothing), x.shape) if linear[1] else None,
            sum_to(where(condition, nothing, ct), y.shape) if linear[2] else None,
        )

    samples = (
        sample(booleans(2, 3), normal(2, 3), normal(2, 3)),
        sample(booleans(3), normal(2, 3), normal()),
        sample(booleans(2, 1), normal(3), normal(2, 1)),
        sample(booleans(), normal(2), normal(2)),
        sample(booleans(2, 3), normal(), normal()),
        sample(booleans(0, 3), normal(3), normal(1)),
    )
    edges = (
        sample(
            values(1, 0, 1, 0, dtype="bool"),
            values(float("nan"), float("nan"), -0.0, 1),
            values(1, -0.0, float("inf"), float("-inf")),
            dtypes=FLOATS,
        ),
    )
    rejects = (
        reject(normal(2), normal(2), normal(2), match="where needs a bool condition, not float32"),
        reject(booleans(2), normal(2), normal(3), match="do not broadcast: 2 against 3 on axis -1"),
        reject(booleans(2), normal(2), match="where takes 3 operands, not 2"),
    )


@op("cast", since=1)
class Cast(Linear, Pointwise):
    """The elements converted to another dtype.

    A number is true as bool unless it is 0; true is 1. A floating number loses its fraction as
    an integer; NaN, infinities and numbers out of range become integers the platform chooses.
    Integers wrap around. Complex numbers convert to complex and bool only. A number between two
    of a floating dtype becomes the nearer, of two as near the even one; one beyond the largest
    becomes infinite, in ``float8_e4m3fn``, which has no infinities, NaN. To ``bfloat16`` and the
    dtypes of float8 wider numbers go by way of float32. There is a derivative between floating
    and complex dtypes, none to or from integers and bools: the tangent is converted likewise,
    and in a narrow dtype rounds and overflows as the number itself would.
    """

    dtype: DType

    def result(self, *operands: TensorType) -> TensorType:
        (x,) = operands
        if x.dtype.kind == "complex" and self.dtype.kind not in ("complex", "bool"):
            raise TypeInferenceError(
                f"cannot cast {x.dtype} to {self.dtype}", fix="take the real part, or the absolute value, first"
            )
        return x.with_dtype(self.dtype)

    def reference(self, *arrays: Array) -> Array:
        return arrays[0].astype(numpy_dtype(self.dtype))

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The tangent converted; none where the result is no floating number."""
        if not self.dtype.is_inexact:
            return (None,)
        return super().push_forward(transforms, primals, tangents, outputs)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        (x,) = operands
        into_complex = ct.dtype.kind == "complex" and x.dtype.kind != "complex"
        return (cast(real(ct) if into_complex else ct, x.dtype),)

    samples = (
        sample(normal(2, 3), dtypes=BOOL + REAL, dtype=float32),
        sample(normal(2, 3), dtypes=BOOL + REAL, dtype=float64),
        sample(normal(2, 3), dtypes=BOOL + REAL, dtype=bfloat16),
        sample(normal(2, 3), dtype=complex128),
        sample(normal(2, 3), dtype=bool_),
        sample(normal(2, 3), dtypes=BOOL + REAL, dtype=int64),
        sample(normal(2, 3), dtypes=BOOL + INTEGERS, dtype=uint8),
        sample(normal(2, 3), dtypes=BOOL + INTEGERS, dtype=int8),
        sample(normal(), dtypes=REAL, dtype=float32),
        sample(normal(0, 2), dtypes=REAL, dtype=float32),
    )
    edges = (sample(values(float("nan"), float("inf"), -0.0, 1e-30), dtypes=FLOATS, dtype=float32),)
    rejects = (Reject((normal(2),), "cannot cast complex64 to float32", {"dtype": float32}, "complex64"),)


@op("stop_gradient", since=1)
class StopGradient(Nondifferentiable, Pointwise):
    """The operand itself, taken as constant by every derivative."""

    nondiff = "stopping the derivative is what it is for"

    def reference(self, *arrays: Array) -> Array:
        return arrays[0]

    samples = UNARY
    edges = UNARY_EDGES


where = Where()
stop_gradient = StopGradient()


def cast(x: Value, dtype: DType) -> Value:
    """``x`` in another dtype; itself if it has that dtype."""
    return x if x.dtype is dtype else Cast(dtype)(x)
