"""Kernels of reductions, running operations and normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.backends.numpy.kernel import Direct, Factory, Kernel, Types, is_half, reference_kernel


def _reduce(function: np.ufunc) -> Factory:
    """A ufunc's reduction over all the axes at once; half types are left to the reference."""

    def make(op: Any, types: Types) -> Kernel | None:
        if is_half(types[0].dtype):
            return None
        axes = op.axes[0] if len(op.axes) == 1 else op.axes
        return Direct(function.reduce, axes, numpy_dtype(types[0].dtype))

    return make


def _accumulate(function: np.ufunc) -> Factory:
    def make(op: Any, types: Types) -> Kernel | None:
        if is_half(types[0].dtype):
            return None
        axis, dtype = op.axis, numpy_dtype(types[0].dtype)

        def backwards(x: Array, out: Array | None = None) -> Array:
            result = np.empty(x.shape, dtype) if out is None else out
            function.accumulate(np.flip(x, axis), axis, dtype, np.flip(result, axis))
            return result

        return backwards if op.reverse else Direct(function.accumulate, axis, dtype)

    return make


def _position(find: Kernel) -> Factory:
    def make(op: Any, types: Types) -> Kernel | None:
        return None if is_half(types[0].dtype) else Direct(find, op.axis)

    return make


def _softmax(op: Any, types: Types) -> Kernel | None:
    axis = op.axis
    if is_half(types[0].dtype):
        return None

    def softmax(x: Array, out: Array | None = None) -> Array:
        weights = np.subtract(x, np.maximum.reduce(x, axis, keepdims=True), out)
        np.exp(weights, out=weights)
        return np.divide(weights, np.add.reduce(weights, axis, keepdims=True), out=weights)

    return softmax


def _log_softmax(op: Any, types: Types) -> Kernel | None:
    axis = op.axis
    if is_half(types[0].dtype):
        return None

    def log_softmax(x: Array, out: Array | None = None) -> Array:
        lowered = np.subtract(x, np.maximum.reduce(x, axis, keepdims=True), out)
        total = np.add.reduce(np.exp(lowered), axis, keepdims=True)
        return np.subtract(lowered, np.log(total), out=lowered)

    return log_softmax


def _layer_norm(op: Any, types: Types) -> Kernel | None:
    if is_half(types[0].dtype):
        return None
    number = numpy_dtype(types[0].dtype).type
    count, epsilon = number(types[0].shape[-1]), number(op.epsilon)

    def layer_norm(x: Array, scale: Array, bias: Array, out: Array | None = None) -> Array:
        apart = np.subtract(x, np.add.reduce(x, -1, keepdims=True) / count, out)
        variance = np.add.reduce(np.square(apart), -1, keepdims=True) / count
        np.divide(apart, np.sqrt(variance + epsilon), out=apart)
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
