"""Derivatives against analytic results, finite differences and the laws they obey."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import rax
import rax.numpy as rnp

F64 = "float64"
LETTER: Any = "x"
FRACTION: Any = (0, 1.5)


def numeric_gradient(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central finite differences of a scalar function."""
    slope = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        slope[place] = (function(up) - function(down)) / (2 * step)
    return slope


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 4))


def loss(x: Any) -> Any:
    return rnp.sum(rnp.tanh(x @ rnp.matrix_transpose(x)) * rnp.exp(-rnp.sum(x, axis=1, keepdims=True)))


def test_gradient_equals_finite_differences(x: np.ndarray) -> None:
    want = numeric_gradient(lambda at: float(loss(rnp.asarray(at))), x)
    np.testing.assert_allclose(rax.grad(loss)(x), want, rtol=1e-6, atol=1e-8)


def test_second_and_third_derivative_of_a_polynomial() -> None:
    cube = rax.grad(rax.grad(lambda t: t**4))
    assert float(cube(2.0)) == pytest.approx(48)
    assert float(rax.grad(cube)(2.0)) == pytest.approx(48)
    assert float(rax.grad(rax.grad(cube))(2.0)) == pytest.approx(24)


def test_hessian_is_symmetric_and_equals_differences_of_the_gradient(x: np.ndarray) -> None:
    got = rax.hessian(loss)(x)
    assert got.shape == (3, 4, 3, 4)
    flat = got.reshape(12, 12)
    np.testing.assert_allclose(flat, flat.T, atol=1e-12)
    step, rows = 1e-6, []
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        rows.append(((rax.grad(loss)(up) - rax.grad(loss)(down)) / (2 * step)).reshape(-1))
    np.testing.assert_allclose(flat, np.stack(rows), rtol=1e-5, atol=1e-7)


def test_jacfwd_equals_jacrev(x: np.ndarray) -> None:
    def rows(x: Any) -> Any:
        return {"a": rnp.sum(x * x, axis=1), "b": rnp.sin(x[0])}

    forward, reverse = rax.jacfwd(rows)(x), rax.jacrev(rows)(x)
    assert forward["a"].shape == (3, 3, 4)
    assert forward["b"].shape == (4, 3, 4)
    for key in ("a", "b"):
        np.testing.assert_allclose(forward[key], reverse[key], atol=1e-14)
    np.testing.assert_allclose(forward["a"], np.eye(3)[:, :, None] * 2 * x[:, None])


def test_jvp_and_vjp_are_transposes(x: np.ndarray) -> None:
    def function(x: Any) -> Any:
        return rnp.sin(x) @ rnp.asarray(np.linspace(-1, 1, 4))

    rng = np.random.default_rng(1)
    v, w = rng.normal(size=x.shape), rng.normal(size=3)
    out, tangent = rax.jvp(function, (x,), (v,))
    again, pullback = rax.vjp(function, x)
    np.testing.assert_array_equal(out, again)
    (ct,) = pullback(w)
    assert np.vdot(tangent, w) == pytest.approx(np.vdot(v, ct), rel=1e-12)


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclasses.dataclass
class Layer:
    w: Any
    rest: Any


def test_gradient_has_exactly_the_structure_of_the_parameters() -> None:
    one = np.ones(2, F64)
    params = {"z": [one, (one * 2, Pair(one * 3, None))], "a": Layer(one * 4, {"k": one * 5})}

    def total(params: Any) -> Any:
        layer = params["a"]
        first, (second, pair) = params["z"]
        return rnp.sum(first**2 + second**2 + pair.first**2 + layer.w**2 + layer.rest["k"] ** 2)

    grads = rax.grad(total)(params)
    assert type(grads["a"]) is Layer
    assert type(grads["z"][1][1]) is Pair
    assert grads["z"][1][1].second is None
    np.testing.assert_array_equal(grads["a"].rest["k"], one * 10)
    np.testing.assert_array_equal(grads["z"][1][1].first, one * 6)


def test_argnums_and_aux() -> None:
    def function(x: Any, y: Any) -> Any:
        return x * y, {"sum": x + y}

    (dx, dy), aux = rax.grad(function, argnums=(0, 1), has_aux=True)(3.0, 4.0)
    assert (float(dx), float(dy), float(aux["sum"])) == (4, 3, 7)
    (value, aux), slope = rax.value_and_grad(function, argnums=1, has_aux=True)(3.0, 4.0)
    assert (float(value), float(aux["sum"]), float(slope)) == (12, 7, 3)
    _, pullback, aux = rax.vjp(function, 3.0, 4.0, has_aux=True)
    assert [float(part) for part in pullback(1.0)] == [4, 3]


