"""Logarithms and exponentials with care at their ends: entropies, log odds, sums of exponentials."""

from __future__ import annotations

import math
from typing import Literal, overload

from rax import numpy as rnp
from rax.frontend.application import apply_elementwise
from rax.frontend.functions import stop_gradient
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.numpy.common import Axes, as_axes, inexact, with_axes
from rax.ops import activations, transcendental
from rax.ops.reduction import LogSumExp


def _floating(*operands: TensorLike) -> list[Tensor]:
    return [Tensor(inexact(x, float32)) for x in promote_operands(*operands)]


def expit(x: TensorLike, /) -> Tensor:
    """The logistic function ``1 / (1 + exp(-x))``, the inverse of ``logit``.

    Example:
        >>> expit(0.0)
        Tensor(0.5, dtype=float32)
    """
    return Tensor(apply_elementwise(transcendental.sigmoid, x))


def log_expit(x: TensorLike, /) -> Tensor:
    """``log(expit(x))``, without overflow.

    Example:
        >>> log_expit(-1000.0)
        Tensor(-1000., dtype=float32)
    """
    with scope("log_expit"):
        return -Tensor(apply_elementwise(activations.softplus, -Tensor(inexact(x, float32))))


def logit(p: TensorLike, /) -> Tensor:
    """The log odds ``log(p / (1 - p))``, the inverse of ``expit``: infinite at 0 and 1, NaN beyond.

    Example:
        >>> logit(0.75)
        Tensor(1.0986123, dtype=float32)
    """
    with scope("logit"):
        value = Tensor(inexact(p, float32))
        return rnp.log(value) - rnp.log1p(-value)


def xlogy(x: TensorLike, y: TensorLike, /) -> Tensor:
    """``x * log(y)``, and 0 where ``x`` is 0, unless ``y`` is NaN.

    Where ``x`` is 0 and ``log(y)`` is not finite, both derivatives count as 0.

    Example:
        >>> xlogy(0.0, 0.0)
        Tensor(0., dtype=float32)
    """
    with scope("xlogy"):
        first, second = _floating(x, y)
        void = (first == 0) & ~((second > 0) & rnp.isfinite(second)) & ~rnp.isnan(second)
        return first * rnp.log(rnp.where(void, 1.0, second))


def xlog1py(x: TensorLike, y: TensorLike, /) -> Tensor:
    """``x * log(1 + y)``, and 0 where ``x`` is 0, unless ``y`` is NaN.

    Where ``x`` is 0 and ``log(1 + y)`` is not finite, both derivatives count as 0.

    Example:
        >>> xlog1py(0.0, -1.0)
        Tensor(0., dtype=float32)
    """
    with scope("xlog1py"):
        first, second = _floating(x, y)
        void = (first == 0) & ~((second > -1) & rnp.isfinite(second)) & ~rnp.isnan(second)
        return first * rnp.log1p(rnp.where(void, 0.0, second))


def entr(x: TensorLike, /) -> Tensor:
    """``-x * log(x)``, 0 at 0 and -inf below; the derivative at 0 counts as 0.

    Example:
        >>> entr(rnp.asarray([0.0, 0.5]))
        Tensor([0.       , 0.3465736], dtype=float32)
    """
    with scope("entr"):
        value = Tensor(inexact(x, float32))
        safe = rnp.where(value == 0, 1.0, rnp.where(value < 0, 1.0, value))
        return rnp.where(value < 0, -math.inf, -value * rnp.log(safe) + 0.0)


def rel_entr(x: TensorLike, y: TensorLike, /) -> Tensor:
    """``x * log(x / y)`` for positive numbers; 0 where ``x`` is 0 and ``y`` is not negative; else infinite.

    Where ``x`` is 0 both derivatives count as 0.

    Example:
        >>> rel_entr(rnp.asarray([0.0, 0.5]), rnp.asarray([0.5, 0.25]))
        Tensor([0.       , 0.3465736], dtype=float32)
    """
    with scope("rel_entr"):
        first, second = _floating(x, y)
        inside = (first > 0) & (second > 0)
        ratio = rnp.where(inside, first, 1.0) / rnp.where(inside, second, 1.0)
        # A ratio may leave the dtype's range where neither logarithm does.
        plain = (ratio > rnp.finfo(ratio.dtype).smallest_normal) & rnp.isfinite(ratio)
        apart = rnp.log(rnp.where(inside, first, 1.0)) - rnp.log(rnp.where(inside, second, 1.0))
        value = first * rnp.where(plain, rnp.log(rnp.where(plain, ratio, 1.0)), apart)
        other = rnp.where((first == 0) & (second >= 0), 0.0, math.inf)
        undefined = rnp.isnan(first) | rnp.isnan(second)
        return rnp.where(inside, value, rnp.where(undefined, math.nan, other))


