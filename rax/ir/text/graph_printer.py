"""The text form of a graph: written here, read by :mod:`rax.ir.text.graph_parser`.

::

    graph (x: float32[batch, 64], w: float32[64, 32]) -> (result: float32[]) {
      %0 = matmul(x, w) : float32[batch, 32]
      %1 = maximum(%0, float32(0.0)) : float32[batch, 32]
      %2 = sum(%1)[axes=(0, 1)] : float32[]
      return %2
    }

One node a line: ``%n`` is its result, ``%n.i`` result ``i`` of several. Inputs go by name, ``@i``
where a name is taken twice. A scalar constant stands where it is used, as ``float32(0.5)``;
elements no decimal gives back exactly are ``hex:`` bytes, and large data is a ``sha256:``
digest. A graph an operation holds is indented below it. The nests of arguments and results
follow the brace, where they are not the plain ones. ``at`` says where the nodes after it came
from. ``#`` starts a comment. The grammar is ``schemas/TEXT.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from rax.ir.dims import Dim
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Input, Literal, Node, Value
from rax.ir.op import Op
from rax.ir.text import numerals
from rax.ir.text.scanner import NAME
from rax.ir.trail import NOWHERE, Origin
from rax.ir.tree import ARGUMENTS, DICT, LEAF_TREE, LIST, NONE_TREE, ORDERED, TUPLE, Key, Tree
from rax.ir.types import DTYPES, DType, TensorType

MAX_INLINE_ELEMENTS = 32
"""Constants of more elements are printed as a digest."""
LINE_WIDTH = 100

WORDS = frozenset((*DTYPES, "True", "False", "None", "inf", "nan", "graph", "dim"))
"""Words that mean something as an attribute, so that no bare dim may contain them."""
_BARE_DIM = re.compile(r"[A-Za-z0-9_-][^()]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def print_graph(graph: Graph, *, origins: bool = False) -> str:
    """The text form; ``parse_graph`` gives the same graph back.

    Args:
        graph: the graph.
        origins: say where inputs and nodes came from.

    Raises:
        RaxError: an operation has an attribute that has no text form.

    Example:
        >>> import rax.ops
        >>> from rax.ir.node import new_input
        >>> from rax.ir.op import REGISTRY
        >>> from rax.ir.types import tensor_type
        >>> x = new_input("x", tensor_type(("batch", 3)))
        >>> print(print_graph(Graph((x,), (REGISTRY["sum"](axes=(1,))(x),))))
        graph (x: float32[batch, 3]) -> (result: float32[batch]) {
          %0 = sum(x)[axes=(1,)] : float32[batch]
          return %0
        }
    """
    return "\n".join(GraphPrinter(origins=origins, labels={}).lines(graph))


def large_literals(graph: Graph) -> dict[str, Literal]:
    """The constants printed as a digest, by its hex form; those of graphs held by operations too."""
    return {literal.digest.hex(): literal for literal in tensors_of([graph]) if _is_large(literal)}


def tensors_of(graphs: Iterable[Graph]) -> Iterator[Literal]:
    """The constants of graphs and of those they hold, and the tensors in attributes."""
    waiting = list(graphs)
    seen = set(map(id, waiting))
    while waiting:
        for node in waiting.pop().nodes:
            if isinstance(node.op, Constant):
                yield node.op.literal
            for item in attribute_items(node):
                if isinstance(item, Literal):
                    yield item
                elif isinstance(item, Graph) and id(item) not in seen:
                    seen.add(id(item))
                    waiting.append(item)


def attribute_items(node: Node) -> Iterator[Any]:
    """What stands in the attributes of a node, in order, tuples taken apart."""
    waiting = list(reversed(shown_attributes(node).values())) if isinstance(node.op, Op) else []
    while waiting:
        value = waiting.pop()
        if type(value) is tuple:
            waiting += reversed(cast("tuple[Any, ...]", value))
        else:
            yield value


def neighbourhood(graph: Graph, node: Node, message: str) -> str:
    """A node of a graph with up to three neighbours before it, and a message under it.

    Example:
        >>> import rax.ops
        >>> from rax.ir.node import new_input
        >>> from rax.ir.op import REGISTRY
        >>> from rax.ir.types import tensor_type
        >>> x = new_input("x", tensor_type((2, 3)))
        >>> graph = Graph((x,), (REGISTRY["sum"](axes=(1,))(x),))
        >>> print(neighbourhood(graph, graph.nodes[-1], "here"))
        %0 = sum(x)[axes=(1,)] : float32[2]
             ^^^ here
    """
    names = references(graph)
    if not _has_line(node):
        return f"{names.get(node, '%?')}: {_types_text(node)}\n^ {message}"
    shown = [each for each in graph.nodes if _has_line(each)]
    place = shown.index(node)
    lines = ["..."] if place > 3 else []
    lines += [_short_line(each, names) for each in shown[max(place - 3, 0) : place + 1]]
    start = lines[-1].index("= ") + 2
    lines.append(f"{' ' * start}{'^' * len(name_text(node.op.name))} {message}")
    return "\n".join(lines)


def references(graph: Graph, apart: frozenset[Node] = frozenset()) -> dict[Node, str]:
    """What each node is called in the text: an input's name, ``%n``, or a scalar constant itself.

    Args:
        graph: the graph.
        apart: scalar constants that have a line of their own.
    """
    labels = graph.input_names
    count: dict[str, int] = {}
    for label in labels:
        count[label] = count.get(label, 0) + 1
    names = {
        value.node: name_text(label) if count[label] == 1 else f"@{index}"
        for index, (value, label) in enumerate(zip(graph.inputs, labels, strict=True))
    }
    number = 0
    for node in graph.nodes:
        if _has_line(node) or node in apart:
            names[node] = f"%{number}"
            number += 1
        elif isinstance(node.op, Constant):
            names[node] = tensor_text(node.op.literal)
    return names


def _has_line(node: Node) -> bool:
    if isinstance(node.op, Constant):
        return bool(node.op.literal.type.shape)
    return not isinstance(node.op, Input)


def _reference(value: Value, names: Mapping[Node, str]) -> str:
    name = names.get(value.node, "%?")
    return name if len(value.node.types) == 1 else f"{name}.{value.index}"


class GraphPrinter:
    """Prints graphs that may hold one another.

    Args:
        origins: say where inputs and nodes came from.
        labels: what to write for a held graph that is printed elsewhere, by the graph's id.
    """

    def __init__(self, *, origins: bool, labels: Mapping[int, str]) -> None:
        self._origins = origins
        self._labels = labels

    def lines(self, graph: Graph, label: str = "") -> list[str]:
        """A graph."""
        apart = _constants_apart(graph) if self._origins else frozenset[Node]()
        names = references(graph, apart)
        lines = _header(graph, label).split("\n")
        if graph.in_tree != Tree(ARGUMENTS, graph.input_names, (LEAF_TREE,) * len(graph.inputs)):
            lines.append(f"  in {tree_text(graph.in_tree)}")
        single = LEAF_TREE if len(graph.outputs) == 1 else Tree(TUPLE, (), (LEAF_TREE,) * len(graph.outputs))
        if graph.out_tree != single:
            lines.append(f"  out {tree_text(graph.out_tree)}")
        if self._origins:
            lines += _input_origins(graph, names)
        last = NOWHERE
        for node in graph.nodes:
            if not _has_line(node) and node not in apart:
                continue
            origin = graph.origins.get(node, NOWHERE) if self._origins else NOWHERE
            if origin != last:
                lines.append(f"  at {origin_text(origin)}")
                last = origin
            lines += ["  " + line for line in self._node_lines(node, names)]
        lines.append(f"  return {', '.join([_reference(value, names) for value in graph.outputs])}".rstrip())
        lines.append("}")
        return lines

    def _node_lines(self, node: Node, names: Mapping[Node, str]) -> list[str]:
        head = _head(node, names)
        tail = f" : {_types_text(node)}"
        if isinstance(node.op, Constant) or not isinstance(node.op, Op):
            return [head + tail]
        attributes = shown_attributes(node)
        if not any(map(self._is_long, attributes.values())):
            shown = ", ".join([f"{name_text(name)}={self._short(value)}" for name, value in attributes.items()])
            return [f"{head}[{shown}]{tail}" if shown else head + tail]
        lines = [head + "["]
        for name, value in attributes.items():
            first, *rest = self._value_lines(value)
            lines += [f"  {name_text(name)}={first}", *["  " + line for line in rest]]
            lines[-1] += ","
        return [*lines, "]" + tail]

    def _is_long(self, value: Any) -> bool:
        """Whether a graph stands in an attribute."""
        if type(value) is tuple:
            return any(map(self._is_long, cast("tuple[Any, ...]", value)))
        return isinstance(value, Graph) and id(value) not in self._labels

    def _short(self, value: Any) -> str:
        if isinstance(value, Graph):
            return self._labels[id(value)]
        if type(value) is tuple:
            return _tuple_text(map(self._short, cast("tuple[Any, ...]", value)))
        return _plain_text(value)

    def _value_lines(self, value: Any) -> list[str]:
        if not self._is_long(value):
            return [self._short(value)]
        if isinstance(value, Graph):
            return self.lines(value)
        lines = ["("]
        for item in cast("tuple[Any, ...]", value):
            lines += ["  " + line for line in self._value_lines(item)]
            lines[-1] += ","
        return [*lines, ")"]


def shown_attributes(node: Node) -> dict[str, Any]:
    """The attributes of a node's operation, and its body if it is one of a user's own.

    So a text, as a file, is read also where the operation is unknown.
    """
    op = cast("Op", node.op)
    attributes = op.attributes()
    if getattr(op, "since", None) == 0 and "body" not in attributes and callable(getattr(op, "body", None)):
        attributes = {**attributes, "body": cast("Any", op).body(*[value.type for value in node.inputs])}
    return attributes


def _constants_apart(graph: Graph) -> frozenset[Node]:
    """The scalar constants that do not come from the place of the first node that takes them."""
    apart: set[Node] = set()
    met: set[Node] = set()
    last = NOWHERE
    users = [(graph.origins.get(node, NOWHERE), node.inputs) for node in graph.nodes if _has_line(node)]
    for origin, inputs in [*users, (None, graph.outputs)]:
        last = last if origin is None else origin
        for node in [value.node for value in inputs]:
            if node not in met and isinstance(node.op, Constant) and not _has_line(node):
                met.add(node)
                if graph.origins.get(node, NOWHERE) != last:
                    apart.add(node)
    return frozenset(apart)


def _input_origins(graph: Graph, names: Mapping[Node, str]) -> list[str]:
    """A line for each place that inputs come from."""
    found: dict[Origin, list[str]] = {}
    for value in graph.inputs:
        origin = graph.origins.get(value.node, NOWHERE)
        if origin != NOWHERE:
            found.setdefault(origin, []).append(names[value.node])
    every = len(graph.inputs)
    return [
        f"  at {origin_text(origin)} for {'*' if len(shown) == every else ', '.join(shown)}"
        for origin, shown in found.items()
    ]


def origin_text(origin: Origin) -> str:
    """A place in source code and its scopes: ``"model.py:12 in encode" in encoder/first``."""
    if origin == NOWHERE:
        return "nowhere"
    scope = f" in {'/'.join(map(name_text, origin.scope))}" if origin.scope else ""
    return quoted(origin.source) + scope


def _header(graph: Graph, label: str) -> str:
    """The signature; one name a line where it is long."""
    given = [f"{name_text(n)}: {t}" for n, t in zip(graph.input_names, graph.in_types, strict=True)]
    due = [f"{name_text(n)}: {t}" for n, t in zip(graph.output_names, graph.out_types, strict=True)]
    head = f"graph {label} " if label else "graph "
    line = f"{head}({', '.join(given)}) -> ({', '.join(due)}) {{"
    if len(line) <= LINE_WIDTH:
        return line
    return f"{head}({_column(given)}) -> ({_column(due)}) {{"


def _column(items: list[str]) -> str:
    if len(items) < 2:
        return ", ".join(items)
    return "".join(f"\n  {item}," for item in items) + "\n"


def _head(node: Node, names: Mapping[Node, str]) -> str:
    several = "" if len(node.types) == 1 else f":{len(node.types)}"
    if isinstance(node.op, Constant):
        return f"{names[node]} = constant({literal_text(node.op.literal)})"
    operands = ", ".join([_reference(value, names) for value in node.inputs])
    name = node.op.name
    return f"{names[node]}{several} = {quoted(name) if name == 'constant' else name_text(name)}({operands})"


def _short_line(node: Node, names: dict[Node, str]) -> str:
    """A node on one line, the graphs it holds left out."""
    head, tail = _head(node, names), f" : {_types_text(node)}"
    return f"{head}{_attributes_text(node.op)}{tail}" if isinstance(node.op, Op) else head + tail


def _types_text(node: Node) -> str:
    return ", ".join(map(str, node.types)) if node.types else "()"


def _attributes_text(op: Op) -> str:
    shown = ", ".join([f"{name_text(name)}={short_text(value)}" for name, value in op.attributes().items()])
    return f"[{shown}]" if shown else ""


def short_text(value: Any) -> str:
    """An attribute on one line; graphs as ``graph {…}``."""
    if isinstance(value, Graph):
        return "graph {…}"
    if type(value) is tuple:
        return _tuple_text(map(short_text, cast("tuple[Any, ...]", value)))
    return _plain_text(value)


def _tuple_text(items: Iterable[str]) -> str:
    shown = list(items)
    return f"({shown[0]},)" if len(shown) == 1 else f"({', '.join(shown)})"


def _plain_text(value: Any) -> str:
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if type(value) is str:
        return quoted(value)
    if isinstance(value, (DType, TensorType)):
        return str(value)
    if isinstance(value, Dim):
        text = str(value)
        bare = _BARE_DIM.fullmatch(text) and WORDS.isdisjoint(_WORD.findall(text))
        return text if bare else f"dim({text})"
    if isinstance(value, Literal):
        return tensor_text(value)
    raise RaxError(
        f"the attribute {value!r} has no text form",
        fix="use numbers, strings, dtypes, sizes, tensors and their types, graphs and tuples of them",
    )


def quoted(text: str) -> str:
    """A string in double quotes, escaped as in JSON; what cannot be printed as code points."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def name_text(text: str) -> str:
    """A name: bare where it may be, else as a string."""
    return text if NAME.fullmatch(text) else quoted(text)


