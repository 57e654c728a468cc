"""Random bits from a key: a pure function, so every backend draws the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import op
from rax.ir.types import DType, TensorType, int32, uint32, uint64
from rax.ops.algebra import all_batched
from rax.ops.arrays import Array, concrete
from rax.ops.families import Nondifferentiable
from rax.ops.samples import Reject, integers, normal, reject, sample

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
KEY = integers(2, low=0, high=2**32, dtype="uint32")
Words = np.ndarray[Any, np.dtype[np.uint32]]


def threefry(key: tuple[Words, Words], counter: tuple[Words, Words]) -> tuple[Words, Words]:
    """Threefry-2x32 with 20 rounds: two key words and two counter words to two random words.

    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. Words are uint32 arrays
    of at least one axis that broadcast; sums wrap around.
    """
    schedule = (*key, key[0] ^ key[1] ^ _PARITY)
    x, y = counter[0] + key[0], counter[1] + key[1]
    for step in range(5):
        for rotation in _ROTATIONS[step % 2]:
            x = x + y
            y = (y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))
            y = y ^ x
        x = x + schedule[(step + 1) % 3]
        y = y + schedule[(step + 2) % 3] + np.uint32(step + 1)
    return x, y


@op("random_bits", since=1)
class RandomBits(Nondifferentiable):
    """Uniform random bits of a shape, for each key: ``(*keys, 2)`` gives ``(*keys, *shape)``.

    Element ``i``, in row-major order, is Threefry-2x32 of the key with the counter ``i``, high word
    first. A uint64 joins the two words, high first; a uint32 is their exclusive or. These are
    the bits of JAX's partitionable Threefry.
    """

    shape: Shape
    dtype: DType = uint32

    arity = 1
    dtypes = ("uint32",)
    nondiff = "random bits are integers"

    def result(self, *operands: TensorType) -> TensorType:
        key = self.require(*operands)
        if key.ndim < 1 or key.shape[-1] != 2:
            raise TypeInferenceError(f"random_bits needs keys of shape (..., 2), not {dims.shape_text(key.shape)}")
        if self.dtype not in (uint32, uint64):
            raise TypeInferenceError(f"random_bits makes uint32 or uint64, not {self.dtype}")
        if any(isinstance(size, int) and size < 0 for size in self.shape):
            raise TypeInferenceError(f"the shape {dims.shape_text(self.shape)} has a negative size")
        return TensorType(self.dtype, (*key.shape[:-1], *self.shape))

    def reference(self, *arrays: Array) -> Array:
        (key,) = arrays
        shape = concrete(self.shape)
        index = np.arange(int(np.prod(shape)), dtype=np.uint64)
        counter = ((index >> np.uint64(32)).astype(np.uint32), index.astype(np.uint32))
        high, low = threefry((key[..., 0, None], key[..., 1, None]), counter)
        bits = high ^ low if self.dtype is uint32 else (high.astype(np.uint64) << np.uint64(32)) | low
        return bits.reshape((*key.shape[:-1], *shape))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*operands)

    samples = (
        sample(KEY, shape=(5,)),
        sample(KEY, shape=(), dtype=uint64),
        sample(integers(3, 2, low=0, high=2**32, dtype="uint32"), shape=(2, 2)),
        sample(integers(3, 1, 2, low=0, high=2**32, dtype="uint32"), shape=(3,), dtype=uint64),
        sample(KEY, shape=(0, 3)),
        sample(integers(0, 2, low=0, high=2**32, dtype="uint32"), shape=(2,)),
    )
    rejects = (
        reject(normal(2), shape=(2,), match="random_bits is not defined on float32"),
        Reject((KEY,), "makes uint32 or uint64, not int32", {"shape": (), "dtype": int32}),
        reject(integers(3, low=0, high=9, dtype="uint32"), shape=(2,), match="keys of shape (..., 2), not [3]"),
    )


@op("threefry2x32", since=1)
class Threefry2x32(Nondifferentiable):
    """Threefry-2x32 of each key with the counter in its place: two words from two words and two.

    Key, counter and result have shape ``(..., 2)``, high word first; with a counter ``i`` the
    result holds the two words of element ``i`` of ``random_bits``.
    """

    arity = 2
    dtypes = ("uint32",)
    nondiff = "random bits are integers"

    def result(self, *operands: TensorType) -> TensorType:
        key, counter = operands
        self.require(key, counter)
        if key.ndim < 1 or key.shape[-1] != 2 or counter.shape != key.shape:
            shown = f"{dims.shape_text(key.shape)} and {dims.shape_text(counter.shape)}"
            raise TypeInferenceError(f"threefry2x32 needs keys and counters of one shape (..., 2), not {shown}")
        return key

    def reference(self, *arrays: Array) -> Array:
        key, counter = arrays
        words = threefry((key[..., 0, None], key[..., 1, None]), (counter[..., 0, None], counter[..., 1, None]))
        return np.concatenate(words, axis=-1)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return self(*all_batched(size, batched, operands))

    samples = (
        sample(KEY, KEY),
        sample(integers(3, 2, low=0, high=2**32, dtype="uint32"), integers(3, 2, low=0, high=2**32, dtype="uint32")),
        sample(integers(0, 2, low=0, high=2**32, dtype="uint32"), integers(0, 2, low=0, high=1, dtype="uint32")),
    )
    rejects = (
        reject(normal(2), normal(2), match="threefry2x32 is not defined on float32"),
        reject(KEY, integers(3, 2, low=0, high=9, dtype="uint32"), match="one shape (..., 2), not [2] and [3, 2]"),
    )
