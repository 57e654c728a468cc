"""Losses: how far predictions are from what is due.

Each is the mean over its terms, or with ``reduction`` their ``"sum"``, or with ``"none"`` the terms
themselves. The mean of no terms, as of an empty batch, is 0, and so is its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from rax import numpy as rnp
from rax.frontend.functions import stop_gradient
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.nn.activations import relu, softplus
from rax.nn.softmax import log_softmax
from rax.numpy.common import inexact
from rax.ops.creation import dim_size
from rax.ops.indexing import Gather
from rax.ops.reduction import computing_dtype

Reduction = Literal["mean", "sum", "none"]


def reduced(terms: Tensor, reduction: Reduction, weights: Tensor | None = None) -> Tensor:
    """The terms as a reduction says; with weights, their mean is divided by the sum of those.

    Raises:
        RaxError: there is no such reduction.
    """
    if reduction == "none":
        return terms
    if reduction == "sum":
        return rnp.sum(terms)
    if reduction != "mean":
        raise RaxError(f"reduction is one of 'mean', 'sum' and 'none', not {reduction!r}")
    wide = computing_dtype(terms.dtype)
    total = rnp.sum(rnp.astype(terms, wide))
    if weights is None:
        return rnp.astype(total / Tensor(dim_size(dims.maximum(terms.size, 1), wide)), terms.dtype)
    divisor = rnp.sum(rnp.astype(weights, wide))
    return rnp.astype(total / rnp.where(divisor == 0, 1.0, divisor), terms.dtype)


def same_shape(predictions: TensorLike, targets: TensorLike, name: str) -> tuple[Tensor, Tensor]:
    """Both sides in one floating dtype; of one shape, lest broadcasting hide a mistake.

    Raises:
        TypeInferenceError: the shapes differ.
    """
    left, right = (Tensor(value) for value in promote_operands(inexact(predictions, float32), targets))
    if left.shape != right.shape:
        raise TypeInferenceError(
            f"{name} needs predictions and targets of one shape, not {left.value.type} and {right.value.type}",
            fix="reshape or broadcast one of them first",
        )
    return left, right


def cross_entropy(
    logits: TensorLike,
    labels: TensorLike,
    *,
    weight: TensorLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-log(softmax(logits))`` at the labels; the softmax is along the last axis.

    Args:
        logits: ``(*batch, classes)``, unnormalised log probabilities.
        labels: integers ``(*batch)``, each the number of a class; or floating numbers
            ``(*batch, classes)``, a distribution each. A negative integer counts from the last
            class; one out of range fails when the graph runs.
        weight: ``(classes,)``, the weight of each class's part. The mean over integer labels is
            then divided by the sum of the labels' weights, as PyTorch does.
        ignore_index: an integer label whose terms are 0 and do not count in the mean.
        label_smoothing: how much of each label is spread over all classes evenly (Szegedy et al., 2016).
        reduction: over the terms ``(*batch)``.

    Raises:
        TypeInferenceError: the labels fit neither form, or the weights are not one a class.
        RaxError: the smoothing is not between 0 and 1, or distributions are to be ignored by number.

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
    if not 0 <= label_smoothing <= 1:
        raise RaxError(f"label_smoothing is between 0 and 1, not {label_smoothing}")
    with scope("cross_entropy"):
        each = _class_weights(weight, scores)
        if not soft and not label_smoothing:
            terms, weights = _at_labels(scores, target, each, ignore_index, _log_loss_at)
            return reduced(terms, reduction, weights)
        logs = log_softmax(scores)
        if soft:
            if ignore_index is not None:
                raise RaxError("ignore_index names an integer label; these labels are distributions")
            parts = rnp.astype(target, logs.dtype) * (1 - label_smoothing)
            if label_smoothing:
                parts = parts + label_smoothing / _number(scores.shape[-1], logs)
            return reduced(-_expected(parts if each is None else parts * each, logs), reduction)
        terms, weights = _at_labels(logs, target, each, ignore_index, _minus_at)
        spread = logs if each is None else logs * each
        even = -rnp.sum(spread, axis=-1) / _number(scores.shape[-1], logs)
        even = even if ignore_index is None else rnp.where(target == ignore_index, 0.0, even)
        return reduced((1 - label_smoothing) * terms + label_smoothing * even, reduction, weights)


def nll_loss(
    log_probabilities: TensorLike,
    labels: TensorLike,
    *,
    weight: TensorLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """The negative log likelihood: minus the log probability at each label.

    Args:
        log_probabilities: ``(*batch, classes)``, as :func:`rax.nn.log_softmax` gives them.
        labels: integers ``(*batch)``, as for :func:`cross_entropy`.
        weight: ``(classes,)``, as for :func:`cross_entropy`.
        ignore_index: a label whose terms are 0 and do not count in the mean.
        reduction: over the terms ``(*batch)``.

    Raises:
        TypeInferenceError: the labels are not integers of that shape.

    Example:
        >>> nll_loss(rnp.asarray([[-1.0, -2.0], [-3.0, -4.0]]), rnp.asarray([0, 1]))
        Tensor(2.5, dtype=float32)
    """
    logs, target = Tensor(inexact(log_probabilities, float32)), as_tensor(labels)
    if not logs.ndim or target.shape != logs.shape[:-1] or target.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(
            f"nll_loss of log probabilities {logs.value.type} cannot use labels {target.value.type}",
            fix="give integers of the shape without the last axis",
        )
    with scope("nll_loss"):
        terms, weights = _at_labels(logs, target, _class_weights(weight, logs), ignore_index, _minus_at)
        return reduced(terms, reduction, weights)


def _number(size: Size, like: Tensor) -> Tensor:
    return Tensor(dim_size(size, like.dtype))


def _class_weights(weight: TensorLike | None, logs: Tensor) -> Tensor | None:
    if weight is None:
        return None
    each = as_tensor(weight)
    if each.shape != logs.shape[-1:]:
        raise TypeInferenceError(f"weight is one number a class, {logs.shape[-1]} of them, not {each.value.type}")
    return rnp.astype(each, logs.dtype)


def _expected(probabilities: Tensor, logs: Tensor) -> Tensor:
    """The sum of ``p * log q`` over the last axis; a probability of 0 takes nothing, of -inf either."""
    none = probabilities == 0
    return rnp.sum(rnp.where(none, 0.0, probabilities * rnp.where(none, 0.0, logs)), axis=-1)


def _picked(x: Tensor, labels: Tensor) -> Tensor:
    """The number at the label of each row."""
    return Tensor(Gather(labels.ndim, unique_indices=True)(x.value, labels.value))


def _minus_at(logs: Tensor, labels: Tensor) -> Tensor:
    return -_picked(logs, labels)


def _log_loss_at(scores: Tensor, labels: Tensor) -> Tensor:
    """Minus the logarithm of the softmax, at the labels alone; the derivative is the softmax less 1 there."""
    wide = rnp.astype(scores, computing_dtype(scores.dtype))
    top: Tensor = stop_gradient(rnp.max(wide, axis=-1, keepdims=True))
    lowered = wide - top
    return rnp.astype(rnp.log(rnp.sum(rnp.exp(lowered), axis=-1)) - _picked(lowered, labels), scores.dtype)


def _at_labels(
    rows: Tensor,
    labels: Tensor,
    weight: Tensor | None,
    ignore_index: int | None,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Tensor, Tensor | None]:
    """The loss of each row at its label, times the weight there; and those weights, None where all are 1."""
    ignored = None if ignore_index is None else labels == ignore_index
    if ignored is not None:
        labels = rnp.where(ignored, rnp.zeros_like(labels), labels)
    terms = loss(rows, labels)
    weights = None if weight is None else Tensor(Gather()(weight.value, labels.value))
    if ignored is not None:
        weights = rnp.where(ignored, 0.0, rnp.ones_like(terms) if weights is None else weights)
        terms = rnp.where(ignored, 0.0, terms)
    return (terms if weights is None else terms * weights), weights


def binary_cross_entropy(
    logits: TensorLike,
    labels: TensorLike,
    *,
    weight: TensorLike | None = None,
    pos_weight: TensorLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-y log(p) - (1 - y) log(1 - p)`` with ``p = sigmoid(logits)``, without overflow.

    Args:
        logits: any shape.
        labels: the same shape: bools, or numbers between 0 and 1.
        weight: a factor for each term, which broadcasts.
        pos_weight: a factor for the part of ``y``, which broadcasts.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> binary_cross_entropy(rnp.zeros((3,)), rnp.asarray([True, False, True]))
        Tensor(0.6931472, dtype=float32)
    """
    scores, target = same_shape(logits, labels, "binary_cross_entropy")
    with scope("binary_cross_entropy"):
        if pos_weight is None:
            terms = softplus(scores) - scores * target
        else:
            positive = rnp.astype(as_tensor(pos_weight), scores.dtype) * target
            terms = positive * softplus(-scores) + (1 - target) * softplus(scores)
        if weight is not None:
            terms = terms * rnp.astype(as_tensor(weight), terms.dtype)
        return reduced(terms, reduction)


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
    left, right = same_shape(predictions, targets, "mse")
    with scope("mse"):
        return reduced(rnp.square(left - right), reduction)


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
    left, right = same_shape(predictions, targets, "mae")
    with scope("mae"):
        return reduced(rnp.abs(left - right), reduction)


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
    left, right = same_shape(predictions, targets, "huber")
    with scope("huber"):
        distance = rnp.abs(left - right)
        near = rnp.minimum(distance, delta)
        return reduced(near * (distance - near / 2), reduction)


