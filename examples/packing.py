"""From a program and what training found: a program that runs by itself and proves itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rax
from rax.ir.node import Literal
from rax.ir.tree import flatten
from rax.ops.arrays import literal
from rax.runtime.entry import Entry


def defaults(program: rax.Program, state: Mapping[str, Any]) -> dict[str, Literal]:
    """Parameters and optimiser state by the names of the inputs of ``train_step``."""
    arrays = flatten((state["params"], state["opt_state"]))[0]
    return {name: literal(array) for name, array in zip(program["train_step"].input_names, arrays, strict=False)}


def packed(
    program: rax.Program,
    state: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]],
    display: Mapping[str, str],
) -> rax.Program:
    """The program with trained values as its defaults, and for each entry an example.

    Args:
        program: the entries.
        state: ``params`` and ``opt_state``.
        inputs: for each entry the inputs of its example, by name. What it gives for them now becomes
            the expected output; parameters and state, which would double the file, are left out.
        display: how to show inputs and outputs, by name.
    """
    trained = program.replace(defaults=defaults(program, state))
    examples: dict[str, rax.Example] = {}
    for name, given in inputs.items():
        outputs = Entry(trained, name).run(given)
        kept = {key: value for key, value in outputs.items() if not key.startswith(("params.", "opt_state."))}
        shown = {key: how for key, how in display.items() if key in given or key in kept}
        examples[name] = rax.Example(
            {key: literal(value) for key, value in given.items()},
            {key: literal(value) for key, value in kept.items()},
            shown,
        )
    return trained.replace(examples=examples)
