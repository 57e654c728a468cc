"""Arguments that are not what they should be: an error of rax's that says so, and none from within."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax

# What is wrong on purpose is no business of the type checker.
rnp: Any = rax.numpy
nn: Any = rax.nn
special: Any = rax.special
random: Any = rax.random
KEY = np.array([1, 2], np.uint32)
MATRIX = np.array([[1.0, 2.0], [3.0, 4.5]], np.float32)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: rnp.sort(x, axis=1.5), "an axis is an integer, not 1.5"),
        (lambda x: nn.softmax(x, axis=(0, 1)), r"an axis is an integer, not \(0, 1\)"),
        (lambda x: rnp.cumulative_sum(x, axis="rows"), "an axis is an integer, not 'rows'"),
        (lambda x: rnp.sum(x, axis=0.5), "an axis or a size is an integer, not 0.5"),
        (lambda x: rnp.reshape(x, 4.0), "an axis or a size is an integer, not 4.0"),
        (lambda x: rnp.permute_dims(x, None), "an axis or a size is an integer, not None"),
        (lambda x: rnp.fft.fft2(x, axes=0.5), "an axis or a size is an integer, not 0.5"),
        (lambda x: rnp.fft.fft2(x, s=4.5, axes=(0, 1)), "an axis or a size is an integer, not 4.5"),
        (lambda x: rnp.split(x, None), "an axis or a size is an integer, not None"),
        (lambda x: rnp.diag(x, k=0.5), "the number of a diagonal is an integer, not 0.5"),
        (lambda x: rnp.diag(x[0], k=0.5), "the number of a diagonal is an integer, not 0.5"),
        (lambda x: rnp.tril(x, k=None), "the number of a diagonal is an integer, not None"),
        (lambda x: rnp.triu_indices(2.5), "a number of rows is an integer, not 2.5"),
        (lambda x: rnp.tril_indices(rax.input("x", ("n",)).shape[0]), "the positions of a triangle need sizes"),
        (lambda x: rnp.roll(x, 1.5), "a shift is an integer, not 1.5"),
        (lambda x: rnp.rot90(x, 0.5), "a number of turns is an integer, not 0.5"),
        (lambda x: rnp.top_k(x, 1.0), "the number of elements is an integer, not 1.0"),
        (lambda x: rnp.diff(x, n=1.0), "how often diff is taken is an integer, not 1.0"),
        (lambda x: rnp.tensordot(x, x, axes=None), "a number of axes is an integer, not None"),
        (lambda x: rnp.linspace(0, 1, 2.5), "a number of numbers is an integer, not 2.5"),
        (lambda x: rnp.arange(x), "arange takes real numbers and sizes"),
        (lambda x: rnp.arange("a"), "arange takes real numbers and sizes, not 'a'"),
        (lambda x: rnp.polyder(x[0], 0.5), "the order is an integer, not 0.5"),
        (lambda x: rnp.polyint(x[0], 0.5), "the order is an integer, not 0.5"),
        (lambda x: rnp.linalg.matrix_power(x, 0.5), "the power is an integer, not 0.5"),
        (lambda x: special.polygamma(0.5, x), "the order is an integer, not 0.5"),
        (lambda x: special.multigammaln(x, 0.5), "the dimension is an integer, not 0.5"),
        (lambda x: random.permutation(KEY, x, axis=7), "axis 7 is out of range"),
        (lambda x: random.choice(KEY, x, (2,), axis=None), "an axis is an integer, not None"),
        (lambda x: nn.spectral_norm(x, x[0], axis=2), "axis 2 is out of range"),
        (lambda x: nn.he_normal(KEY, 3), "a weight has at least two axes, not the shape 3"),
    ],
)
def test_what_is_no_integer_is_refused(call: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(rax.RaxError, match=text):
        call(rnp.asarray(MATRIX))


def test_a_tensor_without_a_value_says_so() -> None:
    place = rax.input("place", (), "int64")
    for call in (lambda: rnp.sum(MATRIX, axis=place), lambda: rnp.arange(place), lambda: rnp.roll(MATRIX, place)):
        with pytest.raises(rax.RaxError, match="depends on the input 'place'"):
            call()


def test_arrays_stand_for_integers() -> None:
    assert rnp.sum(MATRIX, axis=np.array([0, 1])).shape == ()
    assert rnp.sum(MATRIX, axis=np.array(1)).shape == (2,)
    assert rnp.zeros(np.array([2, 3])).shape == (2, 3)
    assert rnp.arange(np.array(3)).tolist() == rnp.arange(rnp.asarray(3)).tolist() == [0, 1, 2]
