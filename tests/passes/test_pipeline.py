"""The driver of rules and the list of passes: what they keep, where they go, how they are checked and bounded."""

from __future__ import annotations

import pytest

from rax.ir import trail
from rax.ir.errors import RaxError, VerificationError
from rax.ir.graph import Graph
from rax.ir.node import Node, Value, new_input
from rax.ir.op import Op
from rax.ir.trail import Origin
from rax.ir.tree import ARGUMENTS, Tree, flatten
from rax.ir.types import float32, int32, tensor_type
from rax.ir.verify import verify
from rax.ops.activations import Silu, silu
from rax.ops.algebra import add
from rax.ops.arrays import constant, scalar
from rax.ops.calls import Checkpoint
from rax.ops.control import Cond
from rax.ops.creation import DimSize
from rax.ops.elementwise import Multiply, Negative, multiply, negative, subtract
from rax.ops.families import Composite
from rax.ops.normalization import LayerNorm
from rax.ops.reduction import Mean
from rax.ops.scan import Scan
from rax.ops.shape import Reshape
from rax.ops.trigonometric import sin
from rax.passes.decompose import decompose
from rax.passes.optimise import optimise
from rax.passes.pipeline import Pipeline
from rax.passes.rule import ROUNDS, Found, Fuel, Rewrite, Rule

ONE = scalar(1, float32)
X = new_input("x", tensor_type((3,)))


def made_at(line: int, op: Op, *operands: Value) -> Value:
    """An operation that a user wrote in some line."""
    with trail.pinning() as recorder:
        recorder.pinned = Origin(("model",), f"model.py:{line} in f")
        return op(*operands)


def sources(graph: Graph) -> list[str]:
    """The line of each operation of a graph."""
    return [graph.origins[node].source for node in graph.nodes if isinstance(node.op, Op)]


def test_inputs_trees_and_names_are_kept() -> None:
    unused, x = new_input("args.a", tensor_type((3,))), new_input("args.b", tensor_type((3,)))
    in_tree = Tree(ARGUMENTS, ("args",), (flatten({"a": 0, "b": 0})[1],))
    out_tree = flatten({"first": 0, "second": [0]})[1]
    outputs = (multiply(x, ONE), negative(negative(multiply(x, x))))
    graph = Graph((unused, x), outputs, in_tree, out_tree, ("args.b", "other"))
    found = optimise(graph)
    assert found.outputs == (x, multiply(x, x))
    assert (found.inputs, found.in_tree, found.out_tree) == (graph.inputs, in_tree, out_tree)
    assert found.output_names == ("args.b", "other")
    assert found.states == graph.states == {"args.b": (1, 0)}


def test_a_graph_that_stays_is_the_same_object() -> None:
    graph = Graph((X,), (sin(X),))
    assert optimise(graph) is graph


def test_equal_computations_become_one_and_unused_ones_go() -> None:
    first, second = sin(multiply(X, ONE)), sin(negative(negative(X)))
    assert optimise(Graph((X,), (add(first, second),))).nodes == (X.node, sin(X).node, add(sin(X), sin(X)).node)


def test_a_new_node_has_the_origin_of_the_one_it_stands_for() -> None:
    doubled = made_at(1, Multiply(), X, ONE)
    turned = made_at(2, Negative(), doubled)
    shaped = made_at(3, Reshape((3, 1)), made_at(2, Reshape((1, 3)), turned))
    found = optimise(Graph((X,), (shaped,)))
    assert sources(found) == ["model.py:2 in f", "model.py:3 in f"]


def test_the_nodes_of_a_branch_keep_their_origins() -> None:
    inner = new_input("x", X.type)
    branch = Graph((inner,), (made_at(1, Negative(), made_at(2, Multiply(), inner, inner)),))
    bare = Graph((inner,), (sin(inner),), origins={})
    for index, lines in ((0, (2, 1)), (1, (3,))):
        chosen = made_at(3, Cond((branch, bare)), scalar(index, int32), X)
        found = optimise(Graph((X,), (chosen,)))
        assert sources(found) == [f"model.py:{line} in f" for line in lines]


def test_rules_go_into_held_graphs() -> None:
    total, x = new_input("total", tensor_type(())), new_input("x", tensor_type(()))
    once = Graph((total, x), (add(multiply(total, ONE), x),))
    inside = Graph((total, x), (Checkpoint(once)(total, x),))
    xs = new_input("xs", tensor_type((5,)))
    graph = Graph((xs,), Scan(inside, 0, 1, 5).results(ONE, xs))
    found = optimise(graph)
    verify(found)
    loop = found.nodes[-1].op
    assert isinstance(loop, Scan)
    assert loop.body.outputs == (Checkpoint(Graph((total, x), (add(total, x),)))(total, x),)
    assert optimise(found) is found


def test_a_graph_held_twice_is_rewritten_once() -> None:
    body = Graph((X,), (multiply(X, ONE),))
    graph = Graph((X,), (add(Checkpoint(body)(X), Checkpoint(body)(sin(X))),))
    found = [node.op.body for node in optimise(graph).nodes if isinstance(node.op, Checkpoint)]
    assert len(found) == 2
    assert found[0] is found[1]


