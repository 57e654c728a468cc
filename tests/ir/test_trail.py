"""Where nodes come from: the user's own line, the scopes around it, and which trace owns a node."""

from __future__ import annotations

import functools
import gc
import inspect
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rax.ir import trail
from rax.ir.node import Node, Value, apply, new_input
from rax.ir.trail import NOWHERE, Origin
from rax.ir.types import tensor_type
from tests.ir.simple import Simple

FILE = "test_trail.py"
ONE = tensor_type((2,))


def make(*values: Value, name: str = "made") -> Value:
    return apply(Simple(name, ONE), values)


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_a_node_knows_the_users_line() -> None:
    x = new_input("x", ONE)
    here = line() - 1
    assert trail.origin_of(x.node) == Origin((), f"{FILE}:{here} in test_a_node_knows_the_users_line")


def test_frames_of_the_package_are_passed_over() -> None:
    """``trail.scope`` and ``apply`` are frames of rax; between them and the user only the user counts."""
    with trail.scope("outer"), trail.scope("inner"):
        x = new_input("x", ONE)
        there = line() - 1
    assert trail.origin_of(x.node) == Origin(
        ("outer", "inner"), f"{FILE}:{there} in test_frames_of_the_package_are_passed_over"
    )
    assert trail.here().scope == ()


class Model:
    def __call__(self, x: Value) -> list[Value]:
        return [make(x, name=f"in comprehension {index}") for index in range(2)]

    def generate(self, x: Value) -> Iterator[Value]:
        return (make(x, name=f"in generator {index}") for index in range(2))


def called_from(value: Value) -> str:
    """The line that called ``make``, which stands in this file too."""
    return trail.origin_of(value.node).source


def test_methods_and_lambdas_have_their_names() -> None:
    x = new_input("x", ONE)

    @functools.lru_cache
    def outer() -> Origin:
        return trail.here()

    assert outer().source.endswith(" in outer")
    unnamed = lambda: trail.here()  # noqa: E731
    assert unnamed().source.endswith(" in <lambda>")
    listed = [trail.here() for _ in range(2)]
    assert listed[1].source.endswith(" in test_methods_and_lambdas_have_their_names")
    assert next(trail.here() for _ in range(1)).source.endswith(" in test_methods_and_lambdas_have_their_names")
    assert called_from(Model()(x)[0]).endswith(" in make")
    assert called_from(next(Model().generate(x))).endswith(" in make")


def test_a_module_is_called_a_module() -> None:
    found: dict[str, Origin] = {}
    code = "found['plain'] = here()\nfound['comprehension'] = [here() for _ in range(1)][0]"
    exec(compile(code, "/some/folder/script.py", "exec"), {"here": trail.here, "found": found})
    assert found == {
        "plain": Origin((), "script.py:1 in <module>"),
        "comprehension": Origin((), "script.py:2 in <module>"),
    }


def test_an_origin_reads_as_one_line() -> None:
    assert str(Origin(("a", "b"), "f.py:1 in g")) == "a/b f.py:1 in g"
    assert str(Origin((), "f.py:1 in g")) == "f.py:1 in g"
    assert str(NOWHERE) == ""


def test_scopes_end_when_an_error_leaves_them() -> None:
    with pytest.raises(ZeroDivisionError), trail.scope("broken"):
        raise ZeroDivisionError
    assert trail.here().scope == ()


def test_a_node_met_again_keeps_its_first_line_within_a_trace() -> None:
    x = new_input("x", ONE)
    with trail.recording() as recorder:
        first = make(x, name="shared")
        origin = recorder.table[first.node]
        again = make(x, name="shared")
        assert again == first
        assert recorder.table[first.node] is origin


def test_each_trace_sees_a_shared_node_at_its_own_line() -> None:
    x = new_input("x", ONE)
    with trail.recording() as one, trail.scope("one"):
        first = make(x, name="shared twice")
    with trail.recording() as two, trail.scope("two"):
        second = make(x, name="shared twice")
    assert first == second
    assert (one.table[first.node].scope, two.table[first.node].scope) == (("one",), ("two",))


def test_a_node_belongs_to_the_trace_that_made_it() -> None:
    with trail.recording() as outer:
        x = new_input("x", ONE)
        outside = make(x, name="outside")
        with trail.recording() as inner:
            inside = make(x, name="inside")
            again = make(x, name="outside")
            assert again == outside
            assert inner.owns(inside.node)
            assert not inner.owns(outside.node)
            assert trail.origin_of(outside.node) == outer.table[outside.node]
        assert outer.owns(outside.node)
        assert not outer.owns(inside.node)
        assert trail.recorder() is outer


def test_a_transform_pins_the_origin_of_the_node_it_works_on() -> None:
    x = new_input("x", ONE)
    pinned = Origin(("encoder",), "model.py:7 in f")
    with trail.pinning() as recorder:
        recorder.pinned = pinned
        made = make(x, name="from a transform")
        with trail.recording():
            assert trail.origin_of(make(x, name="in a trace below").node) == pinned
    assert trail.origin_of(made.node) == pinned
    assert trail.origin_of(make(x, name="after").node) != pinned


def test_outside_every_trace_the_trail_keeps_nothing_alive() -> None:
    x = new_input("x", ONE)
    value = make(x, name="short-lived")
    assert trail.origin_of(value.node) is not NOWHERE
    alive = weakref.ref(value.node)
    del value
    gc.collect()
    assert alive() is None
    assert trail.origin_of(Node(Simple("unseen", ONE), (x,), (ONE,))) is NOWHERE


def test_threads_pin_apart() -> None:
    with trail.pinning() as mine:
        mine.pinned = Origin(("main",))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: trail.recorder().pinned).result() is None
