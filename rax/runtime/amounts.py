"""How people write amounts of memory and time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

Unit = TypeVar("Unit", int, float)

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_BYTES = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
MOST_SECONDS = 2.0**33
"""More than any lock waits for: some 270 years."""


def amount(size: int) -> str:
    """A number of bytes to read.

    Example:
        >>> amount(15), amount(2048), amount(3 * 2**38)
        ('15 bytes', '2 KiB', '768 GiB')
    """
    for power, unit in enumerate(_UNITS):
        if size < 1024 ** (power + 1) or unit == _UNITS[-1]:
            shown = size / 1024**power
            return f"{shown:.4g} {unit}" if shown < 1000 else f"{shown:,.0f} {unit}"
    raise AssertionError


def parse_bytes(text: str) -> int:
    """A number of bytes, with KB, MB, GB, TB for powers of 1000 and KiB, MiB, GiB, TiB for powers of 1024.

    Raises:
        ValueError: it is none.

    Example:
        >>> parse_bytes("512MiB"), parse_bytes("1.5 GB"), parse_bytes("4096")
        (536870912, 1500000000, 4096)
    """
    found = _parsed(text, _BYTES)
    if found is None:
        raise ValueError(f"{text!r} is no amount of memory: write 512MiB, 2GB or a number of bytes")
    digits, unit = found
    whole, _, part = digits.partition(".")
    return int(whole or "0") * unit + int(part or "0") * unit // 10 ** len(part)


def parse_seconds(text: str) -> float:
    """A number of seconds, or of what stands behind it: ms, s, min or h.

    Raises:
        ValueError: it is none.

    Example:
        >>> parse_seconds("10"), parse_seconds("500ms"), parse_seconds("2min")
        (10.0, 0.5, 120.0)
    """
    found = _parsed(text, _SECONDS)
    seconds = float(found[0]) * found[1] if found is not None else math.nan
    if not 0 < seconds <= MOST_SECONDS:
        raise ValueError(f"{text!r} is no length of time: write 10, 500ms or 2min")
    return seconds


def _parsed(text: str, units: Mapping[str, Unit]) -> tuple[str, Unit] | None:
    """The digits, with at most a point before the last, and what the unit behind them is; None of anything else."""
    text = text.strip()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = units.get(text[len(digits) :].lower())
    digits = digits.rstrip()
    whole, point, part = digits.partition(".")
    is_number = f"{whole}{part}".isdecimal() and digits.isascii() and (not point or bool(part))
    return (digits, unit) if is_number and unit is not None else None
