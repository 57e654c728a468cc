"""Argon clusters: energies and forces of the Lennard-Jones potential, in its own units.

``E = sum over pairs of 4 (r**-12 - r**-6)``, energies in ε and lengths in σ; for argon ε = 119.8 K kB and
σ = 3.405 Å (Rahman, Phys. Rev. 136, A405, 1964). The minima found here are checked against those of the
Cambridge Cluster Database (Hoare and Pal, Adv. Phys. 20, 161, 1971; Wales and Doye, J. Phys. Chem. A 101,
5111, 1997).
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

PUBLISHED_MINIMA = {2: -1.0, 7: -16.505384, 13: -44.326801}
"""The energy of the best cluster of so many atoms."""

EPSILON = 119.8 * 1.380649e-23
SIGMA = 3.405e-10
MASS = 39.948 * 1.66053906660e-27
"""Argon in SI units: J, m, kg."""


class Clusters(NamedTuple):
    """Positions and forces ``float64[N, atoms, 3]``, energies ``float64[N]``."""

    positions: Array
    energies: Array
    forces: Array


def pair_vectors(positions: Array) -> tuple[Array, Array]:
    """From each atom to each other one, and the squared distances; infinite of an atom to itself."""
    vectors = positions[..., :, None, :] - positions[..., None, :, :]
    squares = np.sum(vectors**2, axis=-1)
    return vectors, np.where(np.eye(positions.shape[-2], dtype=bool), np.inf, squares)


def energy(positions: Array) -> Array:
    """The Lennard-Jones energy of positions ``(..., atoms, 3)``."""
    _, squares = pair_vectors(positions)
    return 2 * np.sum(squares**-6 - squares**-3, axis=(-2, -1))


def forces(positions: Array) -> Array:
    """What pulls at each atom: minus the gradient of the energy."""
    vectors, squares = pair_vectors(positions)
    slopes = 24 * (2 * squares**-7 - squares**-4)
    return np.sum(slopes[..., None] * vectors, axis=-2)


def hessian(positions: Array) -> Array:
    """The second derivatives of the energy of one cluster, ``(3 atoms, 3 atoms)``, by the formula."""
    count = len(positions)
    vectors, squares = pair_vectors(positions)
    first = 24 * (squares**-4 - 2 * squares**-7)
    second = 4 * (168 * squares**-8 - 48 * squares**-5)
    blocks = -(second[..., None, None] * vectors[..., :, None] * vectors[..., None, :])
    blocks -= first[..., None, None] * np.eye(3)
    blocks[np.arange(count), np.arange(count)] = -np.sum(blocks, axis=1)
    return blocks.transpose(0, 2, 1, 3).reshape(3 * count, 3 * count)


def frequencies(second: Array) -> Array:
    """The wavenumbers of the vibrations, in 1/cm, of an argon cluster with this Hessian."""
    count = len(second) // 3
    linear = count == 2
    stiffness = np.linalg.eigvalsh(second)[5 if linear else 6 :]
    angular = np.sqrt(stiffness * EPSILON / (MASS * SIGMA**2))
    return angular / (2 * np.pi * 299792458.0 * 100)


def minimum(atoms: int) -> Array:
    """The best cluster of 2 atoms, 7 (a pentagonal bipyramid) or 13 (an icosahedron round an atom)."""
    angle = 2 * np.pi * np.arange(5) / 5
    if atoms == 2:
        start = np.array([[0, 0, 0], [0, 0, 1.0]])
    elif atoms == 7:
        ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
        start = np.concatenate([ring, [[0, 0, 0.6], [0, 0, -0.6]]])
    else:
        golden = (1 + 5**0.5) / 2
        corners = [
            np.roll([0, a, b * golden], turn) for turn in range(3) for a, b in itertools.product((1, -1), repeat=2)
        ]
        start = np.concatenate([np.zeros((1, 3)), np.array(corners) / np.linalg.norm([1, golden])])
    nearest = np.sqrt(pair_vectors(start)[1].min())
    positions = start * (2 ** (1 / 6) / nearest)
    for _ in range(4000):  # downhill, with a step that the stiffest vibration allows
        positions = positions + 5e-4 * forces(positions)
    return positions


def shaken(atoms: int, count: int, seed: int) -> Clusters:
    """The minimum squeezed or stretched, up to half as large again, and every atom displaced at random."""
    random = np.random.default_rng(seed)
    scale = random.uniform(0.98, 1.5, size=(count, 1, 1))
    positions = minimum(atoms) * scale + 0.03 * random.normal(size=(count, atoms, 3))
    return Clusters(positions, energy(positions), forces(positions))
