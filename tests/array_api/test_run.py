"""The script that runs the array API suite, on a report and on a checkout made up here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.array_api import run

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="array_api_tests.test_fft" name="test_fft" file="array_api_tests/test_fft.py" />
<testcase classname="array_api_tests.test_sets.TestIsin" name="test_isin[a b]" file="array_api_tests/test_sets.py" />
<testcase classname="array_api_tests.test_sets" name="test_all" file="array_api_tests/test_sets.py">
  <failure message="AssertionError: 1 is not 2&#10;more">long text</failure></testcase>
<testcase classname="array_api_tests.test_sets" name="test_all" file="array_api_tests/test_sets.py" />
<testcase classname="array_api_tests.test_sets" name="test_new" file="array_api_tests/test_sets.py">
  <error message="fixture is missing" /></testcase>
<testcase classname="array_api_tests.test_linalg" name="test_qr" file="array_api_tests/test_linalg.py">
  <skipped message="linalg not found" /></testcase>
</testsuite></testsuites>
"""
ALL, NEW = "array_api_tests/test_sets.py::test_all", "array_api_tests/test_sets.py::test_new"
QR, ISIN = "array_api_tests/test_linalg.py::test_qr", "array_api_tests/test_sets.py::TestIsin::test_isin[a b]"


def test_a_report_is_read() -> None:
    outcomes = run.read_report(REPORT)
    assert outcomes.passed == {"array_api_tests/test_fft.py::test_fft", ISIN}
    assert outcomes.failed == {ALL: "AssertionError: 1 is not 2", NEW: "fixture is missing"}
    assert outcomes.skipped == {QR: "linalg not found"}
    assert outcomes.figures() == "2 passed, 2 failed, 1 skipped"
    with pytest.raises(ValueError, match="the report holds no test"):
        run.read_report("<testsuites><testsuite /></testsuites>")


def test_failures_are_compared_with_the_list() -> None:
    outcomes = run.read_report(REPORT)
    assert run.compare(outcomes, {ALL: "why", NEW: "why"}) == []
    assert run.compare(outcomes, {ALL: "why"}) == [f"failed: {NEW}: fixture is missing"]
    listed: dict[str, str] = dict.fromkeys(
        (ALL, NEW, ISIN, QR, "array_api_tests/test_sorting.py::test_of_another_run"), "why"
    )
    assert run.compare(outcomes, listed) == [
        f"listed as an error of the suite, but does not fail: {test}" for test in (QR, ISIN)
    ]


def test_the_list_is_read() -> None:
    text = "# a comment\n\na.py::test_one[x, y]\n  It is wrong:\n  see there.\nb.py::test_two\n  So is it.\n"
    assert run.read_suite_errors(text) == {
        "a.py::test_one[x, y]": "It is wrong: see there.",
        "b.py::test_two": "So is it.",
    }
    for wrong, why in (
        ("a.py::test_one\n", "a.py::test_one is listed without a reason"),
        ("  a reason\n", "line 1: a reason stands before the first test"),
        ("a\n  why\na\n  why\n", "line 3: a is listed twice"),
    ):
        with pytest.raises(ValueError, match=why):
            run.read_suite_errors(wrong)
    run.read_suite_errors(run.SUITE_ERRORS.read_text(encoding="utf-8"))


def test_a_checkout_is_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--max-examples', type=int)\n"
        "    parser.addoption('--disable-deadline', action='store_true')\n"
    )
    (tmp_path / "array_api_tests").mkdir()
    tests = tmp_path / "array_api_tests" / "test_it.py"
    tests.write_text(
        "import importlib, os, pytest\n\n"
        "@pytest.mark."
        "skip(reason='flaky')\n"
        "def test_module(request):\n"
        "    xp = importlib.import_module(os.environ['ARRAY_API_TESTS_MODULE'])\n"
        "    assert xp.__array_api_version__ == os.environ['ARRAY_API_TESTS_VERSION']\n"
        "    assert request.config.getoption('--max-examples') == 3\n"
    )
    arguments = [str(tmp_path), "--examples", "3", "--workers", "0"]
    assert run.main(arguments) == 0
    assert "1 passed, 0 failed, 0 skipped" in capfd.readouterr().out
    tests.write_text("def test_module():\n    assert 1 == 2\n")
    assert run.main(arguments) == 1
    assert "failed: array_api_tests/test_it.py::test_module: assert 1 == 2" in capfd.readouterr().out
    tests.write_text("def test_module(\n")
    with pytest.raises(RuntimeError, match="pytest ended with status 2"):
        run.main(arguments)
