"""Complex derivatives against finite differences in float64, on every operation that takes complex numbers.

The convention is JAX's: a tangent moves through a holomorphic operation by the complex derivative,
and the gradient of a real function of ``x + iy`` is ``d/dx - i d/dy``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ops.arrays import Array
from rax.runtime.reference import evaluate_graph
from tests.ops import laws
from tests.ops.laws import Case

STEP = 2.0 ** (-52 / 3)
COMPLEX = [
    case
    for case in laws.cases(laws.DOUBLE)
    if not case.cls.nondiff
    and any(type.dtype.kind == "complex" for type in case.types)
    and all(type.size for type in case.types)
]
# Operations with a conjugate, a part or an absolute value in them: no complex derivative.
NOT_HOLOMORPHIC = {
    "abs", "cholesky", "conj", "eigvalsh", "imag", "irfft", "pinv", "qr", "real", "sign", "slogdet", "svdvals",
}  # fmt: skip


def by_name() -> list[Any]:
    """The cases, those of one operation together."""
    grouped: dict[str, list[Case]] = {}
    for case in COMPLEX:
        grouped.setdefault(case.cls.name, []).append(case)
    return [pytest.param(cases, id=name) for name, cases in grouped.items()]


def test_every_name_above_is_that_of_an_operation() -> None:
    assert {case.cls.name for case in COMPLEX} >= NOT_HOLOMORPHIC


def nudged(arrays: Sequence[Array], at: int, place: tuple[int, ...], by: complex) -> list[Array]:
    """The operands with one element of one of them moved."""
    moved = [array.copy() for array in arrays]
    moved[at][place] += by
    return moved


def slopes(loss: Callable[[Sequence[Array]], float], arrays: Sequence[Array], at: int) -> Array:
    """``d/dx - i d/dy`` of a loss by each element of an operand, by central differences."""
    result = np.zeros_like(arrays[at])
    directions = (1, 1j) if result.dtype.kind == "c" else (1,)
    for place in np.ndindex(result.shape):
        for direction in directions:
            ahead, behind = [loss(nudged(arrays, at, place, way * STEP * direction)) for way in (1, -1)]
            result[place] += (ahead - behind) / (2 * STEP) * np.conj(direction)
    return result


@pytest.mark.parametrize("cases", by_name())
def test_the_gradient_of_a_real_function_is_d_dx_less_i_d_dy(cases: list[Case]) -> None:
    for case in cases:
        graph, arrays = case.graph(), case.arrays()
        pulled, reached = laws.cotangent_graph(graph)
        weights = [laws.random_like(type, seed) for seed, type in enumerate(graph.out_types, start=600)]
        inexact = [weight for weight in weights if weight.dtype.kind in "fc"]

        def loss(operands: Sequence[Array], graph: Any = graph, weights: Any = weights) -> float:
            results = evaluate_graph(graph, list(operands))
            pairs = zip(results, weights, strict=True)
            return sum(float(np.sum(np.real(y * w))) for y, w in pairs if y.dtype.kind in "fc")

        gradients = iter(evaluate_graph(pulled, [*arrays, *inexact]))
        size = max(1.0, abs(loss(arrays)))
        allowed = 100 * STEP**2 * size * case.tolerance("jvp") * case.tolerance("vjp")
        for at in [index for index, some in enumerate(reached) if some]:
            laws.assert_close(next(gradients), slopes(loss, arrays, at), allowed, f"{case}, operand {at}")


def directions(case: Case, factor: complex) -> list[Array]:
    """Tangents of the inexact operands: of the complex ones times a factor, of the others zero."""
    drawn = [laws.random_like(type, seed) for seed, type in enumerate(case.types, start=700) if type.dtype.is_inexact]
    return [np.zeros_like(array) if array.dtype.kind == "f" else array * factor for array in drawn]


@pytest.mark.parametrize("cases", by_name())
def test_a_tangent_moves_by_the_complex_derivative(cases: list[Case]) -> None:
    name = cases[0].cls.name
    turns_alike = True
    for case in cases:
        graph, arrays = case.graph(), case.arrays()
        derivative, nonzero = laws.tangent_graph(graph)
        active = laws.active_inputs(graph)
        moved: list[list[Array]] = []
        for factor in (1, 1j):
            tangents = directions(case, factor)
            pushed = iter(evaluate_graph(derivative, [*arrays, *tangents])[len(nonzero) :])
            ahead, behind = [evaluate_graph(graph, laws.moved(arrays, tangents, active, way * STEP)) for way in (1, -1)]
            plain = evaluate_graph(graph, arrays)
            moved.append([])
            for index in [index for index, some in enumerate(nonzero) if some]:
                found = next(pushed)
                size = float(np.max(np.abs(plain[index]), initial=1.0))
                allowed = 100 * STEP**2 * size * case.tolerance("jvp")
                laws.assert_close(found, (ahead[index] - behind[index]) / (2 * STEP), allowed, f"{case} along {factor}")
                moved[-1].append(found)
        turns_alike &= all(np.allclose(up, 1j * along) for along, up in zip(*moved, strict=True))
    assert turns_alike == (name not in NOT_HOLOMORPHIC), f"{name} is holomorphic: {turns_alike}"


def _of_factors() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Functions of a matrix by its factors, in which the phases of the vectors cancel: they are free."""

    def adjoint(x: Any) -> Any:
        return rnp.conj(rnp.matrix_transpose(x))

    def by_eigh(x: Any) -> Any:
        values, vectors = rnp.linalg.eigh(x + adjoint(x))
        return (vectors * rnp.sin(values)) @ adjoint(vectors)

    def by_eig(x: Any) -> Any:
        values, vectors = rnp.linalg.eig(x)
        return (vectors * rnp.sin(values)) @ rnp.linalg.inv(vectors)

    def by_svd(x: Any) -> Any:
        left, values, right = rnp.linalg.svd(x, full_matrices=False)
        return (left * rnp.sin(values)) @ right

    yield from (("eigh", by_eigh), ("eig", by_eig), ("svd", by_svd))


