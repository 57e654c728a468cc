"""The gamma function and its relatives: beta, zeta, the incomplete functions, binomials."""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax.frontend.application import apply_elementwise
from rax.frontend.functions import stop_gradient
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.errors import RaxError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.numpy.common import as_integer, inexact
from rax.ops.special import gamma_functions, incomplete_beta, incomplete_gamma


def gamma(x: TensorLike, /) -> Tensor:
    """The gamma function: infinite at 0, NaN at the negative whole numbers.

    Example:
        >>> gamma(5.0)
        Tensor(24., dtype=float32)
    """
    return Tensor(apply_elementwise(gamma_functions.gamma, x))


def gammaln(x: TensorLike, /) -> Tensor:
    """``log(abs(gamma(x)))``: infinite at 0 and the negative whole numbers, where the derivative is not finite.

    Example:
        >>> gammaln(100.0)
        Tensor(359.13422, dtype=float32)
    """
    return Tensor(apply_elementwise(gamma_functions.gammaln, x))


def gammasgn(x: TensorLike, /) -> Tensor:
    """The sign of ``gamma(x)``, NaN where it has none.

    Example:
        >>> gammasgn(rnp.asarray([1.5, -0.5]))
        Tensor([ 1., -1.], dtype=float32)
    """
    with scope("gammasgn"):
        value = stop_gradient(Tensor(inexact(x, float32)))
        whole = rnp.floor(value)
        odd = rnp.remainder(whole, 2.0) != 0
        sign = rnp.where((value > 0) | ((value == 0) & ~rnp.signbit(value)), 1.0, rnp.where(odd, -1.0, 1.0))
        sign = rnp.where((value == 0) & rnp.signbit(value), -1.0, sign)
        none = rnp.isnan(value) | ((value < 0) & (whole == value))
        return rnp.astype(rnp.where(none, math.nan, sign), value.dtype)


def digamma(x: TensorLike, /) -> Tensor:
    """The derivative of ``gammaln``, also called psi: infinite at 0, NaN at the negative whole numbers.

    Example:
        >>> digamma(1.0)
        Tensor(-0.5772157, dtype=float32)
    """
    return Tensor(apply_elementwise(gamma_functions.digamma, x))


psi = digamma


def polygamma(n: int, x: TensorLike, /) -> Tensor:
    """The ``n``-th derivative of ``digamma``.

    Args:
        n: the order, a Python integer from 0 to 100.
        x: any shape.

    Raises:
        TypeInferenceError: the order is out of range.

    Example:
        >>> polygamma(1, 1.0)
        Tensor(1.644934, dtype=float32)
    """
    order = as_integer(n, "the order")
    return digamma(x) if order == 0 else Tensor(apply_elementwise(gamma_functions.Polygamma(order), x))


def zeta(x: TensorLike, q: TensorLike = 1.0, /) -> Tensor:
    """Hurwitz's zeta function, the sum of ``(q + k) ** -x`` over ``k = 0, 1, …``; Riemann's for ``q = 1``.

    Args:
        x: the exponent: above 1; infinite at 1, NaN below.
        q: above 0; infinite at 0 and the negative whole numbers, NaN at others below 0.

    Example:
        >>> zeta(2.0)
        Tensor(1.644934, dtype=float32)
    """
    return Tensor(apply_elementwise(gamma_functions.Zeta(0), x, q))


def gammainc(a: TensorLike, x: TensorLike, /) -> Tensor:
    """The regularised lower incomplete gamma function: the share of a gamma distribution of shape ``a`` below ``x``.

    Both arguments have derivatives of every order. At ``x = 0`` those by ``a`` are 0.

    Args:
        a: the shape, at least 0.
        x: at least 0; broadcasts against ``a``.

    Example:
        >>> gammainc(1.0, 2.0)
        Tensor(0.86466473, dtype=float32)
    """
    return Tensor(apply_elementwise(incomplete_gamma.gammainc, a, x))


def gammaincc(a: TensorLike, x: TensorLike, /) -> Tensor:
    """The regularised upper incomplete gamma function, ``1 - gammainc(a, x)``, precise where that is small.

    Args:
        a: the shape, at least 0.
        x: at least 0; broadcasts against ``a``.

    Example:
        >>> gammaincc(1.0, 50.0)
        Tensor(1.9287499e-22, dtype=float32)
    """
    return Tensor(apply_elementwise(incomplete_gamma.gammaincc, a, x))


