"""Comparison with NumPy: of lazy tensors, and of one graph traced with symbolic sizes and run for several."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from rax.ir import dims
from rax.ops.arrays import Array
from tests.ops import laws

Function = Callable[..., Any]
SIZES: tuple[dict[str, int], ...] = ({"n": 3, "m": 2}, {"n": 1, "m": 5}, {"n": 0, "m": 2})


def draw(shape: Sequence[int], dtype: str = "float32", seed: int = 0) -> Array:
    """Random numbers of a dtype; integers between -9 and 9."""
    numbers = np.random.default_rng([seed, len(shape)]).normal(size=shape) * 3
    if dtype == "bool":
        return numbers > 0
    if dtype.startswith("complex"):
        return (numbers + 1j * np.random.default_rng(seed + 1).normal(size=shape)).astype(dtype)
    return (np.abs(numbers) if dtype.startswith("uint") else numbers).astype(dtype)


def check_signature(name: str, function: Function, standard: str) -> None:
    """The parameters are the standard's, and one that has a name only has so there too."""
    found = inspect.signature(function).parameters.values()
    ours = f"{name}{inspect.Signature([item.replace(annotation=inspect.Parameter.empty) for item in found])}"
    assert ours.replace("*, ", "") == standard.replace("*, ", "")
    assert standard.partition("*, ")[2].endswith(ours.partition("*, ")[2])


def same(got: Any, due: Any, *, exact_dtype: bool = True) -> None:
    """Nests of arrays are equal in structure, dtype, shape and, to a few units in the last place, value."""
    if isinstance(due, (list, tuple)):
        assert len(got) == len(due)
        for one, other in zip(got, due, strict=True):
            same(one, other, exact_dtype=exact_dtype)
        return
    array, wanted = np.asarray(got), np.asarray(due)
    if exact_dtype:
        assert array.dtype == wanted.dtype
    assert array.shape == wanted.shape
    if wanted.dtype.kind in "fc":
        tolerance = 1e-12 if wanted.dtype.itemsize == (8 if wanted.dtype.kind == "f" else 16) else 2e-6
        np.testing.assert_allclose(array, wanted, rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(array, wanted)


def agree(function: Function, due: Function, *arrays: Any, exact_dtype: bool = True) -> None:
    """A function of lazy tensors, and its compiled trace, give what NumPy gives."""
    wanted = due(*arrays)
    same(function(*map(rnp.asarray, arrays)), wanted, exact_dtype=exact_dtype)
    same(rax.jit(function)(*arrays), wanted, exact_dtype=exact_dtype)


def agree_symbolic(
    function: Function,
    due: Function,
    *shapes: Sequence[int | str],
    dtype: str = "float32",
    sizes: Sequence[Mapping[str, int]] = SIZES,
    exact_dtype: bool = True,
) -> None:
    """One graph with named sizes gives what NumPy gives, for each choice of the sizes."""
    graph = rax.trace(function, *[rax.spec(shape, dtype) for shape in shapes])
    for values in sizes:
        concrete = [tuple(dims.evaluate(dims.dim(size), values) for size in shape) for shape in shapes]
        arrays = [draw(shape, dtype, seed) for seed, shape in enumerate(concrete)]
        same(graph(*arrays), due(*arrays), exact_dtype=exact_dtype)


def differentiable(function: Function, *arrays: Array) -> None:
    """The derivatives of a function at float64 arrays: forward against differences, reverse against forward, twice."""
    graph = rax.trace(function, *arrays)
    laws.check_jvp(graph, arrays, 1)
    laws.check_vjp(graph, arrays, 1)
    back, _ = laws.cotangent_graph(graph)
    weights = [laws.random_like(value.type, 17) for value in graph.outputs if value.dtype.is_inexact]
    laws.check_jvp(back, [*arrays, *weights], 1)


def batches(function: Function, *arrays: Array) -> None:
    """A batch of functions is a loop over its rows, with every array batched and with each alone."""
    graph = rax.trace(function, *arrays)
    rows = [[array + np.asarray(0.25 * row, array.dtype) for array in arrays] for row in range(3)]
    for batched in laws.patterns(len(arrays)):
        laws.check_batching(graph, rows, batched, 1)
