"""Graphs called like functions, lazy tensors evaluated, and jit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.frontend.tensor import Tensor
from tests.numpy.agree import draw, same


class Batch(NamedTuple):
    x: Any
    y: Any


def model(params: Any, batch: Any) -> Any:
    return {"loss": rnp.mean((batch.x @ params["w"] - batch.y) ** 2), "n": batch.x.shape[0] * rnp.ones(())}


SPECS = ({"w": rax.spec(("k",))}, Batch(rax.spec(("n", "k")), rax.spec(("n",))))


def data(count: int = 4) -> tuple[Any, Any]:
    return {"w": draw((3,))}, Batch(draw((count, 3)), draw((count,), seed=1))


def due(params: Any, batch: Any) -> Any:
    return ((batch.x @ params["w"] - batch.y) ** 2).mean()


# Graphs as functions.


@pytest.mark.parametrize("count", [1, 7])
def test_a_graph_runs_on_nested_arrays(count: int) -> None:
    graph = rax.trace(model, *SPECS)
    params, batch = data(count)
    result = graph(params, batch=batch)
    assert isinstance(result["loss"], np.ndarray)
    same(result["loss"], due(params, batch))
    assert result["n"] == count


def test_a_graph_inlines_on_tensors() -> None:
    graph = rax.trace(model, *SPECS)
    params, batch = data()
    w = rax.param("w", (3,))
    result = graph({"w": w}, Batch(batch.x, rnp.asarray(batch.y)))
    assert isinstance(result["loss"], Tensor)
    same(rax.evaluate(result["loss"], {"w": params["w"]}), due(params, batch))


def test_sizes_of_an_inlined_graph_may_stay_symbolic() -> None:
    graph = rax.trace(lambda x, y: x[:, None] * y, rax.spec(("n",)), rax.spec(("2*n",)))
    m = rax.input("x", ("m",))
    assert str(graph(m, rnp.concat([m, m])).value.type) == "float32[m, 2*m]"
    assert graph(rax.input("x", (3,)), np.zeros(6, np.float32)).shape == (3, 6)
    last = rax.trace(lambda y: y[1:], rax.spec(("k + 1",)))
    assert last(rnp.zeros(4)).shape == (3,)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (lambda t: (t(2, 3), t(3)), "y has shape [3], the graph takes [n]"),
        (lambda t: (t(2, 3), t(2, 2)), "y has shape [2, 2], the graph takes [n]"),
        (lambda t: (t(2), t(2)), "x has shape [2], the graph takes [n, 3]"),
        (lambda t: (t(2, 3), t(2, dtype="int32")), "y is int32, the graph takes float32"),
        (lambda t: (t(2, 3), "two"), "y is a str, the graph takes float32[n]"),
        (lambda t: (t(2, 3),), "the argument 'y' is missing"),
        (lambda t: (t(2, 3), t(2), t(2)), "3 arguments are given, the graph takes 2 arguments"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(args: Any, text: str) -> None:
    graph = rax.trace(lambda x, y: x[:, 0] + y, rax.spec(("n", 3)), rax.spec(("n",)))

    def tensor(*shape: int, dtype: str = "float32") -> Tensor:
        return rax.input("t", shape, dtype)

    with pytest.raises(rax.BindingError) as caught:
        graph(*args(tensor))
    assert caught.value.what == text


def test_numbers_beside_tensors_take_the_inputs_dtype() -> None:
    graph = rax.trace(lambda x, s: x * s, rax.spec((2,)), rax.spec(()))
    same(graph(rnp.ones(2), 3), np.array([3, 3], np.float32))
    with pytest.raises(rax.BindingError, match="s is float64, the graph takes float32"):
        graph(rnp.ones(2), np.float64(3))


# evaluate.


def test_evaluate_returns_the_nest_of_arrays() -> None:
    x, w = rax.input("x", ("n", 2)), rax.param("w", (2,))
    nest = {"y": [x @ w, Batch(w, 3)], "none": None, "data": np.ones(1)}
    feed = {"x": draw((3, 2)), "w": draw((2,))}
    result = rax.evaluate(nest, feed)
    same(result["y"][0], feed["x"] @ feed["w"])
    same(result["y"][1], (feed["w"], np.int64(3)))
    assert isinstance(result["y"][1], Batch)
    assert result["none"] is None
    same(result["data"], np.ones(1))
    same(rax.evaluate(x @ w, feed, backend="reference"), feed["x"] @ feed["w"])


def test_evaluate_without_inputs() -> None:
    result = rax.evaluate({"a": rnp.arange(3) + 1, "b": 2.5})
    same([result["a"], result["b"]], [np.arange(3) + 1, np.float32(2.5)])


def test_evaluating_again_uses_what_was_compiled() -> None:
    x = rax.input("x", ("n",))
    y = rnp.sum(x * x)
    for count in (0, 1, 5):
        data = draw((count,))
        same(rax.evaluate(y, {"x": data}), np.sum(data * data))


@pytest.mark.parametrize(
    ("feed", "text"),
    [
        ({}, "the input 'x': float32[n] is missing (and 1 more)"),
        ({"z": [1.0], "y": [1.0]}, "the input 'x': float32[n] is missing"),
        ({"x": [1.0], "y": [1.0, 2.0]}, "n is 1 from x but 2 in y"),
        ({"x": [1.0], "y": np.zeros(1)}, "y is float64, the graph takes float32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(feed: Any, text: str) -> None:
    total = rax.input("x", ("n",)) + rax.input("y", ("n",))
    with pytest.raises(rax.BindingError) as caught:
        rax.evaluate(total, feed)
    assert caught.value.what == text


def test_names_the_tensors_do_not_depend_on_are_passed_over() -> None:
    feed = {"x": [1.0], "unused": "anything"}
    same(rax.evaluate(rax.input("x", (1,)) * 2, feed), np.array([2], np.float32))
    same(rax.evaluate(rnp.ones(2), feed), np.ones(2, np.float32))


def test_two_inputs_of_one_name_are_ambiguous() -> None:
    with pytest.raises(rax.BindingError, match="two inputs are called 'x'"):
        rax.evaluate(rax.input("x", ()) + rax.input("x", ()), {"x": 1})


def test_a_size_that_no_input_fixes_is_refused() -> None:
    x = rax.input("x", ("n",))
    with pytest.raises(rax.BindingError, match="no input fixes the size 'm'"):
        rax.evaluate(rnp.sum(x) + rnp.zeros("m"), {"x": [1]})


# jit.


def test_jit_runs_nested_arrays_and_traces_once_a_type() -> None:
    traced: list[str] = []

    @rax.jit
    def step(params: Any, batch: Any, scale: float = 1.0) -> Any:
        """Documented."""
        traced.append(str(batch.x.shape))
        return model(params, batch)["loss"] * scale

    for count in (2, 2, 3, 2):
        params, batch = data(count)
        same(step(params, batch), due(params, batch))
        same(step(params, batch, scale=3.0), due(params, batch) * np.float32(3))
    assert traced == ["(2, 3)", "(2, 3)", "(3, 3)", "(3, 3)"]
    assert step.__doc__ == "Documented."


def test_jit_of_tensors_is_the_function() -> None:
    double = rax.jit(lambda x: x * 2)
    x = rax.input("x", (2,))
    assert double(x).value == (x * 2).value
    graph = rax.trace(lambda x: double(x) + 1, rax.spec((2,)))
    same(graph(np.ones(2, np.float32)), np.array([3, 3], np.float32))


def test_jit_of_numbers_takes_them_as_data() -> None:
    power = rax.jit(lambda x, n: x * n)
    same(power(2.0, 3), np.float32(6))
    with pytest.raises(rax.UnboundInputError, match="a Python index or size needs the value"):
        rax.jit(lambda x, n: x[:n])(np.ones(3), 2)


STATE = ({"total": rax.spec((2,))}, rax.spec((2,)))


@pytest.mark.parametrize("make", [rax.jit, lambda function: rax.trace(function, *STATE)])
def test_tensors_without_inputs_count_as_arrays_so_a_loop_builds_no_graph(make: Any) -> None:
    def turn(state: Any, x: Any) -> Any:
        return {"total": state["total"] * 2 + x}

    run = make(turn)
    state: Any = {"total": rnp.zeros((2,))}
    for _ in range(3):
        state = run(state, np.ones(2, "float32"))
        assert type(state["total"]) is np.ndarray
    np.testing.assert_array_equal(state["total"], [7, 7])
    graph = rax.trace(lambda x: run({"total": rnp.zeros((2,))}, x), rax.spec((2,)))
    np.testing.assert_array_equal(graph(np.ones(2, "float32"))["total"], [1, 1])


def test_what_stands_in_the_wrong_place_is_named() -> None:
    swapped: Any = (3,), "x"
    with pytest.raises(
        rax.TypeInferenceError, match=r"an input's name is a string, not \(3,\)(.|\n)*give the name first"
    ):
        rax.input(*swapped)
    feed: Any = [np.ones(3)]
    with pytest.raises(rax.BindingError, match="evaluate takes its inputs by name, in a dict, not as a list"):
        rax.evaluate(rax.input("x", (3,)), feed)
