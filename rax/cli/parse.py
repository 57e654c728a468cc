"""``rax parse``: a text, such as ``rax show`` prints, as a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rax.cli.show import load_from
from rax.cli.streams import complain, deliver, given
from rax.format.saving import encode, save
from rax.ir.errors import ParseError, RaxError
from rax.ir.text.program_parser import parse


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "parse",
        help="make a file of a text",
        description="Makes a file of the text that rax show prints; of the same text the same file.",
    )
    parser.add_argument("text", metavar="TEXT", help="a text file, or - for standard input")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the file, or - for standard output")
    parser.add_argument(
        "--tensors",
        metavar="FILE",
        action="append",
        default=[],
        help="a rax file that holds large tensors, which the text names by their SHA-256; may be given again",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the file.

    Raises:
        FormatError: the program is past a bound of files, or a file of tensors is damaged.
        RaxError: the text is not UTF-8.
        OSError: a file cannot be read or written.
    """
    name = "<stdin>" if options.text == "-" else options.text
    data = given() if options.text == "-" else Path(options.text).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RaxError(f"{name}: byte {error.start} is no UTF-8", fix="save the text as UTF-8") from error
    try:
        program = parse(text, tensors=[load_from(path) for path in options.tensors])
    except ParseError as error:
        complain(f"rax: {message(name, error)}")
        return 2
    if options.output == "-":
        deliver(lambda output: encode(program).write(output.buffer))
        return 0
    try:
        save(program, options.output)
    except OSError as error:
        raise RaxError(f"cannot write {options.output}: {error.strerror}") from error
    return 0


def message(name: str, error: ParseError) -> str:
    """An error of a text as compilers print theirs: the place, the line, a caret.

    Example:
        >>> try:
        ...     parse("graph () -> (y: float32[]) { return x }")
        ... except ParseError as error:
        ...     print(message("model.txt", error))
        model.txt:1:37: there is no input 'x'
          graph () -> (y: float32[]) { return x }
                                              ^
    """
    shown = [f"  {line}" for line in error.where.split("\n")[1:]]
    fix = [f"  fix: {error.fix}"] if error.fix else []
    return "\n".join([f"{name}:{error.line}:{error.column}: {error.what}", *shown, *fix])
