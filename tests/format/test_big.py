"""Large weights: one copy in the file, none in memory, read when touched, tensors past 4 GiB."""

from __future__ import annotations

import hashlib
import mmap
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import rax
from rax.format.describing import describe
from rax.format.limits import MAX_SEGMENT_BYTES
from rax.format.threads import THREADED_BYTES
from rax.ir.errors import FormatError
from rax.ops.arrays import Array, literal
from tests.format.build import split

ROOT = Path(__file__).parents[2]
MIB = 1024  # KiB, which is what the system counts memory in
SAVING = """
import resource, sys
import numpy as np
import rax
count, path, *external = sys.argv[1:]
arrays = {f"w{n}": np.full(2**24, n, "float32") for n in range(int(count))}
for array in arrays.values():
    array.flags.writeable = False
graph = rax.trace(lambda **given: given, **{name: rax.spec((2**24,)) for name in arrays})
rax.save(rax.trace(lambda x: x + 1, rax.spec(())), path)  # what is imported and started once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rax.save(rax.Program({"main": graph}, defaults=arrays), path, external=external)
saved = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(before, saved - before)
"""
LOADING = """
import sys
import rax
from rax.ir import services
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
rax.load, services.get("registry")()
before = resident()
program = rax.load(sys.argv[1])
loaded = resident()
last = max(program.defaults, key=lambda name: int(name[1:]))
assert program.defaults[last].array[-1] == len(program.defaults) - 1
print(loaded - before, len(program.defaults))
"""


