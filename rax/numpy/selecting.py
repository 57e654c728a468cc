"""NumPy's functions that choose elements: by conditions, by positions, by masks with a fixed number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.types import as_dtype, bool_, broadcast_shapes, int8, int64
from rax.numpy.common import ShapeLike, as_axis, as_shape, sequence
from rax.numpy.elementwise import clip, logical_not, remainder
from rax.numpy.indexing import take, take_along_axis
from rax.numpy.manipulation import broadcast_to, moveaxis, reshape, stack
from rax.numpy.rearranging import ravel
from rax.numpy.searching import where
from rax.numpy.sorting import argsort
from rax.numpy.statistical import sum
from rax.ops.arrays import constant
from rax.ops.creation import dim_size, iota
from rax.ops.indexing import Scatter
from rax.ops.selection import cast as convert

_SIZE = "give size=, the number of elements kept, or use rax.numpy.where and keep the shape"
_MODES = ("raise", "wrap", "clip")


def select(condlist: Sequence[TensorLike], choicelist: Sequence[TensorLike], default: TensorLike = 0) -> Tensor:
    """For each element the choice whose condition is the first to hold.

    Args:
        condlist: bools; all shapes broadcast.
        choicelist: for each condition what to choose; dtypes are promoted.
        default: what to choose where none holds.

    Raises:
        TypeInferenceError: the numbers of conditions and choices differ, or are 0.

    Example:
        >>> from rax.numpy import arange
        >>> x = arange(4)
        >>> select([x < 1, x > 2], [x - 1, x * 10], 7)
        Tensor([-1,  7,  7, 30], dtype=int64)
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise TypeInferenceError(f"select has {len(condlist)} conditions for {len(choicelist)} choices")
    *choices, result = map(Tensor, promote_operands(*choicelist, default))
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        result = where(condition, choice, result)
    return result


def piecewise(x: TensorLike, condlist: Sequence[TensorLike], funclist: Sequence[Any], *args: Any, **kw: Any) -> Tensor:
    """A function given in pieces; every piece is computed everywhere, and chosen where it holds.

    So keep each piece finite where it is not chosen; see :func:`where`.

    Args:
        x: where.
        condlist: for each piece where it holds; of several, the last counts.
        funclist: functions of ``x``, or numbers; one more than conditions for where none holds,
            else that is 0.
        *args: passed on to the functions.
        **kw: passed on to the functions.

    Raises:
        TypeInferenceError: the numbers of conditions and functions do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> piecewise(asarray([-2.0, 3.0]), [asarray([True, False])], [lambda v: -v, lambda v: v * 10])
        Tensor([ 2., 30.], dtype=float32)
    """
    value = Tensor(as_value(x))
    if len(funclist) not in (len(condlist), len(condlist) + 1):
        raise TypeInferenceError(f"piecewise has {len(funclist)} functions for {len(condlist)} conditions")
    pieces: list[Any] = [piece(value, *args, **kw) if callable(piece) else piece for piece in funclist]
    result = Tensor(convert(as_value(pieces.pop() if len(pieces) > len(condlist) else 0), value.dtype))
    result = broadcast_to(result, value.shape)
    for condition, piece in zip(condlist, pieces, strict=True):
        result = where(condition, Tensor(convert(as_value(piece), value.dtype)), result)
    return result


def choose(a: TensorLike, choices: Any, mode: str = "raise") -> Tensor:
    """For each element of ``a`` the element there of the choice it numbers.

    Args:
        a: integers.
        choices: tensors, or one whose first axis counts them; all shapes broadcast.
        mode: what happens to a number out of range: with ``"raise"`` the graph fails when it runs (where
            it is negative, it counts from the end); ``"wrap"`` counts on from the start;
            ``"clip"`` takes the nearest.

    Raises:
        TypeInferenceError: ``a`` holds no integers, or the mode is none of these.

    Example:
        >>> from rax.numpy import asarray
        >>> choose(asarray([1, 0]), [asarray([10, 20]), asarray([30, 40])])
        Tensor([30, 20], dtype=int64)
    """
    options = sequence(choices) or [*Tensor(as_value(choices))]
    tensors = [Tensor(value) for value in promote_operands(*options)]
    places = Tensor(as_value(a))
    if places.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"choose takes integers, not {places.dtype}")
    places = _in_range(places, len(tensors), mode)
    shape = broadcast_shapes(places.shape, *[tensor.shape for tensor in tensors])
    stacked = stack([broadcast_to(tensor, shape) for tensor in tensors])
    return take_along_axis(stacked, broadcast_to(places, shape)[None], axis=0)[0]


