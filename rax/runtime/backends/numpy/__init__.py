"""The embedded backend: a plan becomes one straight line of calls into NumPy."""

from __future__ import annotations

from rax.ir.op import Op
from rax.ops.families import Composite
from rax.runtime.backends.base import Backend, Run
from rax.runtime.backends.numpy.codegen import build
from rax.runtime.backends.numpy.table import KERNELS
from rax.runtime.plan import Plan


class NumpyBackend(Backend):
    """Runs plans with NumPy alone."""

    name = "numpy"

    def takes(self, op: Op) -> bool:
        """Composites that have a kernel; the others, checkpoints too, run as their bodies."""
        return isinstance(op, Composite) and op.name in KERNELS

    def build(self, plan: Plan) -> Run:
        """One generated function, or several in a row for a long plan."""
        return build(plan)
