"""A chain of 100,000 nodes goes through everything: nothing recurses on the depth of a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
from rax.ir.op import REGISTRY
from rax.ir.text.graph_parser import parse_graph
from rax.ir.verify import verify

LENGTH = 50_000


def chain(x: Any) -> Any:
    for _ in range(LENGTH):
        x = x * 1.00001 + 1e-7
    return x


@pytest.fixture(scope="module")
def graph() -> rax.Graph:
    return rax.trace(rax.value_and_grad(chain), rax.spec((), "float64"))


def expected(x: float) -> tuple[float, float]:
    for _ in range(LENGTH):
        x = x * 1.00001 + 1e-7
    return x, 1.00001**LENGTH


def test_it_traces_and_differentiates(graph: rax.Graph) -> None:
    assert len(graph.nodes) >= 2 * LENGTH + 1
    verify(graph)


def test_it_runs(graph: rax.Graph) -> None:
    np.testing.assert_allclose(graph(np.array(1.0)), expected(1.0), rtol=1e-9)


def test_it_prints_and_parses_back(graph: rax.Graph) -> None:
    assert parse_graph(str(graph), REGISTRY).digest == graph.digest


def test_it_saves_loads_and_differentiates_again(graph: rax.Graph, tmp_path: Path) -> None:
    rax.save(rax.trace(chain, rax.spec((), "float64")), tmp_path / "chain.msgpack")
    loaded = rax.load(tmp_path / "chain.msgpack")["main"]
    again = rax.value_and_grad(loaded)
    assert again.digest == graph.digest


def test_it_batches() -> None:
    wide = rax.vmap(rax.trace(chain, rax.spec((), "float64")), axis_size=2)
    np.testing.assert_allclose(wide(np.array([1.0, 1.0])), [expected(1.0)[0]] * 2, rtol=1e-12)
