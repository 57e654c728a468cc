"""Sorting and searching along one axis."""

from __future__ import annotations

import numpy as np

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, op
from rax.ir.types import TensorType, int64
from rax.ops.algebra import all_batched
from rax.ops.arrays import Array, wide
from rax.ops.families import Nondifferentiable, TypedOp
from rax.ops.indexing import take_along_axis
from rax.ops.samples import FLOATS, REAL, distinct, normal, reject, sample, values

NAN = float("nan")
REJECTS = (
    reject(normal(2, 3), axis=2, match="axis 2 does not name an axis of [2, 3]"),
    reject(normal(2), axis=0, dtype="complex64", match="is not defined on complex64"),
)


class Ordering(TypedOp):
    """Along one axis counted from the front, smallest first unless descending.

    Equal elements keep their order, descending too. A NaN counts as larger than any number.
    """

    axis: int
    descending: bool = False

    arity = 1
    dtypes = REAL

    def result(self, *operands: TensorType) -> TensorType:
        x = self.require(*operands)
        if not 0 <= self.axis < x.ndim:
            raise TypeInferenceError(f"axis {self.axis} does not name an axis of {dims.shape_text(x.shape)}")
        return x

    def order(self, x: Array) -> Array:
        """The positions of the elements in sorted order."""
        if not self.descending:
            return np.argsort(wide(x), axis=self.axis, kind="stable")
        # Turned round before and after, the order is descending and equal elements keep theirs.
        turned = np.argsort(np.flip(wide(x), self.axis), axis=self.axis, kind="stable")
        return np.flip(x.shape[self.axis] - 1 - turned, self.axis)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        return type(self)(self.axis + 1, self.descending)(operands[0])

    samples = (
        sample(distinct(5), axis=0),
        sample(distinct(2, 4), axis=1, descending=True),
        sample(distinct(3, 2, 2), axis=0, descending=True),
        sample(distinct(2, 3, 2), axis=1),
        sample(normal(0, 2), axis=0),
        sample(normal(2, 0), axis=0, descending=True),
    )
    edges = (
        sample(values(2, 1, 2, 1, 3), axis=0),
        sample(values(2, 1, 2, 1, 3), axis=0, descending=True),
        sample(values(1, NAN, float("inf"), 0.0, -0.0, float("-inf"), NAN), axis=0, dtypes=FLOATS),
        sample(values(1, NAN, float("inf"), 0.0, -0.0, float("-inf"), NAN), axis=0, descending=True, dtypes=FLOATS),
    )
    rejects = REJECTS


@op("sort", since=1)
class Sort(Ordering):
    """The elements along one axis in order, smallest first unless descending.

    Equal elements keep their order, descending too. A NaN counts as larger than any number.
    """

    def reference(self, *arrays: Array) -> Array:
        return np.take_along_axis(arrays[0], self.order(arrays[0]), self.axis)

    def jvp(self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Value) -> Derivative:
        (dx,) = tangents
        assert dx is not None
        order = ArgSort(self.axis, self.descending)(primals[0])
        return take_along_axis(dx, order, self.axis, unique_indices=True)


@op("argsort", since=1)
class ArgSort(Ordering, Nondifferentiable):
    """The positions, as int64, of the elements along one axis in sorted order.

    Equal elements keep their order, descending too. A NaN counts as larger than any number.
    """

    nondiff = "positions are integers"

    def result(self, *operands: TensorType) -> TensorType:
        return super().result(*operands).with_dtype(int64)

    def reference(self, *arrays: Array) -> Array:
        return self.order(arrays[0]).astype(np.int64)


@op("searchsorted", since=1)
class SearchSorted(Nondifferentiable):
    """Where values belong in sorted vectors, as int64: ``(*B, n)`` and ``(*B, *I)`` give ``(*B, *I)``.

    With ``right`` false the result counts the elements less than a value, with true those not
    greater than it.
    """

    right: bool = False

    arity = 2
    dtypes = REAL
    nondiff = "positions are integers"

    def result(self, *operands: TensorType) -> TensorType:
        ordered, wanted = operands
        self.require(ordered, wanted)
        lead = ordered.ndim - 1
        if lead < 0 or wanted.ndim < lead or ordered.shape[:lead] != wanted.shape[:lead]:
            shown = f"{dims.shape_text(ordered.shape)} and {dims.shape_text(wanted.shape)}"
            raise TypeInferenceError(f"searchsorted needs sorted vectors and values that share batch axes, not {shown}")
        return wanted.with_dtype(int64)

    def reference(self, *arrays: Array) -> Array:
        ordered, wanted = map(wide, arrays)
        result = np.zeros(wanted.shape, np.int64)
        for index in np.ndindex(*ordered.shape[:-1]):
            result[index] = np.searchsorted(ordered[index], wanted[index], side="right" if self.right else "left")
        return result

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        if not batched[0] and operands[0].ndim == 1:
            return self(*operands)
        return self(*all_batched(size, batched, operands))

    samples = (
        sample(values(1, 2, 2, 5), values(0, 1, 2, 3, 6)),
        sample(values(1, 2, 2, 5), normal(2, 3), right=True),
        sample(values(1, 2), normal()),
        sample(normal(2, 1), normal(2, 3), right=True),
        sample(normal(0), normal(2)),
        sample(values(1, 2), normal(0, 2)),
    )
    rejects = (
        reject(normal(2, 3), normal(3), match="share batch axes, not [2, 3] and [3]"),
        reject(normal(2), normal(2), dtype="complex64", match="searchsorted is not defined on complex64"),
    )
