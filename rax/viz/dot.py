"""A graph in Graphviz's dot language: clusters for scopes, one colour a family of operations."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import graphviz

from rax.ir.graph import Graph
from rax.ir.node import Constant, Input, Node, Operation, Value
from rax.ir.op import Op, held_graphs
from rax.ir.text.graph_printer import literal_text, short_text
from rax.ir.trail import NOWHERE

MAX_LINE = 48
"""Longer attributes and names are cut."""
MAX_TYPES = 4
DETAIL_NODES = 2000
"""Above this many nodes edges are straight, which Graphviz lays out much faster."""

FONT = "Helvetica,Arial,sans-serif"
INK, MUTED, FAINT = "#1f2937", "#6b7280", "#9ca3af"
INPUT, OUTPUT, CONSTANT = ("#dbeafe", "#2563eb"), ("#dcfce7", "#16a34a"), ("#f3f4f6", "#9ca3af")
FAMILIES = {
    "Elementwise": ("#ffffff", "#94a3b8"),
    "Linear": ("#ecfeff", "#0891b2"),
    "Multilinear": ("#fef3c7", "#d97706"),
    "Reduction": ("#fee2e2", "#dc2626"),
    "Composite": ("#ede9fe", "#7c3aed"),
    "Nondifferentiable": ("#f5f5f4", "#a8a29e"),
}
"""Fill and border by the name of the nearest base class."""
HOLDS_GRAPHS, OTHER = ("#ffedd5", "#ea580c"), ("#ffffff", "#94a3b8")
FOLDED, FOLDED_STYLE = ("#e2e8f0", "#475569"), "rounded,filled,bold"
CLUSTER_FILLS, CLUSTER_BORDER = ("#f8fafc", "#f1f5f9", "#e8edf3"), "#cbd5e1"
LEADS_BELOW = {"style": "dashed", "color": HOLDS_GRAPHS[1], "arrowhead": "none"}

Part = tuple[str, int, bool]
"""A scope, or a graph that an operation holds (then true): its label, and a number that tells equal ones apart."""
Key = tuple[Part, ...]
"""Where a cluster stands: the parts around it, then its own."""


def to_dot(graph: Graph, *, direction: str = "TB", depth: int | None = None) -> graphviz.Digraph:
    """The graph as a ``graphviz.Digraph``; the same graph always gives the same text.

    Args:
        graph: the graph.
        direction: ``"TB"`` from top to bottom, or ``"LR"`` from left to right.
        depth: how many scopes deep to draw; what lies deeper becomes one box a scope.

    Example:
        >>> import rax.ops
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> x = new_input("x", tensor_type((2,)))
        >>> "<b>x</b>" in to_dot(Graph((x,), (x,))).source
        True
    """
    drawing = _Drawing(direction, depth)
    waiting = [_Held(graph, (), (), "g")]
    for held in waiting:  # grows by the graphs that operations hold
        waiting += drawing.add(held)
    return drawing.finish()


@dataclass(frozen=True)
class _Held:
    """A graph to draw: in the cluster ``base``, below an operation of ``scope``, names starting with ``prefix``."""

    graph: Graph
    base: Key
    scope: tuple[str, ...]
    prefix: str


class _Drawing:
    def __init__(self, direction: str, depth: int | None) -> None:
        self.depth = depth
        self.root = _digraph("rax")
        self.root.attr(
            rankdir=direction, compound="true", fontname=FONT, nodesep="0.25", ranksep="0.4", pad="0.3", bgcolor="white"
        )
        self.root.attr(
            "node", fontname=FONT, fontsize="11", fontcolor=INK, shape="box", style="rounded,filled",
            margin="0.12,0.06", height="0.3",
        )  # fmt: skip
        self.root.attr(
            "edge", fontname=FONT, fontsize="9", fontcolor=MUTED, color=FAINT, arrowsize="0.6", labeldistance="1.3"
        )
        self.clusters: dict[Key, Any] = {(): self.root}
        self.edges: dict[tuple[str, str, tuple[tuple[str, str], ...]], None] = {}
        self.folds: dict[Key, _Fold] = {}
        self.drawn: dict[str, _Held] = {}
        self.boxes = 0

    def finish(self) -> graphviz.Digraph:
        """The whole text: boxes of folded scopes, clusters inside one another, edges."""
        for key, fold in self.folds.items():
            self.box(key[:-1], fold.name, key[-1][0], f"{fold.nodes} nodes", colours=FOLDED, style=FOLDED_STYLE)
        inside: dict[Key, list[Any]] = {}
        for key, cluster in self.clusters.items():
            if key:
                inside.setdefault(key[:-1], []).append(cluster)
        for key in reversed(self.clusters):  # what is inside a cluster was made after it
            for below in inside.get(key, ()):
                self.clusters[key].subgraph(below)
        for tail, head, attributes in self.edges:
            self.root.edge(tail, head, **dict(attributes))
        if self.boxes > DETAIL_NODES:
            self.root.attr(splines="line", nslimit="2")
        return self.root

    def cluster(self, key: Key) -> Any:
        """The cluster of a key, made with those around it where it is new."""
        for end in range(1, len(key) + 1):
            if key[:end] in self.clusters:
                continue
            label, _, held = key[end - 1]
            made = self.clusters[key[:end]] = _digraph(f"cluster_{len(self.clusters)}")
            made.attr(
                label=f"<{_escape(label)}>", labeljust="l", fontname=FONT, fontsize="10",
                fontcolor=MUTED, style="rounded,filled,dashed" if held else "rounded,filled", margin="10",
                fillcolor=CLUSTER_FILLS[min(end, len(CLUSTER_FILLS)) - 1],
                color=HOLDS_GRAPHS[1] if held else CLUSTER_BORDER,
            )  # fmt: skip
        return self.clusters[key]

    def box(self, key: Key, name: str, title: str, *lines: str, colours: tuple[str, str], **more: str) -> None:
        """A node: a bold title over smaller lines."""
        self.boxes += 1
        rows = [f"<b>{_escape(title)}</b>", *[_small(line) for line in lines if line]]
        self.cluster(key).node(name, f"<{'<br/>'.join(rows)}>", fillcolor=colours[0], color=colours[1], **more)

    def edge(self, value: Value, tail: str, head: str, use: str = "") -> None:
        """An edge for a value; from or to a folded scope, one for all."""
        attributes: dict[str, str] = {}
        if "s" not in (tail[0], head[0]):
            attributes = {"tooltip": graphviz.escape(f"{use}{value.type}")}
            if len(value.node.types) > 1:
                attributes["taillabel"] = str(value.index)
        if tail != head:
            self.edges[tail, head, tuple(attributes.items())] = None

    def add(self, held: _Held) -> list[_Held]:
        """Draw a graph; the graphs its operations hold are to be drawn next."""
        graph, names, fresh = held.graph, dict[Node, str](), list[_Held]()
        places = _Places(held)
        for number, node in enumerate(graph.nodes):
            key = places.add(node)
            if isinstance(node.op, Constant) and not node.op.literal.type.shape:
                continue
            names[node] = name = self.node(held, node, key, f"{held.prefix}n{number}")
            for operand, value in enumerate(node.inputs):
                if value.node in names:
                    self.edge(value, names[value.node], name, f"operand {operand}: ")
            if name[0] != "s":
                fresh += self.below(held, node, key, name)
        for index, (label, value) in enumerate(zip(graph.output_names, graph.outputs, strict=True)):
            name = f"{held.prefix}r{index}"
            self.box(held.base, name, label, _scalar(value) or "", str(value.type), colours=OUTPUT, penwidth="1.5")
            if value.node in names:
                self.edge(value, names[value.node], name)
        return fresh

    def node(self, held: _Held, node: Node, key: Key, name: str) -> str:
        """Draw a node at its place; the name of its box, which is its scope's where that is folded."""
        origin = held.graph.origins.get(node, NOWHERE)
        types = [str(t) for t in node.types[:MAX_TYPES]] + ["…"] * (len(node.types) > MAX_TYPES)
        tooltip = graphviz.escape(_printable(str(origin) or node.op.name))
        if isinstance(node.op, Input):
            self.box(held.base, name, node.op.label, *types, colours=INPUT, penwidth="1.5", tooltip=tooltip)
            return name
        if self.depth is not None and len(origin.scope) > self.depth:
            return self.fold(key[: len(key) - len(origin.scope) + self.depth + 1])
        if isinstance(node.op, Constant):
            text = literal_text(node.op.literal)
            shown = "" if text.startswith(("sha256:", "hex:")) else text
            self.box(key, name, "constant", shown, *types, colours=CONSTANT, style="filled", tooltip=tooltip)
        else:
            lines = (_scalars(node), *_attributes(node), *types)
            self.box(key, name, node.op.name, *lines, colours=_colours(node.op), tooltip=tooltip)
        return name

    def fold(self, key: Key) -> str:
        """The one box of a scope that is not drawn in detail."""
        if key not in self.folds:
            self.cluster(key[:-1])
            self.folds[key] = _Fold(f"s{len(self.folds)}")
        self.folds[key].nodes += 1
        return self.folds[key].name

    def below(self, held: _Held, node: Node, place: Key, name: str) -> list[_Held]:
        """Lead from a node to the graphs it holds; those not drawn yet."""
        fresh: list[_Held] = []
        scope = held.graph.origins.get(node, NOWHERE).scope
        for label, graph in held_graphs(node.op):
            target = self.drawn.get(graph.digest)
            if target is None:
                number = len(self.drawn) + 1
                key = (*place, (f"{node.op.name} {label}", number, True))
                target = self.drawn[graph.digest] = _Held(graph, key, scope, f"g{number}")
                fresh.append(target)
            if graph.inputs or graph.outputs:
                first = f"{target.prefix}n0" if graph.inputs else f"{target.prefix}r0"
                attributes = {"lhead": self.cluster(target.base).name, "tooltip": label} | LEADS_BELOW
                self.edges[name, first, tuple(attributes.items())] = None
        return fresh


