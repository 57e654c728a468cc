"""Random numbers as pure functions of a key.

There is no hidden state. A key is a tensor ``uint32[2]``; the same key gives the same numbers on every
machine and backend, so split it and use each part once::

    key, drop_key = random.split(key)

Bits come from Threefry-2x32. ``key``, ``split``, ``fold_in``, ``bits``, ``uniform``, ``randint``,
``bernoulli`` and ``exponential`` give the numbers of JAX's functions of that name (its default,
"partitionable" Threefry, with 64-bit types enabled); the others have distributions of their own making.
"""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike, is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Dim, Shape
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.trail import scope
from rax.ir.types import DType, as_dtype, float32, int64, uint8, uint16, uint32, uint64
from rax.numpy.common import ShapeLike, as_shape
from rax.ops.random_bits import RandomBits, Threefry2x32

__all__ = [
    "bernoulli", "bits", "categorical", "exponential", "fold_in", "gumbel", "key", "normal", "permutation",
    "randint", "split", "uniform",
]  # fmt: skip

_UNSIGNED = {1: uint8, 2: uint16, 4: uint32, 8: uint64}
_WORD = 0xFFFFFFFF
_MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
_LEAST = {"float16": -14, "bfloat16": -126, "float32": -126, "float64": -1022}
"""Stored bits of the mantissa, and the exponent of the smallest normal number."""


def key(seed: TensorLike) -> Tensor:
    """A key from an integer: its high and its low 32 bits.

    Args:
        seed: an integer of 64 bits, or an integer tensor of shape ``()``.

    Returns:
        ``uint32[2]``.

    Raises:
        RaxError: the seed is no integer scalar.

    Example:
        >>> key(2**40 + 5)
        Tensor([256,   5], dtype=uint32)
    """
    if isinstance(seed, int):
        if not -(2**63) <= seed < 2**64:
            raise RaxError(f"a seed has 64 bits; {seed} has more", fix="use a smaller one")
        return rnp.asarray([seed >> 32 & _WORD, seed & _WORD], dtype=uint32)
    return _words(_integer(seed, "a seed"))


def _integer(number: TensorLike, what: str) -> Tensor:
    """An integer scalar as uint64."""
    tensor = as_tensor(number)
    if tensor.shape != () or tensor.dtype.kind not in ("int", "uint"):
        raise RaxError(f"{what} is an integer scalar, not {tensor.value.type}", fix="cast it to int64")
    return rnp.astype(tensor, uint64)


def _words(numbers: Tensor) -> Tensor:
    """Each uint64 as two 32-bit words, high first, along a new last axis."""
    return rnp.stack([rnp.astype(numbers >> 32, uint32), rnp.astype(numbers & _WORD, uint32)], axis=-1)


def _key_words(key: TensorLike) -> Value:
    """What a key holds."""
    value = as_tensor(key).value
    if value.dtype is not uint32 or value.shape[-1:] != (2,):
        raise TypeInferenceError(
            f"a key is a tensor uint32[2], not {value.type}", fix="make one with rax.random.key(seed)"
        )
    return value


def split(key: TensorLike, num: ShapeLike = 2) -> Tensor:
    """New keys, independent of each other and of what else comes from ``key``.

    Args:
        key: ``uint32[..., 2]``.
        num: how many, or a shape of them.

    Returns:
        ``uint32[..., *num, 2]``; iterate, or unpack as in ``first, second = split(key)``.

    Example:
        >>> split(key(0))
        Tensor([[1797259609, 2579123966],
                [ 928981903, 3453687069]], dtype=uint32)
    """
    with scope("split"):
        return _words(Tensor(RandomBits(as_shape(num), uint64)(_key_words(key))))


def fold_in(key: TensorLike, data: TensorLike) -> Tensor:
    """A new key from a key and an integer, such as the number of a layer or of a step.

    Args:
        key: ``uint32[2]``.
        data: an integer, or an integer tensor of shape ``()``; its low 32 bits count.

    Returns:
        ``uint32[2]``; row ``data`` of ``split(key, n)`` for any larger ``n``.

    Raises:
        RaxError: the integer is no scalar.

    Example:
        >>> fold_in(key(0), 1)
        Tensor([ 928981903, 3453687069], dtype=uint32)
    """
    with scope("fold_in"):
        counter = _words(_integer(data, "the data of fold_in") & _WORD)
        return Tensor(Threefry2x32()(_key_words(key), counter.value))


def bits(key: TensorLike, shape: ShapeLike = (), dtype: object = uint32) -> Tensor:
    """Uniform random bits.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: an unsigned integer dtype.

    Raises:
        RaxError: the dtype is another one.

    Example:
        >>> bits(key(0), (2,))
        Tensor([4070199207, 4202968722], dtype=uint32)
    """
    wanted = as_dtype(dtype)
    if wanted.kind != "uint":
        raise RaxError(f"bits are of an unsigned dtype, not {wanted}", fix="use randint for signed integers")
    drawn = uint64 if wanted is uint64 else uint32
    return rnp.astype(Tensor(RandomBits(as_shape(shape), drawn)(_key_words(key))), wanted)


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
        >>> uniform(key(0), (2,))
        Tensor([0.947667 , 0.9785799], dtype=float32)
    """
    wanted = _floating(dtype, "uniform")
    mantissa = _MANTISSA[wanted.name]
    # bfloat16 keeps 7 bits, which JAX takes from 8 random ones.
    width = 1 if mantissa < 8 else wanted.itemsize
    with scope("uniform"):
        drawn = bits(key, shape, _UNSIGNED[width]) >> (8 * width - mantissa)
        unit = rnp.astype(drawn, wanted) * 2.0**-mantissa
        if is_number(minval) and is_number(maxval) and (minval, maxval) == (0, 1):
            return unit
        start, stop = as_tensor(minval, wanted), as_tensor(maxval, wanted)
        return rnp.maximum(start, unit * (stop - start) + start)


def _floating(dtype: object, name: str) -> DType:
    wanted = as_dtype(dtype)
    if not wanted.is_floating:
        raise RaxError(f"{name} makes floating numbers, not {wanted}", fix="use one of " + ", ".join(_MANTISSA))
    return wanted


def normal(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the standard normal distribution, by Box and Muller's transform (1958).

    ``sqrt(-2 log(1 - u)) * cos(2 pi v)`` of two uniform numbers each; half types are computed in
    float32. The largest in float32 is ``sqrt(46 log 2) = 5.6``, met once in 16 million.

    Args:
        key: ``uint32[2]``.
        shape: the shape, perhaps symbolic.
        dtype: a floating dtype.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> normal(key(0), (3,)).shape
        (3,)
    """
    wanted = _floating(dtype, "normal")
    with scope("normal"):
        pair = uniform(key, (2, *as_shape(shape)), float32 if wanted.itemsize == 2 else wanted)
        radius = rnp.sqrt(-2.0 * rnp.log1p(-pair[0]))
        return rnp.astype(radius * rnp.cos(2 * math.pi * pair[1]), wanted)


