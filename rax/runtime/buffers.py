"""Which values of a plan share memory: groups formed, results written over operands that die there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.runtime.grouping import group_program, grouped
from rax.runtime.order import lower_orders
from rax.runtime.plan import Plan, Skeleton, Step, Structure, are_static

Able = Callable[[Op, tuple[TensorType, ...]], bool]
"""Whether a backend can do something with an operation on such operands."""


class Arranger:
    """Forms groups and chooses an order, where all sizes are known, and shares out the buffers.

    Args:
        writes: see :func:`rax.runtime.planning.make_plan`.
        fuses: see there.
    """

    def __init__(self, writes: Able | None, fuses: Able | None) -> None:
        self._writes = writes
        self._fuses = fuses

    def __call__(
        self, skeleton: Skeleton, dim_values: Mapping[str, int], steps: Sequence[Step], types: Sequence[TensorType]
    ) -> Plan:
        """The plan of steps in the order of the graph."""
        if not are_static(types):
            return self._shared(skeleton, dim_values, steps, types)
        if self._fuses is not None:
            steps = grouped(skeleton, self._fuses, steps, types)
        plan = self._shared(skeleton, dim_values, steps, types)
        for order in lower_orders(skeleton, plan.steps, types):
            other = self._shared(skeleton, dim_values, [steps[place] for place in order], types)
            if other.peak_bytes < plan.peak_bytes:
                return other
        return plan

    def _shared(
        self, skeleton: Skeleton, dim_values: Mapping[str, int], steps: Sequence[Step], types: Sequence[TensorType]
    ) -> Plan:
        """The plan of steps in the order in which they run."""
        arranged = [step.replaced(over=None) for step in steps]
        last = [-1] * len(types)
        deaths = [-1] * len(types)
        for index, step in enumerate(arranged):
            for value in step.operands:
                last[value] = index
            for value in step.results:
                deaths[value] = index
        for value in skeleton.outputs:
            last[value] = len(arranged)
        for value, root in enumerate(skeleton.roots):
            deaths[root] = max(deaths[root], deaths[value], last[value])
        external = frozenset((*skeleton.inputs, *skeleton.constants))
        buffers = list(skeleton.roots)
        if self._writes is not None:
            _Overwriter(skeleton, self._writes, types, external, deaths).apply(arranged, buffers)
        for step in arranged:
            if step.members:
                able = [
                    self._writes is not None and self._writes(each.op, tuple([types[value] for value in each.operands]))
                    for each in step.members
                ]
                step.scratch = step.scratch * group_program(step, types, able).scratch_bytes
        dying: list[list[int]] = [[] for _ in arranged]
        for value, root in enumerate(buffers):
            if value == root and value not in external and 0 <= deaths[value] < len(arranged):
                dying[deaths[value]].append(value)
        structure = Structure(
            skeleton.inputs, skeleton.outputs, skeleton.constants, buffers, last, external, deaths, dying, skeleton
        )
        return Plan(skeleton.graph, dim_values, tuple(arranged), types, structure)


class _Overwriter:
    """Lets results take the place of operands that die."""

    def __init__(
        self, skeleton: Skeleton, writes: Able, types: Sequence[TensorType], external: frozenset[int], deaths: list[int]
    ) -> None:
        self._skeleton = skeleton
        self._writes = writes
        self._types = types
        self._external = external
        self._deaths = deaths
        self._before = list(deaths)

    def apply(self, steps: Sequence[Step], buffers: list[int]) -> None:
        """Choose what each step writes over, and change ``buffers`` and the deaths to suit."""
        for index, step in enumerate(steps):
            over = step.operands[0] if step.view else self._choose(index, step)
            if not step.view:
                step.over = over
            if over is not None:
                for value in step.results:
                    merged = buffers[value] = buffers[over]
                    self._deaths[merged] = max(self._deaths[merged], self._before[value])

    def _choose(self, index: int, step: Step) -> int | None:
        if len(step.results) != 1 or step.nested or (step.members and step.members[-1].results != step.results):
            return None
        (result,) = step.results
        roots = self._skeleton.roots
        for value in step.operands:
            root = roots[value]
            if root in self._external or value in self._skeleton.parts or not self._skeleton.dense[value]:
                continue
            type = self._types[value]
            if type != self._types[result] or type.ndim == 0 or self._before[root] != index:
                continue
            if any(roots[other] == root and other != value for other in step.operands):
                continue
            able = step.members or self._writes(step.op, tuple([self._types[operand] for operand in step.operands]))
            return value if able else None
        return None
