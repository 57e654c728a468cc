"""Softmax and its logarithm along one axis, with a mask for those that take no part.

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


def as_mask(where: TensorLike, name: str) -> Tensor:
    """What a function's argument ``where`` says takes part; an error if it is not of bools."""
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
        _, weights, total = _weights(Tensor(value), as_mask(where, "softmax"), place)
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
        mask = as_mask(where, "log_softmax") & (Tensor(value) != -math.inf)
        lowered, _, total = _weights(Tensor(value), mask, place)
        return rnp.astype(rnp.where(mask, lowered - rnp.log(total), -math.inf), value.dtype)
