"""Weighted averages, covariance and correlation."""

from __future__ import annotations

from typing import Any

from rax.frontend.promotion import TensorLike, as_value, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir.errors import TypeInferenceError
from rax.ir.types import float32, real_dtype
from rax.numpy.common import Axes, as_axes, inexact
from rax.numpy.diagonals import diagonal
from rax.numpy.elementwise import clip, conj, imag, real, sqrt
from rax.numpy.joining import concatenate
from rax.numpy.manipulation import broadcast_to, expand_dims
from rax.numpy.rearranging import atleast_2d, transpose
from rax.numpy.statistical import mean, sum
from rax.ops.complex_parts import complex_
from rax.ops.creation import dim_size
from rax.ops.selection import cast


def average(
    a: TensorLike, axis: Axes = None, weights: TensorLike | None = None, *,
    returned: bool = False, keepdims: bool = False,
) -> Any:  # fmt: skip
    """The weighted mean along axes.

    Args:
        a: any shape; integers count as float32.
        axis: the axes; all for None.
        weights: of the shape of ``a``, or of its sizes along the axes; None for equal ones.
        returned: whether the sum of the weights is returned too.
        keepdims: whether the axes stay, of size 1.

    Raises:
        TypeInferenceError: the weights have another shape.

    Example:
        >>> from rax.numpy import asarray
        >>> average(asarray([1.0, 2.0, 6.0]), weights=asarray([1.0, 1.0, 2.0]))
        Tensor(3.75, dtype=float32)
    """
    value = Tensor(inexact(a, float32))
    axes = as_axes(axis, value.ndim)
    if weights is None:
        result = mean(value, axis=axes, keepdims=keepdims)
        total = sum(broadcast_to(Tensor(as_value(1, value.dtype)), value.shape), axis=axes, keepdims=keepdims)
        return (result, total) if returned else result
    value, scale = (Tensor(inexact(Tensor(part), float32)) for part in promote_operands(value, weights))
    if scale.shape != value.shape:
        if scale.shape != tuple(value.shape[place] for place in axes):
            raise TypeInferenceError(
                f"average's weights {scale.value.type} fit neither {value.value.type} nor its axes {axes}",
                fix="give weights of the same shape, or one for each element along the axis",
            )
        scale = expand_dims(scale, axis=tuple(place for place in range(value.ndim) if place not in axes))
    scale = broadcast_to(scale, value.shape)
    total = sum(scale, axis=axes, keepdims=keepdims)
    result = sum(value * scale, axis=axes, keepdims=keepdims) / total
    return (result, total) if returned else result


def cov(
    m: TensorLike, y: TensorLike | None = None, rowvar: bool = True, bias: bool = False, ddof: float | None = None,
    fweights: TensorLike | None = None, aweights: TensorLike | None = None,
) -> Tensor:  # fmt: skip
    """The covariance matrix of variables.

    Args:
        m: a vector of observations of one variable, or a matrix with a row for each variable.
        y: more variables, in the same form.
        rowvar: whether rows are variables; else columns are.
        bias: whether to divide by the number of observations instead of one less.
        ddof: what is taken off that number instead.
        fweights: how often each observation occurs.
        aweights: how much each observation counts.

    Raises:
        TypeInferenceError: ``m`` has more than two axes, or sizes do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> cov(asarray([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
        Tensor([[ 1., -1.],
                [-1.,  1.]], dtype=float32)
    """
    parts = [Tensor(inexact(Tensor(part), float32)) for part in promote_operands(m, *([] if y is None else [y]))]
    for part in parts:
        if part.ndim > 2:
            raise TypeInferenceError(f"cov takes vectors and matrices, not {part.value.type}")
    rows = [atleast_2d(part) if rowvar or part.ndim < 2 else transpose(part) for part in parts]
    x = concatenate(rows)
    dtype = real_dtype(x.dtype)
    weights = [Tensor(cast(as_value(w), dtype)) for w in (fweights, aweights) if w is not None]
    freedom = (0 if bias else 1) if ddof is None else ddof
    if not weights:
        apart = x - mean(x, axis=1, keepdims=True)
        divisor = Tensor(dim_size(x.shape[1], dtype)) - freedom
        return _squeezed(apart @ transpose(conj(apart)) / Tensor(cast(divisor.value, x.dtype)))
    scale = weights[0] if len(weights) == 1 else weights[0] * weights[1]
    if scale.shape != (x.shape[1],):
        raise TypeInferenceError(f"cov has weights {scale.value.type} for {x.shape[1]} observations")
    total = sum(scale)
    apart = x - (sum(x * scale, axis=1, keepdims=True) / total)
    if freedom == 0:
        divisor = total
    elif aweights is None:
        divisor = total - freedom
    else:
        divisor = total - sum(scale * weights[-1]) * freedom / total
    return _squeezed(apart @ transpose(conj(apart * scale)) / divisor)


def _squeezed(matrix: Tensor) -> Tensor:
    return matrix[0, 0] if matrix.shape == (1, 1) else matrix


def corrcoef(x: TensorLike, y: TensorLike | None = None, rowvar: bool = True) -> Tensor:
    """The correlation coefficients of variables, between -1 and 1.

    A variable that does not vary gives NaN, in the derivative too. Where two variables are a multiple of
    each other, a coefficient is at the bound it is clipped to, and its derivative is rounding.

    Args:
        x: a vector of observations of one variable, or a matrix with a row for each variable.
        y: more variables, in the same form.
        rowvar: whether rows are variables; else columns are.

    Raises:
        TypeInferenceError: ``x`` has more than two axes, or sizes do not fit.

    Example:
        >>> from rax.numpy import asarray
        >>> corrcoef(asarray([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
        Tensor([[ 1., -1.],
                [-1.,  1.]], dtype=float32)
    """
    matrix = cov(x, y, rowvar)
    if not matrix.ndim:
        return matrix / matrix
    spread = sqrt(real(diagonal(matrix)))
    result = matrix / spread[:, None] / spread
    if result.dtype.kind != "complex":
        return clip(result, -1.0, 1.0)
    return Tensor(complex_(clip(real(result), -1.0, 1.0).value, clip(imag(result), -1.0, 1.0).value))
