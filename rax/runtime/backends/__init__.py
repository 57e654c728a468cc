"""What turns a plan into something that runs: one backend a folder, found by name.

A backend may import heavy libraries; nothing outside its folder may.
"""

from __future__ import annotations

from rax.ir.errors import RaxError
from rax.runtime.backends.base import Backend
from rax.runtime.backends.numpy import NumpyBackend
from rax.runtime.backends.reference import ReferenceBackend

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (NumpyBackend(), ReferenceBackend())}


def find_backend(name: str) -> Backend:
    """The backend of a name.

    Raises:
        RaxError: there is none.

    Example:
        >>> find_backend("numpy").name
        'numpy'
    """
    if name not in BACKENDS:
        raise RaxError(f"there is no backend {name!r}", fix=f"use one of {', '.join(BACKENDS)}")
    return BACKENDS[name]
