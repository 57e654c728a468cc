"""Normalisations: over a batch, with running statistics as state; over an axis; over channels; of weights.

Variances are of distances from the mean, which lose no digits to a large mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rax import numpy as rnp
from rax.frontend.functions import stop_gradient
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import TensorType, float32, normalize_axis
from rax.nn.softmax import as_mask
from rax.numpy.common import as_axis, inexact
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


def group_norm(
    x: TensorLike,
    groups: int,
    scale: TensorLike | None = None,
    bias: TensorLike | None = None,
    *,
    epsilon: float = 1e-5,
) -> Tensor:
    """``scale * (x - mean) / sqrt(var + epsilon) + bias``, statistics over groups of channels (Wu and He, 2018).

    Args:
        x: ``(N, C, *spatial)``; half types are computed in float32.
        groups: how many groups the channels fall into; each example and group has its own statistics.
        scale: ``(C,)``; by default 1.
        bias: ``(C,)``; by default 0.
        epsilon: keeps the divisor from 0.

    Raises:
        TypeInferenceError: there are no channels, or they do not fall into equal groups.

    Example:
        >>> group_norm(rnp.asarray([[1.0, 3.0, 10.0, 30.0]]), 2, epsilon=0.0)
        Tensor([[-1.,  1., -1.,  1.]], dtype=float32)
    """
    given = Tensor(inexact(x, float32))
    if given.ndim < 2:
        raise TypeInferenceError(f"group_norm needs (N, C, *spatial), not {given.value.type}")
    batch, channels, *spatial = given.shape
    share = dims.floor_divide(channels, groups) if groups > 0 else 0
    if share * groups != channels:
        raise TypeInferenceError(f"group_norm: {channels} channels do not fall into {groups} equal groups")
    with scope("group_norm"):
        value = rnp.astype(given, computing_dtype(given.dtype))
        apart, deviation = _apart(rnp.reshape(value, (batch, groups, share, *spatial)), (2, given.ndim), epsilon)
        normal = rnp.reshape(apart / deviation, given.shape)
        return rnp.astype(_affine(normal, scale, bias, range(2, given.ndim)), given.dtype)


def _apart(x: Tensor, span: tuple[int, int], epsilon: float) -> tuple[Tensor, Tensor]:
    """Distances from the mean over the axes from the first to the last of a span, and their deviation."""
    axes = tuple(range(span[0], span[1] + 1))
    apart = x - rnp.mean(x, axis=axes, keepdims=True)
    return apart, rnp.sqrt(rnp.mean(rnp.square(apart), axis=axes, keepdims=True) + epsilon)


def _affine(x: Tensor, scale: TensorLike | None, bias: TensorLike | None, others: Sequence[int]) -> Tensor:
    """``x`` times the scale plus the bias, each one number a channel, in line with the channels' axis 1."""
    axes = tuple(axis - 1 for axis in others)
    for numbers, combine in ((scale, rnp.multiply), (bias, rnp.add)):
        if numbers is not None:
            each = rnp.astype(as_tensor(numbers), x.dtype)
            if each.shape != x.shape[1:2]:
                raise TypeInferenceError(
                    f"scale and bias are {x.shape[1]} numbers, one a channel, not {each.value.type}"
                )
            x = combine(x, rnp.expand_dims(each, axis=axes))
    return x


def instance_norm(
    x: TensorLike, scale: TensorLike | None = None, bias: TensorLike | None = None, *, epsilon: float = 1e-5
) -> Tensor:
    """Each channel of each example normalised by itself: :func:`group_norm` with groups of one (Ulyanov et al., 2016).

    Args:
        x: ``(N, C, *spatial)`` with a known number of channels.
        scale: ``(C,)``; by default 1.
        bias: ``(C,)``; by default 0.
        epsilon: keeps the divisor from 0.

    Raises:
        TypeInferenceError: there is no spatial axis, or the number of channels is symbolic.

    Example:
        >>> instance_norm(rnp.asarray([[[1.0, 3.0], [10.0, 30.0]]]), epsilon=0.0)
        Tensor([[[-1.,  1.],
                 [-1.,  1.]]], dtype=float32)
    """
    value = as_tensor(x)
    if value.ndim < 3 or not isinstance(value.shape[1], int):
        raise TypeInferenceError(
            f"instance_norm needs (N, C, *spatial) with a known number of channels, not {value.value.type}"
        )
    with scope("instance_norm"):
        return group_norm(value, value.shape[1], scale, bias, epsilon=epsilon)


