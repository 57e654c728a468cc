"""Smooth activation functions, one number at a time. Integers become float32.

The limits at the infinities, and slopes for large numbers in any dtype, are right without NaN.
"""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax.frontend.application import apply_elementwise
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.nn.piecewise import relu
from rax.numpy.common import as_axis, inexact
from rax.ops import activations, transcendental
from rax.ops.shape import slice_axis

tanh = rnp.tanh


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


swish = silu


def log_sigmoid(x: TensorLike) -> Tensor:
    """``log(sigmoid(x))``, without overflow.

    Example:
        >>> log_sigmoid(rnp.asarray([0.0, -100.0]))
        Tensor([  -0.6931472, -100.       ], dtype=float32)
    """
    with scope("log_sigmoid"):
        return -softplus(-Tensor(inexact(x, float32)))


def log1mexp(x: TensorLike) -> Tensor:
    """``log(1 - exp(-x))`` for positive ``x``, exact near 0 and far out (Mächler, 2012).

    At 0 it is -inf, below 0 NaN.

    Example:
        >>> log1mexp(rnp.asarray([1e-10, 100.0]))
        Tensor([-2.302585e+01, -3.783506e-44], dtype=float32)
    """
    with scope("log1mexp"):
        value = Tensor(inexact(x, float32))
        far = value > math.log(2)
        # Each branch gets numbers it is finite on where the other is taken.
        beyond = rnp.log1p(-rnp.exp(-rnp.where(far, value, 1.0)))
        return rnp.where(far, beyond, rnp.log(-rnp.expm1(-rnp.where(far, 0.5, value))))


def mish(x: TensorLike) -> Tensor:
    """``x * tanh(softplus(x))``; 0 at -inf (Misra, 2019).

    Example:
        >>> mish(rnp.asarray([0.0, 100.0]))
        Tensor([  0., 100.], dtype=float32)
    """
    with scope("mish"):
        value = Tensor(inexact(x, float32))
        # Out there it is relu in every dtype, and its factors are infinite and 0, whose product is NaN.
        far = rnp.abs(value) >= 800
        near = rnp.where(far, 0.0, value)
        return rnp.where(far, relu(value), near * tanh(softplus(near)))


def soft_sign(x: TensorLike) -> Tensor:
    """``x / (1 + |x|)``; 1 and -1 at the infinities.

    Example:
        >>> soft_sign(rnp.asarray([-1.0, 3.0]))
        Tensor([-0.5 ,  0.75], dtype=float32)
    """
    with scope("soft_sign"):
        value = Tensor(inexact(x, float32))
        far = rnp.isinf(value)
        near = rnp.where(far, 0.0, value)
        return rnp.where(far, rnp.sign(value), near / (1 + rnp.abs(near)))


def squareplus(x: TensorLike, b: float = 4.0) -> Tensor:
    """``(x + sqrt(x**2 + b)) / 2``, without overflow or cancellation (Barron, 2021).

    Args:
        x: any shape.
        b: how round the bend at 0 is; positive.

    Raises:
        RaxError: ``b`` is not positive.

    Example:
        >>> squareplus(rnp.asarray([-1e5, 0.0, 3.0]), 16.0)
        Tensor([4.e-05, 2.e+00, 4.e+00], dtype=float32)
    """
    if not b > 0:
        raise RaxError(f"squareplus needs a positive b, not {b}", fix="use relu, which is its limit at b = 0")
    with scope("squareplus"):
        value = Tensor(inexact(x, float32))
        far = rnp.isinf(value)
        near = rnp.where(far, 0.0, value)
        positive = near >= 0
        size = rnp.where(positive, near, -near)
        # (h - |x|) / 2 with h = sqrt(x**2 + b), as a quotient that loses no digits.
        rest = 0.5 * b / (rnp.hypot(near, math.sqrt(b)) + size)
        return rnp.where(far, relu(value), rnp.where(positive, near, 0.0) + rest)


def glu(x: TensorLike, axis: int = -1) -> Tensor:
    """The first half along an axis times the sigmoid of the second (Dauphin et al., 2017).

    Args:
        x: any shape; the axis has an even size.
        axis: the axis that is halved.

    Raises:
        TypeInferenceError: the size is odd.

    Example:
        >>> glu(rnp.asarray([1.0, 2.0, 0.0, 100.0]))
        Tensor([0.5, 2. ], dtype=float32)
    """
    with scope("glu"):
        value = Tensor(inexact(x, float32))
        place = as_axis(axis, value.ndim)
        half = dims.floor_divide(value.shape[place], 2)
        if 2 * half != value.shape[place]:
            raise TypeInferenceError(f"glu halves an axis of even size; axis {axis} of {value.value.type} has not one")
        first, second = (
            Tensor(slice_axis(value.value, place, start, stop)) for start, stop in ((0, half), (half, 2 * half))
        )
        return first * sigmoid(second)


def identity(x: TensorLike) -> Tensor:
    """``x`` as it is: what stands where no activation is wanted.

    Example:
        >>> identity(3.0)
        Tensor(3., dtype=float32)
    """
    return as_tensor(x)
