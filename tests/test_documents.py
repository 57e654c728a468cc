"""The code of every page runs, and says what the page says it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import rax
from tests import documents

ROOT = documents.ROOT
FOLDERS = ("", "docs", "examples", "examples/*", "schemas", "tests", "benchmarks")
PAGES = [page for folder in FOLDERS for page in sorted(ROOT.glob(f"{folder}/*.md" if folder else "*.md"))]
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language in ("python", "console") for block in documents.blocks(page))],
    ids=name,
)
def test_the_code_of_a_page_runs(page: Path) -> None:
    # In a process of its own: a page may register an operation.
    command = [sys.executable, "-W", "error", "-m", "tests.documents", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = CODE.sub("", page.read_text(encoding="utf-8"))
    targets = [match[1] for match in LINK.finditer(prose)]
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_gives_the_commands_that_are_tested() -> None:
    commands = re.findall(
        r"^ *step .* readme \"(.*)\"$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE
    )
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(commands) == 2
    assert [command for command in commands if command not in lines] == []


def test_every_error_has_its_place_on_the_page_of_errors() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    errors = {name for name in dir(rax) if name.endswith("Error")} - {"RaxError"}
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == errors
