"""Every kernel, by the name of its operation."""

from __future__ import annotations

from rax.ir.op import Op
from rax.runtime.backends.numpy.contraction import CONTRACTION
from rax.runtime.backends.numpy.elementwise import ELEMENTWISE
from rax.runtime.backends.numpy.indexing import INDEXING
from rax.runtime.backends.numpy.kernel import Factory, Kernel, Types, reference_kernel
from rax.runtime.backends.numpy.movement import MOVEMENT
from rax.runtime.backends.numpy.reduction import REDUCTION
from rax.runtime.backends.numpy.window import WINDOW

KERNELS: dict[str, Factory] = {**ELEMENTWISE, **MOVEMENT, **REDUCTION, **CONTRACTION, **INDEXING, **WINDOW}


def find_kernel(op: Op, types: Types) -> Kernel:
    """The kernel of an operation for its operand types; its reference where there is none."""
    factory = KERNELS.get(op.name)
    kernel = factory(op, types) if factory is not None else None
    return reference_kernel(op, types) if kernel is None else kernel
