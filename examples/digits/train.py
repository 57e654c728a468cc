"""Builds the program of a network, saves it, and trains it by running what was saved.

Run from the root of the repository: ``python -m examples.digits.train --help``. Training never calls
the model's code: it loads the file and evaluates its ``init``, ``train_step`` and ``test``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import rax
from examples.digits import data
from examples.digits.model import NETWORKS, program
from examples.packing import packed

HERE = Path(__file__).parent
FILES = {"conv": HERE / "digits.msgpack", "mlp": HERE / "mlp.msgpack"}
BATCH = 64
EPOCHS = 60
DISPLAY = {"images": "image", "labels": "label", "predictions": "label", "confidence": "score"}


def train(file: rax.Program, images: data.Images, steps: int, seed: int) -> Mapping[str, Any]:
    """The parameters and optimiser state after a number of steps over shuffled images."""
    step = rax.compile(file["train_step"])
    state = file["init"](seed)
    shuffle = np.random.default_rng(seed)
    order = np.arange(0)
    for _ in range(steps):
        if len(order) < BATCH:
            order = np.concatenate([order, shuffle.permutation(len(images.labels))])
        batch, order = order[:BATCH], order[BATCH:]
        out = step(state["params"], state["opt_state"], images.images[batch], images.labels[batch])
        state = {"params": out["params"], "opt_state": out["opt_state"]}
    return state


def accuracy(file: rax.Program, state: Mapping[str, Any], images: data.Images) -> float:
    """The share of images that the saved ``test`` entry names right."""
    return float(file["test"](state["params"], *images)["accuracy"])


def finished(file: rax.Program, state: Mapping[str, Any], images: data.Images, held_out: data.Images) -> rax.Program:
    """The program with trained values, and an example for each entry."""
    some = data.Images(images.images[:BATCH], images.labels[:BATCH])
    inputs: dict[str, dict[str, Any]] = {
        "init": {"seed": np.int64(0)},
        "predict": {"images": held_out.images[:8]},
        "loss": some._asdict(),
        "train_step": some._asdict(),
        "test": held_out._asdict(),
    }
    return packed(file, state, inputs, DISPLAY)


def main() -> None:
    """Train a network for one or more seeds; keep the file of the first."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one training each")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--output", type=Path, help="the file to write; by default the one beside this script")
    options = parser.parse_args()
    images, held_out = data.load()
    steps = options.epochs * len(images.labels) // BATCH
    path = options.output or FILES[options.network]
    rax.save(program(NETWORKS[options.network], steps), path)
    file = rax.load(path)
    print(f"{path.name}: {steps} steps of {BATCH} images, {len(held_out.labels)} images held out")
    for seed in options.seeds:
        start = time.monotonic()
        state = train(file, images, steps, seed)
        scores = [f"{accuracy(file, state, part):.2%}" for part in (held_out, images)]
        print(
            f"seed {seed}: {scores[0]} held out, {scores[1]} trained on, {time.monotonic() - start:.0f} s", flush=True
        )
        if seed == options.seeds[0]:
            rax.save(finished(file, state, images, held_out), path)


if __name__ == "__main__":
    main()
