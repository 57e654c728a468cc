"""Numbers kept in few bits: quantise and dequantise, and matrix products of what is quantised.

A real number ``r`` is kept as ``q = round(r / scale) + zero_point`` in a narrow dtype, as ONNX's
QuantizeLinear has it. A scale is a scalar, for the whole tensor; or a vector, one for each place
along ``axis``; or of the tensor's rank and as large but along ``axis``, where each covers a block.
"""

from __future__ import annotations

from rax import numpy as rnp
from rax.frontend.application import matrix_product
from rax.frontend.promotion import TensorLike, is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.trail import scope
from rax.ir.types import DType, as_dtype, float32, float64, int8, int32
from rax.numpy.common import as_axis, inexact
from rax.ops.contraction import WideningMatMul
from rax.ops.selection import stop_gradient

_TARGETS = ("int8", "uint8", "int16", "uint16", "float8_e4m3fn", "float8_e5m2")


def quantization_parameters(
    low: TensorLike, high: TensorLike, dtype: object = int8, *, symmetric: bool = True
) -> tuple[Tensor, Tensor | None]:
    """The scale and zero point with which numbers between two bounds fill a dtype.

    Symmetric, the larger bound in size becomes the largest number of the dtype, and 0 its middle:
    0 of signed integers, 128 of uint8. Otherwise ``low`` becomes the smallest and ``high`` the
    largest, once widened to hold 0, which is kept exactly.

    Args:
        low: the least of the numbers, for each scale; such as ``min`` over some of the data.
        high: the greatest of them.
        dtype: ``int8``, ``uint8``, ``int16``, ``uint16``, ``float8_e4m3fn`` or ``float8_e5m2``.
        symmetric: whether 0 is in the middle; always so in float8.

    Returns:
        The scale, floating (1 where there is nothing but 0), and the zero point in ``dtype``; None for float8.

    Raises:
        TypeInferenceError: it is another dtype, or float8 shall not be symmetric.

    Example:
        >>> quantization_parameters(-1.0, 3.0, "uint8", symmetric=False)
        (Tensor(0.01568628, dtype=float32), Tensor(64, dtype=uint8))
    """
    wanted = _target(dtype)
    if wanted.is_float8 and not symmetric:
        raise TypeInferenceError(f"{wanted} is symmetric", fix="use an integer dtype, or leave symmetric as it is")
    least, most = _limits(wanted)
    with scope("quantization_parameters"):
        below, above = (_real(bound) for bound in (low, high))
        if symmetric:
            middle = 0 if wanted.is_float8 else (least + most + 1) // 2
            span = rnp.maximum(rnp.abs(below), rnp.abs(above)) / (most - middle)
            scale = rnp.where(span > 0, span, 1.0)
            return scale, None if wanted.is_float8 else rnp.full(scale.shape, middle, dtype=wanted)
        below, above = rnp.minimum(below, 0.0), rnp.maximum(above, 0.0)
        span = (above - below) / (most - least)
        scale = rnp.where(span > 0, span, 1.0)
        zero_point = rnp.clip(rnp.round(least - below / scale), least, most)
        return scale, rnp.astype(zero_point, wanted)


def quantize(
    x: TensorLike,
    scale: TensorLike,
    zero_point: TensorLike | None = None,
    dtype: object = None,
    axis: int | None = None,
) -> Tensor:
    """``round(x / scale) + zero_point`` in a narrow dtype; what is beyond its limits becomes the limit.

    Halves round to the even number. In float8 the quotient rounds to the nearest number of the
    dtype. NaN stays NaN in float8, and is an integer of the platform's choice elsewhere.

    Args:
        x: any shape, real.
        scale: positive; a scalar, or with ``axis`` a vector or blocks, as above.
        zero_point: integers of the shape of ``scale``, or a scalar; by default 0. Not for float8.
        dtype: as for :func:`quantization_parameters`; by default that of ``zero_point``, else int8.
        axis: the axis that scales go along.

    Raises:
        TypeInferenceError: the dtype is none of these or not that of ``zero_point``, or shapes do not fit.

    Example:
        >>> quantize(rnp.asarray([-1.0, 0.0, 0.25, 1e3]), 0.5, 10, "uint8")
        Tensor([  8,  10,  10, 255], dtype=uint8)
    """
    wanted = _chosen(dtype, zero_point)
    with scope("quantize"):
        value, divisor, offset = _operands(x, scale, zero_point, axis)
        return rnp.astype(_levels(value / divisor, offset, wanted), wanted)


