"""The habits of CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import rax
from docs import operations
from rax.ir.op import REGISTRY
from tests import public_api

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / name for name in ("rax", "tests", "examples", "benchmarks", "docs", "schemas")]
SOURCES = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(path for folder in FOLDERS for path in folder.rglob("*.md") if "node_modules" not in path.parts),
    ]
)
MOST_FILE_LINES = 800
MOST_FUNCTION_LINES = 60

# Work left lying, and tests that do not test; in pieces, so that this file does not match.
UNFINISHED = re.compile(
    "|".join((r"\bTO" + "DO", r"\bFIX" + "ME", r"\bX" + "XX", r"pytest\.(mark\.)?(skip|x" + "fail|importor)"))
)


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def test_files_stay_short() -> None:
    lengths = {place(path): text(path).count("\n") for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > MOST_FILE_LINES} == {}


def test_functions_stay_short() -> None:
    long = {
        f"{place(path)}:{node.lineno} {node.name}": length
        for path in SOURCES
        for node in definitions(path)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_FUNCTION_LINES
    }
    assert long == {}


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{place(path)}:{number}: {line.strip()}"
        for path in (*SOURCES, *PAGES)
        for number, line in enumerate(text(path).splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_every_module_says_what_lives_there() -> None:
    silent = [path for path in SOURCES if not ast.get_docstring(ast.parse(text(path)))]
    assert list(map(place, silent)) == []


def test_every_folder_says_what_it_is_for() -> None:
    """A package does so in its docstring, any other folder in a README, its own or that of a folder above."""

    def is_described(folder: Path) -> bool:
        above = [folder, *[parent for parent in folder.parents if ROOT in parent.parents]]
        return (folder / "__init__.py").exists() or any((each / "README.md").exists() for each in above)

    folders = {*FOLDERS, *(path.parent for path in SOURCES)}
    assert [place(folder) for folder in sorted(folders) if not is_described(folder)] == []


def test_the_public_names_are_those_listed() -> None:
    listed = text(ROOT / "tests" / "public_api.txt").splitlines()
    assert public_api.lines() == listed, "review the change, then: python -m tests.public_api > tests/public_api.txt"


def test_the_lists_of_the_lazy_root_agree() -> None:
    """What a checker imports, what is imported when first used, and what a star imports."""
    root = ast.parse(text(ROOT / "rax" / "__init__.py"))
    blocks = [node for node in root.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    shown = {
        alias.name: "" if node.module == "rax" else node.module
        for node in ast.walk(blocks[0])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert shown == {**rax._NAMES, **dict.fromkeys(rax._MODULES, "")}
    assert sorted(shown) == sorted(rax.__all__)


def test_every_public_name_has_a_docstring_with_an_example() -> None:
    """Except the errors, which have one each in docs/errors.md."""
    bare = [
        name
        for name, value in public_api.public_names()
        if (inspect.isroutine(value) or (isinstance(value, type) and not issubclass(value, Exception)))
        and ">>>" not in (inspect.getdoc(value) or "")
    ]
    assert bare == []


def test_the_pages_of_operations_are_current() -> None:
    written = {path.name: text(path) for path in operations.FOLDER.glob("*.md")}
    assert operations.pages() == written, "python -m docs.operations"


def test_every_operation_says_what_it_means() -> None:
    """A dataclass without a docstring gets its signature as one; that says nothing."""
    importlib.import_module("rax.ops")  # fills the registry
    silent = [name for name, cls in REGISTRY.items() if (cls.__doc__ or "").startswith(f"{cls.__name__}(")]
    assert silent == []
