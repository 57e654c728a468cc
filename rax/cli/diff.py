"""``rax diff``: what two files do not have in common, in structure, types and tensors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from rax.cli.results import number
from rax.cli.streams import say
from rax.format.files import load
from rax.ir.errors import FormatError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Input, Literal, Node
from rax.ir.op import Op, exact, held_graphs, map_attribute
from rax.ir.program import Example, Program
from rax.ir.text.graph_printer import references
from rax.ir.tree import Tree
from rax.ir.types import TensorType
from rax.ops.arrays import Array


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "diff", help="say what two files do not have in common", description="Exits with 0 if there is nothing, else 1."
    )
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each difference.

    Raises:
        FormatError: a file is damaged, or newer than this rax.
        OSError: a file cannot be read.
    """
    lines = list(differences(_loaded(options.first), _loaded(options.second)))
    say("\n".join(lines) if lines else "the same program")
    return 1 if lines else 0


def _loaded(path: Path) -> Program:
    try:
        return load(path)
    except FormatError as error:  # of which of the two files
        raise FormatError(error.what, code=error.code, where=f"{error.where} of {path}", fix=error.fix) from None


def differences(first: Program, second: Program) -> Iterator[str]:
    """A line for each difference of two programs; source lines and scopes of the models do not count.

    Example:
        >>> import rax
        >>> double = rax.Program(f=rax.trace(lambda x: x * 2, rax.spec(())))
        >>> triple = rax.Program(f=rax.trace(lambda x: x * 3, rax.spec(())))
        >>> list(differences(double, triple))
        ["entry 'f': the constant float32(2.0): float32[] differs by at most 1"]
    """
    if first.main != second.main:
        yield f"the main entry is {first.main!r}, there {second.main!r}"
    for name, here, there in _paired(first, second):
        if here is None or there is None:
            yield f"entry {name!r} is only in the {'second' if here is None else 'first'}"
        else:
            yield from (f"entry {name!r}: {line}" for line in _graph_lines(here, there))
    yield from _tensor_lines("default", first.defaults, second.defaults)
    for name, here, there in _paired(first.examples, second.examples):
        mine, other = here or Example(), there or Example()
        yield from _tensor_lines(f"example of {name!r}: input", mine.inputs, other.inputs)
        yield from _tensor_lines(f"example of {name!r}: output", mine.outputs, other.outputs)
        if mine.display != other.display:
            yield f"example of {name!r}: it is shown in another way"


def _paired(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*first, *second}):
        yield name, first.get(name), second.get(name)


def _graph_lines(first: Graph, second: Graph) -> Iterator[str]:
    sides = [
        ("input", (first.input_names, first.in_types), (second.input_names, second.in_types)),
        ("output", (first.output_names, first.out_types), (second.output_names, second.out_types)),
    ]
    for what, here, there in sides:
        yield from _type_lines(what, dict(zip(*here, strict=True)), dict(zip(*there, strict=True)))
        if here[0] != there[0] and sorted(here[0]) == sorted(there[0]):
            yield f"the {what}s are in another order"
    trees: list[tuple[str, Tree, Tree]] = [
        ("arguments", first.in_tree, second.in_tree), ("results", first.out_tree, second.out_tree)
    ]  # fmt: skip
    for what, mine, other in trees:
        if mine != other and mine.leaf_count == other.leaf_count:
            yield f"the {what} are nested as {mine}, there {other}"
    if first.digest == second.digest:
        return
    if first.in_types == second.in_types:
        yield from _node_lines(first, second)
    elif len(first.nodes) != len(second.nodes):
        yield f"{len(first.nodes)} nodes, there {len(second.nodes)}"


def _type_lines(what: str, first: Mapping[str, TensorType], second: Mapping[str, TensorType]) -> Iterator[str]:
    for name, here, there in _paired(first, second):
        if here is None or there is None:
            yield f"the {what} {name!r}: {here or there} is only in the {'second' if here is None else 'first'}"
        elif here != there:
            yield f"the {what} {name!r} is {here}, there {there}"


