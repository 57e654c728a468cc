"""``compile`` and what it returns: a graph made ready to run on arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from rax.ir import services
from rax.ir.errors import BindingError, RaxError, ResourceError
from rax.ir.graph import Graph
from rax.ir.late import late
from rax.ir.tree import unflatten
from rax.ops.arrays import Array
from rax.runtime.backends import find_backend
from rax.runtime.backends.base import Backend, Run
from rax.runtime.binding import Binder
from rax.runtime.cache import Cache
from rax.runtime.deadline import OutOfTimeError, is_timed, time_limit
from rax.runtime.donation import Donate, donated_inputs, ready_to_write
from rax.runtime.orders import orders_of
from rax.runtime.plan import Plan
from rax.runtime.planning import make_plan
from rax.runtime.reference import out_of_time

if TYPE_CHECKING:
    from rax.runtime.front import Give, Take
    from rax.runtime.profile import Profile

_check_memory = late("rax.runtime.memory", "check_memory")
_parse_bytes = late("rax.runtime.amounts", "parse_bytes")
_giver = late("rax.runtime.front", "giver")  # for what runs more than once
_taker = late("rax.runtime.front", "taker")
_fitting = late("rax.runtime.remat", "fitting")  # where a budget of memory asks for it
KEPT_SIZES = 16
KEPT_PROGRAMS = 64


class Specialised:
    """A planned graph and what runs it, for the sizes it was last run with."""

    def __init__(self, graph: Graph, backend: Backend, memory: int | None, donated: Sequence[int]) -> None:
        self.plan = make_plan(
            backend.prepare(graph),
            backend.takes,
            backend.writes,
            backend.fuses,
            backend.places if backend.has_arena else None,
            backend.needs,
            donated,
            orders=orders_of(backend.name),
            fit=None if memory is None else partial(_fitting, memory),
        )
        self.dim_names = self.plan.dim_names
        self._backend = backend
        self._plans = Cache[tuple[int, ...], Plan](KEPT_SIZES)
        self._runs = Cache[tuple[int | bool, ...], Run](KEPT_SIZES)
        self._latest: tuple[tuple[int, ...], Run] | None = None  # of a run without a limit of time

    def plan_for(self, sizes: Mapping[str, int]) -> Plan:
        """The plan for sizes of its named dims."""
        key = tuple([sizes[name] for name in self.dim_names])
        return self._plans.get(key, lambda: self.plan.plan_for(**sizes))

    def run_for(self, sizes: tuple[int, ...]) -> Run:
        """What runs the plan for sizes of its named dims, in their order, and looks at the clock if time is limited."""
        latest = self._latest
        timed = is_timed()
        if latest is not None and latest[0] == sizes and not timed:
            return latest[1]
        values = dict(zip(self.dim_names, sizes, strict=True))
        run = self._runs.get((*sizes, timed), lambda: self._backend.build(self.plan_for(values), timed=timed))
        if not timed:
            self._latest = sizes, run
        return run


class Executable:
    """A graph made ready to run; what :func:`compile` returns.

    It may be called from several threads at once. The arrays it returns are the caller's own:
    writable, sharing no memory with arguments that are not donated, with the graph or with each other.

    Attributes:
        graph: what it runs.
        backend: the name of the backend.
        plan: the schedule, the buffers' lives and the peak memory.
        memory: the bytes that plans are fitted into; None for no budget.
        max_memory: the most bytes a call may hold at once; None for no limit.
        timeout: the most seconds a call may take; None for no limit.
        donated: the positions of the inputs whose memory a call may write results over.
    """

    def __init__(
        self,
        graph: Graph,
        backend: str,
        memory: int | None = None,
        max_memory: int | None = None,
        timeout: float | None = None,
        donate: Donate = (),
    ) -> None:
        self.graph = graph
        self.backend = backend
        self.memory = memory
        self.max_memory = max_memory
        self.timeout = timeout
        self._binder = Binder(graph)
        self.donated = donated_inputs(graph, donate)
        self._specialised = _specialised(graph, backend, memory, self.donated)
        self._take: Take = self._take_first
        self._give: Give = partial(unflatten, graph.out_tree)
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
            ResourceError: it would take more memory, or has taken more time, than is allowed.
        """
        usual = None if kwargs else self.call_usual(args)
        return self._give(self._call(self._binder.bind(args, kwargs))) if usual is None else usual[0]

    def call_usual(self, args: tuple[Any, ...]) -> tuple[Any] | None:
        """What a call gives, where nothing is there to convert, to look for or to refuse; else None.

        Args:
            args: one for each argument, in just the nest the graph was made with, of NumPy arrays of just
                the dtypes and shapes.
        """
        taken = self._take(args)
        if taken is None:
            return None
        arrays, sizes = taken
        return (self._give(self._run(arrays, sizes)),)

    def _take_first(self, args: tuple[Any, ...]) -> None:
        """A graph may be run once alone, which would not repay code of its own."""
        del args
        if self.max_memory is None and self.timeout is None:
            self._take = self._take_again

    def _take_again(self, args: tuple[Any, ...]) -> tuple[list[Array], tuple[int, ...]] | None:
        graph = self.graph
        self._give = _giver(graph.out_tree)
        self._take = _taker(graph.in_tree, graph.in_types, self._specialised.dim_names) or _take_none
        return self._take(args)

    def profile(self, *args: Any, runs: int = 11, **kwargs: Any) -> Profile:
        """Run several times, as a call does and step by step, and say where the time goes.

        Args:
            args: as in a call.
            runs: how many times count, after a first that does not; the figures are medians.
            kwargs: as in a call; an argument that is called ``runs`` is given by position.

        Returns:
            A :class:`rax.runtime.profile.Profile`: time, bytes and operations on numbers of each step, and by
            operation, scope and line. ``print`` shows tables, ``save_trace`` writes a file for Perfetto, and
            ``results`` are those of the call.

        Raises:
            BindingError: as a call does; ExecutionError and ResourceError too.

        Example:
            >>> import numpy as np
            >>> from rax.ir.node import new_input
            >>> from rax.ir.types import tensor_type
            >>> from rax.ops.contraction import MatMul
            >>> x = new_input("x", tensor_type(("n", 8)))
            >>> y = new_input("y", tensor_type((8, 2)))
            >>> exe = compile(Graph([x, y], [MatMul()(x, y)]))
            >>> found = exe.profile(np.ones((5, 8), np.float32), np.ones((8, 2), np.float32), runs=3)
            >>> found.total.flops, found.total.bytes, found.results.shape
            (160, 264, (5, 2))
        """
        found = self.profile_run(self._binder.bind(args, kwargs), runs)
        return found.with_results(self._give(found.results))

    def profile_run(self, arrays: list[Array], runs: int) -> Profile:
        """As :meth:`profile`, on one array for each input; its ``results`` are one for each output."""
        plan = self._specialised.plan_for(self._binder.dims(arrays))
        backend = find_backend(self.backend)

        def run(arrays: list[Array]) -> list[Array]:  # several times, on the same arrays
            return self.run([each.copy() if place in self.donated else each for place, each in enumerate(arrays)])

        return services.get("profile")(plan, backend, run, arrays, runs, self.timeout)

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
            ResourceError: it would take more memory, or has taken more time, than is allowed.
        """
        return self._call(list(arrays))

    def _call(self, arrays: list[Array]) -> list[Array]:
        """Run on a list that is ours to empty."""
        values = self._binder.dims(arrays)
        if self.max_memory is not None:
            _check_memory(self._specialised.plan_for(values), self.max_memory)
        sizes = tuple([values[name] for name in self._specialised.dim_names])
        if self.timeout is None:
            return self._run(arrays, sizes)
        with time_limit(self.timeout):
            return self._run(arrays, sizes)

    def _run(self, arrays: list[Array], sizes: tuple[int, ...]) -> list[Array]:
        if self.donated:
            ready_to_write(arrays, self.donated)
        try:
            return self._specialised.run_for(sizes)(arrays)
        except OutOfTimeError as error:  # outside any step
            raise out_of_time(error) from None
        except MemoryError as error:  # for the copies that are returned
            raise ResourceError(f"copying the results failed: there is not enough memory: {error}") from error

    def __repr__(self) -> str:
        return f"<Executable of {self.graph!r} on {self.backend}>"


def _take_none(args: tuple[Any, ...]) -> None:
    del args


# An executable holds its graph, so that the id of a graph found here is its own.
_executables = Cache[tuple[object, ...], Executable](KEPT_PROGRAMS)
_programs = Cache[tuple[object, ...], Specialised](KEPT_PROGRAMS)


def _specialised(graph: Graph, backend: str, memory: int | None, donated: tuple[int, ...]) -> Specialised:
    """Planned graphs are shared by structure; errors name source lines, so those count too."""
    key = (graph.digest, backend, memory, donated, tuple(graph.origins.values()))
    return _programs.get(key, lambda: Specialised(graph, find_backend(backend), memory, donated))


def compile(
    graph: Graph,
    backend: str = "numpy",
    *,
    memory: int | str | None = None,
    max_memory: int | None = None,
    timeout: float | None = None,
    donate: Donate = (),
) -> Executable:
    """Make a graph ready to run.

    Nothing is computed yet but what small constants alone determine. What is made is kept for graphs of the same
    digest and source lines; of the sizes of named dims, the last 16. Where the environment's ``RAX_CACHE_DIR`` names
    a folder, the order of large plans' steps, which takes longest to find, is kept there for later processes.

    Args:
        graph: what to run.
        backend: ``"numpy"``, or ``"reference"``, the oracle that backends are compared with.
        memory: bytes, also as ``"512MiB"``, that the plan is to hold at most: where it would hold more, values are
            computed again instead of kept, as ``plan.remat`` says; results stay the same, bit for bit but for large
            sums. What a loop keeps for the way back it keeps; see ``checkpoint`` of :func:`rax.scan`.
        max_memory: the most bytes a call may hold at once. It changes no plan: a call whose peak is more
            is refused before anything is allocated. Both limits count what the call makes, its results and the
            bodies of its loops and the scratch memory of its operations included; not its arguments and the
            constants of the graph.
        timeout: the most seconds that planning may take, and then each call. The clock is looked at before each
            operation and each round of a loop, so a call ends when the operation then running is done.
        donate: what a call may write results over: arguments by position or name, with all that is nested in them,
            or inputs by name. So a training step updates parameters in place. A donated array must not be used
            after the call; of one that is read-only, not C-contiguous or shared, a copy is used.

    Raises:
        RaxError: there is no such backend or argument, ``graph`` is no graph, or a limit is no such number.
        BindingError: the graph uses a size that no input fixes.
        ResourceError: planning took longer than ``timeout``, or no plan holds as little as ``memory``.

    Example:
        >>> import numpy as np
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
        >>> x = new_input("x", tensor_type("n"))
        >>> exe = compile(Graph([x], [add(x, x)]), max_memory=16, timeout=10)
        >>> exe(np.ones(3, np.float32))
        array([2., 2., 2.], dtype=float32)
        >>> exe.plan.plan_for(n=3).peak_bytes
        12
    """
    budget = _bytes(memory) if isinstance(memory, str) else memory
    _check(graph, budget, max_memory, timeout)
    find_backend(backend)
    donated = (donate,) if isinstance(donate, (int, str)) else tuple(donate)
    key = (id(graph), backend, budget, max_memory, timeout, donated)
    try:
        with time_limit(timeout):
            return _executables.get(key, lambda: Executable(graph, backend, budget, max_memory, timeout, donated))
    except OutOfTimeError as error:
        raise out_of_time(error, "while it was planned, before it ran") from None


def _bytes(memory: str) -> int:
    try:
        return _parse_bytes(memory)
    except ValueError as error:
        what, fix = str(error).rsplit(": ", 1)
        raise RaxError(f"memory: {what}", fix=fix) from None


def _check(graph: Any, memory: Any, max_memory: Any, timeout: Any) -> None:
    if not isinstance(graph, Graph):
        raise RaxError(
            f"compile takes a graph, not a {type(graph).__name__}",
            fix="trace a function with rax.trace, or use rax.jit; of a program take an entry",
        )
    for name, limit in (("memory", memory), ("max_memory", max_memory)):
        whole = isinstance(limit, int) and not isinstance(limit, bool)
        if limit is not None and not (whole and limit >= 0):
            fix = "give an int, such as 512 * 2**20" + (', or "512MiB"' if name == "memory" else "")
            raise RaxError(f"{name} is {limit!r}, which is no number of bytes", fix=fix)
    real = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (real and 0 < timeout < math.inf):
        raise RaxError(f"timeout is {timeout!r}, which is no number of seconds", fix="give a positive number")
