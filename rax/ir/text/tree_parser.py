"""Reads the nests of arguments and results: ``arguments(x=*, params={"w": [*, *]})``."""

from __future__ import annotations

import re

from rax.ir.errors import TreeError
from rax.ir.text.scanner import MAX_DIGITS, MAX_NESTING, Scanner
from rax.ir.tree import ARGUMENTS, DATA, DICT, LEAF_TREE, LIST, NAMED, NONE_TREE, ORDERED, TUPLE, Key, Tree

INT = re.compile(r"-?[0-9]+(?![A-Za-z0-9_.])")


class TreeParser(Scanner):
    """Reads trees."""

    def tree(self) -> Tree:
        """The nest of arguments or results."""
        opened: list[_OpenTree] = []
        while True:
            place = self.skip()
            if self.take("*"):
                tree = LEAF_TREE
            elif self.word("None"):
                tree = NONE_TREE
            else:
                if len(opened) == MAX_NESTING:
                    self.fail(f"nested more than {MAX_NESTING} deep")
                opened.append(self._opening(place))
                if not self.take(opened[-1].close):
                    self._key(opened[-1])
                    continue
                tree = self._closed(opened.pop())
            while opened:
                top = opened[-1]
                top.children.append(tree)
                if self.take(","):
                    if not self.take(top.close):
                        self._key(top)
                        break
                else:
                    self.need(top.close)
                tree = self._closed(opened.pop())
            else:
                return tree

    def _opening(self, place: int) -> _OpenTree:
        for kind, opening, close in ((LIST, "[", "]"), (TUPLE, "(", ")"), (DICT, "{", "}")):
            if self.take(opening):
                return _OpenTree(kind, "", close, place)
        if self.word("ordered"):
            self.need("{")
            return _OpenTree(ORDERED, "", "}", place)
        kind = next((kind for kind in (ARGUMENTS, NAMED, DATA) if self.word(kind)), None)
        if kind is None:
            self.fail(f'expected a nest of * such as {{"w": [*, *]}}, not {self.next_word()}')
        name = "" if kind == ARGUMENTS else self.name()
        self.need("(")
        return _OpenTree(kind, name, ")", place)

    def _key(self, tree: _OpenTree) -> None:
        """Pass the key of a child, where there is one."""
        if tree.kind in (LIST, TUPLE):
            return
        number = INT.match(self.text, self.skip())
        if number is None:
            tree.keys.append(self.name("a key"))
        elif len(number.group()) > MAX_DIGITS:
            self.fail(f"a number has at most {MAX_DIGITS} digits")
        else:
            self.place = number.end()
            tree.keys.append(int(number.group()))
        self.need(":" if tree.kind in (DICT, ORDERED) else "=")

    def _closed(self, tree: _OpenTree) -> Tree:
        try:
            return Tree(tree.kind, tuple(tree.keys), tuple(tree.children), tree.name)
        except TreeError as error:
            self.refuse(error, tree.place)


class _OpenTree:
    """A container of a tree whose closing sign has not come yet."""

    def __init__(self, kind: str, name: str, close: str, place: int) -> None:
        self.kind = kind
        self.name = name
        self.close = close
        self.place = place
        self.keys: list[Key] = []
        self.children: list[Tree] = []
