"""``rax ops``: what every operation covers, as its class says it."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from rax.cli.streams import say
from rax.ir.attributes import attribute_types
from rax.ir.dims import Size
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.op import DERIVATIVE_SLOTS, Op
from rax.ir.types import DType, as_dtype
from rax.ops import registry, samples
from rax.ops.families import Composite
from rax.runtime.backends import BACKENDS

DTYPE_SETS = {
    "any": samples.ANY,
    "all but bool": samples.NUMERIC,
    "all but bool; float8": samples.NUMERIC + samples.FLOAT8,
    "real": samples.REAL,
    "inexact": samples.INEXACT,
    "floating": samples.FLOATS,
    "floating; float8": samples.FLOATS + samples.FLOAT8,
    "complex": samples.COMPLEX,
    "integer": samples.INTEGERS,
    "integer, bool": samples.BOOL + samples.INTEGERS,
    "bool": samples.BOOL,
    "all but complex": samples.BOOL + samples.REAL,
}
SLOTS = {
    "partial": "its partial derivatives",
    "jvp": "its tangent",
    "transpose": "linear: its transpose",
    "expand": "that of its body",
}


@dataclass(frozen=True)
class Coverage:
    """What one operation covers.

    Attributes:
        dtypes: the dtypes of its main operands, by the name of the set where it has one.
        modes: the modes that differentiate it: ``"forward, reverse"``, ``"forward"`` or ``"none"``.
        derivative: where the derivative comes from, or why there is none.
        batching: ``"rule"``, or ``"body"`` where the body is batched.
        backends: how each backend runs it, by name.
    """

    dtypes: str
    modes: str
    derivative: str
    batching: str
    backends: dict[str, str]


def coverage(cls: type[Op]) -> Coverage:
    """Read the coverage of an operation off its class.

    Example:
        >>> coverage(registry()["exp"]).modes
        'forward, reverse'
    """
    names = set(samples.ANY if cls.holds_graphs else getattr(cls, "dtypes", samples.ANY))
    dtypes = next((title for title, known in DTYPE_SETS.items() if set(known) == names), ", ".join(sorted(names)))
    slots = [slot for slot in DERIVATIVE_SLOTS if getattr(cls, slot) is not getattr(Op, slot)]
    modes, derivative = "forward, reverse", SLOTS[slots[0]] if slots else "that of the graphs it holds"
    if cls.nondiff:
        modes, derivative = "none", cls.nondiff
    elif cls.forward_only:
        modes, derivative = "forward", f"{derivative}; no reverse mode: {cls.forward_only}"
    batching = "body" if issubclass(cls, Composite) else "rule"
    return Coverage(dtypes, modes, derivative, batching, {name: each.coverage(cls) for name, each in BACKENDS.items()})


def entry(cls: type[Op]) -> Iterator[str]:
    """All there is to say of one operation, as lines of Markdown."""
    yield described(cls)
    yield ""
    stated: dict[str, Any] = {}
    for each in reversed(cls.__mro__):
        stated.update(inspect.get_annotations(each))
    if cls.attribute_names():
        yield "- Attributes: " + ", ".join(f"`{name}: {stated[name]}`" for name in cls.attribute_names())
    if not cls.holds_graphs:
        yield f"- Example: `{_example(cls)}`"
    covered = coverage(cls)
    yield f"- Dtypes: {covered.dtypes}"
    yield f"- Derivative: {covered.modes}; {covered.derivative}"
    yield f"- Batching: by its {covered.batching}"
    yield "- Backends: " + ", ".join(f"{name} ({how})" for name, how in covered.backends.items())
    yield f"- Since: version {cls.since}"


def described(cls: type[Op]) -> str:
    """The docstring of an operation; from its source where Python runs with -OO, which strips it.

    Example:
        >>> described(registry()["flip"])
        'Some axes in reverse order.'
    """
    text = inspect.getdoc(cls)
    if text is None:
        tree = ast.parse(inspect.getsource(cls)).body[0]
        text = ast.get_docstring(tree) if isinstance(tree, ast.ClassDef) else None
    return text or ""


def _example(cls: type[Op]) -> str:
    """The operation on its first sample: in float32, where that can be."""
    sample: samples.Sample = cls.samples[0]
    known: tuple[str, ...] = getattr(cls, "dtypes", samples.ANY)
    allowed = [name for name in sample.dtypes or known if name in known]
    dtype = as_dtype("float32" if "float32" in allowed else allowed[0])
    op, types = sample.op(cls, dtype), sample.types(dtype)
    return f"{op!r}({', '.join(map(str, types))}) -> {', '.join(map(str, op.infer(*types)))}"


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser("ops", help="list the operations and what each covers")
    parser.add_argument("name", nargs="?", help="one operation, in full")
    parser.add_argument("--json", action="store_true", help="the format's operations, for programs: schemas/ops.json")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table of operations, or one of them in full.

    Raises:
        RaxError: there is no operation of that name.
    """
    if options.json and options.name is not None:
        raise RaxError("--json lists every operation", fix=f"leave out {options.name!r}, or --json")
    if options.name is None:
        say("\n".join(listed() if options.json else table()))
        return 0
    if options.name not in registry():
        raise RaxError(f"there is no operation {options.name!r}", fix="rax ops lists them")
    say("\n".join(entry(registry()[options.name])))
    return 0


