"""From a program and what training found: a program that runs by itself and proves itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rax
from rax.runtime.entry import Entry


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
    trained = program.replace(defaults={key: state[key] for key in ("params", "opt_state")})
    examples: dict[str, rax.Example] = {}
    for name, given in inputs.items():
        outputs = Entry(trained, name).run(given)
        kept = {key: value for key, value in outputs.items() if not key.startswith(("params.", "opt_state."))}
        shown = {key: how for key, how in display.items() if key in given or key in kept}
        examples[name] = rax.Example(given, kept, shown)
    return trained.replace(examples=examples)