def dequantize(
    x: TensorLike, scale: TensorLike, zero_point: TensorLike | None = None, axis: int | None = None
) -> Tensor:
    """``(x - zero_point) * scale``, in the dtype of ``scale``.

    Args:
        x: integers or float8, any shape.
        scale: floating; a scalar, or with ``axis`` a vector or blocks.
        zero_point: of the dtype of ``x``; by default 0.
        axis: the axis that scales go along.

    Raises:
        TypeInferenceError: ``zero_point`` has another dtype than ``x``, or shapes do not fit.

    Example:
        >>> dequantize(rnp.asarray([8, 10, 255], dtype="uint8"), 0.5, 10)
        Tensor([ -1. ,   0. , 122.5], dtype=float32)
    """
    value = as_tensor(x)
    due = Tensor(inexact(scale, float32)).dtype
    _check_zero_point(zero_point, value.dtype)
    with scope("dequantize"):
        wide = float64 if due is float64 else float32
        factor, offset = _laid_out(value, rnp.astype(scale, wide), zero_point, axis)
        return rnp.astype(_without(rnp.astype(value, wide), offset) * factor, due)


def fake_quantize(
    x: TensorLike,
    scale: TensorLike,
    zero_point: TensorLike | None = None,
    dtype: object = None,
    axis: int | None = None,
) -> Tensor:
    """``dequantize(quantize(x))``, with a derivative: to train for what quantising will do.

    Rounding counts as the identity to every derivative (the straight-through estimator), so that of
    ``x`` is 1 within the limits and 0 beyond; that of ``scale`` is the one of learned step sizes
    (Esser et al. 2020).

    Args:
        x: any shape, real.
        scale: positive; a scalar, or with ``axis`` a vector or blocks.
        zero_point: integers; by default 0.
        dtype: as for :func:`quantize`.
        axis: the axis that scales go along.

    Raises:
        TypeInferenceError: as :func:`quantize`.

    Example:
        >>> import rax
        >>> x = rnp.asarray([0.3, 0.8, 100.0])
        >>> fake_quantize(x, 0.5)
        Tensor([ 0.5,  1. , 63.5], dtype=float32)
        >>> rax.grad(lambda x: rnp.sum(fake_quantize(x, 0.5)))(x)
        Tensor([1., 1., 0.], dtype=float32)
    """
    wanted = _chosen(dtype, zero_point)
    with scope("fake_quantize"):
        value, factor, offset = _operands(x, scale, zero_point, axis)
        least, most = _limits(wanted)
        within = rnp.clip(value / factor, _without(least, offset), _without(most, offset))
        fixed = Tensor(stop_gradient(within.value))
        rounded = rnp.astype(rnp.astype(fixed, wanted), value.dtype) if wanted.is_float8 else rnp.round(fixed)
        # Exact: a number and the one it rounds to are close, or the latter is 0.
        moved = within + (rounded - fixed)
        return rnp.astype(moved * factor, Tensor(inexact(x, float32)).dtype)


def widening_matmul(x: TensorLike, y: TensorLike, *, preferred_element_type: object = None) -> Tensor:
    """The matrix product of narrow numbers, added up and returned in a wider dtype.

    Args:
        x: ``(*batch, m, k)`` or ``(k,)``: integers of 8 or 16 bits, or float8, float16 or bfloat16.
        y: ``(*batch, k, n)`` or ``(k,)``, of the same kind, perhaps of another dtype.
        preferred_element_type: the dtype of the result; by default int32 or float32. Sums of integers
            that do not fit wrap around.

    Raises:
        TypeInferenceError: the dtypes or sizes do not fit.

    Example:
        >>> widening_matmul(rnp.full((1, 300), 127, dtype="int8"), rnp.full((300, 1), -128, dtype="int8"))
        Tensor([[-4876800]], dtype=int32)
    """
    left, right = as_tensor(x), as_tensor(y)
    default = float32 if left.dtype.is_floating else int32
    due = default if preferred_element_type is None else as_dtype(preferred_element_type)
    return Tensor(matrix_product(WideningMatMul(due), left.value, right.value))


