"""The digests of FORMAT.md, computed from a canonical file's header and nothing else of rax."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

Header = dict[str, Any]


def program_text(header: Header) -> str:
    """What a program's digest is the SHA-256 of."""
    lines = ["rax program 1"]
    lines += [f"entry {framed(name)} {sha(graph_text(header, row))}" for name, row in sorted(header["entries"].items())]
    lines += [f"default {framed(name)} {tensor(header, row)}" for name, row in sorted(header["defaults"].items())]
    for entry, example in sorted(header["examples"].items()):
        for side in ("input", "output"):
            rows = sorted(example[f"{side}s"].items())
            lines += [f"example {framed(entry)} {side} {framed(name)} {tensor(header, row)}" for name, row in rows]
    return "".join(f"{line}\n" for line in lines)


def graph_text(header: Header, row: int) -> str:
    """What a graph's digest is the SHA-256 of."""
    graph = header["graphs"][row]
    lines = ["rax graph 1"]
    lines += [f"input {type_text(header, type)}" for _, type in graph["inputs"]]
    lines += [f"constant {tensor(header, row)}" for row in graph["constants"]]
    for op, _, *references in graph["nodes"]:
        lines.append(" ".join([operation(header, op), *map(str, references)]))
    lines.append(" ".join(["return", *map(str, graph["outputs"])]))
    return "".join(f"{line}\n" for line in lines)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def framed(text: str) -> str:
    return f"{len(text.encode())}:{text}"


def operation(header: Header, row: int) -> str:
    name, _, attributes, *body = header["ops"][row]
    if body:
        attributes = {**attributes, "body": {"graph": body[0]}}
    pairs = [f"{framed(key)}={value_text(header, value)}" for key, value in sorted(attributes.items())]
    return f"{framed(name)}{{{','.join(pairs)}}}"


def value_text(header: Header, value: Any) -> str:
    match value:
        case None | True | False:
            return {None: "nil", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case float():
            return f"float:{struct.pack('>d', value).hex()}"
        case str():
            return framed(value)
        case list():
            return f"[{','.join(value_text(header, item) for item in value)}]"
        case {"float": name}:
            return {"nan": "float:7ff8000000000000"}.get(name) or value_text(header, float(name))
        case {"dtype": name}:
            return f"dtype:{name}"
        case {"dim": size}:
            return f"dim:{size_text(size)}"
        case {"type": row}:
            return f"type:{type_text(header, row)}"
        case {"tensor": row}:
            return "tensor:" + ":".join(tensor(header, row).rsplit(" ", 1))
        case {"graph": row}:
            return f"graph:{sha(graph_text(header, row))}"
        case _:
            raise AssertionError(value)


def tensor(header: Header, row: int) -> str:
    type, data, *segments = header["tensors"][row]
    return f"{type_text(header, type)} {data.hex() if segments else hashlib.sha256(data).hexdigest()}"


def type_text(header: Header, row: int) -> str:
    dtype, shape = header["types"][row]
    return f"{dtype}[{', '.join(map(size_text, shape))}]"


def size_text(size: Any) -> str:
    """The text of a size in canonical form."""
    terms = [_term(term) for term in (size[1:] if isinstance(size, list) and size[0] == "+" else [size])]
    text = ""
    for coefficient, factors in terms:
        lone = len(factors) == 1 and (coefficient == 1 or (coefficient == -1 and text != ""))
        words = [factor if lone or "//" not in mark else f"({factor})" for mark, factor in map(_factor, factors)]
        if abs(coefficient) != 1 or not words:
            words.insert(0, str(abs(coefficient)))
        sign = (" - " if text else "-") if coefficient < 0 else (" + " if text else "")
        text += sign + "*".join(words)
    return text


def _term(term: Any) -> tuple[int, list[Any]]:
    if isinstance(term, int):
        return term, []
    factors = term[1:] if isinstance(term, list) and term[0] == "*" else [term]
    return (factors[0], factors[1:]) if isinstance(factors[0], int) else (1, factors)


def _factor(factor: Any) -> tuple[str, str]:
    """The operator of a factor, or ``""``, and its text."""
    if isinstance(factor, str):
        return "", factor
    operator, left, right = factor
    if operator != "//":
        return operator, f"{operator}({size_text(left)}, {size_text(right)})"
    sides = [size_text(side) if _plain(side) else f"({size_text(side)})" for side in (left, right)]
    return operator, "//".join(sides)


def _plain(size: Any) -> bool:
    return size >= 0 if isinstance(size, int) else isinstance(size, str) or size[0] in ("min", "max")
