"""Programs to save, and files taken apart and put together by the words of FORMAT.md alone."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgpack
import numpy as np

from rax.format.files import load
from rax.format.saving import encode
from rax.ir.dims import dim
from rax.ir.graph import Graph
from rax.ir.node import constant, new_input
from rax.ir.program import Example, Program
from rax.ir.trail import Origin
from rax.ir.tree import ARGUMENTS, flatten
from rax.ir.tree import Tree as Structure
from rax.ir.types import TensorType, as_dtype, float32, int32, tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import literal, scalar
from rax.ops.composites import UserComposite
from rax.ops.control import Cond
from rax.ops.elementwise import multiply
from rax.ops.scan import Scan
from rax.ops.selection import Cast
from rax.ops.shape import reshape
from tests.ops import laws

importlib.import_module("rax.ops")  # fills the registry

Header = dict[str, Any]
EMPTY: Header = {
    "defaults": {}, "entries": {}, "examples": {}, "files": [], "graphs": [], "main": None, "ops": [], "origins": [],
    "tensors": [], "trees": [], "types": [],
}  # fmt: skip
"""The header of a program without entries."""
VECTOR = tensor_type((3,))


def branches() -> tuple[Graph, ...]:
    """Two graphs of the same types."""
    graphs: list[Graph] = []
    for choice in range(2):
        x, y = new_input("x", VECTOR), new_input("y", VECTOR)
        graphs.append(Graph((x, y), ((multiply(x, y), add(x, x))[choice],), origins={}))
    return tuple(graphs)


def summing() -> Graph:
    """The body of a scan: running sums."""
    total, x = new_input("total", tensor_type(())), new_input("x", tensor_type(()))
    after = add(total, x)
    return Graph((total, x), (after, after), origins={after.node: Origin(("cell",), "model.py:9 in step")})


def small() -> Program:
    """Two entries with control flow, symbolic sizes, trees, origins, defaults and an example; no stored tensor."""
    w, b = new_input("params.w", VECTOR), new_input("params.b", tensor_type(()))
    x = new_input("x", tensor_type(("batch", 3)))
    loud = add(multiply(x, w), b)
    doubled = multiply(loud, scalar(2, float32))
    wide = reshape(doubled, (dim("3*batch"),))
    tree = Structure(ARGUMENTS, ("params", "x"), (flatten({"w": 1, "b": 2})[1], flatten(0)[1]))
    out_tree = flatten({"loud": 0, "wide": (1, None)})[1]
    origins = {loud.node: Origin(("layer", "dense"), "model.py:3 in model")}
    predict = Graph((b, w, x), (loud, wide), tree, out_tree, origins=origins)
    index, v = new_input("index", TensorType(int32, ())), new_input("v", VECTOR)
    (chosen,) = Cond(branches()).results(index, v, constant(literal([1.0, 2.0, 3.0], float32)))
    total, sums = Scan(summing(), 0, 1, 3, True).results(scalar(0, float32), chosen)
    choose = Graph((index, v), (Cast(as_dtype("bfloat16"))(sums), total), origins={})
    outputs = {"wide.0": literal(np.arange(6, dtype="float32").reshape(6))}
    example = Example({"x": literal(np.zeros((2, 3), "float32"))}, outputs, {"x": "image"})
    defaults = {"params.b": literal(np.float32(0.5)), "params.w": literal(np.arange(3, dtype="float32"))}
    return Program(predict=predict, choose=choose, defaults=defaults, examples={"predict": example}, main="predict")


def everything() -> Program:
    """Attributes of every kind, every kind of tree, two tensors of 160 bytes."""
    body = branches()[0]
    options = {
        "none": None, "flag": True, "count": 3, "half": 0.5, "far": math.inf, "text": "a", "dtype": int32,
        "size": dim("min(n//2, 5) + 1"), "type": VECTOR, "tensor": literal([1.0], float32), "graph": branches()[1],
        "many": (1, (2, "x")),
    }  # fmt: skip
    x, y = new_input("$x", VECTOR), new_input("y", VECTOR)
    z = UserComposite("acme.f", options, body)(x, y)
    leaf = flatten(0)[1]
    pair = Structure("namedtuple", ("left", "right"), (leaf, leaf), "Pair")
    box = Structure("dataclass", ("first", "second"), (leaf, leaf), "Box")
    mixed = Structure("ordered_dict", ("b", 1, "a"), (leaf, leaf, Structure("none")))
    arguments = Structure(ARGUMENTS, ("pair",), (pair,))
    out_tree = Structure("tuple", (), (box, mixed, Structure("list", (), (leaf, leaf))))
    stored = [constant(literal(np.full(40, fill, "float32"))) for fill in (1, 2)]
    outputs = (z, x, y, z, *stored)
    big = Graph((x, y), outputs, arguments, out_tree, tuple("abcdef"), {z.node: Origin(("s",), "f.py:1")})
    example = Example({"$x": literal([1.0, 2.0, 3.0], float32)}, {}, {"$x": "image"})
    return Program({**small(), "$big": big}, defaults=small().defaults, examples={"$big": example}, main="$big")


def stored(*sizes: int) -> Program:
    """A program that returns a tensor of so many float32 for each size."""
    tensors = [constant(literal(np.arange(size, dtype="float32") + index)) for index, size in enumerate(sizes)]
    return Program({"main": Graph((), tensors, origins={})})


def operations() -> Program:
    """An entry for each operation: the first of its samples."""
    entries: dict[str, Graph] = {}
    for case in laws.cases():
        entries.setdefault(case.cls.name, case.graph())
    return Program(entries)


def chain(length: int) -> Graph:
    """A graph of so many operations one after another."""
    x, y = new_input("x", tensor_type(("batch", 4))), new_input("y", tensor_type((4,)))
    value = x
    for step in range(length):
        value = (add, multiply)[step % 2](value, (x, y, value)[step % 3])
    return Graph((x, y), (value,), origins={})


PROGRAMS: dict[str, Callable[[], Program]] = {
    "small": small,
    "everything": everything,
    "stored": lambda: stored(100, 5),
    "operations": operations,
    "nothing": lambda: Program({}),
    "chain": lambda: Program({"main": chain(300)}),
}
"""One of each kind, for laws that hold of every program."""


def to_bytes(program: Program | Graph) -> bytes:
    """A program as a file's bytes."""
    file = io.BytesIO()
    encode(program).write(file)
    return file.getvalue()


