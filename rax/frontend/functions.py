"""Functions with a derivative of their own kind: ``checkpoint``, ``custom_jvp`` and ``custom_vjp``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, cast

from rax.frontend.captured import Captured, Function, capture_arguments, tensors, transformed
from rax.frontend.tensor import Tensor, as_tensor
from rax.frontend.trace import Capture, capture, close
from rax.frontend.transforms import values_like
from rax.ir import trail
from rax.ir.errors import DerivativeError, TreeError
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.tree import TUPLE, Tree, flatten, unflatten
from rax.ops import selection
from rax.ops.algebra import zeros
from rax.ops.calls import Checkpoint, CustomJvp, CustomVjp
from rax.ops.subgraphs import fill, split


def checkpoint(function: Function) -> Any:
    """A function that is computed again on the way back, so that nothing inside it is kept.

    The result and every derivative are the same; memory between forward and backward falls to the
    arguments, for the work of one more forward evaluation.

    Args:
        function: any function of arrays, or a graph.

    Returns:
        A function (of a graph: a graph) with the same result.

    Example:
        >>> from rax.frontend.transforms import grad
        >>> float(grad(checkpoint(lambda x: x * x * x))(2.0))
        12.0
    """

    def build(*args: Any, **kwargs: Any) -> Any:
        got = capture_arguments(function, args, kwargs, range(len(args)))
        free = got.part.free
        results = Checkpoint(close(got.part)).results(*free, *got.values)
        return tensors(got.out_tree, results)

    return transformed(function, build, "checkpoint")


def stop_gradient(x: Any) -> Any:
    """The same tensors, taken as constant by every derivative.

    Args:
        x: arrays in any nest.

    Returns:
        Tensors in the same nest.

    Example:
        >>> from rax.frontend.transforms import grad
        >>> float(grad(lambda x: x * stop_gradient(x))(3.0))
        3.0
    """
    leaves, tree = flatten(x)
    return tensors(tree, [selection.stop_gradient(as_tensor(leaf).value) for leaf in leaves])


class _Custom:
    """A function whose derivative the user gives: what ``custom_jvp`` and ``custom_vjp`` share.

    Args:
        function: the function of arrays.
        nondiff_argnums: the arguments that are no arrays, such as functions or strings.
    """

    def __init__(self, function: Function, nondiff_argnums: Sequence[int] = ()) -> None:
        self._function = function
        self._static = tuple(nondiff_argnums)
        self.__name__ = getattr(function, "__name__", type(self).__name__)
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result."""
        if kwargs:
            bound = inspect.signature(self._function).bind(*args, **kwargs)
            args = bound.args
            if bound.kwargs:
                raise TreeError(
                    f"{self.__name__!r} takes {', '.join(bound.kwargs)} by name only, which no derivative can",
                    fix="make it an argument by position, or bind it with functools.partial or a lambda",
                )
        if self in _rules.get():
            return self._function(*args)
        return transformed(self._function, self._build, type(self).__name__)(*args)

    def _build(self, *args: Any) -> Any:
        kept = [index for index in range(len(args)) if index not in self._static]
        static = tuple(args[index] for index in self._static)
        primal = capture_arguments(self._function, args, {}, kept)
        token = _rules.set((*_rules.get(), self))
        try:
            results = self._results(primal, args, static, kept)
        finally:
            _rules.reset(token)
        return tensors(primal.out_tree, results)

    def _results(
        self, primal: Captured, args: tuple[Any, ...], static: tuple[Any, ...], kept: Sequence[int]
    ) -> tuple[Value, ...]:
        """The results of the operation that holds the function and its derivative."""
        raise NotImplementedError


_rules: ContextVar[tuple[_Custom, ...]] = ContextVar("rax_custom_rules", default=())
"""The functions whose derivative is being traced."""


