"""Diagonals, triangles and products, compared with NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, batches, differentiable, draw, same

X = draw((3, 4, 2), "float64")
OFFSETS = [-9, -3, -1, 0, 2, 9]


@pytest.mark.parametrize("offset", OFFSETS)
def test_diagonals(offset: int) -> None:
    for axes in ((0, 1), (1, 0), (2, 0), (-1, -2)):
        same(rnp.diagonal(X, offset, *axes), np.diagonal(X, offset, *axes))
        same(rnp.trace(X, offset, *axes), np.trace(X, offset, *axes))
    agree(lambda x: rnp.diag(x, offset), lambda x: np.diag(x, offset), X[..., 0])
    agree(lambda x: rnp.diag(x, offset), lambda x: np.diag(x, offset), X[:, 0, 0])
    same(rnp.diagflat(X[:2, :2, 0], offset), np.diagflat(X[:2, :2, 0], offset))
    agree_symbolic(lambda x: rnp.diagonal(x, offset), lambda x: np.diagonal(x, offset), ("n", "m"))
    agree_symbolic(lambda x: rnp.diag(x, offset), lambda x: np.diag(x, offset), ("n",))
    differentiable(lambda x: rnp.diagonal(x, offset), X)
    differentiable(lambda x: rnp.diag(x, offset), X[:, 0, 0])
    for function in (lambda x: rnp.tri(3, 4, offset), lambda x: rnp.tri(3, k=offset)):
        assert function(X).dtype is rnp.float32
    same(rnp.tri(3, 4, offset), np.tri(3, 4, offset, dtype="float32"))


def test_sums_of_integers_and_vectors_with_infinities() -> None:
    same(rnp.trace(np.eye(3, dtype="int8")), np.trace(np.eye(3, dtype="int8")))
    x = np.array([np.inf, np.nan, 1.0])
    same(rnp.diag(x), np.diag(x))
    batches(rnp.trace, X)
    batches(rnp.diag, X[0, 0])


def test_positions() -> None:
    for k in (-1, 0, 1):
        same(rnp.tril_indices(3, k, 4), np.tril_indices(3, k, 4))
        same(rnp.triu_indices(3, k), np.triu_indices(3, k))
        same(rnp.tril_indices_from(X[..., 0], k), np.tril_indices_from(X[..., 0], k))
        same(rnp.triu_indices_from(X[..., 0], k), np.triu_indices_from(X[..., 0], k))
    same(rnp.diag_indices(3, 3), np.diag_indices(3, 3))
    same(rnp.diag_indices_from(np.eye(3)), np.diag_indices_from(np.eye(3)))
    with pytest.raises(rax.TypeInferenceError, match=r"tril_indices_from needs a matrix of known size, not float32\[n"):
        rax.trace(lambda x: rnp.tril_indices_from(x), rax.spec(("n", 2)))
    with pytest.raises(rax.TypeInferenceError, match="diag_indices_from needs two or more axes of one size"):
        rnp.diag_indices_from(X)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (2, 2, 2)], ids=str)
def test_filling_a_diagonal(shape: tuple[int, ...]) -> None:
    x = draw(shape, "float64")
    for value in (5, np.array([7.0, 8.0, 9.0])[: min(shape)]):
        due = x.copy()
        np.fill_diagonal(due, value)
        same(rnp.fill_diagonal(x, value), due)
    differentiable(rnp.fill_diagonal, x, np.array(2.0))
    with pytest.raises(rax.TypeInferenceError, match=r"fill_diagonal needs two axes, or more of one size, not float64"):
        rnp.fill_diagonal(X, 1)


def test_what_has_no_diagonal() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"a diagonal is of a matrix, not of float64\[2\]"):
        rnp.diagonal(X[0, 0])
    with pytest.raises(rax.TypeInferenceError, match="a diagonal needs two different axes, not 0 and -3"):
        rnp.diagonal(X, 0, 0, -3)
    with pytest.raises(rax.TypeInferenceError, match=r"diag takes a vector or a matrix, not float64\[3, 4, 2\]"):
        rnp.diag(X)


SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 5, 3), (3,)),
    ((2, 5, 3), (4, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "complex128", "int64"])
def test_dot_and_inner(first: tuple[int, ...], second: tuple[int, ...], dtype: str) -> None:
    x, y = draw(first, dtype), draw(second, dtype, 1)
    same(rnp.dot(x, y), np.dot(x, y))
    y = np.moveaxis(y, -2, -1) if y.ndim > 1 else y
    same(rnp.inner(x, y), np.inner(x, y))
    if dtype != "int64":
        differentiable(rnp.inner, x, y)


def test_other_products() -> None:
    x, y = draw((2, 3), "complex128"), draw((3, 2), "complex128", 1)
    same(rnp.outer(x, y), np.outer(x, y))
    same(rnp.vdot(x, y), np.vdot(x, y))
    same(rnp.matvec(x, y[:, 0]), np.matvec(x, y[:, 0]))
    same(rnp.vecmat(x[:, 0], x), np.vecmat(x[:, 0], x))
    for first, second in (((2, 3), (3, 2)), ((3,), (2, 2)), ((2, 2, 1), (3,)), ((), (3,))):
        a, b = draw(first, "float64"), draw(second, "float64", 1)
        agree(rnp.kron, np.kron, a, b)
        differentiable(rnp.kron, a, b)
    agree_symbolic(rnp.outer, np.outer, ("n",), ("m",))
    agree_symbolic(rnp.kron, np.kron, ("n", 2), ("m", 1))
    for message, call in (
        ("matvec takes matrices and vectors", lambda: rnp.matvec(y[0], y)),
        ("vecmat takes vectors and matrices", lambda: rnp.vecmat(y, y[0])),
    ):
        with pytest.raises(rax.TypeInferenceError, match=message):
            call()


def test_vector_products() -> None:
    a, b = draw((4, 3), "float64"), draw((2, 1, 3), "float64", 1)
    agree(rnp.cross, np.cross, a, b)
    same(rnp.cross(a.T, b, axisa=0, axisc=0), np.cross(a.T, b, axisa=0, axisc=0))
    same(rnp.cross(a.T, a.T, axis=0), np.cross(a.T, a.T, axis=0))
    differentiable(rnp.cross, a, b)
    batches(rnp.cross, a, b)
    with pytest.raises(rax.TypeInferenceError, match="cross takes vectors of 3, not of 2 and 3"):
        rnp.cross(a[:, :2], b)
