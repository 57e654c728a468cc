"""What a row of the table is: one piece of work in several libraries, whose results must agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import rax
from rax.ir.tree import flatten
from rax.ops.arrays import Array
from rax.runtime.executable import Executable

# Of two results in float32, relative to the largest number: sums of different order differ by less.
TOLERANCE = 1e-3


class DisagreementError(Exception):
    """Two libraries do not compute the same."""


@dataclass(frozen=True)
class Contestant:
    """One library's version of a piece of work.

    Attributes:
        run: does it once, and waits until it is done.
        arrays: what ``run`` returned as arrays, in the order of :attr:`Work.before`; copies.
        planned: the bytes that a run holds as its plan says, if there is one.
    """

    run: Callable[[], Any]
    arrays: Callable[[Any], list[Array]]
    planned: int | None = None


Factory = Callable[[], Contestant]
"""Makes a contestant ready: arrays of its own, what is traced and compiled. Not timed, but in a first call."""


@dataclass(frozen=True)
class Work:
    """A piece of work in rax and in other libraries.

    Attributes:
        trace: makes rax's graph.
        arguments: what the graph is run on; a training step's first argument is its parameters.
        before: for each result what it was before, which is taken off when results are compared: of a
            training step the parameters, so that the updates are compared; else zero.
        peers: the others, by name.
        trains: whether the second result is the next run's first argument.
    """

    trace: Callable[[], rax.Graph]
    arguments: Sequence[Any]
    before: Sequence[Array | float]
    peers: Mapping[str, Factory] = field(default_factory=dict[str, Factory])
    trains: bool = False

    @property
    def factories(self) -> dict[str, Factory]:
        """The library itself first, then the others."""
        return {"rax": self.contestant, **self.peers}

    def executable(self, backend: str = "numpy", memory: int | None = None) -> Executable:
        """What rax runs, within a budget of memory if one is given; of a training step the parameters are donated."""
        return rax.compile(self.trace(), backend, memory=memory, donate=0 if self.trains else ())

    def contestant(self, backend: str = "numpy", memory: int | None = None) -> Contestant:
        """rax: the graph compiled and called as a user would, parameters fed back and, as by the peers, in place."""
        exe = self.executable(backend, memory)
        arguments = [*self.arguments]
        if self.trains:
            arguments[0] = {name: np.array(param) for name, param in arguments[0].items()}

        def run() -> Any:
            results = exe(*arguments)
            if self.trains:
                arguments[0] = results[1]
            return results

        return Contestant(run, lambda results: [np.array(leaf) for leaf in flatten(results)[0]], exe.plan.peak_bytes)


def check_agreement(found: Mapping[str, Sequence[Array]], before: Sequence[Array | float]) -> None:
    """Compare every library's results with rax's.

    Raises:
        DisagreementError: results differ by more than float32 explains, or are not finite.
    """
    ours = found["rax"]
    for name, theirs in found.items():
        if len(theirs) != len(before) or len(ours) != len(before):
            raise DisagreementError(f"{name} gives {len(theirs)} results, rax {len(ours)}; {len(before)} are due")
        for place, (one, other, start) in enumerate(zip(ours, theirs, before, strict=True)):
            if one.shape != other.shape or one.dtype != other.dtype:
                raise DisagreementError(
                    f"result {place}: rax {one.dtype}{one.shape}, {name} {other.dtype}{other.shape}"
                )
            change = one.astype(np.float64) - start
            largest = np.max(np.abs(change), initial=0.0)
            rounding = 4 * np.finfo(np.float32).eps * np.max(np.abs(start), initial=0.0)
            worst = np.max(np.abs(one.astype(np.float64) - other), initial=0.0)
            if not worst <= TOLERANCE * largest + rounding:
                raise DisagreementError(
                    f"result {place}: {name} differs from rax by {worst:.3g}, the change is {largest:.3g}"
                )
