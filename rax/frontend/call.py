"""Running what was traced: graphs called like functions, lazy tensors evaluated, jit."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from rax.frontend.evaluation import evaluate_values, unbound_inputs
from rax.frontend.promotion import Handle, as_value
from rax.frontend.tensor import Tensor
from rax.frontend.trace import as_spec, trace
from rax.ir import dims, trail
from rax.ir.dims import Size, shape_text
from rax.ir.errors import BindingError
from rax.ir.graph import Graph, topological
from rax.ir.node import Input, Value
from rax.ir.tree import flatten, unflatten
from rax.ir.types import TensorType
from rax.ops.arrays import constant
from rax.runtime.binding import Binder, as_array
from rax.runtime.donation import Donate
from rax.runtime.executable import Executable, compile

P = ParamSpec("P")
R = TypeVar("R")
_JIT_CACHE = 256


def call_graph(graph: Graph, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run a graph on arrays, or put a copy of it into the graph being built.

    Args:
        graph: what to run.
        args: arguments by position, in the nest of ``graph.in_tree``.
        kwargs: arguments by name.

    Returns:
        The results in the nest of ``graph.out_tree``: NumPy arrays, or tensors if any argument
        holds a tensor that depends on an input, or a trace is going on. Other tensors count as
        the arrays they stand for, so that a loop that passes results on does not build graph.

    Raises:
        BindingError: the arguments do not fit the inputs.
        TreeError: an argument has another structure.
    """
    if _builds_graph(flatten((args, dict(kwargs)))[0]):
        return _inlined(graph, Binder(graph).leaves(args, kwargs))
    return compile(graph)(*args, **kwargs)


def _builds_graph(leaves: Sequence[Any]) -> bool:
    """Whether any leaf is a tensor of a graph being built."""
    handles = [leaf for leaf in leaves if isinstance(leaf, Handle)]
    return bool(handles) and (trail.tracing() or any(unbound_inputs(handle.value) for handle in handles))


def _inlined(graph: Graph, leaves: Sequence[Any]) -> Any:
    rows = zip(leaves, graph.in_types, graph.input_names, strict=True)
    values = [_operand(leaf, due, name) for leaf, due, name in rows]
    dim_values = _match_dims(graph.input_names, graph.in_types, values)
    return unflatten(graph.out_tree, map(Tensor, graph.inline(values, dim_values)))


def _operand(leaf: Any, due: TensorType, name: str) -> Value:
    if not isinstance(leaf, Handle):
        return constant(as_array(leaf, due, name))
    value = leaf.value
    if value.dtype is not due.dtype:
        raise BindingError(
            f"{name} is {value.dtype}, the graph takes {due.dtype}", fix=f"cast with rax.numpy.astype(x, {due.dtype})"
        )
    return value


def _match_dims(names: Sequence[str], types: Sequence[TensorType], values: Sequence[Value]) -> dict[str, Size]:
    """What the graph's named dims stand for; sizes, since the operands' may be symbolic too."""
    rows: list[tuple[str, TensorType, Value, Size, Size]] = []
    for name, due, value in zip(names, types, values, strict=True):
        if value.ndim != due.ndim:
            raise _misfit(name, due, value)
        rows += [(name, due, value, size, have) for size, have in zip(due.shape, value.shape, strict=True)]
    known: dict[str, Size] = {}
    for *_, size, have in rows:
        if list(dims.variables(size)) == [str(size)]:
            known.setdefault(str(size), have)
    numbers = {name: size for name, size in known.items() if isinstance(size, int)}
    for _ in rows:
        before = len(numbers)
        for *_, size, have in rows:
            if isinstance(have, int) and not known.keys() >= set(dims.variables(size)):
                dims.solve(size, have, numbers)
        if len(numbers) == before:
            break
        known |= numbers
    for name, due, value, size, have in rows:
        if dims.substitute(size, known) != have:
            raise _misfit(name, due, value)
    return known


def _misfit(name: str, due: TensorType, value: Value) -> BindingError:
    return BindingError(f"{name} has shape {shape_text(value.shape)}, the graph takes {shape_text(due.shape)}")