def kl_div(x: TensorLike, y: TensorLike, /) -> Tensor:
    """``x * log(x / y) - x + y`` for positive numbers; ``y`` where ``x`` is 0 and ``y`` is not negative; else infinite.

    Where ``x`` is 0 the derivative by ``x`` counts as -1.

    Example:
        >>> kl_div(1.0, 1.0)
        Tensor(0., dtype=float32)
    """
    with scope("kl_div"):
        first, second = _floating(x, y)
        return rel_entr(first, second) - first + second


def exprel(x: TensorLike, /) -> Tensor:
    """``(exp(x) - 1) / x``, 1 at 0.

    Example:
        >>> exprel(0.0)
        Tensor(1., dtype=float32)
    """
    with scope("exprel"):
        value = Tensor(inexact(x, float32))
        # Near 0 the series, whose derivatives are those of the function too.
        near = rnp.abs(value) < 0.01
        small, large = rnp.where(near, value, 0.0), rnp.where(near, 1.0, value)
        series = rnp.ones_like(small)
        for k in range(8, 1, -1):
            series = 1 + small / k * series
        infinite = large == math.inf
        ratio = rnp.expm1(large) / rnp.where(infinite, 1.0, large)
        return rnp.where(near, series, ratio)


@overload
def logsumexp(
    a: TensorLike,
    axis: Axes = None,
    b: TensorLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
) -> Tensor: ...
@overload
def logsumexp(
    a: TensorLike, axis: Axes = None, b: TensorLike | None = None, keepdims: bool = False, *, return_sign: Literal[True]
) -> tuple[Tensor, Tensor]: ...
def logsumexp(
    a: TensorLike, axis: Axes = None, b: TensorLike | None = None, keepdims: bool = False, return_sign: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """``log(sum(b * exp(a)))`` over some axes, without overflow.

    An element of -inf has the derivative 0, where all are -inf too.

    Args:
        a: any shape.
        axis: an axis, several, or None for all.
        b: factors, of either sign; they broadcast against ``a``. By default all are 1.
        keepdims: whether the reduced axes stay, of size 1.
        return_sign: whether to return the sum's absolute value and its sign, where it may be negative;
            without, the logarithm of a negative sum is NaN.

    Returns:
        The logarithm, or the pair of the logarithm and the sign.

    Example:
        >>> logsumexp(rnp.asarray([1000.0, 1000.0]))
        Tensor(1000.6932, dtype=float32)
        >>> size, sign = logsumexp(rnp.asarray([0.0, 0.0]), b=rnp.asarray([1.0, -2.0]), return_sign=True)
        >>> float(size), float(sign)
        (0.0, -1.0)
    """
    with scope("logsumexp"):
        if b is None:
            value = inexact(a, float32)
            axes = as_axes(axis, value.ndim)
            result = with_axes(LogSumExp(axes)(value), axes, keepdims)
            return (result, rnp.where(rnp.isnan(result), math.nan, rnp.ones_like(result))) if return_sign else result
        powers, factors = rnp.broadcast_arrays(*_floating(a, b))
        axes = as_axes(axis, powers.ndim)
        powers = rnp.where(factors == 0, -math.inf, powers)
        top = stop_gradient(rnp.max(powers, axis=axes, keepdims=True))
        nothing = top == -math.inf
        top = rnp.where(rnp.isfinite(top), top, 0.0)
        total = rnp.sum(factors * rnp.exp(powers - top), axis=axes, keepdims=keepdims)
        if not keepdims:
            top, nothing = rnp.squeeze(top, axis=axes), rnp.squeeze(nothing, axis=axes)
        # Of nothing the derivative is 0; where the terms cancel, it is infinite.
        size = rnp.where(nothing, 1.0, rnp.abs(total) if return_sign else total)
        result = rnp.where(nothing, -math.inf, rnp.log(size) + top)
        return (result, rnp.sign(total)) if return_sign else result
