"""The published schema and page as tests use them, and what the loader says to a header."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator

from rax.ir.errors import FormatError
from tests.format.build import Parts, from_bytes

SCHEMAS = Path(__file__).parents[2] / "schemas"
SCHEMA = cast("dict[str, Any]", json.loads((SCHEMAS / "header.schema.json").read_text(encoding="utf-8")))
DEFINITIONS = cast("dict[str, dict[str, Any]]", SCHEMA["$defs"])
VALIDATOR = Draft202012Validator(SCHEMA)
PAGE = (SCHEMAS / "FORMAT.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text of a section of the page."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def codes() -> dict[str, str]:
    """Each code of the page's table, and of what it is: file, structural or relational."""
    found: dict[str, str] = {}
    for names, sort in re.findall(r"^\| (`.*?`) \| (\w+) \|", section("Errors"), re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`([a-z-]+)`", names), sort)
    return found


CODES = codes()
STRUCTURAL = {code for code, sort in CODES.items() if sort == "structural"}
RELATIONAL = {code for code, sort in CODES.items() if sort == "relational"}


def verdict(header: Any, folder: Path, payloads: list[bytes] | None = None) -> str | None:
    """The code a file of this header is refused with, or None if it loads."""
    try:
        from_bytes(Parts(header, payloads or []).join(place=False), folder)
    except FormatError as error:
        return error.code
    return None
