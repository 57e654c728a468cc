"""NumPy's functions that join, split and splice: stacks, blocks, parts, insertions and deletions."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import Handle, TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import OutOfRangeError, ShapeError, TypeInferenceError
from rax.ir.node import Value
from rax.numpy.common import as_axis, as_list
from rax.numpy.manipulation import concat
from rax.numpy.rearranging import atleast_1d, atleast_2d, atleast_3d, ravel
from rax.ops import shape as shape_ops
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import Array
from rax.ops.indexing import Gather
from rax.ops.selection import cast as convert

Sections = int | np.integer[Any] | Sequence[int] | Array
_PLACES = "the positions fix the shape of the result: give Python integers, or compute them outside the traced function"


def concatenate(arrays: Sequence[TensorLike], axis: int | None = 0) -> Tensor:
    """Tensors joined along an axis they all have; :func:`concat`, with the axis by position too.

    Example:
        >>> from rax.numpy import asarray
        >>> concatenate([asarray([1, 2]), asarray([3])])
        Tensor([1, 2, 3], dtype=int64)
    """
    return concat(arrays, axis=axis)


def vstack(tup: Sequence[TensorLike]) -> Tensor:
    """Tensors below each other, a vector as a row.

    Example:
        >>> from rax.numpy import asarray
        >>> vstack([asarray([1, 2]), asarray([3, 4])])
        Tensor([[1, 2],
                [3, 4]], dtype=int64)
    """
    return concat([atleast_2d(x) for x in tup], axis=0)


def hstack(tup: Sequence[TensorLike]) -> Tensor:
    """Tensors beside each other: along the second axis, vectors along their only one.

    Example:
        >>> from rax.numpy import asarray
        >>> hstack([asarray([1, 2]), asarray([3])])
        Tensor([1, 2, 3], dtype=int64)
    """
    parts: list[Tensor] = [atleast_1d(x) for x in tup]
    return concat(parts, axis=1 if parts and parts[0].ndim > 1 else 0)


def dstack(tup: Sequence[TensorLike]) -> Tensor:
    """Tensors behind each other, along the third axis.

    Example:
        >>> from rax.numpy import ones
        >>> dstack([ones((2, 3)), ones((2, 3))]).shape
        (2, 3, 2)
    """
    return concat([atleast_3d(x) for x in tup], axis=2)


def column_stack(tup: Sequence[TensorLike]) -> Tensor:
    """Vectors as the columns of a matrix, matrices beside each other.

    Example:
        >>> from rax.numpy import asarray
        >>> column_stack([asarray([1, 2]), asarray([3, 4])])
        Tensor([[1, 3],
                [2, 4]], dtype=int64)
    """
    parts: list[Tensor] = [atleast_1d(x) for x in tup]
    return concat([part[:, None] if part.ndim == 1 else part for part in parts], axis=1)


def split(ary: TensorLike, indices_or_sections: Sections, axis: int = 0) -> list[Tensor]:
    """The parts along an axis: a number of equal ones, or cut before given positions.

    Args:
        ary: any shape.
        indices_or_sections: how many parts; or where to cut.
        axis: the axis.

    Raises:
        ShapeError: the size is not, or not provably, a multiple of the number of parts.

    Example:
        >>> from rax.numpy import arange
        >>> split(arange(4), 2)
        [Tensor([0, 1], dtype=int64), Tensor([2, 3], dtype=int64)]
    """
    value = as_value(ary)
    size = value.shape[as_axis(axis, value.ndim)]
    if isinstance(indices_or_sections, int) and indices_or_sections > 0:
        each = dims.floor_divide(size, indices_or_sections)
        if each * indices_or_sections != size:
            raise ShapeError(
                f"an axis of size {size} does not split into {indices_or_sections} equal parts",
                fix="use array_split, or give the positions to cut at",
            )
    return array_split(Tensor(value), indices_or_sections, axis)


def array_split(ary: TensorLike, indices_or_sections: Sections, axis: int = 0) -> list[Tensor]:
    """The parts along an axis, the first ones larger by one where they cannot be equal.

    Args:
        ary: any shape.
        indices_or_sections: how many parts; or before which positions to cut.
        axis: the axis.

    Raises:
        TypeInferenceError: the number of parts is not positive.

    Example:
        >>> from rax.numpy import arange
        >>> [part.shape for part in array_split(arange(5), 3)]
        [(2,), (2,), (1,)]
    """
    value = Tensor(as_value(ary))
    place = as_axis(axis, value.ndim)
    size = value.shape[place]
    cuts: list[Size | None] = [0]
    if hasattr(indices_or_sections, "__index__") and np.ndim(cast("Any", indices_or_sections)) == 0:
        count = operator.index(cast("Any", indices_or_sections))
        if count < 1:
            raise TypeInferenceError(f"a tensor splits into a positive number of parts, not {count}")
        each = dims.floor_divide(size, count)
        larger = size - each * count
        cuts += [part * each + dims.minimum(larger, part) for part in range(1, count)]
    else:
        cuts += as_list(indices_or_sections)
    before = (slice(None),) * place
    return [value[(*before, slice(start, stop))] for start, stop in zip(cuts, [*cuts[1:], None], strict=True)]


def hsplit(ary: TensorLike, indices_or_sections: Sections) -> list[Tensor]:
    """The parts along the second axis, of a vector along its only one; see :func:`split`.

    Example:
        >>> from rax.numpy import ones
        >>> [part.shape for part in hsplit(ones((2, 4)), 2)]
        [(2, 2), (2, 2)]
    """
    return split(ary, indices_or_sections, 1 if as_value(ary).ndim > 1 else 0)


def vsplit(ary: TensorLike, indices_or_sections: Sections) -> list[Tensor]:
    """The parts along the first axis; see :func:`split`.

    Example:
        >>> from rax.numpy import ones
        >>> [part.shape for part in vsplit(ones((4, 2)), 2)]
        [(2, 2), (2, 2)]
    """
    return split(ary, indices_or_sections, 0)


def dsplit(ary: TensorLike, indices_or_sections: Sections) -> list[Tensor]:
    """The parts along the third axis; see :func:`split`.

    Example:
        >>> from rax.numpy import ones
        >>> [part.shape for part in dsplit(ones((1, 2, 4)), 2)]
        [(1, 2, 2), (1, 2, 2)]
    """
    return split(ary, indices_or_sections, 2)


def append(arr: TensorLike, values: TensorLike, axis: int | None = None) -> Tensor:
    """``values`` put behind ``arr``.

    Args:
        arr: any shape.
        values: of that shape apart from the axis.
        axis: the axis; None flattens both.

    Example:
        >>> from rax.numpy import asarray
        >>> append(asarray([1, 2]), 3)
        Tensor([1, 2, 3], dtype=int64)
    """
    return concat(promote_operands(arr, values), axis=axis)


def _along(arr: TensorLike, axis: int | None, name: str) -> tuple[Value, int, int]:
    """An operand, the axis that positions count along, and that axis's known size."""
    value = as_value(arr)
    if axis is None:
        value, axis = ravel(value).value, 0
    place = as_axis(axis, value.ndim)
    size = value.shape[place]
    if not isinstance(size, int):
        raise ShapeError(f"{name} needs to know the size {size}", fix="fix it in the spec, or join slices with concat")
    return value, place, size


