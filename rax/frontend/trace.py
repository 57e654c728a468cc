"""From a Python callable to a graph: specs, inputs, tracing, and the capture transforms build on."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rax.frontend.evaluation import unbound_inputs
from rax.frontend.promotion import Handle, as_value, is_number, number_kind
from rax.frontend.tensor import Tensor
from rax.ir import trail
from rax.ir.dims import Dim
from rax.ir.errors import RaxError, TreeError, TypeInferenceError, UnboundInputError
from rax.ir.graph import Graph, topological
from rax.ir.node import Constant, Input, Node, Value, apply, new_input
from rax.ir.trail import NOWHERE, Origin, Recorder
from rax.ir.tree import ARGUMENTS, Key, Tree, flatten, paths, unflatten
from rax.ir.types import TensorType, as_dtype, float32, tensor_type

ShapeLike = Iterable[int | str | Dim] | int | str | Dim


def spec(shape: ShapeLike, dtype: object = float32) -> TensorType:
    """Describe an argument to trace with.

    Args:
        shape: sizes; a string names a symbolic one, or is an expression such as ``"2*n + 1"``.
        dtype: the element type.

    Example:
        >>> spec(("batch", 64)), spec((), "int64")
        (float32[batch, 64], int64[])
    """
    return tensor_type(shape, dtype)


def input(name: str, shape: ShapeLike, dtype: object = float32) -> Tensor:
    """A tensor that stands for data given later, by name, to :func:`rax.evaluate`.

    Args:
        name: the name it is given by.
        shape: sizes; a string names a symbolic one.
        dtype: the element type.

    Raises:
        TypeInferenceError: the name is no string.

    Example:
        >>> input("x", ("batch", 64))
        <Tensor float32[batch, 64] of x>
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # easily given second
        raise TypeInferenceError(
            f"an input's name is a string, not {name!r}",
            source=trail.here().source,
            fix='give the name first, as in rax.input("x", (3,))',
        )
    return Tensor(new_input(name, tensor_type(shape, dtype)))


def param(name: str, shape: ShapeLike, dtype: object = float32) -> Tensor:
    """A tensor that stands for a trained parameter; to the graph, an input like any other.

    Which inputs are trained is decided where a gradient is taken (``loss.backward(params)``);
    the separate name tells the reader of a model.

    Args:
        name: the name it is given by.
        shape: sizes; a string names a symbolic one.
        dtype: the element type.

    Example:
        >>> param("w", (64, 10))
        <Tensor float32[64, 10] of w>
    """
    return input(name, shape, dtype)


def as_spec(leaf: Any, what: str = "an argument") -> TensorType:
    """The type of an argument's leaf: a spec, tensor, array or Python number.

    Raises:
        TypeInferenceError: the leaf is nothing of the kind.
    """
    if isinstance(leaf, TensorType):
        return leaf
    if isinstance(leaf, Handle):
        return leaf.value.type
    if is_number(leaf):
        return TensorType(number_kind(leaf), ())
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if shape is None or dtype is None or isinstance(leaf, type):
        raise TypeInferenceError(
            f"{what} must be a spec, tensor, array or number, not {leaf!r}",
            fix="bind what is no array with functools.partial or a lambda",
        )
    return TensorType(as_dtype(np.dtype(dtype) if isinstance(leaf, np.generic) else dtype), tuple(map(int, shape)))


