"""``pad``: every mode of NumPy's. Axes are padded one after the other, so corners come from what is padded before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Dim, Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import bool_, float64
from rax.numpy.common import as_axis
from rax.numpy.elementwise import floor, floor_divide, remainder, round
from rax.numpy.order_statistics import median
from rax.numpy.searching import where
from rax.numpy.statistical import max, mean, min
from rax.ops.algebra import broadcast_to
from rax.ops.creation import dim_size, iota
from rax.ops.indexing import Gather
from rax.ops.selection import cast as convert
from rax.ops.shape import Concat, expand_dims, moveaxis, reshape, slice_axis
from rax.ops.shape import pad as pad_zeros

Pair = tuple[Any, Any]
_STATISTICS: dict[str, Callable[..., Tensor]] = {"maximum": max, "minimum": min, "mean": mean, "median": median}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "constant": ("constant_values",), "edge": (), "empty": (), "wrap": (), "linear_ramp": ("end_values",),
    "reflect": ("reflect_type",), "symmetric": ("reflect_type",), **dict.fromkeys(_STATISTICS, ("stat_length",)),
}  # fmt: skip


def pad(
    array: TensorLike, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0, end_values: Any = 0,
    stat_length: Any = None, reflect_type: str = "even",
) -> Tensor:  # fmt: skip
    """``array`` with more elements before and behind each axis.

    Args:
        array: any shape.
        pad_width: how many: one number for all; ``(before, after)``; a pair for each axis; or a
            dict from axes to a number or pair. They may be symbolic sizes.
        mode: what they are: ``"constant"``; ``"edge"``, the nearest element; ``"reflect"``, what lies
            mirrored at the edge element; ``"symmetric"``, mirrored at the edge, which is
            repeated; ``"wrap"``, what comes from the other end; ``"linear_ramp"`` from an end
            value to the edge; ``"maximum"``, ``"minimum"``, ``"mean"`` or ``"median"`` of
            each line; ``"empty"``, which is 0.
        constant_values: for ``"constant"``, given as ``pad_width`` is; numbers or scalar tensors.
        end_values: for ``"linear_ramp"``, as ``constant_values``.
        stat_length: for statistics, over how many elements next to the edge; None for all.
        reflect_type: ``"even"`` mirrors, ``"odd"`` turns what is mirrored about the edge's value too.

    Raises:
        TypeInferenceError: a width is negative, the mode unknown, or an option not of this mode;
            or an empty axis has nothing to be padded with.

    Example:
        >>> from rax.numpy import asarray
        >>> pad(asarray([1, 2, 3]), (2, 1), mode="reflect")
        Tensor([3, 2, 1, 2, 3, 2], dtype=int64)
    """
    value = as_value(array)
    options = {"constant_values": constant_values, "end_values": end_values, "stat_length": stat_length}
    _check(mode, {**options, "reflect_type": reflect_type})
    widths = _pairs(pad_width, value.ndim, "pad_width")
    for width in (size for pair in widths for size in pair):
        if not isinstance(width, Dim) and (not hasattr(width, "__index__") or width.__index__() < 0):
            raise TypeInferenceError(f"pad's widths are sizes that are not negative, not {width!r}")
    known = tuple((dims.dim(before), dims.dim(after)) for before, after in widths)
    name = next((name for name in _OPTIONS[mode] if name in options), "")
    details = _pairs(options.get(name), value.ndim, name)
    if mode == "empty" or (mode == "constant" and all(_is_zero(number) for pair in details for number in pair)):
        low, high = tuple(pair[0] for pair in known), tuple(pair[1] for pair in known)
        return Tensor(pad_zeros(value, low, high, (0,) * value.ndim))
    for axis, (width, detail) in enumerate(zip(known, details, strict=True)):
        if width != (0, 0):
            value = _padded(value, axis, width, mode, detail, reflect_type)
    return Tensor(value)


def _check(mode: Any, options: Mapping[str, Any]) -> None:
    if callable(mode):
        raise TypeInferenceError(
            "pad takes no function as its mode: it would have to write into the padding",
            fix="pad with mode='empty' and write with x[...] = v, or join parts with concat",
        )
    if mode not in _OPTIONS:
        raise TypeInferenceError(f"pad's mode is one of {', '.join(sorted(_OPTIONS))}, not {mode!r}")
    usual = {"constant_values": 0, "end_values": 0, "stat_length": None, "reflect_type": "even"}
    for name, given in options.items():
        if name not in _OPTIONS[mode] and given is not usual[name]:
            raise TypeInferenceError(f"pad has no {name} in mode {mode!r}")
    if options["reflect_type"] not in ("even", "odd"):
        raise TypeInferenceError(f"pad's reflect_type is 'even' or 'odd', not {options['reflect_type']!r}")


def _is_zero(number: Any) -> bool:
    return isinstance(number, (bool, int, float)) and number == 0


def _pairs(given: Any, ndim: int, name: str) -> list[Pair]:
    """A pair for each axis from a number, a pair, a pair an axis, or a dict of axes."""
    if isinstance(given, Mapping):
        chosen = {as_axis(axis, ndim): pair for axis, pair in cast("Mapping[int, Any]", given).items()}
        return [_pair(chosen.get(axis, 0), name) for axis in range(ndim)]
    items = _items(given)
    if items is None or (len(items) <= 2 and all(_items(item) is None for item in items)):
        return [_pair(given, name)] * ndim
    if len(items) not in (1, ndim):
        raise TypeInferenceError(f"pad's {name} has {len(items)} pairs for {ndim} axes")
    pairs = [_pair(item, name) for item in items]
    return pairs * ndim if len(pairs) == 1 else pairs


def _items(given: Any) -> list[Any] | None:
    """The items of a sequence or of an array with axes; None of a single number."""
    if isinstance(given, (list, tuple)):
        return list(cast("Sequence[Any]", given))
    return list(given) if not isinstance(given, Tensor) and getattr(given, "ndim", 0) else None


def _pair(given: Any, name: str) -> Pair:
    items = _items(given)
    if items is None:
        return given, given
    if len(items) not in (1, 2):
        raise TypeInferenceError(f"pad's {name} is a number or a pair (before, after) an axis, not {given!r}")
    return items[0], items[-1]


def _padded(x: Value, axis: int, width: tuple[Size, Size], mode: str, detail: Pair, reflect_type: str) -> Value:
    size = x.shape[axis]
    if size == 0 and mode != "constant":
        raise TypeInferenceError(f"pad cannot extend the empty axis {axis} of {x.type} in mode {mode!r}")
    if mode in ("wrap", "reflect", "symmetric"):
        return _periodic(x, axis, width, mode, odd=reflect_type == "odd")
    if mode in _STATISTICS:
        sides = [_statistic(x, axis, mode, length, low=low) for length, low in zip(detail, (True, False), strict=True)]
    elif mode == "edge":
        sides = [_edge(x, axis, low=True), _edge(x, axis, low=False)]
    elif mode == "constant":
        sides = [expand_dims(as_value(number, x.dtype), tuple(range(x.ndim))) for number in detail]
    else:
        before = _ramp(detail[0], _edge(x, axis, low=True), width[0], axis)
        after = _ramp(detail[1], _edge(x, axis, low=False), width[1], axis)
        return Concat(axis)(before, x, Tensor(after)[(*[slice(None)] * axis, slice(None, None, -1))].value)
    before, after = (broadcast_to(side, _resized(x, axis, w)) for side, w in zip(sides, width, strict=True))
    return Concat(axis)(before, x, after)


def _resized(x: Value, axis: int, size: Size) -> Shape:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :])


def _edge(x: Value, axis: int, *, low: bool) -> Value:
    size = x.shape[axis]
    return slice_axis(x, axis, 0, 1) if low else slice_axis(x, axis, size - 1, size)


def _statistic(x: Value, axis: int, mode: str, length: Any, *, low: bool) -> Value:
    """A statistic of the elements next to an edge; for integers rounded to the nearest."""
    size = x.shape[axis]
    count = size if length is None else dims.minimum(dims.dim(length), size)
    if count == 0:
        raise TypeInferenceError("pad's stat_length must be positive")
    part = slice_axis(x, axis, 0, count) if low else slice_axis(x, axis, size - count, size)
    if mode in ("mean", "median") and not x.dtype.is_inexact:
        result = round(_STATISTICS[mode](Tensor(convert(part, float64)), axis=axis, keepdims=True))
    else:
        result = _STATISTICS[mode](Tensor(part), axis=axis, keepdims=True)
    return convert(result.value, x.dtype)


def _ramp(end: Any, edge: Value, count: Size, axis: int) -> Value:
    """``count`` numbers from ``end`` on towards the edge, evenly spaced; of integers rounded down."""
    dtype = edge.dtype if edge.dtype.is_inexact else float64
    steps = reshape(iota(count, dtype), (count, *[1] * (edge.ndim - axis - 1)))
    start = Tensor(as_value(end, dtype))
    # An empty ramp divides by 1 in place of 0.
    way = Tensor(steps) / Tensor(dim_size(dims.maximum(count, 1), dtype))
    ramp = start + (Tensor(convert(edge, dtype)) - start) * way
    return convert((ramp if edge.dtype.is_inexact else floor(ramp)).value, edge.dtype)


def _periodic(x: Value, axis: int, width: tuple[Size, Size], mode: str, *, odd: bool) -> Value:
    """The axis continued with a period, forwards alone or there and back.

    With ``odd`` each way back is turned about the value at its edge, so that every period begins
    higher by what the one before has climbed: twice the difference between the ends.
    """
    size = x.shape[axis]
    length = Tensor(dim_size(size))
    position = Tensor(iota(width[0] + size + width[1])) - Tensor(dim_size(width[0]))
    period = length if mode == "wrap" else length * 2 if mode == "symmetric" else length * 2 - 2
    place = remainder(position, period)  # of period 0, when one element is reflected: 0
    back = place >= length
    mirrored = period - place - (1 if mode == "symmetric" else 0)
    index = place if mode == "wrap" else where(back, mirrored, place)
    moved = Tensor(moveaxis(Gather(0)(moveaxis(x, axis, 0), index.value), 0, axis))
    if not odd or mode == "wrap":
        return moved.value
    if x.dtype is bool_:
        raise TypeInferenceError("pad cannot mirror bools oddly", fix="use reflect_type='even'")
    first, last = Tensor(_edge(x, axis, low=True)), Tensor(_edge(x, axis, low=False))
    lined = (index.size, *[1] * (x.ndim - axis - 1))
    rounds = Tensor(reshape(convert(floor_divide(position, period).value, x.dtype), lined))
    turned = where(Tensor(reshape(back.value, lined)), last * 2 - moved, moved)
    return (turned + rounds * (last - first) * 2).value
