"""How the elements of a value lie in its buffer: the steps along its axes, counted in elements.

Sizes may be symbolic. What does not hold for every value of the dims counts as unknown, so that a
plan takes for a view only what is one whatever the sizes.
"""

from __future__ import annotations

import itertools
from typing import Any

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.op import Op

Strides = tuple[Size, ...]

# Of windows with no more elements than this, the first elements lie side by side, then the second ones, …
_FEW = 64


def dense_strides(shape: Shape) -> Strides:
    """Those of a C-contiguous array.

    Example:
        >>> dense_strides((2, dims.dim("n"), 3))
        (dim('3*n'), 3, 1)
    """
    strides: list[Size] = []
    step: Size = 1
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def is_dense(strides: Strides, shape: Shape) -> bool:
    """Whether an array is C-contiguous; the step along an axis of size 1 does not matter."""
    due: Size = 1
    for step, size in zip(reversed(strides), reversed(shape), strict=True):
        if size != 1:
            if step != due:
                return False
            due = due * size
    return True


def is_ordered(strides: Strides, shape: Shape) -> bool:
    """Whether no axis has a greater step than one before it; stretched axes, of step 0, do not matter.

    What NumPy computes element by element from such arrays is C-contiguous.
    """
    steps = [step for step, size in zip(strides, shape, strict=True) if step != 0 and size != 1]
    return all(dims.at_least(before, after) and dims.at_least(after, 0) for before, after in itertools.pairwise(steps))


def viewed(op: Op, shape: Shape, strides: Strides, result: Shape) -> Strides | None:
    """The steps of an operation's result that shares the operand's buffer; None where it cannot, or nobody knows."""
    attributes: Any = op
    match op.name:
        case "reshape":
            return reshaped(shape, strides, result)
        case "permute_dims":
            axes: tuple[int, ...] = attributes.axes
            return tuple([strides[axis] for axis in axes])
        case "slice":
            return tuple([step * by for step, by in zip(strides, attributes.steps, strict=True)])
        case "flip":
            return tuple([-step if axis in attributes.axes else step for axis, step in enumerate(strides)])
        case "broadcast_to":
            lead = len(result) - len(shape)
            kept = zip(strides, shape, result[lead:], strict=True)
            return (*[0] * lead, *[step if before == after else 0 for step, before, after in kept])
        case _:
            return strides


def windows_lie_first(window: Shape) -> bool:
    """Whether sliding windows lie in memory with the axes of the window first.

    What is then done along small windows, as a pooling and its derivative do, runs along rows as long as
    the array instead of along a few elements. Sums along large windows lose no accuracy.
    """
    return dims.product(window).__index__() <= _FEW


def window_strides(shape: Shape, window: Shape) -> Strides | None:
    """The steps of sliding windows of a shape, which ends in that of the window."""
    if not all(isinstance(size, int) for size in window):
        return None
    lead = len(shape) - len(window)
    if not windows_lie_first(window):
        return dense_strides(shape)
    strides = dense_strides((*window, *shape[:lead]))
    return (*strides[len(window) :], *strides[: len(window)])


def reshaped(before: Shape, strides: Strides, after: Shape) -> Strides | None:
    """The steps after a reshape that moves nothing; None where elements have to move.

    Axes of both shapes fall into runs of one size each; those of a run must follow on each other.

    Example:
        >>> reshaped((4, 5, 6), (30, 6, 1), (20, 6)), reshaped((5, 4), (1, 5), (20,))
        ((6, 1), None)
    """
    olds = [(size, step) for size, step in zip(before, strides, strict=True) if size != 1]
    found: list[Size] = []
    place = old = 0
    while place < len(after):
        if after[place] == 1:
            found.append(0)
            place += 1
            continue
        if old == len(olds):
            return None
        first, start = old, place
        left, right = olds[old][0], after[place]
        while left != right:
            if dims.at_least(left, right) and place + 1 < len(after):
                place += 1
                right = right * after[place]
            elif dims.at_least(right, left) and old + 1 < len(olds):
                old += 1
                left = left * olds[old][0]
            else:
                return None
        run = olds[first : old + 1]
        if any(step != size * inner for (_, step), (size, inner) in itertools.pairwise(run)):
            return None
        found += [run[-1][1] * step for step in dense_strides(after[start : place + 1])]
        place, old = place + 1, old + 1
    return tuple(found) if old == len(olds) else None
