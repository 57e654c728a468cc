"""Kernels of attention and of its gradient: block by block of the scores, which are never held as a whole.

A block is some queries of some heads, with all keys. Its products are so small that BLAS computes them in the
calling thread; several threads share the blocks. Where causal attention leaves keys out, and no number is infinite
or NaN, which would show through weights of 0, blocks do not look at them at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.attention import Cut, Part, cut
from rax.runtime.backends.numpy.kernel import Kernel, Types
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.backends.numpy.scratch import Space
from rax.runtime.deadline import check_time

Work = Callable[[Part], None]
_VECDOT: Any = np.vecdot
# By position NumPy's stubs know no ``keepdims``.
_LARGEST: Any = np.maximum.reduce
_TOTAL: Any = np.add.reduce
# BLAS adds up so many weights with no more rounding than NumPy's sums.
_FEW_TERMS = 4096


def make_attention(op: Any, types: Types) -> Kernel | None:
    """The kernel of ``dot_product_attention``; none where an operand has no elements."""
    if any(0 in type.shape for type in types):
        return None
    work = cut(types)
    shape, dtype = concrete((*types[0].shape[:-1], work.width)), numpy_dtype(types[2].dtype)
    fixed = _Fixed(work)

    def attention(*operands: Array, out: Array | None = None, space: Array | None = None) -> Array:
        result = np.empty(shape, dtype) if out is None else out
        target = _heads_first(result, work)
        spaces = Space(space).parts(work.workers, work.worker_bytes)

        def start() -> Work:
            scores = _Scores(work, op, operands, fixed, spaces.pop())

            def attend(part: Part) -> None:
                scores.begin(part)
                own = target[part.outer][part.items, part.groups]
                few = scores.leaves_out and _is_finite(scores.values)
                for rows in _steps(part.rows, work.row_step):
                    check_time()
                    weights = scores.weights(rows, few=few)
                    _put(own[..., rows, :], scores.total(weights, scores.values))

            return attend

        _share(work, start)
        return result

    return attention


def make_gradient(op: Any, types: Types) -> Kernel:
    """The kernel of the gradient by query, key and value; the last operand is what the result's is."""
    work = cut(types[:-1], backward=True)
    shapes, dtype = [concrete(type.shape) for type in types[:3]], numpy_dtype(types[0].dtype)

    fixed = _Fixed(work)

    def gradient(
        *operands: Array, out: tuple[Array, ...] | None = None, space: Array | None = None
    ) -> tuple[Array, ...]:
        results = tuple([np.empty(shape, dtype) for shape in shapes]) if out is None else out
        by_query = _heads_first(results[0], work)
        by_key, by_value = (_groups_first(each, work) for each in results[1:])
        spaces = Space(space).parts(work.workers, work.worker_bytes)

        def start() -> Work:
            slopes = _Slopes(_Scores(work, op, operands[:-1], fixed, spaces.pop()), operands[-1])

            def pull(part: Part) -> None:
                place = part.outer
                slopes.pull(
                    part, by_query[place][part.items, part.groups], by_key[place][part.items, part.groups],
                    by_value[place][part.items, part.groups],
                )  # fmt: skip

            return pull

        _share(work, start)
        if not work.queries:
            for each in results:
                each.fill(0)
        return results

    return gradient


class _Fixed:
    """What all calls read: ones to sum rows with, and which keys of a square block come later."""

    def __init__(self, work: Cut) -> None:
        self.ones = np.ones(min(work.keys, _FEW_TERMS), numpy_dtype(work.dtype))
        self.later = np.triu(np.ones((work.row_step, work.row_step), np.bool_), 1)


