"""``map``, ``associative_scan`` and checkpointed ``scan`` against plain loops, and their memory."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.autodiff.test_transforms import numeric_gradient

F64 = "float64"
RNG = np.random.default_rng(11)
MATRICES = RNG.normal(size=(5, 2, 2))


# map


@pytest.mark.parametrize("batch_size", [None, 1, 3, 100])
@pytest.mark.parametrize("length", [0, 1, 3, 7])
def test_map_is_a_loop_over_slices(length: int, batch_size: int | None) -> None:
    scale = np.array([1.0, 2.0])

    def mapped(xs: Any, scale: Any) -> Any:
        return rax.map(lambda x: {"s": rnp.sin(x["a"] * scale), "n": x["b"] + 1}, xs, batch_size=batch_size)

    xs = {"a": RNG.normal(size=(length, 2)), "b": np.arange(length)}
    for run in (rax.jit(mapped), rax.trace(mapped, {"a": rax.spec(("n", 2), F64), "b": rax.spec("n", "int64")}, scale)):
        got = run(xs, scale)
        np.testing.assert_allclose(got["s"], np.sin(xs["a"] * scale))
        np.testing.assert_array_equal(got["n"], np.arange(length) + 1)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_map_differentiates_by_slices_and_by_what_it_closes_over(batch_size: int | None) -> None:
    xs, w = RNG.normal(size=(5, 3)), RNG.normal(size=3)

    def total(xs: Any, w: Any) -> Any:
        return rnp.sum(rax.map(lambda x: rnp.exp(rnp.vecdot(x, w)), xs, batch_size=batch_size))

    both = rax.grad(total, (0, 1))(xs, w)
    np.testing.assert_allclose(both[0], np.exp(xs @ w)[:, None] * w)
    np.testing.assert_allclose(both[1], np.exp(xs @ w) @ xs)
    np.testing.assert_allclose(rax.hessian(total, 1)(xs, w), (xs.T * np.exp(xs @ w)) @ xs)
    rows = RNG.normal(size=(4, 3))
    np.testing.assert_allclose(
        rax.vmap(rax.grad(total, 1), in_axes=(None, 0))(xs, rows), [np.exp(xs @ row) @ xs for row in rows]
    )


def test_map_over_batches_needs_the_memory_of_one() -> None:
    def peak(batch_size: int) -> int:
        graph = rax.trace(
            lambda xs: rax.map(lambda x: rnp.sum(rnp.sin(x[:, None] * x)), xs, batch_size=batch_size),
            rax.spec((64, 200)),
        )
        return rax.compile(graph).plan.peak_bytes

    assert peak(32) > 7 * peak(4)


# associative_scan


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan_of_matrices_is_the_running_product(size: int, reverse: bool) -> None:
    matrices = RNG.normal(size=(size, 2, 2))

    def running(m: Any) -> Any:
        return rax.associative_scan(rnp.matmul, m, reverse=reverse)

    order = matrices[::-1] if reverse else matrices
    want = np.array([functools.reduce(np.matmul, order[: stop + 1]) for stop in range(size)]).reshape(size, 2, 2)
    want = want[::-1] if reverse else want
    np.testing.assert_allclose(rax.jit(running)(matrices), want, atol=1e-12)
    symbolic = rax.trace(running, rax.spec(("n", 2, 2), F64))
    np.testing.assert_allclose(symbolic(matrices), want, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_associative_scan_along_any_axis_of_a_nest(axis: int) -> None:
    x = RNG.normal(size=(3, 4, 5))

    def running(x: Any) -> Any:
        def linear(left: Any, right: Any) -> Any:  # the recurrence y = a * y + b, as a pair (a, b)
            return {"a": left["a"] * right["a"], "b": right["a"] * left["b"] + right["b"]}

        return rax.associative_scan(linear, {"a": x, "b": rnp.cos(x)}, axis=axis)["b"]

    rows, places = np.moveaxis(x, axis, 0), []
    y = np.zeros(rows.shape[1:])
    for row in rows:
        y = row * y + np.cos(row)
        places.append(y)
    want = np.moveaxis(np.array(places), 0, axis)
    np.testing.assert_allclose(rax.jit(running)(x), want)
    shape: list[Any] = [3, 4, 5]
    shape[axis] = "n"
    np.testing.assert_allclose(rax.trace(running, rax.spec(tuple(shape), F64))(x), want)


def test_associative_scan_takes_a_logarithmic_number_of_calls() -> None:
    calls: list[int] = []

    def add(a: Any, b: Any) -> Any:
        calls.append(1)
        return a + b

    rax.associative_scan(add, rnp.arange(1024))
    assert len(calls) <= 2 * 10


@pytest.mark.parametrize("size", [5, "n"])
def test_associative_scan_differentiates_in_both_modes_and_again(size: Any) -> None:
    def total(m: Any) -> Any:
        return rnp.sum(rnp.sin(rax.associative_scan(rnp.matmul, m)))

    graph = rax.trace(total, rax.spec((size, 2, 2), F64))
    slope = rax.trace(rax.grad(graph), rax.spec((5, 2, 2), F64))(MATRICES)
    want = numeric_gradient(lambda at: float(graph(at)), MATRICES)
    np.testing.assert_allclose(slope, want, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(rax.jacfwd(total)(MATRICES), slope, atol=1e-12)
    curved = rax.hessian(total)(MATRICES).reshape(20, 20)
    np.testing.assert_allclose(curved, curved.T, atol=1e-10)
    many = RNG.normal(size=(3, 5, 2, 2))
    rows = rax.vmap(graph, axis_size=3)(many) if size == 5 else rax.vmap(total)(many)
    np.testing.assert_allclose(rows, [graph(row) for row in many])


# scan that keeps one carry of a segment


def recurrent(h: Any, w: Any, xs: Any, checkpoint: Any, reverse: bool = False) -> Any:
    def step(h: Any, x: Any) -> tuple[Any, Any]:
        h = rnp.tanh(w @ rnp.tanh(w @ h + x))
        return h, {"sum": rnp.sum(h), "n": 1}

    last, ys = rax.scan(step, h, xs, reverse=reverse, checkpoint=checkpoint)
    return rnp.sum(last**2) + rnp.sum(rnp.sin(ys["sum"]) * ys["n"])


H, W = RNG.normal(size=4), RNG.normal(size=(4, 4)) / 2


@pytest.mark.parametrize("checkpoint", ["sqrt", 1, 3, 100])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_checkpointed_scan_has_the_same_bits_and_derivatives(checkpoint: Any, reverse: bool) -> None:
    every = (0, 1, 2)
    for length in (0, 1, 2, 6, 9):
        xs = RNG.normal(size=(length, 4))
        value, slopes = rax.value_and_grad(lambda h, w, xs: recurrent(h, w, xs, checkpoint, reverse), every)(H, W, xs)
        plain, due = rax.value_and_grad(lambda h, w, xs: recurrent(h, w, xs, None, reverse), every)(H, W, xs)
        assert value == plain
        for got, want in zip(slopes, due, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_a_checkpointed_scan_differentiates_again_batches_and_goes_forward() -> None:
    xs = RNG.normal(size=(7, 4))

    def loss(checkpoint: Any) -> Any:
        return lambda h: recurrent(h, W, xs, checkpoint)

    np.testing.assert_allclose(rax.hessian(loss(3))(H), rax.hessian(loss(None))(H), atol=1e-12)
    rows = RNG.normal(size=(3, 4))
    got, want = (rax.vmap(rax.grad(loss(each)))(rows) for each in ("sqrt", None))
    np.testing.assert_allclose(got, want, atol=1e-12)
    np.testing.assert_allclose(
        rax.jacfwd(lambda w: recurrent(H, w, xs, 2))(W), rax.grad(lambda w: recurrent(H, w, xs, None))(W), atol=1e-12
    )


def test_a_checkpointed_scan_of_symbolic_length() -> None:
    graph = rax.trace(rax.grad(lambda h, w, xs: recurrent(h, w, xs, 4), (0, 1)), H, W, rax.spec(("t", 4), F64))
    for length in (0, 3, 4, 11):
        xs = RNG.normal(size=(length, 4))
        for got, want in zip(graph(H, W, xs), rax.grad(recurrent, (0, 1))(H, W, xs, None), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def final(h: Any, w: Any, xs: Any, checkpoint: Any) -> Any:
    """A loss of the last carry alone, so that nothing as long as the loop is a result."""

    def step(h: Any, x: Any) -> tuple[Any, None]:
        return rnp.tanh(w @ rnp.tanh(w @ h + x)), None

    return rnp.sum(rax.scan(step, h, xs, checkpoint=checkpoint)[0])


def peak(length: Any, checkpoint: Any, **sizes: int) -> int:
    graph = rax.trace(rax.grad(lambda h, w, xs: final(h, w, xs, checkpoint), (0, 1)), H, W, rax.spec((length, 4), F64))
    return rax.compile(graph).plan.plan_for(**sizes).peak_bytes


def test_memory_grows_like_the_root_of_the_length() -> None:
    for checkpoint, factor in ((None, 16), ("sqrt", 4)):
        small, large = peak(1024 * 16, checkpoint), peak(1024 * 256, checkpoint)
        assert large / small == pytest.approx(factor, rel=0.1)
    assert peak(16384, None) > 60 * peak(16384, "sqrt")


def test_memory_of_a_symbolic_length_is_one_carry_a_segment() -> None:
    kept = 4 * 8 * (8000 - 4000) / 16
    assert peak("t", 16, t=8000) - peak("t", 16, t=4000) == kept


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: rax.map(lambda x: x, 1.0, batch_size=2), rax.TypeInferenceError, "map: xs is float32[], which has no"),
        (lambda: rax.map(lambda x: x, [H, W[:2]]), rax.TypeInferenceError, "map: xs.1 has size 2 along axis 0, not 4"),
        (lambda: rax.map(lambda x: x, [], batch_size=2), rax.TypeInferenceError, "map needs an array"),
        (lambda: rax.map(lambda x: x, H, batch_size=0), rax.RaxError, "batch_size is 0, which is no number of slices"),
        (
            lambda: rax.associative_scan(lambda a, b: a, [H, W[:3]]),
            rax.TypeInferenceError, "associative_scan: elems.1 has size 3 along axis 0, not 4",
        ),
        (
            lambda: rax.associative_scan(lambda a, b: rnp.sum(a), H),
            rax.TypeInferenceError, "the function takes float64[2] for elems and returns float64[]",
        ),
        (lambda: rax.associative_scan(lambda a, b: (a, b), H), rax.TreeError, "function takes * and returns (*, *)"),
        (lambda: rax.scan(lambda c, x: (c, x), 0.0, H, checkpoint=0), rax.RaxError, "checkpoint is 0, which is no num"),
        (
            lambda: rax.trace(lambda x: rax.scan(lambda c, x: (c, x), 0.0, x, checkpoint="sqrt"), rax.spec("t")),
            rax.RaxError, "the square root of the symbolic length t is no size",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_built_says_why(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        build()
    assert message in str(caught.value)