@dataclass(frozen=True)
class Capture:
    """A traced function, before it is closed.

    Attributes:
        inputs: fresh input values, one for each leaf of the arguments.
        outputs: the results.
        in_tree: the nest of the arguments, of kind ``"arguments"``.
        out_tree: the nest of the results.
        recorder: knows which nodes were made in the trace, and where.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    in_tree: Tree
    out_tree: Tree
    recorder: Recorder

    @functools.cached_property
    def free(self) -> tuple[Value, ...]:
        """What the function uses from outside, in order of first use.

        That is values that no node of this trace computes, that are no inputs of it, and no constants.
        """
        own = {value.node for value in self.inputs}

        def outside(node: Node) -> bool:
            return not self.recorder.owns(node) or isinstance(node.op, (Input, Constant))

        order = topological(self.outputs, outside)
        own.update(order)
        used = (*[value for node in order for value in node.inputs], *self.outputs)
        wanted = (value for value in used if value.node not in own and not isinstance(value.node.op, Constant))
        return tuple(dict.fromkeys(wanted))


def capture(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    names: Sequence[str] | None = None,
    inputs: Sequence[Value] | None = None,
) -> Capture:
    """Run a function on inputs of its own and note what it computes and what it closes over.

    Args:
        function: called with one nest of tensors for each argument.
        arguments: nests whose leaves are :class:`TensorType`.
        names: a name for each argument; by default those of the function's signature.
        inputs: an input for each leaf, where the function closes over nothing that depends on
            them, as a graph does; by default fresh ones.

    Raises:
        TypeInferenceError: a result is no tensor, array or number.
    """
    names = positional_names(function, len(arguments)) if names is None else tuple(names)
    flat = [flatten(argument) for argument in arguments]
    types = [cast("TensorType", leaf) for leaves, _ in flat for leaf in leaves]
    in_tree = Tree(ARGUMENTS, cast("tuple[Key, ...]", tuple(names)), tuple(tree for _, tree in flat))
    with trail.recording() as recorder:
        if inputs is None:
            inputs = [new_input(label, t) for label, t in zip(paths(in_tree), types, strict=True)]
        else:
            for value in inputs:
                recorder.created(value.node)
        result = function(*unflatten(in_tree, map(Tensor, inputs)))
        leaves, out_tree = flatten(result)
        outputs = tuple(_result(leaf, path) for leaf, path in zip(leaves, paths(out_tree), strict=True))
    return Capture(tuple(inputs), outputs, in_tree, out_tree, recorder)


def _result(leaf: Any, path: str) -> Value:
    try:
        return as_value(leaf)
    except RaxError as error:
        place = f"the result {path!r}" if path else "the result"
        raise TypeInferenceError(
            f"{place} of a traced function must be a tensor, array or number, not {leaf!r}", fix=error.fix
        ) from None


def close(captured: Capture, extra_free: Sequence[Value] | None = None) -> Graph:
    """A closed graph of a capture: what it closed over become its first inputs.

    Args:
        captured: the traced function.
        extra_free: the values to lift, in order, where not exactly ``captured.free``: a superset,
            so that several functions take the same operands.

    Returns:
        A graph with inputs ``(free…, inputs…)``.
    """
    free = captured.free if extra_free is None else tuple(extra_free)
    fresh = tuple(new_input(f"free{index}", value.type) for index, value in enumerate(free))
    replaced = dict(zip(free, fresh, strict=True))
    outputs = _substitute(captured.outputs, replaced, captured.recorder) if replaced else captured.outputs
    in_tree = Tree(
        ARGUMENTS,
        (*[f"free{index}" for index in range(len(free))], *captured.in_tree.keys),
        (*[flatten(value)[1] for value in free], *captured.in_tree.children),
    )
    origins = _origins(outputs, captured.recorder)
    return Graph((*fresh, *captured.inputs), outputs, in_tree, captured.out_tree, origins=origins)


def _origins(outputs: Sequence[Value], recorder: Recorder) -> Mapping[Node, Origin]:
    known: Mapping[Node, Origin] = recorder.table
    return {node: known.get(node) or trail.origin_of(node) for node in topological(outputs)}


def _substitute(outputs: Sequence[Value], replaced: dict[Value, Value], recorder: Recorder) -> tuple[Value, ...]:
    """Outputs with values replaced below them; what does not depend on those stays as it is."""
    cut = {value.node for value in replaced}
    new = dict(replaced)
    with trail.pinning() as active:
        for node in topological(outputs, cut.__contains__):
            if any(value in new for value in node.inputs):
                active.pinned = recorder.table.get(node, NOWHERE)
                made = apply(node.op, [new.get(value, value) for value in node.inputs], node.types)
                new.update(zip(node.outputs, made.outputs, strict=True))
    return tuple(new.get(value, value) for value in outputs)


def trace(function: Callable[..., Any] | Graph, *specs: Any, **named: Any) -> Graph:
    """Trace a function of nested arrays into a graph.

    Args:
        function: a pure function of tensors in any nest; or a graph, which is specialised.
        *specs: for each argument a nest of specs, example arrays, numbers or tensors, of which
            only the types count.
        **named: the same for arguments given by name.

    Returns:
        A graph with the arguments' names; an input is called by its path, such as ``params.w1``.

    Raises:
        UnboundInputError: the result depends on a tensor from outside.

    Example:
        >>> graph = trace(lambda x: x * 2 + 1, spec(("n",)))
        >>> graph.input_names, graph.out_types
        (('x',), (float32[n],))
    """
    if isinstance(function, Graph) and not specs and not named:
        return function
    arguments, names, call = bind_arguments(function, specs, named)
    types = [as_specs(argument, name) for argument, name in zip(arguments, names, strict=True)]
    return graph_of(capture(call, types, names))


def graph_of(captured: Capture) -> Graph:
    """The graph of a capture that closes over nothing.

    Raises:
        UnboundInputError: it closes over a tensor that depends on an input, which may be one of
            another trace, kept beyond its end.
    """
    origins: Mapping[Node, Origin] = captured.recorder.table
    try:
        return Graph(captured.inputs, captured.outputs, captured.in_tree, captured.out_tree, origins=origins)
    except UnboundInputError:
        for value in captured.free:
            for operation in unbound_inputs(value):
                raise UnboundInputError(
                    f"the result depends on the input {operation.label!r}: {operation.type}, which is no argument "
                    "of the traced function",
                    source=_first_use(captured, value),
                    fix=f"make {operation.label!r} an argument; a tensor cannot leave the trace it was made in",
                ) from None
        raise


def _first_use(captured: Capture, value: Value) -> str:
    """The user's line that first uses a value from outside."""
    known: Mapping[Node, Origin] = captured.recorder.table
    uses = (known.get(node) for node in topological(captured.outputs) if value in node.inputs)
    return next((origin.source for origin in uses if origin is not None), "")


