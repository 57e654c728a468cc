"""Elements picked by computed positions."""

from __future__ import annotations

from rax.frontend import indexing
from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir.errors import TypeInferenceError
from rax.ir.types import broadcast_shapes
from rax.numpy.common import as_axis, one_axis
from rax.ops import indexing as indexing_ops
from rax.ops.algebra import broadcast_to


def take(x: TensorLike, indices: TensorLike, /, axis: int | None = None) -> Tensor:
    """The parts of ``x`` along an axis that integers pick.

    Args:
        x: any shape.
        indices: integers of any shape, which takes the place of the axis; a negative one counts
            from the end, one out of range fails when the graph runs.
        axis: the axis; None will do for a vector.

    Raises:
        TypeInferenceError: the indices are no integers, or the axis is missing.

    Example:
        >>> from rax.numpy import asarray
        >>> take(asarray([10, 20, 30]), asarray([2, 0]))
        Tensor([30, 10], dtype=int64)
    """
    value = as_value(x)
    place = one_axis(axis, value, "take")
    return Tensor(indexing.get(value, (*[slice(None)] * place, as_value(indices))))


def take_along_axis(x: TensorLike, indices: TensorLike, /, axis: int = -1) -> Tensor:
    """From each vector along an axis the elements that the integers in its place pick.

    Args:
        x: any shape.
        indices: integers of as many axes; apart from the axis the shapes broadcast.
        axis: the axis.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> take_along_axis(asarray([[1, 2], [3, 4]]), asarray([[1], [0]]))
        Tensor([[2],
                [3]], dtype=int64)
    """
    value, places = as_value(x), as_value(indices)
    if value.ndim != places.ndim:
        raise TypeInferenceError(f"take_along_axis needs as many axes on both, not {value.type} and {places.type}")
    along = as_axis(axis, value.ndim)
    outer = broadcast_shapes(*[(*side.shape[:along], *side.shape[along + 1 :]) for side in (value, places)])
    value, places = (
        broadcast_to(side, (*outer[:along], side.shape[along], *outer[along:])) for side in (value, places)
    )
    return Tensor(indexing_ops.take_along_axis(value, places, along))
