"""Which steps of a plan run as one group, block by block, and how a block is cut.

A group is elementwise steps with results of one shape, of which what only the group reads is never made as
a whole: it lives in scratch memory of a block's size, which stays in the processor's cache.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence

from rax.ir.record import Record
from rax.ir.types import DType, TensorType

# Fewer elements of a result than this fit the cache as they are.
SMALLEST = 1 << 18
# Fewer steps gain less by staying in the cache than blocks cost.
FEWEST = 3
# Elements of a block: of float32, the operands and scratch of a group of usual size fit the cache of a core.
BLOCK = 1 << 16
# Steps of a group: each keeps operands alive until the whole group has run.
MOST = 128
# What the kernels that write no given array allocate for one block, in arrays of 8 bytes an element.
_OWN_SCRATCH = 5

Shape = tuple[int, ...]


@functools.cache
def threads() -> int:
    """How many threads may compute at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sizes(type: TensorType) -> Shape:
    """A shape whose sizes are numbers."""
    return tuple([size.__index__() for size in type.shape])


class Layout(Record):
    """The axes of a group's operands joined where they lie in memory as one.

    Attributes:
        shape: of the results, with joined axes.
        operands: the shapes of the operands, with as many axes; of size 1 where one is broadcast.
        rows: how many rows of the first axis make a block.
        columns: how many of the second axis, where one row is too much; else all of them.
    """

    shape: Shape
    operands: tuple[Shape, ...]
    rows: int
    columns: int

    @property
    def block_size(self) -> int:
        """The elements of the largest block."""
        return self.rows * self.columns * math.prod(self.shape[2:])

    def blocks(self) -> list[tuple[slice, slice]]:
        """What each block takes of the first two axes."""
        first = self.shape[0]
        second = self.shape[1] if len(self.shape) > 1 else 1
        return [
            (slice(row, min(row + self.rows, first)), slice(column, min(column + self.columns, second)))
            for row in range(0, first, self.rows)
            for column in range(0, second, self.columns)
        ]


