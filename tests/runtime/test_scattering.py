"""Numbers and rows written or added at positions that may repeat, from the end too, as by definition."""

from __future__ import annotations

import numpy as np
import pytest

import rax
from rax.ir.errors import ExecutionError
from rax.ir.types import TensorType, tensor_type
from rax.ops.arrays import Array
from rax.ops.indexing import Scatter
from rax.runtime.backends.numpy.indexing import make_scatter
from rax.runtime.executable import compile

CASES = [
    ((300, 200), 0, 2, (20_000,)),
    ((50, 300), 1, 1, (50, 40)),
    ((3000,), 0, 1, (70, 100)),
    ((900, 40), 0, 1, (3000,)),
    ((4, 2000), 0, 1, (700,)),
    ((30, 40, 5), 0, 2, (20, 30)),
    ((7, 40, 5, 6), 1, 2, (7, 11)),
    ((3, 4, 20), 2, 1, (3, 4, 9)),
    ((4, 5), 0, 1, (0,)),
    ((4, 0), 0, 1, (3,)),
]


def operands(case: tuple[tuple[int, ...], int, int, tuple[int, ...]], dtype: str, index: str) -> list[Array]:
    shape, batch, count, places = case
    rng = np.random.default_rng(11)
    indices: list[Array] = []
    for size in shape[batch : batch + count]:
        most = min(size, 100)
        indices.append(rng.integers(0 if index == "uint64" else -most, most, places).astype(index))
    numbers = [rng.integers(-9, 9, size).astype(dtype) for size in (shape, (*places, *shape[batch + count :]))]
    return [numbers[0], *indices, numbers[1]]


@pytest.mark.parametrize("reduction", ["add", "set"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
@pytest.mark.parametrize("index", ["int64", "int8", "uint64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_kernel_does_what_the_definition_says(
    case: tuple[tuple[int, ...], int, int, tuple[int, ...]], index: str, dtype: str, reduction: str
) -> None:
    arrays = operands(case, dtype, index)
    op = Scatter(case[1], reduction)
    types: tuple[TensorType, ...] = tuple([tensor_type(array.shape, str(array.dtype)) for array in arrays])
    kernel = make_scatter(op, types)
    if kernel is None:  # sums of half types, in float32
        assert (dtype, reduction) == ("float16", "add")
        return
    due = op.reference(*arrays)
    for given in (arrays, [np.asfortranarray(array) for array in arrays]):
        for array in given:
            array.flags.writeable = False
        found = kernel(*given)
        assert found.tobytes() == due.tobytes()
        over = given[0].copy()
        assert kernel(over, *given[1:], out=over) is over
        assert over.tobytes() == due.tobytes()


def test_many_rows_at_few_positions_lose_no_accuracy() -> None:
    rng = np.random.default_rng(2)
    x, rows = np.zeros((3, 50), np.float32), rng.random((40_000, 50), np.float32)
    places = rng.integers(0, 3, 40_000)
    types = tuple([tensor_type(array.shape, str(array.dtype)) for array in (x, places, rows)])
    kernel = make_scatter(Scatter(), types)
    assert kernel is not None
    due = np.stack([rows[places == place].sum(0, dtype=np.float64) for place in range(3)])
    np.testing.assert_allclose(kernel(x, places, rows), due, rtol=1e-6)


@pytest.mark.parametrize("wrong", [5, -6])
@pytest.mark.parametrize("reduction", ["add", "set"])
def test_positions_out_of_range_are_refused(reduction: str, wrong: int) -> None:
    x = rax.spec((4, 5, 2), "float32")
    index, updates = rax.spec((3,), "int64"), rax.spec((3, 2), "float32")

    def write(x: rax.Tensor, i: rax.Tensor, j: rax.Tensor, updates: rax.Tensor) -> rax.Tensor:
        return rax.Tensor(Scatter(0, reduction)(x.value, i.value, j.value, updates.value))

    exe = compile(rax.trace(write, x, index, index, updates))
    arrays = [np.zeros((4, 5, 2), np.float32), np.zeros(3, int), np.asarray([0, wrong, 1]), np.ones((3, 2), np.float32)]
    with pytest.raises(ExecutionError, match=f"index {wrong} is out of bounds for axis 1 with size 5"):
        exe.run(arrays)
