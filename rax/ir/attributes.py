"""Attributes against the types of the fields they fill, as a reader of text or bytes must check them."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, cast

from rax.ir.dims import Dim
from rax.ir.errors import TypeInferenceError, some
from rax.ir.op import Op
from rax.ir.types import DType

MISFIT = object()
"""What :func:`fit` gives for a value that cannot have the type."""
_LONGEST = 200


@functools.cache
def attribute_types(cls: type[Op]) -> dict[str, Any]:
    """The type of each attribute of an operation."""
    found: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        # Not of the whole class, whose other annotations name much that need not be looked at.
        stated = inspect.get_annotations(owner)
        own = {name: hint for name, hint in stated.items() if name in cls.attribute_names()}
        if own:
            fields = types.SimpleNamespace(__annotations__=own)
            found.update(typing.get_type_hints(fields, vars(sys.modules[owner.__module__])))
    return {name: found[name] for name in cls.attribute_names()}


def fit(value: Any, hint: Any) -> Any:
    """The value as a type asks, or ``MISFIT``.

    Only an int is changed, to the float that is due: in some languages they are one type.

    Example:
        >>> fit((1, 2), tuple[int, ...]), fit(1, float), fit(1.5, int) is MISFIT
        ((1, 2), 1.0, True)
    """
    if hint is Any:
        return value
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        fits = (fit(value, part) for part in parts)
        return next((fitting for fitting in fits if fitting is not MISFIT), MISFIT)
    if origin is tuple:
        return _fit_tuple(value, parts)
    if hint is float and type(value) is int and abs(value) <= 2**53:
        return float(value)
    if hint in (int, bool, float, str):
        return value if type(value) is hint else MISFIT
    return value if isinstance(value, cast("type", hint)) else MISFIT


def _fit_tuple(value: Any, parts: tuple[Any, ...]) -> Any:
    if type(value) is not tuple:
        return MISFIT
    items = cast("tuple[Any, ...]", value)
    hints = parts[:1] * len(items) if parts[1:] == (Ellipsis,) else parts
    if len(hints) != len(items):
        return MISFIT
    fitting = tuple([fit(item, hint) for item, hint in zip(items, hints, strict=True)])
    return MISFIT if any(item is MISFIT for item in fitting) else fitting


def _shown(value: Any) -> str:
    """An attribute in an error: what is long in one line or has none is named by what it is."""
    if type(value) is tuple:
        items = cast("tuple[Any, ...]", value)
        return f"({some(items, text=_shown)}{',' * (len(items) == 1)})"
    if value is None or isinstance(value, (bool, int, float, str, Dim, DType)):
        return repr(value)[:_LONGEST]
    return f"a {type(value).__name__}"


def make_op(cls: type[Op], attributes: Mapping[str, Any]) -> Op:
    """The operation with these attributes.

    Raises:
        TypeInferenceError: an attribute is unknown, missing, or not of its field's type.

    Example:
        >>> import rax.ops
        >>> from rax.ir.op import REGISTRY
        >>> make_op(REGISTRY["sum"], {"axes": (0, 1)})
        sum[axes=(0, 1)]
    """
    due = attribute_types(cls)
    if not due and not attributes:
        return cls()
    fitting: dict[str, Any] = {}
    for name, value in attributes.items():
        if name not in due:
            known = f"it has {', '.join(due)}" if due else "it has none"
            raise TypeInferenceError(f"{cls.name} has no attribute {_shown(name)}", fix=known)
        fitting[name] = fit(value, due[name])
        if fitting[name] is MISFIT:
            raise TypeInferenceError(f"the attribute {name!r} of {cls.name} cannot be {_shown(value)}")
    for name in due:
        if name not in fitting and not hasattr(cls, name):  # a default is an attribute of the class
            raise TypeInferenceError(f"{cls.name} lacks the attribute {name!r}")
    return cls(**fitting)
