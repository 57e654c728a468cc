"""Faults once found, each against plain NumPy or finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp

RNG = np.random.default_rng(11)
X = RNG.normal(size=(4, 3))


def central(f: Callable[[np.ndarray], Any], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The gradient of a scalar function by central differences."""
    grad = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = np.zeros_like(x)
        moved[place] = step
        grad[place] = (float(f(x + moved)) - float(f(x - moved))) / (2 * step)
    return grad


def test_a_transposed_matrix_broadcasts_in_the_order_of_its_elements() -> None:
    got = rax.jit(lambda x: rnp.broadcast_to(x.T, (2, 3, 4)))(X)
    np.testing.assert_array_equal(got, np.stack([X.T, X.T]))


@pytest.mark.parametrize("jacobian", [rax.jacfwd, rax.jacrev])
def test_the_jacobian_of_a_sort_along_a_leading_axis_is_its_permutation(jacobian: Any) -> None:
    want = np.zeros((4, 3, 4, 3))
    order = np.argsort(X, axis=0)
    for row, column in np.ndindex(4, 3):
        want[row, column, order[row, column], column] = 1
    np.testing.assert_array_equal(jacobian(lambda x: rnp.sort(x, axis=0))(X), want)


def doubled(x: Any) -> Any:
    """The first of x, 2 x, 4 x, … that is at least 10."""
    return rax.while_loop(lambda c: c < 10, lambda c: c * 2, x)


@pytest.mark.parametrize(
    "within",
    [
        lambda f: f,
        rax.checkpoint,
        lambda f: lambda x: rax.cond(x > 0, f, lambda x: x, x),
        lambda f: lambda x: rax.scan(lambda c, _: (f(c), None), x, None, length=1)[0],
    ],
)
def test_reverse_mode_passes_a_while_loop_that_only_decides(within: Any) -> None:
    def decided(x: Any) -> Any:
        return x * rnp.where(doubled(x) > 11, 3.0, 5.0)

    assert float(rax.grad(within(decided))(2.0)) == 3  # 16
    assert float(rax.grad(within(decided))(2.6)) == 5  # 10.4
    with pytest.raises(rax.DerivativeError, match="while_loop has no reverse-mode derivative"):
        rax.grad(within(doubled))(2.0)


def test_a_batched_cond_runs_each_branch_on_its_own_rows_only() -> None:
    table = np.array([1.0, 2.0, 3.0])

    def pick(i: Any) -> Any:
        return rax.cond(i < 3, lambda: rnp.asarray(table)[i], lambda: rnp.asarray(-1.0, dtype=rnp.float64))

    np.testing.assert_array_equal(rax.vmap(pick)(np.array([0, 3, 2])), [1, -1, 3])  # 3 is out of range
    np.testing.assert_array_equal(rax.vmap(pick)(np.array([3, 5])), [-1, -1])
    np.testing.assert_array_equal(rax.vmap(rax.vmap(pick))(np.array([[0, 3], [9, 9]])), [[1, -1], [-1, -1]])


def test_the_derivative_of_a_batched_cond_is_that_of_each_row() -> None:
    def root(x: Any) -> Any:
        return rax.cond(x >= 0, rnp.sqrt, lambda x: 0 * x, x)

    rows = np.array([4.0, -1.0, 0.0, -2.0])
    want = [0.25, 0, np.inf, 0]
    np.testing.assert_array_equal(rax.vmap(rax.grad(root))(rows), want)
    np.testing.assert_array_equal(rax.grad(lambda x: rnp.sum(rax.vmap(root)(x)))(rows), want)
    np.testing.assert_array_equal(rax.vmap(lambda x: rax.jvp(root, (x,), (rnp.ones_like(x),))[1])(rows), want)
    np.testing.assert_array_equal(rax.vmap(rax.grad(rax.grad(root)))(rows[:2]), [-1 / 32, 0])


def test_a_batched_cond_takes_an_empty_batch() -> None:
    graph = rax.trace(rax.vmap(lambda x: rax.cond(x > 0, rnp.sqrt, rnp.exp, x)), rax.spec(("n",), "float64"))
    assert graph(np.zeros(0)).shape == (0,)
    np.testing.assert_allclose(graph(np.array([4.0, -1.0])), [2, np.exp(-1)])


def test_rows_of_a_batched_while_loop_that_are_done_read_nothing_more() -> None:
    table = np.array([1.0, 2.0, 4.0])

    def total(start: Any, stop: Any) -> Any:
        def add(state: Any) -> Any:
            return state[0] + rnp.asarray(table)[state[1]], state[1] + 1

        return rax.while_loop(lambda state: state[1] < stop, add, (rnp.asarray(0.0, dtype=rnp.float64), start))[0]

    got = rax.vmap(total)(np.array([2, 0, 7]), np.array([3, 3, 1]))  # the first row is done at 3, out of range
    np.testing.assert_array_equal(got, [4, 7, 0])


def test_the_tangent_of_a_batched_while_loop_is_that_of_each_row() -> None:
    def grown(x: Any) -> Any:
        return rax.while_loop(lambda c: c[0] < 50, lambda c: (c[0] * c[1] + 1, c[1] * 1.5), (x * x, x + 1))[0]

    rows = np.array([0.3, 2.0, 60.0, 1.1])
    want = central(lambda x: rax.jit(lambda x: rnp.sum(rax.vmap(grown)(x)))(x), rows)
    np.testing.assert_allclose(rax.vmap(rax.jacfwd(grown))(rows), want, rtol=1e-6)


