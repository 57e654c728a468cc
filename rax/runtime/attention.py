"""How attention is cut into blocks of scores: what plans count, and kernels do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from rax.ir.record import Record
from rax.ir.types import DType, TensorType, bool_
from rax.ops.reduction import computing_dtype
from rax.runtime.arena import BUFFER, aligned
from rax.runtime.fusion import threads
from rax.runtime.patches import LEAST, SMALL

# The scores that a block has, so that what is computed of them stays in the cache of a core: those of one kind, and of
# the two that a gradient needs.
_SCORES = (1 << 18, 1 << 17)
# Rows of scores at a time: enough for the registers of the processor, and few enough that causal blocks leave much out.
_ROWS = 64
# Columns laid out with fewer rows to meet them cost more than they gain.
_FEW_ROWS = 16
# Fewer multiplications than this are not shared out.
_WORTH_SHARING = 1 << 21
# The parts for each thread, so that all end at about the same time.
_PARTS_EACH = 2


class Part(Record):
    """What one thread does by itself.

    Attributes:
        outer: the place along the lead axes but the last.
        items: which places of the last lead axis.
        groups: which groups of keys.
        rows: which queries.
    """

    outer: tuple[int, ...]
    items: slice
    groups: slice
    rows: slice


class Cut(Record):
    """Attention of known sizes, cut into blocks of scores.

    Attributes:
        lead: the lead axes but the last.
        items: the size of the last; 1 where there is none.
        queries: how many there are.
        keys: how many there are.
        groups: of keys.
        share: the heads that share a group.
        size: of a head of queries and keys.
        width: of a head of values.
        dtype: in which it is computed.
        cast: whether that is not the operands' own.
        mask_axes: the sizes of a mask of bools that are not stretched, with as many axes as the scores; None without.
        backward: whether it is the gradient.
        item_step: how many items make a block.
        group_step: how many groups.
        row_step: how many queries.
        row_span: how many queries a part has.
    """

    lead: tuple[int, ...]
    items: int
    queries: int
    keys: int
    groups: int
    share: int
    size: int
    width: int
    dtype: DType
    cast: bool
    mask_axes: tuple[int, ...] | None
    backward: bool
    item_step: int
    group_step: int
    row_step: int
    row_span: int

    @property
    def parts(self) -> list[Part]:
        """All of them, those with the most to do first where later queries see more."""
        rows = range(0, self.queries, self.row_span)
        return [
            Part(outer, _run(item, self.item_step, self.items), _run(group, self.group_step, self.groups),
                 _run(row, self.row_span, self.queries))
            for row in reversed(rows)
            for outer in itertools.product(*map(range, self.lead))
            for item in range(0, self.items, self.item_step)
            for group in range(0, self.groups, self.group_step)
        ]  # fmt: skip

    @property
    def part_count(self) -> int:
        """How many parts there are."""
        steps = ((self.items, self.item_step), (self.groups, self.group_step), (self.queries, self.row_span))
        return math.prod(self.lead) * math.prod([-(-whole // step) for whole, step in steps])

    @property
    def workers(self) -> int:
        """How many threads may be at work."""
        heads = math.prod(self.lead) * self.items * self.groups * self.share
        work = heads * self.queries * self.keys * (self.size + self.width)
        return min(threads(), self.part_count) if work >= _WORTH_SHARING else 1

    @property
    def heads(self) -> int:
        """The groups of all items of a block."""
        return self.item_step * self.group_step

    @property
    def rows(self) -> int:
        """The rows of scores that a group of a block has."""
        return self.share * self.row_step

    @property
    def packs(self) -> bool:
        """Whether keys, and for a gradient values, are laid out anew for the products that give scores."""
        return self.cast or self.share * self.row_span > _FEW_ROWS

    def tile(self, inner: int) -> int:
        """The columns of a product that gives scores, so that BLAS computes it in the calling thread."""
        return _fitting(self.rows * inner, self.keys)

    def depth(self, width: int) -> int:
        """The keys that a product over them sums at once."""
        return _fitting(self.rows * width, self.keys)

    def partial(self, width: int) -> int:
        """The numbers of the products that are summed up to one over all keys."""
        runs = self.keys // self.depth(width)
        whole = runs * self.depth(width) == self.keys
        return self.heads * self.rows * width * (0 if runs == 1 and whole else runs + (not whole))

    @property
    def needs(self) -> dict[str, int]:
        """How many numbers of the computing dtype a thread is given, by what for."""
        scores, keys, values = (self.heads * each for each in (self.rows * self.keys, self.size, self.width))
        found = {"scores": scores, "query": self.rows * keys, "sums": self.rows * values}
        found |= {"partial": self.partial(self.width), "top": self.heads * self.rows, "total": self.heads * self.rows}
        if self.packs:
            found["columns"] = self.keys * keys
        if self.cast or (self.backward and self.packs):
            found["values"] = self.keys * values
        if self.backward:
            found |= {"slopes": scores, "given": self.rows * values, "added": self.keys * max(keys, values)}
            found |= {"key_sums": self.keys * keys, "value_sums": self.keys * values}
            found |= {"sums": self.rows * keys, "partial": self.partial(self.size)}
        return found

    @property
    def mask_bytes(self) -> int:
        """Those of what a block must not look at."""
        if self.mask_axes is None:
            return 0
        most = (*[1] * len(self.lead), self.item_step, self.group_step * self.share, self.row_step, self.keys)
        return math.prod(map(min, self.mask_axes, most[-len(self.mask_axes) :]))

    @property
    def worker_bytes(self) -> int:
        """The memory that one thread is given: for what it needs, and what a block must not look at."""
        return sum([aligned(count * self.dtype.itemsize) for count in self.needs.values()]) + aligned(self.mask_bytes)

    @property
    def own_bytes(self) -> int:
        """What NumPy takes for a thread: which rows have no numbers, and operands copied a part at a time."""
        return 2 * self.heads * self.rows + 2 * BUFFER * self.dtype.itemsize


def _run(start: int, step: int, stop: int) -> slice:
    return slice(start, min(start + step, stop))


def _fitting(each: int, most: int) -> int:
    """How many fit a small product, of which each takes so many multiplications: all, or a multiple of a few."""
    count = SMALL // max(each, 1)
    return most if count >= most else max(count - count % LEAST, LEAST)


def cut(types: Sequence[TensorType], *, backward: bool = False) -> Cut:
    """Cut an attention of known sizes.

    Args:
        types: those of query, key, value and perhaps a bias or mask.
        backward: whether it is the gradient.
    """
    query, key, value = types[:3]
    *lead, queries, heads, size = [each.__index__() for each in query.shape]
    keys, groups = key.shape[-3].__index__(), key.shape[-2].__index__()
    width, share = value.shape[-1].__index__(), heads // groups
    items = lead.pop() if lead else 1
    dtype = computing_dtype(query.dtype)
    mask_axes: tuple[int, ...] | None = None
    if len(types) > 3 and types[3].dtype is bool_:
        mask_axes = tuple([each.__index__() for each in types[3].shape])
    scores = _SCORES[backward]
    most = max(SMALL // (LEAST * max(size, width, 1)), 1)  # rows of a product that is small
    row_step = max(1, min(_ROWS, most, max(scores // keys, LEAST)) // share)
    row_step = max(1, min(row_step, queries))
    fits = max(scores // (share * row_step * keys), 1)
    parts = _PARTS_EACH * threads()
    outer = math.prod(lead)
    group_step = min(fits, groups)
    item_step = max(1, min(fits // group_step, items, -(-items * outer // parts))) if group_step == groups else 1
    while group_step > 1 and outer * -(-items // item_step) * -(-groups // group_step) < parts:
        group_step = -(-group_step // 2)
    row_span = max(queries, 1)
    apart = outer * -(-items // item_step) * -(-groups // group_step)
    if not backward and apart < parts:
        row_span = -(-queries // row_step // -(-parts // apart)) * row_step
    return Cut(
        tuple(lead), items, queries, keys, groups, share, size, width, dtype, dtype is not query.dtype, mask_axes,
        backward, item_step, group_step, row_step, row_span,
    )  # fmt: skip


def attention_needs(op: Any, types: Sequence[TensorType], dense: Sequence[bool]) -> tuple[int, int] | None:
    """The bytes that attention takes beside operands and result, and how many of them it is given.

    None where it has no blocks, or sizes are symbolic.

    Args:
        op: a ``dot_product_attention``, whose attributes make no difference.
        types: those of its operands.
        dense: which of them are C-contiguous, which makes none either.
    """
    del op, dense
    return _needs(cut(types)) if _is_known(types) else None


def gradient_needs(op: Any, types: Sequence[TensorType], dense: Sequence[bool]) -> tuple[int, int] | None:
    """The same of its gradient, whose last operand is the derivative by the result."""
    del op, dense
    return _needs(cut(types[:-1], backward=True)) if _is_known(types) else None


def _needs(work: Cut) -> tuple[int, int]:
    return work.workers * (work.worker_bytes + work.own_bytes), work.workers * work.worker_bytes


def _is_known(types: Sequence[TensorType]) -> bool:
    """Whether there are elements, and how many."""
    sizes = [size for type in types for size in type.shape]
    return 0 not in sizes and all(isinstance(size, int) for size in sizes)
