"""Products of matrices that BLAS adds to what is there already, without an array for the product.

A step of gradient descent subtracts from each weight a gradient that nothing else reads. NumPy computes that product,
writes it, reads it again and subtracts; BLAS has always offered ``C = alpha * A @ B + beta * C``, which NumPy does
not pass on. :func:`accumulate_products` finds such sums, where NumPy's BLAS can be reached.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rax.ir import dims
from rax.ir.graph import Graph
from rax.ir.late import late
from rax.ir.node import Constant, Node, Value
from rax.ir.record import Record
from rax.ir.types import TensorType, float32, float64
from rax.ops.arrays import Array, concrete, scalar
from rax.ops.contraction import MatMul, matmul
from rax.ops.elementwise import Add, Multiply, Subtract, add, multiply
from rax.ops.families import Composite
from rax.ops.samples import FLOATS
from rax.passes.replace import replaced
from rax.runtime.backends.numpy.blas import general_product
from rax.runtime.backends.numpy.kernel import Kernel, Types

_in_parts = late("rax.runtime.backends.numpy.products", "in_parts")  # with threads

# A product of fewer elements than this is added in the time that a call past NumPy takes.
_LEAST = 1 << 15
# Factors of other sizes may overflow, or lose more than rounding does, where the product would not.
_SMALLEST, _LARGEST = 2.0**-20, 2.0**20
# What BLAS cannot read as it lies is multiplied into about so many bytes at a time.
_BUFFER_BYTES = 1 << 14


class Gemm(Composite):
    """``alpha * A @ B + beta * C``, of ``C`` and two operands of a matrix product whose result has its shape.

    It stands in plans alone, never in a file.
    """

    name = "gemm"
    alpha: float
    beta: float

    dtypes = FLOATS

    def expand(self, *operands: Value) -> Value:
        """The sum of both."""
        c, a, b = operands
        return add(_times(self.beta, c), _times(self.alpha, matmul(a, b)))

    def reference(self, *arrays: Array) -> Array:
        """By NumPy."""
        c, a, b = arrays
        factor = c.dtype.type
        return factor(self.beta) * c + factor(self.alpha) * np.matmul(a, b)


def _times(factor: float, x: Value) -> Value:
    return x if factor == 1 else multiply(scalar(factor, x.dtype), x)


def accumulate_products(graph: Graph) -> Graph:
    """The graph with one step for each large product that is added to an input, or to another product, and read once.

    Args:
        graph: any; those that its operations hold are looked through too.

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.elementwise import subtract
        >>> c, a, b = (new_input(name, tensor_type((200, 200))) for name in "cab")
        >>> found = accumulate_products(Graph((c, a, b), (subtract(c, matmul(a, b)),)))
        >>> found.outputs[0].node.op.name == ("gemm" if general_product(float32) else "subtract")
        True
    """
    return replaced(graph, lambda each: _Finder(each).find())


class _Sum(Record):
    """A value that is ``alpha * a @ b + beta * c``."""

    value: Value
    alpha: float
    a: Value
    b: Value
    beta: float
    c: Value

    def operands(self) -> tuple[Value, ...]:
        return (self.c, self.a, self.b)

    def made(self, operands: Sequence[Value]) -> dict[Value, Value]:
        return {self.value: Gemm(self.alpha, self.beta)(*operands)}


class _Finder:
    """Looks for sums with products in one graph."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        self._uses = Counter([*graph.outputs, *[value for node in graph.nodes for value in node.inputs]])
        self._found: set[Value] = set()

    def find(self) -> Iterator[tuple[Value, _Sum]]:
        for node in self._nodes:
            if isinstance(node.op, (Add, Subtract)):
                x, y = node.inputs
                sign = -1.0 if isinstance(node.op, Subtract) else 1.0
                found = self._sum(node, (1.0, x), (sign, y)) or self._sum(node, (sign, y), (1.0, x))
                if found is not None:
                    self._found.add(found.value)
                    yield found.value, found

    def _sum(self, node: Node, first: tuple[float, Value], second: tuple[float, Value]) -> _Sum | None:
        """The second a product, and the first what may be written over by it."""
        (beta, c), (alpha, product) = self._factored(*first), self._factored(*second)
        (value,) = node.outputs
        if not isinstance(product.node.op, MatMul) or self._uses[product] > 1 or c.type != value.type:
            return None
        made = isinstance(c.node.op, MatMul) or c in self._found
        if (
            not (c.node.op.name == "input" or (made and self._uses[c] == 1))
            or product.type != value.type
            or not is_worth(*product.node.inputs)
        ):
            return None
        x, y = product.node.inputs
        alpha, a = self._factored(alpha, x)
        alpha, b = self._factored(alpha, y)
        return _Sum(value, alpha, a, b, beta, c)

    def _factored(self, factor: float, x: Value) -> tuple[float, Value]:
        """What is ``factor * x``, with a constant factor taken out of what nothing else reads."""
        if self._uses[x] == 1 and isinstance(x.node.op, Multiply):
            for number, rest in (x.node.inputs, x.node.inputs[::-1]):
                found = _moderate(number)
                if found and rest.type == x.type:
                    return factor * found, rest
        return factor, x


