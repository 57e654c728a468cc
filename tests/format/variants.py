"""Files that are as FORMAT.md says but not canonical: what a reader accepts and no writer of rax writes."""

from __future__ import annotations

import copy
import hashlib
import struct
from collections.abc import Callable
from typing import Any, cast

import msgpack
import numpy as np

import rax.numpy as rnp
from rax import nn
from rax.ir.node import constant, new_input
from rax.ir.program import Program
from rax.ir.types import tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import literal
from rax.ops.elementwise import multiply
from tests.format.build import Header, Parts, changed, joined, split, to_bytes
from tests.format.constructs import array, numbers, plain, same, shared, whole


def wide(value: Any) -> bytes:
    """A value as MessagePack, every header as long as it can be."""
    if isinstance(value, bool) or value is None:
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return struct.pack(">BQ", 0xCF, value) if value >= 0 else struct.pack(">Bq", 0xD3, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, (str, bytes)):
        raw = value.encode() if isinstance(value, str) else value
        return struct.pack(">BI", 0xDB if isinstance(value, str) else 0xC6, len(raw)) + raw
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return struct.pack(">BI", 0xDD, len(items)) + b"".join(map(wide, items))
    pairs = cast("Header", value)
    return struct.pack(">BI", 0xDF, len(pairs)) + b"".join(wide(key) + wide(item) for key, item in pairs.items())


def widened(program: Program) -> bytes:
    """A program without segments, every header of MessagePack as long as it can be, but for the checksum's."""
    start = b"\xdd\x00\x00\x00\x04" + wide("rax") + wide(1) + wide(split(to_bytes(program)).header)
    return start + b"\xc4\x20" + hashlib.sha256(start).digest()


