"""``compile`` and what it returns: a graph made ready to run on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rax.ir.errors import BindingError, RaxError
from rax.ir.graph import Graph
from rax.ir.tree import LEAF, unflatten
from rax.ops.arrays import Array
from rax.runtime.backends import find_backend
from rax.runtime.backends.base import Backend, Run
from rax.runtime.binding import Binder
from rax.runtime.cache import Cache
from rax.runtime.plan import Plan, make_plan

KEPT_SIZES = 16
KEPT_PROGRAMS = 64


class Specialised:
    """A planned graph and what runs it, for the sizes it was last run with."""

    def __init__(self, graph: Graph, backend: Backend) -> None:
        self.plan = make_plan(backend.prepare(graph), backend.takes)
        self.dim_names = self.plan.dim_names
        self._backend = backend
        self._runs = Cache[tuple[int, ...], Run](KEPT_SIZES)

    def run_for(self, sizes: Mapping[str, int]) -> Run:
        """The function that runs the plan for sizes of its named dims."""
        key = tuple([sizes[name] for name in self.dim_names])
        return self._runs.get(key, lambda: self._backend.build(self.plan.plan_for(**sizes)))


class Executable:
    """A graph made ready to run; what :func:`compile` returns.

    It may be called from several threads at once. The arrays it returns are the caller's own:
    writable, sharing no memory with arguments, with the graph or with each other.

    Attributes:
        graph: what it runs.
        backend: the name of the backend.
        plan: the schedule, the buffers' lives and the peak memory.
    """

    def __init__(self, graph: Graph, backend: str) -> None:
        self.graph = graph
        self.backend = backend
        self._binder = Binder(graph)
        self._specialised = _specialised(graph, backend)
        self.plan: Plan = self._specialised.plan
        unknown = [name for name in self._specialised.dim_names if name not in self._binder.dim_names]
        if unknown:
            raise BindingError(
                f"no input fixes the size {unknown[0]!r} that the graph uses", fix="give that size a number"
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on arrays in the nest of the graph's arguments, by position or name.

        Returns:
            NumPy arrays in the nest of the graph's results.

        Raises:
            BindingError: an argument is missing, unknown, or of the wrong dtype or shape.
            ExecutionError: an operation failed.
        """
        results = self.run(self._binder.bind(args, kwargs))
        tree = self.graph.out_tree
        return results[0] if tree.kind == LEAF else unflatten(tree, results)

    def bind_named(self, inputs: Mapping[str, Any]) -> list[Array]:
        """One array for each input, from arrays by input name such as ``params.w1``.

        Raises:
            BindingError: a name is missing or unknown, or an array has the wrong dtype or shape.
        """
        return self._binder.bind_named(inputs)

    def run(self, arrays: list[Array]) -> list[Array]:
        """Run on one array for each input, of its dtype, rank and fixed sizes; one for each output.

        Raises:
            BindingError: the sizes of named dims disagree.
            ExecutionError: an operation failed.
        """
        return self._specialised.run_for(self._binder.dims(arrays))(list(arrays))

    def __repr__(self) -> str:
        return f"<Executable of {self.graph!r} on {self.backend}>"


# An executable holds its graph, so that the id of a graph found here is its own.
_executables = Cache[tuple[int, str], Executable](KEPT_PROGRAMS)
_programs = Cache[tuple[object, ...], Specialised](KEPT_PROGRAMS)


def _specialised(graph: Graph, backend: str) -> Specialised:
    """Planned graphs are shared by structure; errors name source lines, so those count too."""
    key = (graph.digest, backend, tuple(graph.origins.values()))
    return _programs.get(key, lambda: Specialised(graph, find_backend(backend)))


def compile(graph: Graph, backend: str = "numpy") -> Executable:
    """Make a graph ready to run.

    Nothing is computed yet, and what is made is kept for the next time. Each combination of
    sizes of the named dims is specialised when it is first met; the last 16 are kept.

    Args:
        graph: what to run.
        backend: ``"numpy"``, or ``"reference"`` for the oracle that backends are compared with.

    Raises:
        RaxError: there is no such backend, or ``graph`` is no graph.
        BindingError: the graph uses a size that no input fixes.

    Example:
        >>> import numpy as np
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
        >>> x = new_input("x", tensor_type("n"))
        >>> exe = compile(Graph([x], [add(x, x)]))
        >>> exe(np.ones(3, np.float32))
        array([2., 2., 2.], dtype=float32)
        >>> exe.plan.plan_for(n=3).peak_bytes
        12
    """
    if not isinstance(graph, Graph):  # pyright: ignore[reportUnnecessaryIsInstance]  # users have no checker
        raise RaxError(
            f"compile takes a graph, not a {type(graph).__name__}",
            fix="trace a function with rax.trace, or use rax.jit; of a program take an entry",
        )
    find_backend(backend)
    return _executables.get((id(graph), backend), lambda: Executable(graph, backend))
