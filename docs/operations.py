"""Writes the pages of docs/ops from the operations themselves: ``python -m docs.operations``."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from rax.cli.ops import coverage, entry
from rax.ir.op import REGISTRY, Op
from rax.runtime.backends import BACKENDS

FOLDER = Path(__file__).parent / "ops"
HEAD = """# The operations

What a graph or a file can hold: {count} operations, one class each in `rax/ops`, one page here for each file there.
`python -m docs.operations` writes these pages from the classes; `rax ops` prints the table, `rax ops NAME` an entry.
[FORMAT.md](../../schemas/FORMAT.md) says how an operation stands in a file, [CONTRIBUTING.md](../../CONTRIBUTING.md)
how to add one.
"""


def families() -> dict[str, list[type[Op]]]:
    """The operations of each module of ``rax.ops``, by the module's name; those declared elsewhere are left out."""
    importlib.import_module("rax.ops")  # fills the registry
    found: dict[str, list[type[Op]]] = {}
    for cls in REGISTRY.values():
        if cls.__module__.startswith("rax.ops."):
            found.setdefault(cls.__module__, []).append(cls)
    return dict(sorted(found.items()))


def page_name(module: str) -> str:
    """The file of a module's page."""
    return f"{module.removeprefix('rax.ops.').replace('.', '_')}.md"


def index() -> str:
    """The page that lists every operation with its coverage."""
    modules = families()
    lines = [HEAD.format(count=sum(map(len, modules.values())))]
    lines.append(f"| operation | dtypes | derivative | batching | {' | '.join(BACKENDS)} |")
    lines.append("| --- " * (4 + len(BACKENDS)) + "|")
    names = {cls.name: module for module, members in modules.items() for cls in members}
    for name, module in sorted(names.items()):
        covered = coverage(REGISTRY[name])
        cells = (covered.dtypes, covered.modes, covered.batching, *covered.backends.values())
        lines.append(f"| [`{name}`]({page_name(module)}#{name}) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def page(module: str, members: list[type[Op]]) -> str:
    """The page of one module: what it says of itself, then its operations."""
    lines = [f"# {module}\n", inspect.getdoc(importlib.import_module(module)) or ""]
    for cls in members:
        lines += [f"\n## {cls.name}\n", *entry(cls)]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    return {"README.md": index(), **{page_name(module): page(module, found) for module, found in families().items()}}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stale in FOLDER.glob("*.md"):
        stale.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
