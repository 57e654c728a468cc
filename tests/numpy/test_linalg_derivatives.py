"""Derivatives of ``rax.numpy.linalg``: both modes and second order against finite differences, and known formulas.

What is unique only up to a sign, a phase or a basis is differentiated through functions that do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from scipy import linalg as scipy_linalg

import rax
import rax.numpy as rnp
from rax.ir.graph import Graph
from rax.numpy import linalg
from tests.numpy.test_linalg import INF, hermitian, positive
from tests.ops import laws

Function = Callable[..., Any]
scipys = cast("Any", scipy_linalg)
BOTH = ("float64", "complex128")


def matrix(*shape: int, dtype: str, seed: int = 0) -> np.ndarray:
    """Random matrices with singular values, and real parts of eigenvalues, well apart."""
    rng = np.random.default_rng([seed, *shape])
    x = rng.normal(size=shape) / 2 + 2 * (1 + np.arange(shape[-2]))[:, None] * np.eye(shape[-2], shape[-1])
    return x + 0.5j * rng.normal(size=shape) if dtype == "complex128" else x


def vectors(*shape: int, dtype: str, seed: int = 1) -> np.ndarray:
    return laws.random_like(rax.spec(shape, dtype), seed)


def adjoint(x: Any) -> Any:
    return rnp.conj(rnp.matrix_transpose(x)) if x.dtype.kind == "complex" else rnp.matrix_transpose(x)


def outside(basis: Any, count: int) -> Any:
    """The projection onto the columns from one on."""
    return basis[:, count:] @ adjoint(basis[:, count:])


def ordered(function: Function, order: Any, **options: Any) -> Function:
    return lambda x: function(x, ord=order, **options)


def first_pair(x: Any) -> Any:
    u, _, vh = linalg.svd(x)
    return u[:, :1] @ vh[:1, :]


def completed_product(x: Any) -> Any:
    q, r = linalg.qr(x, mode="complete")
    return q @ r


def projectors(basis: Any) -> Any:
    """For each column the projection onto it."""
    columns = rnp.matrix_transpose(basis)
    return columns[..., :, None] * rnp.conj(columns[..., None, :] + 0j)


def check(function: Function, *arrays: np.ndarray) -> None:
    """First and second derivatives of a function, forward, reverse and mixed."""
    graph = rax.trace(function, *[rax.spec(array.shape, array.dtype.name) for array in arrays])
    laws.check_jvp(graph, arrays, 1.0)
    laws.check_vjp(graph, arrays, 1.0)
    for derived, _ in (laws.tangent_graph(graph), laws.cotangent_graph(graph)):
        wide = with_directions(derived, arrays)
        laws.check_jvp(derived, wide, 1.0)
        laws.check_vjp(derived, wide, 1.0)


def with_directions(graph: Graph, arrays: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    rest = graph.in_types[len(arrays) :]
    return [*arrays, *[laws.random_like(type, seed) for seed, type in enumerate(rest, start=400)]]


OF_MATRICES: dict[str, tuple[Function, tuple[int, ...]]] = {
    "cholesky": (linalg.cholesky, (3, 3)),
    "cholesky, upper": (lambda x: linalg.cholesky(x, upper=True), (2, 2, 2)),
    "inv": (linalg.inv, (2, 2, 2)),
    "det": (linalg.det, (3, 3)),
    "slogdet": (linalg.slogdet, (2, 2, 2)),
    "pinv, tall": (linalg.pinv, (3, 2)),
    "pinv, wide": (linalg.pinv, (2, 2, 3)),
    "pinv, Hermitian": (lambda x: linalg.pinv(x, hermitian=True), (2, 2)),
    "qr": (linalg.qr, (3, 3)),
    "qr, tall": (linalg.qr, (2, 3, 2)),
    "qr, wide": (linalg.qr, (2, 3)),
    "qr, complete": (lambda x: outside(linalg.qr(x, mode="complete").Q, 2), (4, 2)),
    "qr, complete, product": (completed_product, (3, 2)),
    "lu": (lambda x: linalg.lu(x)[1:], (3, 3)),
    "lu, tall": (lambda x: linalg.lu(x)[1:], (2, 3, 2)),
    "lu, wide": (lambda x: linalg.lu(x)[1:], (2, 4)),
    "svdvals": (linalg.svdvals, (3, 2)),
    "svd, values": (lambda x: linalg.svd(x).S, (2, 3)),
    "svd, left": (lambda x: projectors(linalg.svd(x, full_matrices=False).U), (3, 2)),
    "svd, right": (lambda x: projectors(adjoint(linalg.svd(x, full_matrices=False).Vh)), (3, 2)),
    "svd, pairs": (first_pair, (2, 3)),
    "svd, rest": (lambda x: outside(linalg.svd(x).U, 2), (4, 2)),
    "eigvalsh": (linalg.eigvalsh, (2, 2, 2)),
    "eigh, values": (lambda x: linalg.eigh(x).eigenvalues, (3, 3)),
    "eigh, vectors": (lambda x: projectors(linalg.eigh(x).eigenvectors), (3, 3)),
    "eigvals": (linalg.eigvals, (3, 3)),
    "eig, values": (lambda x: linalg.eig(x).eigenvalues, (2, 2, 2)),
    "eig, vectors": (lambda x: projectors(linalg.eig(x).eigenvectors), (3, 3)),
    "expm": (linalg.expm, (2, 2)),
    "matrix_power, -2": (lambda x: linalg.matrix_power(x, -2), (2, 2)),
    "matrix_power, 3": (lambda x: linalg.matrix_power(x, 3), (2, 2, 2)),
    "cond": (linalg.cond, (3, 3)),
    "cond, -2": (lambda x: linalg.cond(x, -2), (3, 2)),
    "cond, 1": (lambda x: linalg.cond(x, 1), (2, 2)),
    "norm": (linalg.norm, (2, 3)),
    "norm, axis": (lambda x: linalg.norm(x, axis=0), (2, 3)),
    "trace": (linalg.trace, (2, 3, 3)),
    "diagonal": (lambda x: linalg.diagonal(x, offset=1), (2, 2, 3)),
    "cross": (lambda x: linalg.cross(x, x[:1] * x[0]), (2, 3)),
    "outer": (lambda x: linalg.outer(x[0], x[1]), (2, 3)),
    "multi_dot": (lambda x: linalg.multi_dot([x, x.T, x]), (2, 3)),
    **{
        f"matrix_norm, {order}": (ordered(linalg.matrix_norm, order), (3, 2))
        for order in ("fro", "nuc", 1, -1, 2, -2, INF, -INF)
    },
    **{
        f"vector_norm, {order}": (ordered(linalg.vector_norm, order, axis=1), (2, 3))
        for order in (0, 1, 2, 3, 0.5, -1, INF, -INF)
    },
}  # fmt: skip


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", OF_MATRICES)
def test_derivatives_of_functions_of_a_matrix(name: str, dtype: str) -> None:
    function, shape = OF_MATRICES[name]
    x = positive(shape, dtype) if name.startswith("cholesky") else matrix(*shape, dtype=dtype)
    check(function, x / 4 if name in ("expm", "matrix_power, 3", "multi_dot") else x)


@pytest.mark.parametrize("dtype", BOTH)
def test_derivatives_of_solutions(dtype: str) -> None:
    a, b = matrix(3, 3, dtype=dtype), vectors(3, 2, dtype=dtype)
    check(linalg.solve, a, b)
    check(linalg.solve, matrix(2, 1, 2, 2, dtype=dtype), vectors(3, 2, 1, dtype=dtype))
    check(linalg.solve, a, vectors(3, dtype=dtype))
    for trans in (0, 1, 2):
        for lower in (False, True):
            check(lambda a, b, t=trans, low=lower: linalg.solve_triangular(a, b, t, low), a, b)
    check(lambda a, b: linalg.solve_triangular(a, b, 1, True, True), a, b)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(4, 2), (2, 4)])
def test_derivatives_of_least_squares(shape: tuple[int, int], dtype: str) -> None:
    a, b = matrix(*shape, dtype=dtype), vectors(shape[0], 2, dtype=dtype)
    check(lambda a, b: linalg.lstsq(a, b).x, a, b)
    if shape[0] > shape[1]:
        check(lambda a, b: linalg.lstsq(a, b)[1::2], a, b[:, 0])


def test_the_gradient_of_a_log_determinant_is_the_inverse_transposed() -> None:
    x = matrix(4, 4, dtype="float64")
    found = np.asarray(rax.grad(lambda x: linalg.slogdet(x).logabsdet)(x))
    np.testing.assert_allclose(found, np.linalg.inv(x).T, rtol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", BOTH)
def test_derivatives_of_determinants_of_singular_matrices(rank: int, dtype: str) -> None:
    x = vectors(4, rank, dtype=dtype) @ vectors(rank, 4, dtype=dtype, seed=2)
    graph = rax.trace(linalg.det, x)
    laws.check_jvp(graph, [x], 1.0)
    laws.check_vjp(graph, [x], 1.0)
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(4)] for i in range(4)
    ]
    derived, _ = laws.cotangent_graph(graph)
    np.testing.assert_allclose(np.asarray(derived(x, np.ones((), dtype))), cofactors, atol=1e-12)
    again = [x, np.ones((), dtype)]
    laws.check_jvp(derived, again, 1.0)
    laws.check_vjp(derived, again, 1.0)


def test_the_derivative_of_expm_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 5.0):
        x, e = scale * rng.normal(size=(2, 4, 4))
        value, moved = rax.jvp(linalg.expm, (x,), (e,))
        due, frechet = scipys.expm_frechet(x, e)
        for one, other in ((value, due), (moved, frechet)):
            size = float(np.max(np.abs(other)))
            np.testing.assert_allclose(np.asarray(one) / size, other / size, atol=1e-12)


@pytest.mark.parametrize("order", [2, 3, 1, INF, 2.5])
def test_a_norm_has_a_finite_gradient_at_zero(order: float) -> None:
    for x in (np.zeros(3), np.zeros(3, "complex128"), np.array([0.0, 1.0, 0.0])):
        slope = np.asarray(rax.grad(lambda x: linalg.vector_norm(x, ord=order))(x))
        assert np.isfinite(slope).all()
        assert not np.any(slope[x == 0])
    curved = np.asarray(rax.hessian(lambda x: linalg.norm(x) ** 2)(np.array([0.0, 2.0])))
    np.testing.assert_allclose(curved, 2 * np.eye(2), atol=1e-12)


@pytest.mark.parametrize("order", ["fro", "nuc", 1, 2, INF])
def test_a_norm_of_a_matrix_has_a_finite_gradient_at_zero(order: Any) -> None:
    slope = rax.grad(lambda x: linalg.matrix_norm(x, ord=order))(np.zeros((3, 2)))
    assert np.isfinite(np.asarray(slope)).all()


def test_values_have_derivatives_where_they_coincide() -> None:
    same = np.eye(3)
    np.testing.assert_allclose(rax.grad(lambda x: rnp.sum(linalg.eigvalsh(x) ** 3))(same), 3 * same, atol=1e-12)
    np.testing.assert_allclose(rax.grad(lambda x: rnp.sum(linalg.eigh(x).eigenvalues ** 3))(same), 3 * same, atol=1e-12)
    np.testing.assert_allclose(rax.grad(lambda x: rnp.sum(linalg.svd(x).S ** 2))(same), 2 * same, atol=1e-12)
    np.testing.assert_allclose(rax.grad(lambda x: rnp.sum(linalg.svdvals(x) ** 2))(same), 2 * same, atol=1e-12)
    slope = rax.grad(lambda x: rnp.sum(rnp.real(linalg.eigvals(x) ** 2)))(same)
    np.testing.assert_allclose(slope, 2 * same, atol=1e-12)


def test_a_vector_has_a_derivative_where_other_values_coincide() -> None:
    x = np.diag([1.0, 1.0, 4.0, 9.0])
    x[2, 3] = x[3, 2] = 0.5

    def alone(x: Any) -> Any:
        return linalg.eigh(x).eigenvectors[:, 3] ** 2

    check_first(alone, x)
    check_first(lambda x: linalg.svd(x).U[:, 0] ** 2, x)


def check_first(function: Function, x: np.ndarray) -> None:
    graph = rax.trace(function, x)
    laws.check_jvp(graph, [x], 1.0)
    laws.check_vjp(graph, [x], 1.0)


def test_vectors_of_equal_values_have_no_derivative() -> None:
    slope = rax.grad(lambda x: linalg.eigh(x).eigenvectors[1, 0])(np.eye(2))
    assert not np.isfinite(np.asarray(slope)).all()


def test_gradients_of_hermitian_functions_are_hermitian() -> None:
    x = hermitian((3, 3))
    for function in (lambda x: rnp.sum(linalg.cholesky(x)), lambda x: rnp.sum(linalg.eigvalsh(x) ** 3)):
        slope = np.asarray(rax.grad(function)(x))
        np.testing.assert_allclose(slope, slope.T, rtol=1e-12)


def test_batches_of_complex_and_completed_decompositions() -> None:
    """What the laws of single operations leave out, since phases are not continuous there."""
    x = np.stack([matrix(4, 2, dtype="complex128", seed=seed) for seed in range(3)])
    for function in (
        lambda x: projectors(linalg.svd(x).U[:, :2]),
        lambda x: linalg.qr(x, mode="complete").R,
        lambda x: projectors(linalg.eigh(x @ adjoint(x)).eigenvectors[:, 2:]),
        lambda x: rnp.abs(linalg.eig(x[:2]).eigenvectors),
    ):
        whole = np.asarray(rax.vmap(function)(x))
        np.testing.assert_allclose(whole, np.stack([np.asarray(function(rnp.asarray(row))) for row in x]), atol=1e-12)


SYMBOLIC: dict[str, Function] = {
    "cholesky": lambda x: linalg.cholesky(adjoint(x) @ x),
    "det": lambda x: linalg.det(adjoint(x) @ x),
    "expm": lambda x: linalg.expm(adjoint(x) @ x / 40),
    "inv": lambda x: linalg.inv(adjoint(x) @ x),
    "lu": lambda x: linalg.lu(x).U,
    "pinv": linalg.pinv,
    "qr": lambda x: linalg.qr(x).Q,
    "qr, complete": lambda x: linalg.qr(x, mode="complete").R,
    "slogdet": lambda x: linalg.slogdet(adjoint(x) @ x).logabsdet,
    "svd": lambda x: projectors(linalg.svd(x, full_matrices=False).U)[0],
    "svd, full": lambda x: projectors(adjoint(linalg.svd(x).Vh))[0],
    "eigh": lambda x: projectors(linalg.eigh(adjoint(x) @ x).eigenvectors)[0],
    "norms": lambda x: linalg.matrix_norm(x, ord=2) + linalg.vector_norm(x, ord=INF),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_gradients_of_symbolic_sizes(name: str) -> None:
    """One graph of any rows and columns has the gradient of each known size."""

    def total(x: Any) -> Any:
        result = SYMBOLIC[name](x)
        weights = rnp.cos(rnp.reshape(rnp.arange(result.size, dtype="float64"), result.shape))
        return rnp.sum(rnp.real(result + 0j) * weights)

    graph = rax.grad(rax.trace(total, rax.spec(("n", "m"), "float64")))
    for shape in ((3, 2), (2, 2), (4, 3)):
        x = matrix(*shape, dtype="float64")
        np.testing.assert_allclose(graph(x), np.asarray(rax.grad(total)(x)), rtol=1e-9, atol=1e-12)
