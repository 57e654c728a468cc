"""Where something is: extrema, non-zero elements, places in sorted vectors, and choosing by a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import bool_, int8, int64
from rax.numpy.common import Axes, SizeLike, as_axes, as_axis, as_shape, with_axes
from rax.ops import reduction, selection, sorting
from rax.ops.arithmetic import floor_divide, remainder
from rax.ops.arrays import constant, scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import less
from rax.ops.creation import dim_size, iota
from rax.ops.cumulative import CumulativeSum
from rax.ops.indexing import Gather
from rax.ops.shape import Concat, expand_dims, reshape

_STATIC = (
    "the shape of the result depends on values: give it with size=…, compute it outside the traced function, "
    "or use rax.numpy.where"
)


def argmax(x: TensorLike, /, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The position of the largest element along an axis, the first of equals; int64.

    Args:
        x: real numbers, of any shape.
        axis: the axis; None counts positions in the flattened tensor.
        keepdims: whether the axis stays, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> argmax(asarray([3, 5, 4]))
        Tensor(1, dtype=int64)
    """
    return _position(reduction.ArgMax, x, axis, keepdims)


def argmin(x: TensorLike, /, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The position of the smallest element along an axis, the first of equals; int64.

    Args:
        x: real numbers, of any shape.
        axis: the axis; None counts positions in the flattened tensor.
        keepdims: whether the axis stays, of size 1.

    Raises:
        TypeInferenceError: there are no elements, or they are complex.

    Example:
        >>> from rax.numpy import asarray
        >>> argmin(asarray([3, 5, 4]))
        Tensor(0, dtype=int64)
    """
    return _position(reduction.ArgMin, x, axis, keepdims)


def _position(op: type[reduction.Position], x: TensorLike, axis: int | None, keepdims: bool) -> Tensor:
    value = as_value(x)
    if value.dtype is bool_:
        value = selection.cast(value, int8)
    if axis is not None:
        place = as_axis(axis, value.ndim)
        return with_axes(op(place)(value), (place,), keepdims)
    result = op(0)(reshape(value, (value.type.size,)))
    return Tensor(reshape(result, (1,) * value.ndim) if keepdims else result)


def count_nonzero(x: TensorLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The number of elements along axes that are not 0; int64.

    Example:
        >>> from rax.numpy import asarray
        >>> count_nonzero(asarray([[1, 0], [2, 3]]), axis=0)
        Tensor([2, 1], dtype=int64)
    """
    value = as_value(x)
    axes = as_axes(axis, value.ndim)
    truth = selection.cast(selection.cast(value, bool_), int64)
    return with_axes(Sum(axes)(truth), axes, keepdims)


def argwhere(
    x: TensorLike, /, *, size: SizeLike | None = None, fill_value: int | Sequence[int] | None = None
) -> Tensor:
    """The positions of the elements that are not 0, one row of int64 an element.

    Args:
        x: as :func:`nonzero` takes it.
        size: the number of rows, as :func:`nonzero` takes it.
        fill_value: what the rows left over hold, as :func:`nonzero` takes it.

    Raises:
        TypeInferenceError: as :func:`nonzero` raises it.
        UnboundInputError: ``x`` depends on an input, and there is no ``size``.

    Example:
        >>> from rax.numpy import asarray
        >>> argwhere(asarray([[0, 7], [8, 0]]))
        Tensor([[0, 1],
                [1, 0]], dtype=int64)
    """
    columns = [part.value for part in nonzero(x, size=size, fill_value=fill_value)]
    return Tensor(Concat(1)(*[expand_dims(column, (1,)) for column in columns]))


def flatnonzero(x: TensorLike, /, *, size: SizeLike | None = None, fill_value: int | None = None) -> Tensor:
    """The positions, in the flattened tensor, of the elements that are not 0; int64.

    Args:
        x: any shape.
        size: the number of positions, as :func:`nonzero` takes it.
        fill_value: what the places left over hold, by default 0.

    Raises:
        UnboundInputError: ``x`` depends on an input, and there is no ``size``.

    Example:
        >>> from rax.numpy import asarray
        >>> flatnonzero(asarray([[0, 7], [8, 0]]))
        Tensor([1, 2], dtype=int64)
    """
    value = as_value(x)
    return nonzero(reshape(value, (value.type.size,)), size=size, fill_value=fill_value)[0]


def nonzero(
    x: TensorLike, /, *, size: SizeLike | None = None, fill_value: int | Sequence[int] | None = None
) -> tuple[Tensor, ...]:
    """The positions of the elements that are not 0, one vector of int64 an axis.

    Args:
        x: at least one axis.
        size: how many positions there are in the result, whatever the values are: the first ones,
            and where there are fewer, ``fill_value``. With it, ``x`` may depend on an input.
        fill_value: what the places left over hold, for all axes or for each; by default 0.

    Raises:
        TypeInferenceError: ``x`` is a scalar, or ``fill_value`` has another number of axes.
        UnboundInputError: ``x`` depends on an input, and there is no ``size``.

    Example:
        >>> from rax.numpy import asarray
        >>> nonzero(asarray([0, 7, 8]))
        (Tensor([1, 2], dtype=int64),)
        >>> nonzero(asarray([0, 7, 8]), size=3, fill_value=-1)
        (Tensor([ 1,  2, -1], dtype=int64),)
    """
    value = as_value(x)
    if not value.ndim:
        raise TypeInferenceError("nonzero is not defined on scalars", fix="compare with 0")
    if size is not None:
        return _first_nonzero(value, size, 0 if fill_value is None else fill_value)
    return tuple(Tensor(constant(places)) for places in np.nonzero(concrete(value, "nonzero", _STATIC)))


def _first_nonzero(x: Value, size: SizeLike, fill_value: int | Sequence[int]) -> tuple[Tensor, ...]:
    (count,) = as_shape(size)
    fills = [fill_value] * x.ndim if isinstance(fill_value, int) else list(fill_value)
    if len(fills) != x.ndim:
        raise TypeInferenceError(f"there are {len(fills)} fill values for {x.ndim} axes")
    truth = selection.cast(reshape(selection.cast(x, bool_), (x.type.size,)), int64)
    number = iota(count)
    # The running count exceeds j first where element j of those wanted stands.
    place = sorting.SearchSorted(True)(CumulativeSum(0)(truth), number)
    found = less(number, Sum((0,))(truth))
    positions: list[Tensor] = []
    for axis, fill in reversed(list(enumerate(fills))):
        width = dim_size(dims.maximum(x.shape[axis], 1))
        position = remainder(place, width) if axis else place
        positions.append(Tensor(selection.where(found, position, scalar(fill, int64))))
        place = floor_divide(place, width)
    return tuple(reversed(positions))


def searchsorted(x1: TensorLike, x2: TensorLike, /, side: str = "left", *, sorter: TensorLike | None = None) -> Tensor:
    """Where values belong in a sorted vector; int64.

    Args:
        x1: the sorted vector.
        x2: the values, of any shape.
        side: of elements equal to a value, whether it goes to their ``"left"`` or ``"right"``.
        sorter: positions that sort ``x1``, as :func:`argsort` gives them; None if it is sorted.

    Raises:
        TypeInferenceError: ``x1`` is no vector, or ``side`` is neither.

    Example:
        >>> from rax.numpy import asarray
        >>> searchsorted(asarray([1, 3, 3, 5]), asarray([3, 9]))
        Tensor([1, 4], dtype=int64)
    """
    ordered, wanted = promote_operands(x1, x2)
    if ordered.ndim != 1:
        raise TypeInferenceError(f"searchsorted looks in a vector, not in {ordered.type}", fix="use rax.vmap")
    if side not in ("left", "right"):
        raise TypeInferenceError(f"searchsorted's side is 'left' or 'right', not {side!r}")
    if sorter is not None:
        ordered = Gather()(ordered, as_value(sorter))
    return Tensor(sorting.SearchSorted(side == "right")(ordered, wanted))


def where(condition: TensorLike, x1: TensorLike | None = None, x2: TensorLike | None = None, /) -> Tensor:
    """``x1`` where a condition is true, else ``x2``; shapes broadcast, dtypes are promoted.

    Both are computed everywhere. The derivative of the one not chosen is 0, but 0 times an
    infinite slope is NaN: keep both finite, as in ``where(x > 0, log(where(x > 0, x, 1)), 0)``.

    Args:
        condition: bools; a number is true unless it is 0.
        x1: where it is true.
        x2: where it is false; it and ``x1`` must be given.

    Raises:
        TypeInferenceError: ``x1`` or ``x2`` is missing, or the shapes do not broadcast.

    Example:
        >>> from rax.numpy import asarray
        >>> x = asarray([-1.0, 2.0])
        >>> where(x > 0, x, 0)
        Tensor([0., 2.], dtype=float32)
    """
    if x1 is None or x2 is None:
        raise TypeInferenceError(
            "where chooses between two tensors, x1 and x2", fix="for the places where a condition is true use nonzero"
        )
    mask: Value = selection.cast(as_value(condition), bool_)
    return Tensor(selection.where(mask, *promote_operands(x1, x2)))
