"""Groups of elementwise steps: every step is applied to a block before the next block's turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir.types import TensorType
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.backends.numpy.kernel import Kernel
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.backends.numpy.table import find_kernel, writes_over
from rax.runtime.fusion import Layout, layout, sizes
from rax.runtime.grouping import group_program
from rax.runtime.plan import Step

_Row = tuple[Kernel, tuple[int, ...], int, bool]


def _copy(x: Array, out: Array) -> Array:
    np.copyto(out, x, "unsafe")
    return out


class Group:
    """The kernel of a group: from its operands to its results, fresh or written over an operand."""

    def __init__(self, step: Step, types: Sequence[TensorType]) -> None:
        members = step.members
        operand_types = [tuple([types[value] for value in member.operands]) for member in members]
        able = [writes_over(member.op, each) for member, each in zip(members, operand_types, strict=True)]
        program = group_program(step, types, able)
        self._rows: list[_Row] = []
        for member, each, takes_out, (ins, out) in zip(members, operand_types, able, program.rows, strict=True):
            kernel = find_kernel(member.op, each)
            if member.op.name == "cast" and each[0].dtype.kind != "complex":
                kernel, takes_out = _copy, True
            self._rows.append((kernel, ins, out, takes_out))
        self._registers = [numpy_dtype(dtype) for dtype in program.registers]
        self._results = [numpy_dtype(types[value].dtype) for value in step.results]
        self._shape = sizes(types[step.results[0]])
        self._usual: tuple[tuple[Any, ...], Layout] | None = None

    def __call__(self, *operands: Any, out: Array | Sequence[Array] | None = None) -> Any:
        """Run; the results go where ``out`` says: an array, or one for each of several results."""
        arrays = [_narrow(np.asarray(operand)) for operand in operands]
        if out is None:
            results = [np.empty(self._shape, dtype) for dtype in self._results]
        else:
            results = [out] if isinstance(out, np.ndarray) else [*out]
        cut = self._layout(arrays, dense=all(each.flags.c_contiguous for each in (*arrays, *results)))
        whole = [
            array.reshape(shape)
            for array, shape in zip((*arrays, *results), (*cut.operands, *[cut.shape] * len(results)), strict=True)
        ]
        run_blocks(cut.blocks(), lambda: self._worker(cut, whole))
        return results[0] if len(results) == 1 else tuple(results)

    def _layout(self, arrays: Sequence[Array], *, dense: bool) -> Layout:
        key = (dense, *[array.shape for array in arrays])
        usual = self._usual
        if usual is None or usual[0] != key:
            usual = self._usual = key, layout(self._shape, [array.shape for array in arrays], dense=dense)
        return usual[1]

    def _worker(self, cut: Layout, whole: Sequence[Array]) -> Callable[[tuple[slice, slice]], None]:
        """What one thread does with a block, in scratch memory of its own."""
        scratch = [np.empty(cut.block_size, dtype) for dtype in self._registers]
        flat, rest, outside, rows = len(cut.shape) == 1, cut.shape[2:], len(whole), self._rows
        moving: list[tuple[int, Array, bool, bool]] = []
        for slot, array in enumerate(whole):
            along = array.shape[0] == cut.shape[0], not flat and array.shape[1] == cut.shape[1]
            if any(along):
                moving.append((slot, array, *along))
        every = slice(None)

        def work(block: tuple[slice, slice]) -> None:
            first, second = block
            parts = [*whole, *scratch]
            for slot, array, along_first, along_second in moving:
                place = first if along_first else every
                parts[slot] = array[place, second if along_second else every] if not flat else array[place]
            high = first.stop - first.start
            if not flat or high < cut.block_size:
                shape = (high,) if flat else (high, second.stop - second.start, *rest)
                count = math.prod(shape)
                parts[outside:] = [part[:count].reshape(shape) for part in scratch]
            for kernel, ins, target, takes_out in rows:
                if takes_out:
                    kernel(*[parts[slot] for slot in ins], out=parts[target])
                elif target < outside:
                    parts[target][...] = kernel(*[parts[slot] for slot in ins])
                else:
                    parts[target] = kernel(*[parts[slot] for slot in ins])

        return work


def _narrow(array: Array) -> Array:
    """One element along each axis that a broadcast has stretched."""
    if 0 not in array.strides:
        return array
    return array[tuple([slice(0, 1) if step == 0 else slice(None) for step in array.strides])]
