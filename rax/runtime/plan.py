"""What a graph does step by step, and how much memory that takes before anything runs.

A plan numbers the values of a graph, says which of them share a buffer (views), and when each
buffer is born and dies. Its structure does not depend on sizes, so one plan of a graph with
symbolic dims serves every size: :meth:`Plan.plan_for` fills the numbers in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import RaxError, ShapeError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Literal, Node
from rax.ir.op import Op
from rax.ir.trail import NOWHERE, Origin
from rax.ir.types import TensorType, float32
from rax.ops.calls import Checkpoint, Custom
from rax.ops.creation import DimSize
from rax.ops.elementwise import Pointwise
from rax.ops.families import Composite
from rax.ops.window import Conv, SlidingWindows
from rax.runtime import fusion
from rax.runtime.deadline import check_time
from rax.runtime.layout import Strides, dense_strides, is_dense, is_ordered, viewed, window_strides
from rax.runtime.reference import failure

# Results that share their first operand's buffer; a reshape only where no element has to move.
VIEWS = frozenset({"reshape", "permute_dims", "slice", "broadcast_to", "flip", "stop_gradient"})

# Results that are C-contiguous whatever the layout of the operands; others follow those.
_DENSE = frozenset({"reshape", "matmul", "conv", "pad", "fold_windows"})

# Operations that read a stretched operand as it is; others make a copy of all its elements first.
_LEAN = frozenset({"sum", "prod", "max", "min", "all", "any", "mean", "matmul", "gather"})

# Views of every element of the operand, once.
_WHOLE_VIEWS = frozenset({"reshape", "permute_dims", "flip", "stop_gradient"})

# Which of the graphs an operation holds it runs; one that is not listed runs all of them.
_RUNS = {"custom_vjp": ("primal",), "custom_jvp": ("primal",)}


@dataclass(slots=True)
class Step:
    """One operation of a plan, on values by number.

    Attributes:
        op: the operation.
        operands: the values it reads.
        results: the values it makes.
        origin: where the user wrote it.
        view: whether the result shares the first operand's buffer.
        over: the operand that the result is written over, as it dies here; None if there is none.
        nested: the plans of the graphs it runs.
        scratch: the bytes it needs while it runs, where they may be far more than the operands and results take.
        members: of a group that runs block by block, its steps; ``op`` is the last one's.
    """

    op: Op
    operands: tuple[int, ...]
    results: tuple[int, ...]
    origin: Origin
    view: bool = False
    over: int | None = None
    nested: tuple[Plan, ...] = ()
    scratch: Size = 0
    members: tuple[Step, ...] = ()

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

    Bytes count what a run allocates: results of operations, outputs included, and what the
    graphs they run allocate. Inputs, which the caller owns, and constants do not count. Nor does
    the scratch memory of one operation, where that is in the order of its operands and results; what
    a conv pads and lays out counts, and the copy of an operand that a broadcast has stretched.
    Inputs are taken to be C-contiguous.

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

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
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
        self._structure = structure
        self.inputs = structure.inputs
        self.outputs = structure.outputs
        self.constants = structure.constants
        self.buffers = structure.buffers
        self.last_reads = structure.last_reads

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
        filler = _Filler(dim_values, types)
        steps = [filler.fill(step) for step in self.steps]
        structure = self._structure
        if structure.skeleton.fuses is not None and _are_static(types) and not _are_static(self.types):
            steps, structure = _arrange(structure.skeleton, steps, types)
        return Plan(self.graph, {**self.dim_values, **dim_values}, tuple(steps), types, structure)

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
            >>> x = new_input("x", tensor_type(("batch", 4)))
            >>> make_plan(Graph([x], [add(x, x)])).peak
            dim('16*batch')
        """
        highest: list[Size] = []
        for live in dict.fromkeys(self.live_bytes()):
            if not any(dims.at_least(other, live) for other in highest):
                highest = [other for other in highest if not dims.at_least(live, other)] + [live]
        total: Size = 0
        for live in highest:
            total = dims.maximum(total, live)
        return total

    def live_bytes(self) -> list[Size]:
        """The bytes held while each step runs, and last those of the outputs."""
        sizes = [self._bytes(value) for value in range(len(self.types))]
        rows: list[Size] = []
        live: Size = 0
        for step, dying in zip(self.steps, self._structure.dying, strict=True):
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
        for value, copied in zip(self.outputs, self.output_copies, strict=True):
            live = live + self.types[value].nbytes if copied else live
        return [*rows, live]

    def _bytes(self, value: int) -> Size:
        owns = self.buffers[value] == value and value not in self._structure.external
        return self.types[value].nbytes if owns else 0

    @property
    def output_copies(self) -> list[bool]:
        """Which outputs are copied at the end, since their memory is not theirs alone."""
        taken: set[int] = set()
        copies: list[bool] = []
        for value in self.outputs:
            root = self.buffers[value]
            part = self.types[root].size != self.types[value].size
            copies.append(part or root in taken or root in self._structure.external)
            taken.add(root)
        return copies

    def __str__(self) -> str:
        given = ", ".join(f"{name} = {size}" for name, size in self.dim_values.items())
        lines = [f"{len(self.steps)} steps{' with ' + given if given else ''}, peak {_amount(self.peak)}"]
        live = self.live_bytes()
        rows: list[tuple[str, ...]] = [("step", "operation", "result", "buffer", "life", "held")]
        for index, step in enumerate(self.steps):
            for value in step.results:
                root = self.buffers[value]
                where = _amount(self._bytes(value)) if root == value else f"in %{root}"
                ends = self._structure.deaths[root]
                end = "end" if ends == len(self.steps) else str(ends)
                operands = ", ".join(f"%{operand}" for operand in step.operands)
                called = f"%{value} = {step.name}({operands})"
                rows.append((str(index), called, str(self.types[value]), where, f"{index}-{end}", _amount(live[index])))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join(lines)