def _in_range(places: Tensor, size: Size, mode: str) -> Tensor:
    if mode not in _MODES:
        raise TypeInferenceError(f"the mode is one of {', '.join(_MODES)}, not {mode!r}")
    limit = Tensor(dim_size(size))
    if mode == "raise":
        return places
    return remainder(places, limit) if mode == "wrap" else clip(places, 0, limit - 1)


def compress(
    condition: TensorLike, a: TensorLike, axis: int | None = None, *,
    size: Size | None = None, fill_value: TensorLike = 0,
) -> Tensor:  # fmt: skip
    """The parts along an axis for which a condition holds.

    Args:
        condition: a vector of bools; one shorter than the axis leaves the rest out.
        a: any shape.
        axis: the axis; None flattens ``a``.
        size: how many parts the result has; None for as many as there are, for which the condition must
            be known.
        fill_value: what stands in the result where there are fewer.

    Raises:
        TypeInferenceError: the condition is no vector, or too long.
        UnboundInputError: ``size`` is None and the condition depends on an input.

    Example:
        >>> from rax.numpy import asarray
        >>> compress(asarray([True, False, True]), asarray([1, 2, 3]))
        Tensor([1, 3], dtype=int64)
    """
    value, mask = Tensor(as_value(a)), Tensor(convert(as_value(condition), bool_))
    if axis is None:
        value, axis = ravel(value), 0
    place = as_axis(axis, value.ndim)
    if mask.ndim != 1 or not dims.at_least(value.shape[place], mask.shape[0]):
        raise TypeInferenceError(f"compress takes a condition for each of {value.shape[place]}, not {mask.value.type}")
    if size is None:
        return take(value, np.flatnonzero(concrete(mask.value, "compress", _SIZE)), axis=place)
    if size == 0 or mask.shape[0] == 0:
        shape = (*value.shape[:place], size, *value.shape[place + 1 :])
        return broadcast_to(Tensor(as_value(fill_value, value.dtype)), shape)
    # True elements come first, in their order.
    order = argsort(Tensor(convert(logical_not(mask).value, int8)))
    rank = Tensor(iota(size))
    kept = rank < sum(mask)
    chosen = take(order, clip(rank, None, Tensor(dim_size(mask.shape[0] - 1))))
    kept = reshape(kept, (size, *[1] * (value.ndim - place - 1)))
    return where(kept, take(value, chosen, axis=place), Tensor(as_value(fill_value, value.dtype)))


def extract(condition: TensorLike, arr: TensorLike, *, size: Size | None = None, fill_value: TensorLike = 0) -> Tensor:
    """The elements for which a condition holds, as a vector; see :func:`compress`.

    Example:
        >>> from rax.numpy import asarray
        >>> extract(asarray([True, False, True]), asarray([1, 2, 3]), size=3, fill_value=-1)
        Tensor([ 1,  3, -1], dtype=int64)
    """
    return compress(ravel(condition), arr, size=size, fill_value=fill_value)


def put_along_axis(arr: TensorLike, indices: TensorLike, values: TensorLike, axis: int | None) -> Tensor:
    """``arr`` with elements of each vector along an axis replaced; NumPy writes into ``arr``, here the result is new.

    Of several values for one element the last stays.

    Args:
        arr: any shape.
        indices: integers of as many axes; apart from the axis of the shape of ``arr``.
        values: what to write; it broadcasts to the indices.
        axis: the axis; None flattens ``arr``, and gives it its shape back.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> put_along_axis(asarray([[1, 2], [3, 4]]), asarray([[1], [0]]), 9, axis=1)
        Tensor([[1, 9],
                [9, 4]], dtype=int64)
    """
    value, places = Tensor(as_value(arr)), Tensor(as_value(indices))
    if axis is None:
        return reshape(put_along_axis(ravel(value), ravel(places), values, 0), value.shape)
    if value.ndim != places.ndim:
        shown = f"{value.value.type} and {places.value.type}"
        raise TypeInferenceError(f"put_along_axis needs as many axes on both, not {shown}")
    along = as_axis(axis, value.ndim)
    wide = (*value.shape[:along], places.shape[along], *value.shape[along + 1 :])
    new = Tensor(convert(as_value(values), value.dtype))
    lined = [moveaxis(part, along, -1).value for part in (value, broadcast_to(places, wide), broadcast_to(new, wide))]
    return moveaxis(Tensor(Scatter(value.ndim - 1, "set")(*lined)), -1, along)