def as_specs(argument: Any, name: str) -> Any:
    """An argument with every leaf replaced by its type."""
    leaves, tree = flatten(argument)
    return unflatten(
        tree, [as_spec(leaf, f"argument {path!r}") for leaf, path in zip(leaves, paths(tree, name), strict=True)]
    )


def positional_names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """Names for a function's first arguments, from its signature; ``arg0``, ``arg1`` where it has none."""
    return _names(_signature(function), count)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _names(signature: inspect.Signature | None, count: int) -> tuple[str, ...]:
    names: list[str] = []
    for parameter in signature.parameters.values() if signature else ():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}{index}" for index in range(count - len(names))]
    names += [f"arg{index}" for index in range(len(names), count)]
    return tuple(names[:count])


def bind_arguments(
    function: Callable[..., Any], args: Sequence[Any], named: Mapping[str, Any]
) -> tuple[list[Any], tuple[str, ...], Callable[..., Any]]:
    """Arguments by position and name as one list, their names, and the function of that list.

    Raises:
        TreeError: the function does not take these arguments.
    """
    if isinstance(function, Graph):
        keys = cast("tuple[str, ...]", function.in_tree.keys)
        names = (*keys[: len(args)], *named)
    else:
        signature = _signature(function)
        if signature is not None:
            try:
                signature.bind(*args, **named)
            except TypeError as error:
                raise TreeError(f"{_title(function)} cannot take these arguments: {error}") from None
        names = (*_names(signature, len(args)), *named)

    def call(*values: Any) -> Any:
        return function(*values[: len(args)], **dict(zip(named, values[len(args) :], strict=True)))

    return [*args, *named.values()], names, call


def _title(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
