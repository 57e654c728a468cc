"""``rax-run``: runs an entry of a saved program, with nothing but NumPy and msgpack.

Here is its process. It is over sooner than the modules it imports have repaid any care for memory, so Python's
cycle collector is held from the first of them on.
"""

from __future__ import annotations

import gc
import os
import sys

from rax.ir.late import late

TYPE_CHECKING = False  # to checkers True by its name; typing is not imported before the collector is held
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_obey = late("rax.cli.words", "obey")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name. By default those of this process, which is then this
            command's own: the cycle collector is held until the program is loaded, and the process ends here.

    Returns:
        The exit code: 0, 1 if a check failed, 2 if the command could not be carried out, 3 if it was
        refused or stopped for its memory or time.
    """
    if arguments is not None:
        return _obey(arguments, lambda: None)
    gc.disable()
    return _leave(_obey(sys.argv[1:], _collect))


def _collect() -> None:
    """Let cycles be looked for again, in what is made from now on: NumPy and rax themselves leave none."""
    gc.freeze()
    gc.enable()


def _leave(code: int) -> NoReturn:
    """End the process: to take it apart, object by object, takes as long as to load and run a small model."""
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
