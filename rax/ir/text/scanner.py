"""The words of a text and the errors that point at them: what every parser of a text begins with."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

from rax.ir.errors import ParseError, RaxError

MAX_NESTING = 64
"""How deep tuples and trees may nest in a text."""
MAX_DIGITS = 100
"""How many digits a number may have."""
MAX_SHOWN = 60
"""How many characters of the user's text a message repeats."""
MAX_REASON = 1000
"""How many characters of the message of another part are kept."""
ERROR_WIDTH = 100
"""How many columns of a line an error shows."""

# Between any two words. Possessive: no way to divide spaces is tried twice.
SPACE = r"(?:[ \t\r\n]++|#[^\n]*+)*+"
NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
LABEL = re.compile(r"&([A-Za-z0-9_]+)")
_SPACE = re.compile(SPACE)
_STARTS = " \t\r\n#"
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_STRING_START = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_WORD = re.compile(r"[A-Za-z0-9_]+|.|$", re.DOTALL)

T = TypeVar("T")


def clipped(text: str) -> str:
    """A piece of the user's text as a message repeats it.

    Example:
        >>> clipped("x" * 100) == repr("x" * 60) + "…"
        True
    """
    return repr(text) if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]!r}…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest of the names known, as a fix.

    Example:
        >>> did_you_mean("matmull", ["add", "matmul"])
        "did you mean 'matmul'?"
    """
    short = [each for each in known if len(each) <= MAX_SHOWN][:1000] if len(name) <= MAX_SHOWN else []
    near = difflib.get_close_matches(name, short, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _width(sign: str) -> int:
    """How many columns a printable character takes."""
    if unicodedata.category(sign) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def pointed(line: str, column: int) -> str:
    """A line, or the part of a long one around a character, and a caret under the character.

    Tabs and what no terminal should be sent are one column each.

    Args:
        line: the line, without its end.
        column: the character, from 0.

    Example:
        >>> print(pointed("a 漢字 ?", 5))
        a 漢字 ?
               ^
    """
    shown = "".join([" " if sign == "\t" else sign if sign.isprintable() else "\ufffd" for sign in line])
    if len(shown) > ERROR_WIDTH:
        cut = max(0, column - ERROR_WIDTH * 3 // 4)
        shown, column = shown[cut : cut + ERROR_WIDTH], column - cut
    while column < len(shown) and column and not _width(shown[column]):
        column -= 1  # what is drawn over the character before it
    return f"{shown}\n{' ' * sum(map(_width, shown[:column]))}^"


class Scanner:
    """A text and a place in it.

    Args:
        text: the text.

    Attributes:
        place: the character that comes next.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.place: int = 0

    def fail(
        self, what: str, place: int | None = None, *, fix: str = "", cause: BaseException | None = None
    ) -> NoReturn:
        """Raise with the line, the column and a caret."""
        place = self.place if place is None else place
        start = self.text.rfind("\n", 0, place) + 1
        end = self.text.find("\n", place)
        line = self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")
        number, column = self.text.count("\n", 0, place) + 1, place - start
        where = f"line {number}, column {column + 1}\n{pointed(line, column)}"
        raise ParseError(what, where=where, fix=fix, line=number, column=column + 1) from cause

    def refuse(self, error: BaseException, place: int, what: str = "") -> NoReturn:
        """Raise for an error of another part."""
        said = error.what if isinstance(error, RaxError) else f"{type(error).__name__}: {error}"
        if isinstance(error, ParseError) and error.column:
            place += error.column - 1
        self.fail(
            f"{what}{said}"[:MAX_REASON], place, fix=error.fix if isinstance(error, RaxError) else "", cause=error
        )

    def skip(self) -> int:
        """Pass spaces and comments."""
        if self.text[self.place : self.place + 1] in _STARTS:
            match = _SPACE.match(self.text, self.place)
            assert match is not None
            self.place = match.end()
        return self.place

    def take(self, token: str) -> bool:
        """Pass a sign, if it comes next."""
        self.skip()
        found = self.text.startswith(token, self.place)
        if found:
            self.place += len(token)
        return found

    def need(self, token: str) -> None:
        """Pass a sign that must come next."""
        if not self.take(token):
            self.fail(f"expected {token!r}, not {self.next_word()}")

    def word(self, word: str) -> bool:
        """Pass a word, if it comes next and ends there."""
        end = self.skip() + len(word)
        found = self.text.startswith(word, self.place) and not _is_part(self.text[end : end + 1])
        if found:
            self.place = end
        return found

    def need_word(self, word: str) -> None:
        """Pass a word that must come next."""
        if not self.word(word):
            self.fail(f"expected {word!r}, not {self.next_word()}")

    def match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Pass what a pattern matches."""
        found = pattern.match(self.text, self.skip())
        if found is None:
            self.fail(f"expected {what}, not {self.next_word()}")
        self.place = found.end()
        return found

    def next_word(self) -> str:
        """The word that comes next, for a message."""
        found = _WORD.match(self.text, self.skip())
        assert found is not None
        return clipped(found.group()) if found.group() else "the end of the text"

    def fail_word(self, expected: str, *words: str) -> NoReturn:
        """Raise where none of some words comes next."""
        found = _WORD.match(self.text, self.skip())
        assert found is not None
        self.fail(f"expected {expected}, not {self.next_word()}", fix=did_you_mean(found.group(), words))

    def string(self) -> str:
        """A string, escaped as in JSON."""
        found = _STRING.match(self.text, self.skip())
        if found is not None:
            self.place = found.end()
            return json.loads(found.group())
        start = _STRING_START.match(self.text, self.place)
        if start is None:
            self.fail(f"expected a string, not {self.next_word()}")
        after = self.text[start.end() : start.end() + 1]
        if after == "\\":
            fix = 'the escapes are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with 4 digits'
            self.fail("the string has a bad escape", start.end(), fix=fix)
        if after and after not in "\r\n":
            self.fail(f"the string has the control character {after!r}", start.end(), fix="write it as an escape")
        return self.fail("the string is not closed", fix='close it with " on the same line')

    def name(self, what: str = "a name") -> str:
        """A name, bare or as a string."""
        self.skip()
        return self.string() if self.text.startswith('"', self.place) else self.match(NAME, what).group()

    def listed(self, close: str, item: Callable[[], T]) -> list[T]:
        """Items up to a closing sign, with commas between and perhaps after the last."""
        found: list[T] = []
        while not self.take(close):
            found.append(item())
            if not self.take(","):
                self.need(close)
                break
        return found


def _is_part(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign == "_")
