"""Attributes of operations in a file: plain values as they are, all else as a map of one key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from rax.format.limits import (
    MAX_ATTRIBUTE_DEPTH,
    MAX_ATTRIBUTE_ITEMS,
    MAX_ATTRIBUTES,
    MAX_ROWS,
    SHOWN,
    as_index,
    as_int,
    as_map,
    as_text,
    in_total,
    kind_of,
    refuse,
    shown,
)
from rax.format.sizes import SizeReader
from rax.ir.record import Record
from rax.ir.types import DTYPES, DType, TensorType

FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class GraphIndex(Record):
    """An attribute that is a graph: its row."""

    row: int


class TensorIndex(Record):
    """An attribute that is a tensor: its row."""

    row: int


def read_dtype(value: object, where: str) -> DType:
    """The dtype of a name."""
    name = as_text(value, where)
    dtype = DTYPES.get(name)
    return refuse("unknown-dtype", f"there is no dtype {shown(name)}", where) if dtype is None else dtype


class AttributeReader:
    """Reads the attributes of one operation, whose items are bounded together.

    Attributes:
        graphs: the rows of the graphs met.
    """

    def __init__(self, sizes: SizeReader, types: Sequence[TensorType], tensor_count: int, graph_count: int) -> None:
        self.graphs: list[int] = []
        self._sizes = sizes
        self._types = types
        self._tensor_count = tensor_count
        self._graph_count = graph_count
        self._items = 0

    def read(self, value: object, where: str) -> dict[str, Any]:
        """The attributes by name; graphs and tensors as their rows."""
        attributes = as_map(value, where, MAX_ATTRIBUTES)
        return {key: self._item(item, f"{where}.{key[:SHOWN]}", 0) for key, item in attributes.items()}

    def _item(self, value: object, where: str, depth: int) -> Any:
        self._items += 1
        in_total(self._items, MAX_ATTRIBUTE_ITEMS, "items of attributes", where)
        if value is None or type(value) is bool:
            return value
        if type(value) is int:
            return as_int(value, where, -(2**63))
        if type(value) is float:
            return value if math.isfinite(value) else refuse("bad-value", f"{value} is written by name", where)
        if type(value) is str:
            return as_text(value, where)
        if type(value) is list:
            in_total(depth + 1, MAX_ATTRIBUTE_DEPTH, "nested arrays in an attribute", where)
            items = enumerate(cast("list[object]", value))
            return tuple([self._item(item, f"{where}[{n}]", depth + 1) for n, item in items])
        tagged = as_map(value, where, MAX_ROWS)
        if len(tagged) != 1:
            refuse("bad-value", f"the map of an attribute has one key, not {len(tagged)}", where)
        ((tag, item),) = tagged.items()
        return self._tagged(tag, item, f"{where}.{tag[:SHOWN]}")

    def _tagged(self, tag: str, item: object, where: str) -> Any:
        if tag == "dtype":
            return read_dtype(item, where)
        if tag == "dim":
            return self._sizes.read(item, where)
        if tag == "type":
            return self._types[as_index(item, len(self._types), "types", where)]
        if tag == "tensor":
            return TensorIndex(as_index(item, self._tensor_count, "tensors", where))
        if tag == "graph":
            self.graphs.append(as_index(item, self._graph_count, "graphs", where))
            return GraphIndex(self.graphs[-1])
        if tag == "float" and type(item) is str and item in FLOATS:
            return FLOATS[item]
        what = item if type(item) is int else shown(item) if type(item) is str else kind_of(item)
        return refuse("bad-value", f"there is no such attribute as {shown(tag)}: {what}", where)
