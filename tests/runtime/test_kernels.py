"""The NumPy backend equals the oracle on every operation, sample and dtype, whatever the memory layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rax.ir import dims
from rax.ir.errors import ExecutionError
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.op import Op
from rax.ir.types import TensorType, as_dtype
from rax.ops.arrays import Array, numpy_dtype
from rax.ops.broadcasting import Sum
from rax.ops.elementwise import multiply
from rax.ops.indexing import Gather, Scatter
from rax.ops.reduction import Max, Min
from rax.ops.selection import where
from rax.ops.shape import Pad, permute_dims, reshape
from rax.ops.sorting import Sort
from rax.ops.special.error_functions import erf
from rax.ops.window import FoldWindows, SlidingWindows
from rax.runtime.executable import compile
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import Case, assert_close, cases, coarsest

# A kernel may sum in another order, or round a half type once where the reference does twice.
FACTOR = 16


def run(case: Case, arrays: Sequence[Array]) -> None:
    graph = case.graph()
    expected = evaluate_graph(graph, arrays)
    before = [array.tobytes() for array in arrays]
    found = compile(graph).run(list(arrays))
    tolerance = FACTOR * coarsest([*graph.in_types, *graph.out_types])
    for position, (actual, due) in enumerate(zip(found, expected, strict=True)):
        assert isinstance(actual, np.ndarray)
        assert_close(actual, due, tolerance, f"{case} result {position}")
        assert actual.flags.writeable
        assert not any(np.shares_memory(actual, array) for array in arrays)
    assert [array.tobytes() for array in arrays] == before


def by_operation(found: list[Case]) -> list[Any]:
    """The cases of each operation as one parameter."""
    rows: dict[str, list[Case]] = {}
    for case in found:
        rows.setdefault(case.cls.name, []).append(case)
    return [pytest.param(row, id=name) for name, row in rows.items()]


@pytest.mark.parametrize("row", by_operation(cases()))
def test_kernels_equal_the_reference(row: list[Case]) -> None:
    for case in row:
        run(case, case.arrays())


@pytest.mark.parametrize("row", by_operation(cases(slot="edges")))
def test_kernels_equal_the_reference_at_special_values(row: list[Case]) -> None:
    for case in row:
        run(case, case.arrays())


def spread_out(array: Array) -> Array:
    """The same elements, read-only, in every second place and in reverse order of memory."""
    strided = np.zeros((*array.shape, 2), array.dtype).T[0, ...].T
    strided[...] = array
    strided.flags.writeable = False
    return strided


@pytest.mark.parametrize("row", by_operation(cases(("bool", "int64", "float32"))))
def test_kernels_take_arrays_of_any_layout(row: list[Case]) -> None:
    for case in row:
        run(case, [spread_out(array) for array in case.arrays()])


@pytest.mark.parametrize("name", ["gather", "scatter"])
@pytest.mark.parametrize("index", [3, -4])
def test_an_index_out_of_range_fails(name: str, index: int) -> None:
    for case in cases(("float32",)):
        if case.cls.name == name and case.sample.operands[0].shape == (4, 3):
            arrays = case.arrays()
            arrays[1] = np.full_like(arrays[1], 4 if index > 0 else -5)
            with pytest.raises(ExecutionError, match=f"{name} failed: index .* is out of bounds"):
                compile(case.graph()).run(arrays)


def compare(op: Op, *arrays: Array, tolerance: float = 1e-5) -> None:
    """One operation on arrays, in the backend and by its reference."""
    inputs = [new_input(f"x{i}", TensorType(as_dtype(a.dtype), a.shape)) for i, a in enumerate(arrays)]
    graph = Graph(inputs, op.results(*inputs))
    found, due = compile(graph).run(list(arrays)), evaluate_graph(graph, arrays)
    for actual, expected in zip(found, due, strict=True):
        assert_close(actual, expected, tolerance, repr(op))


def random(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "int8", "bfloat16", "complex64"])
@pytest.mark.parametrize(
    ("shape", "pool", "strides", "dilation"),
    [
        ((3, 4, 8, 6), (2, 2), (2, 2), (1, 1)),
        ((3, 4, 9, 7), (2, 3), (2, 3), (1, 1)),
        ((2, 3, 9, 9), (3, 2), (2, 1), (1, 2)),
        ((2, 30), (3,), (7,), (2,)),
        ((2, 30, 20), (9, 11), (9, 11), (1, 1)),
        ((2, 30, 20), (10, 10), (1, 1), (1, 1)),
        ((4, 1), (1,), (1,), (1,)),
        ((3, 5), (), (), ()),
    ],
)
def test_windows_and_what_is_done_along_them_equal_the_reference(
    shape: tuple[int, ...], pool: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...], dtype: str
) -> None:
    kind = numpy_dtype(as_dtype(dtype))
    x = new_input("x", TensorType(as_dtype(dtype), shape))
    windows = SlidingWindows(pool, strides, dilation)(x)
    axes = tuple(range(windows.ndim - len(pool), windows.ndim))
    largest = [] if dtype == "complex64" else [Max(axes)(windows), Min(axes)(windows)]
    folded = FoldWindows(shape[len(shape) - len(pool) :], strides, dilation)(multiply(windows, windows))
    flat = reshape(windows, (dims.product(windows.shape),))
    turned = reshape(permute_dims(windows, (*axes, *range(windows.ndim - len(pool)))), flat.shape)
    graph = Graph([x], [windows, Sum(axes)(windows), *largest, folded, flat, turned])
    values = (10 * random(*shape)).astype(kind)
    with np.errstate(all="ignore"):
        due = evaluate_graph(graph, [values])
    for found, expected in zip(compile(graph).run([values]), due, strict=True):
        assert_close(found, expected, 0.05 if dtype == "bfloat16" else 1e-4, "windows")


@pytest.mark.parametrize("seed", range(40))
def test_padding_cropping_and_spreading_equal_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, gap, low, high = (int(rng.integers(*bounds)) for bounds in ((0, 6), (0, 3), (-4, 4), (-4, 4)))
    wide = max((size - 1) * (gap + 1) + 1, 0)
    if wide + low + high >= 0 and wide + low >= 0 and wide + high >= 0:
        compare(Pad((low, 0), (high, 1), (gap, 0)), random(size, 2))


WIDTHS = ["float32", "float16", "bfloat16", "float64", "complex64", "complex128", "bool", "int8"]
FULL = (70, 80)


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("shapes", [(FULL, ()), ((), FULL), ((70, 1), (80,)), ((80,), (80,)), (FULL, FULL)])
def test_a_choice_by_a_mask_keeps_every_bit(shapes: tuple[tuple[int, ...], ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    kind = numpy_dtype(as_dtype(dtype))
    for number in (0, 1):
        x, y = (rng.integers(0, 2 if dtype == "bool" else 256, (*shape, kind.itemsize), np.uint8) for shape in shapes)
        x, y = (array.view(kind)[..., 0] for array in (x, y))  # NaN of every payload among them
        x, y = (array if array.ndim else np.full_like(array, number) for array in (x, y))
        for condition in (rng.random((70, 80)) < 0.5, (rng.random((70, 160)) < 0.5)[:, ::-2], np.ones(80, bool)):
            inputs = [new_input("x", TensorType(as_dtype(a.dtype), a.shape)) for a in (condition, x, y)]
            (found,) = compile(Graph(inputs, [where(*inputs)])).run([condition, x, y])
            assert found.tobytes() == np.where(condition, x, y).tobytes()


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint64"])
def test_rows_added_where_indices_repeat_equal_the_reference(dtype: str) -> None:
    index = np.random.default_rng(0).integers(0 if dtype == "uint64" else -7, 7, size=(5, 40)).astype(dtype)
    compare(Scatter(), random(7, 3, 2), index, random(5, 40, 3, 2))
    compare(Scatter(), random(7), index, random(5, 40))
    compare(Gather(), random(7, 3), index, tolerance=0)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int8", "uint64"])
def test_sorting_keeps_equal_zeros_in_order(dtype: str, descending: bool) -> None:
    x = np.random.default_rng(0).integers(0, 9, (70, 80)).astype(numpy_dtype(as_dtype(dtype)))
    y = new_input("x", TensorType(as_dtype(dtype), x.shape))
    for axis in (0, 1):
        op = Sort(axis, descending)
        exe = compile(Graph([y], [op(y)]))
        for array in (x, -x if dtype.endswith(("16", "32", "64")) and dtype[0] != "u" else x):
            mixed = array.copy()
            mixed[::3] = x[::3]
            for each in (array, mixed, np.asfortranarray(mixed)):
                assert exe(each).tobytes() == op.reference(each).tobytes()


def test_erf_is_exact_to_a_few_last_places() -> None:
    x = np.concatenate([np.linspace(-6, 6, 100_001), [0.0, -0.0, 1e-30, np.inf, -np.inf, np.nan]]).astype(np.float32)
    y = new_input("x", TensorType(as_dtype("float32"), x.shape))
    found = compile(Graph([y], [erf(y)]))(x)
    due = np.array([math.erf(number) for number in x.tolist()])
    assert np.isnan(found[-1])
    np.testing.assert_allclose(found[:-1], due[:-1], rtol=3e-7, atol=0)
