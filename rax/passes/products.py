"""Small products in the rounds of a scan, of one operand by several matrices, done as one; equal but for rounding.

A recurrent cell written with a weight for each gate multiplies its state by each. The weights are the same in all
rounds, so they are joined once, before the loop, and parts of the one product stand for the several. What is done to
all parts alike, such as adding a bias, is then done to the whole. A cell of four gates and 8 to 64 numbers written so
takes 15 to 25 % less time, with its gradient 7 to 20 %; one of two gates about half as much less. To compile it
takes 2 to 3 ms longer.

Parts must be contiguous: NumPy takes two to four times as long for an elementwise operation on rows of a few
elements that do not follow on each other, which is more than a joined product saves. So these are products of
matrices by one operand, of any number of columns, joined along their rows, and products of a single row by matrices,
joined along their columns. In µs, on two processors in float32: four products by ``(n, n)`` as four calls and as
one, for ``m`` rows, and how many times as long it takes, with an addition to each part, where parts are strided:

====  ====  ======  =====  =====  ==============
   n     m    four    one  ratio  strided, added
====  ====  ======  =====  =====  ==============
   8     1    1.12   0.32   0.29
   8    16    1.26   0.37   0.29            2.17
  32     1    1.37   0.38   0.28
  32    16    2.40   1.90   0.79            1.91
  64     1    2.96   0.94   0.32
  64    16    7.42   6.04   0.81            1.51
  64    64   22.97  21.61   0.94            1.35
 128     1    3.92   2.68   0.68
 128    32   39.62  38.18   0.96            1.16
 256    16  102.7   99.85   0.97            1.03
====  ====  ======  =====  =====  ==============

To join matrices takes longer than a product by them, so outside of loops nothing is joined. Not by constants
either, which could be joined beforehand: with one row that saves 0.3 µs a product, with more it costs what is said
above. As a stack, one operand by ``(4, n, n)``, parts are contiguous, but that saves few per cent, and two
products take longer so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rax.ir import dims
from rax.ir.graph import Graph
from rax.ir.node import Node, Value, apply, new_input
from rax.ir.record import Frozen
from rax.ops.algebra import add
from rax.ops.contraction import MatMul, matmul
from rax.ops.elementwise import Pointwise, multiply, negative
from rax.ops.samples import FLOATS, normal, sample
from rax.ops.scan import Scan
from rax.ops.shape import Concat, Reshape, Slice, reshape
from rax.passes.hoisting import may_fail
from rax.passes.loops import Loop, simplified, taken_apart
from rax.passes.rule import Example, Found, rule

# Multiplications of one product, beyond which little is left to save.
_WORK = 1 << 16
# Matrices of no more bytes together are joined in the time that a few rounds save.
_MOST = 1 << 18
# It pays from two rounds on; of so few it is not worth what is held more, and the longer compilation.
_ROUNDS = 8
# What is joined is held beside its parts, so it is to be this small, or no more than what the rounds read one by one.
_LITTLE = 1 << 16
# Bytes of a whole: of what is larger, it is not the number of calls that costs.
_SMALL = 1 << 16


def _sides(x: Value) -> list[Value]:
    return [new_input(name, x.type) for name in ("left", "right", "h", "row")]


def _apart(x: Value, rows: Value) -> tuple[Value, ...]:
    """A loop for the example: ``h = (left @ h) * (right @ h) + row``."""
    left, right, h, row = _sides(x)
    new = add(multiply(matmul(left, h), matmul(right, h)), row)
    return Scan(Graph((left, right, h, row), (new,)), 2, 1, _ROUNDS).results(x, negative(x), x, rows)


def _together(x: Value, rows: Value) -> tuple[Value, ...]:
    _, _, h, row = _sides(x)
    joined = new_input("joined", x.type.with_shape((4, 2)))
    first, second = _parts(matmul(joined, h), 0, (2, 2))
    body = Graph((joined, h, row), (add(multiply(first, second), row),))
    return Scan(body, 1, 1, _ROUNDS).results(Concat(0)(x, negative(x)), x, rows)


@rule(Scan, Example(sample(normal(2, 2), normal(_ROUNDS, 2, 2), dtypes=FLOATS), _apart, _together))
def products_of_one_operand(op: Scan, *operands: Value) -> Found:
    """Products of one operand by matrices that are the same in all rounds."""
    if dims.at_least(_ROUNDS - 1, op.length):
        return None
    loop = taken_apart(op, operands)
    fixed = dict(loop.consts)
    groups: dict[tuple[int, Value], list[Value]] = {}
    for node in op.body.nodes:
        if not isinstance(node.op, MatMul) or not _is_small(node) or _is_returned(node, loop):
            continue
        for axis, (matrix, other) in enumerate((node.inputs, node.inputs[::-1])):
            if matrix in fixed and other not in fixed and (axis == 0 or other.shape[0] == 1):
                groups.setdefault((axis, other), []).append(node.outputs[0])
    for (axis, other), products in groups.items():
        matrices = [product.node.inputs[axis] for product in products]
        if len(matrices) < 2 or not _may_be_held(sum([_bytes(matrix) for matrix in matrices]), loop):
            continue
        inner, given = _joined(matrices, axis, fixed)
        whole = matmul(inner, other) if axis == 0 else matmul(other, inner)
        parts = _parts(whole, axis, [_size(product, axis) for product in products])
        return simplified(loop.replaced(consts=[*loop.consts, (inner, given)]), dict(zip(products, parts, strict=True)))
    return None


def _each(x: Value, rows: Value) -> tuple[Value, ...]:
    """A loop for the example: something added to each half of ``h``."""
    first, second = _parts(x, 0, (1, 1))
    left, right = new_input("left", first.type), new_input("right", first.type)
    _, _, h, row = _sides(x)
    upper, lower = _parts(h, 0, (1, 1))
    body = Graph((left, right, h, row), (add(multiply(add(upper, left), add(lower, right)), row),))
    return Scan(body, 2, 1, _ROUNDS).results(second, first, x, rows)


def _all(x: Value, rows: Value) -> tuple[Value, ...]:
    first, second = _parts(x, 0, (1, 1))
    joined, _, h, row = _sides(x)
    upper, lower = _parts(add(h, joined), 0, (1, 1))
    body = Graph((joined, h, row), (add(multiply(upper, lower), row),))
    return Scan(body, 1, 1, _ROUNDS).results(Concat(0)(second, first), x, rows)


@rule(Scan, Example(sample(normal(2, 2), normal(_ROUNDS, 2, 2), dtypes=FLOATS), _each, _all))
def alike_on_all_parts(op: Scan, *operands: Value) -> Found:
    """What is done to each part of a small whole alike, element by element, is done to the whole."""
    if dims.at_least(_ROUNDS - 1, op.length):
        return None
    loop = taken_apart(op, operands)
    cuts = _cuts(op.body)
    place = {part: (cut, index) for cut in cuts for index, part in enumerate(cut.parts)}
    fixed = {inner for inner, _ in loop.consts}
    users: dict[Value, dict[tuple[object, ...], Node]] = {}
    for node in op.body.nodes:
        for part in node.inputs:
            kind = _kind(node, part, place, fixed) if part in place and not _is_returned(node, loop) else None
            if kind is not None:
                users.setdefault(part, {})[kind] = node
    for cut in cuts:
        for kind in users.get(cut.parts[0], {}):
            nodes = [users[part][kind] for part in cut.parts if kind in users.get(part, {})]
            if len({*nodes}) == len(cut.parts):
                return _done_at_once(loop, cut, kind, nodes)
    return None


class _Cut(Frozen):
    """A whole that is read in contiguous parts.

    Attributes:
        whole: what is cut.
        axis: where, counted from the end.
        parts: the slices in order, which leave nothing out.
    """

    whole: Value
    axis: int
    parts: tuple[Value, ...]


def _cuts(body: Graph) -> list[_Cut]:
    slices: dict[Value, list[tuple[int, Value]]] = {}
    for node in body.nodes:
        if not isinstance(node.op, Slice):
            continue
        (whole,), (part,) = node.inputs, node.outputs
        if _is_static(whole) and _is_static(part) and dims.at_least(_SMALL, whole.type.nbytes):
            start = node.op.starts[_leading(whole)]
            if isinstance(start, int):
                slices.setdefault(whole, []).append((start, part))
    found: list[_Cut] = []
    for whole, starts in slices.items():
        axis = _leading(whole)
        parts = [part for _, part in sorted(starts, key=lambda pair: pair[0])]
        sizes = [_size(part, axis) for part in parts]
        if len(parts) > 1 and sum(sizes) == whole.shape[axis] and _parts(whole, axis, sizes) == parts:
            found.append(_Cut(whole, axis - whole.ndim, tuple(parts)))
    return found


def _kind(
    node: Node, part: Value, place: Mapping[Value, tuple[_Cut, int]], fixed: set[Value]
) -> tuple[object, ...] | None:
    """What an operation does to a part, the same for those that do alike; None if it cannot be done to the whole."""
    cut, index = place[part]
    size, (result,) = _size(part, cut.axis), node.outputs
    if isinstance(node.op, Reshape):
        return (Reshape,) if result.ndim == 1 and size == result.shape[0] else None
    if not isinstance(node.op, Pointwise) or may_fail(node.op, part) or not dims.at_least(_SMALL, result.type.nbytes):
        return None
    if result.shape[: cut.axis] != (1,) * (result.ndim + cut.axis):  # its parts would not be contiguous
        return None
    kinds: list[object] = [node.op]
    for value in node.inputs:
        other, where = place.get(value, (None, -1))
        shape = [*value.shape]
        if other is not None and where == index and other.axis == cut.axis and _sizes(other) == _sizes(cut):
            kinds.append(other)
        elif value in fixed and value.ndim >= -cut.axis and shape[cut.axis] == size:
            shape[cut.axis] = 0
            kinds.append((value.dtype, *shape))
        elif all(length == 1 for length in shape):
            kinds.append(value)
        else:
            return None
    return tuple(kinds)


def _done_at_once(loop: Loop, cut: _Cut, kind: tuple[object, ...], nodes: Sequence[Node]) -> tuple[Value, ...]:
    sizes = _sizes(cut)
    consts = [*loop.consts]
    if kind == (Reshape,):
        made = reshape(cut.whole, (sum(sizes),))
    else:
        given: list[Value] = []
        for position, what in enumerate(kind[1:]):
            if isinstance(what, tuple):
                joined = _joined([node.inputs[position] for node in nodes], cut.axis, dict(loop.consts))
                consts.append(joined)
                given.append(joined[0])
            else:
                given.append(what.whole if isinstance(what, _Cut) else nodes[0].inputs[position])
        made = apply(nodes[0].op, given).outputs[0]
    parts = _parts(made, max(0, made.ndim + cut.axis), sizes)
    results = [node.outputs[0] for node in nodes]
    return simplified(loop.replaced(consts=consts), dict(zip(results, parts, strict=True)))


def _joined(values: Sequence[Value], axis: int, fixed: Mapping[Value, Value]) -> tuple[Value, Value]:
    """Constants of a loop as one: a new input of the body, and its operand."""
    given = Concat(axis % values[0].ndim)(*[fixed[value] for value in values])
    return new_input("joined", given.type), given


def _parts(whole: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
    """Contiguous slices that follow on each other."""
    parts: list[Value] = []
    low, high = [0] * whole.ndim, [*whole.shape]
    for size in sizes:
        high[axis] = low[axis] + size
        parts.append(Slice(tuple(low), tuple(high), (1,) * whole.ndim)(whole))
        low[axis] += size
    return parts


def _sizes(cut: _Cut) -> list[int]:
    return [_size(part, cut.axis) for part in cut.parts]


def _size(value: Value, axis: int) -> int:
    return value.shape[axis].__index__()


def _leading(value: Value) -> int:
    """The first axis that has not size 1: parts along it are contiguous."""
    return next((axis for axis, size in enumerate(value.shape) if size != 1), value.ndim - 1)


def _may_be_held(count: int, loop: Loop) -> bool:
    return count <= _LITTLE or (count <= _MOST and any(dims.at_least(x.type.nbytes, count) for _, x in loop.xs))


def _bytes(value: Value) -> int:
    return value.type.nbytes.__index__()


def _is_returned(node: Node, loop: Loop) -> bool:
    """Whether a round returns it, so that it is made just where it is to be; a part would have to be copied there."""
    seen = [value.node.inputs[0] if isinstance(value.node.op, Reshape) else value for value in loop.outputs]
    return node.outputs[0] in (*loop.outputs, *seen)


def _is_static(value: Value) -> bool:
    return value.ndim > 0 and all(isinstance(size, int) for size in value.shape)


def _is_small(node: Node) -> bool:
    """Whether a product is of two small matrices of floating or complex numbers."""
    x, y = node.inputs
    if x.ndim != 2 or y.ndim != 2 or not x.dtype.is_inexact or not (_is_static(x) and _is_static(y)):
        return False
    return dims.at_least(_WORK, dims.product((*x.shape, y.shape[1])))


PRODUCTS = (products_of_one_operand, alike_on_all_parts)
"""In the order they are tried."""
