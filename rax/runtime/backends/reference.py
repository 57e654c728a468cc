"""The oracle as a backend: slow, and right by definition."""

from __future__ import annotations

from rax.ir.graph import Graph
from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.ops.arrays import Array
from rax.runtime.backends.base import Backend, Run
from rax.runtime.plan import Plan
from rax.runtime.reference import evaluate_graph


class ReferenceBackend(Backend):
    """Runs each operation's reference."""

    name = "reference"

    def prepare(self, graph: Graph) -> Graph:
        """The graph as it is."""
        return graph

    def takes(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """Every operation is run by its own reference, composites too."""
        del op, types
        return True

    def coverage(self, cls: type[Op]) -> str:
        """Every operation by its reference."""
        del cls
        return "reference"

    def build(self, plan: Plan, *, timed: bool = False) -> Run:
        """Evaluate node by node, which looks at the clock anyway; every output is copied."""
        del timed

        def run(arrays: list[Array]) -> list[Array]:
            return [array.copy() for array in evaluate_graph(plan.graph, arrays, plan.dim_values)]

        return run
