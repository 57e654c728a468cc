"""Headers generated from the published schema alone, and made good where it takes more than a schema to be good."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from rax.format.header import read_header
from rax.ir.errors import FormatError
from rax.ir.types import DTYPES
from tests.format.build import EMPTY, from_json
from tests.format.schema import SCHEMA, VALIDATOR

WORDS = ("", "x", "w.0", "é", "$", "$$a", "body", "a\n", "\x00", "x" * 300)
STRINGS: dict[str, tuple[str, ...]] = {  # strings for each pattern of the schema, by a part that no other has
    "[0-9a-f]{2}": ("", "00", "0000803f", "00" * 32, "ff" * 64),
    "min|max": ("n", "m", "batch", "_1", "minimum"),
    "`{-": ("x", "w1", "Ab_c", "été", "名", "€"),
    "{1,255}": ("w.safetensors", "a/b", "...", ".x/..y"),
    "[.]": ("acme.f", "a.b.c", "."),
    "[^.]+": ("add", "multiply", "negative", "f g", "\n"),
    "^(?!_)": ("x",),
    "(?!\\$)": WORDS[:4],
    "\\$\\$": ("$$", "$$bin"),
}
INTS = (0, 0, 0, 1, 1, 2, 3, 5, 64, 128, -1, -3, 2**31, 2**63 - 1, 2**63, -(2**63))
DEEP = 5


def document(rng: random.Random) -> dict[str, Any]:
    """A document of the schema, in its JSON form."""
    while True:
        found = _Generator(rng).value(SCHEMA, 0)
        if VALIDATOR.is_valid(found):
            return found


class _Generator:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def value(self, schema: Any, depth: int) -> Any:
        """A value for a schema; one that breaks a ``not`` is drawn again."""
        whole = self.resolved({} if schema is True else schema)
        while True:
            found = self.of_kind(whole, depth)
            if "not" not in whole or not VALIDATOR.evolve(schema=whole["not"]).is_valid(found):
                return found

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema with its references and one of its choices merged into it."""
        while True:
            rest = dict(schema)
            if "$ref" in schema:
                other = SCHEMA["$defs"][rest.pop("$ref").removeprefix("#/$defs/")]
            elif "anyOf" in schema:
                other = self.rng.choice(rest.pop("anyOf"))
            elif "if" in schema:
                condition, then, otherwise = rest.pop("if"), rest.pop("then"), rest.pop("else", {})
                other = merge(condition, then) if self.rng.random() < 0.5 else otherwise
            else:
                return schema
            schema = merge(other, rest)

    def of_kind(self, schema: dict[str, Any], depth: int) -> Any:
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        kinds = schema.get("type", "string")
        if isinstance(kinds, list):
            flat = [kind for kind in kinds if kind not in ("array", "object")]
            kinds = self.rng.choice(flat if depth > DEEP else kinds)
        makers: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "array": self.array, "object": self.object, "string": self.string, "integer": self.integer,
            "null": lambda *_: None, "boolean": lambda *_: self.rng.random() < 0.5,
            "number": lambda *_: self.rng.choice((0.5, 3.0, -0.0, 1e300)),
        }  # fmt: skip
        return makers[kinds](schema, depth)

    def array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        prefix = schema.get("prefixItems", [])
        least, most = schema.get("minItems", 0), min(schema.get("maxItems", 4), 5)
        length = len(prefix) if schema.get("items") is False else self.rng.randint(least, max(least, most))
        parts = [*prefix[:length], *[schema.get("items", {})] * (length - len(prefix))]
        items = [self.value(part, depth + 1) for part in parts]
        return [item for n, item in enumerate(items) if item not in items[:n]] if "uniqueItems" in schema else items

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        known, others = schema.get("properties", {}), schema.get("additionalProperties", False)
        names = schema.get("required", [])
        if "minProperties" in schema:
            names = self.rng.sample(list(known), schema["minProperties"])
        found = {name: self.value(known[name], depth + 1) for name in names}
        for _ in range(self.rng.randint(0, 3) if others else 0):
            found[self.value(schema["propertyNames"], depth)] = self.value(others, depth + 1)
        return found

    def string(self, schema: dict[str, Any], _: int) -> str:
        pattern = schema.get("pattern")
        known = WORDS if pattern is None else next(words for part, words in STRINGS.items() if part in pattern)
        least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        return self.rng.choice([word for word in known if least <= len(word) <= most])

    def integer(self, schema: dict[str, Any], _: int) -> int:
        low, high = schema.get("minimum", -(2**63)), schema.get("maximum", 2**64 - 1)
        step = schema.get("multipleOf", 1)
        return self.rng.choice([number for number in INTS if low <= number <= high and number % step == 0])


def merge(first: Any, second: Any) -> Any:
    """Both of two schemas, as far as one dict can say it."""
    if first is True:
        return second
    if isinstance(first, list):
        longest = range(max(len(first), len(second)))
        return [merge(*(each[n] if n < len(each) else True for each in (first, second))) for n in longest]
    if not isinstance(first, dict) or not isinstance(second, dict):
        return first if second is True else second
    both = {key: merge(first[key], second[key]) for key in first.keys() & second.keys()}
    tighter = {"min": max, "max": min}
    bounds = {key: tighter[key[:3]](first[key], second[key]) for key in both if key[:3] in tighter}
    return {**first, **second, **both, **bounds}


OPS = (("add", 2), ("multiply", 2), ("negative", 1))


