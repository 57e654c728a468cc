"""Rules, and the pass that applies them: one sweep over a graph, operands before users.

A rule is a function of one operation and its operands, as they are after the sweep so far; it
returns what the results may be replaced by, or None. What it returns is rewritten in turn, so a
sweep leaves nothing that a rule would change. Equal computations are one node, so they are
shared without a rule, and what is no longer used is gone.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import Any

from rax.ir import trail
from rax.ir.errors import VerificationError
from rax.ir.graph import Graph, topological
from rax.ir.node import Node, Operation, Value, apply, new_input
from rax.ir.op import Op, map_attribute
from rax.ir.record import Record
from rax.ir.trail import NOWHERE, Origin
from rax.ir.types import DType, TensorType
from rax.ops.samples import Sample

Found = Value | tuple[Value, ...] | None
"""What a rule returns: the new result, or all of them, or None where it does not apply."""
Built = Value | tuple[Value, ...]
Build = Callable[[Value], Built] | Callable[[Value, Value], Built]
"""What makes the outputs of an example from its inputs."""

COMPUTED_BYTES = 1 << 26
"""The memory that one sweep may take for what it computes, however long the graph is."""

ROUNDS = 32
"""How often in a row what stands for one node is rewritten; no rule needs more than a few."""


class Example:
    """A graph that a rule rewrites, and what becomes of it.

    Attributes:
        operands: the inputs, and the dtypes to draw.
        before: the values of the graph, from its inputs.
        after: the values it has afterwards.
    """

    def __init__(self, operands: Sample, before: Build, after: Build) -> None:
        self.operands = operands
        self.before = before
        self.after = after

    def graphs(self, dtype: DType) -> tuple[Graph, Graph]:
        """Both graphs in one dtype."""
        return self._graph(self.before, dtype), self._graph(self.after, dtype)

    def _graph(self, build: Build, dtype: DType) -> Graph:
        inputs = [new_input(f"operand{index}", type) for index, type in enumerate(self.operands.types(dtype))]
        built = build(*inputs)
        return Graph(inputs, built if isinstance(built, tuple) else (built,))


class Rule(Record):
    """A rewrite of one node.

    Attributes:
        name: what it is called where a rewrite is reported.
        matches: the operations it is tried on.
        rewrite: from the operation and its operands to what may replace the results.
        examples: graphs it rewrites; tests check each one's structure and values.
        computes: whether it runs the operation, and keeps the results as constants.
    """

    name: str
    matches: type[Op] | tuple[type[Op], ...]
    rewrite: Callable[..., Found]
    examples: tuple[Example, ...]
    computes: bool = False


class Elsewhere(Record):
    """Rules whose module is imported when an operation is met that they are tried on.

    Attributes:
        operations: the names of all these.
        rules: gives the rules.
    """

    operations: frozenset[str]
    rules: Callable[[], tuple[Rule, ...]]


def rule(
    matches: type[Op] | tuple[type[Op], ...], *examples: Example, computes: bool = False
) -> Callable[[Callable[..., Found]], Rule]:
    """Make a rule of a function; its name is the rule's.

    Args:
        matches: the operations it is tried on.
        examples: graphs it rewrites.
        computes: see :class:`Rule`.
    """

    def register(function: Callable[..., Found]) -> Rule:
        return Rule(function.__name__, matches, function, examples, computes)

    return register


class Fuel:
    """How many rewrites may still be made; a miscompile is found by halving the amount.

    Attributes:
        used: how many were made.
        last: the last of them, and where.
    """

    def __init__(self, amount: int | None = None) -> None:
        self.amount = amount
        self.used = 0
        self.last = "none"

    @property
    def spent(self) -> bool:
        """Whether no rewrite may be made any more."""
        return self.amount is not None and self.used >= self.amount

    def burn(self, name: str, op: Operation, origin: Origin) -> None:
        """Note a rewrite of an operation."""
        self.used += 1
        if self.amount is not None:
            self.last = f"{name} on {op.name}" + (f" at {origin}" if origin is not NOWHERE else "")


class Rewrite(Record):
    """The pass that applies rules, in the graphs that operations hold too.

    Attributes:
        name: what it is called in errors.
        rules: those that are tried, the first that applies wins.
        commutes: whether an operation gives the same bits with its two operands exchanged; of two such that
            are equal but for that, the second becomes the first.

    Example:
        >>> from rax.ops.elementwise import negative
        >>> from rax.ir.types import tensor_type
        >>> from rax.passes.canonical import negated_twice
        >>> x = new_input("x", tensor_type((3,)))
        >>> Rewrite("signs", (negated_twice,)).run(Graph((x,), (negative(negative(x)),)), Fuel()).outputs == (x,)
        True
    """

    name: str
    rules: tuple[Rule | Elsewhere, ...]
    commutes: Callable[[Operation, tuple[Value, ...]], bool] | None = None

    def all_rules(self) -> list[Rule]:
        """The rules, those that are elsewhere too."""
        return [rule for each in self.rules for rule in ([each] if isinstance(each, Rule) else each.rules())]

    def run(self, graph: Graph, fuel: Fuel) -> Graph:
        """The rewritten graph, with the inputs, trees and names of the old one; itself if nothing applies.

        A new node gets the origin of the node it stands for.

        Raises:
            VerificationError: a rule changed a type.
        """
        with trail.recording() as recorder:
            return _Sweep(self.rules, self.commutes, fuel, recorder).graph(graph)


class _Sweep:
    """One run of a pass: what is rewritten already is remembered across the graphs of the run."""

    def __init__(
        self,
        rules: Sequence[Rule | Elsewhere],
        commutes: Callable[[Operation, tuple[Value, ...]], bool] | None,
        fuel: Fuel,
        recorder: trail.Recorder,
    ) -> None:
        self._all = rules
        self._commutes = commutes
        self._orders: dict[tuple[Operation, frozenset[Value]], tuple[Value, ...]] = {}
        self._rules: dict[type[Operation], tuple[Rule, ...]] = {}
        self._fuel = fuel
        self._recorder = recorder
        self._bytes_left = COMPUTED_BYTES
        self._settled: set[Node] = set()
        # The old graph is kept beside the new one, so that its id stays its own.
        self._graphs: dict[int, tuple[Graph, Graph]] = {}

    def graph(self, graph: Graph) -> Graph:
        if id(graph) not in self._graphs:
            before = self._recorder.pinned
            self._graphs[id(graph)] = (graph, self._sweep(graph))
            self._recorder.pinned = before
        return self._graphs[id(graph)][1]

    def _sweep(self, graph: Graph) -> Graph:
        new: dict[Value, Value] = {}
        self._settled.update([value.node for value in graph.inputs])
        for node in graph.nodes[len(graph.inputs) :]:
            self._recorder.pinned = graph.origins.get(node, NOWHERE)
            operands = tuple([new.get(value, value) for value in node.inputs]) if new else node.inputs
            op = self._held(node.op)
            operands = self._ordered(op, operands)
            results = self._rewritten(op, operands, node.types, ROUNDS)
            if results is None:
                if op is node.op and operands == node.inputs:
                    self._settled.add(node)
                    continue
                results = self._applied(op, operands, node.types)
            new.update(zip(node.outputs, results, strict=True))
        outputs = tuple([new.get(value, value) for value in graph.outputs])
        if outputs == graph.outputs:
            return graph
        origins = ChainMap(graph.origins, self._recorder.table)
        return Graph(graph.inputs, outputs, graph.in_tree, graph.out_tree, graph.output_names, origins)

    def _ordered(self, op: Operation, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        """Operands in the order in which the operation was first met with them."""
        if len(operands) != 2 or self._commutes is None or not self._commutes(op, operands):
            return operands
        first = self._orders.setdefault((op, frozenset(operands)), operands)
        if first == operands or self._fuel.spent:
            return operands
        self._fuel.burn("operands exchanged", op, self._recorder.pinned or NOWHERE)
        return first

    def _held(self, op: Operation) -> Operation:
        """The operation with the graphs it holds rewritten; itself if they stay."""
        if not getattr(op, "holds_graphs", False):
            return op
        assert isinstance(op, Op)
        changed = False

        def replace(item: Any) -> Any:
            nonlocal changed
            if not isinstance(item, Graph):
                return item
            made = self.graph(item)
            changed = changed or made is not item
            return made

        attributes = {name: map_attribute(value, replace) for name, value in op.attributes().items()}
        return op.with_attributes(attributes) if changed else op

    def _rewritten(
        self, op: Operation, operands: tuple[Value, ...], types: tuple[TensorType, ...], rounds: int
    ) -> tuple[Value, ...] | None:
        """What a rule gives, rewritten in turn; None if none applies."""
        if not rounds or self._fuel.spent:
            return None
        for each in self._rules_for(op):
            if each.computes and self._bytes_left <= 0:
                continue
            found = each.rewrite(op, *operands)
            if found is not None:
                results = found if isinstance(found, tuple) else (found,)
                origin = self._recorder.pinned or NOWHERE
                _check_types(each, op, types, results, origin)
                if each.computes:
                    self._bytes_left -= sum([value.type.nbytes.__index__() for value in results])
                self._fuel.burn(each.name, op, origin)
                return self._settle(results, rounds - 1)
        return None

    def _settle(self, results: tuple[Value, ...], rounds: int) -> tuple[Value, ...]:
        """Values that a rule has built on settled ones, with the rules applied to what is new."""
        if all(value.node in self._settled for value in results):
            return results
        new: dict[Value, Value] = {}
        replaced = self._recorder.pinned
        for node in topological(results, self._settled.__contains__):
            self._recorder.pinned = self._recorder.table.get(node, replaced)
            operands = tuple([new.get(value, value) for value in node.inputs])
            op = self._held(node.op)
            operands = self._ordered(op, operands)
            made = self._rewritten(op, operands, node.types, rounds)
            new.update(zip(node.outputs, made or self._applied(op, operands, node.types), strict=True))
        self._recorder.pinned = replaced
        return tuple([new.get(value, value) for value in results])

    def _applied(self, op: Operation, operands: tuple[Value, ...], types: tuple[TensorType, ...]) -> tuple[Value, ...]:
        node = apply(op, operands, types)
        self._settled.add(node)
        return node.outputs

    def _rules_for(self, op: Operation) -> tuple[Rule, ...]:
        cls = type(op)
        known = self._rules.get(cls)
        if known is None:
            rules: list[Rule] = []
            for each in self._all:
                rules += [each] if isinstance(each, Rule) else each.rules() if op.name in each.operations else ()
            known = self._rules[cls] = tuple([each for each in rules if issubclass(cls, each.matches)])
        return known


def _check_types(
    made: Rule, op: Operation, types: tuple[TensorType, ...], results: tuple[Value, ...], origin: Origin
) -> None:
    found = tuple([value.type for value in results])
    if found != types:
        before, after = (", ".join(map(str, row)) for row in (types, found))
        raise VerificationError(
            f"the rule {made.name} replaced {op.name}, which gives {before}, by {after}",
            source=str(origin),
            fix="this is a bug in the rule; RAX_FUEL=0 runs without rewrites",
        )