def test_nested_gradients_do_not_confuse_their_variables() -> None:
    def outer(x: Any) -> Any:
        return x * rax.grad(lambda y: x + y)(1.0)

    assert float(rax.grad(outer)(2.0)) == 1.0
    assert float(rax.grad(lambda x: rax.grad(lambda y: x * y)(x))(5.0)) == 1.0


def test_unused_arguments_have_zero_gradient_of_their_type() -> None:
    got = rax.grad(lambda p: rnp.sum(p["used"]))({"used": np.ones(2, F64), "unused": np.ones((0, 3), "float32")})
    assert got["unused"].shape == (0, 3)
    assert got["unused"].dtype == np.float32


def test_a_graph_gives_a_graph_with_its_argument_names(x: np.ndarray) -> None:
    graph = rax.trace(lambda params, t: loss(params["x"]) * t, {"x": rax.spec((3, "n"), F64)}, rax.spec((), F64))
    slope = rax.grad(graph)
    assert isinstance(slope, rax.Graph)
    assert slope.input_names == ("params.x", "t")
    second = rax.grad(lambda p, t: rnp.sum(slope(p, t)["x"] ** 2))
    np.testing.assert_allclose(slope({"x": x}, np.array(2.0))["x"], 2 * rax.grad(loss)(x))
    want = numeric_gradient(lambda at: float(np.sum(rax.grad(loss)(at) ** 2)), x)
    np.testing.assert_allclose(second({"x": x}, np.array(1.0))["x"], want, rtol=1e-5, atol=1e-6)


def test_backward_of_an_intermediate_tensor_counts_both_ways() -> None:
    x = rax.input("x", (), F64)
    y = x * x
    z = y * x
    grads = z.backward({"x": x, "y": y})
    got = rax.evaluate(grads, {"x": np.array(3.0)})
    assert (float(got["x"]), float(got["y"])) == (27, 3)


def test_vmap_equals_a_loop_over_rows(x: np.ndarray) -> None:
    def row(params: Any, scale: Any) -> Any:
        return {"p": rnp.sin(params), "q": rnp.sum(params) * scale}

    got = rax.vmap(row, in_axes=(1, None), out_axes={"p": 1, "q": 0})(x, 2.0)
    for column in range(4):
        one = rax.jit(row)(x[:, column], 2.0)
        np.testing.assert_allclose(got["p"][:, column], one["p"])
        np.testing.assert_allclose(got["q"][column], one["q"])


def test_gradient_of_each_row_through_vmap(x: np.ndarray) -> None:
    got = rax.vmap(rax.grad(lambda row: rnp.sum(rnp.sin(row) * row)))(x)
    np.testing.assert_allclose(got, np.cos(x) * x + np.sin(x))


def test_vmap_of_a_graph_is_a_graph() -> None:
    graph = rax.trace(lambda a, b: a @ b, rax.spec((3,), F64), rax.spec((3,), F64))
    batched = rax.vmap(graph, in_axes=(0, None))
    assert isinstance(batched, rax.Graph)
    assert str(batched.in_types[0]) == "float64[rows, 3]"
    rows = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(batched(rows, np.ones(3)), rows.sum(1))


def test_checkpoint_gives_the_same_derivatives_and_computes_again(x: np.ndarray) -> None:
    plain, again = rax.grad(loss), rax.grad(rax.checkpoint(loss))
    np.testing.assert_array_equal(plain(x), again(x))
    np.testing.assert_allclose(rax.hessian(rax.checkpoint(loss))(x), rax.hessian(loss)(x), atol=1e-12)
    names = [node.op.name for node in rax.trace(again, rax.spec((3, 4), F64)).nodes]
    assert names.count("checkpoint") == 1, "only the pass back is left of a gradient"
    both = rax.trace(rax.value_and_grad(rax.checkpoint(loss)), rax.spec((3, 4), F64))
    assert [node.op.name for node in both.nodes].count("checkpoint") == 2


def test_checkpoint_over_outside_tensors() -> None:
    got = rax.grad(lambda x: rax.checkpoint(lambda y: y * x * x)(x))(3.0)
    assert float(got) == 27


