"""The public contract: the four lines of a model, any nest of parameters, one file for every batch size,
and a process that has the file alone.

The model, its loss and its update are written here as the documentation prints them; what they must
give is computed by hand in NumPy, in float64.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

import rax
from examples.digits.model import NETWORKS, program
from rax import nn, optim
from rax.ir.program import literals
from rax.runtime.entry import array_of

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "examples" / "digits" / "digits.msgpack"
RNG = np.random.default_rng(17)
RATE = 0.1
SHAPES = {"w1": (64, 32), "b1": (32,), "w2": (32, 10)}
WEIGHTS = {name: (RNG.normal(size=shape) / 8).astype("float32") for name, shape in SHAPES.items()}


def data(batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(batch)
    return rng.normal(size=(batch, 64)).astype("float32"), rng.integers(0, 10, size=batch)


def by_hand(x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    """The loss and its gradients, by the chain rule, in float64."""
    w1, b1, w2 = (WEIGHTS[name].astype(np.float64) for name in SHAPES)
    before = x.astype(np.float64) @ w1 + b1
    hidden = np.maximum(before, 0)
    logits = hidden @ w2
    weights = np.exp(logits - logits.max(1, keepdims=True))
    shares = weights / weights.sum(1, keepdims=True)
    count = max(len(y), 1)
    loss = -np.log(shares[np.arange(len(y)), y]).sum() / count
    into_logits = (shares - np.eye(10)[y]) / count
    into_before = (into_logits @ w2.T) * (before > 0)
    return loss, {"w1": x.T @ into_before, "b1": into_before.sum(0), "w2": hidden.T @ into_logits}


@dataclass(frozen=True)
class Hidden:
    weight: Any
    bias: Any


@dataclass(frozen=True)
class Model:
    hidden: Hidden
    output: Any


def dict_model(params: Any, x: Any, y: Any) -> Any:
    logits = nn.relu(x @ params["w1"] + params["b1"]) @ params["w2"]
    return nn.cross_entropy(logits, y)


def list_model(params: Any, x: Any, y: Any) -> Any:
    (w1, b1), (w2,) = params
    return nn.cross_entropy(nn.relu(x @ w1 + b1) @ w2, y)


def dataclass_model(params: Model, x: Any, y: Any) -> Any:
    hidden = nn.relu(x @ params.hidden.weight + params.hidden.bias)
    return nn.cross_entropy(hidden @ params.output, y)


NESTS: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[[Any], tuple[Any, Any, Any]]]] = {
    "dict": (
        dict_model,
        lambda w1, b1, w2: {"w1": w1, "b1": b1, "w2": w2},
        lambda nest: (nest["w1"], nest["b1"], nest["w2"]),
    ),
    "list of tuples": (
        list_model,
        lambda w1, b1, w2: [(w1, b1), (w2,)],
        lambda nest: (nest[0][0], nest[0][1], nest[1][0]),
    ),
    "nested dataclass": (
        dataclass_model,
        lambda w1, b1, w2: Model(Hidden(w1, b1), w2),
        lambda nest: (nest.hidden.weight, nest.hidden.bias, nest.output),
    ),
}


@pytest.mark.parametrize("name", NESTS)
@pytest.mark.parametrize("batch", [1, 7, 0])
def test_the_four_lines(name: str, batch: int) -> None:
    model, nest, parts = NESTS[name]
    params = nest(*(rax.param(key, shape) for key, shape in SHAPES.items()))
    x, y = rax.input("x", ("batch", 64)), rax.input("y", ("batch",), "int64")

    loss = model(params, x, y)
    grads = loss.backward(params)
    opt = optim.sgd(lr=RATE)
    new, state = opt.update(params, grads, opt.init(params))

    xs, ys = data(batch)
    found = rax.evaluate((loss, grads, new, state), {**WEIGHTS, "x": xs, "y": ys})
    due, slopes = by_hand(xs, ys)
    assert float(found[0]) == pytest.approx(due, rel=1e-5)
    assert [type(part) for part in found[1:3]] == [type(params)] * 2
    assert found[3]["step"] == 1
    for key, slope, updated in zip(SHAPES, parts(found[1]), parts(found[2]), strict=True):
        np.testing.assert_allclose(slope, slopes[key], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(updated, WEIGHTS[key] - RATE * slopes[key], rtol=1e-5, atol=1e-6)


def test_the_functional_way() -> None:
    xs, ys = data(7)
    due, slopes = by_hand(xs, ys)
    specs = {key: rax.spec(shape) for key, shape in SHAPES.items()}
    graph = rax.trace(
        rax.value_and_grad(dict_model), specs, rax.spec(("batch", 64), "float32"), rax.spec(("batch",), "int64")
    )
    value, grads = graph(WEIGHTS, xs, ys)
    assert float(value) == pytest.approx(due, rel=1e-5)
    loss = rax.trace(dict_model, specs, rax.spec(("batch", 64)), rax.spec(("batch",), "int64"))
    for found in (grads, rax.grad(loss)(WEIGHTS, xs, ys), rax.grad(dict_model)(WEIGHTS, xs, ys)):
        assert list(found) == sorted(SHAPES)
        for key, slope in found.items():
            np.testing.assert_allclose(slope, slopes[key], rtol=1e-4, atol=1e-6)
    assert isinstance(rax.grad(loss), rax.Graph)
    exe = rax.compile(graph, backend="numpy")
    assert np.array_equal(exe(WEIGHTS, xs, ys)[0], value)
    assert exe.plan.plan_for(batch=7).peak_bytes > 0


def test_one_file_runs_any_batch_forward_and_gradient(tmp_path: Path) -> None:
    specs = {key: rax.spec(shape) for key, shape in SHAPES.items()}
    batch = (rax.spec(("batch", 64)), rax.spec(("batch",), "int64"))
    saved = rax.Program(
        loss=rax.trace(dict_model, specs, *batch), gradient=rax.trace(rax.grad(dict_model), specs, *batch)
    )
    path = tmp_path / "m.msgpack"
    rax.save(saved, path)
    loaded = rax.load(path)
    for count in (1, 7, 0):
        xs, ys = data(count)
        due, slopes = by_hand(xs, ys)
        assert float(loaded["loss"](WEIGHTS, xs, ys)) == pytest.approx(due, rel=1e-5)
        for gradient in (loaded["gradient"], rax.grad(loaded["loss"])):
            for key, slope in gradient(WEIGHTS, xs, ys).items():
                np.testing.assert_allclose(slope, slopes[key], rtol=1e-4, atol=1e-6)


# A process with the file alone: it has rax, but none of the code that wrote the program.

DIFFERENTIATE = """
import sys
import rax
import rax.numpy as rnp

