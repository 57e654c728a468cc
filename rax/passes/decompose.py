"""Composites replaced by their bodies, for a backend or a file that is to have core operations only."""

from __future__ import annotations

from collections.abc import Callable

from rax.ir.node import Value
from rax.ops.families import Composite
from rax.passes.rule import Found, Rewrite, Rule


def decompose(chosen: Callable[[Composite], bool] = lambda op: True) -> Rewrite:
    """The pass that replaces composites by their bodies, in bodies too.

    Args:
        chosen: which; by default all.

    Example:
        >>> from rax.ir.graph import Graph
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.activations import softplus
        >>> from rax.passes.pipeline import Pipeline
        >>> x = new_input("x", tensor_type((3,)))
        >>> print(Pipeline((decompose(),)).run(Graph((x,), (softplus(x),))))
        graph (x: float32[3]) -> (result: float32[3]) {
          %0 = logaddexp(x, float32(0.0)) : float32[3]
          return %0
        }
    """

    def body(op: Composite, *operands: Value) -> Found:
        return op.body(*[value.type for value in operands]).inline(operands) if chosen(op) else None

    return Rewrite("decompose", (Rule("body", Composite, body, ()),))
