"""A program: named graphs over shared tensors, with what lets a file run by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rax.ir import services
from rax.ir.errors import BindingError, RaxError
from rax.ir.graph import Graph, framed
from rax.ir.node import Literal
from rax.ir.record import Frozen
from rax.ir.tree import flatten, paths
from rax.ir.types import TensorType


def literals(nest: Mapping[str, Any]) -> dict[str, Literal]:
    """A literal for each array in a nest, by its path, such as ``params.w1``; literals stay what they are."""
    leaves, tree = flatten(nest)
    return {
        path: leaf if isinstance(leaf, Literal) else services.get("array_literal")(leaf)
        for path, leaf in sorted(zip(paths(tree), leaves, strict=True), key=lambda row: row[0])
    }


_LONGEST = 100
"""Names of more characters are not offered where one was misspelt."""


def _by_name(entry: str, names: Sequence[str], types: Sequence[TensorType]) -> dict[str, TensorType]:
    """The types of an entry's inputs or outputs by name."""
    found: dict[str, TensorType] = {}
    for name, type in zip(names, types, strict=True):
        if name in found:
            raise BindingError(
                f"two inputs or two outputs of entry {entry!r} have the same name {name!r}",
                fix="name arguments and keys so that their paths differ",
            )
        found[name] = type
    return found


def _check_fit(entry: str, types: Mapping[str, TensorType], given: Mapping[str, Literal]) -> None:
    """Check that each tensor is given for a name there is, and fits its type."""
    for name, literal in given.items():
        if name not in types:
            raise BindingError(f"entry {entry!r} has no {name!r}", fix=f"it has {', '.join(types)}")
        want, have = types[name], literal.type
        fits = want.dtype is have.dtype and want.ndim == have.ndim
        sizes = zip(want.shape, have.shape, strict=True) if fits else ()
        if not fits or any(isinstance(size, int) and size != got for size, got in sizes):
            raise BindingError(f"{name!r} of entry {entry!r} is {want}, not {have}")