def exponential(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the exponential distribution with mean 1: ``-log(1 - u)``.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> round(float(exponential(key(0))), 4)
        2.9501
    """
    with scope("exponential"):
        return -rnp.log1p(-uniform(key, shape, _floating(dtype, "exponential")))


def gumbel(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the standard Gumbel distribution: ``-log(-log(u))``.

    The argmax of ``logits + gumbel`` is a draw from ``softmax(logits)``.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> gumbel(key(0), (2, 3)).shape
        (2, 3)
    """
    wanted = _floating(dtype, "gumbel")
    with scope("gumbel"):
        return -rnp.log(-rnp.log(uniform(key, shape, wanted, 2.0 ** _LEAST[wanted.name], 1.0)))


def bernoulli(key: TensorLike, p: TensorLike = 0.5, shape: ShapeLike | None = None) -> Tensor:
    """Truth values, true with probability ``p``.

    Args:
        key: ``uint32[2]``.
        p: the probability, a floating number or tensor.
        shape: the shape, against which ``p`` broadcasts; by default that of ``p``.

    Returns:
        A bool tensor.

    Example:
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
        >>> randint(key(0), (8,), 0, 10)
        Tensor([5, 1, 5, 7, 3, 5, 4, 8], dtype=int64)
    """
    wanted = as_dtype(dtype)
    start, stop = as_tensor(minval), as_tensor(maxval)
    for dtype_found in (wanted, start.dtype, stop.dtype):
        if dtype_found.kind not in ("int", "uint"):
            raise RaxError(f"randint works on integers, not {dtype_found}", fix="use uniform for floating numbers")
    width = 8 if wanted.itemsize == 8 else 4
    unsigned = _UNSIGNED[width]
    with scope("randint"):
        first, second = split(key)
        start, stop = rnp.astype(start, int64), rnp.astype(stop, int64)
        span = rnp.astype(rnp.where(stop > start, stop - start, 1), unsigned)
        half = rnp.asarray(2 ** (4 * width), dtype=unsigned) % span
        scaled = bits(first, shape, unsigned) % span * (half * half % span)
        offset = (scaled + bits(second, shape, unsigned) % span) % span
        return rnp.astype(start + rnp.astype(offset, int64), wanted)


def permutation(key: TensorLike, x: int | Dim | str | TensorLike, axis: int = 0) -> Tensor:
    """A tensor with its slices along one axis in random order.

    Args:
        key: ``uint32[2]``.
        x: the tensor; or a size, perhaps symbolic, for a permutation of ``0, 1, …, x - 1``.
        axis: the axis.

    Raises:
        RaxError: ``x`` is a scalar that is no size.

    Example:
        >>> sorted(permutation(key(0), 4).tolist())
        [0, 1, 2, 3]
    """
    with scope("permutation"):
        if isinstance(x, (int, Dim, str)):
            return _order(key, dims.as_shape(x))
        whole = as_tensor(x)
        if not whole.ndim:
            raise RaxError(f"permutation needs an axis; {whole.value.type} has none", fix="give an int, or a vector")
        return rnp.take(whole, _order(key, (whole.shape[axis],)), axis=axis)


def _order(key: TensorLike, shape: Shape) -> Tensor:
    # Two of n draws of 64 bits are equal once in 2**65 / n**2; those keep their order.
    return rnp.argsort(bits(key, shape, uint64))


def categorical(key: TensorLike, logits: TensorLike, axis: int = -1, shape: ShapeLike | None = None) -> Tensor:
    """Indices drawn from ``softmax(logits)`` along one axis, by the Gumbel trick.

    Args:
        key: ``uint32[2]``.
        logits: unnormalised log probabilities.
        axis: the axis of the categories, which disappears.
        shape: the shape of the result, which ends in that of ``logits`` without ``axis``; that is
            the default.

    Returns:
        ``int64``.

    Example:
        >>> categorical(key(0), rnp.asarray([-30.0, 0.0, -30.0]), shape=(4,))
        Tensor([1, 1, 1, 1], dtype=int64)
    """
    scores = as_tensor(logits)
    place = axis if axis < 0 else axis - scores.ndim
    rest = [size for index, size in enumerate(scores.shape) if index != scores.ndim + place]
    lead = () if shape is None else as_shape(shape)[: len(as_shape(shape)) - len(rest)]
    with scope("categorical"):
        noise = gumbel(key, (*lead, *scores.shape), scores.dtype)
        return rnp.argmax(scores + noise, axis=place)
