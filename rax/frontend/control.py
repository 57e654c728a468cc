"""Control flow inside a graph: ``cond``, ``switch``, ``scan``, ``while_loop``, ``fori_loop``.

Functions given here may use tensors from outside; those become operands of the operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from rax.frontend.promotion import is_number
from rax.frontend.segments import segmented
from rax.frontend.tensor import Tensor, as_tensor
from rax.frontend.trace import Capture, capture, close
from rax.ir import dims, trail
from rax.ir.dims import Dim, Size
from rax.ir.errors import RaxError, TreeError, TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Value
from rax.ir.tree import Tree, flatten, paths, unflatten
from rax.ir.types import TensorType, bool_, int32, int64
from rax.ops.algebra import add
from rax.ops.arrays import scalar
from rax.ops.comparison import less
from rax.ops.control import Cond, WhileLoop
from rax.ops.creation import DimSize, Iota
from rax.ops.scan import Scan
from rax.ops.selection import Cast
from rax.ops.subgraphs import split

Function = Callable[..., Any]


def _values(nest: Any) -> tuple[list[Value], Tree]:
    leaves, tree = flatten(nest)
    return [as_tensor(leaf).value for leaf in leaves], tree


def _specs(tree: Tree, values: Sequence[Value]) -> Any:
    return unflatten(tree, [value.type for value in values])


def _tensors(tree: Tree, values: Sequence[Value]) -> Any:
    return unflatten(tree, [Tensor(value) for value in values])


def _free(captures: Sequence[Capture]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(value for captured in captures for value in captured.free))


def _plain(graph: Graph) -> Graph:
    """A graph without nests: operations take and give lists."""
    return Graph(graph.inputs, graph.outputs, origins=graph.origins)


def _require(same: bool, what: str, fix: str) -> None:
    if not same:
        raise TypeInferenceError(what, source=trail.here().source, fix=fix)


def _check_callable(name: str, functions: Mapping[str, Any]) -> None:
    for label, function in functions.items():
        _require(
            callable(function),
            f"{name} chooses between functions, and {label} is a {type(function).__name__}",
            "wrap it, as in lambda: x; to choose between tensors, use rax.numpy.where",
        )


def cond(pred: Any, true_fun: Function, false_fun: Function, *operands: Any) -> Any:
    """Run one function or the other, as a truth value decides when the graph runs.

    Args:
        pred: a bool tensor of shape ``()``.
        true_fun: called with the operands where ``pred`` holds.
        false_fun: called with the operands otherwise; returns the same structure and types.
        *operands: nests of arrays.

    Raises:
        TypeInferenceError: the branches' results differ, ``pred`` is no bool scalar, or a branch is
            no function.

    Example:
        >>> float(cond(True, lambda x: x + 1, lambda x: x - 1, 3.0))
        4.0
    """
    _check_callable("cond", {"true_fun": true_fun, "false_fun": false_fun})
    test = as_tensor(pred).value
    _require(
        test.type == TensorType(bool_, ()),
        f"cond's condition must be a bool of shape (), not {test.type}",
        "compare first, and reduce with rax.numpy.all or any",
    )
    return switch(Tensor(Cast(int32)(test)), (false_fun, true_fun), *operands)


def switch(index: Any, branches: Sequence[Function], *operands: Any) -> Any:
    """Run one of several functions, as an integer decides when the graph runs.

    Args:
        index: an integer tensor of shape ``()``, clamped to the branches.
        branches: called with the operands; all return the same structure and types.
        *operands: nests of arrays.

    Raises:
        TypeInferenceError: the branches' results differ, or ``index`` is no integer scalar.

    Example:
        >>> float(switch(2, [lambda x: x, lambda x: 2 * x, lambda x: 3 * x], 5.0))
        15.0
    """
    chosen = as_tensor(index).value
    _require(
        chosen.shape == () and chosen.dtype.kind in ("int", "uint"),
        f"switch's index must be an integer of shape (), not {chosen.type}",
        "cast it to int32",
    )
    if not branches:
        raise RaxError("switch needs at least one branch")
    _check_callable("switch", {f"branch {place}": branch for place, branch in enumerate(branches)})
    values, tree = _values(operands)
    captures = [capture(branch, list(_specs(tree, values))) for branch in branches]
    first = captures[0]
    for place, other in enumerate(captures[1:], start=1):
        _require(
            other.out_tree == first.out_tree,
            f"branch {place} returns the structure {other.out_tree}, branch 0 {first.out_tree}",
            "return the same structure from every branch",
        )
        for path, mine, theirs in zip(paths(first.out_tree), first.outputs, other.outputs, strict=True):
            _require(
                mine.type == theirs.type,
                f"branch {place} returns {theirs.type} for {path or 'its result'}, branch 0 {mine.type}",
                "cast or reshape so that every branch returns the same types",
            )
    free = _free(captures)
    graphs = tuple(_plain(close(captured, free)) for captured in captures)
    index32 = chosen if chosen.dtype is int32 else Cast(int32)(chosen)
    return _tensors(first.out_tree, Cond(graphs).results(index32, *free, *values))


def _check_carry(name: str, before: Tree, types: Sequence[Value], after: Tree, results: Sequence[Value]) -> None:
    _require(
        after == before,
        f"{name}: the carry goes in as {before} and comes out as {after}",
        "return the carry in the structure it came in",
    )
    for path, mine, theirs in zip(paths(before, "carry"), types, results, strict=True):
        _require(
            mine.type == theirs.type,
            f"{name}: {path} goes in as {mine.type} and comes out as {theirs.type}",
            "start from, or cast to, the type that comes out",
        )


def scan(
    f: Function,
    init: Any,
    xs: Any = None,
    length: Size | str | None = None,
    reverse: bool = False,
    *,
    checkpoint: int | Literal["sqrt"] | None = None,
) -> tuple[Any, Any]:
    """Loop over the leading axis of arrays, passing a carry along; differentiable both ways.

    Args:
        f: ``(carry, x) -> (carry, y)``; ``x`` is one slice of each array of ``xs``.
        init: the first carry, any nest.
        xs: arrays with a common leading size, in any nest; None for none.
        length: the number of rounds, needed where there are no ``xs``.
        reverse: whether to go from the last slice to the first.
        checkpoint: how many rounds go from one carry that is kept for reverse mode to the next; what
            the rounds between compute is computed again on the way back. With ``"sqrt"``, the square
            root of the length: memory then grows like that root, not like the length, for the work
            of one more run forward. None keeps everything.

    Returns:
        ``(carry, ys)``: the last carry, and each ``y`` stacked along a leading axis.

    Raises:
        TypeInferenceError: the carry changes its type, or sizes differ.
        RaxError: ``checkpoint`` is no positive number, or is ``"sqrt"`` of a symbolic length.

    Example:
        >>> import numpy as np
        >>> from rax.frontend.call import evaluate
        >>> total, sums = evaluate(scan(lambda c, x: (c + x, c + x), 0.0, np.array([1, 2, 3], "float32")))
        >>> float(total), sums
        (6.0, array([1., 3., 6.], dtype=float32))
    """
    carry, carry_tree = _values(init)
    values, xs_tree = _values(xs)
    rounds = _rounds(values, paths(xs_tree, "xs"), length)
    slices = [value.type.with_shape(value.shape[1:]) for value in values]
    captured = capture(f, [_specs(carry_tree, carry), unflatten(xs_tree, slices)], ["carry", "x"])
    if len(captured.out_tree.children) != 2 or captured.out_tree.keys:
        raise TreeError(f"scan: the function must return a pair (carry, y), not {captured.out_tree}")
    out_carry, y_tree = captured.out_tree.children
    new, _ = split(captured.outputs, out_carry.leaf_count)
    _check_carry("scan", carry_tree, carry, out_carry, new)
    loop = Scan(_plain(close(captured)), len(captured.free), len(carry), rounds, reverse)
    operands = (*captured.free, *carry, *values)
    results = loop.results(*operands) if checkpoint is None else segmented(loop, operands, checkpoint)
    final, stacked = split(results, len(carry))
    return _tensors(carry_tree, final), _tensors(y_tree, stacked)


def _rounds(values: Sequence[Value], labels: Sequence[str], length: Size | str | None) -> Size:
    """How many rounds a scan has: its length, or the leading size of what it goes over."""
    rounds = None if length is None else dims.dim(length)
    for label, value in zip(labels, values, strict=True):
        _require(value.ndim > 0, f"scan: {label} has no leading axis", "give it one")
        rounds = value.shape[0] if rounds is None else rounds
        _require(
            value.shape[0] == rounds,
            f"scan: {label} has leading size {value.shape[0]}, not {rounds}",
            "give all xs the same leading size",
        )
    if rounds is None:
        raise TypeInferenceError("scan needs xs or a length", source=trail.here().source, fix="give length=")
    return rounds


def while_loop(cond_fun: Function, body_fun: Function, init: Any) -> Any:
    """Repeat a function for as long as a condition holds; differentiable in forward mode.

    The number of rounds is not known beforehand, so what reverse mode would need cannot be kept: where
    it is wanted, use ``scan`` or ``fori_loop`` with a fixed number of rounds and ``cond`` inside.

    Args:
        cond_fun: ``carry -> bool`` of shape ``()``.
        body_fun: ``carry -> carry``.
        init: the first carry, any nest.

    Returns:
        The last carry.

    Raises:
        TypeInferenceError: the carry changes its type, or the condition is no bool scalar.

    Example:
        >>> int(while_loop(lambda n: n < 100, lambda n: n * 2, 1))
        128
    """
    carry, tree = _values(init)
    specs = [_specs(tree, carry)]
    test, body = capture(cond_fun, specs, ["carry"]), capture(body_fun, specs, ["carry"])
    types = [value.type for value in test.outputs]
    _require(
        types == [TensorType(bool_, ())],
        f"while_loop: the condition must be one bool of shape (), not {', '.join(map(str, types))}",
        "reduce it with rax.numpy.all or any",
    )
    _check_carry("while_loop", tree, carry, body.out_tree, body.outputs)
    free = _free((test, body))
    loop = WhileLoop(_plain(close(test, free)), _plain(close(body, free)), len(free))
    return _tensors(tree, loop.results(*free, *carry))


def fori_loop(lower: Any, upper: Any, body_fun: Function, init: Any) -> Any:
    """Repeat a function for each integer of a range.

    With bounds known when tracing (Python integers or symbolic sizes) it is a ``scan``, and
    differentiable both ways; with tensors as bounds, a ``while_loop``, in forward mode only.

    Args:
        lower: the first integer.
        upper: one past the last.
        body_fun: ``(i, carry) -> carry``, ``i`` an ``int64`` scalar.
        init: the first carry, any nest.

    Returns:
        The last carry.

    Example:
        >>> float(fori_loop(0, 4, lambda i, x: x * 2, 1.0))
        16.0
    """
    if not isinstance(lower, Tensor) and not isinstance(upper, Tensor):
        first, rounds = dims.dim(lower), dims.maximum(dims.dim(upper) - dims.dim(lower), 0)
        start = DimSize(first)() if isinstance(first, Dim) else scalar(first, int64)
        places = Tensor(add(Iota(rounds, int64)(), start))

        def turn(carry: Any, i: Tensor) -> tuple[Any, None]:
            return body_fun(i, carry), None

        return scan(turn, init, places, length=rounds)[0]
    start, stop = (_bound(bound) for bound in (lower, upper))

    def more(state: tuple[Tensor, Any]) -> Tensor:
        return Tensor(less(state[0].value, stop))

    def step(state: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
        return Tensor(add(state[0].value, scalar(1, int64))), body_fun(state[0], state[1])

    return while_loop(more, step, (Tensor(start), init))[1]


def _bound(bound: Any) -> Value:
    if isinstance(bound, Dim):
        return DimSize(bound)()
    value = as_tensor(bound, int64 if is_number(bound) else None).value
    _require(
        value.shape == () and value.dtype.kind in ("int", "uint"),
        f"a bound of fori_loop must be an integer of shape (), not {value.type}",
        "cast it to int64",
    )
    return value if value.dtype is int64 else Cast(int64)(value)
