"""What a value is: dtypes and their promotion, tensor types, broadcasting of shapes."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NoReturn, Self, cast
from weakref import WeakValueDictionary

from rax.ir import dims
from rax.ir.dims import Dim, Shape, Size
from rax.ir.errors import TypeInferenceError, some
from rax.ir.record import Frozen

MAX_AXES = 64
"""NumPy's bound, and that of files."""


class DType(Frozen):
    """An element type; the objects below are the only ones, compared by identity.

    Attributes:
        name: the array API's name, such as ``"float32"``.
        kind: ``"bool"``, ``"int"``, ``"uint"``, ``"float"`` or ``"complex"``.
        itemsize: bytes of one element.
    """

    name: str
    kind: str
    itemsize: int

    __eq__ = object.__eq__  # pyright: ignore[reportAssignmentType]  # it takes self by position alone
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return as_dtype, (self.name,)

    @property
    def is_floating(self) -> bool:
        """Whether this is a real floating-point dtype."""
        return self.kind == "float"

    @property
    def is_inexact(self) -> bool:
        """Whether derivatives exist: floating or complex."""
        return self.kind in ("float", "complex")

    @property
    def is_float8(self) -> bool:
        """Whether numbers of this dtype are only stored: moved, compared for equality and cast, not computed with."""
        return self.kind == "float" and self.itemsize == 1


bool_ = DType("bool", "bool", 1)
int8 = DType("int8", "int", 1)
int16 = DType("int16", "int", 2)
int32 = DType("int32", "int", 4)
int64 = DType("int64", "int", 8)
uint8 = DType("uint8", "uint", 1)
uint16 = DType("uint16", "uint", 2)
uint32 = DType("uint32", "uint", 4)
uint64 = DType("uint64", "uint", 8)
float8_e4m3fn = DType("float8_e4m3fn", "float", 1)
float8_e5m2 = DType("float8_e5m2", "float", 1)
float16 = DType("float16", "float", 2)
bfloat16 = DType("bfloat16", "float", 2)
float32 = DType("float32", "float", 4)
float64 = DType("float64", "float", 8)
complex64 = DType("complex64", "complex", 8)
complex128 = DType("complex128", "complex", 16)

DTYPES: dict[str, DType] = {
    dtype.name: dtype
    for dtype in (
        bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
        float8_e4m3fn, float8_e5m2, float16, bfloat16, float32, float64, complex64, complex128,
    )
}  # fmt: skip
_PYTHON: dict[object, DType] = {bool: bool_, int: int64, float: float32, complex: complex64}


def as_dtype(dtype: object) -> DType:
    """Read a dtype: one of rax's, a name, a NumPy dtype or scalar type, or a Python type.

    Raises:
        TypeInferenceError: there is no such dtype.

    Example:
        >>> as_dtype("float32"), as_dtype(bool), as_dtype(float)
        (float32, bool, float32)
    """
    if isinstance(dtype, DType):
        return dtype
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None)
    if not isinstance(name, str):
        name = str(getattr(dtype, "__name__", dtype)).rstrip("_")
    if name not in DTYPES:
        tuples = "; a shape of several axes is a tuple" if isinstance(dtype, int) else ""
        raise TypeInferenceError(f"there is no dtype {name!r}", fix=f"use one of {', '.join(DTYPES)}{tuples}")
    return DTYPES[name]


_COMPLEX_PARTS = {"complex64": float32, "complex128": float64}
_SIGNED = {2: int16, 4: int32, 8: int64}


def real_dtype(dtype: DType) -> DType:
    """The dtype of the real part: itself unless complex."""
    return _COMPLEX_PARTS.get(dtype.name, dtype)


def complex_dtype(dtype: DType) -> DType:
    """The complex dtype whose parts hold ``dtype``."""
    if dtype.kind == "complex":
        return dtype
    return complex128 if dtype is float64 else complex64


_KIND_ORDER = ("bool", "uint", "int", "float", "complex")


