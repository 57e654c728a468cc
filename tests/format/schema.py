"""The published schema as tests use it, and what the loader says to a header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator

from rax.ir.errors import FormatError
from tests.format.build import Parts, from_bytes
from tests.format.page import SCHEMAS

SCHEMA = cast("dict[str, Any]", json.loads((SCHEMAS / "header.schema.json").read_text(encoding="utf-8")))
DEFINITIONS = cast("dict[str, dict[str, Any]]", SCHEMA["$defs"])
VALIDATOR = Draft202012Validator(SCHEMA)


def verdict(header: Any, folder: Path, payloads: list[bytes] | None = None) -> str | None:
    """The code a file of this header is refused with, or None if it loads."""
    try:
        from_bytes(Parts(header, payloads or []).join(place=False), folder)
    except FormatError as error:
        return error.code
    return None
