"""Files changed at random by changes that know the structure of a file: the one engine of every fuzzer here.

A seed is a file taken apart. :func:`mutate` changes its header in place (values, rows, references,
sizes, attributes; parts of other seeds), writes it again, and may then change the bytes. What it
does follows from its random numbers alone, so a seed and a number give the same file again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import msgpack

from tests.format.build import joined, pack, set_offsets
from tests.fuzz import values

Header = Any
Path = tuple[Any, ...]
DEEPEST = 100
RAW = 77
"""The code of an extension that stands, in a header not yet packed, for bytes to be put in as they are."""


@dataclass(frozen=True)
class Seed:
    """A file to start from."""

    name: str
    data: bytes

    @cached_property
    def parts(self) -> tuple[bytes, list[bytes]] | None:
        """The packed header, and the payloads of the segments; None of what cannot be taken apart."""
        try:
            magic, version, header, _, *rest = msgpack.unpackb(self.data, strict_map_key=False)
        except (ValueError, TypeError, msgpack.UnpackException):
            return None
        if (magic, version) != ("rax", 1) or not isinstance(header, dict):
            return None
        return pack(header), [payload for payload in rest[1::2] if isinstance(payload, bytes)]

    @cached_property
    def paths(self) -> list[Path]:
        """The way to every value of the header."""
        return list(_paths(self.header())) if self.parts else []

    def header(self) -> Header:
        """The header, to be changed."""
        assert self.parts is not None
        return msgpack.unpackb(self.parts[0], strict_map_key=False)


def _paths(value: Any, above: Path = ()) -> list[Path]:
    found: list[Path] = []
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found.append((*above, key))
        if len(above) < DEEPEST:
            found += _paths(item, (*above, key))
    return found


@dataclass
class Change:
    """A file in the making, and how it came about."""

    rng: random.Random
    seed: Seed
    others: Sequence[Seed]
    header: Header
    payloads: list[bytes]
    raw: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    steps: list[str] = field(default_factory=list[str])

    def place(self) -> tuple[Any, Any, Path] | None:
        """A container and a key in it, anywhere."""
        path = self.rng.choice(self.seed.paths)
        box = follow(self.header, path[:-1])
        return (box, path[-1], path) if has(box, path[-1]) else None

    def table(self, *names: str) -> list[Any]:
        """A table of the header, empty if it is no table any more."""
        rows = self.header.get(self.rng.choice(names)) if isinstance(self.header, dict) else None
        return cast("list[Any]", rows) if isinstance(rows, list) else []

    def row(self, *names: str) -> Any:
        """A row of a table, or None."""
        rows = self.table(*names)
        return self.rng.choice(rows) if rows else None


def has(box: Any, key: Any) -> bool:
    """Whether a container has something there."""
    if isinstance(box, dict):
        return key in box
    return isinstance(box, list) and isinstance(key, int) and key < len(cast("list[Any]", box))


def follow(value: Any, path: Path) -> Any:
    """The value at a path, or None."""
    for key in path:
        if not has(value, key):
            return None
        value = value[key]
    return value


def copied(value: Any) -> Any:
    """A copy that shares nothing."""
    if isinstance(value, list):
        return [copied(item) for item in cast("list[Any]", value)]
    return {key: copied(item) for key, item in value.items()} if isinstance(value, dict) else value


# Changes to any place of a header.


def put(change: Change) -> None:
    """Any value at a place."""
    if found := change.place():
        box, key, path = found
        box[key] = values.anything(change.rng)
        change.steps.append(f"put {path}")


def nudge(change: Change) -> None:
    """An int a little more or less, or at a bound."""
    for _ in range(8):
        found = change.place()
        if found and type(found[0][found[1]]) is int:
            box, key, path = found
            box[key] = (
                box[key] + change.rng.randrange(-3, 4) if change.rng.random() < 0.7 else values.number(change.rng)
            )
            change.steps.append(f"nudge {path} to {box[key]}")
            return


def remove(change: Change) -> None:
    """A place less."""
    if found := change.place():
        box, key, path = found
        del box[key]
        change.steps.append(f"remove {path}")


def repeat(change: Change) -> None:
    """An item several times."""
    found = change.place()
    if found and isinstance(found[0], list):
        box, key, path = cast("tuple[list[Any], int, Path]", found)
        times = change.rng.choice((1, 1, 1, 2, 3, 10, 70, 300))
        box[key:key] = [copied(box[key]) for _ in range(times)]
        change.steps.append(f"repeat {path} {times} times")


def copy(change: Change) -> None:
    """One place's value at another; or both exchanged."""
    here, there = change.place(), change.place()
    if here and there:
        kept = copied(here[0][here[1]])
        here[0][here[1]] = copied(there[0][there[1]])
        if swapped := change.rng.random() < 0.5:
            there[0][there[1]] = kept
        change.steps.append(f"{'swap' if swapped else 'copy to'} {here[2]} from {there[2]}")


