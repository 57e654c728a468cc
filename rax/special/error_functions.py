"""The error function and its relatives, and the standard normal distribution."""

from __future__ import annotations

from rax.frontend.application import apply_elementwise
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir.types import float32
from rax.numpy.common import inexact
from rax.ops.special import error_functions


def erf(x: TensorLike, /) -> Tensor:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``.

    Example:
        >>> erf(0.5)
        Tensor(0.5204999, dtype=float32)
    """
    return Tensor(apply_elementwise(error_functions.erf, x))


def erfc(x: TensorLike, /) -> Tensor:
    """``1 - erf(x)``, precise where that is small.

    Example:
        >>> erfc(4.0)
        Tensor(1.5417259e-08, dtype=float32)
    """
    return Tensor(apply_elementwise(error_functions.erfc, x))


def erfcx(x: TensorLike, /) -> Tensor:
    """``exp(x**2) * erfc(x)``, which falls as ``1 / (sqrt(pi) * x)``.

    Example:
        >>> erfcx(100.0)
        Tensor(0.00564161, dtype=float32)
    """
    return Tensor(apply_elementwise(error_functions.erfcx, x))


def erfinv(x: TensorLike, /) -> Tensor:
    """The inverse of ``erf``: infinite at -1 and 1, NaN beyond.

    Example:
        >>> erfinv(0.5)
        Tensor(0.47693628, dtype=float32)
    """
    return Tensor(apply_elementwise(error_functions.erfinv, x))


def erfcinv(x: TensorLike, /) -> Tensor:
    """The inverse of ``erfc``: infinite at 0 and 2, NaN beyond; precise for small ``x``.

    Example:
        >>> erfcinv(1e-30)
        Tensor(8.148616, dtype=float32)
    """
    return Tensor(error_functions.erfcinv(inexact(x, float32)))


def ndtr(x: TensorLike, /) -> Tensor:
    """The share of the standard normal distribution below ``x``.

    Example:
        >>> ndtr(1.0)
        Tensor(0.8413448, dtype=float32)
    """
    return Tensor(apply_elementwise(error_functions.ndtr, x))


def log_ndtr(x: TensorLike, /) -> Tensor:
    """The logarithm of ``ndtr(x)``, finite far below 0.

    Example:
        >>> log_ndtr(-100.0)
        Tensor(-5005.5244, dtype=float32)
    """
    return Tensor(apply_elementwise(error_functions.log_ndtr, x))


def ndtri(p: TensorLike, /) -> Tensor:
    """The number below which a share ``p`` of the standard normal distribution lies: the inverse of ``ndtr``.

    Example:
        >>> ndtri(0.975)
        Tensor(1.9599644, dtype=float32)
    """
    return Tensor(apply_elementwise(error_functions.ndtri, p))
