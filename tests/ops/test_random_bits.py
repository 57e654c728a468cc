"""Random bits against published answers."""

from __future__ import annotations

import numpy as np
import pytest

from rax.ir.node import Value
from rax.ir.types import tensor_type, uint32, uint64
from rax.ops.random_bits import RandomBits, Words, threefry
from tests.ops.symbolic import check_symbolic

Pair = tuple[int, int]
# The known answers that come with Random123: key, counter, result.
KNOWN = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


def words(*numbers: int) -> tuple[Words, Words]:
    high, low = (np.array([number], np.uint32) for number in numbers)
    return high, low


@pytest.mark.parametrize(("key", "counter", "expected"), KNOWN)
def test_threefry_gives_the_published_answers(key: Pair, counter: Pair, expected: Pair) -> None:
    assert tuple(int(word[0]) for word in threefry(words(*key), words(*counter))) == expected


def test_bits_are_the_cipher_of_the_position() -> None:
    key = np.array([7, 11], np.uint32)
    pairs = [threefry(words(7, 11), words(0, position)) for position in range(6)]
    joined = [(int(high[0]) << 32) | int(low[0]) for high, low in pairs]
    mixed = [int(high[0]) ^ int(low[0]) for high, low in pairs]
    assert RandomBits((2, 3), uint64).reference(key).reshape(-1).tolist() == joined
    assert RandomBits((2, 3), uint32).reference(key).reshape(-1).tolist() == mixed
    assert RandomBits((), uint64).reference(key).tolist() == joined[0]


def test_each_key_draws_its_own_bits() -> None:
    keys = np.array([[[0, 0]], [[13, 17]]], np.uint32)
    together = RandomBits((4,)).reference(keys)
    assert together.shape == (2, 1, 4)
    for key, row in zip(keys[:, 0], together[:, 0], strict=True):
        np.testing.assert_array_equal(row, RandomBits((4,)).reference(key))


def test_bits_look_random() -> None:
    bits = RandomBits((1 << 16,)).reference(np.array([1, 2], np.uint32))
    ones = np.unpackbits(bits.view(np.uint8)).reshape(-1, 32).mean(0)
    # Each mean of 2**16 fair bits lies within 5 standard deviations of a half.
    assert np.all(np.abs(ones - 0.5) < 5 * 0.5 / 2**8)
    assert len(np.unique(bits)) > 65_500


def test_named_dims_change_nothing() -> None:
    def build(key: Value, x: Value) -> Value:
        return RandomBits((2, x.shape[0]))(key)

    sizes = ({"k": 2, "n": 3}, {"k": 0, "n": 0})
    check_symbolic(build, tensor_type(("k", 2), "uint32"), tensor_type(("n",)), sizes=sizes)
