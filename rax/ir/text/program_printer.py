"""The text form of a program, which is all that a file holds; read by :mod:`rax.ir.text.program_parser`.

::

    rax 1
    main predict

    entry predict = graph (w: float32[2], x: float32[n, 2]) -> (result: float32[n]) {
      at "model.py:3 in predict"
      %0 = matmul(x, w) : float32[n]
      return %0
    }

    default w = float32[2]([0.5, -1.0])

    example predict {
      input x = float32[1, 2]([[1.0, 2.0]])
      output result = float32[1]([-1.5])
    }

A graph that several need, or that lies deep in others, is printed before them as ``graph &0``,
and ``&0`` stands where it is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from rax.ir.graph import Graph
from rax.ir.node import Literal
from rax.ir.op import Op
from rax.ir.program import Program
from rax.ir.text.graph_printer import GraphPrinter, attribute_items, name_text, quoted, tensor_text, tensors_of
from rax.ir.trail import NOWHERE

TEXT_VERSION = 1
"""The newest version of the file format that a text can say."""
MAX_INLINE_LEVELS = 6
"""How many levels of graphs stand inside each other before one is printed by itself."""


def print_program(program: Program) -> str:
    """The text form of a program; ``rax.parse`` gives the same program back, to the bytes of its file.

    Args:
        program: the program. Constants of more than 32 elements are printed as their SHA-256.

    Raises:
        RaxError: an operation has an attribute that has no text form.

    Example:
        >>> import rax
        >>> print(rax.Program(twice=rax.trace(lambda x: x + x, rax.spec(("n",)))))
        rax 1
        main twice
        <BLANKLINE>
        entry twice = graph (x: float32[n]) -> (result: float32[n]) {
          at "... in <module>" for *
          at "... in <lambda>"
          %0 = add(x, x) : float32[n]
          return %0
        }
        <BLANKLINE>
    """
    found = _Found(program)
    blocks = [f"rax {found.version}" + (f"\nmain {name_text(program.main)}" if program.main is not None else "")]
    printer = GraphPrinter(origins=True, labels=found.labels)
    for graph in found.order:
        label = found.labels.get(id(graph))
        if label is not None:
            blocks.append("\n".join(printer.lines(graph, label)))
    for name, graph in program.items():
        shown = found.labels.get(id(graph)) or "\n".join(printer.lines(graph))
        blocks.append(f"entry {name_text(name)} = {shown}")
    if program.defaults:
        blocks.append("\n".join(_tensors("default", program.defaults)))
    for name, example in program.examples.items():
        lines = [*_tensors("input", example.inputs), *_tensors("output", example.outputs)]
        lines += [f"display {name_text(key)} = {quoted(how)}" for key, how in sorted(example.display.items())]
        blocks.append("\n".join([f"example {name_text(name)} {{", *[f"  {line}" for line in lines], "}"]))
    return "\n\n".join(blocks) + "\n"


def _tensors(word: str, tensors: Mapping[str, Literal]) -> list[str]:
    return [f"{word} {name_text(name)} = {tensor_text(literal)}" for name, literal in sorted(tensors.items())]


def program_literals(program: Program) -> dict[str, Literal]:
    """Every tensor of a program, by the hex form of its digest: what ``rax.parse`` takes data from.

    Raises:
        FormatError: the tensor of a file differs from its digest.
    """
    literals = [*tensors_of(program.values()), *program.defaults.values()]
    for example in program.examples.values():
        literals += [*example.inputs.values(), *example.outputs.values()]
    return {literal.digest.hex(): literal for literal in literals}


class _Found:
    """The graphs of a program.

    Attributes:
        order: every graph, those it holds before it.
        labels: for the graphs that are printed by themselves, what stands for them, by id.
        version: the lowest version that has all operations.
    """

    def __init__(self, program: Program) -> None:
        self.order: list[Graph] = []
        self.version = 1
        below: dict[int, list[Graph]] = {}
        pending = [(graph, False) for graph in reversed(list(program.values()))]
        while pending:
            graph, done = pending.pop()
            if done:
                self.order.append(graph)
            elif id(graph) not in below:
                held = below[id(graph)] = self._held(graph)
                pending += [(graph, True), *[(each, False) for each in reversed(held)]]
        same = _first_alike(self.order, below)
        self.order = [graph for graph in self.order if same[id(graph)] == id(graph)]
        uses = Counter([same[id(graph)] for graph in program.values()])
        for graph in self.order:
            uses.update([same[id(each)] for each in below[id(graph)]])
        labels: dict[int, str] = {}
        levels: dict[int, int] = {}
        for graph in self.order:
            inline = max((levels[same[id(each)]] for each in below[id(graph)]), default=0) + 1
            if uses[id(graph)] > 1 or inline == MAX_INLINE_LEVELS:
                labels[id(graph)] = f"&{len(labels)}"
                inline = 0
            levels[id(graph)] = inline
        self.labels = {graph: labels[first] for graph, first in same.items() if first in labels}

    def _held(self, graph: Graph) -> list[Graph]:
        held: list[Graph] = []
        for node in graph.nodes:
            if isinstance(node.op, Op):
                self.version = max(self.version, getattr(node.op, "since", 1))
                held += [each for each in attribute_items(node) if isinstance(each, Graph)]
        return held


def _first_alike(graphs: Sequence[Graph], below: Mapping[int, Sequence[Graph]]) -> dict[int, int]:
    """For each graph the first that is printed in the same way, both by id; equal operations may hold either.

    Args:
        graphs: those that others hold before them.
        below: the graphs that each holds, by its id.
    """
    known: dict[Hashable, int] = {}
    same: dict[int, int] = {}
    for graph in graphs:
        origins = tuple([graph.origins.get(node, NOWHERE) for node in graph.nodes])
        held = tuple([same[id(each)] for each in below[id(graph)]])
        key = (graph, tuple(graph.input_names), tuple(graph.output_names), origins, held)
        same[id(graph)] = known.setdefault(key, id(graph))
    return same