def matmul_integer(
    x: TensorLike,
    y: TensorLike,
    x_zero_point: TensorLike | None = None,
    y_zero_point: TensorLike | None = None,
) -> Tensor:
    """``(x - x_zero_point) @ (y - y_zero_point)`` of small integers, in int32; ONNX's MatMulInteger.

    The zero points come in after the product, by its rows' and columns' sums, so that 8 bits stay 8 bits.

    Args:
        x: ``(*batch, m, k)``, integers of 8 or 16 bits.
        y: ``(*batch, k, n)``, likewise; one may be signed and the other not.
        x_zero_point: a scalar, or ``(m,)``, of the dtype of ``x``; by default 0.
        y_zero_point: a scalar, or ``(n,)``, of the dtype of ``y``; by default 0.

    Raises:
        TypeInferenceError: the dtypes or sizes do not fit.

    Example:
        >>> x, y = rnp.asarray([[11, 7]], dtype="uint8"), rnp.asarray([[1], [-4]], dtype="int8")
        >>> matmul_integer(x, y, 12)
        Tensor([[19]], dtype=int32)
    """
    left, right = as_tensor(x), as_tensor(y)
    _check_zero_point(x_zero_point, left.dtype)
    _check_zero_point(y_zero_point, right.dtype)
    with scope("matmul_integer"):
        total = Tensor(WideningMatMul(int32)(left.value, right.value))
        rows = None if x_zero_point is None else rnp.astype(x_zero_point, int32)
        columns = None if y_zero_point is None else rnp.astype(y_zero_point, int32)
        if rows is not None:
            rows = rnp.expand_dims(rows, axis=-1) if rows.ndim else rows
            total = total - rows * rnp.sum(rnp.astype(right, int32), axis=-2, keepdims=True, dtype=int32)
        if columns is not None:
            total = total - rnp.sum(rnp.astype(left, int32), axis=-1, keepdims=True, dtype=int32) * columns
        if rows is not None and columns is not None:
            total = total + rows * columns * left.shape[-1]
        return total


def quantized_dense(
    x: TensorLike,
    weight: TensorLike,
    weight_scale: TensorLike,
    bias: TensorLike | None = None,
    *,
    x_scale: TensorLike | None = None,
    x_zero_point: TensorLike | None = None,
) -> Tensor:
    """``x @ (weight * weight_scale) + bias``, multiplied in int8 and added up in int32.

    Args:
        x: ``(*batch, m, features)``, floating; it is quantised here.
        weight: ``(features, outputs)``, int8, symmetric.
        weight_scale: a scalar or ``(outputs,)``.
        bias: ``(outputs,)``, floating, or none.
        x_scale: the scale of ``x``, a scalar, from data seen before; by default each row's own, of
            its largest number in size.
        x_zero_point: the zero point that goes with ``x_scale``; ``x`` is quantised to its dtype, by
            default int8.

    Returns:
        ``(*batch, m, outputs)`` in the dtype of ``x``. No derivative flows: train with :func:`fake_quantize`.

    Raises:
        TypeInferenceError: the dtypes or sizes do not fit, or there is a zero point without its scale.

    Example:
        >>> w = rnp.asarray([[100], [-50]], dtype="int8")
        >>> quantized_dense(rnp.asarray([[1.0, 2.0]]), w, 0.01, x_scale=0.1)
        Tensor([[0.]], dtype=float32)
    """
    value, narrow = Tensor(inexact(x, float32)), as_tensor(weight)
    if x_scale is None and x_zero_point is not None:
        raise TypeInferenceError("x_zero_point goes with an x_scale", fix="give both, as quantization_parameters does")
    with scope("quantized_dense"):
        if x_scale is None:
            size = rnp.max(rnp.abs(_real(value)), axis=-1, keepdims=True)
            scale, _ = quantization_parameters(-size, size)
            kept = rnp.astype(_levels(_real(value) / scale, None, int8), int8)
        else:
            scale = _real(x_scale)
            kept = quantize(value, scale, x_zero_point)
        total = matmul_integer(kept, narrow, x_zero_point)
        result = rnp.astype(total, scale.dtype) * (scale * _real(weight_scale))
        return rnp.astype(result if bias is None else result + _real(bias), value.dtype)


