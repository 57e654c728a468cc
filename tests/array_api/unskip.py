"""A pytest plugin for the suite: tests that it marks as skipped for being flaky run all the same."""

from __future__ import annotations

import pytest

FLAKY = "flaky"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take that mark off; those of tests that need another version or extension stay."""
    for item in items:
        item.own_markers = [mark for mark in item.own_markers if mark.kwargs.get("reason") != FLAKY]
