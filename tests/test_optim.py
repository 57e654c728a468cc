"""Optimisers beside their published updates, written anew in NumPy; clipping and schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import optim
from rax.ir.tree import flatten, unflatten

RNG = np.random.default_rng(13)
START = RNG.normal(size=(3, 2))
SLOPES = [RNG.normal(size=(3, 2)) for _ in range(6)]
Update = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


# The updates as PyTorch's documentation of each optimiser gives them; t counts from 1.


def torch_sgd(lr: float, mu: float = 0.0, nesterov: bool = False, decay: float = 0.0) -> Update:
    buffer = np.zeros_like(START)

    def update(p: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        nonlocal buffer
        g = g + decay * p
        if mu:
            buffer = mu * buffer + g if t > 1 else g
            g = g + mu * buffer if nesterov else buffer
        return p - lr * g

    return update


def torch_adam(lr: float, b1: float, b2: float, eps: float, decay: float = 0.0) -> Update:
    m, v = np.zeros_like(START), np.zeros_like(START)

    def update(p: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        nonlocal m, v
        p = p - lr * decay * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        return p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)

    return update


def torch_rmsprop(lr: float, alpha: float, eps: float, mu: float = 0.0) -> Update:
    v, buffer = np.zeros_like(START), np.zeros_like(START)

    def update(p: np.ndarray, g: np.ndarray, _: int) -> np.ndarray:
        nonlocal v, buffer
        v = alpha * v + (1 - alpha) * g**2
        buffer = mu * buffer + g / (np.sqrt(v) + eps)
        return p - lr * buffer

    return update


def torch_adagrad(lr: float, eps: float, initial: float = 0.0) -> Update:
    total = np.full_like(START, initial)

    def update(p: np.ndarray, g: np.ndarray, _: int) -> np.ndarray:
        nonlocal total
        total = total + g**2
        return p - lr * g / (np.sqrt(total) + eps)

    return update


OPTIMIZERS: dict[str, tuple[optim.Optimizer, Callable[[], Update]]] = {
    "sgd": (optim.sgd(0.1), lambda: torch_sgd(0.1)),
    "sgd, decay": (optim.sgd(0.1, weight_decay=0.3), lambda: torch_sgd(0.1, decay=0.3)),
    "sgd, momentum": (optim.sgd(0.1, 0.9), lambda: torch_sgd(0.1, 0.9)),
    "sgd, Nesterov": (
        optim.sgd(0.1, 0.9, nesterov=True, weight_decay=0.01),
        lambda: torch_sgd(0.1, 0.9, True, 0.01),
    ),
    "adam": (optim.adam(), lambda: torch_adam(1e-3, 0.9, 0.999, 1e-8)),
    "adam, no mean": (optim.adam(0.1, b1=0.0, b2=0.5, epsilon=0.1), lambda: torch_adam(0.1, 0.0, 0.5, 0.1)),
    "adamw": (optim.adamw(0.1), lambda: torch_adam(0.1, 0.9, 0.999, 1e-8, 1e-2)),
    "rmsprop": (optim.rmsprop(), lambda: torch_rmsprop(1e-2, 0.99, 1e-8)),
    "rmsprop, momentum": (optim.rmsprop(0.1, 0.9, 1e-3, 0.5), lambda: torch_rmsprop(0.1, 0.9, 1e-3, 0.5)),
    "adagrad": (optim.adagrad(), lambda: torch_adagrad(1e-2, 1e-10)),
    "adagrad, initial": (optim.adagrad(0.5, 1e-3, initial=0.1), lambda: torch_adagrad(0.5, 1e-3, 0.1)),
}


def steps(opt: optim.Optimizer, dtype: str) -> Iterator[tuple[np.ndarray, Any]]:
    """The parameter and the state after each update, from one traced graph."""
    start = {"p": START.astype(dtype)}
    init = rax.trace(opt.init, start)
    state = init(start)
    graph = rax.trace(opt.update, start, start, state)
    params: Any = start
    for slope in SLOPES:
        params, state = graph(params, {"p": slope.astype(dtype)}, state)
        yield params["p"], state


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-12), ("float32", 1e-5)])
def test_updates_are_those_published(name: str, dtype: str, rtol: float) -> None:
    opt, truth = OPTIMIZERS[name]
    update, due = truth(), START
    for count, (found, state) in enumerate(steps(opt, dtype), 1):
        due = update(due, SLOPES[count - 1], count)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, due, rtol=rtol, atol=rtol)
        assert state["step"] == count


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_keeps_its_names_and_types(name: str) -> None:
    opt, _ = OPTIMIZERS[name]

    def train_step(params: Any, opt_state: Any) -> dict[str, Any]:
        new, state = opt.update(params, params, opt_state)
        return {"params": new, "opt_state": state}

    params = {"w": rax.spec((2,)), "b": [rax.spec(()), rax.spec(("n",))]}
    init = rax.trace(opt.init, params)
    graph = rax.trace(train_step, params, unflatten(init.out_tree, init.out_types))
    assert set(graph.states) == set(graph.input_names)


@dataclass(frozen=True)
class Layer:
    w: Any
    b: Any


class Pair(NamedTuple):
    first: Any
    second: Any


@pytest.mark.parametrize(
    "nest",
    [
        {"a": np.ones(2), "b": {"c": np.ones((1, 2))}},
        [(np.ones(2), np.ones(1)), (np.ones(3), None)],
        Layer(np.ones(2), Pair(np.ones(1), [np.ones(3)])),
        np.ones(2),
        {},
    ],
)
def test_any_nest_is_updated_leaf_by_leaf(nest: Any) -> None:
    opt = optim.adam(0.5)
    new, state = opt.update(nest, nest, opt.init(nest))
    for found in (new, state["mean"], state["square"]):
        assert flatten(found)[1] == flatten(nest)[1]
    for leaf in flatten(rax.evaluate(new))[0]:
        np.testing.assert_allclose(leaf, 0.5)


def test_symbolic_parameters_build_graph() -> None:
    w = rax.param("w", (2,))
    loss = rnp.sum(rnp.square(w))
    opt = optim.sgd(0.25)
    new, state = opt.update({"w": w}, loss.backward({"w": w}), opt.init({"w": w}))
    found = rax.evaluate((new, state), {"w": [1.0, 2.0]})
    assert found[0]["w"].tolist() == [0.5, 1.0]
    assert found[1]["step"] == 1


def test_optimisers_reach_the_minimum() -> None:
    """A quadratic with its minimum at 3; a wrong sign or bias would miss it."""
    for opt in (optim.sgd(0.1, 0.5, nesterov=True), optim.adam(0.3), optim.rmsprop(0.05), optim.adagrad(1.0)):
        graph = rax.trace(lambda p, s, opt=opt: opt.update(p, 2 * (p - 3), s), START[0], opt.init(START[0]))
        params, state = START[0], rax.evaluate(opt.init(START[0]))
        for _ in range(200):
            params, state = graph(params, state)
        np.testing.assert_allclose(params, 3, atol=0.05)


def test_adam_corrects_the_first_steps_exactly_in_float32() -> None:
    """With ``1 - b2**t`` computed from a rounded b2, the first step would be 3e-5 off."""
    opt = optim.adam(1.0, epsilon=0.0)
    new, _ = opt.update(np.zeros(1, "float32"), np.full(1, 0.1, "float32"), opt.init(np.zeros(1, "float32")))
    assert abs(float(new[0]) + 1) < 5e-7


def test_half_parameters_stay_half() -> None:
    for dtype in ("float16", "bfloat16"):
        start = rnp.ones((2,), dtype=dtype)
        opt = optim.adam(optim.constant(0.5), epsilon=1e-4)
        new, state = opt.update(start, start, opt.init(start))
        assert {new.dtype.name, state["mean"].dtype.name} == {dtype}
        np.testing.assert_allclose(new.numpy().astype("float32"), 0.5, atol=0.01)


def test_gradients_are_clipped_together() -> None:
    grads = {"a": np.array([3.0, 0.0]), "b": [np.array(4.0, "float32")]}
    assert float(optim.global_norm(grads)) == 5.0
    clipped = rax.evaluate(optim.clip_by_global_norm(1.0)(grads))
    np.testing.assert_allclose(clipped["a"], [0.6, 0.0])
    assert (clipped["a"].dtype, clipped["b"][0].dtype) == ("float64", "float32")
    kept = rax.evaluate(optim.clip_by_global_norm(5.0)(grads))
    np.testing.assert_array_equal(kept["a"], grads["a"])
    zero = rax.evaluate(optim.clip_by_global_norm(1.0)([np.zeros(2)]))
    assert zero[0].tolist() == [0.0, 0.0]


def test_the_norm_of_halves_does_not_overflow() -> None:
    assert float(optim.global_norm([np.full(4, 1000, "float16")])) == 2000.0
    assert float(optim.global_norm([])) == 0.0


def test_transforms_compose_before_the_optimiser() -> None:
    opt = optim.chain(optim.clip_by_value(1.0), optim.clip_by_global_norm(1.0), optim.sgd(1.0))
    new, state = opt.update([np.zeros(4)], [np.array([5.0, -5.0, 5.0, -5.0])], opt.init([np.zeros(4)]))
    assert new[0].tolist() == [-0.5, 0.5, -0.5, 0.5]
    assert int(state["step"]) == 1


def cosine(step: int) -> float:
    if step < 4:
        return 0.1 + 0.9 * step / 4
    return 0.2 + 0.8 * (1 + math.cos(math.pi * min((step - 4) / 8, 1))) / 2


SCHEDULES: dict[str, tuple[Any, Callable[[int], float]]] = {
    "constant": (optim.constant(0.3), lambda t: 0.3),
    "exponential": (optim.exponential_decay(2.0, 5, 0.7), lambda t: 2 * 0.7 ** (t / 5)),
    "staircase": (optim.exponential_decay(2.0, 5, 0.7, staircase=True), lambda t: 2 * 0.7 ** (t // 5)),
    "cosine": (
        optim.cosine_decay(2.0, 8, end=0.5),
        lambda t: 0.5 + 1.5 * (1 + math.cos(math.pi * min(t, 8) / 8)) / 2,
    ),
    "warmup": (optim.warmup_cosine(1.0, 4, 12, start=0.1, end=0.2), cosine),
    "piecewise": (optim.piecewise_constant([2, 7], [1.0, 0.5, 0.1]), lambda t: 1.0 if t < 2 else 0.5 if t < 7 else 0.1),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str) -> None:
    schedule, truth = SCHEDULES[name]
    graph = rax.trace(schedule, rax.spec((), "int64"))
    assert graph.out_types == (rax.spec((), "float32"),)
    for step in range(15):
        np.testing.assert_allclose(graph(np.int64(step)), truth(step), rtol=1e-6)


def test_a_schedule_sees_the_updates_made_so_far() -> None:
    opt = optim.sgd(optim.piecewise_constant([1, 3], [1.0, 0.1, 0.01]))
    params, state = np.zeros(()), opt.init(np.zeros(()))
    seen: list[float] = []
    for _ in range(4):
        new, state = opt.update(params, np.ones(()), state)
        seen.append(round(-float(new), 6))
    assert seen == [1.0, 0.1, 0.1, 0.01]


def test_nodes_stand_in_scopes() -> None:
    opt = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(optim.cosine_decay(0.1, 10)))
    graph = rax.trace(opt.update, START, START, opt.init(START))
    scopes = {origin.scope for origin in graph.origins.values() if origin.scope}
    assert scopes == {("clip_by_global_norm",), ("adam",), ("adam", "warmup_cosine")}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.sgd(0.1, nesterov=True), "Nesterov's momentum needs a momentum"),
        (lambda: optim.chain(optim.sgd(0.1), optim.sgd(0.1)), "chain takes gradient transforms and, at the end,"),
        (optim.chain, "chain takes gradient transforms and, at the end,"),
        (lambda: optim.chain(optim.clip_by_value(1.0)), "chain takes gradient transforms and, at the end,"),
        (lambda: optim.sgd(0.1).init({"w": np.arange(3)}), r"params.w is int64\[3\], and an optimiser updates"),
        (
            lambda: optim.sgd(0.1).update({"w": np.ones(3)}, {"w": np.ones(1)}, {"step": 0}),
            r"grads.w is float64\[1\], its parameter float64\[3\]",
        ),
        (lambda: optim.sgd(0.1).update({"w": np.ones(3)}, {}, {"step": 0}), "grads lacks 'w'"),
        (lambda: optim.warmup_cosine(0.1, 5, 5), r"decay_steps \(5\) must be more than warmup_steps \(5\)"),
        (lambda: optim.piecewise_constant([1], [0.1]), "1 boundaries need 2 values, not 1"),
        (lambda: optim.piecewise_constant([3, 3], [3.0, 2.0, 1.0]), r"the boundaries \[3, 3\] do not increase"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()
