"""What the laws of operations share: their cases, graphs of one operation, numeric derivatives.

A case is one operation with one of its samples in one dtype. Tolerances follow the coarsest
dtype in sight; an operation that needs another says so in ``tolerance``, with the reason.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, product
from typing import Any

import numpy as np

from rax.autodiff.batch import batch_graph
from rax.autodiff.jvp import jvp_graph
from rax.autodiff.transforms import TRANSFORMS
from rax.autodiff.vjp import vjp
from rax.ir.dims import variable
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.op import REGISTRY, Op
from rax.ir.types import DType, TensorType, as_dtype
from rax.ops.arrays import Array, numpy_dtype
from rax.ops.samples import ANY, Sample
from rax.runtime.executable import compile
from rax.runtime.reference import evaluate_graph

importlib.import_module("rax.ops")  # fills the registry

EPS = {
    "float8_e4m3fn": 2.0**-3, "float8_e5m2": 2.0**-2,
    "float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52,
    "complex64": 2.0**-23, "complex128": 2.0**-52,
}  # fmt: skip
# Of the dtypes of one kind, those on which a law about shapes and structure is tried.
WIDEST = ("bool", "int64", "uint8", "float32", "float64", "complex128")
DOUBLE = ("float64", "complex128")


@dataclass(frozen=True)
class Case:
    """One operation with one sample in one dtype."""

    cls: type[Op]
    index: int
    sample: Sample
    dtype: DType

    def __str__(self) -> str:
        return f"{self.cls.name}-{self.index}-{self.dtype}"

    @property
    def op(self) -> Op:
        """The operation."""
        return self.sample.op(self.cls, self.dtype)

    @property
    def types(self) -> list[TensorType]:
        """The operand types."""
        return self.sample.types(self.dtype)

    def arrays(self, seed: int = 0) -> list[Array]:
        """The operands."""
        return self.sample.arrays(self.dtype, seed)

    def graph(self) -> Graph:
        """A graph of the operation alone."""
        inputs = [new_input(f"operand{index}", type) for index, type in enumerate(self.types)]
        return Graph(inputs, self.op.results(*inputs))

    def tolerance(self, law: str) -> float:
        """The factor by which the operation widens a law's tolerance, with a reason."""
        factor, reason = self.cls.tolerance.get(law, (1.0, "the dtype's own"))
        assert reason
        return factor


def cases(dtypes: Iterable[str] = ANY, slot: str = "samples") -> list[Case]:
    """Every operation × sample × dtype; a sample whose operands fix their dtypes counts once."""
    return list(_cases(tuple(dtypes), slot))


def _cases(dtypes: tuple[str, ...], slot: str) -> Iterator[Case]:
    for _, cls in sorted(REGISTRY.items()):
        for index, sample in enumerate(getattr(cls, slot)):
            seen: set[Any] = set()
            of_cls: tuple[str, ...] = getattr(cls, "dtypes", ANY)
            for name in [name for name in sample.dtypes or of_cls if name in of_cls]:
                case = Case(cls, index, sample, as_dtype(name))
                key = (case.op, *case.types)
                if name in dtypes and key not in seen:
                    seen.add(key)
                    yield case


def random_like(type: TensorType, seed: int) -> Array:
    """Standard normal numbers of a type; small whole ones where it is not inexact."""
    rng = np.random.default_rng(seed)
    numbers = np.asarray(rng.normal(size=type.shape))
    if type.dtype.kind == "complex":
        numbers = numbers + 1j * rng.normal(size=type.shape)
    return numbers.astype(numpy_dtype(type.dtype))


def coarsest(types: Iterable[TensorType]) -> float:
    """The machine epsilon of the coarsest inexact dtype; 0 where every dtype is exact."""
    return max((EPS[type.dtype.name] for type in types if type.dtype.is_inexact), default=0.0)