def layout(shape: Shape, operands: Sequence[Shape], *, dense: bool) -> Layout:
    """Join axes and choose blocks.

    Args:
        shape: of the results; none of its sizes is 0.
        operands: shapes that broadcast to it.
        dense: whether results and operands are C-contiguous; only then are axes joined.

    Example:
        >>> layout((8, 4, 5), [(8, 4, 5), (5,), ()], dense=True).operands
        ((32, 5), (1, 5), (1, 1))
    """
    padded = [(*[1] * (len(shape) - len(operand)), *operand) for operand in operands]
    joined: list[list[int]] = []
    parts: list[list[int]] = [list[int]() for _ in operands]
    before: tuple[bool, ...] | None = None
    for axis, size in enumerate(shape):
        if size == 1 and dense:
            continue
        full = tuple([operand[axis] == size for operand in padded])
        if dense and full == before:
            joined[-1] = [joined[-1][0] * size]
            for part, whole in zip(parts, full, strict=True):
                part[-1] = part[-1] * size if whole else 1
        else:
            joined.append([size])
            for part, operand in zip(parts, padded, strict=True):
                part.append(operand[axis])
        before = full
    merged: Shape = (*[size for (size,) in joined],) if joined else (1,)
    shapes = tuple([tuple(part) or (1,) for part in parts])
    row = math.prod(merged[1:])
    spread = min(BLOCK, -(-math.prod(merged) // threads()))  # each thread has a block at least
    rows = max(spread // row, 1)
    second = merged[1] if len(merged) > 1 else 1
    columns = second if row <= spread else max(spread // math.prod(merged[2:]), 1)
    return Layout(merged, shapes, min(rows, math.prod(merged[:1])), min(columns, second))


class Group(Record):
    """Steps that run together, by their places in the schedule."""

    shape: Shape
    places: list[int]
    open: bool = True


Work = tuple[tuple[int, ...], tuple[int, ...]]
"""The values a step reads and makes."""


def find_groups(steps: Sequence[Work], shapes: Mapping[int, Shape]) -> list[list[int]]:
    """Put steps into groups.

    A step joins the groups whose results it reads, as long as no step outside has read them: so a
    group can run where its last step stands.

    Args:
        steps: the schedule.
        shapes: the shape of the result of each step that may be in a group, by the step's place.

    Example:
        >>> find_groups([((0,), (1,)), ((1,), (2,)), ((2,), (3,)), ((3,), (4,))], {0: (9,), 1: (9,), 3: (9,)})
        [[0, 1], [3]]
    """
    made: dict[int, Group] = {}
    groups: list[Group] = []
    for place, (operands, results) in enumerate(steps):
        feeding: list[Group] = []
        for operand in operands:
            group = made.get(operand)
            if group is not None and group.open and group not in feeding:
                feeding.append(group)
        shape = shapes.get(place)
        joined: Group | None = None
        for group in feeding:
            size = len(group.places) + (len(joined.places) if joined is not None else 0)
            if shape is None or group.shape != shape or size >= MOST:
                group.open = False
            elif joined is None:
                joined = group
            else:
                joined.places = sorted([*joined.places, *group.places])
                groups.remove(group)
                for each in group.places:
                    made[steps[each][1][0]] = joined
        if shape is None:
            continue
        if joined is None or not joined.open:
            joined = Group(shape, [])
            groups.append(joined)
        joined.places.append(place)
        made[results[0]] = joined
    return [group.places for group in groups]


class Program(Record):
    """What is done to each block of a group.

    Attributes:
        rows: for each step the slots it reads, and the slot it writes.
        registers: the dtypes of the scratch blocks; their slots follow those of operands and results.
        scratch_bytes: what one element of a block takes of scratch memory.
    """

    rows: list[tuple[tuple[int, ...], int]]
    registers: list[DType]
    scratch_bytes: int = 0


def make_program(
    steps: Sequence[Work],
    operands: Sequence[int],
    results: Sequence[int],
    types: Sequence[TensorType],
    writes: Callable[[int], bool],
    over: int | None,
) -> Program:
    """Give every value of a group a slot: first come the operands, then the results, then scratch.

    The one result of a group that its last step makes lends its slot to what comes before it.

    Args:
        steps: of the group.
        operands: the values that come from outside.
        results: the values that are read outside.
        types: of all values.
        writes: whether the kernel of a step, by its place, can write over an operand of the same dtype.
        over: the operand that the result is written over, if any.
    """
    program = Program([], [])
    slots = {value: slot for slot, value in enumerate((*operands, *results))}
    outside = len(slots)
    inner = {made[0] for _, made in steps} - set(results)
    last = {operand: place for place, (read, _) in enumerate(steps) for operand in read}
    free: dict[DType, list[int]] = {}
    lends = results[0] if len(results) == 1 and steps[-1][1] == (results[0],) else None
    if lends is not None and over is None:
        free[types[lends].dtype] = [slots[lends]]
    own = False
    for place, (read, (result,)) in enumerate(steps):
        able = writes(place)
        own = own or not able
        ins = tuple([slots[value] for value in read])
        dying = [value for value in dict.fromkeys(read) if last[value] == place and value in inner]
        dtype = types[result].dtype
        early = [value for value in dying if able and types[value].dtype == dtype]
        for value in early:
            free.setdefault(dtype, []).append(slots[value])
        lent = lends is not None and over in read and last[over] == place
        if lent and able and lends is not None:
            free.setdefault(types[lends].dtype, []).append(slots[lends])
        if result not in slots:
            vacant = free.get(dtype)
            if vacant:
                slots[result] = vacant.pop()
            else:
                slots[result] = outside + len(program.registers)
                program.registers.append(dtype)
        for value in dying:
            if value not in early:
                free.setdefault(types[value].dtype, []).append(slots[value])
        if lent and not able and lends is not None:
            free.setdefault(types[lends].dtype, []).append(slots[lends])
        program.rows.append((ins, slots[result]))
    program.scratch_bytes = sum([dtype.itemsize for dtype in program.registers]) + own * 8 * _OWN_SCRATCH
    return program