def evaluate(nest: Any, inputs: Mapping[str, Any] | None = None, backend: str = "numpy") -> Any:
    """Evaluate tensors, given arrays for the inputs they depend on.

    Args:
        nest: tensors in any nest; arrays and numbers in it stay what they are.
        inputs: an array for each input, by its name; names the tensors do not depend on are passed
            over, since a derivative need not depend on all that its function did.
        backend: what computes.

    Returns:
        NumPy arrays in the same nest.

    Raises:
        BindingError: an input has no value, or its value does not fit; no input fixes a symbolic
            size; or ``inputs`` is no dict.

    Example:
        >>> from rax.frontend.trace import input
        >>> x = input("x", ("n",))
        >>> evaluate({"double": x * 2}, {"x": [1, 2, 3]})
        {'double': array([2., 4., 6.], dtype=float32)}
    """
    if not isinstance(inputs, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # a list, often
        raise BindingError(
            f"evaluate takes its inputs by name, in a dict, not as a {type(inputs).__name__}",
            fix='write e.g. rax.evaluate(y, {"x": array})',
        )
    leaves, tree = flatten(nest)
    values = tuple(as_value(leaf) for leaf in leaves)
    found = tuple(node for node in topological(values) if isinstance(node.op, Input))
    if not found:
        return unflatten(tree, evaluate_values(values, backend))
    executable = _executable(found, values, backend)
    names = executable.graph.input_names
    given = {name: array for name, array in (inputs or {}).items() if name in names}
    return unflatten(tree, executable.run(executable.bind_named(given)))


@functools.lru_cache(maxsize=64)
def _executable(found: tuple[Value, ...], values: tuple[Value, ...], backend: str) -> Executable:
    """What computes values from the inputs they depend on."""
    graph = Graph(found, values)
    for position, name in enumerate(graph.input_names):
        if name in graph.input_names[:position]:
            raise BindingError(
                f"two inputs are called {name!r}, so a value given by name is ambiguous",
                fix="give each input a name of its own",
            )
    return compile(graph, backend)


class Jitted(Generic[P, R]):
    """A function that is traced once for each structure and type of its arguments.

    Made by :func:`jit`. On tensors of a graph being built it is the function itself.
    """

    def __init__(self, function: Callable[P, R], backend: str, options: Mapping[str, Any]) -> None:
        self.function = function
        self.backend = backend
        self.options = dict(options)
        self._cache: OrderedDict[Any, Executable] = OrderedDict()
        self._latest: Executable | None = None  # of arguments by position
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run on arrays; on tensors of a graph being built, call the function."""
        usual = None if kwargs or self._latest is None else self._latest.call_usual(args)
        if usual is not None:
            return usual[0]
        leaves, tree = flatten((args, kwargs))
        if _builds_graph(leaves):
            return self.function(*args, **kwargs)
        types = tuple(as_spec(leaf) for leaf in leaves)
        key = (tree, types)
        executable = self._cache.get(key)
        if executable is None:
            specs, named = unflatten(tree, types)
            graph = trace(self.function, *specs, **named)
            executable = self._cache[key] = compile(graph, self.backend, **self.options)
            if len(self._cache) > _JIT_CACHE:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        self._latest = None if kwargs else executable
        return executable(*args, **kwargs)


def jit(
    function: Callable[P, R],
    *,
    backend: str = "numpy",
    memory: int | str | None = None,
    donate: Donate = (),
) -> Jitted[P, R]:
    """A function that runs compiled on arrays, and builds graph where graph is being built.

    Args:
        function: a pure function of arrays in any nest. Numbers and bools are arrays to it too;
            bind what must stay a Python value with ``functools.partial`` or a lambda.
        backend: what computes.
        memory: what a call is to hold at once, such as ``"512MiB"``; see :func:`rax.compile`.
        donate: the arguments, by position or name, whose memory a call may write results over; they must not
            be used after it. See :func:`rax.compile`.

    Returns:
        A function of the same arguments: NumPy arrays in, NumPy arrays out. It is traced anew
        for each new structure, dtype and shape of its arguments.

    Example:
        >>> import numpy as np
        >>> double = jit(lambda x: x * 2)
        >>> double(np.arange(3.0))
        array([0., 2., 4.])
    """
    return Jitted(function, backend, {"memory": memory, "donate": donate})
