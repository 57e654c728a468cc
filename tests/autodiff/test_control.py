"""Control flow: values and derivatives against the same loops written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp

ANY: Any = rax  # for what a type checker would not let through

F64 = "float64"
RNG = np.random.default_rng(3)
W, H0, XS = RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=(5, 3))


def rnn_scan(w: Any, h: Any, xs: Any) -> Any:
    def step(h: Any, x: Any) -> tuple[Any, Any]:
        new = rnp.tanh(w @ h + x)
        return new, rnp.sum(new**2)

    last, sums = rax.scan(step, h, xs)
    return rnp.sum(last) + rnp.sum(rnp.sin(sums))


def rnn_unrolled(w: Any, h: Any, xs: Any) -> Any:
    total = 0.0
    for index in range(5):
        h = rnp.tanh(w @ h + xs[index])
        total = total + rnp.sin(rnp.sum(h**2))
    return rnp.sum(h) + total


def test_scan_equals_the_loop_written_out_in_value_and_every_derivative() -> None:
    args = (W, H0, XS)
    np.testing.assert_allclose(rax.jit(rnn_scan)(*args), rax.jit(rnn_unrolled)(*args))
    every = (0, 1, 2)
    for got, want in zip(rax.grad(rnn_scan, every)(*args), rax.grad(rnn_unrolled, every)(*args), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)
    for got, want in zip(rax.jacfwd(rnn_scan, every)(*args), rax.grad(rnn_unrolled, every)(*args), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("method", [lambda f: rax.hessian(f), lambda f: rax.jacrev(rax.grad(f))])
def test_second_derivatives_through_scan(method: Any) -> None:
    got = method(lambda h: rnn_scan(W, h, XS))(H0)
    want = rax.hessian(lambda h: rnn_unrolled(W, h, XS))(H0)
    np.testing.assert_allclose(got, want, atol=1e-11)


def test_third_derivative_through_scan() -> None:
    def power(x: Any) -> Any:
        return rax.scan(lambda c, _: (c * x, None), x, None, length=4)[0]

    third = rax.grad(rax.grad(rax.grad(power)))
    assert float(third(2.0)) == pytest.approx(60 * 4)


def test_scan_in_reverse_and_ys_in_place() -> None:
    def total(x: Any) -> Any:
        return rax.scan(lambda c, v: (c + v, c * v), 0.0, x, reverse=True)

    x = np.array([1, 2, 3], "float32")
    last, ys = rax.jit(total)(x)
    assert float(last) == 6
    np.testing.assert_array_equal(ys, [5, 6, 0])
    np.testing.assert_array_equal(rax.grad(lambda x: rnp.sum(total(x)[1]))(x), [5, 4, 3])


def test_scan_over_trees_with_integers_and_unused_parts() -> None:
    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        return {"n": carry["n"] + 1, "v": carry["v"] * x["a"]}, {"n": carry["n"], "v": carry["v"]}

    def total(v: Any, a: Any) -> Any:
        carry, ys = rax.scan(step, {"n": 0, "v": v}, {"a": a, "unused": rnp.arange(3)})
        return carry["v"] + rnp.sum(ys["v"]), ys["n"]

    a = np.array([2.0, 3.0, 4.0])
    (dv, da), places = rax.grad(total, argnums=(0, 1), has_aux=True)(np.array(1.0), a)
    np.testing.assert_array_equal(places, [0, 1, 2])
    assert float(dv) == 24 + 1 + 2 + 6
    np.testing.assert_array_equal(da, [12 + 1 + 3, 8 + 2, 6])


def test_nested_scans_with_closures() -> None:
    def outer(x: Any) -> Any:
        def row(c: Any, a: Any) -> tuple[Any, Any]:
            inner = rax.scan(lambda s, b: (s + b * a * x, None), c, rnp.asarray(np.arange(3.0)))[0]
            return inner, None

        return rax.scan(row, x, rnp.asarray(np.array([1.0, 2.0])))[0]

    assert float(rax.grad(outer)(np.array(5.0))) == pytest.approx(1 + 3 * 1 * 2 * 5 * 0 + 3 + 6)


@pytest.mark.parametrize("batched", [(0, None, None), (None, 0, None), (None, None, 1), (0, 0, 1)])
def test_scan_batches_as_a_loop(batched: tuple[Any, ...]) -> None:
    rng = np.random.default_rng(4)
    args = [
        arg if axis is None else rng.normal(size=(*arg.shape[:axis], 2, *arg.shape[axis:]))
        for arg, axis in zip((W, H0, XS), batched, strict=True)
    ]
    got = rax.vmap(rax.grad(rnn_scan, (0, 1, 2)), in_axes=batched)(*args)
    for place in range(2):
        one = [a if axis is None else np.take(a, place, axis) for a, axis in zip(args, batched, strict=True)]
        for part, want in zip(got, rax.grad(rnn_unrolled, (0, 1, 2))(*one), strict=True):
            np.testing.assert_allclose(part[place], want, atol=1e-12)


def pick(p: Any, x: Any, y: Any) -> Any:
    return rax.cond(p, lambda x: rnp.sin(x) * y, lambda x: x**3 + 1, x)


@pytest.mark.parametrize(("p", "want"), [(True, (np.cos(2.0) * 5, np.sin(2.0))), (False, (12.0, 0.0))])
def test_cond_differentiates_the_branch_taken(p: bool, want: tuple[float, float]) -> None:
    got = rax.grad(pick, argnums=(1, 2))(p, np.array(2.0), np.array(5.0))
    np.testing.assert_allclose(got, want)
    _, tangent = rax.jvp(lambda x, y: pick(p, x, y), (np.array(2.0), np.array(5.0)), (1.0, 1.0))
    assert float(tangent) == pytest.approx(sum(want))
    second = rax.grad(rax.grad(pick, 1), 1)(p, np.array(2.0), np.array(5.0))
    assert float(second) == pytest.approx(-np.sin(2.0) * 5 if p else 12)


def test_cond_batches_over_operands_and_over_the_condition() -> None:
    p, x = np.array([True, False, True]), np.array([1.0, 2.0, 3.0])
    got = rax.vmap(rax.grad(pick, 1), in_axes=(0, 0, None))(p, x, np.array(5.0))
    np.testing.assert_allclose(got, np.where(p, np.cos(x) * 5, 3 * x**2))
    got = rax.vmap(pick, in_axes=(None, 0, None))(np.array(True), x, np.array(5.0))
    np.testing.assert_allclose(got, np.sin(x) * 5)


def test_only_the_branch_taken_is_run() -> None:
    graph = rax.trace(
        lambda i, x: rax.cond(i > 5, lambda: x[i], lambda: x[0]), rax.spec((), "int64"), rax.spec((3,), F64)
    )
    assert float(graph(np.array(1), np.array([7.0, 8, 9]))) == 7
    with pytest.raises(rax.ExecutionError):
        graph(np.array(6), np.array([7.0, 8, 9]))


def test_switch_clamps_and_differentiates() -> None:
    def function(i: Any, x: Any) -> Any:
        return rax.switch(i, [lambda x: x, lambda x: x**2, lambda x: x**3], x)

    for index, want in ((-3, 1), (0, 1), (1, 4), (2, 12), (9, 12)):
        assert float(rax.grad(function, 1)(index, 2.0)) == want


def test_while_loop_in_forward_mode() -> None:
    def newton(a: Any) -> Any:
        def again(state: Any) -> Any:
            x, old = state
            return rnp.abs(x - old) > 1e-12

        def step(state: Any) -> Any:
            x, _ = state
            return (x + a / x) / 2, x

        return rax.while_loop(again, step, (a, a * 0))[0]

    a = np.array(2.0)
    value, slope = rax.jvp(newton, (a,), (1.0,))
    assert float(value) == pytest.approx(2**0.5)
    assert float(slope) == pytest.approx(0.5 / 2**0.5)
    assert float(rax.jacfwd(rax.jacfwd(newton))(a)) == pytest.approx(-0.25 * 2**-1.5, rel=1e-6)
    many = np.array([2.0, 9.0, 100.0])
    np.testing.assert_allclose(rax.vmap(newton)(many), np.sqrt(many))
    with pytest.raises(rax.DerivativeError, match="no reverse-mode derivative"):
        rax.grad(newton)(a)


def test_fori_loop_is_reversible_with_known_bounds_and_runs_with_unknown_ones() -> None:
    def power(x: Any, n: Any) -> Any:
        return rax.fori_loop(0, n, lambda i, y: y * x, rnp.ones_like(x))

    assert float(rax.grad(lambda x: power(x, 5))(2.0)) == 80
    graph = rax.trace(power, rax.spec((), F64), rax.spec((), "int64"))
    for n in (0, 1, 6):
        assert float(graph(np.array(3.0), np.array(n))) == 3**n


def test_symbolic_length_scans_and_differentiates() -> None:
    graph = rax.trace(rax.grad(rnn_scan, (0, 2)), rax.spec((3, 3), F64), rax.spec((3,), F64), rax.spec(("t", 3), F64))
    for length in (0, 5):
        dw, dxs = graph(W, H0, XS[:length])
        assert dxs.shape == (length, 3)
    want = rax.grad(rnn_unrolled, (0, 2))(W, H0, XS)
    np.testing.assert_allclose(dw, want[0], atol=1e-12)
    np.testing.assert_allclose(dxs, want[1], atol=1e-12)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ANY.cond(True, rnp.ones(()), 2.0), "cond chooses between functions, and true_fun is a Tensor"),
        (lambda: ANY.switch(0, [abs, 2.0], 1.0), "switch chooses between functions, and branch 1 is a float"),
        (lambda: rax.cond(1.0, lambda: 1, lambda: 2), "cond's condition must be a bool of shape (), not float32[]"),
        (lambda: rax.cond(True, lambda: 1, lambda: 2.0), "branch 1 returns int64[] for its result, branch 0 float32[]"),
        (lambda: rax.cond(True, lambda: (1,), lambda: 1), "branch 1 returns the structure (*,), branch 0 *"),
        (
            lambda: rax.scan(lambda c, x: (c * 1.5, None), 0, None, 3),
            "carry goes in as int64[] and comes out as float32[]",
        ),
        (lambda: rax.scan(lambda c, x: (c, None), 0.0), "scan needs xs or a length"),
        (
            lambda: rax.while_loop(lambda c: c, lambda c: c, 1.0),
            "the condition must be one bool of shape (), not float32[]",
        ),
    ],
)
def test_what_cannot_be_built_says_why(build: Any, message: str) -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        build()
    assert message in str(caught.value)
    assert "test_control.py" in str(caught.value)
