"""Activation functions, one number at a time or along an axis. Integers become float32."""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.application import apply_elementwise
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir.trail import scope
from rax.ir.types import float32, normalize_axis
from rax.numpy.common import inexact
from rax.ops import activations, transcendental
from rax.ops.normalization import LogSoftmax, Softmax

tanh = rnp.tanh


def relu(x: TensorLike) -> Tensor:
    """``maximum(x, 0)``; the derivative at 0 is 0. Integers stay integers.

    Example:
        >>> relu(rnp.asarray([-1.0, 2.0]))
        Tensor([0., 2.], dtype=float32)
    """
    return Tensor(apply_elementwise(activations.relu, x))


def leaky_relu(x: TensorLike, negative_slope: float = 0.01) -> Tensor:
    """``x`` where it is positive, else ``negative_slope * x`` (Maas, Hannun and Ng, 2013).

    Example:
        >>> leaky_relu(rnp.asarray([-1.0, 2.0]), 0.5)
        Tensor([-0.5,  2. ], dtype=float32)
    """
    with scope("leaky_relu"):
        value = Tensor(inexact(x, float32))
        return rnp.where(value > 0, value, value * negative_slope)


def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)`` (Clevert, Unterthiner and Hochreiter, 2015).

    Example:
        >>> elu(rnp.asarray([-30.0, 2.0]), 0.5)
        Tensor([-0.5,  2. ], dtype=float32)
    """
    with scope("elu"):
        value = Tensor(inexact(x, float32))
        positive = value > 0
        # The branch not taken stays finite, so that it leaves no NaN in the derivative.
        return rnp.where(positive, value, alpha * rnp.expm1(rnp.where(positive, 0.0, value)))


def sigmoid(x: TensorLike) -> Tensor:
    """``1 / (1 + exp(-x))``, without overflow.

    Example:
        >>> sigmoid(rnp.asarray([0.0, 100.0]))
        Tensor([0.5, 1. ], dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.sigmoid, x))


def softplus(x: TensorLike) -> Tensor:
    """``log(1 + exp(x))``, without overflow.

    Example:
        >>> softplus(rnp.asarray([0.0, 100.0]))
        Tensor([  0.6931472, 100.       ], dtype=float32)
    """
    return Tensor(apply_elementwise(activations.softplus, x))


def silu(x: TensorLike) -> Tensor:
    """``x * sigmoid(x)``, also called swish (Elfwing, Uchibe and Doya, 2017).

    Example:
        >>> silu(rnp.asarray([0.0, 100.0]))
        Tensor([  0., 100.], dtype=float32)
    """
    return Tensor(apply_elementwise(activations.silu, x))


def gelu(x: TensorLike, approximate: bool = False) -> Tensor:
    """``x`` times the standard normal distribution function of ``x`` (Hendrycks and Gimpel, 2016).

    Args:
        x: any shape.
        approximate: whether to use ``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3)))``.

    Example:
        >>> gelu(rnp.asarray([0.0, 100.0]))
        Tensor([  0., 100.], dtype=float32)
    """
    return Tensor(activations.Gelu(approximate)(inexact(x, float32)))


def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along one axis, without overflow.

    Args:
        x: any shape with that axis; an element of -inf gets 0.
        axis: the axis along which the result sums to 1.

    Example:
        >>> softmax(rnp.asarray([0.0, 0.0]))
        Tensor([0.5, 0.5], dtype=float32)
    """
    value = inexact(x, float32)
    return Tensor(Softmax(normalize_axis(axis, value.ndim))(value))


def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """``x - log(sum(exp(x)))`` along one axis, without overflow.

    Args:
        x: any shape with that axis.
        axis: the axis along which the exponential of the result sums to 1.

    Example:
        >>> log_softmax(rnp.asarray([0.0, 1000.0]))
        Tensor([-1000.,     0.], dtype=float32)
    """
    value = inexact(x, float32)
    return Tensor(LogSoftmax(normalize_axis(axis, value.ndim))(value))
