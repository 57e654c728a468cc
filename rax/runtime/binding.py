"""From a caller's arguments to one array for each input, and the sizes its named dims have.

Arrays are taken as they are, without a copy: read-only and non-contiguous ones too. Python
numbers and lists become arrays of the input's dtype; an array of another dtype is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

import numpy as np

from rax.ir import dims
from rax.ir.dims import Dim, Shape, Size, shape_text
from rax.ir.errors import BindingError
from rax.ir.graph import Graph
from rax.ir.tree import DICT, LEAF, LIST, TUPLE, Tree, leaves_like
from rax.ir.types import TensorType
from rax.ops.arrays import Array, numpy_dtype

_KIND_ORDER = "bifc"
_KIND_NAMES = {"b": "bools", "i": "integers", "f": "floating-point numbers", "c": "complex numbers"}


class Binder:
    """Binds arguments to the inputs of one graph.

    Args:
        graph: whose inputs; their nest is its ``in_tree``.

    Attributes:
        dim_names: the named dims that inputs fix, sorted.
    """

    def __init__(self, graph: Graph) -> None:
        self._tree = graph.in_tree
        self._arguments = tuple(map(str, graph.in_tree.keys))
        self._flat = all(child.kind == LEAF for child in graph.in_tree.children)
        self._names = graph.input_names
        self._types = graph.in_types
        self._position = {name: index for index, name in enumerate(self._names)}
        self._rows = [
            (numpy_dtype(type.dtype), type.shape if _is_static(type) else None, type.shape) for type in self._types
        ]
        axes = [
            (index, axis, size)
            for index, type in enumerate(self._types)
            for axis, size in enumerate(type.shape)
            if isinstance(size, Dim)
        ]
        self.dim_names: tuple[str, ...] = tuple(sorted({name for *_, size in axes for name in dims.variables(size)}))
        self._plain = [(index, axis, str(size)) for index, axis, size in axes if str(size) in self.dim_names]
        self._all_plain = len(self._plain) == len(axes)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Array]:
        """One array for each input, from arguments by position and by name.

        Raises:
            BindingError: an argument is missing, unknown, given twice, or of the wrong dtype or shape.
            TreeError: a nested argument has another structure.
        """
        return self.arrays(self.leaves(args, kwargs))

    def leaves(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        """What the arguments give for each input, as it is.

        Raises:
            BindingError: an argument is missing, unknown or given twice.
            TreeError: a nested argument has another structure.
        """
        if kwargs or len(args) != len(self._arguments):
            args = self._in_order(args, kwargs)
        if self._flat:
            return args
        leaves: list[Any] = []
        for name, child, argument in zip(self._arguments, self._tree.children, args, strict=True):
            found: list[Any] = []
            leaves += found if _take_plain(child, argument, found) else leaves_like(child, argument, name)
        return leaves

    def _in_order(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        names = self._arguments
        takes = f"the graph takes {_listed(names)}"
        if len(args) > len(names):
            count = f"{len(names)} argument{'s' * (len(names) != 1)}"
            raise BindingError(f"{len(args)} arguments are given, the graph takes {count}", fix=takes)
        for name in kwargs:
            if name not in names:
                raise BindingError(f"there is no argument {name!r}", fix=takes)
            if name in names[: len(args)]:
                raise BindingError(f"the argument {name!r} is given twice", fix="give it by position or by name")
        missing = [name for name in names[len(args) :] if name not in kwargs]
        if missing:
            noun, verb = ("argument", "is") if len(missing) == 1 else ("arguments", "are")
            raise BindingError(f"the {noun} {_listed(missing, quote=True)} {verb} missing", fix=takes)
        return [*args, *[kwargs[name] for name in names[len(args) :]]]

    def bind_named(self, given: Mapping[str, Any]) -> list[Array]:
        """One array for each input, from a mapping of input names such as ``params.w1``.

        Raises:
            BindingError: a name is missing or unknown, or an array has the wrong dtype or shape.
        """
        for name in given:
            if name not in self._position:
                raise BindingError(f"there is no input {name!r}", fix=f"the graph takes {_listed(self._names)}")
        missing = [name for name in self._names if name not in given]
        if missing:
            first = f"{missing[0]!r}: {self._types[self._position[missing[0]]]}"
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise BindingError(f"the input {first} is missing{more}", fix="give it a value")
        return self.arrays([given[name] for name in self._names])

    def arrays(self, leaves: Sequence[Any]) -> list[Array]:
        """One array for each input, checked for dtype, rank and fixed sizes."""
        fitting: list[Array] = [
            leaf
            for leaf, (dtype, static, _) in zip(leaves, self._rows, strict=True)
            if type(leaf) is np.ndarray and leaf.shape == static and leaf.dtype == dtype
        ]
        if len(fitting) == len(self._rows):
            return fitting
        arrays: list[Array] = []
        for index, (leaf, (dtype, static, shape)) in enumerate(zip(leaves, self._rows, strict=True)):
            array = leaf
            if type(leaf) is not np.ndarray or leaf.dtype != dtype:
                array = as_array(leaf, self._types[index], self._names[index])
            if array.shape != static if static is not None else not _fits(shape, array.shape):
                _refuse_shape(self._names[index], self._types[index], array.shape)
            arrays.append(array)
        return arrays

    def dims(self, arrays: Sequence[Array]) -> dict[str, int]:
        """What each named dim stands for, from arrays that :meth:`arrays` has passed.

        Raises:
            BindingError: two inputs disagree, or nothing fixes a dim.
        """
        values: dict[str, int] = {}
        if self._all_plain and not self._plain:
            return values
        if self._all_plain and all(
            values.setdefault(name, arrays[index].shape[axis]) == arrays[index].shape[axis]
            for index, axis, name in self._plain
        ):
            return values
        return _solve(self._names, self._types, [array.shape for array in arrays])


def _take_plain(tree: Tree, nest: Any, leaves: list[Any]) -> bool:
    """Take the leaves of a nest of plain dicts, lists and tuples that has just this structure."""
    if tree.kind == LEAF:
        leaves.append(nest)
        return type(nest) not in (dict, type(None))
    if tree.kind == DICT:
        if type(nest) is not dict or len(cast("dict[Any, Any]", nest)) != len(tree.keys):
            return False
        items: Sequence[Any] = [cast("dict[Any, Any]", nest).get(key) for key in tree.keys]
    elif tree.kind in (LIST, TUPLE) and type(nest) in (list, tuple) and len(nest) == len(tree.children):
        items = nest
    else:
        return False
    return all(_take_plain(child, item, leaves) for child, item in zip(tree.children, items, strict=True))


def resolve_dims(
    names: Sequence[str], types: Sequence[TensorType], shapes: Sequence[tuple[int, ...]]
) -> dict[str, int]:
    """What each named dim of some types stands for, given concrete shapes.

    Raises:
        BindingError: a shape does not fit, two disagree, or nothing fixes a dim.

    Example:
        >>> from rax.ir.types import tensor_type
        >>> resolve_dims(["x", "y"], [tensor_type(("2*n", 3)), tensor_type("n")], [(8, 3), (4,)])
        {'n': 4}
    """
    for name, type, shape in zip(names, types, shapes, strict=True):
        if not _fits(type.shape, shape):
            _refuse_shape(name, type, shape)
    return _solve(names, types, shapes)


def _solve(names: Sequence[str], types: Sequence[TensorType], shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    values: dict[str, int] = {}
    source: dict[str, str] = {}
    rows = [
        (name, axis, size, have)
        for name, type, shape in zip(names, types, shapes, strict=True)
        for axis, (size, have) in enumerate(zip(type.shape, shape, strict=True))
        if isinstance(size, Dim)
    ]
    waiting = rows
    while waiting:
        left: list[tuple[str, int, Dim, int]] = []
        for row in waiting:
            count = len(values)
            if not dims.solve(row[2], row[3], values):
                left.append(row)
            elif len(values) > count:
                source[next(reversed(values))] = row[0]
        if len(left) == len(waiting):
            break
        waiting = left
    for name, axis, size, have in rows:
        _check_axis(name, axis, size, have, values, source)
    return values


def _check_axis(name: str, axis: int, size: Dim, have: int, values: dict[str, int], source: dict[str, str]) -> None:
    unknown = [variable for variable in dims.variables(size) if variable not in values]
    if unknown:
        raise BindingError(f"axis {axis} of {name} is {have}, from which {unknown[0]} in {size} cannot be told")
    due = dims.evaluate(size, values)
    if due == have:
        return
    if str(size) in values:
        raise BindingError(f"{size} is {due} from {source[str(size)]} but {have} in {name}", fix="give them one size")
    known = ", ".join(f"{v} is {values[v]} from {source[v]}" for v in sorted(set(dims.variables(size))))
    raise BindingError(f"axis {axis} of {name} is {have}, the graph takes {size}, which is {due}: {known}")


def as_array(leaf: Any, type: TensorType, name: str) -> Array:
    """An array of exactly a type's dtype, from an array, a Python number or a list; shared, not copied.

    Raises:
        BindingError: the dtype is another one, or there are no numbers.
    """
    if isinstance(leaf, (bool, int, float, complex, list, tuple)) and not isinstance(leaf, np.generic):
        return _convert(leaf, type, name)
    wanted = numpy_dtype(type.dtype)
    exported = hasattr(leaf, "__dlpack__") and not hasattr(leaf, "__array__")
    given = cast("Any", leaf)
    array = cast("Array", np.from_dlpack(given) if exported else np.asarray(given))
    if array.dtype == wanted:
        return array
    if array.dtype.name == wanted.name:  # the other byte order
        return array.astype(wanted)
    if array.dtype.kind not in "biufcV" or array.dtype.names:
        kind = given.__class__.__name__
        raise BindingError(f"{name} is a {kind}, the graph takes {type}", fix="give an array of numbers")
    raise BindingError(
        f"{name} is {array.dtype.name}, the graph takes {wanted.name}", fix=f'cast with .astype("{wanted.name}")'
    )


def _convert(leaf: Any, type: TensorType, name: str) -> Array:
    wanted = numpy_dtype(type.dtype)
    try:
        natural = np.asarray(leaf)
    except ValueError:
        raise BindingError(f"{name} is no rectangular list of numbers", fix=f"give {type}") from None
    kind = natural.dtype.kind
    if kind == "u" or (kind == "O" and _all_integers(leaf)):
        kind = "i"
    if kind not in _KIND_ORDER:
        raise BindingError(f"{name} is no list of numbers", fix=f"give {type}")
    target = {"bool": "b", "int": "i", "uint": "i", "float": "f", "complex": "c"}[type.dtype.kind]
    fits = _KIND_ORDER.index(kind) <= _KIND_ORDER.index(target) and (kind == "b") == (target == "b")
    if natural.size and not fits:
        raise BindingError(f"{name} holds {_KIND_NAMES[kind]}, the graph takes {wanted.name}")
    try:
        return np.asarray(leaf, wanted)
    except OverflowError:
        raise BindingError(f"{name} holds numbers that do not fit {wanted.name}") from None


def _all_integers(leaf: Any) -> bool:
    if isinstance(leaf, (list, tuple)):
        return all(map(_all_integers, cast("Sequence[Any]", leaf)))
    return isinstance(leaf, int)


def _is_static(type: TensorType) -> bool:
    return all(isinstance(size, int) for size in type.shape)


def _fits(shape: Shape, actual: tuple[int, ...]) -> bool:
    """Whether the rank and the sizes that are numbers are right."""
    if len(shape) != len(actual):
        return False
    return all(size == have or isinstance(size, Dim) for size, have in zip(shape, actual, strict=True))


def _refuse_shape(name: str, type: TensorType, shape: tuple[Size, ...]) -> NoReturn:
    raise BindingError(f"{name} has shape {shape_text(shape)}, the graph takes {shape_text(type.shape)}")


def _listed(names: Sequence[str], *, quote: bool = False) -> str:
    shown = [repr(name) if quote else name for name in names[:8]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return (", ".join(shown) + more) or "no arguments"