program = rax.load(sys.argv[1])
loss = program["loss"]
slope = rax.grad(loss, argnums=1)
weights = rnp.reshape(rnp.arange(64, dtype=rnp.float32), (8, 8))

def total(params, images, labels):
    return rnp.sum(rnp.square(slope(params, images, labels)) * weights)

curve = rax.grad(rax.trace(total, *loss.specs), argnums=1)
params = {name: value for name, value in program.defaults.items() if name.startswith("params.")}
rax.save(rax.Program(slope=slope, curve=curve, defaults=params), sys.argv[2])
assert not [name for name in sys.modules if name.startswith(("examples", "sklearn"))]
"""


def run(*words: str | Path, folder: Path) -> None:
    """Run Python in a folder where rax is found, and none of the repository's other modules."""
    if not (folder / "rax").exists():
        (folder / "rax").symlink_to(ROOT / "rax")
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def digits_logits(params: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The scores of the network in digits.msgpack, written anew in NumPy."""
    x = images[:, None] / 16
    for name in ("conv1", "conv2"):
        padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        x = np.einsum("nchwij,ocij->nohw", windows, params[f"{name}.kernel"], optimize=True)
        x = np.maximum(x + params[f"{name}.bias"][:, None, None], 0)
    count, channels = x.shape[:2]
    x = x.reshape(count, channels, 4, 2, 4, 2).max((3, 5)).reshape(count, -1)
    x = np.maximum(x @ params["hidden.weight"] + params["hidden.bias"], 0)
    return x @ params["output.weight"] + params["output.bias"]


def digits_slopes(params: dict[str, np.ndarray], images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The gradient of the mean loss by the images; the scores' by finite differences, which on a network of relus
    and maxima are exact but for rounding."""
    count, step = len(images), 1e-5
    moved = images[:, None] + step * np.concatenate([np.eye(64), -np.eye(64)]).reshape(1, 128, 8, 8)
    scores = digits_logits(params, moved.reshape(-1, 8, 8)).reshape(count, 2, 64, 10)
    by_pixel = (scores[:, 0] - scores[:, 1]) / (2 * step)
    into_scores = special.softmax(digits_logits(params, images), axis=1) - np.eye(10)[labels]
    return (by_pixel @ into_scores[:, :, None]).reshape(count, 8, 8) / count


def test_a_process_with_the_file_alone_differentiates_it_twice(tmp_path: Path) -> None:
    run("-c", DIFFERENTIATE, DIGITS, "derivatives.msgpack", folder=tmp_path)
    digits = rax.load(DIGITS)
    example = digits.examples["test"].inputs
    # A little noise, so that no two neighbours are equal: at a tie of max_pool there is no derivative to compare
    # with; and wrong labels, so that the loss is not flat.
    noise = np.random.default_rng(0).uniform(0, 0.5, size=(3, 8, 8))
    images = (array_of(example["images"])[:3] + noise).astype("float32")
    labels = (array_of(example["labels"])[:3] + 1) % 10
    np.savez(tmp_path / "given.npz", images=images, labels=labels)
    for entry in ("slope", "curve"):
        file = f"derivatives.msgpack:{entry}"
        run("-m", "rax.cli.run", file, "given.npz", "-o", f"{entry}.npz", folder=tmp_path)
    slope, curve = (np.load(tmp_path / f"{entry}.npz")["result"] for entry in ("slope", "curve"))

    params = {
        name.removeprefix("params."): array_of(value).astype(np.float64)
        for name, value in digits.defaults.items()
        if name.startswith("params.")
    }
    wide = images.astype(np.float64)
    due = digits_slopes(params, wide, labels)
    np.testing.assert_allclose(slope, due, atol=1e-5 * np.abs(due).max())
    weights, step = np.arange(64).reshape(8, 8), 1e-4  # small: on the way no relu may change sides
    for _ in range(4):
        direction = RNG.normal(size=wide.shape)
        ends = [digits_slopes(params, wide + sign * step * direction, labels) for sign in (1, -1)]
        difference = np.sum((ends[0] ** 2 - ends[1] ** 2) * weights) / (2 * step)
        assert np.sum(curve * direction) == pytest.approx(difference, abs=1e-4 * float(np.linalg.norm(curve)))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_loaded_train_step_gives_the_same_parameters_bit_for_bit(name: str, tmp_path: Path) -> None:
    built = program(NETWORKS[name], steps=10)
    images, labels = RNG.uniform(0, 16, size=(5, 8, 8)).astype("float32"), np.array([3, 1, 4, 1, 5])
    state = built["init"](3)
    step = built["train_step"]
    start = {"params": state["params"], "opt_state": state["opt_state"]}
    rax.save(built.replace(defaults=start), tmp_path / "m.msgpack")
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    run("-m", "rax.cli.run", "m.msgpack:train_step", "data.npz", "--steps", "3", "-o", "out.npz", folder=tmp_path)
    for _ in range(3):
        state = step(state["params"], state["opt_state"], images, labels)
    found = np.load(tmp_path / "out.npz")
    for key, due in literals({"params": state["params"], "opt_state": state["opt_state"]}).items():
        assert found[key].dtype == array_of(due).dtype
        assert found[key].tobytes() == array_of(due).tobytes(), key
