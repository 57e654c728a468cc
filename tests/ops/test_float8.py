"""The dtypes of float8: stored, moved, compared for equality and cast, and nothing else."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.op import REGISTRY, Op
from rax.ir.text.graph_parser import parse_graph
from rax.ir.text.graph_printer import large_literals, print_graph
from rax.ir.types import DTYPES
from rax.ops import comparison
from rax.ops.arrays import Array, numpy_dtype
from rax.ops.families import TypedOp
from rax.ops.indexing import Scatter
from rax.ops.samples import ANY, FLOAT8
from rax.ops.selection import Cast
from rax.runtime.entry import Entry
from rax.runtime.reference import evaluate_graph
from tests.ops import laws
from tests.ops.laws import Case

MOVING = sorted(
    (cls for cls in REGISTRY.values() if issubclass(cls, TypedOp) and cls.dtypes == ANY and cls is not Cast),
    key=lambda cls: cls.name,
)
DIFFERENTIABLE = [cls for cls in MOVING if not cls.nondiff]
THEIRS = {name: numpy_dtype(DTYPES[name]) for name in FLOAT8}


def cases(cls: type[Op], name: str) -> list[Case]:
    """Its samples in one float8 dtype, but those that say on which dtypes they are."""
    return [Case(cls, i, sample, DTYPES[name]) for i, sample in enumerate(cls.samples) if sample.dtypes is None]


def as_float32(arrays: list[Array]) -> list[Array]:
    return [array.astype(np.float32) if array.dtype.name in FLOAT8 else array for array in arrays]


def test_the_operations_on_any_dtype_are_those_that_move_elements() -> None:
    assert {cls.name for cls in MOVING} >= {
        "broadcast_to", "concat", "equal", "flip", "gather", "not_equal", "pad", "permute_dims", "reshape", "scatter",
        "slice", "sliding_windows", "stop_gradient", "where",
    }  # fmt: skip


@pytest.mark.parametrize("name", FLOAT8)
@pytest.mark.parametrize("cls", [*MOVING, comparison.IsNan, comparison.IsInf], ids=lambda cls: cls.name)
def test_elements_are_moved_as_those_of_float32(cls: type[Op], name: str) -> None:
    for case in cases(cls, name):
        arrays = case.arrays()
        graph = case.graph()
        wide = Case(cls, case.index, case.sample, DTYPES["float32"]).graph()
        found = evaluate_graph(graph, arrays)
        assert [result.dtype for result in found] == [numpy_dtype(type.dtype) for type in graph.out_types]
        for result, due in zip(as_float32(found), evaluate_graph(wide, as_float32(arrays)), strict=True):
            np.testing.assert_array_equal(result, due)
        laws.check_backend(graph, arrays, 1.0)
        laws.check_batching(graph, [case.arrays(seed) for seed in range(3)], (True,) * len(arrays), 1.0)
        assert parse_graph(print_graph(graph)) == graph


@pytest.mark.parametrize("name", FLOAT8)
@pytest.mark.parametrize("cls", DIFFERENTIABLE, ids=lambda cls: cls.name)
def test_derivatives_are_those_of_float32_rounded(cls: type[Op], name: str) -> None:
    for case in cases(cls, name):
        wide = Case(cls, case.index, case.sample, DTYPES["float32"])
        for transform in (laws.tangent_graph, laws.cotangent_graph):
            graph, _ = transform(case.graph())
            made = [laws.random_like(type, seed) for seed, type in enumerate(graph.in_types)]
            arrays = [*case.arrays(), *made[len(case.types) :]]
            due = evaluate_graph(transform(wide.graph())[0], as_float32(arrays))
            for result, expected in zip(evaluate_graph(graph, arrays), due, strict=True):
                assert result.dtype == THEIRS[name]
                same(result, expected.astype(THEIRS[name]))


def test_derivatives_are_added_up_in_float32() -> None:
    def loss(x: rax.Tensor) -> rax.Tensor:
        return rnp.sum(rnp.astype(x[::-1], "float32")) + rnp.sum(rnp.astype(x[:2], "float32") * 2.125)

    assert rax.grad(loss)(rnp.ones(3, dtype="float8_e5m2")).tolist() == [3, 3, 1]  # 2.125 came as 2


def test_a_scan_over_float8_differentiates() -> None:
    def step(carry: rax.Tensor, x: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor]:
        return rnp.astype(rnp.astype(carry, "float32") * x, "float8_e5m2"), carry

    def loss(xs: rax.Tensor) -> rax.Tensor:
        last, seen = rax.scan(step, rnp.asarray(1.0, dtype="float8_e5m2"), xs)
        return rnp.astype(last, "float32") + rnp.sum(rnp.astype(seen, "float32"))

    assert rax.grad(loss)(np.array([2.0, 2.0], np.float32)).tolist() == [3.0, 2.0]  # of x y + 1 + x


def same(found: Array, due: Array) -> None:
    assert found.dtype == due.dtype
    np.testing.assert_array_equal(found.astype(np.complex128), due.astype(np.complex128))


def every_number(name: str) -> Array:
    return np.arange(256, dtype=np.uint8).view(THEIRS[name])


@pytest.mark.parametrize("other", DTYPES)
@pytest.mark.parametrize("name", FLOAT8)
def test_casts_are_those_of_ml_dtypes(name: str, other: str) -> None:
    theirs = numpy_dtype(DTYPES[other])
    whole = "int" in other
    x = every_number(name)
    x = x[np.isin(x.astype(np.float32), np.arange(0 if other[0] == "u" else -128, 128))] if whole else x
    into = rax.jit(lambda x: rnp.astype(x, other))
    with np.errstate(invalid="ignore", over="ignore"):
        same(into(x), x.astype(theirs))
        if "complex" in other:
            with pytest.raises(rax.TypeInferenceError, match=f"cannot cast {other} to {name}"):
                rnp.astype(rnp.ones(1, dtype=other), name)
            return
        spread = np.linspace(0, 1e3, 41) * np.array([[1], [1 if other[0] in "bu" else -1], [0.01]])
        y = (spread % 100 if whole else spread).astype(theirs)
        back = rax.jit(lambda y: rnp.astype(y, name))(y)
        same(back, y.astype(THEIRS[name]))


def test_rounding_and_overflow() -> None:
    # Published: the largest numbers are 448 and 57344; of two numbers as near the even one is taken.
    x = rnp.asarray([1.0625, 1.1875, 448, 464, 480, 57344, 1e9, -1e9, np.inf, np.nan], dtype="float32")
    finite = rnp.astype(rnp.astype(x, "float8_e4m3fn"), "float32").numpy()
    nan, inf = np.nan, np.inf
    np.testing.assert_array_equal(finite, [1, 1.25, 448, 448, nan, nan, nan, nan, nan, nan])
    wide = rnp.astype(rnp.astype(x, "float8_e5m2"), "float32").numpy()
    np.testing.assert_array_equal(wide, [1, 1.25, 448, 448, 512, 57344, inf, -inf, inf, nan])


def test_float64_is_rounded_twice() -> None:
    just_above = rnp.asarray(1.0625 * (1 + 1e-12), dtype="float64")  # half-way between 1 and 1.125 in float32
    assert rnp.astype(just_above, "float8_e4m3fn").item() == 1


def test_what_is_there_to_ask() -> None:
    x = rnp.asarray([1, np.nan, -np.inf, -0.0], dtype="float8_e5m2")
    assert rnp.isnan(x).tolist() == [False, True, False, False]
    assert rnp.isinf(x).tolist() == [False, False, True, False]
    assert rnp.isfinite(x).tolist() == [True, False, False, True]
    assert rnp.signbit(x).tolist()[2:] == [True, True]
    assert (x == 1).tolist() == [True, False, False, False]
    assert (x != rnp.asarray(x)).tolist() == [False, True, False, False]
    assert repr(x[:1]) == "Tensor([1], dtype=float8_e5m2)"
    assert rnp.ones((2,), dtype=rnp.float8_e4m3fn).tolist() == [1.0, 1.0]
    assert rnp.isdtype(rnp.float8_e5m2, "real floating")
    assert not {"float8_e4m3fn", "float8_e5m2"} & set(rnp.__array_namespace_info__().dtypes())


def test_what_is_refused_says_what_to_do() -> None:
    x = rnp.ones((2, 2), dtype="float8_e4m3fn")
    for compute in (lambda: x + 1, lambda: -x, lambda: rnp.sum(x), lambda: x @ x, lambda: x < 1, lambda: rnp.sort(x)):
        with pytest.raises(rax.TypeInferenceError, match=r"is not defined on float8_e4m3fn\s+fix: cast to float32"):
            compute()
    with pytest.raises(rax.TypeInferenceError, match="float8_e4m3fn and float32 have no common dtype"):
        _ = x + rnp.ones(2)
    with pytest.raises(rax.TypeInferenceError, match="float8_e4m3fn and float8_e5m2 have no common dtype"):
        rnp.concat([x, rnp.ones((2, 2), dtype="float8_e5m2")])
    with pytest.raises(rax.RaxError, match="normal makes floating numbers, not float8_e5m2"):
        rax.random.normal(rax.random.key(0), (2,), "float8_e5m2")
    flat = x[0]
    with pytest.raises(rax.TypeInferenceError, match="scatter cannot add numbers of float8_e4m3fn"):
        Scatter()(flat.value, rnp.asarray([0, 1]).value, flat.value)


def test_gradients_pass_through_casts() -> None:
    x = rnp.asarray([1.0, 3.3], dtype="float32")
    through = rax.grad(lambda x: rnp.sum(rnp.astype(rnp.astype(x, "float8_e4m3fn"), "float32") ** 2))
    assert through(x).tolist() == [2.0, 6.5]  # 3.3 is stored as 3.25
    stored = rnp.astype(x, "float8_e4m3fn")
    slope = rax.grad(lambda x: rnp.sum(rnp.astype(x, "float32") ** 2))(stored)
    assert slope.dtype is rnp.float8_e4m3fn
    assert slope.tolist() == [2.0, 6.5]
    slope = rax.jvp(lambda x: rnp.astype(x, "float32"), (stored,), (rnp.astype(x, "float8_e4m3fn"),))[1]
    assert slope.tolist() == [1.0, 3.25]


@pytest.mark.parametrize("name", FLOAT8)
def test_a_file_holds_them_as_inputs_defaults_and_constants(name: str, tmp_path: Path) -> None:
    numbers = every_number(name)
    kept = numbers[np.isfinite(numbers)]

    def scaled(weights: rax.Tensor, x: rax.Tensor) -> rax.Tensor:
        return rnp.astype(weights, "float32") * x + rnp.astype(rnp.asarray(kept), "float32")

    graph = rax.trace(scaled, rax.spec(kept.shape, name), rax.spec(kept.shape))
    assert parse_graph(print_graph(graph), tensors=large_literals(graph)) == graph
    rax.save(rax.Program({"main": graph}, defaults={"weights": kept}), tmp_path / "file")
    x = np.linspace(0, 1, len(kept)).astype(np.float32)
    found = Entry(rax.load(tmp_path / "file")).run({"x": x})
    np.testing.assert_array_equal(next(iter(found.values())), kept.astype(np.float32) * x + kept.astype(np.float32))


def test_ml_dtypes_arrays_are_taken_and_given() -> None:
    run = rax.jit(lambda x: rnp.concat([x, x]))
    x = np.array([1, 2.5], ml_dtypes.float8_e5m2)
    assert run(x).tolist() == [1, 2.5, 1, 2.5]
    assert run(x).dtype == ml_dtypes.float8_e5m2
