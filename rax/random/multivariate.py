"""Vectors of numbers that depend on each other."""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.dims import shape_text
from rax.ir.errors import ShapeError
from rax.ir.trail import scope
from rax.ir.types import float32
from rax.numpy import linalg
from rax.numpy.common import ShapeLike, inexact
from rax.random.continuous import normal
from rax.random.parameters import draw_shape
from rax.random.uniform import computing, floating


def multivariate_normal(
    key: TensorLike, mean: TensorLike, cov: TensorLike, shape: ShapeLike | None = None, dtype: object = None
) -> Tensor:
    """Vectors of the normal distribution with a mean and a covariance.

    Independent numbers, mixed by the Cholesky factor of the covariance. The draw moves with mean and
    covariance, and has derivatives by them.

    Args:
        key: ``uint32[2]``.
        mean: ``(..., n)``.
        cov: ``(..., n, n)``, symmetric and positive definite.
        shape: the shape of the draw without its last axis, to which the leading axes of ``mean`` and
            ``cov`` broadcast; by default theirs.
        dtype: a floating dtype; by default the one ``mean`` and ``cov`` meet in. Half types are computed
            in float32.

    Returns:
        ``(*shape, n)``.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: ``mean`` is no vector, or ``cov`` no matrix of its size.
        ExecutionError: when run, if ``cov`` is not positive definite.

    Example:
        >>> from rax.random.keys import key
        >>> multivariate_normal(key(0), rnp.zeros(2), rnp.asarray([[2.0, 1.0], [1.0, 2.0]]), (5,)).shape
        (5, 2)
    """
    center, spread = [inexact(Tensor(value), float32) for value in promote_operands(mean, cov)]
    if not center.ndim or spread.shape[-2:] != (center.shape[-1], center.shape[-1]):
        raise ShapeError(
            f"multivariate_normal: mean {shape_text(center.shape)} and cov {shape_text(spread.shape)} do not fit",
            fix="give mean (..., n) and cov (..., n, n)",
        )
    wanted = floating(center.dtype if dtype is None else dtype, "multivariate_normal")
    inner = computing(wanted)
    size = draw_shape("multivariate_normal", shape, center.shape[:-1], spread.shape[:-2])
    with scope("multivariate_normal"):
        factor = linalg.cholesky(rnp.astype(spread, inner))
        independent = normal(key, (*size, center.shape[-1], 1), inner)
        return rnp.astype(rnp.astype(center, inner) + rnp.squeeze(factor @ independent, -1), wanted)
