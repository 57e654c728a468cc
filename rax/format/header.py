"""The header as rows: everything that can be checked of a file without knowing its operations."""

from __future__ import annotations

from typing import Any, cast

from rax.format import limits
from rax.format.attributes import AttributeReader, read_dtype
from rax.format.limits import (
    MAX_ROWS,
    as_array,
    as_bin,
    as_index,
    as_int,
    as_map,
    as_record,
    as_text,
    at_most,
    in_total,
    kind_of,
    refuse,
    shown,
)
from rax.format.paths import read_paths
from rax.format.sizes import SizeReader
from rax.format.trees import read_trees
from rax.ir.dims import Size
from rax.ir.record import Record
from rax.ir.trail import NOWHERE, Origin
from rax.ir.tree import ARGUMENTS, Tree
from rax.ir.types import TensorType

HEADER_KEYS = (
    "defaults", "entries", "examples", "files", "graphs", "main", "ops", "origins", "tensors", "trees", "types",
)  # fmt: skip
GRAPH_KEYS = ("constants", "in_tree", "inputs", "nodes", "origins", "out_tree", "output_names", "outputs")
EXAMPLE_KEYS = ("display", "inputs", "outputs")


Segments = tuple[tuple[int, int], ...]
"""Where bytes lie, as ``(offset, nbytes)``."""
NodeRow = tuple[int, tuple[TensorType, ...], list[int]]


class OpRow(Record):
    """An operation with its attributes; ``body`` is the graph that stands for one of a user's own."""

    name: str
    since: int
    attributes: dict[str, Any]
    body: int | None
    graphs: tuple[int, ...]


class TensorRow(Record):
    """A tensor's data: ``inline`` bytes, or a digest and segments ``(offset, nbytes)``.

    The segments are of the file itself, or, if ``file`` is a row of ``files``, of that other file.
    """

    type: TensorType
    inline: bytes | None
    digest: bytes
    segments: Segments
    file: int | None = None


class GraphRow(Record):
    """A graph; each node is the row of its operation, the types of its results, its operands."""

    inputs: list[tuple[str, TensorType]]
    constants: list[int]
    nodes: list[NodeRow]
    outputs: list[int]
    out_types: list[TensorType]
    output_names: list[str]
    in_tree: Tree
    out_tree: Tree
    origins: list[tuple[int | None, int]]


class ExampleRow(Record):
    """Tensors by input and output name, and how to show them."""

    inputs: dict[str, int]
    outputs: dict[str, int]
    display: dict[str, str]


class Header(Record):
    """A checked header."""

    main: str | None
    entries: dict[str, int]
    defaults: dict[str, int]
    examples: dict[str, ExampleRow]
    files: list[str]
    graphs: list[GraphRow]
    ops: list[OpRow]
    types: list[TensorType]
    origins: list[Origin]
    tensors: list[TensorRow]


