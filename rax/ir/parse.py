"""Reads the text form of :mod:`rax.ir.text`; every operation is rebuilt and its types are checked."""

from __future__ import annotations

import collections
import difflib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from rax.ir import dims, numerals, services, trail
from rax.ir.attributes import make_op
from rax.ir.errors import ParseError, RaxError, TreeError
from rax.ir.graph import Graph
from rax.ir.node import Literal, Node, Value, apply, constant, new_input
from rax.ir.op import REGISTRY, Op
from rax.ir.text import NAME
from rax.ir.trail import NOWHERE
from rax.ir.tree import ARGUMENTS, DATA, DICT, LEAF_TREE, LIST, NAMED, NONE_TREE, ORDERED, TUPLE, Key, Tree
from rax.ir.types import DTYPES, TensorType

MAX_NESTING = 64
"""How deep graphs, tuples and trees may nest in a text."""
ERROR_WIDTH = 100

_SPACES = " \t\r\n#"
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_RESULT = re.compile(r"%([A-Za-z0-9_]+)(?::([0-9]+))?")
_OPERAND = re.compile(rf"%(?P<id>\w+)(?:\.(?P<index>[0-9]+))?|@(?P<place>[0-9]+)|(?P<name>{NAME.pattern})|(?=\")")
_TYPE = re.compile(r"([A-Za-z0-9_]+)\[([^\[\]\n]*)\]")
_DATA = re.compile(r"[^()\"#]*")
_ATOM = re.compile(r"[^\s,()\[\]{}\"=#:][^,()\[\]{}\"=#:\n]*")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_INT = re.compile(r"-?[0-9]+")
_WORD = re.compile(r"\w+|\S|$")
_FLOAT = re.compile(r"-?(?:inf|nan|[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?)")
_SINGLETONS: dict[str, Any] = {"None": None, "True": True, "False": False}
# What a type rule may raise on attributes no front end makes.
_REFUSALS = (RaxError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

T = TypeVar("T")


def parse_graph(
    text: str, registry: Mapping[str, type[Op]] = REGISTRY, tensors: Mapping[str, Literal] | None = None
) -> Graph:
    """The graph a text describes; undoes ``print_graph``.

    Args:
        text: the text form.
        registry: the operations by name; ``import rax.ops`` fills the default one.
        tensors: large constants by the hex form of their digest, as ``large_literals`` gives them.

    Raises:
        ParseError: the text is malformed, or an operation refuses its operands; says where.

    Example:
        >>> import rax.ops
        >>> graph = parse_graph("graph (x: float32[n]) -> (y: float32[n]) { return x }")
        >>> graph.output_names, graph.in_types
        (('y',), (float32[n],))
        >>> parse_graph("graph (x: float32[n]) -> (y: float32[n]) { return z }")
        Traceback (most recent call last):
            ...
        rax.ir.errors.ParseError: there is no input 'z'
          line 1, column 51
          graph (x: float32[n]) -> (y: float32[n]) { return z }
                                                            ^
    """
    with trail.recording() as recorder:
        recorder.pinned = NOWHERE
        return _Parser(text, registry, tensors or {}).whole()


class _Names:
    """What the operands of one graph may refer to."""

    def __init__(self, labels: list[str], inputs: list[Value]) -> None:
        self.inputs = inputs
        self.labels = dict(zip(labels, inputs, strict=True))
        self.twice = {label for label, count in collections.Counter(labels).items() if count > 1}
        self.results: dict[str, tuple[Value, ...]] = {}


class _Parser:
    def __init__(self, text: str, registry: Mapping[str, type[Op]], tensors: Mapping[str, Literal]) -> None:
        self.text = text
        self.registry = registry
        self.tensors = tensors
        self.place = 0
        self.depth = 0
        # What was read once: types, scalar constants, operations without attributes.
        self.types: dict[str, TensorType] = {}
        self.scalars: dict[tuple[str, str], Value] = {}
        self.plain: dict[type[Op], Op] = {}

    # Errors and tokens.

    def fail(
        self, what: str, place: int | None = None, *, fix: str = "", cause: BaseException | None = None
    ) -> NoReturn:
        """Raise with the line, the column and a caret."""
        place = self.place if place is None else place
        start = self.text.rfind("\n", 0, place) + 1
        end = self.text.find("\n", place)
        line = self.text[start : end if end >= 0 else len(self.text)].replace("\t", " ").rstrip("\r")
        number, column = self.text.count("\n", 0, place) + 1, place - start
        cut = max(0, column - ERROR_WIDTH * 3 // 4)
        shown = line[cut : cut + ERROR_WIDTH]
        where = f"line {number}, column {column + 1}\n{shown}\n{' ' * (column - cut)}^"
        raise ParseError(what, where=where, fix=fix) from cause

    def refuse(self, error: BaseException, place: int, what: str = "") -> NoReturn:
        """Raise for an error of another part."""
        said = error.what if isinstance(error, RaxError) else f"{type(error).__name__}: {error}"
        self.fail(f"{what}{said}", place, fix=error.fix if isinstance(error, RaxError) else "", cause=error)

    def skip(self) -> int:
        """Pass spaces and comments."""
        if self.text[self.place : self.place + 1] in _SPACES:
            match = _SPACE.match(self.text, self.place)
            assert match is not None
            self.place = match.end()
        return self.place

    def take(self, token: str) -> bool:
        """Pass a token, if it comes next."""
        self.skip()
        found = self.text.startswith(token, self.place)
        if found:
            self.place += len(token)
        return found

    def need(self, token: str) -> None:
        """Pass a token that must come next."""
        if not self.take(token):
            self.fail(f"expected {token!r}, not {self.next_word()}")

    def match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Pass a token of a pattern."""
        found = pattern.match(self.text, self.skip())
        if found is None:
            self.fail(f"expected {what}, not {self.next_word()}")
        self.place = found.end()
        return found

    def next_word(self) -> str:
        found = _WORD.match(self.text, self.skip())
        assert found is not None
        return repr(found.group()) if found.group() else "the end of the text"

    def keyword(self, word: str) -> bool:
        """Pass a word, if it comes next and ends there."""
        found = re.compile(rf"{word}\b").match(self.text, self.skip())
        if found is not None:
            self.place = found.end()
        return found is not None

    def string(self) -> str:
        place = self.skip()
        token = self.match(_STRING, "a string").group()
        try:
            return json.loads(token)
        except ValueError as error:
            self.fail("the string has a bad escape", place, cause=error)

    def name(self, what: str = "a name") -> str:
        self.skip()
        return self.string() if self.text.startswith('"', self.place) else self.match(NAME, what).group()

    def listed(self, close: str, item: Callable[[], T]) -> list[T]:
        """Items up to a closing token, with commas between and perhaps after the last."""
        found: list[T] = []
        while not self.take(close):
            found.append(item())
            if not self.take(","):
                self.need(close)
                break
        return found

    def nested(self, read: Callable[[], T]) -> T:
        """Read one level deeper."""
        if self.depth == MAX_NESTING:
            self.fail(f"nested more than {MAX_NESTING} deep")
        self.depth += 1
        result = read()
        self.depth -= 1
        return result

    # Graphs and nodes.

    def whole(self) -> Graph:
        self.need("graph")
        graph = self.graph()
        if self.skip() != len(self.text):
            self.fail(f"expected the end of the text, not {self.next_word()}")
        return graph

    def graph(self) -> Graph:
        """What follows the word ``graph``."""
        start = self.place
        self.need("(")
        given = self.listed(")", self.field)
        self.need("->")
        self.need("(")
        due = self.listed(")", self.field)
        self.need("{")
        names = _Names([name for name, _ in given], [new_input(name, type) for name, type in given])
        in_tree = self.nested(self.tree) if self.keyword("in") else None
        out_tree = self.nested(self.tree) if self.keyword("out") else None
        while self.take("%"):
            self.place -= 1
            self.node(names)
        self.need("return")
        ends = self.skip()
        outputs = self.listed("}", lambda: self.operand(names))
        types = [value.type for value in outputs]
        if types != [type for _, type in due]:
            self.fail(f"the graph returns ({', '.join(map(str, types))}), not what it announces", ends)
        try:
            return Graph(names.inputs, outputs, in_tree, out_tree, [name for name, _ in due], {})
        except RaxError as error:
            self.refuse(error, start)

    def field(self) -> tuple[str, TensorType]:
        name = self.name()
        self.need(":")
        return name, self.type()

    def type(self) -> TensorType:
        place = self.skip()
        found = self.match(_TYPE, "a type such as float32[2, n]")
        known = self.types.get(found.group())
        if known is None:
            try:
                known = self.types[found.group()] = self.new_type(found.group(1), found.group(2), place)
            except RaxError as error:
                self.refuse(error, place)
        return known

    def new_type(self, name: str, shape: str, place: int) -> TensorType:
        if name not in DTYPES:
            self.fail(f"there is no dtype {name!r}", place, fix=f"use one of {', '.join(DTYPES)}")
        return TensorType(DTYPES[name], dims.as_shape(_split(shape)) if shape.strip() else ())

    def node(self, names: _Names) -> None:
        place = self.skip()
        head = self.match(_RESULT, "a result such as %0")
        label, count = head.group(1), int(head.group(2) or 1)
        if label in names.results:
            self.fail(f"%{label} is defined above already", place)
        self.need("=")
        start = self.skip()
        name = self.name("an operation")
        outputs = self.constant() if name == "constant" else self.apply(name, start, names)
        if len(outputs) != count:
            self.fail(f"{name} has {len(outputs)} results, not {count}", place)
        names.results[label] = outputs

    def apply(self, name: str, start: int, names: _Names) -> tuple[Value, ...]:
        self.need("(")
        operands = self.listed(")", lambda: self.operand(names))
        attributes: dict[str, Any] = {}
        if self.take("["):
            for key, value, place in self.listed("]", self.attribute):
                if key in attributes:
                    self.fail(f"the attribute {key!r} is given twice", place)
                attributes[key] = value
        self.need(":")
        try:
            node = apply(self.op(name, attributes, start), operands)
        except _REFUSALS as error:
            self.refuse(error, start, "" if isinstance(error, RaxError) else f"{name} refuses its operands: ")
        self.check_types(node)
        return node.outputs

    def op(self, name: str, attributes: dict[str, Any], start: int) -> Op:
        """The operation of a name; one of somebody's own that is unknown is what its body says."""
        cls = self.registry.get(name)
        if cls is None:
            if isinstance(attributes.get("body"), Graph):
                return services.get("composite")(name, attributes, attributes.pop("body"))
            self.fail(f"there is no operation {name!r}", start, fix=self.suggestion(name))
        if "." in name:
            attributes.pop("body", None)  # the registry knows better
        op = self.plain.get(cls) if not attributes else None
        if op is None:
            op = make_op(cls, attributes)
            if not attributes:
                self.plain[cls] = op
        return op

    def suggestion(self, name: str) -> str:
        if not self.registry:
            return "import rax.ops"
        near = difflib.get_close_matches(name, self.registry, n=1)
        return f"did you mean {near[0]!r}?" if near else ""

    def check_types(self, node: Node) -> None:
        place = self.skip()
        types: list[TensorType] = []
        if not (self.take("(") and self.take(")")):
            types.append(self.type())
            while self.take(","):
                types.append(self.type())
        if tuple(types) != node.types:
            self.fail(f"{node.op.name} gives {', '.join(map(str, node.types))}", place)

    def operand(self, names: _Names) -> Value:
        place = self.skip()
        found = self.match(_OPERAND, "an operand such as %0 or an input's name")
        if found["id"] is not None:
            return self.result(names, found["id"], found["index"], place)
        if found["place"] is not None:
            if int(found["place"]) >= len(names.inputs):
                self.fail(f"the graph has {len(names.inputs)} inputs, no {found.group()}", place)
            return names.inputs[int(found["place"])]
        name = found["name"]
        if name is None:
            name = self.string()
        elif name in DTYPES and self.text.startswith("(", self.place):
            return self.scalar(name)
        if name in names.twice:
            self.fail(f"two inputs are called {name!r}", place, fix="refer to it by place, as @0")
        if name not in names.labels:
            near = difflib.get_close_matches(name, names.labels, n=1)
            self.fail(f"there is no input {name!r}", place, fix=f"did you mean {near[0]!r}?" if near else "")
        return names.labels[name]

    def result(self, names: _Names, label: str, index: str | None, place: int) -> Value:
        outputs = names.results.get(label)
        if outputs is None:
            self.fail(f"%{label} is not defined above", place)
        if index is None and len(outputs) != 1:
            self.fail(f"%{label} has {len(outputs)} results", place, fix=f"say which, as %{label}.0")
        if index is not None and int(index) >= len(outputs):
            self.fail(f"%{label} has {len(outputs)} results, no %{label}.{index}", place)
        return outputs[int(index or 0)]

    # Data.

    def scalar(self, dtype: str) -> Value:
        self.need("(")
        place = self.skip()
        data = self.match(_DATA, "a number").group()
        self.need(")")
        value = self.scalars.get((dtype, data))
        if value is None:
            value = constant(self.literal(TensorType(DTYPES[dtype], ()), data, place))
            self.scalars[dtype, data] = value
        return value

    def constant(self) -> tuple[Value, ...]:
        self.need("(")
        place = self.skip()
        data = self.match(_DATA, "data").group()
        self.need(")")
        self.need(":")
        return (constant(self.literal(self.type(), data, place)),)

    def literal(self, type: TensorType, data: str, place: int) -> Literal:
        """The literal of a type and the text of its data."""
        data = "".join(data.split())
        size = type.size
        if not isinstance(size, int):
            self.fail(f"data cannot have the symbolic type {type}", place)
        if data.startswith("sha256:"):
            literal = self.tensors.get(data.removeprefix("sha256:"))
            if literal is None:
                self.fail("the data with this digest is not given", place, fix="pass tensors=large_literals(graph)")
            if literal.type != type:
                self.fail(f"the data with this digest is {literal.type}, not {type}", place)
            return literal
        try:
            if data.startswith("hex:"):
                raw = self.bytes(data.removeprefix("hex:"), place)
            else:
                elements = re.findall(r"[^\[\],]+", data)
                raw = b"".join([numerals.pack(type.dtype, element) for element in elements])
                shape = tuple([size.__index__() for size in type.shape])
                if len(elements) != size or numerals.nested(elements, shape).replace(" ", "") != data:
                    self.fail(f"the data does not have the shape of {type}", place)
        except ValueError as error:
            if isinstance(error, ParseError):
                raise
            self.fail(str(error), place, cause=error)
        if len(raw) != type.nbytes:
            self.fail(f"{type} takes {type.nbytes} bytes, not {len(raw)}", place)
        return services.get("literal")(type, raw)

    def bytes(self, digits: str, place: int) -> bytes:
        if not _HEX.fullmatch(digits):
            self.fail(f"{digits!r} is no hexadecimal number", place)
        return bytes.fromhex(digits)

    # Attributes.

    def attribute(self) -> tuple[str, Any, int]:
        place = self.skip()
        name = self.name()
        self.need("=")
        return name, self.value(), place

    def value(self) -> Any:
        """An attribute."""
        place = self.skip()
        if self.text.startswith('"', place):
            return self.string()
        if self.take("("):
            return self.nested(lambda: tuple(self.listed(")", self.value)))
        atom = self.match(_ATOM, "a value").group().rstrip()
        opened = self.text[self.place : self.place + 1]
        if atom == "graph" and opened == "(":
            return self.nested(self.graph)
        if opened == "[":
            self.place = place
            return self.type()
        try:
            if atom == "dim" and opened == "(":
                self.need("(")
                size = dims.dim(self.string())
                self.need(")")
                return size
            return _atom(atom)
        except RaxError as error:
            if isinstance(error, ParseError) and error.where:
                raise
            self.refuse(error, place)

    # Trees.

    def tree(self) -> Tree:
        """The nest of arguments or results."""
        place = self.skip()
        if self.take("*"):
            return LEAF_TREE
        if self.keyword("None"):
            return NONE_TREE
        try:
            return self.nested(self.container)
        except TreeError as error:
            self.refuse(error, place)

    def container(self) -> Tree:
        if self.take("["):
            return Tree(LIST, (), tuple(self.listed("]", self.tree)))
        if self.take("("):
            return Tree(TUPLE, (), tuple(self.listed(")", self.tree)))
        for kind, opening in ((DICT, "{"), (ORDERED, "ordered{")):
            if self.take(opening):
                return _keyed(kind, "", self.listed("}", lambda: self.item(":")))
        kind = next((kind for kind in (ARGUMENTS, NAMED, DATA) if self.keyword(kind)), None)
        if kind is None:
            self.fail(f'expected a nest of * such as {{"w": [*, *]}}, not {self.next_word()}')
        name = "" if kind == ARGUMENTS else self.name()
        self.need("(")
        return _keyed(kind, name, self.listed(")", lambda: self.item("=")))

    def item(self, separator: str) -> tuple[Key, Tree]:
        number = _INT.match(self.text, self.skip())
        if number is not None:
            self.place = number.end()
        key = int(number.group()) if number is not None else self.name("a key")
        self.need(separator)
        return key, self.tree()


def _keyed(kind: str, name: str, items: list[tuple[Key, Tree]]) -> Tree:
    return Tree(kind, tuple(key for key, _ in items), tuple(child for _, child in items), name)


def _atom(atom: str) -> Any:
    """A number, a word or a size."""
    if atom in _SINGLETONS:
        return _SINGLETONS[atom]
    if _INT.fullmatch(atom):
        return int(atom)
    if _FLOAT.fullmatch(atom):
        return float(atom)
    return DTYPES[atom] if atom in DTYPES else dims.dim(atom)


def _split(shape: str) -> list[str]:
    """The sizes of a shape; a comma inside min(…) or max(…) separates none."""
    parts, depth = [""], 0
    for sign in shape:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts
