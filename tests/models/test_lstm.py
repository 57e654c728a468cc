"""An LSTM that names a sequence: embedding, two layers, the last state of each sequence's own length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
from rax import nn, random
from tests.models.training import arrays, check_slopes, saved, trained

WORDS, WIDTH, HIDDEN, CLASSES, LAYERS = 4, 3, 6, 2, 2


def init(key: rax.Tensor) -> tuple[Any, Any]:
    table, layers, out = random.split(key, 3)
    return {
        "table": random.normal(table, (WORDS, WIDTH), "float64"),
        "lstm": nn.lstm_init(layers, WIDTH, HIDDEN, layers=LAYERS, dtype="float64"),
        "out": nn.glorot_normal(out, (HIDDEN, CLASSES), "float64"),
    }, {}


def logits(params: Any, state: Any, batch: Any) -> Any:
    del state
    _, states = nn.lstm(params["lstm"], nn.embedding(params["table"], batch["words"]), lengths=batch["lengths"])
    return nn.dense(states[-1]["forward"][0], params["out"])


def loss(params: Any, state: Any, batch: Any) -> tuple[Any, Any]:
    return nn.cross_entropy(logits(params, state, batch), batch["labels"]), state


def scores(params: Any, words: np.ndarray) -> np.ndarray:
    """The forward pass of one sequence in NumPy."""
    xs = params["table"][words]
    for layer in params["lstm"]:
        p = layer["forward"]
        h = c = np.zeros(HIDDEN)
        ys: list[np.ndarray] = []
        for x in xs:
            gates = x @ p["input"] + h @ p["hidden"] + p["bias"]
            enter, forget, cell, leave = gates.reshape(4, HIDDEN)
            c = special.expit(forget) * c + special.expit(enter) * np.tanh(cell)
            h = special.expit(leave) * np.tanh(c)
            ys.append(h)
        xs = np.array(ys)
    return xs[-1] @ params["out"]


def truth(params: Any, state: Any, batch: Any) -> float:
    del state
    terms = [
        -special.log_softmax(scores(params, words[:length]))[label]
        for words, length, label in zip(batch["words"], batch["lengths"], batch["labels"], strict=True)
    ]
    return float(np.mean(terms))


def sequences(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The label says whether the first word is 0; what stands beyond the length is noise."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, WORDS, size=(count, 5))
    words[::2, 0] = 0
    return {"words": words, "lengths": rng.integers(1, 6, size=count), "labels": (words[:, 0] == 0).astype("int64")}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> rax.Program:
    batch = {
        "words": rax.spec(("batch", "time"), "int64"),
        "lengths": rax.spec(("batch",), "int64"),
        "labels": rax.spec(("batch",), "int64"),
    }
    return saved(tmp_path_factory.mktemp("lstm"), init, loss, batch, 0.03)


def test_the_file_gives_numpys_loss_and_gradient(file: rax.Program) -> None:
    check_slopes(file, truth, sequences(5))


def test_training_the_file_lowers_the_loss(file: rax.Program) -> None:
    out, losses = trained(file, [sequences(16, seed) for seed in range(40)])
    assert losses[-1] < losses[0] / 4
    assert truth(arrays(out["params"]), {}, sequences(40, 99)) < losses[0] / 3
