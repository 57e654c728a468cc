"""Convolution, correlation and polynomials, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, batches, differentiable, draw, same


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_every_pair_of_lengths(name: str, mode: Any) -> None:
    ours, numpys = getattr(rnp, name), getattr(np, name)
    for first in range(1, 6):
        for second in range(1, 6):
            a, v = draw((first,), "complex128"), draw((second,), "complex128", 1)
            same(ours(a, v, mode), numpys(a, v, mode))
    agree(lambda a, v: ours(a, v, mode), lambda a, v: numpys(a, v, mode), draw((5,), "int32"), draw((2,), "int32"))
    differentiable(lambda a, v: ours(a, v, mode), draw((5,), "float64"), draw((3,), "float64"))
    differentiable(lambda a, v: ours(a, v, mode), draw((2,), "complex128"), draw((3,), "complex128"))
    batches(lambda a, v: ours(a, v, mode), draw((5,), "float64"), draw((3,), "float64"))
    agree_symbolic(lambda a: ours(a, rnp.asarray([1.0, 2.0]), mode), lambda a: numpys(a, [1.0, 2.0], mode), ("n + 2",),
                   dtype="float64", sizes=[{"n": 3}, {"n": 0}])  # fmt: skip


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"convolve takes vectors that are not empty, not float32\[0\]"):
        rnp.convolve(draw((3,)), draw((0,)))
    with pytest.raises(
        rax.TypeInferenceError, match=r"correlate takes vectors that are not empty, not float32\[2, 2\]"
    ):
        rnp.correlate(draw((2, 2)), draw((3,)))
    with pytest.raises(rax.TypeInferenceError, match="convolve's mode is one of full, same, valid, not 'half'"):
        rnp.convolve(draw((3,)), draw((3,)), "half")
    with pytest.raises(rax.ShapeError, match="mode 'same' needs to know which vector is longer, of sizes n and m"):
        rax.trace(lambda a, v: rnp.convolve(a, v, "same"), rax.spec(("n",)), rax.spec(("m",)))


def test_polynomials() -> None:
    p, q = draw((4,), "float64"), draw((2,), "float64", 1)
    for name in ("polyadd", "polysub", "polymul"):
        agree(getattr(rnp, name), getattr(np, name), p, q)
        agree(getattr(rnp, name), getattr(np, name), q, p)
        differentiable(getattr(rnp, name), p, q)
    for order in range(5):
        same(rnp.polyder(p, order), np.polyder(p, order))
        same(rnp.polyint(p, order, list(range(order))), np.polyint(p, order, list(range(order)) or None))
    same(rnp.polyint(p, 2, np.array([3.0, 4.0])), np.polyint(p, 2, [3, 4]))
    same(rnp.polyint(p, 2, 3), np.polyint(p, 2, [3, 3]))
    same(rnp.polyder(np.array([3, 2, 1])), np.array([6, 2]))
    same(rnp.polyder(p, 9), np.zeros(0))
    x = draw((2, 3), "float64")
    agree(rnp.polyval, np.polyval, p, x)
    same(rnp.polyval(p[:0], x), np.polyval(p[:0], x))
    same(rnp.polyval(np.array([1, 2]), 3), np.asarray(5))
    differentiable(rnp.polyval, p, x)
    batches(rnp.polyval, p, x)
    for messages, call in (
        ("polyval takes a vector of coefficients of known length", lambda: rnp.polyval(x, 1.0)),
        ("polyder takes an order that is not negative, not -1", lambda: rnp.polyder(p, -1)),
        ("polyint takes one constant for each of 2 orders, not 1", lambda: rnp.polyint(p, 2, [1])),
        (r"vander takes a vector, not float64\[2, 3\]", lambda: rnp.vander(x)),
    ):
        with pytest.raises(rax.TypeInferenceError, match=messages):
            call()


def test_powers_of_each_element() -> None:
    x = np.array([-1.5, 0.0, 2.0])
    choices: list[dict[str, Any]] = [{}, {"N": 2}, {"N": 5, "increasing": True}, {"N": 0}]
    for options in choices:
        agree(lambda x, o=options: rnp.vander(x, **o), lambda x, o=options: np.vander(x, **o), x)
    same(rnp.vander(np.array([2, 3])), np.vander(np.array([2, 3])))
    differentiable(rnp.vander, x)
