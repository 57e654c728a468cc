"""From a plan to Python: straight-line functions in which every kernel, constant and buffer is a local.

A value in the arena is an array that is made when the functions are bound to memory: a step writes into it,
views of it are made then too, and neither costs a run anything. Every other value lives in a local
variable, a slot, from the step that makes it to the last that reads it; then the slot is overwritten or
emptied, so NumPy frees the memory exactly when planned. Long plans are cut into chunks that hand the live
values on, so that no function grows out of hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any, cast

import numpy as np

from rax.ir.errors import ExecutionError
from rax.ir.late import late
from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.ops.elementwise import Pointwise
from rax.runtime.arena import aligned
from rax.runtime.backends.base import Run
from rax.runtime.backends.numpy.instances import Instances
from rax.runtime.backends.numpy.kernel import Direct, Kernel
from rax.runtime.backends.numpy.source import compiled, line_of
from rax.runtime.backends.numpy.step import is_shared, step_kernel
from rax.runtime.buffers import spare_types
from rax.runtime.deadline import check_time
from rax.runtime.plan import Plan, Step
from rax.runtime.reference import failure

_make_gemm = late("rax.runtime.backends.numpy.gemm", "make_gemm")
_shared_product = late("rax.runtime.backends.numpy.products", "shared_product")
# Few graphs have loops or choices.
_body = late("rax.runtime.backends.numpy.control", "Body")
_control_kernel = late("rax.runtime.backends.numpy.control", "control_kernel")

CHUNK_STEPS = 512
# Results of constants alone are computed once, if they are views or they and the operands no larger than this,
_FOLD_BYTES = 1 << 16
# and all that are kept no larger than this.
_FOLDED_BYTES = 1 << 24
# Functions that NumPy warns of when ``out`` has no name.
_BY_KEYWORD = (np.maximum, np.minimum)


def build(plan: Plan, *, timed: bool) -> Run:
    """A function that runs a plan; see :class:`rax.runtime.backends.base.Backend`."""
    with np.errstate(all="ignore"):
        program = _Program(plan, _Folded(), owned=True, timed=timed)
    return Instances(program.bind, plan.arena.nbytes if plan.arena is not None else 0).run


class _Buffer(int):
    """Stands among a function's objects for a value in the arena, by its number."""


class _Space(int):
    """Stands there for the scratch memory of a step, by its place."""


class _Control(int):
    """Stands there for the kernel of a step that runs graphs, by its place."""


class _Program:
    """The functions of a plan, before they are bound to memory.

    Args:
        plan: what they run.
        folded: what may be computed now.
        owned: whether outputs must share no memory with anything else; else, in a loop or choice, arrays for them
            follow the inputs.
        timed: whether they look at the clock.
    """

    def __init__(self, plan: Plan, folded: _Folded, *, owned: bool, timed: bool) -> None:
        self._plan = plan
        self._nested: dict[int, list[_Program]] = {}
        kernels = _Kernels(plan)
        known: dict[int, Any] = {value: literal.array for value, literal in plan.constants.items()}
        self._known = known
        offsets = plan.arena.offsets if plan.arena is not None else {}
        self._buffers: dict[int, tuple[Step, Kernel]] = {}
        steps: list[tuple[Step, Kernel]] = []
        spaces: dict[int, _Space] = {}  # by the step's place among those
        for place, step in enumerate(plan.steps):
            if timed:
                check_time()
            if step.nested:
                self._nested[place] = [_Program(each, folded, owned=False, timed=timed) for each in step.nested]
                kernel: Kernel = _Control(place)  # pyright: ignore[reportAssignmentType]  # bound to one later
            else:
                kernel = kernels.find(step)
                if folded.add(plan, step, kernel, known):
                    continue
            if step.view and step.operands[0] in self._buffers:
                self._buffers[step.results[0]] = step, kernel
                continue
            if not step.view:
                placed = [value for value in step.results if plan.buffers[value] in offsets]
                self._buffers.update(dict.fromkeys(placed, (step, kernel)))
            if plan.arena is not None and place in plan.arena.blocks and not step.nested:
                spaces[len(steps)] = _Space(place)
            steps.append((step, kernel))
        emitter = _Emitter(plan, known, self._buffers.keys(), steps, spaces, owned=owned, timed=timed)
        self._chunks = [chunk.compiled() for chunk in emitter.emit()]
        self._steps = [step for step, _ in steps]
        given = plan.arena.given if plan.arena is not None else ()
        self.copied = tuple([
            place
            for place, value in enumerate(plan.outputs)
            if not given or not given[place] or plan.buffers[value] in known
        ])  # fmt: skip

    def bind(self, memory: Array) -> Run:
        """What runs the plan in an arena; not in two threads at once.

        Args:
            memory: as many bytes as the plan says, aligned.
        """
        arrays = _Arrays(self._plan, self._buffers, self._known, memory)
        controls = {place: self._control(place, programs, memory) for place, programs in self._nested.items()}
        chunks: list[Run] = []
        for code, objects in self._chunks:
            bound = [
                arrays[each] if type(each) is _Buffer
                else controls[each] if type(each) is _Control
                else self._space(each, memory) if type(each) is _Space
                else each
                for each in objects
            ]  # fmt: skip
            chunks.append(cast("Run", FunctionType(code, {}, "chunk", tuple(bound))))
        return _run_of(self._plan, self._steps, chunks)

    def _space(self, place: int, memory: Array) -> Array:
        assert self._plan.arena is not None
        begin, size = self._plan.arena.blocks[place]
        return memory[begin : begin + size]

    def _control(self, place: int, programs: Sequence[_Program], memory: Array) -> Kernel:
        plan, step = self._plan, self._plan.steps[place]
        begin = plan.arena.blocks[place][0] if plan.arena is not None else 0
        spare: list[Array] = []
        for type in spare_types(step, plan.types):
            shape, dtype = concrete(type.shape), numpy_dtype(type.dtype)
            if plan.arena is None:
                spare.append(np.empty(shape, dtype))
            else:
                spare.append(np.ndarray(shape, dtype, memory, begin))
                begin += aligned(_nbytes(type))
        return _control_kernel(step.op, [_body(each.bind(memory[begin:]), each.copied) for each in programs], spare)


