"""Graphs as training makes them: fewer steps afterwards, the same bits, derivatives and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir import dims
from rax.ir.graph import Graph
from rax.ir.op import Op
from rax.ir.verify import verify
from rax.ops.arrays import Array, numpy_dtype
from rax.passes.optimise import optimise
from rax.runtime.backends import find_backend
from rax.runtime.planning import graphs_run, make_plan
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import Case, cases
from tests.passes.test_rules import bits
from tests.runtime.test_random_graphs import arguments, random_graph


def mlp() -> Graph:
    def loss(p: dict[str, Any], x: Any, y: Any) -> Any:
        return nn.cross_entropy(nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"], y)

    params = {"w1": rax.spec((5, 8)), "b1": rax.spec((8,)), "w2": rax.spec((8, 10))}
    return rax.trace(rax.value_and_grad(loss), params, rax.spec(("batch", 5)), rax.spec(("batch",), "int64"))


def conv_net() -> Graph:
    def loss(p: dict[str, Any], x: Any, y: Any) -> Any:
        x = nn.relu(nn.conv(x, p["kernel"]) + rnp.reshape(p["bias"], (1, -1, 1, 1)))
        return nn.cross_entropy(nn.global_avg_pool(nn.max_pool(x, 2)) @ p["w"], y)

    params = {"kernel": rax.spec((4, 1, 3, 3)), "bias": rax.spec((4,)), "w": rax.spec((4, 10))}
    return rax.trace(rax.value_and_grad(loss), params, rax.spec(("batch", 1, 8, 8)), rax.spec(("batch",), "int64"))


def recurrent_net() -> Graph:
    def loss(p: dict[str, Any], xs: Any, y: Any) -> Any:
        def step(h: Any, x: Any) -> tuple[Any, Any]:
            h = rnp.tanh(x @ p["wx"] + h @ p["wh"] + p["b"])
            return h, h

        _, hs = rax.scan(step, rnp.zeros((4, 6)), xs)
        return nn.mse(hs[-1], y)

    params = {"wx": rax.spec((3, 6)), "wh": rax.spec((6, 6)), "b": rax.spec((6,))}
    return rax.trace(rax.value_and_grad(loss), params, rax.spec((7, 4, 3)), rax.spec((4, 6)))


def attention() -> Graph:
    def loss(p: dict[str, Any], x: Any) -> Any:
        q, k, v = (x @ p[name] for name in "qkv")
        weights = nn.softmax(q @ rnp.matrix_transpose(k) / 4.0)
        return rnp.sum(nn.gelu(weights @ v) ** 2)

    params = {name: rax.spec((6, 6)) for name in "qkv"}
    return rax.trace(rax.value_and_grad(loss), params, rax.spec(("batch", 5, 6)))


def second_derivative() -> Graph:
    return rax.trace(rax.hessian(lambda x: rnp.sum(rnp.sin(x) * x**3)), rax.spec((5,)))


def per_example_gradient() -> Graph:
    return rax.trace(rax.vmap(rax.grad(lambda x: rnp.sum(rnp.sin(x) / x))), rax.spec((7, 5)))


def counted_loop() -> Graph:
    def loss(x: Any) -> Any:
        return rnp.sum(rax.fori_loop(0, 5, lambda i, y: rnp.where(i > 2, y * x, y + x), x))

    return rax.trace(rax.value_and_grad(loss), rax.spec((3,)))


MODELS: list[Callable[[], Graph]] = [
    mlp, conv_net, recurrent_net, attention, second_derivative, per_example_gradient, counted_loop,
]  # fmt: skip


def inputs_of(graph: Graph, batch: int = 6) -> list[Array]:
    rng = np.random.default_rng(batch)
    arrays: list[Array] = []
    for type in graph.in_types:
        shape = [dims.evaluate(size, {"batch": batch}) for size in type.shape]
        numbers = rng.integers(0, 10, shape) if type.dtype.kind == "int" else rng.normal(size=shape)
        arrays.append(np.asarray(numbers).astype(numpy_dtype(type.dtype)))
    return arrays


def run_as_it_is(graph: Graph, arrays: list[Array]) -> list[Array]:
    """The NumPy backend, without any pass."""
    backend = find_backend("numpy")
    plan = make_plan(graph, backend.takes)
    return backend.build(plan.plan_for(**dict.fromkeys(plan.dim_names, 6)))(list(arrays))


def work(graph: Graph) -> int:
    """The nodes, those of the bodies of loops once a round."""
    ops = [node.op for node in graph.nodes if isinstance(node.op, Op) and node.op.holds_graphs]
    bodies = [(int(getattr(op, "length", 1)), graphs_run(op)) for op in ops]
    return len(graph.nodes) + sum(rounds * sum(map(work, held)) for rounds, held in bodies)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_results_are_the_same_bits_in_fewer_steps(model: Callable[[], Graph]) -> None:
    graph = model()
    found = optimise(graph)
    verify(found)
    assert work(found) < work(graph)
    assert (found.in_types, found.out_types, found.in_tree, found.out_tree) == (
        graph.in_types, graph.out_types, graph.in_tree, graph.out_tree,
    )  # fmt: skip
    assert optimise(found) is found
    arrays = inputs_of(graph)
    for run in (evaluate_graph, run_as_it_is):
        before, after = run(graph, arrays), run(found, arrays)
        assert [array.tobytes() for array in before] == [array.tobytes() for array in after]


def test_every_new_node_has_a_source_line_of_the_old_graph() -> None:
    for model in MODELS:
        graph = model()
        found = optimise(graph)
        assert {node for node in found.nodes if node.inputs and node not in found.origins} <= set(graph.nodes)
        lines = {origin.source for origin in graph.origins.values()}
        assert {origin.source for origin in found.origins.values()} <= lines


def test_a_loop_no_longer_stacks_its_own_operand() -> None:
    graph = recurrent_net()
    loops = [[node for node in each.nodes if node.op.name == "scan"] for each in (graph, optimise(graph))]
    assert [[len(node.types) for node in nodes] for nodes in loops] == [[5, 4], [3, 4]]


def test_derivatives_after_the_passes_are_those_before() -> None:
    def loss(x: Any) -> Any:
        return rnp.sum(rnp.where(rnp.asarray(True), nn.softmax(x * 1.0) ** 2, x))

    graph = rax.trace(loss, rax.spec((4,)))
    x = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(rax.grad(optimise(graph))(x), rax.grad(graph)(x))


@pytest.mark.parametrize("case", cases(("float32", "complex64", "int32", "bool")), ids=str)
def test_an_operation_alone_keeps_its_meaning(case: Case) -> None:
    graph = case.graph()
    found = optimise(graph)
    verify(found)
    for old, new in zip(evaluate_graph(graph, case.arrays()), evaluate_graph(found, case.arrays()), strict=True):
        assert bits(old) == bits(new)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_keep_their_meaning(seed: int) -> None:
    graph = random_graph(seed)
    found = optimise(graph)
    verify(found)
    assert optimise(found) is found
    for batch in (0, 1, 7):
        old, new = (evaluate_graph(each, arguments(batch)) for each in (graph, found))
        assert list(map(bits, old)) == list(map(bits, new))


def test_what_may_fail_runs_only_where_it_did() -> None:
    """NumPy refuses integers to negative integer powers; of no numbers it refuses none."""
    base, exponent = np.array([2, 3, 4], np.int32), np.array([-2, -3, -4], np.int32)
    loop = rax.trace(
        lambda c, e, xs: rax.scan(lambda h, x: (h + rnp.pow(c, e), h), c, xs),
        *[rax.spec(shape, "int32") for shape in (3, 3, ("n", 3))],
    )
    final, stacked = rax.compile(loop)(base, exponent, np.zeros((0, 3), np.int32))
    assert np.array_equal(final, base)
    assert stacked.shape == (0, 3)
    spread = rax.trace(lambda c, e: rnp.pow(rnp.broadcast_to(c, (0, 3)), rnp.broadcast_to(e, (0, 3))), base, exponent)
    assert rax.compile(spread)(base, exponent).shape == (0, 3)
