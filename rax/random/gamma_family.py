"""The gamma distribution and those made of it; draws move with the shape parameters and have derivatives by them."""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.control import while_loop
from rax.frontend.functions import stop_gradient
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.dims import Shape
from rax.ir.errors import ShapeError
from rax.ir.trail import scope
from rax.numpy.common import ShapeLike, as_shape
from rax.ops.special.incomplete_gamma import loggamma_transport
from rax.random.continuous import normal
from rax.random.keys import split
from rax.random.parameters import parameters
from rax.random.uniform import sign_and_tail
from rax.special import logsumexp


def log_uniform(key: TensorLike, shape: Shape, like: Tensor) -> Tensor:
    """The logarithm of uniform numbers of (0, 1)."""
    upper, tail = sign_and_tail(key, shape, like.dtype)
    return rnp.where(upper, rnp.log1p(-tail), rnp.log(tail))


def _standard_loggamma(key: TensorLike, a: Tensor, shape: Shape) -> Tensor:
    """Marsaglia and Tsang's draw: "A simple method for generating gamma variables" (ACM TOMS 26, 2000)."""
    bad = ~((a >= 0) & rnp.isfinite(a))
    a = rnp.where(bad, 1.0, a)
    boosted = a < 1
    d = rnp.where(boosted, a + 1, a) - 1 / 3
    c = 1 / rnp.sqrt(9 * d)
    first, boost_key = split_last(key)
    boost = log_uniform(boost_key, shape, a)
    lead = as_tensor(first).shape[:-1]
    start = rnp.zeros((*lead, *shape), dtype=a.dtype)

    def turn(state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        key, done, value = state
        key, rest = split_last(key)
        normal_key, uniform_key = split_last(rest)
        x = normal(normal_key, shape, a.dtype)
        root = 1 + c * x
        inside = root > 0
        log_v = 3 * rnp.log(rnp.where(inside, root, 1.0))
        bound = x * x / 2 + d * (1 - rnp.exp(log_v) + log_v)
        good = inside & (log_uniform(uniform_key, shape, a) < bound) & ~done
        return key, done | good, rnp.where(good, rnp.log(d) + log_v, value)

    state = first, rnp.zeros(start.shape, dtype="bool"), start
    value = while_loop(undone, turn, state)[2]
    # A draw of shape a + 1 times u ** (1 / a) is one of shape a.
    value = value + rnp.where(boosted, boost / rnp.where(boosted, a, 1.0), 0.0)
    return rnp.where(bad, rnp.nan, value)


def undone(state: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Whether a draw by rejection, of which the second part of the state says what is done, is not complete."""
    return ~rnp.all(state[1])


def split_last(key: TensorLike) -> tuple[Tensor, Tensor]:
    """Two keys of one, or of each of many."""
    pair = split(key)
    return pair[..., 0, :], pair[..., 1, :]


def _loggamma(key: TensorLike, a: Tensor, shape: Shape) -> Tensor:
    start = stop_gradient(a)
    drawn = stop_gradient(_standard_loggamma(key, start, shape))
    return Tensor(loggamma_transport(a.value, start.value, drawn.value))


def loggamma(key: TensorLike, a: TensorLike, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """The logarithms of numbers of the gamma distribution, finite where those round to 0.

    Args:
        key: ``uint32[2]``.
        a: the shape parameter, at least 0; elsewhere the draw is NaN.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> bool(loggamma(key(0), 1e-4) < -100)
        True
    """
    wanted, size, (shape_parameter,) = parameters("loggamma", shape, dtype, a)
    with scope("loggamma"):
        return rnp.astype(_loggamma(key, shape_parameter, size), wanted)


def gamma(key: TensorLike, a: TensorLike, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """Numbers of the gamma distribution with shape ``a`` and scale 1.

    The derivative by ``a`` is the implicit one: that of the draw that keeps as large a share of the
    distribution below it (Figurnov, Mohamed and Mnih, 2018), in both modes and of every order.

    Args:
        key: ``uint32[2]``.
        a: the shape parameter, at least 0; elsewhere the draw is NaN.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> gamma(key(0), 2.0, (3,)).shape
        (3,)
    """
    wanted, size, (shape_parameter,) = parameters("gamma", shape, dtype, a)
    with scope("gamma"):
        return rnp.astype(rnp.exp(_loggamma(key, shape_parameter, size)), wanted)


def beta(key: TensorLike, a: TensorLike, b: TensorLike, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """Numbers of the beta distribution: ``x / (x + y)`` of two gamma numbers.

    Args:
        key: ``uint32[2]``.
        a: above 0.
        b: above 0.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> beta(key(0), 2.0, 3.0, (3,)).shape
        (3,)
    """
    wanted, size, (first, second) = parameters("beta", shape, dtype, a, b)
    with scope("beta"):
        one, two = split_last(key)
        x, y = _loggamma(one, first, size), _loggamma(two, second, size)
        return rnp.astype(rnp.exp(x - rnp.logaddexp(x, y)), wanted)


def dirichlet(key: TensorLike, alpha: TensorLike, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """Vectors of the Dirichlet distribution: positive, with sum 1.

    Args:
        key: ``uint32[2]``.
        alpha: the concentrations, ``(..., k)``, above 0.
        shape: the shape of the draw without its last axis, to which the leading axes of ``alpha``
            broadcast; by default those.
        dtype: a floating dtype; by default that of ``alpha``.

    Returns:
        ``(*shape, k)``.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> dirichlet(key(0), rnp.ones((3,)), (5,)).shape
        (5, 3)
    """
    value = as_tensor(alpha)
    if not value.ndim:
        raise ShapeError("dirichlet: alpha has no axis", fix="give a vector of concentrations")
    whole = None if shape is None else (*as_shape(shape), value.shape[-1])
    wanted, size, (concentrations,) = parameters("dirichlet", whole, dtype, alpha)
    with scope("dirichlet"):
        logs = _loggamma(key, concentrations, size)
        total = logsumexp(logs, -1, keepdims=True)
        return rnp.astype(rnp.exp(logs - total), wanted)


def chisquare(key: TensorLike, df: TensorLike, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """Numbers of the chi-square distribution: twice gamma numbers of shape ``df / 2``.

    Args:
        key: ``uint32[2]``.
        df: the degrees of freedom, above 0.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> chisquare(key(0), 2.0, (3,)).shape
        (3,)
    """
    wanted, size, (freedom,) = parameters("chisquare", shape, dtype, df)
    with scope("chisquare"):
        return rnp.astype(2 * rnp.exp(_loggamma(key, freedom / 2, size)), wanted)


def t(key: TensorLike, df: TensorLike, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """Numbers of Student's t distribution.

    Args:
        key: ``uint32[2]``.
        df: the degrees of freedom, above 0.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> t(key(0), 4.0, (3,)).shape
        (3,)
    """
    wanted, size, (freedom,) = parameters("t", shape, dtype, df)
    with scope("t"):
        one, two = split_last(key)
        half = freedom / 2
        spread = (rnp.log(half) - _loggamma(two, half, size)) / 2
        return rnp.astype(normal(one, size, freedom.dtype) * rnp.exp(spread), wanted)
