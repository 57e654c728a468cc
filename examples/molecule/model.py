"""A small neural pair potential: the energy of atoms at given positions, and its training on forces.

Forces are minus the gradient of the energy, so the gradient of the loss holds second derivatives of the
network; and what is saved can be differentiated again, into the Hessian that vibrations come from.
"""

from __future__ import annotations

from typing import Any

import rax
import rax.numpy as rnp
from rax import Tensor, nn, optim, random

WIDTH = 16
RATE = 2e-2

Params = dict[str, Any]


def init_params(key: Tensor) -> Params:
    """Three dense layers, from one number to one number."""
    shapes = {"first": (1, WIDTH), "second": (WIDTH, WIDTH), "third": (WIDTH, 1)}
    keys = random.split(key, len(shapes))
    return {
        name: {"weight": nn.glorot_normal(keys[place], shape, "float64"), "bias": rnp.zeros(shape[1:], dtype="float64")}
        for place, (name, shape) in enumerate(shapes.items())
    }


def pair_energy(params: Params, squares: Tensor) -> Tensor:
    """The energy of pairs at these squared distances: ``r**-6`` times a network of ``r**-3``.

    Atoms without charge attract each other by ``r**-6`` at long range (London, 1930), so the energy goes
    to zero as it must, though the network is never told an energy.
    """
    with rax.scope("pair_energy"):
        x = rnp.expand_dims(squares**-1.5, axis=-1)
        x = nn.silu(nn.dense(x, **params["first"]))
        x = nn.silu(nn.dense(x, **params["second"]))
        return rnp.squeeze(nn.dense(x, **params["third"]), axis=-1) / squares**3


def energy(params: Params, positions: Tensor) -> Tensor:
    """The energy of one cluster, positions ``(atoms, 3)``: half the sum over ordered pairs."""
    vectors = positions[:, None, :] - positions[None, :, :]
    others = 1 - rnp.eye(positions.shape[0], dtype="float64")
    # An atom's distance to itself becomes 1, so that its powers and their derivatives exist.
    squares = rnp.sum(rnp.square(vectors), axis=-1) + (1 - others)
    return 0.5 * rnp.sum(others * pair_energy(params, squares))


def forces(params: Params, positions: Tensor) -> Tensor:
    """What pulls at each atom, ``(atoms, 3)``."""
    return -rax.grad(energy, argnums=1)(params, positions)


def loss(params: Params, positions: Tensor, targets: Tensor) -> Tensor:
    """How far the forces on a batch of clusters ``(batch, atoms, 3)`` are from those due."""
    found = rax.vmap(forces, in_axes=(None, 0))(params, positions)
    return nn.mse(found, targets)


def program(steps: int) -> rax.Program:
    """The entries of the file: ``init``, ``energy``, ``forces``, ``loss``, ``train_step``, ``test``.

    Args:
        steps: the number of training steps the learning rate is planned for.
    """
    opt = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(optim.cosine_decay(RATE, steps, end=RATE / 100)))

    def init(seed: Tensor) -> dict[str, Any]:
        params = init_params(random.key(seed))
        return {"params": params, "opt_state": opt.init(params)}

    def train_step(params: Params, opt_state: Any, positions: Tensor, targets: Tensor) -> dict[str, Any]:
        value, grads = rax.value_and_grad(loss)(params, positions, targets)
        params, opt_state = opt.update(params, grads, opt_state)
        return {"params": params, "opt_state": opt_state, "loss": value}

    def test(params: Params, positions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        found = rax.vmap(forces, in_axes=(None, 0))(params, positions)
        return {
            "energies": rax.vmap(energy, in_axes=(None, 0))(params, positions),
            "force_error": rnp.sqrt(nn.mse(found, targets)),
            "force_size": rnp.sqrt(rnp.mean(rnp.square(targets))),
        }

    made = rax.trace(init, rax.spec((), "int64"))
    start = made(0)
    params = start["params"]
    one, many = rax.spec(("atoms", 3), "float64"), rax.spec(("batch", "atoms", 3), "float64")
    return rax.Program(
        init=made,
        energy=rax.trace(energy, params, one),
        forces=rax.trace(forces, params, one),
        loss=rax.trace(loss, params, many, many),
        train_step=rax.trace(train_step, params, start["opt_state"], many, many),
        test=rax.trace(test, params, many, many),
        main="test",
    )