def betaln(a: TensorLike, b: TensorLike, /) -> Tensor:
    """``log(abs(beta(a, b)))``, without the cancellation of large logarithms.

    Example:
        >>> betaln(1e6, 1.0)
        Tensor(-13.815511, dtype=float32)
    """
    return Tensor(apply_elementwise(gamma_functions.betaln, a, b))


def beta(a: TensorLike, b: TensorLike, /) -> Tensor:
    """The beta function, ``gamma(a) * gamma(b) / gamma(a + b)``.

    Example:
        >>> round(float(beta(2.0, 3.0)), 6)
        0.083333
    """
    with scope("beta"):
        first, second = [Tensor(x) for x in promote_operands(a, b)]
        sign = gammasgn(first) * gammasgn(second) * gammasgn(first + second)
        return sign * rnp.exp(betaln(first, second))


def betainc(a: TensorLike, b: TensorLike, x: TensorLike, /) -> Tensor:
    """The regularised incomplete beta function: the share of the beta distribution of shapes ``a, b`` below ``x``.

    All arguments have derivatives of every order; at ``x = 0`` and 1 they are 0.

    Args:
        a: above 0.
        b: above 0.
        x: between 0 and 1; all three broadcast.

    Example:
        >>> betainc(1.0, 2.0, 0.5)
        Tensor(0.75, dtype=float32)
    """
    return Tensor(apply_elementwise(incomplete_beta.betainc, a, b, x))


def factorial(n: TensorLike, /) -> Tensor:
    """``gamma(n + 1)``, and 0 for ``n < 0``.

    Example:
        >>> factorial(5)
        Tensor(120., dtype=float32)
    """
    with scope("factorial"):
        value = Tensor(inexact(n, float32))
        below = value < 0
        return rnp.where(below, 0.0, gamma(rnp.where(below, 0.0, value) + 1))


def binom(n: TensorLike, k: TensorLike, /) -> Tensor:
    """The binomial coefficient ``gamma(n + 1) / (gamma(k + 1) * gamma(n - k + 1))``, of real numbers.

    Between whole numbers it is whole, and 0 where ``k < 0`` or ``k > n``.

    Example:
        >>> binom(5, 2)
        Tensor(10., dtype=float32)
    """
    with scope("binom"):
        total, part = [Tensor(inexact(x, float32)) for x in promote_operands(n, k)]
        whole = (total == rnp.floor(total)) & (part == rnp.floor(part)) & (total >= 0)
        outside = whole & ((part < 0) | (part > total))
        part = rnp.where(outside, rnp.zeros_like(part), part)
        rest = total - part + 1
        sign = gammasgn(total + 1) * gammasgn(part + 1) * gammasgn(rest)
        size = sign * rnp.exp(-betaln(rest, part + 1) - rnp.log(rnp.abs(total + 1)))
        rounded = stop_gradient(rnp.round(size) - size)
        size = size + rnp.where(whole & (size < 1 / rnp.finfo(size.dtype).eps), rounded, 0.0)
        return rnp.where(outside, 0.0, size)


def comb(n: TensorLike, k: TensorLike, /) -> Tensor:
    """In how many ways ``k`` of ``n`` things can be chosen: ``binom``, and 0 for ``n < 0``.

    Example:
        >>> comb(4, rnp.asarray([0, 2, 5]))
        Tensor([1., 6., 0.], dtype=float32)
    """
    with scope("comb"):
        total, part = [Tensor(inexact(x, float32)) for x in promote_operands(n, k)]
        none = (total < 0) | (part < 0) | (part > total)
        return rnp.where(none, 0.0, binom(rnp.where(none, 1.0, total), rnp.where(none, 0.0, part)))


def multigammaln(a: TensorLike, d: int, /) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension ``d``, for ``a > (d - 1) / 2``.

    Raises:
        RaxError: the dimension is below 1.

    Example:
        >>> round(float(multigammaln(3.0, 2)), 5)
        1.55019
    """
    size = as_integer(d, "the dimension")
    if size < 1:
        raise RaxError(f"multigammaln has a dimension of 1 or more, not {size}")
    with scope("multigammaln"):
        value = Tensor(inexact(a, float32))
        halves = rnp.asarray([index / 2 for index in range(size)], dtype=value.dtype)
        logs = gammaln(rnp.expand_dims(value, axis=-1) - halves)
        return rnp.sum(logs, axis=-1) + size * (size - 1) / 4 * math.log(math.pi)
