"""The value of a tensor that depends on no input, for those who ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from rax.ir import dims, trail
from rax.ir.dims import Dim
from rax.ir.errors import UnboundInputError
from rax.ir.graph import Graph, replace_values, topological
from rax.ir.node import Constant, Input, Node, Value, new_input
from rax.ir.op import Op
from rax.ops.arrays import Array
from rax.runtime.executable import compile

RETURN = "return the tensor from the traced function, or give the input a value with rax.evaluate"


def unbound_inputs(value: Value) -> list[Input]:
    """The inputs a value depends on, in order of first use."""
    return [node.op for node in topological((value,)) if isinstance(node.op, Input)]


def unbound_dims(value: Value) -> list[str]:
    """The named dims a value depends on, sorted."""
    found: set[str] = set()
    for node in topological((value,)):
        for size in _sizes(node):
            found.update(dims.variables(size))
    return sorted(found)


def _sizes(node: Node) -> list[Dim]:
    attributes = list(node.op.attributes().values()) if isinstance(node.op, Op) else []
    sizes = [size for node_type in node.types for size in node_type.shape]
    return [size for size in (*sizes, *attributes) if isinstance(size, Dim)]


def concrete(value: Value, asked: str, fix: str = RETURN) -> Array:
    """The elements of a value, computed if need be.

    Args:
        value: what is asked for.
        asked: who asks, as the subject of the message.
        fix: what to do if there is no value yet.

    Raises:
        UnboundInputError: the value depends on an input, or on a symbolic size.
    """
    if isinstance(value.node.op, Constant):
        return value.node.op.literal.array
    inputs = unbound_inputs(value)
    names = [f"{op.label!r}: {op.type}" for op in inputs]
    kind = "input"
    if not names:
        names, kind = unbound_dims(value), "symbolic size"
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise UnboundInputError(
            f"{asked} needs the value of a tensor {value.type}, which depends on the "
            f"{kind}{'s' * (len(names) > 1)} {', '.join(names[:3])}{more}",
            source=trail.here().source,
            fix=fix,
        )
    return evaluate_values((value,))[0]


def evaluate_values(values: Sequence[Value], backend: str = "numpy") -> list[Array]:
    """The elements of values that depend on no input.

    Constants with several elements become inputs, so that equal computations on other data
    find their compiled plan again.
    """
    constants = [node for node in topological(values) if isinstance(node.op, Constant) and node.op.literal.type.shape]
    inputs = [new_input(f"data{index}", value.type) for index, value in enumerate(constants)]
    results = replace_values(values, dict(zip(constants, inputs, strict=True)))
    arrays = [constant.node.op.literal.array for constant in constants if isinstance(constant.node.op, Constant)]
    return compile(Graph(inputs, results), backend).run(arrays)
