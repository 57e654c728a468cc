"""Whatever happens while a file is written, the old one is whole or the new one is, and no rubbish stays."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from rax.format.atomic import replacing
from rax.format.files import load
from rax.format.saving import save
from tests.format.build import small, stored, to_bytes
from tests.format.saving import leftovers, programs

ROOT = Path(__file__).parents[2]


def command(way: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.format.saving", way, str(folder)]


def said(arguments: list[str]) -> str:
    """What a process prints that ends well."""
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kill_at_random(way: str, folder: Path, rounds: int) -> None:
    """Kill saves after random times; each time the file is one that was saved."""
    path = folder / "file"
    due = {program.digest for program in programs()}
    save(programs()[0], path)
    moments = random.Random(0)
    for _ in range(rounds):
        process = subprocess.Popen(command(way, folder), stdout=subprocess.PIPE, cwd=ROOT)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        assert load(path, verify=True).digest in due
    save(small(), path)
    assert leftovers(folder) == []
    assert path.read_bytes() == to_bytes(small())


def test_a_killed_save_leaves_a_whole_file(tmp_path: Path) -> None:
    kill_at_random("for-ever", tmp_path, 2)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["for-ever", "for-ever-outside"])
def test_many_killed_saves_leave_whole_files(way: str, tmp_path: Path) -> None:
    kill_at_random(way, tmp_path, 20)


@pytest.mark.parametrize("way", ["each-step", pytest.param("each-step-outside", marks=pytest.mark.slow)])
def test_killed_at_each_step_of_writing(way: str, tmp_path: Path) -> None:
    """Before the change of name it is the old file, from then on the new one, and the next save cleans up."""
    steps, in_order, *found = said(command(way, tmp_path)).split()
    assert int(steps) > 50
    assert (in_order, found) == ("True", ["new", "old"])


def mounts() -> list[str]:
    """What a command is run under that mounts a file system; nothing where that is forbidden."""
    own = ["unshare", "--map-root-user", "--mount"]
    try:
        trial = subprocess.run([*own, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    except FileNotFoundError:
        return []
    return [] if trial.returncode else own


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A small file system where the system lets us mount one, and a bound on the size of files anywhere."""
    assert said(command("small-files", tmp_path)) == "EFBIG\n"
    (tmp_path / "disk").mkdir()
    own = mounts()
    if own:
        assert said([*own, *command("small-disk", tmp_path / "disk")]) == "ENOSPC\n"


def test_what_may_not_be_written_or_removed() -> None:
    with tempfile.TemporaryDirectory(prefix="rax-rights-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        denied = f"[Errno 13] Permission denied: '{folder}'"
        assert said(command("without-rights", folder)).splitlines() == ["True", denied, denied, "True"]
        folder.chmod(0o755)


def test_savers_of_the_same_files_do_not_meet(tmp_path: Path) -> None:
    whole = {to_bytes(program) for program in programs()}
    crowd = [subprocess.Popen(command("crowd", tmp_path), cwd=ROOT) for _ in range(2)]
    mine = programs()

    def work() -> None:
        for turn in range(10):
            save(mine[turn % 2], tmp_path / f"file{turn % 2}")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(each.poll() is None for each in crowd) or any(thread.is_alive() for thread in threads):
        for path in tmp_path.glob("file*"):
            assert path.read_bytes() in whole
            seen += 1
    assert seen
    assert [each.wait() for each in crowd] == [0, 0]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file0", "file1"]


def test_a_new_file_of_weights_replaces_none_that_came_meanwhile(tmp_path: Path) -> None:
    """Of several that all find it absent, one writes it; the others are told, and change nothing."""
    start = threading.Barrier(4)
    outcomes: dict[int, str] = {}

    def work(number: int) -> None:
        start.wait()
        try:
            save(stored(1000 + number), tmp_path / f"model{number}", external="w")
            outcomes[number] = "saved"
        except FileExistsError as error:
            outcomes[number] = str(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "saved" in outcomes.values()
    for number, outcome in outcomes.items():
        if outcome == "saved":
            assert load(tmp_path / f"model{number}", verify=True).digest == stored(1000 + number).digest
        else:
            assert outcome == f"[Errno 17] File exists: '{tmp_path / 'w'}'"
            assert not (tmp_path / f"model{number}").exists()
    assert leftovers(tmp_path) == []


def test_new_means_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path, new=True) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), replacing(path, new=True) as file:
        file.write(b"second")
    assert (path.read_bytes(), leftovers(tmp_path)) == (b"first", [])


def test_what_cannot_be_replaced_is_said_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.iterdir())
    for name, number in (("x" * 300, errno.ENAMETOOLONG), ("folder", errno.EISDIR), ("pipe", errno.EINVAL)):
        with pytest.raises(OSError, match=name) as caught, replacing(tmp_path / name):
            raise AssertionError("it was opened")
        assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / name))
    assert sorted(tmp_path.iterdir()) == before


def test_a_pipe_that_looks_like_a_leftover_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".rax-save-0.tmp")
    save(small(), tmp_path / "file")
    assert load(tmp_path / "file").digest == small().digest
