"""Between NumPy arrays and the IR's dtypes, literals and constants."""

from __future__ import annotations

import functools
import importlib
import mmap
from typing import Any, cast

import numpy as np

from rax.ir import node
from rax.ir.dims import Shape
from rax.ir.errors import RaxError
from rax.ir.node import Literal, Value
from rax.ir.types import DType, TensorType, as_dtype

Array = np.ndarray[Any, np.dtype[Any]]


@functools.cache
def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """NumPy's dtype; ``bfloat16`` and the float8 ones come from ml_dtypes, imported when first met."""
    if dtype.name == "bfloat16" or dtype.is_float8:
        return np.dtype(getattr(importlib.import_module("ml_dtypes"), dtype.name))
    return np.dtype(dtype.name)


def literal(array: Any, dtype: DType | None = None) -> Literal:
    """A literal from anything NumPy reads as an array.

    It is copied, so that later changes do not show, unless there can be none: an array that is read-only, as all
    is that it is a view of, is taken as it lies in memory or in a mapped file. (Whoever makes one read-only keeps
    no view that is not.)

    Raises:
        RaxError: the elements are no numbers.
    """
    if dtype is None:
        source = np.asarray(array)
        if source.dtype.kind not in "biufcV" or source.dtype.names:
            raise RaxError(f"an array of {source.dtype} cannot be a constant", fix="use numbers or bools")
        dtype = as_dtype(source.dtype)
    else:
        source = np.asarray(array)
    if source.dtype == numpy_dtype(dtype) and _is_frozen(source):
        return mapped_literal(source)
    copied = np.array(source, numpy_dtype(dtype), order="C")
    copied.flags.writeable = False
    return mapped_literal(copied)


def _is_frozen(array: Array) -> bool:
    """Whether an array can be taken as it lies: in order, and a view of nothing that can be written."""
    if not (array.flags.c_contiguous and array.flags.aligned):
        return False
    base: object = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = cast("object", base.base)
    if isinstance(base, memoryview):
        base = cast("object", base.obj)
    return base is None or isinstance(base, bytes) or (isinstance(base, mmap.mmap) and memoryview(base).readonly)


def mapped_literal(array: Array, digest: bytes | None = None) -> Literal:
    """A literal over a contiguous read-only array, without a copy."""
    flat: Any = array.reshape(-1).view(np.uint8)  # Python 3.11 has no type for buffers
    raw = memoryview(flat if array.size else b"")
    return Literal(TensorType(as_dtype(array.dtype), tuple(map(int, array.shape))), array, raw, digest)


@functools.cache
def _stored_dtype(dtype: DType) -> np.dtype[Any]:
    return numpy_dtype(dtype).newbyteorder("<")


def literal_from_bytes(type: TensorType, raw: bytes | memoryview, digest: bytes | None = None) -> Literal:
    """A literal over its elements, little-endian and row-major, as many bytes as the type takes.

    Args:
        type: dtype and concrete shape.
        raw: the elements; not copied.
        digest: the SHA-256 of ``raw`` where it is already known.
    """
    array = np.frombuffer(raw, _stored_dtype(type.dtype)).reshape(concrete(type.shape))
    array.flags.writeable = False
    return Literal(type, array, memoryview(raw), digest)


def constant(array: Any, dtype: DType | None = None) -> Value:
    """A constant value from anything NumPy reads as an array."""
    return node.constant(literal(array, dtype))


@functools.lru_cache(maxsize=1024)
def _scalar(number: object, exact: str, dtype: DType) -> Literal:
    del exact
    return literal(np.asarray(number).astype(numpy_dtype(dtype)))


def scalar(number: complex, dtype: DType) -> Value:
    """A constant of shape ``()``; broadcasts against anything of its dtype."""
    return node.constant(_scalar(number, repr(number), dtype))


def concrete(shape: Shape) -> tuple[int, ...]:
    """A shape without symbolic dims, as evaluation needs it."""
    return tuple(size.__index__() for size in shape)


def quietly() -> np.errstate:
    """A context in which NumPy says nothing of NaNs, infinities and overflow, which are values like others."""
    return np.errstate(all="ignore")


def wide(array: Array) -> Array:
    """Half-precision floats as float32, to compare or accumulate in; anything else as it is."""
    half = array.dtype.itemsize == 2 and array.dtype.kind not in "iu"
    return array.astype(np.float32) if half else array