def _is_large(literal: Literal) -> bool:
    return literal.raw.nbytes > MAX_INLINE_ELEMENTS * literal.type.dtype.itemsize


def literal_text(literal: Literal) -> str:
    """The data of a constant: decimals, ``hex:`` bytes, or a ``sha256:`` digest."""
    if _is_large(literal):
        return f"sha256:{literal.digest.hex()}"
    elements = numerals.texts(literal.type.dtype, literal.raw)
    if elements is None:
        return f"hex:{bytes(literal.raw).hex()}"
    return numerals.nested(elements, tuple([size.__index__() for size in literal.type.shape]))


def tensor_text(literal: Literal) -> str:
    """A tensor, its type with it: ``float32[2]([1.0, 2.0])``, and ``float32(1.0)`` for a scalar."""
    type = literal.type if literal.type.shape else literal.type.dtype
    return f"{type}({literal_text(literal)})"


def tree_text(tree: Tree) -> str:
    """A tree, exactly: ``arguments(x=*, params={"w": [*, *]})``."""
    if tree in (LEAF_TREE, NONE_TREE):
        return "*" if tree == LEAF_TREE else "None"
    children = [tree_text(child) for child in tree.children]
    if tree.kind == LIST:
        return f"[{', '.join(children)}]"
    if tree.kind == TUPLE:
        return _tuple_text(children)
    if tree.kind in (DICT, ORDERED):
        items = [f"{_dict_key(key)}: {child}" for key, child in zip(tree.keys, children, strict=True)]
        return f"{'' if tree.kind == DICT else 'ordered'}{{{', '.join(items)}}}"
    items = [f"{_field_key(key)}={child}" for key, child in zip(tree.keys, children, strict=True)]
    head = tree.kind if tree.kind == ARGUMENTS else f"{tree.kind} {name_text(tree.name)}"
    return f"{head}({', '.join(items)})"


def _dict_key(key: Key) -> str:
    return quoted(key) if isinstance(key, str) else str(int(key))


def _field_key(key: Key) -> str:
    if isinstance(key, int):
        return str(int(key))
    return key if NAME.fullmatch(key) and not key[0].isdigit() else quoted(key)
