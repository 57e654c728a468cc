"""From a plan to Python: straight-line functions in which every kernel and constant is a local.

A value lives in a local variable, a slot, from the step that makes it to the last that reads
it; then the slot is overwritten or emptied, so NumPy frees the memory exactly when planned. Long
plans are cut into chunks that hand the live values on, so that no function grows out of hand.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from types import CodeType, FunctionType
from typing import Any, cast

import numpy as np

from rax.ir.errors import ExecutionError
from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.ops.arrays import Array
from rax.runtime.backends.base import Run
from rax.runtime.backends.numpy.control import control_kernel
from rax.runtime.backends.numpy.kernel import Kernel
from rax.runtime.backends.numpy.step import step_kernel
from rax.runtime.deadline import check_time
from rax.runtime.plan import Plan, Step
from rax.runtime.reference import failure

CHUNK_STEPS = 512
# Results of constants alone are computed once, if they are views or they and the operands no larger than this,
_FOLD_BYTES = 1 << 16
# and all that are kept no larger than this.
_FOLDED_BYTES = 1 << 24
_FILENAME = "<rax numpy plan>"


def build(plan: Plan, *, timed: bool) -> Run:
    """A function that runs a plan; see :class:`rax.runtime.backends.base.Backend`."""
    with np.errstate(all="ignore"):
        run = _build(plan, _Folded(), owned=True, timed=timed)

    def run_quietly(arrays: list[Array]) -> list[Array]:
        with np.errstate(all="ignore"):
            return run(arrays)

    return run_quietly


def _build(plan: Plan, folded: _Folded, *, owned: bool, timed: bool) -> Run:
    """``owned`` says whether outputs must share no memory with anything else."""
    kernels = _Kernels(plan, folded, timed=timed)
    known: dict[int, Any] = {value: literal.array for value, literal in plan.constants.items()}
    steps: list[tuple[Step, Kernel]] = []
    for step in plan.steps:
        if timed:
            check_time()
        kernel = kernels.find(step)
        if not folded.add(plan, step, kernel, known):
            steps.append((step, kernel))
    chunks = _Emitter(plan, known, steps, owned=owned, timed=timed).emit()
    return _run_of(plan, [step for step, _ in steps], chunks)


class _Kernels:
    """Finds the kernel of each step, the same one for equal operations on equal types."""

    def __init__(self, plan: Plan, folded: _Folded, *, timed: bool) -> None:
        self._types = plan.types
        self._folded = folded
        self._timed = timed
        self._found: dict[Any, Kernel] = {}

    def find(self, step: Step) -> Kernel:
        if step.nested:
            return control_kernel(
                step.op, [_build(nested, self._folded, owned=False, timed=self._timed) for nested in step.nested]
            )
        if step.members:
            return step_kernel(step, self._types)
        types = tuple([self._types[operand] for operand in step.operands])
        key = (step.op.key, types, step.view)
        kernel = self._found.get(key)
        if kernel is None:
            kernel = self._found[key] = step_kernel(step, self._types)
        return kernel


class _Folded:
    """What is computed while a plan, and those of the graphs it runs, are built: little, whatever the plan."""

    def __init__(self) -> None:
        self._bytes_left = _FOLDED_BYTES

    def add(self, plan: Plan, step: Step, kernel: Kernel, known: dict[int, Any]) -> bool:
        """Run a step of known operands now, where the result may be kept."""
        if step.nested or not all(operand in known for operand in step.operands):
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
    bound: dict[int, str]
    objects: list[Any]

    def name(self, item: Any) -> str:
        """The parameter that stands for an object; the object is kept, so its id stays its own."""
        name = self.bound.get(id(item))
        if name is None:
            name = self.bound[id(item)] = f"k{len(self.objects)}"
            self.objects.append(item)
        return name

    def function(self) -> Run:
        """The compiled function; line ``n + 3`` of its code is its step ``n``."""
        parameters = "".join([f", k{index}" for index in range(len(self.objects))])
        code = _compiled(f"def chunk(env{parameters}):\n" + "".join([f" {line}\n" for line in self.lines]))
        return cast("Run", FunctionType(code, {}, "chunk", tuple(self.objects)))


@functools.lru_cache(maxsize=64)
def _compiled(source: str) -> CodeType:
    namespace: dict[str, Any] = {}
    exec(compile(source, _FILENAME, "exec"), namespace)  # noqa: S102  # the text is made of numbered names alone
    return namespace["chunk"].__code__


class _Emitter:
    """Writes the chunks of a plan, giving each value a slot while it lives."""

    def __init__(
        self, plan: Plan, known: dict[int, Any], steps: list[tuple[Step, Kernel]], *, owned: bool, timed: bool
    ) -> None:
        self._plan = plan
        self._known = known
        self._fixed = set(known)  # what no step may write over
        self._steps = steps
        self._owned = owned
        self._timed = timed
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._count = 0
        wanted = {value for value in plan.outputs if value not in known}
        self._last: dict[int, int] = dict.fromkeys(wanted, len(steps))
        for index in range(len(steps) - 1, -1, -1):
            for operand in steps[index][0].operands:
                self._last.setdefault(operand, index)

    def emit(self) -> list[Run]:
        plan = self._plan
        entry = [self._take(value) for value in plan.inputs]
        chunk = _Chunk([self._entrance(entry)], {}, [])
        if self._timed and not self._steps:  # the round of a loop whose body has no step
            chunk.lines.append(f"{chunk.name(check_time)}()")
        for value in plan.inputs:
            if value not in self._last:
                self._release(value)
        chunks: list[Run] = []
        for index, (step, kernel) in enumerate(self._steps):
            if index and index % CHUNK_STEPS == 0:
                live = list(self._slots.values())
                chunk.lines.append(f"return [{_names(live)}]")
                chunks.append(chunk.function())
                chunk = _Chunk([self._entrance(live)], {}, [])
            chunk.lines.append(self._statement(chunk, index, step, kernel))
        chunk.lines.append(f"return [{', '.join(self._results(chunk))}]")
        return [*chunks, chunk.function()]

    def _entrance(self, slots: list[int]) -> str:
        return f"{_names(slots)}, = env; env.clear()" if slots else "env.clear()"

    def _statement(self, chunk: _Chunk, index: int, step: Step, kernel: Kernel) -> str:
        if step.view and step.operands[0] in self._fixed:
            self._fixed.update(step.results)
        operands = ", ".join([self._operand(chunk, operand) for operand in step.operands])
        if step.over is not None and step.over not in self._fixed:
            operands += f", out={self._operand(chunk, step.over)}"
        freed = [self._release(value) for value in dict.fromkeys(step.operands) if self._dies(value, index)]
        targets = [self._take(value) for value in step.results]
        unused = [self._release(value) for value in step.results if value not in self._last]
        comma = "," if len(targets) > 1 or step.nested else ""
        check = f"{chunk.name(check_time)}(); " if self._timed else ""
        line = f"{check}{_names(targets)}{comma} = {chunk.name(kernel)}({operands})"
        empty = [slot for slot in dict.fromkeys([*freed, *unused]) if slot not in targets or slot in unused]
        return line + "".join([f"; s{slot} = None" for slot in empty])

    def _dies(self, value: int, index: int) -> bool:
        return value in self._slots and self._last[value] == index

    def _operand(self, chunk: _Chunk, value: int) -> str:
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
            place = number * CHUNK_STEPS + _line_of(error, codes[number]) - 3
            if not 0 <= place < len(steps):
                raise
            step = steps[place]
            raise failure(step.op, [plan.types[value] for value in step.operands], error, step.origin) from error
        return env

    return run


def _line_of(error: Exception, code: CodeType) -> int:
    """The line of a function's code at which an error came up; 0 if it did not."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            return trace.tb_lineno
        trace = trace.tb_next
    return 0
