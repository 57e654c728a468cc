"""The oracle: evaluates a graph node by node with each operation's own NumPy reference.

Every backend is compared with it, so it is written for reading: no kernels, no rewriting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from rax.ir import dims
from rax.ir.errors import ExecutionError, ResourceError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Node, Operation, Value
from rax.ir.op import Op
from rax.ir.trail import NOWHERE, Origin
from rax.ir.types import TensorType
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.binding import resolve_dims
from rax.runtime.deadline import OutOfTimeError, check_time

LONGER = "allow more seconds as timeout, or give it less to do"

Evaluate = Callable[[Graph, list[Array]], list[Array]]


def evaluate_graph(graph: Graph, arrays: Sequence[Array], dim_values: Mapping[str, int] | None = None) -> list[Array]:
    """The outputs of a graph, from its operations' references.

    Args:
        graph: what to evaluate.
        arrays: one array for each input, of its dtype and shape.
        dim_values: what the named dims stand for; by default solved from the arrays' shapes.

    Returns:
        One array for each output; it may share memory with an input.

    Raises:
        BindingError: the arrays' shapes do not fit the inputs.
        ExecutionError: an operation failed, or returned what its type rule does not say.
        ResourceError: there was not enough memory, or a time limit is over.

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
        >>> x = new_input("x", tensor_type("n"))
        >>> evaluate_graph(Graph([x], [add(x, x)]), [np.ones(3, np.float32)])
        [array([2., 2., 2.], dtype=float32)]
    """
    if dim_values is None:
        dim_values = resolve_dims(graph.input_names, graph.in_types, [array.shape for array in arrays])
    with np.errstate(all="ignore"):
        return _evaluate(graph, list(arrays), dim_values)


def _evaluate(graph: Graph, arrays: list[Array], dim_values: Mapping[str, int]) -> list[Array]:
    check_time()  # for a body without a node too
    known: dict[Value, Array] = dict(zip(graph.inputs, arrays, strict=True))
    last = {value: node for node in graph.nodes for value in node.inputs}
    wanted = set(graph.outputs)
    for node in graph.nodes[len(graph.inputs) :]:
        operands = [known[value] for value in node.inputs]
        results = _run(node, operands, dim_values, graph.origins.get(node, NOWHERE))
        known.update(zip(node.outputs, results, strict=True))
        for value in (*node.inputs, *node.outputs):
            if last.get(value, node) is node and value not in wanted:
                known.pop(value, None)
    return [known[value] for value in graph.outputs]


def _run(node: Node, operands: list[Array], dim_values: Mapping[str, int], origin: Origin) -> list[Array]:
    if isinstance(node.op, Constant):
        return [cast("Array", node.op.literal.array)]
    try:
        check_time()
        op = cast("Op", node.op.substitute_dims(dim_values) if dim_values else node.op)
        results = [np.asarray(result) for result in run_reference(op, operands, _nested)]
        check_results(results, [concrete_type(type, dim_values) for type in node.types])
    except ExecutionError:
        raise
    except Exception as error:
        types = [concrete_type(value.type, dim_values) for value in node.inputs]
        raise failure(node.op, types, error, origin) from error
    return results


def _nested(graph: Graph, arrays: list[Array]) -> list[Array]:
    return _evaluate(graph, list(arrays), {})


def run_reference(op: Op, operands: Sequence[Array], evaluate: Evaluate) -> tuple[Any, ...]:
    """Every result of an operation's reference; ``evaluate`` runs the graphs it holds."""
    returned = op.reference_with(evaluate, *operands) if op.holds_graphs else op.reference(*operands)
    return cast("tuple[Any, ...]", returned) if isinstance(returned, tuple) else (returned,)


def concrete_type(type: TensorType, dim_values: Mapping[str, int]) -> TensorType:
    """A type with the named dims replaced by their values."""
    if all(isinstance(size, int) for size in type.shape):
        return type
    return type.with_shape(tuple(dims.evaluate(size, dim_values) for size in type.shape))


def check_results(results: Sequence[Array], due: Sequence[TensorType]) -> None:
    """Check that arrays are what a type rule says.

    Raises:
        ValueError: one is not.
    """
    for result, type in zip(results, due, strict=True):
        if result.dtype != numpy_dtype(type.dtype) or result.shape != type.shape:
            raise ValueError(f"it returned {result.dtype.name}{list(result.shape)} where its type rule says {type}")


def failure(op: Operation, types: Sequence[TensorType], error: Exception, origin: Origin) -> ExecutionError:
    """The error of an operation that failed on operands of these types, or of the step at which time was over."""
    operands = ", ".join(map(str, types))
    shown = op.name if isinstance(op, Op) and op.holds_graphs else repr(op)
    scope = f" in {'/'.join(origin.scope)}" if origin.scope else ""
    where = f"{shown}({operands}){scope}"
    if isinstance(error, OutOfTimeError):
        return out_of_time(error, where, origin.source)
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, MemoryError):
        why = "there is not enough memory" + (f": {why}" if str(error) else "")
        return ResourceError(f"{op.name} failed: {why}", where=where, source=origin.source)
    return ExecutionError(f"{op.name} failed: {why}", where=where, source=origin.source)


def out_of_time(error: OutOfTimeError, where: str = "", source: str = "") -> ResourceError:
    """The error of a run that took longer than it was given."""
    return ResourceError(
        f"stopped after {error.seconds:g} s, all the time it may take", where=where, source=source, fix=LONGER
    )
