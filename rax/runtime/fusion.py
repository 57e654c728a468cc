"""How a group of steps is done block by block: what a block is, and what is done to each.

What only the group reads is never made as a whole: it lives in scratch memory of a block's size, which
stays in the processor's cache. :mod:`rax.runtime.clusters` says which steps form a group.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping, Sequence

from rax.ir.record import Record
from rax.ir.types import DType, TensorType
from rax.runtime.arena import ALIGNMENT, BUFFER, aligned
from rax.runtime.clusters import Form, Shape

# Runs of blocks that a thread does one after another: enough for threads of unlike speed to end together.
_PIECES = 8
# What an entry may lose of the memory it is given where its arrays begin.
_SPARE = 3 * ALIGNMENT


@functools.cache
def threads() -> int:
    """How many threads may compute at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# Elements of a block. Of float32, the operands and scratch of a group of usual size fit the cache of a core;
# several threads hold each other up at the end of each step, so theirs are longer.
BLOCK = 1 << 16 if threads() == 1 else 1 << 18


def sizes(type: TensorType) -> Shape:
    """A shape whose sizes are numbers."""
    return tuple([size.__index__() for size in type.shape])


Block = tuple[slice, slice]


class Layout(Record):
    """The axes of a group's operands joined where they lie in memory as one.

    Attributes:
        shape: of the group, with joined axes.
        inner: how many of the last axes make a row; 0 if nothing is done along rows.
        operands: the shapes of the operands, with as many axes; of size 1 where one is broadcast.
        rows: how many of the first axis make a block.
        columns: how many of the second axis, where one of the first is too much; else all of them.
    """

    shape: Shape
    inner: int
    operands: tuple[Shape, ...]
    rows: int
    columns: int

    @property
    def block_size(self) -> int:
        """The elements of the largest block."""
        return self.rows * self.columns * math.prod(self.shape[2:])

    @property
    def block_rows(self) -> int:
        """The rows of the largest block."""
        return -(-self.block_size // self.row_size)

    @property
    def workers(self) -> int:
        """How many threads may be at work."""
        return min(threads(), len(self.pieces()))

    @property
    def row_size(self) -> int:
        """The elements of a row."""
        return math.prod(self.shape[len(self.shape) - self.inner :])

    @property
    def row_shape(self) -> Shape:
        """That of a value with one element for each row."""
        return (*self.shape[: len(self.shape) - self.inner], *[1] * self.inner)

    @property
    def block_count(self) -> int:
        """How many blocks there are."""
        first, second = (*self.shape, 1)[:2]
        return -(-first // self.rows) * -(-second // self.columns)

    def block(self, number: int) -> Block:
        """What a block takes of the first two axes; there may be too many to list."""
        first, second = (*self.shape, 1)[:2]
        across = -(-second // self.columns)
        row, column = number // across * self.rows, number % across * self.columns
        return slice(row, min(row + self.rows, first)), slice(column, min(column + self.columns, second))

    def pieces(self) -> list[range]:
        """The blocks that one thread does one after another, by number; all about as many."""
        count = self.block_count
        pieces = min(count, piece_count())
        return [range(count * piece // pieces, count * (piece + 1) // pieces) for piece in range(pieces)]


def piece_count() -> int:
    """Into how many runs of blocks a large group is cut."""
    return _PIECES * threads() if threads() > 1 else 1


def layout(shape: Shape, operands: Sequence[Shape], *, dense: bool, inner: int = 0) -> Layout:
    """Join axes and choose blocks.

    Args:
        shape: of the group; none of its sizes is 0.
        operands: shapes that broadcast to it.
        dense: whether results and operands are C-contiguous; only then are axes joined.
        inner: how many of the last axes are kept whole.

    Example:
        >>> layout((8, 4, 5), [(8, 4, 5), (5,), ()], dense=True).operands
        ((32, 5), (1, 5), (1, 1))
    """
    padded = [(*[1] * (len(shape) - len(operand)), *operand) for operand in operands]
    edge = len(shape) - inner
    outer_sizes, outer_parts = _joined(shape[:edge], [operand[:edge] for operand in padded], dense=dense)
    inner_sizes: Shape = ()
    inner_parts: list[Shape] = [()] * len(padded)
    if inner:
        inner_sizes, inner_parts = _joined(shape[edge:], [operand[edge:] for operand in padded], dense=dense)
    merged: Shape = (*outer_sizes, *inner_sizes)
    shapes = tuple([(*outer, *rest) for outer, rest in zip(outer_parts, inner_parts, strict=True)])
    row = math.prod(merged[1:])
    spread = min(BLOCK, -(-math.prod(merged) // threads()))  # each thread has a block at least
    rows = max(spread // row, 1)
    first, second = (*merged, 1)[:2]
    cuts = row > spread and len(outer_sizes) + (not inner) > 1
    columns = max(spread // math.prod(merged[2:]), 1) if cuts else second
    return Layout(merged, len(inner_sizes), shapes, min(rows, first), min(columns, second))


def _joined(shape: Shape, operands: Sequence[Shape], *, dense: bool) -> tuple[Shape, list[Shape]]:
    """The axes of a shape, and of what broadcasts to it, joined as far as they can be; at least one is left."""
    joined: list[int] = []
    parts: list[list[int]] = [list[int]() for _ in operands]
    before: tuple[bool, ...] | None = None
    for axis, size in enumerate(shape):
        if size == 1 and dense:
            continue
        full = tuple([operand[axis] == size for operand in operands])
        if dense and full == before:
            joined[-1] *= size
            for part, whole in zip(parts, full, strict=True):
                part[-1] = part[-1] * size if whole else 1
        else:
            joined.append(size)
            for part, operand in zip(parts, operands, strict=True):
                part.append(operand[axis])
        before = full
    return tuple(joined) or (1,), [tuple(part) or (1,) for part in parts]


class Blocking(Record):
    """What is known of a group's values.

    Attributes:
        shape: the group's.
        inner: how many of the last axes make a row; 0 if nothing is done along rows.
        cut: how it is cut into blocks where the operands lie as planned.
        forms: how each value that the group makes, and each view of one, follows the blocks.
        aliases: for each such view the value that it shows.
        bare: the values from outside whose axes are the group's first.
        full: those of which every element is needed, repeated or not.
    """

    shape: Shape
    inner: int
    cut: Layout
    forms: Mapping[int, Form]
    aliases: Mapping[int, int]
    bare: frozenset[int]
    full: frozenset[int]

    def may_write_over(self, result: int, operand: int) -> bool:
        """Whether each block reads of the operand only what it writes of the result."""
        return self.forms[result] is not Form.BARE or operand in self.bare


class Entry(Record):
    """A step of a group, or several that are done as one.

    Attributes:
        members: the steps, by their numbers in the group.
        operands: the values that they read from elsewhere.
        result: what the last of them makes.
        writes: whether the result can be written over an operand of the same dtype and form.
        own: the bytes that it allocates beside, for each element of a block.
        space: the bytes that it is given, for each element of a block and for each of its rows.
    """

    members: tuple[int, ...]
    operands: tuple[int, ...]
    result: int
    writes: bool
    own: int
    space: tuple[int, int]


class Program(Record):
    """What is done to each block of a group.

    Attributes:
        entries: what is done, in order.
        rows: for each entry the slots it reads, and the slot it writes.
        registers: the dtypes of the scratch blocks; their slots follow those of operands and results.
        thin: the dtypes of scratch with one element for each row; their slots follow.
        own: the bytes that entries allocate for each element of a block.
        space: the bytes that they are given for each element of a block, and for each of its rows.
    """

    entries: list[Entry]
    rows: list[tuple[tuple[int, ...], int]]
    registers: list[DType]
    thin: list[DType]
    own: int
    space: tuple[int, int]

    def space_bytes(self, cut: Layout) -> int:
        """The bytes that an entry may be given for a block."""
        wide, high = self.space
        return aligned(wide * cut.block_size + high * cut.block_rows + _SPARE * (wide + high > 0))

    def worker_bytes(self, cut: Layout, sums: Sequence[TensorType]) -> int:
        """The bytes of scratch memory that a thread is given.

        Args:
            cut: how the group is cut into blocks.
            sums: the types of its sums over all rows.
        """
        arrays = [dtype.itemsize * cut.block_size for dtype in self.registers]
        arrays += [dtype.itemsize * cut.block_rows for dtype in self.thin]
        arrays += [type.nbytes.__index__() for type in sums if type.ndim]
        return sum(map(aligned, arrays)) + self.space_bytes(cut)

    def scratch_bytes(self, cut: Layout, sums: Sequence[TensorType]) -> tuple[int, int]:
        """The bytes of scratch memory that all threads take together, and how many of them they are given."""
        given = cut.workers * self.worker_bytes(cut, sums)
        for type in sums:
            given += aligned(type.nbytes.__index__() * (len(cut.pieces()) if type.ndim else cut.block_count))
        return given + cut.workers * (self.own * cut.block_size + self._buffer_bytes(cut)), given

    def _buffer_bytes(self, cut: Layout) -> int:
        """What NumPy copies the elements of rows to, where there is one for a short row."""
        uneven = cut.inner > 0 or any(shape != cut.shape and math.prod(shape) > 1 for shape in cut.operands)
        itemsize = max([dtype.itemsize for dtype in (*self.registers, *self.thin)], default=8)
        return 3 * BUFFER * itemsize if uneven and 2 * cut.shape[-1] <= BUFFER else 0


_Slot = tuple[int, bool]
_Pool = tuple[DType, bool]


class Slots:
    """Gives every value of a group a slot: first come the operands, then the results, then scratch.

    Slots are handed out and taken back, each a number and whether it has one element for each row. The one
    result of a group that its last step makes lends its slot to what comes before it.

    Args:
        entries: what is done, in order.
        operands: the values that come from outside.
        results: the values that are read outside.
        types: of all values.
        blocking: the group's.
        over: the operand that the result is written over, if any.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        operands: Sequence[int],
        results: Sequence[int],
        types: Sequence[TensorType],
        blocking: Blocking,
        over: int | None,
    ) -> None:
        self._entries = entries
        self._types = types
        self._blocking = blocking
        self._over = over
        self._slots: dict[int, _Slot] = {
            value: (slot, self._is_thin(value)) for slot, value in enumerate((*operands, *results))
        }
        self._outside = len(self._slots)
        self._inner = {entry.result for entry in entries} - set(results)
        self._last: dict[int, int] = {}
        for place, entry in enumerate(entries):
            self._last.update(dict.fromkeys([self._root(value) for value in entry.operands], place))
        self._free: dict[_Pool, list[_Slot]] = {}
        self._registers: list[DType] = []
        self._thin: list[DType] = []
        ends = len(results) == 1 and entries[-1].result == results[0]
        self._lends = results[0] if ends and blocking.forms[results[0]] is not Form.SUMMED else None
        if self._lends is not None and over is None:
            self._release(self._lends)

    def program(self) -> Program:
        """What is done to each block."""
        slots = [self._assign(place, entry) for place, entry in enumerate(self._entries)]
        rows = [(tuple([self._number(each) for each in ins]), self._number(out)) for ins, out in slots]
        own = max([entry.own for entry in self._entries])
        space = max([entry.space[0] for entry in self._entries]), max([entry.space[1] for entry in self._entries])
        return Program([*self._entries], rows, self._registers, self._thin, own, space)

    def _number(self, slot: _Slot) -> int:
        """That of operands and results as it is; thin scratch follows the other."""
        number, is_thin = slot
        return number + len(self._registers) if is_thin and number >= self._outside else number

    def _root(self, value: int) -> int:
        return self._blocking.aliases.get(value, value)

    def _is_thin(self, value: int) -> bool:
        return self._blocking.forms.get(value) in (Form.KEPT, Form.BARE)

    def _pool(self, value: int) -> _Pool:
        return self._types[value].dtype, self._is_thin(value)

    def _release(self, value: int) -> None:
        self._free.setdefault(self._pool(value), []).append(self._slots[value])

    def _assign(self, place: int, entry: Entry) -> tuple[tuple[_Slot, ...], _Slot]:
        """The slots that an entry reads and writes."""
        read = [self._root(value) for value in entry.operands]
        ins = tuple([self._slots[value] for value in read])
        dying = [value for value in dict.fromkeys(read) if self._last[value] == place and value in self._inner]
        result, pool = entry.result, self._pool(entry.result)
        early = [value for value in dying if entry.writes and self._pool(value) == pool]
        for value in early:
            self._release(value)
        lent = self._lends if self._over in read and self._last[self._over] == place else None
        if lent is not None and entry.writes:
            self._release(lent)
        if result not in self._slots:
            self._slots[result] = self._take(pool)
        for value in dying:
            if value not in early:
                self._release(value)
        if lent is not None and not entry.writes:
            self._release(lent)
        return ins, self._slots[result]

    def _take(self, pool: _Pool) -> _Slot:
        vacant = self._free.get(pool)
        if vacant:
            return vacant.pop()
        dtype, thin = pool
        registers = self._thin if thin else self._registers
        registers.append(dtype)
        return self._outside + len(registers) - 1, thin