def smooth_l1_loss(
    predictions: TensorLike, targets: TensorLike, beta: float = 1.0, *, reduction: Reduction = "mean"
) -> Tensor:
    """The error ``|e| - beta/2``, below ``beta`` a square: :func:`huber` divided by its delta (Girshick, 2015).

    Args:
        predictions: any shape.
        targets: the same shape.
        beta: where the square ends; at 0 the loss is :func:`mae`.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.
        RaxError: ``beta`` is negative.

    Example:
        >>> smooth_l1_loss(rnp.asarray([0.0, 3.0]), rnp.asarray([1.0, 0.0]), 2.0, reduction="none")
        Tensor([0.25, 2.  ], dtype=float32)
    """
    if beta < 0:
        raise RaxError(f"smooth_l1_loss needs a beta of at least 0, not {beta}")
    if beta == 0:
        return mae(predictions, targets, reduction=reduction)
    with scope("smooth_l1_loss"):
        return huber(predictions, targets, beta, reduction=reduction) / beta


def log_cosh(predictions: TensorLike, targets: TensorLike, *, reduction: Reduction = "mean") -> Tensor:
    """``log(cosh(predictions - targets))``, without overflow: a square near 0, linear far out.

    Args:
        predictions: any shape.
        targets: the same shape.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> log_cosh(rnp.asarray([0.0, 1000.0]), rnp.asarray([0.0, 0.0]), reduction="none")
        Tensor([  0.    , 999.3068], dtype=float32)
    """
    left, right = same_shape(predictions, targets, "log_cosh")
    with scope("log_cosh"):
        error = left - right
        return reduced(rnp.logaddexp(error, -error) - math.log(2), reduction)


