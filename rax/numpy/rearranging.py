"""NumPy's functions that move and turn axes, flatten, and fill a new shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import OutOfRangeError, TypeInferenceError
from rax.numpy.common import ShapeLike, as_axis, as_integer, as_shape
from rax.numpy.creation import zeros
from rax.numpy.manipulation import expand_dims, flip, permute_dims, reshape, tile
from rax.ops import shape as shape_ops


def transpose(a: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in reverse order, or in the order given.

    Args:
        a: any shape.
        axes: axis ``i`` of the result is axis ``axes[i]`` of ``a``.

    Raises:
        TypeInferenceError: ``axes`` is no permutation.

    Example:
        >>> from rax.numpy import ones
        >>> transpose(ones((2, 3, 4))).shape
        (4, 3, 2)
    """
    return permute_dims(a, tuple(range(as_value(a).ndim))[::-1] if axes is None else axes)


def swapaxes(a: TensorLike, axis1: int, axis2: int) -> Tensor:
    """Two axes swapped.

    Raises:
        OutOfRangeError: an axis is out of range.

    Example:
        >>> from rax.numpy import ones
        >>> swapaxes(ones((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    value = as_value(a)
    order = list(range(value.ndim))
    first, second = as_axis(axis1, value.ndim), as_axis(axis2, value.ndim)
    order[first], order[second] = second, first
    return permute_dims(Tensor(value), order)


def rollaxis(a: TensorLike, axis: int, start: int = 0) -> Tensor:
    """One axis moved to stand before another; :func:`moveaxis` says the same more plainly.

    Args:
        a: any shape.
        axis: the axis to move.
        start: the axis it goes before; as many as there are axes for the end.

    Raises:
        OutOfRangeError: an axis is out of range.

    Example:
        >>> from rax.numpy import ones
        >>> rollaxis(ones((2, 3, 4)), 2).shape
        (4, 2, 3)
    """
    value = as_value(a)
    place = as_axis(axis, value.ndim)
    before = start + value.ndim if start < 0 else start
    if not 0 <= before <= value.ndim:
        raise OutOfRangeError(f"rollaxis to {start} is out of range for a tensor with {value.ndim} axes")
    return Tensor(shape_ops.moveaxis(value, place, before - 1 if place < before else before))


def ravel(a: TensorLike) -> Tensor:
    """The elements as a vector, in row-major order.

    Example:
        >>> from rax.numpy import asarray
        >>> ravel(asarray([[1, 2], [3, 4]]))
        Tensor([1, 2, 3, 4], dtype=int64)
    """
    value = as_value(a)
    return Tensor(shape_ops.reshape(value, (value.type.size,)))


def rot90(m: TensorLike, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Two axes turned by quarter turns, from the first towards the second.

    Args:
        m: at least two axes.
        k: the number of quarter turns; negative ones turn back.
        axes: the plane to turn in.

    Raises:
        OutOfRangeError: an axis is out of range.
        TypeInferenceError: the axes are not two different ones.

    Example:
        >>> from rax.numpy import asarray
        >>> rot90(asarray([[1, 2], [3, 4]]))
        Tensor([[2, 4],
                [1, 3]], dtype=int64)
    """
    value = Tensor(as_value(m))
    first, second = (as_axis(axis, value.ndim) for axis in axes)
    if first == second:
        raise TypeInferenceError(f"rot90 turns in a plane of two different axes, not {tuple(axes)}")
    turns = as_integer(k, "a number of turns") % 4
    if turns == 2:
        return flip(value, axis=(first, second))
    if turns == 1:
        return swapaxes(flip(value, axis=second), first, second)
    return flip(swapaxes(value, first, second), axis=second) if turns else value


def flipud(m: TensorLike) -> Tensor:
    """The first axis in reverse order.

    Example:
        >>> from rax.numpy import asarray
        >>> flipud(asarray([1, 2]))
        Tensor([2, 1], dtype=int64)
    """
    return flip(m, axis=0)


def fliplr(m: TensorLike) -> Tensor:
    """The second axis in reverse order.

    Example:
        >>> from rax.numpy import asarray
        >>> fliplr(asarray([[1, 2]]))
        Tensor([[2, 1]], dtype=int64)
    """
    return flip(m, axis=1)


def _each(function: Callable[[Tensor], Tensor], arrays: tuple[TensorLike, ...]) -> Any:
    results = [function(Tensor(as_value(array))) for array in arrays]
    return results[0] if len(results) == 1 else tuple(results)


def atleast_1d(*arys: TensorLike) -> Any:
    """Scalars as vectors of one element; a tuple for several operands.

    Example:
        >>> atleast_1d(3)
        Tensor([3], dtype=int64)
    """
    return _each(lambda x: x if x.ndim else x[None], arys)


def atleast_2d(*arys: TensorLike) -> Any:
    """Scalars and vectors as one row; a tuple for several operands.

    Example:
        >>> from rax.numpy import ones
        >>> atleast_2d(ones(3)).shape
        (1, 3)
    """
    return _each(lambda x: expand_dims(x, axis=range(2 - x.ndim)) if x.ndim < 2 else x, arys)


def atleast_3d(*arys: TensorLike) -> Any:
    """At least three axes: a vector becomes (1, n, 1), a matrix (m, n, 1); a tuple for several operands.

    Example:
        >>> from rax.numpy import ones
        >>> atleast_3d(ones(3)).shape
        (1, 3, 1)
    """
    new: dict[int, tuple[int, ...]] = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}
    return _each(lambda x: expand_dims(x, axis=new[x.ndim]) if x.ndim < 3 else x, arys)


def resize(a: TensorLike, new_shape: ShapeLike) -> Tensor:
    """The elements, repeated as often as it takes, in a new shape; zeros if there are none.

    Example:
        >>> from rax.numpy import asarray
        >>> resize(asarray([1, 2, 3]), (2, 2))
        Tensor([[1, 2],
                [3, 1]], dtype=int64)
    """
    flat, shape = ravel(a), as_shape(new_shape)
    total = dims.product(shape)
    if flat.size == 0:
        return zeros(shape, dtype=flat.dtype)
    copies = dims.floor_divide(total + flat.size - 1, flat.size)
    whole = tile(flat, cast("Any", (copies,)))
    return reshape(Tensor(shape_ops.slice_axis(whole.value, 0, 0, total)), shape)
