"""Trees in a file: a table of rows, each referring only to earlier rows."""

from __future__ import annotations

import re
from typing import Any

from rax.format.limits import (
    MAX_ROWS,
    MAX_TREE_DEPTH,
    MAX_TREE_ITEMS,
    as_array,
    as_index,
    as_int,
    as_text,
    in_total,
    kind_of,
    refuse,
    shown,
)
from rax.ir.tree import ARGUMENTS, DATA, DICT, LEAF, LEAF_TREE, LIST, NAMED, NONE, NONE_TREE, ORDERED, TUPLE, Key, Tree

ROW_LENGTHS = {LEAF: 1, NONE: 1, LIST: 2, TUPLE: 2, DICT: 3, ORDERED: 3, ARGUMENTS: 3, NAMED: 4, DATA: 4}
KEYWORDS = frozenset(
    (
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
        "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
        "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    )
)  # fmt: skip

NAME = r"(?![0-9])[^\x00-/:-@\[-^`{-\x7f]+"
"""What the ASCII characters of a class's or field's name may be."""


class TreeWriter:
    """Gathers the rows of the trees of one file, each row once.

    Example:
        >>> writer = TreeWriter()
        >>> writer.add(Tree(LIST, (), (LEAF_TREE, LEAF_TREE)))
        1
        >>> writer.rows
        [['leaf'], ['list', [0, 0]]]
    """

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._known: dict[tuple[Any, ...], int] = {}
        self._met: dict[int, tuple[Tree, int]] = {}

    def add(self, tree: Tree, depth: int = 0) -> int:
        """The index of a tree's row; its children's rows come before it."""
        met = self._met.get(id(tree))  # one tree may be the child of many
        if met is not None:
            return met[1]
        in_total(depth, MAX_TREE_DEPTH, "levels of a tree", "trees")
        children = [self.add(child, depth + 1) for child in tree.children]
        keys = tuple((type(key), key) for key in tree.keys)  # True and 1 are equal, and are different keys
        known = (tree.kind, keys, tree.name, *children)
        if known not in self._known:
            row: list[Any] = [tree.kind, children, list(tree.keys), tree.name]
            self._known[known] = len(self.rows)
            self.rows.append(row[: ROW_LENGTHS[tree.kind]])
        self._met[id(tree)] = tree, self._known[known]
        return self._known[known]


def read_trees(value: object) -> list[Tree]:
    """The trees of the header's table.

    Raises:
        FormatError: a row is no tree, refers forward, or the trees are past a bound.
    """
    trees: list[Tree] = []
    depths: list[int] = []
    items: list[int] = []
    for number, row in enumerate(as_array(value, "trees", MAX_ROWS)):
        where = f"trees[{number}]"
        kind, children, keys, name = _read_row(row, number, where)
        depths.append(1 + max((depths[child] for child in children), default=0))
        items.append(1 + sum(items[child] for child in children))
        in_total(depths[-1], MAX_TREE_DEPTH, "levels of a tree", where)
        in_total(items[-1], MAX_TREE_ITEMS, "items of a tree", where)
        below = tuple(trees[child] for child in children)
        single = {LEAF: LEAF_TREE, NONE: NONE_TREE}.get(kind)
        trees.append(single or Tree(kind, keys, below, name))
    return trees


def _read_row(value: object, number: int, where: str) -> tuple[str, list[int], tuple[Key, ...], str]:
    row = as_array(value, where, MAX_ROWS)
    kind = as_text(row[0], f"{where}[0]") if row else ""
    if kind not in ROW_LENGTHS:
        fix = f"the kinds are {', '.join(ROW_LENGTHS)}"
        refuse("bad-value", f"there is no kind of tree {shown(kind)}", where, fix)
    as_array(row, where, len(row), ROW_LENGTHS[kind])
    if len(row) == 1:
        return kind, [], (), ""
    given = as_array(row[1], f"{where}[1]", MAX_TREE_ITEMS)
    children = [_child(child, number, f"{where}[1][{place}]") for place, child in enumerate(given)]
    if len(row) == 2:
        return kind, children, (), ""
    given = as_array(row[2], f"{where}[2]", MAX_TREE_ITEMS)
    if len(given) != len(children):
        refuse("bad-tree", f"{len(given)} keys for {len(children)} children", f"{where}[2]")
    keys = tuple(_key(key, kind, f"{where}[2][{place}]") for place, key in enumerate(given))
    # The arguments of a graph inside an operation may share a name; nobody looks them up.
    if kind != ARGUMENTS and len(set(keys)) != len(keys):
        refuse("bad-value", "the same key twice", f"{where}[2]")
    if kind == DICT and list(keys) != sorted(keys, key=lambda key: (isinstance(key, str), key)):
        refuse("bad-tree", "the keys of a dict are due in order: ints, then strings", f"{where}[2]")
    return kind, children, keys, _field(row[3], DATA, f"{where}[3]") if len(row) == 4 else ""


def _child(value: object, number: int, where: str) -> int:
    if type(value) is int and value >= number:
        refuse("forward-reference", f"a tree refers to earlier rows, not to trees[{value}]", where)
    return as_index(value, number, "trees", where)


def _key(value: object, kind: str, where: str) -> Key:
    if kind in (NAMED, DATA):
        return _field(value, kind, where)
    if kind == ARGUMENTS or type(value) is str:
        return as_text(value, where)
    if type(value) is not int:
        refuse("wrong-kind", f"a key is a str or an int, not {kind_of(value)}", where)
    return as_int(value, where, -(2**63), 2**63 - 1)


def _field(value: object, kind: str, where: str) -> str:
    """A name that a class may be given or may give a field."""
    name = as_text(value, where)
    if not re.fullmatch(NAME, name) or name in KEYWORDS or (kind == NAMED and name.startswith("_")):
        refuse("bad-value", f"{shown(name)} cannot name a class or a field", where)
    if not name.isidentifier():
        refuse("bad-tree", f"{shown(name)} holds a character that is no letter, digit or mark of a word", where)
    return name
