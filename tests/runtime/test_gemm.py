"""Products added by BLAS to what is there: the same as NumPy's sums, whatever way operands lie."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.types import float32, float64, tensor_type
from rax.ops.arrays import Array
from rax.runtime.backends.numpy import blas
from rax.runtime.backends.numpy.gemm import Gemm, make_gemm
from rax.runtime.executable import Executable

RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float32) -> Array:
    return RNG.standard_normal(shape).astype(dtype)


def names(exe: Executable) -> list[str]:
    return [step.op.name for step in exe.plan.steps if not step.view]


def layouts(matrix: Array) -> dict[str, Array]:
    """One matrix in several ways in memory."""
    rows, columns = matrix.shape
    wide = np.zeros((rows, columns + 3), matrix.dtype)
    wide[:, 1:-2] = matrix
    sparse = np.zeros((rows * 2, columns * 3), matrix.dtype)
    sparse[::2, ::3] = matrix
    shifted = np.zeros(matrix.nbytes + 1, np.uint8)[1:].view(matrix.dtype).reshape(rows, columns)
    shifted[...] = matrix
    read_only = matrix.copy()
    read_only.flags.writeable = False
    return {
        "rows": matrix.copy(), "columns": np.array(matrix, order="F"), "part": wide[:, 1:-2],
        "turned part": wide.T.copy()[1:-2].T, "gaps": sparse[::2, ::3],
        "backwards": matrix[::-1, ::-1].copy()[::-1, ::-1], "unaligned": shifted, "read-only": read_only,
    }  # fmt: skip


def bound(alpha: float, beta: float, c: Array, a: Array, b: Array) -> Array:
    """Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.5."""
    terms = a.shape[-1] + 3
    size = abs(alpha) * np.matmul(np.abs(a), np.abs(b), dtype=np.float64) + abs(beta) * np.abs(c)
    return 2 * terms * np.finfo(c.dtype).eps * size


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(7, 5, 3), (1, 5, 3), (7, 1, 3), (7, 5, 1), (1, 1, 1), (64, 300, 65)])
def test_blas_adds_products_of_matrices_that_lie_in_any_way(shape: tuple[int, int, int], dtype: str) -> None:
    rows, depth, columns = shape
    a, b, c = (normal(*each, dtype=dtype) for each in ((rows, depth), (depth, columns), (rows, columns)))
    types = tuple([tensor_type(each.shape, dtype) for each in (c, a, b)])
    kernel = make_gemm(Gemm(-0.5, 2.0), types)
    assert kernel is not None
    due = 2.0 * c.astype("f8") - 0.5 * (a.astype("f8") @ b.astype("f8"))
    for (first, x), (second, y), (third, z) in itertools.product(*[layouts(each).items() for each in (a, b, c)]):
        fresh = kernel(z, x, y)
        assert fresh.flags.c_contiguous
        assert np.all(np.abs(fresh - due) <= bound(-0.5, 2.0, c, a, b)), (first, second, third)
        assert np.array_equal(z, c)
    for how, z in layouts(c).items():
        if z.flags.writeable:
            assert kernel(z, a, b, out=z) is z
            assert np.all(np.abs(z - due) <= bound(-0.5, 2.0, c, a, b)), how


@pytest.mark.parametrize("lead", [(), (6,), (2, 3)])
@pytest.mark.parametrize("by_threads", [False, True])
def test_a_batch_of_rows_is_one_product(lead: tuple[int, ...], by_threads: bool) -> None:
    a, b, c = normal(*lead, 260, 129), normal(129, 300), normal(*lead, 260, 300)
    types = tuple([tensor_type(each.shape, "float32") for each in (c, a, b)])
    kernel = make_gemm(Gemm(1.0, 1.0), types, by_threads=by_threads)
    assert kernel is not None
    due = c.astype("f8") + np.matmul(a.astype("f8"), b.astype("f8"))
    limit = bound(1.0, 1.0, c, a, b)
    assert np.all(np.abs(kernel(c, a, b) - due) <= limit)
    turned = c.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    if lead:
        apart = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), np.float32)[..., ::2]
        apart[...] = a
        assert np.all(np.abs(kernel(c, apart, b) - due) <= limit)
    assert np.all(np.abs(kernel(turned, a, b, out=turned) - due) <= limit)


def test_infinities_and_nan_pass_through_as_by_definition() -> None:
    a, b, c = normal(200, 200), normal(200, 200), normal(200, 200)
    a[3, 5], b[7, 11], c[0, 0], c[1, 1] = np.inf, np.nan, np.nan, -np.inf
    exe = rax.compile(rax.trace(lambda c, a, b: c - a @ b, c, a, b))
    found: Array = exe(c, a, b)
    due = c - a @ b
    assert np.array_equal(np.isnan(found), np.isnan(due))
    assert np.array_equal(np.isinf(found), np.isinf(due))


def test_a_descent_step_has_no_array_for_the_gradient() -> None:
    weight, x, y = normal(300, 200), normal(128, 300), normal(128, 200)

    def step(weight: rax.Tensor, x: rax.Tensor, y: rax.Tensor) -> rax.Tensor:
        return weight - 0.01 * (x.T @ (x @ weight - y))

    exe = rax.compile(rax.trace(step, weight, x, y), donate=[0])
    assert names(exe).count("gemm") == (blas.general_product(float32) is not None)
    assert exe.plan.peak_bytes < 2 * y.nbytes + weight.nbytes
    given = weight.copy()
    found: Array = exe(given, x, y)
    wide = weight.astype("f8")
    due = wide - 0.01 * (x.T.astype("f8") @ (x @ wide - y))
    np.testing.assert_allclose(found, due, rtol=1e-5, atol=1e-5)
    kept: Array = rax.compile(rax.trace(step, weight, x, y))(weight, x, y)
    assert np.array_equal(kept, found)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "int32"])
def test_sums_of_products(dtype: str) -> None:
    """The gradient of what several products read is a sum of products; half and complex numbers are left to NumPy."""
    operands = [(9 * normal(4, 40, 30)).astype(dtype), *[(9 * normal(30, 300)).astype(dtype) for _ in range(3)]]

    def model(x: rax.Tensor, *weights: rax.Tensor) -> rax.Tensor:
        first, second, third = [x @ weight for weight in weights]
        return first + third - second

    exe = rax.compile(rax.trace(model, *operands))
    blas_adds = dtype in ("float32", "float64") and blas.general_product(float64) is not None
    assert names(exe).count("gemm") == 2 * blas_adds
    found: Array = exe(*operands)
    wide = [each.astype("c16") for each in operands]
    due = wide[0] @ wide[1] + wide[0] @ wide[3] - wide[0] @ wide[2]
    size = np.abs(wide[0]) @ (sum(map(np.abs, wide[1:])))
    epsilon = {"int32": 0.0, "float64": np.finfo("f8").eps, "float16": 2**-10}.get(dtype, np.finfo("f4").eps)
    assert np.all(np.abs(found - due) <= 70 * epsilon * size)


def test_what_is_read_twice_stays() -> None:
    c, a, b = normal(200, 200), normal(200, 200), normal(200, 200)

    def twice(c: rax.Tensor, a: rax.Tensor, b: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor]:
        product = a @ b
        return c - product, product * product

    exe = rax.compile(rax.trace(twice, c, a, b))
    assert "gemm" not in names(exe)
    found: tuple[Array, Array] = exe(c, a, b)
    np.testing.assert_allclose(found[0], c - a @ b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[1], (a @ b) ** 2, rtol=1e-4, atol=1e-4)


def test_steps_in_a_loop() -> None:
    weight, rows = normal(200, 200), normal(12, 50, 200)

    def train(weight: rax.Tensor, rows: rax.Tensor) -> rax.Tensor:
        def step(weight: rax.Tensor, x: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor]:
            out = rnp.tanh(x @ weight)
            return weight - 0.001 * (x.T @ out), rnp.sum(out)

        return rax.scan(step, weight, rows)[0]

    exe = rax.compile(rax.trace(train, weight, rows))
    (loop,) = [step for step in exe.plan.steps if step.nested]
    inner = [step.op.name for step in loop.nested[0].steps]
    assert inner.count("gemm") == (blas.general_product(float32) is not None)
    due = weight.astype("f8")
    for x in rows:
        due = due - 0.001 * (x.T.astype("f8") @ np.tanh(x @ due))
    np.testing.assert_allclose(exe(weight, rows), due, rtol=1e-4, atol=1e-4)


def test_without_openblas_plans_have_products_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_NAMES", (("no_such_{}", "no_such_{}"),))
    for cached in (blas._library, blas.general_product):  # pyright: ignore[reportPrivateUsage]
        cached.cache_clear()
    try:
        c, a, b = normal(201, 200), normal(201, 200), normal(200, 200)
        exe = rax.compile(rax.trace(lambda c, a, b: c - a @ b, c, a, b))
        assert "gemm" not in names(exe)
        np.testing.assert_allclose(exe(c, a, b), c - a @ b, rtol=1e-5, atol=1e-5)
    finally:
        monkeypatch.undo()
        for cached in (blas._library, blas.general_product):  # pyright: ignore[reportPrivateUsage]
            cached.cache_clear()
