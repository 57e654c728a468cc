"""The passes for graphs with loops and choices, whose rules import the operations that hold graphs."""

from __future__ import annotations

from rax.ir.graph import Graph
from rax.passes.accumulation import ACCUMULATION
from rax.passes.control import CONTROL, PAIRS
from rax.passes.loops import LOOPS
from rax.passes.merge import Merge
from rax.passes.pipeline import Pipeline
from rax.passes.products import PRODUCTS
from rax.passes.rule import Rewrite
from rax.passes.straight import JOIN, STRAIGHT

SIMPLIFY = Rewrite("simplify", (*CONTROL, *LOOPS, *STRAIGHT.rules), STRAIGHT.commutes)
DEFAULT = Pipeline((SIMPLIFY, Merge(PAIRS, SIMPLIFY)))
REASSOCIATE = Rewrite("reassociate", (*ACCUMULATION, *PRODUCTS, *JOIN.rules))


def optimise_whole(graph: Graph) -> Graph:
    """The graph after every pass there is."""
    return DEFAULT.run(graph)


def reassociate_whole(graph: Graph) -> Graph:
    """The graph after the passes that are not exact, simplified again where they change it."""
    found = Pipeline((REASSOCIATE,)).run(graph)
    return graph if found is graph else DEFAULT.run(found)
