"""Distributions of counts: geometric, Poisson and binomial, all computed in float64."""

from __future__ import annotations

from collections.abc import Callable

from rax import numpy as rnp
from rax.frontend.control import while_loop
from rax.frontend.functions import stop_gradient
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.dims import Shape
from rax.ir.errors import RaxError
from rax.ir.trail import scope
from rax.ir.types import DType, as_dtype, float32, float64, int64
from rax.numpy.common import ShapeLike
from rax.random.gamma_family import log_uniform, split_last, undone
from rax.random.parameters import parameters
from rax.random.uniform import uniform
from rax.special import gammaln, xlogy


def _counts(name: str, shape: ShapeLike | None, dtype: object, *given: TensorLike) -> tuple[DType, Shape, list[Tensor]]:
    """The dtype of counts, the shape of a draw, and its parameters in float64, without derivatives."""
    wanted = as_dtype(dtype)
    if wanted.kind not in ("int", "uint", "float"):
        raise RaxError(f"{name} makes real numbers, not {wanted}", fix="use int64")
    _, size, tensors = parameters(name, shape, float32, *given, inside=float64)
    return wanted, size, [stop_gradient(tensor) for tensor in tensors]


def geometric(key: TensorLike, p: TensorLike, shape: ShapeLike | None = None, dtype: object = int64) -> Tensor:
    """How many trials it takes to the first success, 1 or more.

    Args:
        key: ``uint32[2]``.
        p: the probability of a success, in (0, 1].
        shape: the shape of the draw, to which ``p`` broadcasts; by default its.
        dtype: a real dtype.

    Raises:
        RaxError: the dtype is not real.
        ShapeError: ``p`` does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> int(geometric(key(0), 1.0))
        1
    """
    wanted, size, (chance,) = _counts("geometric", shape, dtype, p)
    with scope("geometric"):
        return rnp.astype(rnp.floor(log_uniform(key, size, chance) / rnp.log1p(-chance)) + 1, wanted)


