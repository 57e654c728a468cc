"""The vocabulary in which an operation says what its laws run on.

A :class:`Sample` holds operand descriptions and attributes; ``arrays`` draws the operands
for one dtype, the same ones every time. A :class:`Reject` is a sample that must be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from rax.ir.op import Op
from rax.ir.record import Record
from rax.ir.types import DType, TensorType, as_dtype
from rax.ops.arrays import Array, numpy_dtype

BOOL = ("bool",)
INTS = ("int8", "int16", "int32", "int64")
UINTS = ("uint8", "uint16", "uint32", "uint64")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
INTEGERS = INTS + UINTS
REAL = INTEGERS + FLOATS
NUMERIC = REAL + COMPLEX
INEXACT = FLOATS + COMPLEX
ANY = BOOL + NUMERIC
"""Every dtype but those of float8, which an operation on any dtype takes too; one test tries them all on it."""

Draw = Callable[["np.random.Generator", tuple[int, ...]], Array]


class Operand:
    """One operand: its shape, how to draw it, and its dtype where that is fixed."""

    def __init__(self, shape: tuple[int, ...], draw: Draw, dtype: str | None = None) -> None:
        self.shape = shape
        self.draw = draw
        self.dtype = dtype

    def array(self, dtype: DType, rng: np.random.Generator) -> Array:
        """Draw the operand; the sample's dtype holds unless this operand fixes its own."""
        chosen = as_dtype(self.dtype) if self.dtype else dtype
        numbers = self.draw(rng, self.shape)
        if chosen.kind == "bool":
            return numbers > 0
        if chosen.kind == "uint":
            numbers = np.abs(numbers)
        if chosen.kind in ("int", "uint") and self.dtype is None:
            numbers = np.rint(numbers * 2)
        if chosen.kind == "complex":
            numbers = numbers + 1j * self.draw(rng, self.shape)
        return np.asarray(numbers).astype(numpy_dtype(chosen))

    def type(self, dtype: DType) -> TensorType:
        """The operand's type for the sample's dtype."""
        return TensorType(as_dtype(self.dtype) if self.dtype else dtype, self.shape)


def normal(*shape: int) -> Operand:
    """Standard normal numbers, kept at least 0.1 from 0 (where kinks are)."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        numbers = rng.normal(size=size)
        return numbers + np.copysign(0.1, numbers)

    return Operand(shape, draw)


def uniform(*shape: int, low: float, high: float, dtype: str | None = None) -> Operand:
    """Numbers between two bounds."""
    return Operand(shape, lambda rng, size: np.asarray(rng.uniform(low, high, size)), dtype)


def positive(*shape: int) -> Operand:
    """Numbers between 0.5 and 3."""
    return uniform(*shape, low=0.5, high=3)


def distinct(*shape: int) -> Operand:
    """Numbers that all differ by at least 0.25, shuffled: no ties under max or sort."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
        count = int(np.prod(size))
        return (rng.permutation(count).reshape(size) - count / 2 + 0.3) / 4

    return Operand(shape, draw)


def integers(*shape: int, low: int, high: int, dtype: str = "int64") -> Operand:
    """Whole numbers from ``low`` up to, not including, ``high``; for indices."""
    return Operand(shape, lambda rng, size: np.asarray(rng.integers(low, high, size)), dtype)


def booleans(*shape: int) -> Operand:
    """Random truth values."""
    return Operand(shape, lambda rng, size: np.asarray(rng.normal(size=size)), "bool")


def values(*numbers: float, dtype: str | None = None) -> Operand:
    """Exactly these numbers, as a vector."""
    return Operand((len(numbers),), lambda rng, size: np.array(numbers), dtype)


class Sample(Record):
    """Operands and attributes an operation is tried on.

    Attributes:
        operands: what it is applied to.
        attributes: its fields; a function here is called with the dtype (for fields that hold graphs).
        dtypes: the dtypes to draw, where not all of the operation's.
    """

    operands: tuple[Operand, ...]
    attributes: Mapping[str, Any] = MappingProxyType({})
    dtypes: tuple[str, ...] | None = None

    def op(self, cls: type[Op], dtype: DType) -> Op:
        """The operation with this sample's attributes, for one dtype."""
        return _with_attributes(cls, self.attributes, dtype)

    def arrays(self, dtype: DType, seed: int = 0) -> list[Array]:
        """The operands for one dtype; the same for the same seed."""
        rng = np.random.default_rng(seed)
        return [operand.array(dtype, rng) for operand in self.operands]

    def types(self, dtype: DType) -> list[TensorType]:
        """The operand types for one dtype."""
        return [operand.type(dtype) for operand in self.operands]


class Reject(Record):
    """Operands and attributes that must be refused, and a part of what the error says."""

    operands: tuple[Operand, ...]
    match: str
    attributes: Mapping[str, Any] = MappingProxyType({})
    dtype: str = "float32"

    def op(self, cls: type[Op]) -> Op:
        """The operation with this reject's attributes."""
        return _with_attributes(cls, self.attributes, as_dtype(self.dtype))

    def types(self) -> list[TensorType]:
        """The operand types."""
        return [operand.type(as_dtype(self.dtype)) for operand in self.operands]


def _with_attributes(cls: type[Op], attributes: Mapping[str, Any], dtype: DType) -> Op:
    return cls(**{name: value(dtype) if callable(value) else value for name, value in attributes.items()})


def sample(*operands: Operand, dtypes: tuple[str, ...] | None = None, **attributes: Any) -> Sample:
    """A sample: operands, then attributes by name."""
    return Sample(operands, attributes, dtypes)


def reject(*operands: Operand, match: str, dtype: str = "float32", **attributes: Any) -> Reject:
    """A reject: operands, a part of the message due, attributes by name."""
    return Reject(operands, match, attributes, dtype)
