"""The versions of the format, and how a header of an older one becomes one of the next.

``UPGRADES[n - 1]`` takes the decoded header of version n, of which nothing is known yet, to version n + 1, whose
checks follow; what it does not understand it leaves to them. (For a version that only adds operations it gives
back what it is given.) The newest version is therefore one more than there are upgrades.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rax.format.limits import refuse

UPGRADES: tuple[Callable[[Any], Any], ...] = ()
STRUCTURE = 1
"""The version in which a header took the form that is written now; what a file states is never lower."""


def newest() -> int:
    """The version that this reader knows, with all before it."""
    return 1 + len(UPGRADES)


def upgrade(raw: Any, version: int) -> Any:
    """A decoded header of a version, as one of the newest.

    Raises:
        FormatError: it is no header of that version.
    """
    for number in range(version, newest()):
        try:
            raw = UPGRADES[number - 1](raw)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            refuse("wrong-kind", f"the header is none of format version {number}", "header")
    return raw
