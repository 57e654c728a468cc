"""Python's cycle collector, held while many nodes are made: by a transform, or from a file."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused() -> Generator[None]:
    """Look for no cycles: the work makes none, and looking again and again doubles its time.

    Example:
        >>> with paused():
        ...     gc.isenabled()
        False
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
