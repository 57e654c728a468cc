"""How a convolution is cut into blocks, and where the windows of a block lie: what plans count, and kernels do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rax.ir.dims import Size
from rax.ir.types import TensorType
from rax.ops.window import Conv, spread, window_count
from rax.runtime.arena import BUFFER, aligned
from rax.runtime.fusion import threads
from rax.runtime.shifts import shifts

Sizes = tuple[int, ...]
Block = tuple[slice, slice]

# BLAS computes products of fewer multiplications than this in the calling thread: so ours may share them out.
SMALL = 1 << 19
# Of a vector by a matrix, fewer than this.
THIN = 9000
# And as fast, of a matrix whose columns follow on each other, where the product has no more numbers than this.
TURNED = 1200
# Rows and columns of a product, at least, for the registers of the processor to be filled.
LEAST = 16
# A cotangent of so many times fewer channels than the image has them laid out in patches.
_FEWER = 2
# The most terms that one product sums, where it is to have that many rows and columns; others are cut, and added up.
_DEEPEST = 1024
# Columns of about this many bytes are laid out at a time: they stay in the cache of a core, and threads that have
# more to do at a time wait for each other less.
_BLOCK_BYTES = 3 << 18
# But so many columns, at least, where a kernel has so many elements that reading it costs as much.
_WIDE = 256
# With fewer places in an image than this, one product for several images beats one for each; and of long columns.
_FEW_PLACES = (32, 64)
# Sums of about this many bytes stay in the cache of a core, while products are added to them.
_SUM_BYTES = 1 << 18
# The terms that one product of a derivative by a kernel sums, at least and at most.
_TERMS = (128, 1024)
# Fewer multiplications than this are not shared out.
_WORTH_SHARING = 1 << 21
# The blocks for each thread, so that all end at about the same time; of long columns.
_BLOCKS_EACH = (4, 2)


@dataclass(frozen=True)
class Patches:
    """Where the elements of windows lie in images that have been spread out and padded.

    Along each axis position ``low + i * gap`` holds element ``i`` of the image, other positions hold 0; tap ``t``
    of the patch at place ``p`` is at ``t * tap_step + p * place_step``. Those of a convolution are the taps of
    its kernel and the places of its result; for its derivative by the kernel it is the other way round.

    Where there are as many patches along the last axis as elements, rows follow on each other without zeros
    between them, and are copied many at a time. What a shift then takes from the row next to it
    is set to 0 in the columns.

    Attributes:
        sizes: of an image, along its axes, of which there is at least one.
        low: how much is put before it, or cropped if negative.
        gaps: the distance between its elements.
        taps: how many there are along each axis.
        tap_steps: the distance between them.
        places: how many patches there are along each axis.
        place_steps: the distance between them.
        rows: how many places along the first axis make a block; at most all.
    """

    sizes: Sizes
    low: Sizes
    gaps: Sizes
    taps: Sizes
    tap_steps: Sizes
    places: Sizes
    place_steps: Sizes
    rows: int

    @cached_property
    def is_plain(self) -> bool:
        """Whether each position that is read is that of an element: nothing has to be copied for the patches."""
        steps = zip(self.sizes, self.taps, self.tap_steps, self.places, self.place_steps, strict=True)
        return (
            all(gap == 1 for gap in self.gaps)
            and all(low <= 0 for low in self.low)
            and all(
                (taps - 1) * by + (places - 1) * step < size + low
                for (size, taps, by, places, step), low in zip(steps, self.low, strict=True)
            )
        )

    @cached_property
    def is_flat(self) -> bool:
        """Whether rows follow on each other without zeros between them."""
        several = len(self.sizes) > 1
        return (
            (several or self.rows == self.places[0])
            and self.gaps[-1] == self.place_steps[-1] == 1
            and self.places[-1] == self.sizes[-1]
        )

    def _extent(self, axis: int) -> int:
        """The positions that are read along an axis, in a block."""
        places = self.places[axis] if axis else self.rows
        return (self.taps[axis] - 1) * self.tap_steps[axis] + (places - 1) * self.place_steps[axis] + 1

    @cached_property
    def shape(self) -> Sizes:
        """The positions of a block along each axis."""
        last = len(self.sizes) - 1
        outer = [self._extent(axis) for axis in range(last)]
        return (*outer, self.sizes[last] if self.is_flat else self._extent(last))

    @cached_property
    def sides(self) -> tuple[int, int]:
        """The zeros before the first row and after the last, where rows follow on each other."""
        reach = (self.taps[-1] - 1) * self.tap_steps[-1]
        return (max(self.low[-1], 0), max(reach - self.low[-1], 0)) if self.is_flat else (0, 0)

    @property
    def held(self) -> int:
        """The elements of memory that a block takes for each channel of an image, beside the columns."""
        return 0 if self.is_plain else math.prod(self.shape) + sum(self.sides)

    def filled(self, axis: int, start: int) -> tuple[slice, slice]:
        """The positions from ``start`` on that elements fill along an axis, and which elements."""
        low, gap, extent = self.low[axis], self.gaps[axis], self.shape[axis]
        if axis == len(self.sizes) - 1 and self.is_flat:
            low = 0
        first = max(-((low - start) // gap), 0)
        stop = max(min(-((low - start - extent) // gap), self.sizes[axis]), first)
        at = low + first * gap - start
        return slice(at, at + (stop - first - 1) * gap + 1 if stop > first else at, gap), slice(first, stop)

    def wrapped(self) -> list[tuple[int, slice]]:
        """The taps along the last axis that read from the row next to theirs, and at which places they do."""
        found: list[tuple[int, slice]] = []
        for tap in range(self.taps[-1] if self.is_flat and not self.is_plain else 0):
            shift = tap * self.tap_steps[-1] - self.low[-1]
            edge = min(abs(shift), self.sizes[-1])
            if shift:
                found.append((tap, slice(0, edge) if shift < 0 else slice(self.sizes[-1] - edge, None)))
        return found

    @property
    def size(self) -> int:
        """The elements that a block takes as columns, for each channel of an image."""
        return math.prod(self.taps) * self.rows * math.prod(self.places[1:])

    def blocks(self, count: int, images: int) -> list[Block]:
        """The blocks of so many images, ``images`` at a time: which of them, and which places of the first axis."""
        rows, last = self.rows, self.places[0]
        return [
            (slice(image, min(image + images, count)), slice(row, min(row + rows, last)))
            for image in range(0, count, images)
            for row in range(0, last, rows)
        ]


@dataclass(frozen=True)
class Cut:
    """A convolution of known sizes, cut into blocks.

    Attributes:
        patches: those of an image.
        count: how many images there are; channels, where places and taps have changed places.
        images: how many of them make a block.
        groups: of channels.
        ins: the channels of an image in a group.
        outs: the channels of the result in a group.
        span: the channels of an image that make a block, in each group; only where taps and places are swapped not all.
        joined: whether a block is one product for all its images together.
        swapped: whether taps and places, batch and channels have changed places, as in a derivative by the kernel.
        shared: whether there is work enough for several threads.
        itemsize: the bytes of an element.
    """

    patches: Patches
    count: int
    images: int
    groups: int
    ins: int
    outs: int
    span: int
    joined: bool
    swapped: bool
    shared: bool
    itemsize: int

    @property
    def inner(self) -> int:
        """The elements that a product sums over."""
        return self.images * self.places if self.swapped else self.ins * math.prod(self.patches.taps)

    @property
    def places(self) -> int:
        """Those of a block, in each image."""
        return self.patches.rows * math.prod(self.patches.places[1:])

    @property
    def depth(self) -> int:
        """The most elements that one product sums over; what it gives is added up."""
        if self.swapped or self.inner * LEAST * LEAST <= SMALL:
            return self.inner
        return -(-self.inner // -(-self.inner // _DEEPEST))

    @cached_property
    def blocks(self) -> list[Block]:
        """All of them."""
        return self.patches.blocks(self.count, self.images)

    @property
    def workers(self) -> int:
        """How many threads may be at work."""
        return min(threads(), len(self.blocks) * self.spans) if self.shared else 1

    @property
    def spans(self) -> int:
        """The blocks of channels; each is summed by one thread, and has no need of threads that sum apart."""
        return -(-self.ins // self.span)

    @property
    def sums(self) -> int:
        """How many parts of the images are summed apart."""
        return self.workers if self.spans == 1 else 1

    @property
    def worker_bytes(self) -> int:
        """The memory that one thread takes: for patches, columns, and products that are not made where they are due."""
        patches = self.patches
        channels = self.groups * self.span
        arrays = [] if self.is_direct else [self.images * channels * patches.size]
        arrays += [] if patches.is_plain else [self.images * channels * patches.held]
        products = self.joined + (self.depth < self.inner)
        arrays += [self.images * self.places * self.groups * self.outs] * products
        if self.swapped:
            arrays.append(self.groups * self.span * math.prod(patches.taps) * self.outs)
        return sum([aligned(size * self.itemsize) for size in arrays])

    @property
    def space_bytes(self) -> int:
        """The memory that all threads take together."""
        totals = 0
        if self.swapped:
            totals = self.sums * self.groups * self.ins * math.prod(self.patches.taps) * self.outs
        return aligned(totals * self.itemsize) + self.workers * self.worker_bytes

    @property
    def own_bytes(self) -> int:
        """What NumPy takes: of products that are added up where they do not lie as one, copied a part at a time."""
        count = min(BUFFER, self.images * self.places * self.groups * self.outs)
        return 2 * self.workers * count * self.itemsize if self.depth < self.inner else 0

    @property
    def is_direct(self) -> bool:
        """Whether images are their own columns."""
        patches = self.patches
        return (
            not self.swapped
            and not self.joined
            and patches.is_plain
            and set(patches.taps) == {1}
            and patches.places == patches.sizes
        )


@dataclass(frozen=True)
class Phase:
    """A part of the result of a convolution whose images are spread out: every so many places, of some taps only.

    Attributes:
        places: which of the result, along each axis.
        taps: which of the kernel.
        op: the convolution that gives them, of images that are not spread out; None where all are 0.
        types: those of its operands.
    """

    places: tuple[slice, ...]
    taps: tuple[slice, ...]
    op: Conv | None
    types: tuple[TensorType, TensorType]


def phases(op: Any, x: TensorType, kernel: TensorType) -> list[Phase]:
    """The parts of a convolution that need not look at the zeros between elements; none where it has to.

    Of a convolution with a step of 1 along such an axis, each tap meets an element at every ``dilation``-th place only.
    """
    gaps = op.input_dilation
    if all(gap == 1 for gap in gaps) or is_swapped(op, x, kernel):
        return []
    axes = zip(gaps, op.strides, op.kernel_dilation, strict=True)
    if any(gap > 1 and (stride, dilation) != (1, 1) for gap, stride, dilation in axes):
        return []
    (result,) = op.infer(x, kernel)
    found: list[Phase] = []
    for first in itertools.product(*map(range, gaps)):
        places: list[slice] = []
        taps: list[slice] = []
        padding: list[tuple[int, int]] = []
        shape: list[int] = []
        for axis, (begin, gap) in enumerate(zip(first, gaps, strict=True)):
            low, high = op.padding[axis]
            size, window, out = (type.shape[2 + axis].__index__() for type in (x, kernel, result))
            tap = (low - begin) % gap
            count, kept = -(-(out - begin) // gap), -(-(window - tap) // gap)
            before = (low - begin - tap) // gap
            places.append(slice(begin, None, gap))
            taps.append(slice(tap, None, gap))
            padding.append((low, high) if gap == 1 else (before, count - 1 + kept - size - before))
            shape.append(max(kept, 0))
            if count <= 0:
                break
        else:
            ones = (1,) * len(gaps)
            part = Conv(op.strides, tuple(padding), ones, op.kernel_dilation, op.groups) if 0 not in shape else None
            smaller = kernel.with_shape((*kernel.shape[:2], *shape))
            found.append(Phase(tuple(places), tuple(taps), part, (x, smaller)))
    return found


def conv_needs(op: Any, types: Sequence[TensorType], dense: Sequence[bool]) -> tuple[Size, Size] | None:
    """The bytes that a convolution takes beside operands and result, and how many of them it is given.

    None where it has no blocks, or sizes are symbolic.

    Args:
        op: a conv.
        types: those of the images and the kernel.
        dense: which of them are C-contiguous; a kernel that is not is copied.
    """
    x, kernel = types
    known = all(isinstance(size, int) for size in (*x.shape, *kernel.shape, *itertools.chain(*op.padding), op.groups))
    half = x.dtype.is_floating and x.dtype.itemsize == 2
    if not known:
        return None
    (result,) = op.infer(x, kernel)
    if half or 0 in (*x.shape, *kernel.shape, *result.shape):  # its definition, half types in float32
        spread = op.scratch_bytes(x, kernel).__index__() // x.dtype.itemsize
        patches = math.prod([size.__index__() for size in (*x.shape[:2], *result.shape[2:])])
        count = spread + patches + sum([size.__index__() for size in (x.size, kernel.size, 4 * result.size)])
        return 2 * count * max(x.dtype.itemsize, 4), 0
    parts = phases(op, x, kernel)
    if not parts:
        return _needs(op, x, kernel, dense)
    found = [_needs(part.op, *part.types, (dense[0], False)) for part in parts if part.op is not None]
    made = [aligned(part.op.infer(*part.types)[0].nbytes.__index__()) for part in parts if part.op is not None]
    space = max([given + result for (_, given), result in zip(found, made, strict=True)], default=0)
    return space + max([total - given for total, given in found], default=0), space


def _needs(op: Any, x: TensorType, kernel: TensorType, dense: Sequence[bool]) -> tuple[int, int]:
    """The same of a convolution without phases."""
    turned = exchanged(op, x, kernel)
    shifted = None if turned is not None else shifts(op, x, kernel)
    if shifted is not None:
        return shifted.space_bytes + shifted.own_bytes, shifted.space_bytes
    work = cut(op, x, kernel)
    own, space = work.own_bytes, work.space_bytes
    own += 0 if dense[1] or work.swapped else kernel.nbytes.__index__()
    if work.is_direct and not dense[0]:
        own += work.workers * work.images * work.groups * work.ins * work.patches.size * work.itemsize
    if turned is not None:  # then one after the other, where numbers are not finite
        (made,) = turned[0].infer(*turned[1:])
        total, given = _needs(*turned, dense[::-1])
        own = max(own, total - given, made.size.__index__())
        space = max(space, given + aligned(made.nbytes.__index__()))
    return space + own, space


def exchanged(op: Any, x: TensorType, kernel: TensorType) -> tuple[Conv, TensorType, TensorType] | None:
    """A derivative by a kernel to few channels as one of the images by the cotangent: so patches are those of few.

    Its result has the channels exchanged, and its places in the other order. None of other convolutions.
    """
    channels, outs = x.shape[0].__index__(), kernel.shape[0].__index__()
    if kernel.shape[1] != x.shape[1] or outs * _FEWER > channels or not is_swapped(op, x, kernel):
        return None
    if any(number != 1 for number in (*op.input_dilation, *op.kernel_dilation)):
        return None
    (result,) = op.infer(x, kernel)
    padding: list[tuple[int, int]] = []
    for axis, (low, _) in enumerate(op.padding):
        size, window, taps = (type.shape[axis + 2].__index__() for type in (x, kernel, result))
        reach = (taps - 1) * op.strides[axis]
        before = reach - low.__index__()
        after = size + reach - window - before
        if min(before, after, size - op.strides[axis]) < 0:  # some of the cotangent may meet nothing but zeros
            return None
        padding.append((before, after))
    return Conv(op.strides, tuple(padding), op.input_dilation, op.kernel_dilation, 1), kernel, x


def is_swapped(op: Any, x: TensorType, kernel: TensorType) -> bool:
    """Whether the kernel has more places than the result, as in a derivative by a kernel."""
    (result,) = op.infer(x, kernel)
    return math.prod([size.__index__() for size in result.shape[2:]]) < math.prod(
        [size.__index__() for size in kernel.shape[2:]]
    )


def cut(op: Any, x: TensorType, kernel: TensorType) -> Cut:
    """Cut a convolution whose operands and result have elements.

    Args:
        op: a conv of static attributes.
        x: the images.
        kernel: the kernel.
    """
    count, channels, *sizes = (size.__index__() for size in x.shape)
    outs, ins, *window = (size.__index__() for size in kernel.shape)
    low = [pair[0].__index__() for pair in op.padding]
    high = [pair[1].__index__() for pair in op.padding]
    gaps, strides, dilation = [*op.input_dilation], [*op.strides], [*op.kernel_dilation]
    if not sizes:
        sizes, window, low, high, gaps, strides, dilation = [1], [1], [0], [0], [1], [1], [1]
    padded = [
        spread(size, gap) + before + after for size, gap, before, after in zip(sizes, gaps, low, high, strict=True)
    ]
    out = [number.__index__() for number in map(window_count, padded, window, strides, dilation)]
    groups = channels // ins
    shared = math.prod((count, outs, ins, *window, *out)) >= _WORTH_SHARING
    image = (tuple(sizes), tuple(low), tuple(gaps))
    taps, places = (tuple(window), tuple(dilation)), (tuple(out), tuple(strides))
    if is_swapped(op, x, kernel):
        row = groups * math.prod(out) * x.dtype.itemsize  # of a product, or of the columns: what a channel takes
        spans = -(-row * count * (outs // groups) // _SUM_BYTES) if groups == 1 else 1
        span = -(-count // min(spans, count))
        rows, images = _terms_at_a_time(row * span, tuple(window), ins)
        patches = Patches(*image, *places, *taps, rows)
        return Cut(patches, ins, images, groups, count, outs // groups, span, True, True, shared, x.dtype.itemsize)
    long = ins * math.prod(window) * LEAST * LEAST > SMALL
    # A product of a single row costs so little that it should be long.
    longer = 4 if outs == groups else 1
    most = longer * _BLOCK_BYTES // (channels * math.prod(window) * x.dtype.itemsize)
    most = max(most, _WIDE) if long else most
    few = groups == 1 and count > 1 and math.prod(out) < _FEW_PLACES[long]
    pieces = _BLOCKS_EACH[long] * threads() if shared else 1
    rows, images = _places_at_a_time(most, tuple(out), count, pieces)
    patches = Patches(*image, *taps, *places, rows)
    joined = few and rows == out[0]
    return Cut(patches, count, images, groups, ins, outs // groups, ins, joined, False, shared, x.dtype.itemsize)


def _places_at_a_time(most: int, places: Sizes, count: int, pieces: int) -> tuple[int, int]:
    """How many places along the first axis, of how many images: at most so many columns, and so many pieces."""
    all_places = math.prod(places)
    if all_places >= most or count < pieces:
        runs = max(-(-pieces // count), -(-places[0] // max(1, most * places[0] // all_places)))
        return -(-places[0] // min(runs, places[0])), 1
    return places[0], min(most // all_places, -(-count // pieces))


def _terms_at_a_time(column_bytes: int, places: Sizes, count: int) -> tuple[int, int]:
    """How many places along the first axis, of how many images, are summed at once."""
    most = min(max(_BLOCK_BYTES // column_bytes, _TERMS[0]), _TERMS[1])
    all_places = math.prod(places)
    if all_places > most:
        runs = -(-places[0] // max(1, most * places[0] // all_places))
        return -(-places[0] // runs), 1
    return places[0], min(count, most // all_places)
