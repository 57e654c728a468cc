"""What can be wrong with a file: changes to a good header, and bad bytes, each with the error due."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import msgpack

from tests.format.build import Header, joined, pack, small, split, stored, to_bytes

Change = Callable[[Header], Any]


def put(*path: str | int) -> Callable[[object], Change]:
    """A change that puts a value at a place of the header."""

    def value(new: object) -> Change:
        def change(header: Header) -> None:
            place: Any = header
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = new

        return change

    return value


def nested(depth: int, leaf: object = 1) -> Any:
    value = leaf
    for _ in range(depth):
        value = [value]
    return value


def deep_size(depth: int) -> Any:
    size: Any = "n"
    for step in range(depth):
        size = ["min", size, f"n{step}"]
    return size


def deep_quotient(depth: int) -> Any:
    """Quotients inside each other, which do not join into one."""
    size: Any = "n"
    for step in range(depth):
        size = ["//", ["+", size, f"m{step}"], f"k{step}"]
    return size


def joined_minima(count: int) -> Any:
    """Two minima of so many names each, which make one."""
    left, right = [functools.reduce(lambda a, b: ["min", a, b], [f"{c}{n}" for n in range(count)]) for c in "ab"]
    return ["min", left, right]


def multiplied(depth: int) -> Any:
    """A product of a sum and a minimum in which is such a product: each makes the text eight times as long."""
    size: Any = "n"
    for step in range(depth):
        size = ["*", ["+", *"abcdefgh"], ["min", size, f"m{step}"]]
    return size


OP = {"cond": 2, "scan": 3, "cast": 4, "reshape": 5}
DIM = ("types", 5, 1, 0)

# What is done to the header of ``small()``, the code due, the place, what is said.
CHANGES: dict[str, tuple[Change, str, str, str]] = {
    "no header map": (lambda h: h.clear(), "missing-key", "header", "the key 'defaults' is missing"),
    "a key missing": (lambda h: h.pop("ops"), "missing-key", "header", "the key 'ops' is missing"),
    "a key unknown": (put("extra")(1), "unknown-key", "header", "the key 'extra' is unknown"),
    "a table of another kind": (put("types")({}), "wrong-kind", "types", "an array is due, not a map"),
    "a map of another kind": (put("entries")([]), "wrong-kind", "entries", "a map is due, not an array"),
    "a timestamp": (put("main")(msgpack.Timestamp(0)), "wrong-kind", "main", "a str is due, not an extension"),
    "an extension": (put("types", 0)(msgpack.ExtType(5, b"")), "wrong-kind", "types[0]", "not an extension"),
    "a bin as a key": (put("entries")({b"a": 0}), "wrong-kind", "entries", "a str is due, not a bin"),
    # types
    "a type too short": (put("types", 0)(["int32"]), "wrong-kind", "types[0]", "an array of 2 items is due, not of 1"),
    "an unknown dtype": (put("types", 0, 0)("int4"), "unknown-dtype", "types[0][0]", "there is no dtype 'int4'"),
    "a negative size": (put("types", 1, 1, 0)(-3), "limit", "types[1][1][0]", f"-3 is not between 0 and {2**63 - 1}"),
    "a size that is a bool": (put("types", 1, 1, 0)(True), "wrong-kind", "types[1][1][0]", "not a bool"),
    "a size that is a float": (put("types", 1, 1, 0)(3.0), "wrong-kind", "types[1][1][0]", "not a float"),
    "a size that is NaN": (put("types", 1, 1, 0)(float("nan")), "wrong-kind", "types[1][1][0]", "not a float"),
    "too many axes": (put("types", 1, 1)([1] * 65), "limit", "types[1][1]", "items: 65, where at most 64 are allowed"),
    "too many bytes": (put("types", 1, 1)([2**31, 2**31]), "total", "types[1]", "bytes of a tensor"),
    "too many bytes beside a zero": (put("types", 1, 1)([0, 2**40, 2**40]), "total", "types[1]", "bytes of a tensor"),
    # sizes
    "a dim's name": (put(*DIM)("3n"), "bad-value", "types[5][1][0]", "'3n' is not a dim name"),
    "a reserved name": (put(*DIM)("min"), "bad-value", "types[5][1][0]", "'min' is not a dim name"),
    "a long name": (put(*DIM)("n" * 257), "limit", "types[5][1][0]", "a str of 257 characters"),
    "an unknown operator": (put(*DIM)(["%", "n", 2]), "bad-value", "types[5][1][0]", "starts with one of + *"),
    "no operator": (put(*DIM)([]), "bad-value", "types[5][1][0]", "starts with one of"),
    "a lone operand": (put(*DIM)(["*", 3]), "bad-value", "types[5][1][0]", "'*' of 1 sizes"),
    "a third operand": (put(*DIM)(["//", "n", 2, 2]), "bad-value", "types[5][1][0]", "'//' of 3 sizes"),
    "a division by zero": (put(*DIM)(["//", "n", 0]), "bad-dim", "types[5][1][0]", "is divided by zero"),
    "a deep size": (put(*DIM)(deep_size(101)), "total", "types[5][1][0]", "nested arrays in a size: 101"),
    "quotients inside each other": (
        put(*DIM)(deep_quotient(33)), "total", "types[5][1][0]", "inside each other: 33, where at most 32",
    ),
    "a long size": (put(*DIM)(["+", *["n"] * 512]), "total", "types[5][1][0]", "a size of more than 512 items"),
    "a size that explodes": (
        put(*DIM)(["*", *[["+", "a", "b", "c", "d", "e", "f"]] * 60]), "total", "types[5][1][0]", "terms of a size",
    ),
    "a size that grows": (
        put(*DIM)(["*", 2**62, 2**62, "n"]), "total", "types[5][1][0]", "an int of a size, multiplied out",
    ),
    "a size that lengthens": (
        put(*DIM)(["*", ["+", "a", "b"], *["c"] * 300]), "total", "types[5][1][0]", "512 items, multiplied out",
    ),
    "a size that explodes inside": (
        put(*DIM)(multiplied(12)), "total", "types[5][1][0]", "512 items, multiplied out",
    ),
    "minima that join": (put(*DIM)(joined_minima(20)), "total", "types[5][1][0]", "nests min more than 32 deep"),
    "a size that comes to less than 0": (
        put(*DIM)(["+", 1, -2]), "bad-dim", "types[5][1][0]", "a size of a shape comes to -1",
    ),
    "a huge coefficient": (put(*DIM)(["*", 2**64 - 1, "n"]), "limit", "types[5][1][0]", "is not between"),
    # trees
    "an unknown tree": (put("trees", 0)(["set"]), "bad-value", "trees[0]", "there is no kind of tree 'set'"),
    "an empty tree": (put("trees", 0)([]), "bad-value", "trees[0]", "there is no kind of tree ''"),
    "a tree too long": (put("trees", 0)(["leaf", []]), "wrong-kind", "trees[0]", "of 1 items is due, not of 2"),
    "a tree of five items": (put("trees", 5)(["dict", [], [], "", 0]), "wrong-kind", "trees[5]", "of 3 items is due"),
    "a tree of later rows": (
        put("trees", 3, 1, 0)(3), "forward-reference", "trees[3][1][0]", "refers to earlier rows, not to trees[3]",
    ),
    "a tree of no row": (put("trees", 3, 1, 0)(-1), "limit", "trees[3][1][0]", "an index into trees is 0 or more"),
    "a tree's key missing": (put("trees", 5, 2)(["b"]), "bad-tree", "trees[5][2]", "1 keys for 2 children"),
    "a tree's key twice": (put("trees", 5, 2)(["b", "b"]), "bad-value", "trees[5][2]", "the same key twice"),
    "a dict out of order": (put("trees", 5, 2)(["w", "b"]), "bad-tree", "trees[5][2]", "are due in order"),
    "a float as a key": (put("trees", 5, 2, 0)(1.5), "wrong-kind", "trees[5][2][0]", "a key is a str or an int"),
    "a class's name": (
        put("trees", 5)(["dataclass", [0], ["a"], "a b"]), "bad-value", "trees[5][3]", "'a b' cannot name a class",
    ),
    "a field's name": (
        put("trees", 5)(["namedtuple", [0], ["_a"], "A"]), "bad-value", "trees[5][2][0]", "'_a' cannot name a class",
    ),
    "a field of no letters": (
        put("trees", 5)(["dataclass", [0], ["\u20ac"], "A"]), "bad-tree", "trees[5][2][0]", "no letter, digit or mark",
    ),
    "a keyword": (
        put("trees", 5)(["dataclass", [0], ["class"], "A"]), "bad-value", "trees[5][2][0]", "'class' cannot name",
    ),
    "a deep tree": (
        put("trees")([["leaf"], *[["list", [n]] for n in range(64)]]), "total", "trees[64]", "levels of a tree: 65",
    ),
    "a tree that doubles": (
        put("trees")([["none"], *[["list", [n, n]] for n in range(63)]]), "total", "trees[20]", "items of a tree",
    ),
    "inputs that are no arguments": (put("graphs", 0, "in_tree")(3), "bad-tree", "graphs[0].in_tree", "of kind 'argu"),
    "a tree of other leaves": (
        put("graphs", 0, "out_tree")(3), "bad-tree", "graphs[0].out_tree", "a tree of 2 leaves, where 1 are due",
    ),
    # origins
    "an origin too long": (put("origins", 0)(["", [], 1]), "wrong-kind", "origins[0]", "an array of 2 items is due"),
    "a scope of another kind": (put("origins", 0, 1, 0)(1), "wrong-kind", "origins[0][1][0]", "a str is due"),
    "origins that do not cover": (
        put("graphs", 4, "origins", 1)(4), "bad-graph", "graphs[4].origins", "the origins do not cover the inputs",
    ),
    "an odd number of origins": (
        lambda h: h["graphs"][4]["origins"].append(0), "bad-graph", "graphs[4].origins", "origins are pairs",
    ),
    "an origin of no row": (put("graphs", 4, "origins", 2)(2), "bad-index", "graphs[4].origins[2]", "no origins[2]"),
    "an empty run": (put("graphs", 4, "origins", 1)(0), "bad-graph", "graphs[4].origins[1]", "an int of at least 1"),
    # tensors
    "a tensor of no type": (put("tensors", 0, 0)(8), "bad-index", "tensors[0][0]", "no types[8]; it has 8 rows"),
    "a tensor without data": (put("tensors", 0)([2]), "wrong-kind", "tensors[0]", "an array of 2 to 4 items"),
    "symbolic data": (put("tensors", 0, 0)(4), "bad-tensor", "tensors[0]", "has a symbolic size"),
    "data too short": (put("tensors", 0, 1)(b"123"), "bad-tensor", "tensors[0]", "float32[] has 4 bytes, not 3"),
    "data as text": (put("tensors", 0, 1)("1234"), "wrong-kind", "tensors[0][1]", "a bin is due, not a str"),
    "long data in the header": (put("tensors", 0, 1)(bytes(65)), "limit", "tensors[0][1]", "bytes inside the header"),
    "a short digest": (put("tensors", 0)([2, b"1", [[0, 4]]]), "wrong-kind", "tensors[0][1]", "32 bytes, not 1"),
    "an offset off the boundary": (
        put("tensors", 0)([2, bytes(32), [[1, 4]]]), "bad-value", "tensors[0][2][0]", "1 is no multiple of 64",
    ),
    "an empty segment": (
        put("tensors", 0)([2, bytes(32), [[64, 0]]]), "limit", "tensors[0][2][0][1]", "0 is not between 1 and",
    ),
    "a split off the boundary": (
        put("tensors", 0)([2, bytes(32), [[64, 2], [128, 2]]]), "bad-segment", "tensors[0]", "2 bytes in a segment",
    ),
    "a segment the file lacks": (
        put("tensors", 0)([2, bytes(32), [[64, 4]]]), "bad-segment", "byte 0", "has 4 items, where 6 are due",
    ),
    # other files
    "a path up": (put("files")(["../secrets"]), "bad-path", "files[0]", "'../secrets' may lead out of the folder"),
    "a path up in the middle": (put("files")(["a/../../b"]), "bad-path", "files[0]", "may lead out"),
    "a path that stays": (put("files")(["a/./b"]), "bad-path", "files[0]", "may lead out"),
    "a path from the root": (put("files")(["/etc/passwd"]), "bad-path", "files[0]", "may lead out"),
    "a path to a folder": (put("files")(["weights/"]), "bad-path", "files[0]", "may lead out"),
    "a path of another system": (put("files")(["..\\secrets"]), "bad-path", "files[0]", "may lead out"),
    "a path of a drive": (put("files")(["c:secrets"]), "bad-path", "files[0]", "may lead out"),
    "a path with a zero": (put("files")(["a\0b"]), "bad-path", "files[0]", "may lead out"),
    "an empty path": (put("files")([""]), "bad-path", "files[0]", "may lead out"),
    "a long name in a path": (put("files")(["a" * 256]), "bad-path", "files[0]", "may lead out"),
    "a long path": (put("files")(["a/" * 2048 + "a"]), "limit", "files[0]", "a str of 4097 characters"),
    "a path twice": (put("files")(["a", "b", "a"]), "bad-path", "files[2]", "the path 'a' comes twice"),
    "many paths": (put("files")([str(n) for n in range(4097)]), "limit", "files", "items: 4097"),
    "a path that is no text": (put("files")([7]), "wrong-kind", "files[0]", "a str is due, not an int"),
    "a tensor in no file": (
        put("tensors", 0)([2, bytes(32), [[64, 4]], 0]), "bad-index", "tensors[0][3]", "there is no files[0]",
    ),
    "a tensor of other length in another file": (
        lambda h: h.update(files=["a"], tensors=[[2, bytes(32), [[64, 3]], 0], *h["tensors"][1:]]),
        "bad-tensor", "tensors[0]", "float32[] has 4 bytes, not 3",
    ),
    "a tensor in a file that is absent": (
        lambda h: h.update(files=["a"], tensors=[[2, bytes(32), [[7, 4]], 0], *h["tensors"][1:]]),
        "external", "files[0]", "the file of tensors 'a' cannot be opened: No such file",
    ),
    # operations
    "an unknown operation": (
        put("ops", 0, 0)("frobnicate"), "unknown-op", "ops[0]", "'frobnicate' of format version 1 is unknown",
    ),
    "a newer operation": (
        put("ops", 0, 1)(2), "op-version", "ops[0]", "'multiply' of format version 2 is known as of format version 1",
    ),
    "an operation too long": (put("ops", 0)(["add", 1, {}, 0, 0]), "wrong-kind", "ops[0]", "an array of 3 or 4 items"),
    "a tensor too long": (put("tensors", 0)([0, b"", [], 0, 0]), "wrong-kind", "tensors[0]", "an array of 2 to"),
    "an operation without a name": (put("ops", 0, 0)(""), "limit", "ops[0][0]", "a str of 0 characters"),
    "an operation too short": (put("ops", 0)(["add", 1]), "wrong-kind", "ops[0]", "an array of 3 or 4 items"),
    "a body where none is due": (lambda h: h["ops"][0].append(0), "bad-op", "ops[0]", "has a body if, and only if"),
    "no body where one is due": (put("ops", 0, 1)(0), "bad-op", "ops[0]", "has a body if, and only if"),
    "a name of somebody's own without a body": (
        put("ops", 0, 0)("acme.multiply"), "bad-op", "ops[0]", "has a dot if, and only if, it is since version 0",
    ),
    "an operation of somebody's own under a common name": (
        put("ops", 0)(["multiply", 0, {}, 0]), "bad-op", "ops[0]", "has a dot if, and only if, it is since version 0",
    ),
    "a body of other operands": (
        put("ops", OP["reshape"])(["acme.wide", 0, {}, 0]), "op-refused", "graphs[4].nodes[3]", "the graph takes",
    ),
    "an attribute called body": (
        put("ops", OP["reshape"])(["acme.wide", 0, {"body": 1}, 0]), "bad-op", "ops[5]", "cannot be called 'body'",
    ),
    "an unknown attribute": (
        put("ops", 0, 2)({"axis": 1}), "bad-attribute", "ops[0]", "multiply has no attribute 'axis'",
    ),
    "a missing attribute": (
        put("ops", OP["cast"], 2)({}), "bad-attribute", "ops[4]", "cast: cast lacks the attribute 'dtype'",
    ),
    "an attribute of another type": (
        put("ops", OP["scan"], 2, "reverse")(1), "bad-attribute", "ops[3]", "attribute 'reverse' of scan cannot be 1",
    ),
    "an unknown tag": (
        put("ops", OP["cast"], 2, "dtype")({"code": 1}), "bad-value", "ops[4][2].dtype.code", "'code': 1",
    ),
    "an attribute of no tag": (
        put("ops", OP["cast"], 2, "dtype")({}), "bad-value", "ops[4][2].dtype", "an attribute has one key",
    ),
    "an attribute of two tags": (
        put("ops", OP["cast"], 2, "dtype")({"dim": "n", "type": 0}), "bad-value", "ops[4][2].dtype",
        "has one key, not 2",
    ),
    "an attribute that is NaN": (
        put("ops", OP["cast"], 2, "dtype")(float("nan")), "bad-value", "ops[4][2].dtype", "nan is written by name",
    ),
    "an attribute's graph": (
        put("ops", OP["scan"], 2, "body")({"graph": 5}), "bad-index", "ops[3][2].body.graph", "there is no graphs[5]",
    ),
    "an attribute's type": (
        put("ops", OP["scan"], 2, "body")({"type": -1}), "limit", "ops[3][2].body.type", "types is 0 or more",
    ),
    "an attribute's tensor": (
        put("ops", OP["scan"], 2, "body")({"tensor": 7}), "bad-index", "ops[3][2].body.tensor", "no tensors[7]",
    ),
    "a deep attribute": (
        put("ops", OP["reshape"], 2, "shape")(nested(9)), "total", "ops[5][2].shape[0][0][0][0][0][0][0][0]", "arrays",
    ),
    "a long attribute": (
        put("ops", OP["reshape"], 2, "shape")([1] * 65536), "total", "ops[5][2].shape[65535]", "items of attributes",
    ),
    "many attributes": (
        put("ops", 0, 2)({str(n): n for n in range(65)}), "limit", "ops[0][2]", "keys: 65, where at most 64",
    ),
    "a huge attribute": (
        put("ops", OP["scan"], 2, "length")(2**63), "limit", "ops[3][2].length", "is not between",
    ),
    # graphs
    "a graph's key missing": (
        lambda h: h["graphs"][0].pop("inputs"), "missing-key", "graphs[0]", "the key 'inputs' is missing",
    ),
    "an input of no type": (put("graphs", 0, "inputs", 0, 1)(8), "bad-index", "graphs[0].inputs[0][1]", "no types[8]"),
    "a constant of no tensor": (put("graphs", 3, "constants", 0)(9), "bad-index", "graphs[3].constants[0]", "tensors"),
    "a node of no operation": (put("graphs", 0, "nodes", 0, 0)(6), "bad-index", "graphs[0].nodes[0][0]", "no ops[6]"),
    "a node of no type": (put("graphs", 0, "nodes", 0, 1)(8), "bad-index", "graphs[0].nodes[0][1]", "no types[8]"),
    "a node of one type, listed": (
        put("graphs", 0, "nodes", 0, 1)([1]), "wrong-kind", "graphs[0].nodes[0][1]", "single result is its type alone",
    ),
    "a node too short": (put("graphs", 0, "nodes", 0)([0]), "wrong-kind", "graphs[0].nodes[0]", "is an array"),
    "a node of many operands": (
        put("graphs", 0, "nodes", 0)([0, 1, *[-1] * 65537]), "limit", "graphs[0].nodes[0]", "operands: 65537",
    ),
    "a node of another kind": (put("graphs", 0, "nodes", 0)({}), "wrong-kind", "graphs[0].nodes[0]", "is an array"),
    "a node of itself": (
        put("graphs", 0, "nodes", 0, 2)(0), "bad-value", "graphs[0].nodes[0]", "a reference is not 0",
    ),
    "a value too far back": (
        put("graphs", 4, "nodes", 1, 2)(2), "bad-index", "graphs[4].nodes[1]", "no value 2: 4 inputs and constants",
    ),
    "an input too far": (put("graphs", 0, "nodes", 0, 2)(-3), "bad-index", "graphs[0].nodes[0]", "no value -3"),
    "a reference that is a bool": (
        put("graphs", 0, "nodes", 0, 2)(True), "wrong-kind", "graphs[0].nodes[0]", "a reference is an int, not a bool",
    ),
    "an output of nothing": (put("graphs", 0, "outputs", 0)(2), "bad-index", "graphs[0].outputs[0]", "no value 2"),
    "an output's name missing": (
        put("graphs", 0, "output_names")([]), "bad-graph", "graphs[0].output_names", "0 names for 1 outputs",
    ),
    "a graph that holds itself": (
        put("ops", 1, 2)({"body": {"graph": 1}}), "forward-reference", "graphs[1].nodes", "ops[1] holds graphs[1]",
    ),
    "a graph that holds a later one": (
        put("ops", OP["cond"], 2, "branches", 0)({"graph": 4}), "forward-reference", "graphs[3].nodes", "graphs[4]",
    ),
    # what operations say
    "another type": (
        put("graphs", 0, "nodes", 0, 1)(2), "wrong-type", "graphs[0].nodes[0]",
        "multiply gives float32[3]; the file says float32[]",
    ),
    "another number of results": (
        put("graphs", 0, "nodes", 0, 1)([1, 1]), "wrong-type", "graphs[0].nodes[0]",
        "multiply gives float32[3]; the file says float32[3], float32[3]",
    ),
    "operands refused": (
        put("graphs", 3, "inputs", 0, 1)(2), "op-refused", "graphs[3].nodes[0]", "cond needs an int32 index",
    ),
    "operands missing": (put("graphs", 0, "nodes", 0)([0, 1]), "op-refused", "graphs[0].nodes[0]", "multiply: "),
    # the program
    "an entry of no graph": (put("entries", "predict")(5), "bad-index", "entries['predict']", "there is no graphs[5]"),
    "a main that is no entry": (put("main")("nothing"), "bad-program", "header", "the program has no entry 'nothing'"),
    "a main without a name": (put("main")(""), "bad-program", "header", "the program has no entry ''"),
    "an example of no entry": (
        lambda h: h["examples"].update(nothing=h["examples"]["predict"]), "bad-program", "header", "no entry 'nothing'",
    ),
    "a default of another shape": (
        put("defaults", "params.w")(3), "bad-program", "header", "'params.w' of entry 'predict' is float32[3]",
    ),
    "a default of no input": (
        lambda h: h["defaults"].update(nothing=h["defaults"]["params.w"]), "bad-program", "header",
        "no entry takes the default 'nothing'",
    ),
    "an expected output of no output": (
        put("examples", "predict", "outputs")({"thin": 0}), "bad-program", "header", "entry 'predict' has no 'thin'",
    ),
    "two inputs of a name": (
        put("graphs", 4, "inputs", 0, 0)("x"), "bad-program", "header",
        "two inputs or two outputs of entry 'predict' have the same name 'x'",
    ),
    "a hint of another kind": (
        put("examples", "predict", "display")({"x": 1}), "wrong-kind", "examples['predict'].display['x']", "a str",
    ),
}  # fmt: skip


def of_header(packed: bytes) -> bytes:
    """A file of a header's bytes, with the checksum that is due."""
    return joined(packed)[0]