def _target(dtype: object) -> DType:
    wanted = as_dtype(dtype)
    if wanted.name not in _TARGETS:
        raise TypeInferenceError(f"numbers are not quantised to {wanted}", fix=f"use one of {', '.join(_TARGETS)}")
    return wanted


def _chosen(dtype: object, zero_point: TensorLike | None) -> DType:
    """The dtype to quantise to, checked against the zero point's."""
    known = None if zero_point is None or is_number(zero_point) else as_tensor(zero_point).dtype
    wanted = _target(known or int8 if dtype is None else dtype)
    _check_zero_point(zero_point, wanted)
    return wanted


def _check_zero_point(zero_point: TensorLike | None, dtype: DType) -> None:
    if zero_point is None:
        return
    if dtype.is_floating:
        raise TypeInferenceError(f"{dtype} has no zero point", fix="leave it out")
    if not is_number(zero_point) and as_tensor(zero_point).dtype is not dtype:
        found = as_tensor(zero_point).dtype
        raise TypeInferenceError(f"the zero point of {dtype} is of that dtype too, not {found}", fix="cast it")


def _limits(dtype: DType) -> tuple[float, float]:
    info = rnp.finfo(dtype) if dtype.is_floating else rnp.iinfo(dtype)
    return info.min, info.max


def _real(x: TensorLike) -> Tensor:
    """Floating numbers, of float32 at least."""
    value = Tensor(inexact(x, float32))
    return value if value.dtype is float64 else rnp.astype(value, float32)


def _operands(
    x: TensorLike, scale: TensorLike, zero_point: TensorLike | None, axis: int | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What is quantised, with the scale and the zero point in its dtype and laid out along its axes."""
    value = _real(x)
    return value, *_laid_out(value, rnp.astype(scale, value.dtype), zero_point, axis)


def _levels(quotient: Tensor, offset: Tensor | None, dtype: DType) -> Tensor:
    """The numbers of the narrow dtype, still in the wide one."""
    least, most = _limits(dtype)
    if dtype.is_float8:
        return rnp.clip(quotient, least, most)
    rounded = rnp.round(quotient)
    return rnp.clip(rounded if offset is None else rounded + offset, least, most)


def _without(x: Tensor | float, offset: Tensor | None) -> Tensor | float:
    return x if offset is None else x - offset


def _laid_out(
    x: Tensor, scale: Tensor, zero_point: TensorLike | None, axis: int | None
) -> tuple[Tensor, Tensor | None]:
    """Scale and zero point, in the scale's dtype, so that they broadcast against ``x``."""
    offset = None if zero_point is None else _along(x, rnp.astype(zero_point, scale.dtype), axis, "zero_point")
    return _along(x, scale, axis, "scale"), offset


def _along(x: Tensor, parameter: Tensor, axis: int | None, name: str) -> Tensor:
    if not parameter.ndim:
        return parameter
    shown = f"{name} of shape {dims.shape_text(parameter.shape)}"
    if axis is None:
        raise TypeInferenceError(f"a {shown} needs an axis to go along", fix="give axis=…")
    place = as_axis(axis, x.ndim)
    size = x.shape[place]
    if parameter.shape == (size,):
        return rnp.reshape(parameter, (*[1] * place, size, *[1] * (x.ndim - place - 1)))
    blocks = parameter.shape[place] if parameter.ndim == x.ndim else 0
    fits = (*x.shape[:place], blocks, *x.shape[place + 1 :]) == parameter.shape
    if not fits or not isinstance(size, int) or not isinstance(blocks, int) or not blocks or size % blocks:
        raise TypeInferenceError(
            f"a {shown} does not fit axis {axis} of {dims.shape_text(x.shape)}",
            fix="give a scalar, one number for each place along the axis, or one for each block of equal size",
        )
    return rnp.repeat(parameter, size // blocks, axis=place)
