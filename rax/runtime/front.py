"""Code made for the arguments and results of one graph: nests taken apart and put together without a walk.

What :class:`rax.runtime.binding.Binder` does for any arguments, a function made here does for the usual
ones: by position, in just the nest of the graph's inputs, NumPy arrays of just their dtypes and shapes. It
gives up on all others, which are then the binder's, and so are the words of every error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any, cast

import numpy as np

from rax.ir.dims import Size, is_name, variable
from rax.ir.tree import ARGUMENTS, DATA, DICT, LEAF, LIST, NAMED, NONE, TUPLE, Tree, unflatten
from rax.ir.types import TensorType
from rax.ops.arrays import Array, numpy_dtype

Take = Callable[[tuple[Any, ...]], tuple[list[Array], tuple[int, ...]] | None]
"""From arguments by position to an array for each input and the sizes of named dims; None if it gives up."""

Give = Callable[[Sequence[Array]], Any]
"""From an array for each output to their nest."""

# With more leaves than this the code would be long, and a call has more to do than to walk the nest.
MOST_LEAVES = 2048
_FILENAME = "<rax arguments and results>"


class _Text:
    """Code made of numbered names alone, and what its parameters are bound to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._objects: list[Any] = []
        self._names: dict[int, str] = {}
        self._count = 0

    def new(self, count: int) -> list[str]:
        """The names of so many new variables."""
        self._count += count
        return [f"a{index}" for index in range(self._count - count, self._count)]

    def name(self, item: Any) -> str:
        """The parameter that stands for an object; the object is kept, so its id stays its own."""
        found = self._names.get(id(item))
        if found is None:
            found = self._names[id(item)] = f"k{len(self._objects)}"
            self._objects.append(item)
        return found

    def function(self) -> Callable[[Any], Any]:
        """The function of one argument, called ``given``, that has these lines."""
        parameters = "".join([f", k{index}" for index in range(len(self._objects))])
        code = _compiled(f"def made(given{parameters}):\n" + "".join([f" {line}\n" for line in self.lines]))
        return cast("Callable[[Any], Any]", FunctionType(code, {}, "made", tuple(self._objects)))


@functools.lru_cache(maxsize=64)
def _compiled(source: str) -> CodeType:
    namespace: dict[str, Any] = {}
    exec(compile(source, _FILENAME, "exec"), namespace)  # noqa: S102  # the text is made of numbered names alone
    return namespace["made"].__code__


def taker(tree: Tree, types: Sequence[TensorType], dim_names: Sequence[str]) -> Take | None:
    """The function that takes arguments apart; None where only a binder can.

    Args:
        tree: the nest of the arguments.
        types: of the inputs.
        dim_names: the named dims whose sizes are asked for, in their order.

    Example:
        >>> from rax.ir.tree import flatten
        >>> from rax.ir.types import tensor_type
        >>> tree = Tree(ARGUMENTS, ("x",), (flatten({"w": 0, "b": 0})[1],))
        >>> take = taker(tree, [tensor_type(("n",)), tensor_type(("n", 3))], ["n"])
        >>> b, w = np.ones(2, np.float32), np.ones((2, 3), np.float32)
        >>> arrays, sizes = take(({"w": w, "b": b},))
        >>> arrays[0] is b, arrays[1] is w, sizes
        (True, True, (2,))
        >>> take(({"w": w, "b": [1.0, 2.0]},)) is None
        True
    """
    if len(types) > MOST_LEAVES or not all(map(_has_code, _parts(tree))):
        return None
    if not all(isinstance(size, int) or is_name(str(size)) for type in types for size in type.shape):
        return None
    writer = _Taker(types)
    writer.write(tree, "given")
    return writer.function(dim_names)


def _parts(tree: Tree) -> Iterable[Tree]:
    yield tree
    for child in tree.children:
        yield from _parts(child)


def _has_code(tree: Tree) -> bool:
    """Whether a container is one that code here takes apart."""
    return tree.kind in (LEAF, NONE, DICT, LIST, TUPLE, ARGUMENTS) or (
        tree.kind in (NAMED, DATA) and tree.make is not None
    )


