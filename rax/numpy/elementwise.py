"""Each element by itself; operands are promoted to one dtype, and their shapes broadcast.

Where a function is defined on floating-point numbers only, integers and bools become float32.
"""

from __future__ import annotations

from rax.frontend import application
from rax.frontend.application import apply_elementwise
from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir.node import Value
from rax.ir.types import bool_
from rax.ops import (
    arithmetic,
    comparison,
    complex_parts,
    elementwise,
    logical,
    rounding,
    transcendental,
    trigonometric,
)
from rax.ops.algebra import zeros
from rax.ops.selection import cast


def abs(x: TensorLike, /) -> Tensor:
    """The absolute value; real for a complex tensor.

    Example:
        >>> abs(-1.5)
        Tensor(1.5, dtype=float32)
    """
    return Tensor(apply_elementwise(arithmetic.abs_, x))


def acos(x: TensorLike, /) -> Tensor:
    """The inverse cosine, in [0, pi].

    Example:
        >>> acos(1.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.acos, x))


def acosh(x: TensorLike, /) -> Tensor:
    """The inverse hyperbolic cosine.

    Example:
        >>> acosh(1.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.acosh, x))


def add(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 + x2``.

    Example:
        >>> add(1, 10)
        Tensor(11, dtype=int64)
    """
    return Tensor(apply_elementwise(application.add, x1, x2))


def asin(x: TensorLike, /) -> Tensor:
    """The inverse sine, in [-pi/2, pi/2].

    Example:
        >>> asin(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.asin, x))


def asinh(x: TensorLike, /) -> Tensor:
    """The inverse hyperbolic sine.

    Example:
        >>> asinh(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.asinh, x))


def atan(x: TensorLike, /) -> Tensor:
    """The inverse tangent, in [-pi/2, pi/2].

    Example:
        >>> atan(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.atan, x))


def atan2(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The angle of the point (x2, x1), in [-pi, pi].

    Example:
        >>> atan2(0.0, 1.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.atan2, x1, x2))


def atanh(x: TensorLike, /) -> Tensor:
    """The inverse hyperbolic tangent.

    Example:
        >>> atanh(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.atanh, x))


def bitwise_and(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The bits set in both; and, for bools.

    Example:
        >>> bitwise_and(5, 4)
        Tensor(4, dtype=int64)
    """
    return Tensor(apply_elementwise(logical.bitwise_and, x1, x2))


def bitwise_invert(x: TensorLike, /) -> Tensor:
    """Every bit turned over; not, for bools.

    Example:
        >>> bitwise_invert(5)
        Tensor(-6, dtype=int64)
    """
    return Tensor(apply_elementwise(logical.bitwise_invert, x))


