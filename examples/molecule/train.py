"""Builds the program of the pair potential, saves it, and trains it by running what was saved.

Run from the root of the repository: ``python -m examples.molecule.train``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import rax
from examples.molecule import data
from examples.molecule.model import program
from examples.packing import packed

FILE = Path(__file__).parent / "argon.msgpack"
ATOMS = 13
BATCH = 8
STEPS = 2500


def train(file: rax.Program, clusters: data.Clusters, steps: int, seed: int) -> Mapping[str, Any]:
    """The parameters and optimiser state after a number of steps over clusters drawn at random."""
    step = rax.compile(file["train_step"])
    state = file["init"](seed)
    draw = np.random.default_rng(seed)
    for _ in range(steps):
        batch = draw.integers(0, len(clusters.positions), BATCH)
        state = step(state["params"], state["opt_state"], clusters.positions[batch], clusters.forces[batch])
    return state


def finished(file: rax.Program, state: Mapping[str, Any], held_out: data.Clusters) -> rax.Program:
    """The program with trained values, and an example for each entry."""
    few = data.Clusters(*(part[:BATCH] for part in held_out))
    batch = {"positions": few.positions, "targets": few.forces}
    inputs: dict[str, dict[str, Any]] = {
        "init": {"seed": np.int64(0)},
        "energy": {"positions": data.minimum(ATOMS)},
        "forces": {"positions": few.positions[0]},
        "loss": batch,
        "train_step": batch,
        "test": batch,
    }
    return packed(file, state, inputs, {})


def main() -> None:
    """Train the potential, save it, and say how good it is."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--output", type=Path, default=FILE)
    options = parser.parse_args()
    clusters, held_out = data.shaken(ATOMS, 800, seed=0), data.shaken(ATOMS, 200, seed=1)
    rax.save(program(options.steps), options.output)
    file = rax.load(options.output)
    start = time.monotonic()
    state = train(file, clusters, options.steps, options.seed)
    found = file["test"](state["params"], held_out.positions, held_out.forces)
    print(f"trained {options.steps} steps in {time.monotonic() - start:.0f} s")
    error, size = float(found["force_error"]), float(found["force_size"])
    print(f"forces on held-out clusters: off by {error:.3f}, of {size:.3f} (root mean square)")
    for atoms, published in data.PUBLISHED_MINIMA.items():
        energy = float(file["energy"](state["params"], data.minimum(atoms)))
        print(f"energy of the best cluster of {atoms}: {energy:.3f}, published {published:.3f}")
    rax.save(finished(file, state, held_out), options.output)


if __name__ == "__main__":
    main()