GOOD = to_bytes(small())
STORED = to_bytes(stored(100, 50))
SEGMENT = STORED.index(b"\xc5\x01\x90")  # the bin header of the first payload


def bools(count: int) -> bytes:
    """A file with a tensor of bools, of which one is 2."""
    parts = split(to_bytes(stored(count // 4)))
    row = parts.header["tensors"][0]
    data = bytes([0, 1, 2, 1]) * (count // 4)
    parts.header["types"][row[0]] = ["bool", [count]]
    if parts.payloads:
        row[1], parts.payloads = hashlib.sha256(data).digest(), [data]
    else:
        row[1] = data
    return parts.join()


def swapped() -> bytes:
    """A file whose table of tensors has the segments in another order than they lie."""
    parts = split(STORED)
    first, second = (row[2] for row in parts.header["tensors"])
    parts.join()
    first[0], second[0] = [second[0][0], first[0][1]], [first[0][0], second[0][1]]
    return parts.join(place=False)


BYTES: dict[str, tuple[bytes, str, str, str]] = {
    "nothing": (b"", "truncated", "byte 0", "the file is empty"),
    "text": (b"hello, world", "not-rax", "byte 0", "the file is not a rax file"),
    "zeros": (bytes(100), "not-rax", "byte 0", "the file is not a rax file"),
    "a zip": (b"PK\x03\x04" + bytes(100), "not-rax", "byte 0", "the file is not a rax file"),
    "another array": (pack([1, 2, 3]), "not-rax", "byte 0", "the file is not a rax file"),
    "another magic": (GOOD.replace(b"rax", b"rex", 1), "not-rax", "byte 0", "the file is not a rax file"),
    "version 0": (GOOD.replace(b"rax\x01", b"rax\x00", 1), "not-rax", "byte 0", "the file is not a rax file"),
    "a long version": (
        GOOD.replace(b"rax\x01", b"rax\xdd" + b"\xff" * 4, 1), "not-rax", "byte 0", "the file is not a rax file",
    ),
    "version true": (GOOD.replace(b"rax\x01", b"rax\xc3", 1), "not-rax", "byte 0", "the file is not a rax file"),
    "version 2": (
        GOOD.replace(b"rax\x01", b"rax\x02", 1), "newer-version", "byte 5", "version 2; this rax reads version 1",
    ),
    "a header that is no map": (of_header(b"\x01"), "wrong-kind", "header", "a map is due, not an int"),
    "a header of a bad byte": (of_header(b"\x81\xc1"), "bad-msgpack", "byte 7", "the header is no MessagePack"),
    "a header too deep": (of_header(b"\x91" * 5000 + b"\x01"), "bad-msgpack", "byte 1030", "nests too deep"),
    "a header one level too deep": (of_header(b"\x91" * 1024 + b"\x90"), "bad-msgpack", "", "nests too deep"),
    "a header as deep as allowed": (of_header(b"\x91" * 1023 + b"\x90"), "wrong-kind", "header", "a map is due"),
    "a header of an int key": (of_header(b"\x81\x01\x01"), "bad-msgpack", "header", "int is not allowed"),
    "a header of bad text": (of_header(b"\xa2\xff\xff"), "bad-msgpack", "header", "is not UTF-8"),
    "a key twice": (
        of_header(b"\x82\xa1a\x01\xa1a\x02"), "duplicate-key", "header", "the key 'a' comes twice in a map",
    ),
    "an array longer than the file": (
        of_header(b"\xdd\xff\xff\xff\xff"), "truncated", "byte 45", "the file ends inside its header",
    ),
    "a string longer than the file": (
        of_header(b"\xdb\x7f\xff\xff\xff"), "truncated", "byte 11", "the file ends inside its header",
    ),
    "a bit of the header turned": (GOOD[:50] + bytes([GOOD[50] ^ 4]) + GOOD[51:], "checksum", "", "was changed"),
    "a bit of the checksum turned": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "checksum", "", "was changed or damaged"),
    "a byte more": (GOOD + b"\x00", "trailing-bytes", f"byte {len(GOOD)}", "1 bytes follow the last segment"),
    "a byte more after tensors": (STORED + b"\xc0", "trailing-bytes", f"byte {len(STORED)}", "1 bytes follow"),
    "a segment cut": (STORED[:-1], "truncated", f"byte {len(STORED) - 1}", "the file ends inside segment 1"),
    "a pad that is not zero": (
        STORED[: SEGMENT - 1] + b"\x01" + STORED[SEGMENT:], "bad-segment", "", "no pad and bin header",
    ),
    "a segment of another kind": (
        STORED[:SEGMENT] + b"\xda" + STORED[SEGMENT + 1 :], "bad-segment", "", "no pad and bin header",
    ),
    "segments in another order": (swapped(), "bad-segment", "tensors", "segment 0 is due at byte"),
    "a tensor damaged": (STORED[:-1] + b"\xff", "digest", r"tensors\[1\]", "was changed or damaged"),
    "a bool of 2 in the header": (bools(4), "bad-tensor", r"tensors\[0\]", "a bool is stored as a byte 0 or 1"),
    "a bool of 2 in a segment": (bools(200), "bad-tensor", r"tensors\[0\]", "a bool is stored as a byte 0 or 1"),
    "text with a surrogate": (of_header(b"\xa3\xed\xa0\x80"), "bad-msgpack", "header", "is not UTF-8"),
    "text of more bytes than due": (of_header(b"\xa2\xc0\xaf"), "bad-msgpack", "header", "is not UTF-8"),
    "a segment of another length": (
        STORED[: SEGMENT + 2] + b"\x8f" + STORED[SEGMENT + 3 :], "bad-segment", "", "no pad and bin header",
    ),
}  # fmt: skip
