"""What ``rax-run`` does: runs an entry, trains it, compares it, or says what the file holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from rax.cli.command import Command, split_entry
from rax.cli.inputs import read_inputs
from rax.cli.results import check_lines, result_lines, terminal_width
from rax.cli.streams import say, stream
from rax.format.files import Contents, load
from rax.ir.errors import RaxError
from rax.ir.late import late
from rax.ir.program import Program
from rax.ops.arrays import Array
from rax.runtime.entry import Entry, array_of
from rax.runtime.orders import keep_by_default

REPORTS = 10

_describe_file = late("rax.cli.info", "describe_file")
_draw_panel = late("rax.cli.pictures", "draw_panel")
_limit_memory = late("rax.cli.limits", "held_to")
_limit_time = late("rax.cli.limits", "stopped_after")
_cache_lines = late("rax.cli.cache", "cache_lines")
_progress = late("rax.cli.progress", "Progress")
_write_npz = late("rax.cli.archive", "write_npz")


def carry_out(command: Command, loaded: Callable[[], None], contents: Callable[[], Contents] | None = None) -> int:
    """Do what a command line asks for.

    Args:
        command: its words.
        loaded: called when the program is loaded and made ready, before it runs.
        contents: gives the file where it has been read ahead.

    Returns:
        The exit code: 0, or 1 if a check failed.

    Raises:
        RaxError: the command cannot be carried out.
        OSError: a file cannot be read or written.
    """
    path, name = split_entry(command.file)
    _refuse_what_excludes(command)
    keep_by_default()
    with _stopped_after(command.timeout):
        if command.info or command.check:
            return _info(path, name, command) if command.info else _check(path, name, command)
        with _held_to(command.max_memory):
            program = load(path) if contents is None else contents().program()
            entry = Entry(
                program, name, command.backend, memory=command.memory, max_memory=command.max_memory,
                in_place=command.steps is not None,
            )  # fmt: skip
        given = read_inputs(command.inputs, entry.graph)
        loaded()
        with _held_to(command.max_memory):
            profile = None
            if command.profile or command.profile_trace:
                profile = entry.profile(given)
                outputs: dict[str, Array] = profile.results
            elif command.steps is None:
                outputs = entry.run(given)
            else:
                outputs = _train(entry, given, command.steps, command)
    try:
        if command.steps is None:
            _show(entry, given, outputs)
        if profile is not None:
            say(f"\n{profile}")
        if command.explain_cache:
            say("\n".join(_cache_lines(command.backend)))
    finally:  # files are written wherever else the results could not be
        if profile is not None and command.profile_trace:
            profile.save_trace(command.profile_trace)
        if command.output:
            _write_npz(command.output, outputs)
    if command.steps is None and entry.example.outputs and not given:
        return _report_check(entry, outputs, "")
    return 0


def _stopped_after(seconds: float | None) -> AbstractContextManager[None]:
    return nullcontext() if seconds is None else _limit_time(seconds)


def _held_to(memory: int | None) -> AbstractContextManager[None]:
    return nullcontext() if memory is None else _limit_memory(memory)


def _info(path: str, name: str | None, command: Command) -> int:
    with _held_to(command.max_memory):
        lines = _describe_file(path, name)
    say("\n".join(lines))
    return 0


def _refuse_what_excludes(command: Command) -> None:
    """Options that would be ignored, and an output that cannot be written, before anything runs."""
    profiles = command.profile or command.profile_trace
    runs = command.inputs or command.output or command.steps is not None or profiles or command.explain_cache
    if command.info and (runs or command.check):
        raise RaxError("--info runs nothing", fix="leave out inputs, -o, --steps, --check and --profile")
    if command.check and runs:
        raise RaxError("--check runs on the file's own inputs", fix="leave out inputs, -o, --steps and --profile")
    if profiles and command.steps is not None:
        raise RaxError("--profile is of a run by itself", fix="leave out --steps")
    if command.output and not command.output.endswith(".npz"):
        what = f"cannot write {command.output}: the outputs are an archive of arrays"
        raise RaxError(what, fix=f"write -o {command.output}.npz")
    for written in filter(None, (command.profile_trace, command.output)):
        folder = os.path.dirname(written)
        if folder and not os.path.isdir(folder):
            raise RaxError(f"cannot write {written}: there is no folder {folder}")


def _check(path: str, name: str | None, command: Command) -> int:
    """Every entry that carries expected outputs, or the one named."""
    with _held_to(command.max_memory):
        program = load(path)
        return _check_entries(program, name, command)


def _check_entries(program: Program, name: str | None, command: Command) -> int:
    names = [entry for entry, example in program.examples.items() if example.outputs and name in (None, entry)]
    if not names:
        Entry(program, name or next(iter(program)))  # names an entry that does not exist
        raise RaxError(f"{f'entry {name!r}' if name else 'the file'} carries no expected outputs")
    worst = 0
    for each in names:
        entry = Entry(program, each, command.backend, memory=command.memory, max_memory=command.max_memory)
        worst = max(worst, _report_check(entry, entry.run(), f" of {each}" if len(names) > 1 else ""))
    return worst


def _report_check(entry: Entry, outputs: Mapping[str, Array], what: str) -> int:
    comparisons = entry.check(outputs)
    say("\n".join(check_lines(comparisons, what)))
    return 0 if all(comparison.equal for comparison in comparisons) else 1


def _show(entry: Entry, given: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
    display = entry.example.display
    inputs = {name: array_of(literal) for name, literal in entry.example.inputs.items()} | dict(given)
    named = {name: array for name, array in {**inputs, **outputs}.items() if name in display}
    width = terminal_width()
    pictures: Sequence[str] = ()
    if named:
        unicode = "utf" in (getattr(stream("stdout"), "encoding", None) or "").lower()
        pictures = _draw_panel(named, display, width, unicode=unicode)
    say("\n".join([*pictures, *result_lines(outputs, width)]))


def _train(entry: Entry, given: Mapping[str, Array], count: int, command: Command) -> dict[str, Array]:
    """Run step after step; now and then print the scalars that are no state."""
    if count < 1:
        raise RaxError(f"--steps is at least 1, not {count}")
    outputs: dict[str, Array] = {}
    width = terminal_width()
    every = max(1, -(-count // REPORTS))
    errors = stream("stderr")
    shown = errors is not None and (command.progress or errors.isatty())
    with _progress(count, errors, shown=shown) as progress:
        for step, outputs in enumerate(entry.steps(given, count), 1):
            progress.update(step)
            if step % every == 0 and step < count:
                scalars = {name: x for name, x in outputs.items() if name not in entry.states and x.ndim == 0}
                if scalars:
                    progress.clear()
                    reads = say(f"step {step}: {', '.join(result_lines(scalars, width))}")
                    if not reads and not command.output:
                        return outputs  # which nobody will see
    results = {name: array for name, array in outputs.items() if name not in entry.states}
    lines = [f"step {count}:", *result_lines(results, width)] if results else [f"step {count}"]
    say("\n".join(lines))
    return outputs
