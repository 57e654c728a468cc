"""The bounds of the format, and the checks a reader makes before it builds anything.

A file beyond a bound is refused by the reader and never written by the writer. The numbers are
part of the format: a version may raise them, never lower them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NoReturn, cast

from rax.ir import dims
from rax.ir.errors import FormatError

MAX_HEADER_BYTES = 2**26
MAX_ROWS = 2**20
MAX_GRAPHS = 2**16
MAX_NODES = 2**24
MAX_VALUES = 2**24
MAX_ENTRIES = 2**12
MAX_FILES = 2**12
MAX_PATH = 4096
MAX_PATH_PART = 255
MAX_OPERANDS = 2**16
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_ITEMS = 2**16
MAX_ATTRIBUTE_DEPTH = 8
MAX_GRAPH_DEPTH = 32
MAX_EXPANDED_NODES = 2**26
MAX_TREE_DEPTH = 64
MAX_TREE_ITEMS = 2**20
MAX_SCOPE_DEPTH = 256
MAX_TEXT = 2**16
MAX_RANK = 64
MAX_INT = 2**63 - 1
MAX_TENSOR_BYTES = 2**62
MAX_DIM_NAME = 256
MAX_DIM_DEPTH = 100
MAX_DIM_ITEMS = 512
MAX_DIM_TERMS = 128
MAX_FILE_DIM_ITEMS = 2**15
DIM_WORK = 2**16
DIM_WORK_PER_BYTE = 2
MAX_INLINE_BYTES = 64
ALIGNMENT = 64
MAX_SEGMENT_BYTES = 2**32 - ALIGNMENT

SHOWN = 200
"""How many characters of a file's text an error repeats; no bound of the format."""


def refuse(code: str, what: str, where: str = "", fix: str = "") -> NoReturn:
    """Raise the error of a bad file."""
    raise FormatError(what, code=code, where=where, fix=fix) from None


def at_most(count: int, most: int, what: str, where: str) -> None:
    """Refuse a count past its bound."""
    if count > most:
        refuse("limit", f"{what}: {count}, where at most {most} are allowed", where)


def in_total(count: int, most: int, what: str, where: str) -> None:
    """Refuse a count over several values past its bound: what a schema cannot see."""
    if count > most:
        refuse("total", f"{what}: {count}, where at most {most} are allowed", where)


def bounded_work(nbytes: int) -> AbstractContextManager[None]:
    """Within the block, bound the arithmetic on sizes that a header of so many bytes may cost."""

    def stop() -> NoReturn:
        refuse("total", "the symbolic sizes of the file take too much work to compare", "header")

    return dims.bounded_work(DIM_WORK + DIM_WORK_PER_BYTE * nbytes, stop)


def shown(text: str) -> str:
    """A text of a file, as a part of a place or an error: long ones are cut."""
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}…"


def kind_of(value: object) -> str:
    """What a decoded msgpack value is, in msgpack's words."""
    names: dict[type, str] = {
        type(None): "nil", bool: "a bool", int: "an int", float: "a float", str: "a str", bytes: "a bin",
        list: "an array", dict: "a map",
    }  # fmt: skip
    return names.get(type(value), "an extension")


def as_int(value: object, where: str, low: int = 0, high: int = MAX_INT) -> int:
    """The value as an int within bounds; a bool is none."""
    if type(value) is not int:
        refuse("wrong-kind", f"an int is due, not {kind_of(value)}", where)
    if not low <= value <= high:
        said = value if value.bit_length() <= 64 else f"an int of {value.bit_length()} bits"
        refuse("limit", f"{said} is not between {low} and {high}", where)
    return value


def as_index(value: object, count: int, table: str, where: str) -> int:
    """The value as the index of a row."""
    if type(value) is not int:
        refuse("wrong-kind", f"an index into {table} is due, not {kind_of(value)}", where)
    if value < 0:
        refuse("limit", f"an index into {table} is 0 or more, not {value}", where)
    if value >= count:
        refuse("bad-index", f"there is no {table}[{value}]; it has {count} rows", where)
    return value


def as_text(value: object, where: str, longest: int = MAX_TEXT, shortest: int = 0) -> str:
    """The value as a string of bounded length."""
    if type(value) is not str:
        refuse("wrong-kind", f"a str is due, not {kind_of(value)}", where)
    if not shortest <= len(value) <= longest:
        refuse("limit", f"a str of {len(value)} characters, where {shortest} to {longest} are allowed", where)
    return value


def as_bin(value: object, where: str) -> bytes:
    """The value as bytes."""
    return value if type(value) is bytes else refuse("wrong-kind", f"a bin is due, not {kind_of(value)}", where)


def as_array(value: object, where: str, most: int, length: int | None = None) -> list[Any]:
    """The value as an array of bounded, or of exactly one, length."""
    if type(value) is not list:
        refuse("wrong-kind", f"an array is due, not {kind_of(value)}", where)
    items = cast("list[Any]", value)
    if length is not None and len(items) != length:
        refuse("wrong-kind", f"an array of {length} items is due, not of {len(items)}", where)
    at_most(len(items), most, "items", where)
    return items


def as_map(value: object, where: str, most: int) -> dict[str, Any]:
    """The value as a map of bounded size; its keys are strings, met once each."""
    if type(value) is not dict:
        refuse("wrong-kind", f"a map is due, not {kind_of(value)}", where)
    items = cast("dict[str, Any]", value)
    at_most(len(items), most, "keys", where)
    for key in items:
        as_text(key, where)
    return items


def as_record(value: object, where: str, keys: tuple[str, ...]) -> list[Any]:
    """The values of a map that has exactly these keys, in their order."""
    items = as_map(value, where, MAX_ROWS)
    for key in keys:
        if key not in items:
            refuse("missing-key", f"the key {key!r} is missing", where)
    for key in items:
        if key not in keys:
            refuse("unknown-key", f"the key {shown(key)} is unknown", where)
    return [items[key] for key in keys]