class _Arrays(dict[int, Array]):
    """The values of a plan that lie in its arena, each made when it is first asked for."""

    def __init__(
        self, plan: Plan, makers: Mapping[int, tuple[Step, Kernel]], known: Mapping[int, Any], memory: Array
    ) -> None:
        super().__init__()
        self._plan = plan
        self._makers = makers
        self._known = known
        self._memory = memory
        assert plan.arena is not None or not makers
        self._offsets: Mapping[int, int] = plan.arena.offsets if plan.arena is not None else {}

    def __missing__(self, value: int) -> Array:
        pending = [value]
        while pending:
            last = pending[-1]
            step, kernel = self._makers[last]
            base = step.operands[0] if step.view else None
            if base is not None and base not in self:
                pending.append(base)  # a chain of views may be long
                continue
            self[last] = kernel(self[base]) if base is not None else self._buffer(last, step, kernel)
            pending.pop()
        return self[value]

    def _buffer(self, value: int, step: Step, kernel: Kernel) -> Array:
        type = self._plan.types[value]
        shape, dtype = concrete(type.shape), numpy_dtype(type.dtype)
        offset = self._offsets[self._plan.buffers[value]]
        order: Sequence[int] | None = getattr(kernel, "order", None)
        free = step.over is None and not step.members and isinstance(step.op, Pointwise)
        if order is None and (self._plan.is_dense[value] or not free):
            return np.ndarray(shape, dtype, self._memory, offset)
        order = order or self._order(step, shape)
        laid = np.ndarray([shape[axis] for axis in order], dtype, self._memory, offset)
        return laid.transpose([order.index(axis) for axis in range(len(shape))])

    def _order(self, step: Step, shape: tuple[int, ...]) -> list[int]:
        """The axes from the greatest step in memory to the least, as the first operand has them that is known."""
        for operand in step.operands:
            found: Any = self._known.get(operand)
            if found is None and operand in self._makers:
                found = self[operand]
            if found is not None and found.shape == shape:
                return sorted(range(len(shape)), key=lambda axis: -abs(found.strides[axis]))
        return list(range(len(shape)))


class _Kernels:
    """Finds the kernel of each step, the same one for equal operations on equal types."""

    def __init__(self, plan: Plan) -> None:
        self._types = plan.types
        self._found: dict[Any, Kernel] = {}
        self._shared = any(is_shared(step, plan.types) for step in plan.steps)

    def find(self, step: Step) -> Kernel:
        if step.members:
            return step_kernel(step, self._types)
        types = tuple([self._types[operand] for operand in step.operands])
        key = (step.op.key, types, step.view)
        kernel = self._found.get(key)
        if kernel is None:
            kernel = step_kernel(step, self._types)
            if self._shared and step.op.name == "matmul":
                kernel = _shared_product(kernel, types)
            elif self._shared and step.op.name == "gemm":
                kernel = _make_gemm(step.op, types, by_threads=True)
            self._found[key] = kernel
        return kernel


