"""From a graph to its plan: values numbered, bodies put in place of operations, layouts followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.graph import Graph
from rax.ir.node import Constant, Node
from rax.ir.op import Op
from rax.ir.trail import NOWHERE, Origin
from rax.ir.types import TensorType, float32
from rax.ops.elementwise import Pointwise
from rax.ops.families import Composite
from rax.ops.shape import Reshape
from rax.runtime.buffers import Able, Arranger, Over
from rax.runtime.deadline import check_time
from rax.runtime.layout import Strides, dense_strides, is_dense, is_ordered, viewed, window_strides
from rax.runtime.plan import Arrange, Needs, Plan, Skeleton, Step

if TYPE_CHECKING:
    from rax.runtime.orders import Orders

# Results that share their first operand's buffer; a reshape only where no element has to move.
VIEWS = frozenset({"reshape", "permute_dims", "slice", "broadcast_to", "flip", "stop_gradient"})

# Results that are C-contiguous whatever the layout of the operands; others follow those.
_DENSE = frozenset({"reshape", "matmul", "gemm", "conv", "pad", "fold_windows", "pool", "pool_gradient"})

# Operations that read a stretched operand as it is; others make a copy of all its elements first.
_LEAN = frozenset({"sum", "prod", "max", "min", "all", "any", "mean", "matmul", "gather"})

# A matrix of no more bytes is copied in the time of a few products by it; in so many rounds of a loop that pays.
_SMALL_BYTES = 1 << 18
_ROUNDS = 8

# Views of every element of the operand, once.
_WHOLE_VIEWS = frozenset({"reshape", "permute_dims", "flip", "stop_gradient"})

# Which of the graphs an operation holds it runs; one that is not listed runs all of them.
_RUNS = {"custom_vjp": ("primal",), "custom_jvp": ("primal",)}

# Which of them computes the same as the operation itself.
_BODIES = {"checkpoint": "body", "custom_jvp": "primal", "custom_vjp": "primal"}


def make_plan(
    graph: Graph,
    takes: Able | None = None,
    writes: Over | None = None,
    fuses: Able | None = None,
    places: Able | None = None,
    needs: Needs | None = None,
    donated: Sequence[int] = (),
    orders: Orders | None = None,
    fit: Callable[[Arrange], Arrange] | None = None,
) -> Plan:
    """Plan a graph.

    Args:
        graph: what to plan; named dims stay symbolic.
        takes: whether a backend runs an operation that has a body as one step. The bodies of
            the others are planned in their place.
        writes: over which operands, if they have its type, it can write the result; by default over none.
        fuses: whether it can run the operation block by block, in a group; by default it never can.
        places: whether it can write the result into memory it is given; by default it never can, and
            there is no arena.
        needs: how much scratch memory it takes for an operation; by default what the operation's definition says.
        donated: the positions of the inputs whose memory a run may write over.
        orders: those of steps that were found before; by default, and for what is fitted into a budget,
            they are looked for each time.
        fit: what fits the plan, but not those of bodies, into a budget: see :mod:`rax.runtime.remat`.

    Raises:
        ResourceError: it does not fit.
    """
    arrange = Arranger(writes, fuses, places, orders)
    whole = arrange if fit is None else fit(Arranger(writes, fuses, places))
    builder = _Builder(takes or (lambda op, types: False), needs or (lambda op, types, dense: None), arrange, whole)
    return _plan_of(graph, builder, donated)


def _plan_of(graph: Graph, builder: _Builder, donated: Sequence[int] = (), *, nested: bool = False) -> Plan:
    inputs = tuple(builder.new(type) for type in graph.in_types)
    outputs = builder.run(graph, inputs, NOWHERE)
    return builder.finish(graph, inputs, outputs, frozenset([inputs[place] for place in donated]), nested=nested)


class _Builder:
    """Numbers values and lines up steps, with bodies put in place of operations."""

    def __init__(self, takes: Able, needs: Needs, arrange: Arrange, outermost: Arrange) -> None:
        self._takes = takes
        self._needs = needs
        self._arrange = arrange  # of the graphs that operations run
        self._outermost = outermost
        self._types: list[TensorType] = []
        self._buffers: list[int] = []
        self._dense: list[bool] = []
        self._strides: dict[int, Strides] = {}  # of values that are not dense, where they are known
        self._parts: set[int] = set()
        self._steps: list[Step] = []
        self._constants: dict[Node, int] = {}

    def new(self, type: TensorType, buffer: int | None = None, *, dense: bool = True) -> int:
        value = len(self._types)
        self._types.append(type)
        self._buffers.append(value if buffer is None else buffer)
        self._dense.append(dense)
        return value

    def run(self, graph: Graph, inputs: Sequence[int], outer: Origin) -> tuple[int, ...]:
        numbers: dict[Node, tuple[int, ...]] = {
            value.node: (number,) for value, number in zip(graph.inputs, inputs, strict=True)
        }
        for node in graph.nodes[len(inputs) :]:
            check_time()  # a short file may hold bodies in bodies that make a long plan
            if isinstance(node.op, Constant):
                if node not in self._constants:
                    self._constants[node] = self.new(node.types[0])
                numbers[node] = (self._constants[node],)
                continue
            op = cast("Op", node.op)
            operands = tuple([numbers[value.node][value.index] for value in node.inputs])
            origin = graph.origins.get(node, outer)
            if op.name == "scan":
                operands = self._laid_out(op, operands, origin)
            given = tuple([value.type for value in node.inputs])
            body = None if self._takes(op, given) else body_of(op, given)
            if body is not None:
                numbers[node] = self.run(body, operands, origin)
            else:
                numbers[node] = self._step(op, operands, node.types, origin)
        return tuple([numbers[value.node][value.index] for value in graph.outputs])

    def _step(
        self, op: Op, operands: tuple[int, ...], types: tuple[TensorType, ...], origin: Origin
    ) -> tuple[int, ...]:
        strides = self._viewed(op, operands[0], types[0]) if op.name in VIEWS else None
        view = op.name in VIEWS and (strides is not None or op.name != "reshape")
        windows = op.name == "sliding_windows"
        if windows:
            strides = window_strides(types[0].shape, op.attributes()["window"])
        if view or windows:
            dense = strides is not None and is_dense(strides, types[0].shape)
        else:
            pointwise = isinstance(op, Pointwise)
            dense = op.name in _DENSE or all(self._lies_in_order(operand, pointwise) for operand in operands)
        buffer = self._buffers[operands[0]] if view else None
        results = tuple([self.new(type, buffer, dense=dense) for type in types])
        if strides is not None and not dense:
            self._strides[results[0]] = strides
        if view and (operands[0] in self._parts or op.name not in _WHOLE_VIEWS):
            self._parts.update(results)
        runs = op.holds_graphs and not isinstance(op, Composite)  # which a backend takes whole, or not at all
        nested = tuple([self._nested(graph) for graph in graphs_run(op)]) if runs else ()
        scratch, space = (0, 0) if view or op.holds_graphs else self._scratch(op, operands, types)
        self._steps.append(Step(op, operands, results, origin, view, None, nested, scratch, space))
        return results

    def _laid_out(self, op: Any, operands: tuple[int, ...], origin: Origin) -> tuple[int, ...]:
        """The operands of a scan, with small matrices that each round multiplies by copied once if not C-contiguous."""
        found = [*operands]
        for place in range(op.num_consts if dims.at_least(op.length, _ROUNDS) else 0):
            type = self._types[operands[place]]
            if self._dense[operands[place]] or type.ndim != 2 or not dims.at_least(_SMALL_BYTES, type.nbytes):
                continue
            inner = op.body.inputs[place]
            if any(node.op.name == "matmul" and node.inputs[1] == inner for node in op.body.nodes):
                found[place] = self.new(type)
                self._steps.append(Step(Reshape(type.shape), (operands[place],), (found[place],), origin))
        return tuple(found)

    def _nested(self, graph: Graph) -> Plan:
        return _plan_of(graph, _Builder(self._takes, self._needs, self._arrange, self._arrange), nested=True)

    def _viewed(self, op: Op, operand: int, result: TensorType) -> Strides | None:
        shape = self._types[operand].shape
        strides = dense_strides(shape) if self._dense[operand] else self._strides.get(operand)
        return None if strides is None else viewed(op, shape, strides, result.shape)

    def _lies_in_order(self, operand: int, pointwise: bool) -> bool:
        """Whether an operation gives results that are dense, as far as this operand goes."""
        strides = self._strides.get(operand) if pointwise else None
        return self._dense[operand] or (strides is not None and is_ordered(strides, self._types[operand].shape))

    def _scratch(self, op: Op, operands: tuple[int, ...], results: tuple[TensorType, ...]) -> tuple[Size, Size]:
        """What an operation needs beside operands and results, and how much of that it is given."""
        types = [self._types[value] for value in operands]
        needed = self._needs(op, types, [self._dense[value] for value in operands])
        return (self._defined(op, operands, types, results), 0) if needed is None else needed

    def _defined(
        self, op: Op, operands: tuple[int, ...], types: Sequence[TensorType], results: tuple[TensorType, ...]
    ) -> Size:
        """What an operation needs by its definition, where that may be far more than operands and results."""
        total = op.scratch_bytes(*types)
        if total != 0 or isinstance(op, Pointwise) or op.name == "dim_size":
            return total
        for value in operands:
            type, buffer = self._types[value], self._types[self._buffers[value]]
            known = type is buffer or any(dims.at_least(other.nbytes, type.nbytes) for other in (buffer, *results))
            half = type.dtype.is_floating and type.dtype.itemsize < float32.itemsize
            if not known and (half or op.name not in _LEAN):
                total = total + type.size * (float32.itemsize if half else type.dtype.itemsize)
        return total

    def finish(
        self,
        graph: Graph,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        donated: frozenset[int],
        *,
        nested: bool,
    ) -> Plan:
        constants = {number: cast("Constant", node.op).literal for node, number in self._constants.items()}
        skeleton = Skeleton(
            graph, inputs, outputs, constants, self._buffers, self._dense, self._parts, nested, donated,
            self._outermost, self._needs,
        )  # fmt: skip
        return self._outermost(skeleton, {}, self._steps, self._types)


def body_of(op: Op, types: Sequence[TensorType]) -> Graph | None:
    """A graph that computes the same as an operation, where it has one."""
    if isinstance(op, Composite):
        return op.body(*types)
    held = _BODIES.get(op.name)
    return None if held is None else cast("Graph", op.attributes()[held])


def graphs_run(op: Op) -> list[Graph]:
    """The graphs an operation holds and runs, in order."""
    found: list[Graph] = []
    held = op.attributes()
    pending = [held[name] for name in reversed(_RUNS.get(op.name, tuple(held)))]
    while pending:
        item = pending.pop()
        if isinstance(item, Graph):
            found.append(item)
        elif isinstance(item, tuple):
            pending += reversed(cast("tuple[object, ...]", item))
    return found
