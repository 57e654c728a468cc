"""Tensors in other files: where they may lie, how they are found again, and what is refused."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import rax
from rax.format.describing import describe
from rax.ir.errors import FormatError, RaxError
from rax.ir.types import DTYPES
from rax.ops.arrays import Array, literal, numpy_dtype
from tests.format.build import split, stored, to_bytes

RNG = np.random.default_rng(0)
W, B = RNG.normal(size=(64, 32)).astype("float32"), RNG.normal(size=32).astype("float32")


def program(w: Array = W, b: Array = B) -> rax.Program:
    """A layer with its weights, an example that shares them, and a constant."""
    table = np.arange(100, dtype="int32")

    def layer(params: Any, x: rax.Tensor) -> Any:
        return x @ params["w"] + params["b"], rax.numpy.asarray(table)

    params = {"w": rax.spec(w.shape), "b": rax.spec(b.shape)}
    graph = rax.trace(layer, params, rax.spec(("n", 64)))
    example = rax.Example({"params": {"w": w}, "x": np.ones((1, 64), "float32")})
    return rax.Program(layer=graph, defaults={"params": {"w": w, "b": b}}, examples={"layer": example})


def safetensors(path: Path) -> dict[str, Array]:
    """A file's tensors, as the library of that format reads them."""
    return cast("dict[str, Array]", importlib.import_module("safetensors.numpy").load_file(path))


def header(path: Path) -> dict[str, Any]:
    return split(path.read_bytes()).header


def test_a_file_that_is_absent_is_written_as_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.msgpack"
    rax.save(program(), path, external="weights/layer.safetensors")
    others = [literal(array).digest.hex() for array in (np.arange(100, dtype="int32"), np.ones((1, 64), "float32"))]
    found = safetensors(tmp_path / "weights/layer.safetensors")
    assert sorted(found) == ["params.b", "params.w", *sorted(f"sha256:{digest}" for digest in others)]
    np.testing.assert_array_equal(found["params.w"], W)
    np.testing.assert_array_equal(found["params.b"], B)
    assert path.stat().st_size < 2000
    loaded = rax.load(path)
    assert loaded.digest == program().digest
    outputs = rax.compile(loaded["layer"])({"w": W, "b": B}, np.ones((2, 64), "float32"))
    np.testing.assert_allclose(outputs[0], np.ones((2, 64), "float32") @ W + B, rtol=1e-5)
    assert all(each.array.ctypes.data % 64 == 0 or each.array.flags.aligned for each in loaded.defaults.values())


def test_saving_again_gives_the_same_bytes_and_writes_nothing_else(tmp_path: Path) -> None:
    path, weights = tmp_path / "model.msgpack", tmp_path / "w.safetensors"
    rax.save(program(), path, external="w.safetensors")
    before, stamp = path.read_bytes(), weights.stat().st_mtime_ns
    rax.save(rax.load(path), path, external="w.safetensors")
    assert (path.read_bytes(), weights.stat().st_mtime_ns) == (before, stamp)


def test_saving_without_external_brings_every_tensor_in(tmp_path: Path) -> None:
    rax.save(program(), tmp_path / "a.msgpack", external="w.safetensors")
    rax.save(rax.load(tmp_path / "a.msgpack"), tmp_path / "b.msgpack")
    rax.save(program(), tmp_path / "c.msgpack")
    assert (tmp_path / "b.msgpack").read_bytes() == (tmp_path / "c.msgpack").read_bytes()


def test_two_programs_share_weights_and_keep_their_own(tmp_path: Path) -> None:
    rax.save(program(), tmp_path / "base.msgpack")
    tuned = program(b=B + 1)
    rax.save(tuned, tmp_path / "tuned.msgpack", external="base.msgpack")
    rows = header(tmp_path / "tuned.msgpack")
    large = [row for row in rows["tensors"] if len(row) > 2]
    assert rows["files"] == ["base.msgpack"]
    assert sorted(len(row) for row in large) == [3, 4, 4, 4]  # the bias is its own
    assert rax.load(tmp_path / "tuned.msgpack").digest == tuned.digest


def test_several_files_are_searched_and_the_absent_one_takes_the_rest(tmp_path: Path) -> None:
    save_file = importlib.import_module("safetensors.numpy").save_file
    save_file({"model.w": W}, tmp_path / "shard-1.safetensors")
    save_file({"unused": np.zeros(9)}, tmp_path / "shard-2.safetensors")
    names = ["shard-1.safetensors", "shard-2.safetensors", "rest.safetensors"]
    rax.save(program(), tmp_path / "model.msgpack", external=names)
    assert header(tmp_path / "model.msgpack")["files"] == ["rest.safetensors", "shard-1.safetensors"]
    assert "params.b" in safetensors(tmp_path / "rest.safetensors")
    assert "params.w" not in safetensors(tmp_path / "rest.safetensors")
    assert rax.load(tmp_path / "model.msgpack").digest == program().digest


