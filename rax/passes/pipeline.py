"""Lists of passes.

Two environment variables help to find a rule that breaks a graph. ``RAX_CHECK=1`` verifies the
graph after each pass. ``RAX_FUEL=n`` stops after n rewrites of a graph and says on standard error which
was the last, so halving n finds the one that does the harm.
"""

from __future__ import annotations

import os
import sys
from typing import Protocol

from rax.ir.errors import RaxError, VerificationError
from rax.ir.graph import Graph
from rax.ir.late import late
from rax.ir.record import Record
from rax.passes.rule import Fuel

_run_verify = late("rax.ir.verify", "verify")  # with RAX_CHECK alone


class Pass(Protocol):
    """What makes a graph of another that means the same."""

    @property
    def name(self) -> str:
        """What it is called in errors."""
        ...

    def run(self, graph: Graph, fuel: Fuel) -> Graph:
        """The new graph; itself if nothing changes."""
        ...


class Pipeline(Record):
    """Passes, run one after another.

    Attributes:
        passes: in order.
    """

    passes: tuple[Pass, ...]

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
        _run_verify(graph)
    except VerificationError as error:
        before = f" (run after {', '.join(done[:-1])})" if done[1:] else ""
        what = f"the pass {done[-1]}{before} left a graph in which {error.what}"
        raise VerificationError(what, where=error.where, source=error.source) from error
