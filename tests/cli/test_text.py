"""Arrays and images as text."""

from __future__ import annotations

import io

import numpy as np
import pytest

from rax.cli.command import split_entry
from rax.cli.pictures import as_images, draw_panel
from rax.cli.progress import Progress, duration
from rax.cli.results import result_lines
from rax.cli.words import one_line
from rax.ir.errors import BindingError, FormatError


@pytest.mark.parametrize(
    ("array", "lines"),
    [
        (np.float32(0.98333335), ["x = 0.983333"]),
        (np.array(7), ["x = 7"]),
        (np.array(True), ["x = True"]),
        (np.array(1 - 2j, np.complex64), ["x = 1-2j"]),
        (np.array(np.nan), ["x = nan"]),
        (np.array([1.5, 1e-9, 2e8]), ["x: float64[3] = [1.5 1e-09 2e+08]"]),
        (np.array([True, False]), ["x: bool[2] = [True False]"]),
        (np.zeros((0, 3), np.float32), ["x: float32[0, 3], empty"]),
        (np.arange(4).reshape(2, 2), ["x: int64[2, 2] =", "  [[0 1]", "   [2 3]]"]),
        (np.arange(100, dtype=np.int32), ["x: int32[100]  min 0  mean 49.5  max 99"]),
        (np.arange(100) % 4 == 0, ["x: bool[100]  25 of 100 true"]),
        (np.full(100, 3 + 4j), ["x: complex128[100]  of absolute values: min 5  mean 5  max 5"]),
        (np.array([np.nan, np.inf] + [1.0] * 98), ["x: float64[100]  min 1  mean 1  max 1  1 nan  1 infinite"]),
        (np.full(100, np.nan), ["x: float64[100]  100 nan"]),
    ],
)
def test_arrays_are_shown(array: np.ndarray, lines: list[str]) -> None:
    assert result_lines({"x": array}, 80) == lines


def test_a_vector_too_long_for_a_line_goes_below() -> None:
    lines = result_lines({"x": np.arange(60)}, 40)
    assert lines[0] == "x: int64[60] ="
    assert all(len(line) <= 40 and line.startswith("  ") for line in lines[1:])


def test_images_are_understood_in_every_usual_layout() -> None:
    grey = np.arange(18.0).reshape(2, 3, 3)
    for array in (grey, grey[:, None], grey[..., None], np.repeat(grey[:, None], 3, 1), grey.reshape(2, 9)):
        found = as_images(array)
        assert found is not None
        np.testing.assert_allclose(found, grey)
    assert as_images(np.zeros((4, 6))).shape == (1, 4, 6)  # pyright: ignore[reportOptionalMemberAccess]
    for other in (np.zeros(3), np.zeros((2, 5, 3, 5)), np.zeros((1, 1, 1, 1, 1)), np.zeros((2, 3, 3), complex)):
        assert as_images(other) is None


def test_large_images_are_averaged_and_only_the_first_are_drawn() -> None:
    images = np.zeros((30, 60, 60))
    images[:, :30] = 1
    lines = draw_panel({"x": images}, {"x": "image"}, 100, unicode=True)
    assert lines[0] == "x: the first 8 of 30 images"
    assert lines[1] == "  ".join(["█" * 40] * 2)
    assert len(lines) == 1 + 4 * 20 + 3
    assert max(map(len, lines)) <= 100


def test_constant_empty_and_odd_images_do_no_harm() -> None:
    for shape in ((1, 2, 2), (0, 2, 2), (1, 41, 43), (1, 1, 300)):
        for line in draw_panel({"x": np.zeros(shape)}, {"x": "image"}, 80, unicode=False):
            assert len(line) <= 80
    assert draw_panel({"x": np.full((1, 1, 2), np.nan)}, {"x": "image"}, 80, unicode=False) == ["x: 1 image", ""]


def test_a_narrow_terminal_draws_images_below_each_other() -> None:
    lines = draw_panel({"x": np.ones((2, 1, 1)) * [[[0]], [[1]]]}, {"x": "image"}, 3, unicode=False)
    assert lines == ["x: 2 images", "", "", "@@"]


def test_labels_that_are_not_one_for_each_image_are_left_out() -> None:
    arrays = {"x": np.ones((2, 1, 1)), "a": np.array([1, 2, 3]), "b": np.array([4, 5])}
    lines = draw_panel(arrays, {"x": "image", "a": "label", "b": "label"}, 80, unicode=False)
    assert lines[-1] == "b 4  b 5"


def test_errors_become_one_line() -> None:
    assert one_line(BindingError("a\nb", source="m.py:1 in f", fix="c")) == "a b at m.py:1 in f: c"
    assert one_line(FormatError("it ends", code="truncated", where="byte 3")) == "[truncated] it ends (byte 3)"


def test_a_file_may_have_a_colon_in_its_name() -> None:
    assert [str(part) for part in split_entry("a/b.msgpack:main")] == ["a/b.msgpack", "main"]
    assert [str(part) for part in split_entry("a/b.msgpack")] == ["a/b.msgpack", "None"]
    assert split_entry(__file__) == (split_entry(__file__)[0], None)


def test_a_hidden_progress_bar_writes_nothing() -> None:
    stream = io.StringIO()
    with Progress(10, stream, shown=False) as progress:
        for step in range(1, 11):
            progress.update(step)
    assert stream.getvalue() == ""


def test_durations_read_well() -> None:
    assert [duration(seconds) for seconds in (0, 59.94, 59.96, 60, 3599.7, 3600)] == [
        "0.0 s", "59.9 s", "60.0 s", "1:00", "1:00:00", "1:00:00",
    ]  # fmt: skip