def test_every_dtype_lies_outside_or_stays_where_the_other_format_lacks_it(tmp_path: Path) -> None:
    arrays = {name: np.arange(130).astype(numpy_dtype(dtype)) for name, dtype in DTYPES.items()}
    whole = rax.Program(
        all=rax.trace(lambda **given: given, **{name: rax.spec(a.shape, name) for name, a in arrays.items()}),
        defaults=arrays,
    )
    rax.save(whole, tmp_path / "m", external="w")
    inside = [row for row in header(tmp_path / "m")["tensors"] if len(row) == 3]
    assert len(inside) == 1  # complex128
    loaded = rax.load(tmp_path / "m")
    for name, array in arrays.items():
        assert loaded.defaults[name].array.tobytes() == array.tobytes(), name


def test_bytes_anywhere_in_any_file_will_do(tmp_path: Path) -> None:
    """By hand, from FORMAT.md: no alignment, no container, two segments that are out of order."""
    raw = W.tobytes()
    (tmp_path / "bare").write_bytes(b"x" + raw[4096:] + raw[:4096])
    rax.save(program(), tmp_path / "m")
    parts = split((tmp_path / "m").read_bytes())
    place = next(n for n, row in enumerate(parts.header["tensors"]) if len(row) == 3 and row[2][0][1] == W.nbytes)
    kept = [n for n, row in enumerate(parts.header["tensors"]) if len(row) == 3]
    parts.payloads.pop(kept.index(place))
    row = parts.header["tensors"][place]
    own, parts.header["tensors"][place] = row, [0, b"", b""]  # the places of the others are counted without it
    parts.header["files"] = ["bare"]
    parts.header["tensors"][place] = [own[0], own[1], [[1 + 4096, 4096], [1, 4096]], 0]
    (tmp_path / "m").write_bytes(parts.join())
    assert rax.load(tmp_path / "m").digest == program().digest


def test_a_small_file_is_not_many_tensors(tmp_path: Path) -> None:
    """Or a header of some bytes could have a reader hash the same gigabytes for hours."""
    parts = split(to_bytes(stored(100, 101)))
    for row, place in zip(parts.header["tensors"], [[0, 400], [4, 404]], strict=True):
        row[2:] = [[place], 0]
    parts.payloads = []
    parts.header["files"] = ["bare"]
    (tmp_path / "m").write_bytes(parts.join(place=False))
    raw = np.arange(102, dtype="float32").tobytes()
    (tmp_path / "bare").write_bytes(raw.ljust(804, b"\0"))
    assert rax.load(tmp_path / "m", verify=True).digest == stored(100, 101).digest
    (tmp_path / "bare").write_bytes(raw.ljust(803, b"\0"))
    with pytest.raises(FormatError, match="the file of tensors 'bare' has 803 bytes, not 804 or more"):
        rax.load(tmp_path / "m")


def test_rows_of_the_same_bytes_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.arange(400, dtype="float32"), np.arange(400, dtype="float32").reshape(20, 20)
    graph = rax.trace(lambda a, b: (a, b), a=rax.spec(a.shape), b=rax.spec(b.shape))
    rax.save(rax.Program(both=graph, defaults={"a": a, "b": b}), tmp_path / "m", external="w")
    assert len(safetensors(tmp_path / "w")) == 1
    hashed: list[int] = []
    sha256 = hashlib.sha256

    class Counting:
        def __init__(self) -> None:
            self._total = sha256()

        def update(self, data: memoryview) -> None:
            hashed.append(data.nbytes)
            self._total.update(data)

        def digest(self) -> bytes:
            return self._total.digest()

    monkeypatch.setattr("rax.format.tensors.hashlib.sha256", lambda *data: Counting() if not data else sha256(*data))
    loaded = rax.load(tmp_path / "m", verify=True)
    assert hashed == [1600]
    np.testing.assert_array_equal(loaded.defaults["b"].array, b)


def saved(folder: Path) -> Path:
    """A file with its weights in ``weights/w``."""
    rax.save(program(), folder / "m", external="weights/w")
    return folder / "m"


def linked(folder: Path) -> None:
    (folder / "weights/w").rename(folder / "real")
    (folder / "weights/w").symlink_to(folder / "real")


def linked_folder(folder: Path) -> None:
    (folder / "weights").rename(folder / "real")
    (folder / "weights").symlink_to(folder / "real", target_is_directory=True)


def linked_to_itself(folder: Path) -> None:
    (folder / "weights/w").unlink()
    (folder / "weights/w").symlink_to("w")


def hard_linked(folder: Path) -> None:
    os.link(folder / "weights/w", folder / "other")


def pipe(folder: Path) -> None:
    (folder / "weights/w").unlink()
    os.mkfifo(folder / "weights/w")


def directory(folder: Path) -> None:
    (folder / "weights/w").unlink()
    (folder / "weights/w").mkdir()


def cut(folder: Path) -> None:
    os.truncate(folder / "weights/w", (folder / "weights/w").stat().st_size - 1)


