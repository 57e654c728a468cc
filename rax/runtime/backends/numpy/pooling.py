"""Windows reduced without being laid out, and the gradient of their largest or smallest elements.

``max_pool`` and ``avg_pool`` reduce sliding windows; :func:`pool_windows` makes one step of both, and one of what a
derivative does with the windows that hold the largest elements. Neither is an operation of a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from rax.ir.graph import Graph
from rax.ir.node import Constant, Value
from rax.ir.types import TensorType, bool_
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import Array, concrete, numpy_dtype, scalar
from rax.ops.broadcasting import Sum
from rax.ops.comparison import equal
from rax.ops.elementwise import divide, multiply, negative
from rax.ops.families import Composite
from rax.ops.reduction import Max, Mean, Min, kept
from rax.ops.samples import normal, sample
from rax.ops.selection import cast, where
from rax.ops.window import FoldWindows, SlidingWindows
from rax.passes.pipeline import Pipeline
from rax.passes.rule import Example, Found, Rewrite, rule
from rax.runtime.arena import aligned
from rax.runtime.backends.numpy.kernel import Kernel, Types
from rax.runtime.backends.numpy.lead import Lead, lead
from rax.runtime.backends.numpy.scratch import Space
from rax.runtime.backends.numpy.select import choice
from rax.runtime.backends.numpy.window import window_places
from rax.runtime.layout import windows_lie_first

_FLOATS = ("float32", "float64")
_UFUNCS = {"max": np.maximum, "min": np.minimum, "sum": np.add, "mean": np.add}
_Spatial = tuple[int, ...]


class Windows(Composite):
    """Of sliding windows over the last axes; see :class:`rax.ops.window.SlidingWindows`."""

    window: _Spatial
    strides: _Spatial
    dilation: _Spatial

    dtypes = _FLOATS

    def taken(self) -> SlidingWindows:
        """What takes the windows."""
        return SlidingWindows(self.window, self.strides, self.dilation)

    def axes(self, x: TensorType | Value | Array) -> tuple[int, ...]:
        """The axes of the windows of an operand."""
        return tuple(range(x.ndim, x.ndim + len(self.window)))


class Pool(Windows):
    """The sum, mean, largest or smallest element of each window."""

    name = "pool"
    choices: ClassVar = {"kind": ("max", "min", "sum", "mean")}
    kind: str

    arity = 1

    def expand(self, *operands: Value) -> Value:
        """The reduction of the windows."""
        (x,) = operands
        return self._reduction(x)(self.taken()(x))

    def reference(self, *arrays: Array) -> Array:
        """The same."""
        (x,) = arrays
        return self._reduction(x).reference(self.taken().reference(x))

    def _reduction(self, x: Value | Array) -> Any:
        kinds: dict[str, Any] = {"max": Max, "min": Min, "sum": Sum, "mean": Mean}
        return kinds[self.kind](self.axes(x))


class PoolGradient(Windows):
    """What the largest or smallest elements of windows get of a derivative; ties share it evenly.

    The operands are the elements, the largest or smallest one of each window, and the derivative by those.
    """

    name = "pool_gradient"

    arity = 3

    def expand(self, *operands: Value) -> Value:
        """By the windows."""
        x, top, given = operands
        chosen = equal(self.taken()(x), kept(top, self.axes(x)))
        share = multiply(given, divide(scalar(1, x.dtype), Sum(self.axes(x))(cast(chosen, x.dtype))))
        parts = where(chosen, kept(share, self.axes(x)), scalar(0, x.dtype))
        return FoldWindows(x.shape[x.ndim - len(self.window) :], self.strides, self.dilation)(parts)

    def reference(self, *arrays: Array) -> Array:
        """The same."""
        x, top, given = arrays
        axes = self.axes(x)
        chosen = self.taken().reference(x) == np.expand_dims(top, axes)
        shares = given * (x.dtype.type(1) / chosen.sum(axes, x.dtype))
        parts = np.where(chosen, np.expand_dims(shares, axes), x.dtype.type(0))
        return FoldWindows(x.shape[x.ndim - len(self.window) :], self.strides, self.dilation).reference(parts)


_SPATIAL: dict[str, Any] = {"window": (3, 2), "strides": (2, 1), "dilation": (1, 2)}


@rule(
    (Sum, Mean, Max, Min),
    Example(
        sample(normal(2, 6, 5), dtypes=_FLOATS),
        lambda x: Max((3, 4))(SlidingWindows(**_SPATIAL)(x)),
        lambda x: Pool(kind="max", **_SPATIAL)(x),
    ),
    Example(
        sample(normal(6), dtypes=_FLOATS),
        lambda x: Mean((1,))(SlidingWindows((2,), (1,), (1,))(x)),
        lambda x: Pool((2,), (1,), (1,), "mean")(x),
    ),
)
def pooled(op: Any, windows: Value) -> Found:
    """A reduction of small windows."""
    taken: Any = windows.node.op
    if not isinstance(taken, SlidingWindows) or windows.dtype.name not in _FLOATS:
        return None
    (x,) = windows.node.inputs
    window = tuple([size for size in taken.window if isinstance(size, int)])
    if len(window) != len(taken.window) or not window or 0 in window or not windows_lie_first(window):
        return None
    made = Pool(window, taken.strides, taken.dilation, op.name)
    return made(x) if op.axes == made.axes(x) else None


def _fed(value: Value, name: str) -> tuple[Value, ...]:
    """The operands of what makes a value, if it is such an operation."""
    return value.node.inputs if value.node.op.name == name else ()


def _flat(value: Value) -> Value:
    """A value before a reshape."""
    return next(iter(_fed(value, "reshape")), value)


@rule(
    FoldWindows,
    Example(
        sample(normal(2, 6, 5), normal(2, 2, 3), dtypes=_FLOATS),
        lambda x, given: PoolGradient(**_SPATIAL).expand(x, Pool(kind="max", **_SPATIAL)(x), given),
        lambda x, given: PoolGradient(**_SPATIAL)(x, Pool(kind="max", **_SPATIAL)(x), given),
    ),
)
def pool_gradient(op: FoldWindows, x: Value) -> Found:
    """The shares of the largest elements of windows, put where these came from."""
    chosen, shares, zero = _fed(x, "where") or (x, x, x)
    found = _of_windows(_fed(chosen, "equal"))
    if found is None or not _is(zero, 0):
        return None
    made, elements, top = found
    given = _given(_flat(shares), chosen, made.axes(elements))
    fits = shares.shape == (*top.shape, *[1] * len(made.window))
    whole = op.shape == elements.shape[elements.ndim - len(made.window) :]
    same = (op.strides, op.dilation) == (made.strides, made.dilation)
    if given is None or not (fits and whole and same):
        return None
    return PoolGradient(made.window, made.strides, made.dilation)(elements, top, broadcast_to(given, top.shape))


def _of_windows(compared: tuple[Value, ...]) -> tuple[Pool, Value, Value] | None:
    """What is reduced to the largest or smallest elements of windows, and those, of what compares the two."""
    for windows, kept_top in zip(compared, compared[::-1], strict=True):
        top = _flat(kept_top)
        made = top.node.op
        if isinstance(made, Pool) and made.kind in ("max", "min") and windows.node.op == made.taken():
            (elements,) = top.node.inputs
            if windows.node.inputs == (elements,) and kept_top.shape == (*top.shape, *[1] * len(made.window)):
                return made, elements, top
    return None


def _given(shares: Value, chosen: Value, axes: tuple[int, ...]) -> Value | None:
    """What is multiplied by 1 over the number of those chosen along some axes."""
    for turned in _fed(shares, "negative"):
        given = _given(turned, chosen, axes)
        return None if given is None else negative(given)
    one = scalar(1, shares.dtype)
    factors = _fed(shares, "multiply") or (one, shares)
    for given, inverse in (factors, factors[::-1]):
        parts = _fed(inverse, "divide")
        counted: Any = parts[1].node.op if parts else None
        is_inverse = bool(parts) and _is(parts[0], 1) and isinstance(counted, Sum) and counted.axes == axes
        if is_inverse and _fed(parts[1].node.inputs[0], "cast") == (chosen,):
            return given
    return None


def _is(value: Value, number: float) -> bool:
    return isinstance(value.node.op, Constant) and value == scalar(number, value.dtype)


_PASSES = Pipeline((Rewrite("pool", (pooled, pool_gradient)),))


def pool_windows(graph: Graph) -> Graph:
    """The graph with those steps, in bodies too."""
    return _PASSES.run(graph)


def _cut(op: Any, x: TensorType, out: TensorType) -> Lead:
    """The blocks of a gradient: their windows stay in the cache."""
    ahead, size = x.ndim - len(op.window), x.dtype.itemsize
    places, count = math.prod(concrete(out.shape)[ahead:]), math.prod(op.window)
    nbytes = 2 * x.nbytes.__index__()
    return lead(concrete(x.shape)[:ahead], nbytes, (count + 1 + 2 * size) * places)


def make_pool(op: Any, types: Types) -> Kernel:
    """The kernel of reduced windows: all first elements with all second ones, and so on."""
    (x,) = types
    (result,) = op.infer(x)
    shape, dtype, ahead = concrete(result.shape), numpy_dtype(x.dtype), x.ndim - len(op.window)
    first, *others = window_places(op.window, op, shape[ahead:])
    ufunc, count = _UFUNCS[op.kind], dtype.type(math.prod(op.window)) if op.kind == "mean" else None

    def reduce(source: Array, target: Array) -> None:
        taken = source[first]
        for place in others:
            taken = ufunc(taken, source[place], out=target)
        if count is not None:
            np.divide(taken, count, target)
        elif taken is not target:
            np.copyto(target, taken)

    def pool(x: Array, out: Array | None = None) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        if made.size:
            blocks = lead(shape[:ahead], x.nbytes + made.nbytes)
            blocks.run([x, made] if ahead else [x[None], made[None]], lambda: reduce)
        return made

    return pool


def make_pool_gradient(op: Any, types: Types) -> Kernel:
    """The kernel of the gradient by the largest elements."""
    x, top, _ = types
    shape, dtype, ahead = concrete(x.shape), numpy_dtype(x.dtype), x.ndim - len(op.window)
    spots = concrete(top.shape)[ahead:]
    places = window_places(op.window, op, spots)
    zero, one = dtype.type(0), dtype.type(1)
    if 0 in shape or 0 in spots:
        return _zeros(shape, dtype)
    blocks = _cut(op, x, top)
    rows = blocks.most
    choose = choice(None, (TensorType(bool_, (rows, *spots)), x.with_shape((rows, *spots)), x.with_shape(())))

    def pool_gradient(
        x: Array, top: Array, given: Array, out: Array | None = None, space: Array | None = None
    ) -> Array:
        made = np.empty(shape, dtype) if out is None else out
        spaces = Space(space).parts(blocks.workers, gradient_bytes(op, types)[1] // blocks.workers)

        def start() -> Callable[..., None]:
            own = spaces.pop()
            masks = own.array((len(places), rows * math.prod(spots)), np.dtype(np.bool_))
            counts = own.array((rows * math.prod(spots),), np.dtype(np.uint8))
            shares, parts = (own.array((rows * math.prod(spots),), dtype) for _ in range(2))

            def share_out(x: Array, top: Array, given: Array, made: Array) -> None:
                size = top.size
                chosen = [mask[:size].reshape(top.shape) for mask in masks]
                count, share, part = (each[:size].reshape(top.shape) for each in (counts, shares, parts))
                count.fill(0)
                for place, mask in zip(places, chosen, strict=True):
                    np.equal(x[place], top, mask)
                    np.add(count, mask.view(np.uint8), count)
                np.copyto(part, count)
                np.multiply(given, np.divide(one, part, part), share)
                made.fill(0)
                for place, mask in zip(places, chosen, strict=True):
                    target = made[place]
                    np.add(target, choose(mask, share, zero, part), target)

            return share_out

        arrays = [x, top, given, made]
        blocks.run(arrays if ahead else [array[None] for array in arrays], start)
        return made

    return pool_gradient


def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Kernel:
    """Where there is no window."""

    def zeros(x: Array, top: Array, given: Array, out: Array | None = None) -> Array:
        del x, top, given
        made = np.empty(shape, dtype) if out is None else out
        made.fill(0)
        return made

    return zeros


def pool_bytes(op: Any, types: Types) -> int:
    """The bytes that a reduction of windows takes, all of them NumPy's own."""
    (x,) = types
    (result,) = op.infer(x)
    if 0 in result.shape:
        return 0
    blocks = lead(concrete(x.shape)[: x.ndim - len(op.window)], x.nbytes.__index__() + result.nbytes.__index__())
    return blocks.buffer_bytes(result)


def gradient_bytes(op: Any, types: Types) -> tuple[int, int]:
    """The bytes that the gradient takes, and how many of them it is given."""
    x, top, _ = types
    if 0 in x.shape or 0 in top.shape:
        return 0, 0
    blocks, size = _cut(op, x, top), x.dtype.itemsize
    each = blocks.most * math.prod(concrete(top.shape)[x.ndim - len(op.window) :])
    given = blocks.workers * (aligned(math.prod(op.window) * each) + aligned(each) + 2 * aligned(each * size))
    return given + blocks.buffer_bytes(top), given
