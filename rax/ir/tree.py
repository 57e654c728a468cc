"""Nested structures of leaves, described as portable data.

A structure of dicts, lists, tuples, named tuples, dataclasses and None is flattened into a
list of leaves and a :class:`Tree`. A tree travels in the file: where the Python class of a
named tuple or dataclass is unknown, an equivalent one is made from its name and fields.
Dict leaves go in sorted key order, so insertion order never matters.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from rax.ir.errors import TreeError

Key = str | int
LEAF, NONE, DICT, ORDERED, LIST, TUPLE = "leaf", "none", "dict", "ordered_dict", "list", "tuple"
NAMED, DATA, ARGUMENTS = "namedtuple", "dataclass", "arguments"
KINDS = (LEAF, NONE, DICT, ORDERED, LIST, TUPLE, NAMED, DATA, ARGUMENTS)
_KEYED = (DICT, ORDERED, NAMED, DATA)
_COUNTED = (LIST, TUPLE, ARGUMENTS)


def sort_key(key: Key) -> tuple[bool, Key]:
    """The order of dict keys: integers, then strings."""
    return (isinstance(key, str), key)


class Tree:
    """The shape of a nest: its kind, its keys or fields, its children. Immutable.

    Attributes:
        kind: one of ``KINDS``; ``arguments`` is the top of a graph's inputs.
        keys: dict keys, field names or argument names; empty for lists and tuples.
        children: one tree for each item.
        name: the class name of a named tuple or dataclass.
        make: the local class, where it is known; not part of equality.
        leaf_count: how many leaves the structure has.

    Raises:
        TreeError: the parts do not fit the kind.

    Example:
        >>> leaves, tree = flatten({"w": [1, 2], "b": None})
        >>> leaves, str(tree)
        ([1, 2], "{'b': None, 'w': [*, *]}")
        >>> unflatten(tree, ["one", "two"])
        {'b': None, 'w': ['one', 'two']}
    """

    __slots__ = ("_key", "children", "keys", "kind", "leaf_count", "make", "name")

    def __init__(
        self,
        kind: str,
        keys: tuple[Key, ...] = (),
        children: tuple[Tree, ...] = (),
        name: str = "",
        make: Callable[..., Any] | None = None,
    ) -> None:
        self.kind = kind
        self.keys = keys
        self.children = children
        self.name = name
        self.make = make
        self.leaf_count: int = 1 if kind == LEAF else sum(child.leaf_count for child in children)
        self._key = (kind, keys, children, name)
        problem = self._problem()
        if problem:
            raise TreeError(f"a tree of kind {kind!r} {problem}")

    def _problem(self) -> str:
        if self.kind not in KINDS:
            return f"does not exist; kinds are {', '.join(KINDS)}"
        if self.kind in (LEAF, NONE) and self.children:
            return "has no children"
        if len(self.keys) != (len(self.children) if self.kind in (*_KEYED, ARGUMENTS) else 0):
            return f"does not have {len(self.keys)} keys for {len(self.children)} children"
        if self.kind in _KEYED and len(set(self.keys)) != len(self.keys):
            return "has no key twice"
        if self.kind == DICT and list(self.keys) != sorted(self.keys, key=sort_key):
            return f"has its keys in order, not {', '.join(map(repr, self.keys))}"
        return ""

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Tree) and self._key == other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        if self.kind == LEAF:
            return "*"
        if self.kind == NONE:
            return "None"
        if self.kind in (LIST, TUPLE):
            inner = ", ".join(map(str, self.children))
            return f"[{inner}]" if self.kind == LIST else f"({inner}{',' * (len(self.children) == 1)})"
        items = zip(self.keys, self.children, strict=True)
        if self.kind in (DICT, ORDERED):
            return "{" + ", ".join(f"{key!r}: {child}" for key, child in items) + "}"
        return f"{self.name}(" + ", ".join(f"{key}={child}" for key, child in items) + ")"

    __repr__ = __str__


LEAF_TREE = Tree(LEAF)
NONE_TREE = Tree(NONE)


def _children(nest: Any) -> tuple[str, tuple[Key, ...], list[Any]] | None:
    """Kind, keys and items of a container, or None for a leaf."""
    if isinstance(nest, Mapping):
        mapping = cast("Mapping[Any, Any]", nest)
        for key in mapping:
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                raise TreeError(f"a dict key must be a str or int, not {key!r}")
        ordered = isinstance(nest, collections.OrderedDict)
        keys = tuple(mapping) if ordered else tuple(sorted(mapping, key=sort_key))
        return ORDERED if ordered else DICT, keys, [mapping[key] for key in keys]
    if isinstance(nest, list):
        return LIST, (), cast("list[Any]", nest)
    if isinstance(nest, tuple):
        items = list(cast("tuple[Any, ...]", nest))
        fields = getattr(cast("Any", nest), "_fields", None)
        return (TUPLE, (), items) if fields is None else (NAMED, tuple(fields), items)
    if hasattr(nest.__class__, "__dataclass_fields__"):
        from dataclasses import fields  # noqa: PLC0415  # imported already, where there is one

        names = tuple(field.name for field in fields(nest) if field.init)
        return DATA, names, [getattr(nest, name) for name in names]
    return None


MAX_DEPTH = 64
"""How deep a nest may be; the file format allows as much."""


def flatten(nest: Any) -> tuple[list[Any], Tree]:
    """The leaves of a nest, in order, and its tree. Whatever is no container is a leaf.

    Raises:
        TreeError: a dict key is neither a string nor an integer, or the nest is too deep.
    """
    return _flatten(nest, 0)


def _flatten(nest: Any, depth: int) -> tuple[list[Any], Tree]:
    if depth > MAX_DEPTH:
        raise TreeError(f"a nest is more than {MAX_DEPTH} deep", fix="flatten it, or see whether it holds itself")
    if nest is None:
        return [], NONE_TREE
    parts = _children(nest)
    if parts is None:
        return [nest], LEAF_TREE
    kind, keys, items = parts
    leaves: list[Any] = []
    children: list[Tree] = []
    for item in items:
        below, child = _flatten(item, depth + 1)
        leaves += below
        children.append(child)
    local = kind in (NAMED, DATA)
    cls = cast("type[Any]", type(nest))
    return leaves, Tree(kind, keys, tuple(children), cls.__name__ if local else "", cls if local else None)


def unflatten(tree: Tree, leaves: Iterable[Any]) -> Any:
    """Rebuild a nest from its tree and leaves.

    Raises:
        TreeError: the number of leaves is wrong.
    """
    rest = list(leaves)
    if len(rest) != tree.leaf_count:
        raise TreeError(f"the structure {tree} takes {tree.leaf_count} leaves, not {len(rest)}")
    return _unflatten(tree, iter(rest))


def _unflatten(tree: Tree, leaves: Iterator[Any]) -> Any:
    if tree.kind == LEAF:
        return next(leaves)
    if tree.kind == NONE:
        return None
    items = [_unflatten(child, leaves) for child in tree.children]
    if tree.kind == LIST:
        return items
    if tree.kind in (TUPLE, ARGUMENTS):
        return tuple(items)
    if tree.kind in (DICT, ORDERED):
        pairs = zip(tree.keys, items, strict=True)
        return dict(pairs) if tree.kind == DICT else collections.OrderedDict(pairs)
    fields = cast("tuple[str, ...]", tree.keys)
    make = tree.make or _stand_in(tree.kind, tree.name, fields)
    return make(**dict(zip(fields, items, strict=True)))


@functools.lru_cache(maxsize=1024)
def _stand_in(kind: str, name: str, fields: tuple[str, ...]) -> Callable[..., Any]:
    try:
        if kind == NAMED:
            fresh = collections.namedtuple(name, fields)  # noqa: PYI024  # pyright: ignore[reportUntypedNamedTuple]
            return cast("Callable[..., Any]", fresh)  # the leaves may be anything
        from dataclasses import make_dataclass  # noqa: PLC0415  # few nests have one, and every start would pay

        return make_dataclass(name, fields)
    except (TypeError, ValueError) as error:
        raise TreeError(f"no {kind} can be called {name!r} with the fields {', '.join(map(repr, fields))}") from error


def paths(tree: Tree, prefix: str = "") -> list[str]:
    """A dotted name for each leaf: ``params.layers.0.w``.

    Example:
        >>> paths(flatten({"w": [1, 2]})[1], "params")
        ['params.w.0', 'params.w.1']
    """
    if tree.kind == LEAF:
        return [prefix]
    keys: Iterable[Key] = tree.keys or range(len(tree.children))
    named = zip(keys, tree.children, strict=True) if tree.children else ()
    return [path for key, child in named for path in paths(child, f"{prefix}.{key}" if prefix else str(key))]


def leaves_like(tree: Tree, nest: Any, what: str) -> list[Any]:
    """The leaves of a nest that must have the structure of ``tree``.

    A list and a tuple may stand for one another, as may a dict, a dataclass and a named tuple
    with the same fields.

    Raises:
        TreeError: the structures differ, naming the first place.
    """
    if tree.kind == LEAF:
        if nest is None or _children(nest) is not None:
            raise TreeError(f"{what} must be an array, not {flatten(nest)[1]}")
        return [nest]
    nothing: tuple[str, tuple[Key, ...], list[Any]] = (NONE, (), [])
    parts = nothing if nest is None else _children(nest)
    if parts is None:
        raise TreeError(f"{what} must have the structure {tree}, not be a single {type(nest).__name__}")
    kind, keys, items = parts
    if not any(tree.kind in kinds and kind in kinds for kinds in ((NONE,), _COUNTED, _KEYED)):
        raise TreeError(f"{what} must have the structure {tree}, not {flatten(nest)[1]}")
    if kind in _KEYED:
        given = dict(zip(keys, items, strict=True))
        for key in tree.keys:
            if key not in given:
                raise TreeError(f"{what} lacks {key!r}", fix=f"give the structure {tree}")
        for key in given:
            if key not in tree.keys:
                raise TreeError(f"{what} has an unknown item {key!r}", fix=f"give the structure {tree}")
        items = [given[key] for key in tree.keys]
    elif len(items) != len(tree.children):
        raise TreeError(f"{what} has {len(items)} items, not {len(tree.children)}", fix=f"give the structure {tree}")
    names: Iterable[Key] = tree.keys or range(len(items))
    rows = zip(names, tree.children, items, strict=True)
    return [leaf for key, child, item in rows for leaf in leaves_like(child, item, f"{what}.{key}")]
