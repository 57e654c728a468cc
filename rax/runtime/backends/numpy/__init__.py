"""The embedded backend: a plan becomes one straight line of calls into NumPy."""

from __future__ import annotations

from collections.abc import Sequence

from rax.ir.dims import Size
from rax.ir.graph import Graph
from rax.ir.late import late
from rax.ir.node import Node
from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.ops.families import Composite
from rax.passes.optimise import optimise
from rax.runtime.backends.base import Backend, Run
from rax.runtime.backends.numpy.codegen import build
from rax.runtime.backends.numpy.kernel import Kernel
from rax.runtime.backends.numpy.step import step_kernel
from rax.runtime.backends.numpy.table import KERNELS, fuses, writes_into, writes_over
from rax.runtime.backends.numpy.temporaries import needs
from rax.runtime.plan import Plan, Step

_accumulate_products = late("rax.runtime.backends.numpy.gemm", "accumulate_products")
_blockwise = late("rax.passes.attention", "blockwise")
_has_control_kernel = late("rax.runtime.backends.numpy.control", "has_control_kernel")
_is_large = late("rax.passes.attention", "is_large")
_pool_windows = late("rax.runtime.backends.numpy.pooling", "pool_windows")
_take_leading = late("rax.runtime.backends.numpy.leading", "take_leading")  # with sorting


def _adds_product(node: Node) -> bool:
    whole = node.op.name in ("add", "subtract") and all(each.type == node.types[0] for each in node.inputs)
    return whole and any(each.node.op.name in ("matmul", "multiply") for each in node.inputs)


class NumpyBackend(Backend):
    """Runs plans with NumPy alone."""

    name = "numpy"
    has_arena = True

    def prepare(self, graph: Graph) -> Graph:
        """With steps of their own for the first in sorted order, windows, attention in derivatives, and sums."""
        found = super().prepare(graph)
        names = {node.op.name for node in found.nodes}
        nested = any(getattr(node.op, "holds_graphs", False) for node in found.nodes)
        if nested or "argsort" in names:
            found = _take_leading(found)
        if nested or "sliding_windows" in names:
            found = _pool_windows(found)
        if nested or "exp" in names:
            blocked = _blockwise(found)
            found = found if blocked is found else optimise(blocked)
        if nested or ("matmul" in names and any(map(_adds_product, found.nodes))):
            found = _accumulate_products(found)
        return found

    def takes(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """Composites that have a kernel, attention if it is large; others, checkpoints too, run as their bodies."""
        if op.name == "dot_product_attention":
            return _is_large(*types[:2])
        return isinstance(op, Composite) and op.name in KERNELS

    def writes(self, op: Op, types: tuple[TensorType, ...]) -> Sequence[int]:
        """What NumPy computes element by element, and the normalisations."""
        return writes_over(op, types)

    def places(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """What has a kernel that takes ``out``."""
        return writes_into(op, types)

    def fuses(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """What has an elementwise kernel, reductions and normalisations."""
        return fuses(op, types)

    def needs(self, op: Op, types: Sequence[TensorType], dense: Sequence[bool]) -> tuple[Size, Size] | None:
        """What its kernel takes."""
        return needs(op, types, dense)

    def coverage(self, cls: type[Op]) -> str:
        """By a kernel where there is one; of the rest, composites as their body and others by their reference."""
        if cls.name in KERNELS or _has_control_kernel(cls.name):
            return "kernel"
        return "body" if issubclass(cls, Composite) or cls.holds_graphs else "reference"

    def kernel(self, step: Step, types: Sequence[TensorType]) -> Kernel:
        """Its kernel, or its reference where there is none."""
        return step_kernel(step, types)

    def build(self, plan: Plan, *, timed: bool = False) -> Run:
        """One generated function, or several in a row for a long plan."""
        return build(plan, timed=timed)
