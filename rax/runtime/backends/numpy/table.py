"""Every kernel, by the name of its operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir.late import late
from rax.ir.op import Op
from rax.ir.types import float32
from rax.runtime.backends.numpy.contraction import CONTRACTION
from rax.runtime.backends.numpy.elementwise import ELEMENTWISE
from rax.runtime.backends.numpy.kernel import Factory, Kernel, Types, is_half, reference_kernel
from rax.runtime.backends.numpy.movement import MOVEMENT
from rax.runtime.backends.numpy.reduction import REDUCTION

# Few graphs have these, and some of the modules import the operations.
_RARE: dict[str, Factory] = {
    "gather": late("rax.runtime.backends.numpy.indexing", "make_gather"),
    "scatter": late("rax.runtime.backends.numpy.indexing", "make_scatter"),
    "iota": late("rax.runtime.backends.numpy.indexing", "make_iota"),
    "sort": late("rax.runtime.backends.numpy.ordering", "make_sort"),
    "argsort": late("rax.runtime.backends.numpy.ordering", "make_argsort"),
    "leading": late("rax.runtime.backends.numpy.leading", "make_leading"),
    "gemm": late("rax.runtime.backends.numpy.gemm", "make_gemm"),
    "dot_product_attention": late("rax.runtime.backends.numpy.attention", "make_attention"),
    "attention_gradient": late("rax.runtime.backends.numpy.attention", "make_gradient"),
    "conv": late("rax.runtime.backends.numpy.convolution", "make_conv"),
    "sliding_windows": late("rax.runtime.backends.numpy.window", "make_sliding_windows"),
    "fold_windows": late("rax.runtime.backends.numpy.window", "make_fold_windows"),
    "pool": late("rax.runtime.backends.numpy.pooling", "make_pool"),
    "pool_gradient": late("rax.runtime.backends.numpy.pooling", "make_pool_gradient"),
}
KERNELS: dict[str, Factory] = {**ELEMENTWISE, **MOVEMENT, **REDUCTION, **CONTRACTION, **_RARE}


def _always(op: Any, types: Types) -> bool:
    del op, types
    return True


def _wide(op: Any, types: Types) -> bool:
    """Not of half types, which are left to the reference."""
    del op
    return not is_half(types[0].dtype)


def _has_kernel(op: Op, types: Types) -> bool:
    return KERNELS[op.name](op, types) is not None


_REDUCTIONS = frozenset({"sum", "prod", "max", "min", "all", "any"})
_BLOCKED = frozenset(
    {
        "dot_product_attention", "attention_gradient", "conv", "sliding_windows", "fold_windows", "pool",
        "pool_gradient", "sort", "argsort",
    }
)  # fmt: skip
_POSITIONS = frozenset({"argmax", "argmin"})
_RUNNING = frozenset({"cumulative_sum", "cumulative_prod"})
_NORMALISATIONS = frozenset({"softmax", "log_softmax", "layer_norm"})

_ALONG_ROWS = frozenset({*_REDUCTIONS, *_POSITIONS, *_NORMALISATIONS, "mean"})

# When kernels of ours take ``out``, as ufuncs do. A reshape is one that copies.
_WITH_OUT: dict[str, Callable[[Any, Types], bool]] = {
    **dict.fromkeys(("relu", "maximum", "minimum", "pow", "where", "reshape", "concat", "pad", "gemm"), _always),
    **dict.fromkeys((*_REDUCTIONS, *_POSITIONS, *_RUNNING, *_NORMALISATIONS, "matmul"), _wide),
    **dict.fromkeys(_BLOCKED, _has_kernel),
    "gather": late("rax.runtime.backends.numpy.indexing", "takes_rows"),
    "cast": lambda op, types: types[0].dtype.kind != "complex",
    "sigmoid": lambda op, types: types[0].ndim > 0,
    "erf": lambda op, types: types[0].dtype is float32 and types[0].ndim > 0,
    "scatter": late("rax.runtime.backends.numpy.indexing", "scatters"),
}

# What reads operands after its first write, or in another order.
_FRESH_ONLY = frozenset(
    {*_REDUCTIONS, *_POSITIONS, *_RUNNING, *_BLOCKED, "matmul", "reshape", "concat", "pad", "gather"}
)


def find_kernel(op: Op, types: Types) -> Kernel:
    """The kernel of an operation for its operand types; its reference where there is none."""
    factory = KERNELS.get(op.name)
    kernel = factory(op, types) if factory is not None else None
    return reference_kernel(op, types) if kernel is None else kernel


def writes_into(op: Op, types: Types) -> bool:
    """Whether the kernel takes as ``out`` a dense array that shares no memory with an operand."""
    condition = _WITH_OUT.get(op.name)
    if condition is not None:
        return condition(op, types)
    factory = ELEMENTWISE.get(op.name)
    return factory is not None and isinstance(factory(op, types), np.ufunc)


def writes_over(op: Op, types: Types) -> Sequence[int]:
    """Which operands the kernel takes as ``out``, if they have the result's type, to write the result over them."""
    every = range(len(types))
    if op.name in _FRESH_ONLY or not writes_into(op, types):
        return ()
    match op.name:  # after its first write
        case "layer_norm":  # it reads scale and bias
            return every if types[0].ndim > 1 else ()
        case "scatter" | "gemm":  # indices and updates; the operands of the product
            return (0,)
        case "where":  # the mask
            return every if types[0].dtype is not types[1].dtype else ()
        case _:
            return every


def fuses(op: Op, types: Types) -> bool:
    """Whether an operation may be given a block of each operand at a time; that of pow looks at whole operands."""
    if goes_along_rows(op):
        return not is_half(types[0].dtype)
    factory = ELEMENTWISE.get(op.name)
    return factory is not None and op.name != "pow" and factory(op, types) is not None


def goes_along_rows(op: Op) -> bool:
    """Whether an operation reduces rows, or normalises them."""
    return op.name in _ALONG_ROWS