def from_bytes(data: bytes, folder: Path, **options: Any) -> Program:
    """A program from a file's bytes."""
    path = folder / "program.msgpack"
    path.write_bytes(data)
    return load(path, **options)


@dataclass
class Parts:
    """A file taken apart: its header as Python values, and the payloads of its segments."""

    header: Header
    payloads: list[bytes]

    def join(self, *, place: bool = True, version: int = 1) -> bytes:
        """The file of these parts.

        Args:
            place: write the offsets that are due into the header first.
            version: the version to state.
        """
        offsets = [0] * len(self.payloads)
        while True:
            if place:
                set_offsets(self.header, offsets)
            before = offsets
            data, offsets = joined(pack(self.header), self.payloads, pack(version))
            if not place or offsets == before:
                return data


def pack(value: Any) -> bytes:
    """A value as MessagePack."""
    return cast("bytes", msgpack.packb(value))


def joined(packed: bytes, payloads: Sequence[bytes] = (), version: bytes = b"\x01") -> tuple[bytes, list[int]]:
    """The file of a packed header, its checksum made good, and where its payloads lie."""
    start = packed_array_header(4 + 2 * len(payloads)) + pack("rax") + version + packed
    data = start + b"\xc4\x20" + hashlib.sha256(start).digest()
    offsets: list[int] = []
    for payload in payloads:
        own = bin_header(len(payload))
        zeros = -(len(data) + 2 + len(own)) % 64
        data += bytes([0xC4, zeros]) + bytes(zeros) + own
        offsets.append(len(data))
        data += payload
    return data, offsets


def set_offsets(header: Header, offsets: list[int]) -> None:
    """Write into the tensor table where the payloads lie, as far as it has segments for them."""
    rows = [segment for row in header["tensors"] if len(row) == 3 for segment in row[2]]
    for segment, offset in zip(rows, offsets, strict=False):
        segment[0] = offset


def split(data: bytes) -> Parts:
    """Take a file apart."""
    magic, _, header, _, *rest = msgpack.unpackb(data)
    assert magic == "rax"
    return Parts(header, rest[1::2])


def as_json(value: Any) -> Any:
    """The JSON form of a decoded header, as FORMAT.md defines it.

    Example:
        >>> as_json({"data": b"\\x00\\xff", "half": 0.5, "$x": [1, None]})
        {'data': {'$bin': '00ff'}, 'half': {'$float': 0.5}, '$$x': [1, None]}
    """
    if isinstance(value, bytes):
        return {"$bin": value.hex()}
    if isinstance(value, float):
        return {"$float": value if math.isfinite(value) else str(value)}
    if isinstance(value, list):
        return [as_json(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {f"${key}" if key.startswith("$") else key: as_json(item) for key, item in items}
    return value


def from_json(value: Any) -> Any:
    """A decoded header from its JSON form.

    Raises:
        ValueError: the document is the form of no header.
    """
    try:
        header = _from_json(value)
    except TypeError as error:
        raise ValueError("a bin or float holds something else") from error
    if json.dumps(as_json(header)) != json.dumps(value):
        raise ValueError("the document is the form of no header")
    return header


def _from_json(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError("MessagePack has no such int")
    if isinstance(value, list):
        return [_from_json(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        if list(items) == ["$bin"]:
            return bytes.fromhex(items["$bin"])
        if list(items) == ["$float"]:
            return float(items["$float"])
        return {key.removeprefix("$"): _from_json(item) for key, item in items.items()}
    return value


def packed_array_header(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")


def bin_header(count: int) -> bytes:
    if count < 256:
        return b"\xc4" + count.to_bytes(1, "big")
    return b"\xc5" + count.to_bytes(2, "big") if count < 65536 else b"\xc6" + count.to_bytes(4, "big")


def changed(program: Program, change: Callable[[Header], Any], *, place: bool = False) -> bytes:
    """The file of a program, its header changed and its checksum made good; if asked, its offsets too."""
    parts = split(to_bytes(program))
    change(parts.header)
    return parts.join(place=place)
