"""``rax show``: a file, or one of its entries, as text that ``rax parse`` reads."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from rax.cli.streams import deliver, given
from rax.format.files import load
from rax.ir.errors import RaxError
from rax.ir.program import Example, Program
from rax.ir.text.scanner import did_you_mean


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "show",
        help="print a file as text",
        description="Prints all that a file holds, as text that rax parse makes the same file of.",
    )
    parser.add_argument("file", metavar="FILE[:ENTRY]", help="a rax file, or - for standard input; one entry of it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the text.

    Raises:
        FormatError: the file is damaged, or newer than this rax.
        RaxError: there is no such entry.
        OSError: the file cannot be read.
    """
    path, entry = _split(options.file)
    program = load_from(path)
    text = str(program if entry is None else alone(program, entry))
    deliver(lambda output: output.write(text))
    return 0


def _split(given: str) -> tuple[str, str | None]:
    """A path and the name of an entry; a colon of a file's own name is no separator."""
    if given == "-" or Path(given).exists() or ":" not in given:
        return given, None
    path, _, entry = given.rpartition(":")
    return path, entry


def load_from(path: str) -> Program:
    """The program of a file, or, for ``-``, of standard input.

    Raises:
        FormatError: it is damaged, or newer than this rax.
        OSError: the file cannot be read.
    """
    if path != "-":
        return load(path)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "program.msgpack"
        place.write_bytes(given())
        return load(place)


def alone(program: Program, entry: str) -> Program:
    """A program of one entry, with what belongs to it.

    Raises:
        RaxError: there is no such entry.

    Example:
        >>> import rax
        >>> square = rax.trace(lambda x: x * x, rax.spec(()))
        >>> alone(rax.Program({"square": square, "same": square}), "same")
        <Program same; 0 defaults>
    """
    if entry not in program:
        fix = did_you_mean(entry, program) or f"choose one of {', '.join(program)}"
        raise RaxError(f"there is no entry {entry!r}", fix=fix)
    taken = set(program[entry].input_names)
    defaults = {name: literal for name, literal in program.defaults.items() if name in taken}
    examples: dict[str, Example] = {name: found for name, found in program.examples.items() if name == entry}
    return Program({entry: program[entry]}, defaults=defaults, examples=examples)
