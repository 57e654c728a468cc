"""Kernels for blocks of a group: along the rows of a block, and for sums over all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rax.ir.record import Record
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.backends.numpy.kernel import Kernel, Types
from rax.runtime.backends.numpy.scratch import Space
from rax.runtime.backends.numpy.table import find_kernel
from rax.runtime.fusion import Layout

_UFUNCS: dict[str, np.ufunc] = {
    "sum": np.add,
    "mean": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "all": np.logical_and,
    "any": np.logical_or,
}
_POSITIONS: dict[str, Any] = {"argmax": np.argmax, "argmin": np.argmin}
_ALONG_AXIS = frozenset({"softmax", "log_softmax"})
_VECDOT: Any = np.vecdot
# BLAS adds up so many products with no more rounding than NumPy's sums.
_PRODUCTS = 4096


def row_kernel(op: Any, types: Types, cut: Layout, *, products: bool) -> Kernel:
    """The kernel of an operation along the rows of a block, which takes ``out``.

    Args:
        op: the operation.
        types: of its operands.
        cut: the blocks.
        products: whether it is given two operands, and adds up their products.
    """
    edge = len(cut.shape) - cut.inner
    if op.name in _ALONG_AXIS:
        return find_kernel(op.with_attributes({"axis": edge}), types)
    if op.name == "layer_norm":
        return find_kernel(op, types)
    if op.name in _POSITIONS:
        find: Any = _POSITIONS[op.name]

        def position(x: Array, out: Array) -> Any:
            return find(x, edge, out, keepdims=True)

        return position
    axes = tuple(range(edge, len(cut.shape)))
    dtype = numpy_dtype(types[0].dtype)
    if op.name in ("sum", "mean"):
        total = _row_sum(axes, dtype, cut.row_size, products=products)
        return total if op.name == "sum" else _mean(total, dtype.type(cut.row_size))
    return _reduction(_UFUNCS[op.name], axes, dtype)


def _reduction(ufunc: np.ufunc, axes: tuple[int, ...], dtype: np.dtype[Any]) -> Kernel:
    reduce: Any = ufunc.reduce
    along = axes[0] if len(axes) == 1 else axes

    def kernel(x: Array, out: Array) -> Any:
        return reduce(x, along, dtype, out, True)

    return kernel


def _row_sum(axes: tuple[int, ...], dtype: np.dtype[Any], count: int, *, products: bool) -> Kernel:
    short = len(axes) == 1 and count <= _PRODUCTS and dtype.char in "fd"
    if products:
        add = _reduction(np.add, axes, dtype)

        def kernel(x: Array, y: Array, out: Array, space: Array) -> Any:
            if short and x.shape[-1] == y.shape[-1]:
                return _vecdot(x, y, out)
            return add(_product(x, y, space), out)

        return kernel
    if not short:
        return _reduction(np.add, axes, dtype)
    ones = np.ones(count, dtype)

    def total(x: Array, out: Array) -> Any:
        return _vecdot(x, ones, out)

    return total


def _product(x: Array, y: Array, space: Array) -> Array:
    """In memory that is given."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    return np.multiply(x, y, np.ndarray(shape, x.dtype, space))


def _vecdot(x: Array, y: Array, out: Array) -> Any:
    return _VECDOT(x, y, out=out, keepdims=True)


def _mean(total: Kernel, count: Any) -> Kernel:
    def kernel(x: Array, out: Array) -> Any:
        return np.divide(total(x, out), count, out=out)

    return kernel


class Sum(Record):
    """A reduction over all rows, of the parts that blocks give; in the same order each time.

    Attributes:
        ufunc: what reduces.
        axes: of a block that are reduced; None for all.
        dtype: of the result.
        products: whether it is given two operands, and reduces their products.
        count: what the result is divided by; None if by nothing.
    """

    ufunc: np.ufunc
    axes: tuple[int, ...] | None
    dtype: np.dtype[Any]
    products: bool
    count: Any = None

    def parts(self, cut: Layout, given: Space) -> Array:
        """Where the parts go: one for each block, or where they have many elements for each piece."""
        if self.axes is None:
            return given.array((cut.block_count,), self.dtype)
        return given.array((len(cut.pieces()), *cut.shape[len(cut.shape) - cut.inner :]), self.dtype)

    def with_part(self, parts: Array, given: Space) -> tuple[Array, Array]:
        """Those, and where a thread puts the one of a block if it is to be added to others."""
        return parts, parts if self.axes is None else given.array(parts.shape[1:], self.dtype)

    def add(
        self, operands: Sequence[Array], parts: tuple[Array, Array], place: tuple[int, int, bool], space: Array
    ) -> None:
        """Take in one block.

        Args:
            operands: the block of each operand.
            parts: see :meth:`with_part`.
            place: the number of the piece and of the block, and whether it is the first of its piece.
            space: memory for products.
        """
        piece, block, first = place
        totals, part = parts
        if self.axes is None:
            self._reduce(operands, totals[block, ...], space)
        elif first:
            self._reduce(operands, totals[piece], space)
        else:
            self._reduce(operands, part, space)
            self.ufunc(totals[piece], part, out=totals[piece])

    def _reduce(self, operands: Sequence[Array], out: Array, space: Array) -> None:
        if self.products:
            x, y = operands
            if self.axes is None and x.shape == y.shape and x.shape[-1] <= _PRODUCTS and x.ndim > 1:
                self.ufunc.reduce(np.vecdot(x, y), None, self.dtype, out)
                return
            operands = [_product(x, y, space)]
        self.ufunc.reduce(operands[0], self.axes, self.dtype, out)

    def whole(self, parts: Array, out: Array) -> None:
        """The result of all the parts."""
        self.ufunc.reduce(parts, 0, self.dtype, out.reshape(parts.shape[1:]))
        if self.count is not None:
            np.divide(out, self.count, out=out)


def whole_sum(op: Any, types: Types, cut: Layout, *, columns: bool, products: bool) -> Sum:
    """A reduction over all rows: of each column, or of everything."""
    dtype = numpy_dtype(types[0].dtype)
    axes = tuple(range(len(cut.shape) - cut.inner)) if columns else None
    count = math.prod(cut.shape[: len(cut.shape) - cut.inner] if columns else cut.shape)
    return Sum(_UFUNCS[op.name], axes, dtype, products, dtype.type(count) if op.name == "mean" else None)
