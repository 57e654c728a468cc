"""``rax-run``: runs an entry of a saved program, with nothing but NumPy and msgpack."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from rax.cli.archive import write_npz
from rax.cli.info import describe_file
from rax.cli.inputs import read_inputs
from rax.cli.limits import EXIT_CODE, held_to, parse_bytes, parse_seconds, stopped_after
from rax.cli.pictures import draw_panel
from rax.cli.progress import Progress
from rax.cli.results import check_lines, result_lines, terminal_width
from rax.format.files import load
from rax.ir.errors import RaxError, ResourceError
from rax.ir.program import Program
from rax.ops.arrays import Array
from rax.runtime.backends import BACKENDS
from rax.runtime.entry import Entry, array_of

REPORTS = 10
_USAGE = "rax-run FILE[:ENTRY] [name=value ...] [options]"
_DESCRIPTION = """\
Run an entry of a saved program: on the inputs in the file, or on those given here.

  name=0.5, name=[[1,2],[3,4]]   a number or nested list; nan and inf too
  name=@file.npy                 an array
  name=@file.npz:key             an array of an archive; without :key the one called like the input
  params=@weights.npz            every input params.…, by its full name or the part after the dot
  inputs.npz                     every array of an archive, by name
"""
_EPILOG = """\
A file from others may ask for more memory or time than you want to give:

  --max-memory 512MiB   An entry for which the plan says that it holds more at once is refused before anything
                        is allocated. Counted is what a run makes: results, loops included; not the file and
                        the inputs. On Linux the process is held to it too, and 128 MiB for itself.
  --timeout 10          In seconds, or 500ms, 2min, 1h: for loading, compiling and running together. The outputs
                        are written, whole, when that is over.