def _moderate(factor: Value) -> float:
    """The number that a constant is; 0 where it cannot be a factor."""
    op = factor.node.op
    if not isinstance(op, Constant) or factor.ndim or factor.dtype not in (float32, float64):
        return 0.0
    number = float(op.literal.array.item())
    return number if _SMALLEST <= abs(number) <= _LARGEST else 0.0


def is_worth(a: Value, b: Value) -> bool:
    """Whether a product is one that BLAS can add, and so large that it pays."""
    size = dims.product((*a.shape[:-1], b.shape[-1]))
    return (
        b.ndim == 2 <= a.ndim
        and isinstance(size, int)
        and size >= _LEAST
        and a.dtype in (float32, float64)
        and general_product(a.dtype) is not None
    )


def gemm_bytes(types: Types, dense: Sequence[bool]) -> int:
    """What the kernel takes: for an operand with more axes, and where BLAS cannot read one as it lies."""
    _, a, b = types
    copied = a.nbytes.__index__() if a.ndim > 2 and not dense[1] else 0
    return copied + (0 if all(dense[1:]) else max(_BUFFER_BYTES, b.shape[-1].__index__() * b.dtype.itemsize))


def make_gemm(op: Any, types: Types, *, by_threads: bool = False) -> Kernel | None:
    """The kernel of a sum with a product.

    Args:
        op: the :class:`Gemm`.
        types: of its operands.
        by_threads: whether threads of ours share the work.
    """
    c, a, b = types
    tall = concrete((dims.product(a.shape[:-1]), a.shape[-1]))
    flat, whole = (tall[0], *concrete(b.shape[-1:])), concrete(c.shape)
    multiply = functools.partial(_add_product, _adder(c, op.alpha, op.beta), op)
    product = _in_parts(multiply, tall, concrete(b.shape)) if by_threads else multiply

    def gemm(c: Array, a: Array, b: Array, out: Array | None = None) -> Array:
        made = np.empty(whole, c.dtype) if out is None else out
        if made is not c:
            np.copyto(made, c)
        if made.flags.c_contiguous:
            product(a.reshape(tall), b, made.reshape(flat))
        else:
            for lead in np.ndindex(whole[:-2]):
                multiply(a[lead], b, made[lead])
        return made

    return gemm


Adder = Callable[[Array, Array, Array], bool]


def _adder(type: TensorType, alpha: float, beta: float) -> Adder | None:
    """What adds a product by BLAS, and says whether it could."""
    function = general_product(type.dtype)
    return None if function is None else functools.partial(function, alpha, beta)


def _add_product(adder: Adder | None, op: Gemm, left: Array, right: Array, out: Array) -> None:
    if adder is not None and adder(left, right, out):
        return
    factor = out.dtype.type
    step = max(_BUFFER_BYTES // max(out.shape[1] * out.itemsize, 1), 1)
    for start in range(0, len(out), step):
        part = np.matmul(left[start : start + step], right)
        np.multiply(part, factor(op.alpha), part)
        rows = out[start : start + step]
        np.multiply(rows, factor(op.beta), rows)
        np.add(rows, part, rows)