def test_python_numbers_that_rows_share_stay_weak_in_vmap() -> None:
    half = np.ones(2, "float16")
    assert rax.vmap(lambda x, scale: x * scale, in_axes=(0, None))(half, 2.0).dtype == np.float16
    assert rax.vmap(lambda x, p: x * p["n"], in_axes=(0, None))(np.ones(2, "int32"), {"n": 2}).dtype == np.int32
    assert rax.vmap(lambda x, n: rnp.reshape(x, (n, 1)), in_axes=(0, None))(X, 3).shape == (4, 3, 1)


@pytest.mark.parametrize("transform", [rax.grad, rax.jacfwd, rax.jacrev])
def test_assigning_into_an_argument_inside_a_transform_leaves_the_handle_outside(transform: Any) -> None:
    y = rnp.asarray([1.0, 2.0])

    def f(x: Any, y: Any, *, z: Any) -> Any:
        y[0] = x
        z[1] = x
        return rnp.sum(y * y * z)

    slope = transform(f)(rnp.asarray(3.0), y, z=y)
    assert float(slope) == 6 + 4
    np.testing.assert_array_equal(y.numpy(), [1, 2])


def test_a_tensor_kept_beyond_its_trace_is_named_where_it_is_used() -> None:
    kept: list[Any] = []

    def square(x: Any) -> Any:
        kept.append(x)
        return x * x

    rax.vmap(square)(np.ones(3))
    for transform in (rax.vmap, lambda f: rax.vmap(rax.grad(f))):
        with pytest.raises(rax.UnboundInputError) as caught:
            transform(lambda y: y * kept[0])(np.ones(3))
        lines = str(caught.value).split("\n")
        assert lines[0] == "vmap was called on arrays, but its result depends on the input 'x': float64[]"
        assert "test_regressions.py" in lines[1]
        assert lines[2].endswith("a tensor cannot leave the trace it was made in")
    with pytest.raises(rax.UnboundInputError, match=r"vjp was called on arrays, .* depends on the input 'x'"):
        rax.vjp(lambda y: y * kept[0], 1.0)


@pytest.mark.parametrize("transform", [rax.checkpoint, lambda f: rax.vmap(f, axis_size=2), rax.grad])
def test_a_transform_of_a_function_that_closes_over_a_tensor_of_the_trace(transform: Any) -> None:
    def f(x: Any) -> Any:
        once = rax.checkpoint(lambda: x * x)()
        return once + rnp.sum(transform(lambda *args: sum(args, x * x) * x)(*[1.0] * (transform is rax.grad)))

    assert float(rax.jit(f)(3.0)) == 9 + {rax.checkpoint: 27, rax.grad: 3}.get(transform, 54)


def test_the_passes_of_a_custom_vjp_may_call_the_function() -> None:
    @rax.custom_vjp
    def exp3(x: Any) -> Any:
        return rnp.exp(3 * x)

    def forward(x: Any) -> tuple[Any, Any]:
        return exp3(x), x

    exp3.defvjp(forward, lambda x, ct: (ct * 3 * exp3(x),))

    def loss(x: Any) -> Any:
        return rnp.sum(exp3(x) ** 2)

    x = np.array([0.1, -0.4])
    np.testing.assert_allclose(rax.grad(loss)(x), 6 * np.exp(6 * x))
    np.testing.assert_allclose(rax.hessian(loss)(x), np.diag(36 * np.exp(6 * x)))
    np.testing.assert_allclose(rax.vmap(rax.grad(loss))(x[:, None])[:, 0], 6 * np.exp(6 * x))


def test_two_custom_vjps_may_be_each_others_derivative() -> None:
    sine: Any = rax.custom_vjp(rnp.sin)
    cosine: Any = rax.custom_vjp(rnp.cos)
    sine.defvjp(lambda x: (rnp.sin(x), x), lambda x, ct: (ct * cosine(x),))
    cosine.defvjp(lambda x: (rnp.cos(x), x), lambda x, ct: (-ct * sine(x),))
    for order, want in enumerate((np.sin(0.7), np.cos(0.7), -np.sin(0.7), -np.cos(0.7))):
        f = sine
        for _ in range(order):
            f = rax.grad(f)
        np.testing.assert_allclose(f(np.float64(0.7)), want)


def test_an_integer_result_of_a_custom_vjp_carries_no_tangent() -> None:
    @rax.custom_vjp
    def counted(x: Any, i: Any) -> Any:
        return 2 * x[i], i + 1

    def backward(i: Any, ct: Any) -> Any:
        return rnp.astype(rnp.arange(3) == i, rnp.float64) * ct[0] * 2, None

    counted.defvjp(lambda x, i: ((2 * x[i], i + 1), i), backward)

    def f(x: Any) -> Any:
        first, i = counted(x, rnp.asarray(0))
        second, j = counted(x, i)
        return first * second + x[j] * rnp.astype(j, rnp.float64)

    x = X[0]
    want = np.array([4 * x[1], 4 * x[0], 2])
    np.testing.assert_allclose(rax.grad(f)(x), want)
    np.testing.assert_allclose(rax.grad(rax.checkpoint(f))(x), want)
    np.testing.assert_allclose(rax.jacfwd(f)(x), want)
    np.testing.assert_allclose(rax.vmap(rax.grad(f))(np.stack([x, x])), [want, want])
