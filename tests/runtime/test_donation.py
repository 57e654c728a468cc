"""Donated arguments: what is written over them, what never is, and how much memory that saves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.errors import RaxError
from rax.ir.tree import flatten
from rax.ops.arrays import Array
from rax.runtime.executable import Executable, compile


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def step(w: Any, x: Any, rate: Any) -> Any:
    def loss(w: Any) -> Any:
        return rnp.mean(rnp.square(nn.relu(x @ w["a"] + w["b"]) @ w["c"]))

    value, slopes = rax.value_and_grad(loss)(w)
    return value, {name: w[name] - slopes[name] * rate for name in w}


def weights(width: int = 60) -> dict[str, Array]:
    return {"a": normal(40, width), "b": normal(width), "c": normal(width, 10)}


def compiled(donate: Any, width: int = 60) -> Executable:
    graph = rax.trace(step, weights(width), rax.spec((50, 40)), rax.spec(()))
    return compile(graph, donate=donate)


X, RATE = normal(50, 40, seed=1), np.float32(0.1)


@pytest.mark.parametrize("width", [60, 30_000])
@pytest.mark.parametrize("donate", ["w", 0, [-3], ("w.a", "w.b", "w.c")])
def test_new_parameters_lie_where_the_old_ones_did(donate: Any, width: int) -> None:
    exe = compiled(donate, width)
    assert exe.donated == (0, 1, 2)
    given, before = weights(width), weights(width)
    value, new = exe(given, X, RATE)
    due, expected = compiled((), width)(before, X, RATE)
    np.testing.assert_array_equal(value, due)
    for name, array in new.items():
        assert array is given[name]
        np.testing.assert_array_equal(array, expected[name])
    for name, array in weights(width).items():
        np.testing.assert_array_equal(before[name], array)


def test_the_plan_holds_less_by_what_is_donated() -> None:
    plain, saving = compiled((), 1500).plan, compiled("w", 1500).plan
    assert saving.peak_bytes < plain.peak_bytes
    assert any(step.over in saving.inputs for step in saving.steps)
    assert not any(step.over in plain.inputs for step in plain.steps if step.over is not None)


SPOILT: dict[str, Callable[[Array], Array]] = {
    "read-only": lambda a: _read_only(a.copy()),
    "Fortran": np.asfortranarray,
    "every second": lambda a: np.repeat(a, 2, axis=0)[::2],
    "stretched": lambda a: np.broadcast_to(a[:1], a.shape),
}


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("name", SPOILT)
def test_what_cannot_be_written_over_is_left_alone(name: str) -> None:
    given = {key: SPOILT[name](array) if array.ndim == 2 else array for key, array in weights().items()}
    kept = {key: array.copy() for key, array in given.items()}
    _, due = compiled(())(kept, X, RATE)
    _, new = compiled("w")(given, X, RATE)
    for key, array in new.items():
        np.testing.assert_array_equal(array, due[key])
        assert array.flags.writeable
        if given[key].ndim == 2:
            np.testing.assert_array_equal(given[key], kept[key])
            assert not np.shares_memory(array, given[key])


OVERLAPS: dict[str, Callable[[Array], tuple[Any, Any]]] = {
    "one array twice": lambda a: (a[:30], a[:30]),
    "one object twice": lambda a: (a, a),
    "a view of the other": lambda a: (a, a[::-1]),
    "parts that overlap": lambda a: (a[:30], a[10:40]),
    "parts side by side": lambda a: (a[:20], a[20:]),
}


@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("donate", ["x", "y", ("x", "y")])
def test_arguments_that_overlap_are_not_mixed_up(name: str, donate: Any) -> None:
    x, y = OVERLAPS[name](normal(40, 30))
    graph = rax.trace(lambda x, y: (rnp.exp(x) + rnp.sum(y), x * 2.0 + rnp.sum(y), y - rnp.sum(x)), x, y)
    due = compile(graph)(x.copy(), y.copy())
    found = compile(graph, donate=donate)(x, y)
    for index, (one, right) in enumerate(zip(found, due, strict=True)):
        np.testing.assert_array_equal(one, right)
        assert not any(np.shares_memory(one, later) for later in found[index + 1 :])


def test_results_of_donated_arguments_share_no_memory_with_each_other() -> None:
    graph = rax.trace(lambda x: (x, x, x.T, x[1:], x + 1, x[0]), rax.spec((4, 4)))
    x = normal(4, 4)
    due = flatten(compile(graph)(x.copy()))[0]
    found = flatten(compile(graph, donate=0)(x))[0]
    for index, (one, right) in enumerate(zip(found, due, strict=True)):
        np.testing.assert_array_equal(one, right)
        assert not any(np.shares_memory(one, later) for later in found[index + 1 :])


def test_loops_and_steps_of_symbolic_sizes_donate_too() -> None:
    graph = rax.trace(
        lambda c, x: rax.scan(lambda c, r: (rnp.tanh(c + r), c), c * 2.0, x), rax.spec(("n",)), rax.spec((5, "n"))
    )
    for size in (0, 1, 7):
        c, x = normal(size), normal(5, size)
        for one, right in zip(compile(graph, donate=(0, 1))(c.copy(), x.copy()), compile(graph)(c, x), strict=True):
            np.testing.assert_array_equal(one, right)


def test_jit_donates() -> None:
    train = rax.jit(step, donate="w")
    given = weights()
    _, new = train(given, X, RATE)
    assert all(new[name] is given[name] for name in given)


@pytest.mark.parametrize("donate", ["v", 3, -4, True, "w.d", ["w", "v"]])
def test_what_is_no_argument_cannot_be_donated(donate: Any) -> None:
    with pytest.raises(RaxError, match=r"there is no argument .* to donate"):
        compiled(donate)


def test_a_profile_leaves_arguments_as_they_are() -> None:
    given = weights()
    compiled("w").profile(given, X, RATE, runs=2)
    for name, array in weights().items():
        np.testing.assert_array_equal(given[name], array)


def overwritten(exe: Executable) -> list[int]:
    """The donated inputs in whose memory an output lies."""
    return [value for value in exe.plan.inputs if value in {exe.plan.buffers[out] for out in exe.plan.outputs}]


def test_what_is_read_again_is_written_over_by_the_last_that_reads_it() -> None:
    """Whatever the order in which a function says what it does."""
    w, x = normal(300, 300), normal(300, 300, seed=2)

    def early(w: rax.Tensor, x: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor, rax.Tensor]:
        new = w - 0.1 * rnp.sin(x)
        return new, rnp.exp(x @ w), rnp.sum(w.T * x)

    exe = compile(rax.trace(early, w, x), donate=["w"])
    assert overwritten(exe) == [exe.plan.inputs[0]]
    due = w - np.float32(0.1) * np.sin(x), np.exp(x @ w), np.sum(w.T * x, dtype=np.float64)
    given = w.copy()
    found: tuple[Array, ...] = exe(given, x)
    assert found[0] is given
    for one, other in zip(found, due, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("side", [3, 300])
def test_of_two_that_become_each_other_one_at_least_is_written_over(side: int) -> None:
    a, b = normal(side, side), normal(side, side, seed=2)

    def both(a: rax.Tensor, b: rax.Tensor) -> tuple[rax.Tensor, rax.Tensor]:
        return a - rnp.sin(b), b - rnp.cos(a)

    exe = compile(rax.trace(both, a, b), donate=["a", "b"])
    assert overwritten(exe)
    due = a - np.sin(b), b - np.cos(a)
    found: tuple[Array, Array] = exe(a.copy(), b.copy())
    for one, other in zip(found, due, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(30))
def test_random_sums_of_products_whatever_is_donated(seed: int) -> None:
    rng = np.random.default_rng(seed)
    side = 190
    given = [normal(side, side, seed=seed + place) / np.float32(side**0.5) for place in range(4)]
    steps = [(int(rng.integers(6)), *rng.integers(1 << 16, size=2).tolist(), float(rng.normal())) for _ in range(12)]
    ends = rng.integers(1 << 16, size=3).tolist()

    def program(*values: Any) -> tuple[Any, ...]:
        known: list[Any] = [*values]
        for kind, one, other, factor in steps:
            x, y = known[one % len(known)], known[other % len(known)]
            match kind:
                case 0:
                    known.append(x @ y)
                case 1:
                    known.append(x - y @ known[0])
                case 2:
                    known.append(x.T @ y + known[1])
                case 3:
                    known.append(x - factor * (y.T @ x))
                case 4:
                    known.append(x * factor + y)
                case _:
                    known.append(x.T)
        return tuple(known[-1 - end % 8] for end in ends)

    due = program(*[each.astype(np.float64) for each in given])
    donated = np.flatnonzero(rng.random(4) < 0.7).tolist()
    exe = compile(rax.trace(program, *given), donate=donated)
    copies = [each.copy() for each in given]
    found: tuple[Array, ...] = exe(*copies)
    for one, other in zip(found, due, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.max(np.abs(other)) + 1e-6)
    for place in set(range(4)) - set(donated):
        np.testing.assert_array_equal(copies[place], given[place])


def turned(w: rax.Tensor, x: rax.Tensor) -> rax.Tensor:
    result = w + 0
    result[rnp.arange(x.shape[0] - 1, -1, -1)] = w
    return result


@pytest.mark.parametrize("side", [200, 900])
def test_an_operand_that_is_read_in_another_place_too_is_not_written_over(side: int) -> None:
    w, x = normal(side, side), normal(side, side, seed=2)
    wide, other = w.astype(np.float64), x.astype(np.float64)
    functions: list[tuple[Callable[..., Any], Array]] = [
        (lambda w, x: w - w @ x, wide - wide @ other),
        (lambda w, x: w - x @ w, wide - other @ wide),
        (lambda w, x: w - w.T @ w, wide - wide.T @ wide),
        (turned, w[::-1]),
    ]
    for function, due in functions:
        exe = compile(rax.trace(function, w, x), donate=["w"])
        np.testing.assert_allclose(exe(w.copy(), x), due, rtol=1e-4, atol=1e-3 * side**0.5)
