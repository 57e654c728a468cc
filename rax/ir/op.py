"""The base of every operation, the check that one is complete, and the registry.

An operation is written as a frozen dataclass is: its fields *are* its attributes, so hashing, printing,
serialising and documentation need no code of their own. ``@op(name, since=…)`` refuses a
class that leaves a slot open.

It is not made one, for that would compile methods for each of some hundred and fifty classes, at every
start of a process. ``Op`` has the methods, and each class only the names of its fields.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar, cast, dataclass_transform

from rax.ir import dims
from rax.ir.dims import Dim, Size
from rax.ir.errors import DerivativeError, RaxError, TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.node import Operation, Value, apply
from rax.ir.types import TensorType

Derivative = Value | None
"""A tangent or cotangent; None stands for zero."""


class Transforms(Protocol):
    """The transforms of whole graphs, handed by a driver to operations that hold graphs."""

    def jvp(self, graph: Graph, active: tuple[bool, ...]) -> tuple[Graph, tuple[bool, ...]]:
        """Inputs ``(x, dx of the active)`` to outputs ``(y, dy of the non-zero)``; which are non-zero."""
        ...

    def linearize(self, graph: Graph, active: tuple[bool, ...]) -> tuple[Graph, Graph, tuple[bool, ...]]:
        """``x -> (y, residuals)`` and ``(residuals, dx) -> dy of the non-zero``; which are non-zero."""
        ...

    def transpose(self, graph: Graph, linear: tuple[bool, ...]) -> Graph:
        """``(non-linear inputs, cotangents) -> cotangents of the linear inputs``."""
        ...

    def batch(
        self, graph: Graph, size: Size, batched: tuple[bool, ...], force: tuple[bool, ...] | None = None
    ) -> tuple[Graph, tuple[bool, ...]]:
        """The graph with a leading axis on the batched inputs; which outputs have it."""
        ...


class Key(tuple[Any, ...]):  # noqa: SLOT001  # a tuple has no slots to hold the hash
    """A key that is hashed once: attributes may be long, and every node that is made is looked up."""

    @functools.cached_property
    def _hash(self) -> int:
        return super().__hash__()

    def __hash__(self) -> int:
        return self._hash


@dataclass_transform(frozen_default=True, eq_default=False)
class Op(Operation):
    """Everything an operation means.

    A subclass fills these slots, itself or through a family of ``rax.ops.families``:

    * ``result(*types)``: the type rule, from operand types to result type(s).
    * ``reference(*arrays)``: NumPy, written for reading; the oracle of every backend.
    * exactly one of ``partial`` (elementwise), ``jvp``, ``transpose`` (linear), ``expand``
      (composite), or ``nondiff = "why there is no derivative"``.
      ``forward_only`` says why an operation cannot be transposed.
    * ``batch(size, batched, *operands)``: the operation with a leading axis on some operands.
    * ``arity``: the number of operands, where it is fixed.
    * ``choices``: for an attribute that is a string, those it may be.
    * ``samples``, and where they exist ``edges`` and ``rejects``: what the laws run on.
    """

    name: str
    since: ClassVar[int]
    nondiff: ClassVar[str] = ""
    forward_only: ClassVar[str] = ""
    samples: ClassVar[tuple[Any, ...]] = ()
    edges: ClassVar[tuple[Any, ...]] = ()
    rejects: ClassVar[tuple[Any, ...]] = ()
    tolerance: ClassVar[Mapping[str, Any]] = {}
    holds_graphs: ClassVar[bool] = False
    arity: ClassVar[int] = -1
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    scalars: ClassVar[Mapping[str, type[bool | float]]] = {}
    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Find the fields: what is annotated in the class or above, and is not said to be the class's own."""
        own = {name: hint for name, hint in inspect.get_annotations(cls).items() if not _is_of_class(hint)}
        if own:
            cls._fields = tuple(dict.fromkeys((*cls._fields, *own)))
            above = {name: due for name, due in cls.scalars.items() if name not in own}
            cls.scalars = {**above, **{name: _SCALARS[hint] for name, hint in own.items() if hint in _SCALARS}}

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = self._fields
        if named or len(values) != len(fields):
            values = self._arguments(values, named)
        if fields:
            self.__dict__.update(zip(fields, values, strict=False))  # to set them one by one is refused
            if self.scalars:
                self._convert()

    def _convert(self) -> None:
        """Make an attribute that is a bool or a float one, as it is when it comes from a file.

        Raises:
            TypeInferenceError: it is given something that equals none.
        """
        for name, due in self.scalars.items():
            given = getattr(self, name)
            if type(given) is not due:
                self.__dict__[name] = _converted(self.name, name, due, given)

    @classmethod
    def _arguments(cls, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """A value for each field: those by position, by name, and the defaults, which are attributes of the class.

        Raises:
            TypeError: one is unknown, given twice, or missing.
        """
        fields = cls._fields
        if len(values) + len(named) == len(fields) and all(name in named for name in fields[len(values) :]):
            return (*values, *[named[name] for name in fields[len(values) :]])
        if len(values) > len(fields):
            raise TypeError(f"{cls.__name__}() takes {len(fields)} attributes, not {len(values)}")
        found = dict(zip(fields, values, strict=False))
        for name, value in named.items():
            if name not in fields or name in found:
                what = "got two values for" if name in found else "has no attribute"
                raise TypeError(f"{cls.__name__}() {what} {name!r}")
            found[name] = value
        missing = [name for name in fields if name not in found and not hasattr(cls, name)]
        if missing:
            raise TypeError(f"{cls.__name__}() lacks {', '.join(map(repr, missing))}")
        return tuple([found[name] if name in found else getattr(cls, name) for name in fields])

    @functools.cached_property
    def key(self) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Class and attributes, exact: ``True`` and ``1``, ``0.0`` and ``-0.0`` differ."""
        return Key((type(self), *[exact(getattr(self, field)) for field in self.attribute_names()]))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Op) and self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.attributes().items())
        return f"{self.name}[{shown}]" if shown else self.name

    @classmethod
    def attribute_names(cls) -> tuple[str, ...]:
        """The names of the attributes, in order."""
        return cls._fields

    def attributes(self) -> dict[str, Any]:
        """The attributes by name, in order."""
        return {name: getattr(self, name) for name in self.attribute_names()}

    def stated(self, operands: tuple[TensorType, ...]) -> dict[str, Any]:
        """The attributes that have not their default; of an operation of somebody's own all, and its ``body``.

        Args:
            operands: the types of the operands, which the body is for.
        """
        own = getattr(self, "since", None) == 0
        found = {name: value for name, value in self.attributes().items() if own or not _is_default(self, name, value)}
        body = getattr(self, "body", None) if own else None
        return {**found, "body": body(*operands)} if callable(body) else found

    def __call__(self, *operands: Value) -> Value:
        """Apply to values; for operations with one result."""
        return apply(self, operands)

    def results(self, *operands: Value) -> tuple[Value, ...]:
        """Apply to values; every result."""
        return apply(self, operands).outputs

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        """The types of the results."""
        # A cache must not keep graphs alive, and equal operations on equal types are common.
        return self.checked(operands) if self.holds_graphs else _inferred(self, operands)

    def checked(self, operands: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        """The type rule with the number of operands checked."""
        if len(operands) != self.arity >= 0:
            plural = "s" * (self.arity != 1)
            raise TypeInferenceError(f"{self.name} takes {self.arity} operand{plural}, not {len(operands)}")
        result = self.result(*operands)
        return result if isinstance(result, tuple) else (result,)

    def substitute_dims(self, values: Mapping[str, Size]) -> Op:
        """The operation with named dims in its attributes, and in graphs it holds, replaced."""

        def replace(item: Any) -> Any:
            if isinstance(item, Dim):
                return dims.substitute(item, values)
            if isinstance(item, TensorType):
                return item.with_shape(tuple(dims.substitute(size, values) for size in item.shape))
            return item.substitute_dims(values) if isinstance(item, Graph) else item

        old = self.attributes()
        new = {name: map_attribute(value, replace) for name, value in old.items()}
        return self if new == old else self.with_attributes(new)

    def with_attributes(self, attributes: Mapping[str, Any]) -> Op:
        """The operation with other attributes."""
        return type(self)(**attributes)

    # The slots. They raise here; ``check`` refuses a registered class that leaves them so.

    def result(self, *operands: TensorType) -> TensorType | tuple[TensorType, ...]:
        """The type rule."""
        raise NotImplementedError(f"{type(self).__name__}.result")

    def reference(self, *arrays: Any) -> Any:
        """The meaning in NumPy: one array, or a tuple where there are several results."""
        raise NotImplementedError(f"{type(self).__name__}.reference")

    def reference_with(self, evaluate: Callable[[Graph, list[Any]], list[Any]], *arrays: Any) -> tuple[Any, ...]:
        """The meaning of an operation that holds graphs, given what evaluates one."""
        raise NotImplementedError(f"{type(self).__name__}.reference_with")

    def partial(self, operand: int, *values: Value) -> Derivative | int:
        """Elementwise: d(result)/d(operand), given the operands and then the result.

        A value, or the number 1 or -1, or None where the derivative is zero everywhere.
        """
        raise NotImplementedError(f"{type(self).__name__}.partial")

    def jvp(
        self, primals: tuple[Value, ...], tangents: tuple[Derivative, ...], result: Any
    ) -> Derivative | tuple[Derivative, ...]:
        """The tangent of the result, from operations linear in the tangents; a tuple for a tuple of results."""
        raise NotImplementedError(f"{type(self).__name__}.jvp")

    def transpose(self, ct: Value, linear: tuple[bool, ...], *operands: Value) -> tuple[Derivative, ...]:
        """Cotangents of the linear operands (None for others); only their types may be read."""
        raise DerivativeError(f"{self.name} is not linear, so it has no transpose")

    def expand(self, *operands: Value) -> Value | tuple[Value, ...]:
        """A composite's body, in other operations."""
        raise NotImplementedError(f"{type(self).__name__}.expand")

    def batch(self, size: Size, batched: tuple[bool, ...], *operands: Value) -> Value | tuple[Value, ...]:
        """Apply with a leading axis of ``size`` on the batched operands and on every result."""
        raise NotImplementedError(f"{type(self).__name__}.batch")

    def scratch_bytes(self, *operands: TensorType) -> Size:
        """The memory that computing it takes beside operands and results, where that may be far more than those."""
        del operands
        return 0

    # What the drivers call. Families override these; a single operation rarely does.

    def push_forward(
        self,
        transforms: Transforms,
        primals: tuple[Value, ...],
        tangents: tuple[Derivative, ...],
        outputs: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """Tangents of every result."""
        del transforms
        pushed = self.jvp(primals, tangents, outputs[0] if len(outputs) == 1 else outputs)
        return pushed if isinstance(pushed, tuple) else (pushed,)

    def linearize(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """Results and their tangents, the tangents from nodes that can be transposed."""
        outputs = self.results(*primals)
        return outputs, self.push_forward(transforms, primals, tangents, outputs)

    def forward(
        self, transforms: Transforms, primals: tuple[Value, ...], tangents: tuple[Derivative, ...]
    ) -> tuple[tuple[Value, ...], tuple[Derivative, ...]]:
        """Results and their tangents, where nothing will be transposed."""
        return self.linearize(transforms, primals, tangents)

    def pull_back(
        self,
        transforms: Transforms,
        cotangents: tuple[Derivative, ...],
        linear: tuple[bool, ...],
        operands: tuple[Value, ...],
    ) -> tuple[Derivative, ...]:
        """Cotangents of the linear operands; None for the others."""
        del transforms
        assert cotangents[0] is not None
        return self.transpose(cotangents[0], linear, *operands)

    def batch_results(
        self, transforms: Transforms, size: Size, batched: tuple[bool, ...], operands: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """Every result with a leading axis."""
        del transforms
        result = self.batch(size, batched, *operands)
        return result if isinstance(result, tuple) else (result,)


def _refuse_to_change(op: Op, name: str, value: object = None) -> NoReturn:
    """``__setattr__`` and ``__delattr__`` of registered operations: nodes share them."""
    del value
    raise AttributeError(f"{type(op).__name__}.{name} cannot be changed: operations are immutable")


def _is_of_class(hint: Any) -> bool:
    """Whether an annotation, as text or not, says that what it stands on is the class's own, as ``ClassVar`` does."""
    return "ClassVar" in (hint if isinstance(hint, str) else repr(hint))


def _is_default(op: Op, name: str, value: Any) -> bool:
    """Whether a class has this very value for an attribute; ``1``, ``1.0`` and ``True`` differ, and so do zeros."""
    default = getattr(type(op), name, value)
    return hasattr(type(op), name) and type(value) is type(default) and repr(value) == repr(default)


@functools.lru_cache(maxsize=1 << 15)
def _inferred(op: Op, operands: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
    return op.checked(operands)


_SCALARS: dict[object, type[bool | float]] = {"bool": bool, "float": float, bool: bool, float: float}
"""What is said of a field whose values are made bools or floats."""


def _converted(op: str, name: str, due: type[bool | float], given: object) -> bool | float:
    try:
        value = due(cast("Any", given))
    except (TypeError, ValueError, OverflowError):
        value = None
    if value is None or isinstance(given, str) or (value != given and not math.isnan(value)):
        raise TypeInferenceError(f"the attribute {name!r} of {op} is a {due.__name__}, not {given!r}") from None
    return value


DERIVATIVE_SLOTS = ("partial", "jvp", "transpose", "expand")


def exact(value: Any) -> Any:
    """An attribute as a key that tells apart what ``==`` does not."""
    if type(value) is float:
        return ("float", value.hex())
    if type(value) is bool:
        return ("bool", value)
    if type(value) is tuple:
        return tuple([exact(item) for item in cast("tuple[Any, ...]", value)])
    return value


def map_attribute(value: Any, function: Callable[[Any], Any]) -> Any:
    """Rebuild an attribute with ``function`` applied to each item that is no tuple."""
    if type(value) is tuple:
        return tuple([map_attribute(item, function) for item in cast("tuple[Any, ...]", value)])
    return function(value)


def held_graphs(op: Operation) -> Iterator[tuple[str, Graph]]:
    """The graphs an operation holds, each with a name: ``body``, ``branches[0]``."""
    waiting = list(reversed(op.attributes().items())) if isinstance(op, Op) else []
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Graph):
            yield name, value
        elif type(value) is tuple:
            items = cast("tuple[Any, ...]", value)
            waiting += [(f"{name}[{index}]", items[index]) for index in reversed(range(len(items)))]


class Registry(Mapping[str, type[Op]]):
    """Operations by name. A module that was named as the place of one is imported when that is asked for."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Op]] = {}
        self._modules: dict[str, str] = {}

    def __getitem__(self, name: str) -> type[Op]:
        found = self._classes.get(name)
        if found is None and name in self._modules:
            importlib.import_module(self._modules[name])
        return self._classes[name] if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self._classes or name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter({**self._modules, **self._classes})

    def __len__(self) -> int:
        return len({**self._modules, **self._classes})

    def provide(self, modules: Mapping[str, str]) -> None:
        """Name the module that has each operation."""
        self._modules.update(modules)

    def add(self, cls: type[Op]) -> None:
        """Register a class under its name.

        Raises:
            RaxError: the name is taken.
        """
        if cls.name in self._classes or self._modules.get(cls.name, cls.__module__) != cls.__module__:
            raise RaxError(f"the operation {cls.name!r} exists already", fix="choose another name")
        self._classes[cls.name] = cls


REGISTRY = Registry()
T = TypeVar("T", bound=Op)


def op(name: str, *, since: int) -> Callable[[type[T]], type[T]]:
    """Register an operation class after checking that it is complete.

    Args:
        name: the name in files and text; the array API's where it has one.
        since: the format version that first had this operation; 0 for one of your own, whose name has
            a dot and whose body files carry, so that they load where it is unknown.

    Raises:
        RaxError: a slot is missing, or more than one says how to differentiate.
    """

    def register(cls: type[T]) -> type[T]:
        cls.name = name
        cls.since = since
        cls.__setattr__ = cls.__delattr__ = _refuse_to_change
        problems = list(missing_slots(cls))
        if (since == 0) != ("." in name):
            problems.append("a name has a dot if, and only if, the operation is your own (since=0)")
        if problems:
            raise RaxError(
                f"the operation {name!r} is incomplete: {'; '.join(problems)}",
                fix="see CONTRIBUTING.md, 'Adding an operation'",
            )
        REGISTRY.add(cls)
        return cls

    return register


def missing_slots(cls: type[Op]) -> Iterable[str]:
    """What a class lacks to be an operation, one phrase each."""
    for slot in ("result", "reference_with" if cls.holds_graphs else "reference", "batch"):
        generic = slot == "batch" and cls.batch_results is not Op.batch_results
        if getattr(cls, slot) is getattr(Op, slot) and not generic:
            yield f"no {slot}"
    ways = [slot for slot in DERIVATIVE_SLOTS if getattr(cls, slot) is not getattr(Op, slot)]
    if cls.nondiff:
        ways.append("nondiff")
    if len(ways) != 1 and not cls.holds_graphs:
        yield f"exactly one of {', '.join(DERIVATIVE_SLOTS)}, nondiff is due, not {ways or 'none'}"
    if not cls.samples:
        yield "no samples"
    if not (cls.__doc__ or "").strip() and sys.flags.optimize < 2:  # -OO strips them
        yield "no docstring"
