"""Orders kept on disk: a plan from one is the plan that was made, and no entry can make another result."""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.runtime import orders
from rax.runtime.backends import find_backend
from rax.runtime.orders import Orders, can_run, user_folder
from rax.runtime.plan import Plan
from rax.runtime.planning import make_plan
from rax.runtime.store import Store

COUNT = 120


@pytest.fixture(autouse=True)
def kept_whatever_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LEAST_SECONDS", 0.0)


def sums(x: rax.Tensor) -> list[rax.Tensor]:
    """Large values, all made before any is read for the last time: there is a far better order."""
    large = [rnp.cumulative_sum(x * n, axis=0) for n in range(COUNT)]
    return [*[rnp.sum(each, axis=0) for each in large], *[rnp.sum(each, axis=1) for each in large]]


GRAPH = rax.trace(sums, rax.spec(("n", 50)))


def planned(store: Store | None, n: int = 700, graph: rax.Graph = GRAPH, name: str = "numpy") -> tuple[Plan, Orders]:
    backend, kept = find_backend("numpy"), Orders(name, store.folder if store else "")
    plan = make_plan(backend.prepare(graph), backend.takes, backend.writes, backend.fuses, backend.places, orders=kept)
    return plan.plan_for(n=n), kept


def results(plan: Plan) -> list[np.ndarray]:
    x = np.random.default_rng(0).standard_normal((700, 50)).astype(np.float32)
    return find_backend("numpy").build(plan)([x])


def same(left: Plan, right: Plan) -> bool:
    return str(left) == str(right) and left.peak_bytes == right.peak_bytes


def test_a_plan_from_an_order_is_the_one_that_was_made(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "cache"))
    without, _ = planned(None)
    first, missed = planned(store)
    second, hit = planned(store)
    assert [lookup.hit for lookup in (missed.lookups[-1], hit.lookups[-1])] == [False, True]
    assert missed.lookups[-1].why == "there is no entry; kept now"
    assert hit.lookups[-1].seconds == missed.lookups[-1].seconds > 0
    assert same(without, first)
    assert same(first, second)
    assert [one.tobytes() for one in results(first)] == [one.tobytes() for one in results(second)]


def test_sizes_graphs_and_backends_have_entries_of_their_own(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "cache"))
    planned(store)
    assert not planned(store, n=701)[1].lookups[-1].hit
    other = rax.trace(lambda x: sums(x + 1), rax.spec(("n", 50)))
    assert not planned(store, graph=other)[1].lookups[-1].hit
    assert not planned(store, name="reference")[1].lookups[-1].hit
    renamed = rax.trace(lambda y: sums(y), rax.spec(("n", 50)))
    assert planned(store, graph=renamed)[1].lookups[-1].hit  # what computes the same has the same digest
    assert len(list(Path(store.folder).iterdir())) == 4


def hostile(count: int) -> dict[str, list[int]]:
    order = list(range(count))
    shuffled = order.copy()
    random.Random(0).shuffle(shuffled)
    return {
        "backwards": order[::-1], "shuffled": shuffled, "twice": [0, *order[:-1]], "short": order[:-1],
        "long": [*order, count], "out of range": [*order[:-1], 2**32 - 1], "none": [],
    }  # fmt: skip


@pytest.mark.parametrize("name", hostile(3))
def test_an_order_in_which_steps_cannot_run_is_not_taken(tmp_path: Path, name: str) -> None:
    store = Store(str(tmp_path / "cache"))
    true, made = planned(store)
    lookup = made.lookups[-1]
    wrong = hostile(lookup.steps)[name]
    store.write(lookup.key, struct.pack(f"<d{len(wrong)}I", 1.0, *wrong))  # by who knows how entries are signed
    again, kept = planned(store)
    assert kept.lookups[-1].why == "the entry holds no order in which these steps can run; kept now"
    assert same(true, again)
    assert planned(store)[1].lookups[-1].hit


@pytest.mark.parametrize("data", [b"", b"abc", bytes(8), bytes(11), bytes(13)])
def test_data_of_another_form_is_no_order(tmp_path: Path, data: bytes) -> None:
    store = Store(str(tmp_path / "cache"))
    true, made = planned(store)
    store.write(made.lookups[-1].key, data)
    assert same(true, planned(store)[0])


def test_any_order_in_which_steps_can_run_gives_the_same_results(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "cache"))
    true, made = planned(store)
    lookup = made.lookups[-1]
    given = list(range(lookup.steps))  # that of the graph, which holds far more
    store.write(lookup.key, struct.pack(f"<d{len(given)}I", 1.0, *given))
    worse, kept = planned(store)
    assert kept.lookups[-1].hit
    assert worse.peak_bytes > true.peak_bytes  # and the plan says so
    assert [one.tobytes() for one in results(worse)] == [one.tobytes() for one in results(true)]


def test_a_small_plan_touches_no_disk(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "cache"))
    small = rax.trace(lambda x: rnp.sum(x * 2), rax.spec(("n", 50)))
    _, kept = planned(store, graph=small)
    assert kept.lookups[-1].why == "few steps are planned faster than an entry is read"
    assert not Path(store.folder).exists()


def test_what_is_found_fast_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LEAST_SECONDS", 100.0)
    store = Store(str(tmp_path / "cache"))
    assert planned(store)[1].lookups[-1].why == "there is no entry; not kept, as it is found fast"
    assert not Path(store.folder).exists()


def test_steps_run_once_and_after_what_they_read() -> None:
    steps = planned(None)[0].steps
    assert can_run(steps, range(len(steps)))
    assert not can_run(steps, range(len(steps) - 1))
    assert not can_run(steps, [*range(len(steps))][::-1])


def test_the_users_folder_is_that_for_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    if sys.platform == "darwin":
        assert user_folder() == "/home/someone/Library/Caches/rax"
        return
    assert user_folder() == "/home/someone/.cache/rax"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert user_folder() == "/caches/rax"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_folder() == "/home/someone/.cache/rax"
