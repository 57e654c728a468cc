"""What the BLAS behind NumPy can do that NumPy does not pass on: products added to what is there, and fewer threads.

Its threads are put out of the way while threads of ours share the work. OpenBLAS computes a product in threads of its
own, and each of those then waits for the next one by turning in place for some 20 ms. On a processor with one of our
threads it takes half of the time. So products within a job are computed by the threads of the job. Other libraries
than OpenBLAS are left as they are.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

from rax.ir.types import DType
from rax.ops.arrays import Array

# How NumPy's own wheels name functions, 64-bit builds, and most others; with OpenBLAS's own, and those of CBLAS.
_NAMES = (
    ("scipy_openblas_{}64_", "scipy_{}64_"), ("scipy_openblas_{}", "scipy_{}"),
    ("openblas_{}64_", "{}64_"), ("openblas_{}", "{}"),
)  # fmt: skip
_ROW_MAJOR, _AS_IT_IS, _TRANSPOSED = 101, 111, 112


@functools.cache
def _library() -> tuple[Any, tuple[str, str]] | None:
    """The OpenBLAS that NumPy is linked with, and how it names functions; None where there is none."""
    module: Any = sys.modules.get("numpy._core._multiarray_umath")
    try:
        library = ctypes.CDLL(module.__file__)
    except (AttributeError, OSError):
        return None
    return next(((library, names) for names in _NAMES if hasattr(library, names[0].format("get_num_threads"))), None)


def _function(name: str) -> Any:
    """One of OpenBLAS's own functions; None where there is none."""
    found = _library()
    return None if found is None else getattr(found[0], found[1][0].format(name), None)


GeneralProduct = Callable[[float, float, Array, Array, Array], bool]


@functools.cache
def general_product(dtype: DType) -> GeneralProduct | None:
    """The function that adds products of matrices; None where NumPy's BLAS cannot be reached.

    It is given ``alpha``, ``beta``, matrices ``a`` and ``b`` and what has the shape of their product, which becomes
    ``alpha * a @ b + beta * c``. It returns whether it could: BLAS reads and writes rows or columns without gaps.

    Args:
        dtype: of all three, float32 or float64.

    Example:
        >>> import numpy as np
        >>> from rax.ir.types import float64
        >>> add = general_product(float64)
        >>> c = np.ones((2, 2))
        >>> (add is None or add(0.5, 10.0, np.eye(2), np.eye(2), c)) and c.tolist() in (
        ...     [[10.5, 10.0], [10.0, 10.5]], [[1.0, 1.0], [1.0, 1.0]])
        True
    """
    found = _library()
    if found is None:
        return None
    library, (_, name) = found
    gemm: Any = getattr(library, name.format(f"cblas_{_LETTERS[dtype.name]}gemm"), None)
    if gemm is None:
        return None
    number = ctypes.c_float if dtype.itemsize == 4 else ctypes.c_double
    size = ctypes.c_int64 if name.endswith("64_") else ctypes.c_int
    place, flag = ctypes.c_void_p, ctypes.c_int
    gemm.restype = None
    gemm.argtypes = [flag, flag, flag, size, size, size, number, place, size, place, size, number, place, size]
    itemsize = dtype.itemsize

    def add(alpha: float, beta: float, a: Array, b: Array, c: Array) -> bool:
        (rows, depth), columns = a.shape, b.shape[1]
        lies, left, right = _lies(c, itemsize), _lies(a, itemsize), _lies(b, itemsize)
        if lies is None or left is None or right is None or lies[0] != _AS_IT_IS:
            return False
        if rows and columns:
            gemm(
                _ROW_MAJOR, left[0], right[0], rows, columns, depth, alpha, _address(a), left[1],
                _address(b), right[1], beta, _address(c), lies[1],
            )  # fmt: skip
        return True

    return add


_LETTERS = {"float32": "s", "float64": "d"}


def _lies(matrix: Array, itemsize: int) -> tuple[int, int] | None:
    """Whether a matrix is transposed, and how many elements its rows, or columns, are apart; None for all others."""
    (rows, columns), (down, across) = matrix.shape, matrix.strides
    if not matrix.flags.aligned or down % itemsize or across % itemsize:
        return None
    if (across == itemsize or columns <= 1) and (down >= columns * itemsize or rows <= 1):
        return _AS_IT_IS, max(down // itemsize if rows > 1 else columns, 1)
    if (down == itemsize or rows <= 1) and (across >= rows * itemsize or columns <= 1):
        return _TRANSPOSED, max(across // itemsize if columns > 1 else rows, 1)
    return None


def _address(matrix: Array) -> int:
    return matrix.__array_interface__["data"][0]


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