class _Folded:
    """What is computed while a plan, and those of the graphs it runs, are built: little, whatever the plan."""

    def __init__(self) -> None:
        self._bytes_left = _FOLDED_BYTES

    def add(self, plan: Plan, step: Step, kernel: Kernel, known: dict[int, Any]) -> bool:
        """Run a step of known operands now, where the result may be kept."""
        if not all(operand in known for operand in step.operands):
            return False
        made = 0 if step.view else sum([_nbytes(plan.types[result]) for result in step.results])
        read = 0 if step.view else sum([_nbytes(plan.types[operand]) for operand in step.operands])
        if max(made, read, step.scratch.__index__()) > min(_FOLD_BYTES, self._bytes_left):
            return False
        try:
            results = kernel(*[known[operand] for operand in step.operands])
        except Exception:  # noqa: BLE001  # it may stand in a branch that never runs; if it runs, it fails there
            return False
        for value, result in zip(step.results, results if len(step.results) > 1 else (results,), strict=True):
            known[value] = np.asarray(result)
            known[value].flags.writeable = False
        self._bytes_left -= made
        return True


def _nbytes(type: TensorType) -> int:
    return type.nbytes.__index__()


class _Chunk(Record):
    """The text of one function, and what its parameters are bound to."""

    lines: list[str]
    bound: dict[Any, str]
    objects: list[Any]

    def name(self, item: Any) -> str:
        """The parameter that stands for an object; the object is kept, so its id stays its own."""
        key: Any = (type(item), int(item)) if type(item) in (_Buffer, _Control, _Space) else id(item)
        name = self.bound.get(key)
        if name is None:
            name = self.bound[key] = f"k{len(self.objects)}"
            self.objects.append(item)
        return name

    def compiled(self) -> tuple[CodeType, list[Any]]:
        """The code of the function, whose line ``n + 3`` is its step ``n``, and the objects."""
        parameters = "".join([f", k{index}" for index in range(len(self.objects))])
        text = f"def chunk(env{parameters}):\n" + "".join([f" {line}\n" for line in self.lines])
        return compiled(text, "chunk"), self.objects


class _Emitter:
    """Writes the chunks of a plan, giving each value that is not in the arena a slot while it lives."""

    def __init__(
        self,
        plan: Plan,
        known: dict[int, Any],
        placed: Any,
        steps: list[tuple[Step, Kernel]],
        spaces: Mapping[int, _Space],
        *,
        owned: bool,
        timed: bool,
    ) -> None:
        self._plan = plan
        self._known = known
        self._placed = placed
        self._fixed = set(known)  # what no step may write over
        self._steps = steps
        self._spaces = spaces
        self._owned = owned
        self._timed = timed
        self._slots: dict[int, int] = {}
        self._given: dict[int, int] = {}
        self._free: list[int] = []
        self._count = 0
        wanted = {value for value in plan.outputs if value not in known}
        self._last: dict[int, int] = dict.fromkeys(wanted, len(steps))
        for index in range(len(steps) - 1, -1, -1):
            for operand in steps[index][0].operands:
                self._last.setdefault(operand, index)

    def emit(self) -> list[_Chunk]:
        plan = self._plan
        entry = [self._take(value) for value in plan.inputs]
        if not self._owned:
            entry += self._take_given()
        chunk = _Chunk([self._entrance(entry)], {}, [])
        if self._timed and not self._steps:  # the round of a loop whose body has no step
            chunk.lines.append(f"{chunk.name(check_time)}()")
        for value in plan.inputs:
            if value not in self._last:
                self._release(value)
        chunks = [chunk]
        for index, (step, kernel) in enumerate(self._steps):
            if index and index % CHUNK_STEPS == 0:
                live = list(dict.fromkeys([*self._slots.values(), *self._given.values()]))
                chunk.lines.append(f"return [{_names(live)}]")
                chunk = _Chunk([self._entrance(live)], {}, [])
                chunks.append(chunk)
            chunk.lines.append(self._statement(chunk, index, step, kernel))
        chunk.lines.append(f"return [{', '.join(self._results(chunk))}]")
        return chunks

    def _take_given(self) -> list[int]:
        """Slots for the arrays that outputs are to be written into, kept for the step that makes the buffer."""
        plan = self._plan
        flags = plan.arena.given if plan.arena is not None else (False,) * len(plan.outputs)
        slots: list[int] = []
        for value, given in zip(plan.outputs, flags, strict=True):
            slots.append(self._count)
            self._count += 1
            root = plan.buffers[value]
            if given and root not in self._known:
                self._given[root] = slots[-1]
        return slots

    def _entrance(self, slots: list[int]) -> str:
        return f"{_names(slots)}, = env; env.clear()" if slots else "env.clear()"

    def _statement(self, chunk: _Chunk, index: int, step: Step, kernel: Kernel) -> str:
        if step.view and step.operands[0] in self._fixed:
            self._fixed.update(step.results)
        operands = [self._operand(chunk, operand) for operand in step.operands]
        targets = [None if step.view else self._target(chunk, index, step, value) for value in step.results]
        before = f"{chunk.name(check_time)}(); " if self._timed else ""
        made = [value for value, target in zip(step.results, targets, strict=True) if target is None]
        early = step.nested or len(made) < len(targets)  # arrays for them are made while the operands are needed
        slots = [self._take(value) for value in made] if early else []
        freed = [self._release(value) for value in dict.fromkeys(step.operands) if self._dies(value, index)]
        slots = slots or [self._take(value) for value in made]
        unused = [self._release(value) for value in step.results if value in self._slots and value not in self._last]
        if early:
            for value, slot in zip(made, slots, strict=True):
                type = self._plan.types[value]
                shape, dtype = concrete(type.shape), numpy_dtype(type.dtype)
                before += f"s{slot} = {chunk.name(np.empty)}({shape!r}, {chunk.name(dtype)}); "
            names = iter([f"s{slot}" for slot in slots])
            targets = [next(names) if target is None else target for target in targets]
            slots = []
        called = _call(chunk, kernel, operands, targets, self._spaces.get(index))
        line = f"{before}{_names(slots)}{' = ' if slots else ''}{called}"
        used = self._slots.values()
        empty = [slot for slot in dict.fromkeys([*freed, *unused]) if slot not in used]
        return line + "".join([f"; s{slot} = None" for slot in empty])

    def _target(self, chunk: _Chunk, index: int, step: Step, value: int) -> str | None:
        """Where a step is to write a result; None if it makes an array of its own."""
        if value in self._placed:
            return chunk.name(_Buffer(value))
        if value in self._given:
            slot = self._slots[value] = self._given.pop(value)
            return f"s{slot}"
        over = step.over
        if over is None or over in self._fixed:
            return None
        slot = self._slots[over]
        assert self._dies(over, index)
        del self._slots[over]
        self._slots[value] = slot
        return f"s{slot}"

    def _dies(self, value: int, index: int) -> bool:
        return value in self._slots and self._last[value] == index

    def _operand(self, chunk: _Chunk, value: int) -> str:
        if value in self._placed:
            return chunk.name(_Buffer(value))
        return chunk.name(self._known[value]) if value in self._known else f"s{self._slots[value]}"

    def _take(self, value: int) -> int:
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._count
            self._count += 1
        self._slots[value] = slot
        return slot

    def _release(self, value: int) -> int:
        slot = self._slots.pop(value)
        self._free.append(slot)
        return slot

    def _results(self, chunk: _Chunk) -> list[str]:
        plan = self._plan
        shown: list[str] = []
        for value, copied in zip(plan.outputs, plan.output_copies, strict=True):
            name = self._operand(chunk, value)
            if self._owned and (copied or value in self._known):
                name = f"{chunk.name(np.array)}({name})"
            elif plan.types[value].ndim == 0:
                name = f"{chunk.name(np.asarray)}({name})"
            shown.append(name)
        return shown


