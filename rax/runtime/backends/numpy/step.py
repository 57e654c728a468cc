"""The kernel of a step of a plan, whatever it is but a loop or choice."""

from __future__ import annotations

from collections.abc import Sequence

from rax.ir.late import late
from rax.ir.types import TensorType
from rax.runtime.arena import SHARED_BYTES
from rax.runtime.backends.numpy.kernel import Kernel
from rax.runtime.backends.numpy.movement import copying_reshape
from rax.runtime.backends.numpy.table import find_kernel
from rax.runtime.plan import Step

_group = late("rax.runtime.backends.numpy.fuse", "Group")  # with its threads, for plans that have groups

_SHARED = frozenset({"conv", "dot_product_attention", "attention_gradient"})
_SHARED_IF_LARGE = frozenset({"pool", "pool_gradient", "fold_windows", "sort", "argsort"})


def step_kernel(step: Step, types: Sequence[TensorType]) -> Kernel:
    """What computes a step that runs no graph.

    Args:
        step: one of a plan; it may be a view or a group.
        types: of the plan's values.
    """
    if step.members:
        return _group(step, types)
    operands = tuple([types[operand] for operand in step.operands])
    copying = step.op.name == "reshape" and not step.view
    return (copying_reshape if copying else find_kernel)(step.op, operands)


def is_shared(step: Step, types: Sequence[TensorType]) -> bool:
    """Whether a step is large enough for threads of ours to share its work, if there are several.

    Args:
        step: one of a plan.
        types: of the plan's values.
    """
    if step.op.name in _SHARED_IF_LARGE:
        return sum([types[value].nbytes.__index__() for value in (*step.operands, *step.results)]) >= SHARED_BYTES
    return step.op.name in _SHARED or (step.blocking is not None and step.blocking.cut.block_count > 1)
