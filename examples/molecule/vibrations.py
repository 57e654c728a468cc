"""Vibrations of argon clusters, from the second derivatives of a potential that was loaded from a file.

Run from the root of the repository: ``python -m examples.molecule.vibrations``. Nothing of the model's
code is imported: the energy is an entry of the file, and its Hessian is a transform of that graph.
"""

from __future__ import annotations

import sys
from pathlib import Path

import rax
from examples.molecule import data
from rax.ops.arrays import Array
from rax.runtime.entry import Entry

FILE = Path(__file__).parent / "argon.msgpack"


def hessian_of(file: rax.Program) -> Entry:
    """The second derivatives of the energy by the positions, with the trained parameters of the file."""
    graph = rax.hessian(file["energy"], argnums=1)
    params = {name: value for name, value in file.defaults.items() if name in graph.input_names}
    return Entry(rax.Program(hessian=graph, defaults=params))


def wavenumbers(hessian: Entry, positions: Array) -> Array:
    """The vibrations of a cluster, in 1/cm."""
    second = hessian.run({"positions": positions})["result"]
    return data.frequencies(second.reshape(positions.size, positions.size))


def main(path: Path) -> None:
    """Print the lowest and highest vibration of each cluster beside those of the exact potential."""
    hessian = hessian_of(rax.load(path))
    print("atoms    lowest, 1/cm    exact    highest, 1/cm    exact")
    for atoms in data.PUBLISHED_MINIMA:
        positions = data.minimum(atoms)
        found = wavenumbers(hessian, positions)
        exact = data.frequencies(data.hessian(positions))
        numbers = (found[0], exact[0], found[-1], exact[-1])
        print(f"{atoms:5}" + "".join(f"{x:{width}.2f}" for x, width in zip(numbers, (16, 9, 17, 9), strict=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
