"""Nodes and values: immutable, interned, compared by identity.

Applying an operation to values looks the pair up first, so equal computations are one
object: common subexpressions and structural equality are free. Inputs are the exception,
each its own. A node never refers to its users, and the table holds it weakly.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from rax.ir import trail
from rax.ir.dims import Shape, Size
from rax.ir.errors import RaxError
from rax.ir.types import DType, TensorType

INLINE_KEY_BYTES = 1024


class Operation:
    """What a node applies: named, hashable, and able to type its results."""

    name: str
    key: tuple[Any, ...]

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        """The types of the results, or a ``TypeInferenceError``."""
        raise NotImplementedError(f"{type(self).__name__}.infer")

    def stated(self, operands: tuple[TensorType, ...]) -> dict[str, Any]:
        """What is said of it beside its name, by name, in files and digests."""
        del operands
        return {}

    def substitute_dims(self, values: Mapping[str, Size]) -> Operation:
        """The operation with named dims in its attributes replaced."""
        del values
        return self


class Value:
    """One result of a node: ``node`` and ``index``, with its ``type``.

    A node stands for its own first result, so that most values cost no object and compare by
    identity; the other results are a :class:`Result` each.
    """

    __slots__ = ()

    @property
    def node(self) -> Node:
        """What computes it."""
        raise NotImplementedError(f"{type(self).__name__}.node")

    @property
    def index(self) -> int:
        """Which of the node's results it is."""
        raise NotImplementedError(f"{type(self).__name__}.index")

    @property
    def type(self) -> TensorType:
        """The dtype and shape."""
        return self.node.types[self.index]

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.type.dtype

    @property
    def shape(self) -> Shape:
        """The shape, perhaps with symbolic dims."""
        return self.type.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.type.shape)


class Node(Value):
    """One application of an operation to values; as a value, its first result.

    Attributes:
        op: the operation with its attributes.
        inputs: the operands.
        types: one type for each result.
        origin: where it was made outside every trace; see :mod:`rax.ir.trail`.
    """

    __slots__ = ("__weakref__", "inputs", "op", "origin", "types")

    def __init__(self, op: Operation, inputs: tuple[Value, ...], types: tuple[TensorType, ...]) -> None:
        self.op = op
        self.inputs = inputs
        self.types = types
        self.origin = trail.NOWHERE

    @property
    def node(self) -> Node:
        """The node itself."""
        return self

    @property
    def index(self) -> int:
        """0: as a value, a node is its first result."""
        return 0

    @property
    def type(self) -> TensorType:
        """The dtype and shape of the first result."""
        return self.types[0]

    @property
    def dtype(self) -> DType:
        """The element type of the first result."""
        return self.types[0].dtype

    @property
    def shape(self) -> Shape:
        """The shape of the first result, perhaps with symbolic dims."""
        return self.types[0].shape

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The results, in order."""
        count = len(self.types)
        return (self,) if count == 1 else tuple([self.output(index) for index in range(count)])

    def output(self, index: int) -> Value:
        """One result."""
        return Result(self, index) if index else self

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return self  # immutable, and compared by identity

    def __reduce__(self) -> NoReturn:
        raise RaxError("graphs are not pickled", fix="use rax.save and rax.load, which keep nodes shared")

    def __repr__(self) -> str:
        operands = ", ".join(str(value.type) for value in self.inputs)
        return f"<{self.op!r}({operands}) -> {', '.join(map(str, self.types))}>"


class Result(Value):
    """A result of a node after its first."""

    __slots__ = ("_index", "_node")

    def __init__(self, node: Node, index: int) -> None:
        self._node = node
        self._index = index

    @property
    def node(self) -> Node:
        """What computes it."""
        return self._node

    @property
    def index(self) -> int:
        """Which of the node's results it is."""
        return self._index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and self._node is other._node and self._index == other._index

    def __hash__(self) -> int:
        return hash((id(self._node), self._index))

    def __repr__(self) -> str:
        return f"<result {self._index} of {self._node!r}>"


_table: dict[tuple[Any, ...], weakref.ref[Node]] = {}


class _Entry(weakref.ref[Node]):
    __slots__ = ("key",)
    key: tuple[Any, ...]


def _forget(entry: weakref.ref[Node]) -> None:
    assert isinstance(entry, _Entry)
    if _table.get(entry.key) is entry:
        del _table[entry.key]


def apply(op: Operation, inputs: Iterable[Value], types: tuple[TensorType, ...] | None = None) -> Node:
    """The node of an operation on operands, made or found.

    Args:
        op: the operation.
        inputs: the operands.
        types: the result types, where the caller already knows them.

    Raises:
        TypeInferenceError: the operation is not defined on these operands.
    """
    inputs = tuple(inputs)
    # The ids stay valid: the entry goes when the node does, and the node holds its inputs.
    key = (op.key, *[id(v) if type(v) is Node else (id(v.node), v.index) for v in inputs])
    entry = _table.get(key)
    node = entry() if entry is not None else None
    if node is None:
        if types is None:
            types = op.infer(*[value.type for value in inputs])
        node = Node(op, inputs, types)
        entry = _Entry(node, _forget)
        entry.key = key
        _table[key] = entry
    trail.recorder().created(node)
    return node


class Input(Operation):
    """A graph's parameter: a name and a type. Every input is a node of its own."""

    name = "input"

    def __init__(self, label: str, type: TensorType) -> None:
        self.label = label
        self.type = type
        self.key = (Input, id(self))

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        """The declared type."""
        return (self.type,)

    def __repr__(self) -> str:
        return f"input[{self.label}]"


def new_input(label: str, type: TensorType) -> Value:
    """A fresh input."""
    node = Node(Input(label, type), (), (type,))
    trail.recorder().created(node)
    return node


class Literal:
    """The data of a constant: an opaque array with its raw bytes and a key.

    The key is dtype, shape and bytes (a SHA-256 digest for large ones, taken when it is first
    needed), so ``True`` and ``1``, ``0.0`` and ``-0.0``, and NaNs of different payload stay apart.

    Args:
        type: dtype and (concrete) shape.
        array: what a backend computes with; never changed.
        raw: the elements, little-endian, row-major.
        digest: the SHA-256 of ``raw`` where it is already known.
    """

    __slots__ = ("_digest", "_key", "array", "raw", "type")

    def __init__(self, type: TensorType, array: Any, raw: memoryview, digest: bytes | None = None) -> None:
        self.type = type
        self.array = array
        self.raw = raw
        self._digest = digest
        self._key: tuple[Any, ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for literals of equal type and elements."""
        if self._key is None:
            content = bytes(self.raw) if self.raw.nbytes <= INLINE_KEY_BYTES else self.digest
            self._key = (self.type.dtype.name, self.type.shape, content)
        return self._key

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the raw bytes."""
        if self._digest is None:
            self._digest = hashlib.sha256(self.raw).digest()
        return self._digest


class Constant(Operation):
    """Data inside the graph."""

    name = "constant"

    def __init__(self, literal: Literal) -> None:
        self.literal = literal
        self.key = (Constant, literal.key)

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        """The type of the data."""
        return (self.literal.type,)

    def __repr__(self) -> str:
        return f"constant[{self.literal.type}]"


def constant(literal: Literal) -> Value:
    """The value of a constant."""
    return apply(Constant(literal), ())
