"""Continuous distributions made of one uniform number each, or of a few normal ones."""

from __future__ import annotations

import math

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.ir.trail import scope
from rax.ir.types import float32, float64
from rax.numpy.common import ShapeLike, as_shape
from rax.random.parameters import parameters
from rax.random.uniform import computing, floating, sign_and_tail, uniform
from rax.special import ndtr, ndtri

_LEAST = {"float16": -14, "bfloat16": -126, "float32": -126, "float64": -1022}
"""The exponent of the smallest normal number."""


def normal(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the standard normal distribution, by inversion.

    A word of random bits gives a sign and the probability beyond the number, so both tails are as
    precise as the middle: they reach 6.3 in float32 and the half types, 9.2 in float64.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype; half types are computed in float32.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> normal(key(0), (3,)).shape
        (3,)
    """
    wanted = floating(dtype, "normal")
    with scope("normal"):
        above, tail = sign_and_tail(key, shape, computing(wanted))
        number = ndtri(tail)
        return rnp.astype(rnp.where(above, -number, number), wanted)


def truncated_normal(
    key: TensorLike,
    lower: TensorLike,
    upper: TensorLike,
    shape: ShapeLike | None = None,
    dtype: object = None,
) -> Tensor:
    """Numbers of the standard normal distribution between two bounds, by inversion in float64.

    The draw moves with the bounds, and has a derivative by them. Precise while the bounds enclose
    a probability that float64 holds, which it does up to 37 on one side.

    Args:
        key: ``uint32[2]``.
        lower: the lower bound, perhaps -inf.
        upper: the upper bound, perhaps inf.
        shape: the shape of the draw, to which the bounds broadcast; by default theirs.
        dtype: a floating dtype; by default that of the bounds.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: the bounds do not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> bool(rnp.all(truncated_normal(key(0), 2.0, 3.0, (100,)) >= 2.0))
        True
    """
    wanted, size, (low, high) = parameters("truncated_normal", shape, dtype, lower, upper, inside=float64)
    with scope("truncated_normal"):
        flipped, tail = sign_and_tail(key, size, float64)
        # The probability between the bounds, from whichever side keeps its digits.
        right = low > 0
        below, above = ndtr(low), ndtr(-high)
        between = rnp.where(right, ndtr(-low) - above, ndtr(high) - below)
        left_mass = below + between * rnp.where(flipped, 1 - tail, tail)
        right_mass = above + between * rnp.where(flipped, tail, 1 - tail)
        left = left_mass <= right_mass
        number = ndtri(rnp.where(left, left_mass, right_mass))
        kept = rnp.minimum(rnp.maximum(rnp.where(left, number, -number), low), high)
        return rnp.astype(kept, wanted)


def exponential(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the exponential distribution with mean 1: ``-log(1 - u)``.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> round(float(exponential(key(0))), 4)
        2.9501
    """
    with scope("exponential"):
        return -rnp.log1p(-uniform(key, shape, floating(dtype, "exponential")))


def gumbel(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the standard Gumbel distribution: ``-log(-log(u))``.

    The argmax of ``logits + gumbel`` is a draw from ``softmax(logits)``.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> gumbel(key(0), (2, 3)).shape
        (2, 3)
    """
    wanted = floating(dtype, "gumbel")
    with scope("gumbel"):
        return -rnp.log(-rnp.log(uniform(key, shape, wanted, 2.0 ** _LEAST[wanted.name], 1.0)))


def laplace(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the standard Laplace distribution, by inversion, as precise in one tail as in the other.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype; half types are computed in float32.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> laplace(key(0), (3,)).shape
        (3,)
    """
    wanted = floating(dtype, "laplace")
    with scope("laplace"):
        above, tail = sign_and_tail(key, shape, computing(wanted))
        size = -rnp.log(2 * tail)
        return rnp.astype(rnp.where(above, size, -size), wanted)


def logistic(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the standard logistic distribution, by inversion, as precise in one tail as in the other.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype; half types are computed in float32.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> logistic(key(0), (3,)).shape
        (3,)
    """
    wanted = floating(dtype, "logistic")
    with scope("logistic"):
        above, tail = sign_and_tail(key, shape, computing(wanted))
        size = rnp.log1p(-tail) - rnp.log(tail)
        return rnp.astype(rnp.where(above, size, -size), wanted)


def cauchy(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the standard Cauchy distribution, by inversion, as precise in one tail as in the other.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype; half types are computed in float32.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> cauchy(key(0), (3,)).shape
        (3,)
    """
    wanted = floating(dtype, "cauchy")
    with scope("cauchy"):
        above, tail = sign_and_tail(key, shape, computing(wanted))
        size = 1 / rnp.tan(math.pi * tail)
        return rnp.astype(rnp.where(above, size, -size), wanted)


def pareto(key: TensorLike, b: TensorLike, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """Numbers of the Pareto distribution, at least 1, with density ``b / x ** (b + 1)``.

    Args:
        key: ``uint32[2]``.
        b: how fast the tail falls, above 0.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> pareto(key(0), 2.0, (3,)).shape
        (3,)
    """
    wanted, size, (b,) = parameters("pareto", shape, dtype, b)
    with scope("pareto"):
        return rnp.astype(rnp.exp(exponential(key, size, b.dtype) / b), wanted)


def weibull_min(
    key: TensorLike, scale: TensorLike, concentration: TensorLike, shape: ShapeLike | None = None, dtype: object = None
) -> Tensor:
    """Numbers of the Weibull distribution, with share ``exp(-(x / scale) ** concentration)`` above ``x``.

    Args:
        key: ``uint32[2]``.
        scale: above 0.
        concentration: above 0.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> weibull_min(key(0), 1.0, 2.0, (3,)).shape
        (3,)
    """
    wanted, size, (scale, concentration) = parameters("weibull_min", shape, dtype, scale, concentration)
    with scope("weibull_min"):
        return rnp.astype(scale * exponential(key, size, scale.dtype) ** (1 / concentration), wanted)


def rayleigh(key: TensorLike, scale: TensorLike = 1.0, shape: ShapeLike | None = None, dtype: object = None) -> Tensor:
    """Numbers of the Rayleigh distribution: the length of a normal vector in the plane.

    Args:
        key: ``uint32[2]``.
        scale: the standard deviation of each coordinate.
        shape: the shape of the draw, to which parameters broadcast; by default theirs.
        dtype: a floating dtype; by default that of the parameters.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: a parameter does not broadcast to the shape.

    Example:
        >>> from rax.random.keys import key
        >>> rayleigh(key(0), 1.0, (3,)).shape
        (3,)
    """
    wanted, size, (scale,) = parameters("rayleigh", shape, dtype, scale)
    with scope("rayleigh"):
        return rnp.astype(scale * rnp.sqrt(2 * exponential(key, size, scale.dtype)), wanted)


def maxwell(key: TensorLike, shape: ShapeLike = (), dtype: object = float32) -> Tensor:
    """Numbers of the Maxwell distribution: the length of a normal vector in space.

    Args:
        key: ``uint32[2]``; with leading axes, one draw for each key.
        shape: the shape of a draw, perhaps symbolic.
        dtype: a floating dtype; half types are computed in float32.

    Raises:
        RaxError: the dtype is not floating.

    Example:
        >>> from rax.random.keys import key
        >>> maxwell(key(0), (3,)).shape
        (3,)
    """
    wanted = floating(dtype, "maxwell")
    with scope("maxwell"):
        vector = normal(key, (*as_shape(shape), 3), computing(wanted))
        return rnp.astype(rnp.sqrt(rnp.sum(vector * vector, axis=-1)), wanted)