def listed() -> Iterator[str]:
    """The operations of the format as lines of JSON, one an operation, as schemas/FORMAT.md says."""
    rows = [json.dumps(row(cls)) for _, cls in sorted(registry().items()) if cls.since]
    yield "["
    yield ",\n".join(rows)
    yield "]"


def row(cls: type[Op]) -> dict[str, Any]:
    """What a reader must know of an operation to take it from a file.

    Example:
        >>> found = row(registry()["flip"])
        >>> found["operands"], found["results"], found["attributes"]
        (1, 1, [{'name': 'axes', 'type': ['int', '...']}])
    """
    attributes: list[dict[str, Any]] = []
    for name, hint in attribute_types(cls).items():
        attributes.append({"name": name, "type": form(hint)})
        if name in cls.choices:
            attributes[-1]["values"] = list(cls.choices[name])
        if hasattr(cls, name):  # a default is an attribute of the class
            default = getattr(cls, name)
            attributes[-1]["default"] = {"dtype": default.name} if isinstance(default, DType) else default
    operands = None if cls.arity < 0 else cls.arity
    summary = described(cls).split("\n")[0]
    rest = {"results": _results(cls), "attributes": attributes, "summary": summary}
    return {"name": cls.name, "since": cls.since, "operands": operands, **rest}


def _results(cls: type[Op]) -> int | None:
    """How many results an operation has, or None where that depends on its attributes."""
    if cls.holds_graphs:
        return None
    known: tuple[str, ...] = getattr(cls, "dtypes", samples.ANY)
    counts: set[int] = set()
    for sample in cast("tuple[samples.Sample, ...]", cls.samples):
        dtype = as_dtype(next(name for name in sample.dtypes or known if name in known))
        counts.add(len(sample.op(cls, dtype).infer(*sample.types(dtype))))
    return counts.pop() if len(counts) == 1 else None


def form(hint: Any) -> Any:
    """The type of an attribute as the list of operations writes it.

    Example:
        >>> form(float), form(tuple[tuple[int, int], ...])
        ('float', [['int', 'int'], '...'])
    """
    if hint == Size:
        return "size"
    if typing.get_origin(hint) is tuple:
        return ["..." if part is ... else form(part) for part in typing.get_args(hint)]
    return {DType: "dtype", Graph: "graph"}.get(hint, getattr(hint, "__name__", ""))


def table() -> Iterator[str]:
    """One line an operation, in columns."""
    rows = [("operation", "dtypes", "derivative", "batching", *BACKENDS)]
    for name, cls in sorted(registry().items()):
        covered = coverage(cls)
        rows.append((name, covered.dtypes, covered.modes, covered.batching, *covered.backends.values()))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
    yield f"\n{len(rows) - 1} operations"
