"""What a step costs beyond the call of NumPy: a chain of small steps, and the same calls written by hand.

``python -m benchmarks.runtime.dispatch`` prints microseconds a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rax
from benchmarks.runtime.timing import FULL, Pace, race
from benchmarks.runtime.work import Contestant
from rax.ops.arrays import Array
from rax.runtime.executable import compile

STEPS = 400
SIZE = 8


def chain(x: Any, y: Any) -> Any:
    """Additions and products by turns, none of which can be left out."""
    for _ in range(STEPS // 2):
        x = (x + y) * y
    return x


def by_hand(y: Array, buffer: Array) -> Callable[[Array], Array]:
    """The same calls in straight-line code, into one buffer."""
    lines = ["def run(x, add, multiply, y, out):", " add(x, y, out)", " multiply(out, y, out)"]
    lines += [" add(out, y, out)", " multiply(out, y, out)"] * (STEPS // 2 - 1)
    space: dict[str, Any] = {}
    exec("\n".join([*lines, " return out"]), space)  # noqa: S102  # ours
    run = space["run"]
    return lambda x: run(x, np.add, np.multiply, y, buffer)


def _sum(x: rax.Tensor, y: rax.Tensor) -> rax.Tensor:
    return x + y


def microseconds(pace: Pace = FULL) -> dict[str, float]:
    """For each step: by rax, by hand, the difference; and what a call of a graph without steps costs."""
    x, y = np.ones(SIZE, np.float32), np.full(SIZE, 0.5, np.float32)
    exe = compile(rax.trace(chain, x, y))
    empty = compile(rax.trace(_sum, x, y))
    hand = by_hand(y, np.empty_like(x))
    np.testing.assert_array_equal(exe(x, y), hand(x))
    assert len(exe.plan.steps) == STEPS
    contestants = {
        "rax": Contestant(lambda: exe(x, y), lambda found: [found]),
        "by hand": Contestant(lambda: hand(x), lambda found: [found]),
        "one step": Contestant(lambda: empty(x, y), lambda found: [found]),
    }
    found = {name: float(np.median(samples)) * 1e6 for name, samples in race(contestants, pace).items()}
    ours, theirs = found["rax"] / STEPS, found["by hand"] / STEPS
    return {"rax": ours, "by hand": theirs, "beyond NumPy": ours - theirs, "a call of one step": found["one step"]}


def main() -> None:
    """Print the figures."""
    for name, figure in microseconds().items():
        print(f"{figure:8.3f} µs  {name}")


if __name__ == "__main__":
    main()
