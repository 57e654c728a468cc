"""A graph: inputs, outputs, the nest each side comes in, and where its nodes came from."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from rax.ir import dims, services, trail
from rax.ir.collector import paused
from rax.ir.dims import Dim, Size
from rax.ir.errors import RaxError, UnboundInputError, some
from rax.ir.node import Constant, Input, Literal, Node, Value, apply, new_input
from rax.ir.trail import NOWHERE, Origin
from rax.ir.tree import ARGUMENTS, LEAF_TREE, TUPLE, Tree, paths, unflatten
from rax.ir.types import DType, TensorType


def topological(outputs: Iterable[Value], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """The nodes outputs depend on, each after its operands; does not recurse.

    Args:
        outputs: the values asked for.
        stop: nodes for which it is true are left out, with what only they need.
    """
    met: set[Node] = set()
    order: dict[Node, None] = {}
    stack: list[Node] = [value.node for value in reversed(list(outputs))]
    while stack:
        node = stack[-1]
        if node in met:
            order.setdefault(stack.pop())
            continue
        if stop is not None and stop(node):
            stack.pop()
            continue
        met.add(node)
        for value in reversed(node.inputs):
            below = value.node
            if below not in met:
                stack.append(below)
    return list(order)


@paused()
def replace_values(outputs: Iterable[Value], new: Mapping[Value, Value]) -> tuple[Value, ...]:
    """Outputs rebuilt with some values replaced wherever they are used."""
    wanted = tuple(outputs)
    known = dict(new)
    same = all(old.type == value.type for old, value in new.items())
    with trail.pinning() as recorder:
        for node in topological(wanted):
            operands = tuple([known.get(value, value) for value in node.inputs])
            if operands == node.inputs:
                continue
            recorder.pinned = trail.origin_of(node)
            made = apply(node.op, operands, node.types if same else None)
            for old, value in zip(node.outputs, made.outputs, strict=True):
                known.setdefault(old, value)
    return tuple(known.get(value, value) for value in wanted)


class Graph:
    """A pure program from arrays to arrays, closed: it uses nothing but its inputs.

    Args:
        inputs: values of input nodes, in order.
        outputs: the results, in order.
        in_tree: the nest of the arguments; by default one argument an input.
        out_tree: the nest of the results; by default one leaf, or a tuple.
        output_names: a name for each output; by default from ``out_tree``.
        origins: where nodes came from.

    Raises:
        UnboundInputError: an output depends on an input that is not among ``inputs``.

    Attributes:
        nodes: every node, each after its operands; inputs first.

    Example:
        >>> import rax
        >>> graph = rax.trace(lambda x: x * 2, rax.spec(("n",)))
        >>> graph.input_names, graph.in_types, graph.out_types
        (('x',), (float32[n],), (float32[n],))
        >>> graph([1.0, 2.0])
        array([2., 4.], dtype=float32)
    """

    def __init__(
        self,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        in_tree: Tree | None = None,
        out_tree: Tree | None = None,
        output_names: Sequence[str] | None = None,
        origins: Mapping[Node, Origin] | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.input_names = tuple(_label(value) for value in self.inputs)
        self.in_tree = in_tree or Tree(ARGUMENTS, self.input_names, (LEAF_TREE,) * len(self.inputs))
        single = LEAF_TREE if len(self.outputs) == 1 else Tree(TUPLE, (), (LEAF_TREE,) * len(self.outputs))
        self.out_tree = out_tree or single
        names = paths(self.out_tree) if output_names is None else output_names
        self.output_names = tuple(name or "result" for name in names)
        mine = [value.node for value in self.inputs]
        known = set(mine)
        self.nodes: tuple[Node, ...] = (*mine, *topological(self.outputs, known.__contains__))
        self._check_closed(known)
        if origins is None:
            origins = {node: trail.origin_of(node) for node in self.nodes}
        self.origins = {n: origins[n] for n in self.nodes if origins.get(n, NOWHERE) is not NOWHERE}
        self._digest: str | None = None
        self._dims: tuple[str, ...] | None = None

    def _check_closed(self, known: set[Node]) -> None:
        if len(known) != len(self.inputs):
            raise RaxError("a graph has the same input twice")
        if (self.in_tree.leaf_count, self.out_tree.leaf_count) != (len(self.inputs), len(self.outputs)):
            raise RaxError("a graph's trees do not fit its inputs and outputs")
        for node in self.nodes:
            if isinstance(node.op, Input) and node not in known:
                raise UnboundInputError(
                    f"the result depends on the input {node.op.label!r}: {node.op.type}, which is not given",
                    source=trail.origin_of(node).source,
                    fix=f"make {node.op.label!r} an argument of the function, or give it a value",
                )

    @property
    def in_types(self) -> tuple[TensorType, ...]:
        """The type of each input."""
        return tuple(value.type for value in self.inputs)

    @property
    def specs(self) -> tuple[Any, ...]:
        """For each argument the nest of its types: what to trace a function with that calls this graph."""
        return unflatten(self.in_tree, self.in_types)

    @property
    def out_types(self) -> tuple[TensorType, ...]:
        """The type of each output."""
        return tuple(value.type for value in self.outputs)

    @property
    def states(self) -> dict[str, tuple[int, int]]:
        """Outputs whose name and type equal an input's: name to (input, output) position."""
        by_name = {name: index for index, name in enumerate(self.input_names)}
        return {
            name: (by_name[name], index)
            for index, name in enumerate(self.output_names)
            if name in by_name and self.in_types[by_name[name]] == self.out_types[index]
        }

    @property
    def digest(self) -> str:
        """A SHA-256 of the structure, types and constants; names and origins do not count."""
        if self._digest is None:
            self._digest = _digest(self)
        return self._digest

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        trees = self.in_tree == other.in_tree and self.out_tree == other.out_tree
        return self is other or (trees and self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        ins = some(self.inputs, text=lambda value: f"{_label(value)}: {value.type}")
        return f"<Graph ({ins}) -> {some(self.out_types)}, {len(self.nodes)} nodes>"

    def inline(self, values: Sequence[Value], dim_values: Mapping[str, Size] | None = None) -> tuple[Value, ...]:
        """The outputs as nodes over other values than the inputs.

        Args:
            values: one value for each input.
            dim_values: what the graph's named dims become.
        """
        return self.rebuild(values, dim_values, self.outputs)

    @paused()
    def rebuild(
        self, values: Sequence[Value], dim_values: Mapping[str, Size] | None, wanted: Sequence[Value]
    ) -> tuple[Value, ...]:
        """As :meth:`inline`, for any values of the graph."""
        new: dict[Value, Value] = dict(zip(self.inputs, values, strict=True))
        with trail.pinning() as recorder:
            outer = recorder.pinned
            if tuple(values) == self.inputs:
                elsewhere = outer or trail.here()
                recorder.adopt({node: self.origins.get(node, elsewhere) for node in self.nodes})
                return tuple(wanted)
            for node in self.nodes[len(self.inputs) :]:
                recorder.pinned = self.origins.get(node, outer)
                op = node.op.substitute_dims(dim_values) if dim_values else node.op
                operands = [new[value] for value in node.inputs]
                same = op is node.op and all(a.type == b.type for a, b in zip(operands, node.inputs, strict=True))
                made = apply(op, operands, node.types if same else None)
                new.update(zip(node.outputs, made.outputs, strict=True))
        return tuple(new[value] for value in wanted)

    def substitute_dims(self, values: Mapping[str, Size]) -> Graph:
        """The graph with named dims replaced."""
        if not any(name in values for name in self.dim_names):
            return self
        fresh = [
            new_input(name, t.with_shape(tuple(dims.substitute(size, values) for size in t.shape)))
            for name, t in zip(self.input_names, self.in_types, strict=True)
        ]
        return Graph(fresh, self.inline(fresh, values), self.in_tree, self.out_tree, self.output_names)

    @property
    def dim_names(self) -> tuple[str, ...]:
        """The named dims of every type, and of the operations with the graphs they hold, sorted."""
        if self._dims is None:
            found: set[str] = set()
            for node in self.nodes:
                for attribute in (*node.types, *node.op.key[1:]):
                    found.update(_dim_names(attribute))
            self._dims = tuple(sorted(found))
        return self._dims

    # Served by other layers, which register themselves (see rax.ir.services).

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on arrays, or inline on tensors; arguments by position or name."""
        return services.get("call")(self, args, kwargs)

    def draw(self, path: str, **options: Any) -> None:
        """Draw to ``.dot``, ``.svg``, ``.png`` or ``.pdf``."""
        services.get("draw")(self, path, **options)

    def to_networkx(self) -> Any:
        """The graph as a ``networkx.MultiDiGraph``."""
        return services.get("to_networkx")(self)

    def _repr_svg_(self) -> str | None:
        """An inline picture for notebooks; None where Graphviz is absent."""
        return services.get("svg")(self)

    def __str__(self) -> str:
        return services.get("text")(self)


def _label(value: Value) -> str:
    if not isinstance(value.node.op, Input):
        raise RaxError(f"a graph's input must be an input node, not {value!r}")
    return value.node.op.label


def _dim_names(attribute: Any) -> Iterable[str]:
    if isinstance(attribute, Graph):
        return attribute.dim_names
    if isinstance(attribute, Dim):
        return dims.variables(attribute)
    parts: Any = attribute.shape if isinstance(attribute, TensorType) else attribute
    if type(parts) is not tuple:
        return ()
    return [name for part in cast("tuple[Any, ...]", parts) for name in _dim_names(part)]


def framed(text: str) -> str:
    """A string as digests take it: how many bytes of UTF-8, a colon, the string."""
    return f"{len(text.encode('utf-8', 'surrogatepass'))}:{text}"


def _value_text(value: Any) -> str:
    """The value of an attribute as digests take it."""
    if value is None or type(value) is bool:
        return "nil" if value is None else "true" if value else "false"
    if type(value) is str:
        return framed(value)
    if type(value) is float:
        return f"float:{struct.pack('>d', math.nan if math.isnan(value) else value).hex()}"
    if type(value) is tuple:
        return f"[{','.join(map(_value_text, cast('tuple[Any, ...]', value)))}]"
    if isinstance(value, Graph):
        return f"graph:{value.digest}"
    if isinstance(value, Literal):
        return f"tensor:{value.type}:{value.digest.hex()}"
    tags = ((DType, "dtype:"), (Dim, "dim:"), (TensorType, "type:"))
    return next((tag for kind, tag in tags if isinstance(value, kind)), "") + str(value)


def _node_text(node: Node) -> str:
    """What a node applies, as digests take it."""
    stated = sorted(node.op.stated(tuple([value.type for value in node.inputs])).items())
    return f"{framed(node.op.name)}{{{','.join([f'{framed(name)}={_value_text(value)}' for name, value in stated])}}}"


def _digest(graph: Graph) -> str:
    """The SHA-256 that schemas/FORMAT.md defines, of a text with a line for each input, constant and node."""
    inputs = [value.node for value in graph.inputs]
    own = graph.nodes[len(inputs) :]
    literals = {node: node.op.literal for node in own if isinstance(node.op, Constant)}
    places = {node: -1 - place for place, node in enumerate((*inputs, *literals))}
    lines = ["rax graph 1", *[f"input {value.type}" for value in graph.inputs]]
    lines += [f"constant {literal.type} {literal.digest.hex()}" for literal in literals.values()]
    texts: dict[object, str] = {}
    count = 0
    for node in own:
        if node in literals:
            continue
        op, operands = node.op, node.inputs
        text = texts.get(id(op))
        if text is None:
            mine = getattr(op, "since", None) == 0  # its body depends on the types of its operands
            key = (id(op), *[value.type for value in operands]) if mine else id(op)
            text = texts[key] = texts.get(key) or _node_text(node)
        refs = [place if (place := places[each.node]) < 0 else count - place - each.index for each in operands]
        lines.append(" ".join([text, *map(str, refs)]))
        places[node] = count
        count += len(node.types)
    refs = [place if (place := places[each.node]) < 0 else count - place - each.index for each in graph.outputs]
    lines.append(" ".join(["return", *map(str, refs)]))
    return hashlib.sha256("".join([f"{line}\n" for line in lines]).encode("utf-8", "surrogatepass")).hexdigest()
