"""The words of a command line, sorted by a table of options.

It takes what ``argparse`` would, whose import alone takes longer than most models take to load and run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from rax.cli.streams import complain, say
from rax.ir.record import Record

_COLUMN = 24
"""Where the help on an option begins."""


class Option(Record):
    """An option.

    Attributes:
        name: as it is written, such as ``"--output"``.
        help: what it is for.
        value: what its value is called; one without takes none, and is True where it is given.
        convert: from the text to the value; a ValueError of it says what is wrong.
        short: a second way to write it, such as ``"-o"``.
    """

    name: str
    help: str
    value: str = ""
    convert: Callable[[str], Any] = str
    short: str = ""

    @property
    def key(self) -> str:
        """Its name as that of a variable."""
        return self.name.removeprefix("--").replace("-", "_")


class Wording(Record):
    """What a command's help says beside its options."""

    command: str
    usage: str
    about: str
    arguments: tuple[tuple[str, str], ...]
    notes: str


_HELP = Option("--help", "show this help and exit", short="-h")


def parse(wording: Wording, options: Sequence[Option], words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Sort words into those that are no option, and the values of options by key.

    A long option may be cut short where no other begins so; its value is the next word, or stands behind ``=``;
    that of a short one may follow at once. After ``--`` no word is an option. For ``--help`` the help is printed
    and the process ends.

    Raises:
        SystemExit: for ``--help`` with code 0; with code 2 for words that are wrong, after a line about it.
    """
    plain: list[str] = []
    found: dict[str, Any] = {}
    waiting = list(reversed(words))
    while waiting:
        word = waiting.pop()
        if word == "--":
            plain += reversed(waiting)
            break
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        option, text = _option(wording, (*options, _HELP), word)
        if option is _HELP:
            say("\n".join(_help_lines(wording, (_HELP, *options))))
            sys.exit(0)
        if option.value and text is None:
            if not waiting:
                stop(wording, f"argument {option.name}: a value is due: {option.value}")
            text = waiting.pop()
        found[option.key] = _value(wording, option, text)
    return plain, found


def stop(wording: Wording, message: str) -> NoReturn:
    """End the process with one line, as every other error."""
    complain(f"{wording.command}: {message}")
    sys.exit(2)


def _option(wording: Wording, options: Sequence[Option], word: str) -> tuple[Option, str | None]:
    """The option of a word, and the value that stands in it."""
    if not word.startswith("--"):
        for option in options:
            if option.short == word[:2]:
                return option, word[2:].removeprefix("=") or None
        stop(wording, f"there is no option {word}")
    name, equals, text = word.partition("=")
    near = [option for option in options if option.name.startswith(name)]
    exact = [option for option in near if option.name == name] or near
    if not exact:
        stop(wording, f"there is no option {name}")
    if len(exact) > 1:
        stop(wording, f"{name} may be {' or '.join(option.name for option in exact)}")
    return exact[0], text if equals else None


def _value(wording: Wording, option: Option, text: str | None) -> Any:
    if not option.value:
        return True if text is None else stop(wording, f"argument {option.name}: it takes no value")
    try:
        return option.convert(text or "")
    except ValueError as error:
        stop(wording, f"argument {option.name}: {error}")


def _help_lines(wording: Wording, options: Sequence[Option]) -> list[str]:
    rows = [
        (", ".join(filter(None, (option.short, f"{option.name} {option.value}".rstrip()))), option.help)
        for option in options
    ]
    return [
        f"usage: {wording.usage}", "", wording.about, "arguments:", *_table(wording.arguments), "",
        "options:", *_table(rows), "", wording.notes.rstrip(),
    ]  # fmt: skip


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    for name, text in rows:
        title = f"  {name}"
        lines += [f"{title:{_COLUMN}}{text}"] if len(title) + 2 <= _COLUMN else [title, " " * _COLUMN + text]
    return lines