def _search(key: TensorLike, size: Shape, first: Tensor, ratio: Callable[[Tensor], Tensor]) -> Tensor:
    """Inversion by search from 0 on (Devroye, "Non-uniform random variate generation", 1986, III.2).

    Args:
        key: what decides.
        size: the shape.
        first: the probability of 0.
        ratio: from a count, 1 or more, the factor between its probability and that of the count before.
    """
    rest = uniform(key, size, float64)
    count = rnp.zeros_like(rest)

    def beyond(rest: Tensor, chance: Tensor) -> Tensor:
        # What rounding leaves over at the end belongs to no count.
        return (rest >= chance) & (chance > 1e-30)

    def turn(state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        count, rest, chance = state
        more = beyond(rest, chance)
        grown = rnp.where(more, count + 1, count)
        return (
            grown,
            rnp.where(more, rest - chance, rest),
            rnp.where(more, chance * ratio(rnp.maximum(grown, 1.0)), chance),
        )

    def unfound(state: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        return rnp.any(beyond(state[1], state[2]))

    return while_loop(unfound, turn, (count, rest, first + rnp.zeros_like(rest)))[0]


def _reject(
    key: TensorLike, size: Shape, a: Tensor, b: Tensor, centre: Tensor, accept: Callable[..., Tensor]
) -> Tensor:
    """Transformed rejection with squeeze: the hat of Hoermann's algorithms PTRS and BTRS.

    Args:
        key: what decides.
        size: the shape.
        a: the hat's first constant.
        b: its second.
        centre: its middle.
        accept: whether to take a count, given it and the two uniform numbers.
    """

    def turn(state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        key, done, value = state
        key, rest = split_last(key)
        first, second = split_last(rest)
        u = uniform(first, size, float64) - 0.5
        v = uniform(second, size, float64)
        near = 0.5 - rnp.abs(u)
        count = rnp.floor((2 * a / near + b) * u + centre)
        good = ~done & accept(count, near, v)
        return key, done | good, rnp.where(good, count, value)

    lead = as_tensor(key).shape[:-1]
    start = rnp.zeros((*lead, *size), dtype=float64)
    state = as_tensor(key), rnp.zeros(start.shape, dtype="bool"), start
    return while_loop(undone, turn, state)[2]


def poisson(key: TensorLike, lam: TensorLike, shape: ShapeLike | None = None, dtype: object = int64) -> Tensor:
    """Counts of the Poisson distribution.

    By search below a mean of 10; above, by Hoermann's algorithm PTRS, "The transformed rejection method for
    generating Poisson random variables" (Insurance: Mathematics and Economics 12, 1993).

    Args:
        key: ``uint32[2]``.
        lam: the mean, at least 0; where it is not, or not finite, the count is -1.
        shape: the shape of the draw, to which ``lam`` broadcasts; by default its.
        dtype: a real dtype.

    Raises:
        RaxError: the dtype is not real.
        ShapeError: ``lam`` does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> poisson(key(0), 4.0, (3,)).shape
        (3,)
    """
    wanted, size, (mean,) = _counts("poisson", shape, dtype, lam)
    with scope("poisson"):
        good = (mean >= 0) & rnp.isfinite(mean)
        large = good & (mean >= 10)
        one, two = split_last(key)
        little = rnp.where(good & ~large, mean, 0.0)
        few = _search(one, size, rnp.exp(-little), lambda count: little / count)
        m = rnp.where(large, mean, 10.0)
        b = 0.931 + 2.53 * rnp.sqrt(m)
        a = -0.059 + 0.02483 * b
        inverse_alpha, squeeze = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)

        def accept(count: Tensor, near: Tensor, v: Tensor) -> Tensor:
            inside = (count >= 0) & ((near >= 0.013) | (v <= near))
            k = rnp.where(inside, count, 0.0)
            height = rnp.log(v * inverse_alpha / (a / (near * near) + b))
            below = height <= xlogy(k, m) - m - gammaln(k + 1)
            return ((near >= 0.07) & (v <= squeeze)) | (inside & below)

        many = _reject(two, size, a, b, m + 0.43, accept)
        return rnp.astype(rnp.where(good, rnp.where(large, many, few), -1.0), wanted)


def binomial(
    key: TensorLike, n: TensorLike, p: TensorLike, shape: ShapeLike | None = None, dtype: object = int64
) -> Tensor:
    """How many of ``n`` trials succeed.

    By search where fewer than 10 successes, or failures, are due; else by Hoermann's algorithm BTRS, "The generation
    of binomial random variates" (Journal of Statistical Computation and Simulation 46, 1993).

    Args:
        key: ``uint32[2]``.
        n: the number of trials, a whole number, at least 0.
        p: the probability of each success; where it is not in [0, 1], or ``n`` below 0, the count is -1.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a real dtype.

    Raises:
        RaxError: the dtype is not real.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> int(binomial(key(0), 5, 1.0))
        5
    """
    wanted, size, (total, chance) = _counts("binomial", shape, dtype, n, p)
    with scope("binomial"):
        good = (total >= 0) & rnp.isfinite(total) & (chance >= 0) & (chance <= 1)
        swapped = chance > 0.5
        share = rnp.where(good, rnp.where(swapped, 1 - chance, chance), 0.0)
        trials = rnp.where(good, rnp.floor(total), 0.0)
        large = trials * share >= 10
        one, two = split_last(key)
        share_few, share_many = rnp.where(large, 0.0, share), rnp.where(large, share, 0.5)
        odds = share_few / (1 - share_few)
        few = _search(
            one, size, rnp.exp(trials * rnp.log1p(-share_few)), lambda count: (trials - count + 1) / count * odds
        )
        many = _binomial_rejection(two, size, rnp.where(large, trials, 20.0), share_many)
        count = rnp.where(large, many, few)
        return rnp.astype(rnp.where(good, rnp.where(swapped, trials - count, count), -1.0), wanted)


def _binomial_rejection(key: TensorLike, size: Shape, n: Tensor, p: Tensor) -> Tensor:
    """Algorithm BTRS, for ``p <= 1/2`` and ``n * p >= 10``."""
    spread = rnp.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    squeeze, alpha = 0.92 - 4.2 / b, (2.83 + 5.1 / b) * spread
    mode = rnp.floor((n + 1) * p)
    odds = rnp.log(p / (1 - p))
    top = gammaln(mode + 1) + gammaln(n - mode + 1)

    def accept(count: Tensor, near: Tensor, v: Tensor) -> Tensor:
        inside = (count >= 0) & (count <= n)
        k = rnp.where(inside, count, 0.0)
        height = rnp.log(v * alpha / (a / (near * near) + b))
        below = height <= top - gammaln(k + 1) - gammaln(n - k + 1) + (k - mode) * odds
        return ((near >= 0.07) & (v <= squeeze)) | (inside & below)

    return _reject(key, size, a, b, n * p + 0.5, accept)