def assert_close(actual: Array, expected: Array, tolerance: float, what: str) -> None:
    """Compare dtype, shape, and values relative to the largest; NaNs and infinities exactly."""
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), what
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(actual, expected, err_msg=what)
        return
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    left, right = actual.astype(wide), expected.astype(wide)
    finite = np.isfinite(right)
    np.testing.assert_array_equal(left[~finite], right[~finite], err_msg=what)
    scale = np.max(np.abs(right[finite]), initial=1.0)
    worst = np.max(np.abs(left[finite] - right[finite]), initial=0.0)
    assert worst <= tolerance * scale, f"{what}: off by {worst / scale:.2e}, allowed {tolerance:.2e}"


def active_inputs(graph: Graph) -> tuple[bool, ...]:
    """Which inputs can be varied."""
    return tuple(type.dtype.is_inexact for type in graph.in_types)


def tangent_graph(graph: Graph) -> tuple[Graph, tuple[bool, ...]]:
    """``(x, dx) -> (y, dy of the non-zero)``, and which are non-zero."""
    return jvp_graph(TRANSFORMS, graph, active_inputs(graph))


def cotangent_graph(graph: Graph) -> tuple[Graph, tuple[bool, ...]]:
    """``(x, ct of the inexact y) -> ct of the x that have one``, and which have one."""
    results, pullback = vjp(graph.outputs, graph.inputs)
    cts = [new_input(f"ct{i}", value.type) if value.dtype.is_inexact else None for i, value in enumerate(results)]
    parts = pullback(cts)
    inputs = (*graph.inputs, *[ct for ct in cts if ct is not None])
    return Graph(inputs, [part for part in parts if part is not None]), tuple(part is not None for part in parts)


def moved(arrays: Sequence[Array], tangents: Sequence[Array], active: Sequence[bool], step: float) -> list[Array]:
    """The arrays a step along the tangents of the active ones."""
    rest = iter(tangents)
    return [
        (array + step * next(rest)).astype(array.dtype) if some else array
        for array, some in zip(arrays, active, strict=True)
    ]


def check_jvp(graph: Graph, arrays: Sequence[Array], factor: float) -> None:
    """The tangents of a graph against central differences.

    The step is the cube root of the machine epsilon, where the errors of truncation and of
    rounding balance, both near its square.
    """
    active = active_inputs(graph)
    varied = compress(graph.inputs, active)
    tangents = [random_like(value.type, seed) for seed, value in enumerate(varied, start=100)]
    derivative, nonzero = tangent_graph(graph)
    results = evaluate_graph(derivative, [*arrays, *tangents])
    count = len(graph.outputs)
    pushed = iter(results[count:])
    step = coarsest((*graph.in_types, *graph.out_types)) ** (1 / 3)
    ahead = evaluate_graph(graph, moved(arrays, tangents, active, step))
    behind = evaluate_graph(graph, moved(arrays, tangents, active, -step))
    plain = evaluate_graph(graph, arrays)
    for index, (some, result) in enumerate(zip(nonzero, results[:count], strict=True)):
        assert_close(result, plain[index], 4 * step**3, f"result {index} beside its tangent")
        if result.dtype.kind in "biu":
            assert not some, f"result {index} of dtype {result.dtype} has a tangent"
            continue
        wide = np.complex128 if result.dtype.kind == "c" else np.float64
        numeric = (ahead[index].astype(wide) - behind[index].astype(wide)) / (2 * step)
        tangent = next(pushed).astype(wide) if some else np.zeros_like(numeric)
        size = max(1.0, float(np.max(np.abs(plain[index].astype(wide)), initial=0.0)))
        assert_close(tangent, numeric, 100 * step**2 * size * factor, f"tangent of result {index}")