def said(code: str, *arguments: object) -> list[int]:
    """The numbers a process prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone after the test: what is written to it is large."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("external", [(), ("w.safetensors",)])
@pytest.mark.parametrize("count", [2, pytest.param(16, marks=pytest.mark.slow)])  # of 64 MiB each
def test_memory_of_saving_and_loading(count: int, external: tuple[str, ...], folder: Path) -> None:
    before, saving = said(SAVING, count, folder / "m", *external)
    assert before > count * 64 * MIB
    assert saving < 64 * MIB, f"saving took {saving} KiB more than the arrays"
    loading, found = said(LOADING, folder / "m")
    assert found == count
    assert loading < 16 * MIB, f"loading took {loading} KiB"


def test_one_copy_however_often_a_tensor_is_used(tmp_path: Path) -> None:
    w = np.arange(5000, dtype="float32")
    graph = rax.trace(
        lambda w, x: w * x + rax.numpy.sum(w) + rax.numpy.asarray(np.arange(5000, dtype="float32")), w, w + 1
    )
    program = rax.Program(
        a=graph,
        b=rax.trace(lambda w: {"w": w}, w),
        defaults={"w": w},
        examples={"a": rax.Example({"w": w, "x": w.copy()}), "b": rax.Example({}, {"w": w.copy()})},
    )
    rax.save(program, tmp_path / "inside")
    rax.save(program, tmp_path / "outside", external="w")
    for path in (tmp_path / "inside", tmp_path / "outside"):
        loaded = rax.load(path)
        assert sum(len(row) > 2 for row in split(path.read_bytes()).header["tensors"]) == 1
        assert loaded.defaults["w"] is loaded.examples["a"].inputs["x"] is loaded.examples["b"].outputs["w"]
        assert loaded.digest == program.digest
    assert (tmp_path / "inside").stat().st_size < w.nbytes + 2000
    assert (tmp_path / "w").stat().st_size < w.nbytes + 500


def frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def mapped(tmp_path: Path, mode: Any) -> Array:
    np.arange(64, dtype="float32").tofile(tmp_path / "raw")
    return np.memmap(tmp_path / "raw", "float32", mode)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: frozen(np.arange(64, dtype="float32")),
        lambda _: frozen(np.arange(64, dtype="float32"))[8:].reshape(7, 8),
        lambda _: np.frombuffer(np.arange(64, dtype="float32").tobytes(), "float32"),
        lambda tmp_path: mapped(tmp_path, "r"),
        lambda _: literal(np.arange(64, dtype="float32")).array,
    ],
)
def test_what_nobody_can_change_is_not_copied(make: Callable[[Path], Array], tmp_path: Path) -> None:
    array = make(tmp_path)
    held = literal(array)
    assert np.shares_memory(held.array, array)
    assert np.shares_memory(np.frombuffer(held.raw, "uint8"), array)
    assert held.array.tobytes() == bytes(held.raw) == array.tobytes()
    assert (held.type.shape, held.digest) == (array.shape, hashlib.sha256(array.tobytes()).digest())


@pytest.mark.parametrize(
    "make",
    [
        lambda _: np.arange(64, dtype="float32"),
        lambda _: frozen(np.arange(64, dtype="float32")[8:]),
        lambda _: frozen(np.arange(64, dtype="float32")).reshape(8, 8).T,
        lambda _: frozen(np.arange(64, dtype=">f4")),
        lambda _: np.frombuffer(frozen(np.arange(65, dtype="float32")).tobytes()[1:-3], "float32")[::2],
        lambda _: np.frombuffer(b"x" + np.arange(64, dtype="float32").tobytes(), "float32", offset=1),
        lambda _: np.frombuffer(memoryview(bytearray(256)).toreadonly(), "float32"),
        lambda _: np.broadcast_to(np.ones(1, "float32"), (64,)),
        lambda tmp_path: mapped(tmp_path, "r+"),
        lambda tmp_path: frozen(mapped(tmp_path, "r+")),
        lambda tmp_path: mapped(tmp_path, "c"),
        lambda _: np.frombuffer(mmap.mmap(-1, 256), "float32"),
    ],
)
def test_what_can_change_or_lies_otherwise_is_copied(make: Callable[[Path], Array], tmp_path: Path) -> None:
    array = make(tmp_path)
    held = literal(array)
    assert not np.shares_memory(held.array, array)
    assert held.array.flags.c_contiguous
    assert held.array.tolist() == array.tolist()


def test_a_program_takes_no_digest_before_it_is_needed_and_then_one(tmp_path: Path) -> None:
    program = rax.Program(add=rax.trace(lambda w: w + 1, rax.spec((500,))), defaults={"w": np.ones(500, "float32")})
    (held,) = program.defaults.values()
    assert held._digest is None
    rax.save(program, tmp_path / "m")
    assert held._digest == hashlib.sha256(held.raw).digest()


def test_damage_in_several_tensors_is_told_of_the_first(tmp_path: Path) -> None:
    """Also where they are compared by several threads."""
    arrays = {name: np.full(THREADED_BYTES // 8, n, "float32") for n, name in enumerate("abcd")}
    graph = rax.trace(lambda **given: given, **{name: rax.spec(array.shape) for name, array in arrays.items()})
    rax.save(rax.Program({"main": graph}, defaults=arrays), tmp_path / "m")
    places = [each.segments[0][0] for each in describe(tmp_path / "m").tensors]
    with (tmp_path / "m").open("r+b") as file:
        for place in places[1:3]:
            file.seek(place)
            file.write(b"x")
    for _ in range(5):
        with pytest.raises(FormatError, match="a tensor was changed or damaged") as caught:
            rax.load(tmp_path / "m", verify=True)
        assert caught.value.where == "tensors[1]"


@pytest.fixture
def huge(folder: Path) -> np.ndarray[Any, Any]:
    """4 GiB and 100 bytes, in a file of which only a few pages are on the disk."""
    array = np.memmap(folder / "huge", "uint8", "w+", shape=(2**32 + 100,))
    array[[0, 5, MAX_SEGMENT_BYTES - 1, MAX_SEGMENT_BYTES, 2**32 - 1, 2**32, -1]] = range(1, 8)
    array.flush()
    return np.memmap(folder / "huge", "uint8", "r")


@pytest.mark.slow
@pytest.mark.parametrize("external", [(), ("w.safetensors",)])
def test_a_tensor_of_more_than_4_gib(external: tuple[str, ...], huge: Array, folder: Path) -> None:
    graph = rax.trace(lambda w: w[-100:], rax.spec(huge.shape, "uint8"))
    program = rax.Program({"main": graph}, defaults={"w": huge})
    digest = program.defaults["w"].digest
    rax.save(program, folder / "m", external=external)
    (stored,) = describe(folder / "m").tensors
    sizes = [huge.nbytes] if external else [MAX_SEGMENT_BYTES, huge.nbytes - MAX_SEGMENT_BYTES]
    assert [nbytes for _, nbytes in stored.segments] == sizes
    assert stored.digest == digest.hex()
    place = 0
    for offset, nbytes in stored.segments:  # as any other reader finds the bytes
        data = np.memmap(folder / (stored.file or "m"), "uint8", "r", offset, (nbytes,))
        assert external or offset % 64 == 0
        for start in (0, nbytes - 100):
            assert data[start : start + 100].tobytes() == huge[place + start : place + start + 100].tobytes()
        place += nbytes
    loaded = rax.load(folder / "m")
    assert loaded.defaults["w"].digest == digest
    if external:  # in one piece, so that it is mapped; the two of the file itself would be joined in memory
        array = cast("Array", loaded.defaults["w"].array)
        assert (array[2**32], array[-1], array.nbytes) == (6, 7, huge.nbytes)