def turned(value: Any) -> Any:
    """A value whose maps have their keys in the opposite order."""
    if isinstance(value, dict):
        pairs = cast("Header", value)
        return {key: turned(pairs[key]) for key in reversed(pairs)}
    return [turned(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def shift(header: Header) -> None:
    """Put another type first and move every index of one."""
    header["types"].insert(0, ["int8", [7, "unused"]])

    def moved(result: Any) -> Any:
        return [each + 1 for each in result] if isinstance(result, list) else result + 1

    for row in header["tensors"]:
        row[0] += 1
    for graph in header["graphs"]:
        for each in graph["inputs"]:
            each[1] += 1
        for node in graph["nodes"]:
            node[1] = moved(node[1])


def repeat(header: Header) -> None:
    """Write every row of the tables that are referred to by index once more, at the end."""
    for table in ("ops", "origins", "tensors", "types", "graphs"):
        header[table] += copy.deepcopy(header[table])


def unneeded(header: Header) -> None:
    """Add rows that nothing needs."""
    header["types"].append(["uint64", ["_a1"]])
    header["trees"].append(["none"])
    header["origins"].append(["nowhere.py:1 in f", ["a", "b"]])
    header["tensors"].append([len(header["types"]), b"\x07"])
    header["types"].append(["uint8", []])
    header["files"].append("nowhere.bin")
    header["ops"].append(["frobnicate", 7, {"x": [None, {"float": "nan"}]}])
    header["graphs"].append({
        "constants": [], "in_tree": len(header["trees"]), "inputs": [], "nodes": [], "origins": [],
        "out_tree": len(header["trees"]), "output_names": [], "outputs": [],
    })  # fmt: skip
    header["trees"].append(["arguments", [], []])


def pair() -> Program:
    """An entry of two nodes that do not need each other."""
    x = new_input("x", tensor_type((3,)))
    return plain((x,), (add(x, x), multiply(x, x)), {"x": numbers(3)})


def unordered(header: Header) -> None:
    """Put the second node first."""
    graph = header["graphs"][0]
    graph["nodes"].reverse()
    graph["outputs"] = [1, 2]


def unused(header: Header) -> None:
    """Repeat the last node, which no output needs then, and one in front of all."""
    graph = header["graphs"][0]
    graph["nodes"] = [copy.deepcopy(graph["nodes"][0]), *graph["nodes"], copy.deepcopy(graph["nodes"][-1])]
    graph["outputs"] = [3, 2]


def split_tensor(program: Program, *counts: int) -> bytes:
    """The file of a program, its one stored tensor in several segments."""
    parts = split(to_bytes(program))
    (payload,) = parts.payloads
    (row,) = [row for row in parts.header["tensors"] if len(row) == 3]
    ends = np.cumsum(counts).tolist()
    pieces = [payload[start:end] for start, end in zip([0, *ends], [*ends, len(payload)], strict=True)]
    row[2] = [[0, len(piece)] for piece in pieces]
    return Parts(parts.header, pieces).join()


def stored_small() -> bytes:
    """A tensor of 4 bytes, and one of none, in the form of larger ones."""
    parts = split(
        to_bytes(plain((), (constant(literal(array("float32", 7))), constant(literal(array("float32", [])))), {}))
    )
    for row in parts.header["tensors"]:
        data = row.pop()
        row += [hashlib.sha256(data).digest(), [[0, len(data)]] if data else []]
        parts.payloads += [data] if data else []
    return parts.join()


SIZES: tuple[tuple[str, Any, Any], ...] = (
    ("2*n + 2", ["*", 2, ["+", "n", 1]], ["+", 2, ["*", 2, "n"]]),
    ("2*n + m", ["+", "n", "m", "n"], ["+", "m", ["*", 2, "n"]]),
    ("n*n", ["+", ["*", ["+", "n", 1], ["+", "n", -1]], 1], ["*", "n", "n"]),
    ("5", ["+", "n", ["*", -1, "n"], 5], 5),
    ("min(m, n + 1)", ["min", "m", ["+", "n", 1]], ["min", ["+", 1, "n"], "m"]),
    ("(2*n + 1)//3", ["//", ["+", "n", "n", 1], ["*", 1, 3]], ["//", ["+", ["*", 2, "n"], 1], 3]),
)
"""Sizes, each as text and in two ways of writing that are the same polynomial."""


def of_sizes() -> bytes:
    """An entry ``x + x`` whose input writes each size in one way, and whose node in another."""
    n, m = (new_input(name, tensor_type((name,))) for name in "nm")
    x = new_input("x", tensor_type(tuple(text for text, _, _ in SIZES)))
    made = plain((n, m, x), (add(x, x),), {"n": numbers(1), "m": numbers(1), "x": numbers(4, 3, 1, 5, 1, 1)})

    def change(header: Header) -> None:
        graph = header["graphs"][0]
        header["types"][graph["inputs"][2][1]][1] = [first for _, first, _ in SIZES]
        header["types"].append(["float32", [second for _, _, second in SIZES]])
        graph["nodes"][0][1] = len(header["types"]) - 1

    return changed(made, change, place=True)


def unnumbered_origins(header: Header) -> None:
    """One pair for each leaf and node, though neighbours come from the same place."""
    graph = header["graphs"][0]
    header["origins"] = [["model.py:1 in f", []]]
    count = len(graph["inputs"]) + len(graph["constants"]) + len(graph["nodes"])
    graph["origins"] = [0, 1] * (count - 1) + [None, 1]


def normalised() -> Header:
    """The header of an entry with a float and a size among its attributes."""
    scale, shift = array("float32", [1, 1]), array("float32", [0, 0])

    def flat(x: Any) -> Any:
        return rnp.reshape(nn.layer_norm(x, scale, shift, epsilon=3.0), (4,))

    made = same(flat, array("float32", [[1, -1], [2, 0]]))
    return split(to_bytes(made)).header


def other_forms() -> bytes:
    """The same with the float as an int, and the size as a map."""
    header = normalised()
    attributes = {name: each for name, _, each in header["ops"]}
    attributes["layer_norm"]["epsilon"] = 3
    attributes["reshape"]["shape"] = [{"dim": ["*", 2, 2]}]
    return Parts(header, []).join()


def float_32() -> bytes:
    """The same with floats of 4 bytes."""
    return joined(cast("bytes", msgpack.packb(normalised(), use_single_float=True)))[0]


def turn(header: Header) -> None:
    """Write every map backwards."""
    backwards = cast("Header", turned(header))
    header.clear()
    header.update(backwards)


VARIANTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "wide": ("every int, str, bin, array and map with the longest header there is", lambda: widened(whole())),
    "keys-turned": ("maps whose keys descend", lambda: changed(whole(), turn, place=True)),
    "rows-moved": ("types in another order, one of them unused", lambda: changed(whole(), shift, place=True)),
    "rows-repeated": ("rows twice", lambda: changed(whole(), repeat, place=True)),
    "rows-unneeded": (
        "rows that nothing needs, as an unknown operation, an absent file",
        lambda: changed(whole(), unneeded, place=True),
    ),
    "nodes-in-another-order": ("nodes that do not come depth first", lambda: changed(pair(), unordered, place=True)),
    "nodes-unneeded": ("nodes twice, and nodes that no output needs", lambda: changed(pair(), unused, place=True)),
    "segments-several": ("a tensor in three segments", lambda: split_tensor(shared(), 64, 64)),
    "segments-small": ("tensors of few bytes, and of none, outside the header", stored_small),
    "sizes-not-multiplied-out": ("sizes that are the same polynomial, written in two ways", of_sizes),
    "origins-not-joined": ("a pair for each node", lambda: changed(pair(), unnumbered_origins, place=True)),
    "attributes-in-other-forms": ("a float as an int; a size that is an int, as a map", other_forms),
    "float-32": ("a float of 4 bytes", float_32),
    "default-written": ("an attribute that has its default", lambda: changed(
        same(rnp.sort, numbers(4)), lambda h: h["ops"][0][2].update(descending=False))),
}  # fmt: skip
