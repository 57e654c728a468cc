"""Normalisations: over a batch, with running statistics as state; and over the last axis."""

from __future__ import annotations

from typing import NamedTuple

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.trail import scope
from rax.ir.types import TensorType, float32, normalize_axis
from rax.numpy.common import inexact
from rax.ops.algebra import full
from rax.ops.creation import dim_size
from rax.ops.normalization import LayerNorm
from rax.ops.reduction import computing_dtype


class BatchNormState(NamedTuple):
    """Running statistics of :func:`batch_norm`, one number a channel.

    Example:
        >>> BatchNormState(mean=rnp.zeros((2,)), var=rnp.ones((2,))).mean
        Tensor([0., 0.], dtype=float32)
    """

    mean: Tensor
    var: Tensor


def batch_norm_state(channels: int, dtype: object = float32) -> BatchNormState:
    """The state to start :func:`batch_norm` with: mean 0 and variance 1.

    Args:
        channels: how many.
        dtype: a floating dtype.

    Example:
        >>> batch_norm_state(2).var
        Tensor([1., 1.], dtype=float32)
    """
    return BatchNormState(rnp.zeros((channels,), dtype=dtype), rnp.ones((channels,), dtype=dtype))


def batch_norm(
    x: TensorLike,
    scale: TensorLike,
    bias: TensorLike,
    state: BatchNormState,
    *,
    training: bool,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
    axis: int = 1,
) -> tuple[Tensor, BatchNormState]:
    """``scale * (x - mean) / sqrt(var + epsilon) + bias`` for each channel (Ioffe and Szegedy, 2015).

    In training, mean and variance are those of the batch, and the state moves towards them by
    ``momentum`` (towards the variance as estimated with ``n - 1``, as PyTorch does). Else they are
    the state's. An empty batch leaves the state as it is. Half types are computed in float32.

    Args:
        x: any shape, with channels along ``axis``.
        scale: ``(channels,)``.
        bias: ``(channels,)``.
        state: the running statistics, see :func:`batch_norm_state`.
        training: whether to use the batch's statistics.
        momentum: the weight of the batch in the new state.
        epsilon: keeps the divisor from 0.
        axis: the axis of the channels.

    Returns:
        ``(y, state)``, ``y`` of the type of ``x``.

    Example:
        >>> x = rnp.asarray([[1.0, 10.0], [3.0, 30.0]])
        >>> y, state = batch_norm(x, rnp.ones((2,)), rnp.zeros((2,)), batch_norm_state(2), training=True)
        >>> [round(number, 2) for number in state.mean.tolist()]
        [0.2, 2.0]
    """
    given = Tensor(inexact(x, float32))
    channel = normalize_axis(axis, given.ndim)
    others = tuple(place for place in range(given.ndim) if place != channel)
    wide = computing_dtype(given.dtype)

    def lined(numbers: TensorLike) -> Tensor:
        """One number a channel, in line with ``x``."""
        return rnp.expand_dims(rnp.astype(as_tensor(numbers), wide), axis=others)

    with scope("batch_norm"):
        value = rnp.astype(given, wide)
        mean, var, new = state.mean, state.var, state
        if training:
            count = dims.product(given.shape[place] for place in others)
            divisor = _number(dims.maximum(count, 1), wide)
            mean = rnp.sum(value, axis=others) / divisor
            squares = rnp.sum(rnp.square(value - lined(mean)), axis=others)
            var = squares / divisor
            unbiased = squares / _number(dims.maximum(count - 1, 1), wide)
            weight = momentum * _number(dims.minimum(count, 1), wide)
            new = BatchNormState(_moved(state.mean, mean, weight), _moved(state.var, unbiased, weight))
        scaled = (value - lined(mean)) / rnp.sqrt(lined(var) + epsilon) * lined(scale) + lined(bias)
        return rnp.astype(scaled, given.dtype), new


def _number(size: Size, dtype: object) -> Tensor:
    return rnp.astype(Tensor(dim_size(size)), dtype)


def _moved(old: Tensor, new: Tensor, weight: Tensor) -> Tensor:
    """``old`` a part of the way towards ``new``, in its own dtype."""
    before = as_tensor(old)
    return rnp.astype(before + weight * (new - before), before.dtype)


def layer_norm(
    x: TensorLike, scale: TensorLike | None = None, bias: TensorLike | None = None, *, epsilon: float = 1e-5
) -> Tensor:
    """``scale * (x - mean) / sqrt(var + epsilon) + bias`` along the last axis (Ba, Kiros and Hinton, 2016).

    Args:
        x: ``(*lead, n)``; half types are computed in float32.
        scale: ``(n,)``; by default 1.
        bias: ``(n,)``; by default 0.
        epsilon: keeps the divisor from 0.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> layer_norm(rnp.asarray([[1.0, 3.0]]), epsilon=0.0)
        Tensor([[-1.,  1.]], dtype=float32)
    """
    value = inexact(x, float32)
    row = TensorType(value.dtype, value.shape[-1:])
    first, second = (Tensor(full(row, number)) if given is None else given for given, number in ((scale, 1), (bias, 0)))
    return Tensor(LayerNorm(epsilon)(*promote_operands(value, first, second)))


def rms_norm(x: TensorLike, scale: TensorLike | None = None, *, epsilon: float = 1e-6) -> Tensor:
    """``scale * x / sqrt(mean(x**2) + epsilon)`` along the last axis (Zhang and Sennrich, 2019).

    Args:
        x: ``(*lead, n)``; half types are computed in float32.
        scale: ``(n,)``; by default 1.
        epsilon: keeps the divisor from 0.

    Example:
        >>> rms_norm(rnp.asarray([3.0, 4.0, 5.0, 0.0]) * 2, epsilon=0.0) * 12.5**0.5
        Tensor([3., 4., 5., 0.], dtype=float32)
    """
    given = Tensor(inexact(x, float32))
    with scope("rms_norm"):
        value = rnp.astype(given, computing_dtype(given.dtype))
        normal = value / rnp.sqrt(rnp.mean(rnp.square(value), axis=-1, keepdims=True) + epsilon)
        scaled = normal if scale is None else normal * rnp.astype(as_tensor(scale), normal.dtype)
        return rnp.astype(scaled, given.dtype)
