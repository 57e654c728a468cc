"""Losses: how far predictions are from what is due.

Each is the mean over its terms, or with ``reduction`` their ``"sum"``, or with ``"none"`` the terms
themselves. The mean of no terms, as of an empty batch, is 0, and so is its gradient.
"""

from __future__ import annotations

from typing import Literal

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.nn.activations import log_softmax, softplus
from rax.numpy.common import inexact
from rax.ops.creation import dim_size
from rax.ops.indexing import take_along_axis
from rax.ops.reduction import computing_dtype

Reduction = Literal["mean", "sum", "none"]


def _reduced(terms: Tensor, reduction: Reduction) -> Tensor:
    if reduction == "none":
        return terms
    if reduction == "sum":
        return rnp.sum(terms)
    if reduction != "mean":
        raise RaxError(f"reduction is one of 'mean', 'sum' and 'none', not {reduction!r}")
    wide = computing_dtype(terms.dtype)
    count = Tensor(dim_size(dims.maximum(terms.size, 1), wide))
    return rnp.astype(rnp.sum(rnp.astype(terms, wide)) / count, terms.dtype)


def _pair(predictions: TensorLike, targets: TensorLike, name: str) -> tuple[Tensor, Tensor]:
    """Both sides in one floating dtype; of one shape, lest broadcasting hide a mistake."""
    left, right = (Tensor(value) for value in promote_operands(inexact(predictions, float32), targets))
    if left.shape != right.shape:
        raise TypeInferenceError(
            f"{name} needs predictions and targets of one shape, not {left.value.type} and {right.value.type}",
            fix="reshape or broadcast one of them first",
        )
    return left, right


def cross_entropy(logits: TensorLike, labels: TensorLike, *, reduction: Reduction = "mean") -> Tensor:
    """``-log(softmax(logits))`` at the labels; the softmax is along the last axis.

    Args:
        logits: ``(*batch, classes)``, unnormalised log probabilities.
        labels: integers ``(*batch)``, each the number of a class; or floating numbers
            ``(*batch, classes)``, a distribution each. A negative integer counts from the last
            class; one out of range fails when the graph runs.
        reduction: over the terms ``(*batch)``.

    Raises:
        TypeInferenceError: the labels fit neither form.

    Example:
        >>> cross_entropy(rnp.zeros((2, 4)), rnp.asarray([0, 3]))
        Tensor(1.3862944, dtype=float32)
    """
    scores, target = Tensor(inexact(logits, float32)), as_tensor(labels)
    soft = target.dtype.is_floating
    if target.shape != (scores.shape if soft else scores.shape[:-1]) or not scores.ndim or target.dtype.kind == "bool":
        raise TypeInferenceError(
            f"cross_entropy of logits {scores.value.type} cannot use labels {target.value.type}",
            fix="give integers of the shape without the last axis, or probabilities of the same shape",
        )
    with scope("cross_entropy"):
        logs = log_softmax(scores)
        if soft:
            return _reduced(-rnp.sum(logs * rnp.astype(target, logs.dtype), axis=-1), reduction)
        picked = take_along_axis(logs.value, rnp.expand_dims(target, axis=-1).value, scores.ndim - 1)
        return _reduced(-rnp.squeeze(Tensor(picked), axis=-1), reduction)


def binary_cross_entropy(logits: TensorLike, labels: TensorLike, *, reduction: Reduction = "mean") -> Tensor:
    """``-y log(p) - (1 - y) log(1 - p)`` with ``p = sigmoid(logits)``, without overflow.

    Args:
        logits: any shape.
        labels: the same shape: bools, or numbers between 0 and 1.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> binary_cross_entropy(rnp.zeros((3,)), rnp.asarray([True, False, True]))
        Tensor(0.6931472, dtype=float32)
    """
    scores, target = _pair(logits, labels, "binary_cross_entropy")
    with scope("binary_cross_entropy"):
        return _reduced(softplus(scores) - scores * target, reduction)


def mse(predictions: TensorLike, targets: TensorLike, *, reduction: Reduction = "mean") -> Tensor:
    """The squared error, ``(predictions - targets)**2``.

    Args:
        predictions: any shape.
        targets: the same shape.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> mse(rnp.asarray([1.0, 2.0]), rnp.asarray([1.0, 4.0]))
        Tensor(2., dtype=float32)
    """
    left, right = _pair(predictions, targets, "mse")
    with scope("mse"):
        return _reduced(rnp.square(left - right), reduction)


def mae(predictions: TensorLike, targets: TensorLike, *, reduction: Reduction = "mean") -> Tensor:
    """The absolute error, ``|predictions - targets|``; its derivative at 0 is 0.

    Args:
        predictions: any shape.
        targets: the same shape.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> mae(rnp.asarray([1.0, 2.0]), rnp.asarray([1.0, 4.0]))
        Tensor(1., dtype=float32)
    """
    left, right = _pair(predictions, targets, "mae")
    with scope("mae"):
        return _reduced(rnp.abs(left - right), reduction)


def huber(predictions: TensorLike, targets: TensorLike, delta: float = 1.0, *, reduction: Reduction = "mean") -> Tensor:
    """Half the squared error up to ``delta``, beyond it linear: ``delta * (|e| - delta/2)`` (Huber, 1964).

    Args:
        predictions: any shape.
        targets: the same shape.
        delta: where the square ends.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> huber(rnp.asarray([0.0, 3.0]), rnp.asarray([1.0, 0.0]), reduction="none")
        Tensor([0.5, 2.5], dtype=float32)
    """
    left, right = _pair(predictions, targets, "huber")
    with scope("huber"):
        distance = rnp.abs(left - right)
        near = rnp.minimum(distance, delta)
        return _reduced(near * (distance - near / 2), reduction)
