"""Recurrent networks beside loops over time in NumPy, one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import rax
import rax.numpy as rnp
from rax import nn, random
from rax.ir.tree import flatten, unflatten

RNG = np.random.default_rng(9)
BATCH, TIME, FEATURES, HIDDEN = 3, 4, 2, 3
X, LENGTHS = RNG.normal(size=(BATCH, TIME, FEATURES)), np.array([4, 2, 0])


def plain_step(p: Any, state: list[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    return [np.tanh(x @ p["input"] + state[0] @ p["hidden"] + p["bias"])]


def lstm_step(p: Any, state: list[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    i, f, g, o = np.split(x @ p["input"] + state[0] @ p["hidden"] + p["bias"], 4)
    c = expit(f) * state[1] + expit(i) * np.tanh(g)
    return [expit(o) * np.tanh(c), c]


def gru_step(p: Any, state: list[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    inputs, hidden = np.split(x @ p["input"] + p["bias"], 3), np.split(state[0] @ p["hidden"], 3)
    r, z = expit(inputs[0] + hidden[0]), expit(inputs[1] + hidden[1])
    n = np.tanh(inputs[2] + r * (hidden[2] + p["hidden_bias"]))
    return [(1 - z) * n + z * state[0]]


NETWORKS: dict[str, tuple[Any, Any, Any, Any, int]] = {
    "rnn": (nn.rnn, nn.rnn_init, nn.rnn_cell, plain_step, 1),
    "lstm": (nn.lstm, nn.lstm_init, nn.lstm_cell, lstm_step, 2),
    "gru": (nn.gru, nn.gru_init, nn.gru_cell, gru_step, 1),
}


def looped(
    name: str, layers: Any, x: np.ndarray, lengths: np.ndarray, initial: Any = None
) -> tuple[np.ndarray, list[dict[str, list[np.ndarray]]]]:
    """Outputs, and the last states, ``[layer][direction][part]``."""
    *_, step, parts = NETWORKS[name]
    finals: list[dict[str, list[np.ndarray]]] = []
    for number, layer in enumerate(layers):
        outputs: list[np.ndarray] = []
        states: dict[str, list[np.ndarray]] = {}
        for direction in ("forward", "backward")[: len(layer)]:
            cell = layer[direction]
            ys = np.zeros((*x.shape[:2], HIDDEN))
            last = np.zeros((parts, len(x), HIDDEN))
            for row, length in enumerate(lengths):
                state = [np.zeros(HIDDEN)] * parts
                if initial is not None:
                    given = initial[number][direction]
                    state = [part[row] for part in (given if parts > 1 else [given])]
                times = range(length) if direction == "forward" else reversed(range(length))
                for time in times:
                    state = step(cell, state, x[row, time])
                    ys[row, time] = state[0]
                last[:, row] = state
            outputs.append(ys)
            states[direction] = list(last)
        finals.append(states)
        x = np.concatenate(outputs, axis=-1)
    return x, finals


def parameters(name: str, **options: Any) -> Any:
    made = NETWORKS[name][1](random.key(2), FEATURES, HIDDEN, dtype="float64", **options)
    leaves, tree = flatten(made)
    return unflatten(tree, [leaf.numpy() + RNG.normal(size=leaf.shape) / 2 for leaf in leaves])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"layers": 2}, {"bidirectional": True}, {"layers": 2, "bidirectional": True}])
def test_layers_directions_and_lengths(name: str, options: dict[str, Any]) -> None:
    params = parameters(name, **options)
    for lengths in (None, LENGTHS):
        outputs, states = NETWORKS[name][0](params, X, lengths=lengths)
        due, finals = looped(name, params, X, np.full(BATCH, TIME) if lengths is None else lengths)
        np.testing.assert_allclose(outputs, due, atol=1e-12)
        for found, wanted in zip(flatten(states)[0], flatten(finals)[0], strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_cells_initial_states_and_time_major(name: str) -> None:
    network, _, cell, step, parts = NETWORKS[name]
    params = parameters(name, bidirectional=True)
    state = RNG.normal(size=(parts, BATCH, HIDDEN))
    carry = tuple(state) if parts > 1 else state[0]
    new, output = cell(params[0]["forward"], carry, X[:, 0])
    due = [step(params[0]["forward"], list(state[:, row]), X[row, 0]) for row in range(BATCH)]
    np.testing.assert_allclose(
        np.array([np.asarray(part) for part in flatten(new)[0]]), np.moveaxis(np.array(due), 1, 0)
    )
    np.testing.assert_allclose(output, [row[0] for row in due])
    initial = [{"forward": carry, "backward": carry}]
    outputs, _ = network(params, X, initial, lengths=LENGTHS)
    np.testing.assert_allclose(outputs, looped(name, params, X, LENGTHS, initial)[0], atol=1e-12)
    turned, _ = network(params, X.swapaxes(0, 1), initial, lengths=LENGTHS, time_major=True)
    np.testing.assert_allclose(turned.numpy().swapaxes(0, 1), outputs)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients(name: str) -> None:
    params = parameters(name, layers=2, bidirectional=True)
    leaves, tree = flatten(params)
    weights = RNG.normal(size=(BATCH, TIME, 2 * HIDDEN))
    slopes = rax.grad(lambda p: rnp.sum(NETWORKS[name][0](p, X, lengths=LENGTHS)[0] * weights))(params)
    moves = [RNG.normal(size=leaf.shape) for leaf in leaves]
    ends = []
    for step in (1e-6, -1e-6):
        moved = unflatten(tree, [leaf + step * move for leaf, move in zip(leaves, moves, strict=True)])
        ends.append(np.sum(looped(name, moved, X, LENGTHS)[0] * weights))
    found = sum(np.sum(slope * move) for slope, move in zip(flatten(slopes)[0], moves, strict=True))
    assert found == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_may_be_symbolic_and_vmap_is_a_loop(name: str) -> None:
    network = NETWORKS[name][0]
    params = parameters(name)
    graph = rax.trace(
        lambda x, lengths: network(params, x, lengths=lengths)[0],
        rax.spec(("batch", "time", FEATURES), "float64"),
        rax.spec(("batch",), "int64"),
    )
    np.testing.assert_allclose(graph(X, LENGTHS), network(params, X, lengths=LENGTHS)[0])
    assert graph(X[:, :0], LENGTHS).shape == (BATCH, 0, HIDDEN)
    many = np.stack([X, X[::-1]])
    both = rax.vmap(lambda x: network(params, x)[0])(many)
    np.testing.assert_allclose(both, [network(params, x)[0].numpy() for x in many])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.lstm(parameters("lstm"), X[0]), r"lstm needs \(N, time, features\), not float64\[4, 2\]"),
        (lambda: nn.gru(parameters("gru"), X[0], time_major=True), r"gru needs \(time, N, features\), not float64"),
        (lambda: nn.rnn(parameters("rnn"), X, lengths=LENGTHS[:2]), r"rnn: lengths are 3 integers, not int64\[2\]"),
        (
            lambda: nn.gru(parameters("lstm"), X),
            "gru: a cell lacks hidden_bias\n  fix: .* gru_init",
        ),
        (
            lambda: nn.rnn(parameters("gru"), X),
            r"rnn: hidden has shape \[\d, \d+\], not \[\d, \d\]\n",
        ),
        (lambda: nn.lstm(parameters("lstm"), X[..., :1]), "lstm: a layer for 2 features is given 1"),
        (lambda: nn.rnn_init(random.key(0), 2, 0), "at least one layer and hidden feature, not 1 of 0"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()