@dataclass(slots=True)
class Skeleton:
    """What is known of a plan before buffers are shared out.

    Attributes:
        inputs: see :class:`Plan`.
        outputs: see :class:`Plan`.
        constants: see :class:`Plan`.
        roots: for each value the value that it is a view of; itself if of none.
        dense: which values are C-contiguous.
        parts: the views that do not show each element of their buffer once.
        writes: see :func:`make_plan`.
        fuses: see :func:`make_plan`.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: dict[int, Literal]
    roots: list[int]
    dense: list[bool]
    parts: set[int]
    writes: Able | None
    fuses: Able | None


@dataclass(slots=True)
class Structure:
    """What of a plan does not depend on sizes.

    Attributes:
        inputs: see :class:`Plan`.
        outputs: see :class:`Plan`.
        constants: see :class:`Plan`.
        buffers: see :class:`Plan`.
        last_reads: see :class:`Plan`.
        external: the values whose memory a run does not allocate.
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
    deaths: list[int]
    dying: list[list[int]]
    skeleton: Skeleton


Able = Callable[[Op, tuple[TensorType, ...]], bool]
"""Whether a backend can do something with an operation on such operands."""


def make_plan(
    graph: Graph, takes: Callable[[Op], bool] | None = None, writes: Able | None = None, fuses: Able | None = None
) -> Plan:
    """Plan a graph.

    Args:
        graph: what to plan; named dims stay symbolic.
        takes: whether a backend runs an operation that has a body as one step. The bodies of
            the others are planned in their place.
        writes: whether it can write the result over any operand of its type; by default it never can.
        fuses: whether it can run the operation block by block, in a group; by default it never can.
    """
    builder = _Builder(takes or (lambda op: False), writes, fuses)
    inputs = tuple(builder.new(type) for type in graph.in_types)
    outputs = builder.run(graph, inputs, NOWHERE)
    return builder.finish(graph, inputs, outputs)


class _Filler:
    """Puts sizes into steps, and checks that each operation is defined for them."""

    def __init__(self, dim_values: Mapping[str, int], types: Sequence[TensorType]) -> None:
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
        scratch = dims.substitute(step.scratch, self._dim_values)
        return replace(step, op=op, nested=nested, scratch=scratch)

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


