"""Operations that run a graph as a unit: ``checkpoint``, ``custom_jvp`` and ``custom_vjp``."""

from __future__ import annotations

from collections.abc import Callable

from rax.ir.dims import Size
from rax.ir.errors import DerivativeError, UnboundInputError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.op import Derivative, Op, Transforms, op
from rax.ir.types import DType, TensorType
from rax.ops.algebra import add, all_batched, zeros
from rax.ops.arrays import Array
from rax.ops.elementwise import multiply
from rax.ops.samples import FLOATS, normal, reject, sample
from rax.ops.subgraphs import (
    check_operands,
    check_same,
    fill,
    flags,
    invert,
    pick,
    present,
    split,
    unpick,
    varying_outputs,
)

Evaluate = Callable[[Graph, list[Array]], list[Array]]


def _inputs(dtype: DType, *names: str) -> list[Value]:
    return [new_input(name, TensorType(dtype, (3,))) for name in names]


def _square(dtype: DType) -> Graph:
    """A body for samples: x * x * y."""
    x, y = _inputs(dtype, "x", "y")
    return Graph((x, y), (multiply(multiply(x, x), y),))


@op("checkpoint", since=1)
class Checkpoint(Op):
    """Run a graph, and on the way back run it again instead of keeping what it computed.

    Source: Griewank & Walther, "Algorithm 799: revolve" (ACM TOMS 26, 2000), with one level.
    """

    body: Graph

    dtypes = FLOATS
    holds_graphs = True

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        check_operands("checkpoint", self.body, operands)
        return self.body.out_types

    def reference_with(self, evaluate: Evaluate, *arrays: Array) -> tuple[Array, ...]:
        return tuple(evaluate(self.body, list(arrays)))

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """Values and tangents as one unit."""
        moved, nonzero = transforms.jvp(self.body, flags(tangents))
        outputs, pushed = split(Checkpoint(moved).results(*primals, *present(tangents)), len(nonzero))
        return outputs, unpick(pushed, nonzero)

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The unit as it is, and one that computes it again for the tangents."""
        primal, linear, nonzero = transforms.linearize(self.body, flags(tangents))
        residuals = primal.outputs[len(nonzero) :]
        moving = linear.inputs[len(residuals) :]
        again = Graph((*primal.inputs, *moving), linear.inline((*residuals, *moving)))
        pushed = Checkpoint(again).results(*primals, *present(tangents))
        return self.results(*primals), unpick(pushed, nonzero)

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The transposed graph as a unit."""
        back = Checkpoint(transforms.transpose(self.body, linear))
        cts = fill(cotangents, self.body.out_types)
        return unpick(back.results(*pick(operands, invert(linear)), *cts), linear)

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """The batched graph as a unit."""
        body, _ = transforms.batch(self.body, size, batched, (True,) * len(self.body.outputs))
        return Checkpoint(body).results(*operands)

    samples = (sample(normal(3), normal(3), body=_square),)
    rejects = (reject(normal(2), normal(3), body=_square, match="checkpoint: the graph takes"),)


def _primal(dtype: DType) -> Graph:
    """A function for samples: x * x."""
    (x,) = _inputs(dtype, "x")
    return Graph((x,), (multiply(x, x),))


def _forward(dtype: DType) -> Graph:
    """Its forward pass: x * x, keeping x."""
    (x,) = _inputs(dtype, "x")
    return Graph((x,), (multiply(x, x), x))


def _backward(dtype: DType) -> Graph:
    """Its backward pass, the true one: 2 x times the cotangent."""
    kept, ct = _inputs(dtype, "kept", "ct")
    return Graph((kept, ct), (add(multiply(kept, ct), multiply(kept, ct)),))


class Custom(Op):
    """A graph, ``primal``, whose derivative the user gives as further graphs.

    A subclass fills ``linearize``, and ``forward`` where that is another.
    """

    primal: Graph

    holds_graphs = True

    def reference_with(self, evaluate: Evaluate, *arrays: Array) -> tuple[Array, ...]:
        """What the primal graph gives."""
        return tuple(evaluate(self.primal, list(arrays)))

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The primal graph's own transpose: here the node itself is linear."""
        back = transforms.transpose(self.primal, linear)
        cts = fill(cotangents, self.primal.out_types)
        return unpick(back.inline((*pick(operands, invert(linear)), *cts)), linear)

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """Every graph batched; operands the rows share are repeated, so that cotangents sum."""
        graphs = {name: batch_fully(transforms, graph, size) for name, graph in self.attributes().items()}
        return type(self)(**graphs).results(*all_batched(size, batched, operands))


def _rule(dtype: DType) -> Graph:
    """A derivative for samples, the true one: (x, dx) -> (x * x, 2 x dx)."""
    x, dx = _inputs(dtype, "x", "dx")
    return Graph((x, dx), (multiply(x, x), add(multiply(x, dx), multiply(x, dx))))


