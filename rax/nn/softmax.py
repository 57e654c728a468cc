"""Softmax and its kin along one axis: with a mask, for masked elements; and standardisation.

``where`` names the elements that take part; the others count as -inf. Half types are computed in
float32, integers become float32.
"""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax.frontend.functions import stop_gradient
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.errors import TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import bool_, float32
from rax.numpy.common import as_axis, inexact
from rax.ops.normalization import LogSoftmax, Softmax
from rax.ops.reduction import computing_dtype


def _mask(where: TensorLike, name: str) -> Tensor:
    mask = as_tensor(where)
    if mask.dtype is not bool_:
        raise TypeInferenceError(f"{name}: where is a mask of bools, not {mask.value.type}", fix="compare it first")
    return mask


def _weights(value: Tensor, mask: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """What takes part less the largest of it, its exponentials, and their sum, 1 where nothing takes part."""
    mask = mask & (value != -math.inf)
    wide = rnp.where(mask, rnp.astype(value, computing_dtype(value.dtype)), -math.inf)
    top: Tensor = stop_gradient(rnp.max(wide, axis=axis, keepdims=True))
    none = top == -math.inf
    lowered = rnp.where(mask, wide, 0.0) - rnp.where(none, 0.0, top)
    # What does not take part may stand above the largest, where exp would overflow.
    weights = rnp.where(mask, rnp.exp(rnp.where(mask, lowered, 0.0)), 0.0)
    total = rnp.sum(weights, axis=axis, keepdims=True)
    return lowered, weights, rnp.where(none, 1.0, total)


def softmax(x: TensorLike, axis: int = -1, where: TensorLike | None = None) -> Tensor:
    """``exp(x) / sum(exp(x))`` along one axis, without overflow.

    Without a mask, a row of nothing but -inf gives NaN. With one, such a row and a row of which
    nothing takes part give zeros; their derivative is 0.

    Args:
        x: any shape with that axis; an element of -inf gets 0.
        axis: the axis along which the result sums to 1.
        where: bools that broadcast against ``x``: what takes part; the rest gets 0.

    Raises:
        TypeInferenceError: the mask is not of bools.

    Example:
        >>> softmax(rnp.asarray([0.0, 0.0]))
        Tensor([0.5, 0.5], dtype=float32)
        >>> softmax(rnp.asarray([0.0, 0.0, 9.0]), where=rnp.asarray([True, True, False]))
        Tensor([0.5, 0.5, 0. ], dtype=float32)
    """
    value = inexact(x, float32)
    place = as_axis(axis, value.ndim)
    if where is None:
        return Tensor(Softmax(place)(value))
    with scope("softmax"):
        _, weights, total = _weights(Tensor(value), _mask(where, "softmax"), place)
        return rnp.astype(weights / total, value.dtype)


def log_softmax(x: TensorLike, axis: int = -1, where: TensorLike | None = None) -> Tensor:
    """``x - log(sum(exp(x)))`` along one axis, without overflow.

    Args:
        x: any shape with that axis.
        axis: the axis along which the exponential of the result sums to 1.
        where: bools that broadcast against ``x``: what takes part; the rest gets -inf.

    Raises:
        TypeInferenceError: the mask is not of bools.

    Example:
        >>> log_softmax(rnp.asarray([0.0, 1000.0]))
        Tensor([-1000.,     0.], dtype=float32)
    """
    value = inexact(x, float32)
    place = as_axis(axis, value.ndim)
    if where is None:
        return Tensor(LogSoftmax(place)(value))
    with scope("log_softmax"):
        mask = _mask(where, "log_softmax") & (Tensor(value) != -math.inf)
        lowered, _, total = _weights(Tensor(value), mask, place)
        return rnp.astype(rnp.where(mask, lowered - rnp.log(total), -math.inf), value.dtype)


def standardize(
    x: TensorLike,
    axis: int = -1,
    mean: TensorLike | None = None,
    variance: TensorLike | None = None,
    epsilon: float = 1e-5,
    where: TensorLike | None = None,
) -> Tensor:
    """``(x - mean) / sqrt(variance + epsilon)``, by default with the mean and variance along an axis.

    Args:
        x: any shape with that axis.
        axis: the axis the statistics are over.
        mean: statistics to use instead; they broadcast against ``x``.
        variance: likewise.
        epsilon: keeps the divisor from 0.
        where: bools that broadcast against ``x``: what the statistics are of. Of nothing, they are 0.

    Raises:
        TypeInferenceError: the mask is not of bools.

    Example:
        >>> standardize(rnp.asarray([1.0, 3.0]), epsilon=0.0)
        Tensor([-1.,  1.], dtype=float32)
    """
    given = Tensor(inexact(x, float32))
    place = as_axis(axis, given.ndim)
    with scope("standardize"):
        value = rnp.astype(given, computing_dtype(given.dtype))
        counted = rnp.ones_like(value)
        if where is not None:
            counted = rnp.where(_mask(where, "standardize"), counted, 0.0)
        count = rnp.maximum(rnp.sum(counted, axis=place, keepdims=True), 1.0)

        def average(numbers: Tensor) -> Tensor:
            return rnp.sum(rnp.where(counted > 0, numbers, 0.0), axis=place, keepdims=True) / count

        center = average(value) if mean is None else rnp.astype(as_tensor(mean), value.dtype)
        apart = value - center
        spread = average(rnp.square(apart)) if variance is None else rnp.astype(as_tensor(variance), value.dtype)
        return rnp.astype(apart / rnp.sqrt(spread + epsilon), given.dtype)
