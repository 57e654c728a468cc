"""The threads of the BLAS behind NumPy, which are put out of the way while threads of ours share the work.

OpenBLAS computes a product in threads of its own, and each of those then waits for the next one by turning in
place for some 20 ms. On a processor with one of our threads it takes half of the time. So products within a job are
computed by the threads of the job. Other libraries than OpenBLAS are left as they are.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from types import TracebackType
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
    """A context in which a product is computed by the thread that asks for it, in whatever thread that is.

    Example:
        >>> import numpy as np
        >>> with OneThread():
        ...     product = np.ones((512, 512)) @ np.ones((512, 512))
    """

    def __init__(self) -> None:
        self._count = _function("get_num_threads")
        self._set = _function("set_num_threads")
        self.forget()

    def forget(self) -> None:
        """Begin with no one inside: a forked process has no other thread of its parent's."""
        self._inside = 0
        self._before = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if self._set is None:
            return
        with self._lock:
            if not self._inside:
                self._before = self._count()
                self._set(1)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._set is None:
            return
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._set(self._before)


ONE_THREAD = OneThread()