def splice(change: Change) -> None:
    """The value at a place of another file, at the same place or any."""
    other = change.rng.choice(change.others)
    if not other.paths or not (found := change.place()):
        return
    box, key, path = found
    same = follow(other.header(), path)
    source = path if same is not None and change.rng.random() < 0.6 else change.rng.choice(other.paths)
    box[key] = follow(other.header(), source)
    change.steps.append(f"splice {path} from {other.name} {source}")


def graft(change: Change) -> None:
    """The rows of another file's table added to, or in place of, one's own."""
    other = change.rng.choice(change.others)
    if not other.paths or not isinstance(change.header, dict):
        return
    name = change.rng.choice(list(other.header()))
    theirs, ours = other.header()[name], change.header.get(name)
    if isinstance(theirs, list) and isinstance(ours, list) and change.rng.random() < 0.6:
        change.header[name] = ours + theirs if change.rng.random() < 0.7 else theirs + ours
    else:
        change.header[name] = theirs
    change.steps.append(f"graft {name} from {other.name}")


def rename(change: Change) -> None:
    """A word exchanged for another throughout: a dtype, a dim, a name."""
    found = [follow(change.header, path) for path in change.rng.choices(change.seed.paths, k=12)]
    words = [word for word in found if type(word) is str]
    if not words:
        return
    old = change.rng.choice(words)
    new = change.rng.choice(values.DTYPES) if old in values.DTYPES else values.size(change.rng)
    if change.rng.random() < 0.2:
        new = change.rng.choice(words)
    change.header = _renamed(change.header, old, new)
    change.steps.append(f"rename {old!r} to {new!r}")


def _renamed(value: Any, old: str, new: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(item, old, new) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _renamed(item, old, new) for key, item in value.items()}
    return copied(new) if value == old and type(value) is str else value


# Changes to what a header says.


def retype(change: Change) -> None:
    """Another type in a row, or one of its sizes."""
    row = change.row("types")
    if isinstance(row, list) and len(row) == 2 and isinstance(row[1], list) and row[1] and change.rng.random() < 0.7:
        axis = change.rng.randrange(len(row[1]))
        row[1][axis] = values.size(change.rng)
        change.steps.append(f"retype axis {axis} to {row[1][axis]}")
    elif isinstance(row, list):
        row[:] = values.tensor_type(change.rng)
        change.steps.append(f"retype to {row}")


def retree(change: Change) -> None:
    """Another tree."""
    if rows := change.table("trees"):
        rows.insert(change.rng.randrange(len(rows) + 1), values.tree(change.rng))
        if change.rng.random() < 0.7:
            del rows[change.rng.randrange(len(rows))]
        change.steps.append("retree")


def reattribute(change: Change) -> None:
    """Another attribute of an operation, of the type that is due or not."""
    row = change.row("ops")
    if not (isinstance(row, list) and len(row) >= 3 and isinstance(row[2], dict)):
        return
    due = next((op["attributes"] for op in values.OPS if op["name"] == row[0]), [])
    if due and change.rng.random() < 0.9:
        attribute = change.rng.choice(due)
        name, value = attribute["name"], values.of_type(change.rng, attribute["type"])
    else:
        name, value = change.rng.choice(values.WORDS), values.attribute(change.rng)
    row[2][name] = value
    change.steps.append(f"reattribute {row[0]}.{name}: {value!r}"[:200])


def reoperate(change: Change) -> None:
    """Another operation."""
    row = change.row("ops")
    if isinstance(row, list):
        if change.rng.random() < 0.5 and row:
            row[0] = change.rng.choice(values.OPS)["name"]
        else:
            row[:] = values.operation(change.rng)
        change.steps.append(f"reoperate {row}"[:200])


