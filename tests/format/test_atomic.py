"""How a file is replaced: aside, in order, with the permissions and links there were; what killed saves leave."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from rax.format.atomic import PREFIX, SUFFIX, replacing
from rax.format.saving import save
from rax.ir.errors import RaxError
from tests.format.build import small, stored, to_bytes
from tests.format.saving import leftovers


def test_what_a_killed_save_left_goes_at_the_next(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}0123456789abcdef{SUFFIX}").write_bytes(b"half a file")
    (tmp_path / "other.tmp").write_bytes(b"mine")
    save(small(), tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other.tmp"]


def test_a_save_under_way_is_let_alone(tmp_path: Path) -> None:
    with replacing(tmp_path / "slow") as file:
        file.write(b"half")
        save(small(), tmp_path / "quick")
        assert len(leftovers(tmp_path)) == 1
        file.write(b" and half")
    assert (tmp_path / "slow").read_bytes() == b"half and half"
    assert leftovers(tmp_path) == []


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save(small(), path)

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == to_bytes(small())


def test_a_disk_found_full_by_the_sync_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    save(small(), path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(stored(1000), path)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == to_bytes(small())


def test_the_disk_has_the_bytes_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted(descriptor: int) -> None:
        steps.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def named(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", named)
    save(small(), tmp_path / "file")
    assert steps == ["sync file", "rename", "sync folder"]


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "file"
    save(small(), path)
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    save(stored(100), link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_bytes() == to_bytes(stored(100))


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(small(), tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_an_absent_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save(small(), tmp_path / "absent" / "file")


def test_what_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(RaxError, match=r"a Program or a Graph can be saved, not a function") as caught:
        save(leftovers, tmp_path / "file")  # pyright: ignore[reportArgumentType]  # what a user may do
    assert caught.value.fix == "trace it: rax.save(rax.trace(function, specs), path)"
    assert list(tmp_path.iterdir()) == []
