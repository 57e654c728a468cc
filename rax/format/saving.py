"""Saving: ``rax.save``, and the bytes of a program before they are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from rax.format.atomic import replacing
from rax.format.encode import ProgramWriter
from rax.format.header import read_header
from rax.format.layout import Layout, Places, lay_out
from rax.format.limits import bounded_work, refuse
from rax.format.opening import PathLike
from rax.format.outside import Outside
from rax.format.wire import unpack
from rax.ir.collector import paused
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.program import Program


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
        >>> from rax.format.files import load
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
