"""Reductions over groups, compared with a loop over rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ops.arrays import Array
from tests.numpy.agree import batches, differentiable, draw, same

IDS = np.array([0, 2, 1, 5, -1, 2, 0])
UFUNCS: dict[str, Any] = {
    "segment_sum": np.add, "segment_prod": np.multiply, "segment_max": np.maximum, "segment_min": np.minimum,
}  # fmt: skip


def empty(name: str, dtype: str) -> Any:
    if name in ("segment_sum", "segment_prod"):
        return name == "segment_prod"
    largest = name == "segment_max"
    if np.dtype(dtype).kind == "f":
        return -np.inf if largest else np.inf
    return np.iinfo(dtype).min if largest else np.iinfo(dtype).max


def looped(name: str, data: Array, count: int) -> Array:
    total = np.full((count, *data.shape[1:]), empty(name, data.dtype.name), data.dtype)
    for place, row in zip(IDS, data, strict=True):
        if 0 <= place < count:
            total[place] = UFUNCS[name](total[place], row)
    return total


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "uint16"])
def test_reductions(name: str, dtype: str) -> None:
    for shape in ((7,), (7, 3), (7, 2, 2)):
        data = draw(shape, dtype)
        if data.dtype.kind == "f":
            data[1] = np.nan
            data[2] = np.inf
        for count in (4, 1, 0, 300):
            due = looped(name, data, count)
            same(getattr(rnp, name)(data, IDS.astype("int8"), count), due)
            same(rax.jit(lambda d, i, c=count: getattr(rnp, name)(d, i, c))(data, IDS), due)
    same(getattr(rnp, name)(draw((7,), dtype), np.abs(IDS)).shape, np.array([6]))


@pytest.mark.parametrize("name", UFUNCS)
def test_derivatives_and_batches(name: str) -> None:
    def function(data: Any) -> Any:  # every group has a row
        return getattr(rnp, name)(data, rnp.asarray([0, 2, 1, 5, -1, 2, 0]), 3)

    differentiable(function, draw((7, 2), "float64"))
    batches(lambda data, ids: getattr(rnp, name)(data, ids, 3), draw((7, 2), "float64"), IDS)


@pytest.mark.parametrize("name", UFUNCS)
def test_symbolic_sizes(name: str) -> None:
    specs = rax.spec(("n", 2), "float64"), rax.spec(("n",), "int64"), rax.spec(("m",))
    graph = rax.trace(lambda d, i, like: getattr(rnp, name)(d, i, like.shape[0]), *specs)
    data = draw((7, 2), "float64")
    for count in (4, 1):
        same(graph(data, IDS, draw((count,))), looped(name, data, count))
    same(graph(data[:0], IDS[:0], draw((2,))), np.full((2, 2), empty(name, "float64"), "float64"))


def test_a_zero_in_a_product_keeps_its_derivative() -> None:
    slope = rax.grad(lambda x: rnp.sum(rnp.segment_prod(x, rnp.asarray([0, 0, 1]), 2)))(np.array([0.0, 3.0, 0.0]))
    same(slope, np.array([3.0, 0.0, 1.0]))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"segment_sum needs an integer for each row, not int64\[7\] for"):
        rnp.segment_sum(draw((3,)), IDS, 2)
    with pytest.raises(rax.TypeInferenceError, match="segment_max needs an integer for each row, not float32"):
        rnp.segment_max(draw((3,)), draw((3,)), 2)
    with pytest.raises(rax.TypeInferenceError, match="a number of segments that is not negative, not -1"):
        rnp.segment_sum(draw((7,)), IDS, -1)
    with pytest.raises(rax.UnboundInputError, match=r"segment_sum needs the value of(.|\n)*num_segments="):
        rax.trace(rnp.segment_sum, draw((7,)), IDS)