def _positions(obj: Any, name: str) -> Any:
    """An index whose value is known: an int, a slice or an array."""
    if isinstance(obj, Handle):
        return concrete(obj.value, name, _PLACES)
    kept: Any = obj
    return kept if isinstance(obj, slice) or hasattr(obj, "__index__") else np.asarray(kept)


def _is_one(places: Any) -> bool:
    return not isinstance(places, slice) and np.ndim(places) == 0


def insert(arr: TensorLike, obj: Any, values: TensorLike, axis: int | None = None) -> Tensor:
    """``values`` put in before given positions.

    Args:
        arr: any shape.
        obj: one position, which takes any number of values; or a slice or positions, one value each.
        values: in the dtype of ``arr`` afterwards; they broadcast.
        axis: the axis; None flattens ``arr``.

    Raises:
        OutOfRangeError: a position is out of range.
        UnboundInputError: the positions depend on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> insert(asarray([1, 2, 3]), 1, 9)
        Tensor([1, 9, 2, 3], dtype=int64)
    """
    value, place, size = _along(arr, axis, "insert")
    places = _positions(obj, "insert")
    new = convert(as_value(values), value.dtype)
    new = shape_ops.expand_dims(new, tuple(range(value.ndim - new.ndim)))
    if _is_one(places):
        # As in NumPy: one position takes all values, whose first axis is the one they go along.
        new = shape_ops.moveaxis(new, 0, place) if as_value(values).ndim else new
        count = new.shape[place]
    else:
        count = len(np.insert(np.arange(size), places, 0)) - size
    new = broadcast_to(new, (*value.shape[:place], count, *value.shape[place + 1 :]))
    if not isinstance(count, int):
        raise ShapeError(f"insert takes a known number of values, not {count}", fix="join slices with concat")
    try:
        order = np.insert(np.arange(size), places, np.arange(size, size + count))
    except IndexError as error:
        raise OutOfRangeError(f"insert: {error}") from None
    return _picked(shape_ops.Concat(place)(value, new), order, place)


