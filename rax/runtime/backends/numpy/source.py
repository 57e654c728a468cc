"""Python text made of numbered names, compiled, and the line of it at which an error came up."""

from __future__ import annotations

import functools
from types import CodeType
from typing import Any

_FILENAME = "<rax numpy plan>"


@functools.lru_cache(maxsize=256)
def compiled(source: str, name: str) -> CodeType:
    """The code of the function of that name."""
    namespace: dict[str, Any] = {}
    exec(compile(source, _FILENAME, "exec"), namespace)  # noqa: S102  # the text is made of numbered names alone
    return namespace[name].__code__


def line_of(error: Exception, code: CodeType) -> int:
    """The line of a function's code at which an error came up; 0 if it did not."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            return trace.tb_lineno
        trace = trace.tb_next
    return 0
