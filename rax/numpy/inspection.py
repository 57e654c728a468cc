"""What the standard lets a program ask about an array library."""

from __future__ import annotations

import sys
from types import ModuleType

from rax.ir import trail
from rax.ir.types import DTYPES, DType, complex64, float32, int64
from rax.numpy.common import check_device
from rax.numpy.data_types import isdtype

_BEYOND = ("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16")


class NamespaceInfo:
    """What :func:`__array_namespace_info__` returns."""

    def capabilities(self) -> dict[str, bool | int | None]:
        """Which optional parts of the standard there are.

        Where values fix a shape they must be known. So while a function is traced both parts are said to be
        missing, and libraries that ask choose a way that keeps the shape, such as ``where``.

        Example:
            >>> __array_namespace_info__().capabilities()
            {'boolean indexing': True, 'data-dependent shapes': True, 'max dimensions': 64}
        """
        known = not trail.tracing()
        return {"boolean indexing": known, "data-dependent shapes": known, "max dimensions": 64}

    def default_device(self) -> str:
        """``"cpu"``."""
        return "cpu"

    def devices(self) -> tuple[str, ...]:
        """``("cpu",)``."""
        return ("cpu",)

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """The dtypes that Python numbers and indices get."""
        check_device(device)
        return {"real floating": float32, "complex floating": complex64, "integral": int64, "indexing": int64}

    def dtypes(self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The standard's dtypes by name, those of a kind where one is given.

        Args:
            device: ``"cpu"`` or None.
            kind: as :func:`isdtype` takes it.
        """
        check_device(device)
        named = {name: dtype for name, dtype in DTYPES.items() if name not in _BEYOND}
        return {name: dtype for name, dtype in named.items() if kind is None or isdtype(dtype, kind)}


def __array_namespace_info__() -> NamespaceInfo:  # noqa: N807  (the standard's name)
    """What this namespace can do.

    Example:
        >>> __array_namespace_info__().default_dtypes()["real floating"]
        float32
    """
    return NamespaceInfo()


def namespace() -> ModuleType:
    """The module ``rax.numpy``."""
    return sys.modules["rax.numpy"]
