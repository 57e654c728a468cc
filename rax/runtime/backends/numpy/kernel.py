"""What a kernel is, and the tools kernels are made with.

A kernel is a callable on NumPy arrays made for one operation and its operand types. Its result
is a fresh array, sharing memory with no operand, except where the plan says it is a view; a
result of shape () may be a NumPy scalar.

Some kernels also take ``space``, by name: bytes for what they compute on the way, as many as
:mod:`rax.runtime.backends.numpy.temporaries` says, which hold nothing before and after. Without it they allocate.

Many kernels also take ``out``, by name (NumPy has deprecated it by position in some of its functions):
an array of the result's type, in which they put the result, and which they return. It is dense, but where
the operation works element by element, or the kernel has another ``order`` of the axes. Which do, and
which of these take an operand as ``out`` too, is said by ``writes_into`` and ``writes_over`` of
:mod:`rax.runtime.backends.numpy.table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np

from rax.ir.op import Op
from rax.ir.types import DType, TensorType
from rax.ops.arrays import Array

Types = tuple[TensorType, ...]
Kernel = Callable[..., Any]
Factory = Callable[[Any, Types], Kernel | None]
"""From an operation and its operand types to a kernel; None where the reference serves better."""


class Direct:
    """A kernel that is a function of NumPy with more arguments, the last of them ``out``.

    Generated code calls the function itself.
    """

    def __init__(self, function: Kernel, *more: Any) -> None:
        self.function = function
        self.more = more

    def __call__(self, *operands: Any, out: Array | None = None) -> Any:
        """Call the function."""
        return self.function(*operands, *self.more, out)


def ordered(kernel: Kernel, order: tuple[int, ...]) -> Kernel:
    """Say for a kernel that its result lies in memory with the axes in another order."""
    marked: Any = kernel
    marked.order = order
    return kernel


def plainly(kernel: Kernel) -> Factory:
    """The factory of a kernel that depends on neither attributes nor types."""
    return lambda op, types: kernel


def reference_kernel(op: Op, types: Types) -> Kernel:
    """An operation's own reference, made to keep the promises of a kernel."""
    run: Kernel = op.reference
    scalars = any(type.ndim == 0 for type in types)

    def kernel(*arrays: Array) -> Any:
        if scalars:
            arrays = tuple([np.asarray(array) for array in arrays])
        result = run(*arrays)
        if isinstance(result, tuple):
            return tuple(fresh(cast("tuple[Any, ...]", result), arrays))
        return fresh((result,), arrays)[0]

    return kernel


def fresh(results: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
    """Results, copied where they may share memory with operands, constants or each other."""
    owned: list[Any] = []
    for result in results:
        shared = isinstance(result, np.ndarray) and _may_be_shared(cast("Array", result), (*operands, *owned))
        owned.append(result.copy() if shared else result)
    return owned


def _may_be_shared(array: Array, others: Iterable[Any]) -> bool:
    return array.base is not None or not array.flags.writeable or any(array is other for other in others)


def is_half(dtype: DType) -> bool:
    """Whether arithmetic is done in float32, as the references do it."""
    return dtype.is_floating and dtype.itemsize == 2
