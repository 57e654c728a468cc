"""Processes that save, to be killed, starved or crowded: ``python -m tests.format.saving WHAT FOLDER``.

Each is a process of its own, so that what befalls it does not befall the tests.
"""

from __future__ import annotations

import errno
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from rax.cli.archive import write_npz
from rax.format import atomic
from rax.format.files import load
from rax.format.saving import save
from rax.interop.safetensors import save_tensors
from rax.ir.errors import RaxError
from rax.ir.program import Program
from tests.format.build import small, stored

FORMAT = str(Path(atomic.__file__).parent)
ELEMENTS = 200_000
"""Of the tensor that is saved: so many that a save takes a while."""


def programs() -> list[Program]:
    """What is saved by turns."""
    return [stored(ELEMENTS + number) for number in range(2)]


def leftovers(folder: Path) -> list[Path]:
    """What killed saves left."""
    return list(folder.glob(f"{atomic.PREFIX}*{atomic.SUFFIX}"))


def for_ever(folder: Path) -> None:
    """Save one of two programs, then the other, and so on."""
    mine = programs()
    print("ready", flush=True)
    for turn in itertools.count():
        save(mine[turn % 2], folder / "file")


def for_ever_outside(folder: Path) -> None:
    """The same, with the weights in a new file each time."""
    mine = programs()
    print("ready", flush=True)
    for turn in itertools.count():
        save(mine[turn % 2], folder / "file", external=f"{os.getpid()}-{turn}.w")
        for old in range(turn):
            (folder / f"{os.getpid()}-{old}.w").unlink(missing_ok=True)


def kill_at(step: int) -> None:
    """Have this process killed at a step of writing: before or after any call that writes, syncs, locks or renames."""
    left = step

    def count(frame: FrameType, _event: str, _argument: Any) -> None:
        nonlocal left
        code = frame.f_code
        if code.co_filename == atomic.__file__ or (code.co_name == "write" and code.co_filename.startswith(FORMAT)):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def each_step(folder: Path, **options: Any) -> None:
    """Save over an old file as often as there are steps, killed at one more step each time."""
    old, new = stored(200), stored(300, 100)
    path, first = folder / "file", folder / "first"
    save(old, first)
    found: list[str] = []
    for step in itertools.count():
        shutil.copy(first, path)
        child = os.fork()
        if child == 0:
            kill_at(step)
            save(new, path, **options)
            sys.setprofile(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status in {0, signal.SIGKILL}
        found.append({old.digest: "old", new.digest: "new"}[load(path, verify=True).digest])
        save(new, path, **options)  # as the user will who sees that it was killed
        assert load(path, verify=True).digest == new.digest
        assert leftovers(folder) == []
        for name in options.values():
            (folder / name).unlink()
        if status == 0:
            break
    print(len(found), found == sorted(found, reverse=True), *sorted(set(found)))


def full(folder: Path, prepare: Callable[[Path], int]) -> None:
    """Write what does not fit, by every way a file is written."""
    due = prepare(folder)
    path = folder / "file"
    save(small(), path)
    large = stored(500_000)
    arrays = {"x": large["main"]()}
    ways: list[Callable[[], None]] = [
        lambda: save(large, path),
        lambda: save(large, path, external="w"),
        lambda: save_tensors(arrays, path),
        lambda: write_npz(path, arrays),
    ]
    for way in ways:
        assert os.strerror(due) in refusal(way)
        assert [each.name for each in folder.iterdir()] == ["file"]
        assert load(path).digest == small().digest
    save(stored(100), path)
    print(errno.errorcode[due])


def refusal(way: Callable[[], None]) -> str:
    """Why a file was not written."""
    try:
        way()
    except (OSError, RaxError) as error:
        return str(error)
    return "it was written"


def small_disk(folder: Path) -> int:
    """Mount a file system of 1 MiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    return errno.ENOSPC


def small_files(_: Path) -> int:
    """Forbid files of more than 1 MiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    return errno.EFBIG


def without_rights(folder: Path) -> None:
    """Save beside what cannot be removed, and into a folder where nothing can be written."""
    leftover = folder / f"{atomic.PREFIX}0123456789abcdef{atomic.SUFFIX}"
    leftover.write_bytes(b"of somebody else")
    folder.chmod(0o1777)  # who owns a file there may remove it, and nobody else
    if os.geteuid() == 0:
        os.seteuid(65534)
    else:
        leftover.chmod(0)
    save(small(), folder / "file")
    print(sorted(each.name for each in folder.iterdir()) == [leftover.name, "file"])
    if os.geteuid() == 65534:
        os.seteuid(0)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    for place in (folder / "file", folder / "other"):
        try:
            save(stored(100), place)
        except PermissionError as error:
            print(error)
    print(load(folder / "file").digest == small().digest)


def crowd(folder: Path) -> None:
    """Save often, while others do."""
    mine = programs()
    for turn in range(10):
        save(mine[turn % 2], folder / f"file{turn // 2 % 2}")


WAYS: dict[str, Callable[[Path], None]] = {
    "for-ever": for_ever,
    "for-ever-outside": for_ever_outside,
    "each-step": each_step,
    "each-step-outside": lambda folder: each_step(folder, external="w"),
    "small-disk": lambda folder: full(folder, small_disk),
    "small-files": lambda folder: full(folder, small_files),
    "without-rights": without_rights,
    "crowd": crowd,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]](Path(sys.argv[2]))
