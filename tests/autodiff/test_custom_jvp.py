"""``custom_jvp``: the user's rule in every mode, order, batch and file, and what it may not do."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp

F64 = "float64"
X = np.array([0.3, -1.2, 2.0])


def marked(factor: float = 3.0) -> Any:
    """``sin``, with ``factor`` times the true derivative, so that the rule shows."""

    @rax.custom_jvp
    def sine(x: Any) -> Any:
        return rnp.sin(x)

    @sine.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        return sine(x), factor * rnp.cos(x) * t

    assert callable(rule)
    return sine


def test_the_rule_is_the_derivative_in_both_modes_and_again() -> None:
    sine = marked()
    np.testing.assert_array_equal(sine(X), np.sin(X))
    total = lambda x: rnp.sum(sine(x))  # noqa: E731
    np.testing.assert_allclose(rax.grad(total)(X), 3 * np.cos(X))
    np.testing.assert_allclose(rax.jvp(sine, (X,), (X,))[1], 3 * np.cos(X) * X)
    # The rule's own derivative: cos is differentiated as it is, and the call of sine by the rule again.
    np.testing.assert_allclose(rax.hessian(total)(X), np.diag(-3 * np.sin(X)))
    np.testing.assert_allclose(rax.jacfwd(rax.jacfwd(total))(X), np.diag(-3 * np.sin(X)))
    np.testing.assert_allclose(rax.jacrev(rax.grad(total))(X), np.diag(-3 * np.sin(X)))


def test_batched_before_and_after_the_derivative() -> None:
    sine = marked()
    rows = np.stack([X, 2 * X])
    np.testing.assert_allclose(rax.vmap(sine)(rows), np.sin(rows))
    np.testing.assert_allclose(rax.vmap(rax.grad(lambda x: rnp.sum(sine(x))))(rows), 3 * np.cos(rows))
    np.testing.assert_allclose(rax.grad(lambda x: rnp.sum(rax.vmap(sine)(x)))(rows), 3 * np.cos(rows))


def test_inside_control_flow_and_over_outside_tensors() -> None:
    sine = marked()

    def loop(x: Any) -> Any:
        return rax.scan(lambda c, _: (sine(c), None), x, None, length=2)[0]

    def chosen(x: Any) -> Any:
        return rax.cond(x > 0, sine, lambda x: x, x)

    assert float(rax.grad(loop)(1.0)) == pytest.approx(9 * np.cos(np.sin(1)) * np.cos(1), rel=1e-6)
    assert float(rax.grad(chosen)(1.0)) == pytest.approx(3 * np.cos(1), rel=1e-6)

    @rax.custom_jvp
    def scaled(x: Any) -> Any:
        return x * 2

    def by_both(x: Any, y: Any) -> Any:
        scaled.defjvp(lambda primals, tangents: (primals[0] * 2, tangents[0] * y))
        return scaled(x)

    assert [float(part) for part in rax.grad(by_both, (0, 1))(3.0, 5.0)] == [5.0, 0.0]


def test_trees_integers_and_zero_tangents() -> None:
    @rax.custom_jvp
    def weighted(p: Any, n: Any) -> Any:
        return {"sum": p["a"] * n + p["b"], "n": n + 1}

    @weighted.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (p, n), (dp, dn) = primals, tangents
        assert dn.dtype == n.dtype
        return weighted(p, n), {"sum": 10 * dp["a"] * n, "n": 0}

    assert callable(rule)
    p = {"a": np.array(2.0), "b": np.array(5.0)}
    slopes = rax.grad(lambda p: weighted(p, 3)["sum"])(p)
    assert {name: float(slope) for name, slope in slopes.items()} == {"a": 30.0, "b": 0.0}
    weighted.defjvp(lambda primals, tangents: (weighted(*primals), None))
    assert float(rax.grad(lambda p: weighted(p, 3)["sum"])(p)["a"]) == 0.0


def test_a_rule_with_a_loop_that_moves_values_and_tangents_together() -> None:
    def power(x: Any) -> Any:
        return rax.fori_loop(0, 3, lambda _, y: rnp.sin(y) * x, x)

    wrapped = rax.custom_jvp(power)
    wrapped.defjvp(lambda primals, tangents: rax.jvp(power, primals, tangents))
    x = np.array(0.7)
    assert float(rax.grad(wrapped)(x)) == pytest.approx(float(rax.grad(power)(x)))
    assert float(rax.grad(rax.grad(wrapped))(x)) == pytest.approx(float(rax.grad(rax.grad(power))(x)))
    assert float(rax.jacfwd(wrapped)(x)) == pytest.approx(float(rax.grad(power)(x)))


def test_arguments_that_are_no_arrays_come_first_in_the_rule() -> None:
    @functools.partial(rax.custom_jvp, nondiff_argnums=(0, 2))
    def applied(function: Any, x: Any, name: str) -> Any:
        assert name == "cosine"
        return function(x)

    @applied.defjvp
    def rule(function: Any, name: str, primals: Any, tangents: Any) -> Any:
        assert name == "cosine"
        return function(primals[0]), 7 * tangents[0]

    assert callable(rule)
    assert float(rax.grad(lambda x: applied(rnp.cos, x, name="cosine"))(0.0)) == 7.0

    shifted = rax.custom_vjp(lambda function, x: function(x), nondiff_argnums=(0,))
    shifted.defvjp(lambda function, x: (function(x), x), lambda function, x, ct: (function(ct),))
    assert float(rax.grad(lambda x: shifted(rnp.square, x) * 3)(2.0)) == 9.0


def test_a_file_keeps_the_rule(tmp_path: Path) -> None:
    sine = marked()
    graph = rax.trace(lambda x: rnp.sum(sine(x)), rax.spec(("n",), F64))
    assert "custom_jvp" in str(graph)
    rax.save(graph, tmp_path / "sine.msgpack")
    loaded = rax.load(tmp_path / "sine.msgpack")["main"]
    assert loaded == graph
    np.testing.assert_allclose(loaded(X), np.sum(np.sin(X)))
    np.testing.assert_allclose(rax.grad(loaded)(X), 3 * np.cos(X))
    np.testing.assert_allclose(rax.hessian(loaded)(X), np.diag(-3 * np.sin(X)))


def defined(rule: Any) -> Any:
    function = rax.custom_jvp(lambda x: x * x)
    function.defjvp(rule)
    return function


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: rax.custom_jvp(rnp.sin)(1.0), rax.DerivativeError, "custom_jvp 'sin' has no derivative yet"),
        (lambda: defined(lambda p, t: p[0])(1.0), rax.TreeError, "must return a pair (result, tangent)"),
        (lambda: defined(lambda p, t: (p, t))(1.0), rax.TreeError, "the rule returns the result (*,), the function *"),
        (
            lambda: defined(lambda p, t: (p[0], rnp.stack([t[0], t[0]])))(1.0),
            rax.DerivativeError, "the rule's tangent must hold float32[] where it holds float32[2]",
        ),
        (
            lambda: rax.grad(defined(lambda p, t: (p[0], t[0] ** 2)))(1.0),
            rax.DerivativeError, "the rule of a custom_jvp is not linear in the tangents, so it cannot be transposed",
        ),
        (lambda: defined(lambda p, t: (p[0], t[0]))("a"), rax.DerivativeError, "argument 0 holds a str, which is no a"),
        (
            lambda: rax.custom_jvp(lambda x, *, y: x)(1.0, y=2.0),
            rax.TreeError, "takes y by name only, which no derivative can",
        ),
    ],
)  # fmt: skip
def test_what_a_rule_may_not_do(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        build()
    assert message in str(caught.value)
