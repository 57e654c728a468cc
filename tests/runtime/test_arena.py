"""Arenas: places of buffers, what calls share and what they never do, and how much lies idle."""

from __future__ import annotations

import gc
import itertools
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.errors import ExecutionError
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.op import Op
from rax.ir.tree import flatten, unflatten
from rax.ops.algebra import broadcast_to
from rax.ops.arrays import Array
from rax.runtime.arena import ALIGNMENT, Life, aligned, place
from rax.runtime.backends.numpy import instances
from rax.runtime.backends.numpy.instances import free_idle
from rax.runtime.executable import KEPT_PROGRAMS, compile
from tests.ops import laws


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize("seed", range(30))
def test_buffers_alive_at_once_lie_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.choice([5, 50, 1500]))
    births = rng.integers(0, count, count)
    lives: list[Life] = [
        (int(size), int(birth), int(birth + length))
        for size, birth, length in zip(rng.integers(0, 1000, count), births, rng.integers(0, 9, count), strict=True)
    ]
    offsets, total = place(lives)
    assert all(offset % ALIGNMENT == 0 for offset in offsets)
    assert max(offset + aligned(size) for offset, (size, *_) in zip(offsets, lives, strict=True)) == total
    for step in range(count + 9):
        alive = [index for index, (_, birth, death) in enumerate(lives) if birth <= step <= death]
        rows = sorted((offsets[index], offsets[index] + aligned(lives[index][0])) for index in alive if lives[index][0])
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(rows))


def test_an_arena_is_little_longer_than_what_is_alive_at_once() -> None:
    rng = np.random.default_rng(0)
    found: list[float] = []
    for _ in range(20):
        sizes, births, lengths = (rng.integers(1, most, 200) for most in (99, 200, 50))
        lives: list[Life] = [
            (64 * int(size), int(birth), int(birth + length))
            for size, birth, length in zip(sizes, births, lengths, strict=True)
        ]
        most = max(sum(size for size, birth, death in lives if birth <= step <= death) for step in range(250))
        found.append(place(lives)[1] / most)
    assert np.mean(found) < 1.07


CASES = laws.cases((*laws.WIDEST, "bfloat16"))
CLASSES: list[type[Op]] = sorted({case.cls for case in CASES}, key=lambda cls: cls.name)


@pytest.mark.parametrize("cls", CLASSES, ids=[cls.name for cls in CLASSES])
def test_results_stay_as_they_are_when_the_arena_is_used_again(cls: type[Op]) -> None:
    """Of an operation whose results lie in the arena: an output shows them twice, and so is a copy."""
    for case in [case for case in CASES if case.cls is cls]:
        inputs = [new_input(f"operand{index}", type) for index, type in enumerate(case.types)]
        results = case.op.results(*inputs)
        graph = Graph(inputs, [*results, *[broadcast_to(value, (2, *value.shape)) for value in results]])
        exe = compile(graph)
        alone = [compile(Graph(inputs, results)).run(case.arrays(seed)) for seed in (0, 1)]
        first = exe.run(case.arrays(0))
        kept = [array.copy() for array in first]
        second = exe.run(case.arrays(1))
        for found, due in ((first, alone[0]), (second, alone[1])):
            for index, right in enumerate(due):
                np.testing.assert_array_equal(found[index], right, err_msg=str(case))
                for row in found[len(due) + index]:
                    np.testing.assert_array_equal(row, right, err_msg=str(case))
        for one, before in zip(first, kept, strict=True):
            np.testing.assert_array_equal(one, before, err_msg=str(case))
            assert not any(np.shares_memory(one, other) for other in second)


def loss(w: Any, x: Any) -> Any:
    hidden = nn.layer_norm(nn.gelu(x @ w["a"] + w["b"]), w["scale"], w["b"])
    return rnp.mean(rnp.square(nn.softmax(hidden @ w["c"]) - 0.1))


def recurrent(w: Any, x: Any) -> Any:
    def turn(h: Any, row: Any) -> Any:
        h = rnp.tanh(h @ w["a"] + row)
        return h, (rnp.sum(h), row)

    last, (sums, rows) = rax.scan(turn, x[0] * 0, x)
    return rnp.sum(last) + rnp.sum(sums) + rnp.sum(rows * rows)


def collatz(x: Any) -> Any:
    return rax.while_loop(lambda c: rnp.sum(c[0]) > 1.0, lambda c: (c[1] * 0.5, c[0], c[2] + 1), (x, x + 1, 0))


WEIGHTS = {"a": normal(80, 80) / 9, "b": normal(80), "scale": normal(80), "c": normal(80, 30)}
MODELS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "a training step": (rax.value_and_grad(loss), (WEIGHTS, normal(300, 80))),
    "a recurrence": (rax.value_and_grad(recurrent), (WEIGHTS, normal(30, 80))),
    "a loop": (collatz, (np.abs(normal(200, 80)),)),
    "a choice": (
        lambda x: rax.cond(rnp.sum(x) > 0, lambda x: (rnp.exp(x) @ x, x), lambda x: (x, rnp.exp(x)), x),
        (normal(80, 80),),
    ),
    "convolutions": (
        rax.grad(lambda w, x: rnp.sum(nn.max_pool(nn.relu(nn.conv(x, w)), 2) ** 2)),
        (normal(8, 3, 3, 3), normal(4, 3, 16, 16)),
    ),
    "an embedding": (
        rax.grad(lambda w: rnp.sum(rnp.tanh(w[np.arange(400) * 7 % 300 - 150]) ** 2)), (normal(300, 80),),
    ),
}  # fmt: skip


