"""``rax save``: a file written again, its tensors inside it or in other files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rax.cli.streams import say
from rax.format.files import load
from rax.format.saving import save

_DESCRIPTION = """\
Write a file again: with every tensor inside it, or, with --external, with tensors in other files.

A tensor that lies in a file given by --external (a rax or safetensors file) is named by its place and digest.
One such file may be absent: it is written, in the safetensors format, with what the others lack.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "save",
        help="write a file again, its tensors inside it or in other files",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("output", type=Path, help="may be the same file")
    parser.add_argument(
        "--external",
        metavar="PATH",
        action="append",
        default=[],
        help="a file of tensors, by its path from the folder of the output downwards; may be given again",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the file, and print what it takes.

    Raises:
        FormatError: the file is damaged, newer than this rax, or an external path leads out of the folder.
        OSError: a file cannot be read or written.
    """
    save(load(options.file), options.output, external=options.external)
    say(f"{options.output}: {options.output.stat().st_size:,} bytes")
    return 0
