"""The bytes of a file: the same everywhere, aligned, compact, mapped without a copy."""

from __future__ import annotations

import gc
import hashlib
import io
import math
import mmap
import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgpack
import numpy as np
import pytest

import rax
from rax.format.describing import describe
from rax.format.encode import ProgramWriter
from rax.format.files import load
from rax.format.layout import lay_out
from rax.format.saving import save
from rax.ir.dims import dim
from rax.ir.errors import FormatError
from rax.ir.graph import Graph
from rax.ir.node import Constant, Literal, constant, new_input
from rax.ir.program import Example, Program
from rax.ir.trail import Origin
from rax.ir.tree import LEAF_TREE, Tree, flatten
from rax.ir.types import float32, tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import literal
from rax.ops.composites import UserComposite
from rax.ops.scan import Scan
from tests.format.build import chain, everything, from_bytes, operations, pack, small, split, stored, to_bytes

ROOT = Path(__file__).parents[2]
HASHES = """
import hashlib
from rax.ir.program import Program
from tests.format.build import chain, everything, operations, small, stored, to_bytes
for program in (small(), everything(), stored(100, 7, 3000), Program({"main": chain(500)})):
    print(hashlib.sha256(to_bytes(program)).hexdigest(), program.digest)
"""


def stored_literals(program: Program) -> list[Literal]:
    """The literals of the entry ``main``, in output order."""
    return [value.node.op.literal for value in program["main"].outputs if isinstance(value.node.op, Constant)]


def test_every_process_writes_the_same_bytes() -> None:
    found: set[str] = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", HASHES]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
        found.add(done.stdout)
    assert len(found) == 1


def test_the_order_of_building_does_not_show() -> None:
    def build(shuffle: random.Random) -> bytes:
        names = ["a", "b", "c", "d"]
        shuffle.shuffle(names)
        entries: dict[str, Graph] = {}
        defaults: dict[str, Literal] = {}
        examples: dict[str, Example] = {}
        for name in names:
            x = new_input(name, tensor_type(()))
            options = {other: ord(other) for other in names}
            y = UserComposite("acme.twice", options, Graph([x], [add(x, x)], origins={}))(x)
            tree = flatten(dict.fromkeys(names, 0))[1]
            entries[f"entry {name}"] = Graph([x], [y] * 4, None, tree, origins={})
            defaults[name] = literal(np.float32(ord(name)))
            results = {other: literal(np.float32(2 * ord(name))) for other in names}
            examples[f"entry {name}"] = Example({name: literal(np.float32(1))}, results, dict.fromkeys(names, "number"))
        return to_bytes(Program(entries, defaults=defaults, examples=examples))

    assert len({build(random.Random(seed)) for seed in range(8)}) == 1


def test_threads_and_collections_do_not_show() -> None:
    due = to_bytes(everything())
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: to_bytes(everything()), range(8))) == {due}
    gc.collect()
    again = everything()
    gc.collect()
    assert to_bytes(again) == due