def weight_standardization(kernel: TensorLike, *, axis: int = 0, epsilon: float = 1e-5) -> Tensor:
    """A weight with mean 0 and variance 1 for each output (Qiao et al., 2019).

    Args:
        kernel: a weight with at least two axes.
        axis: the axis of the outputs: 0 of a kernel of :func:`rax.nn.conv`, -1 of a weight of :func:`rax.nn.dense`.
        epsilon: keeps the divisor from 0.

    Raises:
        TypeInferenceError: the weight has fewer axes.

    Example:
        >>> weight_standardization(rnp.asarray([[[1.0, 3.0]]]), epsilon=0.0)
        Tensor([[[-1.,  1.]]], dtype=float32)
    """
    value = Tensor(inexact(kernel, float32))
    if value.ndim < 2:
        raise TypeInferenceError(f"weight_standardization needs at least two axes, not {value.value.type}")
    with scope("weight_standardization"):
        moved = rnp.moveaxis(value, axis, 0)
        apart, deviation = _apart(moved, (1, value.ndim - 1), epsilon)
        return rnp.moveaxis(apart / deviation, 0, axis)


def spectral_norm(
    weight: TensorLike, vector: TensorLike, *, axis: int = 0, steps: int = 1, epsilon: float = 1e-12
) -> tuple[Tensor, Tensor]:
    """A weight divided by its largest singular value, estimated by power iteration (Miyato et al., 2018).

    No derivative flows through the vectors of the iteration, as in the paper.

    Args:
        weight: a weight with at least two axes, taken as a matrix of ``axis`` by all others.
        vector: ``(outputs,)``: the estimate of the left singular vector, the state; start it at random.
        axis: the axis of the outputs.
        steps: the number of iterations, at least 1.
        epsilon: the least a length counts as.

    Returns:
        ``(weight, vector)``: the weight normalised, and the state for the next call.

    Raises:
        TypeInferenceError: the shapes do not fit.
        RaxError: there are no steps.

    Example:
        >>> weight, _ = spectral_norm(rnp.asarray([[3.0, 0.0], [0.0, 1.0]]), rnp.asarray([1.0, 0.0]))
        >>> weight
        Tensor([[1.        , 0.        ],
                [0.        , 0.33333334]], dtype=float32)
    """
    value, left = Tensor(inexact(weight, float32)), as_tensor(vector)
    if value.ndim < 2 or left.shape != (value.shape[as_axis(axis, value.ndim)],):
        raise TypeInferenceError(
            f"spectral_norm needs a weight and a vector with one element for each output, "
            f"not {value.value.type} and {left.value.type}"
        )
    if steps < 1:
        raise RaxError(f"spectral_norm takes at least 1 step, not {steps}")
    with scope("spectral_norm"):
        moved = rnp.moveaxis(value, axis, 0)
        matrix = rnp.reshape(moved, (moved.shape[0], dims.product(moved.shape[1:])))
        fixed = stop_gradient(matrix)
        left = stop_gradient(rnp.astype(left, value.dtype))
        for _ in range(steps - 1):
            left = _unit(fixed @ _unit(left @ fixed, epsilon), epsilon)
        right = _unit(left @ fixed, epsilon)
        left = _unit(fixed @ right, epsilon)
        return value / (left @ (matrix @ right)), left


def _unit(x: Tensor, epsilon: float) -> Tensor:
    return x / rnp.maximum(rnp.sqrt(rnp.sum(rnp.square(x))), epsilon)


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
            counted = rnp.where(as_mask(where, "standardize"), counted, 0.0)
        count = rnp.maximum(rnp.sum(counted, axis=place, keepdims=True), 1.0)

        def average(numbers: Tensor) -> Tensor:
            return rnp.sum(rnp.where(counted > 0, numbers, 0.0), axis=place, keepdims=True) / count

        center = average(value) if mean is None else rnp.astype(as_tensor(mean), value.dtype)
        apart = value - center
        spread = average(rnp.square(apart)) if variance is None else rnp.astype(as_tensor(variance), value.dtype)
        return rnp.astype(apart / rnp.sqrt(spread + epsilon), given.dtype)
