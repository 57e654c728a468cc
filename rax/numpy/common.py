"""What the sections share: reading axes, shapes and devices as the standard lets them be given."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, cast

from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Dim, Shape
from rax.ir.errors import OutOfRangeError, RaxError, ShapeError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import DType
from rax.ops.selection import cast as convert
from rax.ops.shape import expand_dims

SizeLike = int | str | Dim | Tensor
ShapeLike = SizeLike | Iterable[SizeLike]
Axes = int | Sequence[int] | None


def as_shape(shape: ShapeLike) -> Shape:
    """A shape from a size or an iterable of sizes; a string names a symbolic one."""
    return dims.as_shape(as_list(shape))


def as_list(given: Any) -> list[Any]:
    """One item, or the items of an iterable, as a list; strings and sizes are items.

    Raises:
        TypeInferenceError: it is neither.
    """
    if isinstance(given, (str, Dim)) or (hasattr(given, "__index__") and not getattr(given, "ndim", 0)):
        return [given]
    if not isinstance(given, Iterable):
        raise TypeInferenceError(f"an axis or a size is an integer, not {given!r}", fix="give an integer, or several")
    return [*cast("Iterable[Any]", given)]


def as_integer(given: Any, what: str) -> int:
    """An integer of Python's from whatever stands for one.

    Args:
        given: an integer.
        what: what it is, for the error.

    Raises:
        TypeInferenceError: it is no integer.
    """
    try:
        return operator.index(given)
    except RaxError:
        raise  # a tensor without a value yet says itself what to do
    except TypeError as error:
        raise TypeInferenceError(f"{what} is an integer, not {given!r}", fix="give a Python integer") from error


def sequence(given: Any) -> list[Any] | None:
    """The items of a list or tuple, or None of anything else."""
    return [*cast("Sequence[Any]", given)] if isinstance(given, (list, tuple)) else None


def as_axis(axis: int, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
        OutOfRangeError: it is out of range.
        TypeInferenceError: it is no integer.
    """
    number = as_integer(axis, "an axis")
    if not -ndim <= number < ndim:
        raise OutOfRangeError(f"axis {number} is out of range for a tensor with {ndim} axes")
    return number % ndim


def as_axes(axis: Axes, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front, in order; all of them for None.

    Raises:
        OutOfRangeError: an axis is out of range.
        ShapeError: an axis is given twice.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = sorted(as_axis(number, ndim) for number in as_list(axis))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"the same axis is given twice: {axis}")
    return tuple(axes)


def one_axis(axis: int | None, x: Value, name: str) -> int:
    """The axis counted from the front; None will do where there is only one.

    Raises:
        OutOfRangeError: the axis is out of range.
        TypeInferenceError: it is None beside several axes.
    """
    if axis is None:
        if x.ndim != 1:
            raise TypeInferenceError(f"{name} needs an axis for {x.type}", fix="give axis=…, or reshape to one axis")
        return 0
    return as_axis(axis, x.ndim)


def with_axes(result: Value, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """A reduction's result, with the reduced axes of size 1 back if they are to stay."""
    return Tensor(expand_dims(result, axes) if keepdims else result)


def inexact(x: TensorLike, default: DType) -> Value:
    """A value of a floating or complex dtype; bools and integers in the default one."""
    value = as_value(x)
    return value if value.dtype.is_inexact else convert(value, default)


def check_device(device: Any) -> None:
    """Check that a device is the one there is.

    Raises:
        TypeInferenceError: it is another one.
    """
    if device not in (None, "cpu"):
        raise TypeInferenceError(f"a tensor lives on 'cpu', not {device!r}", fix="choose a backend in rax.compile")