def emptied(folder: Path) -> None:
    os.truncate(folder / "weights/w", 0)


def removed(folder: Path) -> None:
    shutil.rmtree(folder / "weights")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (linked, "a link, or no folder, is on the way to it"),
        (linked_folder, "a link, or no folder, is on the way to it"),
        (linked_to_itself, "a link, or no folder, is on the way to it"),
        (hard_linked, "has a second name (a hard link)"),
        (pipe, "is no regular file"),
        (directory, "is no regular file"),
        (cut, "bytes, not"),
        (emptied, "has 0 bytes, not"),
        (removed, "No such file or directory"),
    ],
)
def test_what_is_out_of_reach_is_refused(change: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    path = saved(tmp_path)
    change(tmp_path)
    with pytest.raises(FormatError) as caught:
        rax.load(path)
    assert (caught.value.code, caught.value.where) == ("external", "files[0]")
    assert caught.value.what.startswith("the file of tensors 'weights/w' ")
    assert says in caught.value.what


def test_a_link_to_the_rax_file_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    path = saved(tmp_path / "store")
    (tmp_path / "link").symlink_to(path)
    assert rax.load(tmp_path / "link").digest == program().digest


def test_the_whole_folder_may_move(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    saved(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert rax.load(tmp_path / "there" / "m").digest == program().digest


@pytest.mark.parametrize("use", ["array", "raw", "digest"])
def test_other_bytes_are_refused_when_first_touched(use: str, tmp_path: Path) -> None:
    path = saved(tmp_path)
    weights = bytearray((tmp_path / "weights/w").read_bytes())
    weights[weights.index(W.tobytes()) + 5000] ^= 1
    (tmp_path / "weights/w").write_bytes(weights)
    loaded = rax.load(path)
    getattr(loaded.defaults["params.b"], use)
    for _ in range(2):
        with pytest.raises(FormatError, match="a tensor was changed or damaged: its SHA-256 differs") as caught:
            getattr(loaded.defaults["params.w"], use)
        assert caught.value.code == "digest"
    with pytest.raises(FormatError, match="a tensor was changed or damaged"):
        rax.load(path, verify=True)


def test_what_a_header_says_of_another_file_is_not_taken_on_trust_when_saving(tmp_path: Path) -> None:
    """A base file that claims a digest it has not is passed over."""
    rax.save(program(), tmp_path / "base")
    data = bytearray((tmp_path / "base").read_bytes())
    data[-1] ^= 1
    (tmp_path / "base").write_bytes(data)
    rax.save(program(), tmp_path / "m", external="base")
    assert rax.load(tmp_path / "m", verify=True).digest == program().digest
    assert sum(len(row) == 4 for row in header(tmp_path / "m")["tensors"]) == 3


@pytest.mark.parametrize(
    ("external", "code", "says"),
    [
        ("../w", "bad-path", "the path '../w' may lead out of the folder of the file"),
        ("/w", "bad-path", "the path '/w' may lead out of the folder of the file"),
        ("m", "bad-path", "'m' is the file that is written"),
        ("M", "bad-path", "'M' is the file that is written"),
        (
            "link/w",
            "external",
            "the file of tensors 'link/w' cannot be written: a link, or no folder, is on the way to it",
        ),
        (
            "text/w",
            "external",
            "the file of tensors 'text/w' cannot be written: a link, or no folder, is on the way to it",
        ),
        (["a", "b"], "external", "neither 'a' nor 'b' exists; only one can be written"),
        ("text", "not-rax", "the file is not a rax file"),
        ("json", "external", "a damaged safetensors file"),
        ("folder", "external", "the file of tensors 'folder' is no regular file"),
    ],
)
def test_an_external_file_that_cannot_serve(external: str | list[str], code: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tensors here")
    (tmp_path / "json").write_bytes((2).to_bytes(8, "little") + b"{]")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder", target_is_directory=True)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FormatError) as caught:
        rax.save(program(), tmp_path / "m", external=external)
    assert (caught.value.code, caught.value.what) == (code, says)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_named_twice_is_one(tmp_path: Path) -> None:
    rax.save(program(), tmp_path / "m", external=["w", "w"])
    assert header(tmp_path / "m")["files"] == ["w"]


def test_a_program_without_large_tensors_writes_no_other_file(tmp_path: Path) -> None:
    rax.save(rax.trace(lambda x: x + 1, rax.spec(())), tmp_path / "m", external="w")
    assert [each.name for each in tmp_path.iterdir()] == ["m"]


def test_a_failed_save_leaves_no_other_file(tmp_path: Path) -> None:
    with pytest.raises(RaxError, match="a Program or a Graph can be saved"):
        rax.save(cast("Any", 3), tmp_path / "m", external="w")
    assert list(tmp_path.iterdir()) == []


def test_describe_opens_no_other_file(tmp_path: Path) -> None:
    path = saved(tmp_path)
    removed(tmp_path)
    found = describe(path)
    assert {each.file for each in found.tensors} == {"weights/w"}
