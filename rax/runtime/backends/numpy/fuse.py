"""Groups of steps: every step is applied to a block before the next block's turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from rax.ir.errors import ExecutionError
from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.backends.numpy.blocks import Sum, row_kernel, whole_sum
from rax.runtime.backends.numpy.kernel import Kernel
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.backends.numpy.scratch import Space
from rax.runtime.backends.numpy.source import compiled, line_of
from rax.runtime.backends.numpy.table import find_kernel, goes_along_rows, writes_into, writes_over
from rax.runtime.backends.numpy.temporaries import takes_space
from rax.runtime.clusters import Form
from rax.runtime.deadline import OutOfTimeError, check_time
from rax.runtime.fusion import Layout, layout, sizes
from rax.runtime.grouping import group_program, group_sums
from rax.runtime.plan import Step
from rax.runtime.reference import failure


class _Row(Record):
    """A kernel, the slots it reads, the one it writes, and how."""

    kernel: Kernel
    ins: tuple[int, ...]
    out: int
    how: str


class _Ready(Record):
    """A group made ready for operands that lie in some way."""

    key: tuple[Any, ...]
    cut: Layout
    run: FunctionType
    sums: dict[int, Sum]
    pieces: list[range]
    nbytes: int
    workers: int
    worker_bytes: int
    scratch: tuple[tuple[int, np.dtype[Any]], ...]
    space: int


_BYTES = np.dtype(np.uint8)
# Statements: with where the result goes as last argument or by name, and memory for the work, copied there, kept as
# it is, or added to parts.
_TO = "{kernel}({ins}, {out})"
_NAMED = "{kernel}({ins}, out={out})"
_INTO = "{out}[...] = {kernel}({ins})"
_NEW = "{out} = {kernel}({ins})"
_ADD = "{kernel}(({ins},), {out}, place, space)"
_SPACED = "{kernel}({ins}, out={out}, space=space)"


def _straight(rows: Sequence[_Row], slots: int) -> FunctionType:
    """One function that does all to a block; line ``n + 3`` of its code is row ``n``."""
    names = [f"p{slot}" for slot in range(slots)]
    lines = [
        row.how.format(kernel=f"k{number}", ins=", ".join([names[slot] for slot in row.ins]), out=names[row.out])
        for number, row in enumerate(rows)
    ]
    bound = "".join([f", k{number}" for number in range(len(rows))])
    text = f"def run(parts, place, space{bound}):\n {', '.join(names)}, = parts\n"
    code = compiled(text + "".join([f" {line}\n" for line in lines]), "run")
    return FunctionType(code, {}, "run", tuple([row.kernel for row in rows]))


class Group:
    """The kernel of a group: from its operands to its results.

    Args:
        step: the group.
        types: of all values of the plan.
    """

    def __init__(self, step: Step, types: Sequence[TensorType]) -> None:
        blocking = step.blocking
        assert blocking is not None
        self._step = step
        self._blocking = blocking
        self._types = [tuple([types[value] for value in member.operands]) for member in step.members]
        able = [
            len(writes_over(member.op, each)) == len(each)
            for member, each in zip(step.members, self._types, strict=True)
        ]
        self._program = group_program(step, types, able)
        self._wide = [numpy_dtype(dtype) for dtype in self._program.registers]
        self._thin = [numpy_dtype(dtype) for dtype in self._program.thin]
        self._results = [(sizes(types[value]), numpy_dtype(types[value].dtype)) for value in step.results]
        self._forms = [blocking.forms[value] for value in step.results]
        self._bare = [value in blocking.bare for value in step.operands]
        self._full = [value in blocking.full for value in step.operands]
        self._sums = group_sums(step, types)
        self._usual: _Ready | None = None

    def __call__(self, *operands: Any, out: Array | Sequence[Array] | None = None, space: Array | None = None) -> Any:
        """Run.

        Args:
            operands: the arrays.
            out: where the result goes, or where each of the results goes; fresh arrays if None.
            space: bytes for scratch memory, as many as the plan says; fresh ones if None.
        """
        inner = self._blocking.inner
        arrays: list[Array] = []
        for operand, bare, full in zip(operands, self._bare, self._full, strict=True):
            array = np.asarray(operand)
            if not full and 0 in array.strides:
                array = _narrow(array)
            arrays.append(array.reshape(*array.shape, *[1] * inner) if bare else array)
        if out is None:
            results: list[Array] = [np.empty(shape, dtype) for shape, dtype in self._results]
        else:
            results = [out] if isinstance(out, np.ndarray) else [*out]
        ready = self._ready(arrays, dense=all(each.flags.c_contiguous for each in (*arrays, *results)))
        cut = ready.cut
        whole = [array.reshape(shape) for array, shape in zip(arrays, cut.operands, strict=True)]
        enough = space is not None and ready.nbytes <= space.nbytes  # blocks may be others than those planned
        given = Space(space if enough else None)
        parts: dict[int, Array] = {}
        for place, (result, form) in enumerate(zip(results, self._forms, strict=True), len(arrays)):
            if form is Form.SUMMED:
                parts[place] = ready.sums[place].parts(cut, given)
                whole.append(parts[place])
            else:
                whole.append(result.reshape(cut.shape if form is Form.WHOLE else cut.row_shape))
        spaces = given.parts(ready.workers, ready.worker_bytes)
        run_blocks(range(len(ready.pieces)), lambda: self._worker(ready, whole, spaces.pop()))
        for place, array in parts.items():
            ready.sums[place].whole(array, results[place - len(arrays)])
        return results[0] if len(results) == 1 else tuple(results)

    def _ready(self, arrays: Sequence[Array], *, dense: bool) -> _Ready:
        key = (dense, *[array.shape for array in arrays])
        usual = self._usual
        if usual is None or usual.key != key:
            shapes = [array.shape for array in arrays]
            cut = self._cut(shapes, dense=dense)
            sums: dict[int, Sum] = {}
            run = _straight(self._rows(cut, sums), len(arrays) + len(self._results) + len(self._wide) + len(self._thin))
            scratch = [(cut.block_size, dtype) for dtype in self._wide] + [
                (cut.block_rows, dtype) for dtype in self._thin
            ]
            usual = self._usual = _Ready(
                key, cut, run, sums, cut.pieces(), self._program.scratch_bytes(cut, self._sums)[1], cut.workers,
                self._program.worker_bytes(cut, self._sums), tuple(scratch), self._program.space_bytes(cut),
            )  # fmt: skip
        return usual

    def _cut(self, shapes: Sequence[tuple[int, ...]], *, dense: bool) -> Layout:
        """The blocks; those planned where what was not known to be dense is, and would take more memory."""
        blocking = self._blocking
        cut = layout(blocking.shape, shapes, dense=dense, inner=blocking.inner)
        due, planned = (self._program.scratch_bytes(each, self._sums) for each in (cut, blocking.cut))
        if due > planned and dense:
            return layout(blocking.shape, shapes, dense=False, inner=blocking.inner)
        return cut

    def _rows(self, cut: Layout, sums: dict[int, Sum]) -> list[_Row]:
        """The kernels for blocks cut in one way."""
        rows: list[_Row] = []
        members, forms = self._step.members, self._blocking.forms
        for entry, (ins, out) in zip(self._program.entries, self._program.rows, strict=True):
            number = entry.members[-1]
            op: Any = members[number].op
            types = self._types[number]
            products = len(entry.members) > 1
            how = _TO
            if forms[entry.result] is Form.SUMMED:
                columns = cut.inner > 0 and len(op.axes) < len(self._blocking.shape)
                sums[out] = whole_sum(op, types, cut, columns=columns, products=products)
                kernel: Kernel = sums[out].add
                how = _ADD
            elif goes_along_rows(op):
                kernel = row_kernel(op, types, cut, products=products)
                how = _SPACED if products or takes_space(op, types) else how
            else:
                kernel = find_kernel(op, types)
                if kernel in (np.maximum, np.minimum):  # NumPy wants the name
                    how = _NAMED
                if takes_space(op, types):
                    how = _SPACED
                elif not writes_into(op, types):
                    how = _INTO if out < len(self._step.operands) + len(self._results) else _NEW
            rows.append(_Row(kernel, ins, out, how))
        return rows

    def _worker(self, ready: _Ready, whole: list[Any], given: Space) -> Callable[[int], None]:
        """What one thread does with a piece, in scratch memory of its own."""
        cut, code = ready.cut, ready.run.__code__
        flat = len(cut.shape) == 1
        moving: list[tuple[int, Array, bool, bool]] = []
        for slot, array in enumerate(whole):
            if slot in ready.sums:
                continue
            along = array.shape[0] == cut.shape[0], not flat and cut.columns < cut.shape[1] == array.shape[1]
            if any(along):
                moving.append((slot, array, *along))
        every = slice(None)
        scratch = self._scratch(ready, given)
        space = given.array((ready.space,), _BYTES)
        whole = [*whole]
        for slot, each in ready.sums.items():
            whole[slot] = each.with_part(whole[slot], given)
        shown: dict[tuple[int, int], list[Any]] = {}
        run = ready.run

        def work(piece: int) -> None:
            first = True
            for number in ready.pieces[piece]:
                check_time()
                high, wide = cut.block(number)
                size = high.stop - high.start, wide.stop - wide.start
                parts = shown.get(size)
                if parts is None:
                    parts = shown[size] = [*whole, *scratch(size)]
                for slot, array, along_first, along_second in moving:
                    if along_second:
                        parts[slot] = array[high if along_first else every, wide]
                    else:
                        parts[slot] = array[high]
                try:
                    run(parts, (piece, number, first), space)
                except (ExecutionError, OutOfTimeError):
                    raise
                except Exception as error:
                    raise self._failure(line_of(error, code) - 3, error) from error
                first = False

        return work

    def _failure(self, row: int, error: Exception) -> ExecutionError:
        """The error of the member that failed."""
        number = self._program.entries[row].members[-1]
        member = self._step.members[number]
        return failure(member.op, self._types[number], error, member.origin)

    def _scratch(self, ready: _Ready, given: Space) -> Callable[[tuple[int, int]], list[Array]]:
        """What gives the scratch arrays for a block of so many of the first and second axis."""
        cut, wide = ready.cut, len(self._wide)
        arrays = [given.array((count,), dtype) for count, dtype in ready.scratch]
        ndim, edge = len(cut.shape), len(cut.shape) - cut.inner

        def views(size: tuple[int, int]) -> list[Array]:
            shape = (*size, *cut.shape[2:])[:ndim]
            low = (*shape[:edge], *[1] * cut.inner)
            return [
                array[: math.prod(due)].reshape(due)
                for array, due in zip(arrays, [shape] * wide + [low] * (len(arrays) - wide), strict=True)
            ]

        return views


def _narrow(array: Array) -> Array:
    """One element along each axis that a broadcast has stretched."""
    return array[tuple([slice(0, 1) if step == 0 else slice(None) for step in array.strides])]
