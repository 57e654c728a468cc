"""What a graph does step by step, and how much memory that takes before anything runs.

A plan numbers the values of a graph, says which of them share a buffer (views), and when each
buffer is born and dies. One plan of a graph with symbolic dims serves every size:
:meth:`Plan.plan_for` fills the numbers in, and then has the steps arranged for them.
:mod:`rax.runtime.planning` makes plans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import RaxError, ShapeError
from rax.ir.graph import Graph
from rax.ir.late import late
from rax.ir.node import Literal
from rax.ir.op import Op
from rax.ir.record import Frozen, Record
from rax.ir.trail import Origin
from rax.ir.types import TensorType
from rax.runtime.arena import ALIGNMENT, Arena, aligned
from rax.runtime.reference import failure

if TYPE_CHECKING:
    from rax.runtime.fusion import Blocking

_readable = late("rax.runtime.amounts", "amount")  # for what is printed


class Step(Record):
    """One operation of a plan, on values by number.

    Attributes:
        op: the operation.
        operands: the values it reads.
        results: the values it makes.
        origin: where the user wrote it.
        view: whether the result shares the first operand's buffer.
        over: the operand that the result is written over, as it dies here; None if there is none.
        nested: the plans of the graphs it runs.
        scratch: the bytes it needs while it runs, beside operands and results.
        space: those of them that the run gives it, in the arena where there is one; the rest it allocates itself.
        members: of a group that runs block by block, its steps; ``op`` is the last one's.
        blocking: how the values of such a group follow its blocks.
    """

    op: Op
    operands: tuple[int, ...]
    results: tuple[int, ...]
    origin: Origin
    view: bool = False
    over: int | None = None
    nested: tuple[Plan, ...] = ()
    scratch: Size = 0
    space: Size = 0
    members: tuple[Step, ...] = ()
    blocking: Blocking | None = None

    @property
    def name(self) -> str:
        """The operation, or those of a group."""
        return "+".join([step.op.name for step in self.members]) or self.op.name


class Plan:
    """The schedule of a graph and the lives of its buffers.

    Once all sizes are known, large elementwise steps form groups that run block by block: the values
    that only a group reads have no buffer. So ``peak`` of symbolic sizes is that without groups.

    A result is written over an operand that no one reads later, where the backend can, and then
    lives in that operand's buffer.

    Once all sizes are known, and the backend can write results where it is told, the buffers lie in
    one arena, which a run holds from its start to its end; those of the graphs that a loop runs lie
    within it, as does the scratch memory that kernels are given. What is returned is allocated on its own, as is
    what the backend's kernels allocate themselves.

    Bytes count what a run allocates: the arena, outputs, the results of other kernels, and what the
    graphs they run allocate. Inputs, which the caller owns, and constants do not count. The scratch memory of
    one operation counts as far as the backend says how much it is.
    Inputs are taken to be C-contiguous. The peak of symbolic sizes is that without an arena: it leaves out
    the gaps between buffers, that outputs do not lie in the arena, and a loop's second buffers of its carries.

    Attributes:
        graph: the graph planned.
        dim_values: the sizes filled in.
        steps: the operations in the order they run.
        types: the type of each value.
        inputs: the values of the graph's inputs.
        outputs: the values of the graph's outputs.
        constants: the values that are data of the graph.
        buffers: for each value the value whose buffer it lives in; itself if it owns one.
        last_reads: for each value the last step that reads it; ``len(steps)`` for an output.
        arena: where the buffers lie; None where sizes are symbolic or the backend allocates every result.
        remat: what runs again to hold less, where a budget of memory asks for it; else None.
        structure: what of it does not depend on sizes.

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
        >>> from rax.runtime.planning import make_plan
        >>> x = new_input("x", tensor_type(("batch", 4)))
        >>> plan = make_plan(Graph([x], [add(add(x, x), x)]))
        >>> plan.plan_for(batch=8).peak_bytes
        256
    """

    def __init__(
        self,
        graph: Graph,
        dim_values: Mapping[str, int],
        steps: tuple[Step, ...],
        types: Sequence[TensorType],
        structure: Structure,
    ) -> None:
        self.graph = graph
        self.dim_values = dict(dim_values)
        self.steps = steps
        self.types = types
        self.structure = structure
        self.inputs = structure.inputs
        self.outputs = structure.outputs
        self.constants = structure.constants
        self.buffers = structure.buffers
        self.last_reads = structure.last_reads
        self.arena = structure.arena
        self.remat: Remat | None = None

    @property
    def is_dense(self) -> Sequence[bool]:
        """For each value whether it is C-contiguous."""
        return self.structure.skeleton.dense

    @property
    def dim_names(self) -> tuple[str, ...]:
        """The named dims that still have no value."""
        found = {name for type in self.types for size in type.shape for name in dims.variables(size)}
        for step in self.steps:
            found.update(*[plan.dim_names for plan in step.nested])
        return tuple(sorted(found))

    def plan_for(self, **dim_values: int) -> Plan:
        """The plan for given sizes of the named dims.

        Raises:
            ExecutionError: an operation is not defined for these sizes.
        """
        if not dim_values or not self.dim_names:
            return self
        known: dict[TensorType, TensorType] = {}
        for type in self.types:
            if type not in known:
                known[type] = type.with_shape(tuple(dims.substitute(size, dim_values) for size in type.shape))
        types = [known[type] for type in self.types]
        filler = _Filler(dim_values, types, self.structure.skeleton)
        steps = [filler.fill(step) for step in self.steps]
        structure, given = self.structure, {**self.dim_values, **dim_values}
        if are_static(types) and not are_static(self.types):
            return structure.skeleton.arrange(structure.skeleton, given, steps, types)
        return Plan(self.graph, given, tuple(steps), types, structure)

    def with_arena(self, arena: Arena) -> Plan:
        """The plan with its buffers in an arena."""
        structure = self.structure.replaced(arena=arena)
        return Plan(self.graph, self.dim_values, self.steps, self.types, structure)

    @cached_property
    def peak_bytes(self) -> int:
        """The most bytes a run holds at once.

        Raises:
            ShapeError: a named dim has no value yet.
        """
        peak = 0
        for live in self.live_bytes():
            if not isinstance(live, int):
                sizes = ", ".join(f"{name}=32" for name in self.dim_names)
                raise ShapeError(
                    f"the peak depends on {', '.join(self.dim_names)}", fix=f"give the sizes: plan.plan_for({sizes})"
                )
            peak = max(peak, live)
        return peak

    @property
    def peak(self) -> Size:
        """The most bytes a run holds at once, as an expression over the named dims.

        Example:
            >>> from rax.ir.node import new_input
            >>> from rax.ir.types import tensor_type
            >>> from rax.ops.algebra import add
            >>> from rax.runtime.planning import make_plan
            >>> x = new_input("x", tensor_type(("batch", 4)))
            >>> make_plan(Graph([x], [add(x, x)])).peak
            dim('16*batch')
        """
        if self.arena is not None:
            return self.peak_bytes
        highest: list[Size] = []
        for live in dict.fromkeys(self.live_bytes()):
            if not any(dims.at_least(other, live) for other in highest):
                highest = [other for other in highest if not dims.at_least(live, other)] + [live]
        total: Size = 0
        for live in highest:
            total = dims.maximum(total, live)
        return total

    def held_bytes(self) -> list[Size]:
        """The bytes that are needed to come past each step, and past the end; the most of all is the peak."""
        arena = self.arena
        if arena is None:
            return self.live_bytes()
        tops = [0] * (len(self.steps) + 1)
        for index, step in enumerate(self.steps):
            begins = [(arena.offsets[value], self._bytes(value)) for value in step.results if value in arena.offsets]
            if index in arena.blocks:
                begins.append(arena.blocks[index])
            tops[index] = max([begin + aligned(size.__index__()) for begin, size in begins], default=0)
        return [
            self._slack + top + fresh
            for top, fresh in zip(accumulate(tops, max), accumulate(self.fresh_bytes(), max), strict=True)
        ]

    @property
    def _slack(self) -> int:
        """What it may take for an arena to begin where it should; one within another does."""
        nested = self.structure.skeleton.nested
        return ALIGNMENT if self.arena is not None and self.arena.nbytes and not nested else 0

    def fresh_bytes(self) -> list[int]:
        """The bytes held outside the arena while each step runs, and at the end; all sizes are known."""
        arena = self.arena
        assert arena is not None
        rows: list[int] = []
        live = 0
        for step, dying in zip(self.steps, self.structure.dying, strict=True):
            live += sum([self.types[value].nbytes.__index__() for value in step.results if value in arena.fresh])
            own = (step.scratch - step.space).__index__()
            rows.append(live + max([own, *[max(plan.fresh_bytes()) for plan in step.nested]]))
            live -= sum([self.types[value].nbytes.__index__() for value in dying if value in arena.fresh])
        copies = 0 if self.structure.skeleton.nested else self._copied_bytes().__index__()
        return [*rows, live + copies]

    def live_bytes(self) -> list[Size]:
        """The bytes held while each step runs, and last those of the outputs; the arena counts all the time."""
        if self.arena is not None:
            return [self._slack + self.arena.nbytes + fresh for fresh in self.fresh_bytes()]
        return self.value_bytes()

    def value_bytes(self) -> list[Size]:
        """The bytes of what is alive while each step runs, wherever it lies, and of the outputs."""
        sizes = [self._bytes(value) for value in range(len(self.types))]
        rows: list[Size] = []
        live: Size = 0
        for step, dying in zip(self.steps, self.structure.dying, strict=True):
            for value in step.results:
                live = live + sizes[value]
            scratch = step.scratch
            for plan in step.nested:
                scratch = dims.maximum(scratch, plan.peak)
            if step.op.name == "cond":  # its results are the branch's own
                for value in step.results:
                    scratch = scratch - sizes[value]
            rows.append(live + scratch)
            for value in dying:
                live = live - sizes[value]
        return [*rows, live + self._copied_bytes()]

    def _copied_bytes(self) -> Size:
        copies: Size = 0
        for value, copied in zip(self.outputs, self.output_copies, strict=True):
            copies = copies + self.types[value].nbytes if copied else copies
        return copies

    def _bytes(self, value: int) -> Size:
        owns = self.buffers[value] == value and value not in self.structure.external
        return self.types[value].nbytes if owns else 0

    @property
    def output_copies(self) -> list[bool]:
        """Which outputs are copied at the end, since their memory is not theirs alone."""
        return copied_outputs(self.outputs, self.structure.skeleton.parts, self.buffers, self.structure.kept)

    def __str__(self) -> str:
        given = ", ".join(f"{name} = {size}" for name, size in self.dim_values.items())
        lines = [f"{len(self.steps)} steps{' with ' + given if given else ''}, peak {_amount(self.peak)}"]
        if self.arena is not None and self.arena.nbytes:
            lines[0] += f", of which {_amount(self.arena.nbytes)} are an arena"
        lines += [str(self.remat)] if self.remat is not None else []
        live = self.live_bytes()
        rows: list[tuple[str, ...]] = [("step", "operation", "result", "buffer", "life", "held")]
        for index, step in enumerate(self.steps):
            for value in step.results:
                root = self.buffers[value]
                where = _amount(self._bytes(value)) if root == value else f"in %{root}"
                if self.arena is not None and value in self.arena.offsets:
                    where += f" at {self.arena.offsets[value]:,}"
                ends = self.structure.deaths[root]
                end = "end" if ends == len(self.steps) else str(ends)
                operands = ", ".join(f"%{operand}" for operand in step.operands)
                called = f"%{value} = {step.name}({operands})"
                rows.append((str(index), called, str(self.types[value]), where, f"{index}-{end}", _amount(live[index])))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join(lines)


class Remat(Frozen):
    """What it costs to hold less.

    Attributes:
        before: the peak without it, in bytes.
        after: the peak with it, in bytes.
        steps: how many steps run again.
        bytes_moved: what those read and write.
        flops: the operations on numbers they take, counted as a profile does.
    """

    before: int
    after: int
    steps: int
    bytes_moved: int
    flops: int

    def __str__(self) -> str:
        return (
            f"holds {_readable(self.after)} in place of {_readable(self.before)}: runs {self.steps} steps again, "
            f"which move {_readable(self.bytes_moved)} and compute {self.flops / 1e9:.3g} GFLOP"
        )


class Skeleton(Record):
    """What is known of a plan before buffers are shared out.

    Attributes:
        graph: see :class:`Plan`.
        inputs: see there.
        outputs: see there.
        constants: see there.
        roots: for each value the value that it is a view of; itself if of none.
        dense: which values are C-contiguous.
        parts: the views that do not show each element of their buffer once.
        nested: whether the graph is that of a loop or choice.
        donated: the inputs whose memory a run may write over.
        arrange: what puts the steps in their last form, and shares out the buffers.
        needs: how much scratch memory the backend takes for an operation.
    """

    graph: Graph
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: dict[int, Literal]
    roots: list[int]
    dense: list[bool]
    parts: set[int]
    nested: bool
    donated: frozenset[int]
    arrange: Arrange
    needs: Needs


class Structure(Record):
    """What of a plan does not depend on sizes.

    Attributes:
        inputs: see :class:`Plan`.
        outputs: see :class:`Plan`.
        constants: see :class:`Plan`.
        buffers: see :class:`Plan`.
        last_reads: see :class:`Plan`.
        external: the values whose memory a run does not allocate.
        kept: those of them that it may not write over.
        arena: see :class:`Plan`.
        deaths: for each value that owns a buffer, the last step that reads the buffer.
        dying: for each step the values whose buffers die after it.
        skeleton: what it was made from.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: dict[int, Literal]
    buffers: list[int]
    last_reads: list[int]
    external: frozenset[int]
    kept: frozenset[int]
    arena: Arena | None
    deaths: list[int]
    dying: list[list[int]]
    skeleton: Skeleton