class custom_jvp(_Custom):  # noqa: N801  # used as a decorator, under JAX's name
    """A function whose derivative you write yourself, in forward mode.

    Args:
        function: the function of arrays.
        nondiff_argnums: the arguments that are no arrays, such as functions or strings; the rule takes
            them first.

    Call ``defjvp(rule)`` before use, or decorate the rule with it: ``rule(primals, tangents)`` takes
    two tuples with one entry an argument and returns ``(result, tangent)``, the tangent linear in the
    tangents (None for zero). Tangents of integers and bools are zeros. Reverse mode is the transpose of the rule.
    What the function closes over is constant to the derivative. The rule may call the function;
    there it is the plain one, whose own derivatives follow from what it computes.

    Example:
        >>> from rax.frontend.transforms import grad
        >>> @custom_jvp
        ... def halved(x):
        ...     return x * x
        >>> @halved.defjvp
        ... def rule(primals, tangents):
        ...     (x,), (t,) = primals, tangents
        ...     return halved(x), x * t
        >>> float(grad(halved)(3.0))
        3.0
    """

    def __init__(self, function: Function, nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(function, nondiff_argnums)
        self._rule: Function | None = None

    def defjvp(self, rule: Function) -> Function:
        """Give the rule; returns it, so that this is a decorator too."""
        self._rule = rule
        return rule

    def _results(
        self, primal: Captured, args: tuple[Any, ...], static: tuple[Any, ...], kept: Sequence[int]
    ) -> tuple[Value, ...]:
        rule = self._rule
        if rule is None:
            raise DerivativeError(f"custom_jvp {self.__name__!r} has no derivative yet", fix="call .defjvp(rule) first")
        types = [value.type for value in primal.outputs]

        def flat(primals: Any, moved: Any) -> list[Tensor]:
            pair = rule(*static, primals, moved)
            if not isinstance(pair, (tuple, list)) or len(cast("Sequence[Any]", pair)) != 2:
                raise TreeError(f"the rule of custom_jvp {self.__name__!r} must return a pair (result, tangent)")
            result, tangent = cast("Sequence[Any]", pair)
            leaves, tree = flatten(result)
            if tree != primal.out_tree:
                raise TreeError(f"the rule returns the result {tree}, the function {primal.out_tree}")
            nothing = tangent is None
            pushed = [None] * len(types) if nothing else values_like(tree, types, tangent, "the rule's tangent")
            return [*map(as_tensor, leaves), *map(Tensor, fill(pushed, types))]

        specs = [value.type for value in primal.values]
        nest = unflatten(Tree(TUPLE, (), primal.trees), specs)
        onward = capture(flat, [nest, nest], ["primals", "tangents"])
        trail.recorder().adopt(onward.recorder.table)
        free = tuple(dict.fromkeys((*primal.part.free, *onward.free)))
        first, second = close(primal.part, free), close(onward, free)
        lifted, ins, moving = split(second.inputs, len(free), len(specs))
        still = [new_input(f"still{index}", value.type) for index, value in enumerate(free)]
        whole = Graph((*lifted, *ins, *still, *moving), second.outputs)
        return CustomJvp(Graph(first.inputs, first.outputs), whole).results(*free, *primal.values)


class custom_vjp(_Custom):  # noqa: N801  # used as a decorator, under JAX's name
    """A function whose reverse-mode derivative you write yourself.

    Args:
        function: the function of arrays.
        nondiff_argnums: the arguments that are no arrays, such as functions or strings; ``backward``
            takes them first.

    Call ``defvjp(forward, backward)`` before use: ``forward(*args)`` returns ``(result, residuals)``
    and ``backward(residuals, cotangent)`` a tuple with one cotangent an argument (None for zero).
    What the function closes over is constant to the derivative. Forward mode is derived from
    ``backward`` where that is linear in the cotangent. Both passes may call the function; there
    it is the plain one, whose own derivatives follow from what it computes.

    Example:
        >>> from rax.frontend.transforms import grad
        >>> clipped = custom_vjp(lambda x: x * x)
        >>> clipped.defvjp(lambda x: (x * x, x), lambda x, ct: (ct * x,))
        >>> float(grad(clipped)(3.0))
        3.0
    """

    def __init__(self, function: Function, nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(function, nondiff_argnums)
        self._forward: Function | None = None
        self._backward: Function | None = None

    def defvjp(self, forward: Callable[..., tuple[Any, Any]], backward: Function) -> None:
        """Give the forward and the backward pass."""
        self._forward = forward
        self._backward = backward

    def _results(
        self, primal: Captured, args: tuple[Any, ...], static: tuple[Any, ...], kept: Sequence[int]
    ) -> tuple[Value, ...]:
        forward, backward = self._forward, self._backward
        if forward is None or backward is None:
            raise DerivativeError(
                f"custom_vjp {self.__name__!r} has no derivative yet", fix="call .defvjp(forward, backward) first"
            )
        onward = capture_arguments(forward, args, {}, kept, has_aux=True)
        if onward.out_tree != primal.out_tree or onward.aux_tree is None:
            raise TreeError(f"forward must return (result, residuals) with a result like {primal.out_tree}")
        types = [value.type for value in primal.outputs]
        specs = [
            unflatten(onward.aux_tree, [value.type for value in onward.aux]),
            unflatten(primal.out_tree, types),
        ]
        given = [args[index] for index in kept]
        back = capture(_cotangents(functools.partial(backward, *static), given), specs, ["residuals", "cotangent"])
        trail.recorder().adopt(back.recorder.table)
        return _apply(primal, onward, back)


def _cotangents(backward: Function, args: Sequence[Any]) -> Function:
    """``backward`` with a flat result: one cotangent for each array of the arguments."""

    def flat(residuals: Any, cotangent: Any) -> list[Tensor]:
        parts = cast("Sequence[Any]", backward(residuals, cotangent))
        if not isinstance(parts, (tuple, list)) or len(parts) != len(args):
            raise TreeError(f"backward must return a tuple of {len(args)} cotangents, one for each argument")
        found: list[Tensor] = []
        for index, (part, argument) in enumerate(zip(parts, args, strict=True)):
            leaves, tree = flatten(argument)
            given, shape = flatten(part)
            if part is None:
                given = [Tensor(zeros(as_tensor(leaf).value.type)) for leaf in leaves]
            elif shape != tree:
                raise TreeError(f"backward's cotangent {index} is {shape}, but the argument is {tree}")
            found += [as_tensor(leaf) for leaf in given]
        return found

    return flat


def _apply(primal: Captured, onward: Captured, back: Capture) -> tuple[Value, ...]:
    """The operation on what the three functions close over, then the arguments.

    The backward pass may close over values too: the forward pass hands them on as residuals.
    """
    free = tuple(dict.fromkeys((*primal.part.free, *onward.part.free, *back.free)))
    first, second, third = close(primal.part, free), close(onward.part, free), close(back, free)
    handed = second.inputs[: len(free)]
    forward = Graph(second.inputs, (*second.outputs, *handed))
    lifted, residuals, cotangents = split(third.inputs, len(free), len(onward.aux))
    nothing = [zeros(value.type) for value in free]
    backward = Graph((*residuals, *lifted, *cotangents), (*nothing, *third.outputs))
    return CustomVjp(Graph(first.inputs, first.outputs), forward, backward).results(*free, *primal.values)
