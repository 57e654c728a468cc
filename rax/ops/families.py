"""Abstract bases: what a whole family of operations derives the same way.

Each slot is filled once, here or in the final class. Nothing here names an operation.
"""

from __future__ import annotations

import functools
from typing import ClassVar

from rax.ir import trail
from rax.ir.dims import Size
from rax.ir.errors import TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.op import Derivative, Op, Transforms
from rax.ir.types import TensorType
from rax.ops.algebra import add, zeros
from rax.ops.samples import ANY
from rax.ops.subgraphs import fill, flags, invert, pick, present, split, unpick


class TypedOp(Op):
    """An operation that says on which dtypes it is defined.

    ``dtypes`` names those of its main operands; a sample draws each of them. What takes any dtype
    takes those of float8 too, which are for storage: moved and cast, but not computed with.
    """

    dtypes: ClassVar[tuple[str, ...]] = ANY

    def require(self, *types: TensorType) -> TensorType:
        """Check that types share one dtype this operation is defined on; return the first."""
        first = types[0]
        for other in types[1:]:
            if other.dtype is not first.dtype:
                raise TypeInferenceError(
                    f"{self.name} needs operands of one dtype, not {first.dtype} and {other.dtype}",
                    fix="cast one with astype",
                )
        if first.dtype.name not in self.dtypes and not (first.dtype.is_float8 and self.dtypes == ANY):
            others = "float32 to compute" if first.dtype.is_float8 else f"one of {', '.join(self.dtypes)}"
            raise TypeInferenceError(f"{self.name} is not defined on {first.dtype}", fix=f"cast to {others}")
        return first


class Nondifferentiable(TypedOp):
    """No derivative flows: the final class says why in ``nondiff``."""

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """Zero."""
        del transforms, primals, tangents
        return (None,) * len(outputs)


class Linear(TypedOp):
    """Linear in its inexact operands jointly: its tangent is itself, applied to tangents.

    The final class fills ``transpose``. ``linear_operands`` is the number of leading operands
    it is linear in (None: all); the rest are indices, masks or keys.
    """

    linear_operands: ClassVar[int | None] = None

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The operation on the tangents, zero where there is none."""
        del transforms, outputs
        count = len(primals) if self.linear_operands is None else self.linear_operands
        if all(tangent is None for tangent in tangents[:count]):
            return (None,)
        moved = [
            primal if index >= count else tangent if tangent is not None else zeros(primal.type)
            for index, (primal, tangent) in enumerate(zip(primals, tangents, strict=True))
        ]
        return (self(*moved),)


class Multilinear(TypedOp):
    """Linear in each operand by itself, as a product is; the final class fills ``transpose``."""

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The sum over operands of the operation with that one replaced by its tangent."""
        del transforms, outputs
        total: Derivative = None
        for index, tangent in enumerate(tangents):
            if tangent is not None:
                term = self(*primals[:index], tangent, *primals[index + 1 :])
                total = term if total is None else add(total, term)
        return (total,)


class Composite(TypedOp):
    """Defined by a body in other operations; a backend takes it whole or expands it.

    The final class fills ``expand``, with one result or a tuple of them. Type, derivative and
    batching follow from the body; the reference is written apart, so that the body is tested
    against it.
    """

    def body(self, *types: TensorType) -> Graph:
        """The body as a graph, for operands of these types."""
        return _body(self, types)

    def result(self, *operands: TensorType) -> TensorType | tuple[TensorType, ...]:
        """The type of the body's result."""
        return self.body(*operands).out_types

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The tangent of the body."""
        return self.linearize(transforms, primals, tangents)[1]

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The body's results and tangents, so that nothing is computed twice."""
        moved, nonzero = transforms.jvp(self.body(*[value.type for value in primals]), flags(tangents))
        results, pushed = split(moved.inline((*primals, *present(tangents))), len(nonzero))
        return results, unpick(pushed, nonzero)

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The same, with the control flow of the body split so that the tangents can be transposed."""
        body = self.body(*[value.type for value in primals])
        primal, linear, nonzero = _linearized(transforms, body, flags(tangents))
        results, residuals = split(primal.inline(primals), len(nonzero))
        return results, unpick(linear.inline((*residuals, *present(tangents))), nonzero)

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The transpose of the body, for a body that is linear."""
        body = self.body(*[value.type for value in operands])
        cts = fill(cotangents, body.out_types)
        back = transforms.transpose(body, linear)
        return unpick(back.inline((*pick(operands, invert(linear)), *cts)), linear)

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """The body with a leading axis."""
        types = [value.type for value in operands]
        inner = [t.with_shape(t.shape[1:]) if some else t for t, some in zip(types, batched, strict=True)]
        body = self.body(*inner)
        moved, _ = transforms.batch(body, size, batched, (True,) * len(body.outputs))
        return moved.inline(operands)


@functools.lru_cache(maxsize=1024)
def _linearized(transforms: Transforms, body: Graph, active: tuple[bool, ...]) -> tuple[Graph, Graph, tuple[bool, ...]]:
    """A body linearised once, however often the operation is used."""
    with trail.recording():
        return transforms.linearize(body, active)


@functools.lru_cache(maxsize=4096)
def _body(op: Composite, types: tuple[TensorType, ...]) -> Graph:
    with trail.recording():
        inputs = [new_input(f"operand{index}", type) for index, type in enumerate(types)]
        # A body serves every line that uses the operation, so it has no origins of its own.
        results = op.expand(*inputs)
        return Graph(inputs, results if isinstance(results, tuple) else (results,), origins={})