def check_vjp(graph: Graph, arrays: Sequence[Array], factor: float) -> None:
    """``<J v, w> = <v, transposed J w>``; complex numbers pair as ``real(sum(v * w))``."""
    tangents = [random_like(value.type, seed) for seed, value in enumerate(graph.inputs, start=200)]
    weights = [random_like(value.type, seed) for seed, value in enumerate(graph.outputs, start=300)]
    derivative, nonzero = tangent_graph(graph)
    pushed = evaluate_graph(derivative, [*arrays, *compress(tangents, active_inputs(graph))])[len(weights) :]
    transposed, reached = cotangent_graph(graph)
    inexact = [value.dtype.is_inexact for value in graph.outputs]
    pulled = evaluate_graph(transposed, [*arrays, *compress(weights, inexact)])
    forward = [pairing(dy, w) for dy, w in zip(pushed, compress(weights, nonzero), strict=True)]
    backward = [pairing(v, dx) for v, dx in zip(compress(tangents, reached), pulled, strict=True)]
    scale = max(1.0, sum(size for _, size in forward), sum(size for _, size in backward))
    gap = abs(sum(total for total, _ in forward) - sum(total for total, _ in backward))
    allowed = 64 * coarsest((*graph.in_types, *graph.out_types)) * factor
    assert gap <= allowed * scale, f"<Jv, w> and <v, J'w> differ by {gap / scale:.2e}, allowed {allowed:.2e}"


def pairing(left: Array, right: Array) -> tuple[float, float]:
    """The real part of the sum of products, and the sum of their sizes."""
    products = np.real(left.astype(np.complex128) * right.astype(np.complex128))
    return float(np.sum(products)), float(np.sum(np.abs(products)))


def patterns(count: int) -> list[tuple[bool, ...]]:
    """Which operands to batch: every choice of up to three, else all of them and each alone."""
    if count <= 3:
        return [choice for choice in product((False, True), repeat=count) if any(choice)]
    return [(True,) * count, *[tuple(index == one for index in range(count)) for one in range(count)]]


def check_batching(graph: Graph, rows: Sequence[Sequence[Array]], batched: tuple[bool, ...], factor: float) -> None:
    """A batch against a loop over its rows, for a length known, symbolic, and zero."""
    loop = [evaluate_graph(graph, [row[i] if some else rows[0][i] for i, some in enumerate(batched)]) for row in rows]
    expected = [np.stack(results) for results in zip(*loop, strict=True)]
    operands = [np.stack([row[i] for row in rows]) if some else rows[0][i] for i, some in enumerate(batched)]
    allowed = 16 * coarsest((*graph.in_types, *graph.out_types)) * factor
    for size in (len(rows), variable("batch")):
        wide, _ = batch_graph(TRANSFORMS, graph, size, batched, (True,) * len(graph.outputs))
        assert wide.out_types == tuple(t.with_shape((size, *t.shape)) for t in graph.out_types)
        for actual, due in zip(evaluate_graph(wide, operands), expected, strict=True):
            assert_close(actual, due, allowed, f"batch of {size}, pattern {batched}")
    nothing = [array[:0] if some else array for array, some in zip(operands, batched, strict=True)]
    for actual, due in zip(evaluate_graph(wide, nothing), expected, strict=True):
        assert (actual.dtype, actual.shape) == (due.dtype, (0, *due.shape[1:])), f"batch of 0, pattern {batched}"


def check_backend(graph: Graph, arrays: Sequence[Array], factor: float) -> None:
    """The numpy backend against the reference evaluator; what it returns is the caller's own."""
    allowed = 16 * coarsest((*graph.in_types, *graph.out_types)) * factor
    due = evaluate_graph(graph, arrays)
    kept = [array.copy() for array in arrays]
    found = compile(graph).run(list(arrays))
    for index, (actual, expected) in enumerate(zip(found, due, strict=True)):
        assert_close(actual, expected, allowed, f"result {index}")
        assert actual.flags.writeable
        assert not any(np.shares_memory(actual, array) for array in arrays)
    assert [array.tobytes() for array in arrays] == [array.tobytes() for array in kept], "an argument changed"