class _Taker:
    """Writes the code that takes a nest apart."""

    def __init__(self, types: Sequence[TensorType]) -> None:
        self._text = _Text()
        self._types = iter(types)
        self._leaves: list[str] = []
        self._dims: dict[Size, str] = {}  # the variables that hold what sizes stand for
        self._type, self._len, self._array = map(self._text.name, (type, len, np.ndarray))

    def write(self, tree: Tree, nest: str) -> None:
        """Lines that take apart what a variable holds."""
        if tree.kind == LEAF:
            self._leaf(next(self._types), nest)
            return
        if tree.kind == NONE:
            self._give_up_if(f"{nest} is not None")
            return
        text, make = self._text, tree.make or {DICT: dict, LIST: list}.get(tree.kind, tuple)
        items = text.new(len(tree.children))
        wrong = f"{self._type}({nest}) is not {text.name(make)}"
        if tree.kind == DICT:
            self._give_up_if(f"{wrong} or {self._len}({nest}) != {len(items)}")
            text.lines += [f"{item} = {nest}[{text.name(key)}]" for item, key in zip(items, tree.keys, strict=True)]
        elif tree.kind == DATA:
            self._give_up_if(wrong)
            get = text.name(getattr)
            rows = zip(items, tree.keys, strict=True)
            text.lines += [f"{item} = {get}({nest}, {text.name(key)})" for item, key in rows]
        else:
            self._give_up_if(wrong)
            text.lines.append(f"[{', '.join(items)}] = {nest}")
        for child, item in zip(tree.children, items, strict=True):
            self.write(child, item)

    def _leaf(self, type: TensorType, leaf: str) -> None:
        text = self._text
        wrong = f"{self._type}({leaf}) is not {self._array} or {leaf}.dtype is not {text.name(numpy_dtype(type.dtype))}"
        self._leaves.append(leaf)
        if all(isinstance(size, int) for size in type.shape):
            self._give_up_if(f"{wrong} or {leaf}.shape != {text.name(type.shape)}")
            return
        self._give_up_if(wrong)
        sizes = text.new(type.ndim)
        text.lines.append(f"[{', '.join(sizes)}] = {leaf}.shape")
        checks: list[str] = []
        for size, found in zip(type.shape, sizes, strict=True):
            due = str(size) if isinstance(size, int) else self._dims.setdefault(size, found)
            if due != found:
                checks.append(f"{found} != {due}")
        if checks:
            self._give_up_if(" or ".join(checks))

    def _give_up_if(self, condition: str) -> None:
        self._text.lines.append(f"if {condition}: return None")

    def function(self, dim_names: Sequence[str]) -> Take:
        """The function, which returns the sizes of these dims too."""
        text = self._text
        sizes = [self._dims[variable(name)] for name in dim_names]
        wrong = text.name((KeyError, ValueError))
        text.lines = [
            "try:",
            *[f" {line}" for line in text.lines],
            f"except {wrong}: return None",
            f"return [{', '.join(self._leaves)}], ({''.join([f'{size}, ' for size in sizes])})",
        ]
        return text.function()


def giver(tree: Tree) -> Give:
    """The function that puts results together.

    Args:
        tree: their nest.

    Example:
        >>> from rax.ir.tree import flatten
        >>> give = giver(flatten({"w": 0, "b": (0, None)})[1])
        >>> give(["one", "two"])
        {'b': ('one', None), 'w': 'two'}
    """
    if tree.leaf_count > MOST_LEAVES:
        return functools.partial(unflatten, tree)
    text = _Text()
    results = text.new(tree.leaf_count)
    text.lines = [f"[{', '.join(results)}] = given", f"return {_nest(text, tree, iter(results))}"]
    return text.function()


def _nest(text: _Text, tree: Tree, results: Iterator[str]) -> str:
    """The expression of a nest of variables."""
    if tree.kind == LEAF:
        return next(results)
    if tree.kind == NONE:
        return "None"
    if tree.kind not in (DICT, LIST, TUPLE, ARGUMENTS):
        leaves = ", ".join([next(results) for _ in range(tree.leaf_count)])
        return f"{text.name(unflatten)}({text.name(tree)}, [{leaves}])"
    items = [_nest(text, child, results) for child in tree.children]
    if tree.kind == DICT:
        return f"{{{', '.join([f'{text.name(key)}: {item}' for key, item in zip(tree.keys, items, strict=True)])}}}"
    return f"[{', '.join(items)}]" if tree.kind == LIST else f"({''.join([f'{item}, ' for item in items])})"
