"""Truth along axes, and differences."""

from __future__ import annotations

from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.types import bool_
from rax.numpy.common import Axes, as_axes, as_axis, as_integer, with_axes
from rax.ops import reduction
from rax.ops.algebra import broadcast_to
from rax.ops.comparison import not_equal
from rax.ops.elementwise import subtract
from rax.ops.selection import cast
from rax.ops.shape import Concat, slice_axis


def all(x: TensorLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """Whether every element along axes is true, that is not 0; true of none.

    Example:
        >>> from rax.numpy import asarray
        >>> all(asarray([[True, False], [True, True]]), axis=1)
        Tensor([False,  True], dtype=bool)
    """
    value = cast(as_value(x), bool_)
    axes = as_axes(axis, value.ndim)
    return with_axes(reduction.AllTrue(axes)(value), axes, keepdims)


def any(x: TensorLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """Whether some element along axes is true, that is not 0; false of none.

    Example:
        >>> from rax.numpy import asarray
        >>> any(asarray([[True, False], [False, False]]), axis=1)
        Tensor([ True, False], dtype=bool)
    """
    value = cast(as_value(x), bool_)
    axes = as_axes(axis, value.ndim)
    return with_axes(reduction.AnyTrue(axes)(value), axes, keepdims)


def diff(
    x: TensorLike, /, *, axis: int = -1, n: int = 1,
    prepend: TensorLike | None = None, append: TensorLike | None = None,
) -> Tensor:  # fmt: skip
    """The differences between neighbours along an axis.

    Args:
        x: at least one axis.
        axis: the axis.
        n: how many times differences are taken.
        prepend: what goes before ``x`` first: of its shape apart from the axis, or a number.
        append: what goes behind it.

    Raises:
        TypeInferenceError: ``n`` is negative, or the shapes do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> diff(asarray([1, 4, 9, 16]))
        Tensor([3, 5, 7], dtype=int64)
    """
    if as_integer(n, "how often diff is taken") < 0:
        raise TypeInferenceError(f"diff cannot be taken {n} times")
    shape = as_value(x).shape
    place = as_axis(axis, len(shape))
    edge = (*shape[:place], 1, *shape[place + 1 :])
    parts = promote_operands(*[part for part in (prepend, x, append) if part is not None])
    parts = [part if part.ndim else broadcast_to(part, edge) for part in parts]
    value = Concat(place)(*parts) if len(parts) > 1 else parts[0]
    for _ in range(n):
        size = value.shape[place]
        left = dims.maximum(size - 1, 0)
        later = slice_axis(value, place, size - left, size)
        earlier = slice_axis(value, place, 0, left)
        value = not_equal(later, earlier) if value.dtype is bool_ else subtract(later, earlier)
    return Tensor(value)
