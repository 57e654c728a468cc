"""Derivatives as users call them: of functions, of graphs, of tensors.

Of a :class:`rax.Graph`, a loaded one too, every transform gives a graph. Of a function it gives
a function, which builds graph when called on tensors and evaluates when called on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rax.autodiff.jvp import push
from rax.autodiff.transforms import TRANSFORMS
from rax.autodiff.vjp import vjp as value_vjp
from rax.frontend.captured import (
    Argnums,
    Function,
    argument_indices,
    by_argument,
    capture_arguments,
    evaluated,
    tensors,
    transformed,
)
from rax.frontend.promotion import is_number
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir import trail
from rax.ir.errors import DerivativeError
from rax.ir.node import Value
from rax.ir.op import Derivative
from rax.ir.tree import Tree, flatten, leaves_like
from rax.ir.types import TensorType
from rax.ops.algebra import broadcast_to, full, zeros


def _check_inexact(values: Sequence[Value], what: str) -> None:
    for value in values:
        if not value.dtype.is_inexact:
            raise DerivativeError(
                f"{what} is {value.type}, and derivatives exist for floating-point tensors only",
                source=trail.here().source,
                fix="cast it with astype, or leave it out with argnums",
            )


def _scalar_loss(outputs: Sequence[Value], name: str) -> Value:
    if len(outputs) != 1 or outputs[0].shape != () or not outputs[0].dtype.is_floating:
        shown = ", ".join(str(value.type) for value in outputs)
        raise DerivativeError(
            f"{name} needs a function with one real floating-point scalar as its result, not ({shown})",
            source=trail.here().source,
            fix="reduce with sum or mean, use jacrev for the whole Jacobian, or has_aux=True for a second result",
        )
    return outputs[0]


def value_and_grad(function: Function, argnums: Argnums = 0, has_aux: bool = False) -> Any:
    """The result of a scalar function together with its gradient.

    Args:
        function: a function or a graph whose result is a real scalar; with ``has_aux`` a pair of
            that and anything else.
        argnums: which argument(s) to differentiate by.
        has_aux: whether the function returns ``(result, aux)``.

    Returns:
        A function (of a graph: a graph) to ``(result, gradient)``, or ``((result, aux), gradient)``;
        the gradient has the structure of the argument, or is a tuple for a tuple of argnums.

    Raises:
        DerivativeError: when called, if the result is no scalar or an argument is not floating.

    Example:
        >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
        >>> float(value), float(slope)
        (9.0, 6.0)
    """

    def build(*args: Any, **kwargs: Any) -> Any:
        return _value_and_grad(function, argnums, has_aux, args, kwargs, "value_and_grad")

    return transformed(function, build, "value_and_grad")


def _value_and_grad(
    function: Function, argnums: Argnums, has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> tuple[Any, Any]:
    chosen = argument_indices(argnums, args)
    got = capture_arguments(function, args, kwargs, chosen, has_aux)
    _check_inexact(got.values, "an argument of the gradient")
    loss = _scalar_loss(got.outputs, name)
    results, pullback = value_vjp((loss, *got.aux), got.part.inputs)
    parts = pullback((full(loss.type, 1), *[None] * len(got.aux)))
    grads = [zeros(i.type) if part is None else part for i, part in zip(got.part.inputs, parts, strict=True)]
    new = got.at_values((*results, *grads))
    gradient = by_argument(got.trees, new[len(results) :], argnums)
    value = tensors(got.out_tree, new[:1])
    if got.aux_tree is not None:
        return (value, tensors(got.aux_tree, new[1 : len(results)])), gradient
    return value, gradient


def grad(function: Function, argnums: Argnums = 0, has_aux: bool = False) -> Any:
    """The gradient of a scalar function; see :func:`value_and_grad`.

    With ``has_aux`` the result is ``(gradient, aux)``.

    Example:
        >>> float(grad(grad(lambda x: x**3))(2.0))
        12.0
    """

    def build(*args: Any, **kwargs: Any) -> Any:
        value, slope = _value_and_grad(function, argnums, has_aux, args, kwargs, "grad")
        return (slope, value[1]) if has_aux else slope

    return transformed(function, build, "grad")


def backward(loss: Tensor, params: Any) -> Any:
    """The gradients of a scalar tensor, as tensors in the structure of ``params``."""
    leaves, tree = flatten(params)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise DerivativeError(
                f"backward takes tensors that the loss was built from, not {type(leaf).__name__}",
                source=trail.here().source,
                fix="make the parameters with rax.param before building the loss",
            )
    values = [leaf.value for leaf in leaves]
    _check_inexact(values, "a parameter")
    _, pullback = value_vjp((_scalar_loss((loss.value,), "backward"),), values)
    parts = pullback((full(loss.value.type, 1),))
    return tensors(tree, [zeros(v.type) if part is None else part for v, part in zip(values, parts, strict=True)])


def values_like(tree: Tree, types: Sequence[TensorType], nest: Any, what: str) -> list[Derivative]:
    """The leaves of a nest of derivatives as values of given types."""
    values: list[Derivative] = []
    for leaf, wanted in zip(leaves_like(tree, nest, what), types, strict=True):
        if not wanted.dtype.is_inexact:
            values.append(None)
            continue
        weak = is_number(leaf)
        value = as_tensor(leaf, wanted.dtype if weak else None).value
        if weak:
            value = broadcast_to(value, wanted.shape)
        if value.type != wanted:
            raise DerivativeError(f"{what} must hold {wanted} where it holds {value.type}")
        values.append(value)
    return values


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Forward mode: the result of a function and its derivative along a direction.

    Args:
        function: any function of arrays.
        primals: the arguments.
        tangents: the direction, in the structure and types of ``primals``.

    Returns:
        ``(result, tangent)``, both in the structure of the result; tensors if any argument is one,
        else arrays.

    Example:
        >>> out, tangent = jvp(lambda x: x * x, (3.0,), (1.0,))
        >>> float(out), float(tangent)
        (9.0, 6.0)
    """

    def build(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, Any]:
        got = capture_arguments(function, tuple(first), {}, range(len(first)))
        tree = flatten(tuple(first))[1]
        moved = values_like(tree, [value.type for value in got.values], tuple(second), "tangents")
        seeds = {i: t for i, t in zip(got.part.inputs, moved, strict=True) if t is not None}
        results, pushed = push(TRANSFORMS, got.outputs, seeds, transposable=False)
        filled = [zeros(r.type) if t is None else t for r, t in zip(results, pushed, strict=True)]
        new = got.at_values((*results, *filled))
        return tensors(got.out_tree, new[: len(results)]), tensors(got.out_tree, new[len(results) :])

    return transformed(build, build, "jvp")(tuple(primals), tuple(tangents))


