"""The words of ``rax-run``: what they may be, and what is said of those that cannot be obeyed.

What carries it out, NumPy with it, is imported when the words are found right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rax.cli.command import EXIT_CODE, Command, split_entry
from rax.cli.options import Option, Wording, parse, stop
from rax.cli.streams import complain, fill_gaps
from rax.ir.errors import RaxError, ResourceError
from rax.ir.late import late

_WORDING = Wording(
    "rax-run",
    "rax-run FILE[:ENTRY] [name=value ...] [options]",
    """\
Run an entry of a saved program: on the inputs in the file, or on those given here.

  name=0.5, name=[[1,2],[3,4]]   a number or nested list; nan and inf too
  name=@file.npy                 an array
  name=@file.npz:key             an array of an archive; without :key the one called like the input
  params=@weights.npz            every input params.…, by its full name or the part after the dot
  inputs.npz                     every array of an archive, by name
""",
    (
        ("FILE[:ENTRY]", "the file; by default its main entry is run"),
        ("name=value", "inputs, in place of the file's own"),
    ),
    """\
A file from others may ask for more memory or time than you want to give:

  --max-memory 512MiB   An entry for which the plan says that it holds more at once is refused before anything
                        is allocated. Counted is what a run makes: results, loops included; not the file and
                        the inputs. On Linux the process is held to it too, and 128 MiB for itself.
  --memory 400MiB       A run is to hold no more: what it would keep is computed again. Refused if that cannot be.
  --timeout 10          In seconds, or 500ms, 2min, 1h: for loading, compiling and running together. The outputs
                        are written, whole, when that is over.

What planning a large entry finds out is kept in RAX_CACHE_DIR, by default the user's folder for caches; set it to
nothing to keep nothing. No entry can change a result: --explain-cache says what became of each.

Exit codes: 0; 1 if a check failed; 2 if the command could not be carried out; 3 if it is over one of these limits.
""",
)


def _count(text: str) -> int:
    if not text.removeprefix("-").isdecimal():
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


_parse_bytes = late("rax.runtime.amounts", "parse_bytes")
_parse_seconds = late("rax.runtime.amounts", "parse_seconds")
_OPTIONS = (
    Option("--info", "say what the file holds, and run nothing"),
    Option("--check", "compare with the outputs the file says are due, no more"),
    Option("--steps", "run N times, feeding state outputs back into inputs", "N", _count),
    Option("--output", "write every output to an archive", "OUT.npz", short="-o"),
    Option("--backend", "what computes: numpy or reference", "BACKEND"),
    Option("--memory", "compute values again instead of keeping them, to hold no more", "SIZE", _parse_bytes),
    Option("--max-memory", "the most memory a run may hold at once", "SIZE", _parse_bytes),
    Option("--timeout", "the most time the command may take", "TIME", _parse_seconds),
    Option("--profile", "run several times, and show where the time goes"),
    Option("--profile-trace", "the same, and write a trace that Perfetto shows", "OUT.json"),
    Option("--progress", "show a progress bar though this is no terminal"),
    Option("--explain-cache", "say of each plan whether it was kept from before, and why not"),
)
_ahead = late("rax.cli.ahead", "Ahead")
_carry_out = late("rax.cli.commands", "carry_out")


def obey(words: Sequence[str], loaded: Callable[[], None]) -> int:
    """Do what words say, and say what went wrong in one line.

    Args:
        words: those after the program's name.
        loaded: called when the program is loaded and made ready, before it runs.

    Returns:
        The exit code.
    """
    fill_gaps()
    try:
        plain, found = parse(_WORDING, _OPTIONS, words)
        if not plain:
            stop(_WORDING, "no file is given: write rax-run FILE[:ENTRY]")
        command = Command(plain[0], tuple(plain[1:]), **found)
        contents = _ahead(split_entry(command.file)[0]).contents if command.reads_ahead else None
        code: int = _carry_out(command, loaded, contents)
    except ResourceError as error:
        return _fail(one_line(error), EXIT_CODE)
    except RaxError as error:
        return _fail(one_line(error))
    except MemoryError:
        return _fail("there is not enough memory: allow more with --max-memory", EXIT_CODE)
    except OSError as error:
        return _fail(unreadable(error))
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    return code


def _fail(message: str, code: int = 2) -> int:
    complain(f"rax-run: {message}")
    return code


def unreadable(error: OSError) -> str:
    """What the system said of a file, or of something without a name.

    Example:
        >>> unreadable(FileNotFoundError(2, "No such file or directory", "model.rax"))
        'cannot read model.rax: No such file or directory'
    """
    return f"cannot read {error.filename}: {error.strerror}" if error.filename else str(error)


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
