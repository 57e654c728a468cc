"""Dtypes, and the functions that ask about them and convert between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rax.frontend.promotion import Handle, TensorLike, as_value, common_dtype, is_number
from rax.frontend.tensor import Tensor
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import DType, as_dtype, promote, real_dtype
from rax.numpy.common import check_device
from rax.ops.arrays import numpy_dtype
from rax.ops.selection import cast as convert

_KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("int",),
    "unsigned integer": ("uint",),
    "integral": ("int", "uint"),
    "real floating": ("float",),
    "complex floating": ("complex",),
    "numeric": ("int", "uint", "float", "complex"),
}

# The distance from 1 to the next number, the largest number, the smallest of full precision.
_UNKNOWN_TO_NUMPY = {
    "float8_e4m3fn": (2.0**-3, 448.0, 2.0**-6),
    "float8_e5m2": (2.0**-2, 57344.0, 2.0**-14),
    "bfloat16": (2.0**-7, (2 - 2.0**-7) * 2.0**127, 2.0**-126),
}


@dataclass(frozen=True)
class FloatInfo:
    """The limits of a floating dtype, of the real part of a complex one.

    Attributes:
        bits: the bits of one element.
        eps: the distance from 1 to the next larger number.
        max: the largest number.
        min: the smallest number, negative.
        smallest_normal: the smallest positive number of full precision.
        dtype: the real dtype.
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntegerInfo:
    """The limits of an integer dtype.

    Attributes:
        bits: the bits of one element.
        max: the largest number.
        min: the smallest number.
        dtype: the dtype.
    """

    bits: int
    max: int
    min: int
    dtype: DType


def astype(x: TensorLike, dtype: object, /, *, copy: bool = True, device: str | None = None) -> Tensor:
    """``x`` in another dtype.

    Args:
        x: any shape.
        dtype: the dtype of the result.
        copy: whether a result of the same dtype is a tensor of its own.
        device: ``"cpu"`` or None.

    Raises:
        TypeInferenceError: a complex tensor would lose its imaginary part.

    Example:
        >>> astype(-1.7, "int32")
        Tensor(-1, dtype=int32)
    """
    check_device(device)
    wanted = as_dtype(dtype)
    if isinstance(x, Tensor) and x.dtype is wanted and not copy:
        return x
    return Tensor(convert(as_value(x), wanted))


def _dtype_of(x: Any) -> DType:
    return x.value.dtype if isinstance(x, Handle) else as_value(x).dtype if _is_array(x) else as_dtype(x)


def _is_array(x: Any) -> bool:
    return isinstance(x, (Value, np.ndarray, np.generic))


def can_cast(from_: object, to: object, /) -> bool:
    """Whether promotion leads from one dtype to another.

    Args:
        from_: a dtype or an array.
        to: a dtype.

    Example:
        >>> can_cast("int8", "int16"), can_cast("int16", "int8")
        (True, False)
    """
    start, end = _dtype_of(from_), as_dtype(to)
    try:
        return promote(start, end) is end
    except TypeInferenceError:
        return False


def finfo(type: object, /) -> FloatInfo:
    """The limits of a floating or complex dtype, or of an array's.

    Raises:
        TypeInferenceError: the dtype is neither.

    Example:
        >>> finfo("float32").bits, finfo("float32").eps == 2**-23
        (32, True)
    """
    dtype = _dtype_of(type)
    if not dtype.is_inexact:
        raise TypeInferenceError(f"finfo is for floating and complex dtypes, not {dtype}", fix="use iinfo")
    real = real_dtype(dtype)
    if real.name in _UNKNOWN_TO_NUMPY:
        eps, largest, normal = _UNKNOWN_TO_NUMPY[real.name]
        return FloatInfo(real.itemsize * 8, eps, largest, -largest, normal, real)
    info = np.finfo(numpy_dtype(real))
    eps, largest, smallest, normal = map(float, (info.eps, info.max, info.min, info.smallest_normal))
    return FloatInfo(int(info.bits), eps, largest, smallest, normal, real)


def iinfo(type: object, /) -> IntegerInfo:
    """The limits of an integer dtype, or of an array's.

    Raises:
        TypeInferenceError: the dtype is none.

    Example:
        >>> iinfo("uint8").max
        255
    """
    dtype = _dtype_of(type)
    if dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"iinfo is for integer dtypes, not {dtype}", fix="use finfo")
    info = np.iinfo(numpy_dtype(dtype))
    return IntegerInfo(info.bits, int(info.max), int(info.min), dtype)


def isdtype(dtype: object, kind: object) -> bool:
    """Whether a dtype is of a kind.

    Args:
        dtype: the dtype.
        kind: a dtype; or ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
            ``"real floating"``, ``"complex floating"`` or ``"numeric"``; or a tuple of these.

    Raises:
        TypeInferenceError: there is no such kind.

    Example:
        >>> isdtype("int32", "integral"), isdtype("int32", ("bool", "real floating"))
        (True, False)
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in cast("tuple[object, ...]", kind))
    if isinstance(kind, str) and kind in _KINDS:
        return as_dtype(dtype).kind in _KINDS[kind]
    if isinstance(kind, str):
        raise TypeInferenceError(f"there is no kind of dtype {kind!r}", fix=f"use one of {', '.join(_KINDS)}")
    return as_dtype(dtype) is as_dtype(kind)


def result_type(*arrays_and_dtypes: object) -> DType:
    """The dtype that tensors, numbers and dtypes meet in.

    Raises:
        TypeInferenceError: there is none, or nothing is given.

    Example:
        >>> result_type("int8", "uint8"), result_type("float64", 1j)
        (int16, complex128)
    """
    if not arrays_and_dtypes:
        raise TypeInferenceError("result_type needs at least one array or dtype")
    return common_dtype(*[x if is_number(x) else _dtype_of(x) for x in arrays_and_dtypes])
