"""The table: as text while it is measured, and as Markdown in a file."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence

from benchmarks.runtime.peers import described
from benchmarks.runtime.rows import Row
from benchmarks.runtime.timing import Spread

Figures = Mapping[str, Spread]


def heading(quick: bool, cpu: bool) -> list[str]:
    """Where the figures come from."""
    small = ["short form: so small that only the agreement means something"] * quick
    small += ["time is that of the processor, not of the clock on the wall"] * cpu
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return [*small, f"{platform.machine()}, Python {platform.python_version()}, load {load}", *described()]


def amount(number: float, unit: str) -> str:
    """A time or size with three digits.

    Example:
        >>> amount(0.0123, "s"), amount(12.0, "s"), amount(3 << 20, "bytes")
        ('12.3 ms', '12 s', '3 MiB')
    """
    if unit == "bytes":
        return f"{number / 2**20:.3g} MiB"
    return (
        f"{number:.3g} s" if number >= 1 else f"{number * 1e3:.3g} ms" if number >= 1e-3 else f"{number * 1e6:.3g} µs"
    )


def verdict(row: Row, figures: Figures) -> tuple[str, str]:
    """The ratio to the reference, and what it means."""
    if not row.references:
        return "", ""
    there = [name for name in row.references if name in figures]
    if "rax" not in figures or not there:
        return "", f"not compared: {' and '.join(row.references)} not measured"
    best = min(there, key=lambda name: figures[name].median)
    ratio = figures["rax"].median / figures[best].median
    due = f"≤ {row.factor:g} × {best}"
    return (
        f"{ratio:.2f} × {best}",
        f"reached {due}" if ratio <= row.factor else f"missed {due} by {ratio / row.factor:.2f} ×",
    )


def text(name: str, row: Row, figures: Figures) -> list[str]:
    """Lines of one row."""
    lines = [f"\n{name}: {row.title}"]
    for library, each in figures.items():
        ratio = figures["rax"].median / each.median
        between = f"{amount(each.low, row.unit)} to {amount(each.high, row.unit)}"
        beside = "" if library == "rax" else f"   rax / {library} = {ratio:.2f}"
        note = f"   {each.note}" if each.note else ""
        lines.append(f"  {library:12} {amount(each.median, row.unit):>10}   {between:24}{beside}{note}".rstrip())
    ratio, meaning = verdict(row, figures)
    return [*lines, f"  {ratio}: {meaning}"] if ratio else [*lines, f"  {meaning}"] if meaning else lines


def markdown(measured: Mapping[str, tuple[Row, Figures]], preface: Sequence[str]) -> str:
    """The whole table. In brackets behind a median: rax's median over it."""
    libraries = list(dict.fromkeys(library for _, figures in measured.values() for library in figures))
    lines = ["# rax beside other libraries", "", *[f"- {line}" for line in preface], ""]
    lines += ["Medians; in brackets rax's over it.", ""]
    lines.append(f"| work | {' | '.join(libraries)} | ratio | to reach |")
    lines.append(f"| --- |{' ---: |' * len(libraries)} --- | --- |")
    for row, figures in measured.values():
        cells = [row.title]
        for library in libraries:
            each = figures.get(library)
            ratio = "" if each is None or library == "rax" else f" ({figures['rax'].median / each.median:.2f})"
            cells.append("" if each is None else f"{amount(each.median, row.unit)}{ratio} {each.note}".rstrip())
        lines.append(f"| {' | '.join([*cells, *verdict(row, figures)])} |")
    return "\n".join([*lines, ""])
