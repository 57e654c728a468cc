"""A step of a diffusion model: a network that tells the noise in points, given how far they have diffused.

The noise comes from a key that is an argument (Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", 2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
import rax.numpy as rnp
from rax import nn, random
from tests.models.training import arrays, check_slopes, saved, trained

TIMES, EMBEDDED, WIDTH = 20, 8, 32
KEPT = np.cumprod(1 - np.linspace(1e-2, 0.3, TIMES))
"""How much of a point's square is left after each time."""
SIZES = {"enter": (2 + EMBEDDED, WIDTH), "middle": (WIDTH, WIDTH), "leave": (WIDTH, 2)}


def init(key: rax.Tensor) -> tuple[Any, Any]:
    params: dict[str, Any] = {}
    for part, (name, shape) in zip(random.split(key, len(SIZES)), SIZES.items(), strict=True):
        params[name] = {"weight": nn.he_normal(part, shape, "float64"), "bias": rnp.zeros(shape[1:], dtype="float64")}
    return params, {}


def noise_of(params: Any, points: Any, times: Any) -> Any:
    """The noise the network sees in diffused points."""
    embedded = nn.sinusoidal_positions(rnp.astype(times, points.dtype), EMBEDDED, base=100.0, interleaved=False)
    x = rnp.concat([points, embedded], axis=-1)
    for name in ("enter", "middle"):
        x = nn.silu(nn.dense(x, **params[name]))
    return nn.dense(x, **params["leave"])


def drawn(key: Any, count: Any) -> tuple[rax.Tensor, rax.Tensor]:
    """A time for each point, and its noise."""
    first, second = random.split(key)
    return random.randint(first, (count,), 0, TIMES), random.normal(second, (count, 2), "float64")


def loss(params: Any, state: Any, batch: Any) -> tuple[Any, Any]:
    times, noise = drawn(batch["key"], batch["points"].shape[0])
    share = rnp.expand_dims(rnp.take(rnp.asarray(KEPT), times, axis=0), axis=1)
    diffused = rnp.sqrt(share) * batch["points"] + rnp.sqrt(1 - share) * noise
    return nn.mse(noise_of(params, diffused, times), noise), state


def truth(params: Any, state: Any, batch: Any) -> float:
    """The same in NumPy, one point at a time, with the numbers that the key gives."""
    del state
    total = 0.0
    times, noise = (np.asarray(part) for part in drawn(batch["key"], len(batch["points"])))
    for point, time, pushed in zip(batch["points"], times, noise, strict=True):
        diffused = np.sqrt(KEPT[time]) * point + np.sqrt(1 - KEPT[time]) * pushed
        angles = [time / 100 ** (2 * pair / EMBEDDED) for pair in range(EMBEDDED // 2)]
        x = np.concatenate([diffused, np.sin(angles), np.cos(angles)])
        for name in ("enter", "middle"):
            x = x @ params[name]["weight"] + params[name]["bias"]
            x = x * special.expit(x)
        total += np.sum((x @ params["leave"]["weight"] + params["leave"]["bias"] - pushed) ** 2)
    return total / batch["points"].size


def batch(number: int, count: int) -> dict[str, np.ndarray]:
    """Points on a circle, and a key."""
    angles = np.random.default_rng(number).uniform(0, 2 * np.pi, size=count)
    return {
        "points": 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1),
        "key": random.fold_in(random.key(5), number).numpy(),
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> rax.Program:
    specs = {"points": rax.spec(("batch", 2), "float64"), "key": rax.spec((2,), "uint32")}
    return saved(
        tmp_path_factory.mktemp("diffusion"), init, loss, specs, 5e-3,
        drawn=lambda params, state, batch: drawn(batch["key"], batch["points"].shape[0]),
    )  # fmt: skip


def test_the_file_gives_numpys_loss_and_gradient(file: rax.Program) -> None:
    check_slopes(file, truth, batch(0, 6))


def test_the_same_key_gives_the_same_noise_and_another_key_another(file: rax.Program) -> None:
    first, second = batch(0, 6), batch(1, 6)
    params = file["init"](0)["params"]
    kept = [np.asarray(part) for part in file["drawn"](params, {}, first)]
    for part, due in zip(kept, drawn(first["key"], 6), strict=True):
        np.testing.assert_allclose(part, due)
    assert not np.allclose(kept[1], file["drawn"](params, {}, second)[1])


def test_training_the_file_lowers_the_loss(file: rax.Program) -> None:
    out, losses = trained(file, [batch(number, 128) for number in range(80)])
    assert np.mean(losses[-10:]) < 0.6 * losses[0]
    assert truth(arrays(out["params"]), {}, batch(999, 200)) < 0.6 * losses[0]
