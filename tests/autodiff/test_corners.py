"""Derivatives at corners, ties and ends: the table of the tour, and places where formulas divide by zero.

Both modes, and the second order in both ways; the gradient in every floating dtype.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn, optim, special
from rax.ir.types import as_dtype
from rax.ops.arrays import numpy_dtype
from tests.documents import ROOT

INF = math.inf
NAMES = {"rnp": rnp, "nn": nn, "special": special, "inf": INF, "nan": math.nan}
ROW = re.compile(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \|", re.MULTILINE)
Function = Callable[[Any], Any]


def rows_of_the_tour() -> list[Any]:
    """The table's rows: function, point, gradient."""
    found = ROW.findall((ROOT / "docs" / "tour.md").read_text(encoding="utf-8"))
    assert len(found) == 26
    return [
        pytest.param(eval(f"lambda x: {text}", NAMES), eval(point, NAMES), eval(due, NAMES), id=f"{text} at {point}")
        for text, point, due in found
    ]


def check_gradient(function: Function, point: Any, due: Any, dtype: str) -> None:
    """Reverse mode, and forward mode along each axis by itself."""
    x = np.asarray(point, numpy_dtype(as_dtype(dtype)))
    gradient = np.asarray(rax.grad(function)(x), np.float64)
    tolerance = {"float64": 1e-12, "float32": 1e-5}.get(dtype, 0.02)
    np.testing.assert_allclose(gradient, due, rtol=tolerance, atol=tolerance)
    columns = [rax.jvp(function, (x,), (unit.astype(x.dtype),))[1] for unit in np.eye(x.size).reshape(-1, *x.shape)]
    np.testing.assert_allclose(np.asarray(columns, np.float64).reshape(x.shape), due, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("function", "point", "due"), rows_of_the_tour())
def test_the_table_of_the_tour_says_what_comes_out(function: Function, point: Any, due: Any, dtype: str) -> None:
    check_gradient(function, point, due, dtype)


def weighted(function: Function) -> Function:
    """The sum of a function's elements times 1, 2, 3 …, so that no two count alike."""

    def total(x: Any) -> Any:
        result = rnp.reshape(function(x), (-1,))
        return rnp.sum(result * rnp.astype(rnp.arange(1, result.size + 1), result.dtype))

    return total


# A name, a function, a point, the gradient of the function's weighted sum there, and the Hessian times ones.
Place = tuple[str, Function, Any, Any, Any]
none2, none3 = [0.0] * 2, [0.0] * 3


def _lengths() -> Iterator[Place]:
    """Roots of sums, lengths, deviations."""
    for order in (0.5, 1, 1.5, 2, 3, -1, INF):
        yield f"norm {order}", lambda x, p=order: rnp.linalg.vector_norm(x, ord=p), none3, none3, none3
    yield "norm 3 beside 0", lambda x: rnp.linalg.vector_norm(x, ord=3), [0.0, 2.0], [0.0, 1.0], none2
    yield "norm 1.5 beside 0", lambda x: rnp.linalg.vector_norm(x, ord=1.5), [0.0, 2.0], [0.0, 1.0], none2
    yield "std", rnp.std, [2.0] * 3, none3, none3
    yield "std of rows", lambda x: rnp.std(rnp.reshape(x, (2, 2)), axis=1), [2.0, 2.0, 1.0, 3.0], [0, 0, -1, 1], [0] * 4
    yield "nanstd of nothing", lambda x: rnp.nanstd(rnp.reshape(x, (2, 2)), axis=1), [math.nan] * 2 + [1.0, 3.0], [
        0, 0, -1, 1,
    ], [0] * 4  # fmt: skip
    yield "nanmedian of nothing", rnp.nanmedian, [math.nan] * 2, none2, none2
    yield "hypot", lambda x: rnp.hypot(x[0], x[1]), none2, none2, none2
    yield "a complex size", lambda x: rnp.abs(x[0] + 1j * x[1]), none2, none2, none2
    yield "a global norm", lambda x: optim.global_norm([x]), none2, none2, none2
    yield "a clipped gradient", lambda x: optim.clip_by_global_norm(1.0)([x])[0], none2, [1.0, 2.0], none2
    yield "an update", lambda x: optim.adam(1.0, epsilon=1.0).update([x], [x], optim.adam().init([x]))[0][0], none2, [
        0.0, 0.0,
    ], none2  # fmt: skip
    yield "a constant row", nn.layer_norm, [2.0, 2.0], [-(0.5) / math.sqrt(1e-5), 0.5 / math.sqrt(1e-5)], none2
    yield "a cosine", lambda x: nn.cosine_similarity(x, x, epsilon=1.0), none2, none2, [2.0, 2.0]
    yield "a distance", lambda x: nn.triplet_margin_loss(x[None], x[None], x[None], p=1.5), none2, none2, none2


