"""What the tests of whole models share: a program file is made of a model, and all else is done with the file.

A model is ``init(key)`` and ``loss(params, state, batch)``, which gives the loss and the new state. What it
must give is computed by a NumPy function of the same arguments, which shares no code with rax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
from rax import optim, random
from rax.ir.tree import flatten, unflatten

STEP = 1e-6
Nest = Any
Truth = Callable[[Nest, Nest, Nest], float]


def saved(
    path: Path,
    init: Callable[[rax.Tensor], tuple[Nest, Nest]],
    loss: Callable[[Nest, Nest, Nest], tuple[rax.Tensor, Nest]],
    batch: Nest,
    rate: float,
    **entries: Callable[[Nest, Nest, Nest], Nest],
) -> rax.Program:
    """The model as a file with the entries ``init``, ``loss``, ``slope``, ``train_step``, read back.

    Args:
        path: the folder of the file.
        init: gives parameters and state from a key.
        loss: see above.
        batch: the specs of a batch.
        rate: the learning rate of Adam.
        entries: further functions of (params, state, batch).
    """
    opt = optim.adam(rate)

    def start(seed: rax.Tensor) -> dict[str, Nest]:
        params, state = init(random.key(seed))
        return {"params": params, "state": state, "opt_state": opt.init(params)}

    def slope(params: Nest, state: Nest, batch: Nest) -> Nest:
        return rax.grad(lambda params: loss(params, state, batch)[0])(params)

    def train_step(params: Nest, state: Nest, opt_state: Nest, batch: Nest) -> dict[str, Nest]:
        (value, state), grads = rax.value_and_grad(loss, has_aux=True)(params, state, batch)
        params, opt_state = opt.update(params, grads, opt_state)
        return {"params": params, "state": state, "opt_state": opt_state, "loss": value}

    made = rax.trace(start, rax.spec((), "int64"))
    first = made(0)
    held = first["params"], first["state"]
    graphs = {
        "init": made,
        "loss": rax.trace(lambda *given: loss(*given)[0], *held, batch),
        "slope": rax.trace(slope, *held, batch),
        "train_step": rax.trace(train_step, *held, first["opt_state"], batch),
        **{name: rax.trace(function, *held, batch) for name, function in entries.items()},
    }
    rax.save(rax.Program(graphs), path / "model.msgpack")
    return rax.load(path / "model.msgpack")


def arrays(nest: Nest) -> Nest:
    """A nest with its leaves as NumPy arrays, in dicts, lists and tuples."""
    leaves, tree = flatten(nest)
    return unflatten(tree, [np.asarray(leaf) for leaf in leaves])


def trained(file: rax.Program, batches: Iterable[Nest]) -> tuple[Nest, list[float]]:
    """What the file's ``train_step`` makes of its ``init``, and the loss of each step."""
    step, out, losses = rax.compile(file["train_step"]), file["init"](0), []
    for batch in batches:
        out = step(out["params"], out["state"], out["opt_state"], batch)
        losses.append(float(out["loss"]))
    return out, losses


def check_slopes(file: rax.Program, truth: Truth, batch: Nest, directions: int = 3) -> None:
    """The loss of the file is that of NumPy, and its gradient that of NumPy's differences along directions."""
    start = arrays(file["init"](1))
    params, state = start["params"], start["state"]
    assert float(file["loss"](params, state, batch)) == pytest.approx(truth(params, state, batch), rel=1e-12)
    slopes, tree = flatten(arrays(file["slope"](params, state, batch)))
    leaves = flatten(params)[0]
    rng = np.random.default_rng(0)
    for _ in range(directions):
        moves = [rng.normal(size=leaf.shape) for leaf in leaves]
        ends = [
            truth(unflatten(tree, [leaf + step * move for leaf, move in zip(leaves, moves, strict=True)]), state, batch)
            for step in (STEP, -STEP)
        ]
        found = sum(np.sum(slope * move) for slope, move in zip(slopes, moves, strict=True))
        assert found == pytest.approx((ends[0] - ends[1]) / (2 * STEP), rel=1e-5, abs=1e-7)
