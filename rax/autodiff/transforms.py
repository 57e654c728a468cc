"""The four transforms of whole graphs, bound together for operations that hold graphs."""

from __future__ import annotations

from rax.autodiff.batch import batch_graph
from rax.autodiff.jvp import jvp_graph
from rax.autodiff.linearize import linearize_graph
from rax.autodiff.transpose import transpose_graph
from rax.ir.dims import Size
from rax.ir.graph import Graph


class GraphTransforms:
    """``rax.ir.op.Transforms``, each method handing itself on to the graphs inside."""

    def jvp(self, graph: Graph, active: tuple[bool, ...]) -> tuple[Graph, tuple[bool, ...]]:
        """See :func:`rax.autodiff.jvp.jvp_graph`."""
        return jvp_graph(self, graph, active)

    def linearize(self, graph: Graph, active: tuple[bool, ...]) -> tuple[Graph, Graph, tuple[bool, ...]]:
        """See :func:`rax.autodiff.linearize.linearize_graph`."""
        return linearize_graph(self, graph, active)

    def transpose(self, graph: Graph, linear: tuple[bool, ...]) -> Graph:
        """See :func:`rax.autodiff.transpose.transpose_graph`."""
        return transpose_graph(self, graph, linear)

    def batch(
        self, graph: Graph, size: Size, batched: tuple[bool, ...], force: tuple[bool, ...] | None = None
    ) -> tuple[Graph, tuple[bool, ...]]:
        """See :func:`rax.autodiff.batch.batch_graph`."""
        return batch_graph(self, graph, size, batched, force)


TRANSFORMS = GraphTransforms()
