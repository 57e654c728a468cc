"""Kernels of convolution: matrix products with windows laid out as columns, block by block in several threads."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rax.ir.types import TensorType
from rax.ops.arrays import Array, concrete, numpy_dtype
from rax.runtime.arena import aligned
from rax.runtime.backends.numpy.kernel import Kernel, Types, is_half
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.backends.numpy.scratch import Space
from rax.runtime.deadline import check_time
from rax.runtime.patches import LEAST, SMALL, THIN, TURNED, Block, Cut, Patches, Phase, Sizes, cut, exchanged, phases
from rax.runtime.shifts import Shifts, shifts


class Columns:
    """The memory of one thread, in which it lays out patches.

    Args:
        patches: of which images.
        images: how many at a time.
        lead: the axes of an image before those of its patches.
        dtype: of the images.
        joined: whether the axis of the images lies behind that of the taps, instead of first.
        space: where the memory is taken from.
    """

    def __init__(
        self, patches: Patches, images: int, lead: Sizes, dtype: np.dtype[Any], space: Space, *, joined: bool
    ) -> None:
        axes, count = len(patches.sizes), 1 + len(lead)
        self._patches = patches
        self._lead = lead
        within = (*range(1, count), *range(count, count + axes))
        between = tuple(range(count + axes, count + 2 * axes))
        self._order = (*within, 0, *between) if joined else (0, *within, *between)
        self._back = tuple([self._order.index(axis) for axis in range(count + 2 * axes)])
        self._memory = space.array(
            (images * math.prod((*lead, *patches.taps, patches.rows, *patches.places[1:])),), dtype
        )
        self._wrapped = patches.wrapped()
        self._source: Array | None = None
        if patches.is_plain:
            return
        before, _ = patches.sides
        buffer = space.array((images, *lead, patches.held), dtype)
        buffer.fill(0)
        shape = patches.shape
        inside = buffer[..., before : before + math.prod(shape)].reshape(*buffer.shape[:-1], *shape)
        start = before - patches.low[-1] if patches.is_flat else 0
        self._source = _view(patches, buffer[..., start:], count, inside.strides[count:])
        self._inside = inside
        keys = [patches.filled(axis, 0) for axis in range(1, axes)]
        self._target = tuple([target for target, _ in keys])
        self._taken = tuple([taken for _, taken in keys])
        self._filled = slice(0)

    def lay(self, images: Array, chosen: slice) -> Array:
        """The columns of images ``(count, *lead, *sizes)`` for some places of the first axis.

        The result has the axes ``(*lead, *taps, count, *places)`` if joined, else ``(count, *lead, *taps, *places)``.
        """
        patches = self._patches
        axes, lead, top = len(patches.sizes), 1 + len(self._lead), chosen.start
        source = self._plain(images, top) if self._source is None else self._padded(images, top)
        channels = [slice(0, size) for size in images.shape[:lead]]
        source = source[(*channels, *[slice(None)] * axes, slice(0, chosen.stop - top))]
        shape = tuple([source.shape[axis] for axis in self._order])
        columns = self._memory[: source.size].reshape(shape)
        target = columns.transpose(self._back)
        np.copyto(target, source)
        for tap, edge in self._wrapped:
            target[(*[slice(None)] * (lead + axes - 1), tap, *[slice(None)] * (axes - 1), edge)] = 0
        return columns

    def _plain(self, images: Array, top: int) -> Array:
        patches = self._patches
        lead = images.ndim - len(patches.sizes)
        starts = [-low for low in patches.low]
        starts[0] += top * patches.place_steps[0]
        part = images[(..., *[slice(start, None) for start in starts])]
        return _view(patches, part, lead, part.strides[lead:])

    def _padded(self, images: Array, top: int) -> Array:
        source = self._source
        assert source is not None
        patches = self._patches
        rows, taken = patches.filled(0, top * patches.place_steps[0])
        keys, elements = ((rows, *self._target), (taken, *self._taken))
        if len(patches.sizes) == 1 and patches.is_flat:
            rows, taken = patches.filled(0, 0)
            keys, elements = (rows,), (taken,)
        if rows != self._filled:
            self._inside.fill(0)
            self._filled = rows
        channels = [slice(0, size) for size in images.shape[: 1 + len(self._lead)]]
        self._inside[(*channels, *keys)] = images[(..., *elements)]
        return source


def _view(patches: Patches, memory: Array, lead: int, steps: Sizes) -> Array:
    """The patches ``(*lead, *taps, *places)`` in memory that has positions at ``steps`` bytes along the axes."""
    within = [step * by for step, by in zip(steps, patches.tap_steps, strict=True)]
    between = [step * by for step, by in zip(steps, patches.place_steps, strict=True)]
    shape = (*memory.shape[:lead], *patches.taps, patches.rows, *patches.places[1:])
    strides = (*memory.strides[:lead], *within, *between)
    return np.lib.stride_tricks.as_strided(memory, shape, strides, writeable=False)


@functools.lru_cache(maxsize=256)
def _chunks(rows: int, inner: int, columns: int, most: int) -> tuple[list[Sizes], list[Sizes]]:
    """Rows and columns from, to, and how many at a time: so that products are small, if they can be."""
    if rows == 1 or columns == 1:
        return _runs(rows, min(rows, max(THIN // inner, 1))), _runs(columns, min(columns, max(THIN // inner, 1)))
    if rows * columns <= most and rows * inner * columns <= SMALL:
        return [(0, rows, rows)], [(0, columns, columns)]
    for high in (min(rows, 2 * LEAST), min(rows, LEAST)):
        wide = min(SMALL // inner, most) // high
        if wide >= min(columns, LEAST):
            return _runs(rows, high), _runs(columns, _even(columns, wide))
    return [(0, rows, rows)], [(0, columns, columns)]


def _even(whole: int, most: int) -> int:
    """The size of runs, at most so large, that leaves the least over."""
    if whole <= most:
        return whole
    sizes = range(most - most % LEAST, most // 2, -LEAST)
    return next((size for size in sizes if whole % size == 0), sizes[0])


def _runs(whole: int, size: int) -> list[Sizes]:
    """All in runs of one size, and what is left."""
    even = whole - whole % size
    return [(0, even, size), (even, whole, whole - even)] if even < whole else [(0, whole, size)]


def _multiply(left: Array, right: Array, out: Array, most: int = SMALL) -> None:
    """Products ``(groups, m, k)`` by ``(*lead, groups, k, n)``, in small pieces of at most so many numbers."""
    *lead, inner, columns = right.shape
    rows, across = _chunks(left.shape[-2], inner, columns, most)
    for (top, bottom, high), (start, stop, wide) in itertools.product(rows, across):
        down, along = (bottom - top) // high, (stop - start) // wide
        parts = left[:, top:bottom].reshape(len(left), down, 1, high, inner)
        chosen = right[..., start:stop].reshape(*lead, inner, along, wide).swapaxes(-3, -2)
        target = out[..., top:bottom, start:stop].reshape(*lead, down, high, along, wide).swapaxes(-3, -2)
        np.matmul(parts, chosen[..., None, :, :, :], out=target)


def make_conv(op: Any, types: Types) -> Kernel | None:
    """The kernel of a convolution; none for half types, and where there is nothing to sum."""
    x, kernel = types
    (result,) = op.infer(*types)
    if is_half(x.dtype) or 0 in (*x.shape, *kernel.shape, *result.shape):
        return None
    shape, dtype = concrete(result.shape), numpy_dtype(x.dtype)
    parts = phases(op, x, kernel)
    if parts:
        return _by_phases(parts, shape, dtype)
    turned = exchanged(op, x, kernel)
    shifted = None if turned is not None else shifts(op, x, kernel)
    if shifted is not None:
        return _by_shifts(shifted, shape, dtype)
    work = cut(op, x, kernel)
    plain = (_by_terms if work.swapped else _by_columns)(work, shape, dtype)
    if turned is None:
        return plain
    return _exchanged(make_conv(turned[0], turned[1:]), turned[0].infer(*turned[1:])[0], plain)


def _by_phases(parts: Sequence[Phase], shape: Sizes, dtype: np.dtype[Any]) -> Kernel:
    """Each part of the result by the taps that meet elements there."""
    kernels = [None if part.op is None else make_conv(part.op, part.types) for part in parts]

    def all_phases(x: Array, kernel: Array, out: Array | None = None, space: Array | None = None) -> Array:
        result = np.empty(shape, dtype) if out is None else out
        for part, compute in zip(parts, kernels, strict=True):
            target = result[(..., *part.places)]
            if compute is None:
                target[...] = 0
                continue
            made = Space(space).array(target.shape, dtype)
            rest = None if space is None else space[aligned(made.nbytes) :]
            target[...] = compute(x, kernel[(..., *part.taps)], made, rest)
        return result

    return all_phases


def _exchanged(compute: Kernel | None, type: TensorType, plain: Kernel) -> Kernel:
    """The result of a kernel, of a type, with its first two axes exchanged, and all others in the other order.

    It pads the cotangent with zeros, not the images: what an infinity or a NaN meets there is told by the plain one.
    """
    assert compute is not None
    shape, dtype = concrete(type.shape), numpy_dtype(type.dtype)

    def conv(x: Array, kernel: Array, out: Array | None = None, space: Array | None = None) -> Array:
        made = Space(space).array(shape, dtype)
        rest = None if space is None else space[aligned(made.nbytes) :]
        found = np.flip(compute(kernel, x, made, rest).swapaxes(0, 1), tuple(range(2, x.ndim)))
        if not np.isfinite(made).all():
            return plain(x, kernel, out, space)
        if out is None:
            return np.ascontiguousarray(found)
        np.copyto(out, found)
        return out

    return conv


def _by_shifts(work: Shifts, shape: Sizes, dtype: np.dtype[Any]) -> Kernel:
    """What each tap gives of each element, shifted and added up."""
    count, outs, taps = len(work.offsets), work.outs, math.prod(work.taps)

    def conv(x: Array, kernel: Array, out: Array | None = None, space: Array | None = None) -> Array:
        result = np.empty(shape, dtype) if out is None else out
        memory = Space(space)
        left = memory.array((1, taps * outs, work.ins), dtype)
        np.copyto(left.reshape(*work.taps, outs, work.ins), np.moveaxis(kernel, (0, 1), (-2, -1)))
        spaces = memory.parts(work.workers, work.worker_bytes)

        def start() -> Callable[[tuple[int, int]], None]:
            own = spaces.pop()
            images = own.array((1, work.ins, work.held), dtype)
            images.fill(0)
            given = own.array((1, taps * outs, work.held), dtype)
            total = own.array((outs, work.rows * work.pitch), dtype)

            def add(block: tuple[int, int]) -> None:
                image, row = block
                _pad(work, x[image], row, images[0])
                _multiply(left, images, given)
                parts = given.reshape(count, outs, work.held)
                last = work.rows * work.pitch
                np.copyto(total, parts[0, :, :last])
                for part, offset in zip(parts[1:], work.offsets[1:], strict=True):
                    np.add(total, part[:, offset : offset + last], total)
                target = result[image, :, row : row + work.rows]
                places = tuple([slice(0, size) for size in target.shape])
                target[...] = total.reshape(outs, work.rows, *work.padded[1:])[places]

            return add

        _share(work, work.blocks, start)
        return result

    return conv


def _pad(work: Shifts, image: Array, row: int, target: Array) -> None:
    """Lay out the rows of an image that a block reads, with zeros above and below; at the sides these stand already."""
    rows = target[:, : work.height * work.pitch].reshape(work.ins, work.height, *work.padded[1:])
    top, *sides = work.low
    first = min(max(top - row, 0), work.height)
    stop = min(max(top + work.sizes[0] - row, first), work.height)
    rows[:, :first] = 0
    rows[:, stop:] = 0
    into, taken = [slice(first, stop)], [slice(first + row - top, stop + row - top)]
    for low, size, padded in zip(sides, work.sizes[1:], work.padded[1:], strict=True):
        into.append(slice(max(low, 0), min(low + size, padded)))
        taken.append(slice(max(-low, 0), min(size, padded - low)))
    rows[(slice(None), *into)] = image[(slice(None), *taken)]


def _split(x: Array, groups: int, sizes: Sizes) -> Array:
    """``(N, C, *sizes)`` as ``(N, groups, C / groups, *sizes)``: a view whatever the steps between elements."""
    return x.reshape(len(x), groups, x.shape[1] // groups, *sizes)


def _by_columns(work: Cut, shape: Sizes, dtype: np.dtype[Any]) -> Kernel:
    """The rows of the kernel times the patches of the images."""
    groups, ins, outs, inner, patches = work.groups, work.ins, work.outs, work.inner, work.patches
    depth, most = work.depth, work.images * work.places * groups * outs

    def product(left: Array, right: Array, target: Array, memory: Array) -> None:
        _multiply(left[..., :depth], right[..., :depth, :], target)
        more = memory[: target.size].reshape(target.shape) if depth < inner else target
        for start in range(depth, inner, depth):
            _multiply(left[..., start : start + depth], right[..., start : start + depth, :], more)
            np.add(target, more, target)

    def conv(x: Array, kernel: Array, out: Array | None = None, space: Array | None = None) -> Array:
        result = np.empty(shape, dtype) if out is None else out
        spaces = Space(space).parts(work.workers, work.worker_bytes)
        left = np.ascontiguousarray(kernel).reshape(groups, outs, inner)
        images = _split(x, groups, patches.sizes)
        whole = result.reshape(work.count, groups, outs, patches.places[0], -1)

        def start() -> Callable[[Block], None]:
            own = spaces.pop()
            more = own.array((most if depth < inner else 0,), dtype)
            if work.is_direct:
                return functools.partial(directly, more)
            columns = Columns(patches, work.images, (groups, ins), dtype, own, joined=work.joined)
            if not work.joined:
                return functools.partial(one_by_one, columns, more)
            return functools.partial(together, columns, own.array((most,), dtype), more)

        def directly(more: Array, block: Block) -> None:
            part, places = block
            target = whole[part, :, :, places]
            right = images[part, :, :, places].reshape(len(target), groups, inner, -1)
            product(left, right, target.reshape(*target.shape[:3], -1), more)

        def one_by_one(columns: Columns, more: Array, block: Block) -> None:
            part, places = block
            target = whole[part, :, :, places]
            right = columns.lay(images[part], places).reshape(len(target), groups, inner, -1)
            product(left, right, target.reshape(*target.shape[:3], -1), more)

        def together(columns: Columns, memory: Array, more: Array, block: Block) -> None:
            part, places = block
            right = columns.lay(images[part], places).reshape(1, inner, -1)
            joined = memory[: outs * right.shape[-1]].reshape(1, outs, -1)
            product(left, right, joined, more)
            target = result[part].reshape(-1, outs, right.shape[-1] // (part.stop - part.start))
            target[...] = joined.reshape(outs, len(target), -1).swapaxes(0, 1)

        _share(work, work.blocks, start)
        return result

    return conv


def _by_terms(work: Cut, shape: Sizes, dtype: np.dtype[Any]) -> Kernel:
    """The patches of the images times a kernel of many elements, summed over blocks of those.

    Each thread sums blocks of its own, always the same ones, so that the sums are the same each time.
    """
    groups, ins, outs, patches = work.groups, work.ins, work.outs, work.patches
    taps = math.prod(patches.taps)
    each = -(-len(work.blocks) // work.sums)
    parts = [work.blocks[first : first + each] for first in range(0, len(work.blocks), each)]
    spans = [slice(first, min(first + work.span, ins)) for first in range(0, ins, work.span)]

    def conv(x: Array, kernel: Array, out: Array | None = None, space: Array | None = None) -> Array:
        # Images are summed over, so their axis comes first; channels become the axis of the batch.
        images = _split(x, groups, patches.sizes).swapaxes(0, 2)
        weights = kernel.reshape(groups, outs, work.count, *patches.places)
        given = Space(space)
        totals = given.array((len(parts), groups, ins * taps, outs), dtype)
        spaces = given.parts(work.workers, work.worker_bytes)

        def start() -> Callable[[tuple[int, slice]], None]:
            own = spaces.pop()
            columns = Columns(patches, work.images, (groups, work.span), dtype, own, joined=True)
            terms = own.array((work.images * work.places * groups * outs,), dtype)
            memory = own.array((groups * work.span * taps * outs,), dtype)

            def add(task: tuple[int, slice]) -> None:
                number, span = task
                sums = totals[number, :, span.start * taps : span.stop * taps]
                product = memory[: sums.size].reshape(sums.shape)
                for position, (part, places) in enumerate(parts[number]):
                    check_time()
                    right = _in_rows(weights[:, :, part, places], terms)
                    left = columns.lay(images[part, :, span], places).reshape(*sums.shape[:2], -1)
                    _multiply(left, right.swapaxes(1, 2), product if position else sums, TURNED)
                    if position:
                        np.add(sums, product, sums)

            return add

        _share(work, [(number, span) for number in range(len(parts)) for span in spans], start)
        for other in totals[1:]:
            np.add(totals[0], other, totals[0])
        total = totals[0].reshape(groups, ins, -1, outs)
        result = np.empty(shape, dtype) if out is None else out
        result.reshape(ins, groups, outs, -1)[...] = total.transpose(1, 0, 3, 2)
        return result

    return conv


def _in_rows(weights: Array, memory: Array) -> Array:
    """Weights ``(groups, outs, *terms)`` as ``(groups, outs, terms)``, of a row side by side; copied if need be."""
    due = weights.itemsize
    for step, size in zip(reversed(weights.strides[2:]), reversed(weights.shape[2:]), strict=True):
        if size != 1 and step != due:
            rows = memory[: weights.size].reshape(weights.shape)
            np.copyto(rows, weights)
            weights = rows
            break
        due *= size
    return weights.reshape(*weights.shape[:2], -1)


def _share(work: Cut | Shifts, blocks: Sequence[Any], start: Callable[[], Callable[[Any], None]]) -> None:
    """Do all blocks, in several threads if that is worth while."""
    if work.workers > 1:
        run_blocks(blocks, start)
        return
    compute = start()
    for block in blocks:
        check_time()
        compute(block)