def _digraph(name: str) -> Any:
    return graphviz.Digraph(name)  # its methods are only partly typed


class _Places:
    """Where each node of a graph stands.

    A scope that is left and entered again, as derivatives do on the way back, is drawn once for
    each time: in one box, everything between would be drawn upside down. Bit ``i`` of a number
    stands for the ``i``-th box.
    """

    def __init__(self, held: _Held) -> None:
        self.held = held
        self.bits: dict[Key, int] = {}
        self.inside: dict[Node, int] = {}
        self.after: dict[Node, int] = {}

    def add(self, node: Node) -> Key:
        """The place of a node; those of its operands are known."""
        after = 0
        for value in node.inputs:
            after |= self.after[value.node] | self.inside[value.node]
        key, inside = self.held.base, 0
        for label in () if isinstance(node.op, Input) else self.scope(node):
            time = 0
            while self.left((*key, (label, time, False)), node):
                time += 1
            key = (*key, (label, time, False))
            inside |= self.bits.setdefault(key, 1 << len(self.bits))
        self.inside[node], self.after[node] = inside, after
        return key

    def scope(self, node: Node) -> tuple[str, ...]:
        """The scopes below that of the operation that holds the graph."""
        scope, above = self.held.graph.origins.get(node, NOWHERE).scope, self.held.scope
        return scope[len(above) :] if scope[: len(above)] == above else scope

    def left(self, key: Key, node: Node) -> bool:
        """Whether an operand comes after a box without being in it."""
        bit = self.bits.get(key, 0)
        return any(self.after[value.node] & bit and not self.inside[value.node] & bit for value in node.inputs)


