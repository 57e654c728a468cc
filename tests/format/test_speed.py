"""Budgets of time: marked slow, as they need a machine that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rax.format.files import load, save
from tests.format.build import chain


def seconds(work: Callable[[], object]) -> float:
    """The least processor time of several runs."""
    times: list[float] = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.slow
def test_ten_thousand_nodes_save_and_load_quickly(tmp_path: Path) -> None:
    graph = chain(10_000)
    assert seconds(lambda: save(graph, tmp_path / "file")) < 0.15
    assert seconds(lambda: load(tmp_path / "file")) < 0.25
