"""Parameters stored in half precision, trained by way of float32 masters."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ops.arrays import Array
from rax.runtime.entry import Entry

RATE = 2.0**-6
STEPS = 20


def step(masters: rax.Tensor, weights: rax.Tensor, x: rax.Tensor, y: rax.Tensor) -> dict[str, rax.Tensor]:
    """A step of gradient descent: computed with the stored weights, kept in their masters."""

    def loss(weights: rax.Tensor) -> rax.Tensor:
        product = nn.widening_matmul(rnp.astype(x, weights.dtype), weights)
        return rnp.mean((product - y) ** 2)

    slope = rnp.astype(rax.grad(loss)(weights), "float32")
    masters = masters - RATE * slope
    return {"masters": masters, "weights": rnp.astype(masters, weights.dtype)}


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_small_steps_add_up_in_the_masters(name: str, tmp_path: Path) -> None:
    kind = np.dtype(getattr(ml_dtypes, name, name))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 3)).astype(np.float32)
    target = np.array([[1.0], [-2.0], [0.5]], np.float32)
    y = x.astype(kind).astype(np.float32) @ target
    start = target + np.array([[0.05], [0.02], [-0.03]], np.float32)

    masters, weights = start, start.astype(kind)
    alone = weights
    for _ in range(STEPS):
        masters, weights = numpy_step(masters, weights, x, y, kind)
        alone = numpy_step(alone.astype(np.float32), alone, x, y, kind)[1]

    graph = rax.trace(step, rax.spec((3, 1)), rax.spec((3, 1), name), rax.spec(("n", 3)), rax.spec(("n", 1)))
    program = rax.Program({"main": graph}, defaults={"masters": start, "weights": start.astype(kind)})
    rax.save(program, tmp_path / "step")
    loaded = rax.load(tmp_path / "step")
    assert loaded.defaults["weights"].array.dtype == kind
    runner = Entry(loaded)
    *_, last = runner.steps({"x": x, "y": y}, STEPS)
    assert last["weights"].dtype == kind
    np.testing.assert_allclose(last["masters"], masters, rtol=1e-5)
    np.testing.assert_array_equal(last["weights"], last["masters"].astype(kind))
    if name == "bfloat16":  # each step is less than half of what it keeps beside 2
        error = np.abs(last["masters"] - target).max()
        assert error < 0.6 * np.abs(alone.astype(np.float32) - target).max()


def numpy_step(masters: Array, weights: Array, x: Array, y: Array, kind: np.dtype) -> tuple[Array, Array]:
    narrow = x.astype(kind).astype(np.float32)
    error = narrow @ weights.astype(np.float32) - y
    slope = (narrow.T @ (2 * error / error.size)).astype(kind).astype(np.float32)
    masters = masters - np.float32(RATE) * slope
    return masters, masters.astype(kind)