def _call(
    chunk: _Chunk, kernel: Kernel, operands: Sequence[str], targets: Sequence[str | None], space: _Space | None
) -> str:
    """A call of a kernel; ``targets`` are all None or all names."""
    given = [target for target in targets if target is not None]
    last = [f"space={chunk.name(space)}"] if space is not None else []
    if not given:
        return f"{chunk.name(kernel)}({', '.join([*operands, *last])})"
    if len(targets) > 1 or type(kernel) is _Control:
        targets = f"out=({', '.join(given)},)"
        return f"{chunk.name(kernel)}({', '.join([*operands, targets, *last])})"
    if isinstance(kernel, Direct):
        more = [chunk.name(each) for each in kernel.more]
        return f"{chunk.name(kernel.function)}({', '.join([*operands, *more, *given])})"
    keyword = "" if isinstance(kernel, np.ufunc) and kernel not in _BY_KEYWORD else "out="
    return f"{chunk.name(kernel)}({', '.join([*operands, f'{keyword}{given[0]}', *last])})"


def _names(slots: Sequence[int]) -> str:
    return ", ".join([f"s{slot}" for slot in slots])


def _run_of(plan: Plan, steps: list[Step], chunks: list[Run]) -> Run:
    """The chunks one after another, with errors that name the step."""
    codes = [cast("FunctionType", chunk).__code__ for chunk in chunks]

    def run(env: list[Array]) -> list[Array]:
        number = -1
        try:
            for chunk in chunks:
                number += 1
                env = chunk(env)
        except ExecutionError:
            raise
        except Exception as error:
            place = number * CHUNK_STEPS + line_of(error, codes[number]) - 3
            if not 0 <= place < len(steps):
                raise
            step = steps[place]
            raise failure(step.op, [plan.types[value] for value in step.operands], error, step.origin) from error
        return env

    return run