def promote(first: DType, second: DType) -> DType:
    """The dtype two operands meet in: the array API's lattice, widened where it is silent.

    The standard leaves mixed kinds open; there an integer or bool meets a floating dtype in
    the floating dtype, as JAX and PyTorch decide it. ``uint64`` has no signed partner, and the
    dtypes of float8, in which nothing is computed, have none but themselves.

    Raises:
        TypeInferenceError: there is no such dtype.

    Example:
        >>> promote(int8, uint8), promote(int64, float32), promote(bfloat16, float16)
        (int16, float32, float32)
    """
    if first is second:
        return first
    if first.is_float8 or second.is_float8:
        raise TypeInferenceError(f"{first} and {second} have no common dtype", fix="cast one side with astype")
    low, high = sorted((first, second), key=lambda d: (_KIND_ORDER.index(d.kind), d.itemsize))
    if low.kind == "bool":
        return high
    if high.kind in ("int", "uint"):
        if low.kind == high.kind or low.itemsize < high.itemsize:
            return high
        if low.itemsize == 8:
            raise TypeInferenceError(f"{low} and {high} have no common integer dtype", fix="cast one side with astype")
        return _SIGNED[low.itemsize * 2]
    if low.kind in ("int", "uint"):
        return high
    if high.kind == "float":
        return float32 if low.itemsize == high.itemsize else high
    return high if high.itemsize >= complex_dtype(low).itemsize else complex_dtype(low)


class TensorType:
    """The dtype and shape of a value; a shape may hold symbolic dims.

    Equal types are one object, so that the types of a new node are compared and looked up by identity.

    Example:
        >>> TensorType(float32, (dims.dim("batch"), 64))
        float32[batch, 64]
    """

    __slots__ = ("__weakref__", "dtype", "shape")
    dtype: DType
    shape: Shape

    def __new__(cls, dtype: DType, shape: Shape) -> Self:
        """The type of a dtype and shape, made or found."""
        key = (dtype, shape)
        with _making:
            found = _known.get(key)
            if found is None:
                found = _known[key] = super().__new__(cls)
                object.__setattr__(found, "dtype", dtype)
                object.__setattr__(found, "shape", shape)
        return cast("Self", found)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a type never changes; make another with_{name}")

    def __reduce__(self) -> tuple[object, tuple[DType, Shape]]:
        return TensorType, (self.dtype, self.shape)

    def __repr__(self) -> str:
        return f"{self.dtype.name}{dims.shape_text(self.shape)}"

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Size:
        """The number of elements."""
        return dims.product(self.shape)

    @property
    def nbytes(self) -> Size:
        """The bytes of the elements, laid out densely."""
        return self.size * self.dtype.itemsize

    def with_shape(self, shape: Shape) -> TensorType:
        """This dtype with another shape."""
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: DType) -> TensorType:
        """This shape with another dtype."""
        return TensorType(dtype, self.shape)


_known: WeakValueDictionary[tuple[DType, Shape], TensorType] = WeakValueDictionary()
_making = threading.Lock()


def tensor_type(shape: Iterable[int | str | Dim] | int | str | Dim, dtype: object = float32) -> TensorType:
    """A tensor type from anything that reads as a shape and a dtype."""
    return TensorType(as_dtype(dtype), dims.as_shape(shape))


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape operands meet in: axes align at the right, a size of 1 stretches.

    A symbolic dim meets itself or 1; two dims that are not provably equal do not broadcast.
    Of no shapes, the shape is that of a scalar.

    Raises:
        TypeInferenceError: two sizes differ, naming the axis.

    Example:
        >>> broadcast_shapes((dims.dim("n"), 1, 3), (4, 3))
        (dim('n'), 4, 3)
    """
    if not shapes:
        return ()
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    result = list(max(shapes, key=len))
    for shape in shapes:
        for axis in range(-1, -len(shape) - 1, -1):
            have, new = result[axis], shape[axis]
            if have == new or new == 1:
                continue
            if have != 1:
                shown = some(shapes, " and ", dims.shape_text)
                raise TypeInferenceError(
                    f"shapes {shown} do not broadcast: {have} against {new} on axis {axis}",
                    fix="make the sizes equal, or one of them 1",
                )
            result[axis] = new
    return tuple(result)


def normalize_axis(axis: int, ndim: int) -> int:
    """An axis counted from the front, checked.

    Raises:
        TypeInferenceError: the axis is out of range.
    """
    if not -ndim <= axis < ndim:
        raise TypeInferenceError(f"axis {axis} is out of range for a tensor with {ndim} axes")
    return axis % ndim
