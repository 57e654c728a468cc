"""Positions of a sequence, for attention: sinusoids, rotations, biases.

Learned positions are rows of a table: ``rax.nn.embedding(table, rax.numpy.arange(length))``.
"""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.numpy.common import inexact
from rax.ops.reduction import computing_dtype


def _angles(positions: Tensor, size: int, base: float) -> Tensor:
    """``position / base ** (2 i / size)`` for the pairs ``i``: ``(*positions, size / 2)``."""
    places = rnp.astype(rnp.arange(size // 2), positions.dtype)
    return rnp.expand_dims(positions, axis=-1) * rnp.exp(places * (-2 * math.log(base) / size))


def _even(size: object, name: str) -> int:
    if not isinstance(size, int) or size % 2:
        raise TypeInferenceError(f"{name} works on pairs of features; {size} is no even number that is known")
    return size


def _joined(first: Tensor, second: Tensor, interleaved: bool) -> Tensor:
    """Two halves as one axis: one after the other, or in turns."""
    if not interleaved:
        return rnp.concat([first, second], axis=-1)
    paired = rnp.stack([first, second], axis=-1)
    return rnp.reshape(paired, (*first.shape[:-1], 2 * first.shape[-1]))


def sinusoidal_positions(
    positions: TensorLike, features: int, *, base: float = 10000.0, interleaved: bool = True
) -> Tensor:
    """Sines and cosines of positions at ``features / 2`` frequencies (Vaswani et al., 2017).

    The angles are ``position / base ** (2 i / features)``. Also the usual embedding of the time of a
    diffusion step.

    Args:
        positions: numbers of any shape; integers become float32.
        features: how many numbers for each position; even.
        base: what the slowest wave is slower by.
        interleaved: whether sines and cosines take turns, as in the paper; else all sines come first.

    Returns:
        ``(*positions.shape, features)``.

    Raises:
        TypeInferenceError: the number of features is odd.

    Example:
        >>> sinusoidal_positions(rnp.arange(2), 4).shape
        (2, 4)
    """
    size = _even(features, "sinusoidal_positions")
    with scope("sinusoidal_positions"):
        given = Tensor(inexact(positions, float32))
        angles = _angles(rnp.astype(given, computing_dtype(given.dtype)), size, base)
        return rnp.astype(_joined(rnp.sin(angles), rnp.cos(angles), interleaved), given.dtype)


def rotary(
    x: TensorLike, positions: TensorLike | None = None, *, base: float = 10000.0, interleaved: bool = False
) -> Tensor:
    """Each pair of features turned by an angle that grows with the position (Su et al., 2021).

    The product of a query and a key so turned depends on the distance of their positions only. There
    are two conventions for what is a pair; weights trained with one do not fit the other.

    Args:
        x: ``(*lead, time, heads, features)``; half types are computed in float32.
        positions: ``(time,)`` or ``(*lead, time)``; by default ``0, 1, …``.
        base: the angle of pair ``i`` at position ``p`` is ``p / base ** (2 i / features)``.
        interleaved: whether features ``2 i`` and ``2 i + 1`` are a pair, as in the paper and GPT-J;
            else ``i`` and ``i + features / 2``, as in GPT-NeoX and Llama.

    Raises:
        TypeInferenceError: the number of features is odd, or the shapes do not fit.

    Example:
        >>> rotary(rnp.ones((2, 1, 2)))[0]
        Tensor([[1., 1.]], dtype=float32)
    """
    given = Tensor(inexact(x, float32))
    if given.ndim < 3:
        raise TypeInferenceError(f"rotary needs (*lead, time, heads, features), not {given.value.type}")
    size = _even(given.shape[-1], "rotary")
    places = rnp.arange(given.shape[-3]) if positions is None else as_tensor(positions)
    if places.shape not in (given.shape[-3:-2], given.shape[:-2]):
        raise TypeInferenceError(f"rotary of {given.value.type} needs a position each time, not {places.value.type}")
    with scope("rotary"):
        value = rnp.astype(given, computing_dtype(given.dtype))
        angles = rnp.expand_dims(_angles(rnp.astype(places, value.dtype), size, base), axis=-2)
        if interleaved:
            pairs = rnp.reshape(value, (*value.shape[:-1], size // 2, 2))
            first, second = pairs[..., 0], pairs[..., 1]
        else:
            first, second = value[..., : size // 2], value[..., size // 2 :]
        sine, cosine = rnp.sin(angles), rnp.cos(angles)
        turned = _joined(first * cosine - second * sine, first * sine + second * cosine, interleaved)
        return rnp.astype(turned, given.dtype)


def alibi(heads: int, query_length: Size, key_length: Size, dtype: object = float32) -> Tensor:
    """The bias of attention with linear biases: minus the distance times a slope for each head (Press et al., 2021).

    The slopes of ``n`` heads are ``2 ** (-8 i / n)``; where ``n`` is no power of two they are those
    of the power below, then every other one of the power above.

    Args:
        heads: how many.
        query_length: perhaps symbolic.
        key_length: perhaps symbolic.
        dtype: a floating dtype.

    Returns:
        ``(heads, query_length, key_length)``.

    Raises:
        RaxError: there is no head.

    Example:
        >>> alibi(8, 1, 3)[0]
        Tensor([[-0. , -0.5, -1. ]], dtype=float32)
    """
    if heads < 1:
        raise RaxError(f"alibi needs at least one head, not {heads}")
    whole = 2 ** (heads.bit_length() - 1)
    slopes = [2 ** (-8 * place / whole) for place in range(1, whole + 1)]
    slopes += [2 ** (-4 * place / whole) for place in range(1, 2 * whole, 2)][: heads - whole]
    with scope("alibi"):
        apart = rnp.expand_dims(rnp.arange(query_length), axis=1) - rnp.arange(key_length)
        return -rnp.astype(rnp.abs(apart), dtype) * rnp.asarray(slopes, dtype=dtype)[:, None, None]