class _Reader:
    """Reads the tables in an order in which each needs only those before it."""

    def __init__(self, raw: object) -> None:
        table = dict(zip(HEADER_KEYS, as_record(raw, "header", HEADER_KEYS), strict=True))
        self.raw = table
        self.sizes = SizeReader()
        self.types = [self._type(row, n) for n, row in enumerate(as_array(table["types"], "types", MAX_ROWS))]
        self.results = [(type,) for type in self.types]
        self.trees = read_trees(table["trees"])
        self.origins = [_origin(row, n) for n, row in enumerate(as_array(table["origins"], "origins", MAX_ROWS))]
        self.files = read_paths(table["files"])
        rows = enumerate(as_array(table["tensors"], "tensors", MAX_ROWS))
        self.tensors = [self._tensor(row, f"tensors[{n}]") for n, row in rows]
        self.graph_count = len(as_array(table["graphs"], "graphs", limits.MAX_GRAPHS))
        self.ops = [self._op(row, f"ops[{n}]") for n, row in enumerate(as_array(table["ops"], "ops", MAX_ROWS))]
        self.held: dict[int, tuple[int, int]] = {}
        self.depths: list[int] = []
        self.weights: list[int] = []
        self.graphs = [self._graph(row, n) for n, row in enumerate(table["graphs"])]

    def header(self) -> Header:
        """The whole header."""
        main = self.raw["main"]
        raw_entries = as_map(self.raw["entries"], "entries", limits.MAX_ENTRIES)
        entries = {
            name: as_index(row, self.graph_count, "graphs", f"entries[{shown(name)}]")
            for name, row in raw_entries.items()
        }
        examples = as_map(self.raw["examples"], "examples", limits.MAX_ENTRIES)
        return Header(
            main=None if main is None else as_text(main, "main"),
            entries=entries,
            defaults=self._named(self.raw["defaults"], "defaults"),
            examples={name: self._example(row, f"examples[{shown(name)}]") for name, row in examples.items()},
            files=self.files,
            graphs=self.graphs,
            ops=self.ops,
            types=self.types,
            origins=self.origins,
            tensors=self.tensors,
        )

    def _type(self, value: object, number: int) -> TensorType:
        where = f"types[{number}]"
        name, shape = as_array(value, where, 2, 2)
        dtype = read_dtype(name, f"{where}[0]")
        items = as_array(shape, f"{where}[1]", limits.MAX_RANK)
        sizes = tuple(self._axis(item, f"{where}[1][{axis}]") for axis, item in enumerate(items))
        total = dtype.itemsize
        for size in sizes:
            if isinstance(size, int):
                total *= max(size, 1)
        in_total(total, limits.MAX_TENSOR_BYTES, "bytes of a tensor", where)
        return TensorType(dtype, sizes)

    def _axis(self, value: object, where: str) -> Size:
        size = as_int(value, where) if type(value) is int else self.sizes.read(value, where)
        if isinstance(size, int) and size < 0:
            refuse("bad-dim", f"a size of a shape comes to {size}", where)
        return size

    def _row_type(self, value: object, where: str) -> TensorType:
        return self.types[as_index(value, len(self.types), "types", where)]

    def _tensor(self, value: object, where: str) -> TensorRow:
        row = as_array(value, where, MAX_ROWS)
        if not 2 <= len(row) <= 4:
            refuse("wrong-kind", "a tensor is an array of 2 to 4 items", where)
        type = self._row_type(row[0], f"{where}[0]")
        if not all(isinstance(size, int) for size in type.shape):
            refuse("bad-tensor", f"the type {type} of stored data has a symbolic size", where)
        digest = as_bin(row[1], f"{where}[1]")
        if len(row) == 2:
            at_most(len(digest), limits.MAX_INLINE_BYTES, "bytes inside the header", f"{where}[1]")
            _check_nbytes(type, len(digest), where)
            return TensorRow(type, digest, b"", ())
        if len(digest) != 32:
            refuse("wrong-kind", f"a SHA-256 digest has 32 bytes, not {len(digest)}", f"{where}[1]")
        file = as_index(row[3], len(self.files), "files", f"{where}[3]") if len(row) == 4 else None
        items = enumerate(as_array(row[2], f"{where}[2]", MAX_ROWS))
        segments = [_segment(item, f"{where}[2][{n}]", own=file is None) for n, item in items]
        for _, nbytes in segments[:-1]:
            if nbytes % limits.ALIGNMENT:
                refuse("bad-segment", f"{nbytes} bytes in a segment that is not the last of its tensor", where)
        _check_nbytes(type, sum(nbytes for _, nbytes in segments), where)
        return TensorRow(type, None, digest, tuple(segments), file)

    def _op(self, value: object, where: str) -> OpRow:
        row = as_array(value, where, MAX_ROWS)
        if not 3 <= len(row) <= 4:
            refuse("wrong-kind", "an operation is an array of 3 or 4 items", where)
        name, since = as_text(row[0], f"{where}[0]", shortest=1), as_int(row[1], f"{where}[1]")
        if (since == 0) != (len(row) == 4):
            refuse("bad-op", "an operation has a body if, and only if, it is since version 0", where)
        if (since == 0) != ("." in name):
            refuse("bad-op", "the name of an operation has a dot if, and only if, it is since version 0", where)
        if since == 0 and "body" in as_map(row[2], f"{where}[2]", limits.MAX_ATTRIBUTES):
            refuse("bad-op", "an attribute of an operation of somebody's own cannot be called 'body'", where)
        body = as_index(row[3], self.graph_count, "graphs", f"{where}[3]") if since == 0 else None
        reader = AttributeReader(self.sizes, self.types, len(self.tensors), self.graph_count)
        attributes = reader.read(row[2], f"{where}[2]")
        held = reader.graphs if body is None else [*reader.graphs, body]
        return OpRow(name, since, attributes, body, tuple(held))

    def _graph(self, value: object, number: int) -> GraphRow:
        where = f"graphs[{number}]"
        constants, in_tree, inputs, nodes, origins, out_tree, names, outputs = as_record(value, where, GRAPH_KEYS)
        ins = as_array(inputs, f"{where}.inputs", MAX_ROWS)
        pairs = [self._input(item, f"{where}.inputs[{n}]") for n, item in enumerate(ins)]
        consts = self._tensor_indices(constants, f"{where}.constants")
        leaves = [type for _, type in pairs] + [self.tensors[row].type for row in consts]
        rows, types = self._nodes(nodes, number, leaves, f"{where}.nodes")
        refs = as_array(outputs, f"{where}.outputs", MAX_ROWS)
        for place, ref in enumerate(refs):
            _check_reference(ref, len(leaves), len(types), f"{where}.outputs[{place}]")
        texts = as_array(names, f"{where}.output_names", MAX_ROWS)
        if len(texts) != len(refs):
            refuse("bad-graph", f"{len(texts)} names for {len(refs)} outputs", f"{where}.output_names")
        runs = _runs(origins, len(self.origins), f"{where}.origins")
        if runs and sum(count for _, count in runs) != len(leaves) + len(rows):
            refuse("bad-graph", "the origins do not cover the inputs, constants and nodes", f"{where}.origins")
        return GraphRow(
            pairs, consts, rows, refs,
            out_types=[leaves[~ref] if ref < 0 else types[-ref] for ref in refs],
            output_names=[as_text(text, f"{where}.output_names[{n}]") for n, text in enumerate(texts)],
            in_tree=self._tree(in_tree, f"{where}.in_tree", len(pairs), top=True),
            out_tree=self._tree(out_tree, f"{where}.out_tree", len(refs), top=False),
            origins=runs,
        )  # fmt: skip

    def _input(self, value: object, where: str) -> tuple[str, TensorType]:
        name, type = as_array(value, where, 2, 2)
        return as_text(name, f"{where}[0]"), self._row_type(type, f"{where}[1]")

    def _tree(self, value: object, where: str, leaves: int, *, top: bool) -> Tree:
        tree = self.trees[as_index(value, len(self.trees), "trees", where)]
        if top and tree.kind != ARGUMENTS:
            refuse("bad-tree", f"the tree of the inputs is of kind 'arguments', not {tree.kind!r}", where)
        if tree.leaf_count != leaves:
            refuse("bad-tree", f"a tree of {tree.leaf_count} leaves, where {leaves} are due", where)
        return tree

    def _nodes(
        self, value: object, graph: int, leaves: list[TensorType], where: str
    ) -> tuple[list[NodeRow], list[TensorType]]:
        """The nodes, and the types of the values they compute."""
        op_count, leaf_count, result_count = len(self.ops), len(leaves), len(self.results)
        rows: list[NodeRow] = []
        types: list[TensorType] = []
        used: dict[int, int] = {}
        for place, row in enumerate(as_array(value, where, limits.MAX_NODES)):
            if type(row) is not list or len(cast("list[Any]", row)) < 2:
                refuse("wrong-kind", "a node is an array: operation, result, operands", f"{where}[{place}]")
            op, result, *refs = cast("list[Any]", row)
            if len(refs) > limits.MAX_OPERANDS:
                at_most(len(refs), limits.MAX_OPERANDS, "operands", f"{where}[{place}]")
            if type(op) is not int or not 0 <= op < op_count:
                as_index(op, op_count, "ops", f"{where}[{place}][0]")
            used[op] = used.get(op, 0) + 1
            count = len(types)
            for ref in refs:
                if type(ref) is not int or not -leaf_count <= ref <= count or ref == 0:
                    _check_reference(ref, leaf_count, count, f"{where}[{place}]")
            known = type(result) is int and 0 <= result < result_count
            due = self.results[result] if known else self._results(result, f"{where}[{place}][1]")
            types += due
            rows.append((op, due, refs))
        in_total(len(types), limits.MAX_VALUES, "values", where)
        self._measure(graph, len(rows), used, where)
        return rows, types

    def _results(self, value: object, where: str) -> tuple[TensorType, ...]:
        """The types of a node that has not one result."""
        if type(value) is not list:
            return (self._row_type(value, where),)
        items = as_array(cast("object", value), where, limits.MAX_OPERANDS)
        if len(items) == 1:
            refuse("wrong-kind", "a single result is its type alone, not an array", where)
        return tuple([self._row_type(item, f"{where}[{n}]") for n, item in enumerate(items)])

    def _measure(self, graph: int, nodes: int, used: dict[int, int], where: str) -> None:
        """Check that graphs refer to earlier ones, and how deep and large they are when run through."""
        depth, weight = 1, nodes
        for op, times in used.items():
            if self.ops[op].graphs:
                below, inside = self._held(op, graph, where)
                depth = max(depth, 1 + below)
                weight += times * inside
        in_total(depth, limits.MAX_GRAPH_DEPTH, "levels of graphs inside graphs", where)
        in_total(weight, limits.MAX_EXPANDED_NODES, "nodes, counting held graphs each time", where)
        self.depths.append(depth)
        self.weights.append(weight)

    def _held(self, op: int, graph: int, where: str) -> tuple[int, int]:
        """How deep the graphs are that an operation holds, and how large, found out once."""
        known = self.held.get(op)
        if known is None:
            held = self.ops[op].graphs
            latest = max(held)
            if latest >= graph:
                refuse("forward-reference", f"ops[{op}] holds graphs[{latest}], which does not come before", where)
            depth, weight = max(self.depths[row] for row in held), sum(self.weights[row] for row in held)
            known = self.held[op] = (depth, weight)
        return known

    def _tensor_indices(self, value: object, where: str) -> list[int]:
        items = as_array(value, where, MAX_ROWS)
        return [as_index(item, len(self.tensors), "tensors", f"{where}[{n}]") for n, item in enumerate(items)]

    def _named(self, value: object, where: str) -> dict[str, int]:
        items = as_map(value, where, MAX_ROWS)
        return {
            name: as_index(row, len(self.tensors), "tensors", f"{where}[{shown(name)}]") for name, row in items.items()
        }

    def _example(self, value: object, where: str) -> ExampleRow:
        display, inputs, outputs = as_record(value, where, EXAMPLE_KEYS)
        hints = as_map(display, f"{where}.display", MAX_ROWS)
        ways = {name: as_text(hint, f"{where}.display[{shown(name)}]") for name, hint in hints.items()}
        return ExampleRow(self._named(inputs, f"{where}.inputs"), self._named(outputs, f"{where}.outputs"), ways)


