"""Functions of modules that are imported when they are first needed, so that a process pays for what it uses."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # to checkers True by its name: what starts a process imports this first, and typing takes long
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def late(module: str, name: str) -> Callable[..., Any]:
    """A function that stands for another, whose module is imported when it is first called.

    Args:
        module: written out as a string, so that the test of the layers can read it.
        name: the function, or what else can be called.

    Example:
        >>> late("rax.ir.dims", "shape_text")((2, 3))
        '[2, 3]'
    """

    def call(*args: Any, **named: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **named)

    return call
