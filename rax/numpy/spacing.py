"""NumPy's makers of tensors beyond the standard: from data, and numbers spaced on a logarithmic scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.frontend.tensor import Tensor
from rax.ir.types import as_dtype, complex64, float32
from rax.numpy.common import SizeLike
from rax.numpy.creation import asarray, eye
from rax.ops.arrays import constant
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


def logspace(
    start: complex, stop: complex, num: int = 50, endpoint: bool = True, base: float = 10.0, dtype: object = None
) -> Tensor:
    """Numbers evenly spaced on a logarithmic scale, from ``base**start`` to ``base**stop``.

    Args:
        start: the exponent of the first number.
        stop: that of the last, or where ``endpoint`` is False of the one after it.
        num: how many.
        endpoint: whether the last is one of the numbers.
        base: the base.
        dtype: the dtype of the result; by default float32, complex64 if a number is complex.

    Example:
        >>> logspace(0, 2, 3)
        Tensor([  1.,  10., 100.], dtype=float32)
    """
    return _spaced(np.logspace(start, stop, num, endpoint, base), dtype)


def geomspace(start: complex, stop: complex, num: int = 50, endpoint: bool = True, dtype: object = None) -> Tensor:
    """Numbers each a constant multiple of the one before.

    Args:
        start: the first number.
        stop: the last, or where ``endpoint`` is False the one after it.
        num: how many.
        endpoint: whether ``stop`` is one of the numbers.
        dtype: the dtype of the result; by default float32, complex64 if a number is complex.

    Example:
        >>> geomspace(1, 8, 4)
        Tensor([1., 2., 4., 8.], dtype=float32)
    """
    return _spaced(np.geomspace(start, stop, num, endpoint), dtype)


def _spaced(numbers: np.ndarray[Any, np.dtype[Any]], dtype: object) -> Tensor:
    default = complex64 if numbers.dtype.kind == "c" else float32
    return Tensor(constant(numbers, default if dtype is None else as_dtype(dtype)))
