"""Constant factors of products of matrices, moved to the smaller operand; equal but for rounding.

A step of gradient descent scales the gradient of each weight, a product that is often far larger than its operands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container

from rax.ir.graph import Graph
from rax.ir.node import Constant, Node, Value
from rax.ir.types import float32, float64
from rax.ops.contraction import MatMul, matmul
from rax.ops.elementwise import Multiply, multiply
from rax.passes.pipeline import Pipeline
from rax.passes.rule import Found, Rewrite, Rule

# Factors of other sizes may overflow, or lose more than rounding does, where the product would not.
_LEAST, _MOST = 2.0**-20, 1.0
# How many times larger the product must be for the pass over it to cost more than one over the operand.
_TIMES = 2


def hoist_factors(graph: Graph) -> Graph:
    """The graph with constant factors of products moved to operands: the same interface and, within rounding, results.

    Factors are moved that are between 2**-20 and 1 in size, in float32 and float64, where an operand has less
    than half the elements of the product, and nothing else reads that.

    Args:
        graph: any graph; graphs that its operations hold stay as they are.

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.arrays import scalar
        >>> x, y = new_input("x", tensor_type((90, 9))), new_input("y", tensor_type((9, 80)))
        >>> scaled = Graph((x, y), (multiply(scalar(0.1, float32), matmul(x, y)),))
        >>> [node.op.name for node in hoist_factors(scaled).nodes]
        ['input', 'input', 'constant', 'multiply', 'matmul']
    """
    uses = Counter([*graph.outputs, *[value for node in graph.nodes for value in node.inputs]])
    once = {value.node for value, count in uses.items() if count == 1 and isinstance(value.node.op, MatMul)}
    if not once:
        return graph
    return Pipeline((Rewrite("scaling", (_rule(once),)),)).run(graph)


def _rule(products: Container[Node]) -> Rule:
    """The rule for products that nothing else reads."""

    def factor_of_product(_: Multiply, x: Value, y: Value) -> Found:
        factor, product = (x, y) if isinstance(x.node.op, Constant) else (y, x)
        if product.node not in products or not _is_moderate(factor):
            return None
        left, right = product.node.inputs
        sizes = _count(left), _count(right)
        if math.inf in sizes or _TIMES * min(sizes) > _count(product):
            return None
        if sizes[0] < sizes[1]:
            return matmul(multiply(factor, left), right)
        return matmul(left, multiply(factor, right))

    return Rule("factor_of_product", Multiply, factor_of_product, ())


def _is_moderate(factor: Value) -> bool:
    op = factor.node.op
    if not isinstance(op, Constant) or factor.ndim or factor.dtype not in (float32, float64):
        return False
    return _LEAST <= abs(op.literal.array.item()) <= _MOST


def _count(value: Value) -> float:
    """The elements; infinitely many where a size is not known."""
    return math.prod([size if isinstance(size, int) else math.inf for size in value.shape])
