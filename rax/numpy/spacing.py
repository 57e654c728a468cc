"""Arrays as NumPy makes them, and numbers evenly spaced, on a linear or a logarithmic scale."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np

from rax.frontend.promotion import TensorLike, is_number, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.dims import Dim
from rax.ir.errors import TypeInferenceError
from rax.ir.types import as_dtype, complex64, float32
from rax.numpy.common import SizeLike, as_integer, check_device, inexact
from rax.numpy.creation import asarray, eye
from rax.numpy.elementwise import pow
from rax.ops.arrays import constant
from rax.ops.selection import cast
from rax.ops.shape import expand_dims


def array(object: Any, dtype: object = None, *, ndmin: int = 0) -> Tensor:
    """A tensor from data, of at least a number of axes; see :func:`asarray`.

    Args:
        object: a tensor, a number, an array, or nested sequences of numbers and tensors.
        dtype: the dtype of the result; by default that of the data.
        ndmin: the least number of axes; missing ones are added in front.

    Example:
        >>> array([1, 2], ndmin=2)
        Tensor([[1, 2]], dtype=int64)
    """
    value = asarray(object, dtype=dtype, copy=True).value
    return Tensor(expand_dims(value, tuple(range(ndmin - value.ndim))))


def identity(n: SizeLike, dtype: object = None) -> Tensor:
    """The identity matrix.

    Example:
        >>> identity(2)
        Tensor([[1., 0.],
                [0., 1.]], dtype=float32)
    """
    return eye(n, dtype=dtype)


def linspace(
    start: TensorLike, stop: TensorLike, /, num: int, *,
    dtype: object = None, device: str | None = None, endpoint: bool = True,
) -> Tensor:  # fmt: skip
    """Evenly spaced numbers, along a new first axis where ``start`` and ``stop`` are tensors.

    Args:
        start: the first number: a number, or a tensor that broadcasts with ``stop``. The result can be
            differentiated by both.
        stop: the last number, or where ``endpoint`` is False the one after it.
        num: how many.
        dtype: the dtype of the result; by default that of the tensors, and of numbers float32, complex64
            if one is complex.
        device: ``"cpu"`` or None.
        endpoint: whether ``stop`` is one of the numbers.

    Raises:
        TypeInferenceError: ``num`` is negative, or the shapes do not broadcast.

    Example:
        >>> linspace(0, 1, 5)
        Tensor([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    check_device(device)
    _check_number("linspace", num)
    if _is_plain(start) and _is_plain(stop):
        return _spaced(np.linspace(start, stop, num, endpoint=endpoint), dtype)
    return _as(_between(start, stop, num, endpoint), dtype)


def logspace(
    start: TensorLike, stop: TensorLike, num: int = 50, endpoint: bool = True, base: TensorLike = 10.0,
    dtype: object = None,
) -> Tensor:  # fmt: skip
    """Numbers evenly spaced on a logarithmic scale, from ``base**start`` to ``base**stop``.

    Args:
        start: the exponent of the first number: a number, or a tensor, as :func:`linspace` takes it.
        stop: that of the last, or where ``endpoint`` is False of the one after it.
        num: how many.
        endpoint: whether the last is one of the numbers.
        base: the base; a number, or a tensor that broadcasts with the result.
        dtype: the dtype of the result; by default that of the tensors, and of numbers float32, complex64
            if one is complex.

    Raises:
        TypeInferenceError: ``num`` is negative, or the shapes do not broadcast.

    Example:
        >>> logspace(0, 2, 3)
        Tensor([  1.,  10., 100.], dtype=float32)
    """
    _check_number("logspace", num)
    if _is_plain(start) and _is_plain(stop) and _is_plain(base):
        return _spaced(np.logspace(start, stop, num, endpoint, base), dtype)
    return _as(pow(base, _between(start, stop, num, endpoint)), dtype)


def geomspace(
    start: TensorLike, stop: TensorLike, num: int = 50, endpoint: bool = True, dtype: object = None
) -> Tensor:
    """Numbers each a constant multiple of the one before.

    Args:
        start: the first number, other than 0: a number, or a tensor, as :func:`linspace` takes it.
        stop: the last, or where ``endpoint`` is False the one after it; other than 0 and of the sign of
            ``start``, unless they are complex.
        num: how many.
        endpoint: whether ``stop`` is one of the numbers.
        dtype: the dtype of the result; by default that of the tensors, and of numbers float32, complex64
            if one is complex.

    Raises:
        TypeInferenceError: ``num`` is negative, a number is 0, or the shapes do not broadcast.

    Example:
        >>> geomspace(1, 8, 4)
        Tensor([1., 2., 4., 8.], dtype=float32)
    """
    _check_number("geomspace", num)
    if (is_number(start) and start == 0) or (is_number(stop) and stop == 0):
        raise TypeInferenceError("geomspace has no 0 among its numbers")
    if _is_plain(start) and _is_plain(stop):
        return _spaced(np.geomspace(start, stop, num, endpoint), dtype)
    first, last = (Tensor(inexact(end, float32)) for end in promote_operands(start, stop))
    steps = _between(0.0, Tensor(cast(asarray(1.0).value, first.dtype)), num, endpoint)
    ratio = last / first
    return _as(first * pow(ratio, steps[(slice(None), *[None] * ratio.ndim)]), dtype)


def _is_plain(end: object) -> TypeGuard[complex]:
    return is_number(end) and not isinstance(end, Dim)


def _check_number(name: str, num: int) -> None:
    if as_integer(num, "a number of numbers") < 0:
        raise TypeInferenceError(f"{name} cannot give {num} numbers")


def _between(start: TensorLike, stop: TensorLike, num: int, endpoint: bool) -> Tensor:
    """As a weighted mean of the two ends, so that both are met exactly."""
    first, last = (Tensor(inexact(end, float32)) for end in promote_operands(start, stop))
    ways = np.linspace(0, 1, num, endpoint=endpoint).reshape(num, *[1] * max(first.ndim, last.ndim))
    there, back = (Tensor(constant(numbers, first.dtype)) for numbers in (ways, 1 - ways))
    return first * back + last * there


def _as(result: Tensor, dtype: object) -> Tensor:
    return result if dtype is None else Tensor(cast(result.value, as_dtype(dtype)))


def _spaced(numbers: np.ndarray[Any, np.dtype[Any]], dtype: object) -> Tensor:
    default = complex64 if numbers.dtype.kind == "c" else float32
    return Tensor(constant(numbers, default if dtype is None else as_dtype(dtype)))
