"""The text form of a graph: written here, read by :mod:`rax.ir.parse`.

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
follow the brace, where they are not the plain ones. ``#`` starts a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

from rax.ir import numerals
from rax.ir.dims import Dim
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Input, Literal, Node, Operation, Value
from rax.ir.op import Op
from rax.ir.tree import ARGUMENTS, DICT, LEAF_TREE, LIST, NONE_TREE, ORDERED, TUPLE, Key, Tree
from rax.ir.types import DTYPES, DType, TensorType

MAX_INLINE_ELEMENTS = 32
"""Constants of more elements are printed as a digest."""
LINE_WIDTH = 100

NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
WORDS = frozenset((*DTYPES, "True", "False", "None", "inf", "nan", "graph", "dim"))
"""Words that mean something as an attribute, so that no bare dim may contain them."""
_BARE_DIM = re.compile(r"[A-Za-z0-9_-][^()]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def print_graph(graph: Graph, *, origins: bool = False) -> str:
    """The text form; ``parse_graph`` gives the same graph back.

    Args:
        graph: the graph.
        origins: say in a comment where each node came from.

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
    return "\n".join(_graph_lines(graph, origins=origins))


def large_literals(graph: Graph) -> dict[str, Literal]:
    """The constants printed as a digest, by its hex form; those of graphs held by operations too."""
    found: dict[str, Literal] = {}
    waiting, seen = [graph], {id(graph)}
    while waiting:
        for node in waiting.pop().nodes:
            if isinstance(node.op, Constant):
                if _is_large(node.op.literal):
                    found[node.op.literal.digest.hex()] = node.op.literal
            elif isinstance(node.op, Op):
                for _, held in held_graphs(node.op):
                    if id(held) not in seen:
                        seen.add(id(held))
                        waiting.append(held)
    return found


def held_graphs(op: Operation) -> Iterator[tuple[str, Graph]]:
    """The graphs an operation holds, each with a name: ``body``, ``branches[0]``."""
    waiting = list(reversed(op.attributes().items())) if isinstance(op, Op) else []
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Graph):
            yield name, value
        elif type(value) is tuple:
            items = cast("tuple[Any, ...]", value)
            waiting += [(f"{name}[{index}]", items[index]) for index in reversed(range(len(items)))]


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
    lines.append(f"{' ' * start}{'^' * len(_name(node.op.name))} {message}")
    return "\n".join(lines)


def references(graph: Graph) -> dict[Node, str]:
    """What each node is called in the text: an input's name, ``%n``, or a scalar constant itself."""
    labels = graph.input_names
    count: dict[str, int] = {}
    for label in labels:
        count[label] = count.get(label, 0) + 1
    names = {
        value.node: _name(label) if count[label] == 1 else f"@{index}"
        for index, (value, label) in enumerate(zip(graph.inputs, labels, strict=True))
    }
    number = 0
    for node in graph.nodes:
        if _has_line(node):
            names[node] = f"%{number}"
            number += 1
        elif isinstance(node.op, Constant):
            names[node] = f"{node.op.literal.type.dtype}({literal_text(node.op.literal)})"
    return names


def _has_line(node: Node) -> bool:
    if isinstance(node.op, Constant):
        return bool(node.op.literal.type.shape)
    return not isinstance(node.op, Input)


def _reference(value: Value, names: dict[Node, str]) -> str:
    name = names.get(value.node, "%?")
    return name if len(value.node.types) == 1 else f"{name}.{value.index}"


def _graph_lines(graph: Graph, *, origins: bool) -> list[str]:
    names = references(graph)
    lines = _header(graph).split("\n")
    if graph.in_tree != Tree(ARGUMENTS, graph.input_names, (LEAF_TREE,) * len(graph.inputs)):
        lines.append(f"  in {tree_text(graph.in_tree)}")
    single = LEAF_TREE if len(graph.outputs) == 1 else Tree(TUPLE, (), (LEAF_TREE,) * len(graph.outputs))
    if graph.out_tree != single:
        lines.append(f"  out {tree_text(graph.out_tree)}")
    for node in graph.nodes:
        if _has_line(node):
            first, *rest = _node_lines(node, names, origins=origins)
            origin = graph.origins.get(node) if origins else None
            lines.append(f"  {first}  # {_comment(str(origin))}" if origin else f"  {first}")
            lines += ["  " + line for line in rest]
    lines.append(f"  return {', '.join([_reference(value, names) for value in graph.outputs])}".rstrip())
    lines.append("}")
    return lines