def vjp(function: Function, *primals: Any, has_aux: bool = False) -> Any:
    """Reverse mode: the result of a function and the pullback of its cotangents.

    Args:
        function: any function of arrays.
        primals: the arguments.
        has_aux: whether the function returns ``(result, aux)``.

    Returns:
        ``(result, pullback)``, or ``(result, pullback, aux)``; ``pullback(cotangent)`` takes the
        structure of the result and gives a tuple with one cotangent an argument.

    Example:
        >>> out, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
        >>> [float(part) for part in pullback(1.0)]
        [4.0, 3.0]
    """
    concrete = not any(isinstance(leaf, Tensor) for leaf in flatten(primals)[0])
    got = capture_arguments(function, primals, {}, range(len(primals)), has_aux)
    results, pull_values = value_vjp((*got.outputs, *got.aux), got.part.inputs)
    count = len(got.outputs)
    new = got.at_values(results)
    finish = _evaluated if concrete else _identity

    def pullback(cotangent: Any) -> Any:
        given = [isinstance(leaf, Tensor) for leaf in flatten(cotangent)[0]]
        cts = values_like(got.out_tree, [value.type for value in got.outputs], cotangent, "the cotangent")
        parts = pull_values((*cts, *[None] * len(got.aux)))
        filled = [zeros(i.type) if part is None else part for i, part in zip(got.part.inputs, parts, strict=True)]
        result = by_argument(got.trees, got.at_values(filled), range(len(primals)))
        return result if any(given) else finish(result)

    value = finish(tensors(got.out_tree, new[:count]))
    if got.aux_tree is None:
        return value, pullback
    return value, pullback, finish(tensors(got.aux_tree, new[count:]))


def _identity(nest: Any) -> Any:
    return nest


def _evaluated(nest: Any) -> Any:
    return evaluated(nest, "vjp")