def bitwise_left_shift(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1`` with bits moved up by ``x2`` places.

    Example:
        >>> bitwise_left_shift(3, 2)
        Tensor(12, dtype=int64)
    """
    return Tensor(apply_elementwise(logical.bitwise_left_shift, x1, x2))


def bitwise_or(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The bits set in either; or, for bools.

    Example:
        >>> bitwise_or(5, 3)
        Tensor(7, dtype=int64)
    """
    return Tensor(apply_elementwise(logical.bitwise_or, x1, x2))


def bitwise_right_shift(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1`` with bits moved down by ``x2`` places, the sign kept.

    Example:
        >>> bitwise_right_shift(-3, 1)
        Tensor(-2, dtype=int64)
    """
    return Tensor(apply_elementwise(logical.bitwise_right_shift, x1, x2))


def bitwise_xor(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The bits set in one of both.

    Example:
        >>> bitwise_xor(5, 3)
        Tensor(6, dtype=int64)
    """
    return Tensor(apply_elementwise(logical.bitwise_xor, x1, x2))


def ceil(x: TensorLike, /) -> Tensor:
    """The smallest whole number not below ``x``.

    Example:
        >>> ceil(-1.2)
        Tensor(-1., dtype=float32)
    """
    return Tensor(apply_elementwise(rounding.ceil, x))


def clip(x: TensorLike, /, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """``x`` kept between two bounds: ``minimum(maximum(x, min), max)``.

    Args:
        x: numbers.
        min: the lower bound, of a shape that broadcasts; None for none.
        max: the upper bound; None for none.

    Example:
        >>> clip(3.0, 0, 1)
        Tensor(1., dtype=float32)
    """
    if min is not None and max is not None:
        return Tensor(apply_elementwise(arithmetic.clip, x, min, max))
    if min is not None:
        return Tensor(apply_elementwise(arithmetic.maximum, x, min))
    return positive(x) if max is None else Tensor(apply_elementwise(arithmetic.minimum, x, max))


def conj(x: TensorLike, /) -> Tensor:
    """The complex conjugate; a real tensor itself.

    Example:
        >>> conj(1 + 2j)
        Tensor(1.-2.j, dtype=complex64)
    """
    value = as_value(x)
    return Tensor(complex_parts.conj(value) if value.dtype.kind == "complex" else value)


def copysign(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The magnitude of ``x1`` with the sign of ``x2``.

    Example:
        >>> copysign(2.0, -0.0)
        Tensor(-2., dtype=float32)
    """
    return Tensor(apply_elementwise(arithmetic.copysign, x1, x2))


def cos(x: TensorLike, /) -> Tensor:
    """The cosine.

    Example:
        >>> cos(0.0)
        Tensor(1., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.cos, x))


def cosh(x: TensorLike, /) -> Tensor:
    """The hyperbolic cosine.

    Example:
        >>> cosh(0.0)
        Tensor(1., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.cosh, x))


def divide(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 / x2``; integers divide as float32.

    Example:
        >>> divide(3, 4)
        Tensor(0.75, dtype=float32)
    """
    return Tensor(apply_elementwise(elementwise.divide, x1, x2))


def equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether ``x1 == x2``.

    Example:
        >>> equal(1, 2)
        Tensor(False, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.equal, x1, x2))


def exp(x: TensorLike, /) -> Tensor:
    """``e**x``.

    Example:
        >>> exp(0.0)
        Tensor(1., dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.exp, x))


def expm1(x: TensorLike, /) -> Tensor:
    """``e**x - 1``, precise near 0.

    Example:
        >>> expm1(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.expm1, x))


def floor(x: TensorLike, /) -> Tensor:
    """The largest whole number not above ``x``.

    Example:
        >>> floor(-1.2)
        Tensor(-2., dtype=float32)
    """
    return Tensor(apply_elementwise(rounding.floor, x))


def floor_divide(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 / x2`` rounded down.

    Example:
        >>> floor_divide(-7, 2)
        Tensor(-4, dtype=int64)
    """
    return Tensor(apply_elementwise(arithmetic.floor_divide, x1, x2))


def greater(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether ``x1 > x2``.

    Example:
        >>> greater(1, 2)
        Tensor(False, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.greater, x1, x2))


def greater_equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether ``x1 >= x2``.

    Example:
        >>> greater_equal(1, 2)
        Tensor(False, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.greater_equal, x1, x2))


def hypot(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``sqrt(x1**2 + x2**2)``, without overflow.

    Example:
        >>> hypot(3.0, 4.0)
        Tensor(5., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.hypot, x1, x2))


def imag(x: TensorLike, /) -> Tensor:
    """The imaginary part; zeros for a real tensor.

    Example:
        >>> imag(1 + 2j)
        Tensor(2., dtype=float32)
    """
    value = as_value(x)
    return Tensor(complex_parts.imag(value) if value.dtype.kind == "complex" else zeros(value.type))


def isfinite(x: TensorLike, /) -> Tensor:
    """Whether a number is neither infinite nor NaN.

    Example:
        >>> isfinite(float("inf"))
        Tensor(False, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.isfinite, x))


def isinf(x: TensorLike, /) -> Tensor:
    """Whether a number is infinite.

    Example:
        >>> isinf(float("inf"))
        Tensor(True, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.isinf, x))


def isnan(x: TensorLike, /) -> Tensor:
    """Whether a number is NaN.

    Example:
        >>> isnan(float("nan"))
        Tensor(True, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.isnan, x))


def less(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether ``x1 < x2``.

    Example:
        >>> less(1, 2)
        Tensor(True, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.less, x1, x2))


def less_equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether ``x1 <= x2``.

    Example:
        >>> less_equal(1, 2)
        Tensor(True, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.less_equal, x1, x2))


def log(x: TensorLike, /) -> Tensor:
    """The natural logarithm.

    Example:
        >>> log(1.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.log, x))


def log10(x: TensorLike, /) -> Tensor:
    """The logarithm to base 10.

    Example:
        >>> log10(1.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.log10, x))


def log1p(x: TensorLike, /) -> Tensor:
    """``log(1 + x)``, precise near 0.

    Example:
        >>> log1p(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.log1p, x))


def log2(x: TensorLike, /) -> Tensor:
    """The logarithm to base 2.

    Example:
        >>> log2(8.0)
        Tensor(3., dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.log2, x))


def logaddexp(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``log(exp(x1) + exp(x2))``, without overflow.

    Example:
        >>> logaddexp(1000.0, 1000.0)
        Tensor(1000.6932, dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.logaddexp, x1, x2))


