"""``composite``: a function over arrays as one operation of its own name, which carries its body."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from rax.frontend.captured import is_array
from rax.frontend.promotion import is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.frontend.trace import capture, graph_of
from rax.ir import trail
from rax.ir.dims import Dim
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.op import exact
from rax.ir.tree import flatten, paths, unflatten
from rax.ir.types import DType, TensorType
from rax.ops.composites import UserComposite
from rax.runtime.cache import Cache

P = ParamSpec("P")
R = TypeVar("R")
KEPT_BODIES = 64
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_PLAIN = (bool, int, float, str, DType, Dim, TensorType)


def composite(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function over arrays one operation, under a name of your own.

    A drawing, a text and a file show the operation by its name and attributes. Its body, a graph
    of other operations, travels with it: it loads, runs, differentiates and batches where the
    function is unknown. A backend may take it whole, by name. So, once files exist, a
    name keeps its meaning; a changed meaning is a new name.

    Args:
        name: words with dots between, such as ``"acme.swish"``.

    Returns:
        A decorator. The function takes nests of arrays by position, and returns one; what it takes by name
        only is static, an attribute: a number, a string, a dtype, a size, None, or a tuple of these.
        It may use arrays from outside, as constants, but no tensor of a graph being built.

    Raises:
        RaxError: the name has no dot; when called, an attribute cannot be stored.
        TypeInferenceError: when called, an argument is no array.
        UnboundInputError: when called, the function uses a tensor of a graph being built.

    Example:
        >>> from rax.frontend.trace import spec, trace
        >>> @composite("acme.scaled")
        ... def scaled(x, *, factor=2.0):
        ...     return x * factor
        >>> print(trace(lambda x: scaled(x, factor=3.0), spec("n")))
        graph (x: float32[n]) -> (result: float32[n]) {
          %0 = acme.scaled(x)[
            factor=3.0,
            body=graph (x: float32[n]) -> (result: float32[n]) {
              %0 = multiply(x, float32(3.0)) : float32[n]
              return %0
            },
          ] : float32[n]
          return %0
        }
    """
    if not _NAME.fullmatch(name):
        raise RaxError(
            f"{name!r} cannot name a composite",
            fix="use words with dots between, such as 'acme.swish'; names without a dot are rax's own",
        )

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        build = _Composite(name, function)
        return cast("Callable[P, R]", functools.wraps(function)(lambda *args, **kwargs: build(*args, **kwargs)))

    return decorate


class _Composite:
    """Calls a function as an operation, and keeps the bodies made for types and attributes met."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self._function = function
        self._signature = inspect.signature(function)
        self._bodies = Cache[tuple[object, ...], Graph](KEPT_BODIES)
        if any(p.name == "body" and p.kind is p.KEYWORD_ONLY for p in self._signature.parameters.values()):
            raise RaxError(f"{name}: an attribute cannot be called 'body', which its body is")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given, names, attributes = self._arguments(args, kwargs)
        leaves, tree = flatten(given)
        self._check(
            leaves, [label for argument, each in zip(given, names, strict=True) for label in _labels(argument, each)]
        )
        values = [as_tensor(leaf).value for leaf in leaves]
        types = tuple([value.type for value in values])

        def body() -> Graph:
            def call(*positional: Any) -> Any:
                return self._function(*positional, **attributes)

            made = graph_of(capture(call, unflatten(tree, types), names))
            return Graph(made.inputs, made.outputs, made.in_tree, made.out_tree, origins={})

        key = (tree, types, tuple((each, exact(value)) for each, value in attributes.items()))
        graph = self._bodies.get(key, body)
        results = UserComposite(self._name, attributes, graph).results(*values)
        return unflatten(graph.out_tree, [Tensor(value) for value in results])

    def _arguments(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], list[str], dict[str, Any]]:
        """The arrays' nests, a name for each, and the attributes, with the defaults filled in."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            named = [each.name for each in self._signature.parameters.values() if each.kind is each.KEYWORD_ONLY]
            hint = f"; by name it takes {', '.join(named)}" if named else ""
            raise TypeError(f"{self._name}: {error}{hint}") from None
        bound.apply_defaults()
        names: list[str] = []
        for parameter in self._signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                names.append(parameter.name)
            elif parameter.kind is parameter.VAR_POSITIONAL:
                names += [f"{parameter.name}{index}" for index in range(len(bound.args) - len(names))]
        return bound.args, names, {each: self._attribute(each, value) for each, value in bound.kwargs.items()}

    def _attribute(self, name: str, value: Any) -> Any:
        """An attribute as files hold it."""
        if isinstance(value, np.generic):
            return cast("Any", value).item()
        if isinstance(value, (list, tuple)):
            return tuple([self._attribute(name, item) for item in cast("list[Any]", value)])
        if value is None or type(value) in _PLAIN:
            return value
        raise RaxError(
            f"{self._name}: the attribute {name!r} cannot be {value!r}",
            source=trail.here().source,
            fix="give a number, a string, a dtype, a size, None, or a tuple of these; take arrays by position",
        )

    def _check(self, leaves: list[Any], labels: list[str]) -> None:
        numbers = [is_number(leaf) for leaf in leaves]
        for leaf, number, label in zip(leaves, numbers, labels, strict=True):
            if not is_array(leaf):
                raise TypeInferenceError(
                    f"{self._name}: {label} holds a {type(leaf).__name__}, which is no array",
                    source=trail.here().source,
                    fix="take what is no array by name only, after a * in the signature: it becomes an attribute",
                )
            if number and not all(numbers):
                raise TypeInferenceError(
                    f"{self._name}: {label} is the number {leaf!r}, of no dtype, beside arrays that have one",
                    source=trail.here().source,
                    fix="take it by name only, after a * in the signature, or give an array",
                )


def _labels(argument: Any, name: str) -> tuple[str, ...]:
    return tuple(paths(flatten(argument)[1], name))
