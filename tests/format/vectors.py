"""Writes the conformance vectors: ``python -m tests.format.vectors schemas/vectors``.

Each is made anew from ``constructs``, ``computed``, ``variants`` (the good ones) and ``hostile`` (the bad
ones); a test compares what is made with what is committed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rax.format.files import load
from rax.format.saving import save
from rax.ir.errors import FormatError
from tests.format.build import as_json, changed, small, split, to_bytes
from tests.format.computed import COMPUTED
from tests.format.constructs import CONSTRUCTS, of_bytes
from tests.format.hostile import BYTES, CHANGES
from tests.format.variants import VARIANTS


def json_text(header: Mapping[str, Any]) -> str:
    """A header as JSON, its keys and table rows a line each."""
    lines: list[str] = []
    for key, value in header.items():
        form = as_json(value)
        rows = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in form] if isinstance(form, list) else []
        text = "[\n    " + ",\n    ".join(rows) + "\n  ]" if rows else json.dumps(form, ensure_ascii=False)
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def good() -> dict[str, tuple[str, bytes, bool]]:
    """The good vectors: what each shows, its bytes, and whether it is canonical."""
    canonical = {name: (what, to_bytes(build()), True) for name, (what, build) in {**CONSTRUCTS, **COMPUTED}.items()}
    outside = external()
    others = {name: (what, outside[f"{name}.msgpack"], flag) for name, (what, flag) in EXTERNAL.items()}
    return canonical | others | {name: (what, build(), False) for name, (what, build) in VARIANTS.items()}


def bad() -> dict[str, bytes]:
    """The bad vectors by file name."""
    named = {name: changed(small(), change) for name, (change, *_) in CHANGES.items()}
    named |= {name: data for name, (data, *_) in BYTES.items()}
    for name, (type, row, paths) in TO_OTHER.items():
        parts = split(to_bytes(small()))
        types = parts.header["types"]
        if type not in types:
            types.append(type)
        parts.header["tensors"][0], parts.header["files"] = [types.index(type), *row], paths
        named[name] = parts.join(place=False)
    return {re.sub(r"\W+", "-", name): data for name, data in named.items()}


@functools.cache
def external() -> dict[str, bytes]:
    """Files whose tensors lie in others, and those others: safetensors, another vector, and bare bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(of_bytes(65, 100), folder / "external-safetensors.msgpack", external="external.safetensors")
        save(of_bytes(80, 85), folder / "tensors.msgpack")
        save(of_bytes(80, 85), folder / "external-rax.msgpack", external="tensors.msgpack")
        made = {path.name: path.read_bytes() for path in folder.iterdir()}
    parts = split(to_bytes(of_bytes(3, 100)))
    path, data = "beside/some bytes.bin", b"any 7 b" + bytes(range(100))
    parts.header["files"] = [path]
    for row, segments in zip(parts.header["tensors"], ([[7, 3]], [[7, 64], [71, 36]]), strict=True):
        row[1:] = [hashlib.sha256(b"".join(data[at : at + count] for at, count in segments)).digest(), segments, 0]
    parts.payloads = []
    return {**made, path: data, "external-bytes.msgpack": parts.join(place=False)}


EXTERNAL = {
    "external-safetensors": ("tensors in a safetensors file", True),
    "tensors": ("tensors that another file uses", True),
    "external-rax": ("tensors in another rax file", True),
    "external-bytes": ("tensors that overlap in bare bytes, in a folder below, one of them small", False),
}
FLOAT: list[Any] = ["float32", []]
OTHER = {"ten.bin": bytes(range(10)), "sixty-four.bin": bytes(range(64))}
TO_OTHER: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "another-file-too-short": (FLOAT, [hashlib.sha256(bytes(range(7, 11))).digest(), [[7, 4]], 0], ["ten.bin"]),
    "another-file-less-than-the-tensor": (
        ["uint8", [65]],
        [hashlib.sha256(bytes(range(64)) + b"\0").digest(), [[0, 64], [0, 1]], 0],
        ["sixty-four.bin"],
    ),
    "another-file-of-other-bytes": (FLOAT, [hashlib.sha256(bytes(range(4))).digest(), [[1, 4]], 0], ["ten.bin"]),
    "another-file-that-is-a-folder": (FLOAT, [hashlib.sha256(b"").digest(), [[0, 4]], 0], ["folder"]),
}
"""Bad files whose first tensor lies in another file: its type, the rest of its row, and the paths."""


def error_of(data: bytes) -> FormatError:
    """What the reader says of bad bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.msgpack"
        path.write_bytes(data)
        for name, other in OTHER.items():
            (Path(folder) / name).write_bytes(other)
        (Path(folder) / "folder").mkdir()
        try:
            load(path)
        except FormatError as error:
            return error
    raise AssertionError("a bad vector was read")


def digest_of(data: bytes) -> str:
    """The digest of the program of a file, which may have its tensors in those of ``external``."""
    with tempfile.TemporaryDirectory() as folder:
        for name, other in {**external(), "file.msgpack": data}.items():
            (Path(folder) / name).parent.mkdir(exist_ok=True)
            (Path(folder) / name).write_bytes(other)
        return load(Path(folder) / "file.msgpack").digest


def index(rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """An index file: a line for each vector."""
    lines = [f"  {json.dumps(name)}: {json.dumps(row, ensure_ascii=False)}" for name, row in sorted(rows.items())]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def files() -> dict[str, bytes]:
    """Every file of the folder but its README, by path."""
    made: dict[str, bytes] = {}
    described: dict[str, Mapping[str, Any]] = {}
    for name, (what, data, canonical) in good().items():
        made[f"good/{name}.msgpack"] = data
        made[f"good/{name}.json"] = json_text(split(data).header).encode()
        described[name] = {"canonical": canonical, "digest": digest_of(data), "shows": what}
    made |= {f"good/{path}": data for path, data in external().items()}
    made["good/index.json"] = index(described)
    refused: dict[str, Mapping[str, Any]] = {}
    for name, data in bad().items():
        error = error_of(data)
        made[f"bad/{name}.msgpack"] = data
        refused[name] = {"code": error.code, "where": error.where, "says": error.what}
    made |= {f"bad/{path}": data for path, data in OTHER.items()} | {"bad/folder/.keep": b""}
    made["bad/index.json"] = index(refused)
    return made


def main(folder: Path) -> None:
    """Write the folder anew."""
    for part in ("good", "bad"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)
    for name, data in files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