@op("custom_jvp", since=1)
class CustomJvp(Custom):
    """A graph whose derivative the user gives in forward mode.

    ``primal`` maps operands to results; ``rule`` maps operands and their tangents to results and
    theirs, linearly in the tangents. Tangents of what is no floating-point number are zeros. Reverse
    mode is the transpose of the rule.
    """

    primal: Graph
    rule: Graph

    dtypes = FLOATS

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        check_operands("custom_jvp", self.primal, operands)
        check_operands("custom_jvp: rule", self.rule, (*operands, *operands))
        results = self.primal.out_types
        check_same("custom_jvp", "the rule returns other results", (*results, *results), self.rule.out_types)
        return results

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The rule inlined."""
        moved = fill(tangents, [value.type for value in primals])
        results, pushed = split(self.rule.inline((*primals, *moved)), len(self.primal.outputs))
        return results, _inexact(pushed)

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The rule's derivative by its tangents, at zero: since it is linear, this is the rule itself.

        So a loop in the rule that moves values and tangents along together is split like any other.
        """
        count, active = len(primals), flags(tangents)
        parts = transforms.linearize(self.rule, (*[False] * count, *active))
        primal, linear, nonzero = parts
        if not any(getattr(node.op, "holds_graphs", False) for node in self.rule.nodes):
            varying = varying_outputs(primal, pick(primal.inputs[count:], active))
            if any(varying[len(nonzero) :]):
                raise DerivativeError(
                    "the rule of a custom_jvp is not linear in the tangents, so it cannot be transposed",
                    fix="let the rule only scale and add tangents, or use forward mode (jvp, jacfwd)",
                )
        start = [zeros(value.type) for value in primals]
        results, _, residuals = split(
            primal.inline((*primals, *start)), len(self.primal.outputs), len(self.primal.outputs)
        )
        pushed = unpick(linear.inline((*residuals, *present(tangents))), nonzero)
        return results, pushed[len(results) :]

    samples = (sample(normal(3), primal=_primal, rule=_rule),)
    rejects = (reject(normal(2), primal=_primal, rule=_rule, match="custom_jvp: the graph takes"),)


def _inexact(values: tuple[Value, ...]) -> tuple[Derivative, ...]:
    return tuple(value if value.dtype.is_inexact else None for value in values)


@op("custom_vjp", since=1)
class CustomVjp(Custom):
    """A graph whose reverse-mode derivative the user gives.

    ``primal`` maps operands to results; ``forward_pass`` maps them to results and residuals;
    ``backward_pass`` maps residuals and the results' cotangents to the operands' cotangents.
    """

    primal: Graph
    forward_pass: Graph
    backward_pass: Graph

    dtypes = FLOATS

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        check_operands("custom_vjp", self.primal, operands)
        check_operands("custom_vjp: forward", self.forward_pass, operands)
        results, residuals = split(self.forward_pass.out_types, len(self.primal.outputs))
        check_same("custom_vjp", "forward returns other results", self.primal.out_types, results)
        check_operands("custom_vjp: backward", self.backward_pass, (*residuals, *results))
        check_same("custom_vjp", "backward returns other cotangents", operands, self.backward_pass.out_types)
        return self.primal.out_types

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The forward pass inlined, and a node that stands for the unknown linear map."""
        results, residuals = split(self.forward_pass.inline(primals), len(self.primal.outputs))
        moved = fill(tangents, [value.type for value in primals])
        return results, CustomVjpTangent(self.backward_pass, len(residuals)).results(*residuals, *moved)

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """The transpose of the backward pass, where that is linear in the cotangents."""
        results, residuals = split(self.forward_pass.inline(primals), len(self.primal.outputs))
        moving = (*[False] * len(residuals), *[True] * len(results))
        try:
            onward = transforms.transpose(self.backward_pass, moving)
        except (DerivativeError, UnboundInputError):
            raise DerivativeError(
                "custom_vjp has no forward-mode derivative here: its backward pass is not linear in the cotangent",
                fix="use reverse mode (grad, vjp, jacrev), or leave out custom_vjp",
            ) from None
        return results, onward.inline((*residuals, *fill(tangents, [value.type for value in primals])))

    samples = (sample(normal(3), primal=_primal, forward_pass=_forward, backward_pass=_backward),)
    rejects = (
        reject(
            normal(2), primal=_primal, forward_pass=_forward, backward_pass=_backward,
            match="custom_vjp: the graph takes",
        ),
    )  # fmt: skip


def batch_fully(transforms: Transforms, graph: Graph, size: Size) -> Graph:
    """A graph with a leading axis on every input and output."""
    return transforms.batch(graph, size, (True,) * len(graph.inputs), (True,) * len(graph.outputs))[0]


class CustomVjpTangent(Op):
    """The linear map of a ``custom_vjp``, known only by its transpose.

    Operands are ``num_residuals`` residuals and the tangents. It stands in a graph only between
    linearisation and transposition, so it is not registered and no file may hold it.
    """

    backward_pass: Graph
    num_residuals: int

    name = "custom_vjp_tangent"

    def result(self, *operands: TensorType) -> tuple[TensorType, ...]:
        residuals, results = split(self.backward_pass.in_types, self.num_residuals)
        check_same("custom_vjp", "other operands are due", (*residuals, *self.backward_pass.out_types), operands)
        return results

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """The user's backward pass."""
        residuals, results = split(self.backward_pass.in_types, self.num_residuals)
        cts = fill(cotangents, results)
        parts = self.backward_pass.inline((*operands[: len(residuals)], *cts))
        return (*[None] * len(residuals), *parts)

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """The backward pass batched."""
        backward = batch_fully(transforms, self.backward_pass, size)
        return CustomVjpTangent(backward, self.num_residuals).results(*all_batched(size, batched, operands))
