"""What a program refuses when it is put together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax

GRAPH = rax.trace(lambda params, x: x @ params["weight"], {"weight": rax.spec((2,))}, rax.spec(("n", 2)))
WEIGHT = np.ones(2, np.float32)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"defaults": {"params": {"weigth": WEIGHT}}},
            "no entry takes the default 'params.weigth'\n  fix: did you mean 'params.weight'?",
        ),
        (
            {"defaults": {"rate": 1.0}},
            "no entry takes the default 'rate'\n  fix: leave it out, or give the entry that takes it",
        ),
        (
            {"main": GRAPH},
            'main is the name of an entry, not a graph\n  fix: for an entry "main": Program({"main": graph})',
        ),
        ({"main": "learn"}, "the program has no entry 'learn'\n  fix: it has predict"),
    ],
)
def test_what_fits_nowhere_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(rax.RaxError) as caught:
        rax.Program(predict=GRAPH, **given)
    assert str(caught.value).split("\n  at:")[0] == text


def test_a_default_is_for_any_entry_that_takes_it() -> None:
    program = rax.Program(
        predict=GRAPH, slope=rax.trace(lambda x: x, rax.spec(2)), defaults={"params": {"weight": WEIGHT}}
    )
    assert list(program.defaults) == ["params.weight"]


def test_a_derivative_is_of_an_entry() -> None:
    with pytest.raises(TypeError) as caught:
        rax.grad(rax.Program(predict=GRAPH))  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert (
        str(caught.value) == "grad takes a function or a rax.Graph, not Program: take an entry, as in program['loss']"
    )