class _Builder:
    """Numbers values and lines up steps, with bodies put in place of operations."""

    def __init__(self, takes: Callable[[Op], bool], writes: Able | None, fuses: Able | None) -> None:
        self._takes = takes
        self._writes = writes
        self._fuses = fuses
        self._types: list[TensorType] = []
        self._buffers: list[int] = []
        self._dense: list[bool] = []
        self._strides: dict[int, Strides] = {}  # of values that are not dense, where they are known
        self._parts: set[int] = set()
        self._steps: list[Step] = []
        self._constants: dict[Node, int] = {}

    def new(self, type: TensorType, buffer: int | None = None, *, dense: bool = True) -> int:
        value = len(self._types)
        self._types.append(type)
        self._buffers.append(value if buffer is None else buffer)
        self._dense.append(dense)
        return value

    def run(self, graph: Graph, inputs: Sequence[int], outer: Origin) -> tuple[int, ...]:
        numbers: dict[Node, tuple[int, ...]] = {
            value.node: (number,) for value, number in zip(graph.inputs, inputs, strict=True)
        }
        for node in graph.nodes[len(inputs) :]:
            check_time()  # a short file may hold bodies in bodies that make a long plan
            if isinstance(node.op, Constant):
                if node not in self._constants:
                    self._constants[node] = self.new(node.types[0])
                numbers[node] = (self._constants[node],)
                continue
            op = cast("Op", node.op)
            operands = tuple([numbers[value.node][value.index] for value in node.inputs])
            origin = graph.origins.get(node, outer)
            body = None if self._takes(op) else body_of(op, [value.type for value in node.inputs])
            if body is not None:
                numbers[node] = self.run(body, operands, origin)
            else:
                numbers[node] = self._step(op, operands, node.types, origin)
        return tuple([numbers[value.node][value.index] for value in graph.outputs])

    def _step(
        self, op: Op, operands: tuple[int, ...], types: tuple[TensorType, ...], origin: Origin
    ) -> tuple[int, ...]:
        strides = self._viewed(op, operands[0], types[0]) if op.name in VIEWS else None
        view = op.name in VIEWS and (strides is not None or op.name != "reshape")
        if isinstance(op, SlidingWindows):
            strides = window_strides(types[0].shape, op.window)
        if view or isinstance(op, SlidingWindows):
            dense = strides is not None and is_dense(strides, types[0].shape)
        else:
            pointwise = isinstance(op, Pointwise)
            dense = op.name in _DENSE or all(self._lies_in_order(operand, pointwise) for operand in operands)
        buffer = self._buffers[operands[0]] if view else None
        results = tuple([self.new(type, buffer, dense=dense) for type in types])
        if strides is not None and not dense:
            self._strides[results[0]] = strides
        if view and (operands[0] in self._parts or op.name not in _WHOLE_VIEWS):
            self._parts.update(results)
        runs = op.holds_graphs and not isinstance(op, Composite)  # which a backend takes whole, or not at all
        nested = (
            tuple([make_plan(graph, self._takes, self._writes, self._fuses) for graph in graphs_run(op)])
            if runs
            else ()
        )
        scratch = 0 if view or op.holds_graphs else self._scratch(op, operands, types)
        self._steps.append(Step(op, operands, results, origin, view, None, nested, scratch))
        return results

    def _viewed(self, op: Op, operand: int, result: TensorType) -> Strides | None:
        shape = self._types[operand].shape
        strides = dense_strides(shape) if self._dense[operand] else self._strides.get(operand)
        return None if strides is None else viewed(op, shape, strides, result.shape)

    def _lies_in_order(self, operand: int, pointwise: bool) -> bool:
        """Whether an operation gives results that are dense, as far as this operand goes."""
        strides = self._strides.get(operand) if pointwise else None
        return self._dense[operand] or (strides is not None and is_ordered(strides, self._types[operand].shape))

    def _scratch(self, op: Op, operands: tuple[int, ...], results: tuple[TensorType, ...]) -> Size:
        """What an operation needs beside operands and results where that may be far more than those."""
        if isinstance(op, Conv):
            return op.scratch_bytes(*[self._types[value] for value in operands])
        total: Size = 0
        if isinstance(op, (Pointwise, DimSize)):
            return total
        for value in operands:
            type, buffer = self._types[value], self._types[self._buffers[value]]
            known = type is buffer or any(dims.at_least(other.nbytes, type.nbytes) for other in (buffer, *results))
            half = type.dtype.is_floating and type.dtype.itemsize < float32.itemsize
            if not known and (half or op.name not in _LEAN):
                total = total + type.size * (float32.itemsize if half else type.dtype.itemsize)
        return total

    def finish(self, graph: Graph, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Plan:
        constants = {number: cast("Constant", node.op).literal for node, number in self._constants.items()}
        skeleton = Skeleton(
            inputs, outputs, constants, self._buffers, self._dense, self._parts, self._writes, self._fuses
        )
        steps, structure = _arrange(skeleton, self._steps, self._types)
        return Plan(graph, {}, tuple(steps), self._types, structure)


def _are_static(types: Sequence[TensorType]) -> bool:
    return all(isinstance(size, int) for type in types for size in type.shape)


def _arrange(skeleton: Skeleton, steps: Sequence[Step], types: Sequence[TensorType]) -> tuple[list[Step], Structure]:
    """Form groups, where all sizes are known, and share out the buffers."""
    arranged = [replace(step, over=None) for step in steps]
    if skeleton.fuses is not None and _are_static(types):
        arranged = _grouped(skeleton, skeleton.fuses, arranged, types)
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
    if skeleton.writes is not None:
        _Overwriter(skeleton, types, external, deaths).apply(arranged, buffers)
    for step in arranged:
        if step.members:
            able = [
                skeleton.writes is not None
                and skeleton.writes(each.op, tuple([types[value] for value in each.operands]))
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
    return arranged, structure


class _Overwriter:
    """Lets results take the place of operands that die."""

    def __init__(
        self, skeleton: Skeleton, types: Sequence[TensorType], external: frozenset[int], deaths: list[int]
    ) -> None:
        self._skeleton = skeleton
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
        roots, writes = self._skeleton.roots, self._skeleton.writes
        assert writes is not None
        for value in step.operands:
            root = roots[value]
            if root in self._external or value in self._skeleton.parts or not self._skeleton.dense[value]:
                continue
            type = self._types[value]
            if type != self._types[result] or type.ndim == 0 or self._before[root] != index:
                continue
            if any(roots[other] == root and other != value for other in step.operands):
                continue
            able = step.members or writes(step.op, tuple([self._types[operand] for operand in step.operands]))
            return value if able else None
        return None


def _grouped(skeleton: Skeleton, fuses: Able, steps: Sequence[Step], types: Sequence[TensorType]) -> list[Step]:
    """Put large elementwise steps into groups, each where its last step stood."""
    shapes: dict[int, tuple[int, ...]] = {}
    stretched: dict[int, int] = {}  # what a broadcast shows, by the value it makes
    for place, step in enumerate(steps):
        if step.view:
            if step.op.name == "broadcast_to":
                stretched[step.results[0]] = step.operands[0]
            continue
        if len(step.results) != 1 or step.nested or step.members:
            continue
        result = types[step.results[0]]
        if not result.ndim or result.size.__index__() < fusion.SMALLEST:
            continue
        if fuses(step.op, tuple([types[operand] for operand in step.operands])):
            shapes[place] = fusion.sizes(result)
    groups = fusion.find_groups([(step.operands, step.results) for step in steps], shapes)
    readers: dict[int, int] = dict.fromkeys(skeleton.outputs, 1)
    for step in steps:
        for value in set(step.operands):
            readers[value] = readers.get(value, 0) + 1
    replaced: dict[int, Step | None] = {}
    for places in groups:
        group = _group(skeleton, [steps[place] for place in places], types, readers, stretched)
        if group is not None:
            replaced.update(dict.fromkeys(places))
            replaced[places[-1]] = group
    found = [replaced.get(place, step) for place, step in enumerate(steps)]
    return [step for step in found if step is not None]


def _group(
    skeleton: Skeleton,
    members: Sequence[Step],
    types: Sequence[TensorType],
    readers: Mapping[int, int],
    stretched: Mapping[int, int],
) -> Step | None:
    """One step in place of several; None where its blocks would be too large, or it is not worth it.

    Its scratch is in elements, until it is known what it writes over.
    """
    made = [step.results[0] for step in members]
    inside = dict.fromkeys(made, 0)
    for step in members:
        for value in set(step.operands) & inside.keys():
            inside[value] += 1
    operands = tuple(dict.fromkeys([value for step in members for value in step.operands if value not in inside]))
    results = tuple([value for value in made if readers.get(value, 0) > inside[value]])
    if len(members) < fusion.FEWEST or not results:
        return None
    shape, sources = fusion.sizes(types[made[0]]), [stretched.get(value, value) for value in operands]
    dense = all(skeleton.dense[value] for value in sources)
    cut = fusion.layout(shape, [fusion.sizes(types[value]) for value in sources], dense=dense)
    if cut.block_size > 2 * fusion.BLOCK:
        return None
    last = members[-1]
    elements = cut.block_size * min(fusion.threads(), len(cut.blocks()))
    return Step(last.op, operands, results, last.origin, scratch=elements, members=tuple(members))


def group_program(step: Step, types: Sequence[TensorType], able: Sequence[bool]) -> fusion.Program:
    """What a group does to each block; ``able`` says which members can write their result over an operand."""
    work = [(member.operands, member.results) for member in step.members]
    return fusion.make_program(work, step.operands, step.results, types, able.__getitem__, step.over)


def body_of(op: Op, types: Sequence[TensorType]) -> Graph | None:
    """A graph that computes the same as an operation, where it has one."""
    if isinstance(op, Composite):
        return op.body(*types)
    if isinstance(op, Checkpoint):
        return op.body
    return op.primal if isinstance(op, Custom) else None


def graphs_run(op: Op) -> list[Graph]:
    """The graphs an operation holds and runs, in order."""
    found: list[Graph] = []
    held = op.attributes()
    pending = [held[name] for name in reversed(_RUNS.get(op.name, tuple(held)))]
    while pending:
        item = pending.pop()
        if isinstance(item, Graph):
            found.append(item)
        elif isinstance(item, tuple):
            pending += reversed(cast("tuple[object, ...]", item))
    return found


def _amount(size: Size) -> str:
    return f"{size:,} bytes" if isinstance(size, int) else f"{size} bytes"
