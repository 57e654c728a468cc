"""Activations made of pieces, most of them straight. Integers become float32.

Where two pieces meet, the derivative is that on the flat side, or else on the left.
"""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.application import apply_elementwise
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.numpy.common import inexact
from rax.ops import activations


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


def celu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """``x`` where it is positive, else ``alpha * (exp(x / alpha) - 1)``: smooth at 0 (Barron, 2017).

    Example:
        >>> celu(rnp.asarray([-30.0, 2.0]), 0.5)
        Tensor([-0.5,  2. ], dtype=float32)
    """
    with scope("celu"):
        value = Tensor(inexact(x, float32))
        positive = value > 0
        return rnp.where(positive, value, alpha * rnp.expm1(rnp.where(positive, 0.0, value) / alpha))


SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
"""The numbers that make mean 0 and variance 1 a fixed point, from the paper."""


def selu(x: TensorLike) -> Tensor:
    """``1.0507 * elu(x, 1.6733)``, which keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Example:
        >>> selu(rnp.asarray([-30.0, 2.0]))
        Tensor([-1.7580993,  2.101402 ], dtype=float32)
    """
    with scope("selu"):
        return SELU_SCALE * elu(x, SELU_ALPHA)


def relu6(x: TensorLike) -> Tensor:
    """``minimum(maximum(x, 0), 6)``; the derivative at 0 and at 6 is 0.

    Example:
        >>> relu6(rnp.asarray([-1.0, 2.0, 9.0]))
        Tensor([0., 2., 6.], dtype=float32)
    """
    with scope("relu6"):
        value = Tensor(inexact(x, float32))
        return rnp.where(value >= 6, 6.0, relu(value))


def hard_tanh(x: TensorLike) -> Tensor:
    """``x`` kept between -1 and 1, where the derivative is 0.

    Example:
        >>> hard_tanh(rnp.asarray([-3.0, 0.5, 3.0]))
        Tensor([-1. ,  0.5,  1. ], dtype=float32)
    """
    with scope("hard_tanh"):
        value = Tensor(inexact(x, float32))
        return rnp.where(value >= 1, 1.0, rnp.where(value <= -1, -1.0, value))


def hard_sigmoid(x: TensorLike) -> Tensor:
    """``relu6(x + 3) / 6`` (Howard et al., 2019).

    Example:
        >>> hard_sigmoid(rnp.asarray([-3.0, 0.0, 3.0]))
        Tensor([0. , 0.5, 1. ], dtype=float32)
    """
    with scope("hard_sigmoid"):
        return relu6(Tensor(inexact(x, float32)) + 3) / 6


def hard_silu(x: TensorLike) -> Tensor:
    """``x * hard_sigmoid(x)``, also called hard swish (Howard et al., 2019).

    Example:
        >>> hard_silu(rnp.asarray([-1.5, 0.0, 3.0]))
        Tensor([-0.375,  0.   ,  3.   ], dtype=float32)
    """
    with scope("hard_silu"):
        value = Tensor(inexact(x, float32))
        far = rnp.isinf(value)
        near = rnp.where(far, 0.0, value)  # -inf times 0 would be NaN
        return rnp.where(far, relu(value), near * hard_sigmoid(near))


hard_swish = hard_silu


def sparse_plus(x: TensorLike) -> Tensor:
    """0 up to -1, ``x`` from 1 on, between them ``(x + 1)**2 / 4`` (Peters, Niculae and Martins, 2019).

    Example:
        >>> sparse_plus(rnp.asarray([-2.0, 0.0, 3.0]))
        Tensor([0.  , 0.25, 3.  ], dtype=float32)
    """
    with scope("sparse_plus"):
        value = Tensor(inexact(x, float32))
        between = rnp.square(hard_tanh(value) + 1) / 4
        return rnp.where(value >= 1, value, between)


def sparse_sigmoid(x: TensorLike) -> Tensor:
    """The derivative of :func:`sparse_plus`: ``(x + 1) / 2`` kept between 0 and 1.

    Example:
        >>> sparse_sigmoid(rnp.asarray([-2.0, 0.0, 3.0]))
        Tensor([0. , 0.5, 1. ], dtype=float32)
    """
    with scope("sparse_sigmoid"):
        return (hard_tanh(x) + 1) / 2
