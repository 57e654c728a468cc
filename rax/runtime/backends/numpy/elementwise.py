"""Kernels of elementwise operations: mostly NumPy's own functions."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from rax.ir.types import float32, float64
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.backends.numpy.kernel import Factory, Kernel, Types, is_half, plainly, reference_kernel
from rax.runtime.backends.numpy.scratch import Space
from rax.runtime.backends.numpy.select import choice

# Operations whose reference is one NumPy function on all dtypes.
_FUNCTIONS: dict[str, Kernel] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negative": np.negative,
    "square": np.square,
    "sqrt": np.sqrt,
    "abs": np.absolute,
    "sign": np.sign,
    "copysign": np.copysign,
    "remainder": np.remainder,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "logaddexp": np.logaddexp,
    "sin": np.sin,
    "cos": np.cos,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "hypot": np.hypot,
    "atan2": np.arctan2,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "signbit": np.signbit,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "logical_not": np.logical_not,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "bitwise_invert": np.invert,
    "bitwise_left_shift": np.left_shift,
    "bitwise_right_shift": np.right_shift,
    "conj": np.conjugate,
}


def _of_reals(function: Kernel) -> Factory:
    """The factory of a kernel that the reference corrects on complex numbers."""
    return lambda op, types: None if types[0].dtype.kind == "complex" else function


def _cast(op: Any, types: Types) -> Kernel:
    dtype = numpy_dtype(op.dtype)
    if types[0].dtype.kind == "complex":
        return operator.methodcaller("astype", dtype)

    def cast(x: Array, out: Array | None = None) -> Array:
        if out is None:
            return x.astype(dtype)
        np.copyto(out, x, "unsafe")
        return out

    return cast


def _pow(op: Any, types: Types) -> Kernel:
    if not types[0].dtype.is_floating:
        return np.power
    reference = reference_kernel(op, types)

    def power(x: Array, y: Array, out: Array | None = None) -> Array:
        # Given one exponent 0.5 for many, NumPy takes square roots, which differ from powers at -0.0 and -inf.
        repeated = y.size == 1 or y.size < x.size or 0 in y.strides
        if not (repeated and np.any(y == 0.5)):
            return np.power(x, y, out)
        result = reference(x, y)
        if out is None:
            return result
        np.copyto(out, result)
        return out

    return power


# NumPy compares many elements with one number four times as fast where it is given two bounds; few, slower.
_BOUNDED = 1 << 14


def _bounded(types: Types) -> bool:
    """Whether the first operand is worth two bounds."""
    x = types[0]
    size = x.size
    return x.dtype in (float32, float64) and isinstance(size, int) and size >= _BOUNDED


def _extremum(function: np.ufunc) -> Factory:
    """Of two operands, one of which may be a number."""
    above = function is np.maximum

    def make(op: Any, types: Types) -> Kernel:
        del op
        numbers = [type.ndim == 0 for type in types]
        if not any(numbers) or not _bounded(types[::-1] if numbers[0] else types):
            return function
        limit = numpy_dtype(types[0].dtype).type(np.inf if above else -np.inf)
        first = numbers[0]

        def extremum(x: Array, y: Array, out: Array | None = None) -> Array:
            many, bound = (y, x) if first else (x, y)
            return np.clip(many, bound, limit, out=out) if above else np.clip(many, limit, bound, out=out)

        return extremum

    return make


def _relu(op: Any, types: Types) -> Kernel:
    del op
    dtype = numpy_dtype(types[0].dtype)
    zero = np.zeros((), dtype)
    if _bounded(types):
        limit = dtype.type(np.inf)

        def bounded(x: Array, out: Array | None = None) -> Array:
            return np.clip(x, zero, limit, out=out)

        return bounded

    def relu(x: Array, out: Array | None = None) -> Array:
        return np.maximum(x, zero, out=out)

    return relu


_MASK = np.dtype(np.bool_)


def _sigmoid(op: Any, types: Types) -> Kernel | None:
    del op
    if types[0].ndim == 0:
        return None
    one = np.ones((), numpy_dtype(types[0].dtype))
    zero = np.zeros((), one.dtype)

    def sigmoid(x: Array, out: Array | None = None, space: Array | None = None) -> Array:
        given = Space(space)
        small, sign = given.array(x.shape, one.dtype), given.array(x.shape, _MASK)
        np.greater_equal(x, zero, sign)
        np.absolute(x, small)
        np.negative(small, small)
        np.exp(small, small)
        result = np.empty(x.shape, one.dtype) if out is None else out
        np.copyto(result, sign)
        np.maximum(small, result, out=result)  # 1 or the small one, without a branch
        np.add(small, one, small)
        return np.divide(result, small, result)

    return sigmoid


# erf(x) is tanh(x * P(x * x)). These coefficients, highest first, have the least greatest error, relative to erf, for
# |x| up to 4.2, found by linear programming: 8.2e-8. From 4 on both are 1 in float32, and P is held.
_ERF = tuple([
    np.asarray(coefficient, np.float32)
    for coefficient in (
        1.38796446e-7, -5.62862791e-6, 8.74448532e-5, -6.19344391e-4, -1.92318553e-4, 0.102769220, 1.12837926,
    )
])  # fmt: skip
_ERF_BOUNDS = np.asarray(0, np.float32), np.asarray(16, np.float32)

# So many elements at a time stay in cache from the first step of the polynomial to the last, and take so long
# that threads seldom wait for each other.
ERF_BLOCK = 1 << 17


def _erf_float32(x: Array, out: Array | None = None, space: Array | None = None) -> Array:
    flat: Array = x.reshape(-1)
    result: Array = out if out is not None and out.flags.c_contiguous else np.empty(x.shape, np.float32)
    whole: Array = result.reshape(-1)
    lowest, highest = _ERF_BOUNDS
    rows = Space(space).array((2 * min(x.size, ERF_BLOCK),), whole.dtype)
    for start in range(0, x.size, ERF_BLOCK):
        part = flat[start : start + ERF_BLOCK]
        place = whole[start : start + ERF_BLOCK]
        squared, total = rows[: 2 * part.size].reshape(2, part.size)
        np.multiply(part, part, squared)
        np.clip(squared, lowest, highest, squared)
        np.multiply(squared, _ERF[0], total)
        for coefficient in _ERF[1:-1]:
            np.add(total, coefficient, total)
            np.multiply(total, squared, total)
        np.add(total, _ERF[-1], total)
        np.tanh(np.multiply(total, part, place), place)
    if out is None or out is result:
        return result
    np.copyto(out, result)
    return out


def _erf(op: Any, types: Types) -> Kernel | None:
    del op
    return _erf_float32 if types[0].dtype is float32 and types[0].ndim else None


def _by_reference(op: Any, types: Types) -> Kernel | None:
    """Where the reference beats the body in other operations."""
    return None if is_half(types[0].dtype) else reference_kernel(op, types)


ELEMENTWISE: dict[str, Factory] = {
    **{name: plainly(function) for name, function in _FUNCTIONS.items()},
    "where": choice,
    "tan": _of_reals(np.tan),
    "tanh": _of_reals(np.tanh),
    "cast": _cast,
    "pow": _pow,
    "maximum": _extremum(np.maximum),
    "minimum": _extremum(np.minimum),
    "relu": _relu,
    "sigmoid": _sigmoid,
    "erf": _erf,
    "softplus": _by_reference,
    "silu": _by_reference,
}