def logical_and(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether both are true; a number is true unless it is 0.

    Example:
        >>> logical_and(True, False)
        Tensor(False, dtype=bool)
    """
    return Tensor(logical.logical_and(_truth(x1), _truth(x2)))


def logical_not(x: TensorLike, /) -> Tensor:
    """Whether ``x`` is false; a number is true unless it is 0.

    Example:
        >>> logical_not(True)
        Tensor(False, dtype=bool)
    """
    return Tensor(logical.logical_not(_truth(x)))


def _truth(x: TensorLike) -> Value:
    return cast(as_value(x), bool_)


def logical_or(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether either is true; a number is true unless it is 0.

    Example:
        >>> logical_or(True, False)
        Tensor(True, dtype=bool)
    """
    return Tensor(logical.logical_or(_truth(x1), _truth(x2)))


def logical_xor(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether one of both is true; a number is true unless it is 0.

    Example:
        >>> logical_xor(True, False)
        Tensor(True, dtype=bool)
    """
    return Tensor(logical.logical_xor(_truth(x1), _truth(x2)))


def maximum(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The larger of two; NaN if either is.

    Example:
        >>> maximum(1, 2)
        Tensor(2, dtype=int64)
    """
    return Tensor(apply_elementwise(arithmetic.maximum, x1, x2))


def minimum(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The smaller of two; NaN if either is.

    Example:
        >>> minimum(1, 2)
        Tensor(1, dtype=int64)
    """
    return Tensor(apply_elementwise(arithmetic.minimum, x1, x2))


def multiply(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 * x2``.

    Example:
        >>> multiply(2, 10)
        Tensor(20, dtype=int64)
    """
    return Tensor(apply_elementwise(elementwise.multiply, x1, x2))


def negative(x: TensorLike, /) -> Tensor:
    """``-x``.

    Example:
        >>> negative(1.0)
        Tensor(-1., dtype=float32)
    """
    return Tensor(apply_elementwise(elementwise.negative, x))


def nextafter(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The next floating-point number from ``x1`` towards ``x2``.

    Example:
        >>> nextafter(1.0, 2.0)
        Tensor(1.0000001, dtype=float32)
    """
    return Tensor(apply_elementwise(rounding.nextafter, x1, x2))


def not_equal(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Whether ``x1 != x2``.

    Example:
        >>> not_equal(1, 2)
        Tensor(True, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.not_equal, x1, x2))


def positive(x: TensorLike, /) -> Tensor:
    """``x`` itself.

    Example:
        >>> positive(-1.0)
        Tensor(-1., dtype=float32)
    """
    return Tensor(as_value(x))


def pow(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 ** x2``.

    Example:
        >>> pow(2.0, 3.0)
        Tensor(8., dtype=float32)
    """
    return Tensor(application.power(x1, x2))


def real(x: TensorLike, /) -> Tensor:
    """The real part; a real tensor itself.

    Example:
        >>> real(1 + 2j)
        Tensor(1., dtype=float32)
    """
    value = as_value(x)
    return Tensor(complex_parts.real(value) if value.dtype.kind == "complex" else value)


def reciprocal(x: TensorLike, /) -> Tensor:
    """``1 / x``.

    Example:
        >>> reciprocal(4.0)
        Tensor(0.25, dtype=float32)
    """
    return Tensor(apply_elementwise(elementwise.divide, 1, x))


def remainder(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """What floor division leaves, with the sign of ``x2``.

    Example:
        >>> remainder(-7, 3)
        Tensor(2, dtype=int64)
    """
    return Tensor(apply_elementwise(arithmetic.remainder, x1, x2))


def round(x: TensorLike, /) -> Tensor:
    """The nearest whole number; the even one of two equally near.

    Example:
        >>> round(2.5)
        Tensor(2., dtype=float32)
    """
    return Tensor(apply_elementwise(rounding.round_, x))


def sign(x: TensorLike, /) -> Tensor:
    """-1, 0 or 1; for a complex number ``x / abs(x)``.

    Example:
        >>> sign(-2.0)
        Tensor(-1., dtype=float32)
    """
    return Tensor(apply_elementwise(arithmetic.sign, x))


def signbit(x: TensorLike, /) -> Tensor:
    """Whether the sign bit is set, as it is for -0.0.

    Example:
        >>> signbit(-0.0)
        Tensor(True, dtype=bool)
    """
    return Tensor(apply_elementwise(comparison.signbit, x))


def sin(x: TensorLike, /) -> Tensor:
    """The sine.

    Example:
        >>> sin(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.sin, x))


def sinh(x: TensorLike, /) -> Tensor:
    """The hyperbolic sine.

    Example:
        >>> sinh(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.sinh, x))


def sqrt(x: TensorLike, /) -> Tensor:
    """The square root.

    Example:
        >>> sqrt(9.0)
        Tensor(3., dtype=float32)
    """
    return Tensor(apply_elementwise(arithmetic.sqrt, x))


def square(x: TensorLike, /) -> Tensor:
    """``x * x``.

    Example:
        >>> square(-3.0)
        Tensor(9., dtype=float32)
    """
    return Tensor(apply_elementwise(arithmetic.square, x))


def subtract(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 - x2``.

    Example:
        >>> subtract(1, 10)
        Tensor(-9, dtype=int64)
    """
    return Tensor(apply_elementwise(elementwise.subtract, x1, x2))


def tan(x: TensorLike, /) -> Tensor:
    """The tangent.

    Example:
        >>> tan(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.tan, x))


def tanh(x: TensorLike, /) -> Tensor:
    """The hyperbolic tangent.

    Example:
        >>> tanh(0.0)
        Tensor(0., dtype=float32)
    """
    return Tensor(apply_elementwise(trigonometric.tanh, x))


def trunc(x: TensorLike, /) -> Tensor:
    """The nearest whole number towards 0.

    Example:
        >>> trunc(-1.7)
        Tensor(-1., dtype=float32)
    """
    return Tensor(apply_elementwise(rounding.trunc, x))
