"""The first positions in sorted order are found by partition, and are those that sorting gives."""

from __future__ import annotations

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.errors import ExecutionError
from rax.ir.types import DTYPES
from rax.ops.arrays import Array, numpy_dtype
from rax.ops.samples import REAL
from rax.passes.optimise import optimise
from rax.runtime.backends.numpy.leading import sorted_so_far, take_leading
from rax.runtime.executable import compile
from rax.runtime.reference import evaluate_graph

SIZE = 300


def numbers(dtype: str, ties: str, *shape: int) -> Array:
    rng = np.random.default_rng(7)
    drawn = rng.integers(0, 4, shape) if ties == "many" else rng.permuted(np.arange(np.prod(shape))).reshape(shape)
    array = drawn.astype(np.float64)
    if ties == "nan" and DTYPES[dtype].is_floating:
        array[rng.random(shape) < 0.2] = np.nan
        array[rng.random(shape) < 0.2] = -0.0
        array[rng.random(shape) < 0.2] = 0.0
        array[rng.random(shape) < 0.01] = -np.inf
    return (array if DTYPES[dtype].is_floating else drawn % 120).astype(numpy_dtype(DTYPES[dtype]))


@pytest.mark.parametrize("ties", ["few", "many", "nan"])
@pytest.mark.parametrize("dtype", REAL)
def test_they_are_those_of_a_sort(dtype: str, ties: str) -> None:
    for shape, axis in (((SIZE,), 0), ((3, SIZE), 1), ((SIZE, 2, 2), 0), ((2, SIZE, 3), 1), ((0, SIZE), 1)):
        x = numbers(dtype, ties, *shape)
        for mode in ("largest", "smallest"):
            graph = rax.trace(lambda x, a=axis, m=mode: rnp.top_k(x, 7, axis=a, mode=m), rax.spec(x.shape, dtype))
            exe = compile(graph)
            assert any(step.op.name == "leading" for step in exe.plan.steps)
            for given in (x, x[::-1].copy()[::-1], np.asfortranarray(x)):
                given.flags.writeable = False
                for found, due in zip(exe.run([given]), evaluate_graph(graph, [given]), strict=True):
                    assert (found.shape, found.tobytes()) == (due.shape, due.tobytes())
                    assert found.flags.writeable


def test_where_the_last_taken_is_nan_all_are_sorted() -> None:
    x = np.full((2, SIZE), np.nan, np.float32)
    x[0, 5] = 1
    for mode in ("largest", "smallest"):
        graph = rax.trace(lambda x, m=mode: rnp.top_k(x, 3, mode=m), x)
        for found, due in zip(compile(graph).run([x]), evaluate_graph(graph, [x]), strict=True):
            assert (found.shape, found.tobytes()) == (due.shape, due.tobytes())


def test_sizes_may_be_named_and_too_small() -> None:
    graph = rax.trace(lambda x: rnp.top_k(x, 3), rax.spec(("n",), "float32"))
    exe = compile(graph)
    for size in (3, 24, 1000):
        x = numbers("float32", "many", size)
        for found, due in zip(exe.run([x]), evaluate_graph(graph, [x]), strict=True):
            assert (found.shape, found.tobytes()) == (due.shape, due.tobytes())
    with pytest.raises(ExecutionError, match="leaves the axis of size 2"):
        exe(np.ones(2, np.float32))


def test_it_is_done_in_bodies_and_only_where_few_are_taken() -> None:
    x = numbers("float32", "few", 4, SIZE)

    def best(total: rax.Tensor, row: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor]:
        return total + rnp.top_k(row, 2)[0], rnp.top_k(row, 200)[1]

    graph = rax.trace(lambda x: rax.scan(best, x[0, :2], x), x)
    assert sum("leading" in str(each.op) for each in take_leading(optimise(graph)).nodes) == 1
    for found, due in zip(compile(graph).run([x]), evaluate_graph(graph, [x]), strict=True):
        assert (found.shape, found.tobytes()) == (due.shape, due.tobytes())
    names = [step.op.name for step in compile(graph).plan.steps[-1].nested[0].steps]
    assert names.count("leading") == names.count("argsort") == 1


def test_the_rule_does_what_its_examples_say() -> None:
    for example in sorted_so_far.examples:
        for dtype in example.operands.dtypes or ():
            before, after = example.graphs(DTYPES[dtype])
            assert take_leading(before) == after
