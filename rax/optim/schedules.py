"""Learning rates as functions of the number of updates made so far, as float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.errors import RaxError
from rax.ir.trail import scope
from rax.ir.types import float32

Schedule = Callable[[TensorLike], Tensor]


def constant(value: float) -> Schedule:
    """The same learning rate at every step.

    Example:
        >>> constant(0.5)(7)
        Tensor(0.5, dtype=float32)
    """
    return lambda step: rnp.asarray(value, dtype=float32)


def exponential_decay(start: float, decay_steps: float, decay_rate: float, staircase: bool = False) -> Schedule:
    """``start * decay_rate ** (step / decay_steps)``.

    Args:
        start: the first learning rate.
        decay_steps: the steps in which the rate falls by ``decay_rate``.
        decay_rate: a positive factor.
        staircase: whether the exponent is rounded down, so that the rate falls in steps.

    Example:
        >>> exponential_decay(1.0, 10, 0.5)(20)
        Tensor(0.25, dtype=float32)
    """

    def schedule(step: TensorLike) -> Tensor:
        with scope("exponential_decay"):
            exponent = _number(step) / decay_steps
            return start * rnp.exp((rnp.floor(exponent) if staircase else exponent) * math.log(decay_rate))

    return schedule


def cosine_decay(start: float, decay_steps: float, end: float = 0.0) -> Schedule:
    """Half a cosine from ``start`` at step 0 to ``end`` at ``decay_steps`` (Loshchilov and Hutter, 2016).

    Args:
        start: the first learning rate.
        decay_steps: the step from which on the rate is ``end``.
        end: the last learning rate.

    Example:
        >>> [round(float(cosine_decay(1.0, 10)(step)), 4) for step in (0, 5, 10, 20)]
        [1.0, 0.5, 0.0, 0.0]
    """
    return warmup_cosine(start, 0, decay_steps, end=end)


def warmup_cosine(
    peak: float, warmup_steps: float, decay_steps: float, *, start: float = 0.0, end: float = 0.0
) -> Schedule:
    """A straight line from ``start`` up to ``peak``, then half a cosine down to ``end``.

    Args:
        peak: the learning rate at ``warmup_steps``.
        warmup_steps: where the line ends.
        decay_steps: where the cosine ends, counted from step 0.
        start: the learning rate at step 0, where there is a line.
        end: the learning rate from ``decay_steps`` on.

    Raises:
        RaxError: the cosine would end before it begins.

    Example:
        >>> [round(float(warmup_cosine(1.0, 10, 20)(step)), 4) for step in (0, 5, 10, 15, 20)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if not 0 <= warmup_steps < decay_steps:
        raise RaxError(f"decay_steps ({decay_steps}) must be more than warmup_steps ({warmup_steps})")

    def schedule(step: TensorLike) -> Tensor:
        with scope("warmup_cosine"):
            now = _number(step)
            share = rnp.clip((now - warmup_steps) / (decay_steps - warmup_steps), 0.0, 1.0)
            rate = end + (peak - end) * 0.5 * (1 + rnp.cos(math.pi * share))
            if not warmup_steps:
                return rate
            return rnp.where(now < warmup_steps, start + (peak - start) * (now / warmup_steps), rate)

    return schedule


def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    """``values[0]`` at first, and from step ``boundaries[i]`` on ``values[i + 1]``.

    Args:
        boundaries: steps, in increasing order.
        values: learning rates, one more than boundaries.

    Raises:
        RaxError: the counts do not fit, or the boundaries do not increase.

    Example:
        >>> [round(float(piecewise_constant([10], [1.0, 0.5])(step)), 4) for step in (9, 10)]
        [1.0, 0.5]
    """
    if len(values) != len(boundaries) + 1:
        raise RaxError(f"{len(boundaries)} boundaries need {len(boundaries) + 1} values, not {len(values)}")
    if sorted(set(boundaries)) != list(boundaries):
        raise RaxError(f"the boundaries {list(boundaries)} do not increase")

    def schedule(step: TensorLike) -> Tensor:
        with scope("piecewise_constant"):
            now = as_tensor(step)
            rate: Tensor = rnp.asarray(values[0], dtype=float32)
            for boundary, value in zip(boundaries, values[1:], strict=True):
                rate = rnp.where(now >= boundary, value, rate)
            return rate

    return schedule


def _number(step: TensorLike) -> Tensor:
    return rnp.astype(as_tensor(step), float32)
