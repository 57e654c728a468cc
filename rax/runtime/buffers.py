"""Which values of a plan share memory: groups formed, results written over operands that die there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rax.ir.late import late
from rax.ir.op import Op
from rax.ir.types import TensorType, bool_
from rax.runtime.arena import Arena, Life, aligned, place
from rax.runtime.donation import after_readers
from rax.runtime.plan import Plan, Skeleton, Step, Structure, are_static, copied_outputs

if TYPE_CHECKING:
    from rax.runtime.orders import Orders

# Fewer elements than this fit the cache as they are.
SMALLEST = 1 << 18

# Plans that hold fewer bytes at once are not put in another order: all of it fits the cache.
LEAST_HELD = 1 << 18

# Short runs have no groups, and hold little.
_grouped = late("rax.runtime.grouping", "grouped")
_scratch = late("rax.runtime.grouping", "group_scratch")
_lower_orders = late("rax.runtime.order", "lower_orders")

Able = Callable[[Op, tuple[TensorType, ...]], bool]
"""Whether a backend can do something with an operation on such operands."""
Over = Callable[[Op, tuple[TensorType, ...]], Sequence[int]]
"""Over which operands, if they have the result's type, a backend can write that of an operation on such operands."""


class Arranger:
    """Forms groups and chooses an order, where all sizes are known, and shares out the buffers.

    Args:
        writes: see :func:`rax.runtime.planning.make_plan`.
        fuses: see there.
        places: see there.
        orders: see there.
    """

    def __init__(
        self, writes: Over | None, fuses: Able | None, places: Able | None = None, orders: Orders | None = None
    ) -> None:
        self._writes = writes
        self._fuses = fuses
        self._places = places
        self._orders = orders

    def __call__(
        self, skeleton: Skeleton, dim_values: Mapping[str, int], steps: Sequence[Step], types: Sequence[TensorType]
    ) -> Plan:
        """The plan of steps in the order of the graph."""
        if not are_static(types):
            return self._shared(skeleton, dim_values, steps, types)
        if self._fuses is not None and any(self._joins(self._fuses, step, types) for step in steps):
            steps = _grouped(skeleton, self._fuses, steps, types, SMALLEST)
        given = after_readers(skeleton, steps, types)
        if self._orders is None:
            return self._lowest(skeleton, dim_values, given, types)[1]
        made: Plan | None = None

        def find() -> list[int]:
            nonlocal made
            order, made = self._lowest(skeleton, dim_values, given, types)
            return order

        order = self._orders.order(skeleton, dim_values, given, find)
        return made or self._shared(skeleton, dim_values, [given[place] for place in order], types)

    @staticmethod
    def _joins(fuses: Able, step: Step, types: Sequence[TensorType]) -> bool:
        """Whether a step works on so many elements that it may be in a group."""
        if step.view or step.nested or len(step.results) != 1:
            return False
        operands = tuple([types[value] for value in step.operands])
        large = any(type.size.__index__() >= SMALLEST for type in (*operands, types[step.results[0]]))
        return large and bool(operands) and fuses(step.op, operands)

    def _lowest(
        self, skeleton: Skeleton, dim_values: Mapping[str, int], steps: Sequence[Step], types: Sequence[TensorType]
    ) -> tuple[list[int], Plan]:
        """The order that holds the least, of those tried, and its plan."""
        plan = self._without_arena(skeleton, dim_values, steps, types)
        few = plan.peak_bytes < LEAST_HELD
        orders: list[list[int]] = [] if few else _lower_orders(skeleton, plan.steps, types)
        for order in orders:
            other = self._without_arena(skeleton, dim_values, [steps[place] for place in order], types)
            if other.peak_bytes < plan.peak_bytes:
                return order, self._with_arena(other)
        return list(range(len(steps))), self._with_arena(plan)

    def _shared(
        self, skeleton: Skeleton, dim_values: Mapping[str, int], steps: Sequence[Step], types: Sequence[TensorType]
    ) -> Plan:
        return self._with_arena(self._without_arena(skeleton, dim_values, steps, types))

    def _with_arena(self, plan: Plan) -> Plan:
        """The plan with a place for each buffer, where sizes are known."""
        if self._places is None or not are_static(plan.types):
            return plan
        return plan.with_arena(_Placer(plan, self._places).arena())

    def _over_every(self, member: Step, types: Sequence[TensorType]) -> bool:
        operands = tuple([types[value] for value in member.operands])
        return self._writes is not None and len(self._writes(member.op, operands)) == len(operands)

    def _without_arena(
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
        kept = external - skeleton.donated
        buffers = list(skeleton.roots)
        if self._writes is not None:
            _Overwriter(skeleton, self._writes, types, kept, deaths).apply(arranged, buffers)
        for step in arranged:
            if step.members:
                able = [self._over_every(each, types) for each in step.members]
                step.scratch, step.space = _scratch(step, types, able)
        dying: list[list[int]] = [[] for _ in arranged]
        for value, root in enumerate(buffers):
            if value == root and value not in external and 0 <= deaths[value] < len(arranged):
                dying[deaths[value]].append(value)
        structure = Structure(
            skeleton.inputs, skeleton.outputs, skeleton.constants, buffers, last, external, kept, None, deaths, dying,
            skeleton,
        )  # fmt: skip
        return Plan(skeleton.graph, dim_values, tuple(arranged), types, structure)


class _Overwriter:
    """Lets results take the place of operands that die."""

    def __init__(
        self, skeleton: Skeleton, writes: Over, types: Sequence[TensorType], kept: frozenset[int], deaths: list[int]
    ) -> None:
        self._skeleton = skeleton
        self._writes = writes
        self._types = types
        self._kept = kept
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
        given = self._skeleton.donated
        able: Sequence[int] = range(len(step.operands))
        if not step.members:
            able = self._writes(step.op, tuple([self._types[operand] for operand in step.operands]))
        over = [step.operands[place] for place in able]
        for value in sorted(over, key=lambda value: value not in given) if given else over:
            root = roots[value]
            if root in self._kept or value in self._skeleton.parts or not self._skeleton.dense[value]:
                continue
            type = self._types[value]
            if type != self._types[result] or type.ndim == 0 or self._before[root] != index:
                continue
            if any(roots[other] == root and other != value for other in step.operands):
                continue
            if len(over) < len(step.operands) and step.operands.count(value) > 1:
                continue  # read as another operand too, which cannot be written over
            if step.blocking is not None and not step.blocking.may_write_over(result, value):
                continue
            return value
        return None


def spare_types(step: Step, types: Sequence[TensorType]) -> list[TensorType]:
    """What a loop needs beside its results: whether it goes on, and each carry once more.

    A round reads the carries in one place and writes them in the other.
    """
    op: Any = step.op
    if op.name == "scan":
        return [types[value] for value in step.results[: op.num_carry]]
    if op.name == "while_loop":
        return [TensorType(bool_, ()), *[types[value] for value in step.results]]
    return []


class _Placer:
    """Gives the buffers of a plan, whose steps have their last form, their places in an arena."""

    def __init__(self, plan: Plan, places: Able) -> None:
        structure = plan.structure
        self._steps = plan.steps
        self._skeleton = structure.skeleton
        self._places = places
        self._types = plan.types
        self._buffers = structure.buffers
        self._deaths = structure.deaths
        self._kept = structure.kept
        self._lives: list[Life] = []
        self._blocks: dict[int, int] = {}
        self._values: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._given: set[int] = set()

    def arena(self) -> Arena:
        """The places of all buffers."""
        wanted = self._wanted()
        self._given = {root for root in wanted if root is not None} if self._skeleton.nested else set()
        returned = {root for root in wanted if root is not None} - self._given
        able_roots: set[int] = set()
        for index, step in enumerate(self._steps):
            able = not step.view and self._able(step)
            for value in step.results:
                if self._buffers[value] == value:
                    self._sort_out(value, index, able=able, returned=value in returned)
                    if able:
                        able_roots.add(value)
            block = self._block_bytes(step) if step.nested else step.space.__index__()
            if block or step.nested:
                self._blocks[index] = len(self._lives)
                self._lives.append((block, index, index))
        offsets, nbytes = place(self._lives)
        given = tuple([root in able_roots for root in wanted]) if self._skeleton.nested else ()
        return Arena(
            {value: offsets[row] for value, row in self._values.items()},
            {index: (offsets[row], self._lives[row][0]) for index, row in self._blocks.items()},
            given, frozenset(self._fresh), nbytes,
        )  # fmt: skip

    def _able(self, step: Step) -> bool:
        """Whether the results can be written where they are due."""
        if step.nested or step.members:
            return True
        operands = tuple([self._types[operand] for operand in step.operands])
        return self._places(step.op, operands)

    def _sort_out(self, value: int, index: int, *, able: bool, returned: bool) -> None:
        if able and value in self._given:
            return
        if able and not returned:
            self._values[value] = len(self._lives)
            self._lives.append((self._types[value].nbytes.__index__(), index, self._deaths[value]))
        else:
            self._fresh.add(value)

    def _wanted(self) -> list[int | None]:
        """For each output the buffer that is its alone, if it has one, and in a nested graph looks just like it."""
        skeleton, types = self._skeleton, self._types
        copies = copied_outputs(skeleton.outputs, skeleton.parts, self._buffers, self._kept)
        found: list[int | None] = []
        for value, copied in zip(skeleton.outputs, copies, strict=True):
            root = self._buffers[value]
            alike = skeleton.roots[value] == value and types[root] == types[value]
            found.append(None if copied or (skeleton.nested and not alike) else root)
        return found

    def _block_bytes(self, step: Step) -> int:
        spare = sum([aligned(type.nbytes.__index__()) for type in spare_types(step, self._types)])
        return spare + max([plan.arena.nbytes if plan.arena is not None else 0 for plan in step.nested])