def kl_divergence(
    log_predictions: TensorLike, targets: TensorLike, *, log_targets: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """The Kullback–Leibler divergence of predictions from targets: the sum of ``p * (log p - log q)``.

    Args:
        log_predictions: ``(*batch, classes)``, the logs of ``q``.
        targets: the same shape, ``p``; where it is 0 the term is 0.
        log_targets: whether the targets are given as logs too.
        reduction: over the terms ``(*batch)``, each a sum over the last axis.

    Raises:
        TypeInferenceError: the shapes differ, or are those of scalars.

    Example:
        >>> kl_divergence(rnp.log(rnp.asarray([[0.5, 0.5]])), rnp.asarray([[1.0, 0.0]]))
        Tensor(0.6931472, dtype=float32)
    """
    logs, target = same_shape(log_predictions, targets, "kl_divergence")
    if not logs.ndim:
        raise TypeInferenceError("kl_divergence needs an axis of classes; a scalar has none")
    with scope("kl_divergence"):
        none = target == (-math.inf if log_targets else 0)
        inside = rnp.where(none, 0.0 if log_targets else 1.0, target)
        due, weights = (inside, rnp.exp(inside)) if log_targets else (rnp.log(inside), inside)
        return reduced(rnp.sum(rnp.where(none, 0.0, weights * (due - rnp.where(none, 0.0, logs))), axis=-1), reduction)


def hinge_loss(predictions: TensorLike, targets: TensorLike, *, reduction: Reduction = "mean") -> Tensor:
    """``maximum(0, 1 - predictions * targets)``: the loss of support vector machines.

    Args:
        predictions: any shape.
        targets: the same shape, -1 or 1 each.
        reduction: over the elements.

    Raises:
        TypeInferenceError: the shapes differ.

    Example:
        >>> hinge_loss(rnp.asarray([0.5, 3.0]), rnp.asarray([-1, 1]), reduction="none")
        Tensor([1.5, 0. ], dtype=float32)
    """
    scores, target = same_shape(predictions, targets, "hinge_loss")
    with scope("hinge_loss"):
        return reduced(relu(1 - scores * target), reduction)
