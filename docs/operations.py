"""Writes docs/operations.md from the operations themselves: ``python -m docs.operations > docs/operations.md``."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator

from rax.ir.op import DERIVATIVE_SLOTS, REGISTRY, Op
from rax.ops import samples

HEAD = """# The operations

One entry for each operation a graph or file can hold, written from the classes in `rax/ops` by
`python -m docs.operations > docs/operations.md`. [FORMAT.md](../schemas/FORMAT.md) says how one stands in a file."""

DTYPE_SETS = {
    "any": samples.ANY,
    "all but bool": samples.NUMERIC,
    "real": samples.REAL,
    "inexact": samples.INEXACT,
    "floating": samples.FLOATS,
    "complex": samples.COMPLEX,
    "integer": samples.INTEGERS,
    "integer and bool": samples.BOOL + samples.INTEGERS,
    "bool": samples.BOOL,
}
DERIVATIVES = {
    "partial": "its partial derivatives (`partial`)",
    "jvp": "its tangent (`jvp`)",
    "transpose": "linear, by its transpose (`transpose`)",
    "expand": "that of its body (`expand`)",
}


def dtypes(cls: type[Op]) -> str:
    """The dtypes of the main operands, by the name of the set where it has one."""
    names = set(getattr(cls, "dtypes", ()))
    return next((title for title, known in DTYPE_SETS.items() if set(known) == names), ", ".join(sorted(names)))


def derivative(cls: type[Op]) -> str:
    """How the operation is differentiated."""
    if cls.nondiff:
        return f"none: {cls.nondiff}"
    slots = [slot for slot in DERIVATIVE_SLOTS if getattr(cls, slot) is not getattr(Op, slot)]
    return DERIVATIVES[slots[0]] if slots else "that of the graphs it holds"


def entry(cls: type[Op]) -> Iterator[str]:
    """The lines of one operation."""
    yield f"\n### `{cls.name}`\n"
    yield inspect.getdoc(cls) or ""
    yield ""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    if fields:
        yield "- Attributes: " + ", ".join(f"`{field.name}: {field.type}`" for field in fields)
    yield f"- Dtypes: {dtypes(cls)}"
    yield f"- Derivative: {derivative(cls)}"
    yield f"- Since: version {cls.since}"


def page() -> str:
    """The whole page: a section for each module of ``rax.ops``."""
    importlib.import_module("rax.ops")  # fills the registry
    lines = [HEAD]
    # An operation that a user or a test has declared stands elsewhere.
    modules = {cls.__module__ for cls in REGISTRY.values() if cls.__module__.startswith("rax.ops.")}
    for module in sorted(modules):
        summary = (inspect.getdoc(importlib.import_module(module)) or "").split("\n")[0]
        lines += [f"\n## {module}\n", summary]
        for cls in REGISTRY.values():
            if cls.__module__ == module:
                lines += entry(cls)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
