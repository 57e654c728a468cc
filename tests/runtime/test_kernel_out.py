"""Kernels that put their result where they are told to: into a fresh array, or over an operand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rax.ir.op import Op
from rax.ir.types import TensorType, as_dtype
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.ops.contraction import MatMul
from rax.ops.indexing import Gather, Scatter
from rax.ops.relu import Relu
from rax.ops.selection import Where
from rax.ops.shape import Concat, Pad, Reshape
from rax.runtime.backends.numpy.movement import copying_reshape
from rax.runtime.backends.numpy.table import KERNELS, find_kernel, writes_into, writes_over
from tests.ops.laws import cases

RUN = [case for case in cases() if case.cls.name in KERNELS]


def given(op: Op, arrays: list[Array], place: int | None) -> Array:
    """What a kernel makes when it is told to write into a fresh array, or over the operand at a place."""
    types = tuple([TensorType(as_dtype(array.dtype), array.shape) for array in arrays])
    operands = [array.copy() for array in arrays]
    (due,) = op.infer(*types)
    fresh = np.full(concrete(due.shape), 3).astype(numpy_dtype(due.dtype))
    out = fresh if place is None else operands[place]
    kernel = find_kernel(op, types)
    with np.errstate(all="ignore"):
        made: Any = kernel(*operands, out=out)
    assert made is out
    for index, (operand, array) in enumerate(zip(operands, arrays, strict=True)):
        assert index == place or operand.tobytes() == array.tobytes()
    return out


def check(op: Op, arrays: list[Array]) -> set[str]:
    """Compare with what the kernel makes without being told; the ways it can be told."""
    types = tuple([TensorType(as_dtype(array.dtype), array.shape) for array in arrays])
    if not writes_into(op, types):
        assert not writes_over(op, types)
        return set()
    with np.errstate(all="ignore"):
        due = np.asarray(find_kernel(op, types)(*[array.copy() for array in arrays]))
    assert given(op, arrays, None).tobytes() == due.tobytes(), op
    if not writes_over(op, types):
        return {"into"}
    for place in writes_over(op, types):
        if (types[place],) == op.infer(*types) and types[place].ndim:
            assert given(op, arrays, place).tobytes() == due.tobytes(), (op, place)
    return {"into", "over"}


def test_a_result_is_the_same_wherever_it_is_put() -> None:
    ways: dict[str, set[str]] = {}
    for case in RUN:
        if case.cls.name != "reshape":  # one that is a kernel's copies
            ways.setdefault(case.cls.name, set()).update(check(case.op, case.arrays()))
    told = {name for name, found in ways.items() if found}
    assert {"add", "matmul", "sum", "cumulative_sum", "softmax", "sigmoid", "erf", "cast", "concat", "pad"} <= told
    assert {name for name in told if "over" not in ways[name]} == {
        "argmax", "argmin", "conv", "sliding_windows", "fold_windows", "dot_product_attention",
        "sum", "prod", "max", "min", "all", "any", "cumulative_sum", "cumulative_prod", "matmul", "concat", "pad",
        "sort", "argsort",
    }  # fmt: skip


FULL = (70, 80)


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shapes", [(FULL, ()), ((), FULL), ((70, 1), (80,)), ((80,), (80,)), (FULL, FULL)])
@pytest.mark.parametrize("mask", [FULL, (80,)])
def test_a_choice_is_written_over_either_operand(
    shapes: tuple[tuple[int, ...], ...], mask: tuple[int, ...], dtype: str
) -> None:
    rng = np.random.default_rng(0)
    for number in (0, 1):
        x, y = (np.asarray(rng.integers(0, 2, shape)).astype(dtype) for shape in shapes)
        x, y = (array if array.ndim else np.full_like(array, number) for array in (x, y))
        check(Where(), [rng.random(mask) < 0.5, x, y])


def test_rows_are_added_over_what_they_are_added_to() -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(-7, 7, (5, 40))
    numbers = rng.standard_normal
    assert check(Scatter(), [numbers((7, 3)), index, numbers((5, 40, 3))]) == {"into", "over"}
    assert check(Scatter(), [numbers((7, 3)), np.arange(7), numbers((7, 3))]) == {"into", "over"}


def test_moved_elements_are_put_where_they_are_due() -> None:
    x = np.random.default_rng(0).standard_normal((6, 4))
    assert check(Concat(0), [x, x[:2]]) == check(Pad((1, -1), (0, 3), (2, 0)), [x]) == {"into"}
    out = np.empty((3, 8))
    reshape = copying_reshape(Reshape((3, 8)), (TensorType(as_dtype("float64"), (6, 4)),))
    assert reshape(np.asfortranarray(x), out=out) is out
    np.testing.assert_array_equal(out, x.reshape(3, 8))
    assert not writes_over(Reshape((3, 8)), (TensorType(as_dtype("float64"), (6, 4)),))


@pytest.mark.parametrize("name", ["softmax", "layer_norm", "where", "relu", "sum"])
def test_operands_may_be_read_only_and_lie_anyhow(name: str) -> None:
    for case in [case for case in RUN if case.cls.name == name and case.dtype.name == "float32"]:
        if writes_into(case.op, tuple(case.types)):
            arrays = case.arrays()
            due = given(case.op, arrays, None)
            spread = [np.repeat(array[..., None], 2, -1)[..., 0] for array in arrays]
            for array in spread:
                array.flags.writeable = False
            out = np.empty_like(due)
            with np.errstate(all="ignore"):
                find_kernel(case.op, tuple(case.types))(*spread, out=out)
            np.testing.assert_allclose(out, due, rtol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (4096,), (127, 129), (3, 1 << 14), (16391,)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_a_rectifier_is_the_maximum_with_zero_whatever_the_size(shape: tuple[int, ...], dtype: str) -> None:
    x = np.asarray(10 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    if dtype != "int8":
        x.reshape(-1)[:4] = [np.nan, -0.0, np.inf, -np.inf][: x.size]
    for given_x in (x, x[::-1], np.asfortranarray(x)):
        assert check(Relu(), [given_x]) == {"into", "over"}
        kernel = find_kernel(Relu(), (TensorType(as_dtype(dtype), shape),))
        np.testing.assert_array_equal(kernel(given_x), np.maximum(given_x, 0))


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int64"])
@pytest.mark.parametrize("sizes", [(3, 4, 5), (0, 4, 5), (3, 0, 5), (300, 1, 200), (200, 3, 200)])
def test_products_of_any_size_and_layout_equal_those_of_matmul(sizes: tuple[int, int, int], dtype: str) -> None:
    rows, inner, columns = sizes
    rng = np.random.default_rng(0)
    x = np.asarray(10 * rng.standard_normal((rows, inner))).astype(dtype)
    y = np.asarray(10 * rng.standard_normal((inner, columns))).astype(dtype)
    for left in (x, np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2], x[None]):
        for right in (y, np.asfortranarray(y), y[::-1][::-1]):
            types = tuple([TensorType(as_dtype(dtype), each.shape) for each in (left, right)])
            due = np.matmul(left, right)
            out = np.empty(due.shape, dtype)
            kernel = find_kernel(MatMul(), types)
            assert kernel(left, right, out=out) is out
            for found in (out, kernel(left, right)):
                np.testing.assert_allclose(found, due, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint64"])
def test_rows_are_taken_into_a_place_and_wrong_ones_are_refused(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((7, 30_000))
    index = rng.integers(0 if dtype == "uint64" else -7, 7, (2, 5)).astype(dtype)
    assert check(Gather(), [x, index]) == {"into"}
    types = (TensorType(as_dtype("float64"), x.shape), TensorType(as_dtype(dtype), index.shape))
    for wrong in (7, 100) if dtype == "uint64" else (7, -8):
        index[1, 2] = wrong
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for axis 0 with size 7"):
            find_kernel(Gather(), types)(x, index, out=np.empty((2, 5, 30_000)))
