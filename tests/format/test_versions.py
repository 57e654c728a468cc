"""Older versions are brought up to date, newer ones say what they need; tried with versions that are made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rax.format import versions
from rax.format.describing import describe
from rax.format.files import load
from rax.format.saving import save
from rax.ir.errors import FormatError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.types import tensor_type
from rax.ops import registry
from rax.ops.elementwise import multiply
from rax.ops.families import Composite
from tests.format.build import Header, Parts, small, split, to_bytes


def from_first(header: Header) -> Header:
    """Version 1, as it might have been: graphs had another name, operations had no version."""
    header["graphs"] = header.pop("functions")
    header["ops"] = [[name, 1, attributes] for name, attributes in header["ops"]]
    return header


def from_second(header: Header) -> Header:
    """Version 2, as it might have been: the order of a node's items was another, and no file had other files."""
    for graph in header["graphs"]:
        graph["nodes"] = [[op, result, *refs] for *refs, result, op in graph["nodes"]]
    return {**header, "files": []}


def to_second(header: Header) -> Header:
    for graph in header["graphs"]:
        graph["nodes"] = [[*refs, result, op] for op, result, *refs in graph["nodes"]]
    del header["files"]
    return header


def to_first(header: Header) -> Header:
    header["functions"] = header.pop("graphs")
    header["ops"] = [[name, attributes] for name, _, attributes in header["ops"]]
    return header


def written(header: Header, version: int) -> bytes:
    """A file of a version without segments."""
    return Parts(header, []).join(place=False, version=version)


@pytest.fixture
def three_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The present structure is that of version 3."""
    monkeypatch.setattr(versions, "UPGRADES", (from_first, from_second))
    monkeypatch.setattr(versions, "STRUCTURE", 3)


@pytest.mark.usefixtures("three_versions")
def test_files_of_every_version_load_as_the_same_program(tmp_path: Path) -> None:
    path = tmp_path / "file"
    header = split(to_bytes(small())).header
    save(small(), path)
    assert describe(path).version == 3
    newest = path.read_bytes()
    for version, change in ((2, to_second), (1, to_first)):
        header = change(header)
        path.write_bytes(written(header, version))
        assert describe(path).version == version
        assert load(path).digest == small().digest
        save(load(path), path)
        assert path.read_bytes() == newest


@pytest.mark.usefixtures("three_versions")
def test_a_file_of_one_version_is_not_taken_for_another(tmp_path: Path) -> None:
    header = to_second(split(to_bytes(small())).header)
    for version in (1, 3):
        (tmp_path / "file").write_bytes(written(header, version))
        with pytest.raises(FormatError):
            load(tmp_path / "file")


@pytest.mark.usefixtures("three_versions")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda h: h.clear(), "wrong-kind"),
        (lambda h: h.update(functions=7), "wrong-kind"),
        (lambda h: h.update(functions=[[]]), "wrong-kind"),
        (lambda h: h.update(functions=[{"nodes": [[1]]}]), "wrong-kind"),
        (lambda h: h.update(ops=[["add"]]), "wrong-kind"),
        (lambda h: h.update(ops=[]), "bad-index"),
        (lambda h: h.pop("types"), "missing-key"),
    ],
)
def test_a_bad_file_of_an_older_version_is_refused(change: Callable[[Header], None], code: str, tmp_path: Path) -> None:
    header = to_first(to_second(split(to_bytes(small())).header))
    change(header)
    (tmp_path / "file").write_bytes(written(header, 1))
    with pytest.raises(FormatError) as caught:
        load(tmp_path / "file")
    assert caught.value.code == code


@pytest.mark.parametrize("header", [None, 7, [], "text"])
@pytest.mark.usefixtures("three_versions")
def test_a_header_that_is_no_map_in_an_older_version(header: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(Parts(header, []).join(place=False, version=1))  # pyright: ignore[reportArgumentType]  # what a file may hold
    with pytest.raises(FormatError, match="the header is none of format version 1") as caught:
        load(tmp_path / "file")
    assert (caught.value.code, caught.value.where) == ("wrong-kind", "header")


@pytest.mark.usefixtures("three_versions")
def test_a_newer_file_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(written(split(to_bytes(small())).header, 4))
    with pytest.raises(FormatError) as caught:
        load(tmp_path / "file")
    assert caught.value.code == "newer-version"
    assert caught.value.what == "the file has format version 4; this rax reads versions 1 to 3"
    assert caught.value.fix == "install a newer rax"


@dataclass(frozen=True, eq=False, repr=False)
class Square(Composite):
    """An operation that version 2 might have."""

    name = "square_of_version_2"
    since = 2

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        return multiply(x, x)


def test_a_file_states_the_lowest_version_that_has_its_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = new_input("x", tensor_type((3,)))
    monkeypatch.setattr(versions, "UPGRADES", (lambda header: header,))
    save(Graph([x], [multiply(x, x)]), tmp_path / "old")
    save(Graph([x], [Square()(x)]), tmp_path / "new")
    assert [describe(tmp_path / name).version for name in ("old", "new")] == [1, 2]
    known = {**registry(), Square.name: Square}
    assert "square_of_version_2" in str(load(tmp_path / "new", registry=known)["main"])
    monkeypatch.setattr(versions, "UPGRADES", ())
    load(tmp_path / "old")
    with pytest.raises(FormatError, match="format version 2; this rax reads version 1"):
        load(tmp_path / "new")
