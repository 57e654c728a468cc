"""Functions with a derivative of their own kind: ``checkpoint`` and ``custom_vjp``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, cast

from rax.frontend.captured import Captured, Function, capture_arguments, tensors, transformed
from rax.frontend.tensor import Tensor, as_tensor
from rax.frontend.trace import Capture, capture, close
from rax.ir import trail
from rax.ir.errors import DerivativeError, TreeError
from rax.ir.graph import Graph
from rax.ir.node import Value
from rax.ir.tree import flatten, unflatten
from rax.ops import selection
from rax.ops.algebra import zeros
from rax.ops.calls import Checkpoint, CustomVjp
from rax.ops.subgraphs import split


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


class custom_vjp:  # noqa: N801  # used as a decorator, under JAX's name
    """A function whose reverse-mode derivative you write yourself.

    Args:
        function: the function of arrays.

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

    def __init__(self, function: Function) -> None:
        self._function = function
        self._forward: Function | None = None
        self._backward: Function | None = None
        self.__name__ = getattr(function, "__name__", "custom_vjp")
        self.__doc__ = function.__doc__

    def defvjp(self, forward: Callable[..., tuple[Any, Any]], backward: Function) -> None:
        """Give the forward and the backward pass."""
        self._forward = forward
        self._backward = backward

    def __call__(self, *args: Any) -> Any:
        """The function's result."""
        if self in _passes.get():
            return self._function(*args)
        return transformed(self._function, self._build, "custom_vjp")(*args)

    def _build(self, *args: Any) -> Any:
        forward, backward = self._forward, self._backward
        if forward is None or backward is None:
            raise DerivativeError(
                f"custom_vjp {self.__name__!r} has no derivative yet", fix="call .defvjp(forward, backward) first"
            )
        primal = capture_arguments(self._function, args, {}, range(len(args)))
        token = _passes.set((*_passes.get(), self))
        try:
            onward, back = self._capture_passes(primal, forward, backward, args)
        finally:
            _passes.reset(token)
        return tensors(primal.out_tree, _apply(primal, onward, back))

    def _capture_passes(
        self, primal: Captured, forward: Function, backward: Function, args: tuple[Any, ...]
    ) -> tuple[Captured, Capture]:
        onward = capture_arguments(forward, args, {}, range(len(args)), has_aux=True)
        if onward.out_tree != primal.out_tree or onward.aux_tree is None:
            raise TreeError(f"forward must return (result, residuals) with a result like {primal.out_tree}")
        types = [value.type for value in primal.outputs]
        specs = [
            unflatten(onward.aux_tree, [value.type for value in onward.aux]),
            unflatten(primal.out_tree, types),
        ]
        back = capture(self._cotangents(backward, args), specs, ["residuals", "cotangent"])
        trail.recorder().adopt(back.recorder.table)
        return onward, back

    def _cotangents(self, backward: Function, args: tuple[Any, ...]) -> Function:
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


_passes: ContextVar[tuple[custom_vjp, ...]] = ContextVar("rax_custom_vjp_passes", default=())
"""The functions whose forward or backward pass is being traced."""


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
