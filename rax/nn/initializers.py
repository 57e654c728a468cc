"""First values of weights, drawn from a key.

The fans are the numbers of values an output is summed from and an input spreads to: of ``(n_in,
n_out)``, as :func:`rax.nn.dense` takes it, those two; of ``(n_out, n_in, *window)``, as
:func:`rax.nn.conv` takes it, each times the elements of a window. Biases start at ``rax.numpy.zeros``,
scales at ``rax.numpy.ones``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from rax import numpy as rnp
from rax import random
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir.errors import RaxError
from rax.ir.trail import scope
from rax.ir.types import as_dtype, float32
from rax.ops.reduction import computing_dtype


def _fans(shape: Sequence[int] | int) -> tuple[int, int]:
    if isinstance(shape, int) or len(shape) < 2:
        raise RaxError(f"a weight has at least two axes, not the shape {shape!r}", fix="start a bias at zeros")
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


_CUT = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
"""The deviation of the standard normal distribution cut at -2 and 2."""


def variance_scaling(
    key: TensorLike,
    shape: Sequence[int],
    dtype: object = float32,
    *,
    scale: float = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["normal", "truncated_normal", "uniform"] = "normal",
) -> Tensor:
    """Numbers of mean 0 and variance ``scale`` divided by a fan: what the functions named after people are cases of.

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight.
        dtype: a floating dtype.
        scale: the variance times the fan.
        mode: the fan: ``"fan_in"``, ``"fan_out"``, or their mean, ``"fan_avg"``.
        distribution: ``"normal"``; ``"truncated_normal"``, cut at twice the deviation of the normal one
            it is cut from; or ``"uniform"`` about 0.

    Raises:
        RaxError: the shape has fewer than two axes, the scale is not positive, or a name is none of those.

    Example:
        >>> variance_scaling(random.key(0), (64, 32), scale=2.0, mode="fan_out").shape
        (64, 32)
    """
    n_in, n_out = _fans(shape)
    fans = {"fan_in": n_in, "fan_out": n_out, "fan_avg": (n_in + n_out) / 2}
    if mode not in fans or distribution not in ("normal", "truncated_normal", "uniform"):
        raise RaxError(
            f"variance_scaling knows the modes {', '.join(map(repr, fans))} and the distributions 'normal', "
            f"'truncated_normal' and 'uniform', not {mode!r} and {distribution!r}"
        )
    if not scale > 0:
        raise RaxError(f"variance_scaling needs a positive scale, not {scale}")
    deviation = math.sqrt(scale / max(fans[mode], 1))
    with scope("variance_scaling"):
        if distribution == "normal":
            return random.normal(key, tuple(shape), dtype) * deviation
        if distribution == "truncated_normal":
            return random.truncated_normal(key, -2.0, 2.0, tuple(shape), dtype) * (deviation / _CUT)
        limit = math.sqrt(3) * deviation
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
    with scope("glorot_normal"):
        return variance_scaling(key, shape, dtype, mode="fan_avg")


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
    with scope("glorot_uniform"):
        return variance_scaling(key, shape, dtype, mode="fan_avg", distribution="uniform")


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
    with scope("he_normal"):
        return variance_scaling(key, shape, dtype, scale=2.0)


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
    with scope("he_uniform"):
        return variance_scaling(key, shape, dtype, scale=2.0, distribution="uniform")


def lecun_normal(key: TensorLike, shape: Sequence[int], dtype: object = float32) -> Tensor:
    """Normal numbers of variance ``1 / fan_in``, for layers before a selu (LeCun et al., 1998).

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight.
        dtype: a floating dtype.

    Raises:
        RaxError: the shape has fewer than two axes.

    Example:
        >>> lecun_normal(random.key(0), (64, 32)).shape
        (64, 32)
    """
    with scope("lecun_normal"):
        return variance_scaling(key, shape, dtype)


def lecun_uniform(key: TensorLike, shape: Sequence[int], dtype: object = float32) -> Tensor:
    """Uniform numbers of variance ``1 / fan_in``, for layers before a selu (LeCun et al., 1998).

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight.
        dtype: a floating dtype.

    Raises:
        RaxError: the shape has fewer than two axes.

    Example:
        >>> lecun_uniform(random.key(0), (64, 32)).shape
        (64, 32)
    """
    with scope("lecun_uniform"):
        return variance_scaling(key, shape, dtype, distribution="uniform")


def orthogonal(key: TensorLike, shape: Sequence[int], dtype: object = float32, *, scale: float = 1.0) -> Tensor:
    """A matrix with orthonormal rows or columns, whichever are fewer, spread evenly (Saxe et al., 2014).

    Args:
        key: a key of :mod:`rax.random`.
        shape: that of the weight; one of more than two axes is a matrix of the first by all others.
        dtype: a floating dtype.
        scale: a factor.

    Raises:
        RaxError: the shape has fewer than two axes.

    Example:
        >>> weight = orthogonal(random.key(0), (2, 3))
        >>> bool(rnp.all(rnp.abs(weight @ weight.T - rnp.eye(2)) < 1e-6))
        True
    """
    _fans(shape)
    wanted = as_dtype(dtype)
    rows, columns = shape[0], math.prod(shape[1:])
    with scope("orthogonal"):
        tall = (max(rows, columns), min(rows, columns))
        q, r = rnp.linalg.qr(random.normal(key, tall, computing_dtype(wanted)))
        # With the signs of R's diagonal taken out, no orthogonal matrix is likelier than another (Mezzadri, 2007).
        even = q * rnp.where(rnp.linalg.diagonal(r) < 0, -1.0, 1.0)
        matrix = even if rows >= columns else even.T
        return rnp.astype(rnp.reshape(matrix, tuple(shape)) * scale, wanted)