def _comment(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)


def _header(graph: Graph) -> str:
    """The signature; one name a line where it is long."""
    given = [f"{_name(n)}: {t}" for n, t in zip(graph.input_names, graph.in_types, strict=True)]
    due = [f"{_name(n)}: {t}" for n, t in zip(graph.output_names, graph.out_types, strict=True)]
    line = f"graph ({', '.join(given)}) -> ({', '.join(due)}) {{"
    if len(line) <= LINE_WIDTH:
        return line
    return f"graph ({_column(given)}) -> ({_column(due)}) {{"


def _column(items: list[str]) -> str:
    if len(items) < 2:
        return ", ".join(items)
    return "".join(f"\n  {item}," for item in items) + "\n"


def _node_lines(node: Node, names: dict[Node, str], *, origins: bool) -> list[str]:
    head = _head(node, names)
    tail = f" : {_types_text(node)}"
    if isinstance(node.op, Constant) or not isinstance(node.op, Op):
        return [head + tail]
    if not any(held_graphs(node.op)):
        return [f"{head}{_attributes_text(node.op)}{tail}"]
    lines = [head + "["]
    for name, value in node.op.attributes().items():
        first, *rest = _value_lines(value, origins=origins)
        lines += [f"  {_name(name)}={first}", *["  " + line for line in rest]]
        lines[-1] += ","
    return [*lines, "]" + tail]


def _head(node: Node, names: dict[Node, str]) -> str:
    several = "" if len(node.types) == 1 else f":{len(node.types)}"
    if isinstance(node.op, Constant):
        return f"{names[node]} = constant({literal_text(node.op.literal)})"
    operands = ", ".join([_reference(value, names) for value in node.inputs])
    return f"{names[node]}{several} = {_name(node.op.name)}({operands})"


def _short_line(node: Node, names: dict[Node, str]) -> str:
    """A node on one line, the graphs it holds left out."""
    head, tail = _head(node, names), f" : {_types_text(node)}"
    return f"{head}{_attributes_text(node.op)}{tail}" if isinstance(node.op, Op) else head + tail


def _types_text(node: Node) -> str:
    return ", ".join(map(str, node.types)) if node.types else "()"


def _attributes_text(op: Op) -> str:
    shown = ", ".join([f"{_name(name)}={short_text(value)}" for name, value in op.attributes().items()])
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


def _value_lines(value: Any, *, origins: bool) -> list[str]:
    if isinstance(value, Graph):
        return _graph_lines(value, origins=origins)
    if type(value) is not tuple:
        return [_plain_text(value)]
    if not _holds_graph(value):
        return [short_text(value)]
    lines = ["("]
    for item in cast("tuple[Any, ...]", value):
        lines += ["  " + line for line in _value_lines(item, origins=origins)]
        lines[-1] += ","
    return [*lines, ")"]


def _holds_graph(value: Any) -> bool:
    if type(value) is tuple:
        return any(map(_holds_graph, cast("tuple[Any, ...]", value)))
    return isinstance(value, Graph)


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
        return text if bare else f"dim({quoted(text)})"
    raise RaxError(
        f"the attribute {value!r} has no text form",
        fix="use numbers, strings, dtypes, sizes, tensor types, graphs and tuples of them",
    )


def quoted(text: str) -> str:
    """A string in double quotes, escaped as in JSON; what cannot be printed as code points."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _name(text: str) -> str:
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
    head = tree.kind if tree.kind == ARGUMENTS else f"{tree.kind} {_name(tree.name)}"
    return f"{head}({', '.join(items)})"


def _dict_key(key: Key) -> str:
    return quoted(key) if isinstance(key, str) else str(int(key))


def _field_key(key: Key) -> str:
    if isinstance(key, int):
        return str(int(key))
    return key if NAME.fullmatch(key) and not key[0].isdigit() else quoted(key)
