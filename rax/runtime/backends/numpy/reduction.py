"""Kernels of reductions, running operations and normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ir.late import late
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.backends.numpy.kernel import Direct, Factory, Kernel, Types, is_half, reference_kernel
from rax.runtime.backends.numpy.scratch import Space


def _reduce(function: np.ufunc) -> Factory:
    """A ufunc's reduction over all the axes at once; half types are left to the reference."""

    def make(op: Any, types: Types) -> Kernel | None:
        if is_half(types[0].dtype):
            return None
        axes = op.axes[0] if len(op.axes) == 1 else op.axes
        return Direct(function.reduce, axes, numpy_dtype(types[0].dtype))

    return make


_running = late("rax.runtime.backends.numpy.running", "make_running")


def _accumulate(function: np.ufunc) -> Factory:
    def make(op: Any, types: Types) -> Kernel | None:
        return None if is_half(types[0].dtype) else _running(function, op, types)

    return make


def _position(find: Kernel) -> Factory:
    def make(op: Any, types: Types) -> Kernel | None:
        return None if is_half(types[0].dtype) else Direct(find, op.axis)

    return make


# By position NumPy's stubs know no ``keepdims``.
_total: Any = np.add.reduce
_largest: Any = np.maximum.reduce


def _rows(x: Array, axis: int) -> list[int]:
    """The shape with one element along an axis."""
    shape = [*x.shape]
    shape[axis] = 1
    return shape


def _softmax(op: Any, types: Types) -> Kernel | None:
    axis = op.axis
    if is_half(types[0].dtype):
        return None

    def softmax(x: Array, out: Array | None = None, space: Array | None = None) -> Array:
        row = Space(space).array(_rows(x, axis), x.dtype)
        weights = np.subtract(x, _largest(x, axis, None, row, True), out)
        np.exp(weights, out=weights)
        return np.divide(weights, _total(weights, axis, None, row, True), out=weights)

    return softmax


def _log_softmax(op: Any, types: Types) -> Kernel | None:
    axis = op.axis
    if is_half(types[0].dtype):
        return None

    def log_softmax(x: Array, out: Array | None = None, space: Array | None = None) -> Array:
        given = Space(space)
        row = given.array(_rows(x, axis), x.dtype)
        lowered = np.subtract(x, _largest(x, axis, None, row, True), out)
        weights = np.exp(lowered, given.array(x.shape, x.dtype))
        _total(weights, axis, None, row, True)
        return np.subtract(lowered, np.log(row, row), out=lowered)

    return log_softmax


def _layer_norm(op: Any, types: Types) -> Kernel | None:
    if is_half(types[0].dtype):
        return None
    number = numpy_dtype(types[0].dtype).type
    count, epsilon = number(types[0].shape[-1]), number(op.epsilon)

    def layer_norm(x: Array, scale: Array, bias: Array, out: Array | None = None, space: Array | None = None) -> Array:
        given = Space(space)
        row: Array = _total(x, -1, None, given.array(_rows(x, -1), x.dtype), True)
        apart = np.subtract(x, np.divide(row, count, row), out)
        _total(np.square(apart, given.array(x.shape, x.dtype)), -1, None, row, True)
        np.divide(row, count, row)
        np.add(row, epsilon, row)
        np.divide(apart, np.sqrt(row, row), out=apart)
        np.multiply(apart, scale, out=apart)
        return np.add(apart, bias, out=apart)

    return layer_norm


def _by_reference(op: Any, types: Types) -> Kernel | None:
    return reference_kernel(op, types)


REDUCTION: dict[str, Factory] = {
    "sum": _reduce(np.add),
    "prod": _reduce(np.multiply),
    "max": _reduce(np.maximum),
    "min": _reduce(np.minimum),
    "all": _reduce(np.logical_and),
    "any": _reduce(np.logical_or),
    "argmax": _position(np.argmax),
    "argmin": _position(np.argmin),
    "mean": _by_reference,
    "var": _by_reference,
    "cumulative_sum": _accumulate(np.add),
    "cumulative_prod": _accumulate(np.multiply),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "layer_norm": _layer_norm,
}