def rewire(change: Change) -> None:
    """Another operand, operation or result of a node; or a node more."""
    graph = change.row("graphs")
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    if not isinstance(nodes, list):
        return
    rng = change.rng
    if nodes and rng.random() < 0.8 and isinstance(node := rng.choice(nodes), list) and node:
        place = rng.randrange(len(cast("list[Any]", node)))
        node[place] = rng.randrange(-4, 6)
        change.steps.append(f"rewire item {place} of a node to {node[place]}")
    else:
        node = [
            rng.randrange(4),
            rng.randrange(4),
            *[rng.randrange(-3, 4) for _ in range(rng.choice((0, 1, 2, 3, 900)))],
        ]
        nodes.insert(rng.randrange(len(nodes) + 1), node)
        change.steps.append("rewire by a node more")


def refill(change: Change) -> None:
    """Another form of a tensor: in the header, in segments, in another file."""
    row = change.row("tensors")
    if not isinstance(row, list) or not row:
        return
    rng = change.rng
    payload = rng.randbytes(rng.choice((0, 1, 4, 64, 65, 128, 400)))
    digest = hashlib.sha256(payload).digest()
    form = rng.randrange(4)
    if form == 0:
        row[1:] = [payload]
    elif form == 1:
        row[1:] = [digest, [[values.number(rng), len(payload)]], rng.randrange(-1, 3)]
    else:
        row[1:] = [digest, [[0, len(payload)]] if form == 2 else [[0, 64], [0, len(payload) - 64]]]
        change.payloads.insert(rng.randrange(len(change.payloads) + 1), payload)
    change.steps.append(f"refill a tensor by form {form}")


def reroot(change: Change) -> None:
    """Another entry, default, example or file."""
    rng, header = change.rng, change.header
    if not isinstance(header, dict):
        return
    name = rng.choice(("entries", "defaults", "examples", "files", "main", "origins"))
    key = rng.choice(("main", "x", "w", "a.b", "", "predict"))
    if isinstance(box := header.get(name), dict):
        box[key] = rng.randrange(-1, 4)
    elif isinstance(box, list):
        box.append(rng.choice((key, "weights.bin", "../up", "a/./b", [key, []], [key, [key] * 257])))
    else:
        header[name] = key
    change.steps.append(f"reroot {name}[{key!r}]")


def add(change: Change) -> None:
    """A key more in a map, or one under another name."""
    for _ in range(8):
        found = change.place()
        if found and isinstance(found[0], dict):
            box, key, path = cast("tuple[dict[str, Any], str, Path]", found)
            new = change.rng.choice(values.WORDS) if change.rng.random() < 0.7 else key + "x"
            box[new] = box.pop(key) if change.rng.random() < 0.5 else values.anything(change.rng)
            change.steps.append(f"add {new[:40]!r} beside {path}")
            return


def damage(change: Change) -> None:
    """A tensor's bytes changed, and not its digest."""
    if change.payloads:
        place = change.rng.randrange(len(change.payloads))
        payload = bytearray(change.payloads[place])
        change.steps += [f"payload {place}", *_scramble(change.rng, payload, 1)]
        change.payloads[place] = bytes(payload)


# Changes to how a header is written.


def rewrite(change: Change) -> None:
    """The bytes of a value, in a form that MessagePack has and the format may not."""
    if not (found := change.place()):
        return
    box, key, path = found
    rng = change.rng
    value = box[key]
    forms: list[bytes] = [
        b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdb\x7f\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdf\x00\x00\xff\xff",
        b"\x82\xa1a\x01\xa1a\x02", b"\x81\x01\x01", b"\x81\xc4\x01a\x01", b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80",
        b"\xca\x3f\x80\x00\x00", b"\xd3" + bytes(8), b"\xcf" + bytes(8), b"\xd4\x05\x00", b"\xd9\x01n",
        b"\x91" * 900 + b"\xc0", b"\x91" * 1100 + b"\xc0", b"\x90" * 5000, rng.randbytes(rng.randrange(1, 9)),
    ]  # fmt: skip
    if isinstance(value, dict) and value:
        items = [(each, pack(item)) for each, item in cast("dict[Any, Any]", value).items()]
        items.append(rng.choice(items))
        forms += [b"\xde" + len(items).to_bytes(2, "big") + b"".join(pack(each) + item for each, item in items)] * 9
    if isinstance(value, list):
        rows = cast("list[Any]", value)
        count = len(rows) + rng.choice((-1, 0, 0, 0, 1))
        forms += [b"\xdd" + (count % 2**32).to_bytes(4, "big") + b"".join(map(pack, rows))] * 6
    if type(value) is int and -(2**63) <= value < 2**63:
        forms += [b"\xd3" + value.to_bytes(8, "big", signed=True)] * 6
    token = rng.randbytes(8)
    change.raw.append((pack(msgpack.ExtType(RAW, token)), rng.choice(forms)))
    box[key] = msgpack.ExtType(RAW, token)
    change.steps.append(f"rewrite {path} as {change.raw[-1][1][:20]!r}")


