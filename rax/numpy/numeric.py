"""NumPy's elementwise functions beyond the standard, and comparisons of whole tensors."""

from __future__ import annotations

import math

from rax.frontend.application import apply_elementwise
from rax.frontend.control import while_loop
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import bool_, float32, int32
from rax.numpy.common import inexact
from rax.numpy.elementwise import (
    abs,
    atan2,
    copysign,
    floor,
    floor_divide,
    imag,
    isfinite,
    isinf,
    isnan,
    log2,
    logaddexp,
    maximum,
    minimum,
    real,
    remainder,
    sin,
    trunc,
)
from rax.numpy.searching import where
from rax.numpy.utility import all, any
from rax.ops import arithmetic
from rax.ops.complex_parts import complex_
from rax.ops.selection import cast


def fmax(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The larger of two; where one is NaN, the other.

    Example:
        >>> fmax(float("nan"), 2.0)
        Tensor(2., dtype=float32)
    """
    return maximum(*_without_nan(x1, x2))


def fmin(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The smaller of two; where one is NaN, the other.

    Example:
        >>> fmin(float("nan"), 2.0)
        Tensor(2., dtype=float32)
    """
    return minimum(*_without_nan(x1, x2))


def _without_nan(x1: TensorLike, x2: TensorLike) -> tuple[Tensor, Tensor]:
    """Two operands, each standing in for the other where that is NaN."""
    left, right = map(Tensor, promote_operands(x1, x2))
    if not left.dtype.is_inexact:
        return left, right
    return where(isnan(left), right, left), where(isnan(right), left, right)


def cbrt(x: TensorLike, /) -> Tensor:
    """The real cube root, negative for a negative number.

    Example:
        >>> cbrt(-8.0)
        Tensor(-2., dtype=float32)
    """
    return Tensor(apply_elementwise(arithmetic.cbrt, x))


def exp2(x: TensorLike, /) -> Tensor:
    """``2**x``.

    Example:
        >>> exp2(3.0)
        Tensor(8., dtype=float32)
    """
    return Tensor(apply_elementwise(arithmetic.power, 2, Tensor(inexact(x, float32))))


def sinc(x: TensorLike, /) -> Tensor:
    """``sin(pi x) / (pi x)``, and 1 at 0; derivatives of every order are exact there too.

    Example:
        >>> sinc(0.5)
        Tensor(0.63661975, dtype=float32)
    """
    angle = Tensor(inexact(x, float32)) * math.pi
    # Near 0 the Taylor series, whose derivatives need no limit; its next term is below 1e-20.
    near = abs(angle) < 0.25
    square = where(near, angle, 0.0) ** 2
    series: Tensor | float = 1.0
    for order in range(12, 0, -2):
        series = 1.0 - series * square / (order * (order + 1))
    safe = where(near, 1.0, angle)
    return where(near, series, sin(safe) / safe)


def heaviside(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """0 where ``x1`` is negative, 1 where it is positive, ``x2`` where it is 0; NaN stays.

    Example:
        >>> heaviside(0.0, 0.5)
        Tensor(0.5, dtype=float32)
    """
    step, middle = (Tensor(inexact(Tensor(value), float32)) for value in promote_operands(x1, x2))
    return where(isnan(step), step, where(step < 0, 0.0, where(step > 0, 1.0, middle)))


def degrees(x: TensorLike, /) -> Tensor:
    """Radians as degrees.

    Example:
        >>> degrees(3.1415927)
        Tensor(180., dtype=float32)
    """
    return Tensor(inexact(x, float32)) * (180 / math.pi)


def radians(x: TensorLike, /) -> Tensor:
    """Degrees as radians.

    Example:
        >>> radians(180.0)
        Tensor(3.1415927, dtype=float32)
    """
    return Tensor(inexact(x, float32)) * (math.pi / 180)


def fmod(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """What division leaves, with the sign of ``x1``, as in C.

    Example:
        >>> fmod(-7, 3)
        Tensor(-1, dtype=int64)
    """
    left, right = map(Tensor, promote_operands(x1, x2))
    if left.dtype.kind == "uint":
        return remainder(left, right)
    below = left < 0
    rest = remainder(where(below, -left, left), abs(right))
    return where(below, -rest, rest)


def modf(x: TensorLike, /) -> tuple[Tensor, Tensor]:
    """The fractional and the whole part, both with the sign of ``x``.

    Example:
        >>> modf(-2.5)
        (Tensor(-0.5, dtype=float32), Tensor(-2., dtype=float32))
    """
    value = Tensor(inexact(x, float32))
    whole = trunc(value)
    endless = isinf(value)
    part = where(endless, 0.0, where(endless, 0.0, value) - where(endless, 0.0, whole))
    return copysign(part, value), whole


def ldexp(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 * 2**x2``, for whole numbers ``x2``.

    Raises:
        TypeInferenceError: ``x2`` is no integer.

    Example:
        >>> ldexp(0.75, 4)
        Tensor(12., dtype=float32)
    """
    value, places = Tensor(inexact(x1, float32)), Tensor(as_value(x2))
    if places.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"ldexp takes whole powers of 2, not {places.dtype}", fix="use x1 * exp2(x2)")
    # In two steps: 2**x2 alone may overflow where the result does not.
    half = floor_divide(places, 2)
    for step in (half, places - half):
        value = value * exp2(Tensor(cast(step.value, value.dtype)))
    return value


def frexp(x: TensorLike, /) -> tuple[Tensor, Tensor]:
    """Mantissa, of size 0.5 to 1, and exponent as int32: ``x = mantissa * 2**exponent``.

    Example:
        >>> frexp(12.0)
        (Tensor(0.75, dtype=float32), Tensor(4, dtype=int32))
    """
    value = Tensor(inexact(x, float32))
    plain = isfinite(value) & (value != 0)
    places = floor(log2(abs(where(plain, value, 1.0)))) + 1
    exponent = Tensor(cast(where(plain, places, 0.0).value, int32))
    # The logarithm may be rounded over a power of 2, by one place either way.
    size = abs(ldexp(value, -exponent))
    exponent = where(plain & (size >= 1), exponent + 1, where(plain & (size < 0.5), exponent - 1, exponent))
    return where(plain, ldexp(where(plain, value, 1.0), -exponent), value), exponent


def divmod(x1: TensorLike, x2: TensorLike, /) -> tuple[Tensor, Tensor]:
    """``(x1 // x2, x1 % x2)``.

    Example:
        >>> divmod(7, 3)
        (Tensor(2, dtype=int64), Tensor(1, dtype=int64))
    """
    return floor_divide(x1, x2), remainder(x1, x2)


def gcd(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The greatest common divisor of integers, by Euclid's algorithm.

    Raises:
        TypeInferenceError: the operands are no integers.

    Example:
        >>> gcd(12, -18)
        Tensor(6, dtype=int64)
    """
    left, right = _integers("gcd", x1, x2)
    left, right = left + right * 0, right + left * 0  # the loop needs one shape

    def turn(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        larger, smaller = pair
        going = smaller != 0
        return where(going, smaller, larger), where(going, remainder(larger, smaller), 0)

    def going_on(pair: tuple[Tensor, Tensor]) -> Tensor:
        return any(pair[1] != 0)

    return while_loop(going_on, turn, (abs(left), abs(right)))[0]


def lcm(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The least common multiple of integers; 0 beside 0.

    Raises:
        TypeInferenceError: the operands are no integers.

    Example:
        >>> lcm(4, 6)
        Tensor(12, dtype=int64)
    """
    left, right = _integers("lcm", x1, x2)
    return abs(floor_divide(left, gcd(left, right)) * right)


def _integers(name: str, x1: TensorLike, x2: TensorLike) -> tuple[Tensor, Tensor]:
    left, right = map(Tensor, promote_operands(x1, x2))
    if left.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"{name} is defined on integers, not on {left.dtype}")
    return left, right


def float_power(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``x1 ** x2`` in floating point, so that integers may have negative powers.

    Example:
        >>> float_power(2, -1)
        Tensor(0.5, dtype=float32)
    """
    left, right = (Tensor(inexact(Tensor(value), float32)) for value in promote_operands(x1, x2))
    return left**right


def angle(z: TensorLike, deg: bool = False) -> Tensor:
    """The argument of complex numbers; of real ones 0 or pi. At 0 the derivative is NaN.

    Args:
        z: numbers.
        deg: whether the result is in degrees instead of radians.

    Example:
        >>> angle(1j, deg=True)
        Tensor(90., dtype=float32)
    """
    value = Tensor(inexact(z, float32))
    result = atan2(imag(value), real(value))
    return degrees(result) if deg else result


def logaddexp2(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """``log2(2**x1 + 2**x2)``, without overflow.

    Example:
        >>> logaddexp2(3.0, 3.0)
        Tensor(4., dtype=float32)
    """
    left, right = (Tensor(inexact(Tensor(value), float32)) for value in promote_operands(x1, x2))
    return logaddexp(left * math.log(2), right * math.log(2)) / math.log(2)


def nan_to_num(x: TensorLike, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Numbers in place of NaN and infinities; the derivative there is 0.

    Args:
        x: any shape; of complex numbers, each part by itself.
        nan: in place of NaN.
        posinf: in place of infinity; by default the largest number of the dtype.
        neginf: in place of minus infinity; by default the smallest number.

    Example:
        >>> nan_to_num(float("nan"))
        Tensor(0., dtype=float32)
    """
    value = as_value(x)
    if not value.dtype.is_inexact:
        return Tensor(value)
    if value.dtype.kind == "complex":
        parts = [nan_to_num(part(value), nan=nan, posinf=posinf, neginf=neginf).value for part in (real, imag)]
        return Tensor(complex_(*parts))
    result = Tensor(value)
    top = largest(value)
    result = where(isnan(result), nan, result)
    result = where(result == math.inf, top if posinf is None else posinf, result)
    return where(result == -math.inf, -top if neginf is None else neginf, result)


def largest(x: Value) -> float:
    """The largest finite number of a value's floating dtype."""
    return {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}.get(
        x.dtype.name, 1.7976931348623157e308
    )


def isclose(a: TensorLike, b: TensorLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether numbers are equal within a tolerance: ``|a - b| <= atol + rtol * |b|``.

    Args:
        a: numbers.
        b: what they are compared with.
        rtol: the tolerance as a part of ``b``.
        atol: the tolerance beside that.
        equal_nan: whether NaN equals NaN.

    Example:
        >>> isclose(1.0, 1.000001)
        Tensor(True, dtype=bool)
    """
    left, right = (Tensor(inexact(Tensor(value), float32)) for value in promote_operands(a, b))
    near = (abs(left - right) <= abs(right) * rtol + atol) & isfinite(right)
    near = near | (left == right)
    return near | (isnan(left) & isnan(right)) if equal_nan else near


def allclose(a: TensorLike, b: TensorLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether all numbers are equal within a tolerance; see :func:`isclose`.

    Example:
        >>> allclose(1.0, 1.000001)
        Tensor(True, dtype=bool)
    """
    return all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1: TensorLike, a2: TensorLike, equal_nan: bool = False) -> Tensor:
    """Whether two tensors have one shape and equal elements.

    Args:
        a1: any shape.
        a2: any shape.
        equal_nan: whether NaN equals NaN.

    Example:
        >>> from rax.numpy import asarray
        >>> array_equal(asarray([1, 2]), asarray([1, 2]))
        Tensor(True, dtype=bool)
    """
    left, right = map(Tensor, promote_operands(a1, a2))
    if left.shape != right.shape:
        return Tensor(as_value(False))
    same = left == right
    return all(same | (isnan(left) & isnan(right)) if equal_nan and left.dtype is not bool_ else same)


def array_equiv(a1: TensorLike, a2: TensorLike) -> Tensor:
    """Whether two tensors are equal after broadcasting; False where they do not broadcast.

    Example:
        >>> from rax.numpy import asarray
        >>> array_equiv(asarray([[1, 2], [1, 2]]), asarray([1, 2]))
        Tensor(True, dtype=bool)
    """
    left, right = map(Tensor, promote_operands(a1, a2))
    try:
        same = left == right
    except TypeInferenceError:
        return Tensor(as_value(False))
    return all(same)
