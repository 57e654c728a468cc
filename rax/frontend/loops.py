"""Loops made of others: ``map``, and ``associative_scan`` in a logarithmic number of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rax.frontend.control import cond, scan
from rax.frontend.jacobians import vmap
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import dims, trail
from rax.ir.dims import Size
from rax.ir.errors import RaxError, TreeError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.tree import Tree, flatten, paths, unflatten
from rax.ir.types import int64, normalize_axis
from rax.ops.algebra import zeros
from rax.ops.arrays import scalar
from rax.ops.comparison import equal
from rax.ops.creation import iota
from rax.ops.shape import Concat, Flip, expand_dims, moveaxis, reshape, slice_axis

Function = Callable[..., Any]


def map(f: Function, xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply a function to each slice along the leading axis, one after another.

    Where :func:`rax.vmap` would need the memory of all slices at once, this needs that of one, or
    of ``batch_size``. Differentiable both ways.

    Args:
        f: takes one slice of ``xs``, in its nest.
        xs: arrays with a common leading size, in any nest.
        batch_size: how many slices go through a vectorised ``f`` at a time; the last time the rest.

    Returns:
        The results stacked along a leading axis.

    Raises:
        TypeInferenceError: sizes differ, or there is no array in ``xs``.
        RaxError: ``batch_size`` is no positive int.

    Example:
        >>> import numpy as np
        >>> map(lambda x: x * x, np.arange(4.0)).numpy()
        array([0., 1., 4., 9.])
    """
    values, tree, size = _leading("map", xs, 0)
    if batch_size is None:
        return _mapped(f, xs)
    if type(batch_size) is not int or batch_size < 1:
        raise RaxError(f"map: batch_size is {batch_size!r}, which is no number of slices", fix="give an int from 1")
    count = dims.floor_divide(size, batch_size)
    whole = count * batch_size
    many = vmap(f)
    first = [reshape(slice_axis(x, 0, 0, whole), (count, batch_size, *x.shape[1:])) for x in values]
    stacked, out_tree = _values(_mapped(many, _tensors(tree, first)))
    joined = [reshape(y, (whole, *y.shape[2:])) for y in stacked]
    if whole != size:
        rest, _ = _values(many(_tensors(tree, [slice_axis(x, 0, whole, size) for x in values])))
        joined = [Concat(0)(*pair) for pair in zip(joined, rest, strict=True)]
    return _tensors(out_tree, joined)


def _mapped(f: Function, xs: Any) -> Any:
    def step(carry: None, x: Any) -> tuple[None, Any]:
        return carry, f(x)

    return scan(step, None, xs)[1]


