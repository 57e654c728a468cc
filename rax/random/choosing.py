"""Draws from what is given: categories, permutations, choices."""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Dim, Shape, Size
from rax.ir.errors import RaxError
from rax.ir.trail import scope
from rax.ir.types import float32, float64, uint64
from rax.numpy.common import ShapeLike, as_axis, as_shape, inexact
from rax.ops.shape import slice_axis
from rax.random.continuous import gumbel
from rax.random.keys import bits
from rax.random.uniform import randint, uniform


def permutation(key: TensorLike, x: int | Dim | str | TensorLike, axis: int = 0) -> Tensor:
    """A tensor with its slices along one axis in random order.

    Args:
        key: ``uint32[2]``.
        x: the tensor; or a size, perhaps symbolic, for a permutation of ``0, 1, …, x - 1``.
        axis: the axis.

    Raises:
        RaxError: ``x`` is a scalar that is no size.

    Example:
        >>> from rax.random.keys import key
        >>> sorted(permutation(key(0), 4).tolist())
        [0, 1, 2, 3]
    """
    with scope("permutation"):
        if isinstance(x, (int, Dim, str)):
            return _order(key, dims.as_shape(x))
        whole = as_tensor(x)
        if not whole.ndim:
            raise RaxError(f"permutation needs an axis; {whole.value.type} has none", fix="give an int, or a vector")
        return rnp.take(whole, _order(key, (whole.shape[as_axis(axis, whole.ndim)],)), axis=axis)


def _order(key: TensorLike, shape: Shape) -> Tensor:
    # Two of n draws of 64 bits are equal once in 2**65 / n**2; those keep their order.
    return rnp.argsort(bits(key, shape, uint64))


def categorical(key: TensorLike, logits: TensorLike, axis: int = -1, shape: ShapeLike | None = None) -> Tensor:
    """Indices drawn from ``softmax(logits)`` along one axis, by the Gumbel trick.

    Args:
        key: ``uint32[2]``.
        logits: unnormalised log probabilities.
        axis: the axis of the categories, which disappears.
        shape: the shape of the result, which ends in that of ``logits`` without ``axis``; that is
            the default.

    Returns:
        ``int64``.

    Example:
        >>> from rax.random.keys import key
        >>> categorical(key(0), rnp.asarray([-30.0, 0.0, -30.0]), shape=(4,))
        Tensor([1, 1, 1, 1], dtype=int64)
    """
    scores = as_tensor(logits)
    place = axis if axis < 0 else axis - scores.ndim
    rest = [size for index, size in enumerate(scores.shape) if index != scores.ndim + place]
    lead = () if shape is None else as_shape(shape)[: len(as_shape(shape)) - len(rest)]
    with scope("categorical"):
        noise = gumbel(key, (*lead, *scores.shape), scores.dtype)
        return rnp.argmax(scores + noise, axis=place)


def choice(
    key: TensorLike,
    a: int | Dim | str | TensorLike,
    shape: ShapeLike = (),
    replace: bool = True,
    p: TensorLike | None = None,
    axis: int = 0,
) -> Tensor:
    """Slices of a tensor chosen at random.

    Args:
        key: ``uint32[2]``.
        a: the tensor; or a size, perhaps symbolic, for one of ``0, 1, …, a - 1``.
        shape: the shape of the choices, in place of the axis.
        replace: whether a slice may be chosen again.
        p: the probability of each slice, a vector; by default all are as likely. It need not sum to 1.
        axis: the axis.

    Raises:
        RaxError: ``a`` is a scalar that is no size, there are fewer slices than choices without replacement,
            or ``p`` does not have one element a slice.

    Example:
        >>> from rax.random.keys import key
        >>> sorted(choice(key(0), 4, (4,), replace=False).tolist())
        [0, 1, 2, 3]
    """
    with scope("choice"):
        whole = None if isinstance(a, (int, Dim, str)) else as_tensor(a)
        if whole is not None and not whole.ndim:
            raise RaxError(f"choice needs an axis; {whole.value.type} has none", fix="give an int, or a vector")
        (count,) = dims.as_shape(a) if whole is None else (whole.shape[as_axis(axis, whole.ndim)],)  # pyright: ignore[reportArgumentType]
        index = _choices(key, count, as_shape(shape), replace, p)
        if whole is None:
            return index
        place = axis % whole.ndim
        taken = rnp.take(whole, rnp.reshape(index, (-1,)), axis=place)
        return rnp.reshape(taken, (*whole.shape[:place], *index.shape, *whole.shape[place + 1 :]))


def _choices(key: TensorLike, count: Size, size: Shape, replace: bool, p: TensorLike | None) -> Tensor:
    weights = None if p is None else Tensor(inexact(p, float32))
    if weights is not None and weights.shape != (count,):
        raise RaxError(
            f"choice: p has the shape {dims.shape_text(weights.shape)}, not [{count}]", fix="give one a slice"
        )
    if replace:
        if weights is None:
            return randint(key, size, 0, count)
        sums = rnp.cumulative_sum(rnp.astype(weights, float64))
        # A number of (0, total], so that a probability of 0 is never met.
        drawn = sums[-1] * (1 - uniform(key, size, float64))
        return rnp.reshape(rnp.searchsorted(sums, rnp.reshape(drawn, (-1,))), size)
    chosen = dims.product(size)
    if isinstance(chosen, int) and isinstance(count, int) and chosen > count:
        raise RaxError(f"choice: {chosen} of {count} cannot be chosen without replacement", fix="choose fewer")
    if weights is None:
        order = _order(key, (count,))
    else:
        order = rnp.argsort(gumbel(key, (count,), float64) + rnp.log(rnp.astype(weights, float64)), descending=True)
    return rnp.reshape(Tensor(slice_axis(order.value, 0, 0, chosen)), size)