def delete(arr: TensorLike, obj: Any, axis: int | None = None) -> Tensor:
    """``arr`` without the parts at given positions.

    Args:
        arr: any shape.
        obj: a position, positions, a slice or a mask, whose value must be known.
        axis: the axis; None flattens ``arr``.

    Raises:
        OutOfRangeError: a position is out of range.
        UnboundInputError: the positions depend on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> delete(asarray([1, 2, 3]), 1)
        Tensor([1, 3], dtype=int64)
    """
    value, place, size = _along(arr, axis, "delete")
    try:
        kept = np.delete(np.arange(size), _positions(obj, "delete"))
    except IndexError as error:
        raise OutOfRangeError(f"delete: {error}") from None
    return _picked(value, kept, place)


def _picked(x: Value, places: Any, axis: int) -> Tensor:
    """The parts at different positions along an axis."""
    picked = Gather(0, unique_indices=True)(shape_ops.moveaxis(x, axis, 0), as_value(places))
    return Tensor(shape_ops.moveaxis(picked, 0, axis))


def block(arrays: Any) -> Tensor:
    """Nested lists of blocks put together: the innermost along the last axis, outer ones before it.

    Args:
        arrays: a tensor, or lists of lists of tensors, nested equally deep.

    Raises:
        TypeInferenceError: the blocks do not fit, or lie at different depths.

    Example:
        >>> from rax.numpy import eye, zeros
        >>> block([[eye(2), zeros((2, 1))]]).shape
        (2, 3)
    """
    depth = _depth(arrays)
    rank = max(depth, *[as_value(x).ndim for x in _leaves(arrays)])

    def joined(nest: Any, level: int) -> Tensor:
        if not isinstance(nest, list):
            value = as_value(nest)
            return Tensor(shape_ops.expand_dims(value, tuple(range(rank - value.ndim))))
        return concat([joined(item, level + 1) for item in cast("list[Any]", nest)], axis=rank - depth + level)

    return joined(arrays, 0)


def _depth(nest: Any) -> int:
    if not isinstance(nest, list):
        return 0
    items = cast("list[Any]", nest)
    depths = {_depth(item) for item in items}
    if len(depths) != 1:
        raise TypeInferenceError("block takes lists that are not empty and nested equally deep")
    return 1 + depths.pop()


def _leaves(nest: Any) -> list[Any]:
    if not isinstance(nest, list):
        return [nest]
    return [leaf for item in cast("list[Any]", nest) for leaf in _leaves(item)]
