"""Reductions over groups: element ``i`` belongs to the group ``segment_ids[i]``. Names and meaning are JAX's."""

from __future__ import annotations

import math

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import TensorType, int8, int64
from rax.numpy.elementwise import equal
from rax.numpy.searching import where
from rax.numpy.statistical import prod
from rax.ops.algebra import broadcast_to, full, zeros
from rax.ops.arrays import numpy_dtype, scalar
from rax.ops.creation import dim_size, iota
from rax.ops.elementwise import negative
from rax.ops.indexing import Scatter, take_along_axis
from rax.ops.selection import cast
from rax.ops.shape import expand_dims
from rax.ops.sorting import ArgSort

_STATIC = "give num_segments=, or compute the segment ids outside the traced function"


def segment_sum(data: TensorLike, segment_ids: TensorLike, num_segments: Size | None = None) -> Tensor:
    """The sum of each group's rows; 0 for an empty group.

    Args:
        data: shape ``(n, *rest)``.
        segment_ids: ``n`` integers, in any order; rows of a group below 0, or not below
            ``num_segments``, are left out.
        num_segments: the number of groups; None takes what the ids need, which must then be known.

    Returns:
        Shape ``(num_segments, *rest)``.

    Raises:
        TypeInferenceError: the ids are no vector of integers of that length.
        UnboundInputError: ``num_segments`` is None and the ids depend on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> segment_sum(asarray([1, 2, 3]), asarray([0, 2, 0]), 3)
        Tensor([4, 0, 2], dtype=int64)
    """
    value, places, count = _read(data, segment_ids, num_segments, "segment_sum")
    inside, safe = _inside(places, count)
    rows = where(_over_rest(inside, value), Tensor(value), Tensor(scalar(0, value.dtype))).value
    empty = zeros(value.type.with_shape((count, *value.shape[1:])))
    return Tensor(empty if count == 0 else Scatter()(empty, safe.value, rows))


def segment_prod(data: TensorLike, segment_ids: TensorLike, num_segments: Size | None = None) -> Tensor:
    """The product of each group's rows; 1 for an empty group. See :func:`segment_sum`.

    It compares each row with each group, so memory grows with the product of their numbers.

    Example:
        >>> from rax.numpy import asarray
        >>> segment_prod(asarray([3, 2, 5]), asarray([0, 2, 0]), 3)
        Tensor([15,  1,  2], dtype=int64)
    """
    value, places, count = _read(data, segment_ids, num_segments, "segment_prod")
    groups = Tensor(expand_dims(iota(count), (1,)))
    member = Tensor(expand_dims(equal(Tensor(places), groups).value, tuple(range(2, value.ndim + 1))))
    return prod(where(member, Tensor(value), Tensor(scalar(1, value.dtype))), axis=1, dtype=value.dtype)


def segment_max(data: TensorLike, segment_ids: TensorLike, num_segments: Size | None = None) -> Tensor:
    """The largest of each group's rows; minus infinity, or the smallest integer, for an empty group.

    See :func:`segment_sum`. Of equal elements the last has the derivative; a NaN wins.

    Example:
        >>> from rax.numpy import asarray
        >>> segment_max(asarray([1.0, 2.0, 3.0]), asarray([0, 2, 0]), 3)
        Tensor([  3., -inf,   2.], dtype=float32)
    """
    return _extreme(data, segment_ids, num_segments, "segment_max", largest=True)


def segment_min(data: TensorLike, segment_ids: TensorLike, num_segments: Size | None = None) -> Tensor:
    """The smallest of each group's rows; infinity, or the largest integer, for an empty group.

    See :func:`segment_sum`. Of equal elements the last has the derivative; a NaN wins.

    Example:
        >>> from rax.numpy import asarray
        >>> segment_min(asarray([1.0, 2.0, 3.0]), asarray([0, 2, 0]), 3)
        Tensor([ 1., inf,  2.], dtype=float32)
    """
    return _extreme(data, segment_ids, num_segments, "segment_min", largest=False)


def _read(data: TensorLike, segment_ids: TensorLike, num_segments: Size | None, name: str) -> tuple[Value, Value, Size]:
    value, places = as_value(data), as_value(segment_ids)
    if not value.ndim or places.shape != value.shape[:1] or places.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(
            f"{name} needs an integer for each row, not {places.type} for {value.type}",
            fix="flatten leading axes, or use rax.vmap",
        )
    if num_segments is None:
        known = concrete(places, name, _STATIC)
        num_segments = int(known.max()) + 1 if known.size else 0
    count = dims.dim(num_segments)
    if isinstance(count, int) and count < 0:
        raise TypeInferenceError(f"{name} needs a number of segments that is not negative, not {count}")
    return value, cast(places, int64), count


def _inside(places: Value, count: Size) -> tuple[Tensor, Tensor]:
    """Which rows count, and places that name a group for every row."""
    ids = Tensor(places)
    inside = (ids >= 0) & (ids < Tensor(dim_size(count)))
    return inside, where(inside, ids, 0)


def _over_rest(mask: Tensor, value: Value) -> Tensor:
    return Tensor(expand_dims(mask.value, tuple(range(1, value.ndim))))


def _extreme(
    data: TensorLike, segment_ids: TensorLike, num_segments: Size | None, name: str, *, largest: bool
) -> Tensor:
    """Rows written in the order of their elements: the last one written to a group stays."""
    value, places, count = _read(data, segment_ids, num_segments, name)
    dtype = value.dtype
    nothing = _nothing(value, largest=largest)
    bottom = full(TensorType(dtype, (count, *value.shape[1:])), nothing)
    if count == 0:
        return Tensor(bottom)
    inside, safe = _inside(places, count)
    rows = where(_over_rest(inside, value), Tensor(value), Tensor(scalar(nothing, dtype))).value
    keys = cast(rows, int8) if dtype.kind == "bool" else rows
    # NaN stands at the end of what rises, where it is to be; so floats are not sorted to fall, but negated.
    falls = not largest and not dtype.is_inexact
    order = ArgSort(0, falls)(keys if largest or falls else negative(keys))
    ids = take_along_axis(broadcast_to(_over_rest(safe, value).value, value.shape), order, 0)
    indices = [ids]
    for axis in range(1, value.ndim):
        across = expand_dims(iota(value.shape[axis]), tuple(place for place in range(value.ndim) if place != axis))
        indices.append(broadcast_to(across, value.shape))
    return Tensor(Scatter(0, "set")(bottom, *indices, take_along_axis(rows, order, 0)))


def _nothing(value: Value, *, largest: bool) -> float:
    """What every number is larger than, or smaller."""
    if value.dtype.kind == "bool":
        return not largest
    if value.dtype.is_inexact:
        return -math.inf if largest else math.inf
    bits = 8 * numpy_dtype(value.dtype).itemsize
    if value.dtype.kind == "uint":
        return 0 if largest else 2**bits - 1
    return -(2 ** (bits - 1)) if largest else 2 ** (bits - 1) - 1