def ix_(*args: TensorLike | Sequence[int]) -> tuple[Tensor, ...]:
    """Vectors of positions, shaped so that ``x[ix_(rows, columns)]`` picks every pair.

    Args:
        *args: vectors of integers; of bools, whose values must be known, where they are true.

    Raises:
        TypeInferenceError: an operand is no vector.

    Example:
        >>> from rax.numpy import arange, asarray
        >>> reshape(arange(6), (2, 3))[ix_(asarray([1, 0]), asarray([2, 0]))]
        Tensor([[5, 3],
                [2, 0]], dtype=int64)
    """
    result: list[Tensor] = []
    for axis, arg in enumerate(args):
        items = sequence(arg)
        value = as_value(arg if items is None else np.asarray(items))
        if value.ndim != 1:
            raise TypeInferenceError(f"ix_ takes vectors, not {value.type}")
        if value.dtype is bool_:
            value = constant(np.flatnonzero(concrete(value, "ix_", "give integers")))
        shape: list[Size] = [1] * len(args)
        shape[axis] = value.shape[0]
        result.append(reshape(Tensor(value), shape))
    return tuple(result)


def indices(dimensions: ShapeLike, dtype: object = int64, sparse: bool = False) -> Any:
    """The positions in a shape: for each axis, every element's number along it.

    Args:
        dimensions: the shape.
        dtype: the dtype of the result.
        sparse: whether each axis has its numbers alone, as a tuple of tensors that broadcast.

    Example:
        >>> indices((2, 2))
        Tensor([[[0, 0],
                 [1, 1]],
        <BLANKLINE>
                [[0, 1],
                 [0, 1]]], dtype=int64)
    """
    shape = as_shape(dimensions)
    lines: list[Tensor] = []
    for axis, size in enumerate(shape):
        lined: list[Size] = [1] * len(shape)
        lined[axis] = size
        lines.append(reshape(Tensor(convert(iota(size), as_dtype(dtype))), lined))
    return tuple(lines) if sparse else stack([broadcast_to(line, shape) for line in lines])


def unravel_index(indices: TensorLike, shape: ShapeLike) -> tuple[Tensor, ...]:
    """Positions in the flattened tensor as positions along each axis.

    Args:
        indices: integers; one out of range wraps around.
        shape: the shape they count through in row-major order.

    Example:
        >>> unravel_index(5, (2, 3))
        (Tensor(1, dtype=int64), Tensor(2, dtype=int64))
    """
    rest = Tensor(as_value(indices))
    found: list[Tensor] = []
    for size in reversed(as_shape(shape)):
        limit = Tensor(dim_size(size))
        found.append(remainder(rest, limit))
        rest = rest // limit
    return tuple(reversed(found))


def ravel_multi_index(multi_index: Sequence[TensorLike], dims: ShapeLike, mode: str = "raise") -> Tensor:
    """Positions along each axis as positions in the flattened tensor.

    Args:
        multi_index: integers for each axis; their shapes broadcast.
        dims: the shape, counted through in row-major order.
        mode: what happens to a position out of range: ``"raise"`` leaves it to whoever uses the result,
            since values are not known here; ``"wrap"`` counts on; ``"clip"`` takes the nearest.

    Raises:
        TypeInferenceError: the numbers of axes differ, or the mode is none of these.

    Example:
        >>> ravel_multi_index((1, 2), (2, 3))
        Tensor(5, dtype=int64)
    """
    shape: Shape = as_shape(dims)
    if len(multi_index) != len(shape):
        raise TypeInferenceError(f"ravel_multi_index has {len(multi_index)} positions for {len(shape)} axes")
    total = Tensor(as_value(0))
    for places, size in zip(multi_index, shape, strict=True):
        total = total * Tensor(dim_size(size)) + _in_range(Tensor(as_value(places)), size, mode)
    return total


def lexsort(keys: Any, axis: int = -1) -> Tensor:
    """The positions that sort by several keys, the last one first; int64.

    Args:
        keys: tensors of one shape, or one whose first axis counts them.
        axis: the axis.

    Raises:
        TypeInferenceError: there is no key.

    Example:
        >>> from rax.numpy import asarray
        >>> lexsort([asarray([2, 1, 1]), asarray([0, 1, 0])])
        Tensor([2, 0, 1], dtype=int64)
    """
    given = [Tensor(as_value(key)) for key in cast("Sequence[Any]", keys)]
    if not given:
        raise TypeInferenceError("lexsort needs at least one key")
    order = argsort(given[0], axis=axis)
    for key in given[1:]:
        order = take_along_axis(order, argsort(take_along_axis(key, order, axis=axis), axis=axis), axis=axis)
    return order
