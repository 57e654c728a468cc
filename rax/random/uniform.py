"""Draws spread evenly: floating numbers, integers, truth values and signs."""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike, is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.errors import RaxError
from rax.ir.trail import scope
from rax.ir.types import DType, as_dtype, float32, float64, int64, uint8, uint16, uint32, uint64
from rax.numpy.common import ShapeLike
from rax.random.keys import bits, split

UNSIGNED = {1: uint8, 2: uint16, 4: uint32, 8: uint64}
MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
"""Stored bits of the mantissa."""


def floating(dtype: object, name: str) -> DType:
    """A floating dtype.

    Raises:
        RaxError: the dtype is another one.
    """
    wanted = as_dtype(dtype)
    if wanted.name not in MANTISSA:
        raise RaxError(f"{name} makes floating numbers, not {wanted}", fix="use one of " + ", ".join(MANTISSA))
    return wanted


def computing(dtype: DType) -> DType:
    """What a draw is computed in: float32 for half types."""
    return float32 if dtype.itemsize == 2 else dtype


def uniform(
    key: TensorLike, shape: ShapeLike = (), dtype: object = float32, minval: TensorLike = 0.0, maxval: TensorLike = 1.0
) -> Tensor:
    """Numbers spread evenly over ``[minval, maxval)``.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype; a draw has as many random bits as its mantissa.
        minval: the smallest number; broadcasts against ``shape``.
        maxval: past the largest number.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> uniform(key(0), (2,))
        Tensor([0.947667 , 0.9785799], dtype=float32)
    """
    wanted = floating(dtype, "uniform")
    mantissa = MANTISSA[wanted.name]
    # bfloat16 keeps 7 bits, which JAX takes from 8 random ones.
    width = 1 if mantissa < 8 else wanted.itemsize
    with scope("uniform"):
        drawn = bits(key, shape, UNSIGNED[width]) >> (8 * width - mantissa)
        unit = rnp.astype(drawn, wanted) * 2.0**-mantissa
        if is_number(minval) and is_number(maxval) and (minval, maxval) == (0, 1):
            return unit
        start, stop = as_tensor(minval, wanted), as_tensor(maxval, wanted)
        return rnp.maximum(start, unit * (stop - start) + start)


def bernoulli(key: TensorLike, p: TensorLike = 0.5, shape: ShapeLike | None = None) -> Tensor:
    """Truth values, true with probability ``p``.

    Args:
        key: ``uint32[2]``.
        p: the probability, a floating number or tensor.
        shape: the shape, against which ``p`` broadcasts; by default that of ``p``.

    Returns:
        A bool tensor.

    Example:
        >>> from rax.random.keys import key
        >>> bernoulli(key(42), rnp.asarray([0.0, 1.0]))
        Tensor([False,  True], dtype=bool)
    """
    chance = as_tensor(p)
    wanted = chance.dtype if chance.dtype.is_floating else float32
    with scope("bernoulli"):
        return uniform(key, chance.shape if shape is None else shape, wanted) < chance


def randint(key: TensorLike, shape: ShapeLike, minval: TensorLike, maxval: TensorLike, dtype: object = int64) -> Tensor:
    """Integers spread evenly over ``minval, minval + 1, …, maxval - 1``.

    Made of twice the bits of the dtype, by remainder: for a span ``n`` some numbers are likelier
    than others by at most ``n`` in ``2**64`` (dtypes of 32 bits and less) or ``2**128``.

    Args:
        key: ``uint32[2]``.
        shape: the shape, perhaps symbolic; bounds broadcast against it.
        minval: the smallest integer, within int64.
        maxval: one past the largest; where it is not above ``minval``, the result is ``minval``.
        dtype: an integer dtype that holds the bounds.

    Raises:
        RaxError: the dtype or a bound is not of integers.

    Example:
        >>> from rax.random.keys import key
        >>> randint(key(0), (8,), 0, 10)
        Tensor([5, 1, 5, 7, 3, 5, 4, 8], dtype=int64)
    """
    wanted = as_dtype(dtype)
    start, stop = as_tensor(minval), as_tensor(maxval)
    for dtype_found in (wanted, start.dtype, stop.dtype):
        if dtype_found.kind not in ("int", "uint"):
            raise RaxError(f"randint works on integers, not {dtype_found}", fix="use uniform for floating numbers")
    width = 8 if wanted.itemsize == 8 else 4
    unsigned = UNSIGNED[width]
    with scope("randint"):
        first, second = split(key)
        start, stop = rnp.astype(start, int64), rnp.astype(stop, int64)
        span = rnp.astype(rnp.where(stop > start, stop - start, 1), unsigned)
        half = rnp.asarray(2 ** (4 * width), dtype=unsigned) % span
        scaled = bits(first, shape, unsigned) % span * (half * half % span)
        offset = (scaled + bits(second, shape, unsigned) % span) % span
        return rnp.astype(start + rnp.astype(offset, int64), wanted)


def rademacher(key: TensorLike, shape: ShapeLike = (), dtype: object = int64) -> Tensor:
    """Signs: -1 or 1, each as likely.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a signed dtype.

    Example:
        >>> from rax.random.keys import key
        >>> rademacher(key(0), (4,)).shape
        (4,)
    """
    with scope("rademacher"):
        heads = rnp.astype(bits(key, shape) >> 31, int64)
        return rnp.astype(2 * heads - 1, as_dtype(dtype))


def sign_and_tail(key: TensorLike, shape: ShapeLike, dtype: DType) -> tuple[Tensor, Tensor]:
    """A side, and how much probability lies beyond, in (0, 1/2], from one word of random bits.

    The tail has as many digits as the dtype however small it is, so that a symmetric distribution made
    of it reaches as far on one side as on the other: to ``2**-33`` in float32, to ``2**-65`` in float64.

    Returns:
        Whether the draw is on the upper side, and the probability beyond it.
    """
    word = uint64 if dtype is float64 else uint32
    width = 8 * word.itemsize
    drawn = bits(key, shape, word)
    tail = (rnp.astype(drawn & (2 ** (width - 1) - 1), dtype) + 0.5) * 2.0**-width
    return drawn >> (width - 1) != 0, tail
