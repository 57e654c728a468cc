"""NumPy's functions and methods met on a tensor: what the namespace has in their place."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from rax.ir import services

_ARITHMETIC: Final = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "floor_divide": "floordiv",
    "remainder": "mod", "power": "pow", "matmul": "matmul", "bitwise_and": "and", "bitwise_or": "or",
    "bitwise_xor": "xor", "left_shift": "lshift", "right_shift": "rshift",
}  # fmt: skip
OPERATORS: Final = {name: (f"__{part}__", f"__r{part}__") for name, part in _ARITHMETIC.items()} | {
    "less": ("__lt__", "__gt__"),
    "less_equal": ("__le__", "__ge__"),
    "greater": ("__gt__", "__lt__"),
    "greater_equal": ("__ge__", "__le__"),
    "equal": ("__eq__", "__eq__"),
    "not_equal": ("__ne__", "__ne__"),
}
"""Ufuncs that an operator between an array and a tensor calls: its method on the left and on the right operand."""

NAMES: Final = {
    "amax": "max", "amin": "min", "around": "round", "copy": "asarray", "fabs": "abs", "flatten": "reshape",
    "unique": "unique_values",
}  # fmt: skip
"""Names of NumPy's that ``rax.numpy`` has under another."""

_REDUCTIONS: Final = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
}  # fmt: skip
_RUNNING: Final = {"add": "cumulative_sum", "multiply": "cumulative_prod"}


def counterpart(name: str, module: str = "") -> str:
    """The function for what NumPy calls ``name``, as ``rax.numpy.name``; ``""`` if there is none."""
    section = module.removeprefix("numpy").strip(".") if module in ("numpy.fft", "numpy.linalg") else ""
    place: Any = services.get("array_namespace")()
    path = "rax.numpy"
    if section and hasattr(place, section):
        place, path = getattr(place, section), f"{path}.{section}"
    ours = name if name in getattr(place, "__all__", ()) else NAMES.get(name, "")
    found: Any = getattr(place, ours, None) if ours else None
    return f"{path}.{ours}" if callable(found) and not isinstance(found, (type, ModuleType)) else ""


def ufunc_counterpart(name: str, method: str) -> str:
    """The same for a method of a ufunc: ``add.reduce`` is a sum."""
    methods = {"reduce": _REDUCTIONS, "accumulate": _RUNNING}
    return counterpart(methods[method].get(name, "") if method in methods else name)


def advice(function: str) -> str:
    """What to do where NumPy cannot compute with a tensor."""
    return f"use {function}" if function else "in place of a NumPy function use that of rax.numpy"
