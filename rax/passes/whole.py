"""The passes for graphs with loops and choices, whose rules import the operations that hold graphs."""

from __future__ import annotations

from rax.ir.graph import Graph
from rax.passes.accumulation import ACCUMULATION
from rax.passes.control import CONTROL, PAIRS
from rax.passes.loops import LOOPS
from rax.passes.merge import Merge
from rax.passes.pipeline import Pipeline
from rax.passes.rule import Rewrite
from rax.passes.straight import STRAIGHT

SIMPLIFY = Rewrite("simplify", (*CONTROL, *LOOPS, *STRAIGHT.rules), STRAIGHT.commutes)
DEFAULT = Pipeline((SIMPLIFY, Merge(PAIRS, SIMPLIFY)))
REASSOCIATE = Rewrite("reassociate", ACCUMULATION)


def optimise_whole(graph: Graph) -> Graph:
    """The graph after every pass there is."""
    return DEFAULT.run(graph)


def reassociate_whole(graph: Graph) -> Graph:
    """The graph with sums of loops taken out of them, simplified again where that was done."""
    found = Pipeline((REASSOCIATE,)).run(graph)
    return graph if found is graph else DEFAULT.run(found)
