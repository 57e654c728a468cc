"""Attention and its gradient, block by block: equal to the reference, in memory far below that of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.types import TensorType, as_dtype
from rax.ops.arrays import Array, numpy_dtype
from rax.ops.attention import DotProductAttention
from rax.passes import attention as finding
from rax.runtime import attention as cutting
from rax.runtime.backends.numpy.attention import make_gradient
from rax.runtime.backends.numpy.table import find_kernel
from rax.runtime.executable import Executable
from tests.ops.laws import assert_close
from tests.runtime.test_memory import OBJECTS, held

TOLERANCES = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-5, "float64": 1e-12}


@pytest.fixture(params=range(4))
def rng(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> np.random.Generator:
    """With cuts of every kind."""
    rng = np.random.default_rng(request.param)
    for name, most in (
        ("_ROWS", 64),
        ("LEAST", 16),
        ("_FEW_ROWS", 16),
        ("SMALL", 1 << 12),
        ("_WORTH_SHARING", 1 << 12),
    ):
        monkeypatch.setattr(cutting, name, int(rng.integers(1, most, endpoint=True)))
    monkeypatch.setattr(cutting, "_SCORES", (int(rng.integers(1, 4000)), int(rng.integers(1, 4000))))
    return rng


def operands(rng: np.random.Generator, dtype: str) -> list[Array]:
    """Of a random attention: shared heads or not, with a bias, a mask or none, some not in order in memory."""
    lead = tuple(rng.integers(1, 4, size=rng.integers(0, 4)))
    count, others, groups = rng.integers(1, 40), rng.integers(1, 40), rng.integers(1, 4)
    heads = groups * rng.integers(1, 4)
    size, width = rng.integers(1, 9, size=2)
    shapes = [(*lead, count, heads, size), (*lead, others, groups, size), (*lead, others, groups, width)]
    found = [rng.normal(size=shape).astype(numpy_dtype(as_dtype(dtype))) for shape in shapes]
    full = (*lead, heads, count, others)
    shape = [1 if rng.random() < 0.3 else each for each in full][rng.integers(0, len(full) + 1) :]
    match int(rng.integers(3)):
        case 0:
            found.append(np.asarray(rng.random(shape) < 0.5))
        case 1:
            found.append(np.asarray(rng.normal(size=shape)).astype(found[0].dtype))
        case _:
            pass
    return [turned(each) if each.ndim > 1 and rng.random() < 0.5 else each for each in found]


def turned(array: Array) -> Array:
    """The same elements, read-only, with the first two axes in the other order of memory and the last one backwards."""
    other = array.swapaxes(0, 1)[..., ::-1].copy()[..., ::-1].swapaxes(0, 1)
    other.flags.writeable = False
    return other


def types_of(arrays: list[Array]) -> tuple[TensorType, ...]:
    return tuple([TensorType(as_dtype(str(array.dtype)), array.shape) for array in arrays])


@pytest.mark.parametrize("dtype", list(TOLERANCES))
def test_attention_cut_into_blocks_equals_the_reference(rng: np.random.Generator, dtype: str) -> None:
    for _ in range(25):
        arrays = operands(rng, dtype)
        op = DotProductAttention(float(rng.normal()), bool(rng.random() < 0.5))
        if rng.random() < 0.4:
            chosen = arrays[int(rng.integers(len(arrays)))] = np.array(arrays[int(rng.integers(len(arrays)))])
            chosen.flat[rng.integers(chosen.size)] = rng.choice([np.nan, np.inf, -np.inf])
        try:
            types = types_of(arrays)
            op.infer(*types)
        except rax.RaxError:  # the odd number stands in another operand's place
            continue
        with np.errstate(all="ignore"):
            due, found = op.reference(*arrays), find_kernel(op, types)(*arrays)
            target = np.full_like(due, 7)
            assert find_kernel(op, types)(*arrays, out=target) is target
        assert_close(found, due, TOLERANCES[dtype], repr(op))
        assert_close(target, due, TOLERANCES[dtype], repr(op))


def test_the_gradient_cut_into_blocks_equals_that_of_the_reference(rng: np.random.Generator) -> None:
    for _ in range(8):
        query, key, value, *bias = operands(rng, "float64")
        op = DotProductAttention(float(rng.normal()), bool(rng.random() < 0.5))
        given = rng.normal(size=(*query.shape[:-1], value.shape[-1]))

        def total(query: Any, key: Any, value: Any, given: Any, *bias: Any, op: DotProductAttention = op) -> Any:
            return rnp.sum(rax.Tensor(op(*[each.value for each in (query, key, value, *bias)])) * given)

        graph = rax.trace(rax.grad(total, (0, 1, 2)), query, key, value, given, *bias)
        due = rax.compile(graph, "reference")(query, key, value, given, *bias)
        arrays = [query, key, value, *bias, given]
        found = make_gradient(op, types_of(arrays))(*arrays)
        into = tuple([np.full_like(each, 7) for each in found])
        make_gradient(op, types_of(arrays))(*arrays, out=into)
        for one, other, third in zip(found, due, into, strict=True):
            assert_close(one, other, 1e-10, repr(op))
            assert_close(third, other, 1e-10, repr(op))


def names(exe: Executable) -> list[str]:
    return [step.op.name for step in exe.plan.steps]


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_LARGE", 1)
    monkeypatch.setattr(finding, "_LARGE_TO_KEEP", 1)


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"is_causal": True},
    "scale 1": {"scale": 1.0},
    "bias": {"bias": np.random.default_rng(1).normal(size=(4, 6, 6))},
    "mask": {"mask": np.random.default_rng(1).random((2, 1, 6, 6)) < 0.5},
    "mask and causal": {"mask": np.random.default_rng(1).random((6, 6)) < 0.5, "is_causal": True},
    "all": {
        "bias": np.random.default_rng(1).normal(size=(4, 6, 6)),
        "mask": np.random.default_rng(1).random((2, 1, 6, 6)) < 0.5,
        "is_causal": True,
        "local_window_size": 3,
    },
    "lengths": {"key_value_seq_lengths": np.array([2, 6])},
}


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize(("dtype", "wrapped"), [("float16", False), ("float32", True), ("float64", False)])
@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("form", list(FORMS))
def test_a_training_step_computes_attention_and_its_gradient_whole(
    form: str, groups: int, dtype: str, wrapped: bool
) -> None:
    rng = np.random.default_rng(0)
    options = {name: each.astype(dtype) if name == "bias" else each for name, each in FORMS[form].items()}

    def layer(query: Any, key: Any, value: Any) -> Any:
        return nn.dot_product_attention(query, key, value, **options)

    def loss(query: Any, key: Any, value: Any) -> Any:
        return rnp.sum((rax.checkpoint(layer) if wrapped else layer)(query, key, value) ** 2)

    arrays = [rng.normal(size=(2, 6, heads, 3)).astype(dtype) for heads in (4, groups, groups)]
    graph = rax.trace(rax.value_and_grad(loss, (0, 1, 2)), *arrays)
    exe = Executable(graph, "numpy")
    assert names(exe).count("attention_gradient") == 1
    assert "exp" not in names(exe)
    value, slopes = exe(*arrays)
    due, due_slopes = rax.compile(graph, "reference")(*arrays)
    for one, other in zip((value, *slopes), (due, *due_slopes), strict=True):
        assert_close(one, other, 10 * TOLERANCES[dtype], form)


@pytest.mark.usefixtures("all_large")
def test_layers_one_after_another_are_all_found() -> None:
    def loss(x: Any, named: Any) -> Any:
        for _ in range(3):
            x = x + nn.dot_product_attention(x, x * named, x, is_causal=True)
        return rnp.sum(x * x)

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(3, 5, 2, 4)), rng.normal(size=(4,))]
    graph = rax.trace(rax.value_and_grad(loss, (0, 1)), rax.spec(("batch", "time", 2, 4), "float64"), arrays[1])
    exe = Executable(graph, "numpy")
    assert names(exe).count("attention_gradient") == names(exe).count("dot_product_attention") == 3
    value, slopes = exe(*arrays)
    due, due_slopes = rax.compile(graph, "reference")(*arrays)
    for one, other in zip((value, *slopes), (due, *due_slopes), strict=True):
        assert_close(one, other, 1e-10, "layers")


@pytest.mark.usefixtures("all_large")
def test_attention_is_found_again_under_vmap() -> None:
    arrays = [np.random.default_rng(seed).normal(size=(3, 2, 5, 4, 2)) for seed in range(3)]
    graph = rax.trace(rax.vmap(lambda *each: nn.dot_product_attention(*each, is_causal=True)), *arrays)
    exe = Executable(graph, "numpy")
    assert "dot_product_attention" in names(exe)
    assert_close(exe(*arrays), rax.compile(graph, "reference")(*arrays), 1e-12, "vmap")


def _by_bias(query: Any, key: Any, value: Any) -> Any:
    return rnp.sum(nn.dot_product_attention(query, key, value, rnp.sum(query) * rnp.ones((3, 3)) ** 2) ** 2)


def _by_query(query: Any, key: Any, value: Any) -> Any:
    return rnp.sum(nn.dot_product_attention(query, rax.stop_gradient(key), rax.stop_gradient(value)) ** 2)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("loss", [_by_bias, _by_query])
def test_weights_that_are_needed_otherwise_are_kept(loss: Callable[..., Any]) -> None:
    arrays = [np.random.default_rng(seed).normal(size=(2, 3, 2, 3)) for seed in range(3)]
    graph = rax.trace(rax.grad(loss, 0), *arrays)
    exe = Executable(graph, "numpy")
    assert "attention_gradient" not in names(exe)
    assert_close(exe(*arrays), rax.compile(graph, "reference")(*arrays), 1e-10, "kept")


def test_small_attention_runs_as_its_body() -> None:
    arrays = [np.ones((2, 16, 4, 16), np.float32)] * 3
    assert "dot_product_attention" not in names(rax.compile(rax.trace(nn.dot_product_attention, *arrays)))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("slopes", [False, True])
def test_memory_is_as_planned_and_far_below_that_of_the_weights(slopes: bool, causal: bool) -> None:
    arrays = [np.random.default_rng(seed).normal(size=(1, 1024, 8, 16)).astype(np.float32) for seed in range(3)]

    def loss(query: Any, key: Any, value: Any) -> Any:
        return rnp.sum(nn.dot_product_attention(query, key, value, is_causal=causal) ** 2)

    graph = rax.trace(rax.value_and_grad(loss, (0, 1, 2)) if slopes else loss, *arrays)
    exe = Executable(graph, "numpy")
    planned = exe.plan.peak_bytes
    assert held(exe, arrays) < planned + OBJECTS
    assert planned < 0.4 * 8 * 1024 * 1024 * 4


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("sizes", [(0, 3, 2, 2), (3, 3, 0, 2), (3, 3, 2, 0), (3, 3, 0, 0)])
@pytest.mark.parametrize("known", [False, True])
def test_the_gradient_of_attention_without_some_elements(sizes: tuple[int, int, int, int], known: bool) -> None:
    count, others, size, width = sizes
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, *each)) for each in ((count, 2, size), (others, 2, size), (others, 2, width))]

    def loss(query: Any, key: Any, value: Any) -> Any:
        return rnp.sum(nn.dot_product_attention(query, key, value, scale=0.5) ** 2)

    shapes = [(2, "count", 2, "size"), (2, "others", 2, "size"), (2, "others", 2, "width")]
    specs = arrays if known else [rax.spec(shape, "float64") for shape in shapes]
    graph = rax.trace(rax.grad(loss, (0, 1, 2)), *specs)
    found = rax.compile(graph)(*arrays)
    for one, other in zip(found, rax.compile(graph, "reference")(*arrays), strict=True):
        assert_close(one, other, 1e-12, str(sizes))
