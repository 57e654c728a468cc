"""Where each node came from: the user's line and the scopes around it.

A side table, so two nodes that compute the same thing stay one node. Every node creation
is told to the active :class:`Recorder`; a trace runs under a recorder of its own, whose
table also says which nodes belong to that trace (control flow needs to know).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# Before Python 3.12 a comprehension is a function of its own.
_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")


@dataclass(frozen=True, slots=True)
class Origin:
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
def scope(name: str) -> Iterator[None]:
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


class Recorder:
    """Learns of every node made while it is active.

    Args:
        table: where origins are kept, by node.
        outer: the recorder of the enclosing trace; its nodes stay its own.
    """

    def __init__(self, table: MutableMapping[Any, Origin], outer: Recorder | None = None) -> None:
        self.table = table
        self.outer = outer
        self.pinned: Origin | None = None

    def owns(self, node: object) -> bool:
        """Whether the node was made in this trace, not in an enclosing one."""
        return node in self.table

    def created(self, node: object) -> None:
        """Note a node, new or met again."""
        if node in self.table:
            return
        outer = self.outer
        while outer is not None:
            if node in outer.table:
                return
            outer = outer.outer
        self.table[node] = self.pinned or here()


_ambient = Recorder(WeakKeyDictionary())
_recorder: ContextVar[Recorder] = ContextVar("rax_recorder", default=_ambient)


def recorder() -> Recorder:
    """The active recorder; outside every trace, one that holds its nodes weakly."""
    return _recorder.get()


@contextmanager
def recording() -> Iterator[Recorder]:
    """Run a trace under a recorder of its own."""
    outer = _recorder.get()
    inner = Recorder({}, None if outer is _ambient else outer)
    inner.pinned = outer.pinned
    token = _recorder.set(inner)
    try:
        yield inner
    finally:
        _recorder.reset(token)


def adopt(inner: Recorder) -> None:
    """Let the active recorder own what an inner trace made, where that was no closed graph."""
    _recorder.get().table.update(inner.table)


@contextmanager
def pinning() -> Iterator[Recorder]:
    """Let a transform set ``recorder.pinned`` to the origin of the node it works on."""
    active = _recorder.get()
    before = active.pinned
    try:
        yield active
    finally:
        active.pinned = before


def origin_of(node: object) -> Origin:
    """Where a node was made, as far as the active recorders know."""
    active: Recorder | None = _recorder.get()
    while active is not None:
        if node in active.table:
            return active.table[node]
        active = active.outer
    return _ambient.table.get(node, NOWHERE)
