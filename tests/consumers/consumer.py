"""A function of another library as a test case: traced as it is written, evaluated, differentiated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.tree import flatten
from rax.ops.arrays import Array

Function = Callable[..., Any]
Shape = Sequence[int | str]

# NumPy computes the same sums in another order; transforms and norms lose a few digits more than elementwise ones.
RTOL, ATOL = 1e-11, 1e-12
# Central differences in float64: about eps ** (2/3), times the third derivative.
STEP = 1e-5
SLOPE_RTOL, SLOPE_ATOL = 1e-6, 1e-7


@dataclass(frozen=True)
class Consumer:
    """A function written for the array API, and float64 arrays to call it with.

    Attributes:
        name: the test's name.
        function: called with arrays of NumPy and with tensors alike.
        arrays: what it is called with.
        symbolic: the shapes of the arguments with named sizes, if the function takes those.
    """

    name: str
    function: Function
    arrays: tuple[Array, ...]
    symbolic: tuple[Shape, ...] = ()


def use(name: str, function: Function, *arrays: Array, symbolic: Sequence[Shape] = ()) -> Any:
    """A case for ``pytest.mark.parametrize``."""
    return pytest.param(Consumer(name, function, arrays, tuple(symbolic)), id=name)


def normal(*shape: int, seed: int = 0) -> Array:
    """Numbers around 0."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def positive(*shape: int, seed: int = 0) -> Array:
    """Numbers between 0.2 and 0.9."""
    return np.random.default_rng([seed, *shape]).uniform(0.2, 0.9, size=shape)


def same(got: Any, due: Any) -> None:
    """Nests of results agree, in dtype too."""
    ours, theirs = flatten(got)[0], flatten(due)[0]
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        array, wanted = np.asarray(one), np.asarray(other)
        assert array.dtype == wanted.dtype
        np.testing.assert_allclose(array, wanted, rtol=RTOL, atol=ATOL)


def check(case: Consumer) -> None:
    """Called with tensors and traced, the function gives what it gives for NumPy's arrays; its gradients hold."""
    due = case.function(*map(np.copy, case.arrays))
    same(case.function(*map(rnp.asarray, case.arrays)), due)
    same(trace(case.function, case.arrays)(*case.arrays), due)
    if case.symbolic:
        graph = rax.trace(case.function, *[rax.spec(shape, "float64") for shape in case.symbolic])
        same(graph(*case.arrays), due)
    check_gradients(case.function, case.function, case.arrays)


def trace(function: Function, arrays: Sequence[Array]) -> rax.Graph:
    """The graph of a function of inputs that have no values yet."""
    return rax.trace(function, *[rax.spec(array.shape, "float64") for array in arrays])


def check_gradients(traced: Function, plain: Function, arrays: Sequence[Array]) -> None:
    """Reverse mode through a traced function agrees with differences of the same function of NumPy's arrays."""

    def objective(*tensors: Any) -> Any:
        return _weighed(traced(*tensors))

    gradients = trace(rax.grad(objective, argnums=tuple(range(len(arrays)))), arrays)(*arrays)
    differences = [_differences(plain, arrays, place) for place in range(len(arrays))]
    for gradient, difference in zip(gradients, differences, strict=True):
        np.testing.assert_allclose(np.asarray(gradient), difference, rtol=SLOPE_RTOL, atol=SLOPE_ATOL)
    assert any(np.any(np.abs(difference) > 1e-3) for difference in differences)  # else nothing was compared


def _weighed(results: Any) -> Any:
    """One number of results: each element with a weight of its own, imaginary parts with another."""
    total: Any = 0.0
    for leaf in flatten(results)[0]:
        result: Any = leaf
        xp: Any = rnp if isinstance(result, rax.Tensor) else np
        shape: Any = result.shape
        weights = np.cos(1.0 + np.arange(math.prod(shape))).reshape(shape)
        if np.dtype(str(result.dtype)).kind == "c":
            result = xp.real(result) + 0.5 * xp.imag(result)
        total = total + xp.sum(result * weights)
    return total


def _differences(function: Function, arrays: Sequence[Array], place: int) -> Array:
    slopes = np.empty(arrays[place].shape)
    for index in np.ndindex(slopes.shape):
        sides: list[Any] = []
        for step in (STEP, -STEP):
            moved = [np.copy(array) for array in arrays]
            moved[place][index] += step
            sides.append(_weighed(function(*moved)))
        slopes[index] = (sides[0] - sides[1]) / (2 * STEP)
    return slopes
