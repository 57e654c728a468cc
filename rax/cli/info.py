"""What a file holds: its digest; from its header its entries, inputs, outputs, state, sizes of tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rax.format.describing import Description, EntryDescription, describe
from rax.format.files import load
from rax.ir.errors import RaxError
from rax.ir.types import TensorType

MOST_TENSORS = 10


def describe_file(path: str, entry: str | None) -> list[str]:
    """Lines about a file, or about one of its entries; for the program's digest every tensor is hashed.

    Raises:
        RaxError: there is no such entry.
        FormatError: the file is damaged, or newer than this rax.
        OSError: the file cannot be read.
    """
    found = describe(path)
    if entry is not None and entry not in found.entries:
        raise RaxError(f"there is no entry {entry!r}", fix=f"choose one of {', '.join(found.entries)}")
    lines = [
        f"{os.path.basename(path)}: rax file of format {found.version}, {found.nbytes:,} bytes",
        f"digest {load(path, verify=False).digest}",
    ]
    for name, row in found.entries.items():
        if entry in (None, name):
            lines += ["", *_entry_lines(name, row, main=name == found.main)]
    return lines if entry is not None else [*lines, "", *_tensor_lines(found)]


def _entry_lines(name: str, entry: EntryDescription, *, main: bool) -> list[str]:
    notes = ["main"] * main + ["with an example"] * entry.has_example
    states = [label for label, type in entry.outputs.items() if entry.inputs.get(label) == type]
    inputs = {label: "default" if label in entry.optional else "" for label in entry.inputs}
    outputs = {label: "state" if label in states else "" for label in entry.outputs}
    shown = f" ({', '.join(notes)})" if notes else ""
    lines = [f"entry {name}{shown}: {entry.nodes} node{'s' * (entry.nodes != 1)}"]
    for title, types, marks in (("inputs", entry.inputs, inputs), ("outputs", entry.outputs, outputs)):
        lines += [f"  {title}", *_table(types, marks)] if types else [f"  no {title}"]
    return lines


def _table(types: Mapping[str, TensorType], marks: Mapping[str, str]) -> list[str]:
    name_width = max(map(len, types))
    type_width = max(len(str(type)) for type in types.values())
    return [f"    {name:{name_width}}  {type!s:{type_width}}  {marks[name]}".rstrip() for name, type in types.items()]


def _tensor_lines(found: Description) -> list[str]:
    """How many tensors, and the largest ones."""
    sizes = [
        (tensor.type.nbytes.__index__(), f"{tensor.type}{f' in {tensor.file}' if tensor.file else ''}")
        for tensor in found.tensors
    ]
    count, total = len(sizes), sum(size for size, _ in sizes)
    if not count:
        return ["no tensors"]
    rows = sorted(sizes, reverse=True)[:MOST_TENSORS]
    more = f"; the largest {MOST_TENSORS}:" if count > MOST_TENSORS else ":"
    lines = [f"{count} tensor{'s' * (count != 1)}, {total:,} bytes{more}"]
    width = max(len(f"{size:,}") for size, _ in rows)
    return lines + [f"  {size:>{width},} bytes  {type}" for size, type in rows]
