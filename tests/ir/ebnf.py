"""A grammar as a page gives it, made a recogniser and a source of random texts; knows nothing of rax."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'\s*(?:("[^"]*")|/((?:[^/\\]|\\.)+)/|([a-z]+)|([][{}()|=;-]))')
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*(?:\n|$))*")
_WORD = re.compile(r"[A-Za-z0-9_]")

Part = tuple[Any, ...]
"""``("word", text)``, ``("regex", pattern)``, ``("rule", name)``, or a kind and its parts."""


class Grammar:
    """The rules of a grammar in EBNF.

    Args:
        source: the rules, each ``name = … ;``.
    """

    def __init__(self, source: str) -> None:
        self.rules: dict[str, Part] = {}
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while source[place:].strip():
            match = _TOKEN.match(source, place)
            assert match is not None, source[place : place + 40]
            kind = ("word", "regex", "rule", "sign")[match.lastindex - 1 if match.lastindex else 0]
            text = match.group(match.lastindex or 0)
            self._tokens.append((kind, text.strip('"') if kind == "word" else text))
            place = match.end()
        while self._tokens:
            (_, name), _ = self._tokens.pop(0), self._sign("=")
            self.rules[name] = self._choice()
            self._sign(";")
        self._levels = dict.fromkeys(self.rules, 1000)
        for _ in self.rules:
            self._levels = {name: 1 + self.least(part) for name, part in self.rules.items()}

    def least(self, part: Part) -> int:
        """How many rules stand inside each other in the shallowest text of a part."""
        kind, parts = part[0], part[1:]
        if kind == "rule":
            return self._levels[parts[0]]
        if kind in ("choice", "sequence", "but"):
            levels = list(map(self.least, parts))
            return min(levels) if kind == "choice" else levels[0] if kind == "but" else max(levels)
        return 0

    def _sign(self, sign: str) -> None:
        assert self._tokens.pop(0) == ("sign", sign), (sign, self._tokens[:5])

    def _next(self, *signs: str) -> bool:
        return bool(self._tokens) and self._tokens[0][0] == "sign" and self._tokens[0][1] in signs

    def _choice(self) -> Part:
        found = [self._sequence()]
        while self._next("|"):
            self._sign("|")
            found.append(self._sequence())
        return found[0] if len(found) == 1 else ("choice", *found)

    def _sequence(self) -> Part:
        found: list[Part] = []
        while not self._next("|", ";", ")", "]", "}"):
            part = self._part()
            if self._next("-"):
                self._sign("-")
                part = ("but", part, self._part())
            found.append(part)
        return found[0] if len(found) == 1 else ("sequence", *found)

    def _part(self) -> Part:
        kind, text = self._tokens.pop(0)
        if kind != "sign":
            return kind, text
        close, name = {"(": (")", ""), "[": ("]", "optional"), "{": ("}", "repeat")}[text]
        inside = self._choice()
        self._sign(close)
        return (name, inside) if name else inside

    def accepts(self, text: str, start: str = "text") -> bool:
        """Whether a text is one of a rule."""
        end = _Recogniser(self, text).at(("rule", start), 0)
        return end is not None and _space(text, end) == len(text)

    def make(self, draw: Callable[[str, Any], Any], start: str = "text", depth: int = 8) -> str:
        """A text of a rule.

        Args:
            draw: gives a number below ``("number", n)``, and a text of ``("regex", pattern)``.
            start: the rule.
            depth: how many rules stand inside each other, before the shortest way is taken.
        """
        return " ".join(_Maker(self, draw).make(("rule", start), depth))


def _space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    assert match is not None
    return match.end()


@dataclass
class _Recogniser:
    """Ordered choice, each rule tried once at each place."""

    grammar: Grammar
    text: str
    known: dict[tuple[str, int], int | None] = field(default_factory=dict[tuple[str, int], "int | None"])

    def at(self, part: Part, place: int) -> int | None:
        """Where the part ends that begins at a place."""
        kind, first = part[0], part[1]
        if kind == "rule":
            key = first, place
            if key not in self.known:
                self.known[key] = self.at(self.grammar.rules[first], place)
            return self.known[key]
        return getattr(self, kind)(part[1:], place)

    def word(self, parts: Part, place: int) -> int | None:
        place = _space(self.text, place)
        end = place + len(parts[0])
        inside = _WORD.match(parts[0][-1]) and _WORD.match(self.text, end)
        return end if self.text.startswith(parts[0], place) and not inside else None

    def regex(self, parts: Part, place: int) -> int | None:
        match = re.compile(parts[0]).match(self.text, _space(self.text, place))
        return match.end() if match else None

    def choice(self, parts: Part, place: int) -> int | None:
        return next((end for part in parts if (end := self.at(part, place)) is not None), None)

    def sequence(self, parts: Part, place: int) -> int | None:
        end: int | None = place
        for part in parts:
            end = None if end is None else self.at(part, end)
        return end

    def optional(self, parts: Part, place: int) -> int | None:
        end = self.at(parts[0], place)
        return place if end is None else end

    def repeat(self, parts: Part, place: int) -> int | None:
        while (end := self.at(parts[0], place)) is not None:
            place = end
        return place

    def but(self, parts: Part, place: int) -> int | None:
        end = self.at(parts[0], place)
        return None if end is None or self.at(parts[1], place) == end else end


@dataclass
class _Maker:
    grammar: Grammar
    draw: Callable[[str, Any], Any]

    def make(self, part: Part, depth: int) -> list[str]:
        """The words of a part."""
        kind, parts = part[0], part[1:]
        if kind == "word":
            return [parts[0]]
        if kind == "regex":
            return [self.draw("regex", parts[0])]
        if kind == "rule":
            return self.make(self.grammar.rules[parts[0]], depth - 1)
        if kind == "choice":
            least = min(map(self.grammar.least, parts))
            open_ways = parts if depth > 0 else [each for each in parts if self.grammar.least(each) == least]
            return self.make(open_ways[self.draw("number", len(open_ways))], depth)
        if kind == "sequence":
            return [word for each in parts for word in self.make(each, depth)]
        if kind == "but":
            while True:
                made = self.make(parts[0], depth)
                if not self.refused(parts[1], " ".join(made)):
                    return made
        times = self.draw("number", 3 if kind == "repeat" else 2) if depth > 0 else 0
        return [word for _ in range(times) for word in self.make(parts[0], depth)]

    def refused(self, part: Part, text: str) -> bool:
        return _Recogniser(self.grammar, text).at(part, 0) == len(text)
