"""Layers that drop something at random, from a key. To predict, leave the call out."""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax import random
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir.dims import Shape
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.nn.activations import SELU_ALPHA, SELU_SCALE
from rax.numpy.common import inexact


def _check_rate(name: str, rate: float) -> None:
    if not 0 <= rate < 1:
        raise RaxError(f"{name}'s rate is at least 0 and less than 1, not {rate}")


def _dropped(key: TensorLike, x: Tensor, rate: float, shape: Shape) -> Tensor:
    """Elements zeroed together along the axes where the shape has size 1, the rest scaled."""
    return rnp.where(random.bernoulli(key, 1 - rate, shape), x / (1 - rate), 0.0)


def dropout(key: TensorLike, x: TensorLike, rate: float) -> Tensor:
    """Zero each element with probability ``rate``, and scale the rest so that the mean stays.

    To predict, leave the call out.

    Args:
        key: a key of :mod:`rax.random`; another one at each step.
        x: any shape, floating.
        rate: at least 0 and less than 1.

    Raises:
        RaxError: the rate is out of range.

    Example:
        >>> dropout(random.key(0), rnp.ones((4,)), 0.5)
        Tensor([0., 0., 2., 2.], dtype=float32)
    """
    _check_rate("dropout", rate)
    value = Tensor(inexact(x, float32))
    with scope("dropout"):
        return _dropped(key, value, rate, value.shape)


def spatial_dropout(key: TensorLike, x: TensorLike, rate: float) -> Tensor:
    """:func:`dropout` of whole channels: what PyTorch calls ``dropout1d``, ``dropout2d``, ``dropout3d``.

    Args:
        key: a key of :mod:`rax.random`; another one at each step.
        x: ``(N, C, *spatial)``, floating.
        rate: at least 0 and less than 1.

    Raises:
        RaxError: the rate is out of range.
        TypeInferenceError: ``x`` has no channels.

    Example:
        >>> spatial_dropout(random.key(3), rnp.ones((1, 2, 2)), 0.5)
        Tensor([[[2., 2.],
                 [0., 0.]]], dtype=float32)
    """
    _check_rate("spatial_dropout", rate)
    value = Tensor(inexact(x, float32))
    if value.ndim < 2:
        raise TypeInferenceError(f"spatial_dropout needs (N, C, *spatial), not {value.value.type}")
    with scope("spatial_dropout"):
        return _dropped(key, value, rate, (*value.shape[:2], *[1] * (value.ndim - 2)))


def drop_path(key: TensorLike, x: TensorLike, rate: float) -> Tensor:
    """:func:`dropout` of whole examples, for the branch of a residual block (Huang et al., 2016).

    Args:
        key: a key of :mod:`rax.random`; another one for each block and step.
        x: ``(N, *rest)``, floating.
        rate: at least 0 and less than 1.

    Raises:
        RaxError: the rate is out of range.
        TypeInferenceError: ``x`` is a scalar.

    Example:
        >>> drop_path(random.key(3), rnp.ones((2, 2)), 0.5)
        Tensor([[2., 2.],
                [0., 0.]], dtype=float32)
    """
    _check_rate("drop_path", rate)
    value = Tensor(inexact(x, float32))
    if not value.ndim:
        raise TypeInferenceError("drop_path needs an axis of examples; a scalar has none")
    with scope("drop_path"):
        return _dropped(key, value, rate, (value.shape[0], *[1] * (value.ndim - 1)))


def alpha_dropout(key: TensorLike, x: TensorLike, rate: float) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, to go with :func:`rax.nn.selu` (Klambauer et al., 2017).

    What is dropped becomes selu's limit at -inf; then all is scaled and moved.

    Args:
        key: a key of :mod:`rax.random`; another one at each step.
        x: any shape, floating.
        rate: at least 0 and less than 1.

    Raises:
        RaxError: the rate is out of range.

    Example:
        >>> alpha_dropout(random.key(0), rnp.ones((4,)), 0.5)
        Tensor([-0.7791938, -0.7791938,  1.6655989,  1.6655989], dtype=float32)
    """
    _check_rate("alpha_dropout", rate)
    value = Tensor(inexact(x, float32))
    limit = -SELU_SCALE * SELU_ALPHA
    scale = 1 / math.sqrt((1 - rate) * (1 + rate * limit**2))
    with scope("alpha_dropout"):
        kept = random.bernoulli(key, 1 - rate, value.shape)
        return rnp.where(kept, value, limit) * scale - scale * rate * limit
