"""Convolutions to few channels, by their taps: one product gives what each tap does with each element of an image.

What the taps give is then added up, each shifted by its place in the kernel. That moves as many numbers as taps and
channels of the result have places, where columns of patches have those of the channels of the image; and the product
has rows for all taps, where one with patches has only those of the result. Like :mod:`rax.runtime.patches` this says
how the work is cut: what plans count, and kernels do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rax.ir.types import TensorType
from rax.ops.window import spread
from rax.runtime.arena import BUFFER, aligned
from rax.runtime.fusion import threads

Sizes = tuple[int, ...]

# The channels of a result that are few; and of the image there are so many times more.
_FEW = 16
_TIMES = 4
# What the taps give is about this many bytes at a time.
_BLOCK_BYTES = 1 << 20
# The blocks for each thread.
_BLOCKS_EACH = 2
# Fewer multiplications than this are not shared out.
_WORTH_SHARING = 1 << 20


@dataclass(frozen=True)
class Shifts:
    """Such a convolution of known sizes, cut into blocks of rows: places along the first axis.

    Images are padded, and lie with their rows one after the other. So a shift is one number, and what it takes from
    the row next to it falls on places that the result does not have.

    Attributes:
        count: how many images there are.
        ins: the channels of an image.
        outs: those of the result.
        sizes: of an image, along its axes.
        low: how much is put before it, or cropped if negative.
        padded: the sizes with what is put before and behind.
        taps: how many there are along each axis.
        steps: the distance between them.
        rows: of the result in a block.
        itemsize: the bytes of an element.
    """

    count: int
    ins: int
    outs: int
    sizes: Sizes
    low: Sizes
    padded: Sizes
    taps: Sizes
    steps: Sizes
    rows: int
    itemsize: int

    @cached_property
    def out(self) -> Sizes:
        """The sizes of the result."""
        axes = zip(self.padded, self.taps, self.steps, strict=True)
        return tuple([size - (taps - 1) * step for size, taps, step in axes])

    @cached_property
    def pitch(self) -> int:
        """From one row to the next."""
        return math.prod(self.padded[1:])

    @cached_property
    def offsets(self) -> list[int]:
        """The shift of each tap."""
        found = [0]
        for axis, (taps, step) in enumerate(zip(self.taps, self.steps, strict=True)):
            by = step * math.prod(self.padded[axis + 1 :])
            found = [offset + tap * by for offset in found for tap in range(taps)]
        return found

    @property
    def height(self) -> int:
        """The rows of an image that a block reads."""
        return self.rows + (self.taps[0] - 1) * self.steps[0]

    @property
    def held(self) -> int:
        """The elements of a channel that a block reads, with those that only other places read."""
        return (self.rows * self.pitch) + self.offsets[-1]

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """Each an image and its first row."""
        return [(image, row) for image in range(self.count) for row in range(0, self.out[0], self.rows)]

    @property
    def workers(self) -> int:
        """How many threads may be at work."""
        worth = self.count * self.ins * self.outs * math.prod((*self.taps, *self.out)) >= _WORTH_SHARING
        return min(threads(), len(self.blocks)) if worth else 1

    @property
    def worker_bytes(self) -> int:
        """The memory that one thread takes: for rows of images, what the taps give, and their sums."""
        given = math.prod(self.taps) * self.outs
        arrays = (self.ins * self.held, given * self.held, self.outs * self.rows * self.pitch)
        return sum([aligned(size * self.itemsize) for size in arrays])

    @property
    def space_bytes(self) -> int:
        """The memory that all threads take together, and the kernel in the order of the product."""
        kernel = math.prod(self.taps) * self.outs * self.ins
        return aligned(kernel * self.itemsize) + self.workers * self.worker_bytes

    @property
    def own_bytes(self) -> int:
        """What NumPy takes: of what a tap gives, copied a part at a time."""
        return self.workers * min(BUFFER, self.outs * self.rows * self.pitch) * self.itemsize


def shifts(op: Any, x: TensorType, kernel: TensorType) -> Shifts | None:
    """A convolution cut so; None where it is not one to few channels, or has steps.

    Args:
        op: a conv of static attributes; its operands and result have elements.
        x: the images.
        kernel: the kernel.
    """
    count, ins, *sizes = (size.__index__() for size in x.shape)
    outs, inner, *taps = (size.__index__() for size in kernel.shape)
    if not sizes or inner != ins or outs > _FEW or outs * _TIMES > ins or math.prod(taps) == 1:
        return None
    if any(number != 1 for number in (*op.strides, *op.input_dilation)):
        return None
    low, high = ([pair[side].__index__() for pair in op.padding] for side in (0, 1))
    padded = [before + size + after for before, size, after in zip(low, sizes, high, strict=True)]
    extents: Sequence[int] = [
        spread(size, step).__index__() for size, step in zip(taps, op.kernel_dilation, strict=True)
    ]
    out = [size - extent + 1 for size, extent in zip(padded, extents, strict=True)]
    if math.prod(padded) > 2 * math.prod(out) or math.prod(out) < math.prod(taps):
        return None
    row = math.prod(padded[1:]) * math.prod(taps) * outs * x.dtype.itemsize
    rows = max(_BLOCK_BYTES // row, 2 * extents[0])
    runs = max(-(-out[0] // rows), min(-(-_BLOCKS_EACH * threads() // count), -(-out[0] // (2 * extents[0]))))
    return Shifts(
        count, ins, outs, tuple(sizes), tuple(low), tuple(padded), tuple(taps), tuple(op.kernel_dilation),
        -(-out[0] // runs), x.dtype.itemsize,
    )  # fmt: skip
