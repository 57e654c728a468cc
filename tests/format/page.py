"""The page of the format as tests read it: its sections, and the codes of errors in its table."""

from __future__ import annotations

import re
from pathlib import Path

SCHEMAS = Path(__file__).parents[2] / "schemas"
PAGE = (SCHEMAS / "FORMAT.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text of a section of the page."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def codes() -> dict[str, str]:
    """Each code of the page's table, and of what kind it is: file, structural or relational."""
    found: dict[str, str] = {}
    for names, kind in re.findall(r"^\| (`.*?`) \| (\w+) \|", section("Errors"), re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`([a-z-]+)`", names), kind)
    return found


CODES = codes()
STRUCTURAL = {code for code, kind in CODES.items() if kind == "structural"}
RELATIONAL = {code for code, kind in CODES.items() if kind == "relational"}