def associative_scan(fn: Function, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Every running combination of elements along an axis by an associative function.

    The first result is the first element, each further one the one before combined with the next
    element: with ``add``, a cumulative sum. It takes twice the logarithm of the size in calls of ``fn``
    on many elements at once. Where the size is symbolic, so that the logarithm is not known when
    the graph is made, it is a loop over the elements.

    Args:
        fn: associative, ``(earlier, later) -> combined``, in the nest and types of ``elems``; called on
            several elements at once, along ``axis``, of which each must be combined by itself.
        elems: arrays of a common size along ``axis``, in any nest.
        reverse: whether to combine from the last element to the first.
        axis: the axis; from the end where negative.

    Returns:
        The running combinations, in the nest and types of ``elems``.

    Raises:
        TypeInferenceError: sizes differ, there is no array, or ``fn`` returns other types.
        TreeError: ``fn`` returns another nest.

    Source: Blelloch, "Prefix sums and their applications" (CMU-CS-90-190, 1990).

    Example:
        >>> import numpy as np
        >>> associative_scan(lambda a, b: a * b, np.arange(1.0, 6.0)).numpy()
        array([  1.,   2.,   6.,  24., 120.])
        >>> associative_scan(lambda a, b: a + b, np.arange(3.0), reverse=True).numpy()
        array([3., 3., 2.])
    """
    values, tree, size = _leading("associative_scan", elems, axis)
    axes = [normalize_axis(axis, value.ndim) for value in values]

    def combine(earlier: Sequence[Value], later: Sequence[Value]) -> list[Value]:
        found, out_tree = _values(fn(_tensors(tree, earlier), _tensors(tree, later)))
        if out_tree != tree:
            raise TreeError(f"associative_scan: the function takes {tree} and returns {out_tree}")
        for path, given, got in zip(paths(tree, "elems"), earlier, found, strict=True):
            if given.type != got.type:
                raise TypeInferenceError(
                    f"associative_scan: the function takes {given.type} for {path} and returns {got.type}",
                    source=trail.here().source,
                    fix="return the types it is given",
                )
        return found

    turned = [Flip((place,))(x) for x, place in zip(values, axes, strict=True)] if reverse else values
    found = _tree_scan(combine, turned, axes, size) if isinstance(size, int) else _loop(combine, turned, axes, size)
    return _tensors(tree, [Flip((place,))(x) for x, place in zip(found, axes, strict=True)] if reverse else found)


Combine = Callable[[Sequence[Value], Sequence[Value]], list[Value]]


def _tree_scan(combine: Combine, elems: Sequence[Value], axes: Sequence[int], size: int) -> list[Value]:
    """Combine neighbours, scan the half as many pairs, and combine each with the element after it."""
    if size < 2:
        return list(elems)

    def part(values: Sequence[Value], start: int, stop: int, step: int = 1) -> list[Value]:
        return [slice_axis(x, place, start, stop, step) for x, place in zip(values, axes, strict=True)]

    pairs = combine(part(elems, 0, size - 1, 2), part(elems, 1, size, 2))
    odd = _tree_scan(combine, pairs, axes, size // 2)
    even = part(elems, 0, 1)
    if size > 2:
        more = combine(part(odd, 0, (size - 1) // 2), part(elems, 2, size, 2))
        even = [Concat(place)(*pair) for place, *pair in zip(axes, even, more, strict=True)]
    return [_interleave(left, right, place, size) for left, right, place in zip(even, odd, axes, strict=True)]


def _interleave(even: Value, odd: Value, axis: int, size: int) -> Value:
    """Elements of two values in turn, along an axis of the given size in all."""
    count = size // 2
    paired = [expand_dims(slice_axis(x, axis, 0, count), (axis + 1,)) for x in (even, odd)]
    shape = (*even.shape[:axis], 2 * count, *even.shape[axis + 1 :])
    joined = reshape(Concat(axis + 1)(*paired), shape)
    return joined if size % 2 == 0 else Concat(axis)(joined, slice_axis(even, axis, count, count + 1))


def _loop(combine: Combine, elems: Sequence[Value], axes: Sequence[int], size: Size) -> list[Value]:
    """The same, one element after another: the form for a size that is not known yet."""
    xs = [expand_dims(moveaxis(x, place, 0), (place + 1,)) for x, place in zip(elems, axes, strict=True)]
    start = [zeros(x.type.with_shape(x.shape[1:])) for x in xs]

    def step(carry: list[Tensor], x: tuple[Tensor, list[Tensor]]) -> tuple[Any, Any]:
        place, element = x
        first = Tensor(equal(place.value, scalar(0, int64)))

        def combined() -> list[Tensor]:
            return [Tensor(v) for v in combine([c.value for c in carry], [e.value for e in element])]

        new = cond(first, lambda: element, combined)
        return new, new

    _, stacked = scan(step, [Tensor(x) for x in start], (Tensor(iota(size)), [Tensor(x) for x in xs]))
    return [
        moveaxis(reshape(y.value, (y.value.shape[0], *_without(y.value.shape[1:], place))), 0, place)
        for y, place in zip(stacked, axes, strict=True)
    ]


def _without(shape: Sequence[Size], axis: int) -> tuple[Size, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _values(nest: Any) -> tuple[list[Value], Tree]:
    leaves, tree = flatten(nest)
    return [as_tensor(leaf).value for leaf in leaves], tree


def _tensors(tree: Tree, values: Sequence[Value]) -> Any:
    return unflatten(tree, [Tensor(value) for value in values])


def _leading(name: str, nest: Any, axis: int) -> tuple[list[Value], Tree, Size]:
    """The values of a nest, and the size they share along an axis."""
    values, tree = _values(nest)
    size: Size | None = None
    for path, value in zip(paths(tree, "elems" if name == "associative_scan" else "xs"), values, strict=True):
        if not -value.ndim <= axis < value.ndim:
            raise TypeInferenceError(
                f"{name}: {path} is {value.type}, which has no axis {axis}",
                source=trail.here().source,
                fix="give it one",
            )
        own = value.shape[axis]
        size = own if size is None else size
        if own != size:
            raise TypeInferenceError(
                f"{name}: {path} has size {own} along axis {axis}, not {size}",
                source=trail.here().source,
                fix="give all arrays the same size there",
            )
    if size is None:
        raise TypeInferenceError(f"{name} needs an array", source=trail.here().source, fix="give it one")
    return values, tree, size
