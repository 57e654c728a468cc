"""What a file holds, from its header alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rax.format.header import GraphRow, Header
from rax.format.opening import PathLike, open_file
from rax.ir.types import TensorType


class EntryDescription(NamedTuple):
    """What a file says of an entry, without building it.

    Attributes:
        inputs: the type of each input by name; those with a default in the file are in ``optional``.
        outputs: the type of each output by name.
        nodes: how many operations it applies.
        optional: the inputs that have a default.
        has_example: whether the file holds inputs to run it on.
    """

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    nodes: int
    optional: frozenset[str]
    has_example: bool


class TensorDescription(NamedTuple):
    """A tensor in a file.

    Attributes:
        type: its dtype and shape.
        digest: its SHA-256; None for those inside the header.
        segments: where it lies, as ``(offset, nbytes)``.
        file: the path of the other file it lies in; None where it is in this one.
    """

    type: TensorType
    digest: str | None
    segments: tuple[tuple[int, int], ...]
    file: str | None


class Description(NamedTuple):
    """What a file holds, from its header alone.

    Attributes:
        version: the format version.
        nbytes: the size of the file.
        main: the entry that runs when none is named.
        entries: by name.
        defaults: the type of each input that has a default.
        tensors: every tensor, in file order.
        ops: for each operation, how many nodes apply it.
    """

    version: int
    nbytes: int
    main: str | None
    entries: Mapping[str, EntryDescription]
    defaults: Mapping[str, TensorType]
    tensors: tuple[TensorDescription, ...]
    ops: Mapping[str, int]


def describe(path: PathLike) -> Description:
    """What a file holds, from its checked header alone: no tensor is read, no operation built.

    Raises:
        FormatError: the file is damaged, newer than this rax, or no rax file.
        OSError: the file cannot be read.
    """
    opened = open_file(path, 0)
    header = opened.header
    counts: dict[str, int] = {}
    for graph in header.graphs:
        for number, *_ in graph.nodes:
            name = header.ops[number].name
            counts[name] = counts.get(name, 0) + 1
    tensors = [
        TensorDescription(
            row.type,
            row.digest.hex() if row.inline is None else None,
            row.segments,
            None if row.file is None else header.files[row.file],
        )
        for row in header.tensors
    ]
    return Description(
        version=opened.version,
        nbytes=len(opened.view),
        main=header.main,
        entries=_entries(header),
        defaults={name: header.tensors[row].type for name, row in header.defaults.items()},
        tensors=tuple(tensors),
        ops=dict(sorted(counts.items())),
    )


def _entries(header: Header) -> dict[str, EntryDescription]:
    """What the header says of each entry; entries of one graph share what is said of it."""
    shared: dict[int, EntryDescription] = {}
    described: dict[str, EntryDescription] = {}
    for name, row in header.entries.items():
        if row not in shared:
            shared[row] = _entry(header, header.graphs[row])
        described[name] = shared[row]._replace(has_example=name in header.examples)
    return described


def _entry(header: Header, graph: GraphRow) -> EntryDescription:
    return EntryDescription(
        inputs=dict(graph.inputs),
        outputs=dict(zip(graph.output_names, graph.out_types, strict=True)),
        nodes=len(graph.nodes),
        optional=frozenset(label for label, _ in graph.inputs if label in header.defaults),
        has_example=False,
    )
