"""``vmap`` and what it makes of derivatives: Jacobians and Hessians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from rax.autodiff.batch import batch_values
from rax.autodiff.jvp import push, tangent_inputs
from rax.autodiff.linearize import frontier
from rax.autodiff.transforms import TRANSFORMS
from rax.autodiff.vjp import vjp as value_vjp
from rax.frontend.captured import (
    Argnums,
    Captured,
    Function,
    argument_indices,
    capture_arguments,
    is_index,
    transformed,
)
from rax.frontend.promotion import is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.frontend.trace import capture, close, positional_names
from rax.ir import dims, trail
from rax.ir.dims import Size
from rax.ir.errors import DerivativeError, TreeError, TypeInferenceError
from rax.ir.graph import Graph, replace_values
from rax.ir.node import Value, new_input
from rax.ir.tree import ARGUMENTS, LEAF, NONE, Tree, flatten, paths, sort_key, unflatten
from rax.ir.types import TensorType, int64, normalize_axis
from rax.ops.algebra import broadcast_to, zeros
from rax.ops.comparison import equal
from rax.ops.creation import Iota
from rax.ops.selection import Cast
from rax.ops.shape import moveaxis, reshape
from rax.ops.subgraphs import pick

Axes = Any
"""An int, None, or a nest of them that is a prefix of the arguments."""


def axes_of(axes: Axes, tree: Tree, what: str) -> list[int | None]:
    """One axis for each leaf of a tree, from a prefix of it.

    Raises:
        TreeError: ``axes`` is no prefix of the tree.
    """
    if axes is None or is_index(axes):
        return [None if axes is None else axes.__index__()] * tree.leaf_count
    parts, given = _items(axes)
    if tree.kind in (LEAF, NONE) or len(parts) != len(tree.children) or (given is not None and given != tree.keys):
        raise TreeError(f"{what}={axes!r} does not fit the structure {tree}", fix="give an int, None, or the same nest")
    return [axis for part, child in zip(parts, tree.children, strict=True) for axis in axes_of(part, child, what)]


def _items(nest: Any) -> tuple[list[Any], tuple[Any, ...] | None]:
    """The items of the outermost container, and its keys if it has some."""
    if isinstance(nest, dict):
        mapping = cast("dict[Any, Any]", nest)
        keys = tuple(sorted(mapping, key=sort_key))
        return [mapping[key] for key in keys], keys
    if isinstance(nest, (list, tuple)):
        return list(cast("Sequence[Any]", nest)), None
    raise TreeError(f"axes are ints, None, or nests of them, not {nest!r}")


def _prefix(in_axes: Axes) -> Axes:
    return tuple(cast("list[Any]", in_axes)) if isinstance(in_axes, list) else in_axes


def vmap(function: Function, in_axes: Axes = 0, out_axes: Axes = 0, axis_size: Size | None = None) -> Any:
    """A function of one row, made a function of a batch of rows.

    Args:
        function: a function, or a graph.
        in_axes: the batch axis of each argument: an int, None for an argument all rows share, or a
            nest of these that is a prefix of the arguments. Python numbers that rows share stay weak.
        out_axes: where the batch axis goes in the results; None only for results all rows share.
        axis_size: the number of rows, needed only where no argument has the axis.

    Returns:
        A function (of a graph: a graph) of the batch.

    Raises:
        TypeInferenceError: when called, if the arguments' batch axes differ in size.

    Example:
        >>> import numpy as np
        >>> rows = np.arange(6, dtype="float32").reshape(2, 3)
        >>> vmap(lambda row, scale: row[0] * scale, in_axes=(0, None))(rows, 2.0)
        array([0., 6.], dtype=float32)
    """

    def build(*args: Any) -> Any:
        leaves, tree = flatten(args)
        given = axes_of(_prefix(in_axes), tree, "in_axes")
        weak = [is_number(leaf) and axis is None for leaf, axis in zip(leaves, given, strict=True)]
        strong = [not shared for shared in weak]
        axes = pick(given, strong)
        size, rows, front = _rows([as_tensor(leaf).value for leaf in pick(leaves, strong)], axes, axis_size)

        def row(*tensors: Any) -> Any:
            rest = iter(tensors)
            mixed = [leaf if shared else next(rest) for leaf, shared in zip(leaves, weak, strict=True)]
            return function(*unflatten(tree, mixed))

        labels = paths(Tree(ARGUMENTS, positional_names(function, len(args)), tree.children))
        captured = capture(row, rows, pick(labels, strong))
        trail.recorder().adopt(captured.recorder.table)
        graph = close(captured)
        batched = (*[False] * len(captured.free), *[axis is not None for axis in axes])
        results, wide = batch_values(TRANSFORMS, graph, size, (*captured.free, *front), batched)
        return _place(results, wide, size, out_axes, captured.out_tree)

    return transformed(_batched_specs(function, in_axes, axis_size), build, "vmap")


def _batched_specs(function: Function, in_axes: Axes, axis_size: Size | None) -> Function:
    """A graph with the types its batch has, for a graph; a function as it is."""
    if not isinstance(function, Graph):
        return function
    size = dims.variable("rows") if axis_size is None else axis_size
    axes = axes_of(_prefix(in_axes), function.in_tree, "in_axes")
    inputs: list[Value] = []
    for name, old, axis in zip(function.input_names, function.in_types, axes, strict=True):
        shape = list(old.shape)
        if axis is not None:
            shape.insert(axis if axis >= 0 else axis + old.ndim + 1, size)
        inputs.append(new_input(name, old.with_shape(tuple(shape))))
    return Graph(inputs, inputs, function.in_tree, flatten(unflatten(function.in_tree, inputs))[1])


def _rows(
    values: Sequence[Value], axes: Sequence[int | None], axis_size: Size | None
) -> tuple[Size, list[TensorType], list[Value]]:
    """The batch size, the type of one row, and the values with the batch axis in front."""
    size = axis_size
    rows: list[TensorType] = []
    front: list[Value] = []
    for value, axis in zip(values, axes, strict=True):
        if axis is None:
            rows.append(value.type)
            front.append(value)
            continue
        moved = moveaxis(value, normalize_axis(axis, value.ndim), 0)
        if size is not None and moved.shape[0] != size:
            raise TypeInferenceError(f"vmap: batch axes of sizes {size} and {moved.shape[0]} meet")
        size = moved.shape[0]
        rows.append(moved.type.with_shape(moved.shape[1:]))
        front.append(moved)
    if size is None:
        raise TypeInferenceError("vmap: no argument has a batch axis", fix="give axis_size, or an axis in in_axes")
    return size, rows, front


def _place(results: Sequence[Value], wide: Sequence[bool], size: Size, out_axes: Axes, tree: Tree) -> Any:
    placed: list[Tensor] = []
    for value, some, axis in zip(results, wide, axes_of(out_axes, tree, "out_axes"), strict=True):
        if axis is None:
            if some:
                raise TypeInferenceError("vmap: out_axes is None for a result that differs between rows")
            placed.append(Tensor(value))
            continue
        full = value if some else broadcast_to(value, (size, *value.shape))
        placed.append(Tensor(moveaxis(full, 0, normalize_axis(axis, full.ndim))))
    return unflatten(tree, placed)


def _basis(type: TensorType) -> Value:
    """The unit tensors of a type, stacked: shape ``(size, *shape)``."""
    count = type.size
    places = Iota(count, int64)()
    unit = equal(reshape(places, (count, 1)), places)
    return reshape(Cast(type.dtype)(unit), (count, *type.shape))


def _check(values: Sequence[Value], name: str, what: str) -> None:
    for value in values:
        if not value.dtype.is_floating:
            raise DerivativeError(f"{name}: {what} is {value.type}; Jacobians are of real floating-point tensors")


def _columns(got: Captured) -> list[list[Value]]:
    """For each output, its Jacobian by each input, by forward mode."""
    inputs = got.part.inputs
    table: list[list[Value]] = [[] for _ in got.outputs]
    for varied in inputs:
        (seed,) = tangent_inputs((varied,))
        results, tangents = push(TRANSFORMS, got.outputs, {varied: seed}, transposable=False)
        filled = [zeros(r.type) if t is None else t for r, t in zip(results, tangents, strict=True)]
        rows = _over_basis(filled, seed, varied.type)
        for line, part, result in zip(table, rows, got.outputs, strict=True):
            line.append(reshape(moveaxis(part, 0, part.ndim - 1), (*result.shape, *varied.shape)))
    return table


def _lines(got: Captured) -> list[list[Value]]:
    """For each output, its Jacobian by each input, by reverse mode."""
    results, pullback = value_vjp(got.outputs, got.part.inputs)
    table: list[list[Value]] = []
    for place, result in enumerate(results):
        ct = new_input("cotangent", result.type)
        parts = pullback([ct if index == place else None for index in range(len(results))])
        inputs = got.part.inputs
        filled = [zeros(i.type) if part is None else part for i, part in zip(inputs, parts, strict=True)]
        rows = _over_basis(filled, ct, result.type)
        table.append([reshape(p, (*result.shape, *i.shape)) for p, i in zip(rows, inputs, strict=True)])
    return table


def _over_basis(outputs: Sequence[Value], varied: Value, type: TensorType) -> list[Value]:
    """Values linear in an input, at every unit tensor of it, stacked in front."""
    fixed = frontier(outputs, (varied,))
    saved = [new_input(f"fixed{index}", value.type) for index, value in enumerate(fixed)]
    graph = Graph((*saved, varied), replace_values(outputs, dict(zip(fixed, saved, strict=True))))
    batched = (*[False] * len(fixed), True)
    results, wide = batch_values(TRANSFORMS, graph, type.size, (*fixed, _basis(type)), batched)
    return [
        value if some else broadcast_to(value, (type.size, *value.shape))
        for value, some in zip(results, wide, strict=True)
    ]


def _jacobian(function: Function, argnums: Argnums, name: str, method: Any) -> Any:
    def build(*args: Any, **kwargs: Any) -> Any:
        got = capture_arguments(function, args, kwargs, argument_indices(argnums, args))
        _check(got.values, name, "an argument")
        _check(got.outputs, name, "a result")
        table = method(got)
        flat = got.at_values([part for line in table for part in line])
        rest = iter(flat)
        nests: list[Any] = []
        for _ in table:
            parts = [unflatten(tree, [Tensor(next(rest)) for _ in range(tree.leaf_count)]) for tree in got.trees]
            nests.append(parts[0] if is_index(argnums) else tuple(parts))
        return unflatten(got.out_tree, nests)

    return transformed(function, build, name)


def jacfwd(function: Function, argnums: Argnums = 0) -> Any:
    """The Jacobian by forward mode: best where there are fewer inputs than outputs.

    Args:
        function: a function of real arrays, or a graph.
        argnums: which argument(s) to differentiate by.

    Returns:
        A function (of a graph: a graph) to the structure of the result, with in place of each leaf
        the structure of the argument; a part has shape ``result.shape + argument.shape``.

    Example:
        >>> import numpy as np
        >>> jacfwd(lambda x: x * x)(np.array([1, 2], dtype="float32"))
        array([[2., 0.],
               [0., 4.]], dtype=float32)
    """
    return _jacobian(function, argnums, "jacfwd", _columns)


def jacrev(function: Function, argnums: Argnums = 0) -> Any:
    """The Jacobian by reverse mode: best where there are fewer outputs than inputs.

    See :func:`jacfwd` for arguments and result.

    Example:
        >>> import numpy as np
        >>> jacrev(lambda x: x[0] * x)(np.array([1, 2], dtype="float32"))
        array([[2., 0.],
               [2., 1.]], dtype=float32)
    """
    return _jacobian(function, argnums, "jacrev", _lines)


def hessian(function: Function, argnums: Argnums = 0) -> Any:
    """The second derivatives of a function, forward over reverse.

    See :func:`jacfwd`; each part has shape ``result.shape + argument.shape + argument.shape``.

    Example:
        >>> float(hessian(lambda x: x**3)(2.0))
        12.0
    """
    return jacfwd(jacrev(function, argnums), argnums)
