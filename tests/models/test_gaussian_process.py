"""A Gaussian process: its marginal likelihood traced, differentiated, saved, reloaded and trained.

The truth is NumPy's, in another form: the determinant and the inverse of the covariance, no Cholesky factor.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import Tensor, optim
from rax.numpy import linalg
from rax.runtime.entry import Entry

RNG = np.random.default_rng(5)
POINTS = np.sort(RNG.uniform(-3, 3, size=20))
VALUES = np.sin(2 * POINTS) + 0.1 * RNG.normal(size=20)
START = {"log_length": np.array(0.7), "log_noise": np.array(-0.5), "log_scale": np.array(-0.4)}
NAMES = tuple(START)
Params = dict[str, Any]


def kernel(params: Params, left: Tensor, right: Tensor) -> Tensor:
    """The covariance of a process whose samples are smooth, between points of two sets."""
    distances = (rnp.expand_dims(left, axis=-1) - right) / rnp.exp(params["log_length"])
    return rnp.exp(2 * params["log_scale"] - 0.5 * distances**2)


def factor(params: Params, points: Tensor) -> Tensor:
    noise = rnp.exp(2 * params["log_noise"]) * rnp.eye(points.shape[0], dtype="float64")
    return linalg.cholesky(kernel(params, points, points) + noise)


def loss(params: Params, points: Tensor, values: Tensor) -> Tensor:
    """Minus the logarithm of the marginal likelihood (Rasmussen & Williams, 2006, algorithm 2.1)."""
    lower = factor(params, points)
    white = linalg.solve_triangular(lower, values, lower=True)
    return rnp.sum(0.5 * white**2 + rnp.log(linalg.diagonal(lower)) + 0.5 * math.log(2 * math.pi))


def predict(params: Params, points: Tensor, values: Tensor, at: Tensor) -> dict[str, Tensor]:
    """The mean and variance of the process at other points."""
    lower = factor(params, points)
    across = linalg.solve_triangular(lower, kernel(params, points, at), lower=True)
    mean = linalg.solve_triangular(lower, values, lower=True) @ across
    return {"mean": mean, "variance": rnp.exp(2 * params["log_scale"]) - rnp.sum(across**2, axis=0)}


def covariance(params: Params, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    distances = np.subtract.outer(left, right) / np.exp(params["log_length"])
    return np.exp(2 * params["log_scale"]) * np.exp(-(distances**2) / 2)


def loss_by_hand(params: Params, points: np.ndarray, values: np.ndarray) -> float:
    whole = covariance(params, points, points) + np.exp(2 * params["log_noise"]) * np.eye(len(points))
    log_det = np.linalg.slogdet(whole)[1]
    return float(values @ np.linalg.inv(whole) @ values + log_det + len(points) * np.log(2 * np.pi)) / 2


def slopes_by_hand(params: Params, step: float = 1e-5) -> dict[str, float]:
    """Central differences."""

    def shifted(name: str, by: float) -> float:
        return loss_by_hand({**params, name: params[name] + by}, POINTS, VALUES)

    return {name: (shifted(name, step) - shifted(name, -step)) / (2 * step) for name in NAMES}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> rax.Program:
    """The process as a file gives it back: for any number of points."""
    opt = optim.adam(0.1)
    params, points = {name: rax.spec((), "float64") for name in NAMES}, rax.spec(("n",), "float64")

    def train_step(params: Params, opt_state: Any, points: Tensor, values: Tensor) -> dict[str, Any]:
        value, slopes = rax.value_and_grad(loss)(params, points, values)
        params, opt_state = opt.update(params, slopes, opt_state)
        return {"params": params, "opt_state": opt_state, "loss": value}

    start = rax.evaluate(opt.init(START))
    whole = rax.Program(
        loss=rax.trace(loss, params, points, points),
        predict=rax.trace(predict, params, points, points, rax.spec(("m",), "float64")),
        train_step=rax.trace(train_step, START, start, points, points),
        defaults={"params": START, "opt_state": start},
    )
    path = Path(tmp_path_factory.mktemp("gp")) / "process.msgpack"
    rax.save(whole, path)
    return rax.load(path)


def test_the_value_is_numpys(program: rax.Program) -> None:
    for count in (1, 7, 20):
        found = program["loss"](START, POINTS[:count], VALUES[:count])
        assert float(found) == pytest.approx(loss_by_hand(START, POINTS[:count], VALUES[:count]), rel=1e-12)


def test_the_gradient_is_that_of_finite_differences(program: rax.Program) -> None:
    due = slopes_by_hand(START)
    for slopes in (rax.grad(loss)(START, POINTS, VALUES), rax.grad(program["loss"])(START, POINTS, VALUES)):
        for name in NAMES:
            assert float(slopes[name]) == pytest.approx(due[name], rel=1e-7)


def test_second_derivatives_are_those_of_finite_differences() -> None:
    def by_length(log_length: Tensor) -> Tensor:
        return loss({**START, "log_length": log_length}, rnp.asarray(POINTS), rnp.asarray(VALUES))

    found = rax.hessian(by_length)(START["log_length"])
    step = 1e-4
    ahead, behind = ({**START, "log_length": START["log_length"] + by} for by in (step, -step))
    due = (slopes_by_hand(ahead)["log_length"] - slopes_by_hand(behind)["log_length"]) / (2 * step)
    assert float(found) == pytest.approx(due, rel=1e-5)


def test_a_batch_of_processes_equals_a_loop() -> None:
    several = {name: np.stack([START[name], START[name] + 0.3]) for name in NAMES}
    slope = rax.vmap(rax.grad(loss), in_axes=(0, None, None))(several, POINTS, VALUES)
    for row in range(2):
        alone = rax.grad(loss)({name: several[name][row] for name in NAMES}, POINTS, VALUES)
        for name in NAMES:
            assert float(np.asarray(slope[name])[row]) == pytest.approx(float(alone[name]), rel=1e-10)


def test_predictions_are_numpys(program: rax.Program) -> None:
    at = np.linspace(-3, 3, 5)
    found = program["predict"](START, POINTS, VALUES, at)
    whole = covariance(START, POINTS, POINTS) + np.exp(2 * START["log_noise"]) * np.eye(len(POINTS))
    across = covariance(START, at, POINTS) @ np.linalg.inv(whole)
    np.testing.assert_allclose(found["mean"], across @ VALUES, rtol=1e-10)
    due = np.diag(covariance(START, at, at) - across @ covariance(START, POINTS, at))
    np.testing.assert_allclose(found["variance"], due, rtol=1e-8)


def test_the_file_trains(program: rax.Program) -> None:
    entry = Entry(program, "train_step")
    losses = [float(step["loss"]) for step in entry.steps({"points": POINTS, "values": VALUES}, 40)]
    assert losses[0] == pytest.approx(loss_by_hand(START, POINTS, VALUES), rel=1e-12)
    assert all(after < before for before, after in itertools.pairwise(losses[:10]))
    assert losses[-1] < losses[0] - 10
