"""What every graph goes through before it is planned."""

from __future__ import annotations

from rax.ir.graph import Graph
from rax.ir.late import late
from rax.passes.pipeline import Pipeline
from rax.passes.straight import STRAIGHT

_optimise_whole = late("rax.passes.whole", "optimise_whole")


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
    if any(getattr(node.op, "holds_graphs", False) for node in graph.nodes):
        return _optimise_whole(graph)
    return Pipeline((STRAIGHT,)).run(graph)