def read_header(raw: object) -> Header:
    """Check a decoded header and give its rows.

    Raises:
        FormatError: something in it is not as the format says; says where.
    """
    return _Reader(raw).header()


def _check_reference(value: object, leaves: int, values: int, where: str) -> None:
    """Check a reference: ``-1 - leaf``, or how many values back."""
    if type(value) is not int:
        refuse("wrong-kind", f"a reference is an int, not {kind_of(value)}", where)
    if value == 0:
        refuse("bad-value", "a reference is not 0", where)
    if not -leaves <= value <= values:
        refuse("bad-index", f"there is no value {value}: {leaves} inputs and constants, {values} values before", where)


def _check_nbytes(type: TensorType, nbytes: int, where: str) -> None:
    if type.nbytes != nbytes:
        refuse("bad-tensor", f"{type} has {type.nbytes} bytes, not {nbytes}", where)


def _segment(value: object, where: str, *, own: bool) -> tuple[int, int]:
    """Where bytes lie: on a boundary in a file's own segments, anywhere in another file."""
    offset, nbytes = as_array(value, where, 2, 2)
    as_int(offset, f"{where}[0]")
    if own and offset % limits.ALIGNMENT:
        refuse("bad-value", f"the offset {offset} is no multiple of {limits.ALIGNMENT}", where)
    return offset, as_int(nbytes, f"{where}[1]", 1, limits.MAX_SEGMENT_BYTES if own else limits.MAX_TENSOR_BYTES)