def _node_lines(first: Graph, second: Graph) -> Iterator[str]:
    """The first node that differs; constants, if nothing else does."""
    if len(first.nodes) != len(second.nodes):
        yield f"{len(first.nodes)} nodes, there {len(second.nodes)}"
    numbers = [{node: place for place, node in enumerate(graph.nodes)} for graph in (first, second)]
    names = references(first)
    constants: list[str] = []
    for here, there in zip_longest(first.nodes, second.nodes):
        if here is None or there is None or _meaning(here, numbers[0]) != _meaning(there, numbers[1]):
            if held := here and there and list(_held_lines(here, there, numbers)):
                yield from held
                continue
            place = f" at {names[here]}" if here in names else ""
            yield f"they part{place}: {_shown(here)}, there {_shown(there)}"
            return
        if isinstance(here.op, Constant) and isinstance(there.op, Constant):
            how = _difference(here.op.literal, there.op.literal)
            constants += [f"the constant {names.get(here, '')}: {here.type} {how}"] if how else []
    results = [[(of[value.node], value.index) for value in graph.outputs] for graph, of in
               zip((first, second), numbers, strict=True)]  # fmt: skip
    yield from constants
    if results[0] != results[1]:
        yield "other nodes are the results"


def _held_lines(first: Node, second: Node, numbers: Sequence[Mapping[Node, int]]) -> Iterator[str]:
    """How the graphs that two nodes hold differ, where that is all in which the nodes do."""
    sides = [_apart_from_graphs(node, of) for node, of in zip((first, second), numbers, strict=True)]
    if sides[0] == sides[1]:
        pairs = zip(held_graphs(first.op), held_graphs(second.op), strict=True)
        for (name, here), (_, there) in pairs:
            yield from (f"{name} of {first.op.name}: {line}" for line in _graph_lines(here, there))


def _apart_from_graphs(node: Node, numbers: Mapping[Node, int]) -> tuple[Any, ...]:
    attributes = node.op.attributes() if isinstance(node.op, Op) else {}
    plain = [map_attribute(value, lambda item: Graph if isinstance(item, Graph) else exact(item))
             for value in attributes.values()]  # fmt: skip
    return (type(node.op), node.op.name, plain, *_meaning(node, numbers)[1:])


def _meaning(node: Node, numbers: Mapping[Node, int]) -> tuple[Any, ...]:
    operands = tuple((numbers[value.node], value.index) for value in node.inputs)
    plain = isinstance(node.op, (Constant, Input))
    return (node.op.name if plain else node.op.key, operands, node.types)


def _shown(node: Node | None) -> str:
    if node is None:
        return "nothing more"
    holding = {name.partition("[")[0] for name, _ in held_graphs(node.op)}
    if not holding or not isinstance(node.op, Op):
        return f"{node!r}"
    plain = [f"{name}={value}" for name, value in node.op.attributes().items() if name not in holding]
    return f"<{node.op.name}[{', '.join(plain)}]({', '.join([str(value.type) for value in node.inputs])})>"


def _tensor_lines(what: str, first: Mapping[str, Literal], second: Mapping[str, Literal]) -> Iterator[str]:
    for name, here, there in _paired(first, second):
        if here is None or there is None:
            yield f"the {what} {name!r} is only in the {'second' if here is None else 'first'}"
        elif how := _difference(here, there):
            yield f"the {what} {name!r}: {here.type} {how}"


def _difference(first: Literal, second: Literal) -> str:
    """How the elements of two tensors differ; ``""`` if they are the same bits."""
    if first.type != second.type:
        return f"is {second.type} there"
    if first.digest == second.digest:
        return ""
    here, there = (np.asarray(literal.array) for literal in (first, second))
    if here.dtype.kind == "b":
        return f"differs in {np.count_nonzero(here != there):,} of {here.size:,} elements"
    return f"differs by at most {number(_greatest(here, there))}"


def _greatest(here: Array, there: Array) -> Any:
    if here.dtype.kind in "iu":
        return max(abs(int(a) - int(b)) for a, b in zip(here.flat, there.flat, strict=True) if a != b)
    wide = np.complex128 if here.dtype.kind == "c" else np.float64
    left, right = here.astype(wide), there.astype(wide)
    with np.errstate(all="ignore"):
        apart = np.where((left == right) | (np.isnan(left) & np.isnan(right)), 0.0, np.abs(left - right))
    return np.inf if np.any(np.isnan(apart)) else apart.max()
