"""Layers over the last axis: dense, embedding, one-hot; and flattening."""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.numpy.common import as_axis
from rax.ops.indexing import Gather


def dense(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """``x @ weight + bias``.

    Args:
        x: ``(*batch, features)``.
        weight: ``(features, outputs)``.
        bias: ``(outputs,)``, or none.

    Example:
        >>> dense(rnp.ones((2, 3)), rnp.ones((3, 1)), rnp.asarray([0.5]))
        Tensor([[3.5],
                [3.5]], dtype=float32)
    """
    with scope("dense"):
        product = as_tensor(x) @ as_tensor(weight)
        return product if bias is None else product + as_tensor(bias)


def embedding(table: TensorLike, ids: TensorLike) -> Tensor:
    """The rows of a table that integers name.

    Args:
        table: ``(rows, *features)``.
        ids: integers of any shape; a negative one counts from the last row, one out of range
            fails when the graph runs.

    Returns:
        ``(*ids.shape, *features)``.

    Raises:
        TypeInferenceError: the ids are no integers.

    Example:
        >>> embedding(rnp.asarray([[1.0, 2.0], [3.0, 4.0]]), rnp.asarray([1, 1, 0]))
        Tensor([[3., 4.],
                [3., 4.],
                [1., 2.]], dtype=float32)
    """
    rows, places = as_tensor(table).value, as_tensor(ids).value
    if places.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"embedding takes a table and then integers, not {rows.type} and {places.type}")
    with scope("embedding"):
        return Tensor(Gather()(rows, places))


def one_hot(labels: TensorLike, num_classes: Size, dtype: object = float32, axis: int = -1) -> Tensor:
    """1 at the place a label names along a new axis, 0 elsewhere.

    Args:
        labels: integers of any shape; one outside ``0 … num_classes - 1`` gives zeros.
        num_classes: the size of the new axis, perhaps symbolic.
        dtype: the dtype of the result.
        axis: where the new axis stands in the result.

    Raises:
        RaxError: ``num_classes`` is no size, or negative.
        TypeInferenceError: the labels are no integers.

    Example:
        >>> one_hot(rnp.asarray([1, 0]), 3)
        Tensor([[0., 1., 0.],
                [1., 0., 0.]], dtype=float32)
    """
    places = as_tensor(labels)
    if places.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"one_hot needs integers, not {places.dtype}", fix="cast them to int64")
    count = dims.dim(num_classes)
    if isinstance(count, int) and count < 0:
        raise RaxError(f"one_hot needs a number of classes that is not negative, not {count}")
    with scope("one_hot"):
        wide = rnp.expand_dims(rnp.astype(places, rnp.int64), axis=-1)
        marks = rnp.astype(wide == rnp.arange(count), dtype)
        place = as_axis(axis, marks.ndim)
        return marks if place == marks.ndim - 1 else rnp.moveaxis(marks, -1, place)


def flatten(x: TensorLike) -> Tensor:
    """All axes but the first as one.

    Args:
        x: ``(N, *rest)``.

    Raises:
        TypeInferenceError: ``x`` is a scalar.

    Example:
        >>> flatten(rnp.zeros((2, 3, 4))).shape
        (2, 12)
    """
    value = as_tensor(x)
    if not value.ndim:
        raise TypeInferenceError("flatten needs a first axis to keep; a scalar has none")
    return rnp.reshape(value, (value.shape[0], dims.product(value.shape[1:])))
