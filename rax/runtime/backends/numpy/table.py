"""Every kernel, by the name of its operation."""

from __future__ import annotations

import numpy as np

from rax.ir.op import Op
from rax.runtime.backends.numpy.contraction import CONTRACTION
from rax.runtime.backends.numpy.elementwise import ELEMENTWISE
from rax.runtime.backends.numpy.indexing import INDEXING
from rax.runtime.backends.numpy.kernel import Factory, Kernel, Types, is_half, reference_kernel
from rax.runtime.backends.numpy.movement import MOVEMENT
from rax.runtime.backends.numpy.reduction import REDUCTION
from rax.runtime.backends.numpy.window import WINDOW

KERNELS: dict[str, Factory] = {**ELEMENTWISE, **MOVEMENT, **REDUCTION, **CONTRACTION, **INDEXING, **WINDOW}

# Kernels of ours that take, as ufuncs do, where to write the result as ``out``.
_WITH_OUT = frozenset({"relu", "softmax", "log_softmax", "layer_norm"})


def find_kernel(op: Op, types: Types) -> Kernel:
    """The kernel of an operation for its operand types; its reference where there is none."""
    factory = KERNELS.get(op.name)
    kernel = factory(op, types) if factory is not None else None
    return reference_kernel(op, types) if kernel is None else kernel


def writes_over(op: Op, types: Types) -> bool:
    """Whether the kernel takes an operand as ``out``, to write the result over it."""
    if op.name == "layer_norm" and types[0].ndim == 1:  # it reads scale and bias after its first write
        return False
    if op.name in _WITH_OUT:
        return op.name == "relu" or not is_half(types[0].dtype)
    factory = ELEMENTWISE.get(op.name)
    return factory is not None and isinstance(factory(op, types), np.ufunc)


def fuses(op: Op, types: Types) -> bool:
    """Whether the kernel may be given a block of each operand at a time; that of pow looks at whole operands."""
    factory = ELEMENTWISE.get(op.name)
    return factory is not None and op.name != "pow" and factory(op, types) is not None
