"""The store on disk: an entry comes back as it was written or not at all, whoever else is at work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rax.runtime.store import MAGIC, MAX_ENTRY_BYTES, Store

KEY, DATA = "ab12", bytes(range(256)) * 4


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path / "deep" / "cache"))
    assert made.read(KEY).why == "there is no entry"
    assert made.write(KEY, DATA) == ""
    return made


def test_an_entry_comes_back_and_is_the_users_alone(store: Store) -> None:
    found = store.read(KEY)
    assert (found.data, found.why) == (DATA, "found")
    assert Path(store.folder).stat().st_mode & 0o777 == 0o700
    assert Path(store.path(KEY)).stat().st_mode & 0o777 == 0o600
    store.write(KEY, b"")
    assert store.read(KEY).data == b""
    store.remove(KEY)
    assert store.read(KEY).data is None


@pytest.mark.parametrize("place", [0, len(MAGIC), len(MAGIC) + 31, len(MAGIC) + 32, -1])
def test_an_altered_byte_is_found_and_the_entry_removed(store: Store, place: int) -> None:
    path = Path(store.path(KEY))
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)
    found = store.read(KEY)
    assert found.data is None
    assert found.why == ("the entry was damaged or altered" if place else "the entry is of another version")
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 5, len(MAGIC) + 10, len(MAGIC) + 32, 500])
def test_an_entry_cut_off_is_none(store: Store, length: int) -> None:
    path = Path(store.path(KEY))
    path.write_bytes(path.read_bytes()[:length])
    assert store.read(KEY).data is None
    assert not path.exists()


def test_an_entry_under_another_key_is_none(store: Store) -> None:
    Path(store.path(KEY)).rename(store.path("cd34"))
    assert store.read("cd34").why == "the entry was damaged or altered"


def test_nothing_is_read_through_a_link_nor_from_what_is_no_file(store: Store, tmp_path: Path) -> None:
    path = Path(store.path(KEY))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert store.read(KEY).data is None
    path.unlink()
    os.mkfifo(path)
    assert store.read(KEY).why == "the entry is too large, or no regular file"
    linked = Store(str(tmp_path / "linked"))
    Path(linked.folder).symlink_to(store.folder)
    assert linked.read(KEY).why == linked.write(KEY, DATA) == "the folder is a link, or no folder"


def test_a_folder_that_others_may_write_to_is_not_used(store: Store) -> None:
    Path(store.folder).chmod(0o770)
    why = "others own the folder, or may write to it"
    assert (store.read(KEY).data, store.read(KEY).why, store.write(KEY, DATA)) == (None, why, why)


def test_a_folder_of_another_user_is_not_used(store: Store) -> None:
    folder = "/"  # root's
    if os.getuid() == 0:  # who can give one away
        folder = store.folder
        os.chown(folder, 12345, -1)
    assert Store(folder).read(KEY).why == "others own the folder, or may write to it"


def test_a_folder_that_cannot_be_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = Store(str(tmp_path / "file" / "cache"))
    assert store.write(KEY, DATA).startswith("the folder cannot be written: ")
    assert store.read(KEY).data is None
    full = Store("/dev/full/cache" if Path("/dev/full").exists() else str(tmp_path / "file"))
    assert full.write(KEY, DATA)


def test_an_entry_that_is_too_large_is_not_kept(store: Store) -> None:
    assert "too large" in store.write("cd34", bytes(MAX_ENTRY_BYTES))
    assert store.read("cd34").data is None


def test_what_was_not_used_for_long_goes_first(tmp_path: Path) -> None:
    size = len(MAGIC) + 32 + 100
    store = Store(str(tmp_path / "cache"), limit=3 * size)
    for number in range(3):
        assert store.write(f"k{number}", bytes(100)) == ""
        os.utime(store.path(f"k{number}"), (number, number))
    assert store.read("k0").data is not None  # now it is the last one used
    store.write("k3", bytes(100))
    assert [store.read(f"k{number}").data is not None for number in range(4)] == [True, False, True, True]


def test_what_a_killed_process_left_is_removed(store: Store) -> None:
    old, young = (Path(store.folder) / f".new-{name}" for name in ("old", "young"))
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (0, 0))
    store.write("cd34", DATA)
    assert (old.exists(), young.exists()) == (False, True)


WRITER = """
import sys
from rax.runtime.store import Store
store, mine = Store(sys.argv[1], limit=20000), int(sys.argv[2])
for turn in range(60):
    key = f"k{(turn + mine) % 9}"
    found = store.read(key)
    assert found.data in (None, key.encode() * 1000), found
    assert store.write(key, key.encode() * 1000) == ""
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    folder = str(tmp_path / "cache")
    command = [sys.executable, "-c", WRITER, folder]
    running = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert sum(path.stat().st_size for path in Path(folder).iterdir()) <= 20000