class _Scores:
    """The scores of blocks, in the memory of one thread.

    Args:
        work: how they are cut.
        op: the attention.
        operands: query, key, value, perhaps bias or mask.
        fixed: what all calls read.
        space: where the memory is taken from.

    Attributes:
        memory: what is left for other uses, by name.
        leaves_out: whether weights of keys that come later are 0, whatever a bias is.
        query: of the part begun, ``(items, groups, share, T, size)``.
        keys: ``(items, groups, S, size)``.
        values: ``(items, groups, S, width)``.
        hidden: which scores of the last block are left out: pairs of masks and of the scores they are for.
    """

    def __init__(self, work: Cut, op: Any, operands: tuple[Array, ...], fixed: _Fixed, space: Space) -> None:
        dtype = numpy_dtype(work.dtype)
        self.work = work
        self.memory = {name: space.array((count,), dtype) for name, count in work.needs.items()}
        self._mask = space.array((work.mask_bytes,), np.dtype(np.bool_))
        self._query, self._key, self._value = (
            _heads_first(operands[0], work), _groups_first(operands[1], work), _groups_first(operands[2], work)
        )  # fmt: skip
        self._bias = _spread_out(np.asarray(operands[3]), work) if len(operands) > 3 else None
        self._causal: bool = op.causal
        self.scale = dtype.type(op.scale)
        self._ones, self._later = fixed.ones, fixed.later
        self.leaves_out = self._causal and (self._bias is None or self._bias.dtype == np.bool_)
        self.query = self.keys = self.values = self._ones
        self.hidden: list[tuple[Array | bool, Any]] = []

    def array(self, name: str, *shape: int) -> Array:
        """Memory by name, as an array."""
        return self.memory[name][: math.prod(shape)].reshape(shape)

    def begin(self, part: Part) -> None:
        """Take up a part."""
        work = self.work
        self._part = part
        self.query = self._query[part.outer][part.items, part.groups]
        self.keys = self._key[part.outer][part.items, part.groups]
        self.values = self._value[part.outer][part.items, part.groups]
        if work.cast:
            values = self.array("values", *self.values.shape)
            np.copyto(values, self.values, casting="unsafe")
            self.values = values
        self._columns = Columns(self.keys, work.tile(work.size), self.memory["columns"] if work.packs else None)

    def scaled(self, rows: slice) -> Array:
        """The queries of a block, ``(items, groups, rows, size)``."""
        part = self.query[..., rows, :]
        scaled = self.array("query", *part.shape)
        if self.work.cast:
            np.copyto(scaled, part, casting="unsafe")
            part = scaled
        np.multiply(part, self.scale, scaled)
        return _joined(scaled)

    def weights(self, rows: slice, *, few: bool) -> Array:
        """The weights of a block, ``(items, groups, rows, S)``; if few, of keys that are not later than all rows."""
        query = self.scaled(rows)
        keys = min(self.work.keys, rows.stop) if few else self.work.keys
        scores = self.array("scores", *query.shape[:-1], keys)
        self._columns.multiply(query, scores)
        self._hide(rows, self.apart(scores))
        top = self.array("top", *query.shape[:-1], 1)
        _LARGEST(scores, -1, None, top, True)
        np.copyto(top, 0, where=~np.isfinite(top))
        np.subtract(scores, top, scores)
        np.exp(scores, scores)
        total = self.array("total", *query.shape[:-1], 1)
        if keys <= _FEW_TERMS:
            _VECDOT(scores, self._ones[:keys], out=total, keepdims=True)
        else:
            _TOTAL(scores, -1, None, total, True)
        np.copyto(total, 1, where=total == 0)
        np.multiply(scores, np.reciprocal(total, total), scores)
        return scores

    def _hide(self, rows: slice, scores: Array) -> None:
        """Add a bias, and leave scores out; they have axes ``(items, groups, share, T, S)``."""
        keys, bias, hidden = scores.shape[-1], None, self.hidden
        hidden.clear()
        if self._causal:
            ahead = max(min(keys, rows.stop) - rows.start, 0)
            hidden.append((self._later[: scores.shape[-2], :ahead], np.s_[..., rows]))
            if keys > rows.stop:
                hidden.append((True, np.s_[..., rows.stop :]))
        if self._bias is not None:
            bias = self._bias[_within(self._bias, self._part, rows)][..., :keys]
            if bias.dtype == np.bool_:
                hidden.append((np.logical_not(bias, self._mask[: bias.size].reshape(bias.shape)), ...))
                bias = None
        self.clear(scores, -math.inf)
        if bias is not None:
            np.add(scores, bias, scores, casting="unsafe", dtype=scores.dtype)

    def apart(self, x: Array) -> Array:
        """``(items, groups, rows, size)`` as ``(items, groups, share, T, size)``."""
        return x.reshape(*x.shape[:2], self.work.share, x.shape[2] // self.work.share, x.shape[3])

    def clear(self, scores: Array, number: float) -> None:
        """Set what is left out of a block to a number."""
        for mask, place in self.hidden:
            np.copyto(scores[place], number, where=mask)

    def total(self, weights: Array, values: Array) -> Array:
        """Values ``(items, groups, S, width)`` summed with weights: ``(items, groups, rows, width)``."""
        keys, width, rows = weights.shape[-1], values.shape[-1], weights.shape[-2]
        lead, depth = weights.shape[:2], self.work.depth(width)
        sums = self.array("sums", *lead, rows, width)
        values = values[..., :keys, :]
        if keys <= depth:
            return np.matmul(weights, values, out=sums)
        runs, whole = keys // depth, keys - keys % depth
        count = runs + (whole < keys)
        parts = self.array("partial", *lead, count, rows, width)
        left = weights[..., :whole].reshape(*lead, rows, runs, depth).swapaxes(2, 3)
        np.matmul(left, values[..., :whole, :].reshape(*lead, runs, depth, width), out=parts[:, :, :runs])
        if whole < keys:
            np.matmul(weights[..., whole:], values[..., whole:, :], out=parts[:, :, runs])
        return np.add.reduce(parts, axis=2, out=sums)


class _Slopes:
    """The gradient of parts, in the memory of one thread."""

    def __init__(self, scores: _Scores, given: Array) -> None:
        self._scores = scores
        self._given = _heads_first(given, scores.work)

    def pull(self, part: Part, by_query: Array, by_key: Array, by_value: Array) -> None:
        """Put the gradient of a part where it is due."""
        scores, work = self._scores, self._scores.work
        scores.begin(part)
        given = self._given[part.outer][part.items, part.groups]
        values = Columns(scores.values, work.tile(work.width), scores.memory["values"] if work.packs else None)
        finite = scores.leaves_out and all(
            map(_is_finite, (scores.values, given, scores.keys, scores.query))
        )  # each of which meets a weight of 0
        key_sums = scores.array("key_sums", *scores.keys.shape)
        value_sums = scores.array("value_sums", *scores.values.shape)
        first = True
        for rows in _steps(part.rows, work.row_step):
            check_time()
            weights = scores.weights(rows, few=finite)
            block = given[..., rows, :]
            own = scores.array("given", *block.shape)
            np.copyto(own, block)
            own = _joined(own)
            self._add(weights, own, value_sums, first=first)
            slopes = scores.array("slopes", *weights.shape)
            values.multiply(own, slopes)
            top = scores.array("top", *own.shape[:-1], 1)
            np.subtract(slopes, _VECDOT(slopes, weights, out=top, keepdims=True), slopes)
            np.multiply(slopes, weights, slopes)
            if not finite:
                scores.clear(scores.apart(slopes), 0)
            sums = scores.total(slopes, scores.keys)
            _put(by_query[..., rows, :], np.multiply(sums, scores.scale, sums))
            self._add(slopes, _joined(scores.array("query", *scores.query[..., rows, :].shape)), key_sums, first=first)
            first = False
        np.copyto(by_key, key_sums)
        np.copyto(by_value, value_sums)

    def _add(self, weights: Array, rows: Array, sums: Array, *, first: bool) -> None:
        """Add rows, with weights, to sums over all of them: ``(items, groups, S, width)``."""
        work, keys, width = self._scores.work, weights.shape[-1], rows.shape[-1]
        target = sums[..., :keys, :] if first else self._scores.array("added", *weights.shape[:2], keys, width)
        step = work.tile(width)
        runs, whole = keys // step, keys - keys % step
        if runs:
            lead = weights.shape[:2]
            left = weights[..., :whole].reshape(*weights.shape[:3], runs, step).transpose(0, 1, 3, 4, 2)
            np.matmul(left, rows[:, :, None], out=target[..., :whole, :].reshape(*lead, runs, step, width))
        if whole < keys:
            np.matmul(weights[..., whole:].swapaxes(-1, -2), rows, out=target[..., whole:, :])
        if first:
            sums[..., keys:, :] = 0
        else:
            np.add(sums[..., :keys, :], target, sums[..., :keys, :])


class Columns:
    """Vectors ``(items, groups, S, size)`` that rows are multiplied by, a few at a time.

    Args:
        vectors: the vectors.
        step: how many at a time.
        memory: where they are laid out as columns; they are used as they lie if None.
    """

    def __init__(self, vectors: Array, step: int, memory: Array | None) -> None:
        lead, (count, size) = vectors.shape[:2], vectors.shape[2:]
        runs, whole = count // step, count - count % step
        self._step = step
        self._runs = vectors[..., :whole, :].reshape(*lead, runs, step, size).swapaxes(-1, -2)
        self._rest = vectors[..., whole:, :].swapaxes(-1, -2)
        if memory is not None:
            self._runs = _laid(memory, self._runs)
            self._rest = _laid(memory[self._runs.size :], self._rest)

    def multiply(self, rows: Array, out: Array) -> None:
        """The products of rows ``(items, groups, rows, size)`` by the first vectors, as many as there is place for."""
        count, step = out.shape[-1], self._step
        runs, whole = count // step, count - count % step
        if runs:
            target = out[..., :whole].reshape(*out.shape[:3], runs, step).swapaxes(2, 3)
            np.matmul(rows[:, :, None], self._runs[:, :, :runs], out=target)
        if whole < count:
            rest = self._runs[:, :, runs] if runs < self._runs.shape[2] else self._rest
            np.matmul(rows, rest[..., : count - whole], out=out[..., whole:])


def _laid(memory: Array, array: Array) -> Array:
    """A copy, laid out in memory."""
    copy = memory[: array.size].reshape(array.shape)
    np.copyto(copy, array, casting="unsafe")
    return copy


def _heads_first(x: Array, work: Cut) -> Array:
    """``(*lead, T, N, size)`` as ``(*lead, groups, share, T, size)``, with one lead axis at least: a view."""
    parted = x.reshape(*work.lead, work.items, work.queries, work.groups, work.share, x.shape[-1])
    return np.moveaxis(parted, -4, -2)


def _groups_first(x: Array, work: Cut) -> Array:
    """``(*lead, S, groups, size)`` as ``(*lead, groups, S, size)``, with one lead axis at least: a view."""
    return x.reshape(*work.lead, work.items, work.keys, work.groups, x.shape[-1]).swapaxes(-2, -3)


def _spread_out(bias: Array, work: Cut) -> Array:
    """A bias with the axes ``(*lead, items, groups, share, T, S)``, each as long as it has to be, or 1."""
    axes = len(work.lead) + 4
    whole = bias.reshape(*[1] * (axes - bias.ndim), *bias.shape)
    *lead, heads, queries, keys = whole.shape
    return whole.reshape(*lead, *((work.groups, work.share) if heads > 1 else (1, 1)), queries, keys)


def _within(bias: Array, part: Part, rows: slice) -> tuple[Any, ...]:
    """What of a bias is for some rows of a part."""
    *outer, items, groups, _, queries, _ = bias.shape
    every = slice(None)
    return (
        *[place if size > 1 else 0 for place, size in zip(part.outer, outer, strict=True)],
        part.items if items > 1 else every, part.groups if groups > 1 else every, every,
        rows if queries > 1 else every, every,
    )  # fmt: skip


def _joined(x: Array) -> Array:
    """``(items, groups, share, T, size)`` as ``(items, groups, rows, size)``."""
    return x.reshape(*x.shape[:2], x.shape[2] * x.shape[3], x.shape[4])


def _put(target: Array, rows: Array) -> None:
    """Write ``(items, groups, rows, size)`` where ``(items, groups, share, T, size)`` lies."""
    np.copyto(target, rows.reshape(target.shape), casting="unsafe")


def _steps(rows: slice, step: int) -> Iterator[slice]:
    """So many queries at a time, the last first: of causal attention they look at the most."""
    for start in reversed(range(rows.start, rows.stop, step)):
        yield slice(start, min(start + step, rows.stop))


def _is_finite(x: Array) -> bool:
    """Whether there is neither infinity nor NaN; False also where the sum of all is too large."""
    return math.isfinite(x.sum())


def _share(work: Cut, start: Callable[[], Work]) -> None:
    """Do all parts, in several threads if that is worth while."""
    if work.workers > 1:
        run_blocks(work.parts, start)
        return
    compute = start()
    for part in work.parts:
        compute(part)
