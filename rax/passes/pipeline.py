"""Lists of passes, and the one every graph goes through before it is planned.

Two environment variables help to find a rule that breaks a graph. ``RAX_CHECK=1`` verifies the
graph after each pass. ``RAX_FUEL=n`` stops after n rewrites of a graph and says on standard error which
was the last, so halving n finds the one that does the harm.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from rax.ir.errors import RaxError, VerificationError
from rax.ir.graph import Graph
from rax.ir.verify import verify
from rax.passes.canonical import CANONICAL
from rax.passes.control import CONTROL, PAIRS
from rax.passes.fold import folded
from rax.passes.merge import Merge
from rax.passes.rule import Fuel, Rewrite


class Pipeline(NamedTuple):
    """Passes, run one after another.

    Attributes:
        passes: in order.
    """

    passes: tuple[Rewrite | Merge, ...]

    def run(self, graph: Graph) -> Graph:
        """The graph after every pass; itself if none changes it.

        Raises:
            VerificationError: a rule changed a type, or with ``RAX_CHECK=1`` a pass left a graph
                that breaks a rule of the IR.
            RaxError: ``RAX_FUEL`` is no number.
        """
        fuel = Fuel(_amount())
        check = os.environ.get("RAX_CHECK") == "1"
        for index, each in enumerate(self.passes):
            graph = each.run(graph, fuel)
            if check:
                _verify(graph, [one.name for one in self.passes[: index + 1]])
        if fuel.amount is not None:
            sys.stderr.write(f"RAX_FUEL={fuel.amount}: {fuel.used} rewrites, the last: {fuel.last}\n")
        return graph


def _amount() -> int | None:
    text = os.environ.get("RAX_FUEL", "")
    if text and not text.isdecimal():
        raise RaxError(f"RAX_FUEL is {text!r}, which is no number of rewrites", fix="set it to 0 or more, or unset it")
    return int(text) if text else None


def _verify(graph: Graph, done: list[str]) -> None:
    try:
        verify(graph)
    except VerificationError as error:
        before = f" (run after {', '.join(done[:-1])})" if done[1:] else ""
        what = f"the pass {done[-1]}{before} left a graph in which {error.what}"
        raise VerificationError(what, where=error.where, source=error.source) from error


# One sweep for all rules, since each makes room for the others.
SIMPLIFY = Rewrite("simplify", (*CANONICAL, *CONTROL, folded))
DEFAULT = Pipeline((SIMPLIFY, Merge(PAIRS, SIMPLIFY)))


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
    return DEFAULT.run(graph)
