"""Where each node came from: the user's line and the scopes around it.

A side table, so two nodes that compute the same thing stay one node. Every node creation
is told to the active :class:`Recorder`; a trace runs under a recorder of its own, whose
table also says which nodes belong to that trace (control flow needs to know).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType
from typing import Any, NamedTuple, Protocol

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# Before Python 3.12 a comprehension is a function of its own.
_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")


class Origin(NamedTuple):
    """The scopes a node was made in and the user's line, ``file.py:12 in model``."""

    scope: tuple[str, ...] = ()
    source: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, ("/".join(self.scope), self.source)))


NOWHERE = Origin()
_internal: dict[CodeType, bool] = {}
_origins: dict[tuple[CodeType, int, tuple[str, ...]], Origin] = {}
_scope: ContextVar[tuple[str, ...]] = ContextVar("rax_scope", default=())


def _is_internal(code: CodeType) -> bool:
    known = _internal.get(code)
    if known is None:
        known = _internal[code] = code.co_filename.startswith((_PACKAGE, "<rax"))
    return known


def _function(code: CodeType) -> str:
    """The name of a code object's function; of a comprehension's, the function it stands in."""
    parts = [part for part in code.co_qualname.split(".") if part != "<locals>"]
    while len(parts) > 1 and parts[-1] in _COMPREHENSIONS:
        parts.pop()
    return "<module>" if parts[-1] in _COMPREHENSIONS else parts[-1]


def here() -> Origin:
    """The origin of the nearest frame outside rax."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and _is_internal(frame.f_code):
        frame = frame.f_back
    if frame is None:
        return NOWHERE
    key = (frame.f_code, frame.f_lineno, _scope.get())
    origin = _origins.get(key)
    if origin is None:
        name = os.path.basename(frame.f_code.co_filename)
        origin = Origin(key[2], f"{name}:{frame.f_lineno} in {_function(frame.f_code)}")
        _origins[key] = origin
    return origin


@contextmanager
def scope(name: str) -> Generator[None]:
    """Name the part of the model being built; drawings group nodes by it.

    Example:
        >>> with scope("encoder"):
        ...     here().scope
        ('encoder',)
    """
    token = _scope.set((*_scope.get(), name))
    try:
        yield
    finally:
        _scope.reset(token)


class Traced(Protocol):
    """What the trail is kept for: a node. ``origin`` is where it was made outside every trace."""

    origin: Origin


class Recorder:
    """Learns of every node made while it is active.

    Args:
        outer: the recorder of the enclosing trace; its nodes stay its own.

    Attributes:
        table: the origin of each node of the trace.
        pinned: the origin that nodes get in place of the user's line; a transform sets it.
    """

    def __init__(self, outer: Recorder | None = None) -> None:
        self.table: dict[Any, Origin] = {}
        self.outer = outer
        self.pinned: Origin | None = None

    def owns(self, node: Traced) -> bool:
        """Whether the node was made in this trace, not in an enclosing one."""
        return node in self.table

    def created(self, node: Traced) -> None:
        """Note a node, new or met again."""
        if node in self.table:
            return
        outer = self.outer
        while outer is not None:
            if node in outer.table:
                return
            outer = outer.outer
        self.table[node] = self.pinned or here()

    def adopt(self, origins: Mapping[Any, Origin]) -> None:
        """Own nodes made elsewhere: by an inner trace that is not closed, or of a graph put here as it is."""
        self.table.update(origins)


class _Ambient(Recorder):
    """The recorder of a thread outside every trace.

    Nodes keep their first origin themselves, so that this holds none of them alive.
    """

    def created(self, node: Traced) -> None:
        if node.origin is NOWHERE:
            node.origin = self.pinned or here()

    def adopt(self, origins: Mapping[Any, Origin]) -> None:
        for node, origin in origins.items():
            if node.origin is NOWHERE:
                node.origin = origin


_recorder: ContextVar[Recorder | None] = ContextVar("rax_recorder", default=None)


def recorder() -> Recorder:
    """The active recorder."""
    active = _recorder.get()
    if active is None:
        active = _Ambient()
        _recorder.set(active)
    return active


def tracing() -> bool:
    """Whether a trace is going on."""
    return not isinstance(recorder(), _Ambient)


@contextmanager
def recording() -> Generator[Recorder]:
    """Run a trace under a recorder of its own."""
    outer = recorder()
    inner = Recorder(None if isinstance(outer, _Ambient) else outer)
    inner.pinned = outer.pinned
    token = _recorder.set(inner)
    try:
        yield inner
    finally:
        _recorder.reset(token)


@contextmanager
def pinning() -> Generator[Recorder]:
    """Let a transform set ``recorder.pinned`` to the origin of the node it works on."""
    active = recorder()
    before = active.pinned
    try:
        yield active
    finally:
        active.pinned = before


def origin_of(node: Traced) -> Origin:
    """Where a node was made, as far as the active recorders know."""
    active: Recorder | None = recorder()
    while active is not None:
        if node in active.table:
            return active.table[node]
        active = active.outer
    return node.origin
