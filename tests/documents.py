"""Runs the code of a Markdown page: ``python -m tests.documents docs/tour.md``.

The ``python`` blocks of a page share one namespace, in order. A block with ``>>>`` is a
doctest; any other is executed. In a ``console`` block each line after ``$ `` is a command, and
the lines below it are what it must print, ``...`` standing for anything. All run in an empty
folder, with the repository's ``examples`` beside it.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS
COMMANDS = {"rax": "rax.cli.main", "rax-run": "rax.cli.run"}


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text and the line its text starts on."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page that name a language."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        indent, language, body = match.groups()
        plain = "\n".join(line.removeprefix(indent) for line in body.split("\n"))
        yield Block(language, plain, text.count("\n", 0, match.start()) + 2)


def run_python(page: Path, block: Block, names: dict[str, Any]) -> None:
    """Run a block; a doctest's failure is raised, showing the difference."""
    if ">>>" not in block.text:
        # The empty lines make tracebacks, and the source lines rax shows, those of the page.
        exec(compile("\n" * (block.line - 1) + block.text, page.name, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line - 1)
    test.globs = names
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    if runner.run(test, clear_globs=False).failed:
        raise SystemExit(1)


def run_console(page: Path, block: Block, folder: str) -> None:
    """Run each command of a block and compare what it prints."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, wanted = part.partition("\n")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
        known = [f'{name}() {{ "{sys.executable}" -m {module} "$@"; }}' for name, module in COMMANDS.items()]
        script = "\n".join([*known, command])
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, cwd=folder, env=environment, check=False
        )
        printed = done.stdout + done.stderr
        if not doctest.OutputChecker().check_output(wanted.rstrip() + "\n", printed.rstrip() + "\n", FLAGS):
            raise SystemExit(f"{page.name}:{block.line}: $ {command}\nwanted:\n{wanted}\nprinted:\n{printed}")


def main(page: Path) -> int:
    """Run a page; return how many blocks ran."""
    count = 0
    names: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("examples").symlink_to(ROOT / "examples")
        for block in blocks(page):
            if block.language == "python":
                run_python(page, block, names)
            elif block.language == "console":
                run_console(page, block, folder)
            else:
                continue
            count += 1
        os.chdir(ROOT)
    return count


if __name__ == "__main__":
    print(f"{main(Path(sys.argv[1]).resolve())} blocks ran")
