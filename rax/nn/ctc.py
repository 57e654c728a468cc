"""Connectionist temporal classification: the likelihood of a label sequence over all its alignments."""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax.frontend.control import scan
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32, int64
from rax.nn.losses import Reduction, reduced
from rax.nn.softmax import log_softmax
from rax.numpy.common import inexact
from rax.ops.creation import dim_size
from rax.ops.indexing import take_along_axis
from rax.ops.reduction import computing_dtype


def ctc_loss(
    logits: TensorLike,
    labels: TensorLike,
    logit_lengths: TensorLike | None = None,
    label_lengths: TensorLike | None = None,
    *,
    blank: int = 0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Minus the log probability of label sequences, summed over alignments (Graves et al., 2006).

    An alignment names a class for each time; with repetitions and then blanks taken out it is the
    label sequence. The forward recursion is computed on logarithms, half types in float32.

    Args:
        logits: ``(N, time, classes)``, unnormalised log probabilities.
        labels: integers ``(N, length)``, classes other than the blank.
        logit_lengths: integers ``(N,)``: the times of each example; by default all.
        label_lengths: integers ``(N,)``: the labels of each example; by default all. What stands
            beyond is not looked at.
        blank: the class that stands for no label.
        reduction: over the ``(N,)`` sequences; the mean does not divide by their lengths.

    Returns:
        The loss: infinite, with derivative 0, where the times are too few for the labels.

    Raises:
        TypeInferenceError: shapes or dtypes do not fit.
        RaxError: the blank is no class.

    Example:
        >>> ctc_loss(rnp.zeros((1, 2, 2)), rnp.asarray([[1]]))  # 3 of 4 alignments
        Tensor(0.2876821, dtype=float32)
    """
    scores, marks = Tensor(inexact(logits, float32)), as_tensor(labels)
    if scores.ndim != 3 or marks.ndim != 2 or marks.dtype.kind not in ("int", "uint") or (
        scores.shape[0] != marks.shape[0]
    ):  # fmt: skip
        raise TypeInferenceError(
            f"ctc_loss needs logits (N, time, classes) and integer labels (N, length), "
            f"not {scores.value.type} and {marks.value.type}"
        )
    classes = scores.shape[2]
    if blank < 0 or (isinstance(classes, int) and blank >= classes):
        raise RaxError(f"the blank {blank} is none of the {classes} classes")
    with scope("ctc_loss"):
        times = _lengths(logit_lengths, scores.shape[:2], "logit_lengths")
        counts = _lengths(label_lengths, marks.shape, "label_lengths")
        logs = log_softmax(rnp.astype(scores, computing_dtype(scores.dtype)))
        final = _forward(logs, times, *_states(marks, counts, blank))
        last = rnp.logaddexp(_at(final, 2 * counts), rnp.where(counts > 0, _at(final, 2 * counts - 1), -math.inf))
        possible = last > -math.inf
        # Where no alignment fits, the derivative is cut off.
        loss = rnp.where(possible, -rnp.where(possible, last, 0.0), math.inf)
        return reduced(rnp.astype(loss, scores.dtype), reduction)


def _lengths(lengths: TensorLike | None, shape: tuple[Size, ...], name: str) -> Tensor:
    """The lengths as int64, ``(N,)``; that of the axis where none are given."""
    if lengths is None:
        return rnp.broadcast_to(Tensor(dim_size(shape[1])), (shape[0],))
    given = as_tensor(lengths)
    if given.shape != shape[:1] or given.dtype.kind not in ("int", "uint"):
        raise TypeInferenceError(f"{name} are {shape[0]} integers, not {given.value.type}")
    return rnp.astype(given, int64)


def _states(labels: Tensor, counts: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """The labels with blanks around each, ``(N, 2 * length + 1)``; and where a step may skip the blank before."""
    batch, length = labels.shape
    inside = rnp.arange(length) < rnp.expand_dims(counts, axis=1)
    clean = rnp.where(inside, rnp.astype(labels, int64), blank)
    blanks = rnp.full((batch, 1), blank, dtype=int64)
    paired = rnp.stack([rnp.full_like(clean, blank), clean], axis=2)
    states = rnp.concat([rnp.reshape(paired, (batch, 2 * length)), blanks], axis=1)
    before = rnp.concat([blanks, blanks, states], axis=1)[:, : states.shape[1]]
    return states, (states != blank) & (states != before)


def _shifted(alpha: Tensor, places: int) -> Tensor:
    """Each state's value at the state some places before; -inf where there is none."""
    lead = rnp.full((alpha.shape[0], places), -math.inf, dtype=alpha.dtype)
    return rnp.concat([lead, alpha], axis=1)[:, : alpha.shape[1]]


def _at(alpha: Tensor, places: Tensor) -> Tensor:
    """One state of each row; 0 for a place out of range."""
    chosen = rnp.arange(alpha.shape[1]) == rnp.expand_dims(places, axis=1)
    return rnp.sum(rnp.where(chosen, alpha, 0.0), axis=1)


def _forward(logs: Tensor, times: Tensor, states: Tensor, skips: Tensor) -> Tensor:
    """The log probability of each state at the end of each example's time."""
    batch, length = states.shape
    index = rnp.broadcast_to(rnp.expand_dims(states, axis=1), (batch, logs.shape[1], length))
    emissions = Tensor(take_along_axis(logs.value, index.value, 2))
    first = rnp.arange(length) == 0
    start = rnp.broadcast_to(rnp.where(first, rnp.zeros((), dtype=logs.dtype), -math.inf), (batch, length))

    def step(alpha: Tensor, row: tuple[Tensor, Tensor]) -> tuple[Tensor, None]:
        emission, time = row
        arrived = rnp.logaddexp(alpha, _shifted(alpha, 1))
        arrived = rnp.logaddexp(arrived, rnp.where(skips, _shifted(alpha, 2), -math.inf))
        return rnp.where(rnp.expand_dims(time < times, axis=1), arrived + emission, alpha), None

    rows = (rnp.moveaxis(emissions, 1, 0), rnp.arange(logs.shape[1]))
    return scan(step, start, rows)[0]
