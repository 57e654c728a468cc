"""The rows of the table, with what each is to reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.runtime import (
    budgets,
    convolution,
    elementwise,
    fresh,
    mlp,
    normalisation,
    recurrent,
    transformer,
    whole,
)
from benchmarks.runtime.timing import Pace, Spread, seconds_of
from benchmarks.runtime.work import Work


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        title: what is done.
        references: the libraries rax is compared with: the least figure of those that are there; none if with itself.
        factor: the ratio to reach: rax's figure over the reference's; of no meaning without one.
        work: makes the work; in small sizes if asked.
        measure: gives each library's figure.
        unit: ``"s"`` or ``"bytes"``.
    """

    title: str
    references: tuple[str, ...]
    factor: float
    work: Callable[[bool], Work]
    measure: Callable[[Work, Pace], dict[str, Spread]] = seconds_of
    unit: str = "s"


ROWS = {
    "mlp": Row(
        "MLP 64-32-10, train step, batch 32", ("numpy",), 1.15,
        lambda quick: mlp.work((5, 7, 3), 5) if quick else mlp.work((64, 32, 10), 32),
    ),
    "mlp-wide": Row(
        "MLP 784-512-512-10, train step, batch 128", ("numpy",), 0.95,
        lambda quick: mlp.work((9, 8, 7, 3), 6) if quick else mlp.work((784, 512, 512, 10), 128),
    ),
    "elementwise": Row(
        "tanh(x)·exp(−x²)+√(abs(x)+1)−x/2, 4 Mi numbers", ("numpy",), 0.4,
        lambda quick: elementwise.work(1001 if quick else 1 << 22),
    ),
    "normalisation": Row(
        "layer norm and softmax, value and gradient, 2048 × 1024", ("jax", "torch"), 2.0,
        lambda quick: normalisation.work(*((7, 5) if quick else (2048, 1024))),
    ),
    "transformer": Row(
        "transformer, 4 layers, d 256, T 128, batch 8, train step", ("jax", "torch"), 1.2, transformer.sized,
    ),
    "rnn": Row(
        "RNN over scan, T 100, H 128, batch 16, train step", ("jax",), 2.0,
        lambda quick: recurrent.work(*((4, 5, 3) if quick else (100, 128, 16))),
    ),
    "conv": Row(
        "conv net, 3 layers, 32 × 32, batch 32, train step", ("jax",), 1.0,
        lambda quick: convolution.work(8, 3, (4, 5, 6)) if quick else convolution.work(32, 32, (32, 64, 64)),
    ),
    "first-call": Row(
        "first call of the transformer step in a fresh process", ("jax",), 0.3, transformer.sized, fresh.first_call,
    ),
    "memory": Row(
        "peak memory of the transformer step above its inputs", ("jax",), 1.0, transformer.sized, fresh.peak_memory,
        "bytes",
    ),
    "memory-budget": Row(
        "the transformer step within parts of the memory it holds", (), 1.0, budgets.work, budgets.seconds,
    ),
    "rax-run": Row(
        "rax-run of a saved 784-512-512-10 predict, whole process", ("onnxruntime", "numpy"), 1.0,
        lambda quick: whole.work(2 if quick else 32), whole.seconds,
    ),
}  # fmt: skip