Arrange = Callable[[Skeleton, Mapping[str, int], Sequence[Step], Sequence[TensorType]], Plan]
"""From the sizes filled in, and steps in the order of the graph, to a plan."""


def copied_outputs(outputs: Sequence[int], parts: set[int], buffers: Sequence[int], kept: frozenset[int]) -> list[bool]:
    """For each output whether it is copied at the end.

    Args:
        outputs: the values.
        parts: the views that do not show each element of their buffer once; one that repeats them is read-only.
        buffers: for each value the value whose buffer it lives in.
        kept: the buffers that are not a run's to give away.
    """
    taken: set[int] = set()
    copies: list[bool] = []
    for value in outputs:
        root = buffers[value]
        copies.append(value in parts or root in taken or root in kept)
        taken.add(root)
    return copies


def are_static(types: Sequence[TensorType]) -> bool:
    """Whether all sizes are numbers."""
    return all(isinstance(size, int) for type in types for size in type.shape)


Needs = Callable[[Op, Sequence[TensorType], Sequence[bool]], "tuple[Size, Size] | None"]
"""The bytes that an operation takes beside operands, of which some are C-contiguous, and results, and how many of
them it is to be given; None where nothing else is known than what its definition says."""


class _Filler:
    """Puts sizes into steps, and checks that each operation is defined for them."""

    def __init__(self, dim_values: Mapping[str, int], types: Sequence[TensorType], skeleton: Skeleton) -> None:
        self._dense = skeleton.dense
        self._needs = skeleton.needs
        self._dim_values = dim_values
        self._types = types
        self._ops: dict[int, Op] = {}
        self._results: dict[tuple[int, tuple[TensorType, ...]], tuple[TensorType, ...]] = {}

    def fill(self, step: Step) -> Step:
        if step.members:  # its sizes were known when it was made
            return step
        op = self._ops.get(id(step.op))
        if op is None:
            op = self._ops[id(step.op)] = step.op.substitute_dims(self._dim_values)
        operands = tuple([self._types[value] for value in step.operands])
        if (id(op), operands) not in self._results:
            self._results[id(op), operands] = self._check(op, operands, step)
        nested = tuple([plan.plan_for(**self._dim_values) for plan in step.nested])
        needed = None
        if not step.view and not step.nested:
            needed = self._needs(op, operands, [self._dense[value] for value in step.operands])
        scratch, space = needed or (dims.substitute(step.scratch, self._dim_values), 0)
        return step.replaced(op=op, nested=nested, scratch=scratch, space=space)

    def _check(self, op: Op, operands: tuple[TensorType, ...], step: Step) -> tuple[TensorType, ...]:
        due = tuple([self._types[value] for value in step.results])
        try:
            found = op.infer(*operands)
        except RaxError as error:
            raise failure(op, operands, error, step.origin) from error
        if found != due:
            sizes = ", ".join(f"{name} = {size}" for name, size in self._dim_values.items())
            raise failure(op, operands, ValueError(f"for {sizes} its result is {found}, not {due}"), step.origin)
        return found


def _amount(size: Size) -> str:
    return f"{size:,} bytes" if isinstance(size, int) else f"{size} bytes"
