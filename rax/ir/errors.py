"""The error family: what failed, where in the graph, the user's own line, what to do.

Every error rax raises on purpose is a ``RaxError``. Each class also derives from the
built-in exception a NumPy user would expect, so ``except TypeError`` keeps working.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_MOST_SHOWN = 16


def some(items: Sequence[Any], separator: str = ", ", text: Callable[[Any], str] = str) -> str:
    """Items for an error message: all, or the first of many.

    Example:
        >>> some(range(3)), some(range(100), " ")
        ('0, 1, 2', '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 and 84 more')
    """
    more = len(items) - _MOST_SHOWN
    return separator.join(map(text, items[:_MOST_SHOWN])) + (f" and {more} more" if more > 0 else "")


class RaxError(Exception):
    """Base of every error rax raises on purpose.

    Args:
        what: what failed, one sentence.
        where: the place: a node with its neighbours, a header path, a byte offset.
        source: the user's own line, as ``file:line in function``.
        fix: what to do about it.

    Example:
        >>> print(RaxError("the dims differ", fix="pad the shorter one"))
        the dims differ
          fix: pad the shorter one
    """

    def __init__(self, what: str, *, where: str = "", source: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.source = source
        self.fix = fix
        super().__init__(what, where, source, fix)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions pickle as their class called on args; these take keywords.
        return _restore, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines += ["  " + line for line in self.where.splitlines()]
        if self.source:
            lines.append(f"  at: {self.source}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


def _restore(cls: type[RaxError], args: tuple[str, ...], state: dict[str, Any]) -> RaxError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class TypeInferenceError(RaxError, TypeError):
    """An operation was given shapes or dtypes it is not defined on."""


class ShapeError(RaxError, ValueError):
    """A concrete array, or a symbolic dim, does not have the shape asked for."""


class OutOfRangeError(RaxError, IndexError):
    """An index or an axis is outside the tensor."""


class TreeError(RaxError, TypeError):
    """A nested structure differs from the one expected."""


class UnboundInputError(RaxError, ValueError):
    """A value was asked for that depends on an input nobody has given."""


class DerivativeError(RaxError, ValueError):
    """A derivative was asked for where there is none."""


class VerificationError(RaxError, ValueError):
    """A graph breaks a rule of the IR; the transform that built it has a bug."""


class ParseError(RaxError, ValueError):
    """A text could not be read; ``where`` shows the line, with a caret.

    Args:
        what: what is wrong.
        where: line and column, the line itself, and a caret under the place.
        source: the user's own line of Python.
        fix: what to do about it.
        line: the line, from 1; 0 where the text is one size.
        column: the character of the line, from 1.
    """

    def __init__(
        self, what: str, *, where: str = "", source: str = "", fix: str = "", line: int = 0, column: int = 0
    ) -> None:
        self.line = line
        self.column = column
        super().__init__(what, where=where, source=source, fix=fix)


class FormatError(RaxError, ValueError):
    """A file is not a valid rax file; says where, and carries a stable ``code``.

    Args:
        what: what is wrong.
        code: a stable identifier such as ``"truncated"``.
        where: a byte offset or a header path.
        fix: what to do about it.
    """

    def __init__(self, what: str, *, code: str, where: str = "", fix: str = "") -> None:
        self.code = code
        super().__init__(what, where=where, fix=fix)

    def __str__(self) -> str:
        return f"[{self.code}] {super().__str__()}"


class BindingError(RaxError, ValueError):
    """Arguments given to a graph do not fit its inputs: name, shape, dtype or count."""


class ExecutionError(RaxError, RuntimeError):
    """An operation failed while a graph was being evaluated."""


class ResourceError(ExecutionError):
    """A run would take more memory, or has taken more time, than it is allowed to."""