Exit codes: 0; 1 if a check failed; 2 if the command could not be carried out; 3 if it is over one of these limits.
"""


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        # One is made for each option, and would ask shutil, which imports every compression there is.
        super().__init__(prog, width=terminal_width() - 2)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as every other error."""
        self.exit(2, f"rax-run: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "rax-run",
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Help,
    )
    parser.add_argument("file", metavar="FILE[:ENTRY]", nargs="?", help="the file; by default its main entry is run")
    parser.add_argument("inputs", metavar="name=value", nargs="*", help="inputs, in place of the file's own")
    parser.add_argument("--info", action="store_true", help="say what the file holds, and run nothing")
    parser.add_argument("--check", action="store_true", help="compare with the outputs the file says are due, no more")
    parser.add_argument("--steps", metavar="N", type=int, help="run N times, feeding state outputs back into inputs")
    parser.add_argument("-o", "--output", metavar="OUT.npz", help="write every output to an archive")
    parser.add_argument("--backend", default="numpy", help=f"what computes: {' or '.join(BACKENDS)}")
    parser.add_argument("--max-memory", metavar="SIZE", type=parse_bytes, help="the most memory a run may hold at once")
    parser.add_argument("--timeout", metavar="TIME", type=parse_seconds, help="the most time the command may take")
    parser.add_argument("--profile", action="store_true", help="run several times, and show where the time goes")
    parser.add_argument("--profile-trace", metavar="OUT.json", help="the same, and write a trace that Perfetto shows")
    parser.add_argument("--progress", action="store_true", help="show a progress bar though this is no terminal")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; by default those of this process.

    Returns:
        The exit code: 0, 1 if a check failed, 2 if the command could not be carried out, 3 if it was
        refused or stopped for its memory or time.
    """
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    if options.file is None:
        parser.error("no file is given: write rax-run FILE[:ENTRY]")
    try:
        return _run(options)
    except ResourceError as error:
        return _fail(one_line(error), EXIT_CODE)
    except RaxError as error:
        return _fail(one_line(error))
    except MemoryError:
        return _fail("there is not enough memory: allow more with --max-memory", EXIT_CODE)
    except BrokenPipeError:
        # The reader has left; without this Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"cannot read {error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _fail(message: str, code: int = 2) -> int:
    print(f"rax-run: {message}", file=sys.stderr)
    return code


def one_line(error: RaxError) -> str:
    """An error without line breaks.

    Example:
        >>> one_line(RaxError("x has shape [3]", where="node 2", fix="give [4]"))
        'x has shape [3] (node 2): give [4]'
    """
    code = getattr(error, "code", "")
    where = f" ({'; '.join(error.where.split(chr(10)))})" if error.where else ""
    source = f" at {error.source}" if error.source else ""
    text = f"{f'[{code}] ' if code else ''}{error.what}{where}{source}{f': {error.fix}' if error.fix else ''}"
    return " ".join(text.split())


def _run(options: argparse.Namespace) -> int:
    path, name = split_entry(options.file)
    _refuse_what_excludes(options)
    with stopped_after(options.timeout):
        if options.info or options.check:
            return _info(path, name, options) if options.info else _check(path, name, options)
        with held_to(options.max_memory):
            entry = Entry(load(path), name, options.backend, max_memory=options.max_memory)
        given = read_inputs(options.inputs, entry.graph)
        with held_to(options.max_memory):
            profile = None
            if options.profile or options.profile_trace:
                profile = entry.profile(given)
                outputs: dict[str, Array] = profile.results
            elif options.steps is None:
                outputs = entry.run(given)
            else:
                outputs = _train(entry, given, options.steps, forced=options.progress)
    if options.steps is None:
        _show(entry, given, outputs)
    if profile is not None:
        print(f"\n{profile}", flush=True)
        if options.profile_trace:
            profile.save_trace(options.profile_trace)
    if options.output:
        write_npz(Path(options.output), outputs)
    if options.steps is None and entry.example.outputs and not given:
        return _report_check(entry, outputs, "")
    return 0


def _info(path: Path, name: str | None, options: argparse.Namespace) -> int:
    with held_to(options.max_memory):
        lines = describe_file(path, name)
    print("\n".join(lines), flush=True)
    return 0


def _refuse_what_excludes(options: argparse.Namespace) -> None:
    """Options that would be ignored, and an output that cannot be written, before anything runs."""
    profiles = options.profile or options.profile_trace
    runs = options.inputs or options.output or options.steps is not None or profiles
    if options.info and (runs or options.check):
        raise RaxError("--info runs nothing", fix="leave out inputs, -o, --steps, --check and --profile")
    if options.check and runs:
        raise RaxError("--check runs on the file's own inputs", fix="leave out inputs, -o, --steps and --profile")
    if profiles and options.steps is not None:
        raise RaxError("--profile is of a run by itself", fix="leave out --steps")
    if options.profile_trace and not Path(options.profile_trace).parent.is_dir():
        raise RaxError(f"cannot write {options.profile_trace}: there is no folder {Path(options.profile_trace).parent}")
    if options.output:
        output = Path(options.output)
        if output.suffix != ".npz":
            raise RaxError(f"cannot write {output}: the outputs are an archive of arrays", fix=f"write -o {output}.npz")
        if not output.parent.is_dir():
            raise RaxError(f"cannot write {output}: there is no folder {output.parent}")


def split_entry(text: str) -> tuple[Path, str | None]:
    """A file and the entry named behind a colon; a file that exists under the whole text is the file.

    Example:
        >>> split_entry("model.msgpack:predict")[1]
        'predict'
    """
    path, colon, name = text.rpartition(":")
    if not colon or not path or not name or Path(text).exists():
        return Path(text), None
    return Path(path), name


def _check(path: Path, name: str | None, options: argparse.Namespace) -> int:
    """Every entry that carries expected outputs, or the one named."""
    with held_to(options.max_memory):
        program = load(path)
        return _check_entries(program, name, options)


def _check_entries(program: Program, name: str | None, options: argparse.Namespace) -> int:
    names = [entry for entry, example in program.examples.items() if example.outputs and name in (None, entry)]
    if not names:
        Entry(program, name or next(iter(program)))  # names an entry that does not exist
        raise RaxError(f"{f'entry {name!r}' if name else 'the file'} carries no expected outputs")
    worst = 0
    for each in names:
        entry = Entry(program, each, options.backend, max_memory=options.max_memory)
        worst = max(worst, _report_check(entry, entry.run(), f" of {each}" if len(names) > 1 else ""))
    return worst


def _report_check(entry: Entry, outputs: Mapping[str, Array], what: str) -> int:
    comparisons = entry.check(outputs)
    print("\n".join(check_lines(comparisons, what)), flush=True)
    return 0 if all(comparison.equal for comparison in comparisons) else 1


def _show(entry: Entry, given: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
    display = entry.example.display
    inputs = {name: array_of(literal) for name, literal in entry.example.inputs.items()} | dict(given)
    named = {name: array for name, array in {**inputs, **outputs}.items() if name in display}
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    width = terminal_width()
    lines = [*draw_panel(named, display, width, unicode=unicode), *result_lines(outputs, width)]
    print("\n".join(lines))


def _train(entry: Entry, given: Mapping[str, Array], count: int, *, forced: bool) -> dict[str, Array]:
    """Run step after step; now and then print the scalars that are no state."""
    if count < 1:
        raise RaxError(f"--steps is at least 1, not {count}")
    outputs: dict[str, Array] = {}
    width = terminal_width()
    every = max(1, -(-count // REPORTS))
    with Progress(count, sys.stderr, shown=forced or sys.stderr.isatty()) as progress:
        for step, outputs in enumerate(entry.steps(given, count), 1):
            progress.update(step)
            if step % every == 0 and step < count:
                scalars = {name: x for name, x in outputs.items() if name not in entry.states and x.ndim == 0}
                if scalars:
                    progress.clear()
                    print(f"step {step}: {', '.join(result_lines(scalars, width))}", flush=True)
    results = {name: array for name, array in outputs.items() if name not in entry.states}
    lines = [f"step {count}:", *result_lines(results, width)] if results else [f"step {count}"]
    print("\n".join(lines), flush=True)
    return outputs


if __name__ == "__main__":
    sys.exit(main())
