"""The rows of a header to a program: every operation rebuilt, every type inferred again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from rax.format.attributes import GraphIndex, TensorIndex
from rax.format.header import GraphRow, Header, OpRow
from rax.format.limits import refuse, shown
from rax.ir import services, trail
from rax.ir.attributes import make_op
from rax.ir.errors import FormatError, RaxError, some
from rax.ir.graph import Graph
from rax.ir.node import Literal, Node, Value, constant, new_input
from rax.ir.op import Op, map_attribute
from rax.ir.program import Example, Program
from rax.ir.rebuild import rebuild
from rax.ir.trail import NOWHERE, Origin
from rax.ir.types import TensorType

Registry = Mapping[str, type[Op]]
_LONGEST_REASON = 1000


def build_program(header: Header, literals: Sequence[Literal], registry: Registry) -> Program:
    """The program of a checked header.

    Args:
        header: the rows.
        literals: the tensors, one for each row.
        registry: the operations by name.

    Raises:
        FormatError: an operation is unknown or refuses its operands, or infers another type.
    """
    with trail.recording() as recorder:
        recorder.pinned = NOWHERE  # a node comes from where the file says, not from this line
        builder = _Builder(header, literals, registry)
        for number, row in enumerate(header.graphs):
            builder.graphs.append(builder.graph(row, f"graphs[{number}]"))

    def named(rows: Mapping[str, int]) -> dict[str, Literal]:
        return {name: literals[row] for name, row in rows.items()}

    try:
        return Program(
            {name: builder.graphs[row] for name, row in header.entries.items()},
            defaults=named(header.defaults),
            examples={
                name: Example(named(row.inputs), named(row.outputs), row.display)
                for name, row in header.examples.items()
            },
            main=header.main,
        )
    except RaxError as error:
        refuse("bad-program", error.what[:_LONGEST_REASON], "header", error.fix[:_LONGEST_REASON])


class _Builder:
    def __init__(self, header: Header, literals: Sequence[Literal], registry: Registry) -> None:
        self.header = header
        self.literals = literals
        self.registry = registry
        self.graphs: list[Graph] = []
        self.ops: dict[int, Op] = {}
        self.inferred: dict[tuple[int, tuple[TensorType, ...]], tuple[TensorType, ...]] = {}

    def graph(self, row: GraphRow, where: str) -> Graph:
        """A graph; those before it are built."""
        inputs = [new_input(name, type) for name, type in row.inputs]
        leaves = [*inputs, *[constant(self.literals[number]) for number in row.constants]]
        values: list[Value] = []
        nodes: list[Node] = [value.node for value in leaves]
        for place, (number, due, refs) in enumerate(row.nodes):
            op = self.ops.get(number)
            if op is None:
                op = self.ops[number] = self.op(self.header.ops[number], f"ops[{number}]")
            count = len(values)
            operands = [leaves[~ref] if ref < 0 else values[count - ref] for ref in refs]
            given = tuple([value.type for value in operands])
            types = self.inferred.get((number, given))
            if types is None:
                types = self.inferred[number, given] = infer(op, given, f"{where}.nodes[{place}]")
            node = rebuild(op, operands, types)
            outputs = node.outputs
            nodes.append(node)
            if types != due:
                name = self.header.ops[number].name
                what = f"{name} gives {some(types)}; the file says {some(due)}"
                refuse("wrong-type", what[:_LONGEST_REASON], f"{where}.nodes[{place}]")
            values += outputs
        count = len(values)
        outputs = [leaves[~ref] if ref < 0 else values[count - ref] for ref in row.outputs]
        origins = self.origins(row, nodes)
        return Graph(inputs, outputs, row.in_tree, row.out_tree, row.output_names, origins)

    def origins(self, row: GraphRow, nodes: list[Node]) -> dict[Node, Origin]:
        """Where nodes came from."""
        origins: dict[Node, Origin] = {}
        place = 0
        for number, count in row.origins:
            if number is not None:
                origin = self.header.origins[number]
                origins.update((node, origin) for node in nodes[place : place + count])
            place += count
        return origins

    def op(self, row: OpRow, where: str) -> Op:
        """The operation of a row; one of somebody's own that is unknown is what its body says."""
        cls = self.registry.get(row.name)
        if cls is not None and cls.since == row.since:
            return self.known(cls, row, where)
        if row.body is not None:
            return self.foreign(row, self.graphs[row.body])
        code = "unknown-op" if cls is None else "op-version"
        known = "unknown" if cls is None else f"known as of format version {cls.since}"
        what = f"the operation {shown(row.name)} of format version {row.since} is {known}"
        return refuse(code, what, where, fix="install a newer rax")

    def known(self, cls: type[Op], row: OpRow, where: str) -> Op:
        """An operation of the registry, its attributes checked against the types of its fields."""
        try:
            return make_op(cls, self.attributes(row))
        except Exception as error:  # noqa: BLE001  # a class is free to refuse an attribute in its own way
            return _refused("bad-attribute", cls, error, where)

    def foreign(self, row: OpRow, body: Graph) -> Op:
        """An operation that is not in the registry."""
        return services.get("composite")(row.name, self.attributes(row), body)

    def attributes(self, row: OpRow) -> dict[str, Any]:
        """The attributes of a row, graphs and tensors in place."""
        return {name: map_attribute(value, self.attribute) for name, value in row.attributes.items()}

    def attribute(self, item: Any) -> Any:
        """An item of an attribute, its graph or tensor in place of the row."""
        if isinstance(item, GraphIndex):
            return self.graphs[item.row]
        return self.literals[item.row] if isinstance(item, TensorIndex) else item


def infer(op: Op, operands: tuple[TensorType, ...], where: str) -> tuple[TensorType, ...]:
    """The types of an operation's results; not kept beyond the file, as those of what is traced are."""
    try:
        return op.checked(operands)
    except FormatError:
        raise
    except Exception as error:  # noqa: BLE001  # a rule may raise anything on what no front end makes
        return _refused("op-refused", op, error, where)


def _refused(code: str, op: Op | type[Op], error: Exception, where: str) -> NoReturn:
    why = error.what if isinstance(error, RaxError) else f"{type(error).__name__}: {error}"
    refuse(code, f"{op.name}: {why}"[:_LONGEST_REASON], where)