def repaired(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The decoded header of a document, with rows that exist, lengths that agree and types that are inferred."""
    header = from_json(document)
    header["types"] = [row if reads({"types": [row]}) else ["float32", ["n", 2]] for row in header["types"]]
    header["types"] += [["float32", [3]], ["int64", []]]
    _repair_trees(header["trees"])
    header["tensors"] = [_tensor(header["types"], rng) for _ in header["tensors"]]
    header["ops"] = [
        *[[name, 1, {}] for name, _ in OPS],
        *[[*row[:3], 0] for row in header["ops"] if len(row) == 4 and header["graphs"]],
    ]
    for row in header["ops"][len(OPS) :]:
        row[2] = {name: _attribute(value, header) for name, value in row[2].items()}
    for number, graph in enumerate(header["graphs"]):
        _repair_graph(graph, number, header, rng)
    count = len(header["graphs"])
    header["entries"] = {name: row % count for name, row in header["entries"].items()} if count else {}
    header["main"] = rng.choice([None, *header["entries"]])
    graphs = {name: header["graphs"][row] for name, row in header["entries"].items()}
    header.pop("results", None)
    header["files"] = []
    header["defaults"], header["examples"] = {}, {}
    for name, graph in graphs.items():
        given = _tensors_for(graph["inputs"], header)
        display = next((each["display"] for each in from_json(document)["examples"].values()), {})
        if len(graphs) == 1:
            header["defaults"] = given
        header["examples"][name] = {"display": display, "inputs": given, "outputs": {}}
    return header


def reads(part: dict[str, Any]) -> bool:
    """Whether a header of these tables alone is read."""
    try:
        read_header({**EMPTY, **part})
    except FormatError:
        return False
    return True


def _repair_trees(trees: list[list[Any]]) -> None:
    for number, row in enumerate(trees):
        if len(row) > 1:
            row[1] = [child % number for child in row[1]] if number else []
        if len(row) > 2:
            keys = row[2][: len(row[1])]
            keys = [key for key in keys if not isinstance(key, str) or row[0] == "ordered_dict" or key.isidentifier()]
            row[2] = [*keys, *[f"k{place}" for place in range(len(keys), len(row[1]))]]
            if row[0] == "dict":
                row[2].sort(key=lambda key: (isinstance(key, str), key))
        if len(row) > 3 and not row[3].isidentifier():
            row[3] = "A"


def _nbytes(type: list[Any]) -> int | None:
    return math.prod(type[1]) * DTYPES[type[0]].itemsize if all(isinstance(size, int) for size in type[1]) else None


def _tensor(types: list[Any], rng: random.Random) -> list[Any]:
    small = [(row, nbytes) for row, type in enumerate(types) if (nbytes := _nbytes(type)) is not None and nbytes <= 64]
    row, nbytes = rng.choice(small)
    return [row, bytes(rng.randrange(2) for _ in range(nbytes))]


def _attribute(value: Any, header: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_attribute(item, header) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, item),) = value.items()
    tables = {"type": len(header["types"]), "tensor": len(header["tensors"])}
    if tag in tables:
        return {tag: item % tables[tag]} if tables[tag] else None
    if tag == "graph":
        return {tag: 0}
    return value if tag != "dim" or reads({"ops": [["a", 1, {"a": value}]]}) else 5


def _repair_graph(graph: dict[str, Any], number: int, header: dict[str, Any], rng: random.Random) -> None:
    types, tensors = header["types"], header["tensors"]
    rows = enumerate(graph["inputs"])
    inputs: list[list[Any]] = [[f"{name[:9]}{n}", row % len(types)] for n, (name, row) in rows]
    graph["inputs"] = inputs
    graph["constants"] = [row % len(tensors) for row in graph["constants"]] if tensors else []
    leaves = [row for _, row in inputs] + [tensors[row][0] for row in graph["constants"]]
    values: list[int] = []
    nodes = graph["nodes"]
    graph["nodes"] = []
    for _ in nodes:
        places = [(-1 - n, row) for n, row in enumerate(leaves)]
        places += [(len(values) - n, row) for n, row in enumerate(values)]
        fit = [(ref, row) for ref, row in places if types[row][0] in ("float32", "float64", "int32", "complex64")]
        own = len(header["ops"]) - len(OPS)
        first = header["graphs"][0]
        refs = [next((ref for ref, row in places if row == due), None) for _, due in first["inputs"]]
        if number and own and None not in refs and rng.random() < 0.5:
            results = header["results"]
            op = len(OPS) + rng.randrange(own)
            graph["nodes"].append([op, results[0] if len(results) == 1 else results, *refs])
            values += results
        elif fit:
            (ref, row), op = rng.choice(fit), rng.randrange(len(OPS))
            graph["nodes"].append([op, row, *[ref] * OPS[op][1]])
            values.append(row)
    count = len(values)
    refs = [*range(-len(leaves), 0), *range(1, count + 1)]
    graph["outputs"] = [rng.choice(refs) for _ in graph["outputs"]] if refs else []
    if number == 0:
        header["results"] = [leaves[~ref] if ref < 0 else values[-ref] for ref in graph["outputs"]]
    graph["output_names"] = [f"r{n}" for n in range(len(graph["outputs"]))]
    header["trees"] += [["leaf"]]
    leaf = len(header["trees"]) - 1
    names = [name for name, _ in inputs]
    header["trees"] += [["arguments", [leaf] * len(inputs), names], ["tuple", [leaf] * len(graph["outputs"])]]
    graph["in_tree"], graph["out_tree"] = leaf + 1, leaf + 2
    total = len(leaves) + len(graph["nodes"])
    place = rng.choice([None, *range(len(header["origins"]))])
    graph["origins"] = [place, total] if graph["origins"] and total else []


def _tensors_for(inputs: list[list[Any]], header: dict[str, Any]) -> dict[str, int]:
    rows = {row: place for place, (row, _) in enumerate(header["tensors"])}
    return {name: rows[row] for name, row in inputs if row in rows}
