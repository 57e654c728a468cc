"""What every transform of a function shares: arguments captured as fresh inputs, and dispatch.

A transform is written once, from tensors to tensors. Of a graph it becomes a graph; called on
arrays it is evaluated; called on tensors it builds graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex, TypeGuard, cast

import numpy as np

from rax.frontend.call import evaluate
from rax.frontend.promotion import is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.frontend.trace import Capture, capture, graph_of
from rax.ir import trail
from rax.ir.errors import DerivativeError, TreeError, UnboundInputError
from rax.ir.graph import Graph, replace_values, topological
from rax.ir.node import Input, Value
from rax.ir.program import Program
from rax.ir.tree import Tree, flatten, unflatten

Function = Callable[..., Any]
Argnums = int | Sequence[int]


def is_array(leaf: object) -> bool:
    """Whether a leaf holds numbers, as tensors, arrays and Python numbers do."""
    return isinstance(leaf, Tensor) or is_number(leaf) or hasattr(leaf, "__array__") or hasattr(leaf, "__dlpack__")


def is_index(x: object) -> TypeGuard[SupportsIndex]:
    """Whether ``x`` is an integer, Python's or NumPy's."""
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def transformed(function: Function, build: Callable[..., Any], name: str) -> Any:
    """``build`` (from tensors to tensors) as a transform of a function or of a graph."""
    if isinstance(function, Graph):
        names = cast("tuple[str, ...]", function.in_tree.keys)
        return graph_of(capture(build, function.specs, names, function.inputs))

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        if any(isinstance(leaf, Tensor) for leaf in leaves):
            return build(*args, **kwargs)
        tensors = [as_tensor(leaf) if is_array(leaf) and not is_number(leaf) else leaf for leaf in leaves]
        new_args, new_kwargs = unflatten(tree, tensors)
        return evaluated(build(*new_args, **new_kwargs), name)

    if not callable(function):
        entry = ": take an entry, as in program['loss']" if isinstance(function, Program) else ""
        raise TypeError(f"{name} takes a function or a rax.Graph, not {type(function).__name__}{entry}")
    return wrapper


def evaluated(nest: Any, name: str) -> Any:
    """The arrays of tensors that a transform, called on arrays, gives.

    Within a trace what depends on an input stays a tensor: the function closed over one of that trace.

    Raises:
        UnboundInputError: a tensor depends on an input, which may be one of a trace long over.
    """
    values = [leaf.value for leaf in flatten(nest)[0] if isinstance(leaf, Tensor)]
    for node in topological(values):
        if isinstance(node.op, Input):
            if trail.tracing():
                return nest
            raise UnboundInputError(
                f"{name} was called on arrays, but its result depends on the input {node.op.label!r}: {node.op.type}",
                source=trail.here().source,
                fix=f"call it on tensors, and evaluate the result with a value for {node.op.label!r}; "
                "a tensor cannot leave the trace it was made in",
            )
    return evaluate(nest)


@dataclass(frozen=True)
class Captured:
    """A function captured over inputs of its own in place of some arguments.

    Attributes:
        part: inputs and outputs of the capture.
        values: what the inputs stand for.
        trees: the nest of each captured argument.
        aux: the second result, where the function gives one.
        aux_tree: its nest.
    """

    part: Capture
    values: tuple[Value, ...]
    trees: tuple[Tree, ...]
    aux: tuple[Value, ...]
    out_tree: Tree
    outputs: tuple[Value, ...]
    aux_tree: Tree | None

    def at_values(self, results: Sequence[Value]) -> tuple[Value, ...]:
        """Results over the captured inputs, over the true values."""
        if self.part.inputs == self.values:
            return tuple(results)
        return replace_values(results, dict(zip(self.part.inputs, self.values, strict=True)))


def capture_arguments(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], chosen: Sequence[int], has_aux: bool = False
) -> Captured:
    """Capture a function over inputs of its own in place of the chosen arguments.

    They are fresh, so that what the function closes over is not varied. A graph closes over nothing, and
    on inputs that differ it is captured as it is.

    Raises:
        DerivativeError: a chosen argument holds something that is no array.
        TreeError: with ``has_aux``, the function returns no pair.
    """
    flat = [flatten(args[index]) for index in chosen]
    trees = tuple(tree for _, tree in flat)
    for index, (leaves, _) in zip(chosen, flat, strict=True):
        for leaf in leaves:
            if not is_array(leaf):
                raise DerivativeError(f"argument {index} holds a {type(leaf).__name__}, which is no array")
    values = tuple(as_tensor(leaf).value for leaves, _ in flat for leaf in leaves)
    types = iter([value.type for value in values])
    specs = [unflatten(tree, [next(types) for _ in range(tree.leaf_count)]) for tree in trees]

    def chosen_only(*given: Any) -> Any:
        full_args, named = fresh_handles((list(args), kwargs))
        for index, argument in zip(chosen, given, strict=True):
            full_args[index] = argument
        return function(*full_args, **named)

    as_it_is = isinstance(function, Graph) and _distinct_inputs((args, kwargs))
    part = capture(chosen_only, specs, [f"argument{index}" for index in chosen], values if as_it_is else None)
    trail.recorder().adopt(part.recorder.table)
    if not has_aux:
        return Captured(part, values, trees, (), part.out_tree, part.outputs, None)
    if len(part.out_tree.children) != 2:
        raise TreeError("with has_aux=True the function returns a pair (result, aux)")
    first, second = part.out_tree.children
    count = first.leaf_count
    return Captured(part, values, trees, part.outputs[count:], first, part.outputs[:count], second)


def _distinct_inputs(nest: Any) -> bool:
    """Whether every leaf is a tensor that stands for an input, each for one of its own."""
    leaves = flatten(nest)[0]
    values = [leaf.value for leaf in leaves if isinstance(leaf, Tensor) and isinstance(leaf.value.node.op, Input)]
    return len(set(values)) == len(leaves)


def fresh_handles(nest: Any) -> Any:
    """A nest with handles of its own, so that ``x[i] = v`` in a traced function rebinds no handle outside."""
    leaves, tree = flatten(nest)
    return unflatten(tree, [Tensor(leaf.value) if isinstance(leaf, Tensor) else leaf for leaf in leaves])


def tensors(tree: Tree, values: Sequence[Value]) -> Any:
    """Values as tensors in a nest."""
    return unflatten(tree, [Tensor(value) for value in values])


def argument_indices(argnums: Argnums, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The positions ``argnums`` names, counted from the front.

    Raises:
        DerivativeError: there is no such argument, or ``argnums`` holds no ints.
    """
    indices = (argnums,) if is_index(argnums) else argnums
    if not isinstance(indices, (list, tuple, range)) or not all(map(is_index, indices)):
        raise DerivativeError(
            f"argnums is an int or a sequence of ints, not {argnums!r}",
            source=trail.here().source,
            fix="count the arguments from 0; close over those given by name",
        )
    indices = tuple(index.__index__() for index in indices)
    for index in indices:
        if not -len(args) <= index < len(args):
            raise DerivativeError(f"argnums has {index}, but the function was given {len(args)} arguments")
    return tuple(index % len(args) for index in indices)


def by_argument(trees: Sequence[Tree], values: Sequence[Value], argnums: Argnums) -> Any:
    """Values as one nest of tensors an argument: a tuple, or just that of a single ``int``."""
    rest = iter(values)
    parts = tuple(tensors(tree, [next(rest) for _ in range(tree.leaf_count)]) for tree in trees)
    return parts[0] if is_index(argnums) else parts