@dataclass
class _Fold:
    """The box of a folded scope, and how many nodes it stands for."""

    name: str
    nodes: int = 0


def _scalar(value: Value) -> str | None:
    """The number, where a value is a scalar constant."""
    op = value.node.op
    return literal_text(op.literal) if isinstance(op, Constant) and not op.literal.type.shape else None


def _scalars(node: Node) -> str:
    """The operands as a call, where some are scalar constants: ``(·, 0.5)``."""
    numbers = [_scalar(value) for value in node.inputs]
    return f"({', '.join(number or '·' for number in numbers)})" if any(numbers) else ""


def _attributes(node: Node) -> list[str]:
    """The attributes, a line each, but graphs, defaults, and what the type of the result says too."""
    if not isinstance(node.op, Op):
        return []
    said = [part for result in node.types for part in (result.shape, result.dtype)]
    default = {name: getattr(type(node.op), name, _UNSET) for name in node.op.attributes()}
    shown = {name: value for name, value in node.op.attributes().items() if value not in (default[name], *said)}
    texts = {name: short_text(value) for name, value in shown.items()}
    return [f"{name}={text}" for name, text in texts.items() if "graph {…}" not in text]


_UNSET = object()


def _colours(op: Operation) -> tuple[str, str]:
    if isinstance(op, Op) and op.holds_graphs:
        return HOLDS_GRAPHS
    return next((FAMILIES[base.__name__] for base in type(op).__mro__ if base.__name__ in FAMILIES), OTHER)


def _printable(text: str) -> str:
    """A text of characters that show; Graphviz refuses an empty one."""
    return text if text.strip() and text.isprintable() else ascii(text)


def _escape(text: str) -> str:
    text = _printable(text)
    return html.escape(text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…")


def _small(text: str) -> str:
    return f'<font point-size="9" color="{MUTED}">{_escape(text)}</font>'
