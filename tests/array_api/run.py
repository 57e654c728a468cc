"""Runs the array API standard's test suite against ``rax.numpy``, and compares with what is due.

``python -m tests.array_api.run CHECKOUT`` runs the suite in a checkout of data-apis/array-api-tests
whose requirements are installed. Every test must pass, but those that ``suite_errors.txt`` lists;
and those must fail, or the list is out of date.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
SUITE_ERRORS = Path(__file__).with_name("suite_errors.txt")


@dataclass
class Outcomes:
    """What became of each test.

    Attributes:
        passed: the ids of those that passed.
        failed: the ids of those that failed, each with the first line of why.
        skipped: the ids of those that were skipped, each with the reason.
    """

    passed: set[str] = field(default_factory=set[str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    skipped: dict[str, str] = field(default_factory=dict[str, str])

    def figures(self) -> str:
        """How many passed, failed and were skipped."""
        return f"{len(self.passed)} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def read_report(report: str) -> Outcomes:
    """The outcomes in a report of pytest's, in JUnit's XML.

    Raises:
        ValueError: there is no test in it.
    """
    outcomes = Outcomes()
    for case in ET.fromstring(report).iter("testcase"):
        test = id_of(case.attrib)
        skip = case.find("skipped")
        failures = [found for kind in ("failure", "error") if (found := case.find(kind)) is not None]
        if failures:
            outcomes.passed.discard(test)
            outcomes.failed[test] = (failures[0].get("message") or "").partition("\n")[0]
        elif skip is not None:
            outcomes.skipped[test] = skip.get("message") or ""
        elif test not in outcomes.failed:
            outcomes.passed.add(test)
    if not (outcomes.passed or outcomes.failed or outcomes.skipped):
        raise ValueError("the report holds no test")
    return outcomes


def id_of(case: Mapping[str, str]) -> str:
    """A test's id as pytest prints it, from the attributes of its case."""
    file = case.get("file", "")
    module = file.removesuffix(".py").replace("/", ".")
    classes = case.get("classname", "").removeprefix(module).strip(".").split(".")
    return "::".join(part for part in (file, *classes, case.get("name", "")) if part)


def read_suite_errors(text: str) -> dict[str, str]:
    """The tests that are in error themselves, each with its reason.

    An id stands on a line of its own, its reason on the indented lines after it; ``#`` begins a comment.

    Raises:
        ValueError: an id has no reason, a reason no id, or an id stands there twice.
    """
    reasons: dict[str, str] = {}
    test = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            test = line.strip()
            if test in reasons:
                raise ValueError(f"line {number}: {test} is listed twice")
            reasons[test] = ""
        elif test:
            reasons[test] = f"{reasons[test]} {line.strip()}".strip()
        else:
            raise ValueError(f"line {number}: a reason stands before the first test")
    for test, reason in reasons.items():
        if not reason:
            raise ValueError(f"{test} is listed without a reason")
    return reasons


def compare(outcomes: Outcomes, listed: Mapping[str, str]) -> list[str]:
    """What is not as it is due, one line each: failures that are not listed, listed tests that do not fail."""
    wrong = [f"failed: {test}: {why}" for test, why in sorted(outcomes.failed.items()) if test not in listed]
    ran = outcomes.passed | outcomes.skipped.keys()
    return wrong + [
        f"listed as an error of the suite, but does not fail: {test}" for test in sorted(listed) if test in ran
    ]


def run_suite(checkout: Path, version: str, options: Sequence[str]) -> str:
    """Run the suite; the report.

    Raises:
        RuntimeError: pytest could not begin, or broke off.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        environment = os.environ | {
            "ARRAY_API_TESTS_MODULE": "rax.numpy",
            "ARRAY_API_TESTS_VERSION": version,
            "HYPOTHESIS_STORAGE_DIRECTORY": folder,
            "PYTHONPATH": str(ROOT),
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "-q",
            "--tb=short",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.array_api.unskip",
        ]
        command += [f"--junit-xml={report}", "-o", "junit_family=xunit1"]
        status = subprocess.run(command, cwd=checkout, env=environment, check=False).returncode
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise RuntimeError(f"pytest ended with status {status}; are the suite's requirements installed?")
        return report.read_text(encoding="utf-8")


def commit(checkout: Path) -> str:
    """The commit of a checkout; ``"unknown"`` if it has none."""
    command = ["git", "-C", str(checkout), "log", "-1", "--format=%h of %cs"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, compare, print; 1 if something is not as it is due."""
    parser = argparse.ArgumentParser(prog="python -m tests.array_api.run", description=__doc__)
    parser.add_argument("checkout", type=Path, help="a checkout of data-apis/array-api-tests, with its submodule")
    parser.add_argument("tests", nargs="*", default=["array_api_tests"], help="files or ids within it; all if none")
    parser.add_argument("--examples", type=int, default=20, help="how many examples each test draws")
    parser.add_argument("--version", default="2025.12", help="the version of the standard")
    parser.add_argument("--seed", type=int, default=0, help="of the examples")
    parser.add_argument("--workers", default="auto", help="how many processes")
    chosen = parser.parse_args(arguments)
    options = [*chosen.tests, "-n", chosen.workers, f"--max-examples={chosen.examples}", "--disable-deadline"]
    report = run_suite(chosen.checkout, chosen.version, [*options, f"--hypothesis-seed={chosen.seed}"])
    outcomes = read_report(report)
    wrong = compare(outcomes, read_suite_errors(SUITE_ERRORS.read_text(encoding="utf-8")))
    today = dt.datetime.now(dt.UTC).date()
    print(f"\narray API {chosen.version}, {chosen.examples} examples a test, {today}, suite {commit(chosen.checkout)}:")
    print(outcomes.figures())
    for reason, count in collections.Counter(outcomes.skipped.values()).most_common():
        print(f"skipped {count}: {reason}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
