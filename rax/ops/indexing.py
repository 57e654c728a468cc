"""Reading and writing at computed positions: ``gather`` and ``scatter``, each the other's transpose."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from rax.ir import dims
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.op import Derivative, Transforms, op
from rax.ir.types import TensorType, bool_, int64
from rax.ops.algebra import all_batched, broadcast_to, full, in_float32, zeros
from rax.ops.arrays import Array, wide
from rax.ops.comparison import equal
from rax.ops.creation import iota
from rax.ops.families import Linear
from rax.ops.samples import NUMERIC, integers, normal, reject, sample, values
from rax.ops.selection import where
from rax.ops.shape import expand_dims, moveaxis, reshape


def _index_shape(name: str, x: TensorType, indices: tuple[TensorType, ...], batch_dims: int) -> Shape:
    """The shape all index operands share, checked against the operand."""
    if not indices:
        raise TypeInferenceError(f"{name} needs at least one index operand")
    shape = indices[0].shape
    for index in indices:
        if index.dtype.kind not in ("int", "uint"):
            raise TypeInferenceError(f"{name} needs integer indices, not {index.dtype}")
        if index.shape != shape:
            shown = " and ".join(dims.shape_text(s) for s in (shape, index.shape))
            raise TypeInferenceError(f"{name} needs indices of one shape, not {shown}")
    if not 0 <= batch_dims <= len(shape) or x.ndim < batch_dims + len(indices):
        raise TypeInferenceError(
            f"{name} with {batch_dims} batch axes and {len(indices)} index operands does not fit "
            f"{dims.shape_text(x.shape)} and indices {dims.shape_text(shape)}"
        )
    if x.shape[:batch_dims] != shape[:batch_dims]:
        shown = " and ".join(dims.shape_text(s[:batch_dims]) for s in (x.shape, shape))
        raise TypeInferenceError(f"{name} needs the same batch axes on operand and indices, not {shown}")
    return shape


def _full_index(batch_dims: int, indices: tuple[Array, ...]) -> tuple[Array, ...]:
    """The indices with a counting index for each batch axis before them."""
    shape: tuple[int, ...] = indices[0].shape
    lead = [
        np.arange(size).reshape([size if other == axis else 1 for other in range(len(shape))])
        for axis, size in enumerate(shape[:batch_dims])
    ]
    return (*lead, *[index.astype(np.int64) for index in indices])


@op("gather", since=1)
class Gather(Linear):
    """The parts of an operand that integer indices pick, as ``x[i1, i2, …]`` in NumPy.

    ``x`` has shape ``(*B, d1, …, dk, *rest)`` with ``batch_dims`` axes in ``B``; each of the k
    index operands has shape ``(*B, *I)``; the result has ``(*B, *I, *rest)``. A negative index
    counts from the end; one out of range fails when the graph runs. ``unique_indices`` promises
    that no position is picked twice, which makes the transpose cheaper.
    """

    batch_dims: int = 0
    unique_indices: bool = False

    linear_operands = 1

    def result(self, *operands: TensorType) -> TensorType:
        if not operands:
            raise TypeInferenceError("gather needs an operand and indices")
        x, *indices = operands
        shape = _index_shape(self.name, x, tuple(indices), self.batch_dims)
        return x.with_shape((*shape, *x.shape[self.batch_dims + len(indices) :]))

    def reference(self, *arrays: Array) -> Array:
        x, *indices = arrays
        return x[_full_index(self.batch_dims, tuple(indices))]

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        x, *indices = operands
        scatter = Scatter(self.batch_dims, "add", self.unique_indices)

        def added(ct: Value) -> Value:
            return scatter(zeros(x.type.with_dtype(ct.dtype)), *indices, ct)

        return (in_float32(added, ct), *[None] * len(indices))

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        x, *indices = operands
        whole = all_batched(size, batched[1:], tuple(indices))
        if batched[0]:
            return Gather(self.batch_dims + 1, self.unique_indices)(x, *whole)
        # The batch axis joins the axes of the indices, behind the axes that x shares.
        picked = Gather(self.batch_dims)(x, *[moveaxis(index, 0, self.batch_dims) for index in whole])
        return moveaxis(picked, self.batch_dims, 0)

    samples = (
        sample(normal(5), integers(2, 3, low=-5, high=5)),
        sample(normal(4, 3), values(3, 0, 3, dtype="int32")),
        sample(normal(4, 3, 2), integers(2, low=0, high=4), integers(2, low=-3, high=3, dtype="int8")),
        sample(normal(2, 4, 3), integers(2, 5, low=0, high=4), batch_dims=1),
        sample(normal(2, 4), integers(2, low=0, high=4, dtype="uint8"), batch_dims=1),
        sample(normal(2, 2, 3), integers(2, 2, 3, low=0, high=3), batch_dims=2),
        sample(normal(4), values(2, 0, -1, dtype="int64"), unique_indices=True),
        sample(normal(4, 2), integers(low=0, high=4)),
        sample(normal(3), integers(0, low=0, high=3)),
        sample(normal(0, 2), integers(0, low=0, high=1)),
    )
    rejects = (
        reject(match="gather needs an operand and indices"),
        reject(normal(3), match="at least one index operand"),
        reject(normal(3), normal(2), match="integer indices, not float32"),
        reject(normal(3, 3), integers(2, low=0, high=3), integers(3, low=0, high=3), match="shape, not [2] and [3]"),
        reject(normal(3), integers(3, 2, low=0, high=3), batch_dims=1, match="does not fit [3] and indices [3, 2]"),
        reject(normal(3, 2), integers(2, 2, low=0, high=2), batch_dims=1, match="same batch axes"),
    )


@op("scatter", since=1)
class Scatter(Linear):
    """An operand with updates written, or added, at positions that integer indices name.

    Operands are ``x`` of shape ``(*B, d1, …, dk, *rest)``, k index operands of shape
    ``(*B, *I)`` and updates of shape ``(*B, *I, *rest)``. ``reduction`` is ``"add"`` or
    ``"set"``; of several updates to one position "set" keeps the last in row-major order.
    ``unique_indices`` promises that no position is named twice. A negative index counts from
    the end; one out of range fails when the graph runs.
    """

    choices: ClassVar = {"reduction": ("add", "set")}
    batch_dims: int = 0
    reduction: str = "add"
    unique_indices: bool = False

    def result(self, *operands: TensorType) -> TensorType:
        if len(operands) < 2:
            raise TypeInferenceError("scatter needs an operand, indices and updates")
        x, *indices, updates = operands
        known = self.choices["reduction"]
        if self.reduction not in known:
            raise TypeInferenceError(f"scatter's reduction is one of {', '.join(known)}, not {self.reduction!r}")
        dtype = self.require(x, updates).dtype
        if self.reduction == "add" and dtype.name not in NUMERIC:
            what = "bools" if dtype is bool_ else f"numbers of {dtype}"
            raise TypeInferenceError(f"scatter cannot add {what}", fix=f"cast to one of {', '.join(NUMERIC)}")
        shape = _index_shape(self.name, self.require(x, updates), tuple(indices), self.batch_dims)
        expected = (*shape, *x.shape[self.batch_dims + len(indices) :])
        if updates.shape != expected:
            shown = " and ".join(dims.shape_text(s) for s in (expected, updates.shape))
            raise TypeInferenceError(f"scatter's updates have another shape than the positions named: {shown}")
        return x

    def reference(self, *arrays: Array) -> Array:
        x, *indices, updates = arrays
        index = _full_index(self.batch_dims, tuple(indices))
        if self.reduction == "set":
            return self._set(x, index, updates)
        total = wide(x).copy()
        if self.unique_indices:
            total[index] += wide(updates)
        else:
            np.add.at(total, index, wide(updates))
        return total.astype(x.dtype)

    def _set(self, x: Array, index: tuple[Array, ...], updates: Array) -> Array:
        """Each position once, since NumPy does not promise which of several writes lasts."""
        shape: tuple[int, ...] = x.shape
        lead, rest = shape[: len(index)], shape[len(index) :]
        numbers = np.arange(math.prod(lead)).reshape(lead)[index].reshape(-1)
        positions, last = np.unique(numbers[::-1], return_index=True)
        total = x.reshape(math.prod(lead), *rest).copy()
        total[positions] = updates.reshape(len(numbers), *rest)[len(numbers) - 1 - last]
        return total.reshape(shape)

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The operation on the tangents of the operand and the updates."""
        first, last = (
            zeros(primals[end].type) if tangents[end] is None else tangents[end] for end in (0, -1)
        )  # fmt: skip
        assert first is not None
        assert last is not None
        nothing = tangents[0] is None and tangents[-1] is None
        return (None if nothing else self(first, *primals[1:-1], last),)

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        _, *indices, updates = operands
        into_x = ct
        if self.reduction == "set" and linear[0]:
            into_x = self(ct, *indices, zeros(updates.type))
        into_updates = None
        if linear[-1]:
            into_updates = Gather(self.batch_dims, self.unique_indices)(ct, *indices)
            if self.reduction == "set" and not self.unique_indices:
                kept = self._lasting(ct, tuple(indices))
                extra = tuple(range(kept.ndim, updates.ndim))
                into_updates = where(expand_dims(kept, extra), into_updates, zeros(updates.type))
        return (into_x if linear[0] else None, *[None] * len(indices), into_updates)

    def _lasting(self, x: Value, indices: tuple[Value, ...]) -> Value:
        """Which updates last: those that find their own number where they wrote it."""
        shape = indices[0].shape
        inner = shape[self.batch_dims :]
        numbers = broadcast_to(reshape(iota(dims.product(inner)), inner), shape)
        nobody = full(TensorType(int64, x.shape[: self.batch_dims + len(indices)]), -1)
        winners = self(nobody, *indices, numbers)
        return equal(Gather(self.batch_dims)(winners, *indices), numbers)

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value:
        moved = Scatter(self.batch_dims + 1, self.reduction, self.unique_indices)
        return moved(*all_batched(size, batched, operands))

    samples = (
        sample(normal(5), values(1, 3, 1, -1, dtype="int64"), normal(4), dtypes=NUMERIC),
        sample(normal(4, 3), integers(2, 2, low=-4, high=4), normal(2, 2, 3), dtypes=NUMERIC),
        sample(normal(3, 3), integers(4, low=0, high=3), integers(4, low=0, high=3), normal(4), dtypes=NUMERIC),
        sample(normal(2, 3, 2), integers(2, 4, low=0, high=3), normal(2, 4, 2), batch_dims=1, dtypes=NUMERIC),
        sample(normal(4), values(2, 0, -1, dtype="int32"), normal(3), unique_indices=True, dtypes=NUMERIC),
        sample(normal(5), values(1, 3, 1, -4, dtype="int64"), normal(4), reduction="set"),
        sample(normal(3, 2), integers(2, 3, low=-3, high=3), normal(2, 3, 2), reduction="set"),
        sample(normal(2, 3, 2), integers(2, 4, low=0, high=3), normal(2, 4, 2), batch_dims=1, reduction="set"),
        sample(normal(4), values(2, 0, -1, dtype="int64"), normal(3), reduction="set", unique_indices=True),
        sample(normal(3), integers(0, low=0, high=3), normal(0), reduction="set"),
        sample(normal(0, 2), integers(0, low=0, high=1), normal(0, 2), dtypes=NUMERIC),
    )
    rejects = (
        reject(normal(3), match="needs an operand, indices and updates"),
        reject(normal(3), normal(3), match="at least one index operand"),
        reject(normal(3), integers(2, low=0, high=3), normal(3), match="than the positions named: [2] and [3]"),
        reject(normal(3), integers(2, low=0, high=3), normal(2), reduction="max", match="add, set, not 'max'"),
        reject(normal(3), integers(2, low=0, high=3), normal(2), dtype="bool", match="cannot add bools"),
    )


def take_along_axis(x: Value, indices: Value, axis: int, *, unique_indices: bool = False) -> Value:
    """The element of each vector along ``axis`` that the index in its place picks, as in NumPy.

    Args:
        x: the operand.
        indices: integers of the operand's shape, apart from ``axis``.
        axis: counted from the front.
        unique_indices: promises that no element is picked twice.
    """
    last = x.ndim - 1
    gather = Gather(last, unique_indices)
    return moveaxis(gather(moveaxis(x, axis, last), moveaxis(indices, axis, last)), last, axis)
