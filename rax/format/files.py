"""Saving and loading: ``rax.save``, ``rax.load``, and a look at a file's header alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from rax.format.atomic import replacing
from rax.format.container import Layout, Places, lay_out
from rax.format.decode import Registry, build_program
from rax.format.encode import ProgramWriter
from rax.format.header import GraphRow, Header, Segments, read_header
from rax.format.limits import bounded_work, refuse
from rax.format.opening import PathLike, open_file
from rax.format.outside import Outside
from rax.format.tensors import Stored, read_tensor
from rax.format.threads import spread
from rax.format.wire import unpack
from rax.ir import services
from rax.ir.collector import paused
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.node import Literal
from rax.ir.program import Program
from rax.ir.types import TensorType

READ_BYTES = 2**26
"""Files up to this size are read whole and every digest checked; larger ones are mapped."""


def save(program: Program | Graph, path: PathLike, *, external: str | Sequence[str] = ()) -> None:
    """Write a program to a file; the same program gives the same bytes everywhere.

    The file is written aside and put in its place when it is whole: killed at any moment, the
    old file stays as it was. Tensors are written from where they lie, without a copy.

    Args:
        program: a program, or a graph, which is saved as the only entry, ``"main"``.
        path: the file; by custom it ends in ``.msgpack``.
        external: other files that hold tensors, by paths from the folder of ``path`` downwards, with ``/``.
            A tensor that lies in one of those that exist (rax or safetensors files) is named by its place
            and digest instead of being stored. One of them may be absent: it is written, as a safetensors
            file, with every tensor of more than 64 bytes that the others lack (those of complex128, which that
            format has not, stay inside). Files that exist are never changed.

    Raises:
        FormatError: the program holds something that no file can, or is past a bound; or an external
            path leads out of the folder, or to no file of tensors.
        RaxError: it is neither a program nor a graph.
        OSError: a file cannot be written.

    Example:
        >>> import tempfile
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> x = new_input("x", tensor_type(("batch", 2)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(Graph([x], [x]), f"{folder}/identity.msgpack")
        ...     load(f"{folder}/identity.msgpack")
        <Program main; 0 defaults>
    """
    target = Path(os.path.realpath(path))
    outside = Outside(target, [external] if isinstance(external, str) else external)
    layout = encode(program, outside.place)
    outside.write()
    with replacing(target) as file:
        layout.write(file)


def encode(program: Program | Graph, outside: Callable[[ProgramWriter], Places] | None = None) -> Layout:
    """The bytes of a program, before they are written; checked as a reader checks them.

    Args:
        program: a program, or a graph.
        outside: says which tensors lie in other files, and where; by default none.

    Raises:
        FormatError: the program holds something that no file can, or is past a bound.
    """
    given = cast("object", program)  # a user may give anything
    whole = Program({"main": given}) if isinstance(given, Graph) else given
    if not isinstance(whole, Program):
        raise RaxError(
            f"a Program or a Graph can be saved, not a {type(whole).__name__}",
            fix="trace it: rax.save(rax.trace(function, specs), path)",
        )
    with paused():
        try:
            writer = ProgramWriter(whole)
            layout = lay_out(writer, outside(writer) if outside else None)
        except OverflowError:
            refuse("limit", "an int has more than 64 bits")
        except UnicodeEncodeError as error:
            refuse("bad-text", f"{error.object!r} is not Unicode text: it holds a lone surrogate")
        with bounded_work(len(layout.header)):
            read_header(unpack(layout.header))
    return layout


def load(path: PathLike, *, registry: Registry | None = None, verify: bool | None = None) -> Program:
    """Read a program; nothing in a file is ever run or imported.

    Every operation is rebuilt from its name, every type inferred again and compared. A file up
    to 64 MiB is read whole, so that later changes to it do not show; of a larger one only the
    header is read, and its tensors are mapped: they come into memory when they are touched. So do
    tensors in other files beside it, which are then compared with their digests.

    Args:
        path: the file.
        registry: the operations a file may use; by default rax's own and the user's.
        verify: compare the digest of every tensor now. By default this is done for files that are
            read whole; in a larger one a tensor is compared when its digest is first needed. The
            header is always verified.

    Returns:
        The program. A graph that was saved alone is its entry ``"main"``.

    Raises:
        FormatError: the file is damaged, hostile, newer than this rax, or no rax file.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> import rax
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(rax.trace(lambda x: x * 2, rax.spec(("n",))), f"{folder}/double.msgpack")
        ...     load(f"{folder}/double.msgpack")["main"]([1.0, 2.0])
        array([2., 4.], dtype=float32)
    """
    known = services.get("registry")() if registry is None else registry
    with paused():
        opened = open_file(path, READ_BYTES)
        others = opened.others()
        rows = opened.header.tensors
        stored: dict[tuple[int | None, Segments], Stored] = {}
        for row in rows:
            if row.inline is None and (row.file, row.segments) not in stored:
                view = opened.view if row.file is None else others[row.file]
                stored[row.file, row.segments] = Stored(view, row.segments)
        small = len(opened.view) <= READ_BYTES

        def read(number: int) -> Literal:
            row = rows[number]
            check = row.file is None and small if verify is None else verify
            return read_tensor(row, stored.get((row.file, row.segments)), f"tensors[{number}]", check=check)

        def work(number: int) -> int:  # bytes that are only mapped are none
            return sum(nbytes for _, nbytes in rows[number].segments) if verify else 0

        literals = spread(read, range(len(rows)), work)
        with bounded_work(opened.header_bytes):
            return build_program(opened.header, literals, known)


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
