"""Images in the terminal, in shade characters, each with what the program says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from rax.cli.results import number
from rax.ops.arrays import Array

IMAGE, LABEL, SCORE = "image", "label", "score"
UNICODE_SHADES = " ░▒▓█"
ASCII_SHADES = " .:-=+*#%@"
MOST_COLUMNS = 40
MOST_IMAGES = 8
GAP = 2


def draw_panel(arrays: Mapping[str, Array], display: Mapping[str, str], width: int, *, unicode: bool) -> list[str]:
    """The first images of every array that is displayed as such, side by side, with a line for each label and score.

    Args:
        arrays: by name.
        display: how to show the named ones: ``"image"``, or per image ``"label"`` or ``"score"``.
        width: the columns of the terminal.
        unicode: whether block characters can be printed.

    Example:
        >>> images = np.array([[[0, 1], [1, 0]], [[1, 1], [0, 0]]])
        >>> arrays = {"x": images, "digit": np.array([3, 8])}
        >>> for line in draw_panel(arrays, {"x": "image", "digit": "label"}, 80, unicode=False):
        ...     print(line)
        x: 2 images
          @@     @@@@
        @@
        digit 3  digit 8
    """
    lines: list[str] = []
    for name, array in arrays.items():
        images = as_images(array) if display[name] == IMAGE else None
        if images is not None and images.size:
            notes = _notes(arrays, display, len(images))
            lines += _panel(name, images, notes, width, UNICODE_SHADES if unicode else ASCII_SHADES)
    return lines


def as_images(array: Array) -> Array | None:
    """An array as grey images ``(count, height, width)``, or None if it holds none.

    ``(N, H, W)``, ``(N, C, H, W)`` and ``(N, H, W, C)`` with 1, 3 or 4 channels, rows ``(N, side * side)``, and a
    single image ``(H, W)`` are understood.
    """
    if array.dtype.kind == "c":
        return None
    if array.ndim == 4:
        channels = [(array.shape[axis], axis) for axis in (1, 3) if array.shape[axis] in (1, 3, 4)]
        return array.astype(np.float64).mean(min(channels)[1]) if channels else None
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        return array.reshape((-1, side, side)) if side and side * side == array.shape[1] else array[None]
    return array if array.ndim == 3 else None


def _notes(arrays: Mapping[str, Array], display: Mapping[str, str], count: int) -> list[tuple[str, list[str]]]:
    """For each label and score: its name, and a text for each image."""
    notes: list[tuple[str, list[str]]] = []
    for name, array in arrays.items():
        if display[name] == LABEL and array.shape == (count,):
            notes.append((name, [number(item) for item in array[:MOST_IMAGES]]))
        elif display[name] == SCORE and array.ndim in (1, 2) and len(array) == count and array.size:
            best = array if array.ndim == 1 else array.max(axis=1)
            notes.append((name, [f"{float(item):.3f}" for item in best[:MOST_IMAGES]]))
    return notes


def _panel(name: str, images: Array, notes: list[tuple[str, list[str]]], width: int, shades: str) -> list[str]:
    count = min(len(images), MOST_IMAGES)
    blocks: list[list[str]] = []
    drawn = [_shade(image, shades) for image in _scaled(images[:count])]
    for index, rows in enumerate(drawn):
        blocks.append([*rows, *[f"{title} {texts[index]}" for title, texts in notes]])
    column = max(len(row) for block in blocks for row in block)
    per_row = max(1, (width + GAP) // (column + GAP))
    shown = f"{count} image{'s' * (count != 1)}"
    if count < len(images):
        shown = f"the first {count} of {len(images)} images"
    lines = [f"{name}: {shown}"]
    for start in range(0, count, per_row):
        if start:
            lines.append("")
        rows = zip(*blocks[start : start + per_row], strict=True)
        lines += [(" " * GAP).join(text.ljust(column) for text in row).rstrip() for row in rows]
    return lines


def _scaled(images: Array) -> Array:
    """Brightness from 0 to 1, and blocks of pixels averaged until an image is narrow enough."""
    pixels = np.nan_to_num(images.astype(np.float64))
    low, high = float(pixels.min()), float(pixels.max())
    pixels = (pixels - low) / ((high - low) or 1.0)
    height, width = (int(size) for size in pixels.shape[1:])
    factor = -(-width * 2 // MOST_COLUMNS)
    if factor > 1:
        rows, columns = (np.arange(0, size // factor * factor or 1, factor, dtype=np.intp) for size in (height, width))
        cropped = pixels[:, : rows[-1] + factor, : columns[-1] + factor]
        pixels = np.add.reduceat(np.add.reduceat(cropped, rows, axis=1), columns, axis=2) / factor**2
    return pixels


def _shade(image: Array, shades: str) -> list[str]:
    """Two characters a pixel, which is about square."""
    levels = np.minimum((image * len(shades)).astype(int), len(shades) - 1)
    return ["".join(shades[level] * 2 for level in row) for row in levels.tolist()]
