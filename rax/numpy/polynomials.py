"""Polynomials as vectors of coefficients, the highest power first, as NumPy has them."""

from __future__ import annotations

from typing import Any

from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.errors import TypeInferenceError
from rax.ir.types import float32
from rax.numpy.common import as_integer, inexact
from rax.numpy.creation import arange, asarray, zeros_like
from rax.numpy.joining import concatenate
from rax.numpy.manipulation import flip
from rax.numpy.padding import pad
from rax.numpy.rearranging import atleast_1d
from rax.numpy.signal import convolve
from rax.ops.selection import cast


def _coefficients(name: str, p: TensorLike) -> Tensor:
    value: Tensor = atleast_1d(p)
    if value.ndim != 1 or not isinstance(value.shape[0], int):
        raise TypeInferenceError(f"{name} takes a vector of coefficients of known length, not {value.value.type}")
    return value


def polyval(p: TensorLike, x: TensorLike) -> Tensor:
    """A polynomial at ``x``, by Horner's rule.

    Args:
        p: its coefficients, a vector of known length.
        x: where, of any shape.

    Raises:
        TypeInferenceError: ``p`` is no vector of known length.

    Example:
        >>> from rax.numpy import asarray
        >>> polyval(asarray([1, 0, 2]), asarray([3, 4]))
        Tensor([11, 18], dtype=int64)
    """
    terms, at = map(Tensor, promote_operands(_coefficients("polyval", p), x))
    total = zeros_like(at)
    for term in terms:
        total = total * at + term
    return total


def polyadd(a1: TensorLike, a2: TensorLike) -> Tensor:
    """The sum of two polynomials.

    Example:
        >>> from rax.numpy import asarray
        >>> polyadd(asarray([1, 2]), asarray([9, 5, 4]))
        Tensor([9, 6, 6], dtype=int64)
    """
    left, right = _of_one_length("polyadd", a1, a2)
    return left + right


def polysub(a1: TensorLike, a2: TensorLike) -> Tensor:
    """The difference of two polynomials.

    Example:
        >>> from rax.numpy import asarray
        >>> polysub(asarray([1, 2]), asarray([9, 5, 4]))
        Tensor([-9, -4, -2], dtype=int64)
    """
    left, right = _of_one_length("polysub", a1, a2)
    return left - right


def _of_one_length(name: str, a1: TensorLike, a2: TensorLike) -> list[Tensor]:
    """Both with zeros before the shorter one's coefficients."""
    sides = [_coefficients(name, side) for side in map(Tensor, promote_operands(a1, a2))]
    longest = max(len(side) for side in sides)
    return [pad(side, (longest - len(side), 0)) for side in sides]


def polymul(a1: TensorLike, a2: TensorLike) -> Tensor:
    """The product of two polynomials.

    Example:
        >>> from rax.numpy import asarray
        >>> polymul(asarray([1, 2]), asarray([1, -2]))
        Tensor([ 1,  0, -4], dtype=int64)
    """
    return convolve(_coefficients("polymul", a1), _coefficients("polymul", a2))


def polyder(p: TensorLike, m: int = 1) -> Tensor:
    """The derivative of a polynomial.

    Args:
        p: its coefficients.
        m: the order of the derivative.

    Raises:
        TypeInferenceError: ``m`` is negative.

    Example:
        >>> from rax.numpy import asarray
        >>> polyder(asarray([1, 1, 1]))
        Tensor([2, 1], dtype=int64)
    """
    if as_integer(m, "the order") < 0:
        raise TypeInferenceError(f"polyder takes an order that is not negative, not {m}")
    value = _coefficients("polyder", p)
    for _ in range(m):
        value = value[:-1] * Tensor(cast(flip(arange(1, max(len(value), 1))).value, value.dtype))
    return value


def polyint(p: TensorLike, m: int = 1, k: Any = 0) -> Tensor:
    """An antiderivative of a polynomial; integers count as float32.

    Args:
        p: its coefficients.
        m: the order.
        k: the constant of each order, the first one's first; one number for all.

    Raises:
        TypeInferenceError: ``m`` is negative, or the constants are not as many.

    Example:
        >>> from rax.numpy import asarray
        >>> polyint(asarray([2, 1]))
        Tensor([1., 1., 0.], dtype=float32)
    """
    m, given = as_integer(m, "the order"), asarray(k)
    constants = list(given) if given.ndim else [given] * m
    if m < 0 or len(constants) != m:
        raise TypeInferenceError(f"polyint takes one constant for each of {m} orders, not {len(constants)}")
    value = Tensor(inexact(_coefficients("polyint", p), float32))
    for constant in constants:
        divisor = Tensor(cast(flip(arange(1, len(value) + 1)).value, value.dtype))
        end = Tensor(cast(as_value(constant), value.dtype))
        value = concatenate([value / divisor, end[None]])
    return value


def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803  (NumPy's name)
    """The powers of each element as a row, the highest first.

    Args:
        x: a vector.
        N: the number of powers; by default as many as elements.
        increasing: whether power 0 comes first.

    Raises:
        TypeInferenceError: ``x`` is no vector.

    Example:
        >>> from rax.numpy import asarray
        >>> vander(asarray([2, 3]), 3)
        Tensor([[4, 2, 1],
                [9, 3, 1]], dtype=int64)
    """
    value = Tensor(as_value(x))
    if value.ndim != 1:
        raise TypeInferenceError(f"vander takes a vector, not {value.value.type}")
    powers = Tensor(cast(arange(value.shape[0] if N is None else N).value, value.dtype))
    result = value[:, None] ** powers
    return result if increasing else flip(result, axis=1)
