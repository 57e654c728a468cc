"""Operations of the user's own: a name, attributes, and the body that says what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rax.ir.errors import TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Value
from rax.ir.op import Key, exact
from rax.ir.types import TensorType
from rax.ops.arrays import Array
from rax.ops.families import Composite
from rax.ops.subgraphs import check_operands

Evaluate = Callable[[Graph, list[Array]], list[Array]]


class UserComposite(Composite):
    """A named function over arrays that carries its body, in files and text too.

    It is not registered, and what was made from another process's file is the same as what the
    defining code makes. A backend may take it whole by its name; the body says what is due.

    Args:
        name: has a dot, as no operation of the format has.
        options: the attributes by name; the body says what they come to, so they serve readers and
            backends.
        graph: the body, for operands of its input types.

    Raises:
        TypeInferenceError: the name has no dot, or an attribute has the body's name.
    """

    options: Mapping[str, Any]
    graph: Graph

    since = 0
    holds_graphs = True

    def __init__(self, name: str, options: Mapping[str, Any], graph: Graph) -> None:
        if "." not in name:
            raise TypeInferenceError(f"{name!r} cannot name an operation of your own", fix="use a name with a dot")
        if "body" in options:
            raise TypeInferenceError(f"{name}: an attribute cannot be called 'body', which its body is")
        ordered = dict(sorted(options.items()))
        exactly = tuple((each, exact(value)) for each, value in ordered.items())
        key = Key((UserComposite, name, exactly, graph))
        vars(self).update(name=name, options=ordered, graph=graph, key=key)

    def attributes(self) -> dict[str, Any]:
        """The user's attributes, and the body."""
        return {**self.options, "body": self.graph}

    def with_attributes(self, attributes: Mapping[str, Any]) -> UserComposite:
        """The operation with other attributes, body included."""
        options = dict(attributes)
        return UserComposite(self.name, options, options.pop("body"))

    def body(self, *types: TensorType) -> Graph:
        """The body, for operands of the types it was made for."""
        check_operands(self.name, self.graph, types)
        return self.graph

    def expand(self, *operands: Value) -> tuple[Value, ...]:
        """The body over operands."""
        return self.body(*[value.type for value in operands]).inline(operands)

    def reference_with(self, evaluate: Evaluate, *arrays: Array) -> tuple[Array, ...]:
        """What the body gives."""
        return tuple(evaluate(self.graph, list(arrays)))
