"""Activation functions, one number at a time: those made of pieces, then the smooth ones. Integers become float32.

Where two pieces meet, the derivative is that on the flat side, or else on the left. The limits of smooth
functions at the infinities, and their slopes for large numbers in any dtype, are right without NaN.
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
from rax.numpy.common import as_axis, inexact
from rax.ops import activations, transcendental
from rax.ops.shape import slice_axis

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
