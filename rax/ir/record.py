"""Classes that are written as dataclasses are, and cost a process nothing to begin with."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self, dataclass_transform


@dataclass_transform(eq_default=False)
class Record:
    """A class whose annotated names are its fields, in order; a value given in the class is a default.

    For a dataclass or named tuple Python compiles methods when the class is made, at every start of a
    process: for the thirty on the way of a short run that took longer than the run. Here they are shared.

    Example:
        >>> class Point(Record):
        ...     x: int
        ...     y: int = 0
        >>> Point(1), Point(1).replaced(y=2) == Point(y=2, x=1)
        (Point(x=1, y=0), True)
    """

    _names: ClassVar[tuple[str, ...]] = ()
    _required: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Find the fields of the class, behind those above it."""
        own = [name for name, hint in cls.__annotations__.items() if "ClassVar" not in str(hint)]
        cls._names = tuple(dict.fromkeys((*cls._names, *own)))
        cls._required = tuple([name for name in cls._names if not hasattr(cls, name)])

    def __init__(self, *values: Any, **named: Any) -> None:
        fields, own = self._names, self.__dict__
        own.update(zip(fields, values, strict=False))
        if len(values) > len(fields) or not named.keys().isdisjoint(own) or not named.keys() <= set(fields):
            raise TypeError(f"{type(self).__name__}() has the fields {', '.join(fields)}, each to be given once")
        own.update(named)
        if len(values) < len(self._required) and not own.keys() >= set(self._required):
            missing = [name for name in self._required if name not in own]
            raise TypeError(f"{type(self).__name__}() lacks {', '.join(missing)}")

    def replaced(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in self._names)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # what can change has no hash

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._names)})"


@dataclass_transform(eq_default=False, frozen_default=True)
class Frozen(Record):
    """A record that cannot be changed.

    Example:
        >>> class Size(Frozen):
        ...     width: int
        >>> Size(2).width = 3
        Traceback (most recent call last):
        AttributeError: Size cannot be changed
    """

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __hash__(self) -> int:
        return hash((type(self), *[getattr(self, name) for name in self._names]))

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")
