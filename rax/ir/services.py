"""What a graph can do that other layers know how: run, draw, print; and what few runs need, as a profile.

The IR may not import those layers, so the package's root names the implementations here as
``"module:function"``; each is imported when first used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # as in the root, which imports this module alone
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_targets: dict[str, str] = {}
_loaded: dict[str, Callable[..., Any]] = {}


def provide(**targets: str) -> None:
    """Name the implementation of each service as ``"module:function"``."""
    _targets.update(targets)
    for name in targets:
        _loaded.pop(name, None)


def get(name: str) -> Callable[..., Any]:
    """The implementation of a service."""
    if name not in _loaded:
        module, function = _targets[name].split(":")
        _loaded[name] = getattr(importlib.import_module(module), function)
    return _loaded[name]
