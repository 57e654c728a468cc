"""Pictures as files, and inline in notebooks. All but ``.dot`` need Graphviz's ``dot`` program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import graphviz

from rax.format.atomic import replacing
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.viz.dot import to_dot

PICTURES = ("svg", "png", "pdf")
TEXTS = ("dot", "gv")
DIRECTIONS = ("TB", "LR")
MAX_INLINE_NODES = 500
"""Larger graphs take ``dot`` too long to be drawn unasked."""
FINE_DPI, COARSE_DPI, MAX_FINE_NODES = "150", "72", 300
"""Dots an inch of a small and of a large picture, and where large begins."""

INSTALL = (
    "install Graphviz: 'apt install graphviz', 'brew install graphviz' or 'conda install graphviz'; "
    "or draw to a .dot file, which needs no program"
)


def draw(graph: Graph, path: str | os.PathLike[str], *, direction: str = "TB", depth: int | None = None) -> None:
    """Draw a graph to a file.

    Nodes stand in a box for each scope. Operations have the colour of their family, inputs are
    blue, outputs green; graphs that loops and conditions hold are dashed boxes of their own.

    Args:
        graph: the graph.
        path: where to write; ``.dot`` gives Graphviz's text, ``.svg``, ``.png`` and ``.pdf`` a picture.
        direction: ``"TB"`` from top to bottom, or ``"LR"`` from left to right.
        depth: how many scopes deep to draw; what lies deeper becomes one box a scope.

    Raises:
        RaxError: the suffix or an option is unknown, or the ``dot`` program is absent or fails.
        OSError: the file cannot be written; an older one stays as it was.

    Example:
        >>> import tempfile
        >>> import rax.ops
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> x = new_input("x", tensor_type((2,)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw(Graph((x,), (x,)), f"{folder}/graph.dot")
        ...     print(Path(folder, "graph.dot").read_text().splitlines()[0])
        digraph rax {
    """
    target = Path(path)
    kind = target.suffix.removeprefix(".").lower()
    if kind not in (*PICTURES, *TEXTS):
        known = ", ".join(f".{suffix}" for suffix in (*TEXTS[:1], *PICTURES))
        raise RaxError(f"cannot draw to {target.name!r}", fix=f"end the name in one of {known}")
    if direction not in DIRECTIONS:
        raise RaxError(f"there is no direction {direction!r}", fix="use 'TB' or 'LR'")
    if depth is not None and depth < 0:
        raise RaxError(f"the depth of a drawing is not negative: {depth}")
    drawing: Any = to_dot(graph, direction=direction, depth=depth)  # its methods are only partly typed
    if kind in TEXTS:
        with replacing(target) as file:
            file.write(drawing.source.encode())
        return
    if kind == "png":
        drawing.attr(dpi=FINE_DPI if len(graph.nodes) <= MAX_FINE_NODES else COARSE_DPI)
    try:
        picture = _picture(drawing, kind)
    except graphviz.ExecutableNotFound as error:
        what = f"drawing .{kind} needs Graphviz's program 'dot', which is not on the PATH"
        raise RaxError(what, fix=INSTALL) from error
    with replacing(target) as file:
        file.write(picture)


def svg(graph: Graph) -> str | None:
    """The graph as SVG for a notebook; None where ``dot`` is absent or the graph is large."""
    if len(graph.nodes) > MAX_INLINE_NODES:
        return None
    try:
        return _picture(to_dot(graph), "svg").decode()
    except graphviz.ExecutableNotFound:
        return None


def _picture(drawing: graphviz.Digraph, kind: str) -> bytes:
    try:
        return graphviz.pipe("dot", kind, drawing.source.encode(), quiet=True)
    except graphviz.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip() if isinstance(error.stderr, bytes) else str(error.stderr)
        raise RaxError(
            f"Graphviz could not draw the graph: {said}", fix="draw to a .dot file to see its text"
        ) from error
