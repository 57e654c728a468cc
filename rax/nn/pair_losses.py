"""Losses of pairs: how alike vectors are that should be, and how far apart the others.

Distances and lengths have derivative 0 where they are 0.
"""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.nn.activations import relu
from rax.nn.losses import Reduction, cross_entropy, reduced, same_shape
from rax.ops.reduction import computing_dtype


def _length(x: Tensor, keepdims: bool = False) -> Tensor:
    return rnp.linalg.vector_norm(x, axis=-1, keepdims=keepdims)


def _vectors(first: TensorLike, second: TensorLike, name: str) -> tuple[Tensor, Tensor]:
    left, right = same_shape(first, second, name)
    if not left.ndim:
        raise TypeInferenceError(f"{name} compares vectors; a scalar has no axis")
    return left, right


def _labels(labels: TensorLike, terms: Tensor, name: str) -> Tensor:
    marks = as_tensor(labels)
    if marks.shape != terms.shape:
        raise TypeInferenceError(f"{name} needs one label a pair, {terms.value.type}, not {marks.value.type}")
    return marks


def cosine_similarity(first: TensorLike, second: TensorLike, axis: int = -1, epsilon: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along an axis; 0 where one of them is 0. Half types in float32.

    Args:
        first: any shape with that axis.
        second: the same shape.
        axis: the axis of the vectors.
        epsilon: the least a length counts as.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> round(float(cosine_similarity(rnp.asarray([3.0, 4.0]), rnp.asarray([4.0, 3.0]))), 6)
        0.96
    """
    given, other = _vectors(first, second, "cosine_similarity")
    with scope("cosine_similarity"):
        left, right = [rnp.astype(side, computing_dtype(side.dtype)) for side in (given, other)]
        lengths = [rnp.linalg.vector_norm(side, axis=axis, keepdims=True) for side in (left, right)]
        unit_left, unit_right = (side / rnp.maximum(n, epsilon) for side, n in zip((left, right), lengths, strict=True))
        return rnp.astype(rnp.sum(unit_left * unit_right, axis=axis), given.dtype)


def cosine_embedding_loss(
    first: TensorLike, second: TensorLike, labels: TensorLike, margin: float = 0.0, *, reduction: Reduction = "mean"
) -> Tensor:
    """``1 - cos`` for pairs that belong together, ``maximum(0, cos - margin)`` for others.

    Args:
        first: ``(*batch, features)``.
        second: the same shape.
        labels: ``(*batch)``: 1 for a pair that belongs together, -1 for one that does not.
        margin: how alike others may be.
        reduction: over the pairs.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> cosine_embedding_loss(rnp.asarray([[0.0, 4.0]]), rnp.asarray([[0.0, 3.0]]), rnp.asarray([-1]))
        Tensor(1., dtype=float32)
    """
    with scope("cosine_embedding_loss"):
        cosine = cosine_similarity(first, second)
        together = _labels(labels, cosine, "cosine_embedding_loss") > 0
        return reduced(rnp.where(together, 1 - cosine, relu(cosine - margin)), reduction)


def contrastive_loss(
    first: TensorLike, second: TensorLike, labels: TensorLike, margin: float = 1.0, *, reduction: Reduction = "mean"
) -> Tensor:
    """Half the squared distance for pairs that belong together, ``maximum(0, margin - distance)**2 / 2`` for others.

    (Hadsell, Chopra and LeCun, 2006.)

    Args:
        first: ``(*batch, features)``.
        second: the same shape.
        labels: ``(*batch)``: 1 or true for a pair that belongs together, 0 or false for one that does not.
        margin: how far apart others shall be.
        reduction: over the pairs.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> contrastive_loss(rnp.asarray([[3.0, 4.0]]), rnp.asarray([[0.0, 0.0]]), rnp.asarray([1]))
        Tensor(12.5, dtype=float32)
    """
    left, right = _vectors(first, second, "contrastive_loss")
    with scope("contrastive_loss"):
        squares = rnp.sum(rnp.square(left - right), axis=-1)
        together = _labels(labels, squares, "contrastive_loss") > 0
        near = rnp.square(relu(margin - _length(left - right)))
        return reduced(rnp.where(together, squares, near) / 2, reduction)


def triplet_margin_loss(
    anchors: TensorLike,
    positives: TensorLike,
    negatives: TensorLike,
    margin: float = 1.0,
    p: float = 2.0,
    *,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """``maximum(0, |anchor - positive| - |anchor - negative| + margin)`` (Balntas et al., 2016).

    Args:
        anchors: ``(*batch, features)``.
        positives: the same shape: what shall be near the anchors.
        negatives: the same shape: what shall be far from them.
        margin: how much further.
        p: which norm.
        swap: whether to take the negative's distance to the positive where that is less.
        reduction: over the triplets.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> near, far = rnp.asarray([[1.0, 0.0]]), rnp.asarray([[3.0, 4.0]])
        >>> triplet_margin_loss(rnp.zeros((1, 2)), near, far, margin=5.0)
        Tensor(1., dtype=float32)
    """
    anchor, positive = _vectors(anchors, positives, "triplet_margin_loss")
    _, negative = _vectors(anchors, negatives, "triplet_margin_loss")
    with scope("triplet_margin_loss"):
        apart = rnp.linalg.vector_norm(anchor - negative, axis=-1, ord=p)
        if swap:
            apart = rnp.minimum(apart, rnp.linalg.vector_norm(positive - negative, axis=-1, ord=p))
        return reduced(relu(rnp.linalg.vector_norm(anchor - positive, axis=-1, ord=p) - apart + margin), reduction)


def _batch(first: TensorLike, second: TensorLike, name: str, temperature: float) -> tuple[Tensor, Tensor]:
    left, right = same_shape(first, second, name)
    if left.ndim != 2:
        raise TypeInferenceError(f"{name} needs two batches (N, features), not {left.value.type}")
    if not temperature > 0:
        raise RaxError(f"{name} needs a positive temperature, not {temperature}")
    return left, right


def _unit(x: Tensor) -> Tensor:
    length = _length(x, keepdims=True)
    return x / rnp.where(length == 0, 1.0, length)


def info_nce(
    queries: TensorLike, keys: TensorLike, temperature: float = 0.1, *, reduction: Reduction = "mean"
) -> Tensor:
    """Cross entropy of telling each query's key from the other keys of the batch by cosine (van den Oord et al., 2018).

    Args:
        queries: ``(N, features)``.
        keys: ``(N, features)``; key ``i`` belongs to query ``i``.
        temperature: what cosines are divided by.
        reduction: over the queries.

    Raises:
        TypeInferenceError: the shapes do not fit.
        RaxError: the temperature is not positive.

    Example:
        >>> round(float(info_nce(rnp.eye(2), rnp.eye(2), 1.0)), 6)  # log(1 + 1/e)
        0.313262
    """
    left, right = _batch(queries, keys, "info_nce", temperature)
    with scope("info_nce"):
        scores = _unit(left) @ _unit(right).T / temperature
        return cross_entropy(scores, rnp.arange(left.shape[0]), reduction=reduction)


def nt_xent(
    first: TensorLike, second: TensorLike, temperature: float = 0.5, *, reduction: Reduction = "mean"
) -> Tensor:
    """The normalised, temperature-scaled cross entropy of SimCLR (Chen et al., 2020).

    Each of the 2N views is told by cosine from all others but itself; its partner is the other view.

    Args:
        first: ``(N, features)``: one view of each of N examples.
        second: ``(N, features)``: another view of them.
        temperature: what cosines are divided by.
        reduction: over the 2N views, those of ``first`` first.

    Raises:
        TypeInferenceError: the shapes do not fit.
        RaxError: the temperature is not positive.

    Example:
        >>> nt_xent(rnp.ones((2, 3)), rnp.ones((2, 3)))
        Tensor(1.0986123, dtype=float32)
    """
    left, right = _batch(first, second, "nt_xent", temperature)
    with scope("nt_xent"):
        views = _unit(rnp.concat([left, right], axis=0))
        numbers = rnp.arange(left.shape[0])
        places = rnp.arange(views.shape[0])
        itself = rnp.expand_dims(places, axis=1) == places
        scores = rnp.where(itself, -rnp.inf, views @ views.T / temperature)
        partners = rnp.concat([numbers + left.shape[0], numbers], axis=0)
        return cross_entropy(scores, partners, reduction=reduction)
