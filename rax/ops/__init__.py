"""What each operation means: one class an operation, one file a family.

A class here is the only place that knows an operation's type rule, NumPy reference,
derivative and batching. Nothing here evaluates a graph, reads a file or is fast. Importing
this package registers every operation in ``rax.ir.op.REGISTRY``.
"""

from collections.abc import Mapping

from rax.ir.op import REGISTRY, Op
from rax.ops import (
    activations,
    arithmetic,
    attention,
    broadcasting,
    calls,
    comparison,
    complex_parts,
    contraction,
    control,
    creation,
    cumulative,
    decompositions,
    determinants,
    elementwise,
    fft,
    indexing,
    logical,
    matrix_functions,
    normalization,
    random_bits,
    reduction,
    rounding,
    scan,
    selection,
    shape,
    solvers,
    sorting,
    special,
    spectral,
    transcendental,
    trigonometric,
    window,
)

__all__ = [
    "activations",
    "arithmetic",
    "attention",
    "broadcasting",
    "calls",
    "comparison",
    "complex_parts",
    "contraction",
    "control",
    "creation",
    "cumulative",
    "decompositions",
    "determinants",
    "elementwise",
    "fft",
    "indexing",
    "logical",
    "matrix_functions",
    "normalization",
    "random_bits",
    "reduction",
    "registry",
    "rounding",
    "scan",
    "selection",
    "shape",
    "solvers",
    "sorting",
    "special",
    "spectral",
    "transcendental",
    "trigonometric",
    "window",
]


def registry() -> Mapping[str, type[Op]]:
    """Every operation by name: rax's own, and those that users have declared since."""
    return REGISTRY
