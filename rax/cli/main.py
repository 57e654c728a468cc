"""``rax``: a verb and its arguments; each verb has a file of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rax.cli import diff, ops, parse, save, show
from rax.cli.streams import complain, fill_gaps
from rax.cli.words import one_line, unreadable
from rax.ir.errors import RaxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; by default those of this process.

    Returns:
        The exit code: 0, 1 if files differ, 2 if the command could not be carried out.
    """
    fill_gaps()
    parser = argparse.ArgumentParser("rax", description="Look at what rax offers; rax-run runs a file.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    diff.add_parser(verbs)
    ops.add_parser(verbs)
    parse.add_parser(verbs)
    save.add_parser(verbs)
    show.add_parser(verbs)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except RaxError as error:
        complain(f"rax: {one_line(error)}")
    except OSError as error:
        complain(f"rax: {unreadable(error)}")
    return 2


if __name__ == "__main__":
    sys.exit(main())