MAKERS: dict[str, Callable[[], Program]] = {
    "an entry without a name": lambda: Program({"": chain(1), "main": chain(2)}, main=""),
    "no main": lambda: Program({"a": chain(1), "b": chain(2)}),
    "small": small, "everything": everything, "stored": lambda: stored(100, 5), "operations": operations,
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_loaded_is_saved_the_same(name: str, tmp_path: Path) -> None:
    program = MAKERS[name]()
    loaded = from_bytes(to_bytes(program), tmp_path)
    assert to_bytes(loaded) == to_bytes(program)
    assert loaded.digest == program.digest


def test_names_and_origins_are_in_the_bytes_and_not_in_the_digest() -> None:
    def build(name: str, result: str, *origins: Origin) -> Program:
        x = new_input(name, tensor_type(()))
        y = add(x, x)
        tree = Tree("arguments", (name,), (LEAF_TREE,))
        return Program({"main": Graph([x], [y], tree, None, [result], dict(zip([y.node], origins, strict=False)))})

    made = build("x", "y"), build("a", "y"), build("x", "b"), build("x", "y", Origin(("layer",), "model.py:1"))
    assert len({program.digest for program in made}) == 1
    assert len({to_bytes(program) for program in made}) == len(made)


def test_a_digest_tells_values_apart() -> None:
    x = new_input("x", tensor_type(()))
    body = Graph([x], [add(x, x)], origins={})
    other = Graph([x], [x], origins={})
    values = [
        None, True, 1, 1.0, 0.0, -0.0, math.inf, math.nan, "1", "nil", "", (), (1,), ((1,),), ("1", "1"), ("1,1:1",),
        float32, dim("n"), dim("float32"), tensor_type(()), tensor_type((1,)), literal(1.0, float32), body, other,
    ]  # fmt: skip
    ops = [UserComposite("acme.f", {"a": value}, body) for value in values]
    ops += [UserComposite("acme.f", {"b": 1}, body), UserComposite("acme.g", {"a": 1}, body)]
    ops += [UserComposite("acme.f", {"a": 1}, other)]
    assert len({Graph([x], [op(x)], origins={}).digest for op in ops}) == len(ops)


def test_the_whole_file_is_one_array_any_msgpack_reads() -> None:
    data = to_bytes(stored(100, 5, 20_000))
    magic, version, header, checksum, *rest = msgpack.unpackb(data)
    packed = data[: len(data) - len(b"".join(map(pack, rest))) - 34]
    assert (magic, version, checksum) == ("rax", 1, hashlib.sha256(packed).digest())
    assert list(header) == sorted(header)
    assert [len(pad) < 64 and not any(pad) for pad in rest[::2]] == [True, True]
    assert [len(segment) for segment in rest[1::2]] == [400, 80_000]


def test_the_words_of_the_specification_give_the_same_bytes() -> None:
    for program in (small(), stored(100, 5, 20_000), Program({}), Program({"main": chain(300)})):
        data = to_bytes(program)
        assert split(data).join() == data


@pytest.mark.parametrize("count", [1, 2, 40, 2000])
def test_tensors_lie_where_the_header_says(count: int, tmp_path: Path) -> None:
    # Sizes around the steps of msgpack's lengths, and offsets from one byte to four.
    sizes = [17 + (index * 37) % 60 if index % 7 else 63 + index % 3 for index in range(count)]
    data = to_bytes(stored(*sizes))
    rows = split(data).header["tensors"]
    offsets = [offset for _, _, ((offset, _),) in rows]
    assert all(offset % 64 == 0 for offset in offsets)
    for row in rows:
        ((offset, nbytes),) = row[2]
        assert hashlib.sha256(data[offset : offset + nbytes]).digest() == row[1]
    loaded = stored_literals(from_bytes(data, tmp_path))
    assert [each.array.tolist() for each in loaded] == [each.array.tolist() for each in stored_literals(stored(*sizes))]


@pytest.mark.parametrize("length", [248, 252, 256, 65_528, 65_536])
def test_payloads_around_the_steps_of_lengths(length: int, tmp_path: Path) -> None:
    loaded = from_bytes(to_bytes(stored(length // 4, length // 4 + 1)), tmp_path)
    assert [len(each.raw) for each in stored_literals(loaded)] == [length, length + 4]


@pytest.mark.parametrize("limit", [64, 128, 1024])
def test_a_tensor_past_the_limit_is_split(limit: int, tmp_path: Path) -> None:
    program = stored(100, 20, 1000)
    file = io.BytesIO()
    lay_out(ProgramWriter(program), segment_bytes=limit).write(file)
    segments = [row[2] for row in split(file.getvalue()).header["tensors"]]
    assert [[nbytes for _, nbytes in row] for row in segments] == [
        [*[limit] * ((nbytes - 1) // limit), (nbytes - 1) % limit + 1] for nbytes in (400, 80, 4000)
    ]
    for verify in (True, False):
        loaded = from_bytes(file.getvalue(), tmp_path, verify=verify)
        for mine, theirs in zip(stored_literals(program), stored_literals(loaded), strict=True):
            np.testing.assert_array_equal(mine.array, theirs.array)
            assert (mine.digest, bytes(mine.raw)) == (theirs.digest, bytes(theirs.raw))
        assert to_bytes(loaded) == to_bytes(program)


def test_a_node_takes_few_bytes() -> None:
    assert len(to_bytes(chain(10_000))) < 8 * 10_000
    x = new_input("x", tensor_type((8,)))
    values = [x]
    rng = random.Random(0)
    for _ in range(10_000):
        values.append(add(*rng.choices(values, k=2)))
    # References far back, constants and source lines included.
    assert len(to_bytes(Graph([x], values[-100:]))) < 12 * 10_000


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every file as one too large to be read whole."""
    monkeypatch.setattr("rax.format.files.READ_BYTES", 0)


def owner(literal: Literal) -> mmap.mmap:
    """The memory a literal's array lies in; nothing between copies it."""
    base = literal.array
    assert not base.flags.writeable
    assert base.ctypes.data % 64 == 0
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, memoryview)
    assert isinstance(base.obj, mmap.mmap)
    return base.obj


@pytest.mark.usefixtures("mapped")
def test_a_large_file_is_mapped(tmp_path: Path) -> None:
    save(stored(100_000), tmp_path / "file")
    (found,) = stored_literals(load(tmp_path / "file"))
    with pytest.raises(TypeError, match="mmap can't modify a readonly memory map"):
        owner(found)[0] = 1


@pytest.mark.usefixtures("mapped")
def test_a_file_may_be_replaced_while_it_is_mapped(tmp_path: Path) -> None:
    save(stored(5000), tmp_path / "file")
    loaded = load(tmp_path / "file")
    save(stored(4000), tmp_path / "file")
    assert stored_literals(loaded)[0].array[-1] == 4999
    save(loaded, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == to_bytes(stored(5000))


def test_a_small_file_is_read_so_that_changing_it_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(to_bytes(stored(5000)))
    (found,) = stored_literals(load(tmp_path / "file"))
    (tmp_path / "file").write_bytes(b"")
    assert found.array[-1] == 4999
    assert len(owner(found)) > 20_000


def damaged() -> bytes:
    """A file with a bit turned in its tensor."""
    data = bytearray(to_bytes(stored(5000)))
    data[-1] ^= 1
    return bytes(data)


def test_a_damaged_tensor(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a tensor was changed or damaged") as caught:
        from_bytes(damaged(), tmp_path)
    assert (caught.value.code, caught.value.where) == ("digest", "tensors[0]")


@pytest.mark.usefixtures("mapped")
def test_a_damaged_tensor_in_a_large_file_is_found_when_its_digest_is_needed(tmp_path: Path) -> None:
    loaded = from_bytes(damaged(), tmp_path)
    assert stored_literals(loaded)[0].array[7] == 7
    for use in (lambda: stored_literals(loaded)[0].digest, lambda: loaded.digest, lambda: to_bytes(loaded)):
        with pytest.raises(FormatError, match="a tensor was changed or damaged"):
            use()
    with pytest.raises(FormatError, match="a tensor was changed or damaged"):
        load(tmp_path / "program.msgpack", verify=True)


@pytest.mark.usefixtures("mapped")
def test_a_claimed_digest_takes_no_other_tensors_place(tmp_path: Path) -> None:
    forged = split(to_bytes(stored(5000)))
    forged.payloads[0] = bytes(20_000)
    (tmp_path / "forged").mkdir()
    evil = from_bytes(forged.join(), tmp_path / "forged")
    honest = from_bytes(to_bytes(stored(5000)), tmp_path, verify=True)
    assert stored_literals(honest)[0].array[7] == 7
    assert stored_literals(evil)[0].array[7] == 0
    assert evil["main"].outputs[0].node is not honest["main"].outputs[0].node


def test_describe_reads_the_header_alone(tmp_path: Path) -> None:
    save(small(), tmp_path / "small")
    found = describe(tmp_path / "small")
    assert (found.version, found.main) == (1, "predict")
    assert found.nbytes == (tmp_path / "small").stat().st_size
    entry = found.entries["predict"]
    assert {name: str(type) for name, type in entry.inputs.items()} == {
        "params.b": "float32[]", "params.w": "float32[3]", "x": "float32[batch, 3]",
    }  # fmt: skip
    assert {name: str(type) for name, type in entry.outputs.items()} == {
        "loud": "float32[batch, 3]", "wide.0": "float32[3*batch]",
    }  # fmt: skip
    assert (entry.nodes, entry.optional, entry.has_example) == (4, {"params.b", "params.w"}, True)
    assert {name: str(type) for name, type in found.defaults.items()} == {
        "params.b": "float32[]", "params.w": "float32[3]",
    }  # fmt: skip
    assert found.ops == {"add": 3, "cast": 1, "cond": 1, "multiply": 3, "reshape": 1, "scan": 1}

    data = bytearray(to_bytes(stored(5000, 3)))
    data[-1] ^= 1  # no tensor is read
    (tmp_path / "stored").write_bytes(data)
    tensors = describe(tmp_path / "stored").tensors
    assert [(str(each.type), each.digest is None) for each in tensors] == [
        ("float32[5000]", False), ("float32[3]", True),
    ]  # fmt: skip
    assert [nbytes for _, nbytes in tensors[0].segments] == [20_000]


def test_describe_needs_no_operation(tmp_path: Path) -> None:
    parts = split(to_bytes(small()))
    parts.header["ops"][0] = ["frobnicate", 3, {"shape": [{"dim": "n"}]}]
    (tmp_path / "newer").write_bytes(parts.join())
    assert describe(tmp_path / "newer").ops["frobnicate"] == 3


def test_a_process_that_only_loads(tmp_path: Path) -> None:
    save(small(), tmp_path / "file")
    code = f"import rax; print(sorted(rax.load({str(tmp_path / 'file')!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "['choose', 'predict']\n"


def test_saving_does_not_copy_tensors(tmp_path: Path) -> None:
    code = f"""
import resource, numpy as np
from rax.format.files import load
from rax.format.saving import save
from rax.ir.graph import Graph
from rax.ir.node import constant
from rax.ops.arrays import mapped_literal
array = np.zeros(2**25, np.float32)
array[::1024] = 1
array.flags.writeable = False
value = constant(mapped_literal(array))
array.sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
save(Graph((), (value,)), {str(tmp_path / "file")!r})
saved = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load({str(tmp_path / "file")!r}, verify=False)
loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(saved - before, loaded - saved)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    saving, loading = (int(kib) for kib in done.stdout.split())
    assert saving < 32 * 1024, f"saving 128 MiB took {saving} KiB"
    assert loading < 16 * 1024, f"loading 128 MiB took {loading} KiB"


@pytest.mark.usefixtures("mapped")
def test_a_tensor_of_two_literals_is_stored_once(tmp_path: Path) -> None:
    save(stored(5000), tmp_path / "file")
    lazily = stored_literals(load(tmp_path / "file"))[0]
    graph = Graph((), (constant(lazily), stored(5000)["main"].outputs[0]), origins={})
    assert len(split(to_bytes(graph)).header["tensors"]) == 1


def test_origins_of_a_body_are_its_own_though_another_program_has_the_same_loop(tmp_path: Path) -> None:
    """An operation of constants alone is one node in all programs; what it holds may come from elsewhere."""

    def looping(source: str) -> Graph:
        total, x = new_input("total", tensor_type(())), new_input("x", tensor_type(()))
        after = add(total, x)
        body = Graph((total, x), (after, after), origins={after.node: Origin((), source)})
        values = [constant(literal(np.float32(0))), constant(literal(np.arange(3, dtype="float32")))]
        return Graph((), Scan(body, 0, 1, 3).results(*values), origins={})

    # Each graph dies when it is written, and its nodes with it.
    written = [to_bytes(looping(source)) for source in ("a.py:1", "b.py:2")]
    alive = from_bytes(written[0], tmp_path)
    other = from_bytes(written[1], tmp_path)
    assert [to_bytes(alive), to_bytes(other)] == written
    assert to_bytes(rax.parse(str(other))) == written[1]
    assert to_bytes(rax.parse(str(alive))) == written[0]
