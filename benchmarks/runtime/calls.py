"""What a call costs beside the work: one exponential of a few numbers, by way of every kind of argument.

Run ``python -m benchmarks.runtime.calls``: microseconds a call, the least of some turns.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp

SIZE = 8


def calls() -> dict[str, Callable[[], Any]]:
    """By name, the same work by itself and as a call."""
    x = np.ones((SIZE, SIZE), np.float32)
    nest = {"a": x, "b": {"c": x, "d": [x, x]}}

    def of_nest(nest: Any) -> dict[str, Any]:
        return {"exp": rnp.exp(nest["a"])}

    flat, named = rax.compile(rax.trace(rnp.exp, x)), rax.compile(rax.trace(rnp.exp, rax.spec(("n", SIZE))))
    deep = rax.compile(rax.trace(of_nest, nest))
    jitted, jitted_deep = rax.jit(rnp.exp), rax.jit(of_nest)
    return {
        "numpy by itself": lambda: np.exp(x),
        "an array": lambda: flat(x),
        "an array with a named dim": lambda: named(x),
        "an array by name": lambda: flat(x=x),
        "a nest of four arrays": lambda: deep(nest),
        "jitted, an array": lambda: jitted(x),
        "jitted, a nest": lambda: jitted_deep(nest),
    }


def microseconds(call: Callable[[], Any], number: int, turns: int) -> float:
    """The least of some turns."""
    for _ in range(3):
        call()
    return min(timeit.repeat(call, number=number, repeat=turns)) / number * 1e6


def main(number: int = 10_000, turns: int = 7) -> None:
    """Print a line for each kind of call."""
    for name, call in calls().items():
        print(f"{microseconds(call, number, turns):8.2f} µs  {name}")


if __name__ == "__main__":
    main()