class Example(Frozen):
    """Inputs an entry can be run on, and the outputs that are due.

    Attributes:
        inputs: arrays by input name, or nests of them; inputs that have a default may be left out.
        outputs: arrays by output name, or nests of them; the outputs that are checked.
        display: how to show a named input or output, such as ``{"images": "image"}``.

    Example:
        >>> example = Example({"params": {"w": [1.0, 2.0]}})
        >>> sorted(example.inputs)
        ['params.w.0', 'params.w.1']
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    display: Mapping[str, str]

    def __init__(
        self,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        display: Mapping[str, str] | None = None,
    ) -> None:
        self.__dict__.update(inputs=literals(inputs or {}), outputs=literals(outputs or {}), display=display or {})


class Program(Mapping[str, Graph]):
    """Named graphs that share tensors; what one file holds. Immutable.

    Args:
        entries: the graphs by name; or give them as keyword arguments.
        defaults: arrays by input name, or nests of them: the value an input takes, in any entry,
            where the caller gives none. They are copied, unless they are read-only: of large ones
            ``array.flags.writeable = False`` saves the copy.
        examples: an example for an entry, by entry name.
        main: the entry that runs when none is named; by default the only one, or ``"main"``.

    Raises:
        RaxError: an entry is no graph, or an example or ``main`` names no entry.
        BindingError: a default names no input of any entry, or a default or example does not fit what it names.

    Example:
        >>> import rax
        >>> line = rax.trace(lambda w, x: w * x, rax.spec(()), rax.spec(("n",)))
        >>> program = Program(line=line, slope=rax.grad(rax.trace(lambda w: w * w, rax.spec(()))), main="line")
        >>> list(program), program["line"].input_names
        (['line', 'slope'], ('w', 'x'))

    ``str(program)`` is the text form of all of it; ``rax.parse`` reads that.
    """

    def __init__(
        self,
        entries: Mapping[str, Graph] | None = None,
        /,
        *,
        defaults: Mapping[str, Any] | None = None,
        examples: Mapping[str, Example] | None = None,
        main: str | None = None,
        **graphs: Graph,
    ) -> None:
        self._entries = dict(sorted({**(entries or {}), **graphs}.items()))
        for name, graph in self._entries.items():
            if not isinstance(graph, Graph):  # pyright: ignore[reportUnnecessaryIsInstance]  # users have no checker
                raise RaxError(
                    f"the entry {name!r} must be a graph, not a {type(graph).__name__}",
                    fix="trace it first: rax.trace(function, *specs)",
                )
        self.defaults: Mapping[str, Literal] = literals(defaults or {})
        self.examples: Mapping[str, Example] = dict(sorted((examples or {}).items()))
        only = next(iter(self._entries)) if len(self._entries) == 1 else None
        self.main = ("main" if "main" in self._entries else only) if main is None else main
        if isinstance(main, Graph):
            raise RaxError(
                "main is the name of an entry, not a graph", fix='for an entry "main": Program({"main": graph})'
            )
        for name in (*self.examples, *([] if self.main is None else [self.main])):
            if name not in self._entries:
                raise RaxError(f"the program has no entry {name!r}", fix=f"it has {', '.join(self)}")
        self._check_tensors()

    def _check_tensors(self) -> None:
        """Check names, defaults and examples; what holds of a graph, once for all entries that share it."""
        sides: dict[int, tuple[dict[str, TensorType], dict[str, TensorType]]] = {}
        taken: set[str] = set()
        for entry, graph in self._entries.items():
            if id(graph) not in sides:
                types = _by_name(entry, graph.input_names, graph.in_types)
                sides[id(graph)] = types, _by_name(entry, graph.output_names, graph.out_types)
                taken.update(types)
                defaults = {name: self.defaults[name] for name in types if name in self.defaults}
                _check_fit(entry, types, defaults)
        for entry, example in self.examples.items():
            for known, given in zip(sides[id(self._entries[entry])], (example.inputs, example.outputs), strict=True):
                _check_fit(entry, known, given)
        for name in self.defaults:
            if name not in taken:
                import difflib  # noqa: PLC0415  # for an error alone

                # Long names are compared in quadratic time.
                known = [other for other in taken if len(other) <= _LONGEST] if len(name) <= _LONGEST else []
                near = difflib.get_close_matches(name, known, n=1)
                fix = f"did you mean {near[0]!r}?" if near else "leave it out, or give the entry that takes it"
                raise BindingError(f"no entry takes the default {name!r}", fix=fix)

    def __getitem__(self, name: str) -> Graph:
        if name not in self._entries:
            raise KeyError(f"no entry {name!r}; the program has {', '.join(self)}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Program {', '.join(self)}; {len(self.defaults)} defaults>"

    def __str__(self) -> str:
        return services.get("program_text")(self)

    @property
    def digest(self) -> str:
        """A SHA-256 over entries, defaults and examples; names of values and origins do not count."""
        lines = ["rax program 1", *[f"entry {framed(name)} {graph.digest}" for name, graph in self._entries.items()]]
        tensors = [("default", self.defaults)]
        for name, example in self.examples.items():
            tensors += [(f"example {framed(name)} input", example.inputs)]
            tensors += [(f"example {framed(name)} output", example.outputs)]
        for what, named in tensors:
            rows = [(framed(name), literal) for name, literal in sorted(named.items())]
            lines += [f"{what} {name} {literal.type} {literal.digest.hex()}" for name, literal in rows]
        return hashlib.sha256("".join([f"{line}\n" for line in lines]).encode("utf-8", "surrogatepass")).hexdigest()

    def replace(self, **changes: Any) -> Program:
        """A copy with other ``entries``, ``defaults``, ``examples`` or ``main``."""
        now: dict[str, Any] = {"defaults": self.defaults, "examples": self.examples, "main": self.main}
        now |= changes
        return Program(now.pop("entries", self._entries), **now)
