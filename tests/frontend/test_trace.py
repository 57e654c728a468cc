"""Tracing: names, nests, what a function closes over, and what is refused."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.frontend.tensor import Tensor
from rax.frontend.trace import Capture, as_spec, capture, close
from rax.ir import dims
from rax.ir.node import Constant, Value
from tests.numpy.agree import draw, same


@dataclasses.dataclass
class Layer:
    w: Any
    b: Any


class Pair(NamedTuple):
    first: Any
    second: Any


# Specs and inputs.


def test_a_spec_is_a_type() -> None:
    assert rax.spec(("n", 3)) == rax.TensorType(rnp.float32, (dims.dim("n"), 3))
    assert str(rax.spec("2*n + 1", "int64")) == "int64[2*n + 1]"
    assert rax.spec((), bool).shape == ()


@pytest.mark.parametrize(
    ("leaf", "due"),
    [
        (rax.spec((2,)), "float32[2]"), (np.zeros((2, 3)), "float64[2, 3]"), (np.int8(3), "int8[]"), (True, "bool[]"),
        (3, "int64[]"), (2.5, "float32[]"), (1j, "complex64[]"), (rax.input("x", ("n",), "int32"), "int32[n]"),
    ],
)  # fmt: skip
def test_the_spec_of_an_argument(leaf: Any, due: str) -> None:
    assert str(as_spec(leaf)) == due


def test_what_is_no_argument_is_refused() -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rax.trace(lambda x, mode: x, {"a": np.zeros(2)}, "fast")
    assert str(caught.value) == (
        "argument 'mode' must be a spec, tensor, array or number, not 'fast'\n"
        "  fix: bind what is no array with functools.partial or a lambda"
    )


def test_params_are_inputs() -> None:
    x, w = rax.input("x", ("n", 2)), rax.param("w", (2,), "float64")
    assert (x.dtype, w.dtype, w.shape) == (rnp.float32, rnp.float64, (2,))
    assert rax.input("x", ("n", 2)).value != x.value


# Names.


def names_of(function: Any, *specs: Any, **named: Any) -> tuple[str, ...]:
    return rax.trace(function, *specs, **named).input_names


def test_inputs_are_called_by_their_paths() -> None:
    s = rax.spec((2,))

    def model(params: Any, x: Any, *rest: Any, scale: Any = 1.0, **more: Any) -> Any:
        return rnp.sum(x) * scale, params, rest, more

    nest = {"layers": [Layer(s, None), (s, Pair(s, s))], 0: s}
    assert names_of(model, nest, s) == (
        "params.0", "params.layers.0.w", "params.layers.1.0", "params.layers.1.1.first", "params.layers.1.1.second",
        "x",
    )  # fmt: skip
    assert names_of(model, s, s, s, s, scale=2.0, extra={"y": s}) == (
        "params", "x", "rest0", "rest1", "scale", "extra.y"
    )  # fmt: skip


def test_arguments_without_a_signature_are_numbered() -> None:
    class Silent:
        __signature__ = "none"

        def __call__(self, *values: Any) -> Any:
            return values[0]

    assert names_of(Silent(), rax.spec(()), rax.spec(())) == ("arg0", "arg1")
    assert names_of(functools.partial(lambda a, b: a + b, 1), rax.spec(())) == ("b",)


def test_wrong_arguments_are_refused_by_name() -> None:
    def model(x: Any, *, flag: Any) -> Any:
        return x, flag

    with pytest.raises(
        rax.TreeError, match=r"model cannot take these arguments: missing a required .*argument: 'flag'"
    ):
        rax.trace(model, rax.spec(()))
    with pytest.raises(rax.TreeError, match="got an unexpected keyword argument 'y'"):
        rax.trace(model, rax.spec(()), flag=1, y=1)


def test_results_keep_their_nest_and_names() -> None:
    graph = rax.trace(lambda x: {"y": (x, Layer(x + 1, [2, np.ones(2)])), "none": None}, rax.spec((2,)))
    assert graph.output_names == ("y.0", "y.1.w", "y.1.b.0", "y.1.b.1")
    result = graph(np.zeros(2, np.float32))
    assert isinstance(result["y"][1], Layer)
    assert result["none"] is None
    same(result["y"][1].b, [np.int64(2), np.ones(2)])
    assert rax.trace(lambda x: x, rax.spec(())).output_names == ("result",)


def test_state_is_told_by_name_and_type() -> None:
    graph = rax.trace(lambda params, x: {"params": {"w": params["w"] + x}, "x": 1}, {"w": rax.spec(())}, rax.spec(()))
    assert graph.states == {"params.w": (0, 0)}


def test_a_result_must_be_made_of_tensors() -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rax.trace(lambda x: {"y": [x, "text"]}, rax.spec(()))
    assert caught.value.what == ("the result 'y.1' of a traced function must be a tensor, array or number, not 'text'")


# Where nodes come from.


def test_nodes_know_the_users_line_and_scope() -> None:
    def model(x: Any) -> Any:
        with rax.scope("encoder"):
            return x * x

    graph = rax.trace(model, rax.spec((2,)))
    origin = graph.origins[graph.outputs[0].node]
    assert origin.scope == ("encoder",)
    assert origin.source == f"test_trace.py:{model.__code__.co_firstlineno + 2} in model"


def test_a_long_chain_traces() -> None:
    def chain(x: Any) -> Any:
        for _ in range(20_000):
            x = x + 1.5
        return x

    graph = rax.trace(chain, rax.spec(()))
    assert len(graph.nodes) == 20_002
    assert repr(chain(rax.input("x", ()))) == "<Tensor float32[] of x>"


# Graphs traced again.


def test_a_graph_is_itself_or_specialised() -> None:
    graph = rax.trace(lambda x, y: {"z": x @ y}, rax.spec(("n", 3)), rax.spec((3, "m")))
    assert rax.trace(graph) is graph
    narrow = rax.trace(graph, rax.spec((5, 3)), y=np.ones((3, 2), np.float32))
    assert narrow.input_names == ("x", "y")
    assert str(narrow.out_types[0]) == "float32[5, 2]"
    assert narrow.output_names == ("z",)


def test_a_function_may_call_graphs() -> None:
    inner = rax.trace(lambda p: p["a"] * 2 + p["b"], {"a": rax.spec(("k",)), "b": rax.spec(("k",))})
    outer = rax.trace(lambda x: inner({"a": x[1:], "b": 1 * x[:-1]}), rax.spec(("n",)))
    x = draw((4,))
    same(outer(x), x[1:] * 2 + x[:-1])


# What a function closes over.


def captured_inside(build: Any) -> Capture:
    """What ``build(x)`` returns when it runs in a trace of a function of ``x``."""
    found: list[Capture] = []

    def outer(x: Tensor) -> Tensor:
        found.append(build(x))
        return x

    rax.trace(outer, rax.spec(("n",)))
    return found[0]


def test_values_of_an_enclosing_trace_are_free_in_order_of_use() -> None:
    kept: list[Value] = []

    def build(x: Tensor) -> Capture:
        y = x * 2
        kept.extend([y.value, x.value])
        return capture(lambda a: (a + y) * x + y, [rax.spec(("n",))])

    part = captured_inside(build)
    assert part.free == tuple(kept)
    graph = close(part)
    assert graph.input_names == ("free0", "free1", "a")
    y, x, a = (draw((3,), seed=seed) for seed in range(3))
    same(graph(y, x, a), (a + y) * x + y)


def test_constants_are_not_free_but_other_work_outside_is() -> None:
    outside = rnp.arange(4) * 2
    number = rnp.asarray([1.0, 2.0])
    part = capture(lambda a: a + number[0] + rnp.sum(outside), [rax.spec(())])
    assert part.free == (outside.value,)
    assert all(isinstance(v.node.op, Constant) for v in capture(lambda: number, []).outputs)
    assert capture(lambda: number, []).free == ()


def test_a_result_may_be_free_itself() -> None:
    part = captured_inside(lambda x: capture(lambda a: {"a": a, "x": x}, [rax.spec(())]))
    graph = close(part)
    assert graph.out_tree == part.out_tree
    assert graph.outputs[1] == graph.inputs[0]


def test_functions_may_share_their_free_values() -> None:
    def build(x: Tensor) -> Any:
        y = x + 1
        first, second = capture(lambda: x * 2, []), capture(lambda: y * x, [])
        union = tuple(dict.fromkeys((*first.free, *second.free)))
        return [close(part, union) for part in (first, second)]

    first, second = captured_inside(build)  # pyright: ignore[reportGeneralTypeIssues]  # a list of graphs here
    assert first.input_names == second.input_names == ("free0", "free1")
    x, y = draw((2,)), draw((2,), seed=1)
    same(first(x, y), x * 2)
    same(second(x, y), y * x)


def test_work_done_inside_and_outside_belongs_inside() -> None:
    def build(x: Tensor) -> Capture:
        return capture(lambda: rnp.exp(x), [])

    x = rax.input("x", (2,))
    _ = rnp.exp(x)  # made outside any trace: met again inside, it is the trace's own
    assert build(x).free == (x.value,)


def test_closed_graphs_keep_the_users_lines() -> None:
    def branch(a: Any) -> Any:
        return a * a

    def build(x: Tensor) -> Capture:
        return capture(lambda a: branch(a) + x, [rax.spec(("n",))])

    graph = close(captured_inside(build))
    product = graph.outputs[0].node.inputs[0].node
    assert graph.origins[product].source == f"test_trace.py:{branch.__code__.co_firstlineno + 1} in branch"
    total = graph.outputs[0].node
    assert graph.origins[total].source.startswith("test_trace.py:")


# What leaves its trace.


def test_a_leaked_tensor_is_told_with_the_line_that_uses_it() -> None:
    leaked: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        leaked.append(x * 2)
        return x

    def use(y: Tensor) -> Tensor:
        return y + leaked[0]

    rax.trace(keep, rax.spec((2,)))
    with pytest.raises(rax.UnboundInputError) as caught:
        rax.trace(use, rax.spec((2,)))
    assert str(caught.value) == (
        "the result depends on the input 'x': float32[2], which is no argument of the traced function\n"
        f"  at: test_trace.py:{use.__code__.co_firstlineno + 1} in use\n"
        "  fix: make 'x' an argument; a tensor cannot leave the trace it was made in"
    )


def test_an_input_made_outside_is_no_argument() -> None:
    x = rax.input("x", ())
    with pytest.raises(rax.UnboundInputError, match="depends on the input 'x'"):
        rax.trace(lambda y: x, rax.spec(()))


def test_lazy_data_outside_are_constants() -> None:
    table = rnp.arange(3) * 10
    graph = rax.trace(lambda i: table[i], rax.spec((), "int64"))
    assert graph(np.int64(2)) == 20
