"""The threads of the BLAS behind NumPy, which are put out of the way while threads of ours share the work.

OpenBLAS computes a product in threads of its own, and each of those then waits for the next one by turning in
place for some 20 ms. On a processor with one of our threads it takes half of the time. So products within a job are
computed by the threads of the job. Other libraries than OpenBLAS are left as they are.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

# As NumPy's own wheels name them, as 64-bit builds do, and as most others.
_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")


def _function(name: str) -> Any:
    """A function of the OpenBLAS that NumPy is linked with; None where there is none."""
    module: Any = sys.modules.get("numpy._core._multiarray_umath")
    try:
        library = ctypes.CDLL(module.__file__)
    except (AttributeError, OSError):
        return None
    found = (getattr(library, each.format(name), None) for each in _NAMES)
    return next((each for each in found if each is not None), None)


class OneThread:
    """Runs functions in which a product is computed by the thread that asks for it, in whatever thread that is.

    Example:
        >>> import numpy as np
        >>> OneThread().run(np.matmul, np.ones((1, 2)), np.ones((2, 1)))
        array([[2.]])
    """

    def __init__(self) -> None:
        self._count = _function("get_num_threads")
        self._set = _function("set_num_threads")
        self._before = 0  # how many threads it had; 0 where it has them
        self.forget()

    def forget(self) -> None:
        """Begin with no one inside: a forked process has no other thread of its parent's."""
        self._inside: set[object] = set()
        self._lock = threading.Lock()
        self._restore()

    def run(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """What the function returns."""
        if self._set is None:
            return function(*given, **named)
        token = object()
        # An interrupt comes between two lines, also of those that clean up; what it cuts off, the next one does.
        try:
            with self._lock:
                if not self._inside:
                    self._before = self._before or self._count()
                    self._set(1)
                self._inside.add(token)
            return function(*given, **named)
        finally:
            try:
                self._inside.discard(token)
            finally:
                with self._lock:
                    self._restore()

    def _restore(self) -> None:
        if self._before and not self._inside:
            self._set(self._before)
            self._before = 0


ONE_THREAD = OneThread()
