"""Arrays as text: scalars in a line, small arrays whole, large ones summarised."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rax.ir.dims import shape_text
from rax.ops.arrays import Array
from rax.runtime.entry import Comparison

SMALL = 64
PLAIN_WIDTH = 80


def terminal_width() -> int:
    """The columns of the terminal, by ``COLUMNS`` or the terminal itself; 80 where neither says.

    As ``shutil.get_terminal_size``, without the modules that one imports for archives.
    """
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or PLAIN_WIDTH if sys.__stdout__ else PLAIN_WIDTH
    except (ValueError, OSError):  # closed, or no terminal
        return PLAIN_WIDTH


def result_lines(arrays: Mapping[str, Array], width: int) -> list[str]:
    """Lines that show arrays by name.

    Example:
        >>> result_lines({"loss": np.float32(0.25), "digit": np.array([3, 8])}, 80)
        ['loss = 0.25', 'digit: int64[2] = [3 8]']
    """
    return [line for name, array in arrays.items() for line in _lines(name, array, width)]


def _lines(name: str, array: Array, width: int) -> list[str]:
    if array.ndim == 0:
        return [f"{name} = {number(array[()])}"]
    title = f"{name}: {array.dtype.name}{shape_text(array.shape)}"
    if array.size == 0:
        return [f"{title}, empty"]
    if array.size > SMALL:
        return [f"{title}  {summary(array)}"]
    formatter = {"all": number}
    text = np.array2string(array, max_line_width=width - 2, threshold=SMALL + 1, formatter=formatter).splitlines()  # pyright: ignore[reportArgumentType]  # the stubs list no key "all"
    if len(text) == 1 and len(title) + len(text[0]) + 3 <= width:
        return [f"{title} = {text[0]}"]
    return [f"{title} =", *[f"  {line}" for line in text]]


def number(item: Any) -> str:
    """One element, floats with 6 significant digits.

    Example:
        >>> number(np.float32(0.98333335)), number(np.int8(3)), number(np.bool(True))
        ('0.983333', '3', 'True')
    """
    kind = np.asarray(item).dtype.kind
    if kind in "biu":
        return str(item)
    if kind == "c":
        return f"{complex(item):.6g}"
    return f"{float(item):.6g}"


def summary(array: Array) -> str:
    """The range and mean of an array, and what is not finite."""
    if array.dtype.kind == "b":
        return f"{np.count_nonzero(array):,} of {array.size:,} true"
    wide = np.abs(array) if array.dtype.kind == "c" else array
    wide = wide.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    shown = "of absolute values: " if array.dtype.kind == "c" else ""
    rows = [f"min {finite.min():.6g}  mean {finite.mean():.6g}  max {finite.max():.6g}"] if finite.size else []
    for what, count in (("nan", np.isnan(wide).sum()), ("infinite", np.isinf(wide).sum())):
        if count:
            rows.append(f"{count:,} {what}")
    return shown + "  ".join(rows)


def check_lines(comparisons: Sequence[Comparison], what: str) -> list[str]:
    """What a check found: one line if all is equal, else a line for each output that is not.

    Example:
        >>> check_lines([Comparison("loss", 0.0, 1e-4)], "")
        ['check: 1 output equals the expected one (max difference 0)']
    """
    wrong = [comparison for comparison in comparisons if not comparison.equal]
    if wrong:
        return [
            f"check{what}: {each.name} differs from the expected output by {each.difference:.3g}, "
            f"{each.tolerance:.3g} is allowed"
            for each in wrong
        ]
    worst = max(comparison.difference for comparison in comparisons)
    count = len(comparisons)
    verb = "output equals the expected one" if count == 1 else "outputs equal the expected ones"
    return [f"check{what}: {count} {verb} (max difference {worst:.3g})"]
