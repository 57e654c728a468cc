"""Keys and raw bits: what every draw is made of."""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.trail import scope
from rax.ir.types import as_dtype, uint32, uint64
from rax.numpy.common import ShapeLike, as_shape
from rax.ops.random_bits import RandomBits, Threefry2x32

_WORD = 0xFFFFFFFF


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