def test_custom_vjp_is_used_in_reverse_mode() -> None:
    @rax.custom_vjp
    def square(x: Any) -> Any:
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda kept, ct: (ct * kept * 10,))
    assert float(square(3.0)) == 9
    assert float(rax.grad(square)(3.0)) == 30
    assert float(rax.grad(rax.grad(square))(3.0)) == 10
    out, tangent = rax.jvp(square, (3.0,), (1.0,))
    assert (float(out), float(tangent)) == (9, 30)
    np.testing.assert_allclose(rax.vmap(rax.grad(square))(np.array([1, 2], "float32")), [10, 20])


def test_custom_vjp_with_closures_nests_and_a_clipped_cotangent() -> None:
    limit = 0.5

    def function(x: Any, shift: Any, scale: Any) -> Any:
        @rax.custom_vjp
        def clipped(x: Any, shift: Any) -> Any:
            return {"out": x * scale + shift}

        def backward(kept: Any, ct: Any) -> Any:
            return rnp.clip(ct["out"], -limit, limit) * kept, None

        clipped.defvjp(lambda x, shift: ({"out": x * scale + shift}, scale), backward)
        return clipped(x, shift)["out"] * 7

    dx, dshift, dscale = rax.grad(function, (0, 1, 2))(2.0, 3.0, 4.0)
    assert (float(dx), float(dshift), float(dscale)) == (2, 0, 0)
    with pytest.raises(rax.DerivativeError, match="not linear in the cotangent"):
        rax.jvp(function, (2.0, 3.0, 4.0), (1.0, 0.0, 0.0))


def test_symbolic_batch_survives_differentiation() -> None:
    def mean_square(w: Any, x: Any) -> Any:
        return rnp.mean((x @ w) ** 2)

    specs = rax.spec((3,), F64), rax.spec(("batch", 3), F64)
    graph = rax.trace(rax.value_and_grad(mean_square, argnums=(0, 1)), *specs)
    assert str(graph.out_types[2]) == "float64[batch, 3]"
    rng = np.random.default_rng(2)
    for batch in (1, 7):
        w, x = rng.normal(size=3), rng.normal(size=(batch, 3))
        value, (dw, dx) = graph(w, x)
        np.testing.assert_allclose(value, np.mean((x @ w) ** 2))
        np.testing.assert_allclose(dw, 2 * (x @ w) @ x / batch)
        np.testing.assert_allclose(dx, 2 * np.outer(x @ w, w) / batch)
    total = rax.trace(rax.value_and_grad(lambda w, x: rnp.sum((x @ w) ** 2)), *specs)
    value, dw = total(np.ones(3), np.zeros((0, 3)))
    assert float(value) == 0
    np.testing.assert_array_equal(dw, np.zeros(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rax.grad(lambda x: x)(np.ones(3, F64)), "one real floating-point scalar"),
        (lambda: rax.grad(lambda x: rnp.sum(x))(np.arange(3)), "int64[3], and derivatives exist for floating"),
        (lambda: rax.grad(lambda x: x, argnums=2)(1.0), "argnums has 2, but the function was given 1"),
        (lambda: rax.grad(lambda x: x, argnums=LETTER)(1.0), "argnums is an int or a sequence of ints, not 'x'"),
        (lambda: rax.jacrev(lambda x: x, argnums=FRACTION)(1.0), "argnums is an int or a sequence of ints, not (0,"),
        (lambda: rax.grad(lambda x: x)("text"), "argument 0 holds a str"),
        (lambda: rax.custom_vjp(lambda x: x)(1.0), "has no derivative yet"),
    ],
)
def test_what_cannot_be_differentiated_says_why(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(rax.DerivativeError) as caught:
        call()
    assert message in str(caught.value)


def test_axes_and_arguments_may_be_numpys_integers() -> None:
    first: Any = np.int64(0)
    x = np.array([1.0, 2.0])
    assert rax.grad(lambda x: x * x, argnums=first)(3.0) == 6
    np.testing.assert_array_equal(rax.jacfwd(lambda x: x * x, argnums=first)(x), np.diag(2 * x))
    assert [float(part) for part in rax.grad(lambda x, y: x * y, argnums=(first, 1))(3.0, 4.0)] == [4, 3]
    np.testing.assert_array_equal(rax.vmap(lambda x: x * x, in_axes=first, out_axes=first)(x), x * x)


def test_stop_gradient_takes_nests() -> None:
    def function(x: Any) -> Any:
        fixed = rax.stop_gradient({"x": x, "n": 2})
        return x * fixed["x"] * fixed["n"]

    assert rax.grad(function)(3.0) == 6
    assert rax.jvp(function, (3.0,), (1.0,))[1] == 6
    assert rax.vmap(rax.grad(function))(np.array([1.0, 2.0])).tolist() == [2, 4]
