"""What every graph goes through before it is planned."""

from __future__ import annotations

from rax.ir.graph import Graph
from rax.ir.late import late
from rax.passes.pipeline import Pipeline
from rax.passes.straight import JOIN, STRAIGHT

_optimise_whole = late("rax.passes.whole", "optimise_whole")
_hoist_factors = late("rax.passes.scaling", "hoist_factors")
_reassociate_whole = late("rax.passes.whole", "reassociate_whole")


def optimise(graph: Graph) -> Graph:
    """The graph with less to do: the same inputs, names and nests, and the same results bit for bit.

    Args:
        graph: any graph; its named dims stay symbolic.

    Returns:
        A graph with the same interface; the same object if there is nothing to simplify.

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.shape import permute_dims
        >>> x = new_input("x", tensor_type((2, 3)))
        >>> optimise(Graph((x,), (permute_dims(permute_dims(x, (1, 0)), (1, 0)),))).outputs == (x,)
        True
    """
    if _holds_graphs(graph):
        return _optimise_whole(graph)
    return Pipeline((STRAIGHT,)).run(graph)


def reassociate(graph: Graph) -> Graph:
    """The graph with sums and products taken in less time: the same interface, and the same results within rounding.

    The order of terms may differ, where a constant factor is applied, and the sign of a zero.

    Args:
        graph: one that :func:`optimise` returned.

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
        >>> from rax.ops.scan import Scan
        >>> total, row, rows = (new_input(*each) for each in (
        ...     ("total", tensor_type(4)), ("row", tensor_type(4)), ("rows", tensor_type((9, 4)))))
        >>> loop = Scan(Graph((total, row), (add(total, row),)), 0, 1, 9)
        >>> start = new_input("start", tensor_type(4))
        >>> [node.op.name for node in reassociate(Graph((start, rows), (loop(start, rows),))).nodes[2:]]
        ['sum', 'add']
    """
    found = _reassociate_whole(graph) if _holds_graphs(graph) else Pipeline((JOIN,)).run(graph)
    names = {node.op.name for node in found.nodes}
    return _hoist_factors(found) if {"matmul", "multiply"} <= names else found


def _holds_graphs(graph: Graph) -> bool:
    return any(getattr(node.op, "holds_graphs", False) for node in graph.nodes)
