"""From what users write to values: conversion, and promotion to one dtype.

A Python number, or a symbolic size, is weak: it takes the dtype of the tensors it meets, unless its kind is higher
(a float beside integers), when it takes the default dtype of its kind. A tensor, a NumPy array
and a NumPy scalar are strong: they meet in :func:`rax.ir.types.promote`.
"""

from __future__ import annotations

import functools
from typing import Any, TypeGuard

import numpy as np

from rax.ir.dims import Dim
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import DType, bool_, complex64, complex_dtype, float32, int64, promote
from rax.ops.arrays import Array, constant, scalar
from rax.ops.creation import dim_size
from rax.ops.selection import cast

KIND_RANK = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3}
"""A number of higher rank does not fit a dtype of lower."""

_INTEGER_BITS = {"int": 1, "uint": 0}


class Handle:
    """What stands for a value in users' hands; :class:`rax.Tensor` is the only one.

    Attributes:
        value: the value it stands for now.
    """

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


Number = complex | Dim
TensorLike = Handle | Value | Array | np.generic | Number
"""What reads as a tensor; at run time, so does any array that NumPy or DLPack can read."""


def is_number(x: object) -> TypeGuard[Number]:
    """Whether ``x`` is a Python number or a symbolic size, hence weak; NumPy's scalars are not."""
    return isinstance(x, (bool, int, float, complex, Dim)) and not isinstance(x, np.generic)


def is_operand(x: object) -> bool:
    """Whether ``x`` can stand beside a tensor in an operation."""
    return isinstance(x, (Handle, Value, np.ndarray, np.generic)) or is_number(x) or _is_foreign(x)


def _is_foreign(x: object) -> bool:
    return not isinstance(x, type) and (hasattr(x, "__array__") or hasattr(x, "__dlpack__"))


def number_kind(number: Number) -> DType:
    """The default dtype of a number: bool, int64, float32 or complex64."""
    if isinstance(number, bool):
        return bool_
    if isinstance(number, (int, Dim)):
        return int64
    return float32 if isinstance(number, float) else complex64


def weak_dtype(number: Number, beside: DType) -> DType:
    """The dtype a Python number takes beside a strong dtype.

    Example:
        >>> weak_dtype(2, float32), weak_dtype(0.5, int64), weak_dtype(1j, float32)
        (float32, float32, complex64)
    """
    default = number_kind(number)
    if KIND_RANK[default.kind] <= KIND_RANK[beside.kind]:
        return beside
    return complex_dtype(beside) if default.kind == "complex" and beside.kind == "float" else default


def number_value(number: Number, dtype: DType) -> Value:
    """A number as a scalar; a symbolic size as what it is when the graph runs.

    Raises:
        TypeInferenceError: an integer is outside the range of an integer dtype.
    """
    if isinstance(number, Dim):
        return dim_size(number, dtype)
    if dtype.kind in _INTEGER_BITS and isinstance(number, int):
        bits = dtype.itemsize * 8 - _INTEGER_BITS[dtype.kind]
        low = -(1 << bits) if dtype.kind == "int" else 0
        if not low <= number < 1 << bits:
            raise TypeInferenceError(f"{number} does not fit {dtype}", fix="cast the tensor to a wider dtype")
    return scalar(number, dtype)


def as_value(x: Any, dtype: DType | None = None) -> Value:
    """A value from a tensor, a Python number, a NumPy array or any array with DLPack.

    Args:
        x: what to read.
        dtype: the dtype the result shall have; by default its own (numbers: their default).

    Raises:
        RaxError: ``x`` is nothing of the kind.
    """
    if isinstance(x, Handle):
        value = x.value
    elif isinstance(x, Value):
        value = x
    elif is_number(x):
        return number_value(x, dtype or number_kind(x))
    elif isinstance(x, (np.ndarray, np.generic)):
        value = constant(x)
    elif _is_foreign(x):
        value = constant(np.asarray(x) if hasattr(x, "__array__") else np.from_dlpack(x))
    else:
        raise RaxError(
            f"a tensor, array or number is due, not {type(x).__name__}",
            fix="make lists and other nests into tensors with rax.numpy.asarray",
        )
    return value if dtype is None else cast(value, dtype)


def common_dtype(*operands: Number | Value | DType) -> DType:
    """The dtype operands meet in."""
    strong = [x if isinstance(x, DType) else x.dtype for x in operands if isinstance(x, (DType, Value))]
    numbers = [x for x in operands if not isinstance(x, (DType, Value))]
    dtype = functools.reduce(promote, strong or [number_kind(number) for number in numbers])
    for number in numbers:
        dtype = promote(dtype, weak_dtype(number, dtype))
    return dtype


def promote_operands(*operands: Any) -> list[Value]:
    """Operands as values of one dtype; Python numbers are weak.

    Raises:
        TypeInferenceError: two dtypes have no common one, or a number does not fit.
    """
    mixed = [x if is_number(x) else as_value(x) for x in operands]
    dtype = common_dtype(*mixed)
    return [cast(x, dtype) if isinstance(x, Value) else number_value(x, dtype) for x in mixed]