def other(arguments: tuple[Any, ...], seed: int) -> tuple[Any, ...]:
    leaves, tree = flatten([*arguments])
    return tuple(unflatten(tree, [leaf + np.float32(seed * 0.01) for leaf in leaves]))


@pytest.mark.parametrize("name", MODELS)
def test_calls_share_an_arena_one_after_another_and_not_at_once(name: str) -> None:
    function, arguments = MODELS[name]
    exe = compile(rax.trace(function, *arguments))
    inputs = [other(arguments, seed) for seed in range(4)]
    due = [flatten(compile(exe.graph, "reference")(*each))[0] for each in inputs]
    found: list[list[tuple[int, Any]]] = [[] for _ in range(4)]

    def run(thread: int) -> None:
        for turn in range(8):
            place = (turn + thread) % 4
            found[thread].append((place, exe(*inputs[place])))

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen: list[Array] = []
    for number, results in itertools.chain(*found):
        leaves = flatten(results)[0]
        for one, right in zip(leaves, due[number], strict=True):
            np.testing.assert_allclose(one, right, rtol=1e-3, atol=1e-4 * (1 + float(np.max(np.abs(right)))))
        seen += leaves
    assert len(seen) == 32 * len(due[0])


@pytest.mark.parametrize("name", ["a recurrence", "a loop", "a choice"])
def test_the_measured_peak_is_the_planned_one(name: str) -> None:
    function, arguments = MODELS[name]
    exe = compile(rax.trace(function, *arguments))
    exe(*arguments)
    free_idle()
    tracemalloc.start()
    exe(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    scratch = sum([step.scratch.__index__() for step in exe.plan.steps])  # of threads that may come late
    objects = 60_000 + 400 * len(exe.plan.steps)  # the interpreter's, of an instance that is made
    assert 0.95 * (exe.plan.peak_bytes - scratch) - objects <= peak <= 1.05 * exe.plan.peak_bytes + objects


def test_what_is_idle_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    free_idle()
    monkeypatch.setattr(instances, "IDLE_BYTES", 3_000_000)
    exes = [
        compile(rax.trace(lambda x, k=k: rnp.sum(rnp.flip(rnp.exp(x)) * rnp.cos(x) * (k + 1.5)), rax.spec((400, 300))))
        for k in range(6)
    ]
    x = normal(400, 300)
    for exe in (*exes, exes[4]):
        exe(x)
        assert instances.idle_bytes() <= 3_000_000
    needed = exes[0].plan.arena.nbytes  # pyright: ignore[reportOptionalMemberAccess]
    assert instances.idle_bytes() == 3_000_000 // needed * needed
    free_idle()
    assert instances.idle_bytes() == 0


def test_arguments_are_not_kept_alive_and_an_arena_dies_with_its_plan() -> None:
    free_idle()
    exe = compile(rax.trace(lambda x: rnp.sum(rnp.flip(rnp.exp(x)) * rnp.cos(x)), rax.spec((1500, 1000))))
    x = normal(1500, 1000)
    tracemalloc.start()
    exe(x)
    died = weakref.ref(x)
    del x
    gc.collect()
    assert died() is None
    arena = exe.plan.arena.nbytes  # pyright: ignore[reportOptionalMemberAccess]
    before, _ = tracemalloc.get_traced_memory()
    assert before > arena > 5_000_000
    del exe
    for k in range(KEPT_PROGRAMS):  # until no table has it
        compile(rax.trace(lambda x, k=k: x + k, rax.spec(())))
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after < before - arena / 2


def test_what_is_idle_is_bounded_among_threads_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four threads call eight plans, so that arenas are taken, given and freed for others all the time."""
    free_idle()
    exes = [
        compile(rax.trace(lambda x, k=k: rnp.sum(rnp.flip(rnp.exp(x)) * (rnp.cos(x) + k)), rax.spec((90 + 7 * k, 300))))
        for k in range(8)
    ]
    arguments = [normal(90 + 7 * k, 300) for k in range(8)]
    due = [exe(x) for exe, x in zip(exes, arguments, strict=True)]
    needed = [exe.plan.arena.nbytes for exe in exes]  # pyright: ignore[reportOptionalMemberAccess]
    limit = sum(needed) // 3
    monkeypatch.setattr(instances, "IDLE_BYTES", limit)
    free_idle()
    tracemalloc.start()
    wrong: list[str] = []

    def run(seed: int) -> None:
        for k in np.random.default_rng(seed).integers(0, 8, 200):
            if exes[k](arguments[k]) != due[k]:
                wrong.append(f"the result of {k}")
            if instances.idle_bytes() > limit:
                wrong.append(f"{instances.idle_bytes()} bytes are idle")

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    held, idle = tracemalloc.get_traced_memory()[0], instances.idle_bytes()
    free_idle()
    freed = held - tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert min(needed) <= idle <= limit
    assert idle <= freed <= 1.02 * idle + 50_000  # with the views
    assert instances.idle_bytes() == 0


def test_an_arena_is_used_again_after_a_failure() -> None:
    def lookup(x: Any, index: Any) -> Any:
        return rnp.sum(rnp.exp(x)[index] * 2.0) + rnp.sum(rnp.exp(x) * x)

    exe = compile(rax.trace(lookup, rax.spec((300, 200)), rax.spec((400,), "int64")))
    x = normal(300, 200)
    good, bad = np.arange(400) % 300, np.full(400, 300)
    before = exe(x, good)
    free_idle()
    for _ in range(3):
        with pytest.raises(ExecutionError, match="gather failed: index 300 is out of bounds"):
            exe(x, bad)
    held = instances.idle_bytes()
    np.testing.assert_array_equal(exe(x, good), before)
    assert instances.idle_bytes() == held > 0
