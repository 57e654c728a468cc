"""First values of weights, drawn from a key.

The fans are the numbers of values an output is summed from and an input spreads to: of ``(n_in,
n_out)``, as :func:`rax.nn.dense` takes it, those two; of ``(n_out, n_in, *window)``, as
:func:`rax.nn.conv` takes it, each times the elements of a window. Biases start at ``rax.numpy.zeros``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rax import random
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir.errors import RaxError
from rax.ir.trail import scope
from rax.ir.types import float32


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) < 2:
        raise RaxError(f"a weight has at least two axes, not the shape {tuple(shape)}", fix="start a bias at zeros")
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _normal(name: str, key: TensorLike, shape: Sequence[int], dtype: object, variance: float) -> Tensor:
    with scope(name):
        return random.normal(key, tuple(shape), dtype) * math.sqrt(variance)


def _uniform(name: str, key: TensorLike, shape: Sequence[int], dtype: object, variance: float) -> Tensor:
    limit = math.sqrt(3 * variance)
    with scope(name):
        return random.uniform(key, tuple(shape), dtype, -limit, limit)


def glorot_normal(key: TensorLike, shape: Sequence[int], dtype: object = float32) -> Tensor:
    """Normal numbers of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight.
        dtype: a floating dtype.

    Raises:
        RaxError: the shape has fewer than two axes.

    Example:
        >>> glorot_normal(random.key(0), (64, 32)).shape
        (64, 32)
    """
    return _normal("glorot_normal", key, shape, dtype, 2 / sum(_fans(shape)))


def glorot_uniform(key: TensorLike, shape: Sequence[int], dtype: object = float32) -> Tensor:
    """Uniform numbers of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight.
        dtype: a floating dtype.

    Raises:
        RaxError: the shape has fewer than two axes.

    Example:
        >>> glorot_uniform(random.key(0), (64, 32)).shape
        (64, 32)
    """
    return _uniform("glorot_uniform", key, shape, dtype, 2 / sum(_fans(shape)))


def he_normal(key: TensorLike, shape: Sequence[int], dtype: object = float32) -> Tensor:
    """Normal numbers of variance ``2 / fan_in``, for layers before a relu (He et al., 2015).

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight.
        dtype: a floating dtype.

    Raises:
        RaxError: the shape has fewer than two axes.

    Example:
        >>> he_normal(random.key(0), (16, 1, 3, 3)).shape
        (16, 1, 3, 3)
    """
    return _normal("he_normal", key, shape, dtype, 2 / _fans(shape)[0])


def he_uniform(key: TensorLike, shape: Sequence[int], dtype: object = float32) -> Tensor:
    """Uniform numbers of variance ``2 / fan_in``, for layers before a relu (He et al., 2015).

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight.
        dtype: a floating dtype.

    Raises:
        RaxError: the shape has fewer than two axes.

    Example:
        >>> he_uniform(random.key(0), (16, 1, 3, 3)).shape
        (16, 1, 3, 3)
    """
    return _uniform("he_uniform", key, shape, dtype, 2 / _fans(shape)[0])
