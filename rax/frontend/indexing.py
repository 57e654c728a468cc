"""``x[key]`` and ``x[key] = item`` on values, as NumPy has them.

Ints, slices with any step, ``...`` and ``None`` become slices, flips and reshapes; integer
arrays become gather and scatter. A boolean mask fixes the result's shape, so it must be known,
except in ``x[mask] = item`` where the item does not depend on how many elements are chosen.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, cast

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import KIND_RANK, Handle, as_value, is_number, number_value, weak_dtype
from rax.ir import dims
from rax.ir.dims import Dim, Shape, Size, shape_text
from rax.ir.errors import OutOfRangeError, TypeInferenceError
from rax.ir.node import Constant, Value
from rax.ir.types import TensorType, bool_, broadcast_shapes
from rax.ops.algebra import broadcast_to, full
from rax.ops.arrays import constant
from rax.ops.indexing import Gather, Scatter
from rax.ops.selection import cast as convert
from rax.ops.selection import where
from rax.ops.shape import Flip, Slice, expand_dims, pad, permute_dims, reshape

_MASK = (
    "use rax.numpy.where(mask, x, other) and keep the shape, index with rax.numpy.nonzero(mask, size=…), "
    "or compute the mask outside the traced function"
)


@dataclass
class _Plan:
    """A key, taken apart.

    Attributes:
        starts: where the slice of each axis starts, after flipping.
        lengths: how far it reaches, in steps of 1.
        steps: the positive step of each axis.
        flips: axes whose slice has a negative step.
        layout: the axes after slicing: those taken by an int are gone, new ones are in.
        arrays: integer arrays, by the axis of the layout they index.
        front: how many axes of the result come before those of the integer arrays.
    """

    starts: list[Size] = field(default_factory=list[Size])
    lengths: list[Size] = field(default_factory=list[Size])
    steps: list[int] = field(default_factory=list[int])
    flips: list[int] = field(default_factory=list[int])
    layout: list[Size] = field(default_factory=list[Size])
    arrays: dict[int, Value] = field(default_factory=dict[int, Value])
    front: int = 0

    def add_slice(self, start: Size, length: Size, step: int = 1) -> None:
        self.starts.append(start)
        self.lengths.append(length)
        self.steps.append(step)

    @property
    def sliced(self) -> Shape:
        """The shape after slicing, before axes are dropped and added."""
        pairs = zip(self.lengths, self.steps, strict=True)
        return tuple(length if step == 1 else dims.floor_divide(length + step - 1, step) for length, step in pairs)

    @property
    def order(self) -> tuple[int, ...]:
        """The axes of the layout, those that arrays index first."""
        return (*self.arrays, *[axis for axis in range(len(self.layout)) if axis not in self.arrays])

    @property
    def index_shape(self) -> Shape:
        """The shape the integer arrays broadcast to."""
        return broadcast_shapes(*[index.shape for index in self.arrays.values()])

    @property
    def result_order(self) -> tuple[int, ...]:
        """For each axis of the result, the axis of ``(*index_shape, *rest)``."""
        count = len(self.index_shape)
        rest = range(count, count + len(self.layout) - len(self.arrays))
        return (*rest[: self.front], *range(count), *rest[self.front :])


def get(x: Value, key: Any) -> Value:
    """``x[key]``.

    Raises:
        OutOfRangeError: an index is out of range, or there are too many.
        TypeInferenceError: an index is nothing of the kind.
        UnboundInputError: a boolean mask depends on an input.
    """
    if _is_mask(key) and not as_value(key).ndim:
        chosen = concrete(as_value(key), "a boolean index", _MASK)
        return get(expand_dims(x, (0,)), np.zeros(int(chosen), np.int64))
    plan = _plan(x, key)
    part = _get_slices(x, plan)
    if not plan.arrays:
        return part
    picked = Gather()(permute_dims(part, plan.order), *_indices(plan))
    return permute_dims(picked, plan.result_order)


def set(x: Value, key: Any, item: Any) -> Value:
    """``x`` with ``x[key] = item`` done.

    Raises:
        OutOfRangeError: an index is out of range, or there are too many.
        TypeInferenceError: the item does not broadcast to the place, or its dtype does not fit.
        UnboundInputError: a boolean mask depends on an input.
    """
    new = _item(x, item)
    if _is_mask(key):
        mask = as_value(key)
        if not mask.ndim and new.ndim > x.ndim and new.shape[0] == 1:  # of the axis that x[mask] has
            new = reshape(new, new.shape[1:])
        if new.ndim <= x.ndim - mask.ndim and x.shape[: mask.ndim] == mask.shape:
            wide = expand_dims(mask, tuple(range(mask.ndim, x.ndim)))
            return where(broadcast_to(wide, x.shape), broadcast_to(new, x.shape), x)
        if not mask.ndim:
            chosen = concrete(mask, "a boolean index", _MASK)
            return reshape(set(expand_dims(x, (0,)), np.zeros(int(chosen), np.int64), new), x.shape)
    plan = _plan(x, key)
    if plan.arrays:
        rest = [size for axis, size in enumerate(plan.layout) if axis not in plan.arrays]
        shape = (*rest[: plan.front], *plan.index_shape, *rest[plan.front :])
        updates = permute_dims(_fit(new, shape), _inverse(plan.result_order))
        part = permute_dims(_get_slices(x, plan), plan.order)
        written = Scatter(0, "set")(part, *_indices(plan), updates)
        new = permute_dims(written, _inverse(plan.order))
    return _set_slices(x, plan, _fit(new, tuple(plan.layout)))


def _get_slices(x: Value, plan: _Plan) -> Value:
    if plan.flips:
        x = Flip(tuple(plan.flips))(x)
    if plan.sliced != x.shape:
        ends = tuple(start + length for start, length in zip(plan.starts, plan.lengths, strict=True))
        x = Slice(tuple(plan.starts), ends, tuple(plan.steps))(x)
    return reshape(x, tuple(plan.layout))


def _set_slices(x: Value, plan: _Plan, new: Value) -> Value:
    """Pad the new part to the whole with zeros, and choose it where a padded mask says so."""
    new = reshape(new, plan.sliced)
    if plan.sliced != x.shape:
        highs: list[Size] = []
        for size, start, kept, step in zip(x.shape, plan.starts, plan.sliced, plan.steps, strict=True):
            reach = kept if step == 1 else dims.maximum((kept - 1) * step + 1, 0)
            highs.append(size - start - reach)
        place = (tuple(plan.starts), tuple(highs), tuple(step - 1 for step in plan.steps))
        mask = pad(full(TensorType(bool_, plan.sliced), True), *place)
        new = pad(new, *place)
        if plan.flips:
            x = Flip(tuple(plan.flips))(x)
        new = where(mask, new, x)
    return Flip(tuple(plan.flips))(new) if plan.flips else new


def _indices(plan: _Plan) -> list[Value]:
    return [broadcast_to(index, plan.index_shape) for index in plan.arrays.values()]


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(axis) for axis in range(len(order)))


def _fit(item: Value, shape: Shape) -> Value:
    """An assigned item stretched to the place it goes to; leading axes of size 1 may be too many."""
    while item.ndim > len(shape) and item.shape[0] == 1:
        item = reshape(item, item.shape[1:])
    return broadcast_to(item, shape)


def _item(x: Value, item: Any) -> Value:
    """What is assigned, in the dtype of the tensor; a higher kind does not fit."""
    if is_number(item) and weak_dtype(item, x.dtype) is x.dtype:
        return number_value(item, x.dtype)
    value = as_value(item)
    if KIND_RANK[value.dtype.kind] > KIND_RANK[x.dtype.kind]:
        raise TypeInferenceError(
            f"{value.dtype} cannot be assigned into {x.dtype}", fix="cast the item, or the tensor, with astype"
        )
    return convert(value, x.dtype)


def _is_mask(item: Any) -> bool:
    dtype = item.value.dtype if isinstance(item, Handle) else getattr(item, "dtype", None)
    return isinstance(item, bool) or (dtype is not None and getattr(dtype, "name", dtype) == "bool")


def _plan(x: Value, key: Any) -> _Plan:
    items = _expanded(x, key)
    plan = _Plan()
    axis = 0
    for item in items:
        if item is None:
            plan.layout.append(1)
            continue
        if isinstance(item, slice):
            _add_slice(plan, x.shape[axis], axis, cast("slice[Any, Any, Any]", item))
        elif isinstance(item, Value):
            plan.arrays[len(plan.layout)] = item
            plan.add_slice(0, x.shape[axis])
            plan.layout.append(x.shape[axis])
        else:
            plan.add_slice(_position(x, axis, item), 1)
        axis += 1
    # As in NumPy: arrays and ints side by side put their axes in place, apart they go first.
    chosen = [place for place, item in enumerate(items) if item is not None and not isinstance(item, slice)]
    together = chosen and chosen[-1] - chosen[0] + 1 == len(chosen)
    plan.front = chosen[0] if together else 0
    return plan


def _add_slice(plan: _Plan, size: Size, axis: int, item: slice[Any, Any, Any]) -> None:
    start, stop, step = _bound(item.start), _bound(item.stop), _bound(item.step)
    step = 1 if step is None else step.__index__()
    if step == 0:
        raise TypeInferenceError("a slice's step must not be 0")
    if step < 0:
        plan.flips.append(axis)
        start, stop = _mirrored(start, size), _mirrored(stop, size)
    begin, length = _span(size, start, stop)
    plan.add_slice(begin, length, abs(step))
    plan.layout.append(plan.sliced[-1])


def _bound(bound: Any) -> Size | None:
    if bound is None or isinstance(bound, Dim):
        return bound
    try:
        return operator.index(bound)
    except TypeError:
        raise TypeInferenceError(f"a slice takes integers, not {bound!r}") from None


def _mirrored(bound: Size | None, size: Size) -> Size | None:
    """A bound counted from the other end: in ``x[a:b:-k] = flip(x)[~a:~b:k]``."""
    return size - 1 - bound if isinstance(bound, Dim) else None if bound is None else ~bound


def _span(size: Size, start: Size | None, stop: Size | None) -> tuple[Size, Size]:
    """Start and length of a slice. Symbolic bounds count from the front.

    The lengths are in a form in which ``x[1:]`` and ``x[:-1]`` have equal ones.
    """
    if isinstance(size, int) and not isinstance(start, Dim) and not isinstance(stop, Dim):
        first, last, _ = slice(start, stop).indices(size)
        return first, max(last - first, 0)
    start = 0 if start is None else start
    begin = dims.maximum(size + start, 0) if _from_end(start) else dims.minimum(start, size)
    if stop is None:
        length = dims.minimum(-start, size) if _from_end(start) else dims.maximum(size - start, 0)
    elif _from_end(stop) and not _from_end(start):
        length = dims.maximum(size + stop - start, 0)
    else:
        end = dims.maximum(size + stop, 0) if _from_end(stop) else dims.minimum(stop, size)
        ordered = _from_end(stop) == _from_end(start) and dims.at_least(stop, start)
        length = end - begin if ordered else dims.maximum(end - begin, 0)
    return begin, length


def _from_end(bound: Size) -> bool:
    return isinstance(bound, int) and bound < 0


def _position(x: Value, axis: int, index: Size) -> Size:
    size = x.shape[axis]
    if isinstance(index, int):
        if isinstance(size, int) and not -size <= index < size:
            raise OutOfRangeError(f"index {index} is out of range for axis {axis} of {x.type}")
        return size + index if index < 0 else index
    return index


def _expanded(x: Value, key: Any) -> list[Any]:
    """A key as one item an axis: None, slice, int or Dim, or the value of an integer array."""
    items = [*map(_read, cast("tuple[Any, ...]", key) if isinstance(key, tuple) else (key,))]
    taken = sum(_axes_taken(item) for item in items)
    if taken > x.ndim:
        raise OutOfRangeError(f"{taken} indices are too many for {x.type}")
    dots = [place for place, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise OutOfRangeError("an index can only have one '...'")
    place = dots[0] if dots else len(items)
    items[place : place + 1] = [slice(None)] * (x.ndim - taken)
    expanded: list[Any] = []
    axis = 0
    for item in items:
        expanded += _positions(x, axis, item) if _is_mask(item) else [item]
        axis += _axes_taken(item)
    return expanded


def _axes_taken(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, Value) and item.dtype is bool_ else 1


def _read(item: Any) -> Any:
    """One item of a key: None, ``...``, slice, int or Dim, or the value of an integer array or mask."""
    if item is None or isinstance(item, (slice, EllipsisType, Dim)):
        return cast("Any", item)
    if isinstance(item, list):
        item = np.asarray(cast("list[Any]", item), None if item else np.int64)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return int(cast("int", item))
    value = as_value(item)
    if value.dtype is bool_ and not value.ndim:
        raise TypeInferenceError("a mask with no axes must be the only index", fix="use rax.numpy.where")
    if value.dtype is not bool_ and value.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(
            f"{value.type} cannot be an index", fix="index with ints, slices, ..., None, integer arrays or masks"
        )
    if not value.ndim and isinstance(value.node.op, Constant):
        return int(value.node.op.literal.array)
    return value


def _positions(x: Value, axis: int, mask: Value) -> list[Value]:
    """Where a known mask is true, as one integer array an axis; a mask may be empty along any of its axes."""
    sizes = x.shape[axis : axis + mask.ndim]
    if any(have not in (0, size) for have, size in zip(mask.shape, sizes, strict=True)):
        raise OutOfRangeError(f"a mask of shape {shape_text(mask.shape)} does not fit {x.type} from axis {axis} on")
    return [constant(places) for places in np.nonzero(concrete(mask, "a boolean index", _MASK))]