ANYWHERE = (put, put, nudge, nudge, remove, repeat, copy, copy, splice, splice, graft, rename, rename)
KNOWING = (
    retype,
    retype,
    retree,
    reattribute,
    reattribute,
    reattribute,
    reoperate,
    rewire,
    rewire,
    refill,
    reroot,
    add,
    damage,
)
HEADER: tuple[Callable[[Change], None], ...] = (*ANYWHERE, *KNOWING, rewrite)


def mutate(rng: random.Random, seed: Seed, others: Sequence[Seed]) -> tuple[bytes, list[str]]:
    """A file made from another.

    Args:
        rng: everything is drawn from it.
        seed: the file to change.
        others: files to take parts from.

    Returns:
        The bytes, and the steps that led to them, for people.
    """
    if seed.parts is None or not seed.paths or rng.random() < 0.08:
        data = bytearray(seed.data)
        steps = _scramble(rng, data, rng.randrange(1, 5))
        return bytes(data), steps
    change = _changed(rng, seed, others, HEADER)
    return _written(change, seed.parts[0]), change.steps


def changed_header(rng: random.Random, seed: Seed, others: Sequence[Seed]) -> tuple[Header, list[bytes]]:
    """A file's header changed as :func:`mutate` does, and the payloads of its segments; not written."""
    change = _changed(rng, seed, others, (*ANYWHERE, *KNOWING))
    return change.header, change.payloads


def _changed(
    rng: random.Random, seed: Seed, others: Sequence[Seed], ways: Sequence[Callable[[Change], None]]
) -> Change:
    assert seed.parts is not None
    change = Change(rng, seed, others, seed.header(), list(seed.parts[1]))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        try:
            rng.choice(ways)(change)
        except (LookupError, RecursionError, TypeError, ValueError):
            change.steps.append("which came to nothing")  # bad files hold what cannot be changed so, or is too deep
    return change


def _written(change: Change, otherwise: bytes) -> bytes:
    """The file of a changed header; its checksum and offsets made good, mostly."""
    rng = change.rng
    honest = rng.random() < 0.9
    version = pack(values.anything(rng)) if rng.random() < 0.01 else b"\x01"
    data = b""
    offsets: list[int] = []
    for _ in range(4):
        try:
            packed = pack(change.header)
        except (
            OverflowError,
            RecursionError,
            TypeError,
            ValueError,
        ):  # an int of more than 64 bits, or nested past msgpack's bound
            packed = otherwise
            change.steps.append("which cannot be written")
        for token, form in change.raw:
            packed = packed.replace(token, form)
        if rng.random() < 0.04:
            change.steps += _scramble(rng, edited := bytearray(packed), 1)
            packed = bytes(edited)
        data, due = joined(packed, change.payloads, version)
        if not change.payloads or due == offsets or not honest:
            break
        offsets = due
        try:
            set_offsets(change.header, offsets)
        except (AttributeError, IndexError, KeyError, TypeError):
            break
    if rng.random() < 0.01:
        change.steps.append("bytes after the end")
        return data + rng.randbytes(rng.randrange(1, 70))
    if rng.random() < 0.03:
        change.steps += _scramble(rng, tail := bytearray(data), 1)
        data = bytes(tail)
    return data


def _scramble(rng: random.Random, data: bytearray, times: int) -> list[str]:
    """Bytes turned, cut, added, moved or repeated, in place; the steps."""
    steps: list[str] = []
    for _ in range(times):
        start = rng.randrange(len(data) + 1)
        stop = min(start + rng.choice((1, 1, 2, 4, 8, 64)), len(data))
        way = rng.choice(("turn", "turn", "turn", "cut", "add", "repeat", "end", "zero", "ones"))
        if way == "turn" and start < stop:
            data[start] ^= 1 << rng.randrange(8)
        elif way == "cut":
            del data[start:stop]
        elif way == "add":
            data[start:start] = rng.randbytes(rng.randrange(1, 9))
        elif way == "repeat":
            data[start:start] = data[start:stop]
        elif way == "end":
            del data[start:]
        elif way in ("zero", "ones"):
            data[start:stop] = (b"\x00" if way == "zero" else b"\xff") * (stop - start)
        steps.append(f"{way} bytes {start} to {stop}")
    return steps
