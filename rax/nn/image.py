"""Images ``(N, C, *spatial)`` in other sizes: interpolation, and channels traded for pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Dim, Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.nn.convolution import PerAxis, each
from rax.numpy.common import as_list, inexact
from rax.ops.creation import dim_size
from rax.ops.reduction import computing_dtype

Method = Literal["nearest", "linear", "cubic", "lanczos3", "lanczos5"]


def _linear(x: Tensor) -> Tensor:
    return rnp.maximum(1 - x, 0.0)


def _cubic(x: Tensor) -> Tensor:
    """Keys' kernel (1981) with a = -1/2."""
    near, far = ((1.5 * x - 2.5) * x * x) + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return rnp.where(x < 1, near, rnp.where(x < 2, far, 0.0))


def _lanczos(radius: float) -> Callable[[Tensor], Tensor]:
    def kernel(x: Tensor) -> Tensor:
        none = x == 0
        angle = math.pi * rnp.where(none, 1.0, x)
        wave = radius * rnp.sin(angle) * rnp.sin(angle / radius) / rnp.square(angle)
        return rnp.where(x < radius, rnp.where(none, 1.0, wave), 0.0)

    return kernel


KERNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": _linear,
    "cubic": _cubic,
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
}
"""By method, the weight of an element at a distance from the place that is asked for."""


def _weights(old: Size, new: Size, method: str, antialias: bool, like: Tensor) -> Tensor:
    """``(old, new)``: how much each old element has of each new one; every column sums to 1."""
    before, after = Tensor(dim_size(old, like.dtype)), Tensor(dim_size(new, like.dtype))
    step = before / after
    spread = rnp.maximum(step, 1.0) if antialias else rnp.ones_like(step)
    places = (rnp.arange(new) + 0.5) * step - 0.5
    distance = rnp.abs(places - rnp.expand_dims(rnp.astype(rnp.arange(old), like.dtype), axis=1)) / spread
    weights = KERNELS[method](distance)
    return weights / rnp.sum(weights, axis=0, keepdims=True)


def _nearest(old: Size, new: Size) -> Tensor:
    """The old element in whose pixel the middle of each new one lies."""
    before, after = Tensor(dim_size(old)), Tensor(dim_size(new))
    return (2 * rnp.arange(new) + 1) * before // (2 * after)


def resize(x: TensorLike, size: Sequence[Size] | Size, method: Method = "linear", antialias: bool = True) -> Tensor:
    """Interpolate to other spatial sizes; pixels are squares, whose middles are half a pixel from the edge.

    A place beyond the middles of the outermost pixels takes the elements that there are, their
    weights divided by their sum, as ``jax.image.resize`` does. Half types are computed in float32.

    Args:
        x: ``(N, C, *spatial)``; integers become float32, but for ``"nearest"``, which keeps any dtype.
        size: the new spatial sizes, perhaps symbolic; one number is for all axes.
        method: ``"nearest"``, ``"linear"`` (bilinear for two axes), ``"cubic"`` (Keys' with a = -1/2),
            ``"lanczos3"`` or ``"lanczos5"``.
        antialias: whether to widen the kernel when shrinking, so that every element counts.

    Returns:
        ``(N, C, *size)``.

    Raises:
        RaxError: there is no such method, or another number of sizes.
        TypeInferenceError: there is no spatial axis, or one is empty.

    Example:
        >>> resize(rnp.asarray([[[0.0, 4.0]]]), 4)
        Tensor([[[0., 1., 3., 4.]]], dtype=float32)
    """
    given = as_tensor(x) if method == "nearest" else Tensor(inexact(x, float32))
    count = given.ndim - 2
    if count < 1:
        raise TypeInferenceError(f"resize needs (N, C, *spatial), not {given.value.type}")
    sizes = [dims.dim(item) for item in (as_list(size) * count if isinstance(size, (int, Dim)) else size)]
    if len(sizes) != count:
        raise RaxError(f"size has {len(sizes)} numbers, and there are {count} spatial axes")
    if method != "nearest" and method not in KERNELS:
        raise RaxError(f"method is one of 'nearest', {', '.join(map(repr, KERNELS))}, not {method!r}")
    with scope("resize"):
        result = given if method == "nearest" else rnp.astype(given, computing_dtype(given.dtype))
        for axis, new in enumerate(sizes, start=2):
            old = given.shape[axis]
            if old == new:
                continue
            if old == 0:
                raise TypeInferenceError(f"axis {axis} of {given.value.type} is empty; there is nothing to interpolate")
            if method == "nearest":
                result = rnp.take(result, _nearest(old, new), axis=axis)
            else:
                moved = rnp.moveaxis(result, axis, -1) @ _weights(old, new, method, antialias, result)
                result = rnp.moveaxis(moved, -1, axis)
        return rnp.astype(result, given.dtype)