def _origin(value: object, number: int) -> Origin:
    where = f"origins[{number}]"
    source, scope = as_array(value, where, 2, 2)
    names = as_array(scope, f"{where}[1]", limits.MAX_SCOPE_DEPTH)
    texts = tuple(as_text(name, f"{where}[1][{n}]") for n, name in enumerate(names))
    origin = Origin(texts, as_text(source, f"{where}[0]"))
    return NOWHERE if origin == NOWHERE else origin  # a place that says nothing is none, and is told by identity


def _runs(value: object, origins: int, where: str) -> list[tuple[int | None, int]]:
    """Pairs of an origin's row, or None, and how many nodes in a row it holds for."""
    items = as_array(value, where, 2 * limits.MAX_NODES)
    for place, item in enumerate(items):
        if item is not None:
            as_int(item, f"{where}[{place}]", 0, limits.MAX_NODES)
    if len(items) % 2:
        refuse("bad-graph", "origins are pairs: a row or nil, and a count", where)
    runs: list[tuple[int | None, int]] = []
    for place in range(0, len(items), 2):
        row, count = items[place], items[place + 1]
        index = None if row is None else as_index(row, origins, "origins", f"{where}[{place}]")
        if not count:
            refuse("bad-graph", "a count of origins is an int of at least 1", f"{where}[{place + 1}]")
        runs.append((index, count))
    return runs
