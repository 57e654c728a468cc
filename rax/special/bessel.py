"""Modified Bessel functions of the first kind."""

from __future__ import annotations

from rax.frontend.application import apply_elementwise
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ops.special import bessel


def i0(x: TensorLike, /) -> Tensor:
    """The modified Bessel function of order 0.

    Example:
        >>> i0(1.0)
        Tensor(1.2660658, dtype=float32)
    """
    return Tensor(apply_elementwise(bessel.i0, x))


def i0e(x: TensorLike, /) -> Tensor:
    """``exp(-abs(x)) * i0(x)``; the derivative at 0 is 0, the mean of both sides'.

    Example:
        >>> i0e(100.0)
        Tensor(0.03994438, dtype=float32)
    """
    return Tensor(apply_elementwise(bessel.i0e, x))


def i1(x: TensorLike, /) -> Tensor:
    """The modified Bessel function of order 1.

    Example:
        >>> i1(1.0)
        Tensor(0.5651591, dtype=float32)
    """
    return Tensor(apply_elementwise(bessel.i1, x))


def i1e(x: TensorLike, /) -> Tensor:
    """``exp(-abs(x)) * i1(x)``.

    Example:
        >>> i1e(100.0)
        Tensor(0.03974415, dtype=float32)
    """
    return Tensor(apply_elementwise(bessel.i1e, x))