def test_rewrites_of_rewrites_reach_a_fixed_point() -> None:
    value = X
    for shape in ((3, 1), (1, 3), (3,)):
        value = Reshape(shape)(multiply(value, ONE))
    assert optimise(Graph((X,), (negative(negative(value)),))).outputs == (X,)


def test_a_rule_that_never_ends_is_stopped() -> None:
    turn = Rule("turn", (Negative, Multiply), lambda op, x, *_: negative(x) if op != negative else multiply(x, ONE), ())
    fuel = Fuel()
    Rewrite("endless", (turn,)).run(Graph((X,), (negative(X),)), fuel)
    assert fuel.used == ROUNDS


def test_a_rule_that_changes_a_type_is_refused() -> None:
    wrong = Rule("lose_an_axis", Reshape, lambda op, x: x, ())
    graph = Graph((X,), (made_at(7, Reshape((3, 1)), X),))
    with pytest.raises(VerificationError) as error:
        Pipeline((Rewrite("broken", (wrong,)),)).run(graph)
    assert str(error.value) == (
        "the rule lose_an_axis replaced reshape, which gives float32[3, 1], by float32[3]\n"
        "  at: model model.py:7 in f\n"
        "  fix: this is a bug in the rule; RAX_FUEL=0 runs without rewrites"
    )


def _smuggled(_: Negative, x: Value) -> Found:
    """A node that claims a type its operation does not have."""
    return Node(Reshape((1, 3)), (x,), (x.type,))


def test_check_verifies_after_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = Rewrite("fine", ())
    broken = Rewrite("broken", (Rule("smuggle", Negative, _smuggled, ()),))
    graph = Graph((X,), (sin(negative(X)),))
    pipeline = Pipeline((fine, fine.replaced(name="fine too"), broken))
    monkeypatch.delenv("RAX_CHECK", raising=False)
    pipeline.run(graph)
    monkeypatch.setenv("RAX_CHECK", "1")
    with pytest.raises(VerificationError) as error:
        pipeline.run(graph)
    assert error.value.what == (
        "the pass broken (run after fine, fine too) left a graph in which "
        "reshape is declared to give float32[3], its rule gives float32[1, 3]"
    )
    assert "^^^^^^^ float32[1, 3] is due" in error.value.where
    with pytest.raises(VerificationError, match="the pass broken left a graph in which"):
        Pipeline((broken,)).run(graph)


def test_fuel_stops_after_so_many_rewrites(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    value = X
    for line in range(4):
        value = sin(made_at(line, Multiply(), value, ONE))
    graph = Graph((X,), (value,))
    left: list[int] = []
    for amount in range(6):
        monkeypatch.setenv("RAX_FUEL", str(amount))
        left.append(sum(isinstance(node.op, Multiply) for node in optimise(graph).nodes))
    assert left == [4, 3, 2, 1, 0, 0]
    assert capsys.readouterr().err.splitlines() == [
        "RAX_FUEL=0: 0 rewrites, the last: none",
        "RAX_FUEL=1: 1 rewrites, the last: times_one on multiply at model model.py:0 in f",
        "RAX_FUEL=2: 2 rewrites, the last: times_one on multiply at model model.py:1 in f",
        "RAX_FUEL=3: 3 rewrites, the last: times_one on multiply at model model.py:2 in f",
        "RAX_FUEL=4: 4 rewrites, the last: times_one on multiply at model model.py:3 in f",
        "RAX_FUEL=5: 4 rewrites, the last: times_one on multiply at model model.py:3 in f",
    ]


def test_fuel_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAX_FUEL", "-3")
    with pytest.raises(RaxError) as error:
        optimise(Graph((X,), (X,)))
    assert str(error.value) == (
        "RAX_FUEL is '-3', which is no number of rewrites\n  fix: set it to 0 or more, or unset it"
    )


def test_decompose_replaces_composites_by_their_bodies() -> None:
    w = new_input("w", tensor_type((2, 3)))
    value = made_at(5, LayerNorm(), made_at(4, Silu(), w), X, X)
    found = Pipeline((decompose(),)).run(Graph((w, X), (value,)))
    verify(found)
    assert [node.op.name for node in found.nodes if isinstance(node.op, Composite)] == []
    assert set(sources(found)) == {"model.py:4 in f", "model.py:5 in f"}


def test_decompose_may_choose() -> None:
    w = new_input("w", tensor_type((2, 3)))
    graph = Graph((w,), (Mean((0,))(silu(w)),))
    found = Pipeline((decompose(lambda op: isinstance(op, Mean)),)).run(graph)
    assert [node.op.name for node in found.nodes if isinstance(node.op, Composite)] == ["silu"]


def test_a_long_chain_is_rewritten() -> None:
    value = X
    for _ in range(20_000):
        value = sin(multiply(value, ONE))
    assert len(optimise(Graph((X,), (value,))).nodes) == 20_001


def test_folding_a_long_chain_leaves_one_number() -> None:
    value = DimSize(1)()
    for number in range(5_000):
        value = subtract(value, scalar(number, value.dtype))
    assert optimise(Graph((), (value,))).outputs == (constant(1 - sum(range(5_000)), value.dtype),)