def _powers() -> Iterator[Place]:
    """Powers, products, and functions that are 0 over 0 as they are written."""
    yield "square", lambda x: x**2, none2, none2, [2.0, 4.0]
    yield "cube", lambda x: x**3.0, none2, none2, none2
    yield "first power", lambda x: x**1.0, none2, [1.0, 2.0], none2
    yield "powers of a negative number", lambda x: x ** np.array([3.0, 2.0]), [-2.0, -2.0], [12.0, -8.0], [-12.0, 4.0]
    yield "a product with one zero", rnp.prod, [0.0, 2.0, 3.0], [6.0, 0.0, 0.0], [5.0, 3.0, 2.0]
    yield "a product with two zeros", rnp.prod, [0.0, 0.0, 3.0], none3, [3.0, 3.0, 0.0]
    yield "a running product", rnp.cumulative_prod, [0.0, 2.0, 0.0], [1 + 2 * 2.0, 0.0, 0.0], [2 + 3 * 2.0, 2.0, 6.0]
    yield "sinc", rnp.sinc, none2, none2, [-(math.pi**2) / 3, -2 * math.pi**2 / 3]
    yield "entr", special.entr, none2, none2, none2
    yield "log1p near 0", rnp.log1p, [0.0, 1e-20], [1.0, 2.0], [-1.0, -2.0]
    yield "gamma's share from 0", lambda x: special.gammainc(2.0, x), none2, none2, [1.0, 2.0]
    yield "of shape 1", lambda x: special.gammainc(1.0, x), none2, [1.0, 2.0], [-1.0, -2.0]
    yield "beta's share at its ends", lambda x: special.betainc(2.0, 3.0, x), [0.0, 1.0], none2, [12.0, 0.0]
    yield "of shapes 1", lambda x: special.betainc(1.0, 1.0, x), [0.0, 1.0], [1.0, 2.0], none2
    yield "a determinant", lambda x: rnp.linalg.det(rnp.reshape(x, (2, 2))), [1.0, 2.0, 2.0, 4.0], [4, -2, -2, 1], [
        1, -1, -1, 1,
    ]  # fmt: skip


def _exponentials() -> Iterator[Place]:
    """Sums of exponentials, and losses of what is sure."""
    yield "a sum of exponentials of nothing", nn.logsumexp, [-INF] * 2, none2, none2
    yield "a signed sum of nothing", lambda x: special.logsumexp(x, b=np.array([1.0, -2.0])), [-INF] * 2, none2, none2
    yield "a masked softmax", lambda x: nn.softmax(x, where=np.array([False, False])), [1.0, 2.0], none2, none2
    yield (
        "a cross entropy",
        lambda x: nn.cross_entropy(x[None], np.array([1])),
        [-INF, 0.0, 0.0],
        [0.0, -0.5, 0.5],
        none3,
    )
    yield "soft labels of 0", lambda x: nn.cross_entropy(x[None], np.array([[0.0, 1.0, 0.0]])), [-INF, 0.0, 0.0], [
        0.0, -0.5, 0.5,
    ], none3  # fmt: skip
    yield "sure logits", lambda x: nn.binary_cross_entropy(x, np.array([0.0, 0.0])), [800.0, -800.0], [0.5, 0.0], none2
    yield "log_sigmoid far out", nn.log_sigmoid, [-800.0, 800.0], [1.0, 0.0], none2


@pytest.mark.parametrize(
    ("function", "point", "due", "second"),
    [pytest.param(*rest, id=name) for places in (_lengths, _powers, _exponentials) for name, *rest in places()],
)
def test_no_needless_nan(function: Function, point: Any, due: Any, second: Any) -> None:
    loss, x = weighted(function), np.asarray(point, np.float64)
    check_gradient(loss, point, due, "float64")
    slope = rax.grad(loss)
    ones = np.ones_like(x)
    forward = rax.jvp(slope, (x,), (ones,))[1]
    backward = rax.grad(lambda x: rnp.sum(slope(x)))(x)
    np.testing.assert_allclose(forward, second, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(backward, second, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mask", [np.array([[True, False], [False, False]]), np.array([[0.0, -INF], [-INF, -INF]])])
def test_a_query_that_may_look_at_nothing_has_the_derivative_0(mask: Any) -> None:
    query = np.array([[1.0], [2.0]]).reshape(2, 1, 1)
    given = {"mask": mask} if mask.dtype == bool else {"bias": mask}
    gradient = rax.grad(lambda x: rnp.sum(nn.dot_product_attention(x, query, query, **given)))(query)
    np.testing.assert_array_equal(gradient, np.zeros_like(query))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_have_no_nan_that_float32_has_not(dtype: str) -> None:
    nothing = np.zeros(3, numpy_dtype(as_dtype(dtype)))
    assert float(nn.cosine_similarity(nothing, nothing)) == 0
    for method in (optim.adam(), optim.rmsprop(), optim.adagrad()):
        params, _ = method.update([nothing], [nothing], method.init([nothing]))
        np.testing.assert_array_equal(np.asarray(params[0]), nothing)
    ties = np.zeros(70_000, nothing.dtype)  # more than float16 can count
    assert float(np.asarray(rax.grad(rnp.max)(ties), np.float64)[0]) == pytest.approx(1 / 70_000, rel=0.01)