@pytest.mark.parametrize("function", [pytest.param(function, id=name) for name, function in _of_factors()])
def test_factors_have_gradients_of_the_same_convention(function: Any) -> None:
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))
    loss = rax.trace(lambda x: rnp.sum(rnp.real(function(x) * weights)), rax.spec((3, 3), "complex128"))
    due = slopes(lambda operands: float(evaluate_graph(loss, list(operands))[0]), [x], 0)
    laws.assert_close(rax.grad(loss)(x), due, 1e3 * STEP**2, "the gradient")


def _by_hand() -> Iterator[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    """Real functions that are not holomorphic, and their gradients by JAX's convention."""
    yield "abs", rnp.abs, lambda z: np.conj(z) / np.abs(z)
    yield "real", rnp.real, lambda z: 1 + 0j
    yield "imag", rnp.imag, lambda z: -1j
    yield "angle", rnp.angle, lambda z: -1j / z
    yield "square of abs", lambda z: rnp.abs(z) ** 2, lambda z: 2 * np.conj(z)
    yield "conj", lambda z: rnp.imag(rnp.conj(z)), lambda z: 1j
    yield "norm", rnp.linalg.vector_norm, lambda z: np.conj(z) / np.abs(z)


@pytest.mark.parametrize(("function", "due"), [pytest.param(f, due, id=name) for name, f, due in _by_hand()])
def test_parts_and_sizes_have_the_gradients_jax_gives(function: Any, due: Any) -> None:
    for z in (1 + 2j, -0.5 + 0.25j, -3 - 1j):
        np.testing.assert_allclose(rax.grad(function)(np.complex128(z)), due(z), rtol=1e-14)
