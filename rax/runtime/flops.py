"""How many operations on numbers an operation takes: the FLOPs of a profile, counted from types alone.

The conventions, which are the usual ones:

* A multiplication and an addition are two. So a matrix product of ``(m, k)`` by ``(k, n)`` takes ``2 m k n``.
* What gives elements one by one takes one for each element of its result, however costly: ``exp`` as ``add``.
  Integers and truth values count as floating numbers do, and a complex number as one number.
* A reduction takes one for each element that is combined with another; so does a running one.
* What moves, chooses, casts or draws takes none; where updates are added up, one for each.
* A convolution counts its products with zeros of the padding, as the literature does, but not those with zeros
  between the elements of a dilated input, which are not there but in formulas.
* A sort compares ``log2 n`` times for each of ``n`` elements, a search as often for each value; a Fourier transform
  takes ``5 n log2 n``, of real numbers half of it.
* Factorisations and what is made of them take the leading terms of the algorithms that LAPACK has (Golub and Van
  Loan, Matrix Computations), which those of iterations are estimates of.
* A composite operation takes what its body does; a loop in one its length times its body, or, where that is not
  known, one round; a choice the dearest branch. Loops and choices that are steps themselves count what they run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

from rax.ir.graph import Graph
from rax.ir.node import Constant
from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.ops.elementwise import Pointwise
from rax.ops.families import Composite
from rax.runtime.planning import graphs_run

Types = Sequence[TensorType]
Count = Callable[[Any, Types, Types], int]
"""From an operation and the types of its operands and results."""

_NONE = frozenset(
    (
        "reshape", "permute_dims", "concat", "slice", "pad", "flip", "broadcast_to", "gather", "sliding_windows",
        "iota", "dim_size", "random_bits", "threefry2x32", "cast", "where", "stop_gradient", "real", "imag", "conj",
        "complex",
    )
)  # fmt: skip


def flops(op: Op, operands: Types, results: Types) -> int:
    """The operations on numbers that one operation takes.

    Args:
        op: the operation.
        operands: the types of its operands, their sizes numbers.
        results: the types of its results.

    Example:
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.contraction import MatMul
        >>> x, y = tensor_type((2, 3)), tensor_type((3, 4))
        >>> flops(MatMul(), (x, y), MatMul().infer(x, y))
        48
    """
    if op.name in _NONE:
        return 0
    count = _COUNTS.get(op.name)
    if count is not None:
        return count(op, operands, results)
    if isinstance(op, Pointwise):
        return _size(results[0])
    if isinstance(op, Composite):
        return _of_body(op.body(*operands))
    if op.holds_graphs:
        bodies = [_of_body(graph) for graph in graphs_run(op)]
        return max(bodies) if op.name == "cond" else sum(bodies) * int(getattr(op, "length", 1))
    raise NotImplementedError(f"what {op.name} takes is counted nowhere")


def _of_body(graph: Graph) -> int:
    nodes = [node for node in graph.nodes[len(graph.inputs) :] if not isinstance(node.op, Constant)]
    return sum([flops(cast("Op", node.op), [value.type for value in node.inputs], node.types) for node in nodes])


def _size(type: TensorType) -> int:
    return type.size.__index__()


def _shape(type: TensorType) -> tuple[int, ...]:
    return tuple([size.__index__() for size in type.shape])


def _length(op: Any, type: TensorType) -> int:
    """The size along the axis of an operation that has one."""
    return _shape(type)[int(op.axis)]


def _reduction(op: Any, operands: Types, results: Types) -> int:
    del op
    return max(_size(operands[0]) - _size(results[0]), 0)


def _running(each: int) -> Count:
    """Of all but the first along an axis."""

    def count(op: Any, operands: Types, results: Types) -> int:
        del operands
        length, size = _length(op, results[0]), _size(results[0])
        return each * (size - size // length) if length else 0

    return count


def _product(op: Any, operands: Types, results: Types) -> int:
    del op
    return 2 * _size(results[0]) * _shape(operands[0])[-1]


def _conv(op: Any, operands: Types, results: Types) -> int:
    x, kernel, out = _shape(operands[0]), _shape(operands[1]), _shape(results[0])
    total = 2 * out[0] * out[1] * kernel[1]
    for axis, (count, window) in enumerate(zip(out[2:], kernel[2:], strict=True)):
        dilation, low = op.input_dilation[axis], op.padding[axis][0].__index__()
        if dilation == 1:
            total *= count * window
            continue
        steps = range(0, count * op.strides[axis], op.strides[axis])
        taps = range(0, window * op.kernel_dilation[axis], op.kernel_dilation[axis])
        total *= sum([(step + tap - low) % dilation == 0 for step in steps for tap in taps])
    return total if x[0] else 0


def _added(op: Any, operands: Types, results: Types) -> int:
    del results
    return _size(operands[-1]) if getattr(op, "reduction", "add") == "add" else 0


def _log2(count: int) -> int:
    return max(count - 1, 0).bit_length()


def _sorted(op: Any, operands: Types, results: Types) -> int:
    del results
    return _size(operands[0]) * _log2(_length(op, operands[0]))


def _searched(op: Any, operands: Types, results: Types) -> int:
    del op
    return _size(results[0]) * _log2(_shape(operands[0])[-1] + 1)


def _transform(factor: float) -> Count:
    def count(op: Any, operands: Types, results: Types) -> int:
        whole = max(operands[0], results[0], key=_size)
        length = _length(op, whole)
        return round(factor * _size(whole) * math.log2(length)) if length else 0

    return count


def _matrices(formula: Callable[[int, int], float]) -> Count:
    """Of each matrix of the first operand, from its longer and its shorter side."""

    def count(op: Any, operands: Types, results: Types) -> int:
        del op, results
        *lead, rows, columns = _shape(operands[0])
        return round(math.prod(lead) * formula(max(rows, columns), min(rows, columns)))

    return count


def _lu(m: int, n: int) -> float:
    return m * n * n - n**3 / 3


def _qr(op: Any, operands: Types, results: Types) -> int:
    *lead, rows, columns = _shape(operands[0])
    m, n, width = max(rows, columns), min(rows, columns), _shape(results[0])[-1]
    factor = 2 * m * n * n - 2 * n**3 / 3
    orthogonal = 4 * (rows * rows * n - rows * n * n + n**3 / 3) if op.complete and width > n else factor
    return round(math.prod(lead) * (factor + orthogonal))


def _triangular(op: Any, operands: Types, results: Types) -> int:
    del op
    return _size(results[0]) * _shape(operands[0])[-1]


def _solve(op: Any, operands: Types, results: Types) -> int:
    return _matrices(_lu)(op, operands, results) + 2 * _triangular(op, operands, results)


def _pade(m: int, n: int) -> float:
    """Six products and a linear system for as many right-hand sides as there are rows; squarings are not known."""
    return 12 * n**3 + _lu(m, n) + 2 * n**3


_COUNTS: dict[str, Count] = {
    **dict.fromkeys(("sum", "prod", "max", "min", "all", "any", "argmax", "argmin"), _reduction),
    **dict.fromkeys(("cumulative_sum", "cumulative_prod"), _running(1)),
    "linear_recurrence": _running(2),
    **dict.fromkeys(("matmul", "widening_matmul"), _product),
    "conv": _conv,
    **dict.fromkeys(("scatter", "fold_windows"), _added),
    **dict.fromkeys(("sort", "argsort"), _sorted),
    "searchsorted": _searched,
    "fft": _transform(5),
    **dict.fromkeys(("rfft", "irfft"), _transform(2.5)),
    "cholesky": _matrices(lambda m, n: n**3 / 3),
    "lu": _matrices(_lu),
    "qr": _qr,
    "triangular_solve": _triangular,
    "solve": _solve,
    **dict.fromkeys(("det", "slogdet"), _matrices(lambda m, n: _lu(m, n) + n)),
    "svd": _matrices(lambda m, n: 6 * m * n * n + 20 * n**3),
    **dict.fromkeys(("svdvals",), _matrices(lambda m, n: 4 * m * n * n - 4 * n**3 / 3)),
    **dict.fromkeys(("pinv", "adjugate"), _matrices(lambda m, n: 8 * m * n * n + 20 * n**3)),
    "eigh": _matrices(lambda m, n: 9 * n**3),
    "eigvalsh": _matrices(lambda m, n: 4 * n**3 / 3),
    "eig": _matrices(lambda m, n: 25 * n**3),
    "eigvals": _matrices(lambda m, n: 10 * n**3),
    "expm": _matrices(_pade),
    "expm_frechet": _matrices(lambda m, n: 3 * _pade(m, n)),
}
