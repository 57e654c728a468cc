"""Reads types, sizes, data of tensors and attributes of operations."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from rax.ir import dims, services
from rax.ir.dims import Size
from rax.ir.errors import ParseError, RaxError
from rax.ir.graph import Graph
from rax.ir.node import Literal
from rax.ir.text import numerals
from rax.ir.text.graph_printer import WORDS
from rax.ir.text.scanner import MAX_DIGITS, MAX_NESTING, SPACE, clipped, did_you_mean
from rax.ir.text.tree_parser import INT, TreeParser
from rax.ir.types import DTYPES, TensorType

MAX_AXES = 64
MAX_SIZE = 2**63 - 1
MAX_TENSOR_BYTES = 2**62
MAX_SIZES_LENGTH = 2**20
"""What a type may be, as in a file; and how many characters all different sizes may have together."""

_TYPE = re.compile(rf"([A-Za-z0-9_]+){SPACE}\[((?:[^\[\]#]++|#[^\n]*+)*+)\]")
_DTYPE = re.compile(rf"({'|'.join(DTYPES)})(?![A-Za-z0-9_.])(?!{SPACE}\[)")
_NUMBER = re.compile(r"-?(?:inf|nan|[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?)(?![A-Za-z0-9_.])")
_OPERATOR = re.compile(rf"{SPACE}[-+*/]")
_BARE_SIZE = re.compile(rf"-?{SPACE}[A-Za-z0-9_]+(?:{SPACE}(?://|[-+*]){SPACE}[A-Za-z0-9_]+)*")
_PARENTHESIS = re.compile(r"[()]|#[^\n]*")
_COMMENT = re.compile(r"#[^\n]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REAL = r"(?:inf|nan|[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?)"
_ELEMENT = re.compile(rf"True|False|-?{_REAL}(?:[-+]{_REAL}j)?")
_DATA_WORD = re.compile(r"[\[\],]|[^\[\],()\"#\s]+")
_HEX = re.compile(r"hex:([0-9a-fA-F]*)")
_DIGEST = re.compile(r"sha256:([0-9a-f]*)")
_GIVE = "give what holds it: a program in tensors, a file with --tensors"
_SINGLETONS: dict[str, Any] = {"None": None, "True": True, "False": False}


class ValueParser(TreeParser):
    """Reads what the nodes of graphs are made of.

    Args:
        text: the text.
        tensors: large constants by the hex form of their digest.
    """

    def __init__(self, text: str, tensors: Mapping[str, Literal]) -> None:
        super().__init__(text)
        self._tensors = tensors
        self._types: dict[str, TensorType] = {}
        self._sizes: dict[str, Size] = {}
        self._size_length = 0

    def held_graph(self, *, labelled: bool) -> Graph:
        """A graph that follows: its label, or what comes after the word ``graph``."""
        raise NotImplementedError(f"{type(self).__name__}.held_graph")

    # Types and sizes.

    def type(self) -> TensorType:
        """A type such as ``float32[2, n]``."""
        place = self.skip()
        found = self.match(_TYPE, "a type such as float32[2, n]")
        known = self._types.get(found.group())
        if known is None:
            name, shape = found.groups()
            if name not in DTYPES:
                fix = did_you_mean(name, DTYPES) or f"use one of {', '.join(DTYPES)}"
                self.fail(f"there is no dtype {clipped(name)}", place, fix=fix)
            known = self._types[found.group()] = self._new_type(name, shape, found.start(2))
        return known

    def _new_type(self, name: str, shape: str, start: int) -> TensorType:
        sizes: list[Size] = []
        shape = _COMMENT.sub(_blank, shape)
        for part in _split(shape) if shape.strip(" \t\r\n") else ():
            place = start + len(part) - len(part.lstrip(" \t\r\n"))
            size = self._size(part, start)
            start += len(part) + 1
            if isinstance(size, int) and size < 0:
                self.fail(f"a shape has no negative size {size}", place)
            if isinstance(size, int) and size > MAX_SIZE:
                self.fail(f"a size is at most {MAX_SIZE}", place)
            sizes.append(size)
            if len(sizes) > MAX_AXES:
                self.fail(f"a type has at most {MAX_AXES} axes", place)
        dtype, total = DTYPES[name], DTYPES[name].itemsize
        for size in sizes:
            total *= max(size, 1) if isinstance(size, int) else 1
        if total > MAX_TENSOR_BYTES:
            self.fail(f"a tensor has at most {MAX_TENSOR_BYTES} bytes", start - 1)
        return TensorType(dtype, tuple(sizes))

    def _size(self, text: str, start: int) -> Size:
        """A size, of text that begins at a place."""
        text = _COMMENT.sub(_blank, text)
        start += len(text) - len(text.lstrip(" \t\r\n"))
        text = text.strip(" \t\r\n")
        known = self._sizes.get(text)
        if known is not None:
            return known
        self._size_length += len(text)
        if self._size_length > MAX_SIZES_LENGTH:
            self.fail(f"all different sizes have more than {MAX_SIZES_LENGTH} characters", start)
        try:
            known = dims.dim(text)
        except RaxError as error:
            self.refuse(error, start)
        self._sizes[text] = known
        return known

    # Data.

    def tensor(self) -> Literal:
        """A type and its data: ``float32[2]([1.0, 2.0])``, ``float32(1.0)``."""
        place = self.skip()
        scalar = _DTYPE.match(self.text, place)
        if scalar is not None:
            self.place = scalar.end()
            type = TensorType(DTYPES[scalar.group()], ())
        else:
            type = self.type()
        self.need("(")
        words, place = self._data()
        return self._literal(type, words, place)

    def _data(self) -> tuple[list[str], int]:
        """The words of data up to the closing parenthesis, and where they begin."""
        start = self.skip()
        words: list[str] = []
        while (found := _DATA_WORD.match(self.text, self.skip())) is not None:
            words.append(found.group())
            self.place = found.end()
        if not words:
            self.fail(f"expected data, not {self.next_word()}")
        self.need(")")
        return words, start

    def _literal(self, type: TensorType, words: list[str], place: int) -> Literal:
        """The literal of a type and the words of its data."""
        if not isinstance(type.size, int):
            self.fail(f"data cannot have the symbolic type {type}", place)
        data = "".join(words)
        if data.startswith("sha256:") and len(words) == 1:
            return self._stored(type, data, place)
        if data.startswith("hex:") and len(words) == 1:
            raw = self._bytes(data, place)
        else:
            raw = self._elements(type, words, place)
        if len(raw) != type.nbytes:
            self.fail(f"{type} takes {type.nbytes} bytes, not {len(raw)}", place)
        return self._made(type, raw, None, place)

    def _made(self, type: TensorType, raw: bytes | memoryview, digest: bytes | None, place: int) -> Literal:
        if type.dtype.kind == "bool" and max(raw, default=0) > 1:
            self.fail("a bool is a byte 0 or 1", place)
        try:
            return services.get("literal")(type, raw, digest)
        except Exception as error:  # noqa: BLE001  # an array library has bounds of its own
            self.refuse(error, place, f"no array can be {type}: ")

    def _stored(self, type: TensorType, data: str, place: int) -> Literal:
        """Data that is given apart, by its digest."""
        found = _DIGEST.fullmatch(data)
        if found is None or len(found[1]) != 64:
            self.fail("a digest is sha256: and 64 digits 0-9 a-f", place)
        literal = self._tensors.get(found[1])
        if literal is None:
            self.fail("the data with this digest is not given", place, fix=_GIVE)
        if literal.type == type:
            return literal
        if literal.type.nbytes != type.nbytes:
            self.fail(f"the data with this digest has {literal.type.nbytes} bytes, not {type.nbytes}", place)
        return self._made(type, literal.raw, literal.digest, place)

    def _bytes(self, data: str, place: int) -> bytes:
        found = _HEX.fullmatch(data)
        if found is None or len(found[1]) % 2:
            self.fail(f"{clipped(data[4:])} is no hexadecimal number of whole bytes", place)
        return bytes.fromhex(found[1])

    def _elements(self, type: TensorType, words: list[str], place: int) -> bytes:
        """The bytes of nested lists of numbers."""
        elements = [word for word in words if word not in "[],"]
        try:
            for element in elements:
                if len(element) > MAX_DIGITS or not _ELEMENT.fullmatch(element):
                    self.fail(f"{clipped(element)} is no {type.dtype}", place)
            raw = b"".join([numerals.pack(type.dtype, element) for element in elements])
        except ParseError:
            raise
        except ValueError as error:
            self.fail(str(error), place, cause=error)
        shape = tuple([size.__index__() for size in type.shape])
        if len(elements) != type.size or numerals.nested(elements, shape).replace(" ", "") != "".join(words):
            self.fail(f"the data does not have the shape of {type}", place)
        return raw

    # Attributes.

    def _attribute(self) -> tuple[str, Any, int]:
        place = self.skip()
        name = self.name()
        self.need("=")
        return name, self.value(), place

    def value(self) -> Any:
        """An attribute."""
        open_tuples: list[list[Any]] = []
        while True:
            if self.take("("):
                if len(open_tuples) == MAX_NESTING:
                    self.fail(f"nested more than {MAX_NESTING} deep", self.place - 1)
                if not self.take(")"):
                    open_tuples.append([])
                    continue
                value: Any = ()
            else:
                value = self._item()
            while open_tuples:
                open_tuples[-1].append(value)
                if self.take(","):
                    if not self.take(")"):
                        break
                else:
                    self.need(")")
                value = tuple(open_tuples.pop())
            else:
                return value

    def _item(self) -> Any:
        """An attribute that is no tuple."""
        place = self.skip()
        sign = self.text[place : place + 1]
        if sign == '"':
            return self.string()
        if sign == "&" or self.word("graph"):
            return self.held_graph(labelled=sign == "&")
        if self.word("dim"):
            return self._dim()
        for word, value in _SINGLETONS.items():
            if self.word(word):
                return value
        found = _DTYPE.match(self.text, place)
        if found is not None or _TYPE.match(self.text, place):
            return self._typed()
        found = _NUMBER.match(self.text, place)
        if found is not None and (INT.fullmatch(found.group()) is None or not _OPERATOR.match(self.text, found.end())):
            return self._number(found)
        return self._bare_size(place)

    def _typed(self) -> Any:
        """A dtype, a type or a tensor."""
        start = self.place
        scalar = _DTYPE.match(self.text, start)
        if scalar is not None:
            self.place = scalar.end()
            found: Any = DTYPES[scalar.group()]
        else:
            found = self.type()
        if not self.take("("):
            return found
        self.place = start
        return self.tensor()

    def _dim(self) -> Size:
        """A size in parentheses, after the word ``dim``."""
        self.need("(")
        start = self.place
        depth = 1
        for sign in _PARENTHESIS.finditer(self.text, start):
            depth += (sign.group() == "(") - (sign.group() == ")")
            if not depth:
                self.place = sign.end()
                return self._size(self.text[start : sign.start()], start)
        return self.fail("the parenthesis is not closed", start - 1)

    def _bare_size(self, place: int) -> Size:
        found = self.match(_BARE_SIZE, "a value")
        word = _WORD.match(found.group())
        if word is not None and word.group() in WORDS:
            self.fail(f"the word {word.group()!r} is no size here", place, fix=f"write dim({word.group()})")
        return self._size(found.group(), place)

    def _number(self, found: re.Match[str]) -> int | float:
        text = found.group()
        if len(text) > MAX_DIGITS:
            self.fail(f"a number has at most {MAX_DIGITS} digits")
        if INT.fullmatch(text) is None and math.isinf(float(text)) and "inf" not in text:
            self.fail(f"{clipped(text)} is past the largest float", fix="write inf, or a smaller number")
        self.place = found.end()
        return int(text) if INT.fullmatch(text) else float(text)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _split(shape: str) -> list[str]:
    """The sizes of a shape; a comma inside min(…) or max(…) separates none."""
    parts: list[str] = []
    start = depth = 0
    for place, sign in enumerate(shape):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            parts.append(shape[start:place])
            start = place + 1
    return [*parts, shape[start:]]