def upsample(x: TensorLike, factor: PerAxis, method: Method = "nearest") -> Tensor:
    """Make images larger by whole factors, see :func:`resize`.

    Args:
        x: ``(N, C, *spatial)``.
        factor: how many times as large, for all spatial axes or for each.
        method: as for :func:`resize`.

    Raises:
        RaxError: there is another number of factors, or of axes.

    Example:
        >>> upsample(rnp.asarray([[[1.0, 2.0]]]), 2)
        Tensor([[[1., 1., 2., 2.]]], dtype=float32)
    """
    value = as_tensor(x)
    factors = each(factor, max(value.ndim - 2, 0), "factor")
    return resize(value, [size * times for size, times in zip(value.shape[2:], factors, strict=True)], method)


def _blocks(x: TensorLike, factor: int, name: str) -> Tensor:
    value = as_tensor(x)
    if value.ndim < 3:
        raise TypeInferenceError(f"{name} needs (N, C, *spatial), not {value.value.type}")
    if factor < 1:
        raise RaxError(f"{name} needs a positive factor, not {factor}")
    return value


def _quotient(size: Size, divisor: int, what: str) -> Size:
    share = dims.floor_divide(size, divisor)
    if share * divisor != size:
        raise TypeInferenceError(f"{what} {size} is no multiple of {divisor}")
    return share


def pixel_shuffle(x: TensorLike, factor: int) -> Tensor:
    """Trade channels for pixels: ``(N, C * factor**d, *spatial)`` to ``(N, C, *spatial * factor)`` (Shi et al., 2016).

    Args:
        x: images with d spatial axes; their channels are ordered ``(C, *blocks)``, as PyTorch has them.
        factor: the side of a block.

    Raises:
        TypeInferenceError: the channels do not divide into blocks.
        RaxError: the factor is not positive.

    Example:
        >>> pixel_shuffle(rnp.reshape(rnp.arange(4), (1, 4, 1, 1)), 2)
        Tensor([[[[0, 1],
                  [2, 3]]]], dtype=int64)
    """
    value = _blocks(x, factor, "pixel_shuffle")
    batch, channels, *spatial = value.shape
    count = len(spatial)
    kept = _quotient(channels, factor**count, "pixel_shuffle: the number of channels")
    with scope("pixel_shuffle"):
        parts = rnp.reshape(value, (batch, kept, *[factor] * count, *spatial))
        order = [place for axis in range(count) for place in (2 + count + axis, 2 + axis)]
        return rnp.reshape(rnp.permute_dims(parts, (0, 1, *order)), (batch, kept, *[size * factor for size in spatial]))


def pixel_unshuffle(x: TensorLike, factor: int) -> Tensor:
    """Trade pixels for channels: the inverse of :func:`pixel_shuffle`.

    Args:
        x: ``(N, C, *spatial)``, each spatial size a multiple of the factor.
        factor: the side of a block.

    Raises:
        TypeInferenceError: a size does not divide into blocks.
        RaxError: the factor is not positive.

    Example:
        >>> pixel_unshuffle(rnp.reshape(rnp.arange(4), (1, 1, 2, 2)), 2).shape
        (1, 4, 1, 1)
    """
    value = _blocks(x, factor, "pixel_unshuffle")
    batch, channels, *spatial = value.shape
    count = len(spatial)
    shares = [_quotient(size, factor, "pixel_unshuffle: the size") for size in spatial]
    with scope("pixel_unshuffle"):
        parts = rnp.reshape(value, (batch, channels, *[part for share in shares for part in (share, factor)]))
        order = (*range(3, 3 + 2 * count, 2), *range(2, 2 + 2 * count, 2))
        return rnp.reshape(rnp.permute_dims(parts, (0, 1, *order)), (batch, channels * factor**count, *shares))
